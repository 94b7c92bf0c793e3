"""Key `increment` of a source in keepwell.yaml: what makes a row new."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_SPAN = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
DAY = timedelta(days=1)
KEYS = 1000
"""Whole-number keys read again unless the mapping says otherwise."""


def _overlap(value: str | None) -> str | None:
    if value is not None and not value.isdigit() and not _SPAN.fullmatch(value):
        raise ValueError("a span such as 15m, 6h or 1d, or a number of keys")
    return value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Increment(BaseModel):
    """What makes a row of a database new.

    Attributes:
        by: the column that only grows: a key (whole number or text), or the time of a row's last
            change.
        overlap: how far before the newest row known the next ingest begins: a span (15m, 6h, 1d)
            for times, a number for whole-number keys. It catches rows that were committed late;
            what was read before is recognised and ignored. Default: 1d, or 1000 keys; text: none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Annotated[str, Field(min_length=1)]
    overlap: Annotated[str | None, BeforeValidator(_text), AfterValidator(_overlap)] = None

    @property
    def span(self) -> timedelta:
        """The overlap of a time."""
        found = _SPAN.fullmatch(self.overlap or "")
        return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else DAY

    @property
    def keys(self) -> int:
        """The overlap of a whole-number key."""
        return int(self.overlap) if self.overlap and self.overlap.isdigit() else KEYS
