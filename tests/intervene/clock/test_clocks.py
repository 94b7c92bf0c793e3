"""Clocks of cases from start to end: warnings, breach, escalation, pauses, tiers, policies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from keepwell.frame.events import Event, EventName, emit
from keepwell.frame.problem import Conflict, NotFound, Stale
from keepwell.intervene.clock import policies, repo, service
from keepwell.intervene.clock.model import Clock, ClockEvent
from keepwell.intervene.clock.policy import PauseReason
from keepwell.intervene.notice.model import Notice
from keepwell.jobs.model import Job
from keepwell.trust.access.model import Staff
from keepwell.trust.access.policy import SYSTEM


def tell(desk, name, case="case_1", client="c1", **data):
    data = {"reason": "risk", "tier": "severe", "state": "open", "owner_id": "m1", **data}
    with desk.tx() as tx:
        emit(tx, Event(name, case, "user_m1", client, data))


def clocks(desk, case="case_1"):
    with desk.frame.read() as tx:
        rows = tx.session.scalars(
            select(Clock).where(Clock.subject_id == case).order_by(Clock.clock_id)
        )
        return {(row.round, row.code): row for row in rows}


def log(desk, clock):
    with desk.frame.read() as tx:
        statement = select(ClockEvent).where(ClockEvent.clock_id == clock.clock_id)
        return [
            (e.kind, e.data.get("step")) for e in tx.session.scalars(statement.order_by("number"))
        ]


def notices(desk, person):
    with desk.frame.read() as tx:
        statement = select(Notice.kind).where(Notice.staff_id == person).order_by(Notice.notice_id)
        return list(tx.session.scalars(statement))


@pytest.fixture
def opened(desk):
    desk.usual()
    tell(desk, EventName.CASE_OPENED)
    return desk


def test_a_severe_case_promises_a_touch_and_a_plan(opened):
    found = clocks(opened)
    assert set(found) == {(1, "first-touch"), (1, "plan")}
    first = found[1, "first-touch"]
    assert first.due_at - first.started_at == timedelta(minutes=15)
    assert (first.state, first.calendar, first.owner_id) == ("running", "office", "m1")
    # 10:00 and two hours of office: at noon, before the break.
    assert found[1, "plan"].due_at == datetime(2026, 3, 4, 4, 0, tzinfo=UTC)


def test_one_timer_per_clock_named_after_its_next_step(opened):
    first = clocks(opened)[1, "first-touch"]
    with opened.frame.read() as tx:
        keys = tx.session.scalars(
            select(Job.key).where(Job.key.startswith(f"clock:{first.clock_id}:"))
        ).all()
    assert keys == [f"clock:{first.clock_id}:warn50"]


def test_warned_warned_breached_escalated(opened):
    first = clocks(opened)[1, "first-touch"]
    opened.later(minutes=8)
    assert notices(opened, "m1") == ["clock-warned"]
    assert notices(opened, "l1") == []
    opened.later(minutes=4)
    assert notices(opened, "l1") == ["clock-warned"]
    opened.later(minutes=3)
    assert notices(opened, "m1").count("clock-breached") == 1
    assert notices(opened, "l1")[-1] == "clock-escalated"
    assert notices(opened, "d1") == []
    opened.later(minutes=15)
    assert notices(opened, "d1") == ["clock-escalated"]
    assert log(opened, first) == [
        ("started", None), ("warned", "warn50"), ("warned", "warn80"), ("breached", "breach"),
        ("escalated", "escalate1"), ("escalated", "escalate2"),
    ]  # fmt: skip
    assert notices(opened, "l2") == []
    state = clocks(opened)[1, "first-touch"]
    assert (state.state, state.late) == ("breached", True)


def test_a_worker_that_was_away_breaches_once_and_leaves_out_the_warnings(opened):
    first = clocks(opened)[1, "first-touch"]
    opened.later(days=1)
    opened.settle()
    assert [step for _, step in log(opened, first)][1:] == ["breach", "escalate1", "escalate2"]
    assert "clock-warned" not in notices(opened, "d1")


def test_a_touch_in_time_ends_the_clock_and_its_timer(opened):
    opened.now.move(minutes=14)
    tell(opened, EventName.CASE_CONTACTED, state="contacted")
    first = clocks(opened)[1, "first-touch"]
    assert (first.state, first.late, first.version) == ("met", False, 2)
    opened.later(hours=3)
    assert [kind for kind, _ in log(opened, first)] == ["started", "met"]


def test_a_late_touch_is_a_breach_even_if_no_timer_fired(opened):
    opened.now.move(minutes=20)
    tell(opened, EventName.CASE_CONTACTED, state="contacted")
    first = clocks(opened)[1, "first-touch"]
    assert (first.state, first.late) == ("met", True)
    assert [kind for kind, _ in log(opened, first)] == ["started", "breached", "escalated", "met"]


def test_a_plan_keeps_touch_and_plan_and_closing_cancels_the_rest(opened):
    tell(opened, EventName.CASE_OPENED, case="case_2", reason="complaint-overdue")
    assert (1, "resolve") in clocks(opened, "case_2")
    tell(opened, EventName.CASE_MOVED, case="case_2", state="plan")
    found = clocks(opened, "case_2")
    assert [found[1, c].state for c in ("first-touch", "plan", "resolve")] == [
        "met", "met", "running",
    ]  # fmt: skip
    tell(opened, EventName.CASE_CLOSED, case="case_2", state="recovered")
    assert clocks(opened, "case_2")[1, "resolve"].state == "met"
    tell(opened, EventName.CASE_CLOSED, state="false-alarm")
    assert {row.state for row in clocks(opened).values()} == {"cancelled"}
    opened.later(days=3)
    assert {row.state for row in clocks(opened).values()} == {"cancelled"}


def test_a_reopened_case_starts_anew(opened):
    tell(opened, EventName.CASE_CLOSED, state="lost")
    opened.later(days=2)
    tell(opened, EventName.CASE_REOPENED, state="open")
    found = clocks(opened)
    assert found[1, "first-touch"].state == "cancelled"
    assert found[2, "first-touch"].state == "running"
    assert found[2, "first-touch"].started_at == opened.now.at


def test_a_rise_in_tier_starts_what_has_not_run_and_never_lengthens(desk):
    desk.usual()
    tell(desk, EventName.CASE_OPENED, tier="mild")
    assert set(clocks(desk)) == {(1, "first-touch"), (1, "follow-up")}
    before = clocks(desk)[1, "first-touch"]
    desk.now.move(minutes=10)
    tell(desk, EventName.CASE_ALERTED, tier="severe")
    found = clocks(desk)
    assert (1, "plan") in found
    assert found[1, "first-touch"].due_at == before.due_at
    tell(desk, EventName.CASE_CONTACTED, state="contacted")
    tell(desk, EventName.CASE_ALERTED, state="contacted")
    assert len(clocks(desk)) == 3


def test_a_rise_in_tier_makes_a_running_clock_shorter(desk):
    desk.usual()
    with desk.tx() as tx:
        body = policies.shipped()["all-channels"]
        plan = body.spec("plan").model_dump() | {"minutes": {"mild": 600, "severe": 60}}
        policies.change(
            tx, SYSTEM, "test", body.model_validate({**body.model_dump(), "clocks": [plan]})
        )
        policies.activate(tx, SYSTEM, "test")
    tell(desk, EventName.CASE_OPENED, tier="mild")
    desk.now.move(minutes=30)
    tell(desk, EventName.CASE_ALERTED, tier="severe")
    plan = clocks(desk)[1, "plan"]
    assert plan.due_at == desk.now.at + timedelta(minutes=60)
    assert plan.tier == "severe"
    desk.later(minutes=60)
    assert clocks(desk)[1, "plan"].state == "breached"


def test_pausing_stops_the_timers_and_resuming_sets_them_anew(opened):
    first = clocks(opened)[1, "first-touch"]
    opened.now.move(minutes=5)
    with opened.tx() as tx:
        service.pause(
            tx, opened.actors["m1"], first.clock_id, 1, PauseReason.WAITING_FOR_CLIENT, "Signs."
        )
    opened.later(hours=5)
    paused = clocks(opened)[1, "first-touch"]
    assert (paused.state, paused.due_at, paused.pause_reason) == (
        "paused", None, "waiting-for-client",
    )  # fmt: skip
    assert notices(opened, "m1").count("clock-breached") == 1  # the plan's
    with opened.tx() as tx:
        service.resume(tx, opened.actors["m1"], first.clock_id, 2)
    running = clocks(opened)[1, "first-touch"]
    assert running.due_at == opened.now.at + timedelta(minutes=10)
    assert running.pause_reason is None
    opened.later(minutes=10)
    assert clocks(opened)[1, "first-touch"].state == "breached"


def test_pausing_needs_a_live_clock_the_right_version_and_sight_of_it(opened):
    first = clocks(opened)[1, "first-touch"]
    why = PauseReason.SYSTEM_OUTAGE
    with pytest.raises(NotFound), opened.tx() as tx:
        service.pause(tx, opened.actors["m3"], first.clock_id, 1, why, None)
    with pytest.raises(Stale), opened.tx() as tx:
        service.pause(tx, opened.actors["m1"], first.clock_id, 9, why, None)
    with pytest.raises(Conflict), opened.tx() as tx:
        service.resume(tx, opened.actors["m1"], first.clock_id, 1)
    tell(opened, EventName.CASE_CONTACTED, state="contacted")
    with pytest.raises(Conflict), opened.tx() as tx:
        service.pause(tx, opened.actors["m1"], first.clock_id, 2, why, None)


def test_a_changed_policy_rewrites_neither_running_nor_past_clocks(opened):
    opened.later(minutes=15)
    breached = clocks(opened)[1, "first-touch"]
    before = log(opened, breached)
    with opened.tx() as tx:
        body = policies.shipped()["first-touch"].model_dump()
        body["clocks"][0]["minutes"] = {"any": 480}
        body["clocks"][1]["minutes"] = {"severe": 10}
        stored = policies.change(
            tx, opened.actors["admin"], "first-touch", policies.PolicyBody.model_validate(body)
        )
        assert stored.version == 2
    tell(opened, EventName.CASE_OPENED, case="case_2")
    assert _minutes(clocks(opened, "case_2")[1, "first-touch"]) == 15  # not active yet
    with opened.tx() as tx:
        policies.activate(tx, opened.actors["admin"], "first-touch")
    tell(opened, EventName.CASE_OPENED, case="case_3")
    assert _minutes(clocks(opened, "case_3")[1, "first-touch"]) == 480
    after = clocks(opened)
    assert (after[1, "first-touch"].state, _minutes(after[1, "first-touch"])) == ("breached", 15)
    assert after[1, "plan"].due_at == datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
    with opened.frame.read() as tx:
        shown = service.of_subjects(tx, opened.actors["m1"], "case", ["case_1", "case_3", "none"])
    assert {v.policy_version for v in shown["case_1"]} == {1}
    assert {v.policy_version for v in shown["case_3"]} == {2}
    assert shown["none"] == []
    assert log(opened, breached) == before


def _minutes(clock):
    return clock.target_us / 60_000_000


def test_who_is_called_where_nobody_leads(desk):
    desk.usual()
    with desk.tx() as tx:
        tx.session.get(Staff, "l1").active = False
    tell(desk, EventName.CASE_OPENED)
    desk.later(minutes=15)
    assert notices(desk, "d1") == ["clock-escalated"]
    with desk.tx() as tx:
        tx.session.get(Staff, "d1").active = False
    tell(desk, EventName.CASE_OPENED, case="case_2")
    desk.later(minutes=15)
    with desk.frame.read() as tx:
        told = tx.session.scalars(
            select(Notice.kind).where(Notice.user_id == "user_admin", Notice.subject == "case_2")
        ).all()
    assert told == ["clock-escalated"]


def test_a_new_owner_is_warned(opened):
    tell(opened, EventName.CASE_REASSIGNED, owner_id="m2")
    opened.later(minutes=8)
    assert notices(opened, "m1") == []
    assert notices(opened, "m2") == ["case-reassigned", "clock-warned"]


@pytest.mark.parametrize(
    ("name", "tier", "expected"),
    [
        ("tiered", "mild", {"response": 120}),
        ("tiered", "moderate", {"response": 120, "plan": 240}),
        ("tiered", "severe", {"response": 120, "plan": 240, "executive": 480}),
        ("first-touch", "moderate", {"first-touch": 15, "adviser-step": None}),
    ],
)
def test_the_published_sets(sqlite_desk, name, tier, expected):
    desk = sqlite_desk
    desk.usual()
    with desk.tx() as tx:
        policies.activate(tx, SYSTEM, name)
    tell(desk, EventName.CASE_OPENED, tier=tier)
    found = {code: _minutes(clock) for (_, code), clock in clocks(desk).items()}
    assert found.keys() == expected.keys()
    assert all(expected[code] in (None, minutes) for code, minutes in found.items())
    if "adviser-step" in found:  # to the end of the next working day
        assert clocks(desk)[1, "adviser-step"].due_at == datetime(2026, 3, 5, 10, tzinfo=UTC)


def test_the_young_are_answered_sooner_and_product_faults_fixed_in_two_days(sqlite_desk):
    desk = sqlite_desk
    desk.staff_up()
    desk.publish(
        [
            {"client_id": "young", "manager_id": "m1", "birth_year": 1996},
            {
                "client_id": "old", "manager_id": "m1", "birth_year": 1960,
                "reasons": [{"code": "app-crash", "cause": "technology"}],
            },
        ]
    )  # fmt: skip
    with desk.tx() as tx:
        policies.activate(tx, SYSTEM, "all-channels")
    tell(desk, EventName.CASE_OPENED, case="case_y", client="young", reason="closing-question")
    tell(desk, EventName.CASE_OPENED, case="case_o", client="old")
    young = {code: _minutes(c) for (_, code), c in clocks(desk, "case_y").items()}
    old = {code: _minutes(c) for (_, code), c in clocks(desk, "case_o").items()}
    assert young == {"answer-young": 5, "plan": 120, "resolve": 480}
    assert old == {"answer": 8, "plan": 120, "product-fix": 2880}
    fix = clocks(desk, "case_o")[1, "product-fix"]
    assert fix.due_at == desk.now.at + timedelta(hours=48)


def test_a_clock_starts_once_per_round(opened):
    with opened.tx() as tx:
        again = service.start(
            tx, SYSTEM, subject_kind="case", subject_id="case_1", client_id="c1",
            kind="first-touch", owner_id="m1", tier="severe",
        )  # fmt: skip
        unknown = service.start(
            tx, SYSTEM, subject_kind="case", subject_id="case_1", client_id="c1",
            kind="never-heard-of", owner_id="m1", tier="severe",
        )  # fmt: skip
    assert again is None
    assert unknown is None


def test_a_tick_of_a_clock_that_is_gone_does_nothing(sqlite_desk):
    with sqlite_desk.tx() as tx:
        service.tick(tx, "clock_none")
        assert repo.find(tx, SYSTEM, "clock_none") is None
