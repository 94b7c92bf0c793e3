"""No change is lost: of two changes of the same version at the same moment, one succeeds.

On PostgreSQL, for every endpoint that takes If-Match. The first request is stopped just before it
commits, until the second one waits for it or has answered.
"""

from __future__ import annotations

import threading
import time
from datetime import date

import pytest
from sqlalchemy import select, text

from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.alert.service import raise_alert
from keepwell.intervene.clock.model import Clock
from keepwell.intervene.incident.model import Incident
from keepwell.intervene.kpi.model import KpiReview
from keepwell.trust.access.call import Call
from keepwell.trust.access.policy import SYSTEM

V1 = "/api/v1"


def case(desk):
    made = desk.http("m1").post(f"{V1}/cases", json={"client_id": "c1"})
    assert made.status_code == 201, made.text
    return f"{V1}/cases/{made.json()['case_id']}"


def edited_case(desk):
    return "m1", "PATCH", case(desk), lambda n: {"title": f"Title {n}"}


def moved_case(desk):
    return "m1", "POST", case(desk) + "/move", lambda n: {"state": ["contacted", "plan"][n]}


def _close(desk, path):
    body = {"outcome": "false-alarm", "reason": "duplicate", "note": "The same twice."}
    etag = desk.http("m1").get(path).headers["etag"]
    return desk.http("m1", **{"If-Match": etag}).post(path + "/close", json=body), body


def closed_case(desk):
    path = case(desk)
    body = {"outcome": "false-alarm", "reason": "duplicate", "note": "The same twice."}
    return "m1", "POST", path + "/close", lambda _: body


def reopened_case(desk):
    path = case(desk)
    assert _close(desk, path)[0].status_code == 200
    return "m1", "POST", path + "/reopen", lambda _: None


def changed_task(desk):
    path = case(desk) + "/tasks"
    made = desk.http("m1").post(path, json={"title": "Call"})
    assert made.status_code == 201, made.text
    return "m1", "PATCH", f"{path}/{made.json()['task_id']}", lambda n: {"title": f"Call {n}"}


def _alert(desk):
    with desk.tx() as tx:
        alert = raise_alert(
            tx, SYSTEM, client_id="c1", reason=AlertReason.COMPLAINT_OVERDUE, tier="severe",
            facts={},
        )  # fmt: skip
        assert alert is not None
        return f"{V1}/alerts/{alert.alert_id}"


SNOOZE = {"event": "next-login", "reason": "Abroad"}


def acknowledged_alert(desk):
    return "m1", "POST", _alert(desk) + "/acknowledge", lambda _: None


def snoozed_alert(desk):
    return "m1", "POST", _alert(desk) + "/snooze", lambda _: SNOOZE


def woken_alert(desk):
    path = _alert(desk)
    done = desk.http("m1", **{"If-Match": '"1"'}).post(path + "/snooze", json=SNOOZE)
    assert done.status_code == 200, done.text
    return "m1", "POST", path + "/wake", lambda _: None


PAUSE = {"reason": "waiting-client", "note": "Calls back."}


def _clock(desk):
    case(desk)
    with desk.frame.read() as tx:
        found = tx.session.scalars(select(Clock.clock_id).order_by(Clock.clock_id)).first()
    return f"{V1}/clocks/{found}"


def _pause(desk):
    from keepwell.intervene.clock.policy import PauseReason

    return {**PAUSE, "reason": next(iter(PauseReason)).value}


def paused_clock(desk):
    return "m1", "POST", _clock(desk) + "/pause", lambda _: _pause(desk)


def resumed_clock(desk):
    path = _clock(desk)
    etag = desk.http("m1").get(path).headers["etag"]
    done = desk.http("m1", **{"If-Match": etag}).post(path + "/pause", json=_pause(desk))
    assert done.status_code == 200, done.text
    return "m1", "POST", path + "/resume", lambda _: None


