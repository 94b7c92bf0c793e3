"""Keys `retention` of a table and `holds` in keepwell.yaml: how long rows are kept, for what."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_SPAN = re.compile(r"([1-9]\d{0,4})(d|mo)")


def _keep(value: str) -> str:
    if not _SPAN.fullmatch(value):
        raise ValueError("days such as 400d or months such as 36mo")
    return value


Keep = Annotated[str, AfterValidator(_keep)]


class Retention(BaseModel):
    """How long rows of a table are kept, by purpose, counted from when they happened.

    Attributes:
        use: for indicators, models and scores, 'Nd' or 'Nmo'. Older rows leave the lake and are
            kept as a record that nothing computes with.
        record: as such a record; not less than `use`. Older rows are removed. Default: for ever.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    use: Keep
    record: Keep | None = None

    @model_validator(mode="after")
    def _record_is_longer(self) -> Retention:
        # Seen from a long month's end, so that 1mo and 30d are told apart whatever the day.
        day = date(2024, 3, 31)
        if self.record is not None and back(day, self.record) > back(day, self.use):
            raise ValueError("record: not less than use")
        return self


class Hold(BaseModel):
    """Rows that must stay as they are, whatever their age, such as for a court.

    Attributes:
        reason: why, such as the file's number; the list of a retention run shows it.
        clients: whose rows; default: everybody's.
        tables: of which tables; default: all.
        until: last day of the hold; default: until it is taken out of the mapping.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(min_length=1)]
    clients: list[str] = []
    tables: list[str] = []
    until: date | None = None

    def binds(self, table: str, today: date) -> bool:
        """Whether it is in force for a table on a day."""
        return table in (self.tables or [table]) and (self.until is None or today <= self.until)


def back(day: date, span: str) -> date:
    """The day that lies 'Nd' or 'Nmo' before another; a month's last days become its last one.

    Example:
        >>> back(date(2026, 3, 31), "1mo")
        datetime.date(2026, 2, 28)
    """
    found = _SPAN.fullmatch(span)
    assert found is not None
    if found[2] == "d":
        return day - timedelta(days=int(found[1]))
    year, month = divmod(day.year * 12 + day.month - 1 - int(found[1]), 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
