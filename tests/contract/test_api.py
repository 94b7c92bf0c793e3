"""The whole API under schemathesis: no server error, and every answer as the description says.

All phases that work in process run: examples, boundary coverage, random requests, good and bad,
and chains of requests along links. KEEPWELL_EXAMPLES sets the number of random requests for each
operation: a few here, 2,000 in a release.
"""

from __future__ import annotations

import os

import pytest

from tests.contract.fuzz import fuzz

EXAMPLES = int(os.environ.get("KEEPWELL_EXAMPLES", "2"))
LONG = "KEEPWELL_EXAMPLES" in os.environ


@pytest.fixture
def filled():
    """Fills a desk with people, clients, a case and an exit request of theirs, and a webhook."""

    def fill(desk):
        desk.usual()
        done = [
            desk.http("m1").post("/api/v1/cases", json={"client_id": "c1"}),
            desk.http("m4").post("/api/v1/cases", json={"client_id": "c6"}),
            desk.http("admin").post(
                "/api/v1/webhooks", json={"url": "https://crm.example.com/", "patterns": ["*"]}
            ),
        ]
        assert [answer.status_code for answer in done] == [201, 201, 201]
        return desk

    return fill


def test_no_request_breaks_the_desk(filled, sqlite_desk):
    seconds = None if LONG else 30
    found = fuzz(filled(sqlite_desk), examples=EXAMPLES, seed=20260304, seconds=seconds)
    assert not found.failures, found.told()
    assert not found.errors, found.told()
    assert found.requests > 150, "too few to say anything"


# What reaches the databases most directly: text, numbers and instants that only PostgreSQL refuses.
_ON_POSTGRES = r"/(cases|alerts|clients|events|exits|staff|webhooks)$" if not LONG else None


@pytest.mark.parametrize("desk", ["postgresql"], indirect=True)
def test_no_request_breaks_the_desk_on_postgresql(filled, desk):
    seconds = None if LONG else 10
    found = fuzz(filled(desk), examples=EXAMPLES, seed=20260305, seconds=seconds, only=_ON_POSTGRES)
    assert not found.failures, found.told()
    assert not found.errors, found.told()
    assert found.requests > 50, "too few to say anything"
