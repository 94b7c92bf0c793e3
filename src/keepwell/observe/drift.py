"""Schema drift: a source's columns held against those it had before; told, never guessed around."""

from __future__ import annotations

import pyarrow as pa

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
