"""A client's ledger: buying, selling, money in and out, moving custody. Sums are whole fen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keepwell.world.dynamics.chance import bits, inner, mix, uniform
from keepwell.world.dynamics.frame import (
    BALANCE,
    FIRST_HOLDING,
    FLOW,
    HOLDING,
    MARGIN,
    TRADE,
    TRANSFER,
    moment,
    slots_worth,
    value_of,
)
from keepwell.world.state import SLOTS
from keepwell.world.terms import BUY, DEPOSIT, FEE, LONG_AGO, SELL, WITHDRAWAL

UNIT = 100_000_000
"""Quantities are in 1e-8 units."""


@inner
def fee_of(w: Any, who: Any, c: Any, i: Any, instrument: Any, amount: Any) -> Any:
    """Commission of a trade in fen: the plan's for what is traded on exchange, none for funds."""
    if instrument == w.money_fund:
        return np.int64(0)
    if w.lot[instrument] < 100:
        return np.int64(round(amount * 0.001))
    return max(who.fee_minimum, np.int64(round(amount * who.fee_rate)))


@inner
def _note_trade(
    w: Any,
    who: Any,
    c: Any,
    i: Any,
    instrument: Any,
    side: Any,
    quantity: Any,
    amount: Any,
    fee: Any,
) -> None:
    row = w.out.trade[w.count[TRADE]]
    w.count[TRADE] += 1
    row.client = i
    # Exchange hours: 9:30-11:30 and 13:00-15:00.
    u = uniform(w.rng) * 4.0
    row.second = int((9.5 + u if u < 2.0 else 11.0 + u) * 3600.0)
    row.instrument = instrument
    row.side = side
    way = uniform(w.rng)
    row.channel = 0 if way < 0.78 else (1 if way < 0.88 else (3 if way < 0.97 else 2))
    row.quantity = quantity
    row.amount = amount
    row.commission = fee
    c.last_trade = w.day.day
    c.changed = 1


@inner
def slot_of(c: Any, instrument: Any) -> Any:
    """The slot of an instrument, else an empty one, else -1."""
    free = -1
    for k in range(SLOTS):
        if c.slot[k] == instrument:
            return k
        if c.slot[k] < 0 and free < 0:
            free = k
    return free


@inner
def buy(w: Any, who: Any, c: Any, i: Any, instrument: Any, budget: Any) -> Any:
    """Buy for at most a budget (fen) of the client's cash; returns what it cost."""
    k = slot_of(c, instrument)
    if k < 0 or w.matures[instrument] <= w.day.day:
        return np.int64(0)
    price = w.price[instrument]
    lot = w.lot[instrument]
    budget = min(budget, c.cash)
    units = math.floor(budget * 0.985 / (100.0 * price * lot)) * lot
    if units <= 0:
        return np.int64(0)
    quantity = np.int64(units) * UNIT
    amount = value_of(w, instrument, quantity)
    fee = fee_of(w, who, c, i, instrument, amount)
    if amount + fee > c.cash:
        return np.int64(0)
    c.cash -= amount + fee
    c.slot[k] = instrument
    c.quantity[k] += quantity
    c.cost[k] += amount + fee
    _note_trade(w, who, c, i, instrument, BUY, quantity, amount, fee)
    return amount + fee


@inner
def sell(w: Any, who: Any, c: Any, i: Any, k: Any, share: Any) -> Any:
    """Sell a share of the position in slot k; returns the proceeds in fen."""
    instrument = c.slot[k]
    quantity = c.quantity[k]
    if share < 0.999:
        step = np.int64(w.lot[instrument]) * UNIT
        quantity = np.int64(quantity * share) // step * step
    if instrument < 0 or quantity <= 0:
        return np.int64(0)
    amount = value_of(w, instrument, quantity)
    fee = min(fee_of(w, who, c, i, instrument, amount), amount)
    c.cost[k] -= np.int64(c.cost[k] * (quantity / c.quantity[k]))
    c.quantity[k] -= quantity
    c.cash += amount - fee
    _note_trade(w, who, c, i, instrument, SELL, quantity, amount, fee)
    if c.quantity[k] <= 0:
        _empty(w, who, c, i, k)
    return amount - fee


