"""What every indicator must do, whoever wrote it: the suite that keepwell ships, on all of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from keepwell.observe.indicators import INDICATORS, Indicator
from keepwell.observe.indicators.needs import EVENT_TABLES
from keepwell.observe.indicators.recorder import Recorder
from keepwell.observe.indicators.state_needs import STATE_STATS
from keepwell.testing.indicator_suite import IndicatorSuite

from .fakes import N, windows

CHECKS = [name for name in dir(IndicatorSuite) if name.startswith("test_")]


@pytest.mark.parametrize("item", INDICATORS.values(), ids=list(INDICATORS))
def test_contract(item: Indicator) -> None:
    suite = IndicatorSuite()
    suite.indicator = item
    for check in CHECKS:
        getattr(suite, check)()


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("test_absent_in_absent_out", np.nan_to_num),
        ("test_zero_everywhere_is_finite_or_absent", lambda x: np.full(N, np.inf)),
        ("test_numbers_in_numbers_out", lambda x: np.full(N, np.nan)),
        ("test_a_missing_source_makes_it_absent", lambda x: np.ones(N)),
        ("test_each_client_on_their_own", lambda x: x + np.arange(N)),
    ],
)
def test_the_suite_finds_what_is_wrong(check: str, change) -> None:
    sound = INDICATORS["sell_share_90d"]
    suite = IndicatorSuite()
    suite.indicator = dataclasses.replace(sound, function=lambda w: change(sound.function(w)))
    with pytest.raises(AssertionError):
        getattr(suite, check)()


def test_thresholds_of_headline_ones() -> None:
    headline = [item for item in INDICATORS.values() if item.headline]
    assert len(headline) >= 30
    for item in headline:
        assert item.threshold is not None, item.id
        assert item.direction in ("low", "high"), item.id


def test_recency_frequency_value_are_there() -> None:
    needs = {name: INDICATORS[name].needs for name in
             ("days_since_trade", "trade_count_366d", "traded_value_366d")}  # fmt: skip
    assert {n.window for n in needs["trade_count_366d"]} == {366}
    assert {n.window for n in needs["traded_value_366d"]} == {366}
    assert [n.stat for n in needs["days_since_trade"]] == ["recency"]


def test_recorder_and_accessor_answer_the_same_questions() -> None:
    recorder, real = Recorder(), windows(lambda need: np.zeros(N))
    for table in EVENT_TABLES:
        assert recorder.table(table) is getattr(recorder, table)
        assert real.table(table) is getattr(real, table)
    for part in ("trade", "balance", "position", "market", "client", *STATE_STATS):
        for method in dir(getattr(real, part)):
            if not method.startswith("_"):
                assert callable(getattr(getattr(recorder, part), method)), (part, method)
