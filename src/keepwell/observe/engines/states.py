"""Accounts, service and ties as arrays, answered as of an instant; news and failures as numbers."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.days import midnight
from keepwell.observe.indicators.needs import Need
from keepwell.observe.tile_sql import date_day, micros

if TYPE_CHECKING:
    from keepwell.observe.engines.moment import Moment, Reader

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_NEVER: Final = 2**63 - 1
_CLOCKS: Final = f"epoch_us(t.known_at) AS known, coalesce(epoch_us(t.gone_at), {_NEVER}) AS gone"
_BAD: Final = -0.3
_MICROS_PER_HOUR: Final = 3_600_000_000.0


@dataclass(frozen=True)
class StateRows:
    """Rows of a state table with their clocks.

    Attributes:
        code: client code; int64.
        known, gone: microseconds since 1970; int64.
        columns: the rest; float64 (NaN blank) or int64 codes.
    """

    code: Ints
    known: Ints
    gone: Ints
    columns: dict[str, npt.NDArray[np.generic]]

    def visible(self, known: int) -> Mask:
        """Rows known at an instant (microseconds) and not corrected by then."""
        return np.asarray((self.known <= known) & (self.gone > known), np.bool_)


class States:
    """The state tables of a lake, read once.

    Args:
        reader: whose lake.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @cached_property
    def account(self) -> StateRows:
        """Accounts, in any order: kind (code, -1 blank), permissions (number), fee_rate, open."""
        return self._load(
            "SELECT e.code::BIGINT AS code, t.kind AS kind, "
            "CASE WHEN t.permissions <> '' THEN length(t.permissions) "
            "- length(replace(t.permissions, ',', '')) + 1 END::DOUBLE AS permissions, "
            "t.fee_rate AS fee_rate, coalesce(t.state <> 'closed', true)::DOUBLE AS open, "
            f"{_CLOCKS} FROM account AS t JOIN entities AS e ON e.id = t.client_id",
            texts=("kind",),
        )

    @cached_property
    def service(self) -> StateRows:
        """Service rows by client and time: day, manager, adviser (codes), wecom (1, 0, NaN)."""
        day = self._reader.sql.day("epoch_us(t.valid_from)")
        return self._load(
            "SELECT e.code::BIGINT AS code, epoch_us(t.valid_from) AS valid, "
            f"{day}::BIGINT AS day, t.manager_id AS manager, t.adviser_id AS adviser, "
            f"t.wecom::DOUBLE AS wecom, {_CLOCKS} "
            "FROM service AS t JOIN entities AS e ON e.id = t.client_id "
            "ORDER BY code, valid, known, t.revision",
            texts=("manager", "adviser"),
        )

    @cached_property
    def relation(self) -> StateRows:
        """Ties, in any order.

        other (client code, -1 unknown), since (day number, NaN blank), referrer (1, 0). `who` and
        `whom` tell ids apart whether they are clients yet or not: who is a client later must not
        change what is counted now.
        """
        rows = self._load(
            "SELECT coalesce(e.code, -1)::BIGINT AS code, coalesce(o.code, -1)::BIGINT AS other, "
            "CASE WHEN e.code IS NULL THEN t.client_id END AS who, "
            "CASE WHEN o.code IS NULL THEN t.other_id END AS whom, "
            "CASE t.kind WHEN 'referrer' THEN 1 ELSE 0 END::BIGINT AS referrer, "
            f"{date_day('t.since')}::DOUBLE AS since, {_CLOCKS} FROM relation AS t "
            "LEFT JOIN entities AS e ON e.id = t.client_id "
            "LEFT JOIN entities AS o ON o.id = t.other_id",
            texts=("who", "whom"),
        )
        # A client's number is its code; texts that are nobody's get numbers above all codes.
        clients = len(self._reader.store.clients)
        for name, code in (("who", rows.code), ("whom", rows.columns["other"])):
            other = np.asarray(rows.columns[name], np.int64)
            rows.columns[name] = np.where(np.asarray(code) >= 0, code, clients + other)
        return rows

    def _load(self, sql: str, texts: tuple[str, ...] = ()) -> StateRows:
        with closing(self._reader.connection.cursor()) as connection:
            found = connection.sql(sql).to_arrow_table()
        columns: dict[str, npt.NDArray[np.generic]] = {}
        for name in found.column_names:
            column = found[name].combine_chunks()
            if name in texts:
                # a code per text; which code it is does not matter, only whether two are equal
                column = column.dictionary_encode().indices.fill_null(-1)
                columns[name] = column.to_numpy(zero_copy_only=False).astype(np.int64)
            elif pa.types.is_floating(column.type):
                columns[name] = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
            else:
                columns[name] = column.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
        code, known, gone = (
            np.asarray(columns.pop(name), np.int64) for name in ("code", "known", "gone")
        )
        return StateRows(code, known, gone, columns)


def answer_state(moment: Moment, need: Need) -> Array:
    """A state need's answer for every client code; float64 [codes].

    Args:
        moment: what is visible.
        need: of 'account', 'service' or 'relation'.
    """
    ask = {"account": _account, "service": _service, "relation": _relation}
    return ask[need.table](moment, need, len(moment.reader.store.clients))


