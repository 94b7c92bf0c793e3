"""Alerts through the public doors: raised, shared out, put to sleep, woken, closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from keepwell.frame.events import _SUBSCRIBERS, Event, EventName, emit
from keepwell.intervene.alert.model import Alert, TierRow, Treatment
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.alert.service import raise_alert
from keepwell.intervene.case.model import Case
from keepwell.jobs.service import enqueue
from keepwell.learn.holdout import service as holdout
from keepwell.learn.holdout.policy import HOLD_OUT
from keepwell.trust.access.model import Staff
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent

API = "/api/v1/alerts"


def client(name: str, score: float | None, manager: str | None = "m1", **more):
    branch = "bs" if manager == "m4" else "bn"
    return {
        "client_id": name, "manager_id": manager, "branch_id": branch, "score": score, **more
    }  # fmt: skip


def publish(desk, *rows) -> int:
    """A new generation, swept."""
    number = desk.publish(list(rows))
    with desk.tx() as tx:
        enqueue(tx, "alert.sweep", {"generation_id": number}, key=f"alert.sweep:{number}")
    desk.settle()
    return number


def alerts(desk, who="analyst", **params):
    answer = desk.http(who).get(API, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def act(desk, who, alert, verb, body=None, version=None):
    number = alert["version"] if version is None else version
    return desk.http(who, **{"If-Match": f'"{number}"'}).post(
        f"{API}/{alert['alert_id']}/{verb}", json=body
    )


def log(desk, **params):
    return desk.http("analyst").get("/api/v1/treatments", params=params).json()["items"]


@pytest.fixture
def staffed(desk):
    """A desk with people, and nobody in the hold-out."""
    desk.staff_up()
    no_holdout(desk)
    return desk


def no_holdout(desk):
    desk.frame.settings.__dict__["holdout"] = desk.frame.settings.holdout.model_copy(
        update={"share": 0.0}
    )


def capacity(desk, manager, n):
    with desk.tx() as tx:
        tx.session.get_one(Staff, manager).capacity = n


def test_a_new_generation_raises_alerts_by_tier_and_opens_cases(staffed):
    desk = staffed
    publish(desk, client("low", 59.9), client("mild", 60), client("mid", 80), client("top", 95),
            client("none", None))  # fmt: skip
    seen = alerts(desk, "m1")
    assert [(a["client_id"], a["tier"], a["status"]) for a in seen] == [
        ("top", "severe", "shown"), ("mid", "moderate", "shown"), ("mild", "mild", "shown"),
    ]  # fmt: skip
    assert {a["reason"] for a in seen} == {"risk"}
    assert {a["owner_id"] for a in seen} == {"m1"}
    with desk.frame.read() as tx:
        cases = {c.client_id: c for c in tx.session.scalars(select(Case))}
    assert {c: cases[c].tier for c in cases} == {
        "top": "severe", "mid": "moderate", "mild": "mild"
    }  # fmt: skip
    assert {a["case_id"] for a in seen} == {c.case_id for c in cases.values()}
    assert alerts(desk, "m2") == []
    one = desk.http("m1").get(f"{API}/{seen[0]['alert_id']}")
    assert one.headers["etag"] == '"1"'
    assert one.json()["history"][0]["facts"] == {
        "from": "none", "to": "severe", "generation_id": 1
    }  # fmt: skip
    assert desk.http("m2").get(f"{API}/{seen[0]['alert_id']}").status_code == 404


def test_the_same_tier_is_no_new_alert_and_a_higher_one_a_signal(staffed):
    desk = staffed
    publish(desk, client("a", 70), client("b", 70))
    desk.now.move(days=1)
    publish(desk, client("a", 72), client("b", 92))
    by = {a["client_id"]: a for a in alerts(desk, "m1")}
    assert by["a"]["signals"] == 1
    assert (by["b"]["signals"], by["b"]["tier"], by["b"]["score"]) == (2, "severe", 92)
    assert len(by) == 2
    with desk.frame.read() as tx:
        tiers = {c.client_id: c.tier for c in tx.session.scalars(select(Case))}
    assert tiers == {"a": "mild", "b": "severe"}


def test_a_tier_falls_only_after_the_dwell_and_then_its_alert_closes(staffed):
    desk = staffed
    publish(desk, client("a", 62), client("gone", 95), client("unscored", 80))
    desk.now.move(days=1)
    publish(desk, client("a", 58), client("unscored", None, note="young"))  # within hysteresis
    assert {a["client_id"] for a in alerts(desk)} == {"a"}
    closed = alerts(desk, status="closed")
    assert {(a["client_id"], a["closed_reason"]) for a in closed} == {
        ("gone", "not-scored"), ("unscored", "not-scored"),
    }  # fmt: skip
    desk.now.move(days=1)
    publish(desk, client("a", 50))
    assert len(alerts(desk, "m1")) == 1
    desk.now.move(days=7)
    publish(desk, client("a", 50))
    assert alerts(desk, "m1") == []
    assert {a["closed_reason"] for a in alerts(desk, "m1", status="closed")} == {"tier-fell"}
    with desk.frame.read() as tx:
        assert tx.session.scalars(select(TierRow)).all() == []


def test_the_ceiling_shows_the_most_urgent_and_the_rest_waits_visibly(staffed):
    desk = staffed
    capacity(desk, "m1", 3)
    rows = [client(f"c{i}", 80, assets=(i + 1) * 1_000_000) for i in range(6)]
    publish(desk, *rows, client("mild", 65, assets=10**12), client("top", 95, assets=0))
    assert [a["client_id"] for a in alerts(desk, "m1")] == ["top", "c5", "c4"]
    assert alerts(desk, "m1", status="held-back") == []
    waiting = alerts(desk, "l1", status="held-back")
    assert [a["client_id"] for a in waiting] == ["c3", "c2", "c1", "c0", "mild"]
    ceiling = {"manager_id": "m1", "capacity": 3, "shown_today": 3, "held_back": 5}
    assert desk.http("m1").get(f"{API}/ceiling").json()["items"] == [ceiling]
    team = desk.http("l1").get(f"{API}/ceiling").json()["items"]
    assert team == [ceiling, ceiling | {"manager_id": "m2", "capacity": 12, "shown_today": 0,
                                        "held_back": 0}]  # fmt: skip
    decided = {(t["client_id"], t["decision"], t["cause"], t["propensity"]) for t in log(desk)}
    assert ("c3", "held-back", "ceiling", 0.0) in decided
    assert ("c5", "shown", "draw", 1.0) in decided
    held = desk.http("l1").get(f"{API}/{waiting[0]['alert_id']}")
    assert held.status_code == 200
    assert act(desk, "l1", waiting[0], "acknowledge").status_code == 409
    desk.later(days=1)
    assert [a["client_id"] for a in alerts(desk, "m1")] == ["top", "c5", "c4", "c3", "c2", "c1"]
    assert log(desk, client="c3")[0]["cause"] == "release"


def test_a_raised_capacity_releases_and_a_severe_tier_is_never_held_back(staffed):
    desk = staffed
    capacity(desk, "m1", 0)
    publish(desk, client("a", 70), client("b", 80), client("c", 90))
    assert [a["client_id"] for a in alerts(desk, "m1")] == ["c"]
    publish(desk, client("a", 91), client("b", 80), client("c", 90))
    assert {a["client_id"] for a in alerts(desk, "m1")} == {"a", "c"}
    capacity(desk, "m1", 2)
    desk.later(minutes=5)
    assert len(alerts(desk, "m1")) == 2  # both of today were severe, and they count
    capacity(desk, "m1", 3)
    desk.later(minutes=5)
    assert len(alerts(desk, "m1")) == 3


def test_what_waits_goes_to_the_new_manager(staffed):
    desk = staffed
    capacity(desk, "m1", 0)
    publish(desk, client("a", 70))
    publish(desk, client("a", 70, "m2"))
    capacity(desk, "m1", 1)
    desk.later(minutes=5)
    desk.later(minutes=5)
    assert [a["owner_id"] for a in alerts(desk, "m2")] == ["m2"]


def hold_out(desk, *names):
    """Put clients into the hold-out and all others into the contact arm."""
    from keepwell.learn.holdout.model import HoldoutArm

    for row in holdout_rows(desk):
        with desk.tx() as tx:
            arm = tx.session.get_one(HoldoutArm, (row.period, row.client_id))
            held = arm.client_id in names
            arm.arm = HOLD_OUT if held else "contact"
            arm.propensity = 0.05 if held else 0.95


def holdout_rows(desk):
    from keepwell.learn.holdout.model import HoldoutArm

    with desk.frame.read() as tx:
        return list(tx.session.scalars(select(HoldoutArm)))


def test_the_hold_out_is_drawn_before_any_alert_and_told_nowhere_but_in_the_log(desk):
    desk.staff_up()
    rows = [client("x", 95), client("y", 95)]
    holdout.draw(desk.frame, desk.publish(rows))
    hold_out(desk, "x")
    events = []
    listener = lambda tx, event: events.append(event)  # noqa: E731
    for name in EventName:
        _SUBSCRIBERS[name].append(listener)
    try:
        publish(desk, *rows)
    finally:
        for name in EventName:
            _SUBSCRIBERS[name].remove(listener)
    assert {e.name for e in events if e.client_id == "x"} == {"alert.held-back"}
    assert [a["client_id"] for a in alerts(desk, "m1")] == ["y"]
    for who in ("l1", "d1", "compliance", "analyst", "auditor", "integration"):
        # To everybody it looks as if the ceiling kept it back, whatever is asked.
        assert {a["client_id"]: a["status"] for a in alerts(desk, who)} == {
            "x": "held-back", "y": "shown",
        }  # fmt: skip
        assert [a["client_id"] for a in alerts(desk, who, status="held-back")] == ["x"]
        assert [a["client_id"] for a in alerts(desk, who, status="closed")] == []
    ceiling = desk.http("l1").get(f"{API}/ceiling").json()["items"]
    assert next(c for c in ceiling if c["manager_id"] == "m1")["held_back"] == 1
    told = {t["client_id"]: t for t in log(desk)}
    assert (told["x"]["decision"], told["x"]["arm"], told["x"]["propensity"]) == (
        "held-out", "hold-out", 0.05,
    )  # fmt: skip
    assert (told["y"]["decision"], told["y"]["propensity"]) == ("shown", 0.95)
    assert told["x"]["policy"] == told["y"]["policy"]
    one = desk.http("l1").get(f"{API}/{told['x']['alert_id']}").json()
    assert (one["status"], one["case_id"], one["version"]) == ("held-back", None, 1)
    act_on = desk.http("l1", **{"If-Match": '"1"'}).post(f"{API}/{one['alert_id']}/acknowledge")
    assert act_on.status_code == 409
    assert "held-out" not in act_on.text
    assert desk.http("m1").get(f"{API}/{one['alert_id']}").status_code == 404
    for who in ("m1", "l1", "d1", "integration"):
        for path in ("/api/v1/treatments", "/api/v1/holdout"):
            assert desk.http(who).get(path).status_code == 403
    with desk.frame.read() as tx:
        assert {c.client_id for c in tx.session.scalars(select(Case))} == {"y"}
    # Also afterwards, when the tier has fallen and the alert is closed.
    publish(desk, client("x", None), client("y", None))
    assert {a["client_id"] for a in alerts(desk, status="closed")} == {"x", "y"}
    desk.later(seconds=30)
    desk.later(seconds=30)
    receipts = desk.http("l1").get("/api/v1/clients/x/receipts?limit=200").json()["items"]
    kinds = {r["entry"]["kind"] for r in receipts}
    assert "alert.held-back" in kinds
    assert not any(kind.startswith("treatment.") for kind in kinds)
    assert desk.http("analyst").get("/api/v1/alerts?status=held-out").status_code == 422


def test_everybody_gets_mandatory_service(desk):
    desk.staff_up()
    desk.publish([client("x", 95)])
    with desk.tx() as tx:
        holdout.arm_of(tx, "x", "m1")
    hold_out(desk, "x")
    capacity(desk, "m1", 0)
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "x", Purpose.PROFILING, False, tx.at, "test")
        for reason in (AlertReason.COMPLAINT_OVERDUE, AlertReason.CLOSING_QUESTION):
            raise_alert(tx, SYSTEM, client_id="x", reason=reason, tier="moderate", facts={})
    assert [a["reason"] for a in alerts(desk, "m1")] == ["complaint-overdue"]
    assert {(t["reason"], t["decision"], t["propensity"]) for t in log(desk)} == {
        ("complaint-overdue", "exempt", 1.0), ("closing-question", "profiling-refused", 0.0),
    }  # fmt: skip


def test_a_new_year_shows_who_was_held_out_and_is_not_any_more(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    rows = [client("x", 80), client("y", 80)]
    holdout.draw(desk.frame, desk.publish(rows))
    hold_out(desk, "x")
    publish(desk, *rows)
    desk.now.set(datetime(2027, 1, 5, 2, tzinfo=UTC))
    number = desk.publish(rows)
    holdout.draw(desk.frame, number)
    hold_out(desk, "y")
    publish(desk, *rows)
    # What y's manager has seen stays; x is shown now.
    assert {a["client_id"] for a in alerts(desk, "m1")} == {"x", "y"}
    assert [t["decision"] for t in log(desk, client="x")] == ["shown", "held-out"]


def test_whoever_refuses_profiling_has_no_score_no_tier_and_no_alert(staffed):
    """Rule PI-4."""
    desk = staffed
    publish(desk, client("a", 95), client("b", 95))
    before = alerts(desk, "m1", client="a")[0]
    act(desk, "m1", before, "snooze", {"event": "next-login", "reason": "later"})
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "a", Purpose.PROFILING, False, tx.at, "test")
    assert [a["client_id"] for a in alerts(desk, "m1")] == ["b"]
    closed = alerts(desk, "m1", status="closed")[0]
    assert (closed["closed_reason"], closed["score"]) == ("profiling-refused", None)
    with desk.frame.read() as tx:
        assert tx.session.get(TierRow, "a") is None
        rows = tx.session.scalars(select(Treatment).where(Treatment.client_id == "a")).all()
        assert {(t.score, t.tier) for t in rows} == {(None, "none")}
    detail = desk.http("m1").get(f"{API}/{closed['alert_id']}").json()
    assert [(s["score"], s["tier"], s["facts"]) for s in detail["history"]] == [(None, "none", {})]
    # Even if a publication by mistake carried a score.
    publish(desk, client("a", 99), client("b", 95))
    assert [a["client_id"] for a in alerts(desk, "m1")] == ["b"]
    desk.now.move(minutes=1)
    with desk.tx() as tx:
        raised = raise_alert(
            tx, SYSTEM, client_id="a", reason=AlertReason.RISK, tier="severe", facts={}, score=99
        )
    assert raised is None
    assert log(desk, client="a")[0]["decision"] == "profiling-refused"
    assert log(desk, client="a")[0]["score"] is None


def test_one_live_alert_per_client_and_reason(staffed):
    desk = staffed
    desk.publish([client("a", 50)])
    for _ in range(3):
        with desk.tx() as tx:
            raise_alert(
                tx, SYSTEM, client_id="a", reason=AlertReason.CLOSING_QUESTION, tier="severe",
                facts={"topic": "closing"},
            )  # fmt: skip
    with desk.tx() as tx:
        raise_alert(tx, SYSTEM, client_id="a", reason=AlertReason.RISK, tier="mild", facts={})
    found = alerts(desk, "m1")
    assert [(a["reason"], a["signals"]) for a in found] == [("closing-question", 3), ("risk", 1)]
    one = desk.http("m1").get(f"{API}/{found[0]['alert_id']}").json()
    assert len(one["history"]) == 3


def test_acknowledge_needs_the_version_that_was_read(staffed):
    desk = staffed
    publish(desk, client("a", 70))
    alert = alerts(desk, "m1")[0]
    path = f"{API}/{alert['alert_id']}/acknowledge"
    assert desk.http("m1").post(path).status_code == 428
    assert act(desk, "m1", alert, "acknowledge", version=7).status_code == 412
    done = act(desk, "m1", alert, "acknowledge")
    assert (done.status_code, done.headers["etag"]) == (200, f'"{alert["version"] + 1}"')
    assert (done.json()["status"], done.json()["acknowledged_by"]) == ("acknowledged", "user_m1")
    assert act(desk, "m2", done.json(), "acknowledge").status_code == 404
    assert act(desk, "analyst", done.json(), "acknowledge").status_code == 403
    # A higher tier is news again.
    publish(desk, client("a", 92))
    assert alerts(desk, "m1")[0]["status"] == "shown"


def test_a_sleeping_alert_takes_signals_and_wakes_by_its_date(staffed):
    desk = staffed
    publish(desk, client("a", 80))
    alert = alerts(desk, "m1")[0]
    until = (desk.now() + timedelta(days=3)).isoformat()
    asleep = act(desk, "m1", alert, "snooze", {"until": until, "reason": "abroad"})
    assert (asleep.json()["status"], asleep.json()["snooze_reason"]) == ("snoozed", "abroad")
    with desk.tx() as tx:
        raise_alert(tx, SYSTEM, client_id="a", reason=AlertReason.RISK, tier="mild", facts={})
    seen = alerts(desk, "m1")[0]
    assert (seen["status"], seen["signals"], seen["tier"]) == ("snoozed", 2, "moderate")
    desk.later(days=2)
    assert alerts(desk, "m1")[0]["status"] == "snoozed"
    # Moved on; the first date no longer counts.
    later = (desk.now() + timedelta(days=5)).isoformat()
    act(desk, "m1", seen, "snooze", {"until": later, "reason": "still abroad"})
    desk.later(days=2)
    assert alerts(desk, "m1")[0]["status"] == "snoozed"
    desk.later(days=3)
    woken = alerts(desk, "m1")[0]
    assert (woken["status"], woken["wake_at"], woken["snooze_reason"]) == ("shown", None, None)


def test_a_sleeping_alert_wakes_by_a_higher_tier_or_by_hand(staffed):
    desk = staffed
    publish(desk, client("a", 70), client("b", 70))
    for alert in alerts(desk, "m1"):
        act(desk, "m1", alert, "snooze", {"event": "next-contact", "reason": "on holiday"})
    publish(desk, client("a", 92), client("b", 70))
    by = {a["client_id"]: a for a in alerts(desk, "m1")}
    assert (by["a"]["status"], by["b"]["status"]) == ("shown", "snoozed")
    assert act(desk, "m1", by["a"], "wake").status_code == 409
    assert act(desk, "m1", by["b"], "wake").json()["status"] == "shown"
    desk.later(days=100)
    assert {a["status"] for a in alerts(desk, "m1")} == {"shown"}


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "no end"},
        {"until": "2026-03-03T00:00:00Z", "reason": "past"},
        {"until": "2030-01-01T00:00:00Z", "reason": "too far"},
        {"until": "2026-03-09T00:00:00", "reason": "no zone"},
        {"event": "next-moon", "reason": "x"},
        {"event": "next-login", "reason": "a\x00b"},
        {"event": "next-login"},
        {"event": "next-login", "reason": "x", "more": 1},
    ],
)
def test_a_snooze_that_cannot_be(sqlite_desk, body):
    desk = sqlite_desk
    desk.staff_up()
    no_holdout(desk)
    publish(desk, client("a", 70))
    alert = alerts(desk, "m1")[0]
    assert act(desk, "m1", alert, "snooze", body).status_code == 422


def test_a_closed_case_closes_its_alerts_and_a_new_owner_gets_them(staffed):
    desk = staffed
    publish(desk, client("a", 70))
    alert = alerts(desk, "m1")[0]
    with desk.tx() as tx:
        emit(tx, Event(EventName.CASE_REASSIGNED, alert["case_id"], "u", "a", {"owner_id": "m2"}))
    assert alerts(desk, owner="m2")[0]["alert_id"] == alert["alert_id"]
    with desk.tx() as tx:
        emit(tx, Event(EventName.CASE_CLOSED, alert["case_id"], "u", "a", {"state": "lost"}))
    assert alerts(desk, status="closed")[0]["closed_reason"] == "case-closed"


def test_lists_filter_sort_and_page(staffed):
    desk = staffed
    rows = [client(f"c{i}", 61 + 5 * i, assets=1_000_000) for i in range(7)]
    publish(desk, *rows, client("s", 95, "m4"))
    assert len(alerts(desk)) == 8
    assert [a["client_id"] for a in alerts(desk, tier="severe", owner="m1")] == ["c6"]
    assert [a["client_id"] for a in alerts(desk, client="c2")] == ["c2"]
    assert alerts(desk, reason="closing-question") == []
    assert alerts(desk, since="2026-03-05T00:00:00Z") == []
    for sort in ("urgency", "-urgency", "raised_at", "-raised_at"):
        whole = [a["alert_id"] for a in alerts(desk, sort=sort)]
        paged, cursor = [], None
        while True:
            params = {"sort": sort, "limit": 3} | ({"cursor": cursor} if cursor else {})
            page = desk.http("analyst").get(API, params=params).json()
            paged += [a["alert_id"] for a in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert paged == whole
        assert len(set(whole)) == 8
    assert desk.http("analyst").get(API, params={"sort": "score"}).status_code == 422
    assert desk.http("analyst").get(API, params={"cursor": "x"}).status_code == 422
    assert desk.http("analyst").get(API, params={"client": "a\x00"}).status_code == 422


def test_lists_as_csv_for_those_who_may_download(staffed):
    desk = staffed
    publish(desk, client("=c1", 70))
    for path in (API, "/api/v1/treatments"):
        csv = desk.http("analyst").get(path, params={"format": "csv"})
        assert csv.headers["content-type"].startswith("text/csv")
        assert "'=c1" in csv.content.decode("utf-8-sig")
    assert desk.http("m1").get(API, params={"format": "csv"}).status_code == 403
    assert desk.http("auditor").get("/api/v1/treatments?format=csv").status_code == 403


def test_a_new_generation_ends_the_sweep_over_the_old_one(sqlite_desk, monkeypatch):
    from keepwell.intervene.alert import tiers

    monkeypatch.setattr(tiers, "CHUNK", 2)
    desk = sqlite_desk
    desk.staff_up()
    no_holdout(desk)
    old = desk.publish([client(f"o{i}", 80) for i in range(7)])
    with desk.tx() as tx:
        enqueue(tx, "alert.sweep", {"generation_id": old})
    publish(desk, *[client(f"n{i}", 80 + i) for i in range(7)])
    assert {a["client_id"] for a in alerts(desk)} == {f"n{i}" for i in range(7)}
    with desk.frame.read() as tx:
        assert len(tx.session.scalars(select(Alert)).all()) == 7


def test_a_sweep_again_changes_nothing(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    number = publish(desk, *[client(f"c{i}", 60 + i) for i in range(30)])
    before = alerts(desk)
    count = len(log(desk, limit=100))
    with desk.tx() as tx:
        enqueue(tx, "alert.sweep", {"generation_id": number})
    desk.settle()
    assert alerts(desk) == before
    assert len(log(desk, limit=100)) == count
