"""What every indicator must do, whoever wrote it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from keepwell.observe.indicators import INDICATORS, Indicator
from keepwell.observe.indicators.needs import Recorder, sources_of

from .fakes import N, numbers, windows

ALL = pytest.mark.parametrize("item", INDICATORS.values(), ids=list(INDICATORS))
_TABLE_OF = {"holding": "position", "price": "position", "instrument": "position"}


def _source_table(source: str) -> str:
    return {**_TABLE_OF, "index_price": "market"}.get(source, source)


@ALL
def test_absent_in_absent_out(item: Indicator) -> None:
    values = item(windows(lambda need: np.full(N, np.nan)))
    assert values.shape == (N,)
    assert np.isnan(values).all()


@ALL
def test_zero_everywhere_is_finite_or_absent(item: Indicator) -> None:
    values = item(windows(lambda need: np.zeros(N)))
    assert not np.isinf(values).any()


@ALL
def test_numbers_in_numbers_out(item: Indicator) -> None:
    answers = [item(windows(numbers(seed))) for seed in range(5)]
    for values in answers:
        assert values.shape == (N,)
        assert values.dtype == np.float64
        assert not np.isinf(values).any()
    assert len({values.tobytes() for values in answers}) > 1


@ALL
def test_a_missing_source_makes_it_absent(item: Indicator) -> None:
    tables = {_source_table(source) for source in item.sources}
    for table in tables:
        values = item(windows(numbers(1, frozenset([table]))))
        if item.any_source:
            assert not np.isnan(values).all()
        else:
            assert np.isnan(values).all()
    assert np.isnan(item(windows(numbers(1, frozenset(tables))))).all()


@ALL
def test_same_bits_every_time(item: Indicator) -> None:
    first = item(windows(numbers(3)))
    assert first.tobytes() == item(windows(numbers(3))).tobytes()


@ALL
def test_each_client_on_their_own(item: Indicator) -> None:
    def swapped(need):
        return numbers(2)(need)[::-1].copy()

    np.testing.assert_array_equal(item(windows(numbers(2))), item(windows(swapped))[::-1])


@ALL
def test_asks_nothing_but_its_needs(item: Indicator) -> None:
    asked = set()

    def note(need):
        asked.add(need)
        return numbers(4)(need)

    item(windows(note))
    assert asked == set(item.needs)
    assert item.sources == sources_of(item.needs)
    assert item.sources


@ALL
def test_metadata_is_json_safe(item: Indicator) -> None:
    for locale in ("en", "zh"):
        known = item.describe(locale)
        assert json.loads(json.dumps(known, allow_nan=False)) == known


@ALL
def test_leaves_the_measures_as_they_were(item: Indicator) -> None:
    kept: list[np.ndarray] = []

    def frozen(need):
        values = numbers(5)(need)
        values.flags.writeable = False
        kept.append(values)
        return values

    item(windows(frozen))
    assert kept


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
    for table in ("trade", "cash_flow", "session", "contact", "balance"):
        assert recorder.table(table) is getattr(recorder, table)
        assert real.table(table) is getattr(real, table)
    for part in ("trade", "position", "market", "client"):
        for method in dir(getattr(real, part)):
            if not method.startswith("_"):
                assert callable(getattr(getattr(recorder, part), method)), (part, method)
