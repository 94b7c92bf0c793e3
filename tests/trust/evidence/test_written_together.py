"""Entries are written together, at the latest with the commit, and know of savepoints."""

from __future__ import annotations

from sqlalchemy import func, select

from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence import repo
from keepwell.trust.evidence.model import EvidenceEntry
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record


def subjects(desk):
    with desk.frame.read() as tx:
        found = select(EvidenceEntry.subject).where(EvidenceEntry.subject.like("t-%"))
        return sorted(tx.session.scalars(found))


def note(tx, subject):
    record(tx, SYSTEM, EvidenceKind.CASE_NOTED, client_id="c1", subject=subject)


def test_a_savepoint_rolled_back_takes_its_own_entries_alone(desk):
    with desk.tx() as tx:
        note(tx, "t-before")
        lost = tx.session.begin_nested()
        note(tx, "t-lost")
        repo.waiting(tx)  # written within the savepoint, what came before it too
        lost.rollback()
        with tx.session.begin_nested():
            note(tx, "t-kept")
        note(tx, "t-after")
        assert repo.waiting(tx) == 3
    assert subjects(desk) == ["t-after", "t-before", "t-kept"]


def test_who_reads_sees_what_was_recorded(sqlite_desk):
    with sqlite_desk.tx() as tx:
        note(tx, "t-one")
        assert tx.session.scalar(select(func.count()).select_from(EvidenceEntry)) >= 0
        assert repo.waiting(tx) == 1
