"""What the API says about cases."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keepwell.frame.text import ClientId, Id, Line, Moment, Note
from keepwell.intervene.case.policy import (
    NOT_DUE,
    CaseReason,
    CloseReason,
    EventKind,
    Retention,
    State,
)
from keepwell.intervene.clock.schema import ClockView

_AT = "2026-03-04T02:00:00Z"
_CASE = "case_01kdvdna00fgzjsdqkfb56fv6q"


Tier = Literal["none", "mild", "moderate", "severe"]
Level = Annotated[int, Field(ge=0, le=2, examples=[0])]


class LiveState(StrEnum):
    """A state that a person can take a case to; closing is a verb of its own."""

    CONTACTED = "contacted"
    PLAN = "plan"
    SAVING = "saving"


class Outcome(StrEnum):
    """How a case may end by a person's word."""

    RECOVERED = "recovered"
    LOST = "lost"
    FALSE_ALARM = "false-alarm"


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CaseIn(_In):
    """A case to be opened by hand.

    Attributes:
        client_id: whom it is about.
        reason: why; 'manual', or what an alert would have said.
        tier: how grave.
        title: in a few words.
    """

    client_id: ClientId = Field(examples=["c1"])
    reason: CaseReason = Field(default=CaseReason.MANUAL, examples=["manual"])
    tier: Tier = Field(default="moderate", examples=["moderate"])
    title: Line | None = Field(default=None, examples=["Wants lower fees"])


class MoveIn(_In):
    """Where a case goes next.

    Attributes:
        state: a later live state; states may be skipped.
    """

    state: LiveState = Field(examples=["plan"])


class CloseIn(_In):
    """How a case ends.

    Attributes:
        outcome: recovered, lost or false-alarm.
        reason: why; must belong to the outcome (`GET /cases/choices`).
        note: in words.
    """

    outcome: Outcome = Field(examples=["recovered"])
    reason: CloseReason = Field(examples=["service-fixed"])
    note: Note = Field(examples=["The transfer was stuck; it arrived today."])


class CasePatch(_In):
    """Text fields of a case; what is left out stays.

    Attributes:
        title: in a few words.
        plan: what was agreed.
    """

    title: Line | None = Field(default=None, examples=["Wants lower fees"])
    plan: Note | None = Field(default=None, examples=["Fee review on Monday, then call again."])


class CaseItem(_Out):
    """A case in a list.

    Attributes:
        case_id: its number.
        client_id: whom it is about.
        reason: why it was opened.
        tier: the highest of its alerts.
        title: in a few words.
        state: where it stands.
        live: whether somebody still works on it.
        owner_id: staff number of its owner.
        owner_name: the owner's name.
        level: 0 manager, 1 lead, 2 director.
        retention: how many contacts may still try to keep the client.
        alerts: how many alerts it holds.
        next_due_at: when its first clock is due.
        opened_at: when it was opened.
        state_at: since when it is in its state.
        contacted_at: when the client was first reached.
        closed_at: when it ended.
        close_reason: why it ended.
        version: number of its present form, also its ETag.
    """

    case_id: str = Field(examples=[_CASE])
    client_id: str = Field(examples=["c1"])
    reason: CaseReason = Field(examples=["risk"])
    tier: Tier = Field(examples=["severe"])
    title: str = Field(examples=["Wants lower fees"])
    state: State = Field(examples=["open"])
    live: bool = Field(examples=[True])
    owner_id: str | None = Field(examples=["m1"])
    owner_name: str | None = Field(default=None, examples=["Person m1"])
    level: Level
    retention: Retention = Field(examples=["free"])
    alerts: int = Field(examples=[1])
    next_due_at: datetime | None = Field(examples=[_AT])
    opened_at: datetime = Field(examples=[_AT])
    state_at: datetime = Field(examples=[_AT])
    contacted_at: datetime | None = Field(examples=[None])
    closed_at: datetime | None = Field(examples=[None])
    close_reason: CloseReason | None = Field(examples=[None])
    version: int = Field(examples=[1])

    @model_validator(mode="after")
    def _nothing_due(self) -> CaseItem:
        if self.next_due_at == NOT_DUE:
            self.next_due_at = None
        return self


