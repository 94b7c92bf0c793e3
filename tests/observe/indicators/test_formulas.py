"""Formulas against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from keepwell.observe.indicators import get
from keepwell.observe.indicators.expressions import (
    change,
    known_sum,
    least,
    own_normal,
    per_item_change,
    ratio,
    relative_rate,
    trend,
)
from keepwell.observe.indicators.needs import Array, Need

from .fakes import N, windows

NAN = np.nan


def column(*values: float) -> Array:
    return np.array(values, np.float64)


def table(answers: dict[tuple[str, str, int, bool], float]) -> Callable[[Need], Array]:
    """Answers by (stat, measure, window, prev); a question that is not listed fails."""
    return lambda n: np.full(N, answers[n.stat, n.measure, n.window, n.prev])


@pytest.mark.parametrize(
    ("function", "a", "b", "expected"),
    [
        (ratio, (6, 0, 0, NAN, 1), (3, 2, 0, 1, NAN), (2, 0, NAN, NAN, NAN)),
        (change, (6, 1, 1, NAN, 1), (3, 2, 0, 1, -2), (1, -0.5, NAN, NAN, NAN)),
        (trend, (0, 4, 3, 0, NAN), (4, 0, 1, 0, 1), (-1, 1, 0.5, NAN, NAN)),
        (least, (1, NAN, 3, NAN, 0), (2, 5, NAN, NAN, 0), (1, 5, 3, NAN, 0)),
    ],
)
def test_pairs(function, a, b, expected) -> None:
    np.testing.assert_array_equal(function(column(*a), column(*b)), column(*expected))


def test_own_normal_is_a_rate_per_covered_day() -> None:
    # 3 trades in 30 covered days; 20 in the 100 covered ones of the rest: 0.1 against 0.2
    w = windows(
        table(
            {
                ("sum", "count", 30, False): 3.0,
                ("sum", "count", 365, False): 23.0,
                ("covered", "", 30, False): 30.0,
                ("covered", "", 365, False): 130.0,
            }
        )
    )
    np.testing.assert_allclose(own_normal(w.trade, "count", 30), 0.5, rtol=1e-15)
    np.testing.assert_allclose(get("trade_rate_change_30d")(w), 0.5, rtol=1e-15)


def test_own_normal_needs_ninety_covered_days_and_something_in_them() -> None:
    now, days = column(1, 1, 1, 0), column(30, 30, 30, 30)
    rest, rest_days = column(9, 9, 0, 9), column(90, 89, 90, 90)
    np.testing.assert_allclose(
        relative_rate(now, days, rest, rest_days), column(1 / 3, NAN, NAN, 0), rtol=1e-15
    )


def test_mean_per_login_against_the_rest() -> None:
    # 60 s each now, 120 s each before
    w = windows(
        table(
            {
                ("sum", "seconds", 30, False): 300.0,
                ("sum", "count", 30, False): 5.0,
                ("sum", "seconds", 365, False): 1500.0,
                ("sum", "count", 365, False): 15.0,
            }
        )
    )
    np.testing.assert_array_equal(per_item_change(w.session, "seconds", "count", 30), 0.5)


@pytest.mark.parametrize(
    ("count", "known", "amount", "expected"),
    [(0, 0, 0, 0), (2, 1, 50, 50), (2, 0, 0, NAN), (NAN, NAN, NAN, NAN)],
)
def test_trades_without_amounts_are_not_worth_nothing(count, known, amount, expected) -> None:
    w = windows(
        table(
            {
                ("sum", "count", 90, False): count,
                ("sum", "known", 90, False): known,
                ("sum", "amount", 90, False): amount,
            }
        )
    )
    np.testing.assert_array_equal(known_sum(w.trade, "amount", 90), expected)


def position_and_sales(value: float, bought: float, sold: float) -> Callable[[Need], Array]:
    sums = {"buy_amount": bought, "sell_amount": sold, "count": 1.0, "known": 1.0}
    return lambda n: np.full(N, value if n.table == "position" else sums[n.measure])


@pytest.mark.parametrize(
    ("value", "bought", "sold", "expected"),
    [(300, 0, 100, 0.25), (0, 0, 100, 1), (300, 100, 50, 0), (0, 0, 0, NAN), (NAN, 0, 9, NAN)],
)
def test_net_sold_share(value, bought, sold, expected) -> None:
    w = windows(position_and_sales(value, bought, sold))
    np.testing.assert_array_equal(get("net_sold_share_90d")(w), expected)


@pytest.mark.parametrize(
    ("assets", "paid_in", "taken", "expected"),
    [(80, 20, 50, 0.5), (0, 100, 50, 0.5), (-10, 0, 5, NAN), (NAN, 10, 5, NAN), (100, 0, 0, 0)],
)
def test_withdrawals_over_assets(assets, paid_in, taken, expected) -> None:
    sums = {"deposit_amount": paid_in, "withdrawal_amount": taken, "assets": assets}
    w = windows(lambda n: np.full(N, sums[n.measure]))
    np.testing.assert_array_equal(get("withdrawal_share_30d")(w), expected)


@pytest.mark.parametrize(
    ("count", "largest", "assets", "expected"),
    [(0, NAN, 100, 0), (2, 60, 100, 0.6), (2, 60, 0, NAN), (NAN, NAN, 100, NAN)],
)
def test_largest_withdrawal(count, largest, assets, expected) -> None:
    said = {"withdrawals": count, "max_withdrawal": largest, "assets": assets}
    w = windows(lambda n: np.full(N, said[n.measure]))
    np.testing.assert_array_equal(get("largest_withdrawal_share_30d")(w), expected)


def test_any_activity_is_the_latest_of_the_tables_there_are() -> None:
    days = {
        "trade": 40.0,
        "first_purchase": 50.0,
        "cash_flow": NAN,
        "session": 3.0,
        "contact": 90.0,
    }
    w = windows(lambda n: np.full(N, days[n.table]))
    np.testing.assert_array_equal(get("days_since_activity")(w), 3.0)


def test_silence_against_own_gaps() -> None:
    said = {"recency": 60.0, "mean_gap": 20.0, "longest_gap": 40.0}
    w = windows(lambda n: np.full(N, said[n.stat]))
    np.testing.assert_array_equal(get("silence_ratio")(w), 3.0)
    np.testing.assert_array_equal(get("silence_record")(w), 1.5)
