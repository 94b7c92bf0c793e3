"""What the API says about exit requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from keepwell.frame.database import Tx
from keepwell.frame.text import ClientId, Id, Line, Moment, Note
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.policy import CalendarName
from keepwell.intervene.exit import service
from keepwell.intervene.exit.model import ExitHold, ExitRequest
from keepwell.intervene.exit.policy import ExitKind, ExitState, ExitStep, HoldCode

_EXIT = "exit_01kdvdna00fgzjsdqkfb56fv6q"


class ExitIn(BaseModel):
    """A client's request to leave.

    Attributes:
        client_id: who asks.
        kind: for what.
        request_id: the broker's own number; default: a new one.
        requested_at: when the client asked; default: now.
    """

    model_config = ConfigDict(extra="forbid")

    client_id: ClientId = Field(examples=["c1"])
    kind: ExitKind = Field(examples=["close"])
    request_id: Id | None = Field(default=None, examples=["X-2026-0001"])
    requested_at: Moment | None = Field(default=None, examples=["2026-03-04T10:00:00+08:00"])


class HoldIn(BaseModel):
    """A lawful reason to wait.

    Attributes:
        code: from the lawful list.
        until: when it ends by itself; all holds of a request together last 90 days at the most.
        appeal: how the client can object.
    """

    model_config = ConfigDict(extra="forbid")

    code: HoldCode = Field(examples=["margin-debt"])
    until: Moment = Field(examples=["2026-03-06T15:00:00+08:00"])
    appeal: Note = Field(examples=["Write to compliance@example.com; answered within 15 days."])


class CancelIn(BaseModel):
    """The client's word that the request is taken back.

    Attributes:
        source: where it stands, so that anybody can look it up.
        note: what the client said.
    """

    model_config = ConfigDict(extra="forbid")

    source: Line = Field(examples=["Recording 2026-03-05 no. 4711"])
    note: Note = Field(examples=["Keeps the account after all."])


class SettleIn(BaseModel):
    """When application and settlement were complete.

    Attributes:
        settled_at: not in the future; default: now.
    """

    model_config = ConfigDict(extra="forbid")

    settled_at: Moment | None = Field(default=None, examples=["2026-03-04T15:00:00+08:00"])


class HoldOut(BaseModel):
    """A hold.

    Attributes:
        hold_id: its id.
        code: the reason.
        placed_by: the person who answers for it.
        placed_at: since when.
        until: when it ends by itself.
        appeal: how the client can object.
        lifted_at: when it was lifted before.
        lifted_by: by whom.
    """

    hold_id: str = Field(examples=["hold_01kdvdna00fgzjsdqkfb56fv6q"])
    code: HoldCode = Field(examples=["margin-debt"])
    placed_by: str
    placed_at: datetime
    until: datetime
    appeal: str
    lifted_at: datetime | None
    lifted_by: str | None


class ExitOut(BaseModel):
    """An exit request, as it stands now.

    Attributes:
        request_id: its number.
        client_id: who asks.
        kind: for what.
        state: where it stands.
        steps: what is still to be done, in order.
        blockers: lawful holds in force.
        reported: lawful reasons that the source named; they hold nothing by themselves.
        holds: every hold ever placed.
        requested_at: when the client asked.
        settled_at: since when application and settlement are complete.
        due_at: by when it must be carried out.
        provisional: whether `due_at` is a guess: it lies beyond the days that the exchange's
            calendar knows, so holidays may be missing.
        completed_at: when it was.
        cancelled_at: when the client took it back.
        retention_contacts: contacts that tried to keep the client; one at the most.
        refused: whether the client wants no such contact.
        version: for If-Match.
    """

    request_id: str = Field(examples=[_EXIT])
    client_id: str = Field(examples=["c1"])
    kind: ExitKind = Field(examples=["close"])
    state: ExitState = Field(examples=["requested"])
    steps: list[ExitStep] = Field(examples=[["settle", "complete"]])
    blockers: list[HoldCode] = Field(examples=[[]])
    reported: list[HoldCode] = Field(examples=[[]])
    holds: list[HoldOut]
    requested_at: datetime
    settled_at: datetime | None
    due_at: datetime | None
    provisional: bool = Field(examples=[False])
    completed_at: datetime | None
    cancelled_at: datetime | None
    retention_contacts: int = Field(examples=[0])
    refused: bool = Field(examples=[False])
    version: int = Field(examples=[1])


def shown(tx: Tx, requests: Sequence[ExitRequest]) -> list[ExitOut]:
    """Requests as the API shows them."""
    holds = service.holds_of(tx, requests)
    return [_out(tx, request, holds.get(request.request_id, [])) for request in requests]


def _out(tx: Tx, request: ExitRequest, holds: list[ExitHold]) -> ExitOut:
    plan = service.plan_of(tx, request, holds)
    calendar = calendar_of(tx.frame, CalendarName.EXCHANGE)
    return ExitOut(
        request_id=request.request_id, client_id=request.client_id, kind=ExitKind(request.kind),
        state=plan.state, steps=list(plan.steps), blockers=list(plan.holds),
        reported=[HoldCode(code) for code in request.reported],
        holds=[HoldOut.model_validate(hold, from_attributes=True) for hold in holds],
        requested_at=request.requested_at, settled_at=request.settled_at, due_at=request.due_at,
        provisional=request.due_at is not None and calendar.is_provisional(request.due_at),
        completed_at=request.completed_at, cancelled_at=request.cancelled_at,
        retention_contacts=request.retention_contacts, refused=request.refused,
        version=request.version,
    )  # fmt: skip
