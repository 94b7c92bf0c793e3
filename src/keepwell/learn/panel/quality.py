"""How good the model was on a date that it had not seen, from the run's proof."""

from __future__ import annotations

import numpy as np
from pydantic import TypeAdapter

from keepwell.core import text
from keepwell.core.text import tr
from keepwell.learn.panel.making import Making
from keepwell.learn.panel.schema import (
    CalibrationPoint,
    Quality,
    Share,
    Tenth,
    TierRate,
)
from keepwell.learn.report import data as shown
from keepwell.warn.metrics import wilson

_KEPT = TypeAdapter(Quality)

TENTHS = 10


def write_quality(making: Making, data: shown.ReportData) -> None:
    """Write what the proof found; no file without a proof.

    Args:
        making: the writing.
        data: of the same run.
    """
    found = quality_of(data)
    if found is not None:
        (making.folder / "quality.json").write_bytes(_KEPT.dump_json(found))


def read_quality(content: bytes) -> Quality:
    """What `write_quality` wrote."""
    return _KEPT.validate_json(content)


def quality_of(data: shown.ReportData) -> Quality | None:
    """The proof of a run; None when it had none."""
    tested = data.backtest
    if tested is None:
        return None
    champion = next((model for model in tested.models if model.champion), None)
    metrics = champion.metrics if champion else {}
    curve = next((c for c in tested.curves if champion and c.code == champion.code), None)
    return Quality(
        test_at=tested.as_of.at,
        until=tested.until.at,
        trained_on=tuple(day.at for day in tested.trained_on),
        clients=tested.clients,
        left=tested.left,
        base_rate=_share(tested.base_rate),
        auc=_share(metrics["auc"]) if "auc" in metrics else None,
        lift_top10=_share(metrics["lift_top10"]) if "lift_top10" in metrics else None,
        tenths=_tenths(curve, tested) if curve else (),
        calibration=tuple(
            CalibrationPoint(point.predicted, _share(point.observed), point.clients)
            for point in tested.calibration
        ),
        tiers=tuple(
            TierRate(
                tier.code, tier.cut, tier.tested, _share(tier.realised) if tier.realised else None
            )
            for tier in data.tiers
        ),
        data_en=_words(data, tested, "en"),
        data_zh=_words(data, tested, "zh"),
    )


def _share(interval: shown.Interval) -> Share:
    return Share(interval.value, interval.low, interval.high)


def _tenths(curve: shown.Curve, tested: shown.Backtest) -> tuple[Tenth, ...]:
    """Leavers of each tenth from the curve; Wilson's interval of the rate, over the base rate."""
    at = [point.share for point in curve.points]
    cuts = np.linspace(0.0, 1.0, TENTHS + 1)
    found = np.interp(cuts, at, [point.found for point in curve.points]) * tested.left
    left = np.diff(found)
    clients = tested.clients / TENTHS
    low, high = wilson(left, np.full(TENTHS, clients))
    base = tested.left / tested.clients
    return tuple(
        Tenth(
            i + 1, clients, float(left[i]),
            Share(
                float(left[i] / clients / base), float(low[i] / base), float(high[i] / base)
            ),
        )
        for i in range(TENTHS)
    )  # fmt: skip


def _words(data: shown.ReportData, tested: shown.Backtest, locale: str) -> str:
    return tr(
        "{workspace}: trained on {dates} dates up to {newest}, tested on {clients} clients at risk "
        "on {day}, none of whose later rows the model had seen.", locale,
        workspace=data.workspace, dates=len(tested.trained_on),
        newest=text.day(tested.trained_on[-1].day, locale),
        clients=text.number(tested.clients, locale), day=text.day(tested.as_of.day, locale),
    )  # fmt: skip
