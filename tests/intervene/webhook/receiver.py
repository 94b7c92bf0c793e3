"""A receiver of webhooks on loopback: verifies signatures, and misbehaves on demand."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Answers with the planned (status, headers, body) of each request, then with 200."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], str]] = []
        self.plan: list[tuple[int, dict[str, str], bytes]] = []
        self.drip = 0.0
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def answer(self, *statuses: int, headers=None, body=b"") -> None:
        self.plan += [(status, headers or {}, body) for status in statuses]

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self):
        length = int(self.headers["content-length"])
        raw = self.rfile.read(length)
        if len(raw) < length:
            self.close_connection = True
            return  # the sender died in the middle of it: nothing has arrived
        body = raw.decode()
        self.server.paths.append(self.path)
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        status, headers, answer = (
            self.server.plan.pop(0) if self.server.plan else (200, {}, b"thanks")
        )
        if self.server.drip:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            try:
                while True:
                    self.wfile.write(b"X-Slow: 1\r\n")
                    time.sleep(self.server.drip)
            except OSError:
                return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@contextmanager
def receiving():
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
