"""What the API says about key figures, their targets, reviews and reports."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, FiniteFloat

from keepwell.frame.text import Id, Line, Note


def _first(day: date) -> date:
    if day.day != 1:
        raise ValueError("the first day of a month, such as 2026-11-01")
    return day


MonthDay = Annotated[date, AfterValidator(_first)]


class Both(BaseModel):
    """Words in both languages.

    Attributes:
        en: English.
        zh: Chinese.
    """

    en: str = Field(examples=["Net promoter score"])
    zh: str = Field(examples=["净推荐值"])


class MonthOut(BaseModel):
    """A key figure in one month.

    Attributes:
        month: its first day.
        value: in the key figure's unit; null where there is none.
        low: lower end of the 95 % interval; null where there is none.
        high: upper end.
        n: rows or clients behind it.
        absent: why there is no value.
        target: in force in that month; null where none was set.
        missed: worse than the target by more than a tenth of it.
        revision: how many times it was computed with another result, from 1.
        known_by: nothing learned later was used.
        manifest: of the lake that it was read from.
        computed_at: when.
    """

    month: date
    value: float | None = Field(examples=[0.87])
    low: float | None = Field(examples=[0.84])
    high: float | None = Field(examples=[0.9])
    n: int = Field(ge=0, examples=[412])
    absent: str | None = Field(examples=["table-missing"])
    target: float | None = Field(examples=[0.9])
    missed: bool = Field(examples=[False])
    revision: int = Field(ge=1, examples=[1])
    known_by: datetime
    manifest: int | None = Field(examples=[12])
    computed_at: datetime


class KpiOut(BaseModel):
    """A key figure now.

    Attributes:
        kpi_id: its name for programs.
        version: another formula is another version.
        dimension: client, service, product or finance.
        title: its name.
        formula: what is computed.
        unit: of its values.
        better: which way is better.
        target: in force now; null where none was set.
        target_by: 'source' where nobody set one and the source names it, 'desk', or 'none'.
        owner_id: user who answers for it; null while nobody was named.
        owner_role: role that answers until then.
        newest: the newest complete month; null before any was computed.
        review_id: its open review.
    """

    kpi_id: str = Field(examples=["nps"])
    version: int = Field(ge=1, examples=[1])
    dimension: Literal["client", "service", "product", "finance"]
    title: Both
    formula: Both
    unit: Literal["share", "points", "per-1000", "hours", "number", "money"]
    better: Literal["higher", "lower"]
    target: float | None = Field(examples=[0.9])
    target_by: Literal["source", "desk", "none"]
    owner_id: str | None = Field(examples=["user_01kdvd"])
    owner_role: str = Field(examples=["director"])
    newest: MonthOut | None
    review_id: str | None = Field(examples=["review_01kdvd"])


class TargetOut(BaseModel):
    """Owner and target as somebody set them.

    Attributes:
        from_month: first month in which they hold.
        target: null: none.
        owner_id: null: the catalogue's role.
        reason: why.
        set_by: user.
        set_at: when.
    """

    from_month: date
    target: float | None = Field(examples=[0.9])
    owner_id: str | None = Field(examples=["user_01kdvd"])
    reason: str = Field(examples=["Agreed for the year"])
    set_by: str = Field(examples=["user_01kdvd"])
    set_at: datetime


class KpiDetail(KpiOut):
    """A key figure with its months and what was set.

    Attributes:
        months: of the present version, the newest first; at most 24.
        targets: the newest first.
    """

    months: list[MonthOut]
    targets: list[TargetOut]


class KpisOut(BaseModel):
    """All key figures.

    Attributes:
        items: by dimension, in the catalogue's order.
    """

    items: list[KpiOut]


class TargetIn(BaseModel):
    """Owner and target from a month on; both are set together.

    Attributes:
        target: in the key figure's unit; null takes it away.
        owner_id: an active user who may work on reviews; null: the catalogue's role.
        from_month: first day of a month; default: the present one.
        reason: why, for those who look back.
    """

    target: FiniteFloat | None = Field(default=None, ge=-1e15, le=1e15, examples=[0.9])
    owner_id: Id | None = Field(default=None, examples=[None])
    from_month: MonthDay | None = Field(default=None, examples=["2026-11-01"])
    reason: Line = Field(examples=["Agreed for the year"])


class NoteOut(BaseModel):
    """A note in a review.

    Attributes:
        number: counts from 1.
        text: what was written.
        author_id: user.
        at: when.
    """

    number: int = Field(ge=1, examples=[1])
    text: str = Field(examples=["Two managers were ill."])
    author_id: str = Field(examples=["user_01kdvd"])
    at: datetime


class MissedOut(BaseModel):
    """One month of the run that opened a review.

    Attributes:
        month: its first day.
        value: reached.
        target: in force.
    """

    month: date
    value: float = Field(examples=[0.7])
    target: float = Field(examples=[0.9])


class ReviewOut(BaseModel):
    """A review of a key figure.

    Attributes:
        review_id: its number.
        kpi_id: of which key figure.
        version: of the key figure.
        since: first month of the run.
        until: month with which it opened.
        months: the run then.
        owner_id: who answers; null: the catalogue's role.
        due_on: by when.
        state: open or closed.
        opened_at: when.
        findings: what was found; null while it is open.
        changes: what changes; null while it is open.
        closed_at: when it was closed.
        closed_by: by which user.
        version_of_row: for If-Match; also the ETag.
    """

    review_id: str = Field(examples=["review_01kdvd"])
    kpi_id: str = Field(examples=["nps"])
    version: int = Field(ge=1, examples=[1])
    since: date
    until: date
    months: list[MissedOut]
    owner_id: str | None = Field(examples=["user_01kdvd"])
    due_on: date
    state: Literal["open", "closed"]
    opened_at: datetime
    findings: str | None = Field(examples=[None])
    changes: str | None = Field(examples=[None])
    closed_at: datetime | None
    closed_by: str | None = Field(examples=[None])
    version_of_row: int = Field(ge=1, examples=[1])


class ReviewDetail(ReviewOut):
    """A review with its notes.

    Attributes:
        notes: oldest first.
    """

    notes: list[NoteOut]


class NoteIn(BaseModel):
    """A note.

    Attributes:
        text: what to write down; no names of clients.
    """

    text: Note = Field(examples=["Two managers were ill."])


class CloseIn(BaseModel):
    """The end of a review.

    Attributes:
        findings: why the target was missed.
        changes: what changes because of it; also that nothing does, and why.
    """

    findings: Note = Field(examples=["Calls were answered late in the evenings."])
    changes: Note = Field(examples=["Two people more between 17:00 and 20:00."])


class ReportOut(BaseModel):
    """A two-weekly report.

    Attributes:
        report_id: its number.
        since: first day told of.
        until: the day after the last.
        made_at: when it was written.
        digest: SHA-256 of its figures, as the evidence log has it.
    """

    report_id: str = Field(examples=["report_01kdvd"])
    since: date
    until: date
    made_at: datetime
    digest: str = Field(
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
    )
