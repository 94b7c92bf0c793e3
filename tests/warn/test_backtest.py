from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from keepwell.core.days import parse_as_of
from keepwell.core.errors import DataError
from keepwell.warn.backtest import (
    backtest,
    date_constants,
    date_series,
    directions,
    expanding,
    model_inputs,
    tier_results,
    train,
    training_dates,
)
from keepwell.warn.calibrate import Calibration, fit_calibration, out_of_fold
from keepwell.warn.dataset import build_dataset, client_fold, unlabelled
from keepwell.warn.label import LabelDefinition
from keepwell.warn.models.base import Contributions
from keepwell.warn.rfm import rfm_inputs
from tests.warn.world import build, leaving_world

EXIT = LabelDefinition()
QUICK = {"iterations": 30, "threads": 1}


def days(engine, *texts):
    return [parse_as_of(text, engine.zone) for text in texts]


@pytest.fixture(scope="module")
def dates(leaving):
    return days(leaving[1], "2020-01-01", "2020-07-01", "2021-01-01")


@pytest.fixture(scope="module")
def test_at(leaving):
    return parse_as_of("2021-07-01", leaving[1].zone)


@pytest.fixture(scope="module")
def result(leaving, dates, test_at):
    return backtest(leaving[1], EXIT, dates, test_at, params=QUICK, replicates=50, newcomers=True)


@pytest.fixture(scope="module")
def data(leaving, dates, test_at):
    return build_dataset(leaving[1], dates, EXIT, known_by=test_at, extra=rfm_inputs)


def test_rows_are_clients_at_dates_with_known_labels(data, leaving):
    engine = leaving[1]
    assert len(data.dates) == 3
    assert not np.isnan(data.y).any()
    assert data.manifest == engine.manifest.id
    assert data.versions["trade"] == engine.manifest.tables["trade"].version
    second = data.at(data.dates[1])
    frame = engine.compute(data.dates[1], clients=second.clients.tolist())
    want = frame.column("position_count")
    np.testing.assert_array_equal(second.columns(["position_count"]).X[:, 0], want)
    assert 0 < data.coverage().mean() < 1
    with pytest.raises(DataError, match="no input"):
        data.columns(["nothing"])


def test_only_dates_whose_label_was_known_train(leaving, dates):
    engine = leaving[1]
    zone = engine.zone
    known_by = parse_as_of("2021-01-01", zone)
    assert training_dates(EXIT, dates, known_by, zone) == dates[:2]
    assert training_dates(EXIT, dates, known_by, zone, timedelta(days=1)) == dates[:1]
    assert build_dataset(engine, dates, EXIT, known_by=known_by).dates == tuple(dates[:2])
    with pytest.raises(DataError, match="mature"):
        build_dataset(engine, dates, EXIT, known_by=parse_as_of("2020-03-01", zone))


def test_nothing_after_the_test_date_reaches_training(tmp_path, leaving, dates, test_at, data):
    """The same training set and model come from a lake that never saw the test's future."""
    _, early = build(tmp_path, **leaving_world(until=date(2021, 7, 1)))
    again = build_dataset(early, dates, EXIT, known_by=test_at, extra=rfm_inputs)
    assert again.names == data.names
    np.testing.assert_array_equal(again.X, data.X)
    np.testing.assert_array_equal(again.y, data.y)
    first, second = (train(d, "catboost", QUICK) for d in (data, again))
    assert first.calibration == second.calibration
    assert first.score_map == second.score_map


def test_the_model_finds_the_signal_and_stands_beside_baselines(result):
    found = result.evaluation
    assert set(found.metrics) == {"catboost", "recency", "rfm", "rfm-clumpiness"}
    assert found.metrics["catboost"]["auc"].value > 0.65
    assert set(found.differences) == {"recency", "rfm", "rfm-clumpiness"}
    assert found.rows == len(result.test) == len(result.scores)
    assert max(result.trained.dates) < result.as_of < result.ends_at
    assert sum(t.clients for t in result.tiers) == found.rows
    assert sum(b.clients for b in result.bins) == found.rows
    assert [t.tier.code for t in result.tiers] == ["severe", "moderate", "mild", "none"]
    assert result.curves["rfm"][1][-1] == 1.0


def test_the_same_backtest_twice_is_equal(leaving, dates, test_at, result):
    again = backtest(leaving[1], EXIT, dates, test_at, params=QUICK, replicates=50, newcomers=True)
    np.testing.assert_array_equal(again.scores, result.scores)
    assert again.evaluation == result.evaluation


def test_expanding_windows_skip_tests_without_training(leaving, dates):
    engine = leaving[1]
    tests = days(engine, "2020-03-01", "2020-07-01", "2021-01-01")
    found = expanding(
        engine, EXIT, dates, tests, params=QUICK, replicates=0, rivals=(), newcomers=True
    )
    assert [len(b.trained.dates) for b in found] == [1, 2]


def test_contributions_add_up_to_the_calibrated_log_odds(result):
    parts = result.trained.contributions(result.test.X, result.test.names)
    np.testing.assert_allclose(parts.log_odds(), result.log_odds["catboost"], atol=1e-4, rtol=1e-4)


