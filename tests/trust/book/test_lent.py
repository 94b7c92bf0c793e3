"""A client lent to somebody: seen everywhere or nowhere, from one request to the next."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from keepwell.intervene.alert.model import Alert
from keepwell.intervene.case.model import Case
from keepwell.intervene.clock.model import Clock
from keepwell.intervene.exit import service as exits
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import ClientGrant

V1 = "/api/v1"
LISTS = ("clients", "cases", "alerts", "clocks", "exits")
BORROWERS = ["m3", "l2", "d2"]
"""Of each scope narrower than all one whom client c1 is outside of."""


@pytest.fixture
def known(desk):
    """A desk with a client c1 who has an alert, a case, clocks and an exit request."""
    desk.usual()
    with desk.tx() as tx:
        request = exits.request_exit(tx, SYSTEM, client_id="c1", request_id="X1")
        exits.settle(tx, SYSTEM, request.request_id, None)
    desk.settle()
    with desk.frame.read() as tx:
        alert = tx.session.scalars(select(Alert).where(Alert.client_id == "c1")).one()
        case = tx.session.scalars(select(Case).where(Case.client_id == "c1")).one()
        clocks = tx.session.scalars(select(Clock.clock_id).where(Clock.client_id == "c1")).all()
        assert len(clocks) >= 2, "of the case and of the request"
    desk.case_id = case.case_id
    desk.ones = [
        "clients/c1", "clients/c1/context", f"cases/{case.case_id}",
        f"cases/{case.case_id}/history", f"alerts/{alert.alert_id}", "exits/X1",
        *(f"clocks/{c}" for c in clocks),
    ]  # fmt: skip
    return desk


def lend(desk, who, source="case:1", **later):
    with desk.tx() as tx:
        until = tx.at + timedelta(**later) if later else None
        tx.session.add(ClientGrant(staff_id=who, client_id="c1", source=source, until=until))


def take_back(desk, source):
    with desk.tx() as tx:
        tx.session.execute(delete(ClientGrant).where(ClientGrant.source == source))


def seen(desk, who) -> bool:
    """Whether somebody sees client c1; fails unless all ways of looking agree."""
    http, found = desk.http(who), {}
    for name in LISTS:
        got = http.get(f"{V1}/{name}", params={"limit": 200})
        assert got.status_code == 200, got.text
        ids = {item["client_id"] for item in got.json()["items"]}
        assert not ids & {"c2", "c3"}, "others of the same book are not lent"
        found[name] = "c1" in ids
        if who not in ("m3", "m2"):  # managers do not download
            got = http.get(f"{V1}/{name}", params={"format": "csv"})
            assert got.status_code == 200, got.text
            rows = csv.reader(io.StringIO(got.content.decode("utf-8-sig")))
            found[f"{name}.csv"] = any("c1" in row for row in rows)
    for one in desk.ones:
        got = http.get(f"{V1}/{one}")
        assert got.status_code in (200, 404), (one, got.text)
        found[one] = got.status_code == 200
    assert len(set(found.values())) == 1, found
    return found["clients"]


@pytest.mark.parametrize("who", BORROWERS)
def test_a_loan_begins_and_ends_everywhere_at_once(known, who):
    assert not seen(known, who)
    lend(known, who, "case:1", hours=1)
    assert seen(known, who)
    known.now.move(minutes=59, seconds=59)
    assert seen(known, who)
    known.now.move(seconds=1)
    assert not seen(known, who), "it ends at its instant, while its row is still there"
    lend(known, who, "case:2")
    lend(known, who, "case:3")
    assert seen(known, who)
    take_back(known, "case:2")
    assert seen(known, who), "another case still lends"
    take_back(known, "case:3")
    assert not seen(known, who)


def test_whoever_is_given_the_case_sees_the_client_until_it_is_given_on_or_closed(known):
    # d1 sees all three; m3 and m2 are not the client's manager.
    director = known.http("d1")

    def give(to):
        asked = director.post(
            f"{V1}/cases/reassign/preview", json={"case_ids": [known.case_id], "to": to}
        )
        assert asked.status_code in (200, 201), asked.text
        done = director.post(f"{V1}/cases/reassign", json={"plan": asked.json()["plan"]})
        assert done.status_code in (200, 201), done.text

    give("m3")
    assert (seen(known, "m3"), seen(known, "m2")) == (True, False)
    give("m2")
    with known.frame.read() as tx:
        holders = set(tx.session.scalars(select(ClientGrant.staff_id)))
    assert holders == {"m2"}
    assert not seen(known, "m3")
    one = f"{V1}/cases/{known.case_id}"
    match = {"If-Match": director.get(one).headers["etag"]}
    body = {"outcome": "lost", "reason": "closed-account", "note": "gone"}
    assert known.http("m2").post(f"{one}/close", json=body, headers=match).status_code == 200
    assert known.http("m2").get(one).status_code == 404


def change(desk, name, **changes):
    http = desk.http("admin")
    one = f"{V1}/users/user_{name}"
    match = {"If-Match": http.get(one).headers["etag"]}
    got = http.patch(one, json=changes, headers=match)
    assert got.status_code == 200, got.text


def test_a_new_role_holds_at_once_for_lent_clients_too(known):
    lend(known, "m3")
    assert seen(known, "m3")
    http = known.http("m3")
    # An administrator sees clocks, but no clients: the cases that they still hold lend nothing.
    change(known, "m3", role="admin")
    clock = next(one for one in known.ones if one.startswith("clocks/"))
    assert http.get(f"{V1}/clocks").json()["items"] == []
    assert http.get(f"{V1}/{clock}").status_code == 404
    assert {http.get(f"{V1}/{one}").status_code for one in known.ones} == {403, 404}
    change(known, "m3", role="manager", scope="none")
    assert not seen(known, "m3")
    change(known, "m3", scope="own")
    assert seen(known, "m3")
    change(known, "m3", role="adviser")
    assert seen(known, "m3"), "the case is still theirs"
    change(known, "m3", role="manager", staff_id=None, scope="none")
    assert not seen(known, "m3")
    change(known, "m3", active=False)
    assert {http.get(f"{V1}/{one}").status_code for one in known.ones} == {401}


def test_a_loan_is_of_the_staff_number_not_of_the_log_in(known):
    lend(known, "m3")
    change(known, "m3", staff_id=None, scope="none")
    change(known, "m2", staff_id="m3")
    assert seen(known, "m2")
    assert not seen(known, "m3")
