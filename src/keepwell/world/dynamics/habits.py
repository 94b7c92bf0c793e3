"""What a client does of a day: log-ins, views, trades, money in and out, subscriptions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keepwell.world.dynamics.chance import begin, inner, normal, poisson, uniform
from keepwell.world.dynamics.frame import (
    P_FLOW,
    P_SESSION,
    P_TRADE,
    SESSION,
    SUBSCRIPTION,
    VIEW,
    moment,
)
from keepwell.world.dynamics.ledger import borrow, buy, move_cash, pick, sell
from keepwell.world.state import SLOTS
from keepwell.world.terms import (
    DEPOSIT,
    DIVIDEND,
    DRIFT,
    FEE,
    FEINT,
    INTEREST,
    NONE,
    PRODUCT,
    TECHNOLOGY,
    V_FEATURE,
    V_INSTRUMENT,
    WITHDRAWAL,
)


@inner
def sign(c: Any, signs: Any) -> Any:
    """The factor of a client's stage; a drifting client fades as the drift goes on."""
    if c.stage == NONE:
        return 1.0
    if c.path == DRIFT:
        return max(0.05, 1.0 - c.clock / max(c.length, 1.0))
    return signs[c.stage - 1]


@inner
def hurt(w: Any, who: Any, c: Any, i: Any, cause: Any, size: Any) -> None:
    """Add to a grievance, as much as the cause matters to the client."""
    c.grievance[cause] += size * who.taste[cause]


@inner
def log_ins(w: Any, who: Any, c: Any, i: Any) -> Any:
    """Sessions of the day with their views; returns the number of app errors met."""
    begin(w.rng, w.key, i, w.day.day, P_SESSION)
    mean = who.session_rate * w.p.log_ins * w.day.activity * sign(c, w.p.log_in_signs)
    n = min(poisson(w.rng, mean), 12)
    if n == 0 and c.last_trade == w.day.day:
        n = 1
    errors = 0
    for _ in range(n):
        errors += _session(w, who, c, i)
    if errors:
        hurt(w, who, c, i, TECHNOLOGY, w.p.error_hurt * errors)
    return errors


@inner
def _session(w: Any, who: Any, c: Any, i: Any) -> Any:
    row = w.out.session[w.count[SESSION]]
    w.count[SESSION] += 1
    row.client = i
    row.second = moment(who.hour, 5.0, uniform(w.rng))
    way = uniform(w.rng)
    row.channel = 0 if way < 0.85 else (1 if way < 0.94 else 2)
    spread = w.p.session_spread
    usual = who.session_seconds * math.exp(spread * normal(w.rng) - spread * spread / 2.0)
    row.seconds = int(min(max(usual * sign(c, w.p.seconds_signs), 5.0), 14_400.0))
    row.pages = min(1 + poisson(w.rng, row.seconds / 45.0), 400)
    row.errors = min(poisson(w.rng, w.p.error_rate * who.device * w.day.errors), 20)
    slow = w.p.latency_ms * w.day.latency * math.sqrt(who.device)
    row.latency = int(min(max(slow * math.exp(0.5 * normal(w.rng)), 20.0), 60_000.0))
    for _ in range(min(poisson(w.rng, who.view_rate), 8)):
        _view(w, who, c, i, row.second)
    return row.errors


@inner
def _view(w: Any, who: Any, c: Any, i: Any, second: Any) -> None:
    stage = 0 if c.path == FEINT or c.path == DRIFT else c.stage
    u, topic = uniform(w.rng), 0
    while topic < 5 and u >= w.p.view_signs[stage][topic]:
        u -= w.p.view_signs[stage][topic]
        topic += 1
    # Who misses features looks for them.
    if topic == V_INSTRUMENT and uniform(w.rng) < 0.06 * min(c.grievance[PRODUCT], 3.0):
        topic = V_FEATURE
    row = w.out.viewed[w.count[VIEW]]
    w.count[VIEW] += 1
    row.client = i
    row.second = min(second + int(uniform(w.rng) * 300.0), 86_399)
    row.topic = topic
    row.subject = pick(w, who, c, i) if topic == V_INSTRUMENT else int(uniform(w.rng) * 32.0)
    if topic == V_FEATURE and uniform(w.rng) < w.p.gap_share:
        hurt(w, who, c, i, PRODUCT, w.p.gap_hurt)


@inner
def trades(w: Any, who: Any, c: Any, i: Any) -> None:
    """Trades of a trading day: bursts of trading, then peace."""
    begin(w.rng, w.key, i, w.day.day, P_TRADE)
    start = who.burst_rate * w.p.trading * w.day.activity * sign(c, w.p.trading_signs)
    if c.burst_until < w.day.day and uniform(w.rng) < start:
        c.burst_until = w.day.day + int(-who.burst_days * math.log(1.0 - uniform(w.rng)))
    if c.burst_until >= w.day.day:
        for _ in range(min(poisson(w.rng, who.trade_rate * w.day.activity), 16)):
            _trade(w, who, c, i)
    if c.stage != NONE:
        _retreat(w, who, c, i)
    if who.margin and w.day.weekday == 0:
        borrow(w, who, c, i)


