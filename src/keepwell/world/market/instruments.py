"""The instruments: what there is to buy, what it costs each day, and what clients choose.

Prices have one market factor, a factor per sector, one for interest rates, and a part of their own
(Sharpe, "A simplified model for portfolio analysis", Management Science 9, 1963; sector factors as
in King, Journal of Business 39, 1966). Bonds and structured products pay no coupon: their yield is
in the price, which reaches par at maturity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.text import tr
from keepwell.world.market.settings import MarketSettings
from keepwell.world.terms import CATEGORIES, NEVER

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[Any]

YEAR_SESSIONS: Final = 242
"""Sessions of a Chinese year, to turn yearly figures into daily ones."""

PAR: Final = 100.0
"""CNY that a bond or structured product pays at maturity, per unit."""

CHOICES: Final = 4096
"""Places in each row of the table of choices."""

RISK_LEVELS: Final = 5

SECTORS: Final = (
    "finance", "energy", "materials", "industry", "consumer", "health", "technology",
    "communication", "utilities", "property", "transport", "farming",
)  # fmt: skip
"""Sectors of shares and of funds that keep to one."""

INSTRUMENT_MIX: Final = {
    "stock": 0.50, "etf": 0.10, "fund_equity": 0.10, "fund_mixed": 0.07, "fund_bond": 0.06,
    "fund_money": 0.02, "bond": 0.06, "structured": 0.05, "private": 0.04,
}  # fmt: skip
"""Share of each category among the instruments (assumption); at least two of each."""

_CODE_PREFIX = dict(
    zip(CATEGORIES, ("60", "51", "01", "02", "03", "04", "12", "90", "95"), strict=True)
)
_HOUSES: Final = (
    "Birch", "Amber", "Ginkgo", "Celadon", "Lighthouse", "Stone Bridge", "Pine Cone", "Wind Bell",
    "Tundra", "Fishing Lamp", "Star Sand", "Night Ferry", "Bamboo Shade", "Frost Leaf",
    "Evening Bell", "Wheat Wave", "Ink Stone", "Swift", "Paper Kite", "Tide",
)  # fmt: skip
_FORMS: Final = {
    "stock": "{house} {sector}",
    "etf": "{house} {sector} ETF",
    "fund_equity": "{house} {sector} Equity",
    "fund_mixed": "{house} Balanced Fund",
    "fund_bond": "{house} Bond Fund",
    "fund_money": "{house} Money Fund",
    "bond": "{house} Bond",
    "structured": "{house} Structured Note",
    "private": "{house} Private Fund",
}
# Attention differs: shares are looked at most; private funds are for the few who qualify.
_ATTENTION = dict(zip(CATEGORIES, (1.0, 1.0, 0.7, 0.6, 0.6, 0.5, 0.4, 0.25, 0.08), strict=True))


@dataclass(frozen=True)
class Instruments:
    """What there is to buy; every array has one place per instrument.

    Attributes:
        category: int8, place in `terms.CATEGORIES`.
        risk: int8, 1..5.
        sector: int8, place in `SECTORS`; -1 for none.
        lot: int64, units bought at a time.
        maturity: int32, day of redemption at par; NEVER without one.
        names: in Chinese.
        codes: six digits, unique.
        issuers: in Chinese.
        esg: score 0..100; NaN where none is given.
        growth: yearly log growth beyond what the factors bring.
        beta: log return per log return of the index.
        gamma: the same per return of the sector's factor.
        duration: years; log return is minus this times the change of rates.
        own: yearly volatility of its own.
        first: price on the first day, CNY.
        appeal: relative frequency with which it is chosen.
    """

    category: Ints
    risk: Ints
    sector: Ints
    lot: Ints
    maturity: Ints
    names: list[str]
    codes: list[str]
    issuers: list[str]
    esg: Floats
    growth: Floats
    beta: Floats
    gamma: Floats
    duration: Floats
    own: Floats
    first: Floats
    appeal: Floats


def draw_instruments(
    market: MarketSettings,
    start: int,
    trading: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> Instruments:
    """Draw the instruments of a world.

    Args:
        market: parameters.
        start: day number of the first day.
        trading: which days have a session.
        rng: source of chance.

    Returns:
        The instruments, sorted by category.
    """
    category = _categories(market.instruments)
    n = len(category)
    u = _spread_out(category, rng)
    own = market.own_volatility * np.exp(rng.normal(0.0, 0.35, n))
    loading = _loadings(category, u, own, market)
    sector = np.where(loading["gamma"] > 0, rng.integers(0, len(SECTORS), n), -1)
    maturity = _maturities(market, category, start, trading, rng)
    names, issuers = _names(category, sector, rng)
    esg: Floats = np.round(np.clip(rng.normal(55.0, 15.0, n), 0.0, 100.0), 1).astype(np.float64)
    equity = np.isin(category, [_code(c) for c in ("stock", "etf", "fund_equity")])
    esg[~equity | (rng.random(n) < 0.25)] = np.nan
    rank = rng.permutation(n) + 1.0
    attention = np.array([_ATTENTION[c] for c in CATEGORIES])[category]
    return Instruments(
        category=category.astype(np.int8),
        risk=loading["risk"].astype(np.int8),
        sector=sector.astype(np.int8),
        lot=np.where(category <= _code("etf"), 100, 1).astype(np.int64),
        maturity=maturity,
        names=names,
        codes=_codes(category, rng),
        issuers=issuers,
        esg=esg,
        growth=loading["growth"],
        beta=loading["beta"],
        gamma=loading["gamma"],
        duration=loading["duration"],
        own=loading["own"],
        first=_first_prices(category, rng),
        appeal=attention * rank**-market.popularity,
    )


def closing_prices(
    instruments: Instruments,
    market: MarketSettings,
    start: int,
    trading: npt.NDArray[np.bool_],
    index_returns: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Closing prices of every instrument.

    Args:
        instruments: what there is.
        market: parameters.
        start: day number of the first day.
        trading: which days have a session, [D].
        index_returns: daily log returns of the index, [D]; 0 on closed days.
        rng: source of chance.

    Returns:
        CNY per unit, [D, I], above 0, rounded to at most 4 decimals; closed days repeat the last
        price.
    """
    open_days = np.flatnonzero(trading)
    day = 1.0 / YEAR_SESSIONS
    factor = index_returns[open_days]
    sectors = _student(rng, market.tail, (len(open_days), len(SECTORS)))
    sectors *= market.sector_volatility * np.sqrt(day)
    rates = _student(rng, market.tail, (len(open_days), 1)) * market.rate_volatility * np.sqrt(day)
    own = _student(rng, market.tail, (len(open_days), len(instruments.own)))
    own *= instruments.own * np.sqrt(day)
    returns = own + instruments.growth * day + np.outer(factor, instruments.beta)
    returns += sectors[:, np.maximum(instruments.sector, 0)] * instruments.gamma
    returns -= rates * instruments.duration
    limit = np.where(instruments.risk == RISK_LEVELS, 2.0, 1.0) * market.daily_limit
    np.clip(returns, np.log1p(-np.minimum(limit, 0.99)), np.log1p(limit), out=returns)
    paths = np.cumsum(returns, axis=0)
    if not len(open_days):
        return np.tile(instruments.first, (len(trading), 1))
    logs = np.log(instruments.first) + paths
    _to_par(logs, instruments, start + open_days, paths, np.cumsum(rates), market)
    _money(logs, instruments, start + open_days, start, market)
    return _carried(logs, instruments, trading)


