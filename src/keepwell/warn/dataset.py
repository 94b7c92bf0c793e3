"""Point-in-time data sets: what was known of each client at many dates, and what came of it.

Inputs of a row are the catalogue's indicators at its as-of instant. Its label counts only when it
was mature, and known, by `known_by`: for a backtest, the test's own as-of instant. Nothing in a
training set was learned later than that.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import DataError
from keepwell.core.places import Places
from keepwell.observe.engines.base import Engine
from keepwell.observe.indicators.registry import model_inputs
from keepwell.warn.label import LabelDefinition, Labels, label_clients
from keepwell.warn.risk import risk_set

Array = npt.NDArray[np.float64]
Progress = Callable[[str], None]
Extra = Callable[[Engine, datetime, list[str]], tuple[Sequence[str], Array]]
"""(engine, as_of, clients) -> names and float64 [n, k] of further inputs."""


@dataclass(frozen=True)
class Dataset:
    """Labelled rows of several as-of dates, oldest date first.

    Attributes:
        X: float [n, k]; NaN where an indicator is absent.
        y: float64 [n], 0 or 1; NaN only where labels were not asked for.
        clients: [n] client ids.
        date: int64 [n], index into `dates`.
        dates: as-of instants, ascending.
        names: k indicator ids.
        weight: float64 [n], positive.
        at_risk: bool [n]; whether the client would have had a score (see `risk_set`).
        manifest: id of the lake manifest that all was read from.
        versions: table -> Delta version of that manifest.
        definition: what y means.
    """

    X: Array
    y: Array
    clients: npt.NDArray[np.object_]
    date: npt.NDArray[np.int64]
    dates: tuple[datetime, ...]
    names: tuple[str, ...]
    weight: Array
    at_risk: npt.NDArray[np.bool_]
    manifest: int
    versions: dict[str, int]
    definition: LabelDefinition

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, keep: npt.NDArray[np.bool_]) -> Dataset:
        """The rows for which `keep` holds; the dates stay numbered as they are."""
        return replace(
            self, X=self.X[keep], y=self.y[keep], clients=self.clients[keep],
            date=self.date[keep], weight=self.weight[keep], at_risk=self.at_risk[keep],
        )  # fmt: skip

    def at(self, as_of: datetime) -> Dataset:
        """The rows of one date."""
        return self.rows(self.date == self.dates.index(as_of))

    def columns(self, names: Sequence[str]) -> Dataset:
        """The same rows with only the named inputs.

        Raises:
            DataError: an input is not there.
        """
        if tuple(names) == self.names:
            return self
        at = {name: i for i, name in enumerate(self.names)}
        missing = [name for name in names if name not in at]
        if missing:
            raise DataError("dataset.column-missing", columns=", ".join(missing))
        return replace(self, X=self.X[:, [at[name] for name in names]], names=tuple(names))

    def coverage(self) -> Array:
        """Share of the inputs that each row has, float64 [n]."""
        if not self.names:
            return np.zeros(len(self))
        return np.asarray(1.0 - np.isnan(self.X).mean(axis=1), np.float64)

    def present(self, least: float = 0.0) -> tuple[str, ...]:
        """Inputs that more than a share of the rows have.

        Args:
            least: 0..1; with 0, one row is enough.
        """
        some = (~np.isnan(self.X)).mean(axis=0) > least if len(self) else np.zeros(0, np.bool_)
        return tuple(name for name, there in zip(self.names, some, strict=True) if there)


def client_fold(
    clients: Sequence[str] | npt.NDArray[np.object_], folds: int
) -> npt.NDArray[np.int64]:
    """The fold of each client, the same in every data set and every run, int64 [n]."""
    return np.fromiter(
        (zlib.crc32(str(client).encode()) % folds for client in clients), np.int64, len(clients)
    )


def build_dataset(
    engine: Engine,
    dates: Sequence[datetime],
    definition: LabelDefinition,
    *,
    known_by: datetime | None = None,
    names: Sequence[str] | None = None,
    newcomers: bool = False,
    extra: Extra | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Rows of all at-risk clients with a known label at each date.

    Args:
        engine: computes indicators and positions.
        dates: as-of instants; those whose label is not mature by `known_by` give no rows.
        definition: the label.
        known_by: labels use nothing known later; default: everything the lake knows.
        names: indicators to compute; default: the models' input list of the catalogue.
        newcomers: keep clients whose relationship is too young for a score.
        extra: further inputs of the clients at an as-of: names and float64 [n, k].
        progress: called with a line of text per date.

    Returns:
        The data set; dates without rows are left out.

    Raises:
        DataError: no date has a mature label.
    """
    zone = engine.workspace.zone
    parts: list[_Part] = []
    for as_of in sorted(set(dates)):
        if known_by is not None and definition.matures_at(as_of, zone) > known_by:
            continue
        if progress:
            progress(as_of.astimezone(zone).date().isoformat())
        part = _part(engine, as_of, definition, known_by, newcomers, names, extra)
        if part is None:
            continue
        if parts and part.names != parts[0].names:
            raise DataError("dataset.columns-differ", as_of=as_of)
        parts.append(part)
    if not parts:
        raise DataError("dataset.label-immature", label=definition.name, dates=len(dates))
    sizes = [len(part.labels.y) for part in parts]
    return Dataset(
        X=np.concatenate([part.X for part in parts]),
        y=np.concatenate([part.labels.y for part in parts]),
        clients=np.concatenate([np.asarray(part.labels.clients, object) for part in parts]),
        date=np.repeat(np.arange(len(parts)), sizes).astype(np.int64),
        dates=tuple(part.labels.as_of for part in parts),
        names=parts[0].names,
        weight=np.ones(sum(sizes)),
        at_risk=np.concatenate([part.at_risk for part in parts]),
        definition=definition,
        **_versions(engine),
    )


