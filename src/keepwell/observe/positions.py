"""Positions: what each client holds at the beginning of a day, rebuilt from holdings and trades.

With X the day of the question and everything taken as known at one instant, a client's positions
are the rows of the latest *snapshot* day s < X plus the signed trades of days after s and before
X. A snapshot is a day with holding rows of the client, or, where the source lists all clients on
every day it has, any such day (then a client without rows holds nothing). Without a snapshot the
client is taken to have held nothing before the day the relationship was opened. Positions are
*known* only if the trade table is declared complete from s+1 to X-1 and has no trade of unknown
quantity in between; otherwise every answer about them is absent. Quantities <= 0 are not held.

For positions in the past a gap in the trades is forgiven where s lies at most `FORGIVEN` days
before the day before X. Value of one position: rint(quantity * price / 10^(16 - minor digits)) in
float64, minor units, halves to even, at the latest price of a day < X; values are summed as whole
numbers. The sum of squared shares is taken over ascending values, so that no order of rows can
change a bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keepwell.core.kernel import compiled
from keepwell.observe.tile_sql import SNAPSHOT, TRADED_UNKNOWN
from keepwell.observe.tiles import ALWAYS, BLANK
from keepwell.observe.windows import Rows

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FORGIVEN = 14
"""Days of trades that may be missing between a snapshot and a day in the past."""

NONE = -(2**31)
"""Day that stands for "never"."""

STATS = (
    "count", "value", "top_weight", "herfindahl", "priced_share", "categories", "mean_age",
    "dropped", "added", "units_held",
)  # fmt: skip
"""What `summarise` computes, in the order of its output."""


@dataclass(frozen=True)
class Question:
    """Which positions are asked.

    Attributes:
        known: visibility day: rows with known <= it < gone count.
        days: X of each question; int64 [a].
        open_tail: whether tail rows of day X itself count; bool [a].
        full: visible days on which all clients were listed, ascending; int64.
        earliest: for each X the earliest snapshot day from which trades are complete; int64 [a].
    """

    known: int
    days: Ints
    open_tail: npt.NDArray[np.bool_]
    full: Ints
    earliest: Ints


@dataclass(frozen=True)
class Held:
    """Positive positions of a batch of clients.

    Attributes:
        start: first row of each client, and the end; int64 [n + 1].
        instrument: code; int64 [rows].
        first: first day on which the client is seen with the instrument; int64 [rows].
        quantity: 10^-8 units per question; int64 [rows, a].
        known: whether positions are known, per client and question; bool [n, a].
        ever: instruments that the client was seen with at any time; int64 [n].
        newest: latest first day of these, `NONE` without any; int64 [n].
        fresh: how many of these have their first day at X or later, per question; int64 [n, a].
    """

    start: Ints
    instrument: Ints
    first: Ints
    quantity: Ints
    known: npt.NDArray[np.bool_]
    ever: Ints
    newest: Ints
    fresh: Ints

    @staticmethod
    def nothing(clients: int) -> Held:
        """Positions of clients of whom nothing is known."""
        none = np.empty(0, np.int64)
        return Held(
            np.zeros(clients + 1, np.int64), none, none, none.reshape(0, 1),
            np.zeros((clients, 1), np.bool_), np.zeros(clients, np.int64),
            np.full(clients, NONE, np.int64), np.zeros((clients, 1), np.int64),
        )  # fmt: skip

    @staticmethod
    def join(parts: Sequence[Held]) -> Held:
        """Positions of several batches, one after the other; at least one."""
        counts = np.concatenate([np.diff(part.start) for part in parts])
        return Held(
            np.concatenate([[0], np.cumsum(counts)]),
            np.concatenate([part.instrument for part in parts]),
            np.concatenate([part.first for part in parts]),
            np.concatenate([part.quantity for part in parts]),
            np.concatenate([part.known for part in parts]),
            np.concatenate([part.ever for part in parts]),
            np.concatenate([part.newest for part in parts]),
            np.concatenate([part.fresh for part in parts]),
        )

    def take(self, clients: Ints) -> Held:
        """Positions of these clients, in this order."""
        counts = np.diff(self.start)[clients]
        start = np.concatenate([[0], np.cumsum(counts)])
        rows = np.repeat(self.start[clients] - start[:-1], counts) + np.arange(start[-1])
        return Held(
            start, self.instrument[rows], self.first[rows], self.quantity[rows],
            self.known[clients], self.ever[clients], self.newest[clients], self.fresh[clients],
        )  # fmt: skip


def hold(question: Question, rows: Rows, low: Ints, high: Ints, begin: Ints) -> Held:
    """Rebuild the positions of a batch of clients.

    Args:
        question: which.
        rows: position rows sorted by (client, instrument, day).
        low: first row of each client; int64 [n].
        high: end of its rows; int64 [n].
        begin: day at whose close the client held nothing for sure, or `NONE`; int64 [n].
    """
    n, a = len(begin), len(question.days)
    most = int((high - low).sum())
    start = np.zeros(n + 1, np.int64)
    instrument, first = np.empty(most, np.int64), np.empty(most, np.int64)
    quantity = np.empty((most, a), np.int64)
    known = np.zeros((n, a), np.bool_)
    ever, newest = np.zeros(n, np.int64), np.full(n, NONE, np.int64)
    fresh = np.zeros((n, a), np.int64)
    full = np.array(
        [question.full[i - 1] if i else NONE
         for i in np.searchsorted(question.full, question.days)], np.int64
    )  # fmt: skip
    where = [
        rows.narrow_index[name] if name in rows.narrow_index else -1 - rows.wide_index[name]
        for name in ("instrument", "kind")
    ]
    count = _hold(
        question.known, question.days, question.open_tail, full, question.earliest,
        rows.day, rows.known, rows.gone, rows.narrow, rows.wide, *where,
        rows.wide_index["quantity"], low, high, begin, start, instrument, first, quantity, known,
        ever, newest, fresh,
    )  # fmt: skip
    return Held(
        start, instrument[:count], first[:count], quantity[:count], known, ever, newest, fresh
    )


def summarise(
    held: Held, days: Ints, price: Ints, category: Ints, categories: int, divisor: float
) -> Array:
    """Statistics of positions, per question.

    Args:
        held: the positions.
        days: X of each question; int64 [a].
        price: 10^-8 currency units per instrument and question, `BLANK` unknown; int64 [a, codes].
        category: category code per instrument, -1 unknown; int64 [codes].
        categories: number of category codes.
        divisor: (10^-8 units * 10^-8 currency units) per minor unit.

    Returns:
        float64 [len(STATS), a, n]; dropped and added compare a question with the first one.
    """
    n, a = held.known.shape
    out = np.full((len(STATS), a, n), np.nan)
    _summarise(
        held.start, held.instrument, held.first, held.quantity, held.known, days, price,
        category, categories, divisor, out,
    )  # fmt: skip
    return out


@compiled()
def _latest_snapshots(  # type: ignore[no-untyped-def]
    known_day, days, open_tail, day, known_on, gone, narrow, wide, kind_at, low, high, begin, s
):
    """Raises s to one client's own latest visible snapshot day before each X."""
    for i in range(low, high):
        kind = narrow[i, kind_at] if kind_at >= 0 else wide[i, -1 - kind_at]
        always = known_on[i] == ALWAYS
        if kind != SNAPSHOT or known_on[i] > known_day or (len(gone) and gone[i] <= known_day):
            continue
        for a in range(len(days)):
            tail = open_tail[a] and always and day[i] == days[a]
            if day[i] > s[a] and (day[i] < days[a] or tail):
                s[a] = day[i]
    for a in range(len(days)):
        if s[a] == NONE and begin < days[a]:
            s[a] = begin


