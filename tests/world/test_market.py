from dataclasses import fields
from datetime import date

import numpy as np
import pytest

from keepwell.core.days import day_number
from keepwell.world.market.draw import draw_market
from keepwell.world.market.settings import MarketSettings
from keepwell.world.scenario import Happening, Scenario
from keepwell.world.state import DAY
from keepwell.world.terms import CATEGORIES, NEVER, REGIMES

YEAR = 365
START = date(2024, 1, 2)
CALM = {"calm_sessions": 1e6}


def scenario(*happenings, **market):
    return Scenario(start=START, market=MarketSettings(**market), happenings=happenings)


@pytest.fixture(scope="module")
def market():
    return draw_market(scenario(), 7, YEAR)


def code(category):
    return CATEGORIES.index(category)


def drawdown(index):
    return float((index / np.maximum.accumulate(index)).min() - 1.0)


def same(one, other):
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a == b
        for a, b in (
            (getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    )


def test_a_seed_gives_one_market_and_another_seed_another(market):
    assert same(market, draw_market(scenario(), 7, YEAR))
    assert not same(market, draw_market(scenario(), 8, YEAR))


def test_a_happening_leaves_all_other_luck_alone(market):
    other = draw_market(scenario(Happening(kind="crash", day=200, days=30)), 7, YEAR)
    assert np.array_equal(market.index[:200], other.index[:200])
    assert np.array_equal(market.close[:200], other.close[:200])
    assert market.codes == other.codes
    assert market.outages == other.outages
    assert np.array_equal(market.days["errors"], other.days["errors"])


def test_shapes_and_types_are_those_the_kernels_expect(market):
    n = len(market.codes)
    assert n == MarketSettings().instruments == 400
    assert market.days.dtype == DAY
    assert market.start == day_number(START)
    assert market.close.shape == market.volume.shape == (YEAR, n)
    assert market.close.dtype == market.index.dtype == np.float64
    assert market.choice.shape == (6, 4096)
    types = {"category": "i1", "risk": "i1", "sector": "i1", "lot": "i8", "maturity": "i4"}
    assert {name: getattr(market, name).dtype.str[1:] for name in types} == types
    assert market.choice.dtype == np.int16
    assert len(set(market.codes)) == len(set(market.names)) == len(market.issuers) == n
    assert set(market.category.tolist()) == set(range(len(CATEGORIES)))
    assert set(market.risk.tolist()) == {1, 2, 3, 4, 5}
    assert market.category[market.money_fund] == code("fund_money")


def test_risk_levels_agree_with_the_risk_of_the_prices(market):
    open_days = market.close[market.days["trading"] == 1]
    undated = market.maturity == NEVER
    spread = np.diff(np.log(open_days), axis=0).std(axis=0)
    middle = [np.median(spread[undated & (market.risk == level)]) for level in (1, 2, 3, 4)]
    assert middle == sorted(middle)
    stock = market.category == code("stock")
    assert np.median(spread[stock & (market.risk == 5)]) > np.median(
        spread[stock & (market.risk == 3)]
    )
    dear = np.isin(market.category, [code("private"), code("structured")])
    assert market.risk[dear].min() >= 4


def test_prices_are_above_zero_rounded_and_carried_over_closed_days(market):
    assert market.close.min() > 0
    assert np.array_equal(np.round(market.close, 4), market.close)
    closed = np.flatnonzero(market.days["trading"][1:] == 0) + 1
    assert len(closed) > 100
    assert np.array_equal(market.close[closed], market.close[closed - 1])
    assert np.array_equal(market.index[closed], market.index[closed - 1])
    assert not market.volume[closed].any()


def test_no_share_moves_beyond_its_daily_limit(market):
    stock = market.category == code("stock")
    moved = market.close[1:, stock] / market.close[:-1, stock] - 1.0
    limit = np.where(market.risk[stock] == 5, 0.2, 0.1)
    # Prices are rounded to 0.01 CNY.
    assert np.all(np.abs(moved) <= limit + 0.011 / market.close[:-1, stock])
    assert np.abs(moved).max() > 0.1


def test_money_funds_grow_by_their_yield_and_never_fall(market):
    path = market.close[:, market.money_fund]
    assert path[0] == 1.0
    assert np.diff(path).min() >= 0
    assert path[-1] == pytest.approx(1.02, abs=0.0005)


def test_dated_instruments_reach_par_and_stay_there():
    market = draw_market(scenario(maturing_share=0.5), 7, YEAR)
    dated = np.flatnonzero(market.maturity != NEVER)
    assert set(market.category[dated].tolist()) == {code("bond"), code("structured")}
    end = market.start + YEAR
    inside = dated[market.maturity[dated] < end]
    assert 5 < len(inside) < len(dated) - 5
    for i in inside:
        t = market.maturity[i] - market.start
        assert market.days["trading"][t] == 1
        assert np.all(market.close[t:, i] == 100.0)
        assert np.any(market.close[:t, i] != 100.0)


def test_choice_respects_risk_levels_and_liking(market):
    money = market.category == code("fund_money")
    for level in range(1, 6):
        row = market.choice[level]
        assert market.risk[row].max() <= level
        assert not money[row].any()
        able = np.flatnonzero((market.risk <= level) & ~money)
        assert set(row.tolist()) == set(able.tolist())
        count = np.sort(np.bincount(row))[::-1]
        assert count[0] > 5 * count[len(able) // 2]
    near = [np.mean(market.risk[market.choice[5]] >= 4), np.mean(market.risk[market.choice[3]] > 1)]
    assert min(near) > 0.5


def test_a_forced_crash_shows_in_index_and_shares():
    calm = draw_market(scenario(**CALM), 5, YEAR)
    crash = Happening(kind="crash", day=120, days=45)
    fallen = draw_market(scenario(crash, **CALM), 5, YEAR)
    assert drawdown(fallen.index) < -0.22 < drawdown(calm.index)
    assert np.log(fallen.index[164] / fallen.index[119]) == pytest.approx(-0.28, abs=1e-4)
    assert set(fallen.days["regime"][120:165].tolist()) == {REGIMES.index("crash")}
    assert fallen.days["regime"][165] == REGIMES.index("recovery")
    stock = fallen.category == code("stock")
    shares = np.log(fallen.close[164, stock] / fallen.close[119, stock])
    assert np.median(shares) < -0.15
    safe = fallen.category == code("fund_bond")
    assert np.abs(np.log(fallen.close[164, safe] / fallen.close[119, safe])).max() < 0.1
    # Clients look more often and trade more when markets move.
    assert fallen.days["activity"][130:165].mean() > 1.1 * calm.days["activity"][130:165].mean()


def test_strength_scales_a_crash_and_none_means_none():
    half = draw_market(
        scenario(Happening(kind="crash", day=120, days=45, strength=0.5), **CALM), 5, YEAR
    )
    assert np.log(half.index[164] / half.index[119]) == pytest.approx(-0.14, abs=1e-4)
    none = draw_market(
        scenario(Happening(kind="crash", day=120, days=45, strength=0.0), **CALM), 5, YEAR
    )
    assert same(none, draw_market(scenario(**CALM), 5, YEAR))


def test_a_forced_bull_market_rises():
    bull = draw_market(scenario(Happening(kind="bull", day=30, days=60), **CALM), 5, YEAR)
    assert np.log(bull.index[89] / bull.index[29]) == pytest.approx(0.30, abs=1e-4)
    assert set(bull.days["regime"][30:90].tolist()) == {REGIMES.index("bull")}


def test_regimes_differ_in_drift_and_volatility_as_set():
    seen = {regime: [] for regime in range(4)}
    for seed in range(12):
        days = draw_market(scenario(instruments=64), seed, 2 * YEAR).days
        days = days[days["trading"] == 1]
        for regime in seen:
            seen[regime].append(days["index_return"][days["regime"] == regime])
    moved = {REGIMES[regime]: np.concatenate(parts) for regime, parts in seen.items()}
    assert all(len(parts) > 100 for parts in moved.values())
    spread = {name: parts.std() * np.sqrt(242) for name, parts in moved.items()}
    settings = MarketSettings()
    for name in REGIMES:
        assert spread[name] == pytest.approx(getattr(settings, f"{name}_volatility"), rel=0.2)
    assert moved["crash"].mean() < -0.002 < moved["calm"].mean() < moved["bull"].mean()


def test_tails_are_fatter_than_a_normal_curves():
    returns = np.concatenate(
        [draw_market(scenario(instruments=64, **CALM), seed, YEAR).days["index_return"]
         for seed in range(15)]
    )  # fmt: skip
    returns = returns[returns != 0]
    z = (returns - returns.mean()) / returns.std()
    assert np.mean(z**4) > 3.8


def test_days_beyond_the_calendar_are_refused():
    from keepwell.core.errors import UsageError

    with pytest.raises(UsageError, match="holidays"):
        draw_market(scenario(), 7, 5 * YEAR)


@pytest.mark.parametrize(("start", "days"), [(date(2024, 10, 1), 1), (date(2024, 10, 5), 5)])
def test_short_worlds_may_begin_with_closed_days(start, days):
    market = draw_market(Scenario(start=start), 7, days)
    assert market.close.shape[0] == len(market.index) == days
    assert market.close.min() > 0
    assert market.days["index_return"][0] == 0
