"""Verbs of the work within a case: notes, tasks and its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import EventName
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.intervene.case import repo
from keepwell.intervene.case.history import added, next_number, tell
from keepwell.intervene.case.model import Case, CaseEvent, CaseFile, CaseNote, CaseTask
from keepwell.intervene.case.policy import EventKind
from keepwell.intervene.case.service import lock_case, read_case
from keepwell.trust.access.call import check_version
from keepwell.trust.access.policy import GRANTS, Actor, Role
from keepwell.trust.access.service import actor_of
from keepwell.trust.evidence.policy import EvidenceKind


def add_note(
    tx: Tx, actor: Actor, case_id: str, text: str, corrects_id: str | None = None
) -> CaseNote:
    """Write a note; it is never changed, a correction is a new note that names the old one.

    Raises:
        NotFound: no such case in scope, or no such note to correct.
    """
    case = lock_case(tx, actor, case_id)
    if corrects_id is not None and repo.note_of(tx, case_id, corrects_id) is None:
        raise NotFound("case.note-unknown")
    note = CaseNote(
        note_id=new_id("note", tx.at), case_id=case_id,
        number=next_number(tx, case), at=tx.at, actor_id=actor.user_id,
        author=actor.name, text=text, corrects_id=corrects_id,
    )  # fmt: skip
    tx.session.add(note)
    added(tx, actor, case, EventKind.NOTED, note.note_id, {"corrects_id": corrects_id})
    more = {"note_id": note.note_id, "corrects_id": corrects_id}
    tell(
        tx, actor, case, EventName.CASE_NOTED, EvidenceKind.CASE_NOTED, more,
        personal={"note": text},
    )  # fmt: skip
    return note


def add_task(
    tx: Tx,
    actor: Actor,
    case_id: str,
    title: str,
    due_at: datetime | None,
    assignee_id: str | None,
) -> CaseTask:
    """Add a task; without an assignee it is the owner's.

    Raises:
        NotFound: no such case in scope.
        Conflict: the case is closed.
        Unprocessable: the assignee does not see the client.
    """
    case = lock_case(tx, actor, case_id)
    if not case.live:
        raise Conflict("case.case-closed")
    task = CaseTask(
        task_id=new_id("task", tx.at), case_id=case_id,
        number=next_number(tx, case), title=title, due_at=due_at,
        assignee_id=_assignee(tx, case, assignee_id) if assignee_id else case.owner_id,
        created_at=tx.at, created_by=actor.user_id, version=1,
    )  # fmt: skip
    tx.session.add(task)
    _task_line(tx, actor, case, task, EventKind.TASK_ADDED, EvidenceKind.CASE_TASK_ADDED, {})
    return task


def change_task(
    tx: Tx, actor: Actor, case_id: str, task_id: str, version: int, given: dict[str, Any]
) -> CaseTask:
    """Change a task.

    Args:
        tx: the unit of work.
        actor: who does it.
        case_id: the case.
        task_id: the task.
        version: of the task, as the caller read it.
        given: among title, due_at, assignee_id and done (bool).

    Raises:
        NotFound: no such case in scope or no such task.
        Stale: somebody changed the task since it was read.
        Unprocessable: the assignee does not see the client.
    """
    case = lock_case(tx, actor, case_id)
    task = repo.task_of(tx, case_id, task_id)
    if task is None:
        raise NotFound("case.task-unknown")
    check_version(task.version, version)
    done = given.pop("done", None)
    if given.get("assignee_id"):
        given["assignee_id"] = _assignee(tx, case, given["assignee_id"])
    changed = {name: value for name, value in given.items() if getattr(task, name) != value}
    finished = done is not None and done != (task.done_at is not None)
    if not changed and not finished:
        return task
    for name, value in changed.items():
        setattr(task, name, value)
    if finished:
        task.done_at, task.done_by = (tx.at, actor.user_id) if done else (None, None)
    task.version += 1
    kind = EvidenceKind.CASE_TASK_DONE if finished and done else EvidenceKind.CASE_TASK_CHANGED
    fields = sorted([*changed, *(["done"] if finished else [])])
    _task_line(tx, actor, case, task, EventKind.TASK_CHANGED, kind, {"fields": fields})
    return task


def _task_line(
    tx: Tx,
    actor: Actor,
    case: Case,
    task: CaseTask,
    kind: EventKind,
    evidence: EvidenceKind,
    more: dict[str, Any],
) -> None:
    facts = {
        "task_id": task.task_id, "assignee_id": task.assignee_id, "done": task.done_at is not None,
        **more,
    }  # fmt: skip
    added(tx, actor, case, kind, task.task_id, facts)
    tell(tx, actor, case, EventName.CASE_NOTED, evidence, facts, personal={"title": task.title})


def _assignee(tx: Tx, case: Case, staff_id: str) -> str:
    """Somebody who sees the client already: giving a task must not hand out a client."""
    if staff_id == case.owner_id or staff_id in repo.carers(tx, case.client_id):
        return staff_id
    found = repo.user_of(tx, staff_id)
    if found is not None:
        user, staff = found
        person = actor_of(user, staff, GRANTS[Role(user.role)].permissions, "system")
        if repo.visible_client(tx, person, case.client_id):
            return staff_id
    raise Unprocessable("case.assignee-unsighted", staff=staff_id)


# Lists: each a page and the cursor of the next


def list_history(
    tx: Tx, actor: Actor, case_id: str, limit: int, cursor: str | None
) -> tuple[Sequence[tuple[CaseEvent, str | None]], str | None]:
    """A case's history with the names of those who acted, oldest first."""
    read_case(tx, actor, case_id)
    rows = repo.history(tx, case_id, limit, cursor)
    more = encode_cursor([rows[limit - 1][0].number]) if len(rows) > limit else None
    return rows[:limit], more


def list_notes(
    tx: Tx, actor: Actor, case_id: str, limit: int, cursor: str | None
) -> tuple[Sequence[CaseNote], str | None]:
    """A case's notes, oldest first."""
    return _page(tx, actor, CaseNote, case_id, limit, cursor)


def list_tasks(
    tx: Tx, actor: Actor, case_id: str, limit: int, cursor: str | None
) -> tuple[Sequence[CaseTask], str | None]:
    """A case's tasks, oldest first."""
    return _page(tx, actor, CaseTask, case_id, limit, cursor)


def list_files(
    tx: Tx, actor: Actor, case_id: str, limit: int, cursor: str | None
) -> tuple[Sequence[CaseFile], str | None]:
    """A case's files, oldest first."""
    return _page(tx, actor, CaseFile, case_id, limit, cursor)


def _page(
    tx: Tx, actor: Actor, table: Any, case_id: str, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    read_case(tx, actor, case_id)
    rows = repo.page(tx, table, case_id, limit, cursor)
    more = encode_cursor([rows[limit - 1].number]) if len(rows) > limit else None
    return rows[:limit], more