class CaseOut(CaseItem):
    """A case in full.

    Attributes:
        plan: what was agreed.
        alert_id: the newest alert.
        previous_id: the case before it about the same client and reason.
        escalated_to: staff number of the person called last.
        close_note: how it ended, in words.
        clocks: the times promised for it.
    """

    plan: str = Field(examples=[""])
    alert_id: str | None = Field(examples=["alert_01kdvdna00fgzjsdqkfb56fv6q"])
    previous_id: str | None = Field(examples=[None])
    escalated_to: str | None = Field(examples=[None])
    close_note: str | None = Field(examples=[None])
    clocks: list[ClockView] = []


class HistoryOut(_Out):
    """One line of a case's history.

    Attributes:
        number: counts from 1 within the case.
        at: when.
        actor_id: the user who did it, or 'system'.
        actor_name: the user's name.
        kind: what happened.
        old: values before.
        new: values after; for notes, tasks and files facts about them.
        reason: the code or id that made it happen.
    """

    number: int = Field(examples=[1])
    at: datetime = Field(examples=[_AT])
    actor_id: str = Field(examples=["user_m1"])
    actor_name: str | None = Field(default=None, examples=["Person m1"])
    kind: EventKind = Field(examples=["moved"])
    old: dict[str, Any] = Field(examples=[{"state": "contacted"}])
    new: dict[str, Any] = Field(examples=[{"state": "plan"}])
    reason: str = Field(examples=[""])


class NoteIn(_In):
    """A note to be written.

    Attributes:
        text: the note.
        corrects_id: the note that this one corrects.
    """

    text: Note = Field(examples=["Called; asks for a fee review."])
    corrects_id: Id | None = Field(default=None, examples=[None])


class NoteOut(_Out):
    """A note.

    Attributes:
        note_id: its number.
        at: when it was written.
        actor_id: by which user.
        author: the user's name then.
        text: the note.
        corrects_id: the note that it corrects.
    """

    note_id: str = Field(examples=["note_01kdvdna00fgzjsdqkfb56fv6q"])
    at: datetime = Field(examples=[_AT])
    actor_id: str = Field(examples=["user_m1"])
    author: str = Field(examples=["Person m1"])
    text: str = Field(examples=["Called; asks for a fee review."])
    corrects_id: str | None = Field(examples=[None])


class TaskIn(_In):
    """Something to do.

    Attributes:
        title: what.
        due_at: until when.
        assignee_id: staff number of who does it; default: the case's owner.
    """

    title: Line = Field(examples=["Send the fee table"])
    due_at: Moment | None = Field(default=None, examples=["2026-03-05T10:00:00+08:00"])
    assignee_id: Id | None = Field(default=None, examples=["a1"])


class TaskPatch(_In):
    """Changes to a task; what is left out stays.

    Attributes:
        title: what.
        due_at: until when; null takes the date away.
        assignee_id: who does it.
        done: whether it is done.
    """

    title: Line | None = Field(default=None, examples=["Send the fee table"])
    due_at: Moment | None = Field(default=None, examples=["2026-03-05T10:00:00+08:00"])
    assignee_id: Id | None = Field(default=None, examples=["a1"])
    done: bool | None = Field(default=None, examples=[True])

    @property
    def given(self) -> dict[str, Any]:
        """What is to change."""
        sent = self.model_dump(exclude_unset=True)
        return {k: v for k, v in sent.items() if v is not None or k == "due_at"}


class TaskOut(_Out):
    """Something to do.

    Attributes:
        task_id: its number.
        title: what.
        due_at: until when.
        assignee_id: who does it.
        created_at: when it was added.
        created_by: by which user.
        done_at: when it was done.
        done_by: by which user.
        version: number of its present form, also its ETag.
    """

    task_id: str = Field(examples=["task_01kdvdna00fgzjsdqkfb56fv6q"])
    title: str = Field(examples=["Send the fee table"])
    due_at: datetime | None = Field(examples=[_AT])
    assignee_id: str | None = Field(examples=["a1"])
    created_at: datetime = Field(examples=[_AT])
    created_by: str = Field(examples=["user_m1"])
    done_at: datetime | None = Field(examples=[None])
    done_by: str | None = Field(examples=[None])
    version: int = Field(examples=[1])


