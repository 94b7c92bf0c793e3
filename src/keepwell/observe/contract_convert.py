"""From what a select gives to what the lake holds: one column at a time, vectorised.

A select gives money and quantities in major units (decimals, doubles, whole numbers or their text)
and times as timestamps, dates or ISO 8601 text. The lake holds whole numbers and UTC instants.
What cannot be converted is named by a mask per reason; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from keepwell.core.errors import KeepwellError
from keepwell.core.money import AMOUNT_LIMIT, minor_exponent
from keepwell.observe.contract_time import DAY_US, local_days, to_instants
from keepwell.observe.contract_types import INSTANT_TYPE, Column, Kind

Mask = npt.NDArray[np.bool_]

QUANTITY_EXPONENT = 8
QUANTITY_LIMIT = 10**18
"""Beyond this many units of 10^-8 a quantity or a price is taken for an error."""

TEXT_LIMIT = 200
"""Longest identifier, in characters."""

_EARLIEST_DAY = -25567  # 1900-01-01
_LATEST_DAY = 47847  # 2101-01-01
_INSTANT_TEXT = (
    r"^(?P<d>\d{4}-\d{2}-\d{2})(?:[ T](?P<h>[01]\d|2[0-3]):(?P<m>[0-5]\d)"
    r"(?::(?P<s>[0-5]\d)(?:[.,](?P<f>\d{1,9}))?)?)?"
    r"\s*(?P<z>Z|z|UTC|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)?$"
)
_INVISIBLE = (
    r"[\x{00ad}\x{061c}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{feff}"
    r"\x{fff9}-\x{fffb}\x{e0000}-\x{e007f}]"
)
"""Marks of direction, spaces of no width, byte-order marks and the like."""
_TRUE = ["true", "t", "yes", "y", "1"]
_FALSE = ["false", "f", "no", "n", "0"]


@dataclass(frozen=True)
class Edge:
    """What a conversion needs to know of the workspace.

    Attributes:
        zone: the exchange's zone; times without a zone are in it.
        currency: ISO 4217 code of amounts without one.
    """

    zone: ZoneInfo
    currency: str


@dataclass
class Converted:
    """A column in the lake's type.

    Attributes:
        values: the column; NULL where absent or faulty.
        faults: (reason code, mask of the rows concerned), disjoint.
    """

    values: pa.Array
    faults: list[tuple[str, Mask]] = field(default_factory=list)

    def fault(self, reason: str, mask: Mask) -> None:
        """Name rows as faulty and take their values away."""
        mask = mask & ~self.faulty
        if mask.any():
            self.faults.append((reason, mask))
            self.values = pc.if_else(pa.array(mask), pa.scalar(None, self.values.type), self.values)

    @property
    def faulty(self) -> Mask:
        """Rows named faulty so far."""
        result = np.zeros(len(self.values), bool)
        for _, mask in self.faults:
            result |= mask
        return result


def convert(
    column: Column, values: pa.Array, edge: Edge, exponents: npt.NDArray[np.int64] | None = None
) -> Converted:
    """Convert one column of a select's result.

    Args:
        column: what the contract says of it.
        values: the column as the select gives it.
        edge: zone and currency of the workspace.
        exponents: MONEY only: minor-unit exponent of each row's currency; default: that of the
            workspace's currency.

    Returns:
        The column in the contract's type, with its faults. Rounding is half to even.
    """
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        return Converted(pa.nulls(len(values), column.arrow_type))
    if column.kind is Kind.TEXT:
        return _text(values)
    if column.kind is Kind.ENUM:
        return _choice(column, values)
    if column.kind is Kind.BOOL:
        return _boolean(values)
    if column.kind is Kind.DAY:
        return _days(values, edge.zone)
    if column.kind is Kind.INSTANT:
        return _instants(values, edge.zone)
    if column.kind is Kind.RATIO:
        return _ratio(column, values)
    if column.kind is Kind.INT:
        return _whole(column, values)
    if column.kind is Kind.MONEY:
        if exponents is None:
            exponents = np.full(len(values), minor_exponent(edge.currency))
        return _scaled(column, values, exponents, AMOUNT_LIMIT)
    fixed = np.full(len(values), QUANTITY_EXPONENT)
    return _scaled(column, values, fixed, QUANTITY_LIMIT)


def currencies(values: pa.Array | None, rows: int, edge: Edge) -> tuple[Converted, pa.Array]:
    """The currency column (upper case, the workspace's where absent) and each row's exponent.

    Args:
        values: the select's currency column, if it gives one.
        rows: number of rows.
        edge: zone and currency of the workspace.

    Returns:
        The converted column and the int64 exponents of its currencies.
    """
    if values is None or pa.types.is_null(values.type):
        converted = Converted(pa.repeat(pa.scalar(edge.currency, pa.string()), rows))
    else:
        converted = _text(values)
        converted.values = pc.fill_null(pc.utf8_upper(converted.values), edge.currency)
    known: dict[str, int] = {}
    unknown: list[str] = []
    for code in pc.unique(converted.values).to_pylist():
        try:
            known[code] = minor_exponent(code)
        except KeepwellError:
            unknown.append(code)
    bad = _np(pc.is_in(converted.values, pa.array(unknown, pa.string())))
    where = pc.index_in(converted.values, pa.array(list(known), pa.string()))
    places = np.array([*known.values(), 0], np.int64)
    exponents = places[_np(pc.fill_null(where, len(known)))]
    converted.fault("cell.unknown-currency", bad)
    return converted, exponents


def identifier_faults(converted: Converted) -> None:
    """Name identifiers that no system should have given: control characters, formulas, overlong."""
    text = converted.values
    converted.fault("cell.control-character", _matches(text, r"[\x00-\x1f\x7f-\x9f]"))
    # Two of them look alike and are not: 'C1', and 'C1' with a space of no width.
    converted.fault("cell.invisible-character", _matches(text, _INVISIBLE))
    # A negative number is a number, as some banks' keys are; anything else so begun is a formula.
    formula = _matches(text, r"^[=+\-@]") & ~_matches(text, r"^-\d+$")
    converted.fault("cell.formula", formula)
    converted.fault(
        "cell.too-long", _np(pc.fill_null(pc.greater(pc.utf8_length(text), TEXT_LIMIT), False))
    )


def _np(values: pa.Array) -> Any:
    return values.to_numpy(zero_copy_only=False)


def _matches(text: pa.Array, pattern: str) -> Mask:
    return np.asarray(_np(_matching(text, pattern)), bool)


def _matching(text: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(text, pattern), False)


def _text(values: pa.Array) -> Converted:
    kind = values.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        values = values.cast(pa.string())
    elif pa.types.is_floating(kind):
        numbers = _np(values)
        whole = bool(np.all(np.isnan(numbers) | (np.trunc(numbers) == numbers)))
        # A database hands 1001 over as 1001.0 when the column had gaps.
        values = (pc.cast(values, pa.int64(), safe=False) if whole else values).cast(pa.string())
    elif not pa.types.is_string(kind):
        try:
            values = values.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            result = Converted(pa.nulls(len(values), pa.string()))
            result.fault("cell.not-text", _np(pc.is_valid(values)).astype(bool))
            return result
    trimmed = pc.utf8_trim_whitespace(values)
    return Converted(pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed))


def _choice(column: Column, values: pa.Array) -> Converted:
    result = _text(values)
    lowered = pa.array([value.lower() for value in column.values])
    where = pc.index_in(pc.utf8_lower(result.values), lowered)
    unknown = _np(pc.and_(pc.is_valid(result.values), pc.is_null(where))).astype(bool)
    result.values = pc.take(pa.array(column.values), where)
    result.fault("cell.not-in-list", unknown)
    return result


def _boolean(values: pa.Array) -> Converted:
    if pa.types.is_boolean(values.type):
        return Converted(values)
    text = _text(values)
    lowered = pc.utf8_lower(text.values)
    yes = pc.is_in(lowered, pa.array(_TRUE))
    known = pc.or_(yes, pc.is_in(lowered, pa.array(_FALSE)))
    result = Converted(
        pc.if_else(pc.is_valid(lowered), yes, pa.scalar(None, pa.bool_())), text.faults
    )
    result.fault("cell.not-boolean", _np(pc.and_(pc.is_valid(lowered), pc.invert(known))))
    return result


def _numbers(values: pa.Array) -> tuple[npt.NDArray[np.float64], Mask, Mask]:
    """Doubles (0 where absent), which rows have a value, and which of those are no numbers."""
    there = _np(pc.is_valid(values)).astype(bool)
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        text = _text(values).values
        there = _np(pc.is_valid(text)).astype(bool)
        shaped = _matches(text, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$")
        text = pc.if_else(pa.array(shaped), text, pa.scalar(None, pa.string()))
        doubles = _np(pc.fill_null(pc.cast(pc.utf8_ltrim(text, "+"), pa.float64()), 0.0))
        return doubles.astype(np.float64), there, there & (~shaped | ~np.isfinite(doubles))
    if pa.types.is_temporal(kind):  # a length of time is no number: of what unit?
        return np.zeros(len(values)), there, there
    try:
        doubles = _np(pc.fill_null(pc.cast(values, pa.float64(), safe=False), 0.0))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return np.zeros(len(values)), there, there
    return doubles.astype(np.float64), there, there & ~np.isfinite(doubles)


def _ratio(column: Column, values: pa.Array) -> Converted:
    numbers, there, bad = _numbers(values)
    result = Converted(pa.array(numbers, mask=~there))
    result.fault("cell.not-double", bad)
    result.fault("cell.out-of-range", there & _outside(column, numbers))
    return result


def _whole(column: Column, values: pa.Array) -> Converted:
    numbers, there, bad = _numbers(values)
    fits = ~bad & (np.abs(np.where(bad, 0.0, numbers)) < 2.0**63)
    if pa.types.is_integer(values.type) and values.type != pa.uint64():
        integers = _np(pc.fill_null(values.cast(pa.int64()), 0)).astype(np.int64)
    else:
        integers = np.where(fits, numbers, 0.0).astype(np.int64)
    result = Converted(pa.array(integers, mask=~there))
    result.fault("cell.not-integer", bad | (fits & there & (np.trunc(numbers) != numbers)))
    result.fault("cell.too-large", there & ~fits)
    if column.low == 0:
        result.fault("cell.below-zero", there & (integers < 0))
    result.fault("cell.out-of-range", there & _outside(column, numbers))
    return result


def _outside(column: Column, numbers: npt.NDArray[np.float64]) -> Mask:
    mask = np.zeros(len(numbers), bool)
    if column.low is not None:
        mask |= numbers < column.low
    if column.high is not None:
        mask |= numbers > column.high
    return mask


def _scaled(
    column: Column, values: pa.Array, exponents: npt.NDArray[np.int64], limit: int
) -> Converted:
    numbers, there, bad = _numbers(values)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.where(bad, 0.0, numbers) * 10.0**exponents
    fits = np.abs(scaled) <= limit
    if pa.types.is_decimal(values.type):
        usable = pc.if_else(pa.array(fits & there), values, pa.scalar(None, values.type))
        integers = _decimal_units(usable, exponents)
    elif pa.types.is_integer(values.type):
        whole = _np(pc.fill_null(pc.cast(values, pa.int64(), safe=False), 0)).astype(np.int64)
        integers = np.where(fits, whole, 0) * 10**exponents
    else:
        integers = np.rint(np.where(fits, scaled, 0.0)).astype(np.int64)
    result = Converted(pa.array(integers, mask=~there))
    result.fault("cell.not-double", bad)
    result.fault("cell.too-large", there & ~fits)
    if not column.signed:
        result.fault("cell.below-zero", there & (integers < 0))
    return result


def _decimal_units(values: pa.Array, exponents: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Decimals times 10^exponent as whole numbers, rounded half to even; absent ones as 0."""
    result = np.zeros(len(values), np.int64)
    for exponent in np.unique(exponents):
        rows = exponents == exponent
        some = values.filter(pa.array(rows))
        if values.type.scale > exponent:
            some = pc.round(some, ndigits=int(exponent), round_mode="half_to_even")
        some = pc.fill_null(some.cast(pa.decimal128(38, int(exponent))), 0)
        if isinstance(some, pa.ChunkedArray):
            some = some.combine_chunks()
        # A decimal128 is a little-endian 128-bit whole number; all that passed fit in its low half.
        low = np.frombuffer(some.buffers()[1], "<i8")[::2]
        result[rows] = low[some.offset : some.offset + len(some)]
    return result


def _days(values: pa.Array, zone: ZoneInfo) -> Converted:
    kind = values.type
    if pa.types.is_date32(kind):
        return _bounded_days(_np(pc.fill_null(values.cast(pa.int32()), 0)), values)
    if pa.types.is_date64(kind):
        return _days(values.cast(pa.date32()), zone)
    if pa.types.is_timestamp(kind):
        micros = _np(pc.fill_null(_micros(values), 0)).astype(np.int64)
        days = micros // DAY_US
        if kind.tz is not None:
            sane = (days >= _EARLIEST_DAY) & (days < _LATEST_DAY)
            days = np.where(sane, local_days(np.where(sane, micros, 0), zone), days)
        return _bounded_days(days, values)
    text = _text(values)
    there = _np(pc.is_valid(text.values)).astype(bool)
    days, read = _day_text(text.values)
    result = _bounded_days(days, pa.array(days, mask=~read))
    result.fault("cell.not-date", there & ~read)
    return result


def _day_text(text: pa.Array) -> tuple[npt.NDArray[np.int64], Mask]:
    """Day numbers of YYYY-MM-DD, and which texts are such a day of the calendar."""
    parsed = pc.strptime(text, format="%Y-%m-%d", unit="s", error_is_null=True)
    days = _np(pc.fill_null(parsed.cast(pa.int64()), 0)).astype(np.int64) // 86_400
    # strptime takes 30 February for 2 March, and 2021-7-1: only what reads back the same is a day.
    back = pa.array(days.astype(np.int32)).cast(pa.date32()).cast(pa.string())
    return days, _np(pc.fill_null(pc.equal(back, text), False)).astype(bool)


def _bounded_days(days: npt.NDArray[np.generic], given: pa.Array) -> Converted:
    there = _np(pc.is_valid(given)).astype(bool)
    numbers = days.astype(np.int64)
    sane = (numbers >= _EARLIEST_DAY) & (numbers < _LATEST_DAY)
    kept = np.where(sane, numbers, 0).astype(np.int32)
    result = Converted(pa.array(kept, mask=~there).cast(pa.date32()))
    result.fault("cell.out-of-range", there & ~sane)
    return result


def _micros(values: pa.Array) -> pa.Array:
    """A timestamp column's numbers in microseconds; out-of-range seconds stay out of range."""
    unit = values.type.unit
    raw = values.cast(pa.int64())
    if unit == "us":
        return raw
    if unit == "ns":
        absent = _np(pc.is_null(raw)).astype(bool)
        return pa.array(_np(pc.fill_null(raw, 0)).astype(np.int64) // 1000, mask=absent)
    return pc.multiply(raw, 1_000_000 if unit == "s" else 1000)


def _instants(values: pa.Array, zone: ZoneInfo) -> Converted:
    kind = values.type
    if pa.types.is_date64(kind):
        values, kind = values.cast(pa.date32()), pa.date32()
    if pa.types.is_date(kind):
        days = _np(pc.fill_null(values.cast(pa.int32()), 0)).astype(np.int64)
        there = _np(pc.is_valid(values)).astype(bool)
        return _bounded(days * DAY_US, there, zone, np.ones(len(values), bool))
    if pa.types.is_timestamp(kind):
        micros = _np(pc.fill_null(_micros(values), 0)).astype(np.int64)
        return _bounded(
            micros,
            _np(pc.is_valid(values)).astype(bool),
            zone,
            np.full(len(values), kind.tz is None),
        )
    text = _text(values)
    there = _np(pc.is_valid(text.values)).astype(bool)
    micros, naive, read = _instant_text(text.values)
    result = _bounded(micros, there & read, zone, naive)
    result.fault("cell.not-instant", there & ~read)
    return result


def _bounded(micros: npt.NDArray[np.int64], there: Mask, zone: ZoneInfo, naive: Mask) -> Converted:
    """Instants from UTC microseconds or, where naive, from local ones; 1900 to 2100."""
    sane = (micros >= _EARLIEST_DAY * DAY_US) & (micros < _LATEST_DAY * DAY_US)
    result = np.where(sane, micros, 0)
    local = naive & there & sane
    result[local] = to_instants(result[local], zone)
    converted = Converted(pa.array(result, mask=~there).cast(INSTANT_TYPE))
    converted.fault("cell.out-of-range", there & ~sane)
    return converted


def _instant_text(text: pa.Array) -> tuple[npt.NDArray[np.int64], Mask, Mask]:
    """ISO 8601 text: microseconds (UTC where an offset is given, else local), naive, readable."""
    parts = pc.extract_regex(text, _INSTANT_TEXT)

    def part(name: str) -> pa.Array:
        found = pc.struct_field(parts, name)
        return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)

    def number(values: pa.Array) -> npt.NDArray[np.int64]:
        return np.asarray(_np(pc.fill_null(values.cast(pa.int64()), 0)), np.int64)

    days, read = _day_text(part("d"))
    fraction = number(pc.utf8_slice_codeunits(pc.utf8_rpad(part("f"), 6, "0"), 0, 6))
    seconds = days * 86_400 + number(part("h")) * 3600 + number(part("m")) * 60 + number(part("s"))
    zone = part("z")
    naive = _np(pc.is_null(zone)).astype(bool)
    offset = pc.if_else(_matching(zone, r"^[+-]"), zone, pa.scalar("+00", pa.string()))
    digits = pc.utf8_rpad(pc.replace_substring_regex(offset, r"[+\-:]", ""), 4, "0")
    minutes = number(pc.utf8_slice_codeunits(digits, 0, 2)) * 60 + number(
        pc.utf8_slice_codeunits(digits, 2, 4)
    )
    sign = np.where(_matches(offset, r"^-"), -1, 1)
    return seconds * 1_000_000 + fraction - sign * minutes * 60_000_000, naive, read
