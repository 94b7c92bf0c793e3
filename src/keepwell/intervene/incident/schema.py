"""What the API says about incidents of data."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from keepwell.frame.text import Note
from keepwell.intervene.incident.policy import State
from keepwell.observe.mapping_monitor import MonitorKind

_ID = "incident_5f70bf18a086007016e948b04a"
_WORDS = "amount jumped to 100 times the usual since 7 Apr 2026: has its unit changed?"


class FindingOut(BaseModel):
    """What a monitor says of one column of one table.

    Attributes:
        table: table of the contract.
        column: whose values; '' for rows and freshness.
        since: first day concerned; of late data the day of the newest.
        until: last day concerned.
        value: rows, a share, an index, a median, trading days missing.
        usual: the same as it usually is.
        rows: rows looked at.
        factor: of a change of unit, how many times the usual the values are.
        words: all of it as a sentence in the caller's language.
    """

    table: str = Field(examples=["trade"])
    column: str = Field(examples=["amount"])
    since: date
    until: date
    value: float = Field(examples=[1000000.0])
    usual: float = Field(examples=[10000.0])
    rows: int = Field(ge=0, examples=[120])
    factor: float = Field(examples=[100.0])
    words: str = Field(examples=[_WORDS])


class IncidentOut(BaseModel):
    """What is or was wrong with a source by one monitor.

    Attributes:
        incident_id: its id.
        number: its number in the workspace, as `keepwell monitors incidents` lists it.
        source: sources of the tables, joined with '+'; 'events' for tables without any.
        kind: which monitor.
        title: the monitor in the caller's language.
        owners: who answers for the sources, as keepwell.yaml says; empty for nobody.
        state: whether somebody works on it, and whether it is over.
        opened_at: when it was first found.
        told_at: when the desk learned of it and told the owners.
        findings: what was found when it was last seen.
        tables: tables concerned.
        indicators: how many indicators behind scores read one of them.
        scores: scores in force that may rest on what was found; null before any was published.
        acknowledged_at: when somebody took it on.
        acknowledged_by: which user.
        note: what they do about it.
        closed_at: when it was over.
        closed_by: a user, 'monitor', or whoever the command line named.
        called_right: whether what was found was called right, and is the usual since.
        reason: why it was closed by a person.
        may_work: whether the caller may acknowledge and close it.
        version: for If-Match; also the ETag.
    """

    incident_id: str = Field(examples=[_ID])
    number: int = Field(ge=1, examples=[3])
    source: str = Field(examples=["trades"])
    kind: MonitorKind = Field(examples=["units"])
    title: str = Field(examples=["Changed unit"])
    owners: list[str] = Field(examples=[["M0042"]])
    state: State = Field(examples=["open"])
    opened_at: datetime
    told_at: datetime
    findings: list[FindingOut]
    tables: list[str] = Field(examples=[["trade"]])
    indicators: int = Field(ge=0, examples=[40])
    scores: int | None = Field(examples=[4120])
    acknowledged_at: datetime | None
    acknowledged_by: str | None = Field(examples=[None])
    note: str | None = Field(examples=[None])
    closed_at: datetime | None
    closed_by: str | None = Field(examples=[None])
    called_right: bool = Field(examples=[False])
    reason: str | None = Field(examples=[None])
    may_work: bool = Field(examples=[True])
    version: int = Field(ge=1, examples=[1])


class IncidentDetail(IncidentOut):
    """An incident with what rests on it.

    Attributes:
        indicator_ids: the indicators behind scores that read one of the tables.
        generations: publications whose scores are marked, the newest first.
        remedy: what to do about it, in the caller's language.
    """

    indicator_ids: list[str] = Field(examples=[["trade_count_30d"]])
    generations: list[int] = Field(examples=[[12]])
    remedy: str = Field(examples=["Ask in which unit it comes now."])


class AcknowledgeIn(BaseModel):
    """That somebody takes an incident on.

    Attributes:
        note: what is being done.
    """

    model_config = ConfigDict(extra="forbid")

    note: Note | None = Field(default=None, examples=["The trading system's desk looks into it."])


class CloseIn(BaseModel):
    """The end of an incident.

    Attributes:
        reason: why it is over, or why what was found is right.
        right: whether what was found is right, and the usual from now on; without it an incident
            that the monitor still sees cannot be closed.
    """

    model_config = ConfigDict(extra="forbid")

    reason: Note = Field(examples=["The feed is in fen from now on."])
    right: bool = Field(default=False, examples=[True])
