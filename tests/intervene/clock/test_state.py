"""The state of a clock follows from its log, and the row says what the log says."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keepwell.core.calendars import always, exchange_calendar, from_spans, office_calendar
from keepwell.intervene.clock import repo, service
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.policy import BY_PERSON, PolicyBody
from keepwell.intervene.clock.state import ClockState, Happened, replay
from keepwell.intervene.clock.wind import MICRO
from keepwell.trust.access.policy import SYSTEM

ZONE = ZoneInfo("Asia/Shanghai")
OFFICE = [(time(9), time(12)), (time(13), time(18))]
CALENDARS = [
    always(ZONE),
    office_calendar(ZONE, "XSHG", OFFICE, frozenset({1, 2, 3, 4, 5})),
    exchange_calendar(ZONE, "XSHG", None, OFFICE),
    from_spans(ZoneInfo("Europe/Athens"), [(time(22), time(0))], lambda _: True),
]
START = datetime(2026, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1) // MICRO


def test_pausing_keeps_what_has_passed():
    day, whole = START, always(ZONE)
    log = [
        Happened("started", day, {"target_us": 4 * HOUR}),
        Happened("paused", day + timedelta(hours=1), {"reason": "waiting-for-client"}),
    ]
    paused = replay(log, whole, day + timedelta(hours=9))
    assert (paused.status, paused.due_at, paused.share) == (ClockState.PAUSED, None, 0.25)
    log.append(Happened("resumed", day + timedelta(hours=9)))
    running = replay(log, whole, day + timedelta(hours=10))
    assert (running.status, running.share) == (ClockState.RUNNING, 0.5)
    assert running.due_at == day + timedelta(hours=12)
    assert replay(log, whole, day + timedelta(hours=12)).status is ClockState.BREACHED
    log.append(Happened("met", day + timedelta(hours=13)))
    late = replay(log, whole, day + timedelta(days=9))
    assert (late.status, late.late, late.share) == (ClockState.MET, True, 1.25)
    assert late.due_at == day + timedelta(hours=12)


def test_a_promise_kept_at_night_after_the_last_session_is_late():
    office = CALENDARS[1]
    begin = datetime(2026, 3, 4, 17, 45, tzinfo=ZONE)
    log = [Happened("started", begin, {"target_us": HOUR // 4})]
    assert replay(log, office, begin).due_at == datetime(2026, 3, 4, 18, 0, tzinfo=ZONE)
    log.append(Happened("met", datetime(2026, 3, 4, 20, 0, tzinfo=ZONE)))
    assert replay(log, office, log[-1].at).late


moves = st.lists(
    st.tuples(
        st.sampled_from(["paused", "resumed", "tightened"]),
        st.integers(1, 4 * 86_400_000_000),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(CALENDARS), st.integers(1, 40 * HOUR), moves, st.booleans())
def test_readings_agree_with_counting_by_hand(calendar, target, moves, end):
    log, at = [Happened("started", START, {"target_us": target})], START
    running, elapsed, since, late = True, timedelta(0), START, False
    for kind, step in moves:
        at += timedelta(microseconds=step)
        if running:
            elapsed += calendar.between(since, at)
            since = at
            late = late or elapsed >= target * MICRO
        if kind == "paused" and running:
            log.append(Happened(kind, at, {"reason": "system-outage"}))
            running = False
        elif kind == "resumed" and not running:
            log.append(Happened(kind, at))
            running, since = True, at
        elif kind == "tightened" and not late:
            target = min(target, elapsed // MICRO + 60_000_000)
            log.append(Happened(kind, at, {"target_us": target}))
    if end:
        log.append(Happened("met", at))
    reading = replay(log, calendar, at)
    assert reading.elapsed == elapsed
    assert reading.late == late
    if end:
        assert reading.status is ClockState.MET
    elif not running:
        assert reading.status is ClockState.PAUSED
    else:
        assert reading.status is (ClockState.BREACHED if late else ClockState.RUNNING)
        assert reading.due_at is not None
        just = replay(log, calendar, reading.due_at) if reading.due_at >= at else None
        assert just is None or just.elapsed == just.target


POLICY = {
    "title": {"en": "Test", "zh": "测试"},
    "clocks": [
        {
            "code": f"{name}-clock",
            "title": {"en": name, "zh": name},
            "starts_on": ["case.opened"],
            "stops_on": ["case.closed"],
            "minutes": {"any": minutes},
            "calendar": name,
            "warn": [0.25, 0.5, 0.8],
            "escalate": [{"at": 1.0, "to": "lead"}, {"at": 1.5, "to": "director"}],
        }
        for name, minutes in (("always", 90), ("office", 400), ("exchange", 55))
    ],
}


def _same(tx, clock):
    """The row, its due time and its timer are what the log says."""
    log = repo.log(tx, clock.clock_id)
    reading = replay(log, calendar_of(tx.frame, clock.calendar), log[-1].at)
    assert clock.state == reading.status.value
    assert clock.due_at == reading.due_at
    assert clock.late == reading.late
    assert clock.elapsed_us * MICRO == reading.elapsed_before
    assert clock.running_since == reading.since
    assert clock.target_us * MICRO == reading.target
    assert clock.version == len(log) == log[-1].number
    recorded = [entry.data["step"] for entry in log if "step" in entry.data]
    assert len(recorded) == len(set(recorded))


@settings(
    deadline=None, max_examples=3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(st.integers(0, 2**32))
def test_rows_are_what_their_logs_say(sqlite_desk, seed):
    desk, chance = sqlite_desk, random.Random(seed)
    if not desk.actors:
        desk.usual()
        with desk.tx() as tx:
            from keepwell.intervene.clock import policies

            policies.change(tx, SYSTEM, "test", PolicyBody.model_validate(POLICY))
            policies.activate(tx, SYSTEM, "test")
    subject = f"case_{seed}_{desk.now.at.timestamp()}"
    with desk.tx() as tx:
        ids = [
            service.start(
                tx, SYSTEM, subject_kind="case", subject_id=subject, client_id="c1",
                kind=f"{name}-clock", owner_id="m1", tier="severe",
            ).clock_id
            for name in ("always", "office", "exchange")
        ]  # fmt: skip
    for _ in range(8):
        desk.now.move(minutes=chance.choice([1, 7, 45, 200, 1500]))
        if chance.random() < 0.7:
            desk.settle()
        with desk.tx() as tx:
            for clock_id in ids:
                clock = repo.find(tx, SYSTEM, clock_id, lock=True)
                if clock.state == ClockState.PAUSED and chance.random() < 0.6:
                    service.resume(tx, SYSTEM, clock_id, clock.version)
                elif clock.state != ClockState.PAUSED and chance.random() < 0.4:
                    reason = chance.choice(sorted(BY_PERSON))
                    service.pause(tx, SYSTEM, clock_id, clock.version, reason, None)
                _same(tx, clock)
    with desk.tx() as tx:
        for clock_id in ids:
            _same(tx, repo.find(tx, SYSTEM, clock_id))