@inner
def _trade(w: Any, who: Any, c: Any, i: Any) -> None:
    size = np.int64(c.worth * who.size * math.exp(0.8 * normal(w.rng) - 0.32))
    spare = c.cash - np.int64(c.worth * who.cash_share * 0.5)
    wants = uniform(w.rng) < 0.54 and spare > 20_000
    if wants and buy(w, who, c, i, pick(w, who, c, i), min(size, spare)) > 0:
        return
    k = _to_sell(w, who, c, i)
    if k >= 0:
        worth = c.quantity[k] * 1e-6 * w.price[c.slot[k]]
        share = size / max(worth, 1.0)
        # The last position is kept: to empty an account by chance would look like leaving.
        sell(w, who, c, i, k, 1.0 if share > 0.6 and _held(c) > 1 else min(share, 0.6))


@inner
def _held(c: Any) -> Any:
    n = 0
    for k in range(SLOTS):
        n += c.slot[k] >= 0
    return n


@inner
def _to_sell(w: Any, who: Any, c: Any, i: Any) -> Any:
    """A slot to sell from: gains before losses (the disposition effect)."""
    best, found = -1.0, -1
    for k in range(SLOTS):
        if c.slot[k] < 0:
            continue
        weight = uniform(w.rng)
        if c.quantity[k] * 1e-6 * w.price[c.slot[k]] > c.cost[k]:
            weight *= 1.0 + w.p.disposition
        if weight > best:
            best, found = weight, k
    return found


@inner
def _retreat(w: Any, who: Any, c: Any, i: Any) -> None:
    """Signs of leaving: into money funds; a drifting client sells bit by bit."""
    chance = w.p.money_moves[c.stage - 1]
    if c.path == DRIFT:
        chance = 0.05
    if uniform(w.rng) >= chance:
        return
    k = _to_sell(w, who, c, i)
    if k >= 0 and c.slot[k] != w.money_fund:
        got = sell(w, who, c, i, k, 0.5)
        if c.path != DRIFT and got > 0:
            buy(w, who, c, i, w.money_fund, got)


@inner
def flows(w: Any, who: Any, c: Any, i: Any) -> None:
    """Money in and out, dividends, interest, fees."""
    begin(w.rng, w.key, i, w.day.day, P_FLOW)
    u = uniform(w.rng)
    rate = who.flow_rate * w.p.funding
    deposits = 0.55 * rate * sign(c, w.p.deposit_signs)
    withdrawals = 0.45 * rate
    withdrawals *= w.p.withdrawal_signs[c.stage - 1] if c.stage != NONE else 1.0
    if u < deposits + withdrawals:
        size = np.int64(c.worth * w.p.flow_size * math.exp(0.9 * normal(w.rng) - 0.4))
        fails = w.p.flow_fails * (1.0 if w.day.errors < 5.0 else 5.0)
        failure = 1 + int(uniform(w.rng) * 4.0) if uniform(w.rng) < fails else 0
        if u < deposits:
            move_cash(w, who, c, i, DEPOSIT, size, failure, -1.0)
        else:
            _withdraw(w, who, c, i, size, failure)
        if failure:
            hurt(w, who, c, i, TECHNOLOGY, w.p.error_hurt)
    elif u < deposits + withdrawals + 0.006 and c.worth > c.cash:
        move_cash(w, who, c, i, DIVIDEND, np.int64((c.worth - c.cash) * 0.004), 0, 10.0)
    if w.day.month_end:
        if w.day.quarter_end and c.cash > 100_000:
            move_cash(w, who, c, i, INTEREST, np.int64(c.cash * 0.0005), 0, 10.0)
        if c.debt > 0:
            move_cash(w, who, c, i, FEE, np.int64(c.debt * 0.004), 0, 10.0)


@inner
def _withdraw(w: Any, who: Any, c: Any, i: Any, size: Any, failure: Any) -> None:
    if c.cash < size and w.day.trading:
        k = _to_sell(w, who, c, i)
        if k >= 0 and _held(c) > 1:
            sell(w, who, c, i, k, 0.5)
    move_cash(w, who, c, i, WITHDRAWAL, size, failure, -1.0)


@inner
def subscriptions(w: Any, who: Any, c: Any, i: Any) -> None:
    """New issues, advice, data and plans."""
    if uniform(w.rng) >= w.p.subscriptions_per_year / 365.0 * sign(c, w.p.deposit_signs):
        return
    row = w.out.subscription[w.count[SUBSCRIPTION]]
    w.count[SUBSCRIPTION] += 1
    row.client = i
    row.second = moment(who.hour, 3.0, uniform(w.rng))
    u = uniform(w.rng)
    row.product = int(uniform(w.rng) * 64.0)
    row.kind = 0 if u < 0.7 else (1 if u < 0.8 else (2 if u < 0.88 else 3))
    row.quota = 0
    row.won = 0
    row.amount = 0
    if row.kind == 0:
        lucky = uniform(w.rng) < 0.05
        row.state = 1 if lucky else 2
        row.quota = 1000 * 100_000_000
        row.won = 500 * 100_000_000 if lucky else 0
        row.amount = 500 * 1_500 if lucky else 0
    else:
        row.state = 4 if uniform(w.rng) < 0.75 else 5
        row.amount = 19_900
