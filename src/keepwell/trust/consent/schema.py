"""What the API says about consent."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from keepwell.frame.text import Line, Moment
from keepwell.trust.consent.model import Consent
from keepwell.trust.consent.policy import Purpose


class ConsentIn(BaseModel):
    """A client's word on one purpose.

    Attributes:
        purpose: about what.
        granted: yes or no.
        at: when it was said; default: now.
        source: where it was said.
    """

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose = Field(examples=["profiling"])
    granted: bool = Field(examples=[False])
    at: Moment | None = Field(default=None, examples=["2026-03-04T10:00:00+08:00"])
    source: Line = Field(default="desk", examples=["call"])


class ConsentOut(BaseModel):
    """A recorded word.

    Attributes:
        consent_id: number of the record.
        client_id: whose word.
        purpose: about what.
        granted: yes or no.
        at: when it was said.
        source: where it was said.
        newest: whether it is the one that counts.
        recorded_at: when it was recorded.
        recorded_by: by which user.
    """

    consent_id: str = Field(examples=["consent_01kdvdna00fgzjsdqkfb56fv6q"])
    client_id: str = Field(examples=["c1"])
    purpose: Purpose = Field(examples=["profiling"])
    granted: bool = Field(examples=[False])
    at: datetime
    source: str = Field(examples=["call"])
    newest: bool = Field(examples=[True])
    recorded_at: datetime
    recorded_by: str = Field(examples=["user_01kdvdna00fgzjsdqkfb56fv6q"])


def shown(word: Consent) -> ConsentOut:
    """A record as the API shows it."""
    return ConsentOut.model_validate(word, from_attributes=True)
