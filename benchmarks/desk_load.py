"""A bounded load on loopback: many keep-alive connections, plain GETs, latencies and statuses."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Load:
    """What a load saw.

    Attributes:
        seconds: how long it lasted.
        latencies: seconds of each answered request.
        statuses: answers by HTTP status; 0 for a connection that broke.
        stalled: longest time in which nothing at all was answered, seconds.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    stalled: float = 0.0

    @property
    def rate(self) -> float:
        """Answered requests per second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """A quantile of the latencies, seconds."""
        return float(np.quantile(self.latencies, share)) if self.latencies else float("nan")


def drive(
    port: int, requests: list[bytes], connections: int, seconds: float, seed: int = 1
) -> Load:
    """Send requests over loopback until the time is up.

    Args:
        port: of the server on 127.0.0.1.
        requests: whole HTTP/1.1 requests, drawn at random.
        connections: kept open at once, one request in flight on each.
        seconds: how long.
        seed: of the draw.
    """
    return asyncio.run(_drive(port, requests, connections, seconds, seed))


async def _drive(
    port: int, requests: list[bytes], connections: int, seconds: float, seed: int
) -> Load:
    load = Load()
    began = time.perf_counter()
    until = began + seconds
    last = [began]
    workers = [
        _connection(port, requests, until, random.Random(seed * 1000 + i), load, last)  # noqa: S311
        for i in range(connections)
    ]
    await asyncio.gather(*workers)
    load.seconds = time.perf_counter() - began
    return load


async def _connection(
    port: int,
    requests: list[bytes],
    until: float,
    luck: random.Random,
    load: Load,
    last: list[float],
) -> None:
    while time.perf_counter() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            load.statuses[0] += 1
            await asyncio.sleep(0.05)
            continue
        try:
            while time.perf_counter() < until:
                began = time.perf_counter()
                writer.write(luck.choice(requests))
                status = await asyncio.wait_for(_answer(reader), 60)
                now = time.perf_counter()
                load.latencies.append(now - began)
                load.statuses[status] += 1
                load.stalled = max(load.stalled, now - last[0])
                last[0] = now
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            load.statuses[0] += 1
        finally:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at >= 0:
        await reader.readexactly(int(lower[at + 15 : lower.index(b"\r\n", at)]))
    return status


def get(path: str, token: str | None = None) -> bytes:
    """A GET request as bytes."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
