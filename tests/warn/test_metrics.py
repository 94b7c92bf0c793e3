from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from keepwell.core.errors import DataError
from keepwell.warn.metrics import (
    METRICS,
    calibration_bins,
    evaluate,
    lead_time,
    lift_curve,
    refit_intercept,
    wilson,
)


def sample(n=2000, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n) - 1.5
    if ties:
        z = np.round(z, 1)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)
    return y, z, np.array([f"c{i:05d}" for i in range(n)])


@pytest.mark.parametrize("ties", [False, True])
def test_points_agree_with_scikit_learn(ties):
    y, z, clients = sample(ties=ties)
    found = evaluate(y, {"m": z}, clients, replicates=0).metrics["m"]
    p = 1 / (1 + np.exp(-z))
    assert found["auc"].value == pytest.approx(roc_auc_score(y, z), abs=1e-12)
    assert found["ap"].value == pytest.approx(average_precision_score(y, z), abs=1e-12)
    assert found["brier"].value == pytest.approx(brier_score_loss(y, p), abs=1e-12)
    assert set(found) == set(METRICS)


def test_lift_and_recall_by_hand():
    y = np.array([1.0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
    z = np.arange(10.0)[::-1]
    found = evaluate(y, {"m": z}, list("abcdefghij"), capacity=0.3, replicates=0).metrics["m"]
    assert found["lift_top10"].value == pytest.approx((1 / 1) / 0.3)
    assert found["recall_top10"].value == pytest.approx(1 / 3)
    assert found["recall_capacity"].value == pytest.approx(2 / 3)
    assert found["lift_capacity"].value == pytest.approx((2 / 3) / 0.3)


def test_a_tie_at_the_edge_counts_in_part():
    y = np.array([1.0, 1, 0, 0])
    found = evaluate(y, {"m": np.zeros(4)}, list("abcd"), capacity=0.5, replicates=0).metrics["m"]
    assert found["recall_capacity"].value == pytest.approx(0.5)
    assert found["auc"].value == pytest.approx(0.5)


def test_weighted_replicates_equal_repeated_rows():
    from keepwell.warn.metrics import _Scorer

    y, z, _ = sample(300, ties=True)
    w = np.random.default_rng(1).poisson(1.0, 300).astype(float)
    again = np.repeat(np.arange(300), w.astype(int))
    weighted = _Scorer(y, z, 0.1)(w[None, :])[0]
    p = 1 / (1 + np.exp(-z))
    assert weighted[0] == pytest.approx(roc_auc_score(y[again], z[again]))
    assert weighted[1] == pytest.approx(average_precision_score(y[again], z[again]))
    assert weighted[6] == pytest.approx(brier_score_loss(y[again], p[again]))


def test_interval_has_the_width_of_theory():
    y, z, clients = sample(4000)
    found = evaluate(y, {"m": z}, clients).metrics["m"]["auc"]
    # Hanley and McNeil's standard error.
    a, n1, n0 = found.value, y.sum(), (1 - y).sum()
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    se = np.sqrt((a * (1 - a) + (n1 - 1) * (q1 - a * a) + (n0 - 1) * (q2 - a * a)) / (n1 * n0))
    assert found.low < a < found.high
    assert (found.high - found.low) / (2 * 1.96 * se) == pytest.approx(1.0, abs=0.15)


def test_rows_of_one_client_enter_and_leave_together():
    y, z, _ = sample(400)
    clients = np.array([f"c{i}" for i in range(400)])
    one = evaluate(y, {"m": z}, clients).metrics["m"]["auc"]
    five = evaluate(np.tile(y, 5), {"m": np.tile(z, 5)}, np.tile(clients, 5))
    assert five.clients == 400
    wide = five.metrics["m"]["auc"]
    assert wide.high - wide.low == pytest.approx(one.high - one.low, rel=1e-6)


def test_paired_difference_is_narrower_than_its_parts():
    y, z, clients = sample(3000)
    near = z + np.random.default_rng(2).normal(0, 0.2, len(z))
    found = evaluate(y, {"a": z, "b": near}, clients)
    gap, part = found.differences["b"]["auc"], found.metrics["b"]["auc"]
    assert gap.value == pytest.approx(
        found.metrics["a"]["auc"].value - found.metrics["b"]["auc"].value
    )
    assert gap.high - gap.low < 0.5 * (part.high - part.low)
    assert "a" not in found.differences


def test_refitting_the_intercept_repairs_a_shift_only():
    y, z, clients = sample(6000)
    right, shifted = (
        evaluate(y, {"m": of}, clients, replicates=0).metrics["m"] for of in (z, z + 1.0)
    )
    assert shifted["ece"].value > 0.1
    assert shifted["ece_refit"].value == pytest.approx(right["ece_refit"].value, abs=0.002)
    steep = evaluate(y, {"m": 3 * z}, clients, replicates=0).metrics["m"]
    assert steep["ece_refit"].value > 0.03
    assert refit_intercept(y, z + 1.0) == pytest.approx(refit_intercept(y, z) - 1.0, abs=1e-6)


def test_same_seed_same_interval_and_quick():
    y, z, clients = sample(16_000)
    began = time.perf_counter()
    first = evaluate(y, {"a": z, "b": -z}, clients)
    assert time.perf_counter() - began < 20
    assert first == evaluate(y, {"a": z, "b": -z}, clients)


def test_one_class_is_an_error():
    with pytest.raises(DataError, match="same outcome"):
        evaluate(np.ones(3), {"m": np.zeros(3)}, list("abc"))


def test_lift_curve_runs_from_nothing_to_all():
    y, z, _ = sample(500)
    shares, found = lift_curve(y, z, 20)
    assert (shares[0], found[0], shares[-1], found[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert (np.diff(found) >= 0).all()
    assert found[10] > 0.5


def test_calibration_bins_hold_everyone():
    y, z, _ = sample(505)
    bins = calibration_bins(y, 1 / (1 + np.exp(-z)))
    assert sum(b.clients for b in bins) == 505
    assert [b.predicted for b in bins] == sorted(b.predicted for b in bins)
    assert all(b.low <= b.observed <= b.high for b in bins)


def test_wilson_at_the_edges():
    low, high = wilson(np.array([0, 10, 0]), np.array([10, 10, 0]))
    assert low[0] == 0.0
    assert high[1] == pytest.approx(1.0)
    assert (low[2], high[2]) == (0.0, 1.0)
    assert high[0] == pytest.approx(0.2775, abs=1e-3)


def test_lead_time_only_where_defined():
    assert lead_time(np.array([1.0, np.nan]), np.array([np.nan, 5.0])) is None
    assert lead_time(np.array([1.0, 3.0, 9.0]), np.array([11.0, 23.0, 2.0])) == 15.0
