"""Refusals of stored recommendations: counted by code, listed, forgotten, within one's scope."""

from __future__ import annotations

import csv
import io
from collections import Counter

from sqlalchemy import select

from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.action.model import Refused
from keepwell.intervene.action.recommend import ASSUMED_MINUTES, Who
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from tests.intervene.action.test_recommendation import AT, ask, begin, by_hand, log, use, warn


def get(desk, path, who="m1", **params):
    answer = desk.http(who).get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def filled(desk):
    """c1 was warned of and asked about twice, with another answer; c2 was opened by hand."""
    begin(desk)
    case = warn(desk)
    told = [ask(desk, case).json()]
    assert log(desk, case, **use("service-call")).status_code == 201
    desk.now.move(minutes=5)
    told.append(ask(desk, case).json())
    told.append(ask(desk, by_hand(desk, "c2")).json())
    return told


def test_refusals_are_counted_and_listed_as_they_were_told(desk):
    told = filled(desk)
    expected = Counter(code for answer in told for code in {r["code"] for r in answer["refusals"]})
    counts = get(desk, "refusals/counts")
    assert {item["code"]: item["recommendations"] for item in counts} == expected
    by_code = {item["code"]: item for item in counts}
    assert by_code["suitability.level-above"]["clients"] == len(
        {a["client_id"] for a in told for r in a["refusals"]
         if r["code"] == "suitability.level-above"}
    )  # fmt: skip
    numbers = [item["recommendations"] for item in counts]
    assert numbers == sorted(numbers, reverse=True)
    listed = get(desk, "refusals", limit=500)
    assert len(listed) == sum(expected.values())
    assert [row["recommendation_id"] for row in listed] == sorted(
        (row["recommendation_id"] for row in listed), reverse=True
    )
    first = {r["action_id"]: r for r in told[0]["refusals"]}
    for row in listed:
        if row["recommendation_id"] != told[0]["recommendation_id"]:
            continue
        same = {a for a, r in first.items() if r["code"] == row["code"]}
        assert {name.partition("@")[0] for name in row["actions"]} == same
        assert row["words"] in {first[a]["words"] for a in same}
        assert row["rules"] in [first[a]["rules"] for a in same]
        assert row["stage"] in {first[a]["stage"] for a in same}


def test_a_page_leads_to_the_next_and_filters_narrow(sqlite_desk):
    desk = sqlite_desk
    told = filled(desk)
    whole, cursor = [], None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        answer = desk.http("m1").get("/api/v1/refusals", params=params).json()
        whole += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    assert whole == get(desk, "refusals", limit=500)
    suitable = get(desk, "refusals", stage="suitable")
    assert {row["code"] for row in suitable} == {"suitability.level-above"}
    assert get(desk, "refusals", code="suitability.level-above") == suitable
    later = get(desk, "refusals", since=desk.now.at.isoformat(), limit=500)
    assert {row["recommendation_id"] for row in later} == {
        answer["recommendation_id"] for answer in told[1:]
    }
    before = get(desk, "refusals/counts", until=AT.isoformat())
    assert before == []


def test_everybody_sees_refusals_of_their_own_clients_and_no_others(sqlite_desk):
    desk = sqlite_desk
    filled(desk)
    for who in ("m2", "m4", "d2"):
        assert get(desk, "refusals", who) == get(desk, "refusals/counts", who) == []
    assert get(desk, "refusals", "auditor", limit=500) == get(desk, "refusals", limit=500)
    assert desk.http("admin").get("/api/v1/refusals").status_code == 403
    assert desk.http("m1").get("/api/v1/refusals?format=csv").status_code == 403
    text = desk.http("compliance").get("/api/v1/refusals?format=csv").text.lstrip("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(get(desk, "refusals", limit=500))
    assert {row["code"] for row in rows} == {r["code"] for r in get(desk, "refusals", limit=500)}


def test_nothing_refused_is_left_of_who_refuses_profiling(desk):
    """Rule PI-4."""
    filled(desk)
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.PROFILING, False)
    with desk.frame.read() as tx:
        assert set(tx.session.scalars(select(Refused.client_id))) == {"c2"}


def test_the_catalogue_in_force_says_cost_needs_and_whether_its_effect_is_assumed(sqlite_desk):
    desk = sqlite_desk
    desk.now.set(AT)
    desk.staff_up()
    items = {item["action_id"]: item for item in get(desk, "actions")}
    shipped = Catalogue.shipped().on(AT.date())
    assert set(items) == {action.id for action in shipped}
    for action in shipped:
        item = items[action.id]
        assert item["time_cost"] == action.minutes * ASSUMED_MINUTES[Who(item["who"])]
        assert (item["title"], item["proven"]) == (action.title.en, False)
    talk = items["maturing-talk"]
    assert (talk["need"], talk["level"]) == ("product", "R2")
    assert "marketing" in talk["purposes"]
    chinese = desk.http("m1", **{"Accept-Language": "zh"}).get("/api/v1/actions").json()["items"]
    assert chinese[0]["title"] != get(desk, "actions")[0]["title"]
    text = desk.http("analyst").get("/api/v1/actions?format=csv").text.lstrip("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["action_id"] for row in rows} == set(items)
    assert {row["proven"] for row in rows} == {"false"}
