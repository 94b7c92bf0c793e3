"""What the desk counts about itself, for Prometheus, and the line it logs per request.

Labels are route templates, methods, states and kinds: never an id, a path or a person.
"""

from __future__ import annotations

import time
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

from keepwell.frame.logs import logger

_log = logger("keepwell.web")

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes whose good answers are not logged: machines ask every few seconds."""

disable_created_metrics()  # type: ignore[no-untyped-call]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "keepwell_requests", "Requests served.", ("method", "route", "status"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "keepwell_request_seconds", "Duration of requests.", ("method", "route"),
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip

    def text(self, more: Collector | None = None) -> bytes:
        """All numbers in the format of Prometheus.

        Args:
            more: what else to ask, just now.
        """
        if more is None:
            return generate_latest(self.registry)
        others = CollectorRegistry()
        others.register(more)
        return generate_latest(self.registry) + generate_latest(others)


class Observed:
    """ASGI middleware: counts, times and logs each request by its route template.

    Args:
        app: what serves.
        metrics: what counts.
        prefix: of the API.
    """

    def __init__(self, app: Any, metrics: Metrics, prefix: str = "") -> None:
        self.app = app
        self.metrics = metrics
        self.prefix = prefix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def tell(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        failure: Exception | None = None
        try:
            await self.app(scope, receive, tell)
        except Exception as error:
            failure = error
            raise
        finally:
            self._note(scope, status, time.perf_counter() - started, failure)

    def _note(self, scope: Any, status: int, seconds: float, failure: Exception | None) -> None:
        route = route_of(scope, self.prefix)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.seconds.labels(method, route).observe(seconds)
        if route in QUIET and status < 500:
            return
        state = scope.get("state", {})
        level = _log.error if failure else _log.info
        level(
            "request.failed" if failure else "request.served",
            request_id=state.get("request_id"), method=method, route=route, status=status,
            ms=round(seconds * 1000, 1), user_id=state.get("user_id"), exc_info=failure,
        )  # fmt: skip


def route_of(scope: Any, prefix: str = "") -> str:
    """The template of the route that served a request, such as /api/v1/cases/{case_id}.

    Args:
        scope: of the request, after it was served.
        prefix: under which routers are included; a route itself does not know it.
    """
    path = str(scope["path"])
    if path in QUIET:
        return path
    template = getattr(scope.get("route"), "path_format", None)
    if not template:
        return "unmatched"
    inside = bool(prefix) and path.startswith(f"{prefix}/") and not template.startswith(prefix)
    return f"{prefix}{template}" if inside else str(template)
