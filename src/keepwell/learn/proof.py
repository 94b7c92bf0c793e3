"""The proof: the backtest of a workspace's own label, kept so that a second run is cheap."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from keepwell.core.errors import DataError
from keepwell.core.files import atomic_write
from keepwell.learn.report import data as shown
from keepwell.observe.engines.base import Engine
from keepwell.warn.backtest import Backtest, backtest, training_dates
from keepwell.warn.dataset import Progress
from keepwell.warn.label import LabelDefinition
from keepwell.warn.metrics import Estimate, wilson
from keepwell.warn.registry import training_key
from keepwell.warn.score import Capacity

_KEPT = TypeAdapter(tuple[shown.Backtest, tuple[shown.Tier, ...]])


@dataclass(frozen=True)
class Proof:
    """How the model would have done.

    Attributes:
        result: what the report shows of it.
        tiers: each tier's share and realised rate on the test.
        test_at: the test's as-of instant.
    """

    result: shown.Backtest
    tiers: tuple[shown.Tier, ...]
    test_at: datetime


def prove(
    engine: Engine,
    definition: LabelDefinition,
    dates: Sequence[datetime],
    test_at: datetime,
    capacity: Capacity,
    folder: Path,
    progress: Progress | None = None,
) -> Proof:
    """Backtest at a date, or read the kept result of the same data, label, dates and version.

    Args:
        engine: gives what was known.
        definition: the label.
        dates: candidates for training.
        test_at: the test.
        capacity: of the staff.
        folder: where results are kept.
        progress: called with a line of text per step.

    Raises:
        DataError: no training date is mature by the test, or the test's label is not known.
    """
    usable = training_dates(definition, dates, test_at, engine.zone)
    if not usable:
        raise DataError("dataset.label-immature", label=definition.name, dates=len(dates))
    known = kept_proof(engine, definition, dates, test_at, capacity, folder)
    if known is not None:
        return known
    path = _place(engine, definition, usable, test_at, capacity, folder)
    tested = backtest(engine, definition, usable, test_at, capacity=capacity, progress=progress)
    result, tiers = _shown(tested, engine), _tiers(tested)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(path, _KEPT.dump_json((result, tiers)))
    return Proof(result, tiers, test_at)


def kept_proof(
    engine: Engine,
    definition: LabelDefinition,
    dates: Sequence[datetime],
    test_at: datetime,
    capacity: Capacity,
    folder: Path,
) -> Proof | None:
    """The kept result of `prove` with the same arguments; None where there is none.

    Args:
        engine: whose manifest was tested.
        definition: the label.
        dates: candidates for training.
        test_at: the test.
        capacity: of the staff.
        folder: where results are kept.
    """
    usable = training_dates(definition, dates, test_at, engine.zone)
    path = _place(engine, definition, usable, test_at, capacity, folder)
    if not path.is_file():
        return None
    result, tiers = _KEPT.validate_python(json.loads(path.read_text("utf-8")))
    return Proof(result, tiers, test_at)


def _place(
    engine: Engine,
    definition: LabelDefinition,
    usable: Sequence[datetime],
    test_at: datetime,
    capacity: Capacity,
    folder: Path,
) -> Path:
    key = training_key(
        definition, engine.manifest.knowledge, [*usable, test_at], "proof", {}, capacity
    )
    return folder / f"{key}.json"


def _interval(estimate: Estimate) -> shown.Interval:
    return shown.Interval(estimate.value, estimate.low, estimate.high)


def _shown(tested: Backtest, engine: Engine) -> shown.Backtest:
    zone, found = engine.zone, tested.evaluation
    low, high = wilson(found.left, found.rows)
    return shown.Backtest(
        as_of=shown.AsOf.of(tested.as_of, zone, start=True),
        until=shown.AsOf.of(tested.ends_at, zone, start=True),
        trained_on=tuple(shown.AsOf.of(t, zone, start=True) for t in tested.trained.dates),
        clients=found.rows,
        left=found.left,
        base_rate=shown.Interval(found.left / found.rows, float(low), float(high)),
        models=tuple(
            shown.ModelResult(
                name, name == found.champion, {code: _interval(e) for code, e in of.items()}
            )
            for name, of in found.metrics.items()
        ),
        differences=tuple(
            shown.Difference(metric, baseline, _interval(of[metric]))
            for baseline, of in found.differences.items()
            for metric in ("auc", "ap", "lift_top10")
        ),
        curves=tuple(
            shown.Curve(
                name,
                tuple(shown.CurvePoint(float(s), float(f)) for s, f in zip(*curve, strict=True)),
            )
            for name, curve in tested.curves.items()
        ),
        calibration=tuple(
            shown.CalibrationBin(b.predicted, shown.Interval(b.observed, b.low, b.high), b.clients)
            for b in tested.bins
        ),
    )


def _tiers(tested: Backtest) -> tuple[shown.Tier, ...]:
    return tuple(
        shown.Tier(
            code=t.tier.code, cut=0.0, clients=t.clients, share=t.share,
            realised=shown.Interval(t.rate, t.low, t.high) if t.clients else None,
            tested=t.clients,
        )
        for t in tested.tiers
    )  # fmt: skip
