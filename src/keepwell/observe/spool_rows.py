"""Rows of the contract as JSON: checked one by one, turned into the columns of a select.

JSON has fewer types than the contract: money, quantities and prices come as numbers or text and
are taken exactly as written; instants carry their offset; a text that is a number is a fault.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_05UP, Context, Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa

from keepwell.observe.contract import SYSTEM_COLUMNS, Column, Kind, Table
from keepwell.observe.contract_types import DELETED
from keepwell.observe.validate import Context as Circumstances
from keepwell.observe.validate import examine

Row = dict[str, Any]
Fault = tuple[int, str, str]
"""(row, column, reason code)."""

FORMATS: Final = {
    "cell.not-date": "YYYY-MM-DD",
    "cell.not-instant": "YYYY-MM-DDThh:mm:ss+hh:mm",
}
"""What is expected, by reason code."""

_DECIMAL: Final = pa.decimal128(38, 12)
_STEP: Final = Decimal("1e-12")
_LIMIT: Final = Decimal(10) ** 20
_EXACT: Final = Context(prec=60)
_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?")
_ZONED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*(Z|z|[+-]\d\d(:?\d\d)?)")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_INT64 = 2**63


@dataclass(frozen=True)
class Checked:
    """What came of rows.

    Attributes:
        good: rows in the lake's types, as `validate` gives them.
        faults: of the other rows, ascending.
    """

    good: pa.Table
    faults: list[Fault]

    @property
    def rejected(self) -> int:
        """Number of rows at fault."""
        return len({row for row, _, _ in self.faults})


class _Refused(Exception):
    """A cell that cannot be what its column says; its argument is the reason code."""


def columns_of(table: Table) -> list[str]:
    """Columns that a row may have: the contract's, `revision` and `deleted`."""
    return [*table.names, "revision", DELETED.name]


def check(
    table: Table,
    rows: Sequence[Row],
    context: Circumstances,
    known_at: pa.Array | None = None,
    refused: Sequence[int] = (),
) -> Checked:
    """Hold rows against the contract.

    Args:
        table: the contract table.
        rows: cells by column; columns not among `columns_of` are not looked at.
        context: the circumstances of the check.
        known_at: when each row became known; default: the context's now.
        refused: rows that were found faulty before and stay so.
    """
    n = len(rows)
    faults: list[Fault] = []
    columns: dict[str, pa.Array] = {}
    for column in (*table.columns, SYSTEM_COLUMNS[1], DELETED):
        if any(column.name in row for row in rows):
            cells, wrong = _cells(column, rows)
            faults += [(row, column.name, reason) for row, reason in wrong]
            columns[column.name] = cells
    if known_at is not None:
        columns["known_at"] = known_at
    if not columns:
        columns["client_id"] = pa.nulls(n, pa.string())
    bad = np.zeros(n, bool)
    bad[[row for row, _, _ in faults]] = True
    bad[list(refused)] = True
    good, further = examine(table, pa.table(columns), context, bad)
    told = {(row, column) for row, column, _ in faults}
    faults += [fault for fault in further if fault[:2] not in told]
    return Checked(good, sorted(faults))


def _cells(column: Column, rows: Sequence[Row]) -> tuple[pa.Array, list[tuple[int, str]]]:
    read, kind = _READERS[column.kind]
    values: list[Any] = []
    wrong: list[tuple[int, str]] = []
    for place, row in enumerate(rows):
        cell = row.get(column.name)
        if cell is not None:
            try:
                cell = read(cell)
            except _Refused as reason:
                wrong.append((place, str(reason)))
                cell = None
        values.append(cell)
    return pa.array(values, kind), wrong


def _text(cell: Any) -> str:
    if not isinstance(cell, str):
        raise _Refused("cell.not-text")
    if _UNSTORABLE.search(cell):
        raise _Refused("cell.control-character")
    return cell


def _instant(cell: Any) -> str:
    if not isinstance(cell, str):
        raise _Refused("cell.not-instant")
    if not _ZONED.fullmatch(cell.strip()):
        raise _Refused("cell.no-zone" if re.match(r"\d{4}-\d\d-\d\d", cell) else "cell.not-instant")
    return cell


def _day(cell: Any) -> str:
    if not isinstance(cell, str) or _UNSTORABLE.search(cell):
        raise _Refused("cell.not-date")
    return cell


def _whole(cell: Any) -> int:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, bool) or not isinstance(cell, int):
        raise _Refused("cell.not-integer")
    if not -_INT64 <= cell < _INT64:
        raise _Refused("cell.too-large")
    return cell


def _ratio(cell: Any) -> float:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise _Refused("cell.not-double")
    try:
        value = float(cell)
    except OverflowError:
        raise _Refused("cell.too-large") from None
    if not math.isfinite(value):
        raise _Refused("cell.not-double")
    return value


def _decimal(cell: Any) -> Decimal:
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        raise _Refused("cell.not-decimal")
    if isinstance(cell, str):
        if not _NUMBER.fullmatch(cell.strip()):
            raise _Refused("cell.not-decimal")
        value = Decimal(cell.strip())
    elif isinstance(cell, float):
        if not math.isfinite(cell):
            raise _Refused("cell.not-decimal")
        value = Decimal(repr(cell))  # as it was written
    else:
        value = Decimal(cell)
    if abs(value) >= _LIMIT:
        raise _Refused("cell.too-large")
    # Rounded so that rounding once more, to the currency's units, gives what rounding once would.
    return value.quantize(_STEP, ROUND_05UP, _EXACT)


def _truth(cell: Any) -> bool:
    if not isinstance(cell, bool):
        raise _Refused("cell.not-boolean")
    return cell


_READERS: Final[dict[Kind, tuple[Callable[[Any], Any], pa.DataType]]] = {
    Kind.TEXT: (_text, pa.string()),
    Kind.ENUM: (_text, pa.string()),
    Kind.INT: (_whole, pa.int64()),
    Kind.RATIO: (_ratio, pa.float64()),
    Kind.MONEY: (_decimal, _DECIMAL),
    Kind.QUANTITY: (_decimal, _DECIMAL),
    Kind.PRICE: (_decimal, _DECIMAL),
    Kind.INSTANT: (_instant, pa.string()),
    Kind.DAY: (_day, pa.string()),
    Kind.BOOL: (_truth, pa.bool_()),
}
