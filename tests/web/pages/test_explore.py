"""The client list: filters, orders, pages, columns, what readers of bands see, bounded looks."""

from __future__ import annotations

import html
import re

import pytest

from keepwell.trust.access.model import User
from keepwell.trust.book import list_repo

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def book(desk):
    desk.staff_up()
    reasons = [{"code": "app.less", "cause": "behaviour", "points": 1.0, "facts": {}}]
    rows = [
        {
            "client_id": f"c{n:03}", "manager_id": "m1" if n % 2 else "m4", "adviser_id": "a1",
            "branch_id": "bn" if n % 2 else "bs", "score": float(n), "assets": n * 1_000_00,
            "tier": "severe" if n > 100 else "none", "segment": "gold" if n % 10 == 0 else "tin",
            "status": "closed" if n == 7 else "open",
            "reasons": reasons if n > 90 else [],
        }
        for n in range(1, 100)
    ]  # fmt: skip
    rows[0] |= {"name": HOSTILE, "segment": HOSTILE}
    rows += [{"client_id": "z", "manager_id": "m1", "branch_id": "bn", "score": None,
              "assets": None, "note": "new", "tier": "none"}]  # fmt: skip
    desk.publish(rows)
    return desk


def ids(page):
    return re.findall(r'<tr data-href="/clients/([^"]+)"', page.text)


def follow(http, place):
    seen = []
    while place:
        page = http.get(place)
        assert page.status_code == 200
        seen += ids(page)
        found = re.search(r'href="([^"]*)" rel="next"', page.text)
        place = html.unescape(found.group(1)) if found else ""
    return seen


def test_a_reader_sees_their_own_clients_page_by_page_and_no_others(book):
    seen = follow(book.http("m1"), "/clients")
    assert seen == [f"c{n:03}" for n in range(99, 0, -2)] + ["z"]
    assert follow(book.http("d2"), "/clients?sort=client_id") == [
        f"c{n:03}" for n in range(2, 99, 2)
    ]
    assert len(follow(book.http("compliance"), "/clients")) == 100


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("segment=gold&sort=score", [f"c{n:03}" for n in range(10, 99, 10)]),
        ("reason=app.less", [f"c{n:03}" for n in range(99, 90, -1)]),
        ("min_assets=98,000&sort=assets", ["c098", "c099"]),
        ("max_assets=2000&sort=-assets", ["c002", "c001"]),
        ("min_score=97.5&max_score=99", ["c099", "c098"]),
        ("status=closed", ["c007"]),
        ("note=new", ["z"]),
        ("search=c09&sort=client_id&manager_id=m4", ["c090", "c092", "c094", "c096", "c098"]),
        ("branch_id=bs&min_score=97", ["c098"]),
        ("search=100%25", []),
    ],
)
def test_filters_and_orders_together(book, query, expected):
    assert follow(book.http("compliance"), "/clients?" + query) == expected


def test_a_look_is_bounded_and_goes_on(book, monkeypatch):
    monkeypatch.setattr(list_repo, "MOST_LOOKED", 10)
    http = book.http("compliance")
    for cached in (list_repo._ending, list_repo._listing):
        cached.cache_clear()
    query = "/clients?segment=tin&min_assets=1000&sort=client_id"
    first = http.get(query)
    assert "there are more to look through" in first.text
    assert len(ids(first)) < 10
    expected = [f"c{n:03}" for n in range(2, 100) if n % 10]
    try:
        assert follow(http, query) == expected
        for sort in ("score", "-score", "assets", "-assets", "-client_id"):
            assert sorted(follow(http, query.replace("client_id", sort))) == expected
        whole = http.get("/api/v1/clients?format=csv&segment=tin&min_assets=100000")
        assert whole.text.count("\n") == len(expected) + 1
    finally:
        list_repo._ending.cache_clear()


def test_who_sees_bands_only_can_neither_sort_nor_filter_by_assets(book):
    page = book.http("analyst").get("/clients?sort=-assets&min_assets=5")
    assert page.status_code == 200
    assert 'name="min_assets"' not in page.text
    assert "sort=-assets" not in page.text
    assert "under 100,000" in page.text.lower()
    assert 'name="min_assets"' in book.http("compliance").get("/clients").text


def test_what_cannot_be_read_is_named_and_left_out(book):
    page = book.http("m1").get("/clients?min_score=many&sort=nonsense&min_assets=1e999&cursor=")
    assert page.status_code == 200
    assert "Left out, since it cannot be read" in page.text
    assert len(ids(page)) == 50
    assert book.http("m1").get("/clients?cursor=made-up").status_code == 422


def test_columns_are_remembered_and_stand_in_the_address(book):
    http = book.http("m1")
    http.follow_redirects = False
    sent = {"column": ["score", "region"], "segment": "gold", "sort": "assets"}
    done = http.post("/clients/columns", data=sent)
    assert done.status_code == 303
    assert done.headers["location"] == "/clients?segment=gold&sort=assets&columns=score%2Cregion"
    page = http.get("/clients")
    heads = re.search(r"<thead>(.*?)</thead>", page.text, re.DOTALL).group(1)
    assert "Region" in heads
    assert "Segment" not in heads
    http.post("/clients/columns", data={"column": ["region"], "usual": "1"})
    assert "Segment" in http.get("/clients").text


def test_the_download_is_for_those_who_may_and_the_same_list(book):
    assert "format=csv" not in book.http("m1").get("/clients").text
    http = book.http("l1")
    page = http.get("/clients?min_assets=98000&sort=-assets")
    place = html.unescape(re.search(r'href="(/api/[^"]*format=csv[^"]*)"', page.text).group(1))
    rows = http.get(place).text.splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ids(page) == ["c099"]


def test_hostile_names_are_escaped_and_everything_is_translated(book):
    with book.tx() as tx:
        for name in ("m1", "l1"):
            tx.session.get_one(User, f"user_{name}").locale = "zh"
    page = book.http("m1").get("/clients?sort=client_id")
    assert HOSTILE not in page.text
    assert html.escape(HOSTILE, quote=False).split(";")[0] in page.text
    for words in ("Main reason", "Segment", "Columns", "Clients found", "More filters"):
        assert words not in page.text
    assert "主要原因" in page.text


def test_an_empty_list_says_why(desk):
    desk.staff_up()
    assert "Nothing has been published yet" in desk.http("m1").get("/clients").text
    desk.publish([{"client_id": "c1", "manager_id": "m2", "branch_id": "bn"}])
    assert "There is no client in your book" in desk.http("m1").get("/clients").text
    assert "No client fits" in desk.http("m2").get("/clients?tier=severe").text
