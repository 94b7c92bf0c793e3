"""Queries of upkeep: which manifests the desk's rows and its evidence name."""

from __future__ import annotations

import json
from typing import Final

from sqlalchemy import select

from keepwell.frame.database import Base, Tx
from keepwell.intervene.event.model import EventMark
from keepwell.trust.evidence.model import EvidenceCheckpoint, EvidenceEntry
from keepwell.trust.evidence.policy import EvidenceKind

NAMING: Final = (
    EvidenceKind.PROOF_MADE, EvidenceKind.EXPERIMENT_LOOKED, EvidenceKind.OUTCOME_MATURED,
)  # fmt: skip
"""Kinds of evidence whose data name the manifest that was read."""

LAKE: Final = "lake:"
"""Marks of how far a table of the lake has been read begin so."""


def by_table(tx: Tx) -> dict[int, set[str]]:
    """Manifests that any table's column `manifest` names, with the tables' names."""
    found: dict[int, set[str]] = {}
    for table in Base.metadata.sorted_tables:
        if "manifest" not in table.c:
            continue
        column = table.c.manifest
        for number in tx.session.scalars(select(column).where(column.is_not(None)).distinct()):
            found.setdefault(int(number), set()).add(table.name)
    return found


def by_evidence(tx: Tx) -> dict[int, set[str]]:
    """Manifests that entries of the evidence log name, with the entries' kinds."""
    found: dict[int, set[str]] = {}
    named = [kind.value for kind in NAMING]
    statement = select(EvidenceEntry.kind, EvidenceEntry.body).where(EvidenceEntry.kind.in_(named))
    for kind, body in tx.session.execute(statement):
        number = json.loads(body)["data"].get("manifest")
        if number is not None:
            found.setdefault(int(number), set()).add(str(kind))
    return found


def read_until(tx: Tx) -> dict[str, int]:
    """Table of the lake -> version up to which the desk has read it."""
    marks = select(EventMark.name, EventMark.value).where(EventMark.name.startswith(LAKE))
    return {name.removeprefix(LAKE): int(value) for name, value in tx.session.execute(marks)}


def checkpoint(tx: Tx) -> str:
    """The newest signed checkpoint of the evidence log; '' when nothing was signed yet."""
    newest = select(EvidenceCheckpoint.note).order_by(EvidenceCheckpoint.size.desc()).limit(1)
    return str(tx.session.scalar(newest) or "")
