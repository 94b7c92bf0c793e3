"""keepwell's figures are those of other libraries (golden.json, made by golden.py beside it)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from keepwell.learn.experiment.compliance import complied
from keepwell.learn.experiment.design import Arm, Experiment, Metric
from keepwell.learn.experiment.multiple import benjamini_hochberg
from keepwell.learn.experiment.power import Baseline, Terms, needed
from keepwell.learn.experiment.ratio import check
from keepwell.learn.experiment.readout import read_out
from keepwell.learn.experiment.sequential import boundaries, crossing, spent

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text("utf-8"))
DATA = GOLDEN["data"]

METRICS = {
    "plain": Metric("after"),
    "cuped": Metric("after", covariates=("before",)),
    "two covariates": Metric("after", covariates=("before", "log_ins")),
    "winsorised": Metric("after", winsor=0.9),
    "proportion": Metric("left", "proportion", "lower"),
    "ratio": Metric("orders", "ratio", denominator="sessions"),
}


@pytest.mark.parametrize("name", METRICS)
def test_differences_and_intervals_are_those_of_tea_tasting(name):
    (effect,) = read_out([METRICS[name]], DATA, control="none").effects
    expected = GOLDEN["tea-tasting"][name]
    # tea-tasting sums each arm's moments, keepwell the residuals of the adjusted values.
    near = pytest.approx
    assert effect.difference.value == near(expected["value"], rel=1e-9)
    assert effect.means == near((expected["treated"], expected["control"]), rel=1e-9)
    assert effect.difference.low == near(expected["low"], rel=1e-7)
    assert effect.difference.high == near(expected["high"], rel=1e-7)
    assert effect.difference.p == near(expected["p"], rel=1e-7)


def test_relative_interval_is_the_inverted_test():
    (effect,) = read_out([METRICS["proportion"]], DATA, control="none").effects
    relative = effect.relative
    found = (relative.value, relative.low, relative.high)
    # The degrees of freedom of the inverted test move along the interval.
    assert found == pytest.approx(GOLDEN["scipy"]["relative"], abs=5e-3)


def test_complier_effect_is_the_inverted_test():
    found = complied(Metric("after"), DATA, "reached", treated="call", control="none").effect
    assert (found.value, found.low, found.high) == pytest.approx(
        GOLDEN["scipy"]["complier"], rel=3e-3
    )


@pytest.mark.parametrize("share", [0.7, 0.6, 0.5])
def test_sample_ratio_is_the_chi_square_test(share):
    arms = (Arm("call", share), Arm("none", 1 - share))
    found = check(Experiment("e", arms, "none", Metric("left")), DATA["arm"])
    assert found.p == pytest.approx(GOLDEN["scipy"]["ratio p"][str(share)], rel=1e-9)
    assert found.stop == (found.p < 0.001)


def test_clustered_errors_are_those_of_statsmodels():
    found = read_out([METRICS["plain"]], DATA, control="none", cluster="manager")
    assert (found.method, found.clusters) == ("clusters", 40)
    assert found.effects[0].difference.se == pytest.approx(
        GOLDEN["statsmodels"]["clustered se"], rel=1e-9
    )


def test_strata_are_those_of_a_regression_with_interactions():
    found = read_out([METRICS["plain"]], DATA, control="none", stratum="tier")
    assert found.strata == 2
    assert found.effects[0].difference.value == pytest.approx(
        GOLDEN["statsmodels"]["strata"], rel=1e-9
    )


def test_propensities_weigh_as_in_weighted_least_squares():
    data = DATA | {"chance": 1 / np.array(GOLDEN["statsmodels"]["weights"])}
    found = read_out([METRICS["plain"]], data, control="none", propensity="chance")
    assert found.effects[0].difference.value == pytest.approx(
        GOLDEN["statsmodels"]["weighed"], rel=1e-9
    )


def test_many_comparisons_are_adjusted_as_by_statsmodels():
    made = GOLDEN["statsmodels"]
    assert benjamini_hochberg(made["p"]) == pytest.approx(made["benjamini-hochberg"])


@pytest.mark.parametrize(("ratio", "share"), [("1.0", 0.5), ("4.0", 0.2)])
def test_units_for_a_mean_are_those_of_statsmodels(ratio, share):
    # There, the second group is `ratio` times the first.
    sizes = needed(Baseline(10.0, 4.0), 0.05 * 2.0, Terms(treated_share=share))
    expected = GOLDEN["statsmodels"]["units, mean"][ratio]
    assert sizes.treated == np.ceil(expected)
    assert sizes.control == pytest.approx(expected * float(ratio), abs=1)


@pytest.mark.parametrize("count", ["2", "3", "4", "5"])
def test_boundaries_are_the_tabled_ones(count):
    k = int(count)
    looks = [(i + 1) / k for i in range(k)]
    assert boundaries(looks) == pytest.approx(GOLDEN["sequential"]["tabled"][count], abs=1.5e-4)
    # What the tabled ones spend, by another integration, is what the function says.
    found = GOLDEN["sequential"]["spent"][count]
    assert [spent(t) for t in looks] == pytest.approx(found, abs=2e-5)


def test_chances_to_cross_are_those_of_the_normal_integrated_at_once():
    looks = [1 / 3, 2 / 3, 1.0]
    bounds = GOLDEN["sequential"]["tabled"]["3"]
    for drift, expected in GOLDEN["sequential"]["crossed"].items():
        up, down = crossing(looks, bounds, float(drift))
        assert up + down == pytest.approx(expected, abs=2e-6)
