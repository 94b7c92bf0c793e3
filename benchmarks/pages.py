"""What the workbench's pages cost: server time, weight, first paint, and streams that are idle.

    python benchmarks/pages.py [--clients 100000] [--cases 20000] [--workspace DIR] [--markdown]

Without a workspace a desk is filled as for benchmarks/desk.py, on SQLite; with one, such as
build/world after `make demo-world`, pages are measured with everything that panels hold.
Server and client share the machine. Times are of whole requests over loopback, one at a time.
CPU is the server's own for one request, mean; what else the machine does is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil
from desk import database, server
from desk_fill import fill
from sqlalchemy import select

from keepwell.core.ids import new_id
from keepwell.frame.context import Frame
from keepwell.frame.settings import Settings
from keepwell.intervene.case.model import Case
from keepwell.trust.access.model import ApiToken, Staff, Team, User
from keepwell.trust.access.policy import GRANTS, Role
from keepwell.web.pages.assets import assets

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks-pages.md"
PORT = 8797
WANTED_MS = 150
WANTED_KB = 150
WANTED_CHART_KB = 520

VISITS: dict[str, tuple[Role, str]] = {
    "Today (manager)": (Role.MANAGER, "/today"),
    "Today (lead)": (Role.LEAD, "/today"),
    "Today (director)": (Role.DIRECTOR, "/today"),
    "Client": (Role.MANAGER, "/clients/{client}"),
    "Side panel": (Role.MANAGER, "/panel/clients/{client}"),
    "Case": (Role.MANAGER, "/cases/{case}"),
    "Client list (manager)": (Role.MANAGER, "/clients"),
    "Client list (all)": (Role.ANALYST, "/clients"),
    "Client list (by assets)": (Role.DIRECTOR, "/clients?sort=-assets"),
    "Client list (one tier)": (Role.ANALYST, "/clients?tier=moderate"),
    "Team (lead)": (Role.LEAD, "/team"),
    "Team (director)": (Role.DIRECTOR, "/team"),
    "Insight (director)": (Role.DIRECTOR, "/insight"),
    "Insight (analyst)": (Role.ANALYST, "/insight"),
    "Data": (Role.ANALYST, "/data"),
    "Evidence": (Role.COMPLIANCE, "/evidence"),
    "Admin: users": (Role.ADMIN, "/admin/users"),
    "Admin: settings": (Role.ADMIN, "/admin/settings"),
    "My account": (Role.MANAGER, "/account"),
    "Notices": (Role.MANAGER, "/notices"),
}
"""Page to who opens it and where."""


@dataclass(frozen=True)
class Cost:
    """What a page costs.

    Attributes:
        name: the page.
        p50: median time, ms.
        p95: ms.
        cpu: of the server for one request, mean, ms; other work on the machine does not count.
        own_kb: the page itself, gzip.
        first_kb: with all its files, gzip, nothing cached.
        charts: whether it loads the chart library.
    """

    name: str
    p50: float
    p95: float
    cpu: float
    own_kb: float
    first_kb: float
    charts: bool


def people(frame: Frame) -> tuple[dict[Role, str], dict[str, str]]:
    """A token for one person of each role; ids of a case and its client in the manager's book."""
    made: dict[Role, str] = {}
    with frame.write() as tx:
        case = tx.session.scalars(
            select(Case).where(Case.live, Case.owner_id.is_not(None)).order_by(Case.case_id)
        ).first()
        assert case is not None
        manager = tx.session.get_one(Staff, case.owner_id)
        team = tx.session.scalars(select(Team).order_by(Team.team_id)).first()
        if manager.team_id is None and team is not None:
            for staff in tx.session.scalars(select(Staff).where(Staff.team_id.is_(None)).limit(8)):
                staff.team_id, staff.branch_id = team.team_id, team.branch_id
            manager.team_id, manager.branch_id = team.team_id, team.branch_id
        for role in (*Role,):
            if role in (Role.INTEGRATION, Role.ADVISER):
                continue
            made[role] = _person(tx, role, manager)
    return made, {"case": case.case_id, "client": case.client_id}