def choices(instruments: Instruments, focus: float) -> npt.NDArray[np.int16]:
    """The table from which clients choose an instrument at random.

    Args:
        instruments: what there is.
        focus: how much a client prefers her own risk level, per level of distance.

    Returns:
        Places of instruments, [6, 4096]: row r holds those of risk <= r in proportion to their
        appeal; row 0 is -1. Money funds are left out, for they are bought otherwise.
    """
    table = np.full((RISK_LEVELS + 1, CHOICES), -1, np.int16)
    money = instruments.category == _code("fund_money")
    for level in range(1, RISK_LEVELS + 1):
        able = np.flatnonzero((instruments.risk <= level) & ~money)
        weight = instruments.appeal[able] * np.exp(-focus * (level - instruments.risk[able]))
        table[level] = np.repeat(able, _quotas(weight, CHOICES))
    return table


def _code(category: str) -> int:
    return CATEGORIES.index(category)


def _quotas(weight: Floats, places: int) -> npt.NDArray[np.int64]:
    """Whole numbers in proportion to weights (largest remainders), each at least 1."""
    free = places - len(weight)
    exact = weight / weight.sum() * free
    whole = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: free - int(whole.sum())]] += 1
    return np.asarray(whole + 1, np.int64)


def _categories(n: int) -> Ints:
    share = np.array([INSTRUMENT_MIX[c] for c in CATEGORIES])
    return np.repeat(np.arange(len(CATEGORIES)), _quotas(share, n - len(share)) + 1)


