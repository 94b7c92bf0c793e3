"""What the API says about alerts and treatments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from keepwell.frame.text import Line, Moment
from keepwell.intervene.alert.policy import AlertReason, Cause, Decision, WakeEvent, looks

TierCode = Literal["none", "mild", "moderate", "severe"]
Shown = Literal["shown", "held-back", "acknowledged", "snoozed", "closed"]


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AlertOut(_FromRow):
    """An alert.

    Attributes:
        alert_id: its id.
        client_id: about whom.
        reason: why.
        status: where it stands.
        tier: how grave.
        score: the score behind it; null for rules.
        owner_id: staff number of the client's manager.
        case_id: the case that it belongs to.
        raised_at: when it was raised.
        signal_at: its newest signal.
        signals: how many signals it took.
        shown_at: when it was shown; null while it is held back.
        acknowledged_at: when somebody acknowledged it last.
        acknowledged_by: who did.
        wake_at: until when it sleeps.
        wake_on: the event that wakes it.
        snooze_reason: why it sleeps.
        closed_at: when it ended.
        closed_reason: why: tier-fell, not-scored, case-closed, profiling-refused, exit-requested,
            exit-completed or complaint-closed.
        version: of the ETag.
    """

    alert_id: str = Field(examples=["alert_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str = Field(examples=["c1"])
    reason: AlertReason
    status: Annotated[Shown, BeforeValidator(looks)]
    tier: TierCode
    score: float | None = Field(ge=0, le=100, examples=[91.5])
    owner_id: str | None = Field(examples=["m1"])
    case_id: str | None = Field(examples=["case_01kdvdna00fgzjsdqkfb56fv6q"])
    raised_at: datetime
    signal_at: datetime
    signals: int = Field(ge=1, examples=[1])
    shown_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None = Field(examples=["user_m1"])
    wake_at: datetime | None
    wake_on: WakeEvent | None
    snooze_reason: str | None = Field(examples=["Abroad until May"])
    closed_at: datetime | None
    closed_reason: str | None = Field(examples=["tier-fell"])
    version: int = Field(ge=1, examples=[1])


class SignalOut(_FromRow):
    """One thing that raised an alert or would have raised it again.

    Attributes:
        at: when it happened.
        source: 'score' or the rule's code.
        tier: how grave it was.
        score: the score, if it came from one.
        facts: codes and numbers that tell it; money in minor units.
    """

    at: datetime
    source: str = Field(examples=["first-large-transfer"])
    tier: TierCode
    score: float | None = Field(ge=0, le=100, examples=[91.5])
    facts: dict[str, Any] = Field(examples=[{"share": 0.42, "assets_known": True}])


class AlertDetail(AlertOut):
    """An alert with its signals.

    Attributes:
        history: its newest signals, at most 200, newest first.
    """

    history: list[SignalOut]


class SnoozeIn(BaseModel):
    """Until when an alert sleeps: a date, an event, or whichever comes first.

    Attributes:
        until: a date with a time zone, at most 366 days from now.
        event: what wakes it; without a date it also wakes after 90 days.
        reason: why.
    """

    model_config = ConfigDict(extra="forbid")

    until: Moment | None = Field(default=None, examples=["2026-05-01T01:00:00Z"])
    event: WakeEvent | None = None
    reason: Line = Field(examples=["Abroad until May"])


class CeilingOut(BaseModel):
    """A manager's ceiling of today.

    Attributes:
        manager_id: staff number.
        capacity: new alerts a day.
        shown_today: new alerts shown on this day of the exchange, mandatory ones among them.
        held_back: alerts that wait.
    """

    manager_id: str = Field(examples=["m1"])
    capacity: int = Field(ge=0, examples=[12])
    shown_today: int = Field(ge=0, examples=[12])
    held_back: int = Field(ge=0, examples=[5])


class TreatmentOut(_FromRow):
    """One decision to show or not to show an alert.

    Attributes:
        treatment_id: its id.
        at: when it was decided.
        client_id: about whom.
        alert_id: the alert, if one is kept.
        reason: why the desk would warn; of what a person did by hand, the case's.
        tier: how grave.
        score: the score behind it, if any.
        decision: what was decided.
        cause: by what.
        arm: the client's arm: contact or hold-out.
        propensity: chance of the decision where the draw made it; else 1 shown, 0 not shown.
        period: of the hold-out.
        owner_id: the client's manager then.
        generation_id: the generation in force, whose score it was if there was one.
        policy: fingerprint of tiers, hold-out and ceilings in force.
    """

    treatment_id: str = Field(examples=["treatment_01kdvdna00fgzjsdqkfb56fv6q"])
    at: datetime
    client_id: str = Field(examples=["c1"])
    alert_id: str | None = Field(examples=["alert_01kdvdna00fgzjsdqkfb56fv6q"])
    reason: AlertReason | Literal["manual"]
    tier: TierCode
    score: float | None = Field(ge=0, le=100, examples=[91.5])
    decision: Decision
    cause: Cause
    arm: Literal["contact", "hold-out"]
    propensity: float = Field(ge=0, le=1, examples=[0.95])
    period: str = Field(examples=["2026"])
    owner_id: str | None = Field(examples=["m1"])
    generation_id: int | None = Field(examples=[7])
    policy: str = Field(examples=["8a5edab282632443"])
