"""Rules that warn at once, from contract rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from keepwell.frame.settings import AlertSettings
from keepwell.intervene.alert.model import Alert, TierRow
from keepwell.intervene.rule import service
from keepwell.intervene.rule.policy import asks_to_close, leaves, row_key, size
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent, refused


@pytest.fixture(params=["sqlite", "postgresql"])
def staffed(request):
    """A desk with a book of two clients, and nobody in the hold-out."""
    name = {"sqlite": "sqlite_desk", "postgresql": "pg_desk"}[request.param]
    return _book(request.getfixturevalue(name))


@pytest.fixture
def pg_desk(postgres, tmp_path):
    from tests.desk import Desk, Ticker, write_workspace

    made = Desk.open(write_workspace(tmp_path / "ws"), postgres(), Ticker())
    yield made
    made.close()


@pytest.fixture
def light(sqlite_desk):
    return _book(sqlite_desk)


def _book(desk):
    desk.frame.settings.__dict__["holdout"] = desk.frame.settings.holdout.model_copy(
        update={"share": 0.0}
    )
    desk.staff_up()
    desk.publish(
        [
            {"client_id": "a", "manager_id": "m1", "branch_id": "bn", "score": 30.0,
             "assets": 100_000_00},
            {"client_id": "b", "manager_id": "m1", "branch_id": "bn", "score": 30.0,
             "assets": None},
        ]
    )  # fmt: skip
    return desk


def feed(desk, table, *rows):
    with desk.tx() as tx:
        service.apply(tx, table, [{"at": desk.now(), "client_id": "a"} | row for row in rows])


def withdrawal(name, amount, **more):
    return {"flow_id": name, "kind": "withdrawal", "amount": amount} | more


def alerts(desk, reason=None):
    with desk.frame.read() as tx:
        rows = tx.session.scalars(select(Alert).order_by(Alert.alert_id)).all()
        return [a for a in rows if reason is None or a.reason == reason]


def tier(desk, client="a"):
    with desk.frame.read() as tx:
        row = tx.session.get(TierRow, client)
        return None if row is None else (row.tier, row.raised_by)


def test_the_first_large_transfer_raises_to_severe_at_once(staffed):
    desk = staffed
    feed(desk, "cash_flow", withdrawal("f1", 29_999_99), {"flow_id": "d", "kind": "deposit",
         "amount": 90_000_00}, withdrawal("f0", 90_000_00, failure_reason="limit"))  # fmt: skip
    assert alerts(desk) == []
    row = withdrawal("f2", 30_000_00)
    desk.now.move(days=1)
    feed(desk, "cash_flow", row)
    feed(desk, "cash_flow", row)
    feed(desk, "cash_flow", row, row)
    (alert,) = alerts(desk)
    assert (alert.reason, alert.tier, alert.status, alert.signals) == (
        "first-large-transfer", "severe", "shown", 1,
    )  # fmt: skip
    assert tier(desk) == ("severe", "first-large-transfer")
    seen = desk.http("m1").get(f"/api/v1/alerts/{alert.alert_id}").json()
    assert seen["history"][0]["facts"] == {
        "assets_known": True, "value_known": True, "value": 30_000_00, "day_total": 30_000_00,
        "assets": 100_000_00, "share": 0.3,
    }  # fmt: skip
    # The next one is large too, but not the first.
    desk.now.move(days=1)
    feed(desk, "cash_flow", withdrawal("f3", 90_000_00))
    assert alerts(desk)[0].signals == 1
    desk.now.move(days=366)
    feed(desk, "cash_flow", withdrawal("f4", 90_000_00))
    assert alerts(desk)[0].signals == 2


def test_transfers_of_one_day_count_together(light):
    desk = light
    for number in range(3):
        desk.now.move(minutes=5)
        feed(desk, "cash_flow", withdrawal(f"f{number}", 12_000_00))
    assert [a.reason for a in alerts(desk)] == ["first-large-transfer"]


def test_without_known_assets_an_amount_decides_and_the_facts_say_so(light):
    desk = light
    feed(desk, "cash_flow", withdrawal("f1", 99_999_99, client_id="b"))
    feed(desk, "cash_flow", withdrawal("f2", 99_999_99, client_id="stranger"))
    assert alerts(desk) == []
    desk.now.move(days=1)
    feed(desk, "cash_flow", withdrawal("f3", 100_000_00, client_id="b"))
    (alert,) = alerts(desk)
    one = desk.http("m1").get(f"/api/v1/alerts/{alert.alert_id}").json()
    assert one["history"][0]["facts"]["assets_known"] is False


def test_securities_to_another_broker_count_as_large(light):
    desk = light
    feed(desk, "custody_transfer", {"transfer_id": "t1", "direction": "in", "quantity": 5})
    assert alerts(desk) == []
    feed(desk, "custody_transfer", {"transfer_id": "t2", "direction": "out", "quantity": 5})
    assert [a.reason for a in alerts(desk)] == ["first-large-transfer"]


def test_history_that_is_loaded_warns_nobody_but_is_remembered(light):
    desk = light
    old = desk.now() - timedelta(days=30)
    feed(desk, "cash_flow", withdrawal("f1", 50_000_00, at=old))
    feed(desk, "contact", {"contact_id": "c1", "topic": "closing", "at": old})
    assert alerts(desk) == []
    feed(desk, "cash_flow", withdrawal("f2", 50_000_00))
    assert alerts(desk) == []  # not the first any more


def test_a_closing_question_in_a_call_or_on_a_page(staffed):
    desk = staffed
    feed(desk, "contact", {"contact_id": "c1", "topic": "fees"})
    feed(desk, "view", {"view_id": "v1", "topic": "compare"})
    assert alerts(desk) == []
    feed(desk, "contact", {"contact_id": "c2", "topic": "Closing"})
    feed(desk, "view", {"view_id": "v2", "topic": "close_help"})
    feed(desk, "view", {"view_id": "v2", "topic": "close_help"})
    (alert,) = alerts(desk)
    assert (alert.reason, alert.tier, alert.signals) == ("closing-question", "severe", 2)


def test_a_rule_holds_the_tier_up_only_for_its_time(light):
    from tests.intervene.alert.test_alerts import publish

    desk = light
    row = {"client_id": "a", "manager_id": "m1", "branch_id": "bn", "score": 30.0}
    feed(desk, "contact", {"contact_id": "c1", "topic": "closing"})
    publish(desk, row)
    assert tier(desk) == ("severe", "closing-question")
    assert [a.reason for a in alerts(desk)] == ["closing-question"]
    desk.now.move(days=31)
    publish(desk, row)
    assert tier(desk) == ("severe", "closing-question")  # the dwell begins
    desk.now.move(days=7)
    publish(desk, row)
    assert tier(desk) is None
    assert alerts(desk)[0].closed_reason == "tier-fell"


def test_a_complaint_is_overdue_after_its_days_unless_closed(staffed):
    desk = staffed
    made = desk.now()
    for name in ("k1", "k2", "k3"):
        feed(desk, "complaint", {"complaint_id": name, "status": "open", "at": made})
    feed(desk, "complaint", {"complaint_id": "k1", "status": "open", "at": made})
    with desk.tx() as tx:
        assert service.open_complaints(tx, "a") == 3
    desk.later(days=10)
    feed(desk, "complaint", {"complaint_id": "k1", "status": "closed", "at": made})
    feed(desk, "complaint", {"complaint_id": "k1", "status": "open", "at": made})  # came late
    feed(desk, "complaint", {"complaint_id": "k2", "at": made, "closed_at": desk.now()})
    with desk.tx() as tx:
        assert service.open_complaints(tx, "a") == 1
    desk.later(days=4, hours=23)
    assert alerts(desk) == []
    desk.later(hours=2)
    (alert,) = alerts(desk)
    assert (alert.reason, alert.tier, alert.status, alert.signals) == (
        "complaint-overdue", "moderate", "shown", 1,
    )  # fmt: skip
    assert tier(desk) == ("moderate", "complaint-overdue")
    feed(desk, "complaint", {"complaint_id": "k3", "status": "open", "at": made})
    desk.settle()
    assert alerts(desk)[0].signals == 1
    feed(desk, "complaint", {"complaint_id": "k3", "status": "withdrawn", "at": made})
    assert alerts(desk)[0].closed_reason == "complaint-closed"
    with desk.tx() as tx:
        assert service.open_complaints(tx, "a") == 0


def test_an_overdue_complaint_is_served_also_without_profiling(light):
    """Rule PI-4 takes scores away, not service."""
    desk = light
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "a", Purpose.PROFILING, False, tx.at, "test")
    feed(desk, "complaint", {"complaint_id": "k", "status": "open"})
    feed(desk, "contact", {"contact_id": "c", "topic": "closing"})
    feed(desk, "cash_flow", withdrawal("f", 90_000_00))
    desk.later(days=15)
    assert [a.reason for a in alerts(desk)] == ["complaint-overdue"]
    assert tier(desk) is None


def test_events_wake_what_sleeps_until_them(light):
    desk = light
    feed(desk, "contact", {"contact_id": "c1", "topic": "closing"})
    wakes = {
        "next-contact": ("contact", {"contact_id": "c9", "topic": "fees"}),
        "next-login": ("session", {"session_id": "s9"}),
        "next-flow": ("cash_flow", {"flow_id": "f9", "kind": "deposit", "amount": 1}),
    }
    for event, (table, row) in wakes.items():
        (alert,) = alerts(desk)
        http = desk.http("m1", **{"If-Match": f'"{alert.version}"'})
        body = {"event": event, "reason": "waits"}
        answer = http.post(f"/api/v1/alerts/{alert.alert_id}/snooze", json=body)
        assert answer.json()["status"] == "snoozed", answer.text
        feed(desk, table, row | {"client_id": "b"})
        feed(desk, table, row | {"at": desk.now() - timedelta(hours=1)})
        assert alerts(desk)[0].status == "snoozed"
        desk.now.move(minutes=1)
        feed(desk, table, row)
        assert alerts(desk)[0].status == "shown", event


def test_consent_and_refused_touches_are_handed_on(light):
    desk = light
    feed(desk, "touch", {"touch_id": "t0", "refused": False})
    with desk.tx() as tx:
        assert not refused(tx, "a", Purpose.MARKETING)
    feed(desk, "touch", {"touch_id": "t1", "refused": True})
    feed(desk, "consent", {"purpose": "Profiling", "granted": False}, {"purpose": "cookies",
         "granted": False})  # fmt: skip
    with desk.tx() as tx:
        assert refused(tx, "a", Purpose.MARKETING)
        assert refused(tx, "a", Purpose.PROFILING)
    desk.now.move(days=1)
    feed(desk, "consent", {"purpose": "profiling", "granted": True})
    feed(desk, "consent", {"purpose": "profiling", "granted": True})
    with desk.tx() as tx:
        assert not refused(tx, "a", Purpose.PROFILING)


def test_an_exit_request_closes_retention_alerts_and_is_served(staffed):
    """Rules R-EXIT: nothing retains, the request itself is told to everybody's manager."""
    desk = staffed
    feed(desk, "contact", {"contact_id": "c1", "topic": "closing"})
    row = {"request_id": "r1", "kind": "close"}
    feed(desk, "exit_request", row)
    feed(desk, "exit_request", row)
    by = {a.reason: a for a in alerts(desk)}
    assert by["closing-question"].closed_reason == "exit-requested"
    assert (by["exit-request"].status, by["exit-request"].tier, by["exit-request"].score) == (
        "shown", "moderate", None,
    )  # fmt: skip
    assert by["exit-request"].signals == 1
    desk.now.move(minutes=1)
    feed(desk, "contact", {"contact_id": "c2", "topic": "closing"})
    assert len(alerts(desk)) == 2
    log = desk.http("analyst").get("/api/v1/treatments").json()["items"]
    assert (log[0]["decision"], log[0]["propensity"]) == ("exit-requested", 0.0)
    feed(desk, "exit_request", row | {"completed_at": desk.now()})
    feed(desk, "exit_request", row | {"completed_at": desk.now()})
    assert alerts(desk, "exit-request")[0].closed_reason == "exit-completed"
    feed(desk, "exit_request", {"request_id": "never", "kind": "close",
                                "completed_at": desk.now()})  # fmt: skip


