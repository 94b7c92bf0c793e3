"""Consent: the newest word counts; refusing profiling forgets the score (rule PI-4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.event import listen

from keepwell.frame.problem import NotFound, Unprocessable
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import Client
from keepwell.trust.consent import repo, service
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.evidence.model import EvidenceEntry

URL = "/api/v1/clients/c1/consents"


def test_silence_is_neither_consent_nor_refusal(desk):
    desk.usual()
    with desk.tx() as tx:
        assert not service.refused(tx, "c1", Purpose.MARKETING)
        assert not service.given(tx, "c1", Purpose.MARKETING)


def test_the_newest_word_counts_whatever_order_it_came_in(desk):
    desk.usual()
    now = desk.now.at
    with desk.tx() as tx:
        for granted, hours in ((False, 1), (True, 3), (False, 2)):
            service.record_consent(
                tx, SYSTEM, "c1", Purpose.MARKETING, granted, now - timedelta(hours=hours), "call"
            )
        assert service.refused(tx, "c1", Purpose.MARKETING)
        service.record_consent(tx, SYSTEM, "c1", Purpose.MARKETING, True, now, "app")
        assert service.given(tx, "c1", Purpose.MARKETING)
        assert not service.refused(tx, "c1", Purpose.PROFILING)
        words = service.history(tx, desk.actors["m1"], "c1")
    assert [w.granted for w in words] == [True, False, False, True]
    assert [w.newest for w in words] == [True, False, False, False]


def test_a_word_told_twice_is_one_word(sqlite_desk):
    sqlite_desk.usual()
    with sqlite_desk.tx() as tx:
        for _ in range(3):
            service.record_consent(tx, SYSTEM, "c1", Purpose.SERVICE, False, tx.at, "events")
        assert len(service.history(tx, SYSTEM, "c1")) == 1


@pytest.mark.parametrize("desk", ["postgresql"], indirect=True)
def test_a_word_said_after_the_look_is_seen_by_who_writes(desk):
    # SQLite has one writer at a time.
    desk.usual()
    now = desk.now.at
    with desk.tx() as tx:
        service.look_up(tx, "c1")
        with desk.tx() as other:
            service.record_consent(other, SYSTEM, "c1", Purpose.MARKETING, False, now, "app")
        service.record_consent(tx, SYSTEM, "c1", Purpose.MARKETING, False, now, "app")
        assert len(service.history(tx, SYSTEM, "c1")) == 1


def test_refusals_as_a_set(desk):
    desk.usual()
    with desk.tx() as tx:
        for client, granted in (("c1", False), ("c2", True), ("c3", False), ("c3", True)):
            desk.now.move(seconds=1)
            service.record_consent(
                tx, SYSTEM, client, Purpose.PROFILING, granted, desk.now.at, "app"
            )
        found = tx.session.scalars(service.refusing(tx, Purpose.PROFILING)).all()
    assert found == ["c1"]


def test_pi_4_refusing_profiling_forgets_the_score_at_once(desk):
    desk.usual()
    answer = desk.http("m1").post(URL, json={"purpose": "profiling", "granted": False})
    assert answer.status_code == 201
    with desk.frame.read() as tx:
        client = tx.session.scalar(select(Client).where(Client.client_id == "c1"))
        other = tx.session.scalar(select(Client).where(Client.client_id == "c2"))
        kinds = set(tx.session.scalars(select(EvidenceEntry.kind)))
    assert (client.score, client.tier, client.reasons) == (None, "none", [])
    assert other.score == 80.0
    assert "consent.refused" in kinds
    again = desk.http("m1").post(URL, json={"purpose": "profiling", "granted": True})
    assert again.json()["newest"]
    with desk.frame.read() as tx:
        assert service.given(tx, "c1", Purpose.PROFILING)


def test_refusing_marketing_keeps_the_score(desk):
    desk.usual()
    desk.http("m1").post(URL, json={"purpose": "marketing", "granted": False, "source": "call"})
    with desk.frame.read() as tx:
        assert tx.session.scalar(select(Client.score).where(Client.client_id == "c1")) == 80.0


def test_only_who_sees_the_client(desk):
    desk.usual()
    body = {"purpose": "marketing", "granted": True}
    assert desk.http("m4").post(URL, json=body).status_code == 404
    assert desk.http("m4").get(URL).status_code == 404
    assert desk.http("analyst").post(URL, json=body).status_code == 403
    assert desk.http("admin").get(URL).status_code == 403
    assert desk.http("integration").post(URL, json=body).status_code == 201
    (word,) = desk.http("m1").get(URL).json()
    assert (word["recorded_by"], word["purpose"]) == ("user_integration", "marketing")
    with pytest.raises(NotFound), desk.tx() as tx:
        service.record_consent(tx, desk.actors["m4"], "c1", Purpose.SERVICE, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": "fun"}, {"granted": "perhaps"}, {"at": "2026-03-04T10:00:00"},
        {"at": "2036-03-04T10:00:00Z"}, {"source": "a\x00b"}, {"source": ""}, {"more": 1},
    ],
)  # fmt: skip
def test_words_that_make_no_sense_are_refused(desk, wrong):
    desk.usual()
    body = {"purpose": "marketing", "granted": True} | wrong
    assert desk.http("m1").post(URL, json=body).status_code == 422


def test_a_word_from_the_future_is_refused(sqlite_desk):
    sqlite_desk.usual()
    later = sqlite_desk.now.at + timedelta(hours=1)
    with pytest.raises(Unprocessable), sqlite_desk.tx() as tx:
        service.record_consent(tx, SYSTEM, "c1", Purpose.SERVICE, False, later)


def test_the_word_that_counts_is_found_by_its_own_index(sqlite_desk):
    said = []
    engine = sqlite_desk.frame.database.write_engine
    listen(engine, "before_cursor_execute", lambda c, cursor, sql, *rest: said.append(sql))
    with sqlite_desk.tx() as tx:
        repo.newest(tx, "c1", Purpose.MARKETING)
    (asked,) = (sql for sql in said if "FROM consent" in sql)
    with sqlite_desk.tx() as tx:
        plan = tx.session.connection().exec_driver_sql(
            f"explain query plan {asked}", ("c1", "marketing")
        )
        assert "uq_consent_newest" in str(plan.all())
