"""The inbox: whose notices, in which order, in whose language, for how long."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from keepwell.core.text import catalogue
from keepwell.frame.events import Event, EventName, emit
from keepwell.intervene.notice.model import Notice
from keepwell.intervene.notice.policy import TIERS, TITLES, NoticeKind, words
from keepwell.intervene.notice.service import directors_of, leads_of, notify, notify_role
from keepwell.trust.access.model import Staff
from keepwell.trust.access.policy import Role

URL = "/api/v1/notices"


@pytest.fixture
def filled(desk):
    desk.usual()
    for number in range(5):
        desk.now.move(minutes=1)
        with desk.tx() as tx:
            data = {"tier": "severe"}
            notify(tx, ["m1", "m2"], NoticeKind.ALERT_RAISED, f"alert_{number}", "c1", data)
    return desk


def subjects(http, query=""):
    found, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = http.get(f"{URL}{query}", params=params).json()
        found += [n["subject"] for n in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


def test_unread_first_then_newest_first_and_only_ones_own(filled):
    http = filled.http("m1")
    items = http.get(URL).json()["items"]
    assert [n["subject"] for n in items] == [f"alert_{i}" for i in (4, 3, 2, 1, 0)]
    ids = [items[0]["notice_id"], items[2]["notice_id"]]
    assert filled.http("m2").post(f"{URL}/read", json={"ids": ids}).json() == {"marked": 0}
    assert http.post(f"{URL}/read", json={"ids": ids}).json() == {"marked": 2}
    assert http.post(f"{URL}/read", json={"ids": ids}).json() == {"marked": 0}
    assert subjects(http) == [f"alert_{i}" for i in (3, 1, 0, 4, 2)]
    assert len(http.get(f"{URL}?unread=true").json()["items"]) == 3
    assert http.post(f"{URL}/read", json={"all": True}).json() == {"marked": 3}
    assert subjects(filled.http("m2")) == [f"alert_{i}" for i in (4, 3, 2, 1, 0)]
    assert filled.http("m3").get(URL).json()["items"] == []


@pytest.mark.parametrize(
    "body", [{}, {"all": False}, {"ids": ["x"], "all": True}, {"ids": ["\x00"]}]
)
def test_what_was_read_is_said_clearly(sqlite_desk, body):
    sqlite_desk.usual()
    assert sqlite_desk.http("m1").post(f"{URL}/read", json=body).status_code == 422


def test_titles_speak_the_readers_language(filled):
    english = filled.http("m1").get(URL).json()["items"][0]["title"]
    chinese = filled.http("m1", **{"Accept-Language": "zh-CN"}).get(URL).json()["items"][0]
    assert english == "New alert (severe): client c1"
    assert chinese["title"] == "新预警（重度）：客户 c1"


@pytest.mark.parametrize("kind", list(NoticeKind))
@pytest.mark.parametrize("data", [{}, {"title": {"en": "A", "zh": "甲"}, "share": 0.5, "level": 2}])
def test_every_kind_has_words_whatever_is_known(kind, data):
    for locale in ("en", "zh"):
        title = words(kind, "case_1", None, data, locale)
        assert title
        assert "{" not in title
    assert TITLES[kind] in catalogue()
    assert all(word in catalogue() for word in TIERS.values())


def test_alerts_and_hand_overs_reach_their_owner(desk):
    desk.usual()
    with desk.tx() as tx:
        emit(tx, Event(EventName.ALERT_RAISED, "alert_1", "system", "c4", {"tier": "mild"}))
        data = {"owner_id": "m3"}
        emit(tx, Event(EventName.CASE_REASSIGNED, "case_1", "user_l1", "c4", data))
    assert subjects(desk.http("m2")) == ["alert_1"]
    assert subjects(desk.http("m3")) == ["case_1"]


def test_a_batch_of_cases_is_told_once_to_each_owner(desk):
    desk.usual()
    with desk.tx() as tx:
        for number, owner in enumerate(["m3", "m3", "m2", "m3"]):
            data = {"owner_id": owner, "batch_id": "batch_1", "from": "m1", "tier": "mild"}
            emit(tx, Event(EventName.CASE_REASSIGNED, f"case_{number}", "user_l1", "c4", data))
    desk.now.move(minutes=1)
    with desk.tx() as tx:
        data = {"owner_id": "m1", "batch_id": "batch_1", "from": "m3", "undone": True}
        emit(tx, Event(EventName.CASE_REASSIGNED, "case_0", "user_l1", "c4", data))
    (many,) = desk.http("m3").get(URL).json()["items"]
    assert (many["title"], many["subject"]) == ("3 cases are yours now (from m1)", "batch_1")
    assert many["client_id"] is None
    assert "tier" not in many["data"]
    (one,) = desk.http("m2").get(URL).json()["items"]
    assert one["title"] == "Case of client c4 is yours now (from m1)"
    (back,) = desk.http("m1").get(URL).json()["items"]
    assert back["title"] == "Case of client c4 is yours again: a reassignment was undone"


def test_users_without_a_place_get_notices_of_their_role(desk):
    desk.usual()
    with desk.tx() as tx:
        assert notify_role(tx, Role.COMPLIANCE, NoticeKind.EXIT_BREACHED, "X-1", "c1") == 1
        assert notify(tx, ["nobody"], NoticeKind.EXIT_BREACHED, "X-1") == 0
    assert subjects(desk.http("compliance")) == ["X-1"]
    assert subjects(desk.http("analyst")) == []


def test_who_leads_and_directs_whom(desk):
    desk.usual()
    with desk.tx() as tx:
        assert leads_of(tx, "m1") == ["l1"]
        assert leads_of(tx, "l1") == []
        assert leads_of(tx, None) == []
        assert directors_of(tx, "m4", None) == ["d2"]
        assert directors_of(tx, None, "c1") == ["d1"]
        assert directors_of(tx, None, None) == []
        tx.session.get(Staff, "l1").active = False
        tx.session.flush()
        assert leads_of(tx, "m1") == []


def test_notices_read_long_ago_are_pruned(filled):
    from keepwell.intervene.notice.jobs import prune

    filled.http("m1").post(f"{URL}/read", json={"all": True})
    filled.now.move(days=91)
    with filled.tx() as tx:
        prune(tx, {})
        left = tx.session.scalars(select(func.count()).select_from(Notice)).one()
    assert left == 5  # those of m2 were never read
