"""What must be true of a desk whose workers were killed, when all is done."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

from sqlalchemy import func, select

from keepwell.intervene.alert.model import Alert, AlertSignal, Treatment
from keepwell.intervene.alert.policy import SEEN, Decision, Status
from keepwell.intervene.case import repo as case_repo
from keepwell.intervene.case import storage
from keepwell.intervene.case.model import Case, CaseEvent, Reassignment
from keepwell.intervene.clock.calendars import calendar_of
from keepwell.intervene.clock.model import Clock, ClockEvent
from keepwell.intervene.event.model import EventBatch
from keepwell.intervene.exit.model import ExitRequest
from keepwell.intervene.kpi.making import MONTHS
from keepwell.intervene.kpi.model import KpiReport, KpiValue
from keepwell.intervene.notice.model import Notice
from keepwell.intervene.rule.model import Complaint, RuleSignal
from keepwell.intervene.webhook.model import WebhookDelivery, WebhookMessage
from keepwell.jobs.model import Job, JobState
from keepwell.trust.access.model import IdempotencyKey, LoginFailure
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import Client, ClientGrant, Generation
from keepwell.trust.evidence.bundle import verify_bundle
from keepwell.trust.evidence.export import Wanted, export
from keepwell.trust.evidence.model import EvidenceEntry, EvidenceLeaf, EvidencePending

from .desk_work import World


def once(names) -> None:
    """No name twice."""
    twice = {name: n for name, n in Counter(names).items() if n > 1}
    assert not twice, twice


class Truth:
    """The database at the end, looked at from every side."""

    def __init__(self, world: World, tx, got: list[tuple[dict[str, str], str]]) -> None:
        self.world, self.tx, self.got = world, tx, got
        self.entries = defaultdict(Counter)
        for kind, subject in tx.session.execute(select(EvidenceEntry.kind, EvidenceEntry.subject)):
            self.entries[kind][subject] += 1
        self.messages = defaultdict(Counter)
        for message in self.all(WebhookMessage):
            body = json.loads(message.body)
            if "data" in body:
                self.messages[message.event][body["data"]["subject"]] += 1

    def all(self, model, *where):
        return self.tx.session.scalars(select(model).where(*where)).all()

    def nothing_left(self) -> None:
        """No job is dead, held, or due."""
        bad = self.all(Job, Job.state.in_((JobState.DEAD, JobState.RUNNING)))
        assert not bad, [(j.kind, j.state, j.error) for j in bad]
        late = self.all(Job, Job.state == JobState.WAITING, Job.due_at <= self.tx.at)
        assert not late, [(j.kind, j.error) for j in late]

    def alerts(self) -> None:
        """Each alert is told of, treated and brought into a case once."""
        signals = Counter(self.tx.session.scalars(select(AlertSignal.alert_id)))
        treated = defaultdict(Counter)
        for t in self.all(Treatment):
            treated[t.alert_id][t.decision] += 1
        everything = self.all(Alert)
        assert len(everything) > 20
        once((a.client_id, a.reason) for a in everything if a.status != Status.CLOSED)
        raised = self.entries["alert.raised"]
        for a in everything:
            name = (a.alert_id, a.reason, a.status)
            assert a.signals == signals[a.alert_id], name
            shown = treated[a.alert_id][Decision.SHOWN] + treated[a.alert_id][Decision.EXEMPT]
            assert shown == raised[a.alert_id] == (a.shown_at is not None), name
            assert self.messages["alert.raised"][a.alert_id] == shown, name
            assert treated[a.alert_id][Decision.HELD_BACK] <= 1, name
            # In evidence the hold-out looks like the ceiling, so that no reader can tell.
            waits = treated[a.alert_id][Decision.HELD_BACK] + treated[a.alert_id][Decision.HELD_OUT]
            assert self.entries["alert.held-back"][a.alert_id] == waits, name
            assert treated[a.alert_id][Decision.HELD_OUT] <= 1, name
            assert (a.case_id is not None) == (a.shown_at is not None), name
            if a.status in SEEN:
                assert self.tx.session.get(Case, a.case_id) is not None, name
            undecided = a.status == Status.HELD_BACK and a.held_at is None
            assert not undecided, name
        treatments = set(self.tx.session.scalars(select(Treatment.treatment_id)))
        assert self.entries["treatment.assigned"] == dict.fromkeys(treatments, 1)
        assert self.world.snoozed
        slept = Counter(self.world.snoozed)
        assert self.entries["alert.snoozed"] == slept
        assert self.entries["alert.woken"] == self.messages["alert.woken"] == slept

    def figures(self) -> None:
        """A value of a key figure is stored again only when it differs; one report was written."""
        values = defaultdict(dict)
        for v in sorted(self.all(KpiValue), key=lambda v: v.revision):
            values[v.kpi_id, v.version, v.month][v.revision] = (v.value, v.low, v.n, v.absent)
        # One more than are filled at once: in the days of the test another month was complete.
        assert len({month for _, _, month in values}) in (MONTHS, MONTHS + 1)
        for name, said in values.items():
            assert list(said) == list(range(1, len(said) + 1)), name
            assert all(said[n] != said[n + 1] for n in range(1, len(said))), name
        reports = dict.fromkeys((r.report_id for r in self.all(KpiReport)), 1)
        assert len(reports) == 1
        assert self.entries["report.made"] == reports

    def cases(self) -> None:
        """One case per client and reason, opened once; its history has no gap."""
        everything = self.all(Case)
        once((c.client_id, c.reason) for c in everything if c.live)
        names = dict.fromkeys((c.case_id for c in everything), 1)
        assert self.entries["case.opened"] == self.messages["case.opened"] == names
        assert set(self.world.opened) <= set(names)
        history = defaultdict(list)
        for e in self.all(CaseEvent):
            history[e.case_id].append((e.number, e.kind))
        for c in everything:
            numbers = [number for number, _ in history[c.case_id]]
            once(numbers)
            assert [k for _, k in history[c.case_id]].count("opened") == 1
        # Lent to whoever is not the client's manager, once.
        assert case_repo.strangers(self.tx, 1000) == []
        grants = Counter(
            g.source.removeprefix("case:")
            for g in self.all(ClientGrant, ClientGrant.source.like("case:%"))
        )
        granted = self.entries["client.granted"] - self.entries["client.ungranted"]
        assert granted == grants
        assert not self.all(Reassignment, Reassignment.batch_id.is_(None))
        kept = {path.name for path in storage.kept(self.world.desk.frame)}
        assert kept == set(self.world.attached)

    def clocks(self) -> None:
        """Each step of each clock happened once, was recorded once and told once."""
        log = defaultdict(list)
        for e in self.all(ClockEvent):
            log[e.clock_id].append(e)
        per_kind = defaultdict(Counter)
        seen = Counter()
        for clock in self.all(Clock):
            mine = sorted(log[clock.clock_id], key=lambda e: e.number)
            assert [e.number for e in mine] == list(range(1, len(mine) + 1))
            assert clock.version == len(mine)
            once(e.data["step"] for e in mine if "step" in e.data)
            for e in mine:
                per_kind[e.kind][clock.clock_id] += 1
                seen[e.kind] += 1
            assert per_kind["breached"][clock.clock_id] == clock.late
        assert min(seen[k] for k in ("warned", "breached", "escalated")) > 3, seen
        for kind, counts in per_kind.items():
            expected = {name: n for name, n in counts.items() if n}
            assert self.entries[f"clock.{kind}"] == expected, kind
        for kind in ("warned", "breached", "escalated"):
            expected = {name: n for name, n in per_kind[kind].items() if n}
            assert self.messages[f"clock.{kind}"] == expected, kind
        once(
            (n.staff_id, n.user_id, n.kind, n.subject, json.dumps(n.data, sort_keys=True))
            for n in self.all(Notice, Notice.kind.like("clock-%"))
        )
        once(
            (n.staff_id, n.subject)
            for n in self.all(Notice, Notice.kind == "alert-raised", Notice.data != {})
        )

    def exits(self) -> None:
        """What each request meant for the other rooms happened once, whoever failed or died."""
        requests = {r.request_id: r for r in self.all(ExitRequest)}
        assert set(requests) == {*self.world.leaving, *self.world.unsettled}
        names = dict.fromkeys(requests, 1)
        assert self.entries["exit.requested"] == self.messages["exit.requested"] == names
        alerts = self.all(Alert, Alert.reason == "exit-request")
        assert {a.client_id: a.signals for a in alerts} == dict.fromkeys(
            (r.client_id for r in requests.values()), 1
        )
        risky = {c.client_id: c for c in self.all(Case, Case.reason == "risk")}
        for name in self.world.leaving:
            case = risky[requests[name].client_id]
            limited = self.all(
                CaseEvent, CaseEvent.case_id == case.case_id, CaseEvent.kind == "limited"
            )
            assert (case.retention, len(limited)) == ("once", 1)
        self._pages()

    def _pages(self) -> None:
        """Compliance hears of each unsettled request, and again so many trading days later."""
        days = calendar_of(self.world.desk.frame, "exchange")
        wait = self.world.desk.frame.settings.clock.exit_settle_days
        told = defaultdict(list)
        for notice in self.all(Notice, Notice.kind == "exit-unsettled"):
            told[notice.subject].append(notice.at)
        assert self.world.unsettled
        for name in self.world.unsettled:
            times = sorted(told[name])
            assert times, name
            following = [days.add_days(at, wait) for at in times]
            assert all(due <= at for due, at in zip(following[:-1], times[1:], strict=True)), times
            [job] = self.all(Job, Job.kind == "exit.unsettled", Job.state == JobState.WAITING,
                             Job.payload["request_id"].as_string() == name)  # fmt: skip
            assert job.due_at == following[-1], name

    def events(self) -> None:
        """Every batch was applied once and is in the lake once."""
        batches = self.all(EventBatch)
        assert len(batches) == self.world.batches
        assert all(b.applied_at is not None for b in batches)
        asked = self.all(RuleSignal, RuleSignal.table_name == "contact")
        assert len(asked) == len(self.world.asked)
        closing = select(func.count()).select_from(AlertSignal)
        found = self.tx.session.scalar(closing.where(AlertSignal.source == "closing-question"))
        # Those who asked to leave or are held out keep no alert: each signal is logged or kept.
        kept_none = self.tx.session.scalar(
            select(func.count())
            .select_from(Treatment)
            .where(Treatment.reason == "closing-question", Treatment.alert_id.is_(None))
        )
        assert found + kept_none == len(asked)
        complaints = self.all(Complaint)
        assert {c.complaint_id for c in complaints} == set(self.world.complaints)
        assert all(c.overdue_at is not None for c in complaints)
        overdue = closing.where(AlertSignal.source == "complaint-overdue")
        assert self.tx.session.scalar(overdue) == len(complaints)
        lake = self.world.desk.frame.workspace.lake
        with lake.connect(lake.manifest()) as engine:
            for table, key, sent in (
                ("contact", "contact_id", self.world.asked),
                ("trade", "trade_id", self.world.trades),
                ("complaint", "complaint_id", self.world.complaints),
            ):
                rows = [r[0] for r in engine.sql(f"select {key} from {table}").fetchall()]
                assert sorted(rows) == sorted(sent), table

    def webhooks(self) -> None:
        """Every message arrived, repeats with the same id and body."""
        messages = self.all(WebhookMessage)
        assert all(m.state == "delivered" for m in messages), Counter(m.state for m in messages)
        arrived = defaultdict(set)
        for headers, body in self.got:
            arrived[headers["webhook-id"]].add(body)
        assert all(len(bodies) == 1 for bodies in arrived.values())
        assert {m.message_id: {m.body} for m in messages} == dict(arrived)
        deliveries = Counter((d.message_id, d.number) for d in self.all(WebhookDelivery))
        once(deliveries.elements())

    def pruned(self) -> None:
        """What was old is gone, what was fresh is there."""
        assert not self.all(IdempotencyKey, IdempotencyKey.key.like("old%"))
        assert not self.all(LoginFailure, LoginFailure.subject.like("login:old%"))
        assert not self.all(Notice, Notice.subject.like("old-%"))
        assert not self.all(WebhookMessage, WebhookMessage.message_id.like("old%"))
        assert not [j for j in self.all(Job, Job.kind == "event.apply") if "old" in j.payload]
        assert self.all(Notice, Notice.subject.like("fresh-%"))
        generations = {g.generation_id for g in self.all(Generation, Generation.state != "gone")}
        with_rows = set(self.tx.session.scalars(select(Client.generation_id).distinct()))
        assert with_rows <= generations
        assert len(with_rows) <= 2

    def evidence(self, folder: Path) -> None:
        """The log holds every entry once and verifies."""
        assert not self.all(EvidencePending)
        leaves = self.tx.session.scalar(select(func.count()).select_from(EvidenceLeaf))
        assert leaves == sum(sum(counts.values()) for counts in self.entries.values())


def verify(world: World, folder: Path) -> None:
    bundle = folder / "evidence.zip"
    export(world.desk.frame, SYSTEM, bundle, Wanted())
    found = verify_bundle(bundle)
    assert found.valid, found.findings
