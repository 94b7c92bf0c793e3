"""Rows as plain values, for the quarantine: whatever they hold, they can be shown, and are short.

Arrow holds what Python cannot: a day in the year 20000, text that is no UTF-8. And a cell may be as
long as a file. Neither may keep a bad row from being set aside with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

LONGEST: Final = 2_000
"""Characters of a cell that are kept."""
_LONGEST_ROW: Final = 200_000


def rows_of(table: pa.Table | pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as dicts of Python values; a value that Python does not have becomes its text.

    Example:
        >>> far = pa.array([9_000_000], pa.int32()).cast(pa.date32())
        >>> rows_of(pa.table({"id": ["T1"], "day": far}))
        [{'id': 'T1', 'day': 'day 9000000 since 1970'}]
    """
    columns = [_values(column) for column in table.columns]
    names = table.schema.names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def short(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose texts are cut to what a person would read.

    Example:
        >>> short({"id": "T1", "note": "x" * 5000})["note"][-25:]
        '…[5000 characters in all]'
    """
    most = min(LONGEST, max(20, _LONGEST_ROW // max(1, len(row))))
    return {name: cut(value, most) for name, value in row.items()}


def cut(value: Any, most: int = LONGEST) -> Any:
    """A value, cut if it is a text longer than `most` characters."""
    if not isinstance(value, (str, bytes, list, dict, tuple)):
        return value
    text = value if isinstance(value, str) else str(value)
    return value if len(text) <= most else f"{text[:most]}…[{len(text)} characters in all]"


def _values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        return [_value(cell) for cell in column]


def _value(cell: pa.Scalar) -> Any:
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return repr(cell.as_buffer().to_pybytes()[:LONGEST])
    except (ValueError, OverflowError, pa.ArrowException):
        if pa.types.is_date(cell.type):
            return f"day {cell.value} since 1970"
        if pa.types.is_timestamp(cell.type):
            return f"{cell.value} {cell.type.unit} since 1970"
        return repr(cell)
