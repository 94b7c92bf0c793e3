"""LightGBM, the challenger; needs the extra 'keepwell[lightgbm]'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from keepwell.core.errors import DataError, UsageError
from keepwell.warn.models.base import MODELS, Array, BaseModel, Contributions, threads

_FILE = "model.txt"


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as fault:
        raise UsageError("model.extra-missing", name="lightgbm", extra="lightgbm") from fault
    return lightgbm


def installed() -> bool:
    """Whether the extra is installed."""
    from importlib.util import find_spec

    return find_spec("lightgbm") is not None


@MODELS.add
class LightGBM(BaseModel):
    """LightGBM classifier with log loss.

    Args:
        iterations: trees.
        leaves: of each.
        learning_rate: step.
        min_rows: fewest rows in a leaf.
        l2: ridge on the leaves.
        column_share: share of the inputs that each tree may use.
        row_share: share of the rows that each tree sees.
        monotone: input -> 1 (risk may only rise with it) or -1 (only fall); inputs that the
            matrix lacks are ignored.
        seed: of all randomness.
        threads: for fitting and answering; 0 = all cores but one.
    """

    name: ClassVar[str] = "lightgbm"

    def __init__(
        self,
        iterations: int = 150,
        leaves: int = 12,
        learning_rate: float = 0.05,
        min_rows: int = 40,
        l2: float = 5.0,
        column_share: float = 0.5,
        row_share: float = 0.7,
        monotone: dict[str, int] | None = None,
        seed: int = 1,
        threads: int = 0,
    ) -> None:
        super().__init__(
            iterations=iterations, leaves=leaves, learning_rate=learning_rate, min_rows=min_rows,
            l2=l2, column_share=column_share, row_share=row_share,
            monotone=monotone or {}, seed=seed, threads=threads,
        )  # fmt: skip
        self._model: Any = None

    def fit(self, X: Array, y: Array, names: Sequence[str], weight: Array | None = None) -> Self:
        """Fit; see `Model.fit`."""
        library = _lightgbm()
        X, y, w = self._begin_fit(X, y, names, weight)
        p = self._params
        settings = {
            "objective": "binary",
            "num_leaves": p["leaves"],
            "learning_rate": p["learning_rate"],
            "min_data_in_leaf": p["min_rows"],
            "lambda_l2": p["l2"],
            "feature_fraction": p["column_share"],
            "bagging_fraction": p["row_share"],
            "bagging_freq": 1,
            "monotone_constraints": [p["monotone"].get(name, 0) for name in self._names],
            "seed": p["seed"],
            "num_threads": self._threads(),
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
        # Positions instead of names: LightGBM refuses some characters in them.
        data = library.Dataset(X, y, weight=w, free_raw_data=True, params={"verbose": -1})
        self._model = library.train(settings, data, num_boost_round=p["iterations"])
        return self

    def log_odds(self, X: Array, names: Sequence[str]) -> Array:
        """Log-odds of leaving, float64 [n]."""
        rows = self._ordered(X, names)
        if not len(rows):
            return np.zeros(0)
        raw = self._model.predict(rows, raw_score=True, num_threads=self._threads())
        return np.asarray(raw, np.float64)

    def contributions(self, X: Array, names: Sequence[str]) -> Contributions:
        """Exact Shapley values of the trees (TreeSHAP), in log-odds."""
        rows = self._ordered(X, names)
        if not len(rows):
            return Contributions(self._names, np.zeros((0, len(self._names))), 0.0)
        found = self._model.predict(rows, pred_contrib=True, num_threads=self._threads())
        values = np.asarray(found, np.float64)
        return Contributions(self._names, values[:, :-1], float(values[0, -1]))

    def save(self, folder: Path) -> None:
        """Write the fitted model into an existing folder."""
        self._model.save_model(str(folder / _FILE))
        self._describe(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        library = _lightgbm()
        model, _ = cls._from_description(folder)
        try:
            model._model = library.Booster(model_file=str(folder / _FILE))
        except library.basic.LightGBMError as fault:
            raise DataError("model.file-unreadable", file=folder / _FILE) from fault
        return model

    def _threads(self) -> int:
        return threads(self._params["threads"])
