"""What the API says about notices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keepwell.frame.text import Id
from keepwell.intervene.notice.model import Notice
from keepwell.intervene.notice.policy import NoticeKind, words

_NOTICE = "notice_01kdvdna00fgzjsdqkfb56fv6q"


class NoticeOut(BaseModel):
    """A notice to the reader.

    Attributes:
        notice_id: its id.
        kind: what it is about.
        title: what it says, in the reader's language.
        subject: id of the alert, case or exit request; of a reassignment of several cases.
        client_id: whom it is about.
        data: the facts behind the title.
        at: when it came.
        read_at: when it was marked as read.
    """

    notice_id: str = Field(examples=[_NOTICE])
    kind: NoticeKind = Field(examples=["clock-warned"])
    title: str = Field(examples=["First touch: 50 % of the time has passed (client c1)"])
    subject: str = Field(examples=["case_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str | None = Field(examples=["c1"])
    data: dict[str, Any] = Field(examples=[{"clock": "first-touch", "share": 0.5}])
    at: datetime
    read_at: datetime | None


class ReadIn(BaseModel):
    """Which notices were read.

    Attributes:
        ids: these; or
        all: all of one's own.
    """

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Id], Field(max_length=500)] | None = Field(
        default=None, examples=[[_NOTICE]]
    )
    all: bool = Field(default=False, examples=[False])

    @model_validator(mode="after")
    def _one_of_both(self) -> ReadIn:
        if self.all == (self.ids is not None):
            raise ValueError("either ids or all")
        return self


class ReadOut(BaseModel):
    """How many notices were unread until now.

    Attributes:
        marked: their number.
    """

    marked: int = Field(examples=[3])


def shown(notice: Notice, locale: str) -> NoticeOut:
    """A notice as the API shows it."""
    kind = NoticeKind(notice.kind)
    return NoticeOut(
        notice_id=notice.notice_id, kind=kind, subject=notice.subject, client_id=notice.client_id,
        title=words(kind, notice.subject, notice.client_id, notice.data, locale),
        data=notice.data, at=notice.at, read_at=notice.read_at,
    )  # fmt: skip
