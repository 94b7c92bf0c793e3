"""`keepwell value`: what clients bring in a year and are worth, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keepwell.cli.run import steps
from keepwell.cli.terminal import JsonOption, WorkspaceOption, say, show, write_json
from keepwell.core.text import number, percent, tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keepwell.learn.value.book import Group, ValueBook

WIDTH = 130
"""Columns that the tables need; narrower, or piped, amounts would be broken."""

MONEY_HEADS = ("margin a year", "discounted value", "95 % interval", "at stake")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("value")(value)


def value(
    workspace: WorkspaceOption = Path(),
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Date, YYYY-MM-DD; default: that of the newest ranking."),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=0, help="Clients listed here.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Value every client at your rates and write out/value.csv and value.parquet."""
    from keepwell.api import open
    from keepwell.api import value as valued
    from keepwell.learn.value.files import write_value

    opened = open(workspace)
    with steps(quiet=as_json) as tell:
        book = valued(opened, as_of, progress=tell)
        files = write_value(opened.out, book)
    if as_json:
        write_json(summary(book) | {"files": [str(file) for file in files]})
        return
    show_value(book, top)
    say("Written:")
    for file in files:
        typer.echo(f"  {file}")


def show_value(book: ValueBook, top: int = 10) -> None:
    """Write the lines, the groups, what is assumed and the clients with most at stake."""
    from keepwell.core.text import day
    from keepwell.learn.report.words import TIER_NAMES

    valued = int(book.valued.sum())
    say(
        "Value of clients as of {as_of}, over {years} years: {valued} of {clients} clients.",
        as_of=day(book.as_of.astimezone(book.zone)), years=number(book.rates.months / 12, None, 1),
        valued=number(valued), clients=number(len(book.valued)),
    )  # fmt: skip
    _show_lines(book)
    tiers = {group.code: group for group in book.groups(book.ranking.tiers())}
    _show_groups(book, "tier", [tiers[code] for code in TIER_NAMES if code in tiers])
    _show_groups(book, "segment", book.groups(book.margins.segment))
    _show_assumptions(book)
    if top:
        _show_top(book, top)


def _money(book: ValueBook, minor: float) -> str | None:
    from keepwell.core.text import money

    if minor != minor:  # NaN: not known
        return None
    return money(round(minor), book.rates.currency, compact=True)


def _range(book: ValueBook, low: float, high: float) -> str | None:
    ends = [_money(book, end) for end in (low, high)]
    return None if None in ends else " … ".join(end or "" for end in ends)


def _show_lines(book: ValueBook) -> None:
    from keepwell.learn.value.margin import ABSENCES, LINE_NAMES
    from keepwell.learn.value.rates import SETTINGS

    found = book.lines()
    rows: list[tuple[object, ...]] = []
    for line, name in LINE_NAMES.items():
        settings = SETTINGS[line]
        rates = [s for s in settings if s in book.rates.yours] or settings
        if line in found:
            total, known = found[line]
            rows.append((tr(name), _money(book, total), known, book.rates.whose(rates[0])))
        else:
            why = tr("absent: {why}", why=tr(ABSENCES[book.margins.absent[line]]))
            rows.append((tr(name), None, None, why))
    heads = ["line of margin", "a year", "clients with it", "whose rate"]
    show(heads, rows, right=(1, 2), width=WIDTH)


def _show_groups(book: ValueBook, head: str, groups: Sequence[Group]) -> None:
    from keepwell.learn.report.words import TIER_NAMES

    def name(code: str | None) -> str | None:
        return tr(TIER_NAMES[code]) if head == "tier" and code else code

    show(
        [head, "clients", "valued", *MONEY_HEADS],
        [
            (
                name(group.code), group.clients, group.valued, _money(book, group.margin),
                _money(book, group.value.value), _range(book, group.value.low, group.value.high),
                _money(book, group.at_stake),
            ) if group.valued else (name(group.code), group.clients, 0, *([None] * 4))
            for group in groups if group.valued or group.code
        ],
        right=(1, 2, 3, 4, 5, 6), width=WIDTH,
    )  # fmt: skip


