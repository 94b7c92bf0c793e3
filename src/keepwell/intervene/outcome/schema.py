"""What the API says about outcomes."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

_AT = "2026-09-04T00:00:00Z"


class OutcomeOut(BaseModel):
    """What the label says of a client after a day on which the desk decided about them.

    Attributes:
        outcome_id: its number.
        client_id: about whom.
        day: of the decision; the label's horizon begins with it.
        decision: the day's decision that counts.
        arm: 'contact' or 'hold-out'; only for readers of the hold-out.
        propensity: the chance of the decision; only for readers of the hold-out.
        alert_id: about which alert.
        case_id: the case that it led to.
        label: the definition of leaving.
        label_version: its version.
        horizon: its horizon.
        left: whether the client left; null: not known, or not counted.
        why: code; null once the client refuses profiling.
        words: why, in the caller's language.
        left_day: the day of leaving, where an event dates it.
        matured_at: the end of the horizon.
        recorded_at: when it was read from the data.
        revision: counts from 1; a correction of the data adds one.
        manifest: number of the lake's manifest that was read.
        generation_id: the generation of scores in force at the decision.
    """

    outcome_id: str = Field(examples=["outcome_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str = Field(examples=["c1"])
    day: date = Field(examples=["2026-03-04"])
    decision: str = Field(examples=["shown"])
    arm: str | None = Field(examples=["contact"])
    propensity: float | None = Field(examples=[0.8])
    alert_id: str | None = Field(examples=["alert_01kdvdna00fgzjsdqkfb56fv6q"])
    case_id: str | None = Field(examples=["case_01kdvdna00fgzjsdqkfb56fv6q"])
    label: str = Field(examples=["exit"])
    label_version: int = Field(examples=[1])
    horizon: str = Field(examples=["6mo"])
    left: bool | None = Field(examples=[False])
    why: str | None = Field(examples=["stayed"])
    words: str | None = Field(examples=["Stayed."])
    left_day: date | None = Field(examples=[None])
    matured_at: datetime = Field(examples=[_AT])
    recorded_at: datetime = Field(examples=[_AT])
    revision: int = Field(examples=[1])
    manifest: int = Field(examples=[12])
    generation_id: int | None = Field(examples=[3])


class ShareOut(BaseModel):
    """A share with its 95 % interval (Wilson).

    Attributes:
        part: how many.
        whole: of how many.
        share: null where there is none to share.
        low: lower end.
        high: upper end.
    """

    part: int = Field(examples=[4])
    whole: int = Field(examples=[40])
    share: float | None = Field(examples=[0.1])
    low: float | None = Field(examples=[0.04])
    high: float | None = Field(examples=[0.231])


class TallyOut(BaseModel):
    """Closed cases counted.

    Attributes:
        key: number of the manager or team; null where the case has none, or for all.
        name: its name.
        agree: staff and label say the same.
        differ: they do not.
        unsaid: the label does not count the client, or does not know.
        waiting: the outcome is not known yet.
        mismatch: share that differs, of those where both speak.
    """

    key: str | None = Field(examples=["m1"])
    name: str | None = Field(examples=["Li Na"])
    agree: int = Field(examples=[36])
    differ: int = Field(examples=[4])
    unsaid: int = Field(examples=[1])
    waiting: int = Field(examples=[9])
    mismatch: ShareOut


class StateOut(BaseModel):
    """Closed cases of one outcome that staff typed, by what the label says.

    Attributes:
        state: what staff typed.
        left: the client left.
        stayed: the client stayed.
        unsaid: the label does not count the client, or does not know.
        waiting: the outcome is not known yet.
    """

    state: str = Field(examples=["recovered"])
    left: int = Field(examples=[3])
    stayed: int = Field(examples=[30])
    unsaid: int = Field(examples=[1])
    waiting: int = Field(examples=[5])


class DifferingOut(BaseModel):
    """A closed case whose staff and label differ.

    Attributes:
        case_id: the case.
        client_id: about whom.
        owner_id: who owns the case.
        state: what staff typed.
        close_reason: and why.
        closed_at: when.
        left: what the label says: left, or stayed.
        why: code of the label.
        words: why, in the caller's language.
        left_day: the day of leaving, where an event dates it.
        day: of the decision.
        matured_at: the end of the horizon.
    """

    case_id: str = Field(examples=["case_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str = Field(examples=["c1"])
    owner_id: str | None = Field(examples=["m1"])
    state: str = Field(examples=["recovered"])
    close_reason: str = Field(examples=["stayed-after-contact"])
    closed_at: datetime = Field(examples=[_AT])
    left: bool = Field(examples=[True])
    why: str = Field(examples=["closed"])
    words: str = Field(examples=["Closed the account."])
    left_day: date | None = Field(examples=["2026-06-01"])
    day: date = Field(examples=["2026-03-04"])
    matured_at: datetime = Field(examples=[_AT])


class MismatchOut(BaseModel):
    """What staff typed when they closed cases, against what the label says.

    Attributes:
        since: cases closed on this day or later.
        until: cases closed before this day.
        definition: of leaving, in the caller's language.
        whole: all cases in scope.
        states: by what staff typed.
        managers: by the owner of the case.
        teams: by the owner's team.
        differing: the cases that differ, the newest first, at most 200.
    """

    since: date = Field(examples=["2024-09-05"])
    until: date = Field(examples=["2026-09-05"])
    definition: str = Field(examples=["Holds a position now, and 6mo later none."])
    whole: TallyOut
    states: list[StateOut]
    managers: list[TallyOut]
    teams: list[TallyOut]
    differing: list[DifferingOut]


class UsedOut(BaseModel):
    """A script or an action, how often it was used, and what became of the clients.

    Attributes:
        name: with its version.
        contacts: in which it was used.
        cases: in which it was used.
        left: of the cases whose outcome is known, those whose client left.
    """

    name: str = Field(examples=["any.phone@1"])
    contacts: int = Field(examples=[52])
    cases: int = Field(examples=[40])
    left: ShareOut


class UseOut(BaseModel):
    """What became of clients, by script and by action.

    Attributes:
        since: contacts on this day or later.
        until: contacts before this day.
        warning: that this is no effect, in the caller's language.
        scripts: by name and version.
        actions: by name and version.
    """

    since: date = Field(examples=["2024-09-05"])
    until: date = Field(examples=["2026-09-05"])
    warning: str = Field(examples=["This is no effect."])
    scripts: list[UsedOut]
    actions: list[UsedOut]