def _spread_out(category: Ints, rng: np.random.Generator) -> Floats:
    """Three uniform draws an instrument, evenly spread within each category [I, 3].

    A Latin hypercube (McKay, Beckman & Conover, Technometrics 21, 1979): small worlds too have
    instruments of each risk level.
    """
    u = rng.random((len(category), 3))
    for code in range(len(CATEGORIES)):
        mask = category == code
        places = np.arange(int(mask.sum()))[:, None].repeat(3, axis=1)
        u[mask] = (rng.permuted(places, axis=0) + u[mask]) / max(len(places), 1)
    return u


def _student(rng: np.random.Generator, freedom: float, size: Any) -> Floats:
    """Student's t, scaled to variance 1."""
    return np.asarray(rng.standard_t(freedom, size) * np.sqrt((freedom - 2.0) / freedom))


def _loadings(category: Ints, u: Floats, own: Floats, market: MarketSettings) -> dict[str, Floats]:
    """Risk level and price model of each instrument.

    Sizes are assumptions, chosen so that risk rises with the level R1 to R5.
    """
    n = len(category)
    rest = {name: np.zeros(n) for name in ("risk", "growth", "beta", "gamma", "duration", "own")}

    def put(name: str, **values: Any) -> None:
        mask = category == _code(name)
        for key, value in values.items():
            rest[key][mask] = np.broadcast_to(value, n)[mask]

    wild = own / market.own_volatility if market.own_volatility else np.ones(n)
    # A share's own risk carries no premium: the mean of its price follows the factors.
    drag = -0.5 * (own**2 + market.sector_volatility**2)
    put("stock", risk=np.where(wild > 1.4, 5, np.where(wild > 1.05, 4, 3)), growth=drag)
    put("stock", beta=0.6 + 0.9 * u[:, 0], gamma=1.0, own=own)
    kept = u[:, 1] < 0.6  # funds that keep to one sector
    bonds = u[:, 2] < 0.2
    put("etf", risk=np.where(bonds, 2, np.where(kept, 4, 3)), own=0.015)
    put("etf", beta=np.where(bonds, 0.0, 1.0), gamma=np.where(kept & ~bonds, 1.0, 0.0))
    put("etf", duration=np.where(bonds, 4.0, 0.0), growth=np.where(bonds, market.money_yield, 0.0))
    put("fund_equity", risk=np.where(kept, 4, 3), beta=0.75 + 0.35 * u[:, 0], own=0.06)
    put("fund_equity", gamma=np.where(kept, 0.8, 0.0), growth=-0.01)
    mild = u[:, 1] < 0.3
    put("fund_mixed", risk=np.where(mild, 2, 3), beta=np.where(mild, 0.15, 0.5), own=0.03)
    put("fund_mixed", growth=market.money_yield / 2, duration=1.5)
    put("fund_bond", risk=np.where(mild, 1, 2), duration=np.where(mild, 1.0, 3.5), own=0.006)
    put("fund_bond", growth=market.money_yield + 0.01)
    put("fund_money", risk=1)
    grade = np.digitize(u[:, 0], [0.4, 0.8])
    put("bond", risk=1 + grade, growth=0.002 + 0.01 * grade + 0.006 * u[:, 1], own=0.004)
    bold = u[:, 0] > 0.6
    put("structured", risk=np.where(bold, 5, 4), growth=0.02 + 0.03 * u[:, 1], own=0.08)
    put("structured", beta=np.where(bold, 0.9, 0.5))
    put("private", risk=np.where(bold, 4, 5), growth=0.02, beta=0.35 * u[:, 2], own=0.14)
    return rest


