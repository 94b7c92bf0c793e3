"""Model folders: everything a score needs, frozen together, published whole or not at all.

<workspace>/.keepwell/models/<id>/ holds the model's own files, `version.json` (calibration, knots,
parameters, inputs, data versions, label, metrics) and `model_card.md` in both languages. The file
`latest` beside them names the version in force. A folder is never changed once it has its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from keepwell.core.errors import DataError, UsageError
from keepwell.core.files import atomic_write, sync_folder
from keepwell.warn.backtest import Trained
from keepwell.warn.calibrate import Calibration
from keepwell.warn.label import LabelDefinition
from keepwell.warn.models import load as load_model
from keepwell.warn.score import Capacity, ScoreMap

FILE: Final = "version.json"
CARD: Final = "model_card.md"
LATEST: Final = "latest"


@dataclass(frozen=True)
class ModelVersion:
    """A published model.

    Attributes:
        id: the folder's name.
        folder: where it lies.
        trained: model, calibration and score.
        definition: what it predicts.
        manifest: id of the lake manifest it was trained from.
        versions: table -> Delta version of that manifest.
        metrics: model -> metric -> {value, low, high} of its backtest; empty without one.
        facts: further facts for the card: test date, tiers, notes.
        key: digest of all that decides the result; equal keys mean an equal model.
        package: keepwell version that trained it.
        created: when.
    """

    id: str
    folder: Path
    trained: Trained
    definition: LabelDefinition
    manifest: int
    versions: dict[str, int]
    metrics: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    package: str = ""
    created: datetime = datetime(1970, 1, 1, tzinfo=UTC)


def training_key(
    definition: LabelDefinition,
    manifest: int,
    dates: tuple[datetime, ...] | list[datetime],
    name: str,
    params: Mapping[str, Any],
    capacity: Capacity,
    more: Any = None,
) -> str:
    """Digest of all that decides a trained model; 16 hex digits.

    Args:
        definition: the label.
        manifest: id of the lake manifest.
        dates: training dates.
        name: the model.
        params: its parameters.
        capacity: of the staff.
        more: anything else that decides, JSON-safe (such as the inputs).
    """
    from keepwell.core.version import __version__

    content = [
        definition.to_json(), manifest, [d.isoformat() for d in dates], name, dict(params),
        asdict(capacity), more, __version__,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def version_id(trained: Trained, key: str) -> str:
    """The name of a version's folder: the model, its newest training date, its key.

    Args:
        trained: the model.
        key: from `training_key`.
    """
    newest = max(trained.dates).astimezone(UTC)
    return f"{trained.model.name}-{newest:%Y%m%d}-{key}"


class ModelStore:
    """The model folders of a workspace.

    Args:
        root: `Workspace.models`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(
        self,
        trained: Trained,
        definition: LabelDefinition,
        *,
        manifest: int,
        versions: Mapping[str, int],
        key: str,
        metrics: Mapping[str, Mapping[str, Any]] | None = None,
        facts: Mapping[str, Any] | None = None,
        make_latest: bool = True,
    ) -> ModelVersion:
        """Write a version and, if wanted, put it in force.

        Args:
            trained: model, calibration, score.
            definition: what it predicts.
            manifest: id of the lake manifest.
            versions: table versions of that manifest.
            key: from `training_key`. A version with the same key is not written again.
            metrics: model -> metric -> `Estimate`.
            facts: further facts for the card, JSON-safe.
            make_latest: whether `latest()` gives it from now on.
        """
        from keepwell.core.version import __version__
        from keepwell.warn.card import model_card

        id = version_id(trained, key)
        version = ModelVersion(
            id, self.root / id, trained, definition, manifest, dict(versions),
            {m: {k: _estimate(e) for k, e in of.items()} for m, of in (metrics or {}).items()},
            dict(facts or {}), key, __version__, datetime.now(UTC),
        )  # fmt: skip
        if not (version.folder / FILE).is_file():
            staged = self.root / f".{id}.{os.getpid()}.tmp"
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir(parents=True)
            trained.model.save(staged)
            atomic_write(staged / CARD, model_card(version))
            atomic_write(staged / FILE, json.dumps(_content(version), indent=1, sort_keys=True))
            _sync(staged)
            try:
                staged.rename(version.folder)
            except OSError:
                # Another process published the same version meanwhile: it is equal to ours.
                shutil.rmtree(staged)
            sync_folder(self.root)
        if make_latest:
            atomic_write(self.root / LATEST, id + "\n")
        return self.load(id)

    def load(self, id: str) -> ModelVersion:
        """Read a version.

        Raises:
            UsageError: there is none of that id.
            DataError: it cannot be read.
        """
        folder = self.root / id
        if not id or Path(id).name != id or not (folder / FILE).is_file():
            raise UsageError("model.version-unknown", id=id, known=", ".join(self.ids()) or "-")
        try:
            raw = json.loads((folder / FILE).read_text())
            return _version(folder, raw)
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise DataError("model.file-unreadable", file=folder / FILE) from fault

    def find(self, key: str) -> ModelVersion | None:
        """The version with a training key, or None."""
        found = [id for id in self.ids() if id.endswith(f"-{key}")]
        return self.load(found[0]) if found else None

    def latest(self) -> ModelVersion | None:
        """The version in force; None when nothing was published yet."""
        try:
            id = (self.root / LATEST).read_text().strip()
        except FileNotFoundError:
            return None
        return self.load(id)

    def manifests(self) -> dict[str, int]:
        """The lake manifest that each version was trained from, by the version's id.

        Raises:
            DataError: a version cannot be read.
        """
        found = {}
        for id in self.ids():
            file = self.root / id / FILE
            try:
                found[id] = int(json.loads(file.read_text())["manifest"])
            except (OSError, ValueError, KeyError, TypeError) as fault:
                raise DataError("model.file-unreadable", file=file) from fault
        return found

    def ids(self) -> list[str]:
        """All versions, sorted by name."""
        return sorted(
            path.name
            for path in self.root.glob("*")
            if not path.name.startswith(".") and (path / FILE).is_file()
        )


