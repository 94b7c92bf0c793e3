"""Logs hold no personal data, whatever is thrown at them."""

from __future__ import annotations

import io
import json
import logging

import pytest

from keepwell.frame.logs import acceptable, configure, logger

CANARIES = ["Wang Xiaoming", "王小明", "13812345678", "c-canary-77", "she cried on the phone"]


@pytest.fixture
def log():
    """The stream that all logs go to."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    configure("debug", "json", stream)
    yield stream
    root.handlers[:], _ = before
    root.setLevel(before[1])
    logging.getLogger("keepwell").setLevel(logging.NOTSET)
    logging.getLogger("uvicorn").setLevel(logging.NOTSET)


def lines(stream) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_known_fields_are_logged(log):
    logger("keepwell.test").info("job.done", job_id="job_7", kind="clock.tick", ms=1.5, count=None)
    (line,) = lines(log)
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "info", "logger": "keepwell.test", "event": "job.done", "job_id": "job_7",
        "kind": "clock.tick", "ms": 1.5,
    }  # fmt: skip


@pytest.mark.parametrize("canary", CANARIES)
def test_canaries_find_no_way_in(log, canary):
    ours = logger("keepwell.test")
    ours.warning(canary)
    ours.info("x.done", name=canary, note=canary, client_id=canary, payload={"a": canary})
    ours.info(
        "x.done", **dict.fromkeys(("kind", "user_id", "route", "error", "job_id"), f"{canary} ")
    )
    ours.bind(client=canary).info("x.done")
    try:
        raise ValueError(canary) from KeyError(canary)
    except ValueError as error:
        ours.error("x.failed", exc_info=error)
        ours.exception("x.failed")
        logging.getLogger("uvicorn.error").exception("Exception: %s", canary)
        logging.getLogger("other").exception(canary)
    logging.getLogger("other").warning("about %s", canary)
    assert canary not in log.getvalue()
    assert canary.encode("unicode_escape").decode() not in log.getvalue()
    got = lines(log)
    assert len(got) == 9
    assert got[1]["left_out"] == 4
    assert got[2]["left_out"] == 5
    assert got[4]["error"] == "ValueError"
    assert got[4]["where"][0].startswith("test_logs.py:")


def test_field_forms():
    assert acceptable("route", "/api/v1/clients/{client_id}/context")
    assert not acceptable("route", "/api/v1/clients/C77/context?q=1")
    assert not acceptable("status", True)
    assert not acceptable("ms", "13812345678")
    assert not acceptable("error", "ValueError: Wang Xiaoming")


def test_console_form(log):
    configure("info", "console", log)
    logger("keepwell.test").info("job.done", kind="a.b")
    configure("info", "json", log)
    assert " job.done logger=keepwell.test kind=a.b" in log.getvalue()


def test_requests_and_job_failures_log_no_canary(log, sqlite_desk, monkeypatch):
    from keepwell.core.errors import UsageError
    from keepwell.jobs import registry
    from keepwell.jobs.service import enqueue
    from keepwell.trust.access.model import Region

    monkeypatch.setattr(registry, "_HANDLERS", dict(registry._HANDLERS))

    @registry.transactional("test.fails")
    def fail(tx, payload):
        if payload["n"] == 0:
            raise UsageError("serve.address-open", host=CANARIES[0])
        tx.session.add(Region(region_id="same", name=CANARIES[1]))  # the second one is refused

    sqlite_desk.usual()
    with sqlite_desk.tx() as tx:
        for n in range(3):
            enqueue(tx, "test.fails", {"n": n}, max_attempts=1)
    sqlite_desk.settle()
    http = sqlite_desk.http("m1")
    for canary in CANARIES:
        http.get(f"/api/v1/clients/{canary}", params={"q": canary}, headers={"X-Note": "77"})
        http.get(f"/{canary}")
        http.post("/api/v1/cases", json={"client_id": canary, "note": canary})

    def broken(*_args, **_more):
        raise RuntimeError(CANARIES[0])

    monkeypatch.setattr("keepwell.jobs.repo.listing", broken)
    assert sqlite_desk.http("admin").get("/api/v1/jobs").status_code == 500
    text = log.getvalue()
    for canary in [*CANARIES, "Xiaoming", "Person m1", "13800000000"]:
        assert canary not in text
        assert canary.encode("unicode_escape").decode() not in text
    events = [line["event"] for line in lines(log)]
    assert events.count("job.dead") == 2
    assert "request.failed" in events
    assert events.count("request.served") == 15
