"""Every formula against a month reckoned by hand, and what is absent rather than zero."""

from __future__ import annotations

import math
from datetime import date

import pytest
from scipy.stats import binom, chi2

from keepwell.learn.kpi.catalogue import shipped
from keepwell.learn.kpi.estimate import Absent, Figure, clustered_share, median, rate, ratio, share
from keepwell.learn.kpi.formula import DeskFacts, Month, Reading
from keepwell.learn.kpi.formulas import FORMULAS
from keepwell.observe.engines.local import LocalEngine

NOVEMBER = date(2022, 11, 1)
CORE = 400_000  # 4,000 yuan: A, B and C


def reading(workspace, month=NOVEMBER, **desk):
    span = Month.of(month, workspace.zone, 5)
    return Reading(span, DeskFacts(**desk), LocalEngine.open(workspace), CORE)


def wilson(k, n):
    z = 1.959963984540054
    middle, half = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def yearly(monthly):
    return 1 - (1 - monthly) ** 12


BY_HAND = {
    # A, B and C are core; C sold all: 1 of 3 in a month.
    "core_churn": (yearly(1 / 3), *(yearly(end) for end in wilson(1, 3)), 3),
    # A yes and no, B yes (contact) and no (survey), D yes.
    "satisfaction": (3 / 5, *wilson(3, 5), 5),
    "nps": ((100 + 100 + 0 - 100) / 4, None, None, 4),
    # 3 complaints of 5 clients; A's two count as one and a bit: d = (4 + 1) / 3.
    "complaints": (
        600.0, chi2.ppf(0.025, 2 * 1.8) / 2 * (5 / 3) * 200,
        chi2.ppf(0.975, 2 * 1.8 + 2) / 2 * (5 / 3) * 200, 5,
    ),
    "solved_8h": (2 / 3, *wilson(2, 3), 3),
    "app_errors": (1.0, None, None, 3),
    "active": (3 / 5, *wilson(3, 5), 5),
    # At the end A holds two kinds, B and D one, C and E nothing.
    "two_kinds": (1 / 3, *wilson(1, 3), 3),
    # 1,000 - 400 in cash, 3 shares at 100 in securities, over 45,000.
    "net_inflow": ((1_000 - 400 + 300) / 45_000, None, None, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_a_formula_gives_what_was_reckoned_by_hand(workspace, name):
    found = FORMULAS[name](reading(workspace))
    value, low, high, n = BY_HAND[name]
    assert found == Figure(
        pytest.approx(value), pytest.approx(low) if low is not None else None,
        pytest.approx(high) if high is not None else None, n,
    )  # fmt: skip


def test_revenue_is_what_the_rates_make_of_a_year(workspace):
    found = FORMULAS["revenue"](reading(workspace))
    # Half of 30 + 20 yuan in 365 complete days, and 0.6 % (the default) of 20,000 in the fund.
    assert found.value == pytest.approx(0.5 * 5_000 * 365.25 / 365 + 12_000)
    assert found.low < found.value < found.high


def test_formulas_of_the_desk(workspace):
    told = reading(
        workspace,
        responses=[4.0, 1.0, math.inf, 2.0],
        clocks=[("A", True), ("A", True), ("B", False), ("C", True)],
        warned=["A", "B", "E"],
    )
    assert FORMULAS["first_response"](told) == Figure(2.0, None, None, 4)
    assert FORMULAS["clocks_met"](told).value == 0.75
    # B's adviser was learned too late, E's came in December.
    assert FORMULAS["dual_service"](told) == Figure(1 / 3, *map(pytest.approx, wilson(1, 3)), 3)


def test_every_key_figure_has_a_formula_and_every_formula_a_key_figure():
    assert {kpi.compute for kpi in shipped().values()} == set(FORMULAS)


@pytest.mark.parametrize("name", sorted(set(FORMULAS) - {"first_response", "clocks_met"}))
def test_without_a_lake_a_figure_is_absent_and_says_why(workspace, name):
    bare = Reading(Month.of(NOVEMBER, workspace.zone, 5), DeskFacts(warned=["A"]), None, CORE)
    assert FORMULAS[name](bare) is Absent.TABLE


def test_a_month_beyond_the_coverage_is_absent(workspace):
    beyond = reading(workspace, date(2024, 1, 1))
    for name in ("satisfaction", "nps", "complaints", "solved_8h", "app_errors", "net_inflow"):
        assert FORMULAS[name](beyond) is Absent.COVERAGE, name


def test_a_covered_month_in_which_nothing_happened_has_no_share_but_no_complaints(workspace):
    quiet = reading(workspace, date(2022, 9, 1))
    assert FORMULAS["solved_8h"](quiet) is Absent.ROWS
    assert FORMULAS["complaints"](quiet).value == 0.0
    assert FORMULAS["complaints"](quiet).high > 0


def test_rows_of_one_client_do_not_make_a_share_surer():
    apart = clustered_share(range(40), [True] * 20 + [False] * 20)
    together = clustered_share([i // 10 for i in range(40)], [True] * 20 + [False] * 20)
    assert apart.value == together.value == 0.5
    assert (together.low, together.high) == pytest.approx(wilson(2, 4))
    assert apart == share(20, 40)
    assert clustered_share([1] * 9, [True] * 9).low == pytest.approx(wilson(1, 1)[0])


def test_the_median_covers_as_the_binomial_says():
    found = median([float(i) for i in range(1, 21)])
    assert (found.value, found.low, found.high) == (10.0, 6.0, 15.0)
    assert binom.cdf(5, 20, 0.5) <= 0.025 < binom.cdf(6, 20, 0.5)
    assert median([1.0, math.inf, math.inf]) is Absent.WAITING
    assert median([1.0] * 8 + [math.inf] * 4).high is None
    assert median([]) is Absent.ROWS


def test_ratios_and_rates_at_their_edges():
    assert ratio([], [], []) is Absent.ROWS
    assert rate([], 0, 1000) is Absent.ROWS
    assert rate([], 10, 1000).low == 0.0
    alike = ratio(range(20), [2.0] * 20, [1.0] * 20)
    assert (alike.value, alike.low, alike.high) == (2.0, 2.0, 2.0)
