"""Look at an experiment: what is read from the desk, what the lake says, what follows.

A look has three parts, for the lake is read outside of any unit of work: `gather` reads the desk,
`examine` computes, `conclude` stores. Every client who was drawn counts in the arm of the draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from keepwell.core.digest import digest_of
from keepwell.core.errors import KeepwellError
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.problem import Conflict, Stale
from keepwell.learn.experiment import repo
from keepwell.learn.experiment.design import Experiment
from keepwell.learn.experiment.drawing import broken_draws
from keepwell.learn.experiment.gate import Passing, stage_gate
from keepwell.learn.experiment.looks import Verdict, look, watch
from keepwell.learn.experiment.measure import (
    Array,
    Batch,
    desk_counts,
    harms,
    left,
    net_flow,
)
from keepwell.learn.experiment.model import ExperimentEffect, ExperimentLook, ExperimentRow
from keepwell.learn.experiment.plan import FLOW, LEFT, matures_at
from keepwell.learn.experiment.ratio import RatioCheck, check
from keepwell.learn.experiment.readout import Effect, ReadOut, read_out
from keepwell.learn.experiment.schema import LookIn
from keepwell.learn.experiment.service import asked_of, design_of, end, planned_of, read
from keepwell.observe.engines.base import Engine
from keepwell.observe.engines.local import LocalEngine
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

PLANNED: Final = "planned"
GUARDRAILS: Final = "guardrails"
_SLACK: Final = 1e-9
_SETTLED: Final = (Verdict.BENEFIT, Verdict.FINISHED, Verdict.HARM)


@dataclass(frozen=True)
class Material:
    """What the desk knows when it is looked at.

    Attributes:
        row: the experiment.
        batches: all draws.
        broken: batches whose assignments are not those that were sealed.
        done: shares of the information of the looks that counted.
        settled: arms about which an earlier look decided, with what it stored.
        number: of this look.
        asked: what is looked at.
        at: the instant.
    """

    row: ExperimentRow
    batches: Sequence[Batch]
    broken: Sequence[int]
    done: Sequence[float]
    settled: Mapping[str, Any]
    number: int
    asked: LookIn
    at: datetime

    @property
    def design(self) -> Experiment:
        """What the statistics go by."""
        return design_of(self.row)


@dataclass(frozen=True)
class Found:
    """What a look found.

    Attributes:
        verdict: for the whole experiment.
        fraction: share of the planned information.
        share: at which it was planned; None for guardrails alone.
        counts: whether the primary metric was read.
        manifest: version of the lake.
        result: as stored.
    """

    verdict: Verdict
    fraction: float
    share: float | None
    counts: bool
    manifest: int
    result: dict[str, Any]


def gather(tx: Tx, experiment_id: str, asked: LookIn) -> Material:
    """Read what the desk knows.

    Raises:
        NotFound: there is no such experiment.
        Conflict: it does not run.
    """
    row = read(tx, experiment_id)
    if row.state != "running":
        raise Conflict("experiment.state-wrong", state=row.state, wanted="running")
    rows = repo.assigned(tx, experiment_id)
    horizon, zone = design_of(row).horizon_days, tx.frame.zone
    batches = []
    for made in repo.draws(tx, experiment_id):
        ends = matures_at(made.drawn_at, horizon, zone)
        batches.append(Batch(
            made.batch, made.drawn_at, ends, [one for one in rows if one.batch == made.batch],
            desk_counts(tx, made.drawn_at, min(ends, tx.at)),
        ))  # fmt: skip
    before = repo.looks(tx, experiment_id)
    settled = {
        arm: found
        for one in before
        if one.counts
        for arm, found in one.result["arms"].items()
        if found["look"]["verdict"] in _SETTLED
    }
    return Material(
        row, batches, broken_draws(tx, experiment_id, rows),
        [one.fraction for one in before if one.counts], settled, len(before) + 1, asked, tx.at,
    )  # fmt: skip


def examine(frame: Frame, material: Material) -> Found:
    """Check the arms' shares, then read out what may be read.

    Args:
        frame: whose lake is read.
        material: of `gather`.

    Raises:
        Conflict: it is too early, or the lake cannot tell.
    """
    try:
        engine = LocalEngine.open(frame.workspace)
        return _examined(engine, material)
    except Conflict:
        raise
    except KeepwellError as error:
        raise Conflict(error.code, **error.fields) from None


def conclude(tx: Tx, actor: Actor, material: Material, found: Found) -> ExperimentLook:
    """Store a look with its evidence; end the experiment where that follows from it.

    Raises:
        Stale: the experiment has changed since it was read.
    """
    row = read(tx, material.row.experiment_id, lock=True)
    if row.version != material.row.version:
        raise Stale(
            "request.condition-stale", current=row.version, given=material.row.version
        )  # fmt: skip
    made = ExperimentLook(
        experiment_id=row.experiment_id, number=material.number, at=material.at,
        looked_by=actor.user_id, kind=material.asked.kind, planned_share=found.share,
        fraction=found.fraction, counts=found.counts, verdict=found.verdict.value,
        manifest=found.manifest, result=found.result,
    )  # fmt: skip
    tx.session.add(made)
    row.version += 1
    record(
        tx, actor, EvidenceKind.EXPERIMENT_LOOKED, subject=row.experiment_id,
        data={
            "number": made.number, "kind": made.kind, "verdict": made.verdict,
            "millionths": round(made.fraction * 1_000_000), "manifest": made.manifest,
            "digest": digest_of(found.result),
        },
    )  # fmt: skip
    _prove(tx, material, made)
    if found.verdict is Verdict.HARM:
        end(tx, actor, row, "stopped", by=found.verdict.value)
    elif found.verdict in (Verdict.BENEFIT, Verdict.FINISHED):
        end(tx, actor, row, "done", by=found.verdict.value)
    tx.session.flush()
    return made


def _prove(tx: Tx, material: Material, made: ExperimentLook) -> None:
    """Keep what is certain of an action: for the recommendation, by action and version."""
    known = {one.arm for one in repo.effects_of(tx, made.experiment_id)}
    arms = {arm.name: arm for arm in asked_of(material.row).arms}
    for name, found in made.result["arms"].items():
        arm, relative = arms[name], found["relative"]
        decided = found["look"]["verdict"] in _SETTLED and found["look"]["because"] == LEFT
        certain = decided and found["look"]["verdict"] != Verdict.FINISHED
        if name in known or arm.action_id is None or arm.action_version is None:
            continue
        if not (certain or found["gate"]["passing"] == Passing.PASSED) or None in (
            relative["value"], relative["low"], relative["high"],
        ):  # fmt: skip
            continue
        low, value, high = (
            min(1.0, max(-10.0, -relative[end])) for end in ("high", "value", "low")
        )
        tx.session.add(ExperimentEffect(
            experiment_id=made.experiment_id, arm=name, number=made.number, at=made.at,
            action_id=arm.action_id, action_version=arm.action_version,
            reduction=value, low=low, high=high,
        ))  # fmt: skip


def _examined(engine: Engine, material: Material) -> Found:
    design, planned = material.design, planned_of(material.row)
    everybody = [row for batch in material.batches for row in batch.rows]
    ratio = _ratio(design, everybody)
    version = engine.manifest.id
    result: dict[str, Any] = {
        "drawn": len(everybody), "matured": 0, "counted": 0, "uncounted": 0,
        "ratio": ratio.to_dict() | {"broken": list(material.broken)},
        "arms": {}, "guardrails": [], "absent": [],
    }  # fmt: skip
    if ratio.stop or material.broken:
        return Found(Verdict.RATIO, 0.0, None, False, version, result)
    if material.asked.kind == GUARDRAILS:
        harmed = _guardrails(engine, material, everybody, planned, result)
        verdict = Verdict.HARM if harmed else Verdict.CONTINUE
        return Found(verdict, _exposed(material, planned), None, False, version, _finite(result))
    outcome, ripe = _outcomes(engine, material)
    known = np.isfinite(outcome)
    rows = [row for row, yes in zip(ripe, known, strict=True) if yes]
    share, fraction = _due(material, rows, planned)
    result |= {
        "matured": len(ripe), "counted": len(rows), "uncounted": len(ripe) - len(rows),
    }  # fmt: skip
    harmed = _guardrails(engine, material, everybody, planned, result)
    data = _columns(rows) | {LEFT: outcome[known]}
    found = read_out(
        [design.primary], data, control=design.control, stratum="stratum", cluster="cluster"
    )
    flow = _flow(engine, material, known, data) if asked_of(material.row).money else None
    for arm in design.treated:
        result["arms"][arm] = material.settled.get(arm) or _judged(
            material, found, ratio, fraction, arm, flow
        )
    verdicts = {one["look"]["verdict"] for one in result["arms"].values()}
    return Found(
        _overall(verdicts, harmed), fraction, share, True, version, _finite(result)
    )  # fmt: skip


def _overall(verdicts: set[str], harmed: bool) -> Verdict:
    if harmed or Verdict.HARM in verdicts:
        return Verdict.HARM
    if Verdict.CONTINUE in verdicts:
        return Verdict.CONTINUE
    return Verdict.BENEFIT if Verdict.BENEFIT in verdicts else Verdict.FINISHED


def _judged(
    material: Material, found: ReadOut, ratio: RatioCheck, fraction: float, arm: str,
    flow: ReadOut | None,
) -> dict[str, Any]:  # fmt: skip
    # Guardrails are read over all who were drawn, not only over those whose horizon is over.
    design = replace(material.design, guardrails=())
    seen = look(design, material.done, fraction, found, ratio, arm=arm)
    effect: Effect = found.effect(LEFT, arm)
    gate = stage_gate(effect, asked_of(material.row).least, seen.level)
    money = None if flow is None else flow.effect(FLOW, arm).difference.to_dict()
    return {
        "look": seen.to_dict(), "units": list(effect.units), "means": list(effect.means),
        "reduction": effect.reduction, "relative": gate.relative.to_dict(),
        "gate": gate.to_dict(), "flow": money,
    }  # fmt: skip


def _ratio(design: Experiment, rows: Sequence[Any]) -> RatioCheck:
    """By units: a household counts once, with the manager of its first client."""
    first = {row.unit_id: row for row in reversed(rows)}
    return check(
        design, np.array([row.arm for row in first.values()]),
        np.array([row.manager_id or "" for row in first.values()]),
    )  # fmt: skip


def _outcomes(engine: Engine, material: Material) -> tuple[Array, list[Any]]:
    """Who left, of those whose horizon is over, and their rows."""
    ripe = [batch for batch in material.batches if batch.matures_at <= material.at]
    if not ripe:
        raise Conflict(
            "experiment.look-immature", at=_day(material.batches[0].matures_at)
        )  # fmt: skip
    parts = [left(engine, batch, material.at) for batch in ripe]
    return np.concatenate(parts), [row for batch in ripe for row in batch.rows]


def _due(material: Material, rows: Sequence[Any], planned: int) -> tuple[float, float]:
    """The planned share of this look, and the share that is there.

    Raises:
        Conflict: too little is there yet.
    """
    units = len({row.unit_id for row in rows})
    fraction = units / planned
    looks = material.design.looks
    share = next((one for one in looks if one > max(material.done, default=0.0) + _SLACK), 1.0)
    late = max(batch.matures_at for batch in material.batches)
    if material.asked.final:
        if late > material.at:
            raise Conflict("experiment.look-immature", at=_day(late))
        if not units:
            raise Conflict("experiment.outcomes-unknown")
        return 1.0, 1.0
    if fraction + _SLACK < share:
        if not units:
            raise Conflict("experiment.outcomes-unknown")
        raise Conflict(
            "experiment.look-early", units=units, wanted=math.ceil(share * planned - _SLACK)
        )
    return share, min(fraction, 1.0)


def _day(at: datetime) -> str:
    return at.date().isoformat()


def _guardrails(
    engine: Engine, material: Material, rows: Sequence[Any], planned: int,
    result: dict[str, Any],
) -> bool:  # fmt: skip
    """Read harm over all who were drawn; whether any is certain."""
    design = material.design
    rails = [rail.metric for rail in design.guardrails]
    counts = harms(engine, material.batches, material.at, [metric.name for metric in rails])
    result["absent"] = [metric.name for metric in rails if metric.name not in counts]
    there = [metric for metric in rails if metric.name in counts]
    exposed = _exposed(material, planned)
    if not there or exposed <= 0:
        return False
    read = read_out(
        there, _columns(rows) | counts, control=design.control, stratum="stratum",
        cluster="cluster",
    )  # fmt: skip
    for arm in design.treated:
        for one in watch(design, read, arm, exposed, result["absent"]):
            result["guardrails"].append({
                "metric": one.metric.name, "arm": arm, "harm": one.harm.value,
                "low": one.harm.low, "margin": one.margin, "harmed": one.harmed,
            })  # fmt: skip
    return any(one["harmed"] for one in result["guardrails"])


def _exposed(material: Material, planned: int) -> float:
    """Share of the planned information of counts: units times the time passed of their horizon."""
    total = 0.0
    for batch in material.batches:
        passed = (min(material.at, batch.matures_at) - batch.drawn_at) / timedelta(days=1)
        part = passed / ((batch.matures_at - batch.drawn_at) / timedelta(days=1))
        total += len({row.unit_id for row in batch.rows}) * part
    return total / planned


def _columns(rows: Sequence[Any]) -> dict[str, Any]:
    nan = math.nan
    return {
        "arm": np.array([row.arm for row in rows]),
        # The block of who refused profiling since is forgotten: by manager and batch then.
        "stratum": np.array([row.block or f"{row.manager_id}//{row.batch}" for row in rows]),
        "cluster": np.array([row.manager_id or f"\0{row.unit_id}" for row in rows]),
        "probability": np.array([nan if r.probability is None else r.probability for r in rows]),
        "assets_before": np.array([nan if r.assets is None else float(r.assets) for r in rows]),
    }


def _flow(
    engine: Engine, material: Material, known: Any, data: Mapping[str, Any]
) -> ReadOut | None:
    """Net flow of those whose outcome counts; None where the lake cannot tell all of it."""
    ripe = [batch for batch in material.batches if batch.matures_at <= material.at]
    parts = [net_flow(engine, batch, material.at) for batch in ripe]
    if any(part is None for part in parts):
        return None
    net = np.concatenate([part for part in parts if part is not None])[known]
    there = np.isfinite(net)
    columns = {name: values[there] for name, values in data.items()} | {FLOW: net[there]}
    return read_out(
        [one for one in material.design.secondary if one.name == FLOW], columns,
        control=material.design.control, stratum="stratum", cluster="cluster",
    )  # fmt: skip


def _finite(value: Any) -> Any:
    """Plain data for JSON: what is not finite is null."""
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