@compiled()
def _finish(amount, since, days, quantity, fresh, k, q):  # type: ignore[no-untyped-def]
    """Notes an instrument's amounts and starts anew; whether any of them is held."""
    some = False
    for a in range(len(amount)):  # loops: slices would be allocated for every instrument
        some = some or amount[a] > 0
        fresh[q, a] += since != NONE and since >= days[a]
    if some:
        for a in range(len(amount)):
            quantity[k, a] = amount[a]
    for a in range(len(amount)):
        amount[a] = 0
    return some


@compiled()
def _hold(  # type: ignore[no-untyped-def]
    known_day, days, open_tail, full, earliest, day, known_on, gone, narrow, wide,
    instrument_at, kind_at, quantity_at, low, high, begin,
    start, instrument, first, quantity, known, ever, newest, fresh,
):  # fmt: skip
    count = len(days)
    s = np.empty(count, np.int64)
    amount = np.zeros(count, np.int64)
    doubt = np.zeros(count, np.bool_)
    k = 0
    for q in range(len(begin)):
        s[:], doubt[:], amount[:] = full, False, 0
        _latest_snapshots(
            known_day, days, open_tail, day, known_on, gone, narrow, wide, kind_at,
            low[q], high[q], begin[q], s,
        )  # fmt: skip
        current, since = np.int64(-1), np.int64(NONE)
        for i in range(low[q], high[q] + 1):
            code = np.int64(-1)
            if i < high[q]:
                code = np.int64(
                    narrow[i, instrument_at] if instrument_at >= 0 else wide[i, -1 - instrument_at]
                )
            if code != current:  # the instrument before is complete
                if _finish(amount, since, days, quantity, fresh, k, q):
                    instrument[k], first[k] = current, since
                    k += 1
                if since != NONE:
                    ever[q] += 1
                    newest[q] = max(newest[q], since)
                current, since = code, np.int64(NONE)
            if i == high[q] or known_on[i] > known_day or (len(gone) and gone[i] <= known_day):
                continue
            kind = narrow[i, kind_at] if kind_at >= 0 else wide[i, -1 - kind_at]
            moved = wide[i, quantity_at]
            always = known_on[i] == ALWAYS
            before = day[i] < days[0] or (open_tail[0] and always and day[i] == days[0])
            if since == NONE and before and (kind != SNAPSHOT or moved > 0):
                since = np.int64(day[i])
            for a in range(count):
                tail = open_tail[a] and always and day[i] == days[a]
                if day[i] >= days[a] and not tail:
                    continue
                if kind == SNAPSHOT:
                    if day[i] == s[a]:
                        amount[a] += moved
                elif day[i] > s[a]:
                    amount[a] += moved
                    doubt[a] = doubt[a] or kind == TRADED_UNKNOWN
        start[q + 1] = k
        for a in range(count):
            known[q, a] = s[a] != NONE and s[a] >= earliest[a] and not doubt[a]
    return k


