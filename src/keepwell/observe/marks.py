"""Marks: how far each source was read for a table, and what its columns were then.

They are kept beside the manifests, in a file named by its content, and a table's state in the
manifest names the file. So a mark moves in the one instant in which what it stands for becomes
visible: killed before, the next ingest reads the same rows again and knows them as repeats.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlglot
from sqlglot import exp

from keepwell.core.errors import UsageError
from keepwell.core.files import atomic_write, sync_folder
from keepwell.observe.connectors import Since
from keepwell.observe.mapping import Source
from keepwell.observe.mapping_source import Increment

FOLDER: Final = "marks"
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?")
_READ: Final = {
    "integer": int,
    "decimal": Decimal,
    "text": str,
    "date": date.fromisoformat,
    "instant": datetime.fromisoformat,
    "local": datetime.fromisoformat,
}


@dataclass(frozen=True)
class SourceMark:
    """How far one source was read.

    Attributes:
        types: column to type, as `drift.type_name` calls it.
        newest: greatest value of the column `increment.by`; None without one.
        files: files read, and what they were then.
    """

    types: dict[str, str] = field(default_factory=dict)
    newest: Any = None
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TableMarks:
    """How far the sources of a table were read.

    Attributes:
        mapping: digest of what the mapping says of the table and its sources; the marks of another
            one do not count.
        sources: source to its mark.
    """

    mapping: str
    sources: dict[str, SourceMark]


def save(root: Path, marks: TableMarks) -> str:
    """Write marks to a lake's folder, synced; returns the name to be kept in the manifest."""
    content = {
        "mapping": marks.mapping,
        "sources": {
            name: {"types": mark.types, "newest": _written(mark.newest), "files": mark.files}
            for name, mark in marks.sources.items()
        },
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False) + "\n"
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    folder = root / FOLDER
    if not (folder / f"{name}.json").exists():
        folder.mkdir(exist_ok=True)
        atomic_write(folder / f"{name}.json", text)
        sync_folder(folder)
    return name


def load(root: Path, name: str) -> TableMarks | None:
    """Read marks; None when there are none, or the file is lost: everything is read again then."""
    try:
        raw = json.loads((root / FOLDER / f"{name}.json").read_text("utf-8"))
        sources = {
            source: SourceMark(kept["types"], _parsed(kept["newest"]), kept["files"])
            for source, kept in raw["sources"].items()
        }
        return TableMarks(raw["mapping"], sources)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def since(source: Source, marks: Sequence[SourceMark], now: datetime, zone: ZoneInfo) -> Since:
    """Where to begin reading, so that every table that reads the source misses nothing.

    Args:
        source: its mapping.
        marks: its mark for each table that is to be filled from it; at least one.
        now: the instant of the ingest (UTC).
        zone: the exchange's zone, in which times without one are.
    """
    files = dict(set.intersection(*(set(mark.files.items()) for mark in marks)))
    values = [mark.newest for mark in marks]
    if source.increment is None or any(value is None for value in values):
        return Since(None, files)
    return Since(_back(min(values), source.increment, now, zone), files)


def newest(value: Any, source: str, by: str) -> Any:
    """A mark's value, of a type that can be one.

    Raises:
        UsageError: `source.increment-type`.
    """
    if value is not None and _kind(value) is None:
        raise UsageError(
            "source.increment-type", source=source, column=by, type=type(value).__name__
        )
    return value


def row_by_row(sql: str) -> bool:
    """Whether each row of a select comes of one row of a source, so that parts can be read alone.

    Sums, windows, DISTINCT and LIMIT need all rows; what cannot be understood counts as such.

    Example:
        >>> row_by_row("select id from trades where side = 'buy'")
        True
        >>> row_by_row("select client, min(day) from trades group by 1")
        False
    """
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        return False
    whole = (exp.AggFunc, exp.Window, exp.Distinct, exp.Group, exp.Limit, exp.Except, exp.Intersect)
    return tree.find(*whole) is None


def _back(value: Any, increment: Increment, now: datetime, zone: ZoneInfo) -> Any:
    """The mark less the overlap. A time in the future must not hide what comes until then."""
    if isinstance(value, datetime):
        limit = now if value.tzinfo else now.astimezone(zone).replace(tzinfo=None)
        return min(value, limit) - increment.span
    if isinstance(value, date):
        return min(value, now.astimezone(zone).date()) - max(increment.span, timedelta(days=1))
    if isinstance(value, (int, Decimal)):
        return value - increment.keys
    if increment.overlap and _ISO.fullmatch(value):
        back = datetime.fromisoformat(value) - increment.span
        return back.isoformat(value[10:11] or " ")[: len(value)]
    return value


def _kind(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, datetime):
        return "instant" if value.tzinfo else "local"
    kinds = {int: "integer", Decimal: "decimal", str: "text", date: "date"}
    return kinds.get(type(value))


def _written(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC)
    text = value.isoformat() if isinstance(value, date) else str(value)
    return {"type": str(_kind(value)), "value": text}


def _parsed(raw: dict[str, str] | None) -> Any:
    return None if raw is None else _READ[raw["type"]](raw["value"])  # type: ignore[operator]
