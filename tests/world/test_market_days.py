from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from keepwell.world.market.draw import draw_market
from keepwell.world.market.happenings import season
from keepwell.world.market.news import CORES, ENDINGS, OPENINGS
from keepwell.world.market.settings import MarketSettings
from keepwell.world.scenario import Happening, Scenario
from keepwell.world.terms import SYSTEMS

YEAR = 365
SMALL = {"instruments": 64, "calm_sessions": 1e6}


def draw(*happenings, seed=7, days=YEAR, start=date(2024, 1, 2), **market):
    settings = MarketSettings(**{**SMALL, **market})
    return draw_market(Scenario(start=start, market=settings, happenings=happenings), seed, days)


@pytest.fixture(scope="module")
def market():
    return draw(calm_sessions=150)


def test_fields_of_the_days_are_in_their_ranges(market):
    days = market.days
    dates = [date.fromordinal(719163 + int(number)) for number in days["day"]]
    assert dates[0] == date(2024, 1, 2)
    assert days["t"].tolist() == list(range(YEAR))
    assert days["weekday"].tolist() == [day.weekday() for day in dates]
    ends = [
        (day.month, day.day) for day, last in zip(dates, days["month_end"], strict=True) if last
    ]
    assert ends[:3] == [(1, 31), (2, 29), (3, 31)]
    assert len(ends) == 12
    assert set(days["trading"].tolist()) == {0, 1}
    assert not days["trading"][days["weekday"] >= 5].any()
    assert not days["index_return"][days["trading"] == 0].any()
    for name in ("season", "activity", "errors", "latency", "wait"):
        assert days[name].min() > 0, name
    assert days["news"].min() >= 0
    assert days["news"].max() <= 1
    for name in ("rival", "regulator"):
        assert days[name].min() == 0, name


def test_month_return_looks_back_over_21_sessions(market):
    open_days = market.days[market.days["trading"] == 1]
    for at in (30, 100, 200):
        expected = open_days["index_return"][at - 20 : at + 1].sum()
        assert open_days["index_month"][at] == pytest.approx(expected)
    # The first days look back on sessions before the start.
    assert market.days["index_month"][0] != market.days["index_return"][0]
    assert np.log(market.index[-1] / 3500) == pytest.approx(
        market.days["index_return"].sum(), abs=1e-5
    )


def test_season_is_one_over_a_year_and_as_set_over_each_quarter():
    settings = MarketSettings()
    start = (date(2025, 1, 1) - date(1970, 1, 1)).days
    curve = season(settings, start, YEAR)
    assert curve.mean() == pytest.approx(1.0, abs=0.005)
    bounds = [0, 90, 181, 273, 365]
    means = [curve[a:b].mean() for a, b in pairwise(bounds)]
    assert means == pytest.approx([1.25, 0.8, 0.75, 1.2], abs=0.001)
    # Smooth, over New Year too.
    assert np.abs(np.diff(season(settings, start, 2 * YEAR))).max() < 0.01


def test_season_scales_settings_to_mean_one():
    settings = MarketSettings(quarter_1=2.5, quarter_2=1.6, quarter_3=1.5, quarter_4=2.4)
    start = (date(2025, 1, 1) - date(1970, 1, 1)).days
    assert np.allclose(season(settings, start, YEAR), season(MarketSettings(), start, YEAR))


def test_activity_of_calm_years_is_about_one_and_lower_on_closed_days():
    days = np.concatenate([draw(seed=seed).days for seed in range(10)])
    assert days["activity"].mean() == pytest.approx(1.0, abs=0.05)
    closed = days["trading"] == 0
    assert days["activity"][closed].mean() < 0.5 * days["activity"][~closed].mean()


def test_usual_days_wobble_around_one_with_memory():
    days = np.stack([draw(seed=seed, outages_a_year=0.0).days for seed in range(10)])
    for name in ("errors", "latency", "wait"):
        assert days[name].mean() == pytest.approx(1.0, abs=0.03)
        logs = np.log(days[name])
        assert logs.std() == pytest.approx(0.08, rel=0.2)
        assert np.corrcoef(logs[:, 1:].ravel(), logs[:, :-1].ravel())[0, 1] > 0.6


@pytest.mark.parametrize(
    ("strength", "severity", "low", "high"), [(0.3, 0, 20, 35), (1.0, 1, 30, 50), (2.0, 2, 45, 80)]
)
def test_an_outage_week_raises_errors_latency_and_waiting(strength, severity, low, high):
    week = Happening(kind="outage", day=60, days=7, strength=strength, system="app")
    market = draw(week, outages_a_year=0.0)
    assert [(o.day - market.start, o.system, o.severity) for o in market.outages] == [
        (60 + i, "app", severity) for i in range(7)
    ]
    hit = market.days[60:67]
    assert low < hit["errors"].mean() < high
    assert hit["latency"].mean() > 1.5
    assert hit["wait"].mean() > 1.15
    assert market.days["errors"][[*range(60), *range(67, YEAR)]].max() < 2


