"""A desk for tests: a fake source of time, people of every role, a book, HTTP clients."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import anyio
from anyio.from_thread import BlockingPortal
from sqlalchemy import (
    URL,
    Engine,
    NullPool,
    StaticPool,
    create_engine,
    event,
    insert,
    make_url,
    text,
)
from sqlalchemy.exc import DBAPIError

from keepwell import rooms
from keepwell.frame import database
from keepwell.frame.context import Frame
from keepwell.frame.database import Base, Tx
from keepwell.frame.settings import Settings
from keepwell.observe.workspace import Workspace
from keepwell.trust.access.model import ApiToken, Branch, Region, Staff, Team, User
from keepwell.trust.access.policy import GRANTS, Actor, Role
from keepwell.trust.book.model import Client, Generation, Pointer

# Most tests write one at a time: nobody waits for the gap that a long transaction leaves.
GAPS_AFTER = database.LONG
database.LONG = float("inf")  # type: ignore[misc]

_FIRST: dict[str, Engine] = {}


def _alike(url: URL, **options: object) -> Engine:
    """An engine that knows every statement which an earlier one of its kind has compiled.

    Each test opens a desk of its own; to compile all its statements anew takes longer than to run
    them.
    """
    engine = create_engine(url, **options)
    first = _FIRST.setdefault(url.get_backend_name(), engine)
    if first.dialect.server_version_info is None:  # it has never reached its database
        _FIRST[url.get_backend_name()] = engine
    else:
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine


database.create_engine = _alike


def _hurry(connection: sqlite3.Connection, _record: object) -> None:
    """What a power cut would do is not seen by tests in one process: none waits for the disk."""
    connection.execute("pragma synchronous=off")


# Chosen so that the hold-out, when it draws c0 to c29 one by one, leaves them all to be contacted:
# what a test shows does not hang on a draw.
SECRET = hashlib.sha256(b"tests 17").digest()

# A Wednesday, 10:00 in Shanghai: exchange and office are open.
START = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)

YAML = """\
version: 1
name: Test broker
timezone: Asia/Shanghai
currency: CNY
sources:
  trades: {path: trades.csv}
tables:
  trade:
    sql: select trade_id, client_id, cast("at" as timestamptz) as at, 'buy' as side from trades
    covers: [["2025-01-01", null]]
"""


def write_workspace(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "keepwell.yaml").write_text(YAML, "utf-8")
    (root / "trades.csv").write_text("trade_id,client_id,at\n", "utf-8")
    return root


def make_schema(url: str) -> None:
    """The schema as the models say; that the migrations make the same is tested of its own."""
    rooms.load_all()
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        Path(parsed.database or "").write_bytes(_empty_file())
        return
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()


@cache
def _empty_file() -> bytes:
    """A SQLite file with the whole schema: on a disk, each of its statements would wait for it."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        made: sqlite3.Connection = connection.connection.driver_connection
        content = made.serialize()
    engine.dispose()
    return content


def empty_tables(url: str) -> bool:
    """Delete every row of a PostgreSQL database, past triggers and keys; False if it is in use."""
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            sequences = text("select sequencename from pg_sequences where last_value is not null")
            used = connection.scalars(sequences).all()
            # All at once: a hundred statements of their own would take longer than most tests.
            connection.exec_driver_sql(";".join([
                "set local lock_timeout = '500ms'",
                "set local session_replication_role = replica",
                *(f'delete from "{t.name}"' for t in reversed(Base.metadata.sorted_tables)),
                *(f'alter sequence "{name}" restart' for name in used),
            ]))  # fmt: skip
    except DBAPIError:
        return False
    finally:
        engine.dispose()
    return True