def changed_policy(desk):
    path = f"{V1}/clock-policies/first-touch"
    body = desk.http("admin").get(path).json()
    body = {name: body[name] for name in ("title", "note", "clocks")}
    return "admin", "PUT", path, lambda n: {**body, "note": f"Version {n}"}


def _exit(desk):
    made = desk.http("compliance").post(f"{V1}/exits", json={"client_id": "c1", "kind": "close"})
    assert made.status_code == 201, made.text
    return f"{V1}/exits/{made.json()['request_id']}"


def exits(verb):
    bodies = {"cancel": {"source": "Recording 7", "note": "Stays."}}
    bodies["holds"] = {
        "code": "court-order", "until": "2026-03-06T15:00:00+08:00", "appeal": "In writing."
    }  # fmt: skip
    return lambda desk: (
        "compliance", "POST", f"{_exit(desk)}/{verb}", lambda _: bodies.get(verb)
    )  # fmt: skip


def lifted_hold(desk):
    who, method, path, body = exits("holds")(desk)
    made = desk.http(who, **{"If-Match": '"1"'}).request(method, path, json=body(0))
    assert made.status_code == 201, made.text
    hold = made.json()["holds"][0]["hold_id"]
    return who, "POST", f"{path}/{hold}/lift", lambda _: None


def _webhook(desk):
    body = {"url": "https://crm.example.com/", "patterns": ["*"]}
    made = desk.http("admin").post(f"{V1}/webhooks", json=body)
    assert made.status_code == 201, made.text
    return f"{V1}/webhooks/{made.json()['endpoint_id']}"


EXPERIMENT = {
    "title": "Calls", "hypothesis": "A call helps.", "control": "usual", "base": 0.2, "effect": 0.2,
    "arms": [{"name": "call", "share": 0.5}, {"name": "usual", "share": 0.5}],
}  # fmt: skip


def _experiment(desk):
    made = desk.http("analyst").post(f"{V1}/experiments", json=EXPERIMENT)
    assert made.status_code == 201, made.text
    return f"{V1}/experiments/{made.json()['experiment_id']}"


def stopped_experiment(desk):
    path = _experiment(desk)
    done = desk.http("analyst", **{"If-Match": '"1"'}).post(f"{path}/register")
    assert done.status_code == 200, done.text
    return "analyst", "POST", f"{path}/stop", lambda n: {"reason": f"Number {n}"}


def closed_review(desk):
    with desk.tx() as tx:
        tx.session.add(KpiReview(
            review_id="review_1", kpi_id="core-churn", version=1, since=date(2025, 12, 1),
            until=date(2026, 1, 1), months=[], due_on=date(2026, 3, 20), opened_at=tx.at,
        ))  # fmt: skip
    body = {"findings": "Calls came late.", "changes": "A shift more."}
    return "analyst", "POST", f"{V1}/kpi-reviews/review_1/close", lambda _: body


def incident(verb, body):
    def made(desk):
        with desk.tx() as tx:
            tx.session.add(Incident(
                incident_id="incident_1", number=1, source="trades", kind="units", findings=[],
                state="open", opened_at=tx.at, told_at=tx.at, called_right=False,
            ))  # fmt: skip
        return "analyst", "POST", f"{V1}/incidents/incident_1/{verb}", lambda _: body

    return made


def administered(path, field="name"):
    return lambda desk: ("admin", "PATCH", f"{V1}/{path}", lambda n: {field: f"Name {n}"})


