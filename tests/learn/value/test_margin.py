"""Yearly margins and flows from the lake: by hand, without foresight, absent rather than zero."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from keepwell.core.errors import DataError, UsageError
from keepwell.learn.value.flows import Basis, flows
from keepwell.learn.value.margin import Absence, Line, margins
from keepwell.learn.value.rates import Rates
from keepwell.learn.value.trial import trial_of
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.mapping_value import Value
from tests.learn.value.broker import AS_OF, broker, day, merged, rows, unknown_at_the_time

CLIENTS = ["A", "B", "C", "D"]
SETTINGS = """\
value:
  asset_fee_bps: {fund_equity: 50}
  margin_spread_bps: 400
  cash_spread_bps: 150
  cost_to_serve: {gold: 120, default: 30}
"""
YEAR = 365.25


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """What `moved` tells happens later and is shared with the tests of flows."""
    return broker(tmp_path_factory.mktemp("value") / "ws", merged(rows(), moved()), SETTINGS)


@pytest.fixture(scope="module")
def engine(workspace):
    return LocalEngine.open(workspace)


@pytest.fixture(scope="module")
def found(engine, workspace):
    return margins(engine, AS_OF, Rates.of(workspace), CLIENTS)


def of(found, line):
    return [None if x != x else pytest.approx(x) for x in found.lines[line]]


def test_each_line_by_hand_in_minor_units(found):
    # A traded for 25 + 15 in 365 complete days; C paid 9 in the 90 days since her opening.
    assert of(found, Line.COMMISSION) == [4_000 * YEAR / 365, 0.0, 900 * YEAR / 90, 0.0]
    # 1,000 units at 20.00; a stock pays no fee; of C and D no position is known.
    assert of(found, Line.ASSET_FEE)[:2] == [2_000_000 * 0.005, 0.0]
    assert of(found, Line.MARGIN_INTEREST) == [0.0, 200_000 * 0.04, 0.0, 0.0]
    # An overdrawn account earns nothing here; who has no balance has no line.
    assert of(found, Line.CASH_SPREAD) == [2_000_000 * 0.015, 0.0, None, None]
    assert of(found, Line.COST_TO_SERVE) == [-12_000, -3_000, -3_000, -3_000]
    assert found.total[0] == pytest.approx(4_000 * YEAR / 365 + 10_000 + 30_000 - 12_000)
    assert list(found.lines) == list(Line)
    assert not found.absent
    assert (found.days, found.foreign) == (365, 1)
    assert found.segment == ["gold", "basic", None, None]


def test_the_error_is_that_of_months(found):
    # A's commission by 30 days: 25, 15 and nothing in the other ten or so.
    periods = 365 / 30
    variance = (2_500**2 + 1_500**2 - 4_000**2 / periods) / (periods - 1)
    assert found.error[0] == pytest.approx(np.sqrt(variance * periods) * YEAR / 365)
    assert found.error[1] == 0.0


def test_nothing_known_later_is_seen(tmp_path, found, workspace):
    hindsight = broker(tmp_path / "ws", merged(rows(), moved(), unknown_at_the_time()), SETTINGS)
    engine = LocalEngine.open(hindsight)
    again = margins(engine, AS_OF, Rates.of(hindsight), CLIENTS)
    for line in Line:
        assert np.array_equal(again.lines[line], found.lines[line], equal_nan=True), line
    assert np.array_equal(again.error, found.error)
    assert again.segment == found.segment
    # The same rows count once they are known.
    later = margins(engine, datetime(2023, 3, 1, tzinfo=UTC), Rates.of(hindsight), CLIENTS)
    for line in Line:
        assert not np.array_equal(later.lines[line], found.lines[line], equal_nan=True), line


def test_order_and_company_do_not_matter(engine, workspace, found):
    rates = Rates.of(workspace)
    turned = margins(engine, AS_OF, rates, ["D", "B", "A"])
    for line in Line:
        assert np.array_equal(turned.lines[line], found.lines[line][[3, 1, 0]], equal_nan=True)


def test_what_the_data_lack_is_absent_and_never_zero(tmp_path):
    few = {name: rows()[name] for name in ("trade", "client")}
    few["trade"] = [(*row[:7], None, *row[8:]) for row in few["trade"]]
    engine = LocalEngine.open(broker(tmp_path / "ws", few))
    bare = margins(engine, AS_OF, Rates.from_settings(Value(), "CNY"), CLIENTS)
    assert bare.lines == {}
    assert dict(bare.absent) == {
        Line.COMMISSION: Absence.AMOUNT, Line.ASSET_FEE: Absence.TABLE,
        Line.MARGIN_INTEREST: Absence.TABLE, Line.CASH_SPREAD: Absence.TABLE,
        Line.COST_TO_SERVE: Absence.RATE,
    }  # fmt: skip
    assert np.isnan(bare.total).all()
    # The published tariff stands in: turnover of a year decides the step, for everybody alike.
    tiers = [{"turnover_from": 0, "bps": 10}, {"turnover_from": 60_000, "bps": 5}]
    tariff = Rates.from_settings(Value.model_validate({"commission_tiers": tiers}), "CNY")
    priced = margins(engine, AS_OF, tariff, CLIENTS)
    yearly = 8_000_000 * YEAR / 365, 1_000_000 * YEAR / 90
    assert priced.lines[Line.COMMISSION].tolist() == pytest.approx(
        [yearly[0] * 0.0005, 0, yearly[1] * 0.001, 0]
    )
    # Nothing in the one line that is told is no zero while others are absent.
    assert np.isnan(priced.total).tolist() == [False, True, False, True]


def test_a_short_history_makes_no_year(engine):
    early = datetime(2021, 2, 1, tzinfo=UTC)
    got = margins(engine, early, Rates.from_settings(Value(), "CNY"), ["A"])
    assert got.absent[Line.COMMISSION] is Absence.HISTORY
    # A balance of long ago is not carried on for ever.
    late = datetime(2024, 3, 1, tzinfo=UTC)
    got = margins(engine, late, Rates.from_settings(Value(), "CNY"), ["A"])
    assert got.absent[Line.CASH_SPREAD] is got.absent[Line.MARGIN_INTEREST] is Absence.COVERAGE


def test_whose_rates_they_are(workspace):
    rates = Rates.of(workspace)
    assert rates.yours == {"asset_fee_bps", "margin_spread_bps", "cash_spread_bps", "cost_to_serve"}
    assert rates.whose("cash_spread_bps", "en") == "yours"
    assert rates.whose("discount_rate", "en") == "default, not yours"
    assert rates.whose("discount_rate", "zh") == "默认值，非贵司费率"


# --- flows -----------------------------------------------------------------------------------

UNTIL = datetime(2023, 3, 31, 16, tzinfo=UTC)


def moved():
    on = day("2023-02-01")
    return {
        "cash_flow": [
            ("1", "A", on, "deposit", 100.0, None, on),
            ("2", "A", on, "withdrawal", 30.0, None, on),
            ("3", "A", on, "withdrawal", 500.0, "bank_limit", on),
            ("4", "A", on, "dividend", 7.0, None, on),
            ("5", "A", day("2022-12-31"), "withdrawal", 9.0, None, day("2022-12-31")),
            ("6", "A", day("2023-04-01"), "withdrawal", 9.0, None, day("2023-04-01")),
            ("7", "C", on, "withdrawal", 5.0, None, day("2023-06-01")),
        ],
        "custody_transfer": [
            ("1", "B", on, "out", "S", 10.0, on),
            ("2", "B", on, "in", "NEW", 10.0, on),
        ],
        "price": [("S", on, 55.0, on), ("NEW", on, 3.0, on)],
    }


def test_flows_count_at_the_opening_prices(engine):
    got = flows(engine, AS_OF, UNTIL, ["B", "A", "C"])
    # B took ten at 100.00, whatever they fell to; what had no price at the opening counts nothing.
    assert got.net.tolist() == [-100_000.0, 7_000.0, 0.0]
    assert (got.basis, got.unpriced) == (Basis.MOVEMENTS, 1)
    assert got.opening[:2].tolist() == [50_000.0, 3_000_000.0]
    late = flows(engine, AS_OF, UNTIL, ["C"], known_by=datetime(2023, 7, 1, tzinfo=UTC))
    assert late.net.tolist() == [-500.0]
    with pytest.raises(UsageError):
        flows(engine, UNTIL, AS_OF, ["A"])


def test_movements_that_may_be_missing_are_no_flows(engine, workspace):
    # The tables are declared complete from 2021 until the end of 2023.
    early, late = datetime(2021, 2, 1, tzinfo=UTC), datetime(2023, 12, 31, 17, tzinfo=UTC)
    with pytest.raises(DataError) as error:
        flows(engine, AS_OF, late, CLIENTS)
    assert error.value.code == "value.flows-uncovered"
    assert flows(engine, AS_OF, datetime(2023, 12, 31, 16, tzinfo=UTC), CLIENTS).net[0] == 6_100.0
    got = trial_of(engine, early, UNTIL, ["A"], np.array([True]), np.ones(1), np.full(1, 0.2))
    assert got.past is None
    assert got.before.shape == (1, 2)


def test_without_movements_positions_tell_the_flow(tmp_path):
    held = rows()
    sold = day("2023-02-01")
    held["holding"].append(("A", day("2023-03-31"), "F", 400.0, day("2023-04-01")))
    held["trade"] = [("9", "B", sold, "S", "sell", 10.0, 550.0, None, None, sold)]
    held["price"].append(("F", day("2023-03-30"), 5.0, day("2023-03-31")))
    few = {n: held[n] for n in ("trade", "holding", "price", "instrument", "client")}
    engine = LocalEngine.open(broker(tmp_path / "ws", few))
    got = flows(engine, AS_OF, UNTIL, ["A", "B"])
    assert got.basis is Basis.POSITIONS
    # A kept 400 funds at 20.00 and none of the stock; B sold all.
    assert got.net.tolist() == [400 * 2_000 - 2_000_000 - 50_000, -100_000]


def test_neither_movements_nor_positions(tmp_path):
    few = {name: rows()[name] for name in ("client", "balance")}
    few["session"] = [("1", "A", day("2022-05-05"))]
    engine = LocalEngine.open(broker(tmp_path / "ws", few))
    with pytest.raises(DataError) as error:
        flows(engine, AS_OF, UNTIL, ["A"])
    assert error.value.code == "value.flows-unknown"


def test_a_trial_is_read_from_the_lake(engine, workspace):
    stayed, predicted = np.array([1.0, 0, 1, 1]), np.full(4, 0.2)
    got = trial_of(
        engine, AS_OF, UNTIL, CLIENTS, np.array([True, False, True, False]), stayed, predicted,
        rates=Rates.of(workspace),
    )  # fmt: skip
    assert got.net.tolist() == [7_000.0, -100_000.0, 0.0, 0.0]
    # A took 9.00 on the day before, D brought 1.00 a year ago: too long for the past of a quarter.
    assert got.past.tolist() == [-900.0, 0.0, 0.0, 0.0]
    assert set(got.manager) == {"-"}
    assert set(got.revenue) == {"commission", "asset_fee", "margin_interest", "cash_spread"}
    # Ninety days of 30,000.00 in cash at 1.5 %; of the span there are no trades.
    assert got.revenue["cash_spread"][0] == pytest.approx(3_000_000 * 0.015 * 90 / YEAR)
    assert (got.revenue["commission"] == 0).all()
    assert got.before.shape == (4, 3)
