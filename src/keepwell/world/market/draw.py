"""The market of a world: regimes, index, prices, news, outages and what each day is like.

The index follows one of four regimes that change as a Markov chain (Hamilton, Econometrica 57,
1989; the four of Guidolin & Timmermann, Journal of Economic Dynamics and Control 31, 2007). No
client moves the market: it depends on the scenario, the seed and the number of days alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.days import day_number
from keepwell.world.dynamics.chance import stream
from keepwell.world.market.calendar import sessions
from keepwell.world.market.happenings import Outage, day_records, draw_outages, offers
from keepwell.world.market.instruments import (
    YEAR_SESSIONS,
    Instruments,
    choices,
    closing_prices,
    draw_instruments,
)
from keepwell.world.market.news import News, draw_news
from keepwell.world.market.settings import MarketSettings
from keepwell.world.terms import CATEGORIES, REGIMES

if TYPE_CHECKING:
    from keepwell.world.scenario import Happening, Scenario

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

CALM, BULL, CRASH, RECOVERY = range(len(REGIMES))

INDEX_SERIES: Final = "MAIN"
"""Name of the index in the table `index_price`."""

LOOK_BACK: Final = 21
"""Sessions of a month; as many are drawn before the start, for the first days to look back on."""


@dataclass(frozen=True)
class Market:
    """Everything outside the broker and its clients, for D days and I instruments.

    Attributes:
        start: day number of t = 0.
        days: records `state.DAY` [D].
        close: CNY per unit at the close [D, I], above 0; closed days carry the last one.
        index: level of the index [D].
        category: int8 [I], place in `terms.CATEGORIES`.
        risk: int8 [I], 1..5.
        sector: int8 [I], place in `instruments.SECTORS`; -1 for none.
        lot: int64 [I], units bought at a time.
        maturity: int32 [I], day number of redemption at par, NEVER without one.
        choice: int16 [6, 4096]; row r holds instruments of risk <= r as often as they are liked.
        money_fund: place of the main money-market fund.
        names: in Chinese [I].
        codes: six digits [I].
        issuers: in Chinese [I].
        esg: score 0..100 [I]; NaN for none.
        volume: units traded in the whole market [D, I]; 0 on closed days.
        news: pieces of news, by time.
        outages: failures of the broker's systems, by time.
    """

    start: int
    days: npt.NDArray[Any]
    close: Floats
    index: Floats
    category: npt.NDArray[np.int8]
    risk: npt.NDArray[np.int8]
    sector: npt.NDArray[np.int8]
    lot: npt.NDArray[np.int64]
    maturity: npt.NDArray[np.int32]
    choice: npt.NDArray[np.int16]
    money_fund: int
    names: list[str]
    codes: list[str]
    issuers: list[str]
    esg: Floats
    volume: npt.NDArray[np.float32]
    news: list[News]
    outages: list[Outage]


def draw_market(scenario: Scenario, seed: int, days: int) -> Market:
    """Draw the market of a world; the same for all of its shards.

    Args:
        scenario: its start, market parameters and happenings are read.
        seed: the world's.
        days: number of calendar days, at least 1.

    Returns:
        The market.

    Raises:
        UsageError: the days reach beyond the holidays known.
    """
    settings, happenings = scenario.market, scenario.happenings
    start = day_number(scenario.start)
    trading = sessions(scenario.start, days)
    regime = draw_regimes(settings, happenings, trading, stream(seed, "market.regime"))
    past, returns = draw_returns(
        settings, happenings, regime, trading, stream(seed, "market.index")
    )
    instruments = draw_instruments(settings, start, trading, stream(seed, "market.instruments"))
    close = closing_prices(
        instruments, settings, start, trading, returns, stream(seed, "market.prices")
    )
    outages = draw_outages(settings, happenings, start, trading, stream(seed, "market.outages"))
    rival = offers(settings, happenings, days, stream(seed, "market.offers"))
    news = draw_news(settings, happenings, start, trading, returns, rival, outages, seed)
    records = day_records(
        settings, happenings, start, trading, regime, np.concatenate([past, returns]), rival,
        outages, news, stream(seed, "market.days"),
    )  # fmt: skip
    return Market(
        start=start,
        days=records,
        close=close,
        index=np.maximum(np.round(settings.index_start * np.exp(np.cumsum(returns)), 2), 0.01),
        category=instruments.category,
        risk=instruments.risk,
        sector=instruments.sector,
        lot=instruments.lot,
        maturity=instruments.maturity,
        choice=choices(instruments, settings.risk_focus),
        money_fund=int(np.flatnonzero(instruments.category == CATEGORIES.index("fund_money"))[0]),
        names=instruments.names,
        codes=instruments.codes,
        issuers=instruments.issuers,
        esg=instruments.esg,
        volume=_volumes(instruments, close, records, stream(seed, "market.volume")),
        news=news,
        outages=outages,
    )


def draw_regimes(
    settings: MarketSettings,
    happenings: Sequence[Happening],
    trading: Flags,
    rng: np.random.Generator,
) -> npt.NDArray[np.int8]:
    """The regime of each day.

    A happening `crash` or `bull` forces the regime of its days, the later in the list where two
    overlap; the chain goes on after it from there, so a crash is followed by a recovery.

    Args:
        settings: lengths and transitions.
        happenings: those of the scenario.
        trading: which days have a session; regimes last a number of sessions.
        rng: source of chance.

    Returns:
        Places in `terms.REGIMES`, [D].
    """
    forced = np.full(len(trading), -1, np.int8)
    for happening in happenings:
        if happening.kind in ("crash", "bull") and happening.strength > 0:
            forced[happening.day : happening.day + happening.days] = REGIMES.index(happening.kind)
    lengths = [getattr(settings, f"{name}_sessions") for name in REGIMES]
    # Each day has its own draws, so that a forced regime changes no luck of later days.
    luck = rng.random((len(trading), 2)).tolist()
    state = REGIMES.index(settings.first_regime)
    result = np.empty(len(trading), np.int8)
    for t, (turn, way) in enumerate(luck):
        after_forced = t > 0 and forced[t - 1] >= 0
        if forced[t] >= 0:
            state = int(forced[t])
        elif t > 0 and (after_forced or (trading[t] and turn < 1.0 / lengths[state])):
            state = _next_regime(settings, state, way)
        result[t] = state
    return result


def _next_regime(settings: MarketSettings, state: int, way: float) -> int:
    if state == CALM:
        return CRASH if way < settings.calm_to_crash else BULL
    if state == BULL:
        return CRASH if way < settings.bull_to_crash else CALM
    if state == CRASH:
        return RECOVERY
    return BULL if way < settings.recovery_to_bull else CALM


def draw_returns(
    settings: MarketSettings,
    happenings: Sequence[Happening],
    regime: npt.NDArray[np.int8],
    trading: Flags,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Log returns of the index.

    Over the sessions of a forced crash or bull market they add up to what the scenario orders.

    Args:
        settings: drift and volatility of the regimes, size of what is forced.
        happenings: those of the scenario.
        regime: of each day.
        trading: which days have a session.
        rng: source of chance.

    Returns:
        Those of `LOOK_BACK` sessions before the start, and of each day: 0 without a session.
    """
    drift = np.array([getattr(settings, f"{name}_drift") for name in REGIMES]) / YEAR_SESSIONS
    spread = np.array([getattr(settings, f"{name}_volatility") for name in REGIMES])
    spread = spread / np.sqrt(YEAR_SESSIONS)
    z = rng.standard_t(settings.tail, LOOK_BACK + len(trading))
    z *= np.sqrt((settings.tail - 2.0) / settings.tail)
    first = REGIMES.index(settings.first_regime)
    past = drift[first] + spread[first] * z[:LOOK_BACK]
    returns = np.where(trading, drift[regime] + spread[regime] * z[LOOK_BACK:], 0.0)
    # Shares may not move more than 10 % a day, so an index of them cannot.
    np.clip(returns, np.log(0.9), np.log(1.1), out=returns)
    size = {"crash": -settings.forced_fall, "bull": settings.forced_rise}
    for happening in happenings:
        if happening.kind not in size or happening.strength <= 0:
            continue
        span = np.arange(happening.day, min(happening.day + happening.days, len(trading)))
        span = span[trading[span]]
        if len(span):
            # A span that the end of the world cuts short brings its part only.
            part = min(1.0, (len(trading) - happening.day) / happening.days)
            target = size[happening.kind] * happening.strength * part
            returns[span] += (target - returns[span].sum()) / len(span)
    return past, returns


def _volumes(
    instruments: Instruments, close: Floats, days: npt.NDArray[Any], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Units traded: in proportion to appeal and activity, in whole lots (assumption)."""
    value = 4e7 * instruments.appeal / instruments.appeal.max() * days["activity"][:, None]
    units = value * np.exp(rng.normal(0.0, 0.4, close.shape)) / close
    units = np.ceil(units / instruments.lot) * instruments.lot
    units[days["trading"] == 0] = 0.0
    # The contract takes more than 10^10 units for an error.
    return np.asarray(np.minimum(units, 5e9), np.float32)
