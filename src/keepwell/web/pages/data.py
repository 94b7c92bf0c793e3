"""Data: how fresh every source is and why not, the quarantine, the lake, events, generations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from keepwell.core.errors import KeepwellError
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.intervene.event import service as events
from keepwell.intervene.event.schema import EventsState
from keepwell.intervene.incident import repo as incidents
from keepwell.intervene.incident.bring import trades_on
from keepwell.observe import freshness, lake_view
from keepwell.observe.attempts import Attempt
from keepwell.observe.contract import TABLES
from keepwell.observe.freshness import Cause, Freshness, Report
from keepwell.observe.quarantine import EVENT
from keepwell.observe.quarantine_view import Kept, OpenRows, Wanted, open_rows
from keepwell.trust.access.export import MOST_ROWS, download
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book import read as book
from keepwell.web.pages.client_view import TABLES as CLIENT_TABLES
from keepwell.web.pages.tongue import Tongue
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

ROWS: Final = 50
GENERATIONS: Final = 10

NAMES: Final[dict[str, str]] = {
    **CLIENT_TABLES,
    "first_purchase": "First purchases", "index_price": "Index prices", "news": "News",
    "outage": "Outages", "relation": "Relations between clients",
}  # fmt: skip
"""Tables of the contract as the page calls them, in English."""

STANDINGS: Final[dict[str, str]] = {
    "stale": "Stale", "trouble": "Needs attention", "fresh": "Fresh", "undated": "Not judged",
}  # fmt: skip
"""How a table stands, in English."""

STATES: Final[dict[str, str]] = {
    "building": "Being built", "current": "In force", "retired": "Replaced",
    "abandoned": "Given up",
}  # fmt: skip
"""States of a generation, in English."""

REASON_TITLES: Final[dict[str, str]] = {
    "cell.below-zero": "Negative", "cell.control-character": "Control character",
    "cell.digits-lost": "Digits lost", "cell.excel-error": "Error of the workbook",
    "cell.formula": "Spreadsheet formula", "cell.merged": "Merged cells",
    "cell.invisible-character": "Invisible character",
    "cell.missing": "Empty, but required", "cell.not-computed": "Formula without a value",
    "cell.no-zone": "Time without a zone", "cell.not-boolean": "Neither true nor false",
    "cell.not-date": "Not a date", "cell.not-decimal": "Not a decimal number",
    "cell.not-double": "Not a number", "cell.not-in-list": "Not a word of the contract",
    "cell.not-instant": "Not a time", "cell.not-integer": "Not a whole number",
    "cell.not-text": "Not text", "cell.out-of-range": "Out of range",
    "cell.too-large": "Too large", "cell.too-long": "Too long",
    "cell.unknown-currency": "Unknown currency", "row.before-opening": "Before the relationship",
    "row.conflict": "Contradicts another row", "row.in-future": "In the future",
    "row.ahead-of-known": "Later than it was known", "row.ragged": "Wrong number of cells",
}  # fmt: skip
"""Reasons of the quarantine in two or three words, in English."""

_ORDER: Final = {"stale": 0, "trouble": 1, "fresh": 2, "undated": 3}

BARE: Final = "none"
"""Stands in an address for rows that were found before any select, and so of no table."""

CSV_HEADS: Final = ("source", "table", "file", "row", "column", "reason", "words", "value", "at")

Short = Annotated[str | None, Query(max_length=200)]


@router.get("/data")
def sources_page(
    show: Annotated[str | None, Query(pattern="^(stale|trouble|all)$")] = None,
    cause: Annotated[str | None, Query(max_length=40)] = None,
    visit: Visit = visiting(Permission.DATA_READ),
) -> Response:
    """Every table, or those of one state or cause, with its source: how fresh; if not, why."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        tongue = visit.tongue(actor)
        state, fault = _events(tx, actor)
        found = _report(tx, actor, state)
        tables = sorted(found.tables, key=lambda table: _ORDER[table.standing])
        shown = [
            table for table in tables
            if (show in (None, "all") or table.standing == show)
            and (cause is None or any(one.code == cause for one in table.causes))
        ]  # fmt: skip
        troubles = _troubles(tables)
        generations, in_force = book.generations(tx, actor, GENERATIONS)
        return _common(found) | {
            "tables": shown, "all": len(tables), "seldom": freshness.SELDOM,
            "stood": Counter(table.standing for table in tables),
            "only": show if show != "all" else None, "of_cause": cause,
            "why": lambda one: told(one, tongue),
            "shared": [c for c, some in troubles.items() if len(some) > max(3, len(tables) // 2)],
            "incidents": incidents.live_count(tx, actor),
            "events": state, "events_fault": fault, "waiting": _waiting(tx, actor, state),
            "generations": generations, "in_force": in_force, "standings": STANDINGS,
            "states": STATES, "from_events": from_events,
            "kept": lambda table: _kept(found, table), "troubles": troubles,
            "cause_titles": freshness.TITLES, "remedies": freshness.REMEDIES,
        }  # fmt: skip

    return visit.show("data/page.html", verb)


@router.get("/data/quarantine")
def quarantine_page(
    table: Short = None,
    source: Short = None,
    reason: Short = None,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    visit: Visit = visiting(Permission.DATA_READ),
) -> Response:
    """Rows that were kept out, counted and one by one."""
    wanted = _wanted(table, source, reason)

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        tongue = visit.tongue(actor)
        kept = _open(tx.frame)
        rows = kept.rows(wanted, ROWS + 1, after)
        more = len(rows) > ROWS
        asked = _asked(wanted)
        return {
            "counts": kept.counts, "total": kept.total, "rows": rows[:ROWS], "wanted": wanted,
            "matching": kept.matching(wanted), "names": NAMES, "titles": REASON_TITLES,
            "from_source": lambda name: source_name(name, tongue),
            "words": lambda row: row.words(actor.locale), "veiled": any(r.veiled for r in rows),
            "place": lambda c: _path(_asked(Wanted(c.table, c.source, c.reason))), "bare": BARE,
            "next": _path({**asked, "after": rows[ROWS - 1].place}) if more else "",
            "begun": _path(asked) if after else "",
            "csv": "/data/quarantine.csv" + ("?" + urlencode(asked) if asked else ""),
            "most": MOST_ROWS, "may_export": actor.may(Permission.CLIENT_EXPORT),
            "tables_in": sorted({count.table for count in kept.counts}),
            "sources_in": sorted({count.source for count in kept.counts}),
            "reasons_in": sorted({count.reason for count in kept.counts}),
        }  # fmt: skip

    return visit.show("data/quarantine.html", verb)


@router.get("/data/quarantine.csv")
def quarantine_csv(
    table: Short = None,
    source: Short = None,
    reason: Short = None,
    visit: Visit = visiting(Permission.DATA_READ),
) -> Response:
    """The same rows as a file, personal values by their form as on the page."""
    wanted = _wanted(table, source, reason)

    def rows(tx: Tx, actor: Actor) -> Iterator[list[Any]]:
        for row in _open(tx.frame).rows(wanted, MOST_ROWS + 1):
            yield _cells(row, actor.locale)

    return download(visit, rows, CSV_HEADS, "quarantine")


@router.get("/data/lake")
def lake_page(visit: Visit = visiting(Permission.DATA_READ)) -> Response:
    """The tables of the lake with their versions and sizes, and the latest manifests."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        found = _report(tx, actor, None)
        lake, manifest = tx.frame.workspace.lake, found.manifest
        held = [table for table in found.tables if table.state is not None]
        steps = lake_view.history(lake, manifest) if manifest else []
        return _common(found) | {
            "tables": held, "steps": steps, "size": sum(t.held.size for t in held if t.held),
            "rows": sum(t.state.rows for t in held if t.state),
        }  # fmt: skip

    return visit.show("data/lake.html", verb)


def from_events(table: Freshness) -> bool:
    """Whether events bring rows of a table, alone or besides its files."""
    return table.held is not None and table.held.events_until > 0


def told(cause: Cause, tongue: Tongue) -> str:
    """Why a table is stale, in the reader's language.

    Args:
        cause: a cause.
        tongue: the reader's.
    """
    fields = {name: _said(value, tongue) for name, value in cause.fields.items()}
    return tongue.t(freshness.WORDS[cause.code], **fields)


def source_name(name: str, tongue: Tongue) -> str:
    """A source of the quarantine as people read it.

    Args:
        name: as the quarantine has it.
        tongue: the reader's.
    """
    if name.startswith(EVENT):
        return tongue.t("Events of {sender}", sender=name.removeprefix(EVENT))
    return name.replace("+", tongue.t(", "))


def _said(value: Any, tongue: Tongue) -> Any:
    if isinstance(value, Attempt):
        return value.words(tongue.locale)
    if isinstance(value, datetime):
        return tongue.moment(value)
    if isinstance(value, date):
        return tongue.day(value)
    return tongue.number(value) if isinstance(value, int) else value


def _common(found: Report) -> dict[str, Any]:
    return {
        "today": found.today, "manifest": found.manifest, "attempt": found.attempt, "names": NAMES,
        "quarantine": found.quarantine.total, "meanings": {n: t.meaning for n, t in TABLES.items()},
    }  # fmt: skip


def _troubles(tables: list[Freshness]) -> dict[str, list[tuple[str, Cause]]]:
    """Causes with the tables that have them, in the order of `freshness.WORDS`."""
    causes: dict[str, list[tuple[str, Cause]]] = {code: [] for code in freshness.WORDS}
    for table in tables:
        for cause in table.causes:
            causes[cause.code].append((table.table, cause))
    return {code: some for code, some in causes.items() if some}


def _kept(found: Report, table: Freshness) -> str:
    """Where the rows of a table are that are in quarantine."""
    own = found.quarantine.of_table(table.table)
    return _path(_asked(Wanted(table.table if own else None)))


def _report(tx: Tx, actor: Actor, state: EventsState | None) -> Report:
    waiting = events.behind(tx, actor, state.drained) if state else {}
    return freshness.report(tx.frame.workspace, tx.at, trades_on(tx.frame), waiting)


def _events(tx: Tx, actor: Actor) -> tuple[EventsState | None, KeepwellError | None]:
    try:
        return events.state(tx, actor), None
    except KeepwellError as error:  # another process does not let go of the spool
        return None, error


def _waiting(tx: Tx, actor: Actor, state: EventsState | None) -> Mapping[str, Any]:
    return events.behind(tx, actor, state.drained) if state else {}


def _open(frame: Frame) -> OpenRows:
    lake = frame.workspace.lake
    manifest = lake.manifest()
    return open_rows(lake, manifest.quarantine if manifest else None)


def _wanted(table: str | None, source: str | None, reason: str | None) -> Wanted:
    return Wanted("" if table == BARE else table or None, source or None, reason or None)


def _asked(wanted: Wanted) -> dict[str, str]:
    table = BARE if wanted.table == "" else wanted.table
    given = {"source": wanted.source, "table": table, "reason": wanted.reason}
    return {name: value for name, value in given.items() if value is not None}


def _path(asked: Mapping[str, Any]) -> str:
    return "/data/quarantine" + ("?" + urlencode(asked) if asked else "")


def _cells(row: Kept, locale: str) -> list[Any]:
    return [
        row.source, row.table, row.file, row.row, row.column, row.reason, row.words(locale),
        row.value, row.at,
    ]  # fmt: skip
