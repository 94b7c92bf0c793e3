"""What the killed process runs: an ingest in many small commits."""

from __future__ import annotations

from pathlib import Path


def run(root: Path) -> None:
    from keepwell.observe import quarantine, staging
    from keepwell.observe.ingest import ingest
    from keepwell.observe.workspace import Workspace

    staging.PART_ROWS = 250
    quarantine._COMMIT_ROWS = 20
    ingest(Workspace.open(root))
