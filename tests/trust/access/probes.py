"""What the ladder climbs to: one row of client c1 behind every path with a parameter."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from keepwell.frame.database import Tx
from keepwell.trust.access.policy import SYSTEM
from tests.desk import Desk, Ticker, write_workspace


@dataclass
class World:
    """A desk in which client c1 of manager m1 has everything."""

    desk: Desk
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, template: Path, folder: Path) -> World:
        root = write_workspace(folder / "ws")
        shutil.copy(template, folder / "desk.sqlite")
        world = cls(Desk.open(root, f"sqlite:///{folder / 'desk.sqlite'}", Ticker()))
        world.desk.usual()
        with world.desk.tx() as tx:
            world._fill(tx)
        world._work()
        return world

    def _fill(self, tx: Tx) -> None:
        from keepwell.intervene.alert.policy import AlertReason
        from keepwell.intervene.alert.service import raise_alert
        from keepwell.intervene.exit.service import request_exit

        raised = raise_alert(
            tx, SYSTEM, client_id="c1", reason=AlertReason.COMPLAINT_OVERDUE, tier="severe",
            facts={},
        )  # fmt: skip
        assert raised is not None
        request_exit(tx, SYSTEM, client_id="c1", request_id="exit-1", kind="close", at=tx.at)
        self.ids = {"client_id": "c1", "request_id": "exit-1", "alert_id": raised.alert_id}
        for name, table, key in (
            ("case_id", "retention_case", "case_id"), ("clock_id", "clock", "clock_id"),
        ):  # fmt: skip
            found = tx.session.execute(text(f"select {key} from {table} where client_id = 'c1'"))
            self.ids[name] = found.scalars().first()

    def _work(self) -> None:
        """A contact, a task, a file and a lawful hold, as manager and compliance make them."""
        for key, path in (
            ("contact_id", "/cases/{case_id}/contacts"), ("task_id", "/cases/{case_id}/tasks"),
            ("file_id", "/cases/{case_id}/attachments"), ("hold_id", "/exits/{request_id}/holds"),
        ):  # fmt: skip
            full = f"{_V1}{path}"
            # A hold changes the exit request, and so says which version it read.
            http = self.desk.http("compliance" if key == "hold_id" else "m1")
            etag = http.get(url(self, full).rsplit("/", 1)[0]).headers["etag"]
            made = http.post(
                url(self, full), headers={"If-Match": etag}, **body_of(self, "POST", full)
            )
            assert made.status_code == 201, made.text
            self.ids[key] = _find(made.json(), key)


def _find(answer: dict, key: str) -> str:
    """The id in an answer, or in the last row of a list in it."""
    if key in answer:
        return answer[key]
    lists = [rows for rows in answer.values() if isinstance(rows, list) and rows]
    return next(rows[-1][key] for rows in lists if isinstance(rows[-1], dict) and key in rows[-1])


def example(schema: dict, components: dict) -> object:
    """A body that gets past validation, from the examples of the API's description."""
    if "$ref" in schema:
        return example(components[schema["$ref"].rsplit("/", 1)[1]], components)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], components)
    if schema.get("type") == "object" or "properties" in schema:
        wanted = schema.get("required", list(schema.get("properties", {}))[:1])
        return {name: example(schema["properties"][name], components) for name in wanted}
    kinds = {"boolean": True, "integer": 1, "number": 1.0, "array": []}
    return kinds.get(schema.get("type", ""), "text")


