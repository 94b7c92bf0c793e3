"""Affine calibration in log-odds: contributions stay additive.

The two numbers are fitted out-of-fold by client on the newest training date: for each fold the
model is trained on the other folds' clients at all training dates, and answers for the fold's
clients at the newest date. No client is judged by a model that saw it at any date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.warn.dataset import Dataset, client_fold
from keepwell.warn.metrics import refit_intercept
from keepwell.warn.models import create
from keepwell.warn.models.base import Contributions, sigmoid
from keepwell.warn.models.logistic import newton

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """log-odds -> intercept + slope * log-odds.

    Attributes:
        intercept: log-odds.
        slope: positive.
    """

    intercept: float = 0.0
    slope: float = 1.0

    def log_odds(self, raw: Array) -> Array:
        """Calibrated log-odds of the model's own, float64 [n]."""
        return self.intercept + self.slope * np.asarray(raw, np.float64)

    def predict(self, raw: Array) -> Array:
        """Calibrated probability of the model's log-odds, float64 [n]."""
        return sigmoid(self.log_odds(raw))

    def contributions(self, raw: Contributions) -> Contributions:
        """Contributions to the calibrated log-odds."""
        return Contributions(
            raw.names, raw.values * self.slope, self.intercept + self.slope * raw.base
        )


@dataclass(frozen=True)
class OutOfFold:
    """What models that did not see a client said of it at the newest training date."""

    log_odds: Array
    y: Array
    clients: npt.NDArray[np.object_]


def fit_calibration(log_odds: Array, y: Array) -> Calibration:
    """Fit the two numbers by maximum likelihood.

    A slope that is not positive would turn the ranking round; the slope then stays 1 and only
    the intercept is fitted.

    Args:
        log_odds: [n] the model's own, for rows it was not trained on.
        y: [n], 0 or 1, both present.
    """
    z, y = np.asarray(log_odds, np.float64), np.asarray(y, np.float64)
    if np.ptp(z) > 1e-9:
        middle = float(z.mean())
        beta = _affine(z - middle, y)
        if beta[1] > 0.0:
            return Calibration(float(beta[0] - beta[1] * middle), float(beta[1]))
    return Calibration(refit_intercept(y, z), 1.0)


def _affine(z: Array, y: Array) -> Array:
    return newton(np.column_stack([np.ones(len(z)), z]), y, np.ones(len(z)), 0.0)


def out_of_fold(
    data: Dataset, name: str, params: dict[str, Any] | None = None, folds: int = 3
) -> OutOfFold:
    """Log-odds for the newest date of a dataset from models that did not see the client.

    A model that averages several seeds is fitted with one here: that is several times faster, and
    errs towards smaller slopes of the calibration.

    Args:
        data: labelled rows of all training dates.
        name: the model.
        params: its parameters.
        folds: groups of clients.

    Raises:
        DataError: a fold leaves only one class to train on.
    """
    settings = dict(params or {})
    if "seeds" in create(name).params:
        settings["seeds"] = 1
    newest = data.at(data.dates[-1])
    fold_of_all = client_fold(data.clients, folds)
    fold_of_newest = client_fold(newest.clients, folds)
    out = np.zeros(len(newest.y))
    for fold in range(folds):
        asked = fold_of_newest == fold
        if not asked.any():
            continue
        train = fold_of_all != fold
        model = create(name, **settings).fit(
            data.X[train], data.y[train], data.names, data.weight[train]
        )
        out[asked] = model.log_odds(newest.X[asked], newest.names)
    return OutOfFold(out, newest.y, newest.clients)
