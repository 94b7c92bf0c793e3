"""One day of one shard: every client in turn, then what staff do."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from keepwell.world.dynamics.chance import begin, inner, uniform
from keepwell.world.dynamics.frame import (
    FIRST_HOLDING,
    HOLDING,
    P_ACT,
    P_LIFE,
    SPARE,
    TABLES,
    slots_worth,
)
from keepwell.world.dynamics.habits import flows, hurt, log_ins, subscriptions, trades
from keepwell.world.dynamics.leaving import (
    advance,
    away,
    experience,
    fate,
    note_profile,
    note_step,
    onset,
    start_episode,
)
from keepwell.world.dynamics.ledger import redeem, settle, tell
from keepwell.world.dynamics.voice import campaigns, complaints, contacts, surveys, touch
from keepwell.world.state import SLOTS
from keepwell.world.terms import (
    CLOSED,
    COMPLAINT_FAST,
    FEINT,
    FIRST_ACTION,
    LEAVE_ALONE,
    LEFT,
    NEVER,
    NONE,
    OPEN,
    TRUST,
    UNOPENED,
)

_KINDS = len(TABLES)


@numba.njit(nogil=True, cache=True)
def live(w: Any, person: Any, state: Any, first: Any, last: Any) -> Any:
    """Live the day for clients [first, last).

    Args:
        w: FRAME record.
        person: PERSON [n].
        state: CLIENT [n].
        first: place of the first client.
        last: place after the last one.

    Returns:
        The client to go on with: `last`, or an earlier one when the room for events is nearly
        full; hand the events over, set the counts to 0 and call again.
    """
    for i in range(first, last):
        for k in range(_KINDS):
            if w.count[k] > len(w.out.trade) - SPARE:
                return i
        w.count[FIRST_HOLDING] = w.count[HOLDING]
        who, c = person[i], state[i]
        status = c.status
        if status == OPEN:
            _open_day(w, who, c, i)
        elif status == UNOPENED:
            if who.opened <= w.day.day and (w.day.trading or w.day.t == 0):
                _open_account(w, who, c, i)
        elif status in (LEFT, CLOSED):
            away(w, who, c, i)
        if c.changed or (c.status == OPEN and w.day.month_end):
            tell(w, who, c, i)
    return last


@inner
def _open_account(w: Any, who: Any, c: Any, i: Any) -> None:
    c.status = OPEN
    begin(w.rng, w.key, i, w.day.day, P_LIFE)
    settle(w, who, c, i)
    if w.day.t > 0:
        note_profile(w, who, c, i, 0)
    elif c.stage != NONE:
        note_step(w, who, c, i)


@inner
def _open_day(w: Any, who: Any, c: Any, i: Any) -> None:
    experience(w, who, c, i)
    if fate(w, who, c, i):
        return
    if w.day.trading:
        _feel_prices(w, c)
        redeem(w, who, c, i)
    if c.stage == NONE:
        onset(w, who, c, i)
    else:
        advance(w, who, c, i)
    if c.status != OPEN:
        return
    if w.day.trading:
        trades(w, who, c, i)
    flows(w, who, c, i)
    errors = log_ins(w, who, c, i)
    subscriptions(w, who, c, i)
    contacts(w, who, c, i, errors)
    complaints(w, who, c, i)
    surveys(w, who, c, i)
    campaigns(w, who, c, i)


@inner
def _feel_prices(w: Any, c: Any) -> None:
    """Today's worth, and how it moved against the index."""
    before = np.float64(0.0)
    for k in range(SLOTS):
        if c.slot[k] >= 0:
            before += c.quantity[k] * 1e-6 * w.before[c.slot[k]]
    now = slots_worth(w, c)
    if before > 0.0:
        c.month_worth += math.log(max(now, 1.0) / before) - w.day.index_return
    c.worth = c.cash + now - c.debt


@numba.njit(nogil=True, cache=True)
def act(w: Any, person: Any, state: Any, clients: Any, actions: Any) -> None:
    """Do actions to clients, before the day is lived.

    Args:
        w: FRAME record.
        person: PERSON [n].
        state: CLIENT [n].
        clients: places, each at most once; int64 [m].
        actions: codes of `terms.ACTIONS`; int64 [m].
    """
    for j in range(len(clients)):
        i, action = clients[j], actions[j]
        who, c = person[i], state[i]
        if action == LEAVE_ALONE or c.status != OPEN:
            continue
        begin(w.rng, w.key, i, w.day.day, P_ACT)
        _help(w, who, c, i, action)
        touch(w, who, c, i, 1 if action >= 3 and c.wecom else 0, FIRST_ACTION + action)


@inner
def shift_of(w: Any, who: Any, c: Any, action: Any, cause: Any) -> Any:
    """Logit of going on that an action adds for a client as she stands now."""
    size = w.p.effect[action, cause] * w.p.effects
    if c.stage != NONE:
        size *= w.p.by_stage[c.stage - 1]
    if who.age < 36.0:
        size *= w.p.young[action]
    if c.worth > 50_000_000:
        size *= w.p.wealthy[action]
    return size


@inner
def _help(w: Any, who: Any, c: Any, i: Any, action: Any) -> None:
    c.treated = action
    c.treated_day = w.day.day
    if action == COMPLAINT_FAST and c.complaint_day != NEVER:
        c.complaint_closes = min(c.complaint_closes, w.day.day + 1)
    if c.stage != NONE and c.path != FEINT:
        size = shift_of(w, who, c, action, c.cause)
        c.help += size
        if size < 0.0:
            c.grievance[c.cause] *= max(0.0, 1.0 + size * w.p.relief)
        return
    k, worst = -1, 0.5
    for j in range(8):
        if c.grievance[j] > worst:
            k, worst = j, c.grievance[j]
    if k >= 0:
        size = shift_of(w, who, c, action, k)
        c.grievance[k] *= min(max(0.0, 1.0 + size * w.p.relief), 1.5)
    else:
        alone = (1.0 - who.patience) * w.p.harm
        hurt(w, who, c, i, TRUST, w.p.annoys[action] * alone)
        if c.stage == NONE and uniform(w.rng) < w.p.wakes[action] * 2.0 * alone:
            start_episode(w, who, c, i, 0.0)