def _estimate(estimate: Any) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _sync(folder: Path) -> None:
    """Make the model's own files durable before the folder gets its name."""
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sync_folder(folder)


def _content(version: ModelVersion) -> dict[str, Any]:
    trained = version.trained
    return {
        "id": version.id,
        "key": version.key,
        "package": version.package,
        "created": version.created.isoformat(),
        "model": trained.model.name,
        "params": trained.model.params,
        "inputs": list(trained.names),
        "calibration": asdict(trained.calibration),
        "score": {"knots": list(trained.score_map.knots), "anchor": trained.score_map.anchor},
        "base_rate": trained.base_rate,
        "dates": [d.astimezone(UTC).isoformat() for d in trained.dates],
        "rows": trained.rows,
        "left": trained.left,
        "capacity": asdict(trained.capacity),
        "label": version.definition.to_json(),
        "manifest": version.manifest,
        "versions": version.versions,
        "metrics": version.metrics,
        "facts": version.facts,
    }


def _version(folder: Path, raw: dict[str, Any]) -> ModelVersion:
    k = [float(x) for x in raw["score"]["knots"]]
    trained = Trained(
        model=load_model(folder),
        calibration=Calibration(**raw["calibration"]),
        score_map=ScoreMap((k[0], k[1], k[2], k[3], k[4], k[5]), raw["score"]["anchor"]),
        base_rate=float(raw["base_rate"]),
        dates=tuple(datetime.fromisoformat(d) for d in raw["dates"]),
        rows=int(raw["rows"]),
        left=int(raw["left"]),
        capacity=Capacity(**raw["capacity"]),
    )
    return ModelVersion(
        raw["id"], folder, trained, LabelDefinition(**raw["label"]), raw["manifest"],
        raw["versions"], raw["metrics"], raw["facts"], raw["key"], raw["package"],
        datetime.fromisoformat(raw["created"]),
    )  # fmt: skip
