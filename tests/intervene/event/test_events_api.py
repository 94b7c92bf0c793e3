"""POST /events: stored before it is acknowledged, seen by the rules once, never lost."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from keepwell.intervene.event import service
from keepwell.observe import quarantine
from keepwell.observe.spool_ingest import spool_of
from keepwell.trust.access.policy import Permission

PATH = "/api/v1/events"


def flow(number, **more):
    return {
        "flow_id": f"F{number}", "client_id": "c1", "at": "2026-03-04T09:00:00+08:00",
        "kind": "withdrawal", "amount": "1234.50", **more,
    }  # fmt: skip


def body(rows, batch="b1", table="cash_flow", **more):
    return {"source": "core", "batch": batch, "table": table, "rows": rows, **more}


@pytest.fixture
def seen(monkeypatch):
    """What the rules were shown."""
    calls = []
    monkeypatch.setattr(
        "keepwell.intervene.rule.service.apply",
        lambda tx, table, rows: calls.append((table, rows)) or 0,
    )
    return calls


def test_rows_are_stored_acknowledged_and_shown_to_the_rules_once(desk, seen):
    desk.usual()
    http = desk.http("integration")
    answer = http.post(PATH, json=body([flow(1), flow(2, amount=0.1)]))
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"sequence": 1, "accepted": 2, "rejected": [], "repeated": False}
    assert seen == []
    desk.settle()
    ((table, rows),) = seen
    assert table == "cash_flow"
    assert [row["amount"] for row in rows] == [123450, 10]
    assert rows[0]["at"] == datetime(2026, 3, 4, 1, 0, tzinfo=UTC)
    assert rows[0]["currency"] == "CNY"
    again = http.post(PATH, json=body([flow(1), flow(2, amount=0.1)]))
    assert again.status_code == 202
    assert again.json() == {"sequence": 1, "accepted": 2, "rejected": [], "repeated": True}
    desk.settle()
    assert len(seen) == 1


def test_rules_do_not_see_what_is_taken_back(sqlite_desk, seen):
    sqlite_desk.usual()
    http = sqlite_desk.http("integration")
    gone = {"flow_id": "F1", "revision": 1, "deleted": True}
    answer = http.post(PATH, json=body([gone, flow(2), {"flow_id": "F3", "deleted": True}]))
    assert answer.status_code == 202
    assert [(r["row"], r["column"]) for r in answer.json()["rejected"]] == [(2, "revision")]
    sqlite_desk.settle()
    ((_, rows),) = seen
    assert [row["flow_id"] for row in rows] == ["F2"]


def test_the_same_id_with_other_rows_is_a_conflict(sqlite_desk, seen):
    sqlite_desk.usual()
    http = sqlite_desk.http("integration")
    assert http.post(PATH, json=body([flow(1)])).status_code == 202
    answer = http.post(PATH, json=body([flow(2)]))
    assert answer.status_code == 409
    assert answer.json()["code"] == "event.batch-conflict"
    # Also when the desk has forgotten, and only the spool knows.
    spool_of(sqlite_desk.frame.workspace).append("core", "bare", {"rows": []}, sqlite_desk.now())
    assert http.post(PATH, json=body([flow(2)], batch="bare")).status_code == 409


def test_bad_rows_are_named_and_kept(sqlite_desk, seen):
    sqlite_desk.usual()
    rows = [
        flow(1),
        flow(2, amount="12,5"),
        flow(3, at="2026-03-04 09:00:00"),
        flow(4, kind="gift", amount=True),
        flow(5, at="2027-01-01T00:00:00Z"),
        flow(6, client_id=7),
        flow(7, client_id=None),
        flow(8, amount=-1),
        flow(9, bank="a\x00b"),
        flow(10, amount=1e30),
    ]
    answer = sqlite_desk.http("integration", **{"Accept-Language": "zh"}).post(
        PATH, json=body(rows)
    )
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert found["accepted"] == 1
    assert [(f["row"], f["column"], f["code"]) for f in found["rejected"]] == [
        (1, "amount", "cell.not-decimal"),
        (2, "at", "cell.no-zone"),
        (3, "amount", "cell.not-decimal"),
        (3, "kind", "cell.not-in-list"),
        (4, "at", "row.in-future"),
        (5, "client_id", "cell.not-text"),
        (6, "client_id", "cell.missing"),
        (7, "amount", "cell.below-zero"),
        (8, "bank", "cell.control-character"),
        (9, "amount", "cell.too-large"),
    ]
    assert "12,5" in found["rejected"][0]["message"]
    assert all(f["message"] for f in found["rejected"])
    sqlite_desk.settle()
    assert [[r["flow_id"] for r in rows] for _, rows in seen] == [["F1"]]
    sqlite_desk.later(minutes=2)
    lake = sqlite_desk.frame.workspace.lake
    kept = quarantine.entries(lake, source="event:core").to_pylist()
    assert {(e["row"] - 1, e["column"], e["reason"]) for e in kept} == {
        (f["row"], f["column"], f["code"]) for f in found["rejected"]
    }
    assert {e["file"] for e in kept} == {"b1"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"table": "cashflow"}, "event.table-unknown"),
        ({"rows": [flow(1, amont=1)]}, "event.column-unknown"),
        ({"rows": []}, "request.body-invalid"),
        ({"rows": [{}] * 1001}, "request.body-invalid"),
        ({"rows": [flow(1, bank={"a": 1})]}, "request.body-invalid"),
        ({"source": "Core!"}, "request.body-invalid"),
        ({"batch": ""}, "request.body-invalid"),
        ({"extra": 1}, "request.body-invalid"),
    ],
)
def test_what_is_no_batch_is_refused_whole(sqlite_desk, seen, change, code):
    sqlite_desk.usual()
    answer = sqlite_desk.http("integration").post(PATH, json=body([flow(1)]) | change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not (sqlite_desk.frame.workspace.state / "spool").exists() or (
        spool_of(sqlite_desk.frame.workspace).last == 0
    )


def test_odd_values_never_break_it(sqlite_desk, seen):
    sqlite_desk.usual()
    http = sqlite_desk.http("integration", **{"Content-Type": "application/json"})
    odd = [
        "NaN", "Infinity", "1e400", "9" * 400, "-0.0", '"\\ud800"', '"9e9999999"', '""', "true",
    ]  # fmt: skip
    for n, value in enumerate(odd):
        for column in ("amount", "bank", "client_id", "at"):
            row = f'{{"flow_id": "F", "{column}": {value}}}'
            head = f'"source":"core","batch":"{column}-{n}","table":"cash_flow"'
            answer = http.post(PATH, content=f'{{{head},"rows":[{row}]}}')
            assert answer.status_code == 202, (column, value, answer.text)
            assert answer.json()["accepted"] == 0
    sqlite_desk.settle()
    assert seen == []
    kept = quarantine.entries(sqlite_desk.frame.workspace.lake)
    assert len(set(kept["file"].to_pylist())) == 4 * len(odd)


def test_who_may_send_and_see(sqlite_desk):
    sqlite_desk.usual()
    assert sqlite_desk.http().post(PATH, json=body([flow(1)])).status_code == 401
    for name, actor in sqlite_desk.actors.items():
        http = sqlite_desk.http(name)
        allowed = actor.may(Permission.EVENT_WRITE)
        assert (http.post(PATH, json=body([flow(1)])).status_code == 202) is allowed, name
        state = http.get(f"{PATH}/state").status_code
        assert state == (200 if actor.may(Permission.DATA_READ) else 403), name


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_is_no_acknowledgement(desk, seen, monkeypatch, call, fault):
    desk.usual()
    spool = spool_of(desk.frame.workspace)
    http = desk.http("integration")
    assert http.post(PATH, json=body([flow(0)], batch="b0")).status_code == 202
    desk.settle()

    def fail(*_):
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as broken:
        if call == "fsync":
            broken.setattr(spool, "_sync", fail)
        broken.setattr(os, call, fail)
        for _ in range(2):
            answer = http.post(PATH, json=body([flow(1)]))
            assert (answer.status_code, answer.json()["code"]) == (503, "event.spool-failed")
            assert answer.headers["retry-after"]
            assert answer.headers["content-type"] == "application/problem+json"
        # What is there already is still known, without the disk.
        again = http.post(PATH, json=body([flow(0)], batch="b0"))
        assert (again.status_code, again.json()["repeated"]) == (202, True)
    desk.later(seconds=6)
    assert len(seen) == 1
    answer = http.post(PATH, json=body([flow(1)]))
    assert (answer.status_code, answer.json()["repeated"]) == (202, False)
    assert answer.json()["sequence"] == 2
    desk.settle()
    assert len(seen) == 2


def test_a_batch_whose_process_died_before_the_answer_is_found(desk, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "keepwell.intervene.rule.service.apply", lambda tx, table, rows: calls.append(table) or 0
    )
    desk.usual()
    given = SimpleNamespace(**body([flow(1)]))
    service.store(desk.frame, given, None)
    state = desk.http("l1").get(f"{PATH}/state").json()
    assert (state["last_sequence"], state["applied"]) == (1, 0)
    desk.later(seconds=6)
    assert calls == ["cash_flow"]
    assert service.recover(desk.frame) == 0
    answer = desk.http("integration").post(PATH, json=body([flow(1)])).json()
    assert (answer["sequence"], answer["repeated"]) == (1, True)
    desk.settle()
    assert calls == ["cash_flow"]


def test_many_senders_at_once(desk, seen):
    desk.usual()
    desk.app  # noqa: B018 - built before the threads

    def send(n):
        return desk.http("integration").post(PATH, json=body([flow(n % 6)], batch=f"b{n % 6}"))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(12)))
    assert {a.status_code for a in answers} == {202}
    assert {a.json()["sequence"] for a in answers} == set(range(1, 7))
    desk.settle()
    assert sorted(rows[0]["flow_id"] for _, rows in seen) == [f"F{n}" for n in range(6)]


def test_state_and_release(sqlite_desk, seen):
    sqlite_desk.usual()
    http = sqlite_desk.http("integration")
    assert http.get(f"{PATH}/state").json() == {
        "last_sequence": 0, "applied": 0, "drained": 0, "waiting": 0, "refused": 0,
        "oldest_waiting_seconds": 0.0, "at": "2026-03-04T02:00:00Z",
    }  # fmt: skip
    for n in range(3):
        http.post(PATH, json=body([flow(n)], batch=f"b{n}"))
    sqlite_desk.now.move(seconds=3)
    state = http.get(f"{PATH}/state").json()
    assert (state["last_sequence"], state["applied"], state["waiting"]) == (3, 0, 3)
    assert state["oldest_waiting_seconds"] == 3.0
    sqlite_desk.later(minutes=3)
    state = http.get(f"{PATH}/state").json()
    assert (state["applied"], state["drained"], state["waiting"]) == (3, 3, 0)
    assert service.release(sqlite_desk.frame, sqlite_desk.now() - timedelta(minutes=1)) == 0
    again = http.post(PATH, json=body([flow(0)], batch="b0")).json()
    assert (again["sequence"], again["repeated"]) == (1, True)


def test_a_dead_rule_keeps_its_batch(sqlite_desk, monkeypatch):
    def fail(tx, table, rows):
        raise RuntimeError("rule")

    monkeypatch.setattr("keepwell.intervene.rule.service.apply", fail)
    sqlite_desk.usual()
    sqlite_desk.http("integration").post(PATH, json=body([flow(1)]))
    for _ in range(12):
        sqlite_desk.later(hours=2)
    state = sqlite_desk.http("admin").get(f"{PATH}/state").json()
    assert (state["applied"], state["drained"], state["waiting"]) == (0, 1, 1)
    assert spool_of(sqlite_desk.frame.workspace).read(1) is not None
