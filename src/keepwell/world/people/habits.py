"""What each client usually does: the fields of a person that are habits.

All means are closed forms of normal scores, so that the book has them whatever its size.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from keepwell.world.people.usual import UsualSettings
from keepwell.world.state import SLOTS

Floats = NDArray[np.float64]

_YEAR = 365.0
_MOST_A_DAY = 25.0
"""Keeps daily counts within what `chance.poisson` draws."""
_MOST_BURSTS = 0.15
"""Bursts begun a day, so that even the busiest have days off."""


def lognormal(score: Floats, mean: float, spread: float) -> Floats:
    """Values of a lognormal distribution from standard normal scores.

    Args:
        score: standard normal [n].
        mean: of the values.
        spread: standard deviation of the logs.
    """
    return np.asarray(mean * np.exp(spread * score - spread**2 / 2))


def mixed(rng: np.random.Generator, *parts: tuple[float, Floats]) -> Floats:
    """A standard normal score that goes together with others.

    Args:
        rng: where the rest comes from.
        *parts: correlation with, and values of, independent standard normal scores [n].
    """
    rest = 1.0 - sum(share**2 for share, _ in parts)
    out = math.sqrt(max(rest, 0.0)) * rng.standard_normal(len(parts[0][1]))
    for share, score in parts:
        out = out + share * score
    return out


def draw_habits(
    rng: np.random.Generator,
    person: NDArray[np.void],
    old: Floats,
    rich: Floats,
    usual: UsualSettings,
) -> None:
    """Fill the habits of a shard's people.

    Args:
        rng: a stream of its own.
        person: records of `state.PERSON` [n], changed in place.
        old: normal scores of age [n].
        rich: normal scores of wealth, independent of `old` [n].
        usual: means and spreads.
    """
    activity = mixed(rng, (usual.activity_by_age, old), (usual.activity_by_assets, rich))
    quiet = rng.random(len(old)) < usual.quiet
    awake = (1.0 - usual.quiet * usual.quiet_factor) / (1.0 - usual.quiet)
    level = np.where(quiet, usual.quiet_factor, awake)
    _rates(rng, person, activity, level, old, usual)
    _manner(rng, person, activity, rich, usual)


def _rates(
    rng: np.random.Generator,
    person: NDArray[np.void],
    activity: Floats,
    level: Floats,
    old: Floats,
    usual: UsualSettings,
) -> None:
    """How often; `level` is the factor of being quiet or not, mean 1."""
    s, together = usual.spread, (usual.alike, activity)
    sessions = lognormal(mixed(rng, together), usual.sessions / _YEAR, s) * level
    person["session_rate"] = np.minimum(sessions, _MOST_A_DAY)
    flows = lognormal(mixed(rng, together), usual.flows / _YEAR, s) * level
    person["flow_rate"] = np.minimum(flows, _MOST_A_DAY)

    c = usual.contacts_by_age
    mean = usual.contacts / _YEAR
    # The tilt by age correlates with activity: E exp(sA + cB) = exp((s² + c² + 2sc cov) / 2).
    mean *= math.exp(-c * c / 2 - s * c * usual.alike * usual.activity_by_age)
    contacts = lognormal(mixed(rng, together), mean, s) * level * np.exp(c * old)
    person["contact_rate"] = np.minimum(contacts, _MOST_A_DAY)

    # Half of the log of trading is in how often bursts come, half in how busy they are.
    score = mixed(rng, together)
    bursts = lognormal(score, usual.bursts / _YEAR, s / 2)
    length = lognormal(rng.standard_normal(len(old)), usual.burst_days, usual.burst_spread)
    trades = lognormal(score, usual.trades / _YEAR, s)
    person["burst_rate"] = np.minimum(bursts * level, _MOST_BURSTS)
    person["burst_days"] = length
    person["trade_rate"] = np.minimum(trades / (bursts * length), _MOST_A_DAY)


def _manner(
    rng: np.random.Generator,
    person: NDArray[np.void],
    activity: Floats,
    rich: Floats,
    usual: UsualSettings,
) -> None:
    """How long, how much, when, with what."""
    n = len(rich)
    person["session_seconds"] = lognormal(
        mixed(rng, (usual.seconds_alike, activity)), usual.session_seconds, usual.seconds_spread
    )
    person["view_rate"] = lognormal(rng.standard_normal(n), usual.views, usual.views_spread)
    size = usual.size * np.exp(usual.size_spread * rng.standard_normal(n))
    person["size"] = np.minimum(size, 1.0)
    cash, money = (
        rng.beta(mean * usual.share_sum, (1.0 - mean) * usual.share_sum, n)
        for mean in (usual.cash, usual.money)
    )
    fit = np.minimum(1.0, usual.idle_most / np.maximum(cash + money, 1e-9))
    person["cash_share"], person["money_share"] = cash * fit, money * fit
    held = usual.positions + usual.positions_by_assets * rich
    held = held + usual.positions_spread * rng.standard_normal(n)
    person["positions"] = np.clip(np.rint(held), 1, SLOTS - 1)
    person["device"] = lognormal(rng.standard_normal(n), 1.0, usual.device_spread)
    kind = rng.choice(3, size=n, p=usual.hours_shares)
    hour = np.asarray(usual.hours)[kind]
    hour = (hour + np.asarray(usual.hours_spread)[kind] * rng.standard_normal(n)) % 24.0
    person["hour"] = np.minimum(hour, 23.999)
    person["patience"] = rng.beta(*usual.patience, size=n)
