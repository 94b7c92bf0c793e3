"""From arrays of numbers to Arrow columns, without a Python loop over rows.

Money goes out as decimal(18, 2) and quantities as decimal(18, 8): exact, and as cheap to write and
to read as doubles, since Parquet holds both as 64-bit whole numbers. Words and ids that repeat are
dictionary columns, which Parquet takes over as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

INSTANT = pa.timestamp("us", "UTC")
MONEY = pa.decimal128(18, 2)
QUANTITY = pa.decimal128(18, 8)

DAY_US = 86_400_000_000
OFFSET_US = 8 * 3_600_000_000
"""Asia/Shanghai is 8 hours ahead of UTC and has not changed its clocks since 1991."""


def instants(day: Any, second: Any) -> Numbers:
    """UTC microseconds of seconds of local days.

    Args:
        day: day numbers (or one) on the calendar of Asia/Shanghai.
        second: seconds since the local midnight; may exceed a day.

    Example:
        >>> int(instants(np.int32(1), np.int32(0))) // 3_600_000_000
        16
    """
    days = np.asarray(day, np.int64) * DAY_US - OFFSET_US
    return np.asarray(days + np.asarray(second, np.int64) * 1_000_000, np.int64)


def instant(micros: Numbers, present: Mask | None = None) -> pa.Array:
    """UTC microseconds as an instant column; null where not present."""
    return _plain(micros, np.int64, pa.int64(), present).view(INSTANT)


def same_instant(micros: int, rows: int) -> pa.Array:
    """One instant for all rows."""
    return instant(np.full(rows, micros, np.int64))


def date(days: Numbers, present: Mask | None = None) -> pa.Array:
    """Day numbers as a date column; null where not present."""
    return _plain(days, np.int32, pa.int32(), present).view(pa.date32())


def same_date(day: int, rows: int) -> pa.Array:
    """One day for all rows."""
    return date(np.full(rows, day, np.int32))


def money(fen: Numbers, present: Mask | None = None) -> pa.Array:
    """Whole fen as yuan with two decimals."""
    return _decimal(fen, MONEY, present)


def quantity(units: Numbers, present: Mask | None = None) -> pa.Array:
    """Units of 10^-8 as a quantity with eight decimals."""
    return _decimal(units, QUANTITY, present)


def whole(values: Numbers, present: Mask | None = None) -> pa.Array:
    """Whole numbers as int32; null where not present."""
    return _plain(values, np.int32, pa.int32(), present)


def ratio(values: Numbers, present: Mask | None = None) -> pa.Array:
    """Doubles; null where not present or not finite."""
    finite = np.isfinite(values)
    if present is not None:
        finite &= present
    return _plain(values, np.float64, pa.float64(), finite)


def flag(values: Numbers, present: Mask | None = None) -> pa.Array:
    """Zero and not zero as false and true."""
    absent = None if present is None else ~present
    return pa.array(np.asarray(values) != 0, mask=absent)


class Words:
    """A column's vocabulary.

    Args:
        words: the word of each code; an empty word is null.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.pool = pa.array(list(words), pa.string())
        self._empty = np.array([word == "" for word in words])

    def column(self, codes: Numbers, present: Mask | None = None) -> pa.Array:
        """The words of codes, as a dictionary column.

        Args:
            codes: whole numbers from 0 on.
            present: rows that have a word; default all. Their code counts, no other's.
        """
        if self._empty.any():
            known = np.ones(len(codes), bool) if present is None else present
            present = known & ~self._empty[np.where(known, codes, 0)]
        absent = None if present is None else ~present
        indices = pa.array(np.ascontiguousarray(codes), mask=absent)
        return pa.DictionaryArray.from_arrays(indices, self.pool)

    def text(self, codes: Numbers, present: Mask | None = None) -> pa.Array:
        """The same as plain text, for vocabularies that are larger than the column."""
        return self.column(codes, present).dictionary_decode()


