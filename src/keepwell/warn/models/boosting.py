"""CatBoost, the default model: oblivious trees, fast to explain for everyone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from keepwell.core.errors import DataError
from keepwell.warn.models.base import MODELS, Array, BaseModel, Contributions
from keepwell.warn.models.base import threads as cores

_FILE = "model.cbm"

_LIGHT = 1e-6  # against a row's weight of 0.3 or 1


@MODELS.add
class Boosting(BaseModel):
    """CatBoost classifier with log loss.

    Args:
        iterations: trees.
        depth: of each.
        learning_rate: step.
        l2_leaf_reg: ridge on the leaves.
        rsm: share of the inputs that each level may use.
        subsample: share of the rows that each tree sees (Bernoulli).
        monotone: input -> 1 (risk may only rise with it) or -1 (only fall); inputs that the
            matrix lacks are ignored.
        seeds: models that differ in their randomness only and are averaged, as log-odds, into one.
        seed: of all randomness.
        threads: for fitting. They are part of what decides the result (random draws are made per
            thread), so the default is a fixed number and not that of the machine.
    """

    name: ClassVar[str] = "catboost"

    def __init__(
        self,
        iterations: int = 250,
        depth: int = 4,
        learning_rate: float = 0.05,
        l2_leaf_reg: float = 100.0,
        rsm: float = 0.5,
        subsample: float = 0.7,
        monotone: dict[str, int] | None = None,
        seeds: int = 2,
        seed: int = 1,
        threads: int = 2,
    ) -> None:
        super().__init__(
            iterations=iterations, depth=depth, learning_rate=learning_rate,
            l2_leaf_reg=l2_leaf_reg, rsm=rsm, subsample=subsample,
            monotone=monotone or {}, seeds=seeds, seed=seed, threads=threads,
        )  # fmt: skip
        self._model: Any = None

    def fit(self, X: Array, y: Array, names: Sequence[str], weight: Array | None = None) -> Self:
        """Fit; see `Model.fit`."""
        from catboost import Pool, sum_models

        X, y, w = self._begin_fit(X, y, names, weight)
        pool = Pool(X.astype(np.float32), y, weight=w, feature_names=list(self._names))
        count = self._params["seeds"]
        fitted = [self._classifier(self._params["seed"] + i).fit(pool) for i in range(count)]
        summed = fitted[0] if count == 1 else sum_models(fitted, weights=[1.0 / count] * count)
        self._model = _weighed(summed)
        return self

    def _classifier(self, seed: int) -> Any:
        from catboost import CatBoostClassifier

        p = self._params
        return CatBoostClassifier(
            iterations=p["iterations"],
            depth=p["depth"],
            learning_rate=p["learning_rate"],
            l2_leaf_reg=p["l2_leaf_reg"],
            rsm=p["rsm"],
            subsample=p["subsample"],
            bootstrap_type="Bernoulli",
            random_seed=seed,
            thread_count=self._params["threads"],
            loss_function="Logloss",
            nan_mode="Min",
            monotone_constraints=[p["monotone"].get(name, 0) for name in self._names],
            allow_const_label=False,
            allow_writing_files=False,
            verbose=False,
        )

    def log_odds(self, X: Array, names: Sequence[str]) -> Array:
        """Log-odds of leaving, float64 [n]."""
        rows = self._single(X, names)
        if not len(rows):
            return np.zeros(0)
        raw = self._model.predict(
            rows, prediction_type="RawFormulaVal", thread_count=self._threads()
        )
        return np.asarray(raw, np.float64)

    def contributions(self, X: Array, names: Sequence[str]) -> Contributions:
        """Exact Shapley values of the trees (TreeSHAP), in log-odds."""
        from catboost import Pool

        rows = self._single(X, names)
        if not len(rows):
            return Contributions(self._names, np.zeros((0, len(self._names))), 0.0)
        found = self._model.get_feature_importance(
            Pool(rows, feature_names=list(self._names)),
            type="ShapValues",
            thread_count=self._threads(),
        )
        values = np.asarray(found, np.float64)
        return Contributions(self._names, values[:, :-1], float(values[0, -1]))

    def _single(self, X: Array, names: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The model's own columns in single precision, column by column, as CatBoost reads them."""
        columns = np.asarray(X).T
        rows = np.empty((len(self._names), columns.shape[1]), np.float32)
        for to, at in zip(rows, self._columns(names), strict=True):
            to[:] = columns[at]
        return rows.T

    def save(self, folder: Path) -> None:
        """Write the fitted model into an existing folder."""
        self._model.save_model(str(folder / _FILE))
        self._describe(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        from catboost import CatBoost, CatBoostError

        model, _ = cls._from_description(folder)
        model._model = CatBoost()
        try:
            model._model.load_model(str(folder / _FILE))
        except CatBoostError as fault:
            raise DataError("model.file-unreadable", file=folder / _FILE) from fault
        return model

    def _threads(self) -> int:
        """Threads for answering, which do not change the answer."""
        return cores(0)


def _weighed(model: Any) -> Any:
    """The same trees, with a little weight in leaves that no training row fell into.

    Monotone constraints give such leaves values. CatBoost then takes the leaves' weights from the
    rows that are explained, and what is said of a client would depend on who is explained with it.
    """
    from catboost import CatBoost, sum_models

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        model.save_model(str(file), format="json")
        content = json.loads(file.read_text("utf-8"))
        content.pop("model_info", None)
        for tree in content["oblivious_trees"]:
            tree["leaf_weights"] = [weight or _LIGHT for weight in tree["leaf_weights"]]
        file.write_text(json.dumps(content), "utf-8")
        weighed = CatBoost()
        weighed.load_model(str(file), format="json")
    # The file rounds the last digit.
    weighed.set_leaf_values(model.get_leaf_values())
    # A model read from JSON keeps no parameters, and one saved from it warns of that when read.
    return sum_models([weighed])
