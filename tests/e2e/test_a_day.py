"""A day at the desk, from the scores of the morning to evidence that anybody can verify.

Everything goes through public doors: publication, the HTTP API, background jobs, the command that
verifies an export. Only the time is ours.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from datetime import timedelta

import pytest

from keepwell.learn.holdout.service import draw
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.service import publish
from keepwell.trust.evidence.bundle import verify_bundle
from keepwell.trust.evidence.export import Wanted, export

CLIENTS = 60


def morning(desk):
    """Scores of the night: 60 clients of m1, the first ten severe, the rest moderate."""
    rows = [
        {
            "client_id": f"k{i:02d}", "name": "王小明", "manager_id": "m1", "adviser_id": "a1",
            "branch_id": "bn", "assets": 100_000_00 * (i + 1), "note": "scored",
            "score": 95.0 if i < 10 else 80.0, "probability": 0.4, "coverage": 0.9,
            "tier": "severe" if i < 10 else "moderate", "reasons": [],
        }
        for i in range(CLIENTS)
    ]  # fmt: skip
    publish(
        desk.frame, [rows], as_of=desk.now(), model_version="m", manifest=1, before=draw,
    )  # fmt: skip
    desk.settle()


def items(response):
    assert response.status_code == 200, response.text
    return response.json()["items"]


def test_a_day_from_scores_to_evidence(desk, tmp_path):
    desk.staff_up()
    with desk.tx() as tx:
        from keepwell.trust.access.model import Staff

        tx.session.get_one(Staff, "m1").capacity = 20
    morning(desk)
    manager, lead, director = (desk.http(name) for name in ("m1", "l1", "d1"))
    held = _alerts_and_holdout(desk, manager, lead)
    case = _case_with_clock(manager, held)
    _warned_breached_escalated(desk, manager, lead, director, case)
    _an_event_warns_at_once(desk, manager)
    _an_exit_is_served(desk, manager)
    _closed(manager, case)
    _evidence(desk, tmp_path)


def _alerts_and_holdout(desk, manager, lead):
    """20 alerts a day; severe ones always; about 5 % are held out and nobody at work sees who."""
    shown = items(manager.get("/api/v1/alerts?limit=200"))
    waiting = items(lead.get("/api/v1/alerts?status=held-back&limit=200"))
    treatments = items(desk.http("analyst").get("/api/v1/treatments?limit=500"))
    held = {t["client_id"] for t in treatments if t["decision"] == "held-out"}
    assert len(held) == 3
    visible = {a["client_id"] for a in shown if a["status"] == "shown"}
    assert len(visible) == 20
    assert not held & visible
    assert {f"k{i:02d}" for i in range(10)} <= visible | held
    assert len(visible) + len({a["client_id"] for a in waiting}) == CLIENTS
    assert held <= {a["client_id"] for a in waiting}
    assert {a["status"] for a in waiting} == {"held-back"}
    assert lead.get("/api/v1/treatments").status_code == 403
    assert {t["propensity"] for t in treatments if t["decision"] == "shown"} == {0.95}
    assert manager.get("/api/v1/treatments").status_code == 403
    for client in held:
        assert items(manager.get(f"/api/v1/alerts?client={client}")) == []
        assert items(manager.get(f"/api/v1/cases?client={client}")) == []
    return held


def _case_with_clock(manager, held):
    cases = items(manager.get("/api/v1/cases?limit=100"))
    assert len(cases) == 20
    assert not held & {c["client_id"] for c in cases}
    case = manager.get(f"/api/v1/cases/{cases[0]['case_id']}").json()
    assert case["owner_id"] == "m1"
    assert {c["code"] for c in case["clocks"]} >= {"first-touch"}
    return case["case_id"]


def _warned_breached_escalated(desk, manager, lead, director, case):
    """15 minutes to the first touch: half, four fifths, over, twice over."""

    def notices(http):
        return [
            n["kind"]
            for n in items(http.get("/api/v1/notices?limit=500"))
            if (n["data"] or {}).get("case_id", n["subject"]) == case
        ]

    desk.later(minutes=8)
    assert "clock-warned" in notices(manager)
    assert "clock-warned" not in notices(lead)
    desk.later(minutes=5)
    assert "clock-warned" in notices(lead)
    assert manager.get(f"/api/v1/cases/{case}").json()["level"] == 0
    desk.later(minutes=3)
    assert lead.get(f"/api/v1/cases/{case}").json()["level"] == 1
    desk.later(minutes=15)
    assert director.get(f"/api/v1/cases/{case}").json()["level"] == 2
    assert any(kind.startswith("clock-") for kind in notices(director))
    clocks = manager.get(f"/api/v1/cases/{case}").json()["clocks"]
    touch = next(c for c in clocks if c["code"] == "first-touch")
    assert (touch["state"], touch["late"]) == ("breached", True)


def _an_event_warns_at_once(desk, manager):
    body = {
        "source": "app", "batch": "1", "table": "contact",
        "rows": [
            {
                "contact_id": "x1", "client_id": "k59", "at": desk.now().isoformat(),
                "channel": "phone", "topic": "closing",
            }
        ],
    }  # fmt: skip
    sent = desk.http("integration").post("/api/v1/events", json=body)
    assert sent.status_code == 202, sent.text
    assert sent.json()["accepted"] == 1
    again = desk.http("integration").post("/api/v1/events", json=body)
    assert again.json()["repeated"] is True
    desk.settle()
    analyst = items(desk.http("analyst").get("/api/v1/treatments?limit=500"))
    fired = [t for t in analyst if t["client_id"] == "k59" and t["reason"] == "closing-question"]
    assert len(fired) == 1
    assert fired[0]["tier"] == "severe"


def _an_exit_is_served(desk, manager):
    """Two trading days from settlement; one contact may try to keep the client, no more."""
    client = items(manager.get("/api/v1/cases?limit=100"))[5]["client_id"]
    asked = manager.post("/api/v1/exits", json={"client_id": client, "kind": "transfer"})
    assert asked.status_code == 201, asked.text
    number, etag = asked.json()["request_id"], asked.headers["etag"]
    settled = manager.post(f"/api/v1/exits/{number}/settle", headers={"If-Match": etag})
    assert settled.status_code == 200, settled.text
    # Wednesday, so Friday's close of trading
    assert settled.json()["due_at"] == "2026-03-06T07:00:00Z"
    context = manager.get(f"/api/v1/clients/{client}/context").json()
    assert [e["request_id"] for e in context["exits"]] == [number]
    done = manager.post(
        f"/api/v1/exits/{number}/complete", headers={"If-Match": settled.headers["etag"]}
    )
    assert done.status_code == 200, done.text


def _closed(manager, case):
    contact = {"channel": "phone", "direction": "out", "result": "reached", "note": "Will stay."}
    made = manager.post(f"/api/v1/cases/{case}/contacts", json=contact)
    assert made.status_code == 201, made.text
    now = manager.get(f"/api/v1/cases/{case}")
    assert now.json()["state"] == "contacted"
    end = {"outcome": "recovered", "reason": "service-fixed", "note": "The transfer arrived."}
    url = f"/api/v1/cases/{case}/close"
    assert manager.post(url, json=end).status_code == 428
    closed = manager.post(url, json=end, headers={"If-Match": now.headers["etag"]})
    assert closed.status_code == 200, closed.text
    assert closed.json()["state"] == "recovered"
    assert all(c["ended_at"] is not None for c in closed.json()["clocks"])


def _evidence(desk, tmp_path):
    desk.later(seconds=30)
    bundle = tmp_path / "evidence.zip"
    export(desk.frame, SYSTEM, bundle, Wanted())
    findings = verify_bundle(bundle)
    assert findings.valid, findings.findings
    text = zipfile.ZipFile(bundle).read("entries.jsonl").decode()
    kinds = {json.loads(line)["kind"] for line in text.splitlines() if '"kind"' in line}
    assert {
        "alert.raised",
        "case.opened",
        "case.closed",
        "clock.breached",
        "exit.completed",
    } <= kinds
    assert "王小明" not in text
    assert '"k59"' not in text
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(
                name, data.replace(b"recovered", b"lost", 1) if "entries" in name else data
            )
    assert not verify_bundle(forged).valid


@pytest.mark.parametrize("hours", [24 * 30])
def test_nothing_is_left_undone(sqlite_desk, hours):
    """A month later every clock has ended or been escalated, and no job is dead."""
    desk = sqlite_desk
    desk.staff_up()
    morning(desk)
    desk.now.move(hours=hours)
    desk.settle()
    dead = items(desk.http("admin").get("/api/v1/jobs?state=dead"))
    assert dead == []
    assert desk.now() - timedelta(hours=hours) > desk.now() - timedelta(days=31)
    shutil.rmtree(desk.frame.workspace.state / "spool", ignore_errors=True)
