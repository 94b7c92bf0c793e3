"""Why and how clients leave: grievances, hazard, four stages, the exit, the way back.

An episode begins with a hazard that grows with grievances (proportional hazards with saturated
covariates; Cox 1972). Each stage takes its time on the client's own pace; at its end one draw,
fixed by client, episode and stage, decides whether she goes on. What changes that chance (help,
harm, worse experience, contagion) therefore moves every outcome one way.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keepwell.world.dynamics.chance import begin, inner, normal, uniform
from keepwell.world.dynamics.frame import (
    EXIT_REQUEST,
    P_EXIT,
    P_LIFE,
    P_ONSET,
    P_STAGE,
    PROFILE,
    SERVED,
    STEP,
    moment,
    slots_worth,
)
from keepwell.world.dynamics.habits import hurt
from keepwell.world.dynamics.ledger import (
    forfeit,
    move_cash,
    sell,
    sell_all,
    settle,
    transfer_out,
)
from keepwell.world.dynamics.voice import close_complaint
from keepwell.world.state import SLOTS
from keepwell.world.terms import (
    ADVICE,
    ANOMALY,
    AT_ONCE,
    CLOSED,
    DEAD,
    DRIFT,
    DROPPED,
    EXIT,
    FEINT,
    LEFT,
    LIFE,
    LONG_AGO,
    MARKET,
    NEVER,
    NO_PATH,
    NONE,
    OPEN,
    PRICE,
    STAGED,
    TRUST,
    WITHDRAWAL,
)


@inner
def note_step(w: Any, who: Any, c: Any, i: Any) -> None:
    """Write the truth about where a client stands now."""
    row = w.out.step[w.count[STEP]]
    w.count[STEP] += 1
    row.client = i
    row.second = 0
    row.stage = c.stage
    row.path = c.path
    row.cause = c.cause
    row.status = c.status
    row.way = c.way
    row.named = c.named
    row.worth = c.worth


@inner
def note_profile(w: Any, who: Any, c: Any, i: Any, reason: Any) -> None:
    """Write a change of status for the client table."""
    row = w.out.client[w.count[PROFILE]]
    w.count[PROFILE] += 1
    row.client = i
    row.second = moment(16.5, 1.0, uniform(w.rng))
    row.status = c.status
    row.reason = reason


@inner
def experience(w: Any, who: Any, c: Any, i: Any) -> None:
    """Forget a little; feel losses, fees, news, rivals, life."""
    begin(w.rng, w.key, i, w.day.day, P_LIFE)
    keep = np.float32(0.5 ** (1.0 / w.p.forget_days))
    for j in range(8):
        c.grievance[j] *= keep
    if w.day.news + w.day.regulator > 0.0 and uniform(w.rng) < w.p.heard:
        hurt(w, who, c, i, TRUST, w.p.trust_hurt * (w.day.news + w.day.regulator))
    if w.day.rival > 0.0:
        hurt(w, who, c, i, PRICE, w.p.rival_hurt * w.day.rival)
    if uniform(w.rng) < w.p.life_per_year / 365.0:
        hurt(w, who, c, i, LIFE, w.p.life_hurt)
    if c.left_us <= w.day.day:
        # Who was not there on the day is served by the heir, and misses nobody.
        if c.left_us == w.day.day:
            hurt(w, who, c, i, ADVICE, w.p.adviser_leaves * c.left_hurt)
        c.adviser, c.skill, c.left_us = c.heir, c.heir_skill, NEVER
        row = w.out.service[w.count[SERVED]]
        w.count[SERVED] += 1
        row.client = i
        row.second = moment(9.0, 0.5, uniform(w.rng))
        row.manager = c.manager
        row.adviser = c.adviser
        row.wecom = c.wecom
    if (w.day.t + i) % 30 == 29:
        _month(w, who, c, i)


@inner
def _month(w: Any, who: Any, c: Any, i: Any) -> None:
    """Once a month: how did I do against the market, and what did I pay?"""
    behind = -c.month_worth
    if behind > 0.01:
        hurt(w, who, c, i, ADVICE, w.p.loss_hurt * min(behind, 0.3))
    c.month_worth = 0.0
    if w.day.index_month < -0.05 and c.cash < c.worth * 0.9:
        hurt(w, who, c, i, MARKET, w.p.market_hurt * -w.day.index_month)
    if c.last_trade > w.day.day - 30:
        dear = who.fee_rate / w.p.rival_rate - 1.0
        if dear > 0.0:
            hurt(w, who, c, i, PRICE, w.p.fee_hurt * min(dear, 3.0))


@inner
def _felt(w: Any, c: Any, j: Any) -> Any:
    g = c.grievance[j]
    return w.p.strength[j] * 2.0 * g / (1.0 + g / w.p.full)


@inner
def onset(w: Any, who: Any, c: Any, i: Any) -> None:
    """Begin to leave, or begin to look like it."""
    begin(w.rng, w.key, i, w.day.day, P_ONSET)
    total = np.float64(0.0)
    for j in range(8):
        total += _felt(w, c, j)
    hazard = w.p.hazard * who.onset * (1.0 + c.pressure) * (w.p.at_peace + total)
    if uniform(w.rng) < hazard:
        start_episode(w, who, c, i, total)
    elif uniform(w.rng) < w.p.feints_per_year / 365.0:
        c.path = FEINT
        c.cause = -1
        c.episode += 1
        c.began = w.day.day
        _enter(w, who, c, i, ANOMALY, w.p.feint_days)


@inner
def start_episode(w: Any, who: Any, c: Any, i: Any, total: Any) -> None:
    """Draw the cause in proportion to what is felt, then the path."""
    # A client at peace leaves for what matters to her most, by chance.
    u = uniform(w.rng) * (w.p.at_peace + total)
    cause = 0
    if u < total:
        while cause < 7 and u >= _felt(w, c, cause):
            u -= _felt(w, c, cause)
            cause += 1
    else:
        weight = np.float64(0.0)
        for j in range(8):
            weight += who.taste[j]
        u = uniform(w.rng) * weight
        while cause < 7 and u >= who.taste[cause]:
            u -= who.taste[cause]
            cause += 1
    c.cause = cause
    c.episode += 1
    c.began = w.day.day
    c.help = 0.0
    u = uniform(w.rng)
    if u < w.p.at_once:
        c.path = AT_ONCE
        _enter(w, who, c, i, EXIT, w.p.days[3])
    elif u < w.p.at_once + w.p.drift:
        c.path = DRIFT
        _enter(w, who, c, i, ANOMALY, w.p.drift_days)
    else:
        c.path = STAGED
        _enter(w, who, c, i, ANOMALY, w.p.days[0])


@inner
def _enter(w: Any, who: Any, c: Any, i: Any, stage: Any, days: Any) -> None:
    spread = w.p.days_spread
    c.stage = stage
    c.clock = 0.0
    c.length = days * math.exp(spread * normal(w.rng) - spread * spread / 2.0)
    c.entered = w.day.day
    c.at_entry = c.grievance[c.cause] if c.cause >= 0 else 0.0
    note_step(w, who, c, i)
    if stage == EXIT:
        _first_signs_of_exit(w, who, c, i)


@inner
def _first_signs_of_exit(w: Any, who: Any, c: Any, i: Any) -> None:
    """The first large transfer out, and a request to leave."""
    if c.path == STAGED:
        c.first_large = w.day.day
        for k in range(SLOTS):
            if c.slot[k] >= 0 and c.cash < c.worth * w.p.first_transfer:
                sell(w, who, c, i, k, 1.0 if c.cash < c.worth * 0.2 else 0.5)
        move_cash(w, who, c, i, WITHDRAWAL, np.int64(c.worth * w.p.first_transfer), 0, 15.7)
    u = uniform(w.rng)
    if u < w.p.closes:
        c.exit_kind = 0
    elif u < w.p.closes + w.p.moves:
        c.exit_kind = 1
    else:
        c.exit_kind = -1
    if c.exit_kind >= 0:
        row = w.out.exit_request[w.count[EXIT_REQUEST]]
        w.count[EXIT_REQUEST] += 1
        row.client = i
        row.second = moment(who.hour, 3.0, uniform(w.rng))
        row.kind = c.exit_kind if c.exit_kind == 0 or uniform(w.rng) < 0.6 else 2
        row.blocker = 1 if c.exit_kind == 0 else (2 if c.debt > 0 else 0)
        row.revision = 0
        row.day = w.day.day
        row.asked_second = row.second
        c.exit_day = w.day.day
        c.exit_second = row.second
        c.exit_kind = row.kind


@inner
def advance(w: Any, who: Any, c: Any, i: Any) -> None:
    """A day within an episode."""
    c.help *= 0.5 ** (1.0 / w.p.help_days)
    c.clock += 1.0 if c.path == FEINT else who.pace * w.day.season
    if c.clock < c.length or not w.day.trading:
        return
    begin(w.rng, w.key, i, c.episode, P_STAGE + 100 * c.stage)
    u = uniform(w.rng)
    if c.path == FEINT:
        _recover(w, who, c, i)
        return
    chance = w.p.go_on[c.stage - 1] if c.path != DRIFT else w.p.go_on[3]
    logit = math.log(chance / (1.0 - chance))
    logit += w.p.worse * (c.grievance[c.cause] - c.at_entry) + c.help
    logit += w.p.resolve * c.pressure
    if u >= 1.0 / (1.0 + math.exp(-logit)):
        _recover(w, who, c, i)
    elif c.stage == EXIT or c.path == DRIFT:
        leave(w, who, c, i)
    else:
        _enter(w, who, c, i, c.stage + 1, w.p.days[c.stage])


@inner
def _recover(w: Any, who: Any, c: Any, i: Any) -> None:
    """Stay after all."""
    if c.cause >= 0:
        c.grievance[c.cause] *= 0.3
    c.stage = NONE
    c.path = NO_PATH
    c.cause = -1
    c.help = 0.0
    c.exit_day = NEVER
    c.exit_kind = -1
    note_step(w, who, c, i)


@inner
def leave(w: Any, who: Any, c: Any, i: Any) -> None:
    """The end: securities moved or sold, cash out, the request carried out."""
    begin(w.rng, w.key, i, w.day.day, P_EXIT)
    had = c.cash + slots_worth(w, c)
    if c.debt > 0:
        sell_all(w, who, c, i)
        c.cash -= min(c.debt, c.cash)
        c.debt = 0
    if c.exit_day != NEVER and c.exit_kind > 0:
        transfer_out(w, who, c, i, 1.0)
        c.way = 1
    else:
        sell_all(w, who, c, i)
        c.way = 2 if c.exit_day != NEVER else 3
    move_cash(w, who, c, i, WITHDRAWAL, c.cash, 0, 15.7)
    if c.complaint_day != NEVER:
        close_complaint(w, who, c, i)
    c.month_worth = 0.0
    c.burst_until = LONG_AGO
    c.named = 0
    for j in range(8):
        weight = c.grievance[j] + (1.0 if j == c.cause else 0.0)
        if uniform(w.rng) < 1.0 - math.exp(-w.p.names[j] * weight):
            c.named |= 1 << j
    c.worth = had
    c.left_day = w.day.day
    c.status = CLOSED if c.way == 2 else LEFT
    if c.exit_day != NEVER:
        row = w.out.exit_request[w.count[EXIT_REQUEST]]
        w.count[EXIT_REQUEST] += 1
        row.client = i
        row.second = moment(15.5, 0.5, uniform(w.rng))
        row.kind = c.exit_kind
        row.blocker = 0
        row.revision = 1
        row.day = c.exit_day
        row.asked_second = c.exit_second
    if c.status == CLOSED:
        note_profile(w, who, c, i, 1)
    c.stage = NONE
    note_step(w, who, c, i)
    # When she comes back, if ever: counted from now.
    c.clock = 0.0
    back = uniform(w.rng) < w.p.returns
    c.length = 10.0 - w.p.return_days * math.log(1.0 - uniform(w.rng)) if back else 1e9


@inner
def away(w: Any, who: Any, c: Any, i: Any) -> None:
    """A day of a client who has left: perhaps the way back."""
    c.clock += 1.0
    if c.clock < c.length or not w.day.trading:
        return
    begin(w.rng, w.key, i, w.day.day, P_EXIT)
    was_closed = c.status == CLOSED
    c.status = OPEN
    c.returned = 1
    c.path = NO_PATH
    c.cause = -1
    c.way = 0
    c.exit_day = NEVER
    for j in range(8):
        c.grievance[j] = 0.0
    settle(w, who, c, i)
    if was_closed:
        note_profile(w, who, c, i, 0)
    note_step(w, who, c, i)


@inner
def fate(w: Any, who: Any, c: Any, i: Any) -> Any:
    """Death, or the broker closes the account; returns whether it ended."""
    u = uniform(w.rng)
    if u >= who.death + who.drop:
        return False
    dead = u < who.death
    forfeit(w, who, c, i)
    c.status = DEAD if dead else DROPPED
    c.stage = NONE
    c.path = NO_PATH
    c.cause = -1
    c.exit_day = NEVER
    if c.complaint_day != NEVER:
        close_complaint(w, who, c, i)
    note_profile(w, who, c, i, 3 if dead else 2)
    note_step(w, who, c, i)
    return True
