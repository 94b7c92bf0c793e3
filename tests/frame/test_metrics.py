"""Requests are counted by template."""

from __future__ import annotations

import pytest

from keepwell.frame.metrics import Metrics, Observed, route_of


class Route:
    path_format = "/cases/{case_id}"


@pytest.mark.parametrize(
    ("path", "route", "named"),
    [
        ("/api/v1/cases/77", Route, "/api/v1/cases/{case_id}"),
        ("/cases/77", Route, "/cases/{case_id}"),
        ("/readyz", None, "/readyz"),
        ("/secret", None, "unmatched"),
    ],
)
def test_route_is_the_template(path, route, named):
    assert route_of({"path": path, "route": route}, "/api/v1") == named


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_failure_counts_as_500_and_unknown_methods_are_one(anyio_backend):
    metrics = Metrics()

    async def broken(scope, receive, send):
        raise ValueError

    scope = {"type": "http", "method": "BREW-77", "path": "/x"}
    with pytest.raises(ValueError):
        await Observed(broken, metrics)(scope, None, None)
    assert 'method="other",route="unmatched",status="500"} 1.0' in metrics.text().decode()
