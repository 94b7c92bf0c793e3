"""Verbs of reassignment: say what would change, do exactly that, undo it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import EventName
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.case import repo
from keepwell.intervene.case.history import change, tell
from keepwell.intervene.case.lend import lend, take_back
from keepwell.intervene.case.model import Case, CaseTask, Reassignment
from keepwell.intervene.case.policy import EventKind, spread
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence.policy import EvidenceKind

PLAN_KEPT: Final = timedelta(minutes=15)
UNDO_KEPT: Final = timedelta(hours=24)
MOST: Final = 1_000
"""Cases in one plan."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch or its undoing did.

    Attributes:
        batch_id: the batch.
        cases: cases that have another owner now.
        skipped: cases left alone because somebody changed them since, or because whoever had
            them is no longer active staff.
    """

    batch_id: str
    cases: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def preview(
    tx: Tx,
    actor: Actor,
    takers: Sequence[str],
    case_ids: Sequence[str] | None,
    owner_id: str | None,
) -> Reassignment:
    """Plan who gets which case, without changing anything.

    Args:
        tx: the unit of work.
        actor: whose visible cases and whose staff.
        takers: one member of staff, or several among whom the cases are spread by load.
        case_ids: which cases; or
        owner_id: all live cases of an owner.

    Raises:
        NotFound: a case that is not visible, or an owner without live cases.
        Unprocessable: a taker who is not active staff of the actor's scope.
        Conflict: a case that is closed.
    """
    _check_takers(tx, actor, takers)
    if case_ids is not None:
        cases = repo.find_many(tx, actor, case_ids)
        if len(cases) != len(set(case_ids)):
            raise NotFound("case.case-unknown")
        if not all(case.live for case in cases):
            raise Conflict("case.case-closed")
    else:
        cases = repo.owned(tx, actor, owner_id or "", MOST)
        if not cases:
            raise NotFound("case.case-unknown")
    ids = [case.case_id for case in cases]
    load = repo.live_load(tx, dict.fromkeys(takers), ids)
    taker_of = spread(load, ids)
    moves = [
        {
            "case_id": case.case_id, "version": case.version, "from": case.owner_id,
            "to": taker_of[case.case_id],
        }
        for case in cases
        if case.owner_id != taker_of[case.case_id]
    ]  # fmt: skip
    plan = Reassignment(
        plan_id=new_id("plan", tx.at), user_id=actor.user_id, digest=_digest(moves), moves=moves,
        created_at=tx.at,
    )  # fmt: skip
    tx.session.add(plan)
    tx.session.flush()
    return plan


def _check_takers(tx: Tx, actor: Actor, takers: Sequence[str]) -> None:
    known = repo.staff_in_scope(tx, actor, takers)
    missing = sorted(set(takers) - known.keys())
    if missing:
        raise Unprocessable("case.staff-unknown", staff=", ".join(missing))


def _digest(moves: Sequence[dict[str, Any]]) -> str:
    text = json.dumps(moves, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def carry_out(tx: Tx, actor: Actor, plan_id: str) -> Outcome:
    """Do exactly what a plan says, or nothing.

    Raises:
        NotFound: no such plan of the actor's.
        Conflict: it is too old or done already, or a case changed since; all such are named.
        Unprocessable: a taker is no longer active staff of the actor's scope.
    """
    plan = repo.plan(tx, actor, plan_id)
    if plan is None:
        raise NotFound("case.plan-unknown")
    if plan.batch_id is not None:
        raise Conflict("case.plan-done", batch=plan.batch_id)
    if tx.at - plan.created_at > PLAN_KEPT:
        raise Conflict("case.plan-old")
    _check_takers(tx, actor, sorted({move["to"] for move in plan.moves}))
    cases = _cases(tx, actor, plan)
    changed = [
        move["case_id"] for move in plan.moves
        if (case := cases.get(move["case_id"])) is None or case.version != move["version"]
    ]  # fmt: skip
    if changed:
        raise Conflict("case.plan-changed", cases=", ".join(changed))
    batch_id = new_id("batch", tx.at)
    done = []
    for move in plan.moves:
        case = cases[move["case_id"]]
        tasks = _give(tx, actor, case, move["to"], batch_id)
        done.append({**move, "tasks": tasks, "after": case.version})
    plan.moves, plan.batch_id, plan.done_at = done, batch_id, tx.at
    return Outcome(batch_id, [move["case_id"] for move in done])


def undo(tx: Tx, actor: Actor, batch_id: str) -> Outcome:
    """Give the cases of a batch back, except those that somebody changed since.

    Nor does a case go back to somebody who has left meanwhile: it stays where it is.

    Raises:
        NotFound: no such batch of the actor's.
        Conflict: it is too old or undone already.
    """
    plan = repo.batch(tx, actor, batch_id)
    if plan is None or plan.done_at is None:
        raise NotFound("case.batch-unknown")
    if plan.undone_at is not None:
        raise Conflict("case.batch-undone")
    if tx.at - plan.done_at > UNDO_KEPT:
        raise Conflict("case.batch-old")
    cases = _cases(tx, actor, plan)
    givers = {move["from"] for move in plan.moves if move["from"] is not None}
    there = {None, *repo.still_active(tx, givers)}
    outcome = Outcome(batch_id)
    for move in plan.moves:
        case = cases.get(move["case_id"])
        same = case is not None and case.live and case.version == move["after"]
        if case is None or not same or move["from"] not in there:
            outcome.skipped.append(move["case_id"])
            continue
        _give_back(tx, actor, case, move, batch_id)
        outcome.cases.append(case.case_id)
    plan.undone_at = tx.at
    return outcome


def _cases(tx: Tx, actor: Actor, plan: Reassignment) -> dict[str, Case]:
    ids = [move["case_id"] for move in plan.moves]
    return {case.case_id: case for case in repo.find_many(tx, actor, ids, lock=True)}


def _give(tx: Tx, actor: Actor, case: Case, taker: str, batch_id: str) -> list[str]:
    """Make somebody the owner; the ids of the tasks that went along."""
    giver = case.owner_id
    tasks = repo.open_tasks(tx, case.case_id, giver) if giver else []
    _own(tx, actor, case, taker, tasks, batch_id, EvidenceKind.CASE_REASSIGNED)
    return [task.task_id for task in tasks]


def _give_back(tx: Tx, actor: Actor, case: Case, move: dict[str, Any], batch_id: str) -> None:
    tasks = [
        task for task in repo.tasks_by_id(tx, move["tasks"])
        if task.assignee_id == move["to"] and task.done_at is None
    ]  # fmt: skip
    _own(tx, actor, case, move["from"], tasks, batch_id, EvidenceKind.CASE_REASSIGN_UNDONE)


def _own(
    tx: Tx,
    actor: Actor,
    case: Case,
    owner: str | None,
    tasks: Sequence[CaseTask],
    batch_id: str,
    evidence: EvidenceKind,
) -> None:
    giver = case.owner_id
    for task in tasks:
        task.assignee_id = owner
        task.version += 1
    change(tx, actor, case, EventKind.REASSIGNED, batch_id, owner_id=owner)
    if giver is not None:
        take_back(tx, actor, case, giver)
    lend(tx, actor, case, owner)
    more: dict[str, Any] = {"from": giver, "to": owner, "batch_id": batch_id, "tasks": len(tasks)}
    if evidence is EvidenceKind.CASE_REASSIGN_UNDONE:
        more["undone"] = True
    tell(tx, actor, case, EventName.CASE_REASSIGNED, evidence, more)
