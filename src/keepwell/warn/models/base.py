"""The model protocol, what all models check alike, and the registry.

A model is fitted on a matrix with named columns and answers in log-odds, so that calibration and
reasons stay additive. Columns are put into alphabetical order before fitting: the result does not
depend on the order in which they came.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import DataError, UsageError, nearest
from keepwell.core.files import atomic_write

Array = npt.NDArray[np.float64]

ENTRY_POINTS: Final = "keepwell.models"
DESCRIPTION: Final = "model.json"


@dataclass(frozen=True)
class Contributions:
    """What each input adds to the log-odds of each row.

    Attributes:
        names: the inputs, in the model's order.
        values: float64 [n, k], log-odds.
        base: log-odds of a row about which nothing is said; `base + values.sum(1)` is the
            model's log-odds.
    """

    names: tuple[str, ...]
    values: Array
    base: float

    def log_odds(self) -> Array:
        """The log-odds that the parts add up to, float64 [n]."""
        return np.asarray(self.base + self.values.sum(axis=1), np.float64)


@runtime_checkable
class Model(Protocol):
    """What keepwell asks of a model.

    Every method that takes a matrix takes the names of its columns too and finds its own by name.
    A cell may be NaN: the input is absent.
    """

    name: ClassVar[str]

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs it was fitted on, sorted; empty before."""
        ...

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters, JSON-safe; `create(name, **params)` gives an equal unfitted model."""
        ...

    def fit(self, X: Array, y: Array, names: Sequence[str], weight: Array | None = None) -> Self:
        """Fit.

        Args:
            X: float [n, k].
            y: [n], 0 or 1, both present.
            names: k distinct names.
            weight: [n], positive; default 1.

        Returns:
            The model itself.

        Raises:
            DataError: only one class, or shapes that do not fit.
        """
        ...

    def log_odds(self, X: Array, names: Sequence[str]) -> Array:
        """Log-odds of leaving, float64 [n]."""
        ...

    def predict(self, X: Array, names: Sequence[str]) -> Array:
        """Probability of leaving, float64 [n]."""
        ...

    def contributions(self, X: Array, names: Sequence[str]) -> Contributions:
        """Exact contributions of every input to the log-odds."""
        ...

    def save(self, folder: Path) -> None:
        """Write the fitted model into an existing folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; its answers are equal to the last bit."""
        ...


ModelFactory = Callable[..., Model]


def sigmoid(z: Array) -> Array:
    """Probability of log-odds.

    Example:
        >>> sigmoid(np.array([0.0]))
        array([0.5])
    """
    p = 1.0 / (1.0 + np.exp(-np.clip(np.asarray(z, np.float64), -700.0, 700.0)))
    return np.asarray(p, np.float64)


def logit(p: Array | float) -> Array:
    """Log-odds of a probability; 0 and 1 give the largest finite ones that make sense.

    Example:
        >>> logit(0.5)
        array(0.)
    """
    q = np.clip(np.asarray(p, np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(np.log(q) - np.log1p(-q), np.float64)


def threads(wanted: int) -> int:
    """Threads to use; 0 means all cores but one.

    Boosting waits actively at every tree: with a thread on every core, anything else that runs
    slows it manifold (LightGBM ran six times slower on a busy machine).
    """
    return wanted or max(1, (os.cpu_count() or 1) - 1)


class BaseModel:
    """The part that models share: checks, column order, description file."""

    name: ClassVar[str] = ""

    def __init__(self, **params: Any) -> None:
        self._params = params
        self._names: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs it was fitted on, sorted; empty before."""
        return self._names

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters, JSON-safe."""
        return dict(self._params)

    def log_odds(self, X: Array, names: Sequence[str]) -> Array:
        """Log-odds of leaving, float64 [n]."""
        raise NotImplementedError

    def predict(self, X: Array, names: Sequence[str]) -> Array:
        """Probability of leaving, float64 [n]."""
        return sigmoid(self.log_odds(X, names))

    def _begin_fit(
        self, X: Array, y: Array, names: Sequence[str], weight: Array | None
    ) -> tuple[Array, Array, Array]:
        """Check a training set and put its columns into order."""
        X, y = np.asarray(X), np.asarray(y, np.float64)
        w = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
        if X.ndim != 2 or X.shape != (len(y), len(names)) or w.shape != y.shape:
            raise DataError("model.shape-wrong", rows=len(y), columns=len(names), shape=X.shape)
        if len(set(names)) != len(names):
            raise DataError("model.column-repeated", model=self.name)
        if not np.isin(y, (0.0, 1.0)).all() or len(np.unique(y)) < 2:
            raise DataError("model.class-single", model=self.name, rows=len(y))
        order = sorted(range(len(names)), key=lambda i: names[i])
        self._names = tuple(names[i] for i in order)
        return np.ascontiguousarray(X[:, order]), y, w

    def _ordered(self, X: Array, names: Sequence[str]) -> Array:
        """The model's own columns of a matrix, in its order."""
        if self._names and tuple(names) == self._names:
            return np.ascontiguousarray(X)
        return np.ascontiguousarray(np.asarray(X)[:, self._columns(names)])

    def _columns(self, names: Sequence[str]) -> list[int]:
        """Where the model's own columns are among some."""
        if not self._names:
            raise UsageError("model.fit-missing", model=self.name)
        at = {name: i for i, name in enumerate(names)}
        missing = [name for name in self._names if name not in at]
        if missing:
            raise DataError("model.column-missing", model=self.name, columns=", ".join(missing))
        return [at[name] for name in self._names]

    def _describe(self, folder: Path, **more: Any) -> None:
        content = {"model": self.name, "params": self.params, "names": self._names, **more}
        atomic_write(folder / DESCRIPTION, json.dumps(content, indent=1, sort_keys=True))

    @classmethod
    def _from_description(cls, folder: Path) -> tuple[Self, dict[str, Any]]:
        content = description(folder)
        model = cls(**content["params"])
        model._names = tuple(content["names"])
        return model, content


