"""Work for every kind of job: how a filled desk comes to have some of it to do."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from types import SimpleNamespace

from sqlalchemy import select, update

from keepwell.core.ids import new_id
from keepwell.frame.events import _SUBSCRIBERS, EventName
from keepwell.intervene.alert import service as alerts
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.alert.policy import Status
from keepwell.intervene.alert.repo import current
from keepwell.intervene.case import files, reassign, storage
from keepwell.intervene.case import service as cases
from keepwell.intervene.case.model import Case
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.event import service as events
from keepwell.intervene.exit import service as exits
from keepwell.intervene.notice.model import Notice
from keepwell.intervene.webhook.model import WebhookMessage
from keepwell.jobs import registry
from keepwell.jobs.model import Job, JobState
from keepwell.jobs.service import EVERY, cancel, enqueue
from keepwell.learn.holdout.service import draw
from keepwell.learn.kept.service import ask as ask_for_proof
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors.finding import Finding
from keepwell.observe.monitors.incidents import settle
from keepwell.trust.access.model import IdempotencyKey, LoginFailure, Staff
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import Client, Generation
from keepwell.trust.book.service import publish
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record
from tests.desk import Desk, client_row

from .desk_child import Later

MANAGERS = ("m1", "m2", "m3", "m4")
CLIENTS = 48 if "KEEPWELL_KILLS" in os.environ else 24


@dataclass
class World:
    """A filled desk, and what was given to it."""

    desk: Desk
    now: Later
    chance: random.Random
    turn: int = 0
    generations: int = 0
    endpoint_id: str = ""
    opened: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    snoozed: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    trades: list[str] = field(default_factory=list)
    leaving: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    batches: int = 0
    old: int = 0

    def fill(self, hook: str) -> None:
        """People, an endpoint of webhooks, a first generation."""
        self.desk.staff_up()
        with self.desk.tx() as tx:
            for name in MANAGERS:
                tx.session.get_one(Staff, name).capacity = 5
        body = {"url": hook, "patterns": ["alert.*", "case.*", "clock.*", "exit.*"]}
        made = self.desk.http("admin").post("/api/v1/webhooks", json=body)
        assert made.status_code == 201, made.text
        self.endpoint_id = made.json()["endpoint_id"]
        approved = self.desk.http("compliance").post(
            f"/api/v1/webhooks/{self.endpoint_id}/approve",
            headers={"If-Match": made.headers["etag"]},
        )
        assert approved.status_code == 200, approved.text
        self.republish()
        self.desk.settle()

    def republish(self) -> None:
        """New scores for everybody; some clients go to another manager."""
        self.generations += 1
        dice = random.Random(self.generations)
        rows = []
        for number in range(CLIENTS):
            score = dice.choice([30.0, 50.0, 72.0, 80.0, 95.0])
            swapped = dice.random() < 0.15
            manager = MANAGERS[(number + swapped) % 4]
            rows.append({
                "client_id": f"k{number:02d}", "name": "王小明", "manager_id": manager,
                "adviser_id": "a1", "branch_id": "bs" if manager == "m4" else "bn",
                "assets": 10_000_000 + number, "note": "scored", "score": score,
                "probability": 0.4, "coverage": 0.9, "tier": "severe", "reasons": [],
            })  # fmt: skip
        publish(
            self.desk.frame, [rows], as_of=self.now(), model_version="m", manifest=1, before=draw
        )

    def send(self, table: str, rows: list[dict[str, object]], acknowledged: bool = True) -> None:
        """A batch of events; not acknowledged, its receiver died in between."""
        self.batches += 1
        given = SimpleNamespace(source="app", batch=f"b{self.batches}", table=table, rows=rows)
        stored = events.store(self.desk.frame, given, None)
        assert not stored.rejected, stored.faults
        if acknowledged:
            with self.desk.tx() as tx:
                events.acknowledge(tx, self.desk.actors["integration"], stored)

    def recurring(self, kind: str) -> None:
        """A tick of recurring work, as the agenda makes it, before all other work."""
        with self.desk.tx() as tx:
            at = tx.at - timedelta(days=1)
            enqueue(tx, kind, {"tick": at.isoformat()}, key=f"{EVERY}{kind}", due_at=at)

    def give(self, kind: str) -> None:
        """Make work of a kind, and let it be done before all other work that is due."""
        GIVE[kind](self)
        if any(item.kind == kind for item in registry.recurring()):
            self.recurring(kind)
        with self.desk.tx() as tx:
            tx.session.execute(
                update(Job)
                .where(Job.kind == kind, Job.state == JobState.WAITING, Job.due_at <= tx.at)
                .values(due_at=tx.at - timedelta(days=1))
            )


def _ask(world: World, acknowledged: bool = True) -> None:
    """Closing questions, and trades for the lake."""
    for _ in range(2):
        client = f"k{world.chance.randrange(CLIENTS):02d}"
        number = f"ask{world.batches}"
        at = world.now().isoformat()
        row = {"contact_id": number, "client_id": client, "at": at, "topic": "closing"}
        world.asked.append(number)
        world.send("contact", [row], acknowledged)
    number = f"t{world.batches}"
    at = world.now().isoformat()
    row = {"trade_id": number, "client_id": "k01", "at": at, "side": "buy"}
    world.trades.append(number)
    world.send("trade", [row], acknowledged)


def _complain(world: World) -> None:
    """Complaints that are overdue in a moment."""
    for _ in range(2):
        number = f"complaint{world.batches}"
        at = (world.now() - timedelta(days=15) + timedelta(seconds=20)).isoformat()
        client = f"k{world.chance.randrange(CLIENTS):02d}"
        row = {"complaint_id": number, "client_id": client, "at": at, "status": "open"}
        world.complaints.append(number)
        world.send("complaint", [row])
    world.desk.settle()
    world.now.move(minutes=1)


def _open_cases(world: World) -> None:
    """New cases in office hours, whose first clocks are due a little later."""
    office = calendar_of(world.desk.frame, "office")
    soon = world.now() + timedelta(minutes=20)
    if not (office.is_open(world.now()) and office.is_open(soon)):
        world.now.by += office.next_open(soon) - world.now() + timedelta(seconds=1)
    with world.desk.tx() as tx:
        for _ in range(3):
            client = f"x{len(world.opened)}"
            case = cases.open_or_append(
                tx, SYSTEM, client_id=client, reason="risk", tier="severe",
                alert_id=f"given{len(world.opened)}", owner_id=world.chance.choice(MANAGERS),
            )  # fmt: skip
            world.opened.append(case.case_id)
    world.now.move(minutes=world.chance.choice([8, 12.1, 15.1, 16]))


@contextmanager
def _deaf(name: EventName) -> Iterator[None]:
    """Let every subscriber of an event fail, in this process only."""
    hearing = list(_SUBSCRIBERS[name])

    def failing(subscriber):
        @wraps(subscriber)
        def fail(tx, event):
            subscriber(tx, event)
            raise RuntimeError("failed after its work")

        return fail

    _SUBSCRIBERS[name][:] = [failing(subscriber) for subscriber in hearing]
    try:
        yield
    finally:
        _SUBSCRIBERS[name][:] = hearing


def _leave(world: World) -> None:
    """A client in a case asks to leave, and no other room could do its part."""
    client = f"leaving{len(world.leaving)}"
    with world.desk.tx() as tx:
        cases.open_or_append(
            tx, SYSTEM, client_id=client, reason="risk", tier="severe", alert_id=f"of {client}",
            owner_id=world.chance.choice(MANAGERS),
        )  # fmt: skip
    with _deaf(EventName.EXIT_REQUESTED), world.desk.tx() as tx:
        request = exits.request_exit(tx, SYSTEM, client_id=client)
        world.leaving.append(request.request_id)


def _left_unsettled(world: World) -> None:
    """Requests that nobody has settled for a month."""
    with world.desk.tx() as tx:
        for _ in range(2):
            request = exits.request_exit(
                tx, SYSTEM, client_id=f"waiting{len(world.unsettled)}",
                at=tx.at - timedelta(days=30),
            )  # fmt: skip
            world.unsettled.append(request.request_id)


def _snooze(world: World) -> None:
    """Alerts that sleep until in a moment."""
    with world.desk.tx() as tx:
        shown = tx.session.scalars(
            select(Alert).where(Alert.status == Status.SHOWN).order_by(Alert.alert_id)
        ).all()
        for alert in world.chance.sample(shown, min(4, len(shown))):
            alerts.snooze(
                tx, SYSTEM, alert.alert_id, alert.version, until=tx.at + timedelta(seconds=30),
                event=None, reason="later",
            )  # fmt: skip
            world.snoozed.append(alert.alert_id)
    world.now.move(minutes=1)


def _room(world: World) -> None:
    """Some managers can take one alert more."""
    with world.desk.tx() as tx:
        for name in MANAGERS:
            manager = tx.session.get_one(Staff, name)
            manager.capacity = (manager.capacity or 0) + 1


def _release_more(world: World) -> None:
    """More managers with something to release than one job looks at."""
    _room(world)
    with world.desk.tx() as tx:
        since = (tx.at - timedelta(hours=1)).isoformat()
        payload = {"since": since, "after": ""}
        key = f"alert.release-more:{world.turn}"
        enqueue(tx, "alert.release-more", payload, key=key)


def _release_for(world: World) -> None:
    """Managers with room, and something that waits for it."""
    _room(world)
    with world.desk.tx() as tx:
        since = (tx.at - timedelta(hours=1)).isoformat()
        for name in MANAGERS:
            payload = {"owner_id": name, "since": since}
            enqueue(tx, "alert.release-for", payload, key=f"alert.release:{name}")


def _files(world: World) -> None:
    """A file of a case, and contents whose request died before it named them."""
    frame, number = world.desk.frame, world.turn
    with storage.held(frame), world.desk.tx() as tx:
        kept, stray = f"kept {number}".encode(), f"stray {number}".encode()
        digest = storage.store(frame, kept)
        storage.store(frame, stray)
        case = tx.session.scalars(select(Case).where(Case.live).limit(1)).one()
        files.attach(
            tx, SYSTEM, case.case_id, name="a.txt", media_type="text/plain", size=len(kept),
            sha256=digest,
        )  # fmt: skip
        world.attached.append(digest)


def _plans(world: World) -> None:
    """A plan of reassignment that nobody carries out."""
    with world.desk.tx() as tx:
        case = tx.session.scalars(select(Case).where(Case.live).limit(1)).one()
        reassign.preview(tx, SYSTEM, ["m2"], [case.case_id], None)
    world.now.move(minutes=16)


def _old_access(world: World) -> None:
    """An answer kept for a repeat and a failed log-in, both long over; and fresh ones."""
    world.old += 1
    with world.desk.tx() as tx:
        for age, name in ((5, "old"), (0, "fresh")):
            key = f"{name}{world.old}"
            at = tx.at - timedelta(days=age)
            tx.session.add(IdempotencyKey(
                user_id="user_m1", key=key, fingerprint=b"x", status=200, headers={}, body="",
                created_at=at,
            ))  # fmt: skip
            tx.session.add(LoginFailure(subject=f"login:{key}", failures=1, last_at=at))


def _old_notices(world: World) -> None:
    world.old += 1
    with world.desk.tx() as tx:
        for age, name in ((100, "old"), (0, "fresh")):
            at = tx.at - timedelta(days=age)
            tx.session.add(Notice(
                notice_id=new_id("notice", at), staff_id="m1", user_id=None, kind="alert-raised",
                subject=f"{name}-{world.old}", client_id=None, data={}, at=at, read_at=at,
            ))  # fmt: skip


def _old_jobs(world: World) -> None:
    with world.desk.tx() as tx:
        for _ in range(3):
            at = tx.at - timedelta(days=30)
            tx.session.add(Job(
                kind="event.apply", lane="inside", key=None, payload={"old": 1},
                state=JobState.DONE, due_at=at, attempts=1, max_attempts=8, created_at=at,
                finished_at=at,
            ))  # fmt: skip


def _old_messages(world: World) -> None:
    world.old += 1
    with world.desk.tx() as tx:
        at = tx.at - timedelta(days=40)
        tx.session.add(WebhookMessage(
            endpoint_id=world.endpoint_id, message_id=f"old{world.old}", event="case.opened",
            body="{}", state="delivered", created_at=at, ended_at=at,
        ))  # fmt: skip


def _old_generations(world: World) -> None:
    """What a publication left that was killed."""
    with world.desk.tx() as tx:
        left = Generation(
            as_of=tx.at, model_version="m", manifest=1, state="abandoned", created_at=tx.at
        )
        tx.session.add(left)
        tx.session.flush()
        tx.session.add_all(
            Client(generation_id=left.generation_id, **client_row(client_id=f"k{n}"))
            for n in range(20)
        )


def _entries(world: World) -> None:
    """More entries of evidence than one step of the sequencer takes."""
    with world.desk.tx() as tx:
        for number in range(50):
            record(
                tx, SYSTEM, EvidenceKind.SETTING_CHANGED, subject=f"s{world.turn}.{number}",
                data={"n": number},
            )  # fmt: skip
    world.now.move(seconds=2)


def _catch_up(world: World) -> None:
    _entries(world)
    with world.desk.tx() as tx:
        enqueue(tx, "evidence.catch-up", {})


def _part(world: World) -> None:
    """A sweep whose beginning is done."""
    world.republish()
    with world.desk.tx() as tx:
        number = current(tx)
        assert cancel(tx, f"alert.sweep:{number}")
        payload = {"generation_id": number, "after": None, "rest": False}
        enqueue(tx, "alert.sweep-part", payload, key=f"alert.sweep:{number}:part")


def _next_minute(world: World) -> None:
    """Time for what recurs every few seconds."""
    _ask(world)
    world.now.move(minutes=2)


def _unanswered(world: World) -> None:
    _ask(world, acknowledged=False)
    world.now.move(seconds=10)


def _prove(world: World) -> None:
    """A proof over the hold-out; the lake of this desk has too few days for one."""
    with world.desk.tx() as tx:
        ask_for_proof(tx, SYSTEM)


def _figures(world: World) -> None:
    """Key figures of all months, anew."""
    with world.desk.tx() as tx:
        enqueue(tx, "kpi.compute", {"again": True}, key="kpi.compute")


def _unusual(world: World) -> None:
    """What the monitors of another process found, for the desk to bring in."""
    at = world.now()
    day = at.date() - timedelta(days=1)
    found = Finding(
        "trade", MonitorKind.UNITS, "amount", day, day, 1e6, 1e4, 120, 100.0, "trades", "m1"
    )
    # This desk's lake is too small to be judged: the next look closes what this one opens.
    settle(world.desk.frame.workspace, [found], at)
    world.now.move(minutes=10)


def _tick(world: World) -> None:
    """Recurring work whose tick is all it needs."""


GIVE: dict[str, Callable[[World], object]] = {
    "access.prune": _old_access,
    "alert.release": _room,
    "alert.release-for": _release_for,
    "alert.release-more": _release_more,
    "alert.sweep": World.republish,
    "alert.sweep-part": _part,
    "alert.wake": _snooze,
    "book.sweep": _old_generations,
    "case.drop-plans": _plans,
    "case.lend": World.republish,
    "case.sweep-files": _files,
    "clock.tick": _open_cases,
    "event.apply": _ask,
    "event.drain": _next_minute,
    "event.recover": _unanswered,
    "evidence.catch-up": _catch_up,
    "evidence.sequence": _entries,
    "exit.consequence": _leave,
    "exit.unsettled": _left_unsettled,
    "incident.watch": _unusual,
    "jobs.prune": _old_jobs,
    "kept.prove": _prove,
    "kpi.compute": _figures,
    "kpi.daily": _tick,
    "kpi.report": _tick,
    "notice.prune": _old_notices,
    "rule.complaint-overdue": _complain,
    "webhook.clean": _old_messages,
    "webhook.deliver": _open_cases,
}
"""How to make work for each kind."""
