"""Two tables for the terminal: the proof, and the ranking."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from keepwell.core.text import current_locale
from keepwell.learn.report.data import ReportData
from keepwell.learn.report.page import Page
from keepwell.learn.report.speaker import Speaker

_STYLES = {"severe": "bold red", "moderate": "yellow", "mild": "cyan", "none": "dim"}
_MARKS = {"severe": "◆", "moderate": "▲", "mild": "●", "none": "○"}


def proof_table(data: ReportData, locale: str | None = None) -> Table:
    """The model against its baselines on the test date, with 95 % intervals.

    Args:
        data: the report's values; must hold a backtest.
        locale: 'en' or 'zh'; default: the current one.

    Raises:
        ValueError: the report holds no backtest.
    """
    if data.backtest is None:
        raise ValueError("this report holds no backtest")
    page = Page(data, locale or current_locale())
    say = page.say
    table = _table(say.t("Tested at {when}", when=say.as_of(data.backtest.as_of)))
    table.caption = page.backtest_lead
    table.add_column(say.t("Measure"))
    for model in data.backtest.models:
        table.add_column(
            say.model(model.code), justify="right", style="bold" if model.champion else ""
        )
    for code in page.metrics:
        cells = (
            "\n".join(filter(None, page.split(code, model.metrics.get(code))))
            for model in data.backtest.models
        )
        table.add_row(say.metric_name(code), *(Text(cell) for cell in cells))
    return table


def ranking_table(data: ReportData, locale: str | None = None, limit: int = 15) -> Table:
    """The clients with the highest scores, each with its first reason on one line.

    Args:
        data: the report's values.
        locale: 'en' or 'zh'; default: the current one.
        limit: most rows.
    """
    say = Speaker(locale or current_locale(), data.currency)
    table = _table(say.t("Clients to look at first, at {when}", when=say.as_of(data.as_of)))
    table.expand = True
    for name, justify in (
        ("Client", "left"),
        ("Manager", "left"),
        ("Tier", "left"),
        ("Score", "right"),
        ("Probability", "right"),
        ("Assets", "right"),
        ("Why", "left"),
    ):
        table.add_column(
            say.t(name),
            justify="right" if justify == "right" else "left",
            overflow="ellipsis",
            no_wrap=True,
            ratio=1 if name == "Why" else None,
        )
    for client in data.top[:limit]:
        table.add_row(
            Text(client.client),
            Text(client.manager or "–"),
            Text(f"{_MARKS[client.tier]} {say.tier(client.tier)}", _STYLES[client.tier]),
            say.n(client.score, 1),
            say.pct(client.probability, 0),
            say.money(client.assets, compact=True),
            Text(say.words(client.reasons[0].words) if client.reasons else "–"),
        )
    return table


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        caption_justify="left",
        pad_edge=False,
    )