class FileOut(_Out):
    """An attached file.

    Attributes:
        file_id: its number.
        name: its name.
        media_type: what its bytes say it is.
        size: bytes.
        sha256: digest of its bytes, in hexadecimal.
        at: when it was attached.
        actor_id: by which user.
    """

    file_id: str = Field(examples=["file_01kdvdna00fgzjsdqkfb56fv6q"])
    name: str = Field(examples=["fees.pdf"])
    media_type: str = Field(examples=["application/pdf"])
    size: int = Field(examples=[48213])
    sha256: str = Field(
        examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
    )
    at: datetime = Field(examples=[_AT])
    actor_id: str = Field(examples=["user_m1"])


class ReassignIn(_In):
    """Which cases go to whom: either `case_ids` or `owner_id`, and either `to` or `spread`.

    Attributes:
        case_ids: these cases.
        owner_id: all live cases of this owner.
        to: staff number of the one who gets them all.
        spread: staff numbers among whom they are spread, the least busy first.
    """

    case_ids: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, examples=[[_CASE]]
    )
    owner_id: Id | None = Field(default=None, examples=[None])
    to: Id | None = Field(default=None, examples=["m2"])
    spread: Annotated[list[Id], Field(min_length=1, max_length=50)] | None = Field(
        default=None, examples=[None]
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> ReassignIn:
        if (self.case_ids is None) == (self.owner_id is None):
            raise ValueError("either case_ids or owner_id")
        if (self.to is None) == (self.spread is None):
            raise ValueError("either to or spread")
        return self

    @property
    def takers(self) -> list[str]:
        """Who gets cases."""
        return [self.to] if self.to is not None else self.spread or []


class MoveOut(BaseModel):
    """A case that would have another owner.

    Attributes:
        case_id: the case.
        giver: who has it.
        taker: who would get it.
        version: the case's version that the plan is about.
    """

    case_id: str = Field(examples=[_CASE])
    giver: str | None = Field(examples=["m1"])
    taker: str = Field(examples=["m2"])
    version: int = Field(examples=[3])


class PlanOut(BaseModel):
    """What a reassignment would do.

    Attributes:
        plan: give it to `POST /cases/reassign` to do exactly this.
        digest: SHA-256 of ids, versions and takers.
        expires_at: the plan is good until then.
        moves: the cases that would have another owner.
    """

    plan: str = Field(examples=["plan_01kdvdna00fgzjsdqkfb56fv6q"])
    digest: str = Field(
        examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
    )
    expires_at: datetime = Field(examples=[_AT])
    moves: list[MoveOut]


class PlanIn(_In):
    """A plan to be carried out.

    Attributes:
        plan: from the preview.
    """

    plan: Id = Field(examples=["plan_01kdvdna00fgzjsdqkfb56fv6q"])


class BatchOut(_Out):
    """What a reassignment or its undoing did.

    Attributes:
        batch_id: its number; undo it within 24 hours.
        cases: cases that have another owner now.
        skipped: cases left alone because somebody changed them since, or because whoever had
            them is no longer active staff.
    """

    batch_id: str = Field(examples=["batch_01kdvdna00fgzjsdqkfb56fv6q"])
    cases: list[str] = Field(examples=[[_CASE]])
    skipped: list[str] = Field(examples=[[]])


class Choice(BaseModel):
    """A code and its name in the caller's language.

    Attributes:
        code: as the API takes it.
        title: as people read it.
    """

    code: str = Field(examples=["service-fixed"])
    title: str = Field(examples=["The cause was mended"])


class OutcomeChoice(Choice):
    """A way to end a case.

    Attributes:
        by_system: no person may choose it.
        reasons: reasons that it may have.
    """

    by_system: bool = Field(examples=[False])
    reasons: list[Choice]


class ChoicesOut(BaseModel):
    """What may be chosen in a case.

    Attributes:
        reasons: why a case is opened.
        states: live states, in their order.
        outcomes: how a case ends, with reasons.
    """

    reasons: list[Choice]
    states: list[Choice]
    outcomes: list[OutcomeChoice]
