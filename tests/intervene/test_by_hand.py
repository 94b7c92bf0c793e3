"""What people do of their own accord for the hold-out is allowed, not told, and logged."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from keepwell.learn.holdout.service import arm_of
from keepwell.trust.evidence.model import EvidenceEntry
from tests.intervene.alert.test_alerts import client, publish

V1 = "/api/v1"


@pytest.fixture
def two(desk):
    """A desk with a held-out client and one who is not, neither with an alert."""
    desk.frame.settings.__dict__["holdout"] = desk.frame.settings.holdout.model_copy(
        update={"share": 0.5}
    )
    desk.staff_up()
    names = [f"c{n}" for n in range(30)]
    publish(desk, *(client(name, 10) for name in names))
    with desk.tx() as tx:
        arms = {name: arm_of(tx, name, "m1").held_out for name in names}
    held = next(name for name in names if arms[name])
    return desk, held, next(name for name in names if not arms[name])


def log(desk, name):
    answer = desk.http("analyst").get(f"{V1}/treatments", params={"client": name})
    assert answer.status_code == 200, answer.text
    return [
        {k: row[k] for k in ("decision", "cause", "arm", "propensity", "reason", "alert_id")}
        for row in answer.json()["items"]
    ]


def entries(desk):
    with desk.frame.read() as tx:
        return dict(
            tx.session.execute(
                select(EvidenceEntry.kind, func.count()).group_by(EvidenceEntry.kind)
            ).all()
        )


def row(arm):
    return {
        "decision": "by-hand", "cause": "person", "arm": arm, "propensity": 0.0,
        "reason": "manual", "alert_id": None,
    }  # fmt: skip


def work(desk, name):
    """A case by hand and a contact in it; what everybody sees of it."""
    before = entries(desk)
    http = desk.http("m1")
    made = http.post(f"{V1}/cases", json={"client_id": name})
    assert made.status_code == 201, made.text
    touch = {"channel": "phone", "result": "reached"}
    logged = http.post(f"{V1}/cases/{made.json()['case_id']}/contacts", json=touch)
    assert logged.status_code == 201, logged.text
    case = made.json()
    told = {k: case[k] for k in ("reason", "tier", "state", "owner_id", "level", "retention")}
    after = entries(desk)
    return told, {kind: n - before.get(kind, 0) for kind, n in after.items()}


def test_a_case_and_a_contact_by_hand_are_logged_and_look_alike_in_both_arms(two):
    desk, held, free = two
    assert work(desk, held) == work(desk, free)
    assert log(desk, held) == [row("hold-out")] * 2
    assert log(desk, free) == [row("contact")] * 2


def test_service_is_no_treatment(two):
    desk, held, _ = two
    http = desk.http("m1")
    case = http.post(f"{V1}/cases", json={"client_id": held}).json()["case_id"]
    for body in ({"retention": False}, {"direction": "in"}):
        touch = {"channel": "phone", "result": "reached", **body}
        assert http.post(f"{V1}/cases/{case}/contacts", json=touch).status_code == 201
    assert log(desk, held) == [row("hold-out")], "the case alone"


def test_a_contact_that_follows_an_alert_is_not_by_hand(two):
    desk, _, free = two
    publish(desk, client(free, 95))
    http = desk.http("m1")
    alert = http.get(f"{V1}/alerts", params={"client": free}).json()["items"][0]
    touch = {"channel": "phone", "result": "reached"}
    done = http.post(f"{V1}/cases/{alert['case_id']}/contacts", json=touch)
    assert done.status_code == 201, done.text
    assert [r["decision"] for r in log(desk, free)] == ["shown"]