@dataclass(frozen=True)
class _Part:
    """The rows of one date."""

    labels: Labels
    at_risk: npt.NDArray[np.bool_]
    names: tuple[str, ...]
    X: Array


def _part(
    engine: Engine,
    as_of: datetime,
    definition: LabelDefinition,
    known_by: datetime | None,
    newcomers: bool,
    names: Sequence[str] | None,
    extra: Extra | None,
) -> _Part | None:
    """The rows of one date; None when it has none."""
    labels = label_clients(engine, as_of, definition, known_by)
    risk = risk_set(engine, as_of)
    keep = ~np.isnan(labels.y) & risk.allowed(labels.clients, newcomers)
    if not keep.any():
        return None
    labels = labels.rows(keep)
    found, X = inputs(engine, as_of, labels.clients, names, extra)
    X = np.ascontiguousarray(X)  # sums over a training set must not depend on who was asked for
    return _Part(labels, risk.allowed(labels.clients, newcomers=False), found, X)


def unlabelled(
    engine: Engine,
    as_of: datetime,
    definition: LabelDefinition,
    *,
    clients: Sequence[str],
    names: Sequence[str] | None = None,
    extra: Extra | None = None,
) -> Dataset:
    """The same inputs for clients whose future is not known: y is NaN.

    Args:
        engine: computes indicators.
        as_of: the instant.
        definition: the label that will be predicted.
        clients: whose rows.
        names: indicators to compute; default: the models' input list of the catalogue.
        extra: as in `build_dataset`.
    """
    ids = list(clients)
    found, X = inputs(engine, as_of, ids, names, extra)
    n = len(ids)
    return Dataset(
        X=X, y=np.full(n, np.nan), clients=np.asarray(ids, object), date=np.zeros(n, np.int64),
        dates=(as_of,), names=found, weight=np.ones(n), at_risk=np.ones(n, np.bool_),
        definition=definition, **_versions(engine),
    )  # fmt: skip


def inputs(
    engine: Engine,
    as_of: datetime,
    clients: list[str],
    names: Sequence[str] | None,
    extra: Extra | None = None,
) -> tuple[tuple[str, ...], Array]:
    """Indicators of clients in the order asked for, and what they are called."""
    frame = engine.compute(as_of, clients=clients, indicators=list(names or model_inputs()))
    values = np.asarray(frame.values, np.float64)
    if frame.clients != clients:
        rows = Places(frame.clients).of(clients)
        values = np.where(rows[:, None] >= 0, values[rows], np.nan)
    found = tuple(frame.names)
    if extra:
        more, columns = extra(engine, as_of, clients)
        found, values = (*found, *more), np.hstack([values, columns])
    return found, values


def _versions(engine: Engine) -> dict[str, Any]:
    manifest = engine.manifest
    return {
        "manifest": manifest.id if manifest else 0,
        "versions": {name: t.version for name, t in manifest.tables.items()} if manifest else {},
    }
