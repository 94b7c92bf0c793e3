"""Rows of a select held against the contract: what passes goes on in the lake's types.

Every check is a whole-column expression. A row with any fault is rejected, and each fault is named:
column, reason, value, the row's key and the row itself. Instants without a zone are in the
workspace's zone; a date given for an instant is the midnight at which it begins there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from keepwell.core.days import local_day
from keepwell.observe.contract import INSTANT_TYPE, SYSTEM_COLUMNS, Column, Kind, Table
from keepwell.observe.contract_convert import (
    Converted,
    Edge,
    Mask,
    convert,
    currencies,
    identifier_faults,
)
from keepwell.observe.contract_time import DAY_US, local_days, micros, midnights, to_instants
from keepwell.observe.contract_time import to_local as to_local_time
from keepwell.observe.contract_types import DELETED

REJECT_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("source", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("column", pa.string()),
        ("key", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("raw", pa.string()),
    ]
)
"""One fault of one row. `reason` is a code of `core.errors.REASONS`, `detail` its fields as JSON,
`key` and `raw` the row's key and the whole row as JSON; `file` and `row` are absent after a
select, `column` when the fault is the row's."""


@dataclass(frozen=True)
class Openings:
    """When clients were opened, as far as known.

    Attributes:
        clients: client ids (text), each once.
        days: day number of each one's opening.
    """

    clients: pa.Array
    days: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: pa.Table) -> Openings:
        """The earliest opening per client.

        Args:
            rows: columns client_id and opened_on (date32).
        """
        known = rows.filter(pc.is_valid(rows["opened_on"]))
        least = known.group_by("client_id").aggregate([("opened_on", "min")])
        days = least["opened_on_min"].cast(pa.int32()).to_numpy().astype(np.int64)
        return cls(least["client_id"].combine_chunks(), days)


@dataclass(frozen=True)
class Context:
    """What the checks need besides the rows.

    Attributes:
        zone: the exchange's zone.
        currency: ISO 4217 code of amounts without one.
        now: the instant of the ingest; nothing happened after it.
        source: name of the source or sources of the select.
        backfill: rows were known `delay_days` after they happened, not now.
        delay_days: the source's usual delay, in calendar days.
        openings: when clients were opened; None: not known.
        skew_us: microseconds by which the clock of events may run ahead of ours, and of the
            `known_at` that a select gives.
    """

    zone: ZoneInfo
    currency: str
    now: datetime
    source: str = ""
    backfill: bool = False
    delay_days: int = 0
    openings: Openings | None = None
    skew_us: int = 0


class Validated(NamedTuple):
    """What came of a batch.

    Attributes:
        good: rows that pass: contract columns, `known_at`, `revision`, `source`; no `row_hash`.
        rejects: faults (`REJECT_SCHEMA`), one or more per rejected row.
        rejected: number of rejected rows.
    """

    good: pa.Table
    rejects: pa.Table
    rejected: int


def validate(table: Table, batch: pa.RecordBatch | pa.Table, context: Context) -> Validated:
    """Check a batch of a select's rows and convert it.

    Args:
        table: the contract table.
        batch: the select's rows: contract columns in major units, and `known_at` or `revision`.
        context: the ingest's circumstances.

    Returns:
        The good rows and the faults of the others.
    """
    return _checked(table, batch, context).finish()


def examine(
    table: Table, batch: pa.RecordBatch | pa.Table, context: Context, bad: Mask
) -> tuple[pa.Table, list[tuple[int, str, str]]]:
    """Check a batch as `validate` does, and say by number which rows are at fault.

    Args:
        table: the contract table.
        batch: rows as for `validate`.
        context: the ingest's circumstances.
        bad: rows known to be faulty already; they are checked all the same, but never good.

    Returns:
        The good rows, as `Validated.good`, and (row, column, reason code), ascending.
    """
    job = _checked(table, batch, context)
    faults = [
        (int(row), column, reason)
        for column, result in job.done.items()
        for reason, mask in result.faults
        for row in np.flatnonzero(mask)
    ]
    return job.rows_but(bad | job.bad()), sorted(faults)