def body_of(world: World, method: str, path: str) -> dict[str, object]:
    """Arguments of a request that is well formed."""
    if path in BODIES:
        return {"json": BODIES[path]}
    described = world.desk.app.openapi()
    content = described["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
    if any(kind.startswith("multipart/") for kind in content):
        return {"files": {"file": ("note.txt", b"hello", "text/plain")}}
    if not content:
        return {}
    schema = content["application/json"]["schema"]
    return {"json": example(schema, described["components"]["schemas"])}


BODIES: dict[str, object] = {
    "/api/v1/alerts/{alert_id}/snooze": {"until": "2026-03-06T00:00:00Z", "reason": "Abroad"}
}
"""Bodies of which all parts are optional, but not all at once."""


def url(world: World, path: str) -> str:
    """The path to client c1's row."""
    return re.sub(r"{(\w+)}", lambda m: world.ids[m[1]], path)


_V1 = "/api/v1"
PROBES = frozenset(
    f"{_V1}{path}"
    for path in (
        "/clients/{client_id}", "/clients/{client_id}/unmask", "/clients/{client_id}/receipts",
        "/clients/{client_id}/consents", "/clients/{client_id}/context",
        "/clients/{client_id}/may-contact", "/clients/{client_id}/lineage",
        "/clients/{client_id}/ledger",
        "/alerts/{alert_id}", "/alerts/{alert_id}/acknowledge", "/alerts/{alert_id}/snooze",
        "/alerts/{alert_id}/wake",
        "/cases/{case_id}", "/cases/{case_id}/move", "/cases/{case_id}/close",
        "/cases/{case_id}/reopen", "/cases/{case_id}/history", "/cases/{case_id}/notes",
        "/cases/{case_id}/tasks", "/cases/{case_id}/tasks/{task_id}",
        "/cases/{case_id}/attachments", "/cases/{case_id}/attachments/{file_id}",
        "/cases/{case_id}/contacts", "/cases/{case_id}/recommendation",
        "/contacts/{contact_id}/delivery",
        "/clocks/{clock_id}", "/clocks/{clock_id}/pause", "/clocks/{clock_id}/resume",
        "/exits/{request_id}", "/exits/{request_id}/settle", "/exits/{request_id}/complete",
        "/exits/{request_id}/cancel", "/exits/{request_id}/no-contact",
        "/exits/{request_id}/holds", "/exits/{request_id}/holds/{hold_id}/lift",
    )
)  # fmt: skip
"""Paths at whose end is a row about client c1 that a reader or writer must be in scope for."""

_ADMINISTRATION = (
    "/users/{user_id}", "/users/{user_id}/password", "/users/{user_id}/sessions",
    "/users/{user_id}/tokens", "/staff/{staff_id}", "/teams/{team_id}", "/branches/{branch_id}",
    "/regions/{region_id}", "/tokens/{token_id}",
    "/webhooks/{endpoint_id}", "/webhooks/{endpoint_id}/approve",
    "/webhooks/{endpoint_id}/rotate", "/webhooks/{endpoint_id}/test",
    "/webhooks/{endpoint_id}/messages", "/webhooks/{endpoint_id}/messages/{message_id}",
    "/webhooks/{endpoint_id}/messages/{message_id}/deliveries",
    "/webhooks/{endpoint_id}/messages/{message_id}/replay", "/webhooks/{endpoint_id}/replay",
    "/clock-policies/{name}", "/clock-policies/{name}/activate", "/jobs/{job_id}/retry",
)  # fmt: skip

_KEY_FIGURES = (
    "/kpis/{kpi_id}", "/kpis/{kpi_id}/targets", "/kpi-reviews/{review_id}",
    "/kpi-reviews/{review_id}/notes", "/kpi-reviews/{review_id}/close",
    "/kpi-reports/{report_id}",
)  # fmt: skip

UNSCOPED = {
    f"{_V1}{path}": why
    for path, why in {
        **dict.fromkeys(_ADMINISTRATION, "administration"),
        **dict.fromkeys(_KEY_FIGURES, "totals of the whole broker, no row about a client"),
        **dict.fromkeys(
            (
                "/kept/{proof_id}",
                "/budgets/{proposal_id}",
                "/budgets/{proposal_id}/approve",
                "/budgets/{proposal_id}/reject",
            ),
            "a figure over everybody drawn, which names no client",
        ),
        **dict.fromkeys(
            (
                "/incidents/{incident_id}",
                "/incidents/{incident_id}/acknowledge",
                "/incidents/{incident_id}/close",
            ),
            "an incident of a source, whose owners are asked of in its room",
        ),
        "/me/tokens/{token_id}": "one's own, tested in test_token.py",
        "/cases/reassign/{batch_id}/undo": "a batch of one's own, tested in the case room",
        **dict.fromkeys(
            (
                "/experiments/{experiment_id}",
                "/experiments/{experiment_id}/register",
                "/experiments/{experiment_id}/draws",
                "/experiments/{experiment_id}/looks",
                "/experiments/{experiment_id}/stop",
            ),
            "an experiment as a whole, in counts; whom it draws is tested in its room",
        ),
        "/evidence/entries/{entry_id}": "only roles that see everything may read evidence",
        "/evidence/entries/{entry_id}/receipt": "likewise",
    }.items()
}
"""Paths with a parameter that lead to no row about a client, and why they need no probe."""