def _person(tx: Any, role: Role, manager: Staff) -> str:
    grant = GRANTS[role]
    name = f"pages-{role}"
    staff: str | None = None
    if role is Role.MANAGER:
        user = tx.session.scalars(select(User).where(User.staff_id == manager.staff_id)).first()
        staff = manager.staff_id
    else:
        user = None
        if role in (Role.LEAD, Role.DIRECTOR):
            staff = name
            known = tx.session.get(Staff, name)
            region = tx.session.scalars(select(Staff.region_id).where(Staff.region_id.is_not(None)))
            if known is None:
                tx.session.add(
                    Staff(
                        staff_id=name, name=name, role=role, active=True,
                        team_id=manager.team_id if role is Role.LEAD else None,
                        branch_id=manager.branch_id if role is Role.LEAD else None,
                        region_id=(region.first() or _region(tx, manager))
                        if role is Role.DIRECTOR else None,
                    )
                )  # fmt: skip
                tx.session.flush()
    if user is None:
        user = tx.session.scalars(select(User).where(User.login == name)).first()
    if user is None:
        user = User(
            user_id=new_id("user", tx.at), login=name, name=name, role=role, scope=grant.scope,
            staff_id=staff, created_at=tx.at,
        )  # fmt: skip
        tx.session.add(user)
        tx.session.flush()
    secret = new_id("pages", tx.at)
    tx.session.add(
        ApiToken(
            token_id=new_id("token", tx.at), user_id=user.user_id, name="benchmark",
            prefix="kw_pages", digest=hashlib.sha256(secret.encode()).digest(),
            permissions=sorted(grant.permissions), created_at=datetime.now(UTC),
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )
    )  # fmt: skip
    return secret


def _region(tx: Any, manager: Staff) -> str | None:
    from keepwell.trust.access.model import Branch

    branch = tx.session.get(Branch, manager.branch_id) if manager.branch_id else None
    return branch.region_id if branch else None


def visit(
    process: psutil.Process, tokens: dict[Role, str], ids: dict[str, str], rounds: int
) -> list[Cost]:
    """Ask for every page some times, in turn, and weigh it."""
    base = f"http://127.0.0.1:{PORT}"
    seconds: dict[str, list[float]] = {name: [] for name in VISITS}
    spent = dict.fromkeys(VISITS, 0.0)
    bodies: dict[str, bytes] = {}
    clients = {role: httpx2.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60)
               for role, token in tokens.items()}  # fmt: skip
    for number in range(rounds + 2):
        for name, (role, path) in VISITS.items():
            before = sum(process.cpu_times()[:2])
            begun = time.perf_counter()
            answer = clients[role].get(base + path.format(**ids))
            taken = time.perf_counter() - begun
            if answer.status_code != 200:
                raise SystemExit(f"{name}: {answer.status_code} {answer.text[:300]}")
            if number >= 2:  # the first fill caches and prepare statements
                seconds[name].append(taken * 1000)
                spent[name] += sum(process.cpu_times()[:2]) - before
            bodies[name] = answer.content
    return [
        weigh(name, np.array(seconds[name]), spent[name] / rounds * 1000, bodies[name])
        for name in VISITS
    ]


def weigh(name: str, times: np.ndarray, cpu: float, body: bytes) -> Cost:
    """Times and weight of one page."""
    own = len(gzip.compress(body, 4)) / 1024
    by_url = {asset.url: asset for asset in assets().values()}
    asked = {url.partition("#")[0] for url in re.findall(r'"(/static/[^"]+)"', body.decode())}
    files = sum(len(by_url[url].packed) for url in asked) / 1024
    return Cost(
        name, float(np.median(times)), float(np.quantile(times, 0.95)), cpu, own, own + files,
        "echarts" in body.decode(),
    )  # fmt: skip


