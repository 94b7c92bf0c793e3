"""Whether the desk lives, whether it is ready, and its numbers: outside the API, for machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import FastAPI
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from keepwell.core.errors import KeepwellError
from keepwell.frame.context import Frame
from keepwell.frame.metrics import MEDIA_TYPE, Metrics, Observed
from keepwell.jobs import repo
from keepwell.jobs.worker import FRESH


def install(app: FastAPI) -> None:
    """Add /healthz, /readyz, /metrics and the observation of all requests to an application.

    They tell of the desk that `app.state.frame` is at the time of the request. Readiness asks for
    a living worker when `app.state.worker_expected` is set.

    Args:
        app: the application.
    """
    from keepwell.web.app import PREFIX

    metrics = Metrics()
    app.state.metrics = metrics
    app.state.worker_expected = False
    # Probes must be answered while all threads for requests are busy, so they have their own.
    limiter = CapacityLimiter(1)

    async def alive(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(request: Request) -> Response:
        state = request.app.state
        expected = bool(state.worker_expected)
        checks = await anyio.to_thread.run_sync(readiness, state.frame, expected, limiter=limiter)
        good = all(checks.values())
        return JSONResponse({"ready": good, "checks": checks}, 200 if good else 503)

    async def numbers(request: Request) -> Response:
        desk = Desk(request.app.state.frame)
        text = await anyio.to_thread.run_sync(metrics.text, desk, limiter=limiter)
        return Response(text, media_type=MEDIA_TYPE)

    app.add_route("/healthz", alive, methods=["GET"], include_in_schema=False)
    app.add_route("/readyz", ready, methods=["GET"], include_in_schema=False)
    app.add_route("/metrics", numbers, methods=["GET"], include_in_schema=False)
    app.add_middleware(Observed, metrics=metrics, prefix=PREFIX)


def readiness(frame: Frame, worker_expected: bool) -> dict[str, bool]:
    """What a desk needs to serve, and whether it has it.

    Args:
        frame: the desk.
        worker_expected: whether jobs should be running, too.
    """
    from keepwell.frame.migrate import check

    checks = {"database": False, "schema": False}
    if worker_expected:
        checks["worker"] = False
    try:
        with frame.read() as tx:
            checks["database"] = repo.answers(tx)
        check(frame)
        checks["schema"] = True
        if worker_expected:
            with frame.read() as tx:
                seen = repo.last_beat(tx)
                checks["worker"] = seen is not None and tx.at - seen < FRESH
    except (SQLAlchemyError, KeepwellError, OSError):
        pass  # what was not found good is reported as not good
    return checks


class Desk(Collector):
    """Numbers that are in the database, read when asked for.

    Args:
        frame: the desk.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def describe(self) -> list[Any]:
        """Nothing: the registry must not ask the database when the application is made."""
        return []

    def collect(self) -> Iterator[Any]:
        """Jobs by kind and state, the oldest that is due, workers alive."""
        jobs = GaugeMetricFamily(
            "keepwell_jobs", "Jobs waiting, running and dead.", labels=("kind", "state")
        )
        late = GaugeMetricFamily(
            "keepwell_oldest_due_job_seconds", "For how long the oldest due job has waited."
        )
        workers = GaugeMetricFamily("keepwell_workers", "Workers alive.")
        up = GaugeMetricFamily("keepwell_database_up", "Whether the database answers.")
        try:
            with self._frame.read() as tx:
                counts, oldest = repo.counts(tx), repo.oldest_due(tx)
                alive = sum(tx.at - worker.seen_at < FRESH for worker in repo.workers(tx))
                now = tx.at
        except (SQLAlchemyError, OSError):
            up.add_metric([], 0)
            yield up
            return
        for kind, state, count in counts:
            jobs.add_metric([kind, state], count)
        late.add_metric([], (now - oldest).total_seconds() if oldest else 0)
        workers.add_metric([], alive)
        up.add_metric([], 1)
        yield from (jobs, late, workers, up)
