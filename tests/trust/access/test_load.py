"""128 connections at once never stall: no endpoint waits for a connection that it holds itself."""

from __future__ import annotations

import socket
import threading
import time

import httpx2
import uvicorn

from tests.desk import token_of


def test_128_connections_are_served(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(
        desk.app, host="127.0.0.1", port=port, log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run)
    serving.start()
    try:
        while not server.started:
            time.sleep(0.01)
        statuses, slowest = _storm(port)
    finally:
        server.should_exit = True
        serving.join(10)
    assert not serving.is_alive()
    assert statuses == [200] * 128 * 2
    assert slowest < 9, "a request waited for a pool that its like had emptied"


def _storm(port: int) -> tuple[list[int], float]:
    statuses: list[int] = []
    took: list[float] = []
    gate = threading.Barrier(128)
    headers = {"Authorization": f"Bearer {token_of('m1')}"}

    def run() -> None:
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20, trust_env=False,
            verify=False,
        ) as http:  # fmt: skip
            gate.wait()
            for path in ("/api/v1/me", "/api/v1/clients/c1"):
                start = time.monotonic()
                statuses.append(http.get(path).status_code)
                took.append(time.monotonic() - start)

    threads = [threading.Thread(target=run) for _ in range(128)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses, max(took)
