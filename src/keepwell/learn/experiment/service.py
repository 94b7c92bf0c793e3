"""Verbs of experiments: set up, edit, register, stop, list, and ask the calculator.

Drawing and looking have modules of their own (`drawing`, `reading`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keepwell.core.errors import UsageError
from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.learn.experiment import repo
from keepwell.learn.experiment.design import Experiment
from keepwell.learn.experiment.doors import ACTIONS
from keepwell.learn.experiment.model import ExperimentRow
from keepwell.learn.experiment.plan import digest_of, experiment_of, planned, size
from keepwell.learn.experiment.schema import ExperimentIn, PowerIn, PowerOut, StandingOut
from keepwell.learn.holdout import repo as holdouts
from keepwell.learn.holdout.service import read_holdout
from keepwell.trust.access.call import check_version
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record


def read(tx: Tx, experiment_id: str, lock: bool = False) -> ExperimentRow:
    """An experiment.

    Raises:
        NotFound: there is none.
    """
    row = repo.find(tx, experiment_id, lock)
    if row is None:
        raise NotFound("experiment.unknown")
    return row


def list_experiments(
    tx: Tx, state: str | None, limit: int, cursor: str | None
) -> tuple[Sequence[ExperimentRow], str | None]:
    """A page of experiments, newest first, and the cursor of the next."""
    rows = repo.page(tx, state, limit, cursor)
    more = None
    if len(rows) > limit:
        last = rows[limit - 1]
        more = encode_cursor([last.created_at, last.experiment_id])
    return rows[:limit], more


def standing(tx: Tx, actor: Actor) -> StandingOut | None:
    """The hold-out as the experiment that always runs; None for those who may not read it."""
    if not actor.may(Permission.HOLDOUT_READ) or holdouts.latest(tx) is None:
        return None
    found = read_holdout(tx, actor, None, 1, None)
    return StandingOut(
        period=found.period, share=found.share, drawn_at=found.drawn_at, clients=found.clients,
        held_out=found.held_out, p_value=found.p_value, alarm=found.alarm,
    )  # fmt: skip


def create(tx: Tx, actor: Actor, asked: ExperimentIn) -> ExperimentRow:
    """Set up a draft.

    Raises:
        Unprocessable: arms, looks or actions do not fit together.
    """
    experiment_id = new_id("exp", tx.at)
    row = ExperimentRow(
        experiment_id=experiment_id, title=asked.title, hypothesis=asked.hypothesis,
        about=asked.about, state="draft", design=_design(tx, experiment_id, asked),
        owner_id=actor.user_id, created_at=tx.at, version=1,
    )  # fmt: skip
    tx.session.add(row)
    tx.session.flush()
    return row


def change(
    tx: Tx, actor: Actor, experiment_id: str, asked: ExperimentIn, version: int
) -> ExperimentRow:
    """Edit a draft; whoever edits it owns it.

    Args:
        tx: the unit of work.
        actor: who edits.
        experiment_id: the draft.
        asked: all of it anew.
        version: that was read.

    Raises:
        NotFound: there is none.
        Conflict: it is registered; what was registered does not change.
        Stale: somebody else changed it.
        Unprocessable: it does not fit together.
    """
    row = _at(read(tx, experiment_id, lock=True), version, "draft")
    row.title, row.hypothesis, row.about = asked.title, asked.hypothesis, asked.about
    row.design = _design(tx, experiment_id, asked)
    row.owner_id = actor.user_id
    row.version += 1
    return row


def register(tx: Tx, actor: Actor, experiment_id: str, version: int) -> ExperimentRow:
    """Freeze a draft, before anybody is drawn; the evidence log keeps the design's digest.

    Raises:
        NotFound: there is none.
        Conflict: it is registered already.
        Stale: somebody else changed it.
        Unprocessable: an action that it names is gone since.
    """
    row = _at(read(tx, experiment_id, lock=True), version, "draft")
    row.design = _design(tx, experiment_id, asked_of(row))
    row.digest = digest_of(row.design)
    row.state, row.registered_at, row.registered_by = "registered", tx.at, actor.user_id
    row.version += 1
    record(
        tx, actor, EvidenceKind.EXPERIMENT_REGISTERED, subject=experiment_id,
        data={"digest": row.digest, "planned_units": planned_of(row)},
    )  # fmt: skip
    return row


def stop(tx: Tx, actor: Actor, experiment_id: str, reason: str, version: int) -> ExperimentRow:
    """End an experiment that is registered or runs; nobody is drawn into it any more.

    Raises:
        NotFound: there is none.
        Conflict: it is a draft, or has ended.
        Stale: somebody else changed it.
    """
    row = _at(read(tx, experiment_id, lock=True), version, "registered", "running")
    row.stop_reason = reason
    end(tx, actor, row, "stopped", by="person")
    return row


def end(tx: Tx, actor: Actor, row: ExperimentRow, state: str, by: str) -> None:
    """End an experiment; that it was stopped is recorded.

    Args:
        tx: the unit of work.
        actor: who did, or whose look did.
        row: locked.
        state: 'done' or 'stopped'.
        by: 'person' or the verdict.
    """
    row.state, row.ended_at, row.ended_by = state, tx.at, actor.user_id
    row.version += 1
    record(
        tx, actor, EvidenceKind.EXPERIMENT_STOPPED, subject=row.experiment_id,
        data={"state": state, "by": by},
    )  # fmt: skip


def power(tx: Tx, actor: Actor, asked: PowerIn) -> PowerOut:
    """How many clients a test needs, and what those that there are can show.

    Args:
        tx: the unit of work.
        actor: whose clients come into question.
        asked: the test.

    Raises:
        Unprocessable: the figures do not fit together.
    """
    clients, base = repo.prospects(tx, actor, asked.tiers, asked.segments)
    try:
        return size(asked, clients, base)
    except UsageError as error:
        raise Unprocessable(error.code, **error.fields) from None


def asked_of(row: ExperimentRow) -> ExperimentIn:
    """What was asked for."""
    return ExperimentIn.model_validate(row.design["asked"])


def design_of(row: ExperimentRow) -> Experiment:
    """What the statistics go by."""
    return Experiment.from_dict(row.design["experiment"])


def planned_of(row: ExperimentRow) -> int:
    """Units of all arms together, as planned."""
    return int(row.design["planned_units"])


def _design(tx: Tx, experiment_id: str, asked: ExperimentIn) -> dict[str, Any]:
    for arm in asked.arms:
        if arm.action_id is not None and arm.action_version is not None:
            for check in ACTIONS:
                check(tx, arm.action_id, arm.action_version)
    try:
        experiment = experiment_of(experiment_id, asked)
        units = planned(experiment, asked)
    except UsageError as error:
        raise Unprocessable(error.code, **error.fields) from None
    return {
        "asked": asked.model_dump(mode="json"), "experiment": experiment.to_dict(),
        "planned_units": units,
    }  # fmt: skip


def _at(row: ExperimentRow, version: int, *states: str) -> ExperimentRow:
    check_version(row.version, version)
    if row.state not in states:
        raise Conflict("experiment.state-wrong", state=row.state, wanted=", ".join(states))
    return row
