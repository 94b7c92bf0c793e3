"""The SQL that makes tiles and position rows, written once and translated for each engine.

It is authored in DuckDB's dialect from parts that every engine has (no time-zone extension: the
zone's offsets are unrolled from tzdata), and `translate` turns it into another dialect.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from keepwell.observe.tiles import NEVER, TileSpec

MICROS_PER_DAY = 86_400_000_000
_MICROS_PER_HOUR = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(days=7)

SNAPSHOT, TRADED, TRADED_UNKNOWN, FIRST, SOLD = 0, 1, 2, 3, 4
"""Kinds of position rows: a holding, buys, trades of unknown quantity, a known first purchase,
sells."""


def micros(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exactly.

    Example:
        >>> micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
        1000005
    """
    return (instant - _EPOCH) // timedelta(microseconds=1)


@lru_cache
def offsets(zone: ZoneInfo, first: int, last: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """A zone's offsets between two days.

    Args:
        zone: the exchange's zone.
        first: day number at or before the first instant.
        last: day number after the last instant.

    Returns:
        The offset in microseconds at the beginning, and (instant in microseconds, offset from
        then on) of every change, ascending.
    """

    def at(moment: datetime) -> int:
        shift = moment.astimezone(zone).utcoffset() or timedelta()
        return shift // timedelta(microseconds=1)

    low = _EPOCH + timedelta(days=first - 2)
    end = _EPOCH + timedelta(days=last + 2)
    start, changes = at(low), []
    while low < end:
        high = low + _STEP
        if at(low) != at(high):
            left, right = low, high
            while right - left > timedelta(seconds=1):
                middle = left + (right - left) // 2
                middle = middle.replace(microsecond=0)
                if middle <= left:
                    break
                left, right = (middle, right) if at(middle) == at(left) else (left, middle)
            changes.append((micros(right), at(right)))
        low = high
    return start, tuple(changes)


class ZoneSql:
    """SQL expressions for local days in a zone.

    Args:
        zone: the exchange's zone.
        first: day number at or before the first instant that will be asked.
        last: day number after the last one.
    """

    def __init__(self, zone: ZoneInfo, first: int, last: int) -> None:
        self.start, self.changes = offsets(zone, first, last)

    def day(self, us: str) -> str:
        """Local day number of microseconds since 1970 (not before it)."""
        return f"CAST(({us} + {self._shift(us)}) // {MICROS_PER_DAY} AS INTEGER)"

    def hour(self, us: str) -> str:
        """Hour of the local clock, 0 to 23, of microseconds since 1970."""
        return f"CAST((({us} + {self._shift(us)}) // {_MICROS_PER_HOUR}) % 24 AS INTEGER)"

    def _shift(self, us: str) -> str:
        """The zone's offset at an instant, microseconds."""
        if not self.changes:
            return str(self.start)
        arms = " ".join(f"WHEN {us} >= {t} THEN {o}" for t, o in reversed(self.changes))
        return f"CASE {arms} ELSE {self.start} END"

    def known(self, column: str) -> str:
        """First day at whose midnight an instant has passed."""
        return f"({self.day(f'(epoch_us({column}) - 1)')} + 1)"

    def gone(self, column: str) -> str:
        """As `known`, of an instant that may never come."""
        return f"CASE WHEN {column} IS NULL THEN {NEVER} ELSE {self.known(column)} END"


def date_day(column: str) -> str:
    """Day number of a date column."""
    return f"date_diff('day', DATE '1970-01-01', {column})"


def tile_sql(
    spec: TileSpec, zone: ZoneSql, source: str, where: str = "", coded: bool = True
) -> str:
    """The tile rows of one table.

    Args:
        spec: the tile.
        zone: local days.
        source: relation of contract rows with known_at and gone_at.
        where: condition on `t` (the rows) and `e` (the dictionary: id, code).
        coded: give codes of the dictionary, in order; else `code` is the entity's id, in no order.

    Returns:
        A SELECT of code, day, known, gone and one column per measure (whole numbers; real ones
        float64), sorted by code, day, known, gone. The dictionary is the relation `entities`.
    """
    code, join, order = _entity(spec.entity, "code, tile_day, tile_known, tile_gone", coded)
    day = zone.day("epoch_us(t.at)") if spec.clock == "at" else date_day("t.day")
    measures = ", ".join(_measure(spec, i) for i in range(len(spec.measures)))
    hour = f"{zone.hour('epoch_us(t.at)')} AS tile_hour, " if "tile_hour" in measures else ""
    return (
        f"WITH rows AS (SELECT {code} AS code, {day} AS tile_day, {hour}"
        f"{zone.known('t.known_at')} AS tile_known, {zone.gone('t.gone_at')} AS tile_gone, t.* "
        f"FROM {source} AS t{join}{' WHERE ' + where if where else ''}) "
        f"SELECT code, tile_day AS day, tile_known AS known, tile_gone AS gone, {measures} "
        f"FROM rows GROUP BY code, tile_day, tile_known, tile_gone{order}"
    )


def _entity(column: str, keys: str, coded: bool) -> tuple[str, str, str]:
    """What stands for a row's entity, the join it needs, and the order of the result."""
    if not coded:
        return f"t.{column}", "", ""
    return "e.code", f" JOIN entities AS e ON e.id = t.{column}", f" ORDER BY {keys}"


def _measure(spec: TileSpec, i: int) -> str:
    measure = spec.measures[i]
    kind = "DOUBLE" if measure.real else "BIGINT"
    value = f"CAST({measure.sql} AS {kind})"
    if measure.merge in ("sum", "or"):
        value = f"coalesce({value}, 0)"
    return f"{value} AS m_{measure.name}"


def position_sql(
    zone: ZoneSql,
    holding: str | None,
    trade: str | None,
    where: Sequence[str] = ("", ""),
    first: str | None = None,
    coded: bool = True,
) -> str:
    """Position rows: holdings at a day's close, signed trades per day, known first purchases.

    Args:
        zone: local days.
        holding: relation of holding rows, or None.
        trade: relation of trade rows, or None.
        where: conditions on `t` and `e`, of holdings and of the others.
        first: relation of first_purchase rows, or None.
        coded: as in `tile_sql`; instruments have codes either way.

    Returns:
        A SELECT of code, day, known, gone, instrument (code), kind, quantity (10^-8 units), money
        (minor units: what a holding cost, what was paid or got; null where not all of it is known),
        sorted by code, instrument, day, kind, known, gone. Dictionaries: the relations `entities`
        and `instruments`.
    """
    parts = []
    if holding:
        cost = "CASE WHEN t.cost > 0 THEN t.cost END"
        what = ("t.quantity", str(SNAPSHOT), cost)
        parts.append(_position_part(zone, holding, date_day("t.day"), where[0], what, coded))
    if trade:
        kind = (
            f"CASE WHEN t.quantity IS NULL THEN {TRADED_UNKNOWN} "
            f"WHEN t.side = 'sell' THEN {SOLD} ELSE {TRADED} END"
        )
        signed = "CASE WHEN t.side = 'sell' THEN -t.quantity ELSE t.quantity END"
        day = zone.day("epoch_us(t.at)")
        what = (f"coalesce({signed}, 0)", kind, "t.amount")
        parts.append(_position_part(zone, trade, day, where[1], what, coded))
    if first:
        what = ("0", str(FIRST), "CAST(NULL AS BIGINT)")
        day = zone.day("epoch_us(t.at)")
        parts.append(_position_part(zone, first, day, where[1], what, coded))
    keys = "code, day, known, gone, instrument, kind"
    *_, order = _entity("client_id", "code, instrument, day, kind, known, gone", coded)
    return (
        f"SELECT {keys}, CAST(sum(quantity) AS BIGINT) AS quantity, "
        "CASE WHEN count(money) = count(*) THEN CAST(sum(money) AS BIGINT) END AS money "
        f"FROM ({' UNION ALL '.join(parts)}) AS rows GROUP BY {keys}{order}"
    )


def _position_part(
    zone: ZoneSql, source: str, day: str, where: str, what: tuple[str, str, str], coded: bool
) -> str:
    quantity, kind, money = what
    code, join, _ = _entity("client_id", "", coded)
    return (
        f"SELECT {code} AS code, {day} AS day, {zone.known('t.known_at')} AS known, "
        f"{zone.gone('t.gone_at')} AS gone, i.code AS instrument, {kind} AS kind, "
        f"{quantity} AS quantity, {money} AS money FROM {source} AS t{join} "
        f"JOIN instruments AS i ON i.id = t.instrument_id{' WHERE ' + where if where else ''}"
    )


def translate(sql: str, dialect: str) -> str:
    """The same query in another engine's dialect, such as "spark".

    Raises:
        sqlglot.errors.UnsupportedError: a part of it has no counterpart there.
    """
    import sqlglot
    from sqlglot import ErrorLevel, exp

    tree = sqlglot.parse_one(sql, read="duckdb")
    if dialect.startswith(("spark", "databricks")):
        for call in list(tree.find_all(exp.Anonymous)):
            if call.name.lower() == "epoch_us":
                call.set("this", "unix_micros")
    return str(tree.sql(dialect=dialect, unsupported_level=ErrorLevel.RAISE))
