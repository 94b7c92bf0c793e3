"""Three times the load that the server can take: what is refused, what is served, how it ends."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from desk_load import _answer, drive, get

CONNECTIONS = 600
TIMES = 3
PATIENCE = 60.0


@dataclass
class Overload:
    """What an overload did.

    Attributes:
        capacity: requests per second that the server answers at 128 connections.
        offered: requests per second sent.
        statuses: answers to reads by status; 0 for a connection that broke.
        refusal: 99th percentile of the time to a refusal, seconds.
        exits: answers to the exit requests and complaints sent meanwhile, by status.
        slowest: of those, seconds.
        recovery: seconds from the end of the load until reads are as quick as before.
    """

    capacity: float = 0.0
    offered: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    refusal: float = 0.0
    exits: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    recovery: float = 0.0


def run(port: int, reads: list[bytes], token: str, clients: list[str], seconds: float) -> Overload:
    """Find what the server can take, send three times as much, and wait until it is well again.

    Args:
        port: of the server.
        reads: requests, drawn at random.
        token: of somebody who may record exits and send events.
        clients: whose exits and complaints.
        seconds: length of the overload.
    """
    found = Overload()
    usual = drive(port, reads, 128, 5)
    found.capacity = usual.rate
    asyncio.run(_overload(found, port, reads, token, clients, seconds))
    began = time.perf_counter()
    calm = 0
    while calm < 5 and time.perf_counter() - began < PATIENCE:
        load = drive(port, reads, 8, 0.3)
        good = set(load.statuses) == {200} and load.quantile(0.5) < 8 * 2 / found.capacity
        calm = calm + 1 if good else 0
        if good and calm == 1:
            found.recovery = time.perf_counter() - began - 0.3
    return found


async def _overload(
    found: Overload, port: int, reads: list[bytes], token: str, clients: list[str], seconds: float
) -> None:
    until = time.perf_counter() + seconds
    pause = CONNECTIONS / (found.capacity * TIMES)
    refused: list[float] = []
    senders = [
        _send(found, port, reads, until, pause, refused, random.Random(i))  # noqa: S311
        for i in range(CONNECTIONS)
    ]
    await asyncio.gather(*senders, _must(found, port, token, clients, until))
    found.offered = sum(found.statuses.values()) / seconds
    refused.sort()
    found.refusal = refused[int(len(refused) * 0.99)] if refused else 0.0


async def _send(
    found: Overload,
    port: int,
    reads: list[bytes],
    until: float,
    pause: float,
    refused: list[float],
    luck: random.Random,
) -> None:
    await asyncio.sleep(luck.random() * pause)
    reader = writer = None
    while time.perf_counter() < until:
        began = time.perf_counter()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert reader is not None
            writer.write(luck.choice(reads))
            status = await asyncio.wait_for(_answer(reader), PATIENCE)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            status, writer = 0, None
        found.statuses[status] += 1
        if status == 429:
            refused.append(time.perf_counter() - began)
        await asyncio.sleep(max(0.0, began + pause - time.perf_counter()))
    if writer is not None:
        writer.close()


async def _must(found: Overload, port: int, token: str, clients: list[str], until: float) -> None:
    """Every second an exit request and a complaint."""
    number = 0
    while time.perf_counter() < until:
        number += 1
        now = datetime.now(UTC).isoformat()
        row = {
            "complaint_id": f"K{number}", "client_id": clients[number % len(clients)], "at": now,
            "topic": "fee", "status": "open",
        }  # fmt: skip
        for path, body in (
            ("/api/v1/exits", {"client_id": row["client_id"], "kind": "close"}),
            (
                "/api/v1/events",
                {"source": "load", "batch": str(number), "table": "complaint", "rows": [row]},
            ),
        ):
            began = time.perf_counter()
            status = await _post(port, path, body, token)
            found.exits[status] += 1
            found.slowest = max(found.slowest, time.perf_counter() - began)
        await asyncio.sleep(1)


async def _post(port: int, path: str, body: object, token: str) -> int:
    content = json.dumps(body).encode()
    head = get(path, token)[:-2].replace(b"GET", b"POST", 1) + (
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content)
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head + content)
        return await asyncio.wait_for(_answer(reader), PATIENCE)
    finally:
        writer.close()


def report(name: str, found: Overload) -> list[str]:
    """Lines of Markdown."""
    told = ", ".join(f"{n:,} × {status}" for status, n in sorted(found.statuses.items()))
    kept = ", ".join(f"{n} × {status}" for status, n in sorted(found.exits.items()))
    return [
        f"## Overload on {name}", "",
        (f"The server answers {found.capacity:.0f} reads/s; offered {found.offered:.0f}/s: {told}. "
        f"99 % of refusals came within {found.refusal * 1e3:.0f} ms. Exits and complaints sent "
        f"meanwhile: {kept}, the slowest after {found.slowest:.1f} s. Reads were as quick as "
        f"before {found.recovery:.1f} s after the end."), "",
    ]  # fmt: skip
