"""Sales: what a client gained or lost by selling, and what was left unsold on the same days.

A sale is what a client sold of one instrument on one local day. Its cost is the average cost of the
position: that of the latest snapshot before the day (see positions.py), each day's buys added at
their amount, each day's sells after them taking out cost * sold / held, in whole minor units
(halves to even). The cost is unknown, until the next snapshot, without a snapshot's cost, after a
trade of unknown quantity, after buys of unknown amount, and after more was sold than was held.

On a day with a sale and at least two instruments held, each position held after the day's buys with
a known cost is one gain or loss: realised where some of it was sold, of its known result; on paper
where none was, of its value at the latest close up to the day (Odean 1998, Journal of Finance 53,
1775-1798, who counts days and positions in this way).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keepwell.core.kernel import compiled
from keepwell.observe.indicators.needs import SALES
from keepwell.observe.positions import NONE
from keepwell.observe.tile_sql import SNAPSHOT, SOLD, TRADED, TRADED_UNKNOWN
from keepwell.observe.tiles import ALWAYS, BLANK
from keepwell.observe.windows import Rows

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Period:
    """The days whose sales are asked, and what is known of them.

    Attributes:
        known: visibility day.
        today: D; sales of the open tail of D count.
        open_tail: whether there is one.
        since: first day; a sale before it is not looked at.
        full: for each day from `since` to D whether all clients were listed on it; bool.
        full_before: latest such day before `since`, or `NONE`.
        earliest: for each of these days the earliest snapshot day from which trades are complete
            up to the day before; int64.
        price: for each of these days and each instrument code the latest close up to the day,
            10^-8 currency units, `BLANK` unknown; int64 [days, codes].
        divisor: (10^-8 units * 10^-8 currency units) per minor unit.
    """

    known: int
    today: int
    open_tail: bool
    since: int
    full: npt.NDArray[np.bool_]
    full_before: int
    earliest: Ints
    price: Ints
    divisor: float


def sales(
    period: Period, rows: Rows, low: Ints, high: Ints, begin: Ints, windows: Sequence[int]
) -> Array:
    """What the sales of a batch of clients came to.

    Args:
        period: the days.
        rows: position rows sorted by (client, instrument, day).
        low: first row of each client; int64 [n].
        high: end of its rows; int64 [n].
        begin: day at whose close the client held nothing for sure, or `NONE`; int64 [n].
        windows: days before D that each answer looks at, none longer than the period.

    Returns:
        float64 [len(SALES), len(windows), n].
    """
    out = np.zeros((len(SALES), len(windows), len(begin)))
    where = [
        rows.narrow_index[name] if name in rows.narrow_index else -1 - rows.wide_index[name]
        for name in ("instrument", "kind")
    ]
    _sales(
        period.known, period.today, period.open_tail, period.since, period.full,
        period.full_before, period.earliest, period.price, period.divisor, rows.day, rows.known,
        rows.gone, rows.narrow, rows.wide, *where, rows.wide_index["quantity"],
        rows.wide_index["money"], low, high, begin, np.array(windows, np.int64), out,
    )  # fmt: skip
    return out


def price_path(
    known: int, days: tuple[int, int], rows: Rows, spans: tuple[Ints, Ints], out: Ints
) -> None:
    """Fill in the latest close of some instruments up to each day.

    Args:
        known: visibility day.
        days: first day, and D, whose own close does not count.
        rows: price rows sorted by (instrument, day).
        spans: first row and end of each instrument.
        out: `BLANK` throughout; int64 [D - first + 1, instruments].
    """
    _path(
        known, *days, rows.day, rows.known, rows.gone, rows.wide, rows.wide_index["close"],
        *spans, out,
    )  # fmt: skip


@compiled()
def _path(known_day, since, today, day, known_on, gone, wide, column, low, high, out):  # type: ignore[no-untyped-def]
    for q in range(len(low)):
        for i in range(low[q], high[q]):
            if day[i] >= today or known_on[i] > known_day:
                continue
            if len(gone) and gone[i] <= known_day:
                continue
            out[max(day[i] - since, 0), q] = wide[i, column]
        for d in range(1, len(out)):
            if out[d, q] == BLANK:
                out[d, q] = out[d - 1, q]


@compiled()
def _visible(known_day, today, open_tail, day, known_on, gone, i):  # type: ignore[no-untyped-def]
    if known_on[i] > known_day or (len(gone) and gone[i] <= known_day):
        return False
    return day[i] < today or (open_tail and known_on[i] == ALWAYS and day[i] == today)


@compiled()
def _of(narrow, wide, at, i):  # type: ignore[no-untyped-def]
    return np.int64(narrow[i, at]) if at >= 0 else wide[i, -1 - at]


@compiled()
def _find_days(  # type: ignore[no-untyped-def]
    known_day, today, open_tail, since, day, known_on, gone, narrow, wide, instrument_at, kind_at,
    quantity_at, low, high, full, latest, begin, sold, listed, origin,
):  # fmt: skip
    """Sales per day of one client, and the snapshot day that each day starts from."""
    some = False
    for i in range(low, high):
        if day[i] >= since and _of(narrow, wide, kind_at, i) == SOLD:
            some = True
            break
    if not some:  # most have none in the period
        return False
    sold[:] = 0
    listed[:] = full
    some = False
    last_code, last_day = np.int64(-1), np.int64(NONE)
    for i in range(low, high):
        if not _visible(known_day, today, open_tail, day, known_on, gone, i):
            continue
        kind = _of(narrow, wide, kind_at, i)
        if kind == SNAPSHOT:
            if day[i] >= since:
                listed[day[i] - since] = True
            else:
                latest = max(latest, day[i])
        elif kind == SOLD and day[i] >= since and wide[i, quantity_at] < 0:
            code = _of(narrow, wide, instrument_at, i)
            if code != last_code or day[i] != last_day:
                sold[day[i] - since] += 1
                last_code, last_day = code, np.int64(day[i])
            some = True
    if some:
        for d in range(len(sold)):
            origin[d] = latest
            if latest == NONE and begin < since + d:
                origin[d] = begin
            if listed[d]:
                latest = since + d
    return some


@compiled()
def _sales(  # type: ignore[no-untyped-def]
    known_day, today, open_tail, since, full, full_before, earliest, price, divisor,
    day, known_on, gone, narrow, wide, instrument_at, kind_at, quantity_at, money_at,
    low, high, begin, windows, out,
):  # fmt: skip
    span = len(full)
    sold, origin = np.zeros(span, np.int64), np.zeros(span, np.int64)
    listed = np.zeros(span, np.bool_)
    found = np.zeros((len(out), span))
    held = np.zeros(span, np.int64)
    for q in range(len(begin)):
        if not _find_days(
            known_day, today, open_tail, since, day, known_on, gone, narrow, wide, instrument_at,
            kind_at, quantity_at, low[q], high[q], full, full_before, begin[q], sold, listed,
            origin,
        ):  # fmt: skip
            continue
        for d in range(span):
            if origin[d] == NONE or origin[d] < earliest[d]:
                origin[d] = NONE
        days = np.flatnonzero(sold)
        for k in days:  # nothing is noted of other days: clearing all would cost more than the rest
            found[:, k], held[k] = 0.0, 0
            found[0, k] = sold[k]
        i = low[q]
        while i < high[q]:
            code = _of(narrow, wide, instrument_at, i)
            end = i
            while end < high[q] and _of(narrow, wide, instrument_at, end) == code:
                end += 1
            _walk(
                known_day, today, open_tail, since, day, known_on, gone, narrow, wide, kind_at,
                quantity_at, money_at, i, end, days, origin, price[:, code], divisor, found, held,
            )  # fmt: skip
            i = end
        for k in days:
            for w in range(len(windows)):
                if since + k >= today - windows[w]:
                    for s in range(len(out)):
                        if s < 5 or held[k] >= 2:
                            out[s, w, q] += found[s, k]


@compiled()
def _walk(  # type: ignore[no-untyped-def]
    known_day, today, open_tail, since, day, known_on, gone, narrow, wide, kind_at, quantity_at,
    money_at, i, end, days, origin, price, divisor, found, held,
):  # fmt: skip
    """One instrument of one client through the days with a sale."""
    current, noted = np.int64(NONE) - 1, np.int64(NONE) - 1
    units = cost = np.int64(0)
    listed = (np.int64(0), np.int64(0), True)
    sure = True
    for k in days:
        if origin[k] == NONE:
            continue
        if origin[k] != current:
            current = origin[k]
            while i < end and day[i] < current:
                i += 1
            if noted != current:  # else its rows were read with those of the sale before
                i, _, _, listed = _day_rows(
                    known_day, today, open_tail, day, known_on, gone, narrow, wide, kind_at,
                    quantity_at, money_at, i, end, current,
                )  # fmt: skip
            units, cost, sure = listed
        done = False
        while not done:
            # the rows of one day together; at the latest those of the day of the sale itself
            done = i >= end or day[i] >= since + k
            noted = np.int64(since + k) if done else np.int64(day[i])
            i, bought, sold, listed = _day_rows(
                known_day, today, open_tail, day, known_on, gone, narrow, wide, kind_at,
                quantity_at, money_at, i, end, noted,
            )  # fmt: skip
            units, cost, sure = units + bought[0], cost + bought[1], sure and bought[2]
            sells, proceeds, told = sold
            if done and units > 0:
                held[k] += 1
                if sure and sells == 0 and price[k] != BLANK:
                    worth = np.rint(float(units) * float(price[k]) / divisor)
                    found[7, k] += worth > cost
                    found[8, k] += worth < cost
            if sells > 0:
                sure = sure and sells <= units
                if sure:
                    taken = np.int64(np.rint(float(cost) * float(sells) / float(units)))
                    cost -= taken
                    if done and told:
                        _note(found, k, proceeds - taken)
                units -= sells


@compiled()
def _note(found, k, gain):  # type: ignore[no-untyped-def]
    """One sale of known result."""
    found[1, k] += 1
    found[2, k] += gain < 0
    found[3, k] += max(-gain, 0)
    found[4, k] += max(gain, 0)
    found[5, k] += gain > 0
    found[6, k] += gain < 0


@compiled()
def _day_rows(  # type: ignore[no-untyped-def]
    known_day, today, open_tail, day, known_on, gone, narrow, wide, kind_at, quantity_at, money_at,
    i, end, now,
):  # fmt: skip
    """What one instrument's rows of a day say: the row after them; bought, sold and listed."""
    bought = sold = listed = (np.int64(0), np.int64(0), True)
    while i < end and day[i] == now:
        if _visible(known_day, today, open_tail, day, known_on, gone, i):
            kind, moved = _of(narrow, wide, kind_at, i), wide[i, quantity_at]
            money = wide[i, money_at]
            if kind == SNAPSHOT:
                listed = _add(listed, moved, money)
            elif kind == TRADED:
                bought = _add(bought, moved, money)
            elif kind == TRADED_UNKNOWN:
                bought = (bought[0], bought[1], False)
            elif kind == SOLD:
                sold = _add(sold, -moved, money)
        i += 1
    return i, bought, sold, listed


@compiled()
def _add(total, units, money):  # type: ignore[no-untyped-def]
    """Units, money and whether all of the money is known, with a row more."""
    if units > 0 and money == BLANK:
        return total[0] + units, total[1], False
    return total[0] + units, total[1] + (money if units > 0 else 0), total[2]