def _show_assumptions(book: ValueBook) -> None:
    from keepwell.learn.value.margin import INCOME, Line

    rates = book.rates
    say("What is assumed:")
    say(
        "- discount rate {rate} a year ({whose}); {years} years ({theirs})",
        rate=percent(rates.discount), whose=rates.whose("discount_rate"),
        years=number(rates.months / 12, None, 1), theirs=rates.whose("horizon_years"),
    )  # fmt: skip
    if rates.constant_hazard:
        say("- beyond the model's horizon each client goes on leaving at an own rate")
    else:
        say(
            "- beyond the model's horizon clients leave as all did: {share} in {months} months",
            share=percent(book.rule.base or 0.0), months=number(book.rule.horizon, None, 1),
        )  # fmt: skip
    say("- what clients bring in stays as it is")
    if Line.COMMISSION in book.margins.lines:
        say(
            "- commission is that of {covered} complete days of trades within the last {days}",
            covered=number(book.margins.days), days=number(rates.history),
        )  # fmt: skip
    say(_DOUBTS[book.values.doubt.source])
    if any(line in book.margins.absent for line in INCOME):
        say("- lines of income that are absent are in no value: clients bring in more than this")
    if book.margins.foreign:
        say("- {rows} rows in another currency are left out", rows=number(book.margins.foreign))


_DOUBTS = {
    "proof": "- the intervals hold the doubt of the probabilities as the proof showed it",
    "training": "- the intervals hold the doubt of the training labels only: no proof is kept",
    "none": "- there are no intervals: how far the probabilities can be trusted is not known",
}


def _show_top(book: ValueBook, top: int) -> None:
    from keepwell.learn.report.words import TIER_NAMES

    low, high = book.values.interval()
    tiers, ranking = book.ranking.tiers(), book.ranking
    say("Clients with most at stake:")
    show(
        ["client", "manager", "segment", "tier", *MONEY_HEADS],
        [
            (
                ranking.clients[i], ranking.manager[i], book.margins.segment[i],
                tr(TIER_NAMES[tiers[i] or "none"]), _money(book, float(book.margins.total[i])),
                _money(book, float(book.values.value[i])),
                _range(book, float(low[i]), float(high[i])),
                _money(book, float(book.values.at_stake[i])),
            )
            for i in book.order()[:top]
        ],
        right=(4, 5, 6, 7), width=WIDTH,
    )  # fmt: skip


def summary(book: ValueBook) -> dict[str, Any]:
    """What was found, JSON-safe; money in minor units."""
    whole = book.values.total()
    return {
        "as_of": book.as_of.isoformat(),
        "model": book.version,
        "currency": book.rates.currency,
        "months": book.rates.months,
        "discount_rate": book.rates.discount,
        "after": "constant" if book.rates.constant_hazard else "observed",
        "doubt": book.values.doubt.source,
        "yours": sorted(book.rates.yours),
        "clients": len(book.valued),
        "valued": int(book.valued.sum()),
        "lines": {str(line): total for line, (total, _) in book.lines().items()},
        "absent": {str(line): str(why) for line, why in book.margins.absent.items()},
        "value": {name: _plain(getattr(whole, name)) for name in ("value", "low", "high")},
        "tiers": [_group(g) for g in book.groups(book.ranking.tiers())],
        "segments": [_group(g) for g in book.groups(book.margins.segment)],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "code": group.code,
        "clients": group.clients,
        "valued": group.valued,
        "margin": _plain(group.margin),
        "value": _plain(group.value.value),
        "low": _plain(group.value.low),
        "high": _plain(group.value.high),
        "at_stake": _plain(group.at_stake),
    }


def _plain(value: float) -> float | None:
    return None if value != value else value