def _account(moment: Moment, need: Need, n: int) -> Array:
    rows = moment.reader.states.account
    keep = rows.visible(micros(moment.known_by)) & (rows.columns["open"] == 1.0)
    code = rows.code[keep]
    if need.stat == "count":
        return np.bincount(code, minlength=n).astype(np.float64)
    if need.stat == "kinds":
        kind = np.asarray(rows.columns["kind"], np.int64)[keep]
        return _different(code[kind >= 0], kind[kind >= 0], n)
    values = np.asarray(rows.columns[need.stat], np.float64)[keep]
    out = np.full(n, np.nan)
    (np.fmin if need.stat == "fee_rate" else np.fmax).at(out, code, values)
    return out


def _service(moment: Moment, need: Need, n: int) -> Array:
    rows = moment.reader.states.service
    seen = rows.visible(micros(moment.known_by))
    valid = np.asarray(rows.columns["valid"], np.int64)
    keep = np.flatnonzero(seen & (valid < micros(moment.as_of)))
    code, day = rows.code[keep], np.asarray(rows.columns["day"], np.int64)[keep]
    same = np.concatenate([[False], code[1:] == code[:-1]]) if len(code) else np.empty(0, bool)
    out = np.full(n, np.nan)
    if need.stat == "connected":
        last = np.concatenate([code[1:] != code[:-1], [True]]) if len(code) else same
        out[code[last]] = np.asarray(rows.columns["wecom"], np.float64)[keep][last]
        return out
    happened = same & _changed(rows, keep, need.stat)
    if need.stat == "manager_days":
        dated = happened | ~same
        np.fmin.at(out, code[dated], (moment.day - day[dated]).astype(np.float64))
        return out
    inside = happened & (day >= moment.day - need.window)
    out[code] = 0.0
    np.add.at(out, code[inside], 1.0)
    return out


def _changed(rows: StateRows, keep: npt.NDArray[np.intp], stat: str) -> Mask:
    """Whether each row differs from the one before it in what a statistic is about."""
    if stat == "removals":
        wecom = np.asarray(rows.columns["wecom"], np.float64)[keep]
        now, before = wecom == 0.0, wecom == 1.0
        return np.asarray(np.concatenate([[False], now[1:] & before[:-1]])[: len(keep)], np.bool_)
    column = "adviser" if stat == "adviser_changes" else "manager"
    who = np.asarray(rows.columns[column], np.int64)[keep]
    other = (who[1:] != who[:-1]) & (who[1:] >= 0) & (who[:-1] >= 0)
    return np.asarray(np.concatenate([[False], other])[: len(keep)], np.bool_)


def _relation(moment: Moment, need: Need, n: int) -> Array:
    rows = moment.reader.states.relation
    since = np.asarray(rows.columns["since"], np.float64)
    keep = rows.visible(micros(moment.known_by)) & ~(since >= moment.day)
    code, other = rows.code[keep], np.asarray(rows.columns["other"], np.int64)[keep]
    referrer = np.asarray(rows.columns["referrer"], np.int64)[keep] == 1
    who, whom = (np.asarray(rows.columns[name], np.int64)[keep] for name in ("who", "whom"))
    if need.stat == "left":
        closed = moment.reader.profiles.at(moment.as_of, moment.known_by, n)["closed"]
        ties = np.concatenate([np.stack([code, other]), np.stack([other, code])], axis=1)
        ties = ties[:, (ties >= 0).all(axis=0)]
        ties = ties[:, closed[ties[1]] < moment.day]
    elif need.stat == "referred":
        ties = np.stack([other, who])[:, referrer & (other >= 0)]
    else:
        ties = np.stack([code, whom])[:, ~referrer & (code >= 0)]
    return _different(ties[0], ties[1], n)


def _different(code: Ints, of: Ints, n: int) -> Array:
    """How many different values each client has; float64 [n].

    Args:
        code: client of each value.
        of: the values, none below 0.
        n: number of client codes.
    """
    span = int(of.max(initial=0)) + 1
    pairs = np.sort(code * span + of)  # np.unique would hash them: fourteen times slower
    first = np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]
    return np.bincount(pairs[first] // span, minlength=n).astype(np.float64)


def answer_world(moment: Moment, need: Need) -> float:
    """A number about news or failures, the same for every client; NaN where absent.

    Args:
        moment: what is visible.
        need: of 'news' or 'outage'.
    """
    value = "t.sentiment" if need.table == "news" else "epoch_us(t.ended_at)"
    word = "t.subject" if need.table == "news" else "t.severity"
    found = moment.reader.connection.execute(
        f'SELECT {word} AS word, {value}::DOUBLE AS value, epoch_us(t."at") AS at '
        f'FROM {need.table} AS t WHERE t."at" < $as_of AND t."at" >= $since '
        "AND t.known_at <= $known AND (t.gone_at IS NULL OR t.gone_at > $known)",
        {
            "as_of": moment.as_of, "known": moment.known_by,
            "since": midnight(moment.day - need.window, moment.reader.zone),
        },
    ).fetchall()  # fmt: skip
    if need.table == "news":
        tones = [value for word, value, _ in found if word == need.measure]
        if need.stat == "count":
            return float(len(tones))
        told = [tone for tone in tones if tone is not None]
        if need.stat == "bad":
            return float(sum(tone <= _BAD for tone in told))
        # fsum is exact, so that no order of rows can change a bit
        return math.fsum(told) / len(told) if told else math.nan
    if need.stat == "hours":
        now = micros(moment.as_of)
        ends = [now if value is None else min(int(value), now) for _, value, _ in found]
        lasted = sum(max(0, end - int(row[2])) for end, row in zip(ends, found, strict=True))
        return lasted / _MICROS_PER_HOUR
    return float(sum(need.stat == "count" or word == "high" for word, _, _ in found))
