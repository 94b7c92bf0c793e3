"""Local times to instants and back, whole columns at once, by Python's own zone data.

Arrow and DuckDB bring zone data of their own, which may be absent or of another year; days, windows
and instants must all come from one. An offset is looked up once per day that occurs; only the days
on which clocks change are looked at value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Micros = npt.NDArray[np.int64]
DAY_US = 86_400_000_000
"""Microseconds in a day of 24 hours."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a local time, whose zone is the argument
_MICRO = timedelta(microseconds=1)


def to_instants(local: Micros, zone: ZoneInfo) -> Micros:
    """UTC microseconds of local times.

    A time that occurs twice is the first of the two; one that does not occur is moved by the
    length of the gap.

    Args:
        local: microseconds since 1970-01-01 00:00 on the zone's clock.
        zone: the zone.

    Returns:
        Microseconds since the epoch in UTC.

    Example:
        >>> int(to_instants(np.array([0]), ZoneInfo("Asia/Shanghai"))[0]) // 3_600_000_000
        -8
    """
    return local - _offsets(local, zone, _local_offset)


def to_local(instants: Micros, zone: ZoneInfo) -> Micros:
    """Local times of UTC microseconds; the inverse of `to_instants`."""
    return instants + _offsets(instants, zone, _utc_offset)


def first_of_two(instants: Micros, zone: ZoneInfo) -> Micros:
    """UTC microseconds; where the local time occurs twice, those of the first time.

    Example:
        >>> new_york = ZoneInfo("America/New_York")
        >>> second = np.array([1_699_165_800_000_000])  # 2023-11-05 01:30, winter time
        >>> int(second[0] - first_of_two(second, new_york)[0]) // 3_600_000_000
        1
    """
    return to_instants(to_local(instants, zone), zone)


def local_days(instants: Micros, zone: ZoneInfo) -> npt.NDArray[np.int64]:
    """Day numbers on the zone's calendar of UTC microseconds."""
    return to_local(instants, zone) // DAY_US


def midnights(days: npt.NDArray[np.int64], zone: ZoneInfo) -> Micros:
    """UTC microseconds at which days begin in a zone."""
    return to_instants(days * DAY_US, zone)


def micros(instant: datetime) -> int:
    """Microseconds since the epoch of an instant."""
    return (instant.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // _MICRO


def _offsets(values: Micros, zone: ZoneInfo, lookup: Callable[[int, ZoneInfo], int]) -> Micros:
    days, where = np.unique(values // DAY_US, return_inverse=True)
    first = np.array([lookup(int(d) * DAY_US, zone) for d in days], np.int64)
    after = np.array([lookup((int(d) + 1) * DAY_US, zone) for d in days], np.int64)
    result = first[where]
    for position in np.flatnonzero((first != after)[where]):
        result[position] = lookup(int(values[position]), zone)
    return result


def _local_offset(local: int, zone: ZoneInfo) -> int:
    moment = (_EPOCH + local * _MICRO).replace(tzinfo=zone)
    return (moment.utcoffset() or timedelta()) // _MICRO


def _utc_offset(instant: int, zone: ZoneInfo) -> int:
    moment = (_EPOCH + instant * _MICRO).replace(tzinfo=UTC).astimezone(zone)
    return (moment.utcoffset() or timedelta()) // _MICRO