@compiled()
def _summarise(  # type: ignore[no-untyped-def]
    start, instrument, first, quantity, known, days, price, category, categories, divisor, out
):
    count = len(days)
    most = 0
    for q in range(len(start) - 1):
        most = max(most, start[q + 1] - start[q])
    values = np.empty(most, np.int64)
    stamp = np.zeros(categories + 1, np.int64)
    tick = np.int64(0)
    for q in range(len(start) - 1):
        for a in range(count):
            if not known[q, a]:
                continue
            tick += 1
            held = priced = kinds = dropped = added = 0
            age = total = np.int64(0)
            for k in range(start[q], start[q + 1]):
                now = quantity[k, a] > 0
                if known[q, 0]:
                    dropped += now and quantity[k, 0] <= 0
                    added += not now and quantity[k, 0] > 0
                if not now:
                    continue
                code = instrument[k]
                held += 1
                age += days[a] - first[k]
                kind = category[code]
                if kind >= 0 and stamp[kind] != tick:
                    stamp[kind] = tick
                    kinds += 1
                if price[a, code] != BLANK:
                    worth = np.rint(float(quantity[k, a]) * float(price[a, code]) / divisor)
                    values[priced] = np.int64(worth)
                    total += values[priced]
                    priced += 1
            out[0, a, q] = held
            out[5, a, q] = kinds
            out[9, a, q] = 1.0 if held > 0 else 0.0
            if known[q, 0]:
                out[7, a, q] = dropped
                out[8, a, q] = added
            if held == 0:
                out[1, a, q] = 0.0
                continue
            out[4, a, q] = priced / held
            out[6, a, q] = age / held
            if priced == 0:
                continue
            out[1, a, q] = float(total)
            if total > 0:
                ordered = np.sort(values[:priced])
                squares = 0.0
                for j in range(priced):
                    share = ordered[j] / total
                    squares += share * share
                out[2, a, q] = ordered[priced - 1] / total
                out[3, a, q] = squares
