"""What administrators and machines see of a running desk."""

from __future__ import annotations

import pytest

from keepwell.core.errors import UsageError
from keepwell.frame.settings import Settings
from keepwell.jobs import registry
from keepwell.jobs.registry import GiveUp
from keepwell.jobs.service import enqueue
from keepwell.jobs.worker import FRESH, Worker
from keepwell.web import health, server


@pytest.fixture
def dead(sqlite_desk, monkeypatch):
    """A desk with one dead job, two that wait and nothing that recurs."""
    monkeypatch.setattr(registry, "_HANDLERS", dict(registry._HANDLERS))
    monkeypatch.setattr(registry, "_RECURRING", {})

    @registry.transactional("test.fails")
    def fail(tx, payload):
        raise GiveUp("hopeless")

    sqlite_desk.staff_up()
    with sqlite_desk.tx() as tx:
        enqueue(tx, "test.fails", {}, key="client:c-secret")
    sqlite_desk.settle()
    with sqlite_desk.tx() as tx:
        enqueue(tx, "test.waits", {})
        enqueue(tx, "test.waits", {})
    return sqlite_desk


def test_jobs_are_listed_newest_first_in_pages(dead):
    http = dead.http("admin")
    first = http.get("/api/v1/jobs?limit=2").json()
    assert [job["kind"] for job in first["items"]] == ["test.waits", "test.waits"]
    second = http.get("/api/v1/jobs", params={"limit": 2, "cursor": first["next"]}).json()
    assert second["next"] is None
    (job,) = second["items"]
    assert (job["state"], job["error"], job["attempts"]) == ("dead", "GiveUp: hopeless", 1)
    assert "secret" not in http.get("/api/v1/jobs").text
    only = http.get("/api/v1/jobs?state=dead&kind=test.fails").json()["items"]
    assert only == [job]
    assert http.get("/api/v1/jobs?state=alive").status_code == 422


def test_dead_job_is_run_again(dead):
    http = dead.http("admin")
    (job,) = http.get("/api/v1/jobs?state=dead").json()["items"]
    again = http.post(f"/api/v1/jobs/{job['job_id']}/retry")
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (
        200,
        "waiting",
        0,
    )
    assert http.post(f"/api/v1/jobs/{job['job_id']}/retry").status_code == 409
    assert http.post("/api/v1/jobs/job_999/retry").status_code == 404


def test_jobs_are_for_administrators(dead):
    assert dead.http("m1").get("/api/v1/jobs").status_code == 403
    assert dead.http("m1").post("/api/v1/jobs/job_1/retry").status_code == 403
    assert dead.http().get("/api/v1/jobs").status_code == 401


def test_alive_without_database(sqlite_desk, monkeypatch):
    monkeypatch.setattr(sqlite_desk.frame.database, "read", None)
    assert sqlite_desk.http().get("/healthz").status_code == 200


def test_ready_needs_database_schema_and_worker(sqlite_desk, monkeypatch):
    from keepwell.frame import migrate

    def behind(frame):
        raise UsageError("database.revision-old", found="–", needed="x")

    monkeypatch.setattr(migrate, "check", behind)
    http = sqlite_desk.http()
    answer = http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": True, "schema": False}
    monkeypatch.setattr(migrate, "check", lambda frame: None)
    assert http.get("/readyz").json() == {
        "ready": True, "checks": {"database": True, "schema": True},
    }  # fmt: skip
    monkeypatch.setitem(sqlite_desk.app.state._state, "worker_expected", True)
    assert http.get("/readyz").status_code == 503
    Worker(sqlite_desk.frame).sign_of_life()
    assert http.get("/readyz").status_code == 200
    sqlite_desk.now.move(seconds=FRESH.total_seconds())
    assert http.get("/readyz").json()["checks"]["worker"] is False


def test_not_ready_when_the_database_does_not_answer(sqlite_desk):
    sqlite_desk.frame.database.close()
    file = sqlite_desk.frame.workspace.state / "desk.sqlite"
    for each in file.parent.glob("desk.sqlite*"):
        each.unlink()
    file.mkdir()
    assert not any(health.readiness(sqlite_desk.frame, True).values())
    assert "keepwell_database_up 0.0" in sqlite_desk.http().get("/metrics").text
    file.rmdir()


def number(text: str, name: str) -> float:
    found = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0].rsplit(" ", 1)[1]) if found else 0.0


def test_metrics_name_kinds_states_and_routes_only(dead):
    route = 'route="/api/v1/jobs/{job_id}/retry"'
    answered = f'keepwell_requests_total{{method="POST",{route},status="404"}}'
    timed = f'keepwell_request_seconds_count{{method="POST",{route}}}'
    before = dead.http().get("/metrics").text
    dead.http("admin").post("/api/v1/jobs/job_of_nobody/retry")
    dead.http().get("/secret/path/of_nobody")
    dead.now.move(seconds=90)
    text = dead.http().get("/metrics").text
    assert 'keepwell_jobs{kind="test.fails",state="dead"} 1.0' in text
    assert 'keepwell_jobs{kind="test.waits",state="waiting"} 2.0' in text
    assert "keepwell_oldest_due_job_seconds 90.0" in text
    for line in (answered, timed):
        assert number(text, line) == number(before, line) + 1
    assert "nobody" not in text
    assert "secret" not in text


def test_an_application_tells_of_the_desk_it_serves_now(sqlite_desk, monkeypatch):
    from dataclasses import replace
    from types import SimpleNamespace

    http, app = sqlite_desk.http(), sqlite_desk.app
    assert "keepwell_database_up 1.0" in http.get("/metrics").text

    def nothing(*_):
        raise OSError("gone")

    other = replace(sqlite_desk.frame, database=SimpleNamespace(read=nothing))
    monkeypatch.setitem(app.state._state, "frame", other)
    assert "keepwell_database_up 0.0" in http.get("/metrics").text
    assert http.get("/readyz").json()["checks"] == {"database": False, "schema": False}


def test_machines_pages_are_not_in_the_api_description(sqlite_desk):
    paths = sqlite_desk.http().get("/api/v1/openapi.json").json()["paths"]
    assert not {"/healthz", "/readyz", "/metrics"} & set(paths)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "desk.example"])
def test_log_ins_without_https_stay_on_this_machine(host):
    with pytest.raises(UsageError) as caught:
        server.check_address(Settings(host=host, session={"secure": False}))
    assert caught.value.code == "serve.address-open"
    server.check_address(Settings(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_may_do_without_https(host):
    server.check_address(Settings(host=host, session={"secure": False}))


def test_port_that_is_taken():
    opened = server.listen("127.0.0.1", 0)
    try:
        address = server.address_of(opened)
        assert address.startswith("http://127.0.0.1:")
        with pytest.raises(UsageError) as caught:
            server.listen("127.0.0.1", int(address.rpartition(":")[2]))
        assert caught.value.code == "serve.address-invalid"
    finally:
        opened.close()
