"""What the monitors say, in English; the Chinese stands in the catalogue."""

from __future__ import annotations

from typing import Any, Final

from keepwell.core.text import day, number, percent, tr
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors.finding import Finding

TITLES: Final[dict[MonitorKind, str]] = {
    MonitorKind.FRESHNESS: "Late",
    MonitorKind.VOLUME: "Number of rows",
    MonitorKind.NULLS: "Missing values",
    MonitorKind.RANGES: "Values out of range",
    MonitorKind.DRIFT: "Changed distribution",
    MonitorKind.GAPS: "Unknown references",
    MonitorKind.UNITS: "Changed unit",
}
"""Each monitor in two or three words."""

RULES: Final[dict[MonitorKind, str]] = {
    MonitorKind.FRESHNESS: (
        "More trading days have passed without a fact than nine of ten pauses of this table last."
    ),
    MonitorKind.VOLUME: (
        "A day has many more or fewer rows than the days before, beyond the threshold, the usual "
        "movement and everything seen before."
    ),
    MonitorKind.NULLS: (
        "A column is empty more often than before, beyond the threshold, the usual movement and "
        "everything seen before."
    ),
    MonitorKind.RANGES: (
        "Values lie ten times below the least or above the greatest seen before, or outside the "
        "bounds that keepwell.yaml declares."
    ),
    MonitorKind.DRIFT: (
        "On two days running values are spread otherwise than before: the stability index is "
        "above the threshold and twice everything seen before."
    ),
    MonitorKind.GAPS: (
        "More rows than before name a client or an instrument that no table tells of."
    ),
    MonitorKind.UNITS: (
        "The median jumped by a factor such as 60, 100 or 1,000, and divided by it the values are "
        "spread as before."
    ),
}
"""The rule of each monitor."""

REMEDIES: Final[dict[MonitorKind, str]] = {
    MonitorKind.FRESHNESS: "See why nothing newer comes, as the page Data explains.",
    MonitorKind.VOLUME: "Ask whoever delivers it if the delivery is whole, and not sent twice.",
    MonitorKind.NULLS: "Ask whoever delivers it whether the column is still filled.",
    MonitorKind.RANGES: "Have the values looked at where they come from, and corrected.",
    MonitorKind.DRIFT: "Ask whoever delivers it what has changed in the system behind it.",
    MonitorKind.GAPS: "Have the missing clients or instruments delivered as well.",
    MonitorKind.UNITS: (
        "Ask in which unit it comes now; mend the select in keepwell.yaml and have the rows "
        "corrected."
    ),
}
"""What to do about each."""

_WORDS: Final[dict[MonitorKind, str]] = {
    MonitorKind.FRESHNESS: (
        "nothing newer than {until}: {value} trading days missing, usual {usual}"
    ),
    MonitorKind.VOLUME: "{value} rows on {until}, usually {usual}",
    MonitorKind.NULLS: ("{column} is empty in {value} of the rows {span}, usually {usual}"),
    MonitorKind.RANGES: (
        "{value} of the values of {column} {span} are out of range, usually {usual}"
    ),
    MonitorKind.DRIFT: (
        "{column} is spread otherwise {span}: stability index {value}, usually {usual}"
    ),
    MonitorKind.GAPS: (
        "{column} names nobody known in {value} of the rows {span}, usually {usual}"
    ),
    MonitorKind.UNITS: (
        "{column} jumped to {factor} times the usual {span}: has its unit changed?"
    ),
}

_SHARES: Final = (MonitorKind.NULLS, MonitorKind.RANGES, MonitorKind.GAPS)


def told(found: Finding, locale: str | None = None) -> str:
    """A finding as a sentence without its table.

    Args:
        found: the finding.
        locale: 'en' or 'zh'; default: the one in force.
    """
    fields: dict[str, Any] = {
        "column": found.column,
        "span": _span(found, locale),
        "until": day(found.until, locale),
        "value": _amount(found.kind, found.value, locale),
        "usual": _amount(found.kind, found.usual, locale),
        "factor": _times(found.factor, locale),
    }  # fmt: skip
    return tr(_WORDS[found.kind], locale, **fields)


def _span(found: Finding, locale: str | None) -> str:
    """'on 3 Mar 2026' of one day, else 'since' the first of several."""
    if found.since == found.until:
        return tr("on {day}", locale, day=day(found.since, locale))
    return tr("since {day}", locale, day=day(found.since, locale))


def _amount(kind: MonitorKind, value: float, locale: str | None) -> str:
    if kind in _SHARES:
        return percent(value, locale)
    return number(value, locale, digits=2 if kind is MonitorKind.DRIFT else 0)


def _times(factor: float, locale: str | None) -> str:
    if 0 < factor < 1:
        return f"1/{number(1 / factor, locale, digits=0)}"
    return number(factor, locale, digits=0)


__all__ = ["REMEDIES", "RULES", "TITLES", "told"]
