"""Who is drawn into an experiment and who is not; what a draw leaves, on both databases."""

from __future__ import annotations

import contextlib

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from keepwell.client import Desk as Client
from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.action.record import replay, restore
from keepwell.intervene.contact.listen import breaches
from keepwell.intervene.context.listen import delays
from keepwell.learn.experiment import repo
from keepwell.learn.experiment.drawing import broken_draws, households
from keepwell.learn.experiment.model import ExperimentAssignment, ExperimentEffect
from keepwell.learn.holdout import service as holdout
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.evidence.model import EvidenceEntry
from keepwell.trust.suitability.rulebook import RuleBook
from keepwell.web.local import LocalTransport
from tests.intervene.action import test_recommendation as advice
from tests.learn.experiment.lake import DESIGN, arms, begin, step

V1 = "/api/v1/experiments"


def book(desk, clients=range(120), **more):
    """Clients of m1 to m4, every third severe, every seventh without a score."""
    rows = []
    for i in clients:
        row = {"client_id": f"c{i}", "manager_id": f"m{i % 4 + 1}", "branch_id": "bn",
               "tier": "moderate" if i % 3 else "severe", "probability": 0.3}  # fmt: skip
        if i % 7 == 6:
            row |= {"note": "new", "score": None, "probability": None, "tier": "none"}
        rows.append(row | more)
    generation = desk.publish(rows)
    holdout.draw(desk.frame, generation)


def held_out(desk):
    with desk.frame.read() as tx:
        return set(tx.session.scalars(
            select(HoldoutArm.client_id).where(HoldoutArm.arm == "hold-out")
        ))  # fmt: skip


def test_who_enters_and_that_no_arm_ever_changes(desk):
    desk.staff_up()
    book(desk)
    with desk.tx() as tx:
        record_consent(
            tx, SYSTEM, client_id="c1", purpose=Purpose.PROFILING, granted=False, source="app"
        )
    http = desk.http("analyst")
    made = begin(http, tiers=["severe", "moderate"])
    first = step(http, made, "draws").json()
    drawn = arms(desk, first["experiment_id"])
    held = held_out(desk)
    assert held
    expected = {f"c{i}" for i in range(120) if i % 7 != 6} - held - {"c1"}
    assert set(drawn) == expected
    with desk.frame.read() as tx:
        rows = tx.session.scalars(select(ExperimentAssignment)).all()
        assert {row.propensity for row in rows} == {0.5}
        # Within each manager's clients of one tier the arms have their shares, up to one.
        for block in {row.block for row in rows}:
            called = [row.arm == "call" for row in rows if row.block == block]
            assert abs(sum(called) - len(called) / 2) < 1
        assert broken_draws(tx, first["experiment_id"], repo.assigned(
            tx, first["experiment_id"])) == []  # fmt: skip
        entry = tx.session.scalars(
            select(EvidenceEntry).where(EvidenceEntry.kind == "experiment.drawn")
        ).one()
        assert first["draws"][0]["seal"] in str(entry.body)
    # Nobody new: nothing to draw. Later newcomers get a batch of their own.
    assert step(http, made, "draws", status=409).json()["code"] == "experiment.nobody-new"
    desk.now.move(days=7)
    book(desk, range(200), tier="severe")
    second = step(http, made, "draws").json()
    again = arms(desk, first["experiment_id"])
    assert {client: again[client] for client in drawn} == drawn
    assert [one["batch"] for one in second["draws"]] == [1, 2]
    assert not held_out(desk) & set(again)
    with pytest.raises(DBAPIError, match="only grows"), desk.tx() as tx:
        tx.session.execute(text("update experiment_assignment set arm = 'usual'"))


