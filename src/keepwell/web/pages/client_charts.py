"""Charts of a client: data for the page's script; beside each stands its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from keepwell.intervene.context.history import Entry
from keepwell.learn.panel.schema import ClientMonth, ScorePoint
from keepwell.web.pages.tongue import Tongue

MARKS: Final[dict[str, tuple[str, str]]] = {
    "alert": ("Alerts", "triangle"), "case": ("Cases", "rect"),
    "exit": ("The client's exit requests", "diamond"), "complaint": ("Complaints", "pin"),
    "contact": ("Contacts", "circle"),
}  # fmt: skip
"""What stands on the chart of the score besides it: English name and shape."""

_FLOWS: Final = {
    "deposits": ("Paid in", 1), "transfers_in": ("Securities moved in", 1),
    "withdrawals": ("Paid out", -1), "transfers_out": ("Securities moved out", -1),
}  # fmt: skip
_TRADES: Final = {"buys": ("Bought", 1), "sells": ("Sold", -1)}


def score_chart(
    points: Sequence[ScorePoint], marks: Sequence[Entry], cuts: Sequence[tuple[float, str]],
    tongue: Tongue,
) -> dict[str, Any]:  # fmt: skip
    """The score over time, with events below and the tiers' lowest scores as lines.

    Args:
        points: at least two, oldest first.
        marks: what happened meanwhile.
        cuts: lowest score and name of each tier.
        tongue: the reader's language.
    """
    zone = tongue.zone
    events = []
    for code, (title, shape) in MARKS.items():
        at = [
            [mark.at.astimezone(zone).strftime("%Y-%m-%dT%H:%M"), mark.title, tongue.day(mark.at)]
            for mark in marks
            if mark.mark == code
        ]
        if at:
            events.append({"name": tongue.t(title), "shape": shape, "at": at})
    return {
        "name": tongue.t("Score"),
        "points": [
            [p.at.astimezone(zone).strftime("%Y-%m-%dT%H:%M"), round(p.score, 1), tongue.day(p.at)]
            for p in points
        ],
        "levels": [{"y": cut, "name": name} for cut, name in cuts],
        "events": events,
    }


def assets_chart(
    months: Sequence[ClientMonth], unit: int, tongue: Tongue
) -> dict[str, Any] | None:  # fmt: skip
    """Assets at the end of each month; None where they are not known.

    Args:
        months: oldest first.
        unit: minor units in one of the currency's.
        tongue: the reader's language.
    """
    if sum(month.assets is not None for month in months) < 2:
        return None
    values = [None if m.assets is None else m.assets / unit for m in months]
    return {
        "x": [tongue.month(month.month) for month in months],
        "series": [{"name": tongue.t("Assets"), "values": values, "kind": "line"}],
        "unit": "amount",
    }


def flows_chart(
    months: Sequence[ClientMonth], unit: int, tongue: Tongue
) -> dict[str, Any] | None:  # fmt: skip
    """Money and securities in and out by month; without such a source what was bought and sold.

    Args:
        months: oldest first.
        unit: minor units in one of the currency's.
        tongue: the reader's language.
    """
    for kinds in (_FLOWS, _TRADES):
        series = [
            {
                "name": tongue.t(title), "kind": "bar", "stack": "flow",
                "values": [None if (v := getattr(m, name)) is None else sign * v / unit
                           for m in months],
            }
            for name, (title, sign) in kinds.items()
            if any(getattr(m, name) for m in months)
        ]  # fmt: skip
        if series:
            return {
                "x": [tongue.month(m.month) for m in months], "series": series, "unit": "amount",
            }  # fmt: skip
        if any(getattr(m, name) is not None for m in months for name in kinds):
            return None  # the source is there, and nothing moved
    return None
