"""`keepwell serve`, `worker` and `migrate` as real processes, on both databases."""

from __future__ import annotations

import http.client
import signal
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.crash.served import Process, ask, keepwell
from tests.desk import write_workspace

PASSWORD = "correct horse battery staple"
LONGEST = 60.0
"""Seconds until the desk has stopped, on a machine however busy; it waits for nobody."""


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """A workspace and the address of an empty database; None is its own SQLite file."""
    root = write_workspace(tmp_path / "ws")
    if request.param == "sqlite":
        return root, None
    return root, request.getfixturevalue("postgres")(empty=True)


@pytest.fixture
def root(tmp_path):
    return write_workspace(tmp_path / "ws")


@pytest.fixture
def start():
    """Start commands that run until they are stopped; none outlives the test."""
    made = []

    def call(*words, url=None, **more):
        made.append(Process(list(words), url, more))
        return made[-1]

    yield call
    for process in made:
        process.end()


def clean(result, code=2):
    """The words of a refusal: one line, no traceback."""
    assert result.returncode == code, (result.stdout, result.stderr)
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_desk_from_nothing_to_a_stop(place, start):
    """Migrate, make a user, serve, log in, ask everything, stop with a connection open."""
    root, url = place
    here = ("-w", str(root))
    if url is not None:
        refused = clean(keepwell("serve", *here, "--port", "0", url=url))
        assert refused.startswith("database.revision-old: ")
        assert "keepwell migrate" in refused
    done = keepwell("migrate", *here, url=url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The database is now at revision ")
    made = keepwell("user", "add", "ann", "--role", "admin", *here, url=url, given=f"{PASSWORD}\n")
    assert (made.returncode, made.stdout) == (0, "User ann is made.\n"), made.stderr

    process = start("serve", *here, "--port", "0", url=url)
    address = process.address
    assert address.startswith("http://127.0.0.1:")
    assert ask(address, "GET", "/healthz").body == b"alive\n"
    until = time.monotonic() + 120
    while (ready := ask(address, "GET", "/readyz")).status != 200 and time.monotonic() < until:
        time.sleep(0.05)
    assert ready.json() == {
        "ready": True, "checks": {"database": True, "schema": True, "worker": True},
    }  # fmt: skip
    assert b"keepwell_workers 1.0" in ask(address, "GET", "/metrics").body
    paths = ask(address, "GET", "/api/v1/openapi.json").json()["paths"]
    assert "/api/v1/cases" in paths
    _logs_in(address)

    # One of two open connections is in the middle of a request.
    parts = urlsplit(address)
    where = (parts.hostname, parts.port)
    with socket.create_connection(where, 5), socket.create_connection(where, 5) as busy:
        busy.sendall(b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        time.sleep(0.2)
        code, took = process.stop()
    assert code == 0, process.errors
    assert took < LONGEST
    assert "Traceback" not in "".join(process.errors)
    assert PASSWORD not in "".join(process.errors)


def _logs_in(address):
    wrong = ask(address, "POST", "/api/v1/session", {"login": "ann", "password": "x" * 12})
    assert wrong.status == 401
    given = {"login": "ann", "password": PASSWORD}
    right = ask(address, "POST", "/api/v1/session", given)
    assert right.status == 201, right.body
    cookie = right.headers["set-cookie"].split(";")[0]
    me = ask(address, "GET", "/api/v1/me", Cookie=cookie)
    assert (me.status, me.json()["login"], me.json()["role"]) == (200, "ann", "admin")
    assert ask(address, "GET", "/api/v1/me").status == 401
    assert ask(address, "DELETE", "/api/v1/session", Cookie=cookie).status == 204
    assert ask(address, "GET", "/api/v1/me", Cookie=cookie).status == 401


def test_web_and_worker_apart(place, start):
    """`serve --no-worker` beside `worker`, which ends by itself when told; so does Ctrl-C."""
    root, url = place
    here = ("-w", str(root))
    if url is not None:
        assert keepwell("migrate", *here, url=url).returncode == 0
    web = start("serve", *here, "--port", "0", "--no-worker", url=url)
    address = web.address
    assert "worker" not in ask(address, "GET", "/readyz").json()["checks"]
    assert b"keepwell_workers 0.0" in ask(address, "GET", "/metrics").body
    worker = start("worker", *here, "--threads", "2", url=url)
    worker.says("keepwell works for Test broker")
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if b"keepwell_workers 1.0" in ask(address, "GET", "/metrics").body:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the worker does not say that it lives")
    # A connection kept open, as a browser does.
    kept = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    kept.request("GET", "/healthz")
    assert kept.getresponse().read() == b"alive\n"
    for process, sig in ((worker, signal.SIGTERM), (web, signal.SIGINT)):
        code, took = process.stop(sig)
        assert (code, took < LONGEST) == (0, True), process.errors
        assert "Traceback" not in "".join(process.errors)
    kept.close()


def test_not_beyond_this_machine_without_secure_cookies(root):
    (root / "desk.yaml").write_text("session: {secure: false}\n")
    refused = clean(keepwell("serve", "-w", str(root), "--host", "0.0.0.0", "--port", "0"))
    assert refused.startswith("serve.address-open: ")
    assert "session.secure" in refused


def test_a_port_that_is_taken(root):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = clean(keepwell("serve", "-w", str(root), "--port", str(port)))
    assert refused.startswith(f"serve.address-invalid: Cannot listen on 127.0.0.1, port {port}: ")
    assert "in use" in refused


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "Could not parse"),
        ("mysql://u:secret@h/d", "expected sqlite or postgresql"),
        ("postgresql://u:secret@h:port/d", "'***'"),
    ],
)
def test_an_address_that_is_none(root, url, words):
    refused = clean(keepwell("migrate", "-w", str(root), url=url))
    assert refused.startswith("database.url-invalid: ")
    assert words.strip("'") in refused
    assert "secret" not in refused


def test_a_server_that_is_down(root, start):
    """What runs once says so and ends; what runs on waits, says why, and can be stopped."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"postgresql://desk:secret@127.0.0.1:{port}/desk"
    for words in (("migrate",), ("user", "list")):
        refused = clean(keepwell(*words, "-w", str(root), url=url))
        assert refused.startswith("database.unreachable: ")
        assert "refused" in refused
        assert "secret" not in refused
    waiting = start("serve", "-w", str(root), "--port", "0", url=url)
    assert "refused" in waiting.says("Waiting for the database: ")
    code, took = waiting.stop()
    assert took < LONGEST
    assert code != 0
    assert "Traceback" not in "".join(waiting.errors)


def test_a_database_that_does_not_exist(root, postgres):
    url = postgres(empty=True).replace("/desk_", "/no_desk_")
    refused = clean(keepwell("migrate", "-w", str(root), url=url))
    assert refused.startswith("database.unreachable: ")
    assert "does not exist" in refused


def test_no_workspace(tmp_path):
    assert clean(keepwell("serve", "-w", str(tmp_path))).startswith("workspace.")
