"""Rows of a database driver, tuples of Python values, as Arrow batches of fixed types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa

from keepwell.observe.connectors.base import TYPE_KEY, BadCell, RawBatch

BATCH_ROWS: Final = 32_768
_SHOWN: Final = 120

_ARROW: Final = {
    "integer": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "local": pa.timestamp("us"),
    "instant": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}
_FITS: Final[dict[str, set[type]]] = {
    "integer": {int},
    "double": {float, int},
    "decimal": {Decimal, int},
    "date": {date},
    "local": {datetime},
    "instant": {datetime},
    "text": {str, bytes},
}
_NONE: Final = type(None)


@dataclass(frozen=True)
class DbColumn:
    """A column of a database's table or query.

    Attributes:
        name: its name.
        kind: integer, double, decimal, date, local (a time without zone), instant (whose Python
            values are in UTC, without saying so) or text.
        wanted: text only: the type its cells are to have, checked one by one at the scan.
        precision: decimal only: digits in all.
        scale: decimal only: digits after the point.
    """

    name: str
    kind: str
    wanted: str = ""
    precision: int = 0
    scale: int = 0

    @property
    def field(self) -> pa.Field:
        """Its Arrow field."""
        if self.kind == "decimal":
            return pa.field(self.name, pa.decimal128(self.precision, self.scale))
        metadata = {TYPE_KEY: self.wanted.encode()} if self.wanted else None
        return pa.field(self.name, _ARROW[self.kind], metadata=metadata)


def batches(
    file: str, columns: Sequence[DbColumn], parts: Iterator[Sequence[tuple[Any, ...]]]
) -> Iterator[RawBatch]:
    """Number the rows from 1 and give them their types; a cell that does not fit is set aside.

    Args:
        file: what the rows are of, for messages.
        columns: the columns, in the tuples' order.
        parts: the rows, in parts; the last may be empty.
    """
    schema = pa.schema([column.field for column in columns])
    first = 1
    for part in parts:
        if not part:
            continue
        yield _batch(file, columns, schema, part, first)
        first += len(part)
    if first == 1:
        empty = pa.RecordBatch.from_pylist([], schema=schema)
        yield RawBatch(file, np.empty(0, np.int64), empty)


def _batch(
    file: str,
    columns: Sequence[DbColumn],
    schema: pa.Schema,
    part: Sequence[tuple[Any, ...]],
    first: int,
) -> RawBatch:
    rows = np.arange(first, first + len(part), dtype=np.int64)
    cells = [list(column) for column in zip(*part, strict=True)]
    arrays: list[pa.Array] = []
    wrong: list[BadCell] = []
    bad = np.zeros(len(part), bool)
    for column, field, values in zip(columns, schema, cells, strict=True):
        array = _whole(column, field.type, values)
        if array is None:
            array, misfits = _one_by_one(column, field.type, values)
            for index in misfits:
                bad[index] = True
                raw = {c.name: shown(v) for c, v in zip(columns, part[index], strict=True)}
                reason = f"cell.not-{column.wanted or column.kind}".replace("local", "instant")
                wrong.append(BadCell(first + index, column.name, reason, shown(values[index]), raw))
        arrays.append(array)
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    if wrong:
        batch, rows = batch.filter(pa.array(~bad)), rows[~bad]
    return RawBatch(file, rows, batch, bad=wrong)


def _whole(column: DbColumn, type: pa.DataType, values: list[Any]) -> pa.Array | None:
    """The column at once; None when some cell is of another type than the column's."""
    kinds = set(map(_type, values)) - {_NONE}
    if not kinds <= _FITS[column.kind]:
        return None
    try:
        return pa.array(values, type)
    except (pa.ArrowException, OverflowError, ValueError):
        return None


def _one_by_one(
    column: DbColumn, type: pa.DataType, values: list[Any]
) -> tuple[pa.Array, list[int]]:
    kept: list[Any] = []
    misfits: list[int] = []
    for index, value in enumerate(values):
        if column.kind == "text" and isinstance(value, (int, float, Decimal, date)):
            value = str(value)  # a number in a column of text reads as it is written
        if value is not None and _whole(column, type, [value]) is None:
            misfits.append(index)
            value = None
        kept.append(value)
    return pa.array(kept, type), misfits


_type = type


def shown(value: Any) -> Any:
    r"""A value as the quarantine keeps it.

    Example:
        >>> shown(b"\xff"), shown(b"abc"), shown(12)
        ("b'\\xff'", 'abc', 12)
    """
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return repr(value)[:_SHOWN]
    return value if isinstance(value, (int, float, str, _NONE)) else str(value)