CHANGES = {
    "edit_case": edited_case, "move_case": moved_case, "close_case": closed_case,
    "reopen_case": reopened_case, "change_case_task": changed_task,
    "acknowledge_alert": acknowledged_alert, "snooze_alert": snoozed_alert,
    "wake_alert": woken_alert, "pause_clock": paused_clock, "resume_clock": resumed_clock,
    "change_clock_policy": changed_policy,
    "settle_exit": exits("settle"), "complete_exit": exits("complete"),
    "cancel_exit": exits("cancel"), "refuse_exit_contact": exits("no-contact"),
    "place_exit_hold": exits("holds"), "lift_exit_hold": lifted_hold,
    "change_webhook": lambda desk: (
        "admin", "PATCH", _webhook(desk), lambda n: {"description": f"Number {n}"}
    ),
    "delete_webhook": lambda desk: ("admin", "DELETE", _webhook(desk), lambda _: None),
    "rotate_webhook_secret": lambda desk: (
        "admin", "POST", _webhook(desk) + "/rotate", lambda _: None
    ),
    "approve_webhook": lambda desk: (
        "compliance", "POST", _webhook(desk) + "/approve", lambda _: None
    ),
    "change_experiment": lambda desk: (
        "analyst", "PUT", _experiment(desk), lambda n: {**EXPERIMENT, "title": f"Number {n}"}
    ),
    "register_experiment": lambda desk: (
        "analyst", "POST", _experiment(desk) + "/register", lambda _: None
    ),
    "stop_experiment": stopped_experiment,
    "close_kpi_review": closed_review,
    "acknowledge_incident": incident("acknowledge", {"note": "Asked."}),
    "close_incident": incident("close", {"reason": "Came twice."}),
    "change_user": administered("users/user_m2"), "change_staff_member": administered("staff/m2"),
    "change_team": administered("teams/tn1"), "change_branch": administered("branches/bn"),
    "change_region": administered("regions/north"),
}  # fmt: skip


class Gate:
    """Stops the first change between its effect and its commit."""

    def __init__(self, monkeypatch):
        self.inside = threading.Event()
        self.go = threading.Event()
        self._first = threading.Lock()
        answer = Call._response

        def held(call, reply):
            if call.request.method != "GET" and self._first.acquire(blocking=False):
                self.inside.set()
                assert self.go.wait(20)
            return answer(call, reply)

        monkeypatch.setattr(Call, "_response", held)


def _waits(desk) -> bool:
    sql = "select count(*) from pg_stat_activity where datname = current_database()"
    with desk.frame.database.engine.connect() as connection:
        return bool(connection.execute(text(f"{sql} and wait_event_type = 'Lock'")).scalar())


@pytest.mark.parametrize("operation", CHANGES)
@pytest.mark.parametrize("desk", ["postgresql"], indirect=True)
def test_of_two_changes_at_once_one_is_refused(desk, operation, monkeypatch):
    desk.usual()
    who, method, path, body = CHANGES[operation](desk)
    one = path if method in ("PATCH", "PUT", "DELETE") else path.rsplit("/", 1)[0]
    if operation == "lift_exit_hold":
        one = path.split("/holds/")[0]
    version = desk.http(who).get(one).headers["etag"] if "/tasks/" not in path else '"1"'
    gate = Gate(monkeypatch)
    answers = {}

    def send(n):
        http = desk.http(who, **{"If-Match": version})
        answers[n] = http.request(method, path, json=body(n))

    threads = [threading.Thread(target=send, args=(n,)) for n in (0, 1)]
    threads[0].start()
    assert gate.inside.wait(20), answers
    threads[1].start()
    until = time.monotonic() + 120
    while threads[1].is_alive() and not _waits(desk) and time.monotonic() < until:
        time.sleep(0.005)
    gate.go.set()
    for thread in threads:
        thread.join(20)
    assert answers[0].is_success, answers[0].text
    assert answers[1].status_code in (404, 409, 412), answers[1].text
    assert (answers[1].status_code == 404) == (operation == "delete_webhook")


def test_every_endpoint_that_takes_a_version_is_among_them(sqlite_desk):
    taking = {
        operation["operationId"]
        for item in sqlite_desk.app.openapi()["paths"].values()
        for operation in item.values()
        if any(p["name"] == "If-Match" for p in operation.get("parameters", []))
    }
    assert taking == set(CHANGES)
