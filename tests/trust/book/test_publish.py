"""Publication: all of a generation or nothing, in short transactions, without what was refused."""

from __future__ import annotations

import json
import threading
import time
from datetime import date

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from keepwell.core.errors import UsageError
from keepwell.frame import events
from keepwell.frame.problem import NotFound
from keepwell.trust.access.model import Branch, Staff
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book import generation_repo, service
from keepwell.trust.book.model import Client, Generation, Pointer
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from tests.desk import START

REASON = {"code": "trading.less", "cause": "behaviour", "points": 0.5, "facts": {}, "change": None}


def clients(count, **more):
    return [
        {
            "client_id": f"k{n:05d}", "name": "王芳", "manager_id": f"M{n % 3}", "adviser_id": "A1",
            "branch_id": "B1", "opened_on": date(2020, 1, 1 + n % 9), "birth_year": 1980 + n % 20,
            "assets": 10**12 + n, "note": "scored", "score": float(n % 101), "probability": 0.25,
            "coverage": 0.5, "tier": "mild", "reasons": [REASON], "last_activity": None,
        }
        | more
        for n in range(count)
    ]  # fmt: skip


def publish(desk, rows, **more):
    return service.publish(desk.frame, [rows], as_of=START, model_version="m1", manifest=7, **more)


def seen(desk, client_id, name="analyst"):
    with desk.frame.read() as tx:
        return service.get_client(tx, desk.actors[name], client_id)


def states(desk):
    with desk.frame.read() as tx:
        rows = tx.session.scalars(select(Generation).order_by(Generation.generation_id))
        return [g.state for g in rows]