@inner
def _holding_row(w: Any, who: Any, c: Any, i: Any, instrument: Any) -> Any:
    """Today's holding row of an instrument: a day has one of each."""
    for j in range(w.count[FIRST_HOLDING], w.count[HOLDING]):
        if w.out.holding[j].instrument == instrument:
            return w.out.holding[j]
    row = w.out.holding[w.count[HOLDING]]
    w.count[HOLDING] += 1
    row.client = i
    row.second = 0
    row.instrument = instrument
    return row


@inner
def _empty(w: Any, who: Any, c: Any, i: Any, k: Any) -> None:
    """Clear a slot, and say that it is empty: a day's holdings are told whole."""
    row = _holding_row(w, who, c, i, c.slot[k])
    row.quantity = 0
    row.cost = 0
    row.value = 0
    c.slot[k] = -1
    c.quantity[k] = 0
    c.cost[k] = 0
    c.changed = 1


@inner
def move_cash(
    w: Any, who: Any, c: Any, i: Any, kind: Any, amount: Any, failure: Any, hour: Any
) -> Any:
    """Pay in or out, or book a dividend, fee or interest; returns what moved, fen.

    A fee that the cash does not cover is added to the debt. A negative hour stands for the
    client's usual one.
    """
    if kind == FEE and amount > c.cash:
        c.debt += amount - c.cash
        c.changed = 1
    if kind in (WITHDRAWAL, FEE):
        amount = min(amount, c.cash)
    if amount <= 0:
        return np.int64(0)
    row = w.out.cash_flow[w.count[FLOW]]
    w.count[FLOW] += 1
    row.client = i
    u = uniform(w.rng)
    row.second = moment(who.hour, 3.0, u) if hour < 0.0 else moment(hour, 0.2, u)
    row.kind = kind
    row.bank = mix(w.key + np.uint64(i)) % np.uint64(7)
    row.failure = failure
    row.amount = amount
    if failure:
        return np.int64(0)
    c.cash += -amount if kind in (WITHDRAWAL, FEE) else amount
    c.changed = 1
    return amount


@inner
def transfer_out(w: Any, who: Any, c: Any, i: Any, share: Any) -> Any:
    """Move a share of the positions, slot by slot, to another broker; returns their value, fen."""
    total, worth = np.int64(0), slots_worth(w, c)
    broker = int(uniform(w.rng) * 4.0)
    for k in range(SLOTS):
        if c.slot[k] < 0 or (share < 1.0 and total >= worth * share):
            continue
        row = w.out.custody_transfer[w.count[TRANSFER]]
        w.count[TRANSFER] += 1
        row.client = i
        row.second = moment(14.0, 1.5, uniform(w.rng))
        row.direction = 1
        row.instrument = c.slot[k]
        row.broker = broker
        row.quantity = c.quantity[k]
        total += value_of(w, c.slot[k], c.quantity[k])
        _empty(w, who, c, i, k)
    return total


@inner
def sell_all(w: Any, who: Any, c: Any, i: Any) -> Any:
    """Sell everything; returns the proceeds, fen."""
    total = np.int64(0)
    for k in range(SLOTS):
        if c.slot[k] >= 0:
            total += sell(w, who, c, i, k, 1.0)
    return total


@inner
def forfeit(w: Any, who: Any, c: Any, i: Any) -> None:
    """Empty the account without trades: by inheritance, or by the broker."""
    for k in range(SLOTS):
        if c.slot[k] >= 0:
            _empty(w, who, c, i, k)
    c.cash = 0
    c.debt = 0
    c.changed = 1


