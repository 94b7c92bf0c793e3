import threading

import pytest

from keepwell.frame.problem import Conflict
from keepwell.intervene.case import reassign, repo, service, work
from keepwell.intervene.case.model import Case, CaseTask
from keepwell.trust.access.model import Staff
from tests.intervene.case.helpers import open_case
from tests.intervene.case.test_case_life import assert_history_makes_the_row, grants

URL = "/api/v1/cases/reassign"


@pytest.fixture
def cases(desk):
    desk.usual()
    return [open_case(desk, client=f"c{i}", number=f"a{i}") for i in (1, 2, 3)]


def owners(desk, cases):
    with desk.frame.read() as tx:
        return [tx.session.get(Case, case_id).owner_id for case_id in cases]


def test_a_preview_is_carried_out_exactly_and_undone(desk, cases):
    l1, m2 = desk.http("l1"), desk.http("m2")
    with desk.tx() as tx:
        mine = work.add_task(tx, desk.actors["m1"], cases[0], "Call", None, None)
        other = work.add_task(tx, desk.actors["m1"], cases[0], "Report", None, "a1")
    plan = l1.post(f"{URL}/preview", json={"owner_id": "m1", "to": "m2"}).json()
    assert owners(desk, cases) == ["m1"] * 3
    assert sorted(move["case_id"] for move in plan["moves"]) == sorted(cases)
    assert {(m["giver"], m["taker"]) for m in plan["moves"]} == {("m1", "m2")}
    assert m2.get(f"/api/v1/cases/{cases[0]}").status_code == 404
    done = l1.post(URL, json={"plan": plan["plan"]})
    assert done.status_code == 200, done.text
    batch = done.json()
    assert (sorted(batch["cases"]), batch["skipped"]) == (sorted(cases), [])
    assert owners(desk, cases) == ["m2"] * 3
    assert m2.get(f"/api/v1/cases/{cases[0]}").status_code == 200
    assert grants(desk, cases[0]) == {"m2"}
    with desk.frame.read() as tx:
        assert tx.session.get(CaseTask, mine.task_id).assignee_id == "m2"
        assert tx.session.get(CaseTask, other.task_id).assignee_id == "a1"
    assert l1.post(URL, json={"plan": plan["plan"]}).json()["code"] == "case.plan-done"
    with desk.tx() as tx:  # one of them is worked on, so it stays where it is
        service.edit(tx, desk.actors["m2"], cases[1], 2, "mine now", None)
    undone = l1.post(f"{URL}/{batch['batch_id']}/undo").json()
    assert undone["skipped"] == [cases[1]]
    assert owners(desk, cases) == ["m1", "m2", "m1"]
    assert grants(desk, cases[0]) == set()
    with desk.frame.read() as tx:
        assert tx.session.get(CaseTask, mine.task_id).assignee_id == "m1"
    again = l1.post(f"{URL}/{batch['batch_id']}/undo")
    assert (again.status_code, again.json()["code"]) == (409, "case.batch-undone")
    for case_id in cases:
        assert_history_makes_the_row(desk, case_id)


def test_undoing_gives_no_case_to_somebody_who_left_meanwhile(desk, cases):
    l1 = desk.http("l1")
    with desk.tx() as tx:
        other = reassign.preview(tx, desk.actors["l1"], ["m2"], cases[:1], None).plan_id
        reassign.carry_out(tx, desk.actors["l1"], other)
    plan = l1.post(f"{URL}/preview", json={"case_ids": cases, "to": "l1"}).json()["plan"]
    batch = l1.post(URL, json={"plan": plan}).json()["batch_id"]
    with desk.tx() as tx:
        tx.session.get(Staff, "m1").active = False
    undone = l1.post(f"{URL}/{batch}/undo").json()
    assert (undone["cases"], sorted(undone["skipped"])) == (cases[:1], sorted(cases[1:]))
    assert owners(desk, cases) == ["m2", "l1", "l1"]


def test_what_changed_since_the_preview_stops_all_of_it_and_is_named(desk, cases):
    l1 = desk.http("l1")
    plan = l1.post(f"{URL}/preview", json={"case_ids": cases, "to": "m2"}).json()["plan"]
    with desk.tx() as tx:
        service.edit(tx, desk.actors["m1"], cases[1], 1, "busy", None)
    got = l1.post(URL, json={"plan": plan})
    assert (got.status_code, got.json()["code"]) == (409, "case.plan-changed")
    assert cases[1] in got.json()["detail"]
    assert cases[0] not in got.json()["detail"]
    assert owners(desk, cases) == ["m1"] * 3


def test_the_same_plan_twice_at_once_is_carried_out_once(desk, cases):
    with desk.tx() as tx:
        plan = reassign.preview(tx, desk.actors["l1"], ["m2"], cases, None).plan_id
    gate, results = threading.Barrier(2), []

    def work():
        gate.wait()
        try:
            with desk.tx() as tx:
                results.append(reassign.carry_out(tx, desk.actors["l1"], plan).batch_id)
        except Conflict as error:
            results.append(error.code)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("case.plan-done") == 1
    with desk.frame.read() as tx:
        kinds = [line.kind for line, _ in repo.history(tx, cases[0], 50, None)]
    assert kinds == ["opened", "reassigned"]


def test_plans_and_batches_age(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    case_id = open_case(desk)
    l1 = desk.http("l1")

    def plan():
        return {
            "plan": l1.post(f"{URL}/preview", json={"case_ids": [case_id], "to": "m2"}).json()[
                "plan"
            ]
        }

    old = plan()
    desk.now.move(minutes=16)
    assert l1.post(URL, json=old).json()["code"] == "case.plan-old"
    batch = l1.post(URL, json=plan()).json()["batch_id"]
    assert desk.http("d1").post(f"{URL}/{batch}/undo").status_code == 404
    desk.now.move(hours=25)
    assert l1.post(f"{URL}/{batch}/undo").json()["code"] == "case.batch-old"


def test_only_visible_cases_go_and_only_to_staff_of_the_scope(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    mine = open_case(desk)
    foreign = open_case(desk, client="c6", owner="m4", number="a2")
    l1 = desk.http("l1")

    def preview(http=l1, **body):
        return http.post(f"{URL}/preview", json=body)

    assert preview(case_ids=[mine, foreign], to="m2").status_code == 404
    assert preview(owner_id="m4", to="m2").status_code == 404
    assert preview(case_ids=[mine], to="m3").json()["code"] == "case.staff-unknown"
    assert preview(case_ids=[mine], to="nobody").status_code == 422
    assert preview(desk.http("d1"), case_ids=[mine], to="m3").status_code == 201
    assert preview(desk.http("d1"), case_ids=[mine], to="m4").status_code == 422
    assert preview(desk.http("m1"), case_ids=[mine], to="m2").status_code == 403
    assert preview(case_ids=[mine], owner_id="m1", to="m2").status_code == 422
    assert preview(case_ids=[mine]).status_code == 422


def test_spreading_gives_to_the_least_busy_first(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    open_case(desk, client="c4", owner="m2")
    cases = [open_case(desk, client=f"c{i}", number=f"b{i}") for i in (1, 2, 3)]
    l1 = desk.http("l1")
    moves = l1.post(f"{URL}/preview", json={"case_ids": cases, "spread": ["m2", "l1"]}).json()[
        "moves"
    ]
    takers = [move["taker"] for move in moves]
    assert (takers.count("l1"), takers.count("m2")) == (2, 1)
