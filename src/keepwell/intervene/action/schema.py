"""What the API says about recommendations."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from keepwell.intervene.action.catalogue import Situation, Who
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
