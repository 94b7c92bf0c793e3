"""Charts of Insight: data for the page's script; beside each stands its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from keepwell.learn.panel.schema import CalibrationPoint, DayMovement, Share, Tenth
from keepwell.warn.tier import TITLES, Tier
from keepwell.web.pages.tongue import Tongue

MOST: Final = 30
"""Branches or managers on a chart; the table beside it goes on."""

_FLOWS: Final = {
    "inflow": ("Inflow", 1),
    "outflow": ("Outflow", -1),
    "market": ("Market movement", 1),
}


def closing(
    rows: Sequence[DayMovement], unit: int, tongue: Tongue, relative: bool
) -> dict[str, Any]:  # fmt: skip
    """Assets at each day's close.

    Args:
        rows: oldest first.
        unit: minor units in one of the currency's.
        tongue: the reader's language.
        relative: against the opening of the first day, for who sees no money.
    """
    base = rows[0].opening or None
    if relative:
        values = [row.closing / base if base else None for row in rows]
        name = tongue.t("Closing, share of the opening of {day}", day=tongue.day(rows[0].day))
    else:
        values = [row.closing / unit for row in rows]
        name = tongue.t("Closing")
    return {
        "x": [tongue.day(row.day) for row in rows],
        "series": [{"name": name, "values": values, "kind": "line"}],
        "unit": "share" if relative else "amount", "scale": True,
    }  # fmt: skip


def flows(
    rows: Sequence[DayMovement], unit: int, tongue: Tongue, relative: bool
) -> dict[str, Any]:  # fmt: skip
    """What made the difference between opening and closing, day by day.

    Args:
        rows: oldest first.
        unit: minor units in one of the currency's.
        tongue: the reader's language.
        relative: against each day's opening, for who sees no money.
    """
    series = []
    for name, (title, sign) in _FLOWS.items():
        values = [
            (sign * getattr(row, name) / row.opening if row.opening else None) if relative
            else sign * getattr(row, name) / unit
            for row in rows
        ]  # fmt: skip
        series.append({"name": tongue.t(title), "values": values, "kind": "bar", "stack": "day"})
    return {
        "x": [tongue.day(row.day) for row in rows], "series": series,
        "unit": "share" if relative else "amount",
    }  # fmt: skip


def kept(
    rows: Sequence[tuple[str, Share | None, int, str]], everybody: Share | None, tongue: Tongue,
    words: Callable[[Share], str],
) -> dict[str, Any] | None:  # fmt: skip
    """Who kept their clients, with intervals; None where nobody was followed.

    Args:
        rows: name, share kept, clients followed, address.
        everybody: of all of them together.
        tongue: the reader's language.
        words: says a share with its interval.
    """
    shown = [(n, s, f, link) for n, s, f, link in rows if s is not None][:MOST]
    if not shown:
        return None
    points = [
        {
            "value": share.value, "low": share.low, "high": share.high, "link": link,
            "said": [
                name, words(share),
                tongue.t("{n} clients followed", n=tongue.number(followed)),
            ],
        }
        for name, share, followed, link in shown
    ]  # fmt: skip
    least = min(share.low or 0.0 for _, share, _, _ in shown)
    data: dict[str, Any] = {
        "names": [name for name, *_ in shown], "points": points, "unit": "share",
        "horizontal": True, "min": int(least * 20) / 20, "max": 1,
    }  # fmt: skip
    if everybody is not None and len(shown) > 1:
        said = tongue.t("all: {share}", share=tongue.percent(everybody.value, 1))
        data["levels"] = [{"at": everybody.value, "name": said}]
    return data


def reasons(
    rows: Sequence[tuple[str, Mapping[str, int], Mapping[str, str]]], tongue: Tongue
) -> dict[str, Any]:  # fmt: skip
    """Warned clients by main reason, a part of each bar for each tier.

    Args:
        rows: reason, clients by tier, addresses by tier.
        tongue: the reader's language.
    """
    series = [
        {
            "name": tongue.t(TITLES[tier]), "kind": "bar", "stack": "tier", "colour": tier.code,
            "values": [counts[tier.code] for _, counts, _ in rows],
            "links": [links.get(tier.code, "") for _, _, links in rows],
        }
        for tier in (Tier.SEVERE, Tier.MODERATE, Tier.MILD)
    ]  # fmt: skip
    return {
        "x": [name for name, *_ in rows], "series": series, "unit": "count", "horizontal": True,
    }  # fmt: skip


def tiers(
    rows: Sequence[tuple[str, float, str]], tongue: Tongue, counted: bool
) -> dict[str, Any]:  # fmt: skip
    """Assets, or for who sees no money clients, by tier.

    Args:
        rows: tier, how much, address.
        tongue: the reader's language.
        counted: whether it is clients.
    """
    titles = {tier.code: TITLES[tier] for tier in Tier}
    name = tongue.t("Clients") if counted else tongue.t("Assets at risk")
    return {
        "x": [tongue.t(titles[tier]) for tier, *_ in rows],
        "series": [{"name": name, "kind": "bar", "values": [value for _, value, _ in rows]}],
        "unit": "count" if counted else "amount", "horizontal": True,
        "links": [link for *_, link in rows],
    }  # fmt: skip


def lift(tenths: Sequence[Tenth], tongue: Tongue) -> dict[str, Any]:
    """How many times the average left, by tenth of the score.

    Args:
        tenths: highest scores first.
        tongue: the reader's language.
    """
    points = []
    for tenth in tenths:
        value, low, high = tenth.lift.value, tenth.lift.low, tenth.lift.high
        said = tongue.t("{n} times the average", n=tongue.number(value, 2))
        if low is not None and high is not None:
            ends = tongue.t("{low} to {high}", low=tongue.number(low, 2),
                            high=tongue.number(high, 2))  # fmt: skip
            said = tongue.t("{value} ({interval})", value=said, interval=ends)
        name = tongue.t("Tenth {n}", n=tenth.number)
        points.append({"value": value, "low": low, "high": high, "said": [name, said]})
    return {
        "names": [str(tenth.number) for tenth in tenths], "points": points, "unit": "count",
        "min": 0, "max": _above(max(t.lift.high or t.lift.value for t in tenths), 0.5),
        "levels": [{"at": 1, "name": tongue.t("Average")}],
        "y_name": tongue.t("Times the average"),
    }  # fmt: skip


def calibration(
    points: Sequence[CalibrationPoint], tongue: Tongue, words: Callable[[Share], str]
) -> dict[str, Any]:  # fmt: skip
    """Predicted probability against the share who left.

    Args:
        points: lowest probability first.
        tongue: the reader's language.
        words: says a share with its interval.
    """
    most = max(max(p.predicted, p.observed.high or p.observed.value) for p in points)
    top = min(1.0, _above(most, 0.05))
    return {
        "numeric": True, "unit": "share", "min": 0, "max": top,
        "diagonal": top, "x_name": tongue.t("Predicted"), "y_name": tongue.t("Observed"),
        "points": [
            {
                "x": point.predicted, "value": point.observed.value,
                "low": point.observed.low, "high": point.observed.high,
                "said": [
                    tongue.t("{title}: {rest}", title=tongue.t("Predicted"),
                             rest=tongue.percent(point.predicted, 1)),
                    tongue.t("{title}: {rest}", title=tongue.t("Observed"),
                             rest=words(point.observed)),
                ],
            }
            for point in points
        ],
    }  # fmt: skip


def _above(value: float, step: float) -> float:
    """The next multiple of a step."""
    return round((int(value / step) + 1) * step, 6)
