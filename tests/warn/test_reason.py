from __future__ import annotations

import numpy as np
import pytest

from keepwell.core.text import catalogue
from keepwell.observe.indicators import INDICATORS
from keepwell.warn.models import Contributions
from keepwell.warn.reason import Fact, amount, codes_of, explain, medians
from keepwell.warn.reason_codes import CAUSE_OF, CAUSES, TITLES, Cause, ReasonCode, code_of


def test_every_indicator_has_a_reviewed_code():
    codes = dict(zip(INDICATORS, codes_of(list(INDICATORS)), strict=True))
    assert [id for id, code in codes.items() if code == ReasonCode.OTHER] == []
    assert codes["trade_count_90d"] == ReasonCode.TRADING_LESS
    assert codes["sell_share_90d"] == ReasonCode.TRADING_SELLING
    assert codes["commission_90d"] == ReasonCode.PRICE_FEES
    assert codes["days_since_trade"] == ReasonCode.TRADING_SILENT
    assert codes["mean_latency_30d"] == ReasonCode.APP_TROUBLE
    assert codes["mean_wait_90d"] == ReasonCode.SERVICE_SLOW
    assert codes["withdrawal_share_30d"] == ReasonCode.MONEY_LEAVING
    assert codes["position_count"] == ReasonCode.HOLDINGS_FEW
    assert codes["index_drawdown_180d"] == ReasonCode.MARKET_STRESS


def test_a_family_of_another_package_is_other():
    assert code_of("anything", "astrology") == ReasonCode.OTHER


def test_every_code_has_a_cause_and_words_in_both_languages():
    assert set(CAUSE_OF) == set(TITLES) == set(ReasonCode)
    assert set(CAUSES) == set(Cause)
    assert set(CAUSE_OF.values()) == set(Cause)
    for words in (*TITLES.values(), *CAUSES.values()):
        assert words in catalogue()


def frame(**values):
    names = list(values)
    return names, np.array([list(v) for v in zip(*values.values(), strict=True)], float)


def test_reasons_are_groups_that_push_up_with_the_clients_own_numbers():
    names, X = frame(
        trade_count_90d=[1, 9], trade_count_365d=[24, 36], days_since_trade=[70, 2],
        position_count=[2, 4], index_level=[30, 30],
    )  # fmt: skip
    parts = Contributions(
        ("days_since_trade", "index_level", "position_count", "trade_count_90d"),
        np.array([[0.5, 0.3, -0.2, 0.9], [-0.5, 0.3, 0.01, -0.4]]),
        -2.0,
    )
    first, second = explain(parts, X, names, ["a", "b"])
    assert [r.code for r in first.reasons] == [
        ReasonCode.TRADING_LESS, ReasonCode.TRADING_SILENT, ReasonCode.MARKET_STRESS,
    ]  # fmt: skip
    assert first.reasons[0].push == pytest.approx(0.9)
    assert first.client_part == pytest.approx(0.5 - 0.2 + 0.9)
    assert first.market_part == pytest.approx(0.3)
    assert first.base == -2.0
    assert [r.code for r in second.reasons] == [ReasonCode.MARKET_STRESS]
    assert first.reasons[0].fact.value == 1


def test_what_is_no_different_from_most_is_no_reason():
    names, X = frame(position_count=[2.0, 2.0, 2.0], days_since_trade=[90.0, 5.0, 5.0])
    parts = Contributions(
        ("days_since_trade", "position_count"), np.array([[0.4, 0.9], [0.0, 0.9], [0.0, 0.9]]), 0.0
    )
    found = explain(parts, X, names, ["a", "b", "c"], typical=np.median(X, axis=0))
    assert [[r.code for r in e.reasons] for e in found] == [[ReasonCode.TRADING_SILENT], [], []]


def test_own_normal_is_the_rate_of_the_longer_window():
    assert "trade_count_30d" in INDICATORS
    names, X = frame(trade_count_30d=[1.0, 2.0], trade_count_366d=[73.2, 12.2])
    parts = Contributions(("trade_count_30d",), np.array([[1.0], [1.0]]), 0.0)
    found = explain(parts, X, names, ["a", "b"])
    assert found[0].reasons[0].fact.normal == pytest.approx(6.0)
    half = explain(parts, X, names, ["a", "b"], coverage={"trade_count_366d": 0.5})
    assert half[0].reasons[0].fact.normal == pytest.approx(12.0)
    words = found[0].reasons[0].words("en")
    assert words == "Trades less (Trades in 30 days: 1, normally 6)"
    assert "平时为 6" in found[0].reasons[0].words("zh")


def test_without_own_normal_others_are_the_measure():
    names, X = frame(position_count=[1.0, 4.0, 6.0])
    parts = Contributions(("position_count",), np.array([[1.0], [0.0], [0.0]]), 0.0)
    fact = explain(parts, X, names, ["a", "b", "c"])[0].reasons[0].fact
    assert fact.normal is None
    title = INDICATORS["position_count"].title("en")
    assert fact.words("en") == f"{title}: 1, most clients 4"


def test_what_is_absent_is_never_told_as_a_reason():
    names, X = frame(position_count=[np.nan], trade_count_90d=[2.0])
    parts = Contributions(("position_count", "trade_count_90d"), np.array([[2.0, 0.4]]), 0.0)
    found = explain(parts, X, names, ["a"])[0]
    assert [r.fact.indicator for r in found.reasons] == ["trade_count_90d"]
    assert found.client_part == pytest.approx(2.4)


def test_at_most_four_reasons_strongest_first():
    names = ["trade_count_90d", "days_since_trade", "position_count", "commission_90d",
             "sell_share_90d", "index_level"]  # fmt: skip
    push = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]])
    found = explain(Contributions(tuple(names), push, 0.0), np.ones((1, 6)), names, ["a"])[0]
    assert [r.push for r in found.reasons] == sorted((r.push for r in found.reasons), reverse=True)
    assert len(found.reasons) == 4


def test_numbers_are_said_by_unit():
    assert amount(0.256, "share", "en") == "26%"
    assert amount(-0.5, "change", "en") == "-50%"
    assert amount(0.5, "change", "en") == "+50%"
    assert amount(1.5, "ratio", "en") == "1.50×"
    assert amount(123456, "money", "en", "EUR") == "€1,234.56"
    assert amount(1.0, "days", "zh") == "1 天"
    assert amount(7.0, "count", "en") == "7"
    assert Fact("nobody_knows", 2.0).words("en") == "nobody_knows: 2"


def test_medians_leave_out_what_is_absent():
    found = medians(np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]]))
    assert found[0] == 2.0
    assert np.isnan(found[1])
