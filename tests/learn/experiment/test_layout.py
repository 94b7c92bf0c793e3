"""Arms' means over strata, against the same written out by hand, unit by unit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keepwell.core.errors import DataError
from keepwell.learn.experiment.layout import lay_out, named


@st.composite
def placed(draw):
    """Units with arm, stratum, cluster and value; strata large enough to be compared."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    strata, clusters = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    n = 40 * strata
    stratum = np.arange(n) % strata
    arm = np.where(np.arange(n) // strata % draw(st.integers(2, 3)) == 0, "none", "call")
    cluster = rng.integers(0, clusters, n)
    nested = draw(st.booleans())
    return arm, stratum, stratum if nested else cluster, rng.normal(stratum, 1 + stratum, n)


@given(placed())
@settings(max_examples=40, deadline=None)
def test_means_are_those_of_strata_weighed_by_their_share(units):
    arm, stratum, _, value = units
    layout = lay_out(arm, ("call", "none"), stratum)
    means = layout.means(value)
    for place, name in enumerate(("call", "none")):
        mean = variance = 0.0
        for one in np.unique(stratum):
            here = value[(stratum == one) & (arm == name)]
            share = np.mean(stratum == one)
            mean += share * here.mean()
            variance += share**2 * here.var(ddof=1) / len(here)
        assert means.mean[place] == pytest.approx(mean)
        assert means.cov[place, place] == pytest.approx(variance)
    assert means.cov[0, 1] == 0


@given(placed())
@settings(max_examples=40, deadline=None)
def test_scores_are_the_sums_of_what_each_unit_adds_to_the_error(units):
    arm, stratum, cluster, value = units
    assume(len(np.unique(cluster)) > 1)
    layout = lay_out(arm, ("call", "none"), stratum, cluster)
    means = layout.means(value)
    n = len(arm)
    by_hand = np.zeros((len(np.unique(cluster)), 2))
    for place, name in enumerate(("call", "none")):
        for one in np.unique(stratum):
            inside = stratum == one
            mine = inside & (arm == name)
            mean = value[mine].mean()
            for row, group in enumerate(np.unique(cluster)):
                part = cluster == group
                rest = value[mine & part] - mean
                by_hand[row, place] += inside.mean() / mine.sum() * rest.sum()
                by_hand[row, place] += (inside & part).sum() / n * (mean - means.mean[place])
    order = np.argsort([str(one) for one in named(cluster)[1]])
    by_hand = by_hand[np.argsort(np.argsort([str(one) for one in np.unique(cluster)]))]
    assert means.scores[order] == pytest.approx(by_hand, abs=1e-10)
    assert means.scores.sum(axis=0) == pytest.approx([0, 0], abs=1e-10)
    assert means.weight.sum() == pytest.approx(1)
    groups = len(by_hand)
    assert means.cov == pytest.approx(by_hand.T @ by_hand * groups / (groups - 1), abs=1e-10)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5), st.booleans()), min_size=8,
             max_size=200)
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_whatever_the_blocks_every_stratum_can_be_compared(rows):
    stratum, cluster, treated = map(np.array, zip(*rows, strict=True))
    arm = np.where(treated, "call", "none")
    assume(2 <= treated.sum() <= len(rows) - 2)
    for groups in (None, cluster):
        layout = lay_out(arm, ("call", "none"), stratum, groups)
        counts = np.bincount(layout.cell, minlength=2 * layout.strata).reshape(-1, 2)
        assert counts.min() >= 2
        assert counts.sum() == len(rows)
        assert layout.share.sum() == pytest.approx(1)
        # Who was in a stratum together stays together.
        for one in np.unique(stratum):
            if groups is None:
                assert len(set(layout.stratum[stratum == one])) == 1
        values = np.arange(len(rows), dtype=float)
        assert np.isfinite(layout.means(values).mean).all()
        inside = layout.within(values)
        sums = np.bincount(layout.stratum, inside)
        assert sums == pytest.approx(np.zeros(layout.strata), abs=1e-6)


def test_any_kind_of_value_names_a_stratum():
    for values in (["a", "b", "a"], np.array(["a", "b", "a"]), [1, 2, 1], [None, "x", None]):
        codes, names = named(values)
        assert codes.tolist() == [0, 1, 0]
        assert len(names) == 2


def test_an_arm_with_one_unit_is_not_compared():
    with pytest.raises(DataError) as caught:
        lay_out(["a", "b", "b"], ("a", "b"))
    assert caught.value.code == "experiment.arm-empty"
    with pytest.raises(DataError) as caught:
        lay_out(["a", "b", "c"], ("a", "b"))
    assert caught.value.code == "experiment.arm-unknown"
    with pytest.raises(DataError):
        lay_out(["a", "a", "b", "b"], ("a", "b"), propensity=[0.5, 0.5, 0.0, 0.5])


def test_standard_errors_are_those_of_redrawn_experiments():
    """500 blocked draws of one population, compared within pairs of the 40 managers."""
    rng = np.random.default_rng(21)
    n = 400
    stratum = np.arange(n) % 40  # managers
    base = rng.normal(stratum / 5, 1)
    found, errors = [], {"units": [], "clusters": []}
    for _ in range(500):
        # One in four of each manager's ten clients: two or three.
        order = np.argsort(stratum + rng.random(n))
        arm = np.full(n, "call")
        arm[order[(np.arange(n) + rng.integers(0, 4)) % 4 == 0]] = "none"
        units = lay_out(arm, ("call", "none"), stratum // 2).means(base)
        books = lay_out(arm, ("call", "none"), stratum // 2, stratum).means(base)
        by = np.array([1.0, -1.0])
        found.append(by @ units.mean)
        errors["units"].append(math.sqrt(by @ units.cov @ by))
        errors["clusters"].append(math.sqrt(by @ books.cov @ by))
    true = np.std(found)
    for kind, each in errors.items():
        assert 0.9 < np.mean(each) / true < 1.25, kind
    assert abs(np.mean(found)) < 4 * true / math.sqrt(len(found))
