"""The state on the first day: a broker in mid-life, in which some clients are already leaving.

Without it nobody would leave in a world's first two months. Two textbook stationary laws are used:
a grievance is shot noise (hurts arrive at random, each fades exponentially; Rice, Bell System
Technical Journal 23, 1944), drawn as the Gamma with its mean and variance; the number of clients
in a stage is the rate of entering times the stage's length (Little, Operations Research 9, 1961),
and the time already spent there is a uniform share of a length-biased length (Cox, Renewal Theory,
1962). The months before the start count as calm and without bad news.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from keepwell.world.dynamics.chance import stream
from keepwell.world.market.happenings import season
from keepwell.world.terms import (
    ADVICE,
    ANOMALY,
    ASSESSMENT,
    AT_ONCE,
    CAUSES,
    DRIFT,
    EXIT,
    FEINT,
    LIFE,
    NONE,
    PRICE,
    PROBING,
    PRODUCT,
    SERVICE,
    STAGED,
    TECHNOLOGY,
    V_FEATURE,
)

if TYPE_CHECKING:
    from keepwell.world.people.draw import People
    from keepwell.world.scenario import Scenario

Floats = NDArray[np.float64]

_YEAR = 365.0
_QUESTIONS = 0.47
"""Share of contacts that are questions or praise, which are solved faster (`voice`)."""
_FASTER = 0.3
_LONGEST = 240.0
_GRID = 64
_ROUNDING = 1.0
"""Days by which a stage outlasts its length: steps are taken on the next day with a session."""
_BEFORE = 1000
"""Days before the start in which an episode of today can have begun."""


def seed_state(
    state: NDArray[np.void], people: People, scenario: Scenario, seed: int, start: int
) -> None:
    """Give the clients who are there at the start grievances, and put some into stages.

    Who is in the exit stage has no request to leave on record: it lies before the start.

    Args:
        state: CLIENT records [n], changed in place.
        people: the shard's.
        scenario: all parameters.
        seed: the world's.
        start: day number of the first day.
    """
    rng = stream(seed, "start", people.shard)
    n = len(state)
    hurts = [rng.gamma(shape, 1.0, n) * scale for shape, scale in _stationary(people, scenario)]
    score, spent, place, cause = rng.standard_normal(n), *rng.random((3, n))
    there = people.person["opened"] < start
    grievance = np.stack(hurts, axis=1) * there[:, None]
    state["grievance"] = grievance
    stage, path, days = _stages(state, people, scenario, start, place)
    stage[~there], path[~there] = NONE, 0
    leaving = scenario.leaving
    spread = leaving.days_spread
    # Long stages are met more often: the log of a length-biased lognormal is moved by its variance.
    length = days * np.exp(spread * score + spread**2 / 2.0)
    clock = spent * length
    speed = np.where(path == FEINT, 1.0, people.person["pace"])
    inside = stage != NONE
    state["stage"], state["path"] = stage, path
    state["episode"][inside] = 1
    state["length"][inside], state["clock"][inside] = length[inside], clock[inside]
    entered = start - 1 - np.floor(clock / speed)
    # Earlier stages took their means.
    past = np.concatenate([[0.0, 0.0], np.cumsum(leaving.days)])[stage]
    state["entered"][inside] = entered[inside]
    state["began"][inside] = (entered - np.floor(past / speed))[inside]
    leaves = inside & (path != FEINT)
    state["cause"][leaves] = _causes(state, people, scenario, cause)[leaves]
    mine = grievance[np.arange(n), np.maximum(state["cause"], 0)]
    state["at_entry"][leaves] = mine[leaves]
    last = inside & (stage == EXIT)
    state["exit_kind"][last] = -1
    large = last & (path == STAGED)
    state["first_large"][large] = entered[large]


def _stationary(people: People, scenario: Scenario) -> list[tuple[Floats, Floats]]:
    """Shape and scale of each cause's grievance, in the order of `terms.CAUSES`; [n] each."""
    fade = math.log(2.0) / scenario.experience.forget_days
    taste = people.person["taste"].astype(np.float64)
    hurts = _hurts(people, scenario)
    means, variances = (
        np.stack([_summed(sources, k, len(taste)) for sources in hurts], axis=1) / fade
        for k in (1, 2)
    )
    # Who is unhappy asks more often, and each contact can hurt again (`voice.contacts`).
    for _ in range(3):
        more = 1.0 + 0.3 * np.minimum((means * taste).max(axis=1), 4.0)
        rate, first, _ = hurts[SERVICE][0]
        means[:, SERVICE] = rate * more * first / fade
    variances[:, SERVICE] *= more
    out = []
    for cause in range(len(hurts)):
        mean, variance = means[:, cause], variances[:, cause] / 2.0
        known = mean > 0.0
        shape = np.divide(mean**2, variance, out=np.zeros_like(mean), where=known)
        scale = np.divide(variance, mean, out=np.zeros_like(mean), where=known)
        out.append((shape, scale * taste[:, cause]))
    return out


