"""What pins the lake: models, archives, panels, the tiles, and the desk's rows and evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable

from keepwell.frame.context import Frame
from keepwell.intervene.upkeep import repo
from keepwell.learn.archive import decisions_kept
from keepwell.learn.panel.folder import ABOUT, in_force, panels_root
from keepwell.observe.tile_store import StoreManifest
from keepwell.observe.vacuum import Pins
from keepwell.observe.workspace import Workspace
from keepwell.warn.registry import ModelStore


def pins_of(workspace: Workspace, frame: Frame | None) -> Pins:
    """All that must stay readable in a workspace's lake.

    Args:
        workspace: the workspace.
        frame: its desk; None when it has none.

    Raises:
        DataError: a model's folder cannot be read.
    """
    manifests: dict[int, set[str]] = {}
    reads: list[dict[str, int]] = []
    for model, number in ModelStore(workspace.models).manifests().items():
        manifests.setdefault(number, set()).add(f"model {model}")
    for kept in decisions_kept(workspace):
        manifests.setdefault(kept.manifest, set()).add(f"decisions {kept.file.stem}")
    panels = panels_root(workspace.state)
    current = in_force(panels)
    if current is not None:
        about = json.loads((panels / current / ABOUT).read_text(encoding="utf-8"))
        manifests.setdefault(int(about["manifest"]), set()).add("panels")
    stored = StoreManifest.load(workspace.tiles)
    if stored is not None:
        reads.append(stored.versions)
        reads += [dataset.versions for dataset in stored.datasets.values()]
    if frame is not None:
        with frame.read() as tx:
            reads.append(repo.read_until(tx))
            for found in (repo.by_table(tx), repo.by_evidence(tx)):
                for number, who in found.items():
                    manifests.setdefault(number, set()).update(who)
    return Pins({number: sorted(who) for number, who in manifests.items()}, _oldest(reads))


def _oldest(reads: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for versions in reads:
        for table, version in versions.items():
            found[table] = min(version, found.get(table, version))
    return found
