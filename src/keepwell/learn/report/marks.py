"""Parts that the report's charts are made of, as ECharts options.

Colours are CSS variables of the page, so that light, dark and print need no second drawing.
Meaning never hangs on colour alone: tiers also differ in pattern and in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keepwell.learn.report.data import TIERS, Rate
from keepwell.learn.report.speaker import Speaker

Option = dict[str, Any]

WARNED = TIERS[:3]
"""Tiers that warn, gravest first."""

_DECALS: dict[str, Option | None] = {
    "severe": None,
    "moderate": {"symbol": "rect", "dashArrayX": [1, 0], "dashArrayY": [2, 4], "rotation": -0.785},
    "mild": {
        "symbol": "circle",
        "dashArrayX": [[5, 5], [0, 5, 5, 0]],
        "dashArrayY": [5, 0],
        "symbolSize": 0.55,
    },
    "none": None,
}


def mark(value: Any, tip: Sequence[tuple[str, str]]) -> Option:
    """A mark with the words of its tooltip: pairs of label and text."""
    return {"value": value, "tip": [list(pair) for pair in tip]}


def rate_tip(name: str, rate: Rate, say: Speaker) -> list[tuple[str, str]]:
    """A rate's tooltip: name and interval, then how many clients stand behind it."""
    return [(name, say.interval(rate.share)), (say.t("Clients"), say.n(rate.clients))]


def rate_row(name: str, rate: Rate, say: Speaker) -> tuple[str, ...]:
    """A rate's table row: name, clients, left, interval."""
    return (name, say.n(rate.clients), say.n(rate.left), say.interval(rate.share))


def canvas() -> Option:
    """What all charts have in common: room, tooltip, no animation."""
    return {
        "animation": False,
        "textStyle": {"color": "var(--ink)"},
        "grid": room(62),
        "tooltip": {
            "trigger": "item",
            "confine": True,
            "backgroundColor": "var(--surface)",
            "borderColor": "var(--line)",
            "textStyle": {"color": "var(--ink)"},
        },
    }


def room(top: int) -> Option:
    """The grid, with room above the plot in CSS pixels."""
    return {"left": 4, "right": 20, "top": top, "bottom": 4}


def legend() -> Option:
    """A legend above the plot."""
    return {
        "top": 0,
        "left": 0,
        "icon": None,
        "itemWidth": 26,
        "itemGap": 18,
        "inactiveColor": "var(--line)",
        "textStyle": {"color": "var(--ink)", "fontSize": 13},
    }


def category_axis(names: list[str], title: str) -> Option:
    """An axis of names."""
    return {
        "type": "category",
        "data": names,
        "name": title,
        "nameLocation": "middle",
        "nameGap": 30,
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": "var(--line)"}},
        "axisLabel": {"color": "var(--muted)", "fontSize": 12},
        "nameTextStyle": {"color": "var(--muted)", "fontSize": 12},
    }


def value_axis(title: str, style: str = "number", *, across: bool = False) -> Option:
    """An axis of numbers, written as 'number', 'percent' or 'times'; `across` = horizontal."""
    return {
        "type": "value",
        "name": title,
        "nameLocation": "middle" if across else "end",
        "nameGap": 30 if across else 14,
        "nameTextStyle": {
            "color": "var(--muted)",
            "fontSize": 12,
            "align": "center" if across else "left",
        },
        "axisLabel": {"color": "var(--muted)", "fontSize": 12, "style": style},
        "minInterval": 1 if style == "number" else 0,  # clients come whole
        "axisLine": {"show": False},
        "splitLine": {"lineStyle": {"color": "var(--grid)"}},
    }


def bounds(data: list[Any], colour: str) -> Option:
    """Intervals as one line with gaps: [low, high, gap, low, high, gap…]."""
    return {
        "type": "line",
        "data": data,
        "symbol": "none",
        "silent": True,
        "color": colour,
        "lineStyle": {"width": 2, "color": colour, "opacity": 0.55},
        "z": 4,
    }


def dots(names: list[str], rates: list[Rate], say: Speaker, colours: list[str]) -> Option:
    """Dots with intervals, one row per name, first name on top."""
    series: list[Option] = []
    for place, (rate, colour) in enumerate(zip(rates, colours, strict=True)):
        if rate.share.low is not None and rate.share.high is not None:
            series.append(bounds([[rate.share.low, place], [rate.share.high, place]], colour))
    points = [
        mark([rate.share.value, place], rate_tip(name, rate, say))
        | {"itemStyle": {"color": colour, "opacity": 1}}
        for place, (name, rate, colour) in enumerate(zip(names, rates, colours, strict=True))
    ]
    series.append(
        {
            "type": "scatter",
            "data": points,
            "symbolSize": 10,
            "z": 6,
            "emphasis": {"disabled": True},
        }
    )
    down = category_axis(names, "") | {"inverse": True}
    down["axisLabel"] = _names(180)
    return canvas() | {
        "grid": room(8),
        "xAxis": value_axis("", "percent") | {"min": 0},
        "yAxis": down,
        "series": series,
    }


def stacked(names: list[str], counts: Sequence[Any], say: Speaker) -> Option:
    """Horizontal bars, one row per name, stacked by tier, first name on top."""
    series = []
    for code in WARNED:
        points = [
            mark(by_tier.get(code, 0), [(name, ""), (say.tier(code), say.n(by_tier.get(code, 0)))])
            for name, by_tier in zip(names, counts, strict=True)
        ]
        series.append(
            tier_bar(code, say.tier(code), points)
            | {"stack": "all", "barMaxWidth": 18, "barCategoryGap": "40%"}
        )
    down = category_axis(names, "") | {"inverse": True}
    down["axisLabel"] = _names(240)
    return canvas() | {
        "grid": room(40),
        "legend": legend(),
        "xAxis": value_axis(say.t("Clients"), across=True),
        "yAxis": down,
        "series": series,
    }


def tier_bar(code: str, name: str, points: list[Any]) -> Option:
    """A bar series in a tier's colour and pattern."""
    style: Option = {"color": f"var(--{code})", "borderColor": "var(--surface)", "borderWidth": 0.5}
    decal = _DECALS[code]
    if decal:
        style["decal"] = decal | {"color": "var(--decal)"}
    return {
        "type": "bar",
        "name": name,
        "data": points,
        "color": f"var(--{code})",
        "itemStyle": style,
        "emphasis": {"disabled": True},
    }


def line_at(axis: str, value: float, words: str) -> Option:
    """A dashed reference line with its words, at a value of 'xAxis' or 'yAxis'."""
    return {
        "silent": True,
        "symbol": "none",
        "data": [{axis: value}],
        "lineStyle": {"color": "var(--muted)", "type": "dashed", "width": 1.5},
        "label": {
            "formatter": words,
            "color": "var(--muted)",
            "position": "insideStartBottom",
            "fontSize": 12,
        },
    }


def mean_line(value: float, say: Speaker) -> Option:
    """The reference line of everyone's share, its words on top."""
    line = line_at("xAxis", value, say.t("all: {share}", share=say.pct(value)))
    line["label"]["position"] = "start"
    line["label"]["rotate"] = 0
    return line


def _names(width: int) -> Option:
    return {"color": "var(--ink)", "fontSize": 13, "width": width, "overflow": "truncate"}
