"""Outcomes by the label: whose, when, once, again after corrections, and what refusal removes."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from keepwell.intervene.alert.model import Treatment
from keepwell.learn.outcome import service
from keepwell.learn.outcome.policy import SEALED, batch_digest, seal_of
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.evidence.model import EvidenceEntry, EvidenceSalt
from keepwell.warn.label import Why
from tests.intervene.outcome.given import Lake, begin, half_a_year, stored, warn

DAY = date(2026, 3, 4)


def refuse(desk, client):
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, client, Purpose.PROFILING, False, tx.at, "desk")


def test_who_was_shown_or_withheld_has_an_outcome_when_the_horizon_is_over(desk, monkeypatch):
    begin(desk, held=["c2"])
    lake = Lake(desk, monkeypatch)
    case = warn(desk, "c1")
    assert warn(desk, "c2") is None
    lake.says("c1", 0.0)
    lake.says("c2", 1.0, Why.CLOSED, date(2026, 6, 1))
    desk.now.move(days=183)
    assert lake.mature().outcomes == 0  # 4 March and half a year: 4 September
    assert lake.asked == []
    half_a_year(desk)
    done = lake.mature()
    assert (done.days, done.outcomes, done.changed) == (1, 2, 0)
    one, two = stored(desk)
    assert (one.client_id, one.day, one.y, one.why, one.left_day) == ("c1", DAY, 0, "stayed", None)
    assert (one.decision, one.arm, one.propensity, one.case_id) == ("shown", "contact", 0.9, case)
    assert (two.decision, two.arm, two.propensity, two.y) == ("held-out", "hold-out", 0.1, 1)
    assert (two.left_day, two.case_id, two.revision) == (date(2026, 6, 1), None, 1)
    assert (one.label, one.horizon, one.generation_id) == ("exit", "6mo", 1)
    assert one.matured_at.astimezone(desk.frame.zone).date() == date(2026, 9, 4)
    # The label is asked as of the day's beginning; again, nothing is asked and nothing written.
    (asked,) = lake.asked
    assert asked.astimezone(desk.frame.zone).isoformat() == "2026-03-04T00:00:00+08:00"
    assert lake.mature() == service.Matured()
    assert len(stored(desk)) == 2
    # Each row is sealed with its client's salt, and one entry holds the digest of the batch.
    with desk.frame.read() as tx:
        salts = {s.client_id: s.salt for s in tx.session.scalars(select(EvidenceSalt))}
        entry = tx.session.scalars(
            select(EvidenceEntry.body).where(EvidenceEntry.subject == one.batch_id)
        ).one()
    seals = [seal_of(salts[r.client_id], {n: getattr(r, n) for n in SEALED}) for r in (one, two)]
    assert [one.seal, two.seal] == seals
    assert batch_digest(seals) in entry
    assert '"c1"' not in entry


def test_a_correction_of_data_adds_a_revision_and_the_row_itself_stays(desk, monkeypatch):
    begin(desk)
    lake = Lake(desk, monkeypatch)
    warn(desk, "c1")
    lake.says("c1", 0.0)
    half_a_year(desk)
    lake.mature()
    lake.says("c1", 1.0, Why.TRANSFERRED)
    done = lake.mature()
    assert (done.days, done.outcomes, done.again, done.changed) == (0, 0, 1, 1)
    first, second = stored(desk)
    assert (first.y, first.revision, second.y, second.revision) == (0, 1, 1, 2)
    assert (first.day, second.why) == (second.day, "transferred")
    lake.says("c1", 1.0, Why.TRANSFERRED)  # another manifest, the same answer
    assert lake.mature().changed == 0
    with pytest.raises(DBAPIError, match="only grows"), desk.tx() as tx:
        tx.session.execute(text("update outcome set decision = 'held-out'"))
    with pytest.raises(DBAPIError, match="only grows"), desk.tx() as tx:
        tx.session.execute(text("delete from outcome"))


def test_who_refuses_profiling_has_no_outcome_and_what_was_known_is_emptied(desk, monkeypatch):
    begin(desk)
    lake = Lake(desk, monkeypatch)
    for client in ("c1", "c2"):
        warn(desk, client)
        lake.says(client, 1.0, Why.CLOSED, date(2026, 6, 1))
    refuse(desk, "c2")
    half_a_year(desk)
    lake.mature()
    (row,) = stored(desk)
    assert (row.client_id, row.y) == ("c1", 1)
    refuse(desk, "c1")
    (row,) = stored(desk)
    assert (row.y, row.why, row.left_day) == (None, None, None)
    lake.says("c1", 0.0)
    assert lake.mature().changed == 0  # and nothing comes back


def test_the_decision_of_the_draw_counts_and_unknown_is_said_to_be_unknown(
    sqlite_desk, monkeypatch
):
    desk = sqlite_desk
    begin(desk, held=["c1"])
    lake = Lake(desk, monkeypatch)
    warn(desk, "c1")
    with desk.tx() as tx:  # later on the same day, as a person's own doing and as a ceiling's
        for hours, decision, cause in ((1, "by-hand", "person"), (2, "held-back", "ceiling")):
            tx.session.add(
                Treatment(
                    treatment_id=f"t{hours}",
                    at=tx.at + timedelta(hours=hours),
                    client_id="c1",
                    reason="risk",
                    tier="moderate",
                    decision=decision,
                    cause=cause,
                    arm="hold-out",
                    propensity=0.0,
                    period="2026",
                    policy="x",
                )
            )
    half_a_year(desk)
    lake.mature()
    (row,) = stored(desk)
    assert (row.decision, row.propensity) == ("held-out", 0.1)
    # The lake knew nobody of that name on that day.
    assert (row.y, row.why) == (None, "unknown-start")


def test_a_publication_reads_some_days_and_leaves_the_rest_for_the_next(sqlite_desk, monkeypatch):
    desk = sqlite_desk
    begin(desk)
    lake = Lake(desk, monkeypatch)
    monkeypatch.setattr(service, "MOST_DAYS", 2)
    monkeypatch.setattr(service, "CHUNK", 1)
    for client in ("c1", "c4", "c5"):
        warn(desk, client)
        lake.says(client, 0.0)
        desk.now.move(days=2)
    half_a_year(desk)
    first = lake.mature()
    # Days without any decision cost nothing; they are passed over, the third waits.
    assert (first.days, first.outcomes, len(lake.asked)) == (2, 2, 2)
    assert first.waiting > 0
    second = lake.mature()
    assert (second.days, second.outcomes, second.waiting) == (1, 1, 0)
    assert len({row.batch_id for row in stored(desk)}) == 3


def test_nothing_that_the_lake_learns_later_than_now_is_used(sqlite_desk, monkeypatch):
    desk = sqlite_desk
    begin(desk)
    lake = Lake(desk, monkeypatch)
    warn(desk, "c1")
    lake.says("c1", 1.0)
    monkeypatch.setattr(service, "all_known", lambda engine: desk.now() + timedelta(days=3650))
    assert lake.mature().outcomes == 0
    # And data that end before the horizon does make nothing mature, however late it is.
    begun = desk.now()
    half_a_year(desk)
    monkeypatch.setattr(service, "all_known", lambda engine: begun + timedelta(days=100))
    assert lake.mature().outcomes == 0


def test_a_row_that_was_emptied_by_hand_does_not_stay_empty(sqlite_desk, monkeypatch):
    desk = sqlite_desk
    begin(desk)
    lake = Lake(desk, monkeypatch)
    warn(desk, "c1")
    lake.says("c1", 1.0)
    half_a_year(desk)
    lake.mature()
    with desk.tx() as tx:
        tx.session.execute(update(service.Outcome).values(y=None, why=None))
    lake.says("c1", 1.0)
    assert lake.mature().changed == 1
