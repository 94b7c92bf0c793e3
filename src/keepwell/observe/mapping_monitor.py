"""Section `monitors` of keepwell.yaml: when a source's data are so unusual that a person must look.

Every threshold stands for the whole workspace, and for one table under `tables.NAME.monitors`. The
defaults are meant to stay silent on data that are as they always were: a monitor speaks only
when a value is beyond its threshold and also far beyond the table's own usual movement.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MonitorKind(StrEnum):
    """What a monitor looks at."""

    FRESHNESS = "freshness"
    VOLUME = "volume"
    NULLS = "nulls"
    RANGES = "ranges"
    DRIFT = "drift"
    GAPS = "gaps"
    UNITS = "units"


class Monitors(BaseModel):
    """Thresholds of the monitors.

    Attributes:
        off: kinds that are not looked at.
        volume: a day's rows are so many times the usual number, or less than its inverse.
        nulls: share of rows by which a column is empty more often than usual.
        ranges: share of rows outside what a column's values ever were (ten times below the least or
            above the greatest), or outside `bounds`.
        bounds: column to [least, greatest] value in the units of the select; null is open.
        drift: population stability index of a column's values against the usual ones.
        gaps: share of rows, more than usual, that name a client or an instrument nobody knows.
        units: factors by which all values of a column jump when its unit changes (yuan and fen 100,
            lots and shares 100, minutes and seconds 60).
        sigmas: so many times its usual movement a value must be away as well.
        least_rows: fewer rows are not judged: days are put together, to a week, then a month.
        history: so many days (weeks, months) before are needed to know what is usual.
        judge: so many of the newest days are looked at each time; for weeks and months a fifth
            and a twentieth of them.
        owner: who answers for sources that name nobody.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    off: list[MonitorKind] = []
    volume: Annotated[float, Field(gt=1)] = 1.8
    nulls: Annotated[float, Field(gt=0, le=1)] = 0.05
    ranges: Annotated[float, Field(gt=0, le=1)] = 0.001
    bounds: dict[str, tuple[float | None, float | None]] = {}
    drift: Annotated[float, Field(gt=0)] = 0.25
    gaps: Annotated[float, Field(gt=0, le=1)] = 0.01
    units: list[Annotated[float, Field(gt=1)]] = [10, 60, 100, 1000, 3600, 10_000]
    sigmas: Annotated[float, Field(ge=1)] = 5
    least_rows: Annotated[int, Field(ge=1)] = 50
    history: Annotated[int, Field(ge=3)] = 10
    judge: Annotated[int, Field(ge=1, le=60)] = 10
    owner: str = ""

    @model_validator(mode="after")
    def _bounds_ordered(self) -> Monitors:
        for low, high in self.bounds.values():
            if low is not None and high is not None and low > high:
                raise ValueError("bounds: [least, greatest] with least not above greatest")
        return self

    def over(self, general: Monitors) -> Monitors:
        """These thresholds where they are said, else the general ones.

        Example:
            >>> Monitors(volume=3).over(Monitors(drift=0.5)).drift
            0.5
        """
        said = {name: getattr(self, name) for name in self.model_fields_set}
        return general.model_copy(update=said)


__all__ = ["MonitorKind", "Monitors"]