def test_outages_end_on_their_day_and_are_as_frequent_as_set():
    found = [
        outage
        for seed in range(30)
        for outage in draw(seed=seed, outages_a_year=6.0, own_news=0.0).outages
    ]
    assert 6.0 * 30 * 0.75 < len(found) < 6.0 * 30 * 1.25
    assert {outage.system for outage in found} == set(SYSTEMS)
    assert {outage.severity for outage in found} == {0, 1, 2}
    assert all(o.second >= 0 and o.seconds >= 60 for o in found)
    assert all(o.second + o.seconds < 86_400 for o in found)


def test_bad_outages_are_in_the_news_and_slight_ones_hardly():
    def reports(strength):
        week = Happening(kind="outage", day=60, days=30, strength=strength)
        market = draw(week, outages_a_year=0.0, own_news=0.0)
        return sum(piece.subject == "own" for piece in market.news), market

    count, market = reports(2.0)
    assert count == 30
    assert market.days["news"][60:90].min() > 0.5
    assert reports(0.3)[0] < 6


def test_a_price_war_is_seen_in_rival_and_in_the_news():
    war = Happening(kind="price_war", day=100, days=40)
    market = draw(war, rival_news=0.0, offers_a_year=0.0)
    assert np.flatnonzero(market.days["rival"]).tolist() == list(range(100, 140))
    assert market.days["rival"].max() == 1.0
    told = [piece for piece in market.news if piece.subject == "rival"]
    assert {piece.day - market.start for piece in told} <= set(range(100, 140))
    assert told[0].day == market.start + 100
    assert 8 < len(told) < 40
    assert not draw(rival_news=0.0, offers_a_year=0.0).days["rival"].any()


def test_rivals_make_small_offers_in_usual_times():
    rival = np.stack([draw(seed=seed).days["rival"] for seed in range(20)])
    assert set(np.unique(rival).tolist()) == {0.0, 0.3}
    assert 0.02 < (rival > 0).mean() < 0.10


def test_a_regulators_act_makes_bad_news():
    act = Happening(kind="regulator", day=50, days=20)
    market = draw(act, own_news=0.0, outages_a_year=0.0)
    assert np.flatnonzero(market.days["regulator"]).tolist() == list(range(50, 70))
    assert market.days["news"][50] > 0.4
    assert not market.days["news"][:50].any()
    assert not market.days["news"][70:].any()


def test_ordered_news_has_its_strength():
    bad = Happening(kind="news", day=10, days=3, strength=0.6)
    market = draw(bad, own_news=0.0, outages_a_year=0.0, event_news=0.0)
    assert np.flatnonzero(market.days["news"]).tolist() == [10, 11, 12]
    assert market.days["news"][10:13] == pytest.approx(0.51, abs=0.4)


def test_news_is_well_formed_varied_and_mostly_chinese():
    pieces = [piece for seed in range(8) for piece in draw(seed=seed, calm_sessions=150).news]
    assert {piece.subject for piece in pieces} == {"own", "rival", "market"}
    assert all(-1 <= piece.sentiment <= 1 for piece in pieces)
    assert all(0 <= piece.second < 86_400 for piece in pieces)
    assert not any("{" in piece.text or "sector " in piece.text for piece in pieces)
    assert len({piece.text for piece in pieces}) > 0.6 * len(pieces)
    english = np.mean([piece.text.isascii() for piece in pieces])
    assert 0.10 < english < 0.20
    keys = [(piece.day, piece.second) for seed in (3,) for piece in draw(seed=seed).news]
    assert keys == sorted(keys)
    cores = sum(len(options) for options in CORES.values())
    assert cores >= 50
    assert len(OPENINGS) * min(map(len, ENDINGS.values())) >= 40


def test_reports_on_the_market_agree_with_the_session(market):
    for piece in market.news:
        if piece.subject == "market":
            moved = market.days["index_return"][piece.day - market.start]
            assert market.days["trading"][piece.day - market.start] == 1
            assert piece.second > 15 * 3600
            assert abs(moved) < 0.003 or np.sign(moved) == np.sign(piece.sentiment)


def test_every_text_has_its_chinese():
    from keepwell.core.text import catalogue
    from keepwell.world.market.instruments import _FORMS, _HOUSES, SECTORS

    wanted = [core for options in CORES.values() for core in options]
    wanted += [end for options in ENDINGS.values() for end in options]
    wanted += [begin for begin in OPENINGS if begin != "{core}"]
    wanted += [*_HOUSES, *_FORMS.values(), *(f"sector {sector}" for sector in SECTORS)]
    assert [words for words in wanted if words not in catalogue()] == []