def test_a_publication_is_proved_by_one_entry(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    number = publish(desk, clients(12))
    found = desk.http("auditor").get(
        "/api/v1/evidence/entries", params={"kind": "generation.published"}
    ).json()["items"]  # fmt: skip
    assert [(e["entry"]["subject"], e["entry"]["via"], e["entry"]["data"]) for e in found] == [
        (
            str(number), "system",
            {"as_of": START.isoformat(), "clients": 12, "scored": 12, "model_version": "m1"},
        )
    ]  # fmt: skip


def test_what_is_published_is_read(desk):
    desk.staff_up()
    number = publish(desk, clients(1200))
    one = seen(desk, "k00007")
    assert (one.generation_id, one.name, one.assets, one.score) == (number, "王芳", 10**12 + 7, 7.0)
    assert (one.opened_on, one.last_activity, one.rank_score) == (date(2020, 1, 8), None, 7.0)
    assert one.reasons == [REASON]
    with desk.frame.read() as tx:
        made = tx.session.get(Generation, number)
        assert (made.state, made.clients, made.scored) == ("current", 1200, 1200)
        assert (made.as_of, made.published_at, made.manifest) == (START, START, 7)
        staff = {s.staff_id: (s.role, s.branch_id) for s in tx.session.scalars(select(Staff))}
        assert staff["M0"] == ("manager", "B1")
        assert staff["A1"] == ("adviser", "B1")
        assert tx.session.get(Branch, "B1").name == "B1"
    with pytest.raises(NotFound):
        seen(desk, "nobody")
    with pytest.raises(NotFound):
        seen(desk, "k00007", "m1")


def test_arrow_batches_with_gaps_and_overlong_texts(desk):
    desk.staff_up()
    batch = pa.RecordBatch.from_pydict(
        {
            "client_id": ["a", "b"], "score": [None, 60.0], "note": ["new", "scored"],
            "name": ["x" * 300, "a\x00b"], "assets": [None, 5], "birth_year": [None, 1990],
            "reasons": ["[]", json.dumps([REASON])], "tier": ["none", "mild"],
        },
        schema=pa.schema([f for f in service.SCHEMA if f.name in (
            "client_id", "score", "note", "name", "assets", "birth_year", "reasons", "tier")]),
    )  # fmt: skip
    service.publish(desk.frame, [batch], as_of=START, model_version="m", manifest=1)
    a, b = seen(desk, "a"), seen(desk, "b")
    assert (a.score, a.rank_score, a.assets, a.note, len(a.name)) == (None, -1.0, None, "new", 200)
    assert (b.score, b.name, b.birth_year, b.reasons) == (60.0, "ab", 1990, [REASON])
    assert b.manager_id is None


def test_the_old_stays_in_force_until_the_new_is_whole(desk):
    desk.staff_up()
    first = publish(desk, clients(30))
    looked = []

    def rows():
        yield clients(20, score=99.0)
        looked.append(seen(desk, "k00001").score)
        raise RuntimeError("died")

    with pytest.raises(RuntimeError):
        service.publish(desk.frame, rows(), as_of=START, model_version="m", manifest=8)
    assert looked == [1.0]
    assert states(desk) == ["current", "building"]
    assert seen(desk, "k00001").generation_id == first
    service.sweep(desk.frame)  # somebody may be building it: only a publication knows better
    assert states(desk) == ["current", "building"]
    publish(desk, clients(10, score=50.0))
    assert states(desk) == ["retired", "current"]
    assert seen(desk, "k00001").score == 50.0
    with pytest.raises(NotFound):
        seen(desk, "k00020")


def test_the_last_two_are_kept(desk):
    desk.staff_up()
    for n in range(4):
        publish(desk, clients(700, score=float(n)))
    desk.later(minutes=2)
    with desk.frame.read() as tx:
        left = tx.session.execute(
            select(Client.generation_id, func.count()).group_by(Client.generation_id)
        ).all()
        assert [n for _, n in left] == [700, 700]
        pointed = tx.session.get(Pointer, 1).generation_id
        assert pointed == max(g for g, _ in left)
    assert states(desk) == ["retired", "current"]


def test_before_anything_is_shown_the_hook_runs(sqlite_desk):
    sqlite_desk.staff_up()
    first = publish(sqlite_desk, clients(3))

    def before(frame, generation):
        with frame.read() as tx:
            assert tx.session.get(Pointer, 1).generation_id == first
            count = select(func.count()).where(Client.generation_id == generation)
            assert tx.session.scalar(count) == 5

    assert publish(sqlite_desk, clients(5), before=before) != first


def test_an_event_and_a_sweep_follow(sqlite_desk, monkeypatch):
    heard, jobs = [], []
    monkeypatch.setattr(service, "emit", lambda tx, event: heard.append(event))
    monkeypatch.setattr(
        "keepwell.jobs.service.enqueue",
        lambda tx, kind, payload, key=None: jobs.append((kind, key)),
    )
    sqlite_desk.staff_up()
    number = publish(sqlite_desk, clients(3))
    ((event,), ((kind, key),)) = heard, jobs
    assert event.name is events.EventName.GENERATION_PUBLISHED
    assert (event.subject, event.data["clients"]) == (str(number), 3)
    assert (kind, key) == ("alert.sweep", f"alert.sweep:{number}")


def test_pi_4_who_refuses_profiling_has_no_score(desk):
    desk.staff_up()
    publish(desk, clients(10))
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "k00001", Purpose.PROFILING, False)
    gone = seen(desk, "k00001")
    assert (gone.score, gone.tier, gone.reasons, gone.note) == (None, "none", [], "refused")

    def rows():
        yield clients(10)
        with desk.tx() as tx:  # in the midst of it
            record_consent(tx, SYSTEM, "k00002", Purpose.PROFILING, False)

    number = service.publish(desk.frame, rows(), as_of=START, model_version="m", manifest=8)
    for client in ("k00001", "k00002"):
        gone = seen(desk, client)
        assert (gone.score, gone.rank_score, gone.probability) == (None, -1.0, None)
        assert (gone.tier, gone.reasons, gone.note, gone.name) == ("none", [], "refused", "王芳")
    assert seen(desk, "k00003").score == 3.0
    with desk.frame.read() as tx:
        assert tx.session.get(Generation, number).scored == 8
        # Not even in the generation that is no longer in force.
        left = select(func.count()).where(
            Client.client_id.in_(["k00001", "k00002"]), Client.score.is_not(None)
        )
        assert tx.session.scalar(left) == 0


def test_two_publications_at_once(sqlite_desk):
    sqlite_desk.staff_up()

    def rows():
        with pytest.raises(UsageError) as error:
            publish(sqlite_desk, clients(1))
        assert error.value.code == "book.publication-busy"
        yield clients(2)

    service.publish(sqlite_desk.frame, rows(), as_of=START, model_version="m", manifest=1)
    assert states(sqlite_desk) == ["current"]


def test_writers_are_not_kept_waiting(sqlite_desk):
    """An alert gets the lock of SQLite soon, while thousands of clients are written."""
    sqlite_desk.staff_up()
    waits, stop = [], threading.Event()

    def alert():
        while not stop.is_set():
            begun = time.perf_counter()
            with sqlite_desk.frame.write():
                waits.append(time.perf_counter() - begun)
            stop.wait(0.01)

    thread = threading.Thread(target=alert)
    thread.start()
    publish(sqlite_desk, clients(15_000))
    stop.set()
    thread.join()
    assert len(waits) > 5
    # Wide enough for a busy machine; one transaction for all would take several times as long.
    assert sorted(waits)[len(waits) // 2] < 0.25


def test_a_damaged_generation_never_counts_as_superfluous_while_in_force(sqlite_desk):
    sqlite_desk.staff_up()
    number = publish(sqlite_desk, clients(2))
    with sqlite_desk.tx() as tx:
        tx.session.get(Generation, number).state = "abandoned"
    with sqlite_desk.frame.read() as tx:
        assert generation_repo.superfluous(tx, 1) == []
