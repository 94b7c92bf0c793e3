"""What a client says and is told: contacts, complaints, surveys, touches, advice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keepwell.world.dynamics.chance import begin, bits, inner, normal, poisson, uniform
from keepwell.world.dynamics.frame import (
    COMPLAINT,
    CONSENT,
    CONTACT,
    P_ADVICE,
    P_CONTACT,
    P_TOUCH,
    P_VOICE,
    SURVEY,
    TOUCH,
    moment,
)
from keepwell.world.dynamics.habits import hurt, sign
from keepwell.world.dynamics.ledger import buy, pick
from keepwell.world.terms import (
    ADVICE,
    ASSESSMENT,
    DRIFT,
    EXIT,
    FEINT,
    I_ADVICE,
    I_APP,
    I_CLOSING,
    I_COMPLAINT,
    I_FEATURE,
    I_FEE,
    I_LIFE,
    I_MARKET,
    I_PRAISE,
    I_QUESTION,
    I_RIVAL,
    I_TRADE,
    I_TRANSFER,
    NEVER,
    NONE,
    OPEN,
    SERVICE,
)

_ABOUT = np.array(
    [I_COMPLAINT, I_ADVICE, I_FEATURE, I_APP, I_COMPLAINT, I_FEE, I_MARKET, I_LIFE], np.int8
)
"""What a client who is unhappy for a cause talks about."""

_USUAL = np.array([0.44, 0.60, 0.68, 0.76, 0.87, 0.92, 0.97], np.float64)
_USUAL_INTENT = np.array(
    [I_QUESTION, I_TRADE, I_APP, I_FEE, I_ADVICE, I_FEATURE, I_MARKET], np.int8
)
"""What content clients ask about: cumulated shares; praise is the rest."""


@inner
def worst(c: Any) -> Any:
    """The cause of the largest grievance."""
    k = 0
    for j in range(1, 8):
        if c.grievance[j] > c.grievance[k]:
            k = j
    return k


@inner
def contacts(w: Any, who: Any, c: Any, i: Any, errors: Any) -> None:
    """Contacts of the day, with the waiting and solving that follow."""
    begin(w.rng, w.key, i, w.day.day, P_CONTACT)
    mean = who.contact_rate * w.p.contacts * sign(c, w.p.contact_signs)
    if c.path == FEINT and c.stage != NONE:
        mean = who.contact_rate * w.p.contacts
    mean *= 1.0 + 0.3 * min(c.grievance[worst(c)], 4.0)
    n = min(poisson(w.rng, mean), 4)
    for _ in range(n):
        _contact(w, who, c, i, _intent(w, c))
    if errors and uniform(w.rng) < 0.08 * min(errors, 4):
        _contact(w, who, c, i, I_APP)


@inner
def _intent(w: Any, c: Any) -> Any:
    u = uniform(w.rng)
    leaving = c.stage != NONE and c.path != FEINT and c.path != DRIFT
    if leaving and c.stage == EXIT and u < 0.45:
        return I_CLOSING if uniform(w.rng) < 0.4 else I_TRANSFER
    if leaving and c.stage == ASSESSMENT and u < 0.30:
        return I_RIVAL if uniform(w.rng) < 0.6 else I_TRANSFER
    if leaving and u < 0.75:
        return _ABOUT[c.cause]
    k = worst(c)
    if uniform(w.rng) < 0.25 * min(c.grievance[k], 2.5):
        return _ABOUT[k]
    u = uniform(w.rng)
    for j in range(len(_USUAL)):
        if u < _USUAL[j]:
            return _USUAL_INTENT[j]
    return I_PRAISE


@inner
def _contact(w: Any, who: Any, c: Any, i: Any, intent: Any) -> None:
    slow = c.branch_wait * w.day.wait
    wait = w.p.wait_seconds * slow * math.exp(0.9 * normal(w.rng))
    hours = w.p.solve_hours * slow * math.exp(w.p.solve_spread * normal(w.rng))
    if intent in (I_QUESTION, I_PRAISE):
        hours *= 0.3
    hours = min(hours, 240.0)
    row = w.out.contact[w.count[CONTACT]]
    w.count[CONTACT] += 1
    row.client = i
    row.second = moment(13.0, 5.0, uniform(w.rng))
    way = uniform(w.rng)
    row.channel = _channel(way, c.wecom)
    row.intent = intent
    row.wait = int(min(wait, 14_400.0))
    row.resolve = int(hours * 3600.0)
    row.first_time = 1 if hours < 3.0 and uniform(w.rng) < 0.9 else 0
    row.cause = c.cause if c.cause >= 0 else (worst(c) if c.grievance[worst(c)] > 0.7 else -1)
    pain = w.p.wait_hurt * math.log2(1.0 + wait / 300.0)
    if hours > w.p.tolerated_hours:
        pain += w.p.unsolved_hurt * math.log2(hours / w.p.tolerated_hours)
    hurt(w, who, c, i, SERVICE, pain)
    mood = _mood(w, c, pain)
    row.sentiment = 2 if intent == I_PRAISE else mood
    rated = uniform(w.rng) < 0.35
    mark = round(4.3 + 0.5 * mood - 1.1 * pain + 0.5 * normal(w.rng))
    row.csat = int(min(max(mark, 1.0), 5.0)) if rated else 0
    row.words = np.uint32(bits(w.rng) >> np.uint64(32))


@inner
def _channel(u: Any, wecom: Any) -> Any:
    """Phone, chat, WeCom, e-mail, branch; chat for WeCom where the client is not on it."""
    if u < 0.4:
        return 0
    if u < 0.8:
        return 1
    if u < 0.92:
        return 4 if wecom else 1
    return 2 if u < 0.96 else 3


@inner
def _mood(w: Any, c: Any, pain: Any) -> Any:
    """-2 furious to 2 delighted."""
    value = 0.7 - 0.55 * min(c.grievance[worst(c)], 4.0) - 0.5 * pain + 0.7 * normal(w.rng)
    return int(min(max(round(value), -2.0), 2.0))


@inner
def complaints(w: Any, who: Any, c: Any, i: Any) -> None:
    """A complaint opened, or the open one closed."""
    begin(w.rng, w.key, i, w.day.day, P_VOICE)
    if c.complaint_day != NEVER:
        if w.day.day >= c.complaint_closes:
            close_complaint(w, who, c, i)
        return
    k = worst(c)
    if uniform(w.rng) >= w.p.complain * max(0.0, c.grievance[k] - 1.0) * (0.5 + who.patience):
        return
    row = w.out.complaint[w.count[COMPLAINT]]
    w.count[COMPLAINT] += 1
    row.client = i
    row.second = moment(who.hour, 4.0, uniform(w.rng))
    row.cause = k
    row.status = 0
    row.revision = 0
    row.day = w.day.day
    row.asked_second = row.second
    row.words = np.uint32(bits(w.rng) >> np.uint64(32))
    slow = w.p.solve_complaint_days * c.branch_wait
    c.complaint_day = w.day.day
    c.complaint_second = row.second
    c.complaint_closes = w.day.day + 1 + int(min(slow * math.exp(0.7 * normal(w.rng)), 90.0))


@inner
def close_complaint(w: Any, who: Any, c: Any, i: Any) -> None:
    """Answer the open complaint; the longer it took, the more it hurts."""
    row = w.out.complaint[w.count[COMPLAINT]]
    w.count[COMPLAINT] += 1
    row.client = i
    row.second = moment(15.0, 2.0, uniform(w.rng))
    row.cause = worst(c)
    row.status = 2
    row.revision = 1
    row.day = c.complaint_day
    row.asked_second = c.complaint_second
    row.words = 0
    took = w.day.day - c.complaint_day
    hurt(w, who, c, i, SERVICE, w.p.unsolved_hurt * math.log2(1.0 + took / 3.0))
    c.complaint_day = NEVER


@inner
def surveys(w: Any, who: Any, c: Any, i: Any) -> None:
    """Now and then a survey is answered; the unhappy answer a little more."""
    total = np.float64(0.0)
    for j in range(8):
        total += c.grievance[j]
    rate = w.p.surveys_per_year / 365.0 * (1.0 + 0.2 * min(total, 4.0))
    if uniform(w.rng) >= rate:
        return
    row = w.out.survey[w.count[SURVEY]]
    w.count[SURVEY] += 1
    row.client = i
    row.second = moment(who.hour, 4.0, uniform(w.rng))
    u = uniform(w.rng)
    row.kind = 0 if u < 0.6 else (1 if u < 0.85 else 2)
    raw = 8.7 - 0.9 * min(total, 8.0) - (0.8 * c.stage if c.path != FEINT else 0.0)
    raw += 1.4 * normal(w.rng)
    top = 10.0 if row.kind == 0 else 7.0
    row.score = int(min(max(round(raw * top / 10.0), 0.0 if row.kind == 0 else 1.0), top))
    row.touchpoint = int(uniform(w.rng) * 5.0)
    k = worst(c)
    row.cause = k if c.grievance[k] > 0.7 else -1
    row.sentiment = _mood(w, c, 0.0)
    row.words = np.uint32(bits(w.rng) >> np.uint64(32))


@inner
def touch(w: Any, who: Any, c: Any, i: Any, channel: Any, campaign: Any) -> Any:
    """An outbound contact; returns whether it was heard."""
    row = w.out.touch[w.count[TOUCH]]
    w.count[TOUCH] += 1
    row.client = i
    row.second = moment(14.0, 4.0, uniform(w.rng))
    row.channel = channel
    row.campaign = campaign
    row.delivered = uniform(w.rng) < 0.97
    heard = row.delivered and uniform(w.rng) < 0.25 + 0.5 * who.patience
    row.opened = heard
    row.replied = heard and uniform(w.rng) < 0.15
    row.refused = uniform(w.rng) < 0.012 * (1.0 - who.patience)
    if row.refused and not c.refuses:
        c.refuses = 1
        no = w.out.consent[w.count[CONSENT]]
        w.count[CONSENT] += 1
        no.client = i
        no.second = min(row.second + 60, 86_399)
        no.purpose = 0
        no.granted = 0
    return heard


@inner
def campaigns(w: Any, who: Any, c: Any, i: Any) -> None:
    """Routine touches by the broker, and the adviser's suggestions."""
    begin(w.rng, w.key, i, w.day.day, P_TOUCH)
    if c.refuses or not w.day.trading:
        return
    if who.marketing and uniform(w.rng) < w.p.touches_per_year / 250.0:
        u = uniform(w.rng)
        channel = 3 if u < 0.5 else (2 if u < 0.7 else (1 if c.wecom else 4))
        touch(w, who, c, i, channel, int(uniform(w.rng) * 2.0))
    begin(w.rng, w.key, i, w.day.day, P_ADVICE)
    if uniform(w.rng) < w.p.suggestions_per_year / 250.0:
        heard = touch(w, who, c, i, 1 if c.wecom and uniform(w.rng) < 0.5 else 0, 2)
        poor = uniform(w.rng) < w.p.poor_advice * (1.0 - c.skill)
        if heard and poor:
            hurt(w, who, c, i, ADVICE, w.p.advice_hurt)
        if heard and c.status == OPEN and c.stage == NONE and uniform(w.rng) < 0.25:
            _follow(w, who, c, i, poor)


@inner
def _follow(w: Any, who: Any, c: Any, i: Any, poor: Any) -> None:
    """Buy what was suggested; a poor suggestion is riskier than the client should hold."""
    instrument = pick(w, who, c, i)
    if poor:
        level = min(who.risk_level + 2, 5)
        instrument = w.choice[level, int(uniform(w.rng) * 4096.0)]
    buy(w, who, c, i, instrument, np.int64(c.worth * 0.08))
