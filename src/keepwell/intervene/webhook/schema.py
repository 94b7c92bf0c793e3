"""API types of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keepwell.frame.text import Line

Url = Annotated[str, StringConstraints(min_length=8, max_length=2000, strip_whitespace=True)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=40)]
MessageState = Literal["pending", "delivered", "dead"]

_URL = "https://crm.example.com/keepwell"
_ID = "hook_01kdvdna00fgzjsdqkfb56fv6q"
_MESSAGE = "msg_01kdvdna00fgzjsdqkfb56fv6q"
_AT = "2026-03-04T02:00:00Z"


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EndpointIn(_Input):
    """A new endpoint.

    Attributes:
        url: https address that takes POST requests.
        patterns: events wanted: `*`, `case.*` or `case.opened`.
        description: what it is for.
    """

    url: Url = Field(examples=[_URL])
    patterns: list[Pattern] = Field(min_length=1, max_length=50, examples=[["case.*"]])
    description: Line | None = Field(default=None, examples=["CRM"])


class EndpointChange(_Input):
    """Changes of an endpoint; what is left out stays.

    Attributes:
        url: https address that takes POST requests.
        patterns: events wanted.
        description: what it is for.
        active: false switches it off; true on again, with a clean record.
    """

    url: Url | None = Field(default=None, examples=[_URL])
    patterns: list[Pattern] | None = Field(
        default=None, min_length=1, max_length=50, examples=[["alert.*", "case.*"]]
    )
    description: Line | None = Field(default=None, examples=["CRM"])
    active: bool | None = Field(default=None, examples=[True])


class EndpointOut(BaseModel):
    """An endpoint.

    Attributes:
        endpoint_id: its number.
        url: where messages go.
        patterns: events wanted.
        description: what it is for.
        active: whether messages are sent.
        off_reason: why not: manual, dead (too many messages failed for good in a row) or gone
            (it answered 410); empty when active.
        dead_in_row: messages that failed for good since the last that arrived.
        old_secret_until: until when the secret before the last rotation signs too.
        approved_at: when compliance approved address and events; null: nothing is sent yet.
        approved_by: who did.
        version: for If-Match.
        created_at: when it was made.
        changed_at: when it was last changed.
    """

    endpoint_id: str = Field(examples=[_ID])
    url: str = Field(examples=[_URL])
    patterns: list[str] = Field(examples=[["case.*"]])
    description: str = Field(examples=["CRM"])
    active: bool
    off_reason: str = Field(examples=[""])
    dead_in_row: int
    old_secret_until: datetime | None = Field(examples=[None])
    approved_at: datetime | None = Field(examples=[_AT])
    approved_by: str | None = Field(examples=["user_01kdvdna00fgzjsdqkfb56fv6q"])
    version: int = Field(examples=[1])
    created_at: datetime = Field(examples=[_AT])
    changed_at: datetime = Field(examples=[_AT])


class EndpointMade(EndpointOut):
    """An endpoint with its signing secret, which is shown this once.

    Attributes:
        secret: for verifying signatures, in the form that Standard Webhooks libraries take.
    """

    secret: str = Field(examples=["whsec_Zm9yIGV4YW1wbGUgb25seSwgMzIgYnl0ZXMgb2Y="])


class MessageOut(BaseModel):
    """An event for an endpoint.

    Attributes:
        message_id: the webhook-id header.
        endpoint_id: where it goes.
        event: its type.
        state: pending, delivered or dead (given up; it can be replayed).
        fault: what the last attempt failed of.
        tried: attempts so far.
        created_at: when the event happened.
        next_at: when it is tried next.
        ended_at: when it was delivered or given up.
    """

    message_id: str = Field(examples=[_MESSAGE])
    endpoint_id: str = Field(examples=[_ID])
    event: str = Field(examples=["case.opened"])
    state: MessageState
    fault: str = Field(examples=[""])
    tried: int
    created_at: datetime = Field(examples=[_AT])
    next_at: datetime | None = Field(examples=[_AT])
    ended_at: datetime | None = Field(examples=[None])


class MessageFull(MessageOut):
    """A message with the JSON that is sent.

    Attributes:
        body: the exact text that is signed; null for those who may not see clients.
    """

    body: str | None = Field(examples=['{"type":"case.opened","timestamp":"2026-03-04T02:00:00Z"}'])


class DeliveryOut(BaseModel):
    """An attempt to deliver a message.

    Attributes:
        number: 1 for the first.
        at: when.
        status: HTTP status; null when no answer came.
        fault: what failed; empty when it arrived.
        milliseconds: how long it took.
        response: the first 2,048 characters of the answer.
    """

    number: int = Field(examples=[1])
    at: datetime = Field(examples=[_AT])
    status: int | None = Field(examples=[500])
    fault: str = Field(examples=["status-bad"])
    milliseconds: int = Field(examples=[120])
    response: str = Field(examples=["internal error"])


class ReplayIn(_Input):
    """Which dead messages to send again.

    Attributes:
        since: those of events from this instant on.
    """

    since: datetime = Field(examples=[_AT])


class ReplayOut(BaseModel):
    """What was put back into the outbox.

    Attributes:
        replayed: messages; at most 1,000 at a time.
        more: whether dead messages are left; ask again.
    """

    replayed: int = Field(examples=[12])
    more: bool


class EventTypeOut(BaseModel):
    """A type of event.

    Attributes:
        event: its name, as in `type` of a message.
        title: what it says, in the caller's language.
    """

    event: str = Field(examples=["case.opened"])
    title: str = Field(examples=["A case was opened."])
