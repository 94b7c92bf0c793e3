"""Serving a desk: the web server and, in the same process, a worker."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from sqlalchemy.exc import InterfaceError, OperationalError

from keepwell import rooms
from keepwell.core.errors import UsageError
from keepwell.frame.context import Frame
from keepwell.frame.settings import Settings
from keepwell.jobs.policy import database_gone, failure
from keepwell.jobs.worker import Worker
from keepwell.web.app import create_app

GRACE = 2
"""Seconds that open requests and streams have when the server is told to stop."""


def check_address(settings: Settings) -> None:
    """Refuse to serve log-ins without https beyond this machine.

    Raises:
        UsageError: the address is no loopback address and session.secure is off.
    """
    if not settings.session.secure and not _is_loopback(settings.host):
        raise UsageError("serve.address-open", host=settings.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Open the socket to serve on.

    Raises:
        UsageError: the address is not this machine's, or the port is taken.
    """
    opened: socket.socket | None = None
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, proto)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(1024)
    except OSError as error:
        if opened is not None:
            opened.close()
        raise UsageError(
            "serve.address-invalid", host=host, port=port, problem=error.strerror or str(error)
        ) from None
    return opened


def address_of(opened: socket.socket) -> str:
    """The address that a browser needs."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def bring_up(frame: Frame, wait: Callable[[str], bool]) -> bool:
    """See that the schema is current: SQLite is brought up to date, PostgreSQL only checked.

    Args:
        frame: the desk.
        wait: called with what is wrong while the database does not answer; False gives up.

    Returns:
        Whether the database answered.

    Raises:
        UsageError: the database needs 'keepwell migrate'.
    """
    from keepwell.frame.migrate import check, migrate

    while True:
        try:
            if frame.database.is_sqlite:
                migrate(frame)
            else:
                check(frame)
        except (OperationalError, InterfaceError) as error:
            if not database_gone(error):
                raise
            if not wait(failure(error)):
                return False
        else:
            return True


class _Server(uvicorn.Server):
    """Tells the worker at once when the process is told to stop."""

    def __init__(self, config: uvicorn.Config, worker: Worker | None) -> None:
        super().__init__(config)
        self._worker = worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop serving and working."""
        if self._worker is not None:
            self._worker.stop()
        super().handle_exit(sig, frame)


def serve(frame: Frame, opened: socket.socket, with_worker: bool = True) -> None:
    """Serve until told to stop by SIGTERM or SIGINT.

    Args:
        frame: the desk, its schema current.
        opened: the socket to serve on; closed at the end.
        with_worker: also run jobs.
    """
    app = create_app(frame)
    app.state.worker_expected = with_worker
    worker = Worker(frame) if with_worker else None
    trusted = frame.settings.forwarded_from
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=GRACE, proxy_headers=bool(trusted), forwarded_allow_ips=trusted,
    )  # fmt: skip
    server = _Server(config, worker)
    thread = threading.Thread(target=worker.run, name="keepwell-worker") if worker else None
    # uvicorn raises the signals again that ended it; by then there is nothing left to stop.
    before = {sig: signal.signal(sig, _nothing) for sig in (signal.SIGTERM, signal.SIGINT)}
    try:
        if thread is not None:
            thread.start()
        server.run(sockets=[opened])
    finally:
        if worker is not None and thread is not None:
            worker.stop()
            thread.join()
        opened.close()
        for sig, handler in before.items():
            signal.signal(sig, handler)


def work(frame: Frame, threads: int = 1) -> None:
    """Run jobs until told to stop by SIGTERM or SIGINT.

    Args:
        frame: the desk, its schema current.
        threads: threads for work inside the database.
    """
    rooms.load_all()
    worker = Worker(frame, threads)

    def end(_number: int, _frame: FrameType | None) -> Any:
        worker.stop()

    before = {sig: signal.signal(sig, end) for sig in (signal.SIGTERM, signal.SIGINT)}
    try:
        worker.run()
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    return
