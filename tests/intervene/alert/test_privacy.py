"""What a refusal takes away, and that no transaction at the same time brings it back (PI-4)."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import select, update

from keepwell.frame.database import Base
from keepwell.intervene.alert import tiers
from keepwell.intervene.alert.model import Alert, TierRow, Treatment
from keepwell.intervene.alert.release import release_for
from keepwell.intervene.case.model import Case, CaseEvent
from keepwell.intervene.case.policy import PROJECTED, plain, replay
from keepwell.intervene.exit.service import request_exit
from keepwell.jobs.service import enqueue
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.learn.holdout.service import draw
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent

CLIENTS = ("c0", "c1", "c2")


def severe(desk, tier="severe", score=95.0):
    desk.staff_up()
    rows = [{"client_id": c, "manager_id": "m1", "score": score, "tier": tier} for c in CLIENTS]
    number = desk.publish(rows)
    draw(desk.frame, number)
    with desk.tx() as tx:
        tx.session.execute(update(HoldoutArm).values(arm="contact"))
    return number


def swept(desk):
    number = severe(desk)
    with desk.tx() as tx:
        enqueue(tx, "alert.sweep", {"generation_id": number}, key=f"alert.sweep:{number}")
    desk.settle()


@pytest.mark.parametrize("what", ["refusal", "exit"])
def test_a_refusal_or_exit_beside_an_uncommitted_sweep_leaves_nothing(desk, what):
    number = severe(desk)
    failed = []

    def other():
        try:
            with desk.frame.write() as tx:
                for client in CLIENTS:
                    if what == "refusal":
                        record_consent(tx, SYSTEM, client, Purpose.PROFILING, False)
                    else:
                        request_exit(tx, SYSTEM, client_id=client)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    with desk.frame.write() as tx:
        tiers.sweep_part(tx, number, None)
        release_for(tx, "m1", tx.at)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(1)
        assert thread.is_alive(), "it did not wait for the sweep"
    thread.join(20)
    assert not failed
    with desk.tx() as tx:
        risk = select(Alert.status).where(Alert.reason == "risk")
        assert set(tx.session.scalars(risk)) == {"closed"}
        if what == "refusal":
            cases = select(Case.live).where(Case.reason == "risk")
            assert not any(tx.session.scalars(cases))
            assert tx.session.scalars(select(TierRow)).all() == []


def test_a_refusal_leaves_no_tier_and_no_score_anywhere(desk):
    swept(desk)
    manager, compliance = desk.http("m1"), desk.http("compliance")
    case = manager.get("/api/v1/cases").json()["items"][0]
    client, case_id = case["client_id"], case["case_id"]
    note = {"text": "Called."}
    kept = {"Idempotency-Key": "k1"}
    assert manager.post(f"/api/v1/cases/{case_id}/notes", json=note).status_code == 201
    etag = manager.get(f"/api/v1/cases/{case_id}").headers["etag"]
    edited = manager.patch(
        f"/api/v1/cases/{case_id}", json={"title": "Fees"}, headers={"If-Match": etag, **kept}
    )
    assert edited.json()["tier"] == "severe"
    refusal = {"purpose": "profiling", "granted": False}
    said = compliance.post(f"/api/v1/clients/{client}/consents", json=refusal)
    assert said.status_code == 201, said.text
    desk.settle()
    with desk.tx() as tx:
        alerts = tx.session.scalars(select(Alert.alert_id).where(Alert.client_id == client))
        names = {client, case_id, *alerts}
        left = []
        for table in Base.metadata.sorted_tables:
            if table.name in ("client", "clock_policy", "app_user"):
                continue
            for row in tx.session.execute(table.select()):
                told = json.dumps(dict(row._mapping), default=str, ensure_ascii=False)
                if any(f'"{name}' in told for name in names) and (
                    "severe" in told or "95.0" in told
                ):
                    left.append((table.name, told))
        assert left == []
        found = tx.session.get_one(Case, case_id)
        lines = select(CaseEvent).where(CaseEvent.case_id == case_id).order_by(CaseEvent.number)
        again = replay(line.new for line in tx.session.scalars(lines))
        row = {name: plain(getattr(found, name)) for name in PROJECTED}
        assert {name: again[name] for name in PROJECTED} == row
        assert again["tier"] == "none"


@pytest.mark.parametrize(
    ("how", "decision"),
    [("exit", "exit-requested"), ("refusal", "profiling-refused"), ("fell", "ended")],
)
def test_an_alert_that_ends_undecided_is_logged_with_its_generation(desk, how, decision):
    number = severe(desk, "moderate", 80.0)
    with desk.tx() as tx:
        tiers.sweep_part(tx, number, None)
        waiting = select(Alert.client_id).where(Alert.status == "held-back")
        client = tx.session.scalars(waiting).first()
        assert tx.session.scalars(select(Alert.generation_id)).first() == number
    with desk.tx() as tx:
        if how == "exit":
            request_exit(tx, SYSTEM, client_id=client)
        elif how == "refusal":
            record_consent(tx, SYSTEM, client, Purpose.PROFILING, False)
        else:
            live = tx.session.scalars(select(Alert).where(Alert.client_id == client)).one()
            tiers.end(tx, SYSTEM, live, "tier-fell")
    with desk.tx() as tx:
        rows = select(Treatment).where(Treatment.client_id == client, Treatment.reason == "risk")
        row = tx.session.scalars(rows).one()
        assert (row.decision, row.propensity, row.generation_id) == (decision, 0.0, number)


def test_who_sees_bands_sees_no_facts_of_signals(sqlite_desk):
    from keepwell.intervene.rule.service import apply

    desk = sqlite_desk
    desk.usual()
    row = {
        "flow_id": "f1", "client_id": "c1", "at": desk.now.at, "amount": 30_000_000,
        "kind": "withdrawal", "direction": "out",
    }  # fmt: skip
    with desk.tx() as tx:
        apply(tx, "cash_flow", [row])
    desk.settle()
    alert = desk.http("m1").get("/api/v1/alerts").json()["items"][0]["alert_id"]
    manager = desk.http("m1").get(f"/api/v1/alerts/{alert}").json()["history"][0]["facts"]
    analyst = desk.http("analyst").get(f"/api/v1/alerts/{alert}").json()["history"][0]["facts"]
    assert manager["value"] == 30_000_000
    assert analyst == {}
