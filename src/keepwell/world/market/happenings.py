"""What befalls the broker: outages, rivals' offers, a regulator's acts; and the days they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.days import to_date
from keepwell.world.market.settings import MarketSettings
from keepwell.world.state import DAY
from keepwell.world.terms import SYSTEMS

if TYPE_CHECKING:
    from keepwell.world.market.news import News
    from keepwell.world.scenario import Happening

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_OPENING_SECOND: Final = 9 * 3600 + 900
_LAST_SECOND: Final = 86_399
_SYSTEM_ODDS: Final = (0.3, 0.4, 0.2, 0.1)
_YEAR: Final = 365.0
_MONTH: Final = 21
_YEAR_SESSIONS: Final = 242


@dataclass(frozen=True)
class Outage:
    """A failure of one of the broker's systems; it ends on the day it began.

    Attributes:
        day: day number.
        second: of the local day, when it began.
        seconds: how long it lasted.
        system: one of `terms.SYSTEMS`.
        severity: 0 low, 1 medium, 2 high.
        strength: above 0; 1 medium, 2 the worst.
    """

    day: int
    second: int
    seconds: int
    system: str
    severity: int
    strength: float


def draw_outages(
    settings: MarketSettings,
    happenings: Sequence[Happening],
    start: int,
    trading: Flags,
    rng: np.random.Generator,
) -> list[Outage]:
    """Failures that happen by themselves, and one on each day of an `outage` of the scenario.

    Args:
        settings: how often they happen.
        happenings: those of the scenario.
        start: day number of the first day.
        trading: which days have a session.
        rng: source of chance.

    Returns:
        The failures, by time.
    """
    days = len(trading)
    luck = rng.random((days, 5))
    found = []
    for t in np.flatnonzero(luck[:, 0] < settings.outages_a_year / _YEAR):
        system = SYSTEMS[int(np.searchsorted(np.cumsum(_SYSTEM_ODDS[:-1]), luck[t, 1], "right"))]
        # Most failures are slight: the square keeps half of them below a quarter of the range.
        strength = float(0.05 + 1.95 * luck[t, 2] ** 2)
        found.append(_outage(start + int(t), bool(trading[t]), system, strength, luck[t, 3:]))
    for happening in happenings:
        if happening.kind != "outage" or happening.strength <= 0:
            continue
        last = min(happening.day + happening.days, days)
        found.extend(
            _outage(start + t, bool(trading[t]), happening.system, happening.strength, luck[t, 3:])
            for t in range(happening.day, last)
        )
    return sorted(found, key=lambda outage: (outage.day, outage.second, outage.system))


def _outage(day: int, trading: bool, system: str, strength: float, luck: Floats) -> Outage:
    # Load makes systems fail: most failures of a session's day come in its first hour and a half.
    second = (
        _OPENING_SECOND + int(5400 * luck[0]) if trading else 8 * 3600 + int(12 * 3600 * luck[0])
    )
    seconds = int(600 + 5400 * min(strength, 3.0) * (0.5 + luck[1]))
    severity = int(np.digitize(strength, [0.5, 1.5]))
    return Outage(day, second, min(seconds, _LAST_SECOND - second), system, severity, strength)


def offers(
    settings: MarketSettings,
    happenings: Sequence[Happening],
    days: int,
    rng: np.random.Generator,
) -> Floats:
    """Strength of rivals' price offers on each day: those of usual times and price wars.

    Args:
        settings: how often, how long and how strong the usual ones are.
        happenings: those of the scenario.
        days: number of days.
        rng: source of chance.

    Returns:
        The strongest offer of each day, 0 for none, [days].
    """
    strength = np.zeros(days)
    for t in np.flatnonzero(rng.random(days) < settings.offers_a_year / _YEAR):
        strength[t : t + settings.offer_days] = settings.offer_strength
    return np.maximum(strength, _strongest(happenings, "price_war", days))


def _strongest(happenings: Sequence[Happening], kind: str, days: int) -> Floats:
    strength = np.zeros(days)
    for happening in happenings:
        if happening.kind == kind:
            span = slice(happening.day, happening.day + happening.days)
            strength[span] = np.maximum(strength[span], happening.strength)
    return strength


def day_records(
    settings: MarketSettings,
    happenings: Sequence[Happening],
    start: int,
    trading: Flags,
    regime: npt.NDArray[np.int8],
    returns: Floats,
    rival: Floats,
    outages: list[Outage],
    news: list[News],
    rng: np.random.Generator,
) -> npt.NDArray[Any]:
    """What each day is like for everybody.

    Args:
        settings: parameters.
        happenings: those of the scenario.
        start: day number of the first day.
        trading: which days have a session, [D].
        regime: of each day.
        returns: log returns of the index: of some sessions before the start, then of each day.
        rival: strength of rivals' offers.
        outages: failures.
        news: pieces of news; the bad ones about the broker count.
        rng: source of chance.

    Returns:
        Records `state.DAY`, [D].
    """
    days = len(trading)
    dates = np.arange(start, start + days).astype("datetime64[D]")
    past, today = returns[: len(returns) - days], returns[len(returns) - days :]
    record = np.zeros(days, DAY)
    record["day"] = start + np.arange(days)
    record["t"] = np.arange(days)
    record["trading"] = trading
    following = (dates + np.timedelta64(1, "D")).astype("datetime64[M]")
    record["month_end"] = following != dates.astype("datetime64[M]")
    quarter = dates.astype("datetime64[M]").astype(np.int64) % 3 == 2
    record["quarter_end"] = record["month_end"] & quarter
    record["weekday"] = (record["day"] + 3) % 7  # 1970-01-01 was a Thursday
    record["regime"] = regime
    record["season"] = season(settings, start, days)
    record["index_return"] = today
    record["index_month"], volatility = _look_back(past, today, trading)
    record["activity"] = _activity(settings, trading, record["index_month"], volatility)
    record["errors"], record["latency"], record["wait"] = _systems(
        settings, start, days, outages, rng
    )
    silence = np.ones(days)
    for piece in news:
        if piece.subject == "own" and piece.sentiment < 0:
            silence[piece.day - start] *= 1.0 + max(piece.sentiment, -1.0)
    record["news"] = 1.0 - silence
    record["rival"] = rival
    record["regulator"] = _strongest(happenings, "regulator", days)
    return record


def season(settings: MarketSettings, start: int, days: int) -> Floats:
    """Speed of clients' decisions through the year.

    The smoothest trigonometric curve (periods of a year and half a year) whose mean over each
    quarter is the parameter of that quarter divided by the mean of the four: over a quarter, sine
    and cosine of the year average to plus or minus 2/pi.

    Args:
        settings: quarters' values.
        start: day number of the first day.
        days: number of days.

    Returns:
        Multiplier of each day, at least 0.05, mean 1 over a year.
    """
    q = np.array([settings.quarter_1, settings.quarter_2, settings.quarter_3, settings.quarter_4])
    q = q / q.mean()
    signs = np.array([[1, -1, -1, 1], [1, 1, -1, -1], [1, -1, 1, -1]])
    a, b, c = np.pi / 2.0 * (signs @ q) / 4.0
    x = np.array([_year_place(start + t) for t in range(days)]) * 2.0 * np.pi
    curve = 1.0 + a * np.cos(x) + b * np.sin(x) + c * np.sin(2.0 * x)
    return np.asarray(np.maximum(curve, 0.05), np.float64)


def _year_place(number: int) -> float:
    """Noon of a day as a share of its year, each quarter being a fourth."""
    day = to_date(number)
    quarter = (day.month - 1) // 3
    first = day.replace(month=quarter * 3 + 1, day=1)
    last = day.replace(year=day.year + (quarter == 3), month=(quarter * 3 + 3) % 12 + 1, day=1)
    return (quarter + ((day - first).days + 0.5) / (last - first).days) / 4.0


def _look_back(past: Floats, today: Floats, trading: Flags) -> tuple[Floats, Floats]:
    """Log return over the last 21 sessions, and their volatility a session, on each day."""
    moved = np.concatenate([past, today[trading]])
    total = np.concatenate([[0.0], np.cumsum(moved)])
    squares = np.concatenate([[0.0], np.cumsum(moved**2)])
    # Number of sessions gone by the end of each day, those before the start included.
    gone = len(past) + np.cumsum(trading)
    begin = np.maximum(gone - _MONTH, 0)
    spread = np.sqrt((squares[gone] - squares[begin]) / np.maximum(gone - begin, 1))
    return total[gone] - total[begin], spread


def _activity(
    settings: MarketSettings, trading: Flags, month: Floats, volatility: Floats
) -> Floats:
    """Multiplier of trading and log-ins: about 1 on average over the days of a calm year."""
    usual = max(settings.calm_volatility, 0.01) / np.sqrt(_YEAR_SESSIONS)
    ratio = np.maximum(volatility / usual, 0.05)
    level = ratio**settings.volatility_activity * np.exp(settings.trend_activity * month)
    share = _YEAR_SESSIONS / _YEAR
    open_day = 1.0 / (share + (1.0 - share) * settings.closed_activity)
    weight = np.where(trading, 1.0, settings.closed_activity) * open_day
    return np.asarray(np.clip(level, 0.3, 4.0) * weight, np.float64)


def _systems(
    settings: MarketSettings,
    start: int,
    days: int,
    outages: list[Outage],
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """Multipliers of app errors, of response times and of waiting times: 1 on usual days."""
    luck = rng.normal(0.0, 1.0, (days, 3))
    memory, spread = settings.wobble_memory, settings.wobble
    fresh = np.sqrt(1.0 - memory**2)
    logs = np.empty((days, 3))
    last = luck[0]
    for t in range(days):
        last = memory * last + fresh * luck[t] if t else last
        logs[t] = last
    factor = np.exp(spread * logs - spread**2 / 2.0)
    low, high = settings.outage_errors_low, settings.outage_errors_high
    worst = np.zeros(days)
    for outage in outages:
        worst[outage.day - start] = max(worst[outage.day - start], outage.strength)
    hit = worst > 0
    raised = np.ones((days, 3))
    raised[hit, 0] = low + (high - low) * np.minimum(worst[hit] / 2.0, 1.0)
    raised[:, 1] += (settings.outage_latency - 1.0) * np.minimum(worst, 3.0)
    raised[:, 2] += (settings.outage_wait - 1.0) * np.minimum(worst, 3.0)
    factor *= raised
    return factor[:, 0], factor[:, 1], factor[:, 2]
