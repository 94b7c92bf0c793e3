"""Every page and form against every role: nobody, not permitted, permitted."""

from __future__ import annotations

import re

import pytest

from keepwell.trust.access.policy import GRANTS, Role
from keepwell.web.pages import modules
from keepwell.web.pages.visit import Visiting
from tests.contract.routes import walk

PEOPLE = {
    Role.MANAGER: "m1", Role.ADVISER: "a1", Role.LEAD: "l1", Role.DIRECTOR: "d1",
    Role.COMPLIANCE: "compliance", Role.ANALYST: "analyst", Role.ADMIN: "admin",
    Role.AUDITOR: "auditor",
}  # fmt: skip
OPEN = {"/login", "/language", "/theme"}
STREAMS = {"/live"}


def routes() -> list[tuple[str, str, Visiting | None]]:
    found = []
    for module in modules():
        for route in walk(module.router.routes):
            guards = [d.call for d in route.dependant.dependencies if isinstance(d.call, Visiting)]
            guard = guards[0] if guards else None
            found += [(method, route.path, guard) for method in sorted(route.methods)]
    return found


def filled(path: str) -> str:
    """An address of the shape, of something that is not there."""
    return re.sub(r"{(\w+)(:\w+)?}", "nothing", path)


ROUTES = routes()


def test_only_the_log_in_is_open():
    assert {path for _, path, guard in ROUTES if guard is None} == OPEN


def test_nobody_is_led_to_the_log_in(sqlite_desk):
    with sqlite_desk.http() as http:
        http.follow_redirects = False
        for method, path, guard in ROUTES:
            if guard is None:
                continue
            answer = http.request(method, filled(path))
            assert answer.status_code == 303, f"{method} {path}: {answer.status_code}"
            assert answer.headers["location"].startswith("/login"), path


@pytest.mark.parametrize("role", PEOPLE)
def test_each_role_gets_in_where_it_may_and_nowhere_else(sqlite_desk, role):
    sqlite_desk.usual()
    faults = []
    with sqlite_desk.http(PEOPLE[role]) as http:
        http.follow_redirects = False
        for method, path, guard in ROUTES:
            if guard is None or path in STREAMS or path == "/logout":
                continue
            may = guard.permission is None or guard.permission in GRANTS[role].permissions
            answer = http.request(method, filled(path))
            if may and answer.status_code in (401, 500):
                faults.append(f"{method} {path}: {answer.status_code}")
            if not may and not (answer.status_code == 403 and "<h1>" in answer.text):
                faults.append(f"{method} {path}: {answer.status_code} though not permitted")
    assert not faults
