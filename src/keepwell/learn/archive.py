"""The archive: what a decision and a model were made from, kept for as long as they are.

Vectors of a ranking: the inputs of every client in a tier, and of the first hundred, with score and
probability; with the model's folder they give score and reasons again without the lake. Matrices of
training: the rows that a model was fitted on. Both are Parquet, written whole, named by what they
belong to; equal work writes nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.errors import DataError, UsageError
from keepwell.core.files import atomic_stream, sweep
from keepwell.warn.models.base import sigmoid
from keepwell.warn.reason import Explanation, explain
from keepwell.warn.registry import ModelStore, ModelVersion

if TYPE_CHECKING:
    from keepwell.learn.ranking import Ranking
    from keepwell.observe.workspace import Workspace
    from keepwell.warn.dataset import Dataset

Array = npt.NDArray[np.float64]

CHUNK: Final = 65_536
"""Rows written at a time."""

CLOSE: Final = 1e-12
"""Relative difference that a replay may have: a sum over other batches may round otherwise."""

_ABOUT: Final = b"keepwell"


@dataclass(frozen=True)
class Kept:
    """One file of the archive, by its description.

    Attributes:
        file: where it lies.
        manifest: number of the lake's manifest that it was read from.
        model: id of the model version.
        as_of: the ranking's instant; of a training matrix its newest date.
        rows: number of rows.
    """

    file: Path
    manifest: int
    model: str
    as_of: datetime
    rows: int


@dataclass(frozen=True)
class Replay:
    """What came of judging archived vectors again.

    Attributes:
        kept: the file.
        clients: number of clients.
        differing: those whose score or probability is not the archived one.
        explanations: client -> why, computed again.
    """

    kept: Kept
    clients: int
    differing: tuple[str, ...]
    explanations: dict[str, Explanation]


def decisions_folder(workspace: Workspace) -> Path:
    """Where the vectors of rankings are."""
    return workspace.state / "archive" / "decisions"


def training_folder(workspace: Workspace) -> Path:
    """Where the matrices of training are."""
    return workspace.state / "archive" / "training"


def keep_decisions(
    workspace: Workspace, ranking: Ranking, version: ModelVersion, manifest: int
) -> Path | None:
    """Archive what a ranking judged its explained clients by.

    Args:
        workspace: where.
        ranking: with its vectors.
        version: the model behind it.
        manifest: number of the lake's manifest that was read.

    Returns:
        The file; None when nobody was scored.
    """
    vectors = ranking.vectors
    if vectors is None:
        return None
    name = f"{manifest:06d}-{ranking.as_of.astimezone(UTC):%Y%m%dT%H%M%S}-{version.id}.parquet"
    about = {
        "manifest": manifest, "model": version.id, "as_of": ranking.as_of.isoformat(),
        "typical": [None if np.isnan(x) else float(x).hex() for x in vectors.typical],
    }  # fmt: skip
    first = {
        "client_id": pa.array(vectors.clients, pa.string()),
        "score": pa.array(vectors.score), "probability": pa.array(vectors.probability),
    }  # fmt: skip
    return _write(decisions_folder(workspace) / name, first, vectors.names, vectors.X, about)


def keep_training(workspace: Workspace, data: Dataset, model: str) -> Path:
    """Archive the rows that a model was fitted on.

    Args:
        workspace: where.
        data: the rows, with the model's inputs.
        model: id of its version.
    """
    about = {
        "manifest": data.manifest, "model": model, "as_of": max(data.dates).isoformat(),
        "dates": [date.isoformat() for date in data.dates],
    }  # fmt: skip
    first = {
        "client_id": pa.array(list(data.clients), pa.string()), "date": pa.array(data.date),
        "y": pa.array(data.y), "weight": pa.array(data.weight), "at_risk": pa.array(data.at_risk),
    }  # fmt: skip
    path = training_folder(workspace) / f"{model}.parquet"
    return _write(path, first, data.names, data.X, about)


def decisions_kept(workspace: Workspace) -> list[Kept]:
    """The archived rankings, oldest first.

    Raises:
        DataError: a file cannot be read.
    """
    return sorted(_listed(decisions_folder(workspace)), key=lambda kept: (kept.as_of, kept.file))


def training_kept(workspace: Workspace) -> list[Kept]:
    """The archived training sets, oldest first.

    Raises:
        DataError: a file cannot be read.
    """
    return sorted(_listed(training_folder(workspace)), key=lambda kept: (kept.as_of, kept.file))


def replay_decisions(workspace: Workspace, kept: Kept) -> Replay:
    """Judge archived vectors again with the model that judged them, without the lake.

    Args:
        workspace: whose models.
        kept: which file.

    Raises:
        UsageError: the model is not there.
        DataError: a file cannot be read.
    """
    table = _read(kept.file)
    about = json.loads(table.schema.metadata[_ABOUT])
    version = ModelStore(workspace.models).load(kept.model)
    clients = table["client_id"].to_pylist()
    names = tuple(table.column_names[3:])
    X = np.column_stack([table[name].to_numpy() for name in names])
    z = version.trained.log_odds(X, names)
    same = np.isclose(version.trained.score(z), table["score"].to_numpy(), CLOSE, 0) & np.isclose(
        sigmoid(z), table["probability"].to_numpy(), CLOSE, 0
    )
    typical = np.array([np.nan if x is None else float.fromhex(x) for x in about["typical"]])
    found = explain(version.trained.contributions(X, names), X, names, clients, typical=typical)
    differing = tuple(client for client, equal in zip(clients, same, strict=True) if not equal)
    return Replay(kept, len(clients), differing, {e.client: e for e in found})


def find(workspace: Workspace, name: str) -> Kept:
    """An archived ranking by the beginning of its file's name.

    Raises:
        UsageError: there is none, or more than one.
    """
    found = [kept for kept in decisions_kept(workspace) if kept.file.name.startswith(name)]
    if len(found) != 1:
        known = ", ".join(kept.file.stem for kept in decisions_kept(workspace)[-5:]) or "-"
        raise UsageError("archive.decisions-unknown", name=name, found=len(found), known=known)
    return found[0]


def _write(
    path: Path,
    first: dict[str, pa.Array],
    names: tuple[str, ...],
    X: Array,
    about: dict[str, object],
) -> Path:
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    fields = [(name, column.type) for name, column in first.items()]
    fields += [(name, pa.float64()) for name in names]
    schema = pa.schema(fields, metadata={_ABOUT: json.dumps(about)})
    with atomic_stream(path) as sink, pq.ParquetWriter(sink, schema, compression="zstd") as file:
        for low in range(0, max(len(X), 1), CHUNK):
            part = X[low : low + CHUNK]
            columns = [column.slice(low, CHUNK) for column in first.values()]
            columns += [pa.array(np.ascontiguousarray(part[:, k])) for k in range(len(names))]
            file.write_table(pa.table(columns, schema=schema))
    return path


def _listed(folder: Path) -> Iterator[Kept]:
    for path in sorted(folder.glob("[!.]*.parquet")):
        try:
            described = pq.read_metadata(path)
            about = json.loads(described.metadata[_ABOUT])
            as_of = datetime.fromisoformat(about["as_of"])
            yield Kept(path, int(about["manifest"]), about["model"], as_of, described.num_rows)
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as fault:
            raise DataError("archive.file-unreadable", file=path.name, why=str(fault)) from fault


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as fault:
        raise DataError("archive.file-unreadable", file=path.name, why=str(fault)) from fault