def first_paint(token: str, path: str, tries: int = 5) -> float | None:
    """Median of the first contentful paint in a Chromium with an empty cache, ms."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(tries):
            context = browser.new_context(extra_http_headers={"Authorization": f"Bearer {token}"})
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{PORT}{path}")
            page.wait_for_timeout(500)
            script = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            found.append(float(page.evaluate(script)))
            context.close()
        browser.close()
    return float(np.median(found))


async def idle_streams(process: psutil.Process, token: str, count: int, seconds: float) -> float:
    """Share of a core that the server uses while so many streams are open and nothing happens."""
    request = (
        f"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()
    streams = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise SystemExit(head.decode())
        streams.append((reader, writer))
    await asyncio.sleep(3)
    before = sum(process.cpu_times()[:2])
    await asyncio.sleep(seconds)
    spent = float(sum(process.cpu_times()[:2]) - before)
    for _, writer in streams:
        writer.close()
    return spent / seconds


@contextmanager
def filled(args: argparse.Namespace) -> Iterator[tuple[Path, str]]:
    """Folder above the workspace `ws`, and the database's URL."""
    with database("sqlite") as (root, url):
        if args.workspace is None:
            fill(root, url, args.clients, args.cases)
            yield root, url
            return
        shutil.copytree(args.workspace, root / "ws")
        yield root, f"sqlite:///{root / 'ws' / '.keepwell' / 'desk.sqlite'}"


def table(costs: list[Cost]) -> list[str]:
    """The costs as rows of Markdown."""
    lines = [
        "| page | p50 ms | p95 ms | CPU ms | page KB | first load KB |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.name} | {c.p50:.0f} | {c.p95:.0f} | {c.cpu:.0f} | {c.own_kb:.1f} | "
        f"{c.first_kb:.0f}{' with charts' if c.charts else ''} |"
        for c in costs
    ]
    slow = [c.name for c in costs if c.p95 > WANTED_MS]
    heavy = [c.name for c in costs if c.first_kb > (WANTED_CHART_KB if c.charts else WANTED_KB)]
    lines += [
        "",
        (
            f"Wanted: p95 at most {WANTED_MS} ms; over it: {', '.join(slow) or 'none'}. Wanted: "
            f"{WANTED_KB} KB gzip without charts, {WANTED_CHART_KB} KB with; "
            f"over it: {', '.join(heavy) or 'none'}."
        ),
    ]
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; with --markdown also write docs/reference/benchmarks-pages.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args(argv)
    with filled(args) as (root, url):
        frame = Frame.open(root / "ws", Settings(database_url=url))
        tokens, ids = people(frame)
        frame.close()
        with server("desk", root, url, PORT) as process:
            socket.create_connection(("127.0.0.1", PORT)).close()
            costs = visit(process, tokens, ids, args.rounds)
            paint = first_paint(tokens[Role.MANAGER], "/today")
            share = asyncio.run(idle_streams(process, tokens[Role.MANAGER], args.streams, 20))
    what = (
        f"{args.workspace}" if args.workspace else f"{args.clients:,} clients, {args.cases:,} cases"
    )
    lines = [f"## {what}, SQLite", "", *table(costs), ""]
    if paint is not None:
        lines.append(f"Today, first contentful paint in Chromium, empty cache: {paint:.0f} ms "
                     "(median of 5; wanted 1,000).")  # fmt: skip
    lines.append(
        f"{args.streams} open streams, nothing happening: {share:.1%} of a core (wanted 5 %)."
    )
    print("\n".join(lines))
    if args.markdown:
        load = " ".join(f"{v:.1f}" for v in psutil.getloadavg())
        head = [
            "# Benchmark: pages of the workbench", "", __doc__.split("\n\n")[2].strip(), "",
            (f"Measured {datetime.now(UTC):%Y-%m-%d} on {psutil.cpu_count()} cores, load average "
            f"{load} (`make pages`)."), "",
        ]  # fmt: skip
        PAGE.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
