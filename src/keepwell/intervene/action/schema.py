"""What the API says about actions, recommendations and refusals."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from keepwell.intervene.action.catalogue import Need, Situation, Who
from keepwell.intervene.action.gate import Answer, Stage
from keepwell.intervene.contact.policy import Aim, Channel

_AT = "2026-11-04T02:00:00Z"


class OptionOut(BaseModel):
    """An action that may be done, now or later.

    Attributes:
        action_id: its name for programs.
        version: its version; a contact that carries it out names both.
        title: in the caller's language.
        text: what staff do, and what they leave.
        aim: to keep the client, or for the client's own business.
        situation: what an owed service is about.
        who: who carries it out.
        who_title: the same in words.
        minutes: of working time.
        answer: 'go', 'delay' until an instant, or 'downgrade' to another channel.
        channel: by which way.
        until: the earliest instant; null when it may go now.
        code: why it waits or goes another way.
        rules: ids of the rules behind it.
        words: the same in the caller's language.
        skippable: the contact is the one about an exit: the client can skip it.
        expected: expected value, minor units of `currency`; null where it is not known.
        reduction: relative reduction of the chance to leave.
        proven: whether experiments have shown the reduction; otherwise it is assumed.
        source: where the reduction comes from.
    """

    action_id: str = Field(examples=["service-call"])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Service call"])
    text: str = Field(examples=["Ask how satisfied the client is."])
    aim: Aim = Field(examples=["retention"])
    situation: Situation = Field(examples=["any"])
    who: Who = Field(examples=["manager"])
    who_title: str = Field(examples=["Relationship manager"])
    minutes: int = Field(examples=[15])
    answer: Answer = Field(examples=["go"])
    channel: Channel | None = Field(examples=["phone"])
    until: datetime | None = Field(examples=[None])
    code: str | None = Field(examples=[None])
    rules: list[str] = Field(examples=[[]])
    words: str = Field(examples=[""])
    skippable: bool = Field(examples=[False])
    expected: int | None = Field(examples=[None])
    reduction: float = Field(examples=[0.11])
    proven: bool = Field(examples=[False])
    source: str = Field(examples=["Assumed, no experiment yet"])


class RefusalOut(BaseModel):
    """An action that is not recommended, and why.

    Attributes:
        action_id: its name for programs.
        version: its version.
        title: in the caller's language.
        stage: where it was held.
        stage_title: the same in words.
        code: why.
        rules: ids of the rules behind it.
        words: why, in the caller's language.
    """

    action_id: str = Field(examples=["maturing-talk"])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Talk about what matures"])
    stage: Stage = Field(examples=["suitable"])
    stage_title: str = Field(examples=["Suitable"])
    code: str = Field(examples=["suitability.level-above"])
    rules: list[str] = Field(examples=[["SU-1", "SU-2"]])
    words: str = Field(
        examples=["R2 is above the client's level C1; it may not be recommended (rule SU-2)."]
    )


class ScriptOut(BaseModel):
    """What to say with an action.

    Attributes:
        action_id: the action: the first one, or the runner-up where none fits the first.
        script_id: name and version; a contact that uses it names it.
        locale: its language, the caller's.
        channel: by which way.
        text: for the client, with its disclosures; a masked name stays masked.
        note: for staff only.
    """

    action_id: str = Field(examples=["service-call"])
    script_id: str = Field(examples=["any.phone@1"])
    locale: str = Field(examples=["en"])
    channel: Channel = Field(examples=["phone"])
    text: str = Field(examples=["Hello 王**, this is Person m1 of Test broker."])
    note: str = Field(examples=[""])


class RecommendationOut(BaseModel):
    """What to do in a case, and why nothing else.

    Attributes:
        recommendation_id: number of the record with all that decided it.
        number: counts from 1 within the case; another answer, another number.
        case_id: in which case.
        client_id: about whom.
        at: when it was first answered so.
        basis: 'value': best expected value first; 'assumed-effect': the value is not known, so
            what may be done is ordered by its relative reduction.
        currency: ISO 4217 code of all amounts.
        owed: mandatory services, to be done whatever they are worth; first of all.
        best: the best action that may be done.
        runner_up: the next one.
        refusals: every other action in force that may not be done, with the reason.
        script: what to say with the first of `owed`, else with `best`, else with the runner-up;
            null where none fits, and for those who do not contact clients.
    """

    recommendation_id: str = Field(examples=["advice_01kdvdna00fgzjsdqkfb56fv6q"])
    number: int = Field(examples=[1])
    case_id: str = Field(examples=["case_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str = Field(examples=["c1"])
    at: datetime = Field(examples=[_AT])
    basis: Literal["value", "assumed-effect"] = Field(examples=["assumed-effect"])
    currency: str = Field(examples=["CNY"])
    owed: list[OptionOut]
    best: OptionOut | None
    runner_up: OptionOut | None
    refusals: list[RefusalOut]
    script: ScriptOut | None


class ActionOut(BaseModel):
    """An action of the catalogue in force.

    Attributes:
        action_id: its name for programs.
        version: its version.
        since: first day on which it may be used.
        title: in the caller's language.
        text: what staff do, and what they leave.
        aim: to keep the client, or for the client's own business.
        mandatory: a service that is owed, whatever it is worth.
        situation: what an owed service is about.
        who: who carries it out.
        who_title: the same in words.
        minutes: of working time.
        time_cost: what those minutes cost, minor units of `currency`; null where nobody has set it
            and nothing can be assumed.
        cost: what it costs besides, minor units of `cost_currency`.
        cost_currency: ISO 4217 code.
        currency: the workspace's, ISO 4217 code.
        channels: ways to do it, best first.
        tiers: tiers that it fits.
        reasons: reason codes that it fits; null: any.
        need: what suitability must say first.
        level: the highest product level that it may speak for.
        purposes: consents that must be on record.
        cool_down_days: so long it is not done again.
        reduction: relative reduction of the chance to leave.
        proven: whether an experiment has shown it; otherwise it is assumed.
        low: lower end of what was shown.
        high: upper end of it.
        source: where the reduction comes from.
    """

    action_id: str = Field(examples=["service-call"])
    version: int = Field(examples=[1])
    since: date = Field(examples=["2020-01-01"])
    title: str = Field(examples=["Service call"])
    text: str = Field(examples=["Ask how satisfied the client is."])
    aim: Aim = Field(examples=["retention"])
    mandatory: bool = Field(examples=[False])
    situation: Situation = Field(examples=["any"])
    who: Who = Field(examples=["manager"])
    who_title: str = Field(examples=["Relationship manager"])
    minutes: int = Field(examples=[15])
    time_cost: int | None = Field(examples=[3000])
    cost: int = Field(examples=[0])
    cost_currency: str = Field(examples=["CNY"])
    currency: str = Field(examples=["CNY"])
    channels: list[Channel] = Field(examples=[["phone"]])
    tiers: list[str] = Field(examples=[["moderate", "severe"]])
    reasons: list[str] | None = Field(examples=[None])
    need: Need = Field(examples=["none"])
    level: str | None = Field(examples=[None])
    purposes: list[str] = Field(examples=[[]])
    cool_down_days: int = Field(examples=[30])
    reduction: float = Field(examples=[0.11])
    proven: bool = Field(examples=[False])
    low: float | None = Field(examples=[None])
    high: float | None = Field(examples=[None])
    source: str = Field(examples=["Assumed, no experiment yet"])


class ActionsOut(BaseModel):
    """The catalogue in force.

    Attributes:
        items: its actions, by id.
    """

    items: list[ActionOut]


class RefusedOut(BaseModel):
    """Why a stored recommendation left actions out.

    Attributes:
        recommendation_id: which recommendation.
        case_id: in which case.
        client_id: about whom.
        at: when.
        stage: where they were held.
        stage_title: the same in words.
        code: why.
        rules: ids of the rules behind it.
        words: why, in the caller's language.
        actions: names and versions of the actions refused so.
    """

    recommendation_id: str = Field(examples=["advice_01kdvdna00fgzjsdqkfb56fv6q"])
    case_id: str = Field(examples=["case_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str = Field(examples=["c1"])
    at: datetime = Field(examples=[_AT])
    stage: Stage = Field(examples=["suitable"])
    stage_title: str = Field(examples=["Suitable"])
    code: str = Field(examples=["suitability.level-above"])
    rules: list[str] = Field(examples=[["SU-1", "SU-2"]])
    words: str = Field(
        examples=["R2 is above the client's level C1; it may not be recommended (rule SU-2)."]
    )
    actions: list[str] = Field(examples=[["maturing-talk@1"]])


class RefusalCount(BaseModel):
    """How often a code refused.

    Attributes:
        code: why.
        stage: where the actions were held.
        stage_title: the same in words.
        recommendations: in how many recommendations.
        clients: about how many clients.
        newest: the newest one; its words are an example, for they name levels and days.
    """

    code: str = Field(examples=["suitability.level-above"])
    stage: Stage = Field(examples=["suitable"])
    stage_title: str = Field(examples=["Suitable"])
    recommendations: int = Field(examples=[12])
    clients: int = Field(examples=[9])
    newest: RefusedOut


class RefusalCounts(BaseModel):
    """Refusals by code.

    Attributes:
        items: the most frequent first.
    """

    items: list[RefusalCount]
