"""`keepwell serve` and other commands as real processes, and a plain HTTP client for them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

COMMAND = [sys.executable, "-c", "from keepwell.cli import main; main()", "--lang", "en"]


def environment(url: str | None, **more: str) -> dict[str, str]:
    """Ours without settings of a desk, and with the address of the database."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("KEEPWELL_")}
    if url is not None:
        clean["KEEPWELL_DATABASE_URL"] = url
    return clean | more


def keepwell(
    *words: str, url: str | None = None, given: str = "", timeout: float = 60, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *words], input=given, capture_output=True, text=True, timeout=timeout,
        env=environment(url, **more), check=False,
    )  # fmt: skip


@dataclass
class Process:
    """A command that runs until it is told to stop; its output is collected."""

    words: list[str]
    url: str | None = None
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lines: list[str] = []
        self.errors: list[str] = []
        self.popen = subprocess.Popen(
            [*COMMAND, *self.words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment(self.url, **self.more),
        )  # fmt: skip
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.popen.stdout, self.lines), (self.popen.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines: list[str]) -> None:
        lines.extend(iter(stream.readline, ""))
        stream.close()

    def says(self, words: str, timeout: float = 60) -> str:
        """Wait for a line of its output."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            for line in self.lines:
                if words in line:
                    return line
            assert self.popen.poll() is None, "".join(self.errors) or "ended"
            time.sleep(0.02)
        raise AssertionError(f"it does not say {words!r} but {self.lines}")

    @property
    def address(self) -> str:
        """Where it serves."""
        return self.says(" on http://").split()[-1]

    def stop(self, sig: int = signal.SIGTERM, timeout: float = 90) -> tuple[int, float]:
        """Tell it to stop; exit code and seconds."""
        begun = time.monotonic()
        self.popen.send_signal(sig)
        code = self.popen.wait(timeout)
        took = time.monotonic() - begun
        for reader in self._readers:
            reader.join(10)
        return code, took

    def end(self) -> None:
        """See that nothing is left of it."""
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(10)
        for reader in self._readers:
            reader.join(10)


@dataclass(frozen=True)
class Answer:
    """Of a server."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    def json(self):
        return json.loads(self.body)


def ask(
    address: str, method: str, path: str, body: object = None, timeout: float = 20, **headers: str
) -> Answer:
    """One request on a connection of its own."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=timeout)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None
        if body is not None:
            content, given["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection.request(method, path, content, given)
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(reply.status, found, reply.read(), time.monotonic() - begun)
    finally:
        connection.close()
