"""What the screen pop says."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from keepwell.intervene.alert.schema import AlertOut
from keepwell.intervene.case.schema import CaseItem
from keepwell.intervene.clock.schema import ClockView
from keepwell.intervene.contact.schema import ContactOut, VerdictOut
from keepwell.intervene.exit.schema import ExitOut
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.trust.book.schema import ClientOut
from keepwell.trust.consent.schema import ConsentOut


class CaseContext(CaseItem):
    """A live case with its clocks.

    Attributes:
        clocks: its clocks, the first due first.
    """

    clocks: list[ClockView] = Field(default=[], examples=[[]])


class StaleOut(BaseModel):
    """Data that a score rests on and that are late or unusual.

    Attributes:
        table: table of the contract.
        kind: which monitor says so.
        since: from which day on; of late data the day of the newest.
        words: what is unusual, in the caller's language.
        owner: who answers for the source, as keepwell.yaml says; '' for nobody.
        indicators: how many indicators of the catalogue read the table.
        reasons: codes of the client's reasons that rest on it.
        incident_id: the incident, for who sees it; null for a moment until the desk knows of it.
        mended_at: since when the data are whole again; the score is not before the next
            publication. Null while they are not.
    """

    table: str = Field(examples=["trade"])
    kind: MonitorKind = Field(examples=["units"])
    since: date
    words: str = Field(
        examples=["amount jumped to 100 times the usual since 7 Apr 2026: has its unit changed?"]
    )
    owner: str = Field(examples=["M0042"])
    indicators: int = Field(ge=1, examples=[40])
    reasons: list[str] = Field(examples=[["trading.less"]])
    incident_id: str | None = Field(examples=["incident_5f70bf18a086007016e948b04a"])
    mended_at: datetime | None = Field(examples=[None])


class ContextOut(BaseModel):
    """A client as the person who picks up the phone needs to know them.

    Attributes:
        client: profile, score and reasons, personal fields masked.
        why: the reasons in words, in the caller's language, most important first.
        value_made_of: what the client's value is made of, in sentences of the caller's language;
            empty where it is not known or not shown.
        as_of: instant of the scores.
        stale: data that the score may rest on and that are late or unusual, or were when it was
            computed; empty without a score.
        alerts: live alerts that are shown.
        cases: live cases with clocks, most urgent first.
        exits: exit requests that are not completed.
        open_complaints: how many complaints are open.
        consents: the newest word on each purpose.
        may_retain: whether a contact to keep the client may be made now.
        may_serve: whether a contact on the client's own business may be made now.
        contacts: the newest contacts, at most ten.
    """

    client: ClientOut
    why: list[str] = Field(examples=[["Trades less (trades in 90 days: 1, normally 6)"]])
    value_made_of: list[str] = Field(examples=[["At assumed rates: fees on assets."]])
    as_of: datetime
    stale: list[StaleOut]
    alerts: list[AlertOut]
    cases: list[CaseContext]
    exits: list[ExitOut]
    open_complaints: int = Field(ge=0, examples=[0])
    consents: list[ConsentOut]
    may_retain: VerdictOut
    may_serve: VerdictOut
    contacts: list[ContactOut]