def test_a_held_out_clients_rule_alert_is_kept_from_everybody(light):
    from keepwell.learn.holdout.model import HoldoutArm
    from keepwell.learn.holdout.service import arm_of

    desk = light
    with desk.tx() as tx:
        arm_of(tx, "a", "m1")
        tx.session.get_one(HoldoutArm, ("2026", "a")).arm = "hold-out"
    feed(desk, "contact", {"contact_id": "c1", "topic": "closing"})
    feed(desk, "complaint", {"complaint_id": "k", "status": "open"})
    desk.later(days=15)
    shown = desk.http("m1").get("/api/v1/alerts").json()["items"]
    assert [a["reason"] for a in shown] == ["complaint-overdue"]
    log = desk.http("analyst").get("/api/v1/treatments").json()["items"]
    assert [t["decision"] for t in log] == ["exempt", "held-out"]


SETTINGS = AlertSettings()


@given(
    value=st.integers(0, 10**15), same_day=st.integers(0, 10**15),
    assets=st.none() | st.integers(-5, 10**15),
)  # fmt: skip
def test_size_grows_with_the_value_and_says_what_it_knows(value, same_day, assets):
    judged = size(value, same_day, assets, SETTINGS)
    assert judged.facts["assets_known"] == (assets is not None and assets > 0)
    if judged.large:
        assert size(value + 1, same_day, assets, SETTINGS).large
    assert size(None, 0, assets, SETTINGS).large


def test_what_leaves():
    assert leaves({"kind": "withdrawal"})
    assert not leaves({"kind": "withdrawal", "failure_reason": "limit"})
    assert not leaves({"kind": "fee"})
    assert leaves({"direction": "out"})
    assert not leaves({"direction": "in"})


def test_topics_and_keys():
    assert asks_to_close("transfer_help", SETTINGS.closing_topics)
    assert not asks_to_close(None, SETTINGS.closing_topics)
    assert not asks_to_close("fee", SETTINGS.closing_topics)
    one, two = {"a": "x", "b": "y\0z"}, {"a": "x\0y", "b": "z"}
    assert row_key(one, ["a", "b"]) != row_key(two, ["a", "b"])
    assert len(row_key(one, ["a", "b"])) == 64
