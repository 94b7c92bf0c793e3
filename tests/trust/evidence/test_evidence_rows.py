"""What an insider changes in the desk's own tables, and how the audit finds it."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from keepwell.core.ids import new_id
from keepwell.frame.guard import UNGUARDS
from keepwell.intervene.alert.model import Treatment
from keepwell.intervene.alert.policy import Cause, Decision
from keepwell.intervene.alert.service import raise_alert
from keepwell.intervene.case import service as cases
from keepwell.intervene.contact.policy import Aim, Channel, Delivery, Direction, Result
from keepwell.intervene.contact.service import log_touch, note_delivery
from keepwell.intervene.exit import service as exits
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.read import unmask
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.evidence.attest import TABLES, attest
from keepwell.trust.evidence.audit import audit
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.sequence import sequence_all
from keepwell.trust.evidence.service import forget, record


@pytest.fixture
def worked(desk):
    """A desk in which something of everything was done."""
    return work(desk)


def work(desk):
    desk.usual()
    m1 = desk.actors["m1"]
    with desk.tx() as tx:
        raise_alert(
            tx, SYSTEM, client_id="c1", reason="complaint-overdue", tier="severe", score=0.71,
            facts={"days": 3.5},
        )  # fmt: skip
        raise_alert(tx, SYSTEM, client_id="c3", reason="complaint-overdue", tier="mild", facts={})
    desk.later(minutes=5)
    with desk.tx() as tx:
        (case,) = cases.repo.live_of(tx, "c1")
        for _ in range(2):
            said = log_touch(
                tx, m1, case.case_id, channel=Channel.PHONE, direction=Direction.OUT,
                aim=Aim.SERVICE, result=Result.REACHED, note="hello",
            )  # fmt: skip
        note_delivery(tx, m1, said.contact_id, Delivery.FAILED)
        record_consent(tx, m1, "c2", Purpose.MARKETING, True)
        record_consent(tx, m1, "c2", Purpose.MARKETING, False)
        unmask(tx, m1, "c1", ["phone"], "a call")
        exits.request_exit(tx, m1, client_id="c2", request_id="x/1#2")
    desk.later(minutes=5)
    with desk.tx() as tx:
        exits.settle(tx, m1, "x/1#2", None)
    desk.later(days=10)
    with desk.tx() as tx:
        sequence_all(tx)
    return desk


def codes(tx) -> dict[str, int]:
    return dict(Counter(finding.code for finding in audit(tx).findings))


def findings(desk) -> dict[str, int]:
    with desk.frame.read() as tx:
        return codes(tx)


@contextmanager
def unguarded(desk):
    """A transaction of somebody who may do everything in the database; undone at its end."""
    with suppress(Undone), desk.tx() as tx:
        dialect = tx.session.get_bind().dialect.name
        for name, _, statement in UNGUARDS:
            if name == dialect:
                tx.session.execute(text(statement))
        yield tx
        raise Undone


class Undone(Exception):
    """Ends a transaction."""


def test_all_that_was_done_is_vouched_for(worked):
    assert findings(worked) == {}
    with worked.frame.read() as tx:
        report = audit(tx)
        for table in TABLES:
            assert tx.session.scalar(text(f"select count(*) from {table}")), table
        assert report.rows == sum(
            tx.session.scalar(text(f"select count(*) from {table}")) for table in TABLES
        )
    with worked.tx() as tx:  # entries that wait for their place vouch too
        record_consent(tx, SYSTEM, "c3", Purpose.MARKETING, False)
    assert findings(worked) == {}


ATTACKS = [
    ("delete from evidence_opening where field = 'decision'", "opening.missing"),
    ("delete from evidence_salt where client_id = 'c1'", "client.lost"),
    ("update treatment set decision = 'held-out'", "row.changed"),
    ("update treatment set propensity = 0.5 where client_id = 'c1'", "row.changed"),
    ("update treatment set at = '2026-01-01 00:00:00.000000'", "row.changed"),
    ("delete from treatment where client_id = 'c3'", "row.missing"),
    ("delete from clock_event where kind = 'breached'", "row.missing"),
    ("update case_event set at = '2026-01-01 00:00:00.000000'", "row.changed"),
    ("update case_event set reason = 'x' where kind = 'contacted'", "row.changed"),
    ("update case_event set case_id = case_id, number = number + 100", "row.changed"),
    ("update clock_event set at = '2026-01-01 00:00:00.000000'", "row.changed"),
    ("update consent set granted = true where not granted", "row.changed"),
    ("delete from consent where not newest", "row.missing"),
    ("update exit_request set requested_at = '2026-01-01 00:00:00.000000'", "row.changed"),
    ("update exit_request set due_at = null", "row.changed"),
    ("update exit_request set state = 'completed', version = 99", "row.changed"),
    ("delete from unmasking", "row.missing"),
    (
        """insert into unmasking (unmasking_id, client_id, user_id, fields, reason, at)
        select 'unmask_0', client_id, user_id, fields, reason, at from unmasking""",
        "row.extra",
    ),
]


def test_an_insider_is_found(worked):
    with unguarded(worked) as tx:
        for change, code in ATTACKS:
            with tx.session.begin_nested() as point:
                assert tx.session.execute(text(change)).rowcount > 0, change
                assert code in codes(tx), (change, codes(tx))
                point.rollback()
        assert codes(tx) == {}


def test_a_forgotten_client_is_no_finding_but_their_rows_may_not_vanish(worked):
    with worked.tx() as tx:
        forget(tx, SYSTEM, "c1")
        sequence_all(tx)
    assert findings(worked) == {}
    with unguarded(worked) as tx:
        tx.session.execute(text("delete from treatment where client_id = 'c1'"))
        assert set(codes(tx)) == {"row.missing"}


CARELESS = [
    ("update case_event set at = '2026-01-01 00:00:00.000000'", True),
    ("update case_event set new = '{}'", True),
    ("delete from case_event", True),
    ("update clock_event set number = number + 1", True),
    ("delete from clock_event", True),
    ("update treatment set decision = 'held-out'", True),
    ("update treatment set score = null, tier = 'none'", False),
    ("delete from treatment", True),
    ("update alert_signal set at = '2026-01-01 00:00:00.000000'", True),
    ("update alert_signal set score = null, tier = 'none', facts = '{}'", False),
    ("update unmasking set reason = ''", True),
    ("delete from unmasking", True),
    ("update consent set granted = true", True),
    ("update consent set newest = newest", False),
    ("delete from consent", True),
]


def test_careless_hands_are_stopped_and_scores_can_go(worked):
    for change, refused in CARELESS:
        with worked.tx() as tx:
            if refused:
                with pytest.raises(DBAPIError, match="only grows"), tx.session.begin_nested():
                    tx.session.execute(text(change))
            else:
                tx.session.execute(text(change))
    assert findings(worked) == {}


def test_a_tier_can_be_taken_out_of_a_case_history(worked):
    with worked.tx() as tx:
        if tx.is_sqlite:
            change = "update case_event set new = json_set(new, '$.tier', 'none')"
        else:
            change = 'update case_event set new = new || \'{"tier": "none"}\''
        tx.session.execute(text(change))
    assert findings(worked) == {}


def test_a_row_for_which_no_entry_is_written_is_not_committed(sqlite_desk):
    def careless():
        with sqlite_desk.tx() as tx:
            row = treatment(tx, 0)
            tx.session.add(row)
            tx.session.flush()
            attest(tx, "c1", row)

    with pytest.raises(RuntimeError, match="no evidence"):
        careless()


def treatment(tx, number: int) -> Treatment:
    return Treatment(
        treatment_id=new_id("treatment", tx.at), at=tx.at, client_id=f"c{number % 50}",
        reason="risk", tier="none", decision=Decision.SHOWN, cause=Cause.DRAW, arm="contact",
        propensity=0.9, period="2026Q1", policy="p",
    )  # fmt: skip


def test_many_entries_about_a_client_ask_for_the_salt_once(sqlite_desk):
    asked = []
    with sqlite_desk.tx() as tx:
        record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1")

    def count(_connection, _cursor, statement, *_):
        if "FROM evidence_salt" in statement:
            asked.append(statement)

    engine = sqlite_desk.frame.database.engine
    event.listen(engine, "before_cursor_execute", count)
    with sqlite_desk.tx() as tx:
        for _ in range(5):
            record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1")
        assert len(asked) == 1
        forget(tx, SYSTEM, "c1")
        record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1")
    with sqlite_desk.tx() as tx:
        sequence_all(tx)
    assert findings(sqlite_desk) == {}


def test_a_salt_that_a_savepoint_took_back_is_made_again(sqlite_desk):
    with sqlite_desk.tx() as tx:
        with tx.session.begin_nested() as point:
            record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1")
            point.rollback()
        record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c1", personal={"note": "x"})
        sequence_all(tx)
    assert findings(sqlite_desk) == {}