def description(folder: Path) -> dict[str, Any]:
    """What `save` wrote about a model: its name, parameters and inputs.

    Raises:
        DataError: there is no such file or it is not readable.
    """
    try:
        content = json.loads((folder / DESCRIPTION).read_text())
        _ = content["model"], content["params"], content["names"]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise DataError("model.file-unreadable", file=folder / DESCRIPTION) from fault
    return dict(content)


class ModelRegistry(Mapping[str, type[Model]]):
    """Model classes by name: the built-ins and the entry points of group "keepwell.models"."""

    def __init__(self) -> None:
        self._items: dict[str, type[Model]] = {}
        self._loaded = False

    def add(self, model: type[Model]) -> type[Model]:
        """Register a model class under its `name`; usable as a decorator.

        Raises:
            UsageError: the name is taken by another class.
        """
        if self._items.setdefault(model.name, model) is not model:
            raise UsageError("model.name-taken", name=model.name)
        return model

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        from importlib import import_module
        from importlib.metadata import entry_points

        for module in ("boosting", "lightgbm", "logistic", "recency"):
            import_module(f"keepwell.warn.models.{module}")
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: (p.name, p.value)):
            self.add(point.load())

    def __getitem__(self, name: str) -> type[Model]:
        self._load()
        if name not in self._items:
            known = sorted(self._items)
            raise UsageError(
                "model.name-unknown", name=name, nearest=nearest(name, known) or ", ".join(known)
            )
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._items))

    def __len__(self) -> int:
        self._load()
        return len(self._items)


MODELS: Final = ModelRegistry()
"""All models of this process."""


def create(name: str, **params: Any) -> Model:
    """An unfitted model.

    Args:
        name: a registered name such as 'catboost'.
        **params: the model's own parameters; the rest keep their defaults.

    Raises:
        UsageError: no such model, or a parameter it does not have.
    """
    factory: ModelFactory = MODELS[name]
    try:
        return factory(**params)
    except TypeError as fault:
        raise UsageError("model.parameter-unknown", name=name, fault=str(fault)) from fault


def load(folder: Path) -> Model:
    """Read a fitted model of whatever kind from its folder.

    Raises:
        DataError: the folder holds none.
        UsageError: its kind is not registered here.
    """
    return MODELS[description(folder)["model"]].load(folder)
