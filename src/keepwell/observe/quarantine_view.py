"""The open rows of the quarantine for people to look at, with what is personal shown by its form.

What the quarantine holds changes only with its version, so the open entries of one version are
worked out once and kept, beside the database, in DuckDB's own memory; a look at a page of them
then costs milliseconds however many there are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from keepwell.core.errors import REASONS
from keepwell.core.text import tr
from keepwell.observe.contract import TABLES
from keepwell.observe.lake import Lake, open_duckdb
from keepwell.observe.quarantine import _newest

PLAIN: Final = ("public", "internal")
"""Sensitivities of columns whose values are shown as they are."""

_LONGEST: Final = 80
_OWN: Final = ("format", "found", "expected")
"""Fields of a reason that keepwell itself wrote."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are looked for; None does not matter.

    Attributes:
        table: of this contract table; '': found before any select.
        source: of this source.
        reason: with this reason code.
    """

    table: str | None = None
    source: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Open entries of one source, table and reason.

    Attributes:
        source: the source; several are joined by '+'.
        table: contract table; '' for a cell found bad before any select.
        reason: reason code.
        entries: how many.
        newest: when the latest was set aside (UTC).
    """

    source: str
    table: str
    reason: str
    entries: int
    newest: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """One open entry.

    Attributes:
        place: position among all open entries, from 1; a page begins after the last one's.
        source: the source.
        table: contract table, or ''.
        file: name of the file, or of the batch of events; ''.
        row: row in it as a spreadsheet counts; None when a select made the row.
        column: the column at fault; '' for a whole row.
        reason: reason code.
        value: what stood there, personal values by their form; '' where there is nothing to show.
        veiled: whether the value is shown by its form.
        detail: fields of the reason's words, veiled alike.
        at: when it was set aside (UTC).
    """

    place: int
    source: str
    table: str
    file: str
    row: int | None
    column: str
    reason: str
    value: str
    veiled: bool
    detail: dict[str, Any]
    at: datetime

    def words(self, locale: str | None = None) -> str:
        """The reason in a language."""
        try:
            return tr(REASONS[self.reason], locale, **self.detail)
        except (KeyError, ValueError):
            return self.reason


class OpenRows:
    """The open entries of one version of the quarantine; got by `open_rows`."""

    def __init__(self, lake: Lake, version: int | None) -> None:
        self.version = version
        self._engine = open_duckdb(threads=1, memory="500MB")
        _newest(self._engine, lake, version)
        self._engine.execute(
            'create table held as select row_number() over (order by "table" nulls first, source, '
            'file, "row", reject_id) as place, coalesce("table", \'\') as "table", '
            "coalesce(source, '') as source, coalesce(file, '') as file, \"row\", "
            'coalesce("column", \'\') as "column", reason, detail, raw, '
            # As a number: Python gets instants with a zone from DuckDB by a package more only.
            'epoch_us("at") as "at" '
            "from newest where state = 'open' order by place"
        )
        self._engine.execute("drop table newest")
        self.counts: tuple[Count, ...] = tuple(
            Count(source, table, reason, entries, _instant(newest))
            for source, table, reason, entries, newest in self._engine.execute(
                'select source, "table", reason, count(*), max("at") from held '
                'group by all order by count(*) desc, source, "table", reason'
            ).fetchall()
        )
        self.total = sum(count.entries for count in self.counts)

    def of_table(self, table: str) -> int:
        """Open entries of a contract table, or of its sources before any select."""
        return sum(count.entries for count in self.counts if count.table == table)

    def of_source(self, source: str) -> int:
        """Open entries of a source that were found before any select."""
        return sum(c.entries for c in self.counts if not c.table and c.source == source)

    def rows(self, wanted: Wanted, limit: int, after: int = 0) -> list[Kept]:
        """Some open entries, by table, source, file and row.

        Args:
            wanted: which.
            limit: at most so many.
            after: `place` of the last one before these.
        """
        return list(self._found(wanted, limit, after))

    def matching(self, wanted: Wanted) -> int:
        """How many open entries are of a kind."""
        return sum(
            count.entries
            for count in self.counts
            if wanted.table in (None, count.table)
            and wanted.source in (None, count.source)
            and wanted.reason in (None, count.reason)
        )

    def _found(self, wanted: Wanted, limit: int, after: int) -> Iterator[Kept]:
        conditions, values = ["place > ?"], [after]
        named = {"table": wanted.table, "source": wanted.source, "reason": wanted.reason}
        for name, value in named.items():
            if value is not None:
                conditions.append(f'"{name}" = ?')
                values.append(value)  # type: ignore[arg-type]
        # A cursor is a connection of its own to the same tables: requests come from many threads.
        with self._engine.cursor() as engine:
            found = engine.execute(
                'select place, source, "table", file, "row", "column", reason, detail, raw, '
                f'"at" from held where {" and ".join(conditions)} order by place '
                f"limit {int(limit)}",
                values,
            ).fetchall()
        for place, source, table, file, row, column, reason, detail, raw, at in found:
            bare = Kept(
                place, source, table, file, row, column, reason, "", False, {}, _instant(at)
            )
            yield _shown(bare, _fields(detail), _fields(raw))


_LOCK = threading.Lock()
_KEPT: dict[Path, OpenRows] = {}


def open_rows(lake: Lake, version: int | None) -> OpenRows:
    """The open entries of the quarantine at a version; the newest one asked for is kept.

    Args:
        lake: the lake.
        version: as a manifest pins it; None: there is no entry.
    """
    with _LOCK:
        kept = _KEPT.get(lake.root)
        if kept is None or kept.version != version:
            kept = _KEPT[lake.root] = OpenRows(lake, version)
        return kept


def form(text: str) -> str:
    """The form of a value: digits as 9, letters as x or X, all else as it stands.

    Example:
        >>> form("王强 138-0013,5 ab")
        'xx 999-9999,9 xx'
    """
    return "".join(map(_form, text))


def _form(sign: str) -> str:
    if sign.isdigit():
        return "9"
    if sign.isalpha():
        return "X" if sign.isupper() else "x"
    return sign


def is_plain(table: str, column: str) -> bool:
    """Whether the values of a column may be shown as they are.

    Before any select the columns are the broker's own; nobody has said what is in them.
    """
    known = TABLES.get(table)
    found = known.by_name.get(column) if known else None
    return found is not None and found.sensitivity in PLAIN


def _shown(entry: Kept, detail: Mapping[str, Any], raw: Mapping[str, Any]) -> Kept:
    plain = is_plain(entry.table, entry.column)
    value = detail.get("value", raw.get(entry.column))
    fields = {
        name: given if plain or name in _OWN else _veil(given) for name, given in detail.items()
    }
    if value is None:
        return replace(entry, detail=fields)
    text = str(value) if plain else str(_veil(value))
    return replace(
        entry, value=_cut(text), veiled=not plain,
        detail={k: _cut(v) if isinstance(v, str) else v for k, v in fields.items()},
    )  # fmt: skip


def _veil(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else form(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _instant(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def _fields(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


__all__ = ["Count", "Kept", "OpenRows", "Wanted", "form", "is_plain", "open_rows"]
