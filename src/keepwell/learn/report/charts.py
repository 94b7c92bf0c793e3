"""The report's charts: for each an ECharts option and the table that says the same.

Every mark has its words in the tooltip and in the table; models differ in dash and symbol too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from keepwell.learn.report.data import Dimension, Rate, ReportData
from keepwell.learn.report.marks import (
    WARNED,
    Option,
    bounds,
    canvas,
    category_axis,
    dots,
    legend,
    line_at,
    mark,
    mean_line,
    rate_row,
    rate_tip,
    room,
    stacked,
    tier_bar,
    value_axis,
)
from keepwell.learn.report.speaker import Speaker

_DASHES = ("solid", "dashed", "dotted", [8, 3, 2, 3], [2, 2])
_SYMBOLS = ("circle", "rect", "triangle", "diamond", "emptyCircle")
_MOST_MANAGERS = 20
_MOST_REASONS = 12
_LIFT_TO = 0.5
"""Nobody works on more than half of all clients: there the curve says nothing of use."""


@dataclass(frozen=True, slots=True)
class DataTable:
    """A chart's numbers as formatted cells; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart of the page.

    Attributes:
        id: unique within a language.
        title: what it shows, in words.
        caption: how to read it.
        option: ECharts option; marks carry `tip`, pairs of label and text, for the tooltip.
        table: the same numbers.
        height: in CSS pixels.
    """

    id: str
    title: str
    caption: str
    option: Option
    table: DataTable
    height: int = 300


def build(data: ReportData, say: Speaker) -> dict[str, Chart]:
    """All charts of a report in one language, by id.

    Args:
        data: the report's values.
        say: the language.

    Returns:
        Charts whose data exist; a chart without data is left out.
    """
    charts = [histogram(data, say)]
    if any(tier.realised for tier in data.tiers):
        charts.append(tiers(data, say))
    if data.backtest and data.backtest.curves:
        charts.append(lift(data, say))
    if data.backtest and data.backtest.calibration:
        charts.append(calibration(data, say))
    if data.reasons:
        charts.append(reasons(data, say))
    if data.churn:
        charts.append(churn(data, say))
    charts.extend(segment(d, say) for d in data.dimensions if d.segments)
    if data.managers:
        charts.append(managers(data, say))
    return {chart.id: chart for chart in charts}


def histogram(data: ReportData, say: Speaker) -> Chart:
    """Clients by score, bars coloured by the tier in which they fall."""
    cuts = sorted(((t.cut, t.code) for t in data.tiers), reverse=True)
    edges, counts = data.histogram.edges, data.histogram.counts
    series: list[Option] = []
    rows: list[tuple[str, ...]] = []
    labels = [f"{say.n(a)}–{say.n(b)}" for a, b in pairwise(edges)]
    codes = [next((code for cut, code in cuts if edge >= cut), "none") for edge in edges[:-1]]
    for code in dict.fromkeys(codes):
        points = [
            mark(
                count,
                [
                    (say.t("Score"), label),
                    (say.t("Clients"), say.n(count)),
                    (say.t("Tier"), say.tier(code)),
                ],
            )
            if own == code
            else "-"
            for label, count, own in zip(labels, counts, codes, strict=True)
        ]
        series.append(tier_bar(code, say.tier(code), points) | {"stack": "all"})
    for label, count, code in zip(labels, counts, codes, strict=True):
        rows.append((label, say.n(count), say.tier(code)))
    option = canvas() | {
        "legend": legend(),
        "xAxis": category_axis([say.n(e) for e in edges[:-1]], say.t("Score")),
        "yAxis": value_axis(say.t("Clients")),
        "series": [s | {"barCategoryGap": "12%"} for s in series],
    }
    return Chart(
        "histogram",
        say.t("Distribution of scores"),
        say.t(
            "40 stands for the average risk; warnings begin at {cut}.",
            cut=say.n(min((t.cut for t in data.tiers if t.code in WARNED), default=0)),
        ),
        option,
        DataTable((say.t("Score"), say.t("Clients"), say.t("Tier")), tuple(rows)),
    )


def tiers(data: ReportData, say: Speaker) -> Chart:
    """Share who left, by the tier that the backtest gave, against the average."""
    shown = [tier for tier in data.tiers if tier.realised]
    names = [say.tier(tier.code) for tier in shown]
    rates = [Rate(t.tested, 0, t.realised) for t in shown if t.realised]
    colours = [f"var(--{tier.code})" for tier in shown]
    option = dots(names, rates, say, colours)
    if data.backtest:
        option["grid"] = room(26)
        option["series"][-1]["markLine"] = mean_line(data.backtest.base_rate.value, say)
    rows = tuple(
        (name, say.n(rate.clients), say.interval(rate.share))
        for name, rate in zip(names, rates, strict=True)
    )
    return Chart(
        "tiers",
        say.t("Share who left, by tier"),
        say.t("Dots are what was observed, bars the 95% interval."),
        option,
        DataTable((say.t("Tier"), say.t("Clients tested"), say.t("Left")), rows),
        height=340,
    )


def lift(data: ReportData, say: Speaker) -> Chart:
    """Lift of each model over the share of clients worked on."""
    assert data.backtest is not None
    champions = {m.code for m in data.backtest.models if m.champion}
    series: list[Option] = []
    for place, curve in enumerate(data.backtest.curves):
        main = curve.code in champions
        colour = "var(--accent)" if main else "var(--muted)"
        points = [
            mark(
                [p.share, round(p.lift, 4)],
                [
                    (say.model(curve.code), f"{say.n(p.lift, 2)}×"),
                    (say.t("Clients worked on"), say.pct(p.share, 0)),
                    (say.t("Leavers reached"), say.pct(p.found, 0)),
                ],
            )
            for p in curve.points
            if 0 < p.share <= _LIFT_TO
        ]
        series.append(
            {
                "type": "line",
                "name": say.model(curve.code),
                "data": points,
                "color": colour,
                "symbol": _SYMBOLS[place % len(_SYMBOLS)],
                "symbolSize": 7 if main else 5,
                "lineStyle": {
                    "width": 3 if main else 1.5,
                    "type": _DASHES[place % len(_DASHES)],
                    "color": colour,
                },
                "z": 5 if main else 3,
                "emphasis": {"disabled": True},
            }
        )
    series[0]["markLine"] = line_at("yAxis", 1, say.t("by chance"))
    option = canvas() | {
        "legend": legend(),
        "xAxis": value_axis(
            say.t("Share of clients worked on, highest scores first"), "percent", across=True
        ),
        "yAxis": value_axis(say.t("Lift"), "times") | {"min": 0},
        "series": series,
    }
    return Chart(
        "lift",
        say.t("Lift: how much better than chance"),
        say.t("How many times as many leavers as in a random choice of the same size."),
        option,
        _lift_table(data, say),
        height=340,
    )


def _lift_table(data: ReportData, say: Speaker) -> DataTable:
    assert data.backtest is not None
    curves = data.backtest.curves
    columns = [say.t("Clients worked on")]
    columns += [say.t("{model}: lift, leavers reached", model=say.model(c.code)) for c in curves]
    shares = sorted({p.share for c in curves for p in c.points if 0 < p.share <= _LIFT_TO})
    found = [{p.share: p for p in c.points} for c in curves]
    rows = []
    for share in shares:
        cells = [
            f"{say.n(p.lift, 2)}× · {say.pct(p.found, 0)}" if (p := points.get(share)) else "–"
            for points in found
        ]
        rows.append((say.pct(share, 0), *cells))
    return DataTable(tuple(columns), tuple(rows))


def calibration(data: ReportData, say: Speaker) -> Chart:
    """Predicted probability against observed share, with intervals and the diagonal."""
    assert data.backtest is not None
    bins = data.backtest.calibration
    rows = tuple((say.pct(b.predicted), say.interval(b.observed), say.n(b.clients)) for b in bins)
    columns = (say.t("Predicted"), say.t("Observed"), say.t("Clients"))
    ends: list[Any] = []
    for b in bins:
        if b.observed.low is not None and b.observed.high is not None:
            ends += [[b.predicted, b.observed.low], [b.predicted, b.observed.high], ["-", "-"]]
    points = [
        mark([b.predicted, b.observed.value], list(zip(columns, row, strict=True)))
        for b, row in zip(bins, rows, strict=True)
    ]
    top = max([b.predicted for b in bins] + [b.observed.high or b.observed.value for b in bins])
    top = min(1.0, (int(top * 10) + 1) / 10)
    diagonal = {
        "type": "line",
        "data": [[0, 0], [top, top]],
        "symbol": "none",
        "silent": True,
        "color": "var(--muted)",
        "lineStyle": {"type": "dashed", "width": 1.5, "color": "var(--muted)"},
    }
    option = canvas() | {
        "grid": room(34),
        "xAxis": value_axis(say.t("Predicted probability"), "percent", across=True) | {"max": top},
        "yAxis": value_axis(say.t("Share who left"), "percent") | {"max": top},
        "series": [
            diagonal,
            bounds(ends, "var(--accent)"),
            {
                "type": "scatter",
                "data": points,
                "symbolSize": 10,
                "itemStyle": {"color": "var(--accent)", "opacity": 1},
                "emphasis": {"disabled": True},
                "z": 6,
            },
        ],
    }
    return Chart(
        "calibration",
        say.t("Calibration: do the probabilities hold"),
        say.t(
            "Dots on the dashed line mean that of clients given 20%, 20% left. "
            "Bars are 95% intervals."
        ),
        option,
        DataTable(columns, rows),
        height=340,
    )


def reasons(data: ReportData, say: Speaker) -> Chart:
    """The most frequent reasons, split by tier."""
    shown = data.reasons[:_MOST_REASONS]
    names = [say.words(reason.words) for reason in shown]
    option = stacked(names, [reason.clients for reason in shown], say)
    tier_of = {tier.code: tier.clients for tier in data.tiers}
    rows = []
    for name, reason in zip(names, shown, strict=True):
        shares = [
            f"{say.n(reason.clients.get(code, 0))} · "
            f"{say.pct(reason.clients.get(code, 0) / tier_of[code], 0)}"
            if tier_of.get(code)
            else "–"
            for code in WARNED
        ]
        rows.append((name, say.n(sum(reason.clients.get(c, 0) for c in WARNED)), *shares))
    columns = (say.t("Reason"), say.t("Clients"), *(say.tier(code) for code in WARNED))
    return Chart(
        "reasons",
        say.t("Most frequent reasons"),
        say.t(
            "Warned clients with this among their top reasons; the table also gives the share "
            "of each tier."
        ),
        option,
        DataTable(columns, tuple(rows)),
        height=70 + 34 * len(shown),
    )


def churn(data: ReportData, say: Speaker) -> Chart:
    """Share who left, by as-of date."""
    names = [say.as_of_short(point.as_of) for point in data.churn]
    rates = [point.rate for point in data.churn]
    columns = (say.t("As of"), say.t("Clients at risk"), say.t("Left"), say.t("Share who left"))
    points = [
        mark(rate.share.value, rate_tip(name, rate, say))
        for name, rate in zip(names, rates, strict=True)
    ]
    ends: list[Any] = []
    for place, rate in enumerate(rates):
        if rate.share.low is not None and rate.share.high is not None:
            ends += [[place, rate.share.low], [place, rate.share.high], ["-", "-"]]
    option = canvas() | {
        "grid": room(34),
        "xAxis": category_axis(names, ""),
        "yAxis": value_axis(say.t("Share who left"), "percent") | {"min": 0},
        "series": [
            bounds(ends, "var(--accent)"),
            {
                "type": "line",
                "data": points,
                "symbol": "circle",
                "symbolSize": 9,
                "color": "var(--accent)",
                "lineStyle": {"width": 2, "color": "var(--accent)"},
                "label": {
                    "show": len(names) <= 6,
                    "position": "top",
                    "distance": 16,
                    "color": "var(--ink)",
                    "style": "percent",
                },
                "emphasis": {"disabled": True},
            },
        ],
    }
    rows = tuple(rate_row(name, rate, say) for name, rate in zip(names, rates, strict=True))
    return Chart(
        "churn",
        say.t("Share who left within {span}, by date", span=say.ahead(data.label)),
        say.t("Each point starts a horizon of its own. Bars are 95% intervals."),
        option,
        DataTable(columns, rows),
        height=280,
    )


def segment(dimension: Dimension, say: Speaker) -> Chart:
    """Share who left, by the values of one segment dimension."""
    title = say.words(dimension.name)
    names = [say.words(s.value) + (" *" if s.rate.small else "") for s in dimension.segments]
    rates = [s.rate for s in dimension.segments]
    rows = tuple(rate_row(name, rate, say) for name, rate in zip(names, rates, strict=True))
    columns = (title, say.t("Clients at risk"), say.t("Left"), say.t("Share who left"))
    return Chart(
        f"segment-{dimension.code}",
        title,
        "",
        dots(names, rates, say, ["var(--accent)"] * len(names)),
        DataTable(columns, rows),
        height=44 + 34 * len(names),
    )


def managers(data: ReportData, say: Speaker) -> Chart:
    """Warned clients of each manager, by tier."""
    shown = data.managers[:_MOST_MANAGERS]
    option = stacked([b.manager for b in shown], [b.tiers for b in shown], say)
    rows = tuple(
        (
            book.manager,
            say.n(book.clients),
            *(say.n(book.tiers.get(c, 0)) for c in WARNED),
            say.n(book.expected, 1),
            say.money(book.assets, compact=True),
        )
        for book in data.managers
    )
    columns = (
        say.t("Manager"),
        say.t("Clients in the book"),
        *(say.tier(c) for c in WARNED),
        say.t("Expected leavers"),
        say.t("Assets of warned clients"),
    )
    return Chart(
        "managers",
        say.t("Warned clients in each manager's book"),
        say.t("The table lists every book, with the leavers to be expected from all its clients."),
        option,
        DataTable(columns, rows),
        height=70 + 30 * len(shown),
    )
