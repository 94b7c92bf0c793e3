"""schemathesis against the application in process, every request by somebody who may make it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from keepwell.trust.access.identity import LOCAL_LOGIN
from keepwell.web.app import PREFIX
from tests.contract.routes import endpoints, permissions

# Those who see all clients come first, so that what one request makes another finds.
PEOPLE = ("integration", "compliance", "admin", "d1", "analyst", "l1", "m1")

CHECKS = {
    "not_a_server_error": {"enabled": True},
    "status_code_conformance": {"enabled": True},
    "content_type_conformance": {"enabled": True},
    "response_schema_conformance": {"enabled": True},
    "response_headers_conformance": {"enabled": True},
    # What a rule of the desk refuses (409, 422 by rule) a schema cannot say.
    "positive_data_acceptance": {"enabled": False},
    "negative_data_rejection": {"enabled": False},
    "missing_required_header": {"enabled": False},
    "unsupported_method": {"enabled": False},
    "use_after_free": {"enabled": False},
    "ensure_resource_availability": {"enabled": False},
    "ignored_auth": {"enabled": False},
    "allow_header_conformance": {"enabled": True},
}


class AsWhoeverMay:
    """The application; each request comes from a user whose role has the endpoint's permission."""

    def __init__(self, app: Any, actors: dict[str, Any]) -> None:
        self.app = app
        self.actors = actors
        self.count = 0
        self.routes = endpoints(app)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, LOCAL_LOGIN: self._login(scope), "headers": self._headers(scope)}
        await self.app(scope, receive, send)

    def _headers(self, scope: Any) -> list[tuple[bytes, bytes]]:
        """Most changes say which version they change; it is often the right one."""
        self.count += 1
        # A key of an earlier request would end most of them before they begin.
        headers = [h for h in scope["headers"] if h[0] != b"idempotency-key" or not self.count % 7]
        if self.count % 5 and not any(name == b"if-match" for name, _ in headers):
            headers.append((b"if-match", b'"%d"' % (1 + self.count % 2)))
        return headers

    def _login(self, scope: Any) -> str:
        path = scope["path"].removeprefix(PREFIX)
        for route in self.routes:
            if scope["method"] in route.methods and route.path_regex.match(path):
                wanted = [p for p in permissions(route) if p is not None]
                return next(n for n in PEOPLE if all(self.actors[n].may(p) for p in wanted))
        return PEOPLE[0]


@dataclass
class Findings:
    """What came of a run."""

    failures: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    statuses: dict[str, set[int]] = field(default_factory=dict)
    requests: int = 0

    def told(self) -> str:
        """For people."""
        return "\n\n".join([*self.failures.values(), *self.errors])


def fuzz(
    desk: Any, *, examples: int, seed: int, seconds: int | None, only: str | None = None
) -> Findings:
    """Run all phases that work in process.

    Args:
        desk: filled.
        examples: per operation and phase.
        seed: repeats a run.
        seconds: at most; None: as long as it takes.
        only: a regular expression of paths.
    """
    import schemathesis
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "max-failures": 200,
            "workers": 1,
            **({"max-time": seconds} if seconds else {}),
            "checks": CHECKS,
            "generation": {
                "mode": "all", "max-examples": examples, "deterministic": False,
                "database": "none", "no-shrink": True,
            },
            "phases": {
                "examples": {"enabled": True},
                "coverage": {"enabled": True},
                "fuzzing": {"enabled": True},
                "stateful": {"enabled": True, "max-steps": 6},
            },
        }
    )  # fmt: skip
    app = AsWhoeverMay(desk.app, desk.actors)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, config=config)
    if only:
        schema = schema.include(path_regex=only)
    found = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _note(event, found)
        elif isinstance(event, (events.NonFatalError, events.FatalError)):
            found.errors.append(str(getattr(event, "info", getattr(event, "exception", event))))
    return found


def _note(event: Any, found: Findings) -> None:
    recorder = event.recorder
    found.requests += len(recorder.interactions)
    for case_id, checks in recorder.checks.items():
        case = recorder.cases[case_id].value
        label = case.operation.label
        interaction = recorder.interactions.get(case_id)
        status = interaction.response.status_code if interaction and interaction.response else 0
        found.statuses.setdefault(label, set()).add(status)
        for check in checks:
            if check.failure_info is None:
                continue
            failure = check.failure_info.failure
            key = f"{label} {check.name} {status} {failure.title}"
            text = f"{key}\n{failure.message}\n{check.failure_info.code_sample}"
            found.failures.setdefault(key, text[:1500])
