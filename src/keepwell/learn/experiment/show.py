"""Experiments as the API and the pages show them, in a reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from keepwell.core.text import tr
from keepwell.frame.database import Tx
from keepwell.learn.experiment import repo
from keepwell.learn.experiment.gate import Passing, passing_words
from keepwell.learn.experiment.guardrails import STANDARD
from keepwell.learn.experiment.looks import Verdict, verdict_words
from keepwell.learn.experiment.model import ExperimentLook, ExperimentRow
from keepwell.learn.experiment.plan import FLOW, LEFT, matures_at
from keepwell.learn.experiment.ratio import RatioCheck
from keepwell.learn.experiment.schema import (
    ArmOut,
    ArmReadOut,
    DrawOut,
    ExperimentOut,
    ExperimentShort,
    GuardrailOut,
    IntervalOut,
    LookOut,
    ProvenOut,
    RatioOut,
)
from keepwell.learn.experiment.service import asked_of, planned_of

TITLES: Final[dict[str, str]] = {
    LEFT: "Share of clients who left",
    FLOW: "Net flow per client",
    **{one.guardrail.metric.name: one.title for one in STANDARD},
}
"""What each metric is called, in English."""

WATCHED: Final = "No guardrail shows harm for certain."
BROKEN: Final = (
    "Stop: the stored assignments are not those that were drawn. Nothing is read out until the "
    "cause is found."
)
HARMED: Final = "Stop: {arm} does harm in {metric}."


def shorts(tx: Tx, rows: Sequence[ExperimentRow]) -> list[ExperimentShort]:
    """Experiments as a list shows them."""
    counts = repo.counts(tx, [row.experiment_id for row in rows])
    return [ExperimentShort(**_short(row, counts.get(row.experiment_id, {}))) for row in rows]


def whole(tx: Tx, row: ExperimentRow, locale: str) -> ExperimentOut:
    """An experiment with all its draws and looks.

    Args:
        tx: the unit of work.
        row: the experiment.
        locale: 'en' or 'zh'.
    """
    counts = repo.counts(tx, [row.experiment_id]).get(row.experiment_id, {})
    asked = asked_of(row)
    return ExperimentOut(
        **_short(row, counts), hypothesis=row.hypothesis, design=asked, digest=row.digest,
        registered_at=row.registered_at, stop_reason=row.stop_reason,
        arms=[
            ArmOut(
                **arm.model_dump(), units=counts.get(arm.name, (0, 0))[0],
                clients=counts.get(arm.name, (0, 0))[1],
            )
            for arm in asked.arms
        ],
        draws=[
            DrawOut(
                batch=one.batch, drawn_at=one.drawn_at, clients=one.clients, units=one.units,
                matures_at=matures_at(one.drawn_at, asked.horizon_days, tx.frame.zone),
                seal=one.seal,
            )
            for one in repo.draws(tx, row.experiment_id)
        ],
        looks=[look_out(one, asked.control, locale) for one in repo.looks(tx, row.experiment_id)],
        proven=[
            ProvenOut(
                action_id=one.action_id, action_version=one.action_version, arm=one.arm,
                reduction=one.reduction, low=one.low, high=one.high,
            )
            for one in repo.effects_of(tx, row.experiment_id)
        ],
    )  # fmt: skip


def _short(row: ExperimentRow, counts: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    return {
        "experiment_id": row.experiment_id, "title": row.title, "about": row.about,
        "state": row.state, "owner_id": row.owner_id, "created_at": row.created_at,
        "started_at": row.started_at, "ended_at": row.ended_at,
        "planned_units": planned_of(row), "units": sum(units for units, _ in counts.values()),
        "version": row.version,
    }  # fmt: skip


def look_out(row: ExperimentLook, control: str, locale: str) -> LookOut:
    """A stored look.

    Args:
        row: the look.
        control: name of the control arm.
        locale: 'en' or 'zh'.
    """
    kept = row.result
    ratio = kept["ratio"]
    check = RatioCheck(
        ratio["counts"], ratio["expected"], ratio["p"], ratio["block"], ratio["block_p"]
    )
    intact = not ratio["broken"]
    arms = [_arm(name, found, control, locale) for name, found in sorted(kept["arms"].items())]
    rails = [
        GuardrailOut(**one, title=tr(TITLES[one["metric"]], locale)) for one in kept["guardrails"]
    ]
    return LookOut(
        number=row.number, at=row.at, looked_by=row.looked_by, kind=row.kind,
        counts=row.counts, planned_share=row.planned_share, fraction=row.fraction,
        verdict=row.verdict, words=_words(row, check, intact, arms, rails, locale),
        manifest=row.manifest, drawn=kept["drawn"], matured=kept["matured"],
        counted=kept["counted"], uncounted=kept["uncounted"],
        ratio=RatioOut(
            p=check.p, block_p=check.block_p, stop=check.stop or not intact, intact=intact,
            words=check.words(locale) if intact or check.stop else tr(BROKEN, locale),
        ),
        arms=arms, guardrails=rails, absent=kept["absent"],
    )  # fmt: skip


def _words(
    row: ExperimentLook, check: RatioCheck, intact: bool, arms: Sequence[ArmReadOut],
    rails: Sequence[GuardrailOut], locale: str,
) -> str:  # fmt: skip
    if row.verdict == Verdict.RATIO:
        return check.words(locale) if check.stop or intact else tr(BROKEN, locale)
    harmed = next((one for one in rails if one.harmed), None)
    if harmed is not None:
        return tr(HARMED, locale, arm=harmed.arm, metric=harmed.title)
    if not row.counts:
        return tr(WATCHED, locale)
    same = [one for one in arms if one.verdict == row.verdict]
    return " ".join(one.words for one in same or arms)


def _arm(name: str, found: Mapping[str, Any], control: str, locale: str) -> ArmReadOut:
    seen, relative, gate = found["look"], found["relative"], found["gate"]
    title = tr(TITLES[LEFT], locale)
    ends = (
        -float("inf") if relative["low"] is None else relative["low"],
        float("inf") if relative["high"] is None else relative["high"],
    )
    return ArmReadOut(
        arm=name, verdict=seen["verdict"],
        words=verdict_words(
            Verdict(seen["verdict"]), name, control, title, seen["fraction"], locale
        ),
        units=found["units"][0], control_units=found["units"][1], left=found["means"][0],
        control_left=found["means"][1], difference=_interval(seen["primary"]),
        relative=_interval(relative), reduction=found["reduction"], gate=gate["passing"],
        gate_words=passing_words(
            Passing(gate["passing"]), "lower", title, gate["least"], ends, locale
        ),
        flow=_interval(found["flow"]),
    )  # fmt: skip


def _interval(found: Mapping[str, Any] | None) -> IntervalOut | None:
    if found is None:
        return None
    return IntervalOut(
        value=found["value"], low=found["low"], high=found["high"], level=found["level"]
    )