class Ids:
    """Ids of one length, so that a column of them is one gather of bytes.

    Args:
        ids: text column without nulls, all of the same number of ASCII characters; others work
            too, only slower.
    """

    def __init__(self, ids: pa.Array) -> None:
        self.pool = ids
        encoded = ids.to_numpy(zero_copy_only=False).astype("S") if len(ids) else np.empty(0, "S1")
        width = encoded.dtype.itemsize
        lengths = np.char.str_len(encoded) if len(ids) else np.empty(0, np.int64)
        self._bytes = encoded if np.all(lengths == width) else None
        self.width = width

    def column(self, index: Numbers) -> pa.Array:
        """The ids at some places."""
        if self._bytes is None:
            return self.pool.take(pa.array(np.ascontiguousarray(index)))
        found = self._bytes[index]
        return fixed_text(found.view(np.uint8).reshape(len(found), self.width))

    def bytes_of(self, index: Numbers) -> npt.NDArray[np.uint8]:
        """The characters of the ids at some places [rows, width]."""
        if self._bytes is None:
            raise ValueError("ids of different lengths")
        return self._bytes[index].view(np.uint8).reshape(len(index), self.width)


def fixed_text(characters: npt.NDArray[np.uint8]) -> pa.Array:
    """Rows of ASCII characters [rows, width] as a text column."""
    rows, width = characters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    data = np.ascontiguousarray(characters)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data))


def digits(values: Numbers, width: int) -> npt.NDArray[np.uint8]:
    """Whole numbers from 0 on as decimal digits with leading zeros [rows, width]."""
    left = np.asarray(values, np.int64)
    result = np.empty((len(left), width), np.uint8)
    for place in range(width - 1, -1, -1):
        left, result[:, place] = np.divmod(left, 10)
    result += ord("0")
    return result


_COUNTER_WIDTH = 7
_counted = [digits(np.arange(1024), _COUNTER_WIDTH)]


def numbered(prefix: str, rows: int) -> pa.Array:
    """A prefix followed by 0000000, 0000001, ... as a text column.

    Raises:
        ValueError: more than ten million rows.
    """
    if rows > 10**_COUNTER_WIDTH:
        raise ValueError(f"{rows} rows of {prefix}")
    counted = _counted[0]
    if rows > len(counted):
        counted = _counted[0] = digits(np.arange(max(rows, 2 * len(counted))), _COUNTER_WIDTH)
    head = np.frombuffer(prefix.encode("ascii"), np.uint8)
    result = np.empty((rows, len(head) + _COUNTER_WIDTH), np.uint8)
    result[:, : len(head)] = head
    result[:, len(head) :] = counted[:rows]
    return fixed_text(result)


def glued(*parts: npt.NDArray[np.uint8] | str) -> pa.Array:
    """Text put together from fixed characters and from blocks of characters [rows, width]."""
    rows = next(len(part) for part in parts if not isinstance(part, str))
    blocks = [
        np.broadcast_to(np.frombuffer(part.encode("ascii"), np.uint8), (rows, len(part)))
        if isinstance(part, str)
        else part
        for part in parts
    ]
    return fixed_text(np.concatenate(blocks, axis=1))


def _plain(values: Numbers, kind: type, arrow: pa.DataType, present: Mask | None) -> pa.Array:
    numbers: npt.NDArray[Any] = np.ascontiguousarray(values, kind)
    if present is None or present.all():
        return pa.array(numbers, arrow)
    return pa.array(numbers, arrow, mask=~present)


def _decimal(values: Numbers, kind: pa.DataType, present: Mask | None) -> pa.Array:
    # A decimal128 is a little-endian 128-bit whole number; the upper half repeats the sign.
    wide = np.empty((len(values), 2), "<i8")
    wide[:, 0] = values
    wide[:, 1] = wide[:, 0] >> 63
    bits = None
    if present is not None and not present.all():
        bits = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bits, pa.py_buffer(wide)])
