"""What every model must do: a contract suite for the built-ins and for models of other packages.

In a test module::

    from keepwell.testing.model_suite import ModelSuite

    class TestMine(ModelSuite):
        def make(self):
            return MyModel()

`inputs` may be overridden for a model that reads named columns; the first must carry signal.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import KeepwellError
from keepwell.warn.models import Model
from keepwell.warn.models.base import sigmoid

Array = npt.NDArray[np.float64]

_ROWS = 600


def _fault(call: Callable[[], object]) -> KeepwellError:
    """The error of ours that a call ends in; anything else fails the test."""
    try:
        call()
    except KeepwellError as error:
        return error
    raise AssertionError("no error where there should be one")


class ModelSuite:
    """Subclass, say how to make an unfitted model, and pytest does the rest."""

    inputs: ClassVar[tuple[str, ...]] = ("a_signal", "b_signal", "c_noise", "d_missing")

    @abstractmethod
    def make(self) -> Model:
        """An unfitted model, equal on every call."""

    def rows(self, seed: int = 0) -> tuple[Array, Array]:
        """A data set with signal in the first columns, noise, and holes in the last."""
        rng = np.random.default_rng(seed)
        X = rng.gamma(2.0, 2.0, (_ROWS, len(self.inputs)))
        z = 0.8 * (X[:, 0] - 4.0) - (0.4 * (X[:, 1] - 4.0) if X.shape[1] > 1 else 0.0)
        y = (rng.random(_ROWS) < sigmoid(z)).astype(np.float64)
        if X.shape[1] > 1:
            X[rng.random(_ROWS) < 0.3, -1] = np.nan
        return X, y

    def fitted(self) -> tuple[Model, Array, Array]:
        """A fitted model and its data."""
        X, y = self.rows()
        return self.make().fit(X, y, self.inputs), X, y

    def test_follows_the_protocol(self) -> None:
        """It has a name and answers the protocol."""
        model = self.make()
        assert isinstance(model, Model)
        assert model.name
        assert isinstance(model.params, dict)

    def test_probabilities_rank_the_signal(self) -> None:
        """Probabilities lie in (0, 1) and leavers get higher ones on rows not trained on."""
        model, _, _ = self.fitted()
        X, y = self.rows(seed=1)
        p = model.predict(X, self.inputs)
        assert p.shape == y.shape
        assert ((p > 0) & (p < 1)).all()
        assert p[y == 1].mean() > p[y == 0].mean() + 0.05
        np.testing.assert_allclose(p, sigmoid(model.log_odds(X, self.inputs)), atol=1e-12)

    def test_same_seed_same_answers(self) -> None:
        """Two fits on the same rows agree to the last bit."""
        X, y = self.rows()
        first = self.make().fit(X, y, self.inputs).log_odds(X, self.inputs)
        second = self.make().fit(X, y, self.inputs).log_odds(X, self.inputs)
        np.testing.assert_array_equal(first, second)

    def test_saved_and_loaded_is_equal(self, tmp_path: Path) -> None:
        """A loaded model gives the same bits, names and parameters."""
        model, X, _ = self.fitted()
        model.save(tmp_path)
        again = type(model).load(tmp_path)
        assert again.names == model.names
        assert again.params == model.params
        np.testing.assert_array_equal(
            again.log_odds(X, self.inputs), model.log_odds(X, self.inputs)
        )
        np.testing.assert_array_equal(
            again.contributions(X, self.inputs).values, model.contributions(X, self.inputs).values
        )

    def test_damaged_files_are_an_error(self, tmp_path: Path) -> None:
        """A folder that cannot be read gives one of our errors."""
        model, _, _ = self.fitted()
        model.save(tmp_path)
        for path in tmp_path.iterdir():
            path.write_bytes(b"{damaged")
        _fault(lambda: type(model).load(tmp_path))

    def test_order_of_columns_does_not_matter(self) -> None:
        """Fitting and answering with columns in another order changes nothing."""
        model, X, y = self.fitted()
        turned, names = X[:, ::-1], self.inputs[::-1]
        other = self.make().fit(turned, y, names)
        np.testing.assert_array_equal(other.log_odds(X, self.inputs), model.log_odds(turned, names))
        assert other.names == model.names

    def test_more_columns_are_ignored(self) -> None:
        """Columns it was not fitted on do not matter when it answers."""
        model, X, _ = self.fitted()
        wide = np.hstack([np.full((len(X), 1), 7.0), X])
        np.testing.assert_array_equal(
            model.log_odds(wide, ("zz_more", *self.inputs)), model.log_odds(X, self.inputs)
        )

    def test_missing_values_are_answered(self) -> None:
        """Rows with holes, even wholly absent ones, get finite answers."""
        model, X, _ = self.fitted()
        X = X.copy()
        X[:5] = np.nan
        X[5:10, 0] = np.nan
        assert np.isfinite(model.log_odds(X, self.inputs)).all()
        assert np.isfinite(model.contributions(X, self.inputs).values).all()

    def test_a_column_without_values_does_no_harm(self) -> None:
        """It fits beside a column that nobody has."""
        X, y = self.rows()
        wide = np.hstack([X, np.full((len(X), 1), np.nan)])
        names = (*self.inputs, "z_absent")
        model = self.make().fit(wide, y, names)
        assert np.isfinite(model.log_odds(wide, names)).all()

    def test_one_class_is_an_error(self) -> None:
        """It does not pretend to learn from one class."""
        X, y = self.rows()
        for only in (0.0, 1.0):
            error = _fault(lambda: self.make().fit(X, np.full(len(y), only), self.inputs))  # noqa: B023
            assert error.code == "model.class-single"

    def test_a_column_that_lacks_is_an_error(self) -> None:
        """Answering without an input names it."""
        model, X, _ = self.fitted()
        error = _fault(lambda: model.log_odds(X[:, 1:], self.inputs[1:]))
        assert error.code == "model.column-missing"
        assert self.inputs[0] in str(error)

    def test_contributions_add_up(self) -> None:
        """Base and contributions sum to the log-odds, for complete and for holey rows."""
        model, X, _ = self.fitted()
        parts = model.contributions(X, self.inputs)
        assert parts.names == model.names
        assert parts.values.shape == (len(X), len(model.names))
        np.testing.assert_allclose(
            parts.log_odds(), model.log_odds(X, self.inputs), atol=2e-5, rtol=1e-5
        )

    def test_weights_move_the_answer(self) -> None:
        """More weight on leavers gives higher probabilities."""
        X, y = self.rows()
        heavy = self.make().fit(X, y, self.inputs, np.where(y == 1, 5.0, 1.0))
        plain = self.make().fit(X, y, self.inputs)
        assert heavy.predict(X, self.inputs).mean() > plain.predict(X, self.inputs).mean() + 0.05

    def test_no_rows_no_answers(self) -> None:
        """Asking about nobody gives nothing."""
        model, X, _ = self.fitted()
        assert model.log_odds(X[:0], self.inputs).shape == (0,)
        assert model.contributions(X[:0], self.inputs).values.shape == (0, len(model.names))
