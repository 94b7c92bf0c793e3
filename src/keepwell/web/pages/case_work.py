"""The work within a case as forms: contacts, notes, tasks, files, and its clocks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response
from starlette.datastructures import UploadFile

from keepwell.frame.database import Tx
from keepwell.frame.problem import TooLarge, Unprocessable
from keepwell.frame.text import Id
from keepwell.intervene.case import files, service, work
from keepwell.intervene.case.schema import NoteIn, TaskIn, TaskPatch
from keepwell.intervene.clock import service as clocks
from keepwell.intervene.clock.policy import PauseReason
from keepwell.intervene.clock.schema import PauseIn
from keepwell.intervene.contact import service as contacts
from keepwell.intervene.contact.policy import Aim, Result, Use
from keepwell.intervene.contact.schema import ContactIn
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages.case_form import CaseId, again, moment, parsed, place
from keepwell.web.pages.form import FormError
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

TaskId = Annotated[Id, Path()]
FileId = Annotated[Id, Path()]
ClockId = Annotated[Id, Path()]

_SAID: Final = "Contact recorded."
_SAID_NO: Final = "Contact recorded. From now on nobody may contact the client to keep them."


@router.post("/cases/{case_id}/contacts")
def record_contact(case_id: CaseId, visit: Visit = visiting(Permission.CASE_WRITE)) -> Response:
    """Record a contact; the gate is asked again."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = {
            "channel": visit.text("contact_channel"), "result": visit.text("contact_result"),
            "direction": visit.text("contact_direction"), "note": visit.text("contact_note"),
            "at": moment(visit, "contact_at"),
            "retention": visit.text("contact_aim") != Aim.SERVICE,
            "happened": bool(visit.text("contact_happened")),
            "script_id": visit.text("contact_script"), **_used(visit),
        }  # fmt: skip
        body = parsed("contact", ContactIn, given)
        contacts.log_touch(
            tx, actor, case_id, channel=body.channel, direction=body.direction, aim=body.aim,
            result=body.result, at=body.at, note=body.note or "", happened=body.happened,
            use=Use(body.action_id, body.action_version, body.script_id),
        )  # fmt: skip

    refused = visit.text("contact_result") == Result.REFUSED
    said = _SAID_NO if refused else _SAID
    return visit.act(verb, place(case_id), said=said, again=again(visit, case_id))


def _used(visit: Visit) -> dict[str, str]:
    """The action that the form was filled in for."""
    action_id, _, version = visit.text("contact_use").partition("@")
    return {"action_id": action_id, "action_version": version} if action_id else {}


@router.post("/cases/{case_id}/notes")
def write_note(case_id: CaseId, visit: Visit = visiting(Permission.CASE_WRITE)) -> Response:
    """Write a note, or a correction of one."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = {"text": visit.text("note_text"), "corrects_id": visit.text("note_corrects")}
        body = parsed("note", NoteIn, given)
        work.add_note(tx, actor, case_id, body.text, body.corrects_id)

    return visit.act(verb, place(case_id), said="Note written.", again=again(visit, case_id))


@router.post("/cases/{case_id}/tasks")
def add_task(case_id: CaseId, visit: Visit = visiting(Permission.CASE_WRITE)) -> Response:
    """Add a task."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = {
            "title": visit.text("task_title"), "due_at": moment(visit, "task_due_at"),
            "assignee_id": visit.text("task_assignee_id"),
        }  # fmt: skip
        body = parsed("task", TaskIn, given)
        work.add_task(tx, actor, case_id, body.title, body.due_at, body.assignee_id)

    return visit.act(verb, place(case_id), said="Task added.", again=again(visit, case_id))


@router.post("/cases/{case_id}/tasks/{task_id}")
def change_task(
    case_id: CaseId, task_id: TaskId, visit: Visit = visiting(Permission.CASE_WRITE)
) -> Response:
    """Tick a task off, open it again, or change it: what the form holds."""
    done = visit.text("done")

    def verb(tx: Tx, actor: Actor) -> None:
        version = visit.expected_version()
        if done:
            given: dict[str, Any] = {"done": done == "yes"}
        else:
            given = _changes(visit)
        work.change_task(tx, actor, case_id, task_id, version, given)

    said = {"yes": "Task done.", "no": "Task opened again."}.get(done, "Task changed.")
    return visit.act(verb, place(case_id), said=said, again=again(visit, case_id))


def _changes(visit: Visit) -> dict[str, Any]:
    # Each task has a form of its own on the page, told apart by its number in the case.
    prefix = f"task{visit.text('number')}"
    given = {
        "title": visit.text(f"{prefix}_title"), "due_at": moment(visit, f"{prefix}_due_at"),
        "assignee_id": visit.text(f"{prefix}_assignee_id"),
    }  # fmt: skip
    changes = parsed(prefix, TaskPatch, given).given
    changes.setdefault("due_at", None)  # an empty date takes the date away
    return changes


@router.post("/cases/{case_id}/files")
def attach_file(case_id: CaseId, visit: Visit = visiting(Permission.CASE_WRITE)) -> Response:
    """Attach a file; its bytes say what it is."""
    # Who may not attach must not fill the disk either.
    visit.peek(lambda tx, actor: service.read_case(tx, actor, case_id).case_id)
    sent = visit.form.get("file")
    try:
        if not isinstance(sent, UploadFile) or not sent.filename:
            raise FormError({"file": "Choose a file."})
        with files.incoming(visit.frame, sent.filename, sent.file) as new:
            visit.cover(new.cover)
            facts = asdict(new)
            return visit.act(
                lambda tx, actor: files.attach(tx, actor, case_id, **facts) and None,
                place(case_id), said="File attached.", again=again(visit, case_id),
            )  # fmt: skip
    except (TooLarge, Unprocessable) as error:
        fault = error

    def refuse(_tx: Tx, _actor: Actor) -> None:
        raise fault

    return visit.act(refuse, place(case_id), again=again(visit, case_id))


@router.get("/cases/{case_id}/files/{file_id}")
def download_file(
    case_id: CaseId, file_id: FileId, visit: Visit = visiting(Permission.CASE_READ)
) -> Response:
    """A file, always as a download; every download is recorded."""
    return visit.perform(lambda tx, actor: files.download(tx, actor, case_id, file_id))


@router.post("/cases/{case_id}/clocks/{clock_id}/pause")
def pause_clock(
    case_id: CaseId, clock_id: ClockId, visit: Visit = visiting(Permission.CLOCK_PAUSE)
) -> Response:
    """Let a clock stand still for a listed reason."""

    def verb(tx: Tx, actor: Actor) -> None:
        service.read_case(tx, actor, case_id)
        given = {"reason": visit.text("pause_reason"), "note": visit.text("pause_note")}
        body = parsed("pause", PauseIn, given)
        version = visit.expected_version()
        clocks.pause(tx, actor, clock_id, version, PauseReason(body.reason), body.note)

    return visit.act(verb, place(case_id), said="Clock paused.", again=again(visit, case_id))


@router.post("/cases/{case_id}/clocks/{clock_id}/resume")
def resume_clock(
    case_id: CaseId, clock_id: ClockId, visit: Visit = visiting(Permission.CLOCK_PAUSE)
) -> Response:
    """Let a paused clock run on."""

    def verb(tx: Tx, actor: Actor) -> None:
        service.read_case(tx, actor, case_id)
        clocks.resume(tx, actor, clock_id, visit.expected_version())

    return visit.act(
        verb, place(case_id), said="The clock runs again.", again=again(visit, case_id)
    )