def _summed(sources: list[Source], moment: int, n: int) -> Floats:
    """Sum over sources of rate times a moment; [n]."""
    return sum((source[0] * source[moment] for source in sources), np.zeros(n))


Source = tuple[Floats, Floats, Floats]
"""Rate a day, mean and mean square of the hurt before taste; [n] each."""


def _hurts(people: People, scenario: Scenario) -> list[list[Source]]:
    """What hurts on usual days, by cause."""
    who, staff, e, h = people.person, people.staff, scenario.experience, scenario.habits
    n = len(who)

    def often(rate: Floats, hurt: float) -> Source:
        return rate, np.full(n, hurt), np.full(n, hurt * hurt)

    sessions = who["session_rate"] * h.log_ins
    out: list[list[Source]] = [[] for _ in CAUSES]
    first, second = _pains(scenario, staff.branch_wait[who["branch"]].astype(np.float64))
    out[SERVICE] = [(who["contact_rate"] * h.contacts, first, second)]
    heard = 0.97 * (0.25 + 0.5 * who["patience"])
    poor = e.poor_advice * (1.0 - staff.adviser_skill[who["adviser"]])
    months = np.full(n, 1.0 / 30.0)
    spread = math.hypot(scenario.market.own_volatility, scenario.market.sector_volatility)
    # Behind the index half of the time; the mean of a half-normal is sqrt(2 / pi) of its spread.
    behind = e.loss_hurt * spread / np.sqrt(12.0 * np.maximum(who["positions"], 1))
    out[ADVICE] = [
        often(h.suggestions_per_year / _YEAR * heard * poor, e.advice_hurt),
        (months / 2.0, behind * math.sqrt(2.0 / math.pi), behind**2),
    ]
    looks = sessions * who["view_rate"] * scenario.leaving.view_signs[0][V_FEATURE]
    out[PRODUCT] = [often(looks * e.gap_share, e.gap_hurt)]
    out[TECHNOLOGY] = [often(sessions * e.error_rate * who["device"], e.error_hurt)]
    dear = np.clip(who["fee_rate"] / e.rival_rate - 1.0, 0.0, 3.0) * e.fee_hurt
    traded = 1.0 - np.exp(-30.0 * who["burst_rate"] * h.trading)
    out[PRICE] = [(traded / 30.0, dear, dear**2)]
    out[LIFE] = [often(np.full(n, e.life_per_year / _YEAR), e.life_hurt)]
    return out


def _pains(scenario: Scenario, slow: Floats) -> tuple[Floats, Floats]:
    """Mean and mean square of the hurt of a contact, by how slow the client's branch is; [n]."""
    e = scenario.experience
    score = ndtri((np.arange(_GRID) + 0.5) / _GRID)
    speeds = np.linspace(min(slow.min(), 0.2), max(slow.max(), 1.0), 24)
    wait = e.wait_seconds * speeds[:, None] * np.exp(0.9 * score)
    waits = e.wait_hurt * np.log2(1.0 + wait / 300.0)
    hours = e.solve_hours * speeds[:, None] * np.exp(e.solve_spread * score)
    quick = e.unsolved_hurt * _doublings(hours * _FASTER, e.tolerated_hours)
    usual = e.unsolved_hurt * _doublings(hours, e.tolerated_hours)
    mix = ((_QUESTIONS, quick), (1.0 - _QUESTIONS, usual))
    first = waits.mean(axis=1) + sum(share * hurt.mean(axis=1) for share, hurt in mix)
    # The wait and the time to solve are independent.
    second = waits.var(axis=1) - (first - waits.mean(axis=1)) ** 2 + first**2
    second = second + sum(share * (hurt**2).mean(axis=1) for share, hurt in mix)
    return np.interp(slow, speeds, first), np.interp(slow, speeds, second)


def _doublings(hours: Floats, tolerated: float) -> Floats:
    return np.log2(np.maximum(np.minimum(hours, _LONGEST) / tolerated, 1.0))


