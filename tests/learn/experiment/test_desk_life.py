"""An experiment on the desk from the draft to the verdict, over a lake whose clients leave."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from keepwell.learn.experiment.model import ExperimentDraw, ExperimentLook
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.evidence.model import EvidenceEntry
from tests.learn.experiment.lake import arms, begin, leave, opened, publish, step


@pytest.fixture
def desk(sqlite_template, tmp_path):
    root = tmp_path / "ws"
    (root / ".keepwell").mkdir(parents=True)
    file = root / ".keepwell" / "desk.sqlite"
    shutil.copy(sqlite_template, file)
    made = opened(root, f"sqlite:///{file}")
    yield made
    made.close()


def kinds(desk):
    with desk.frame.read() as tx:
        rows = tx.session.scalars(select(EvidenceEntry).order_by(EvidenceEntry.entry_id)).all()
        return [row.kind for row in rows if row.kind.startswith("experiment.")]


def test_the_whole_life_of_an_experiment(desk):
    publish(desk)
    http = desk.http("analyst")
    made = begin(http)
    assert made.json()["state"] == "registered"
    assert len(made.json()["digest"]) == 64
    drawn = step(http, made, "draws").json()
    assert drawn["state"] == "running"
    by_arm = arms(desk, drawn["experiment_id"])
    assert sum(arm["units"] for arm in drawn["arms"]) == len(by_arm)
    # One leaver in two without the call, one in four with it.
    leave(desk, by_arm, {"usual": 2, "call": 4})

    early = http.post(f"/api/v1/experiments/{drawn['experiment_id']}/looks", json={})
    assert (early.status_code, early.json()["code"]) == (409, "experiment.look-immature")
    desk.now.move(days=91)
    seen = step(http, made, "looks", kind="planned").json()
    look = seen["looks"][0]
    assert (look["drawn"], look["uncounted"]) == (len(by_arm), 0)
    assert look["counted"] == len(by_arm)
    found = look["arms"][0]
    assert found["left"] == pytest.approx(0.25, abs=0.02)
    assert found["control_left"] == pytest.approx(0.5, abs=0.02)
    assert found["relative"]["low"] < -0.5 < found["relative"]["high"] < 0
    assert look["verdict"] == "stop for benefit"
    assert found["gate"] == "passed"
    assert "Share of clients who left" in found["gate_words"]
    assert seen["state"] == "done"
    # Complaints are in no table of this lake: absent, not zero.
    assert look["absent"] == ["complaints"]
    assert {one["metric"] for one in look["guardrails"]} == {
        "opt_outs", "trades", "suitability_breaches", "exit_delay_days"
    }  # fmt: skip
    proven = seen["proven"][0]
    assert (proven["action_id"], proven["action_version"]) == ("service-call", 1)
    assert proven["low"] < 0.5 < proven["high"]
    # By name: what happens at one instant has no order.
    assert sorted(kinds(desk)) == [
        "experiment.drawn", "experiment.looked", "experiment.registered", "experiment.stopped"
    ]  # fmt: skip
    chinese = desk.http("analyst", **{"Accept-Language": "zh"})
    told = chinese.get(f"/api/v1/experiments/{drawn['experiment_id']}").json()["looks"][0]
    assert "流失" in told["words"]
    assert told["words"] != look["words"]


def test_looks_are_counted_and_none_comes_too_early(desk):
    http = desk.http("analyst")
    publish(desk, range(250))
    made = step(http, begin(http, base=0.3, effect=0.4), "draws")
    planned = made.json()["planned_units"]
    first = made.json()["units"]
    assert 0.5 <= first / planned < 1
    desk.now.move(days=30)
    publish(desk)
    second = step(http, made, "draws").json()
    assert [draw["batch"] for draw in second["draws"]] == [1, 2]
    by_arm = arms(desk, second["experiment_id"])
    # No difference at all.
    leave(desk, by_arm, {"usual": 3, "call": 3})
    desk.now.move(days=61)
    seen = step(http, made, "looks", kind="planned").json()
    look = seen["looks"][0]
    assert look["matured"] == first
    assert (look["verdict"], look["planned_share"]) == ("continue", 0.5)
    assert look["fraction"] == pytest.approx(first / planned)
    again = http.post(f"/api/v1/experiments/{second['experiment_id']}/looks", json={})
    assert (again.status_code, again.json()["code"]) == (409, "experiment.look-early")
    # Guardrails may be read between; they spend nothing.
    rails = step(http, made, "looks", kind="guardrails").json()["looks"][1]
    assert (rails["counts"], rails["verdict"], rails["arms"]) == (False, "continue", [])
    desk.now.move(days=31)
    done = step(http, made, "looks", kind="planned").json()
    assert done["looks"][2]["verdict"] == "finished"
    assert (done["state"], done["proven"]) == ("done", [])


def test_with_too_few_clients_the_last_look_is_final(desk):
    publish(desk, range(200))
    http = desk.http("analyst")
    made = step(http, begin(http, base=0.3, effect=0.2), "draws")
    leave(desk, arms(desk, made.json()["experiment_id"]), {"usual": 3, "call": 3})
    desk.now.move(days=60)
    path = f"/api/v1/experiments/{made.json()['experiment_id']}/looks"
    assert http.post(path, json={"final": True}).json()["code"] == "experiment.look-immature"
    desk.now.move(days=31)
    assert http.post(path, json={}).json()["code"] == "experiment.look-early"
    seen = http.post(path, json={"final": True}).json()
    assert seen["looks"][0]["fraction"] == 1.0
    assert seen["looks"][0]["verdict"] == "finished"


def test_lost_assignments_stop_the_read_out(desk):
    publish(desk)
    http = desk.http("analyst")
    made = step(http, begin(http), "draws")
    experiment_id = made.json()["experiment_id"]
    by_arm = arms(desk, experiment_id)
    leave(desk, by_arm, {"usual": 2, "call": 4})
    desk.now.move(days=91)
    lost = sorted(c for c, arm in by_arm.items() if arm == "call")[:120]
    with desk.tx() as tx:
        tx.session.execute(text("drop trigger experiment_assignment_no_delete"))
        for client in lost:
            tx.session.execute(
                text("delete from experiment_assignment where client_id = :c"), {"c": client}
            )
    seen = step(http, made, "looks", kind="planned").json()
    look = seen["looks"][0]
    assert look["verdict"] == "stop for ratio"
    assert look["ratio"]["stop"]
    assert not look["ratio"]["intact"]
    assert look["arms"] == []
    assert look["counts"] is False
    assert "shares" in look["words"]
    assert (seen["state"], seen["proven"]) == ("running", [])


def test_one_changed_assignment_stops_the_read_out_too(desk):
    publish(desk)
    http = desk.http("analyst")
    made = step(http, begin(http), "draws")
    desk.now.move(days=91)
    with desk.tx() as tx:
        tx.session.execute(text("drop trigger experiment_assignment_no_update"))
        tx.session.execute(text(
            "update experiment_assignment set arm = case arm when 'call' then 'usual' "
            "else 'call' end where client_id in "
            "(select min(client_id) from experiment_assignment)"
        ))  # fmt: skip
    look = step(http, made, "looks", kind="planned").json()["looks"][0]
    assert (look["verdict"], look["ratio"]["intact"]) == ("stop for ratio", False)
    assert "not those that were drawn" in look["words"]


def test_a_guardrail_that_is_certainly_harmed_stops_at_once(desk):
    publish(desk)
    http = desk.http("analyst")
    made = step(http, begin(http), "draws")
    called = [c for c, arm in arms(desk, made.json()["experiment_id"]).items() if arm == "call"]
    desk.now.move(days=20)
    with desk.tx() as tx:
        for client in called[:60]:
            record_consent(
                tx, SYSTEM, client_id=client, purpose=Purpose.MARKETING, granted=False, source="app"
            )
    desk.now.move(hours=1)
    seen = step(http, made, "looks", kind="guardrails").json()
    look = seen["looks"][0]
    assert look["verdict"] == "stop for harm"
    assert [one["metric"] for one in look["guardrails"] if one["harmed"]] == ["opt_outs"]
    assert seen["state"] == "stopped"
    assert "Refusals" in look["words"]
    assert http.post(
        f"/api/v1/experiments/{seen['experiment_id']}/draws", headers={"If-Match": '"1"'}
    ).json()["code"] == "experiment.state-wrong"  # fmt: skip


def test_draws_and_looks_only_grow(desk):
    publish(desk)
    http = desk.http("analyst")
    made = step(http, begin(http), "draws")
    desk.now.set(desk.now() + timedelta(days=1))
    step(http, made, "looks", kind="guardrails")
    with desk.frame.read() as tx:
        assert tx.session.scalars(select(ExperimentDraw)).one().clients > 500
        assert tx.session.scalars(select(ExperimentLook)).one().counts is False
    for table in ("draw", "look", "assignment"):
        with pytest.raises(Exception, match="only grows"), desk.tx() as tx:
            tx.session.execute(text(f"delete from experiment_{table}"))
