"""What the page of one experiment shows: its arms in words, and the intervals as a drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from keepwell.core.errors import UsageError
from keepwell.frame.database import Tx
from keepwell.intervene.action.service import action_of
from keepwell.learn.experiment.schema import ExperimentOut
from keepwell.web.pages.tongue import Tongue

WIDTH: Final = 1000
"""Of the drawing, in its own units; the labels stand to the left of `LEFT`."""
LEFT: Final = 170
ROW: Final = 26
WIDEST: Final = 1.0
"""Relative differences beyond this run to the edge."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One interval of the drawing, in its units.

    Attributes:
        label: look and arm.
        y: of its middle.
        low: where it begins.
        high: where it ends.
        dot: its estimate.
    """

    label: str
    y: float
    low: float
    high: float
    dot: float


def shown(tx: Tx, one: ExperimentOut, locale: str) -> list[dict[str, Any]]:
    """The arms with what is done in each, in words.

    Args:
        tx: the unit of work.
        one: the experiment.
        locale: 'en' or 'zh'.
    """
    return [
        {"arm": arm, "words": _words(tx, arm, locale), "control": arm.name == one.design.control}
        for arm in one.arms
    ]


def _words(tx: Tx, arm: Any, locale: str) -> str:
    if arm.action_id is None:
        return arm.text or ""
    try:
        title = action_of(tx, arm.action_id, arm.action_version).title.say(locale)
    except UsageError:
        title = arm.action_id  # gone from the catalogue since
    return f"{title} ({arm.action_id}@{arm.action_version})"


def chart_of(one: ExperimentOut, tongue: Tongue) -> dict[str, Any] | None:
    """The relative differences of all looks, as bars; None while there is none."""
    found = [
        (look.number, arm) for look in one.looks for arm in look.arms
        if arm.relative is not None and arm.relative.value is not None
    ]  # fmt: skip
    if not found:
        return None
    bars = []
    for place, (number, arm) in enumerate(found):
        told = arm.relative
        assert told is not None
        assert told.value is not None
        bars.append(Bar(
            f"{number} · {arm.arm}"[:22], 14 + ROW * place,
            _x(-WIDEST if told.low is None else told.low),
            _x(WIDEST if told.high is None else told.high), _x(told.value),
        ))  # fmt: skip
    ticks = [(_x(at), tongue.percent(at)) for at in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    return {
        "bars": bars, "zero": _x(0.0), "gate": _x(-one.design.least), "ticks": ticks,
        "width": WIDTH, "foot": 14 + ROW * len(bars), "height": 34 + ROW * len(bars),
        "left": LEFT,
    }  # fmt: skip


def _x(value: float) -> float:
    held = max(-WIDEST, min(WIDEST, value))
    return round(LEFT + 20 + (held + WIDEST) / (2 * WIDEST) * (WIDTH - LEFT - 40), 1)