class Ticker:
    """A source of time that moves only when told."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **by: float) -> datetime:
        """On by so many days, hours, minutes, seconds."""
        self.at += timedelta(**by)
        return self.at

    def set(self, at: datetime) -> datetime:
        assert at >= self.at, "time does not run backwards"
        self.at = at
        return at


@dataclass
class Desk:
    """An open desk and shortcuts to fill it.

    People: two regions (north, south), a branch each (bn, bs), teams tn1 and tn2 in bn, ts1 in bs.
    Managers m1, m2 in tn1, m3 in tn2, m4 in ts1; advisers a1 (bn), a2 (bs); leads l1 (tn1), l2
    (tn2), l3 (ts1); directors d1 (north), d2 (south). Users have the same names; others are
    compliance, analyst, admin, auditor, integration.
    """

    frame: Frame
    now: Ticker
    actors: dict[str, Actor] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path, url: str, now: Ticker, **settings: object) -> Desk:
        rooms.load_all()
        workspace = Workspace.open(root)
        workspace.state.mkdir(exist_ok=True)
        with suppress(FileExistsError), (workspace.state / "desk.secret").open("xb") as file:
            file.write(SECRET)
        chosen = Settings(database_url=url, session={"secure": False}, **settings)
        frame = Frame.open(workspace, chosen, now)
        if frame.database.is_sqlite:
            event.listen(frame.database.engine, "connect", _hurry)
        return cls(frame, now)

    def close(self) -> None:
        self.frame.close()

    @contextmanager
    def tx(self):
        with self.frame.write() as tx:
            yield tx

    def settle(self, rounds: int = 5_000) -> int:
        """Run every job that is due, until none is; how many ran."""
        from keepwell.jobs.worker import run_due

        return run_due(self.frame, rounds=rounds)

    def later(self, **by: float) -> int:
        """Move the time on and run what has become due."""
        self.now.move(**by)
        return self.settle()

    # People

    def staff_up(self) -> None:
        """Make the people described above."""
        services = ("compliance", "analyst", "admin", "auditor", "integration")
        people = [(name, role, name, *where) for name, role, *where in _PEOPLE]
        people += [(role, role, None, None, None, None) for role in services]
        staff = [
            {"staff_id": n, "name": f"Person {n}", "role": role, "active": True,
             "team_id": team, "branch_id": branch, "region_id": region}
            for n, role, known, team, branch, region in people if known
        ]  # fmt: skip
        with self.tx() as tx:
            # In a few statements: nearly every test begins with it.
            for table, rows in (
                (Region, [{"region_id": r, "name": r.title()} for r in ("north", "south")]),
                (Branch, [{"branch_id": b, "name": b, "region_id": r} for b, r in _BRANCHES]),
                (Team, [{"team_id": t, "name": t, "branch_id": b} for t, b in _TEAMS]),
                (Staff, staff),
                (User, [_user(tx, n, role, known) for n, role, known, *_ in people]),
                (ApiToken, [_token(tx, n, role) for n, role, *_ in people]),
            ):
                tx.session.execute(insert(table), rows)
        for name, role, known, team, branch, region in people:
            grant = GRANTS[Role(role)]
            self.actors[name] = Actor(
                f"user_{name}", f"Person {name}", Role(role), grant.scope, grant.permissions,
                known, team, branch, region, "token", grant.unmasked,
            )  # fmt: skip

    def another(self, name: str, role: str) -> None:
        """One more user with a token."""
        with self.tx() as tx:
            tx.session.execute(insert(User), [_user(tx, name, role, None)])
            tx.session.execute(insert(ApiToken), [_token(tx, name, role)])

    # The book

    def publish(self, clients: list[dict[str, object]], **generation: object) -> int:
        """A new generation with these clients, in force at once; keys as columns of `Client`."""
        with self.tx() as tx:
            new = Generation(
                as_of=tx.at,
                model_version="test",
                manifest=1,
                state="current",
                clients=len(clients),
                scored=len(clients),
                created_at=tx.at,
                published_at=tx.at,
            )
            for name, value in generation.items():
                setattr(new, name, value)
            tx.session.add(new)
            tx.session.flush()
            tx.session.add_all(
                Client(generation_id=new.generation_id, **client_row(**row)) for row in clients
            )
            tx.session.flush()
            pointer = tx.session.get(Pointer, 1)
            if pointer is None:
                tx.session.add(Pointer(one=1, generation_id=new.generation_id))
            else:
                pointer.generation_id = new.generation_id
            return new.generation_id

    def usual(self) -> int:
        """People, and eight clients: c1-c3 of m1, c4 of m2, c5 of m3, c6-c8 of m4."""
        self.staff_up()
        managers = ["m1", "m1", "m1", "m2", "m3", "m4", "m4", "m4"]
        return self.publish(
            [
                {
                    "client_id": f"c{i + 1}",
                    "manager_id": manager,
                    "adviser_id": "a2" if manager == "m4" else "a1",
                    "branch_id": "bs" if manager == "m4" else "bn",
                }
                for i, manager in enumerate(managers)
            ]
        )

    # HTTP

    @property
    def app(self):
        """The application, made once per process: a hundred endpoints take a second to describe."""
        from keepwell.web.app import create_app

        if not _APPLICATION:
            _APPLICATION.append(create_app(self.frame))
        _APPLICATION[0].state.frame = self.frame
        return _APPLICATION[0]

    def http(self, name: str | None = None, **headers: str):
        """An HTTP client of the application, in process, as one of the users (None: nobody)."""
        from starlette.testclient import TestClient

        if name is not None:
            headers["Authorization"] = f"Bearer {token_of(name)}"
        client = TestClient(
            self.app, base_url="http://127.0.0.1", headers=headers, raise_server_exceptions=False
        )
        client.portal = _portal()
        return client


_APPLICATION = []


@cache
def _portal() -> BlockingPortal:
    """One event loop for the requests of a process, as a server has: not one for each of them."""
    opened: Future[BlockingPortal] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            opened.set_result(portal)
            await portal.sleep_until_stopped()

    threading.Thread(target=anyio.run, args=(serve,), daemon=True).start()
    return opened.result()


_BRANCHES = (("bn", "north"), ("bs", "south"))
_TEAMS = (("tn1", "bn"), ("tn2", "bn"), ("ts1", "bs"))

_PEOPLE = [
    ("m1", "manager", "tn1", "bn", "north"), ("m2", "manager", "tn1", "bn", "north"),
    ("m3", "manager", "tn2", "bn", "north"), ("m4", "manager", "ts1", "bs", "south"),
    ("a1", "adviser", None, "bn", "north"), ("a2", "adviser", None, "bs", "south"),
    ("l1", "lead", "tn1", "bn", "north"), ("l2", "lead", "tn2", "bn", "north"),
    ("l3", "lead", "ts1", "bs", "south"), ("d1", "director", None, None, "north"),
    ("d2", "director", None, None, "south"),
]  # fmt: skip


def _user(tx: Tx, name: str, role: str, staff: str | None) -> dict[str, object]:
    return {
        "user_id": f"user_{name}", "login": name, "name": f"Person {name}", "role": role,
        "scope": GRANTS[Role(role)].scope.value, "staff_id": staff, "locale": "en",
        "active": True, "version": 1, "must_change": False, "created_at": tx.at,
    }  # fmt: skip


def _token(tx: Tx, name: str, role: str) -> dict[str, object]:
    return {
        "token_id": f"token_{name}", "user_id": f"user_{name}", "name": "test",
        "prefix": "kw_test", "digest": hashlib.sha256(token_of(name).encode()).digest(),
        "permissions": sorted(GRANTS[Role(role)].permissions), "created_at": tx.at,
        "expires_at": tx.at + timedelta(days=3650),
    }  # fmt: skip


def token_of(name: str) -> str:
    return f"kw_test_{name}"


def client_row(**given: object) -> dict[str, object]:
    """Columns of a client, the usual ones filled in: 500,000 CNY, score 80, moderate."""
    row: dict[str, object] = {
        "name": f"Client {given['client_id']}", "phone": "13800000000", "birth_year": 1990,
        "region": "Shanghai", "risk_level": "C3", "investor_class": "ordinary", "status": "open",
        "assets": 50_000_000, "note": "scored", "score": 80.0, "probability": 0.2, "coverage": 0.9,
        "tier": "moderate", "reasons": [],
    }  # fmt: skip
    row |= given
    if "rank_score" not in row:
        row["rank_score"] = -1.0 if row["score"] is None else row["score"]
    if row["reasons"]:
        row.setdefault("top_reason", row["reasons"][0].get("code"))
    return row


def on_sqlite(template: Path, folder: Path) -> Desk:
    """A desk on a copy of the empty SQLite database."""
    root = write_workspace(folder / "ws")
    file = root / ".keepwell" / "desk.sqlite"
    file.parent.mkdir()
    shutil.copy(template, file)
    return Desk.open(root, f"sqlite:///{file}", Ticker())


def opened(request, folder: Path):
    """What the fixture `desk` gives: a desk with an empty database of the kind asked for."""
    if request.param == "sqlite":
        made = on_sqlite(request.getfixturevalue("sqlite_template"), folder)
    else:
        root = write_workspace(folder / "ws")
        server = request.getfixturevalue("postgres")
        url = server.take()
        made = Desk.open(root, url, Ticker())
    yield made
    made.close()
    if request.param == "postgresql":
        server.give(url)