def test_a_client_is_in_one_running_experiment_about_a_thing(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    book(desk)
    http = desk.http("analyst")
    one = step(http, begin(http, tiers=["severe"]), "draws")
    two = step(http, begin(http, title="Another"), "draws")
    first, second = (arms(desk, made.json()["experiment_id"]) for made in (one, two))
    assert first
    assert second
    assert not set(first) & set(second)
    other = step(http, begin(http, title="Fees", about="fees"), "draws")
    assert set(arms(desk, other.json()["experiment_id"])) == set(first) | set(second)
    # Once it has ended its clients are free.
    step(http, one, "stop", status=200, reason="Enough.")
    third = step(http, begin(http, title="After it"), "draws")
    assert set(arms(desk, third.json()["experiment_id"])) == set(first)


def test_what_is_registered_does_not_change_and_needs_its_version(sqlite_desk):
    sqlite_desk.usual()
    http = sqlite_desk.http("analyst")
    draft = http.post(V1, json=DESIGN)
    path = f"{V1}/{draft.json()['experiment_id']}"
    assert http.post(f"{path}/draws").json()["code"] == "experiment.state-wrong"
    changed = http.put(path, json={**DESIGN, "effect": 0.2}, headers={"If-Match": '"1"'})
    assert changed.json()["planned_units"] > draft.json()["planned_units"]
    assert http.post(f"{path}/register").status_code == 428
    assert http.post(f"{path}/register", headers={"If-Match": '"1"'}).status_code == 412
    done = http.post(f"{path}/register", headers={"If-Match": '"2"'})
    assert done.json()["state"] == "registered"
    late = http.put(path, json=DESIGN, headers={"If-Match": done.headers["etag"]})
    assert (late.status_code, late.json()["code"]) == (409, "experiment.state-wrong")
    for wrong, code in (
        ({"arms": DESIGN["arms"][:1] * 2}, "experiment.arms-wrong"),
        ({"looks": [0.5]}, "experiment.looks-wrong"),
        ({"arms": [{"name": "a", "share": 0.5, "action_id": "none-such", "action_version": 1},
                   {"name": "usual", "share": 0.5}]}, "action.id-unknown"),
    ):  # fmt: skip
        refused = http.post(V1, json={**DESIGN, **wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, code)


def test_the_book_fills_the_calculator_in(sqlite_desk):
    sqlite_desk.staff_up()
    book(sqlite_desk)
    http = sqlite_desk.http("analyst")
    told = http.get("/api/v1/experiment-power?effect=0.5&looks=1").json()
    assert (told["base"], told["base_source"]) == (pytest.approx(0.3), "book")
    assert told["clients"] == len([i for i in range(120) if i % 7 != 6])
    assert told["enough"] is (told["needed"] <= told["clients"])
    one = http.get("/api/v1/experiment-power?base=0.172&effect=0.11&looks=1").json()
    assert (one["needed"], one["days"]) == (11_932, None)
    slow = http.get("/api/v1/experiment-power?base=0.172&effect=0.11&looks=1&monthly=1000").json()
    assert 90 + 11 * 30 < slow["days"] < 90 + 13 * 31
    # A manager's own book is what a manager may experiment with; leads see their team's.
    assert sqlite_desk.http("l2").get("/api/v1/experiment-power").json()["clients"] < 60


def test_a_newcomer_gets_the_arm_of_the_household():
    ties = [("a", "b"), ("b", "c"), ("x", "y")]
    assert households(ties, {}) == dict.fromkeys("abc", "household:a") | dict.fromkeys(
        "xy", "household:x"
    )
    assert households([*ties, ("A", "a")], {"b": "household:a"})["A"] == "household:a"
    assert households([("n", "m")], {"n": "client:n"})["m"] == "client:n"


def test_who_refuses_profiling_keeps_the_arm_and_nothing_of_the_score(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    book(desk)
    http = desk.http("analyst")
    made = step(http, begin(http), "draws").json()
    before = arms(desk, made["experiment_id"])
    client = min(before)
    with desk.tx() as tx:
        record_consent(
            tx, SYSTEM, client_id=client, purpose=Purpose.PROFILING, granted=False, source="app"
        )
    with desk.frame.read() as tx:
        row = tx.session.scalars(
            select(ExperimentAssignment).where(ExperimentAssignment.client_id == client)
        ).one()
        assert (row.tier, row.probability, row.block) == (None, None, None)
        assert row.arm == before[client]
        assert broken_draws(tx, made["experiment_id"], repo.assigned(
            tx, made["experiment_id"])) == []  # fmt: skip


def test_the_arm_decides_what_comes_first_and_the_record_replays(desk):
    advice.begin(desk)
    case = advice.warn(desk)
    usual = advice.ask(desk, case).json()
    wanted = usual["runner_up"]
    http = desk.http("analyst")
    arm = {"name": "try", "share": 0.999, "action_id": wanted["action_id"],
           "action_version": wanted["version"]}  # fmt: skip
    made = begin(http, arms=[arm, {"name": "usual", "share": 0.001}])
    drawn = step(http, made, "draws").json()
    assert arms(desk, drawn["experiment_id"]) == {"c1": "try"}
    told = advice.ask(desk, case).json()
    assert told["best"]["action_id"] == wanted["action_id"]
    assert told["runner_up"]["action_id"] == usual["best"]["action_id"]
    with desk.frame.read() as tx:
        row = tx.session.scalars(select(Recommended).order_by(Recommended.number.desc())).first()
        assert (row.experiment_id, row.arm) == (drawn["experiment_id"], "try")
        assert row.propensity == pytest.approx(0.999)
        recommender = restore(row.record["context"], Catalogue.shipped(), RuleBook.shipped())
        assert replay(row.record["made"], recommender)[1] == row.record["made"]
    # The gate always wins: an action that it refuses is not recommended by any arm.
    step(http, made, "stop", status=200, reason="Enough.")
    refused = told["refusals"][0]
    arm |= {"action_id": refused["action_id"], "action_version": refused["version"]}
    again = step(http, begin(http, arms=[arm, {"name": "usual", "share": 0.001}]), "draws").json()
    assert arms(desk, again["experiment_id"]) == {"c1": "try"}
    assert advice.ask(desk, case).json()["best"]["action_id"] == usual["best"]["action_id"]


def test_what_is_proven_is_told_until_the_version_changes(sqlite_desk):
    advice.begin(sqlite_desk)
    case = advice.warn(sqlite_desk)
    best = advice.ask(sqlite_desk, case).json()["best"]
    assert best["proven"] is False
    made = sqlite_desk.http("analyst").post(V1, json=DESIGN).json()
    proof = {
        "experiment_id": made["experiment_id"], "number": 1, "at": sqlite_desk.now(),
        "action_id": best["action_id"], "reduction": 0.9, "low": 0.8, "high": 0.95,
    }  # fmt: skip
    with sqlite_desk.tx() as tx:
        tx.session.execute(insert(ExperimentEffect), [
            {**proof, "arm": "old", "action_version": best["version"] + 1},
        ])  # fmt: skip
    assert advice.ask(sqlite_desk, case).json()["best"]["proven"] is False
    with sqlite_desk.tx() as tx:
        tx.session.execute(insert(ExperimentEffect), [
            {**proof, "arm": "now", "action_version": best["version"]},
        ])  # fmt: skip
    told = advice.ask(sqlite_desk, case).json()["best"]
    assert (told["proven"], told["reduction"]) == (True, 0.9)
    assert made["experiment_id"] in told["source"]


def test_the_desk_counts_what_guardrails_watch(desk):
    desk.usual()
    since = desk.now()
    http = desk.http("compliance")
    made = http.post("/api/v1/exits", json={"client_id": "c1", "kind": "close"}).json()
    path = f"/api/v1/exits/{made['request_id']}"
    settled = http.post(f"{path}/settle", json={}, headers={"If-Match": '"1"'})
    assert settled.status_code == 200, settled.text
    with desk.tx() as tx:
        assert delays(tx, since, tx.at) == {}
    desk.now.move(days=9)
    with desk.tx() as tx:
        # Due after two trading days, Friday 6 March; five more until Friday the 13th.
        assert delays(tx, since, tx.at) == {"c1": 5.0}
        assert breaches(tx, since, tx.at) == {}


def test_the_python_client_and_the_command_line(sqlite_desk, monkeypatch, capsys):
    from keepwell.cli import main

    sqlite_desk.staff_up()
    book(sqlite_desk)
    with Client("http://desk.local", transport=LocalTransport(sqlite_desk.frame, "analyst")) as api:
        made = api.register_experiment(api.create_experiment(**DESIGN))
        drawn = api.draw_experiment(made)
        assert [one.state for one in api.experiments()] == ["running"]
        assert api.experiment_power(base=0.2).needed > 0
        done = api.stop_experiment(api.experiment(drawn.experiment_id), "Enough.")
        assert done.state == "stopped"
    monkeypatch.setattr("keepwell.frame.migrate.check", lambda _: None)
    root = str(sqlite_desk.frame.workspace.root)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["keepwell", "experiment", *words, "-w", root])
        with contextlib.suppress(SystemExit):
            main()
        out = capsys.readouterr()
        assert out.err == ""
        return out.out

    assert "Service call" in run("list")
    assert "stopped" in run("show", done.experiment_id)
    assert "11,932" in run("power", "--base", "17.2", "--effect", "11", "--looks", "1")