_PLACES: Final = (
    (ANOMALY, STAGED), (PROBING, STAGED), (ASSESSMENT, STAGED), (EXIT, STAGED), (EXIT, AT_ONCE),
    (ANOMALY, DRIFT),
)  # fmt: skip


def _felt(state: NDArray[np.void], scenario: Scenario) -> Floats:
    """What each grievance adds to the hazard; [n, causes]."""
    g = state["grievance"].astype(np.float64)
    leaving = scenario.leaving
    return np.asarray(np.asarray(leaving.strength) * 2.0 * g / (1.0 + g / leaving.full))


def _pressure(people: People, scenario: Scenario, hazard: float) -> float:
    """Usual contagion: from the share of clients who left lately, at a mean hazard a day."""
    leaving, c = scenario.leaving, scenario.contagion
    staged = 1.0 - leaving.at_once - leaving.drift
    end = staged * math.prod(leaving.go_on) + (leaving.at_once + leaving.drift) * leaving.go_on[3]
    lately = hazard * end * c.lately
    mates = float((people.person["mates"] >= 0).sum(axis=1).mean())
    referred = float((people.person["referrer"] >= 0).mean())
    return lately * (c.household * mates + c.referrer * referred + c.adviser)


def _entrants(
    scenario: Scenario, start: int, pace: NDArray[np.float32], low: float, high: float
) -> Floats:
    """Days before the start whose entrants have by now gone `low` to `high` days on their clocks.

    Clocks run faster in some seasons, so that this is not the length of the stage.
    """
    gone = np.cumsum(season(scenario.market, start - _BEFORE, _BEFORE)[::-1])
    back = np.arange(1, _BEFORE + 1)
    return np.asarray(np.interp(high / pace, gone, back) - np.interp(low / pace, gone, back))


def _stages(
    state: NDArray[np.void],
    people: People,
    scenario: Scenario,
    start: int,
    place: Floats,
) -> tuple[NDArray[np.int8], NDArray[np.int8], Floats]:
    """Stage, path and mean length of the stage of each client; `place` is uniform [n]."""
    leaving, who = scenario.leaving, people.person
    hazard = leaving.hazard * who["onset"] * (leaving.at_peace + _felt(state, scenario).sum(axis=1))
    hazard *= 1.0 + _pressure(people, scenario, float(hazard.mean()))
    staged = 1.0 - leaving.at_once - leaving.drift
    arrive = np.cumprod([1.0, *leaving.go_on[:3]])
    steps = np.asarray(leaving.days) + _ROUNDING
    ends = [0.0, *np.cumsum(steps)]
    weights = []
    for k in range(4):
        days = _entrants(scenario, start, who["pace"], ends[k], ends[k + 1])
        weights.append(hazard * staged * arrive[k] * days)
    days = _entrants(scenario, start, who["pace"], 0.0, float(steps[3]))
    weights.append(hazard * leaving.at_once * days)
    days = _entrants(scenario, start, who["pace"], 0.0, leaving.drift_days)
    weights.append(hazard * leaving.drift * days)
    weights.append(np.full(len(who), leaving.feints_per_year / _YEAR * leaving.feint_days))
    lasts = [*leaving.days, leaving.days[3], leaving.drift_days, leaving.feint_days]
    # Against a weight of 1 for being in no stage.
    sums = np.cumsum(np.stack(weights, axis=1), axis=1)
    found = (place[:, None] * (1.0 + sums[:, -1:]) >= sums).sum(axis=1)
    stages = np.array([*(stage for stage, _ in _PLACES), ANOMALY, NONE], np.int8)
    paths = np.array([*(path for _, path in _PLACES), FEINT, 0], np.int8)
    return stages[found], paths[found], np.array([*lasts, 0.0])[found]


def _causes(
    state: NDArray[np.void], people: People, scenario: Scenario, place: Floats
) -> NDArray[np.int64]:
    """A cause for each client as at the beginning of an episode; `place` is uniform [n]."""
    taste = people.person["taste"].astype(np.float64)
    peace = scenario.leaving.at_peace * taste / np.maximum(taste.sum(axis=1, keepdims=True), 1e-9)
    ends = np.cumsum(_felt(state, scenario) + peace, axis=1)
    found = (place[:, None] * ends[:, -1:] >= ends).sum(axis=1)
    return np.asarray(np.minimum(found, len(CAUSES) - 1), np.int64)
