"""The ladder: nobody 401, without permission 403, outside the scope 404, inside the row.

It climbs over every endpoint that the application has at run time. A new endpoint with a path
parameter needs a probe in `probes.py`, or the last test fails.
"""

from __future__ import annotations

import re

import pytest
from fastapi.routing import iter_route_contexts

from keepwell.trust.access.call import guard
from keepwell.trust.access.policy import GRANTS, Role
from keepwell.web.app import PREFIX
from tests.contract.routes import PAGES
from tests.contract.routes import endpoints as walked
from tests.house.scope_lint import UNGUARDED
from tests.trust.access.probes import PROBES, UNSCOPED, World, body_of, url

# One user of each role, as in tests/desk.py.
USERS = {
    Role.MANAGER: "m1", Role.ADVISER: "a1", Role.LEAD: "l1", Role.DIRECTOR: "d1",
    Role.COMPLIANCE: "compliance", Role.ANALYST: "analyst", Role.ADMIN: "admin",
    Role.AUDITOR: "auditor", Role.INTEGRATION: "integration",
}  # fmt: skip
# Answer without anybody's data: alive, ready, metrics, the description of the API.
OPEN = re.compile(r"^/(healthz?|livez?|readyz?|metrics|health/.*|api/v1/(openapi\.json|health.*))$")


@pytest.fixture(scope="module")
def world(sqlite_template, tmp_path_factory):
    made = World.make(sqlite_template, tmp_path_factory.mktemp("ladder"))
    yield made
    made.desk.close()


@pytest.fixture(scope="module")
def endpoints(world):
    """(method, path, guard) of every endpoint; HEAD and the like apart."""
    found = []
    for context in iter_route_contexts(world.desk.app.routes):
        endpoint = getattr(context.original_route, "endpoint", None)
        if getattr(endpoint, "__module__", "").startswith(PAGES):
            continue  # pages for people: tests/web/pages/test_ladder.py
        methods = (context.methods or set()) - {"HEAD", "OPTIONS"}
        allowed = guard(context.original_route)
        if allowed is None:
            name = getattr(endpoint, "__name__", "")
            known = {entry.split(":")[1] for entry in UNGUARDED}
            assert name in known or OPEN.match(context.path or ""), f"{context.path} has no guard"
            continue
        found += [(method, context.path, allowed) for method in sorted(methods)]
    # Nothing that the application serves is left out, however its routers are nested.
    served = {
        (method, PREFIX + route.path)
        for route in walked(world.desk.app)
        for method in route.methods
        if route.operation_id != "log_in"
    }
    assert {(method, path) for method, path, _ in found} == served
    assert len(found) > 80
    return found


def call(http, method, path, content=None):
    headers = {"Content-Type": "application/json"} if content is not None else {}
    return http.request(method, path, content=content, headers=headers)


def filled(path):
    return re.sub(r"{\w+}", "none-such", path)


def test_nobody_gets_401_whatever_they_send(world, endpoints):
    http = world.desk.http()
    for method, path, _ in endpoints:
        for content in (None, b"{{", b"{}", b"\xff\x00"):
            for query in ("", "?limit=none&cursor=%00"):
                answer = call(http, method, filled(path) + query, content)
                assert answer.status_code == 401, f"{method} {path} {content!r} {answer.text}"


@pytest.mark.parametrize("role", list(Role))
def test_a_role_without_the_permission_gets_403_whatever_it_sends(world, endpoints, role):
    http = world.desk.http(USERS[role])
    climbed = 0
    for method, path, allowed in endpoints:
        if allowed.permission is None or allowed.permission in GRANTS[role].permissions:
            continue
        climbed += 1
        for content in (None, b"{{"):
            answer = call(http, method, filled(path), content)
            assert answer.status_code == 403, f"{role} {method} {path} {answer.text}"
            assert answer.json()["code"] == "access.permission-missing"
    assert climbed > 3


@pytest.mark.parametrize("role", list(Role))
def test_a_role_with_the_permission_is_let_in(world, endpoints, role):
    http = world.desk.http(USERS[role])
    for method, path, allowed in endpoints:
        if allowed.permission is None or allowed.permission not in GRANTS[role].permissions:
            continue
        if method != "GET":
            continue
        answer = call(http, method, filled(path))
        assert "access.permission-missing" not in answer.text, f"{role} {path}"
        assert answer.status_code in (200, 404, 422), f"{role} {path} {answer.text}"


def test_a_row_outside_the_scope_is_404_and_inside_it_is_there(world, endpoints):
    """Every read by path: who sees client c1 sees the row, who does not gets 404."""
    for method, path, allowed in endpoints:
        if method != "GET" or path not in PROBES:
            continue
        managers = allowed.permission in GRANTS[Role.MANAGER].permissions
        inside = world.desk.http("m1" if managers else "l1").get(url(world, path))
        assert inside.status_code == 200, f"{path} {inside.text}"
        for stranger in ("m2", "m4", "l3", "d2") if managers else ("l2", "l3", "d2"):
            answer = world.desk.http(stranger).get(url(world, path))
            assert answer.status_code == 404, f"{stranger} {path} {answer.text}"


def test_nobody_changes_a_row_outside_the_scope(world, endpoints):
    for method, path, _ in endpoints:
        if method == "GET" or path not in PROBES:
            continue
        for stranger in ("m4", "d2"):
            http = world.desk.http(stranger, **{"If-Match": '"1"'})
            answer = http.request(method, url(world, path), **body_of(world, method, path))
            assert answer.status_code in (403, 404), f"{stranger} {method} {path} {answer.text}"


def test_who_sees_the_row_may_change_it_as_far_as_the_permission_goes(world, endpoints):
    """The other half of the test above: its 404 is about the row, not about the request."""
    climbed = 0
    for method, path, allowed in endpoints:
        if method == "GET" or path not in PROBES:
            continue
        may = [
            r
            for r in (Role.MANAGER, Role.COMPLIANCE)
            if allowed.permission in GRANTS[r].permissions
        ]
        assert may, path
        # A version that cannot be keeps what is changed by version as it is for the other tests.
        http = world.desk.http(USERS[may[0]], **{"If-Match": '"99"'})
        answer = http.request(method, url(world, path), **body_of(world, method, path))
        assert answer.status_code in (200, 201, 403, 409, 412), f"{method} {path} {answer.text}"
        if answer.status_code == 403:  # holds are for those without clients of their own
            assert answer.json()["code"] == "exit.hold-forbidden", f"{path} {answer.text}"
        climbed += 1
    assert climbed > 20


def test_every_path_with_a_parameter_has_a_probe_or_a_reason(endpoints):
    with_parameter = {path for _, path, _ in endpoints if "{" in path}
    assert with_parameter - PROBES - set(UNSCOPED) == set()
    assert (PROBES | set(UNSCOPED)) - with_parameter == set(), "a probe of nothing"
