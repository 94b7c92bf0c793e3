from __future__ import annotations

import numpy as np
import pytest

from keepwell.core.errors import DataError, UsageError
from keepwell.testing.model_suite import ModelSuite
from keepwell.warn.models import MODELS, Model, create, load
from keepwell.warn.models.logistic import CLUMPINESS, RFM, newton


class TestCatBoost(ModelSuite):
    def make(self) -> Model:
        return create("catboost", iterations=60, threads=2)


class TestLightGBM(ModelSuite):
    def make(self) -> Model:
        return create("lightgbm", iterations=60, threads=2)


class TestLogistic(ModelSuite):
    def make(self) -> Model:
        return create("logistic")


class TestRfm(ModelSuite):
    inputs = RFM

    def make(self) -> Model:
        return create("rfm")


class TestRfmClumpiness(ModelSuite):
    inputs = tuple(sorted((*RFM, CLUMPINESS), key=lambda n: n != "rfm_recency"))

    def make(self) -> Model:
        return create("rfm-clumpiness")


class TestRecency(ModelSuite):
    inputs = ("rfm_recency",)

    def make(self) -> Model:
        return create("recency")


def test_every_registered_model_runs_the_suite():
    tested = {cls().make().name for cls in ModelSuite.__subclasses__()}
    assert tested == set(MODELS)


@pytest.mark.parametrize("cores", [1, 8])
def test_the_machines_cores_do_not_change_the_answers(cores, monkeypatch):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(20_000, 8))
    y = (rng.random(20_000) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
    names = [f"c{i}" for i in range(8)]
    here = create("catboost", iterations=40).fit(X, y, names).log_odds(X, names)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    there = create("catboost", iterations=40).fit(X, y, names).log_odds(X, names)
    np.testing.assert_array_equal(here, there)


def test_unknown_model_names_the_nearest():
    with pytest.raises(UsageError, match="catboost"):
        create("catbost")


def test_unknown_parameter_is_a_usage_error():
    with pytest.raises(UsageError, match="trees"):
        create("catboost", trees=3)


def test_a_name_can_be_taken_once():
    class Mine:
        name = "catboost"

    with pytest.raises(UsageError, match="registered already"):
        MODELS.add(Mine)


def test_loading_an_empty_folder_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="train again"):
        load(tmp_path)


def test_asking_before_fitting_is_an_error():
    with pytest.raises(UsageError, match="fitted"):
        create("catboost").log_odds(np.zeros((1, 1)), ["a"])


def test_repeated_names_are_an_error():
    with pytest.raises(DataError, match="twice"):
        create("logistic").fit(np.zeros((2, 2)), np.array([0.0, 1.0]), ["a", "a"])


def test_newton_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(5)
    X = rng.normal(size=(800, 3))
    y = (rng.random(800) < 1 / (1 + np.exp(-(X @ [1.0, -0.5, 0.0] - 1)))).astype(float)
    peer = LogisticRegression(C=0.5, tol=1e-10, max_iter=1000).fit(X, y)
    design = np.column_stack([np.ones(800), X])
    ours = newton(design, y, np.ones(800), 2.0)
    np.testing.assert_allclose(ours, [*peer.intercept_, *peer.coef_[0]], atol=1e-5)


def test_newton_converges_on_separated_data():
    design = np.column_stack([np.ones(6), [-3.0, -2, -1, 1, 2, 3]])
    beta = newton(design, np.array([0.0, 0, 0, 1, 1, 1]), np.ones(6), 1.0)
    assert np.isfinite(beta).all()
    assert beta[1] > 0


def test_logistic_treats_absence_as_its_own_fact():
    rng = np.random.default_rng(6)
    x = rng.gamma(2.0, size=3000)
    absent = rng.random(3000) < 0.3
    y = (rng.random(3000) < np.where(absent, 0.8, 0.2)).astype(float)
    X = np.where(absent, np.nan, x)[:, None]
    p = create("logistic").fit(X, y, ["x"]).predict(X, ["x"])
    assert p[absent].mean() == pytest.approx(y[absent].mean(), abs=0.01)
    assert p[~absent].mean() == pytest.approx(y[~absent].mean(), abs=0.01)
