"""Desks with some evidence in them."""

from __future__ import annotations

import pytest

from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.sequence import sequence_all
from keepwell.trust.evidence.service import record


@pytest.fixture
def fill():
    """A function that records entries about a few clients and sequences them."""

    def fill_desk(desk, count: int, sign: bool = True, start: int = 0) -> list[str]:
        made = []
        with desk.tx() as tx:
            for i in range(start, start + count):
                note = {"note": f"call {i} 张伟"} if i % 2 else None
                entry_id = record(
                    tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id=f"c{i % 3 + 1}",
                    subject=f"case_{i}", data={"tier": "severe", "score": i + 0.5}, personal=note,
                )  # fmt: skip
                made.append(entry_id)
            if sign:
                sequence_all(tx)
        return made

    return fill_desk