def test_folds_go_by_client_and_newest_date(data):
    held_out = out_of_fold(data.columns(["trade_count_366d", "days_since_trade"]), "logistic")
    newest = data.at(data.dates[-1])
    assert held_out.clients.tolist() == newest.clients.tolist()
    # A row's own label must not move its answer: turning all labels of one fold leaves that fold.
    fold = client_fold(data.clients, 3)
    turned = replace(data, y=np.where(fold == 0, 1 - data.y, data.y))
    other = out_of_fold(turned.columns(["trade_count_366d", "days_since_trade"]), "logistic")
    mine = client_fold(newest.clients, 3) == 0
    np.testing.assert_array_equal(other.log_odds[mine], held_out.log_odds[mine])
    assert not np.array_equal(other.log_odds[~mine], held_out.log_odds[~mine])


def test_calibration_recovers_slope_and_intercept():
    rng = np.random.default_rng(0)
    z = rng.normal(-1, 1.5, 40_000)
    y = (rng.random(len(z)) < 1 / (1 + np.exp(-(0.5 + 0.7 * z)))).astype(float)
    found = fit_calibration(z, y)
    assert (found.intercept, found.slope) == pytest.approx((0.5, 0.7), abs=0.05)
    assert found.predict(z).mean() == pytest.approx(y.mean(), abs=1e-6)


def test_calibration_never_turns_the_ranking_round():
    z = np.array([-1.0, -0.5, 0.5, 1.0] * 20)
    y = (z < 0).astype(float)
    found = fit_calibration(z, y)
    assert found.slope == 1.0
    assert found.predict(z).mean() == pytest.approx(0.5, abs=1e-6)
    assert fit_calibration(np.zeros(4), np.array([0.0, 0, 0, 1])).predict(
        np.zeros(1)
    ) == pytest.approx(0.25)


def test_calibrated_contributions_keep_their_sum():
    raw = Contributions(("a", "b"), np.array([[1.0, -2.0]]), 0.5)
    found = Calibration(0.1, 2.0).contributions(raw)
    assert found.log_odds()[0] == pytest.approx(0.1 + 2.0 * (0.5 + 1.0 - 2.0))


def test_clients_data_kept_for_other_purposes_does_not_feed_the_model():
    kept = model_inputs(
        ["age_years", "client_risk_level", "days_since_assessed", "tenure_days", "rfm_recency",
         "trade_count_90d", "somebody_elses"]
    )  # fmt: skip
    assert kept == ["tenure_days", "trade_count_90d", "somebody_elses"]


def test_an_input_that_only_names_the_date_is_dropped(data):
    X = np.column_stack([data.X, data.date * 1.5, np.where(data.date == 1, np.nan, 3.0)])
    more = replace(data, X=X, names=(*data.names, "vix", "holes"))
    assert {"vix", "holes"} <= set(date_constants(more))
    assert "days_since_trade" not in date_constants(more)
    assert train(more, "logistic", inputs=["vix", "days_since_trade"]).names == (
        "days_since_trade",
    )


def test_directions_of_the_catalogue_hold_the_model(data):
    assert directions(["days_since_trade", "trade_count_90d", "nobody"]) == {
        "days_since_trade": 1, "trade_count_90d": -1,
    }  # fmt: skip
    fitted = train(data, "catboost", QUICK, inputs=["days_since_trade", "trade_count_366d"])
    grid = np.column_stack([np.linspace(0, 300, 50), np.full(50, 1.0)])
    z = fitted.log_odds(grid, ["days_since_trade", "trade_count_366d"])
    assert (np.diff(z) >= -1e-9).all()


def test_unlabelled_rows_have_the_same_inputs(leaving, data):
    engine = leaving[1]
    at = data.dates[2]
    labelled = data.at(at)
    found = unlabelled(engine, at, EXIT, clients=labelled.clients.tolist(), extra=rfm_inputs)
    np.testing.assert_array_equal(found.X, labelled.X)
    assert np.isnan(found.y).all()


def test_tiers_count_everybody_once():
    scores = np.array([10.0, 60, 75.9, 76, 90, 100])
    found = tier_results(np.array([0.0, 1, 0, 1, 1, 0]), np.full(6, 0.5), scores)
    assert [(t.tier.code, t.clients, t.left) for t in found] == [
        ("severe", 2, 1), ("moderate", 1, 1), ("mild", 2, 1), ("none", 1, 0),
    ]  # fmt: skip
    assert np.isnan(tier_results(np.zeros(1), np.zeros(1), np.zeros(1))[0].rate)


def test_date_series_by_calendar(leaving):
    zone = leaving[1].zone
    first, last = (parse_as_of(t, zone) for t in ("2021-01-31", "2021-04-30"))
    found = [t.astimezone(zone).date().isoformat() for t in date_series(first, last, "1mo", zone)]
    assert found == ["2021-01-31", "2021-02-28", "2021-03-31", "2021-04-30"]
