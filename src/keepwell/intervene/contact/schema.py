"""What the API says about contacts."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keepwell.frame.text import Moment, Note
from keepwell.intervene.contact.policy import (
    Aim,
    Channel,
    Delivery,
    Direction,
    Mark,
    Result,
    Unassigned,
)

_AT = "2026-03-04T02:00:00Z"


class ContactIn(BaseModel):
    """A contact that was made.

    Attributes:
        channel: by which way.
        direction: 'out' when the desk began, 'in' when the client did.
        at: when; default: now.
        result: how it went; 'refused' stops all retention contacts at once.
        note: in words.
        retention: whether it was meant to keep the client; false: the client's own business.
        happened: it was made although the gate forbids it; recorded as a breach.
        action_id: the action that it carried out; the action's own gate is asked again.
        action_version: its version; both or neither.
        script_id: name and version of the script that was used.
        delivery: whether it arrived; default: as far as the result says so.
    """

    model_config = ConfigDict(extra="forbid")

    channel: Channel = Field(examples=["phone"])
    direction: Direction = Field(default=Direction.OUT, examples=["out"])
    at: Moment | None = Field(default=None, examples=["2026-03-04T10:00:00+08:00"])
    result: Result = Field(examples=["reached"])
    note: Note | None = Field(default=None, examples=["Asks for a fee review."])
    retention: bool = Field(default=True, examples=[True])
    happened: bool = Field(default=False, examples=[False])
    action_id: str | None = Field(
        default=None, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60, examples=["service-call"]
    )
    action_version: int | None = Field(default=None, ge=1, le=1_000_000, examples=[1])
    script_id: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9.-]{1,80}@[0-9]{1,6}$", examples=["any.phone@1"]
    )

    delivery: Delivery | None = Field(default=None, examples=["delivered"])

    @model_validator(mode="after")
    def _named_whole(self) -> ContactIn:
        if (self.action_id is None) != (self.action_version is None):
            raise ValueError("action_id and action_version, both or neither")
        return self

    @property
    def aim(self) -> Aim:
        """What the contact was for."""
        return Aim.RETENTION if self.retention else Aim.SERVICE


class ContactOut(BaseModel):
    """A recorded contact.

    Attributes:
        contact_id: its number.
        case_id: in which case.
        client_id: with whom.
        channel: by which way.
        direction: who began.
        aim: what for.
        result: how it went.
        at: when.
        note: in words.
        staff_id: staff number of who made or received it.
        actor_id: the user who recorded it.
        recorded_at: when it was recorded.
        exit_request_id: the exit request whose one retention contact it was.
        breach: code of the rule that forbade it, where it was made all the same.
        marks: what about it somebody should look at: 'backdated', recorded more than a quarter of
            an hour after the time stated; 'self-declared', called service or inbound by whoever
            recorded it while the client was not to be contacted.
        action_id: the action that it carried out.
        action_version: its version.
        script_id: the script that was used.
        propensity: the chance with which the draw let the client be treated.
        unassigned: why there is no propensity: 'no-alert', 'mandatory' or 'no-draw'.
        delivery: whether it arrived, by the newest word; null for contacts from before this was
            kept.
        delivery_at: when that word speaks of, where it came later.
    """

    model_config = ConfigDict(from_attributes=True)

    contact_id: str = Field(examples=["contact_01kdvdna00fgzjsdqkfb56fv6q"])
    case_id: str = Field(examples=["case_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str = Field(examples=["c1"])
    channel: Channel = Field(examples=["phone"])
    direction: Direction = Field(examples=["out"])
    aim: Aim = Field(examples=["retention"])
    result: Result = Field(examples=["reached"])
    at: datetime = Field(examples=[_AT])
    note: str = Field(examples=["Asks for a fee review."])
    staff_id: str | None = Field(examples=["m1"])
    actor_id: str = Field(examples=["user_m1"])
    recorded_at: datetime = Field(examples=[_AT])
    exit_request_id: str | None = Field(examples=[None])
    breach: str | None = Field(examples=[None])
    marks: list[Mark] = Field(examples=[[]])
    action_id: str | None = Field(default=None, examples=["service-call"])
    action_version: int | None = Field(default=None, examples=[1])
    script_id: str | None = Field(default=None, examples=["any.phone@1"])
    propensity: float | None = Field(default=None, examples=[0.8])
    unassigned: Unassigned | None = Field(default=None, examples=[None])
    delivery: Delivery | None = Field(default=None, examples=["delivered"])
    delivery_at: datetime | None = Field(default=None, examples=[None])


class DeliveryIn(BaseModel):
    """What became known about whether a contact arrived.

    Attributes:
        delivery: whether it did.
        at: when it arrived or failed; default: now.
    """

    model_config = ConfigDict(extra="forbid")

    delivery: Delivery = Field(examples=["delivered"])
    at: Moment | None = Field(default=None, examples=["2026-03-04T10:05:00+08:00"])


class VerdictOut(BaseModel):
    """What the gate says about a contact now.

    Attributes:
        allowed: whether it may be made.
        code: why not.
        rule: the rule that forbids it.
        words: why not, in the caller's language.
    """

    allowed: bool = Field(examples=[False])
    code: str | None = Field(default=None, examples=["contact.complaint-open"])
    rule: str | None = Field(default=None, examples=["CT-2"])
    words: str | None = Field(
        default=None, examples=["A complaint is open: only service contacts (rule CT-2)."]
    )