def _checked(table: Table, batch: pa.RecordBatch | pa.Table, context: Context) -> _Job:
    given = {name: _flat(batch.column(name)) for name in batch.schema.names}
    job = _Job(table, given, batch.num_rows, context)
    for column in (*table.columns, *SYSTEM_COLUMNS[:2], DELETED):
        job.convert(column)
    job.require()
    job.order_in_time()
    return job


@dataclass
class _Job:
    table: Table
    given: dict[str, pa.Array]
    rows: int
    context: Context
    done: dict[str, Converted] = field(default_factory=dict)
    exponents: npt.NDArray[np.int64] | None = None

    def convert(self, column: Column) -> None:
        edge = Edge(self.context.zone, self.context.currency)
        values = self.given.get(column.name)
        if self.exponents is None and "currency" in self.table.by_name:
            self.done["currency"], self.exponents = currencies(
                self.given.get("currency"), self.rows, edge
            )
        if column.name == "currency":
            return
        if values is None:
            self.done[column.name] = Converted(pa.nulls(self.rows, column.arrow_type))
            return
        self.done[column.name] = convert(column, values, edge, self.exponents)
        if column.name in self.table.by_name and self.table.is_id(column.name):
            identifier_faults(self.done[column.name])

    def require(self) -> None:
        """Nothing needed is absent; a deletion needs its key and its revision."""
        deleted = self.deleted()
        for name in self.table.required:
            absent = self.done[name].values.is_null().to_numpy(zero_copy_only=False)
            needed = absent if name in self.table.key else absent & ~deleted
            self.done[name].fault("cell.missing", needed)
        result = self.done["revision"]
        result.fault("cell.missing", deleted & ~_there(result))

    def deleted(self) -> Mask:
        """Which rows take back their key."""
        values = pc.fill_null(self.done["deleted"].values, False)
        return np.asarray(values.to_numpy(zero_copy_only=False), bool)

    def order_in_time(self) -> None:
        """Nothing happened after now, nor before the client came."""
        now, today = micros(self.context.now), local_day(self.context.now, self.context.zone)
        for column in (*self.table.columns, SYSTEM_COLUMNS[0]):
            if column.past or column.name in (self.table.clock, "known_at"):
                result = self.done[column.name]
                there = _there(result)
                limit = now if column.kind is Kind.INSTANT else today
                if column.name == "at":
                    limit += self.context.skew_us
                result.fault("row.in-future", there & (_numbers(result) > limit))
        if self.table.clock == "at":
            known, at = self.done["known_at"], self.done["at"]
            ahead = _numbers(at) - _numbers(known) > self.context.skew_us
            at.fault("row.ahead-of-known", _there(at) & _there(known) & ahead)
        result = self.done["revision"]
        result.fault("cell.below-zero", _there(result) & (_numbers(result) < 0))
        clock, openings = self.table.clock, self.context.openings
        if openings and clock in ("at", "day") and "client_id" in self.done:
            result = self.done[clock]
            days = _numbers(result)
            if clock == "at":
                days = local_days(days, self.context.zone)
            where = pc.index_in(self.done["client_id"].values, openings.clients)
            index = pc.fill_null(where, len(openings.clients)).to_numpy(zero_copy_only=False)
            opened = np.append(openings.days, np.iinfo(np.int64).min)[index]
            result.fault("row.before-opening", _there(result) & (days < opened))

    def bad(self) -> Mask:
        """Which rows have a fault."""
        bad = np.zeros(self.rows, bool)
        for result in self.done.values():
            bad |= result.faulty
        return bad

    def finish(self) -> Validated:
        bad = self.bad()
        good = self.rows_but(bad)
        if not bad.any():
            return Validated(good, REJECT_SCHEMA.empty_table(), 0)
        return Validated(good, self._rejects(bad), int(bad.sum()))

    def rows_but(self, bad: Mask) -> pa.Table:
        """The rows that are not bad, in the lake's types."""
        names = [*self.table.names, "known_at", "revision"]
        columns = {name: self.done[name].values for name in names}
        columns["known_at"] = self._known_at()
        columns["revision"] = pc.fill_null(columns["revision"], 0)
        columns["source"] = pa.repeat(pa.scalar(self.context.source, pa.string()), self.rows)
        columns["deleted"] = pa.array(self.deleted(), mask=~self.deleted())
        rows = pa.table(columns)
        return rows.filter(pa.array(~bad)) if bad.any() else rows

    def _known_at(self) -> pa.Array:
        """When each row was known: as the select says, else by the rule for backfills, else now.

        That a row was taken back is never known by the rule: its clock is not the deletion's.
        """
        context, clock = self.context, self.table.clock
        now = micros(context.now)
        happened = np.zeros(self.rows, np.int64)
        usual = np.full(self.rows, now)
        if clock == "day":
            days = _numbers(self.done[clock])
            happened = midnights(days, context.zone)
            if context.backfill:
                # A day's close is known when the day has ended, plus the delay.
                usual = midnights(days + 1 + context.delay_days, context.zone)
        elif clock:
            happened = _numbers(self.done[clock])
            if context.backfill:
                later = to_local_time(happened, context.zone) + context.delay_days * DAY_US
                usual = to_instants(later, context.zone)
        elif context.backfill and self.table.timeless:
            usual = happened
        given = self.done["known_at"]
        # Nothing is known before it happened.
        stated = np.maximum(_numbers(given), happened)
        usual = np.where(self.deleted(), now, np.maximum(np.minimum(usual, now), happened))
        chosen = np.where(_there(given), stated, usual)
        return pa.array(chosen).cast(INSTANT_TYPE)

    def _rejects(self, bad: Mask) -> pa.Table:
        where = np.flatnonzero(bad)
        rows = pa.table(self.given).take(pa.array(where)).to_pylist()
        raw = pa.array([as_json(row) for row in rows], pa.string())
        keys = pa.array(
            [as_json({name: row.get(name) for name in self.table.key}) for row in rows],
            pa.string(),
        )
        parts = []
        for column, result in self.done.items():
            for reason, mask in result.faults:
                picked = np.flatnonzero(mask[where])
                values = (rows[i].get(column) for i in picked)
                parts.append(self._part(column, reason, values, keys, raw, picked))
        return pa.concat_tables(parts)

    def _part(
        self,
        column: str,
        reason: str,
        values: Iterable[Any],
        keys: pa.Array,
        raw: pa.Array,
        picked: npt.NDArray[np.int64],
    ) -> pa.Table:
        count = len(picked)
        index = pa.array(picked)
        return pa.table(
            {
                "table": pa.repeat(pa.scalar(self.table.name), count),
                "source": pa.repeat(pa.scalar(self.context.source), count),
                "file": pa.nulls(count, pa.string()),
                "row": pa.nulls(count, pa.int64()),
                "column": pa.repeat(pa.scalar(column), count),
                "key": keys.take(index),
                "reason": pa.repeat(pa.scalar(reason), count),
                "detail": [
                    as_json({"value": value, "format": _FORMATS.get(reason, "")})
                    for value in values
                ],
                "raw": raw.take(index),
            },
            schema=REJECT_SCHEMA,
        )


_FORMATS = {"cell.not-date": "YYYY-MM-DD", "cell.not-instant": "YYYY-MM-DD hh:mm:ss"}


def as_json(value: dict[str, Any]) -> str:
    """A row as JSON text: Chinese stays Chinese; dates, decimals and NaN become text."""
    plain = {
        name: str(cell) if isinstance(cell, float) and not math.isfinite(cell) else cell
        for name, cell in value.items()
    }
    return json.dumps(plain, ensure_ascii=False, default=str)


def _flat(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _there(result: Converted) -> Mask:
    return np.asarray(result.values.is_valid().to_numpy(zero_copy_only=False), bool)


def _numbers(result: Converted) -> npt.NDArray[np.int64]:
    """Instants as microseconds, days as day numbers, absent ones as 0."""
    values = result.values
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    filled = pc.fill_null(values.cast(pa.int64()), 0)
    return np.asarray(filled.to_numpy(zero_copy_only=False), np.int64)
