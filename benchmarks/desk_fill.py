"""A desk full of clients, cases and alerts for the benchmark."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from keepwell import rooms
from keepwell.frame.context import Frame
from keepwell.frame.database import Base
from keepwell.frame.migrate import migrate
from keepwell.frame.settings import Settings
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.case.model import Case, CaseEvent
from keepwell.trust.access.model import ApiToken, Branch, Region, Staff, Team, User
from keepwell.trust.access.policy import GRANTS, Role
from keepwell.trust.book.model import Client, Generation, Pointer

PROGRAM = "load"
"""Login of a program that records exits and sends events."""

BOOK = 400
"""Clients per manager."""

YAML = """\
version: 1
name: benchmark
timezone: Asia/Shanghai
currency: CNY
sources:
  trades: {path: trades.csv}
tables:
  trade:
    sql: select trade_id, client_id, cast("at" as timestamptz) as at, 'buy' as side from trades
    covers: [["2025-01-01", null]]
"""
REASONS: list[Any] = [
    {"code": "trading.less", "cause": "behaviour", "points": 0.8, "facts": {"now": 3, "usual": 11}},
    {"code": "app.less", "cause": "behaviour", "points": 0.4, "facts": {"now": 1, "usual": 6}},
]


@dataclass(frozen=True)
class Filled:
    """What the load needs to know.

    Attributes:
        managers: ids of those whose requests are sent.
        tokens: API token of each, and of `PROGRAM`.
        own: some pairs of a case and its client in each one's book.
    """

    managers: list[str]
    tokens: dict[str, str]
    own: dict[str, list[tuple[str, str]]]


def fill(root: Path, url: str, clients: int, cases: int) -> Filled:
    """Migrate the database and fill it.

    Args:
        root: folder for the workspace `ws`.
        url: of an empty database.
        clients: in the generation in force.
        cases: live ones, spread evenly, each with an alert.
    """
    folder = root / "ws"
    folder.mkdir()
    (folder / "keepwell.yaml").write_text(YAML, "utf-8")
    (folder / "trades.csv").write_text("trade_id,client_id,at\n", "utf-8")
    rooms.load_all()
    frame = Frame.open(folder, Settings(database_url=url))
    migrate(frame)
    managers = [f"M{i:04d}" for i in range(max(clients // BOOK, 1))]
    _staff(frame, managers)
    _clients(frame, managers, clients)
    own = _cases(frame, managers, clients, cases)
    with frame.database.engine.connect() as connection:
        connection.exec_driver_sql("analyze")
        connection.commit()
    frame.close()
    asked = managers[:: max(len(managers) // 50, 1)]
    return Filled(asked, {m: _token(m) for m in [*asked, PROGRAM]}, {m: own[m][:10] for m in asked})


def _token(manager: str) -> str:
    return f"kw_benchmark_{manager}"


def _put(frame: Frame, table: type[Base], rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), 5_000):
        with frame.write() as tx:
            tx.session.execute(insert(table), rows[start : start + 5_000])


def _staff(frame: Frame, managers: list[str]) -> None:
    now = datetime.now(UTC)
    place = {"team_id": None, "branch_id": None, "region_id": None, "capacity": None}
    grant = GRANTS[Role.MANAGER]
    _put(frame, Region, [{"region_id": "R", "name": "R"}])
    _put(frame, Branch, [{"branch_id": "B", "name": "B", "region_id": "R"}])
    _put(frame, Team, [{"team_id": "T", "name": "T", "branch_id": "B"}])
    _put(
        frame, Staff,
        [place | {"staff_id": m, "name": m, "role": "manager", "active": True} for m in managers],
    )  # fmt: skip
    _put(
        frame, User,
        [
            {
                "user_id": f"user_{m}", "login": m, "name": m, "role": "manager",
                "scope": grant.scope.value, "staff_id": m, "created_at": now,
            }
            for m in managers
        ],
    )  # fmt: skip
    program = GRANTS[Role.INTEGRATION]
    _put(
        frame, User,
        [
            {
                "user_id": f"user_{PROGRAM}", "login": PROGRAM, "name": PROGRAM,
                "role": "integration", "scope": program.scope.value, "created_at": now,
            }
        ],
    )  # fmt: skip
    grants = [(m, grant) for m in managers] + [(PROGRAM, program)]
    _put(
        frame, ApiToken,
        [
            {
                "token_id": f"token_{m}", "user_id": f"user_{m}", "name": "load",
                "prefix": "kw_bench", "digest": hashlib.sha256(_token(m).encode()).digest(),
                "permissions": sorted(given.permissions), "created_at": now,
                "expires_at": now + timedelta(days=30),
            }
            for m, given in grants
        ],
    )  # fmt: skip


def _clients(frame: Frame, managers: list[str], clients: int) -> None:
    now = datetime.now(UTC)
    with frame.write() as tx:
        generation = Generation(
            as_of=now, model_version="load", manifest=1, state="current", clients=clients,
            scored=clients, created_at=now, published_at=now,
        )  # fmt: skip
        tx.session.add(generation)
        tx.session.flush()
        tx.session.add(Pointer(one=1, generation_id=generation.generation_id))
        number = generation.generation_id
    rows = []
    for i in range(clients):
        score = (i * 7919 % 10_000) / 100
        tier = "severe" if score >= 90 else "moderate" if score >= 76 else "mild"
        rows.append(
            {
                "generation_id": number, "client_id": f"C{i:07d}", "name": "客户",
                "manager_id": managers[i % len(managers)], "branch_id": "B", "status": "open",
                "birth_year": 1990, "region": "R", "risk_level": "C3",
                "assets": 10_000_000 + i * 131, "note": "scored", "score": score,
                "rank_score": score, "probability": score / 200, "coverage": 0.9,
                "tier": tier if score >= 60 else "none", "reasons": REASONS,
            }
        )  # fmt: skip
    _put(frame, Client, rows)


def _cases(
    frame: Frame, managers: list[str], clients: int, cases: int
) -> dict[str, list[tuple[str, str]]]:
    own: dict[str, list[tuple[str, str]]] = {m: [] for m in managers}
    now = datetime.now(UTC)
    opened, events, alerts = [], [], []
    for i in range(cases):
        client = i * 7919 % clients  # a prime stride meets every client once
        manager, case_id = managers[client % len(managers)], f"case_{i:026d}"
        client_id, at = f"C{client:07d}", now - timedelta(minutes=i % 10_000)
        own[manager].append((case_id, client_id))
        opened.append(
            {
                "case_id": case_id, "client_id": client_id, "reason": "risk", "tier": "moderate",
                "urgency": 1, "state": "open", "live": True, "owner_id": manager, "level": 0,
                "alerts": 1, "alert_id": f"alert_{i:026d}", "opened_at": at, "state_at": at,
                "next_due_at": at + timedelta(hours=8),
            }
        )  # fmt: skip
        events.append(
            {
                "event_id": f"event_{i:026d}", "case_id": case_id, "number": 1, "at": at,
                "actor_id": "system", "kind": "opened", "old": {}, "new": {}, "reason": "",
            }
        )  # fmt: skip
        alerts.append(
            {
                "alert_id": f"alert_{i:026d}", "client_id": client_id, "reason": "risk",
                "status": "shown", "tier": "moderate", "tier_rank": 2, "weight": float(i),
                "score": 80.0, "owner_id": manager, "case_id": case_id, "period": "2026",
                "raised_at": at, "signal_at": at, "shown_at": at, "shown_day": at.date(),
            }
        )  # fmt: skip
    _put(frame, Case, opened)
    _put(frame, CaseEvent, events)
    _put(frame, Alert, alerts)
    return own
