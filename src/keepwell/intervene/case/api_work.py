"""Endpoints of the work within a case: history, notes, tasks, attachments."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, File, Path, Response, UploadFile

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.problem import also
from keepwell.frame.text import Id
from keepwell.intervene.case import files, service, work
from keepwell.intervene.case.schema import (
    FileOut,
    HistoryOut,
    NoteIn,
    NoteOut,
    TaskIn,
    TaskOut,
    TaskPatch,
)
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter()

CaseId = Annotated[Id, Path(description="The case's number.")]


@router.get(
    "/cases/{case_id}/history", response_model=Page[HistoryOut], operation_id="list_case_history",
    summary="What happened to a case",
)  # fmt: skip
def list_case_history(
    case_id: CaseId,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Oldest first; who, when, what, from which value to which, and why."""

    def verb(tx: Tx, actor: Actor) -> Page[HistoryOut]:
        rows, more = work.list_history(tx, actor, case_id, limit, cursor)
        shown = [
            HistoryOut.model_validate(line).model_copy(update={"actor_name": name})
            for line, name in rows
        ]
        return Page[HistoryOut](items=shown, next=more)

    return call.answer(verb)


@router.get(
    "/cases/{case_id}/notes", response_model=Page[NoteOut], operation_id="list_case_notes",
    summary="List a case's notes",
)  # fmt: skip
def list_case_notes(
    case_id: CaseId,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Oldest first."""
    return call.answer(
        lambda tx, actor: _page(NoteOut, work.list_notes(tx, actor, case_id, limit, cursor))
    )


@router.post(
    "/cases/{case_id}/notes", response_model=NoteOut, status_code=201,
    operation_id="add_case_note", summary="Write a note",
)  # fmt: skip
def add_case_note(
    case_id: CaseId, body: NoteIn, call: Call = allow(Permission.CASE_WRITE)
) -> Response:
    """Notes are never changed; a correction is a new note that names the old one."""
    return call.perform(
        lambda tx, actor: NoteOut.model_validate(
            work.add_note(tx, actor, case_id, body.text, body.corrects_id)
        ),
        status=201,
    )


@router.get(
    "/cases/{case_id}/tasks", response_model=Page[TaskOut], operation_id="list_case_tasks",
    summary="List a case's tasks",
)  # fmt: skip
def list_case_tasks(
    case_id: CaseId,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Oldest first."""
    return call.answer(
        lambda tx, actor: _page(TaskOut, work.list_tasks(tx, actor, case_id, limit, cursor))
    )


@router.post(
    "/cases/{case_id}/tasks", response_model=TaskOut, status_code=201,
    operation_id="add_case_task", summary="Add a task",
)  # fmt: skip
def add_case_task(
    case_id: CaseId, body: TaskIn, call: Call = allow(Permission.CASE_WRITE)
) -> Response:
    """It is the owner's unless an assignee is named, who must see the client already."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        task = work.add_task(tx, actor, case_id, body.title, body.due_at, body.assignee_id)
        return Reply(TaskOut.model_validate(task), 201, task.version)

    return call.perform(verb)


@router.patch(
    "/cases/{case_id}/tasks/{task_id}", response_model=TaskOut, operation_id="change_case_task",
    summary="Change a task, or tick it off", responses=also(412, 428),
)  # fmt: skip
def change_case_task(
    case_id: CaseId,
    task_id: Annotated[Id, Path(description="The task's number.")],
    body: TaskPatch,
    call: Call = allow(Permission.CASE_WRITE),
) -> Response:
    """If-Match is the task's own version."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        version = call.expected_version()
        task = work.change_task(tx, actor, case_id, task_id, version, body.given)
        return Reply(TaskOut.model_validate(task), version=task.version)

    return call.perform(verb)


@router.get(
    "/cases/{case_id}/attachments", response_model=Page[FileOut],
    operation_id="list_case_attachments", summary="List a case's files",
)  # fmt: skip
def list_case_attachments(
    case_id: CaseId,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Oldest first."""
    return call.answer(
        lambda tx, actor: _page(FileOut, work.list_files(tx, actor, case_id, limit, cursor))
    )


@router.post(
    "/cases/{case_id}/attachments", response_model=FileOut, status_code=201,
    operation_id="attach_case_file", summary="Attach a file", responses=also(413),
)  # fmt: skip
def attach_case_file(
    case_id: CaseId,
    file: Annotated[UploadFile, File(description="The file; its bytes say what it is.")],
    call: Call = allow(Permission.CASE_WRITE),
) -> Response:
    """What the request says about the type is not believed; see `case.attachment_types`."""
    # Who may not attach must not fill the disk either.
    call.answer(lambda tx, actor: service.read_case(tx, actor, case_id) and None)
    with files.incoming(call.frame, file.filename, file.file) as new:
        call.cover(new.cover)
        return call.perform(
            lambda tx, actor: FileOut.model_validate(
                files.attach(tx, actor, case_id, **asdict(new))
            ),
            status=201,
        )  # fmt: skip


@router.get(
    "/cases/{case_id}/attachments/{file_id}", operation_id="download_case_file",
    summary="Download a file", response_class=Response,
    responses={
        200: {
            "description": "The file's bytes.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)  # fmt: skip
def download_case_file(
    case_id: CaseId,
    file_id: Annotated[Id, Path(description="The file's number.")],
    call: Call = allow(Permission.CASE_READ),
) -> Response:
    """Always as a download, never shown in the page; every download is recorded."""
    return call.perform(lambda tx, actor: files.download(tx, actor, case_id, file_id))


def _page(shape: Any, found: tuple[Any, str | None]) -> Page[Any]:
    rows, more = found
    return Page[Any](items=[shape.model_validate(row) for row in rows], next=more)