@inner
def redeem(w: Any, who: Any, c: Any, i: Any) -> None:
    """Pay back what matures today: booked as a sale, but not of the client's doing."""
    traded = c.last_trade
    for k in range(SLOTS):
        if c.slot[k] >= 0 and w.matures[c.slot[k]] <= w.day.day:
            amount = value_of(w, c.slot[k], c.quantity[k])
            _note_trade(w, who, c, i, c.slot[k], SELL, c.quantity[k], amount, np.int64(0))
            c.cash += amount
            _empty(w, who, c, i, k)
    c.last_trade = traded


@inner
def pick(w: Any, who: Any, c: Any, i: Any) -> Any:
    """An instrument to the client's taste: one of a personal dozen, or any that suits."""
    personal = int(uniform(w.rng) * 12.0)
    if uniform(w.rng) < 0.85:
        place = mix(mix(w.key + np.uint64(i)) + np.uint64(personal))
    else:
        place = bits(w.rng)
    return w.choice[who.risk_level, int((place >> np.uint64(7)) % np.uint64(4096))]


@inner
def settle(w: Any, who: Any, c: Any, i: Any) -> None:
    """Fund a newcomer, or a client at the start: money in, positions bought."""
    if w.day.t == 0:
        c.cash = np.int64(who.assets * 100.0)
    else:
        move_cash(w, who, c, i, DEPOSIT, np.int64(who.assets * 100.0), 0, 9.0)
    total = c.cash
    before = w.count[TRADE]
    if who.money_share > 0.02:
        buy(w, who, c, i, w.money_fund, np.int64(total * who.money_share))
    rest = max(0.0, 1.0 - who.cash_share - who.money_share)
    n = max(1, min(who.positions, SLOTS - 1))
    for k in range(n):
        # The largest first: weights fall by a third from one to the next.
        weight = 0.3333 / (1.0 - 0.6667**n) * 0.6667**k
        if buy(w, who, c, i, pick(w, who, c, i), np.int64(total * rest * weight)) == 0:
            buy(w, who, c, i, w.money_fund, np.int64(total * rest * weight))
    if w.day.t == 0:
        # Held from before the start: no trade of today.
        w.count[TRADE] = before
        c.last_trade = LONG_AGO
    c.changed = 1
    c.worth = c.cash + slots_worth(w, c)


@inner
def tell(w: Any, who: Any, c: Any, i: Any) -> None:
    """Write balance, holdings and margin of the day's close."""
    securities = np.int64(0)
    top, held = np.int64(0), 0
    for k in range(SLOTS):
        if c.slot[k] < 0:
            continue
        value = value_of(w, c.slot[k], c.quantity[k])
        securities += value
        top = max(top, value)
        held += 1
        row = _holding_row(w, who, c, i, c.slot[k])
        row.quantity = c.quantity[k]
        row.cost = c.cost[k]
        row.value = value
    total = w.out.balance[w.count[BALANCE]]
    w.count[BALANCE] += 1
    total.client = i
    total.second = 0
    total.cash = c.cash
    total.securities = securities
    total.debt = c.debt
    total.positions = held
    total.top = top / securities if securities > 0 else 0.0
    if who.margin:
        owed = w.out.margin[w.count[MARGIN]]
        w.count[MARGIN] += 1
        owed.client = i
        owed.second = 0
        owed.debt = c.debt
        owed.limit = np.int64((c.cash + securities) * 0.5)
        owed.ratio = (c.cash + securities) / c.debt if c.debt > 0 else 0.0
    c.changed = 0


@inner
def borrow(w: Any, who: Any, c: Any, i: Any) -> None:
    """Margin clients borrow in good months and pay back in bad ones."""
    equity = c.worth
    wanted = np.int64(equity * w.p.margin_use * (0.5 + 4.0 * max(w.day.index_month, -0.1)))
    if w.day.index_month < -0.08 or c.stage >= 2:
        wanted = np.int64(0)
    change = max(wanted, np.int64(0)) - c.debt
    if change < 0:
        change = -min(-change, max(c.cash, 0))
    if abs(change) > equity * 0.02:
        c.debt += change
        c.cash += change
        c.changed = 1
