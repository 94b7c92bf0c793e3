"""`keepwell indicators`: the catalogue of indicators, or one of them in full."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keepwell.core.text import LOCALES, tr

if TYPE_CHECKING:
    from keepwell.observe.indicators import Indicator

_FIELDS = (
    ("Name", "name"),
    ("Family", "family_name"),
    ("Unit", "unit_name"),
    ("Warning side", "direction_name"),
    ("Explanation", "explain"),
    ("Definition", "definition"),
)
_WIDE = 130
"""Columns of a terminal from which units and sources are listed too."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("indicators")(indicators)


def indicators(
    describe: Annotated[
        str | None, typer.Option("--describe", metavar="ID", help="Show one indicator in full.")
    ] = None,
    headline: Annotated[bool, typer.Option("--headline", help="Only the headline ones.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the indicators: name, unit, which side is a warning, threshold, sources."""
    from keepwell.observe.indicators import INDICATORS, get

    if describe is not None:
        item = get(describe)
        if as_json:
            _write(_full(item))
        else:
            _show(item)
        return
    items = [item for item in INDICATORS.values() if item.headline or not headline]
    if as_json:
        _write([item.describe() for item in items])
    else:
        _list(items)


def _full(item: Indicator) -> dict[str, Any]:
    """An indicator's metadata with its words and coverage rule in every language."""
    from keepwell.observe.indicators.page import coverage_rule

    words = {
        locale: {
            **{key: item.describe(locale)[key] for _, key in _FIELDS},
            "coverage": coverage_rule(item, locale),
        }
        for locale in LOCALES
    }
    return {**item.describe(), "words": words}


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _list(items: list[Indicator]) -> None:
    from rich.console import Console
    from rich.table import Table

    from keepwell.observe.indicators import FAMILIES
    from keepwell.observe.indicators.page import COUNTS, threshold_words

    console = Console()
    heads = ["Indicator", "Name", "Warning side", "Unit", "Sources"]
    if console.width < _WIDE:
        heads = heads[:3]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(tr(head), overflow="fold", no_wrap=head == "Indicator")
    for family in FAMILIES:
        members = [item for item in items if item.family == family]
        if members:
            table.add_row(f"[bold cyan]{members[0].family_name()}[/]")
        for item in members:
            cells = (
                item.id + (" ★" if item.headline else ""),
                item.title(),
                threshold_words(item) or item.describe()["direction_name"],
                item.unit_name(),
                ", ".join(item.sources),
            )
            table.add_row(*cells[: len(heads)])
    console.print(table)
    count = sum(item.headline for item in items)
    console.print(tr(COUNTS, count=len(items), headline=count))


def _show(item: Indicator) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from keepwell.observe.indicators.page import coverage_rule, threshold_words

    console = Console()
    console.print(Text(item.id + (" ★" if item.headline else ""), style="bold"))
    for locale in LOCALES:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="fold")
        words = item.describe(locale)
        for label, key in _FIELDS:
            table.add_row(tr(label, locale), Text(words[key]))
        table.add_row(tr("Coverage", locale), Text(coverage_rule(item, locale)))
        table.add_row(tr("Threshold", locale), threshold_words(item) or "–")
        table.add_row(tr("Days used", locale), ", ".join(map(str, item.windows)) or "–")
        table.add_row(tr("Sources", locale), ", ".join(item.sources))
        table.add_row(tr("Added in version", locale), item.since)
        console.print()
        console.print(table)
