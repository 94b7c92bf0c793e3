"""Logistic regression by Newton's method: the RFM baselines, and the two-number calibration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from keepwell.core.errors import DataError
from keepwell.warn.models.base import MODELS, Array, BaseModel, Contributions, logit, sigmoid

RFM: tuple[str, ...] = ("rfm_recency", "rfm_frequency", "rfm_value")
"""Days since the last trade or known first buy; their count and traded value over 366 days."""

CLUMPINESS = "rfm_clumpiness"
"""Entropy clumpiness of the active days of 366 days."""


def newton(design: Array, y: Array, weight: Array, ridge: float) -> Array:
    """Coefficients that maximise the weighted log-likelihood less a ridge on all but the first.

    Args:
        design: [n, k]; the first column is the constant.
        y: [n], 0..1.
        weight: [n].
        ridge: penalty; 0 for none.

    Returns:
        float64 [k].
    """
    k = design.shape[1]
    penalty = np.full(k, ridge)
    penalty[0] = 0.0
    mean = float(np.average(y, weights=weight))
    beta = np.zeros(k)
    beta[0] = float(logit(mean))

    def loss(b: Array) -> float:
        z = design @ b
        return float(weight @ (np.logaddexp(0.0, z) - y * z) + 0.5 * penalty @ (b * b))

    now = loss(beta)
    for _ in range(100):
        p = sigmoid(design @ beta)
        gradient = design.T @ (weight * (y - p)) - penalty * beta
        curve = (design * (weight * p * (1 - p))[:, None]).T @ design + np.diag(penalty)
        # A trace of ridge keeps a constant column from making the system singular.
        step = np.linalg.solve(curve + 1e-10 * np.trace(curve) / k * np.eye(k), gradient)
        size = 1.0
        while size > 1e-6 and (after := loss(beta + size * step)) > now:
            size /= 2
        if size <= 1e-6:
            break
        beta = beta + size * step
        done, now = abs(now - after) <= 1e-12 * max(1.0, abs(now)), after
        if done:
            break
    return beta


class Logistic(BaseModel):
    """Ridge logistic regression on chosen inputs.

    An input is log1p-transformed (negative ones count as 0), standardised; an absent value takes
    the mean and raises an indicator of its own. A subclass says which inputs of the matrix it uses.

    Args:
        ridge: penalty on the standardised coefficients.
    """

    inputs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, ridge: float = 1.0) -> None:
        super().__init__(ridge=ridge)
        self._mean = self._scale = np.zeros(0)
        self._beta = np.zeros(1)

    def fit(self, X: Array, y: Array, names: Sequence[str], weight: Array | None = None) -> Self:
        """Fit; see `Model.fit`."""
        X, y, w = self._begin_fit(X, y, names, weight)
        if self.inputs:
            missing = [name for name in self.inputs if name not in self._names]
            if missing:
                raise DataError("model.column-missing", model=self.name, columns=", ".join(missing))
            kept = sorted(self.inputs)
            X = X[:, [self._names.index(name) for name in kept]]
            self._names = tuple(kept)
        t = _transform(X)
        known = ~np.isnan(t)
        share = np.where(known, w[:, None], 0.0)
        total = share.sum(axis=0)
        filled = np.where(known, t, 0.0)
        self._mean = np.divide(
            (share * filled).sum(axis=0), total, out=np.zeros(t.shape[1]), where=total > 0
        )
        spread = (share * np.where(known, t - self._mean, 0.0) ** 2).sum(axis=0)
        variance = np.divide(spread, total, out=np.zeros(t.shape[1]), where=total > 0)
        self._scale = np.where(variance > 1e-18, np.sqrt(variance), 1.0)
        self._beta = newton(self._design(X), y, w, self._params["ridge"])
        return self

    def log_odds(self, X: Array, names: Sequence[str]) -> Array:
        """Log-odds of leaving, float64 [n]."""
        return self._design(self._ordered(X, names)) @ self._beta

    def contributions(self, X: Array, names: Sequence[str]) -> Contributions:
        """Each input's term together with that of its absence."""
        terms = self._design(self._ordered(X, names)) * self._beta
        k = len(self._names)
        return Contributions(
            self._names, terms[:, 1 : k + 1] + terms[:, k + 1 :], float(self._beta[0])
        )

    def save(self, folder: Path) -> None:
        """Write the fitted model into an existing folder."""
        state: dict[str, Any] = {
            "mean": self._mean.tolist(),
            "scale": self._scale.tolist(),
            "beta": self._beta.tolist(),
        }
        self._describe(folder, state=state)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        model, content = cls._from_description(folder)
        state = content["state"]
        model._mean, model._scale = np.array(state["mean"]), np.array(state["scale"])
        model._beta = np.array(state["beta"])
        return model

    def _design(self, X: Array) -> Array:
        """Constant, standardised inputs, indicators of absence: [n, 1 + 2k]."""
        t = _transform(X)
        absent = np.isnan(t)
        z = np.where(absent, 0.0, (t - self._mean) / self._scale)
        return np.hstack([np.ones((len(t), 1)), z, absent.astype(np.float64)])


@MODELS.add
class PlainLogistic(Logistic):
    """Logistic regression on every input of the matrix."""

    name: ClassVar[str] = "logistic"


@MODELS.add
class RfmLogistic(Logistic):
    """Recency, frequency, value."""

    name: ClassVar[str] = "rfm"
    inputs: ClassVar[tuple[str, ...]] = RFM


@MODELS.add
class RfmClumpiness(Logistic):
    """Recency, frequency, value and clumpiness."""

    name: ClassVar[str] = "rfm-clumpiness"
    inputs: ClassVar[tuple[str, ...]] = (*RFM, CLUMPINESS)


def _transform(X: Array) -> Array:
    return np.log1p(np.maximum(np.asarray(X, np.float64), 0.0))
