"""The team's pages: load, a person's cases, plan, reassignment and undo, what the ceiling holds."""

from __future__ import annotations

import html
import re

import pytest

from keepwell.intervene.case import repo, service
from keepwell.intervene.case.policy import State
from keepwell.trust.access.model import Staff, User
from tests.intervene.case.helpers import open_case

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def team(desk):
    desk.usual()
    desk.cases = [open_case(desk, f"c{n}", number=f"a{n}") for n in (1, 2, 3)]
    desk.cases.append(open_case(desk, "c6", number="a6", owner="m4"))
    return desk


def browser(desk, name):
    http = desk.http(name)
    http.follow_redirects = False
    return http


def owners(desk, cases):
    with desk.tx() as tx:
        return [repo.unlocked(tx, case).owner_id for case in cases]


@pytest.mark.parametrize(("name", "sees"), [("l1", "m1"), ("d1", "m1"), ("l3", "m4"), ("d2", "m4")])
def test_who_leads_sees_the_load_of_their_own_people(team, name, sees):
    page = browser(team, name).get("/team").text
    assert f"/team/staff/{sees}" in page
    other = "m4" if sees == "m1" else "m1"
    assert f"/team/staff/{other}" not in page


def test_others_do_not_get_in(team):
    for name in ("m1", "a1", "analyst", "compliance", "auditor", "admin"):
        assert browser(team, name).get("/team").status_code == 403
    http = browser(team, "l1")
    assert http.get("/team/staff/m4").status_code in (404, 422)
    assert team.cases[3] not in http.get("/team/staff/m1").text


def test_an_overdue_case_puts_its_owner_first_and_says_so(team):
    team.later(days=3)
    page = browser(team, "l1").get("/team").text
    row = re.search(r"<tbody.*?</tr>", page, re.DOTALL).group(0)
    assert "/team/staff/m1" in row
    assert "Behind" in row


def test_cases_are_given_away_after_a_look_and_come_back(team):
    http = browser(team, "l1")
    form = {"case": team.cases[:2], "taker": "m2"}
    planned = http.post("/team/staff/m1", data=form)
    assert planned.status_code == 303
    place = planned.headers["location"]
    page = http.get(place).text
    assert "2 cases change hands" in page
    assert "live cases: 3 → 1" in page
    assert "live cases: 0 → 2" in page
    assert owners(team, team.cases[:2]) == ["m1", "m1"]
    done = http.post(place)
    batch = done.headers["location"]
    assert owners(team, team.cases[:3]) == ["m2", "m2", "m1"]
    page = http.get(batch).text
    assert f'action="{batch}/undo"' in page
    lately = http.get("/team").text.split('id="lately"')[1].split("</section>")[0]
    assert batch in lately
    assert re.search(r"→ [^·]+ · .*See or undo", lately)
    assert browser(team, "l2").get(batch).status_code == 404
    assert http.post(batch + "/undo").headers["location"] == batch
    assert owners(team, team.cases[:3]) == ["m1"] * 3
    page = http.get(batch).text
    assert "Back with whoever had them: 2." in page
    assert "Was reassigned, then undone:" in page
    assert "This plan was carried out, then undone." in http.get(place).text
    assert "/undo" not in page
    assert http.post(batch + "/undo").status_code == 409


def test_a_case_changed_meanwhile_stops_the_plan_and_is_named(team):
    http = browser(team, "l1")
    form = {"case": team.cases[:2], "taker": "m2"}
    place = http.post("/team/staff/m1", data=form).headers["location"]
    with team.tx() as tx:
        case = repo.find(tx, team.actors["m1"], team.cases[0])
        service.move(tx, team.actors["m1"], case.case_id, case.version, State.CONTACTED)
    page = http.get(place).text
    assert "changed since" in page
    refused = http.post(place)
    assert refused.status_code == 409
    assert "This would happen" in refused.text
    assert owners(team, team.cases[:2]) == ["m1", "m1"]


def test_a_form_without_case_or_taker_says_so_and_keeps_the_ticks(team):
    http = browser(team, "l1")
    page = http.post("/team/staff/m1", data={"case": team.cases[:1]})
    assert page.status_code == 422
    assert "Tick who is to have them." in page.text
    assert f'value="{team.cases[0]}" data-row' in page.text
    assert re.search(rf'value="{team.cases[0]}"[^>]*checked', page.text)
    page = http.post("/team/staff/m1", data={"taker": "m2"})
    assert "Tick the cases that somebody else is to have." in page.text
    assert (
        http.post("/team/staff/m1", data={"case": team.cases[3], "taker": "m2"}).status_code == 404
    )
    other = http.post("/team/staff/m1", data={"case": team.cases[0], "taker": "m4"})
    assert other.status_code == 422


def test_cases_of_nobody_are_given_out(team):
    with team.tx() as tx:
        repo.unlocked(tx, team.cases[0]).owner_id = None
    http = browser(team, "l1")
    assert "Nobody&#39;s cases" in http.get("/team").text
    place = http.post("/team/unowned", data={"case": team.cases[0], "taker": ["m1", "m2"]})
    http.post(place.headers["location"])
    assert owners(team, team.cases[:1]) == ["m2"]  # who has fewer


def test_what_the_ceiling_holds_back_is_listed(team):
    from keepwell.intervene.alert.model import Alert

    with team.tx() as tx:
        for client, owner, status in (("c1", "m1", "held-back"), ("c2", "m1", "held-out"),
                                      ("c6", "m4", "held-back")):  # fmt: skip
            tx.session.add(
                Alert(
                    alert_id=f"alert_{client}", client_id=client, reason="risk", status=status,
                    tier="severe", tier_rank=3, owner_id=owner, period="p", raised_at=tx.at,
                    signal_at=tx.at, held_at=tx.at,
                )
            )  # fmt: skip
    page = browser(team, "l1").get("/team/held").text
    assert set(re.findall(r'data-href="/clients/(\w+)"', page)) == {"c1", "c2"}
    assert "held-out" not in page.lower()
    assert "/team/held?owner=m1" in browser(team, "l1").get("/team").text


def test_hostile_names_are_escaped_and_everything_is_translated(team):
    with team.tx() as tx:
        tx.session.get_one(Staff, "m1").name = HOSTILE
        tx.session.get_one(User, "user_l1").locale = "zh"
    http = browser(team, "l1")
    for place in ("/team", "/team/staff/m1", "/team/held"):
        page = http.get(place).text
        assert HOSTILE not in page
        for words in ("Live cases", "Held back", "Tick the", "Due today"):
            assert words not in page
    assert html.escape(HOSTILE) in http.get("/team").text.replace("&#34;", "&quot;")
