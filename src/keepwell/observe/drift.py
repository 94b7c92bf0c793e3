"""Schema drift: a source's columns held against those it had before; told, never guessed around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from keepwell.core.errors import DataError
from keepwell.observe.connectors.base import TYPE_KEY


def type_name(column: pa.Field) -> str:
    """A column's type as people and the mapping call it.

    Widths do not count: a whole number of four bytes is one of eight. A column without a single
    value has none.

    Example:
        >>> type_name(pa.field("n", pa.int16())), type_name(pa.field("x", pa.null()))
        ('integer', '')
    """
    said = (column.metadata or {}).get(TYPE_KEY)
    if said:
        return str(said.decode())
    kind = column.type
    checks = {
        "": pa.types.is_null,
        "integer": pa.types.is_integer,
        "double": pa.types.is_floating,
        "decimal": pa.types.is_decimal,
        "boolean": pa.types.is_boolean,
        "date": pa.types.is_date,
        "text": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
    }
    for name, check in checks.items():
        if check(kind):
            return name
    if pa.types.is_timestamp(kind):
        return "instant" if kind.tz else "local"
    return str(kind)


@dataclass(frozen=True)
class Change:
    """One column that is not as it was.

    Attributes:
        kind: 'added', 'removed', 'renamed' (it is gone, and at its place stands one of the same
            type: told, not acted upon) or 'retyped'.
        column: its name, before if it had one.
        expected: its type before; '' for an added one.
        found: its type now, or the new name of one that seems renamed; '' for a removed one.
    """

    kind: str
    column: str
    expected: str = ""
    found: str = ""


CODES: Final = {
    "removed": "source.column-gone",
    "renamed": "source.column-renamed",
    "retyped": "source.type-changed",
}
"""Changes that stop an ingest, and the error each one is."""


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[Change, ...]:
    """What became of the columns of a source.

    Args:
        before: column to type, as they were.
        now: as they are; '' is the type of a column without values, which fits any.

    Example:
        >>> changes({"id": "text", "sum": "integer"}, {"id": "text", "total": "integer"})
        (Change(kind='renamed', column='sum', expected='integer', found='total'),)
    """
    places = dict(enumerate(now))
    gone = {name: place for place, name in enumerate(before) if name not in now}
    renamed = {
        name: places[place]
        for name, place in gone.items()
        if places.get(place, name) not in before
        and place in places
        and now[places[place]] == before[name]
    }
    found = [
        Change("renamed", name, before[name], renamed[name])
        if name in renamed
        else Change("removed", name, before[name])
        for name in gone
    ]
    found += [
        Change("retyped", name, before[name], kind)
        for name, kind in now.items()
        if kind and before.get(name) and before[name] != kind
    ]
    taken = set(renamed.values())
    found += [
        Change("added", name, found=kind)
        for name, kind in now.items()
        if name not in before and name not in taken
    ]
    return tuple(found)


def refuse(source: str, found: Sequence[Change], now: Mapping[str, str]) -> None:
    """Stop at the first change that could give a select another meaning.

    Raises:
        DataError: `source.column-gone`, `source.column-renamed`, `source.type-changed`.
    """
    for change in found:
        if change.kind in CODES:
            raise DataError(
                CODES[change.kind],
                source=source,
                column=change.column,
                expected=change.expected or "text",
                found=change.found,
                columns=", ".join(now),
            )