def _maturities(
    market: MarketSettings,
    category: Ints,
    start: int,
    trading: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> Ints:
    days = len(trading)
    maturity = np.full(len(category), NEVER, np.int64)
    years = np.where(category == _code("bond"), 8.0, 2.5)
    dated = np.isin(category, [_code("bond"), _code("structured")])
    late = start + days + 30 + (rng.random(len(category)) * years * 365).astype(np.int64)
    maturity[dated] = late[dated]
    soon = dated & (rng.random(len(category)) < market.maturing_share)
    # Redemption is at a close, so on a day with a session; not at once.
    open_days = np.flatnonzero(trading)
    open_days = open_days[open_days >= min(10, days // 2)]
    if len(open_days):
        pick = rng.integers(0, len(open_days), len(category))
        maturity[soon] = start + open_days[pick][soon]
    return maturity.astype(np.int32)


def _first_prices(category: Ints, rng: np.random.Generator) -> Floats:
    z = rng.normal(0.0, 1.0, len(category))
    first = np.exp(0.3 * z)  # funds: net asset value near 1
    first = np.where(category == _code("stock"), np.clip(18.0 * np.exp(0.8 * z), 2.0, 900.0), first)
    first = np.where(category == _code("etf"), 1.6 * np.exp(0.5 * z), first)
    first = np.where(np.isin(category, [_code("bond"), _code("structured")]), PAR, first)
    return np.where(category == _code("fund_money"), 1.0, first)


def _to_par(
    logs: Floats,
    instruments: Instruments,
    days: Ints,
    paths: Floats,
    rates: Floats,
    market: MarketSettings,
) -> None:
    """Put the log prices of dated instruments in place: discounted par, and par at the end.

    A bond's price is par discounted by its yield over the time left. A structured product's is the
    same, moved by the index and its own luck, less and less towards the end, as a Brownian bridge.
    """
    for i in np.flatnonzero(instruments.maturity != NEVER):
        left = np.maximum(int(instruments.maturity[i]) - days, 0) / 365.0
        whole = max((int(instruments.maturity[i]) - int(days[0])) / 365.0, 1 / 365.0)
        if instruments.beta[i]:
            spread = np.full(len(days), float(instruments.growth[i]))
            moved = paths[:, i] - float(instruments.growth[i]) * np.arange(len(days)) / (
                YEAR_SESSIONS
            )
            moved = np.clip(moved, -1.0, 0.5) * np.minimum(left / whole, 1.0)
        else:
            spread = float(instruments.growth[i]) + rates
            moved = np.zeros(len(days))
        logs[:, i] = np.log(PAR) - np.maximum(market.money_yield + spread, 0.0) * left + moved


def _money(
    logs: Floats, instruments: Instruments, days: Ints, start: int, market: MarketSettings
) -> None:
    for i in np.flatnonzero(instruments.category == _code("fund_money")):
        # Net asset value grows by a fixed rate, on closed days too, which the next session shows.
        logs[:, i] = np.log1p(market.money_yield) * (days - start) / 365.0


def _carried(logs: Floats, instruments: Instruments, trading: npt.NDArray[np.bool_]) -> Floats:
    """Prices of all days from the logs of sessions: rounded to the tick, closed days carried."""
    last = np.cumsum(trading) - 1
    # Days before the first session show its prices: there are no earlier ones.
    close = np.exp(np.clip(logs, -4.0, 14.0))[np.maximum(last, 0)]
    ticks = {"stock": 2, "etf": 3}
    for code, category in enumerate(CATEGORIES):
        mask = instruments.category == code
        close[:, mask] = np.round(close[:, mask], ticks.get(category, 4))
    return np.asarray(np.maximum(close, 0.01), np.float64)


def _codes(category: Ints, rng: np.random.Generator) -> list[str]:
    codes: list[str] = []
    for code, name in enumerate(CATEGORIES):
        numbers = np.sort(rng.choice(9999, int((category == code).sum()), replace=False)) + 1
        codes += [f"{_CODE_PREFIX[name]}{number:04d}" for number in numbers.tolist()]
    return codes


def _names(category: Ints, sector: Ints, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Chinese names, unique, and issuers."""
    seen: dict[str, int] = {}
    names, issuers = [], []
    picks = rng.integers(0, len(_HOUSES), len(category)).tolist()
    for kind, field, pick in zip(category.tolist(), sector.tolist(), picks, strict=True):
        house = tr(_HOUSES[pick], "zh")
        about = tr(f"sector {SECTORS[field]}" if field >= 0 else "sector broad", "zh")
        name = tr(_FORMS[CATEGORIES[kind]], "zh").format(house=house, sector=about)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}{seen[name]}")
        fund = CATEGORIES[kind] in ("stock", "bond")
        issuers.append(
            tr("{house} Group" if fund else "{house} Asset Management", "zh", house=house)
        )
    return names, issuers
