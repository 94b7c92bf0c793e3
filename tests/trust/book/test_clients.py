"""Reading clients: scope, masks, filters, pages, CSV, unmasking."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from sqlalchemy import select

from keepwell.observe.contract_people import PEOPLE
from keepwell.trust.access import mask
from keepwell.trust.access.model import Unmasking
from keepwell.trust.book.model import Client
from keepwell.trust.evidence.model import EvidenceEntry


@pytest.fixture
def full(desk):
    desk.usual()
    return desk


@pytest.fixture
def small(sqlite_desk):
    sqlite_desk.usual()
    return sqlite_desk


def ids(answer):
    return [client["client_id"] for client in answer.json()["items"]]


def walk(http, **params):
    seen, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer = http.get("/api/v1/clients", params={**params, **more})
        assert answer.status_code == 200
        seen += ids(answer)
        cursor = answer.json()["next"]
        if cursor is None:
            return seen


SEEN = {
    "m1": {"c1", "c2", "c3"}, "m2": {"c4"}, "m3": {"c5"}, "m4": {"c6", "c7", "c8"},
    "a1": {"c1", "c2", "c3", "c4", "c5"}, "a2": {"c6", "c7", "c8"},
    "l1": {"c1", "c2", "c3", "c4"}, "l2": {"c5"}, "l3": {"c6", "c7", "c8"},
    "d1": {"c1", "c2", "c3", "c4", "c5"}, "d2": {"c6", "c7", "c8"},
    "compliance": {f"c{n}" for n in range(1, 9)}, "analyst": {f"c{n}" for n in range(1, 9)},
    "auditor": {f"c{n}" for n in range(1, 9)}, "integration": {f"c{n}" for n in range(1, 9)},
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_everybody_sees_their_own_clients_and_no_others(small, name):
    http = small.http(name)
    assert set(walk(http, limit=2)) == SEEN[name]
    for n in range(1, 9):
        status = http.get(f"/api/v1/clients/c{n}").status_code
        assert status == (200 if f"c{n}" in SEEN[name] else 404)


def test_personal_fields_are_masked(full):
    client = full.http("m1").get("/api/v1/clients/c1").json()
    assert client["name"] == "C**"
    assert client["phone"] == "138****0000"
    assert client["birth_year"] is None
    assert client["birth_decade"] == 1990
    assert client["assets"] == 50_000_000
    assert client["assets_band"] == "500k-2m"
    assert client["masked"] == ["name", "phone", "birth_year"]
    assert client["score"] == 80.0


def test_an_analyst_sees_bands_only(full):
    http = full.http("analyst")
    full.publish([
        {"client_id": "c1", "manager_id": "m1", "opened_on": date(2019, 5, 20),
         "reasons": [{"code": "x.y", "points": 3.0, "facts": {"amount": 50_000_000}}]},
    ])  # fmt: skip
    client = http.get("/api/v1/clients/c1").json()
    assert (client["assets"], client["assets_band"]) == (None, "500k-2m")
    assert (client["opened_on"], client["opened_year"]) == (None, 2019)
    assert client["reasons"] == [{"code": "x.y", "points": 3.0}]
    for query in ("sort=assets", "sort=-assets", "min_assets=1", "sort=-assets&format=csv"):
        refused = http.get(f"/api/v1/clients?{query}")
        assert (refused.status_code, refused.json()["code"]) == (403, "access.field-banded")
    assert "50000000" not in http.get("/api/v1/clients?format=csv").text


def test_every_personal_column_of_the_contract_is_treated():
    table = next(t for t in PEOPLE if t.name == "client")
    personal = {
        column.name: column.sensitivity
        for column in table.columns
        if column.sensitivity in ("personal", "sensitive")
    }
    kept = set(Client.__table__.columns.keys())
    for name in set(personal) & kept - {"client_id"}:
        assert mask.TREATED[name] == personal[name]
    assert set(mask.TREATED) <= kept


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王小明", "王**"),
        ("欧阳", "欧**"),
        (" Li", "L**"),
        ("", None),
        (None, None),
        ("𠮷野", "𠮷**"),
    ],
)
def test_names(name, shown):
    assert mask.mask_name(name) == shown


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("13812340000", "138****0000"), ("+86 138 1234 0000", "861****0000"),
        ("62345678", "****78"), ("123", "****"), ("unknown", "****"), (None, None),
    ],
)  # fmt: skip
def test_phones(phone, shown):
    assert mask.mask_phone(phone) == shown


def book(desk):
    desk.publish([
        {"client_id": "a1", "manager_id": "m1", "score": 90.0, "tier": "severe", "assets": 10},
        {"client_id": "a2", "manager_id": "m1", "score": 80.0, "assets": None},
        {"client_id": "a3", "manager_id": "m2", "score": 80.0, "assets": -5},
        {"client_id": "b1", "manager_id": "m3", "score": None, "note": "new", "tier": "none",
         "assets": 30},
        {"client_id": "b_2", "manager_id": "m4", "score": 80.0, "status": "dormant", "assets": 30},
        {"client_id": "bx2", "manager_id": None, "score": 10.0, "tier": "none", "assets": 20},
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-score", ["a1", "b_2", "a3", "a2", "bx2", "b1"]),
        ("score", ["b1", "bx2", "a2", "a3", "b_2", "a1"]),
        ("-assets", ["b_2", "b1", "bx2", "a1", "a3"]),
        ("assets", ["a3", "a1", "bx2", "b1", "b_2"]),
    ],
)
def test_lists_are_sorted_across_pages(full, sort, expected):
    book(full)
    for limit in (1, 2, 50):
        assert walk(full.http("compliance"), sort=sort, limit=limit) == expected


def test_by_number(small):
    book(small)
    assert walk(small.http("compliance"), sort="client_id", limit=2) == [
        "a1", "a2", "a3", "b1", "b_2", "bx2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tier=severe", {"a1"}),
        ("manager_id=m1", {"a1", "a2"}),
        ("team_id=tn1", {"a1", "a2", "a3"}),
        ("min_score=80", {"a1", "a2", "a3", "b_2"}),
        ("max_score=80", {"a2", "a3", "b_2", "bx2"}),
        ("min_assets=20", {"b1", "b_2", "bx2"}),
        ("note=new", {"b1"}),
        ("status=dormant", {"b_2"}),
        ("search=a", {"a1", "a2", "a3"}),
        ("search=b_", {"b_2"}),
        ("search=b1", {"b1"}),
        ("search=%25", set()),
        ("tier=moderate&manager_id=m1", {"a2"}),
    ],
)
def test_filters(full, query, expected):
    book(full)
    assert set(ids(full.http("compliance").get(f"/api/v1/clients?{query}"))) == expected


def test_filters_never_widen_the_scope(small):
    assert ids(small.http("m1").get("/api/v1/clients?manager_id=m2")) == []
    assert ids(small.http("m1").get("/api/v1/clients?search=c4")) == []


@pytest.mark.parametrize(
    "query",
    [
        "sort=name", "cursor=abc", "cursor=W10", "tier=worst", "limit=0", "limit=501",
        "min_score=nan", "min_assets=99999999999999999999", "search=%00", "manager_id=%00",
        "format=xml", "sort=-client_id&cursor=WzEsMl0",
    ],
)  # fmt: skip
def test_bad_queries_are_422(full, query):
    assert full.http("compliance").get(f"/api/v1/clients?{query}").status_code == 422


def test_csv_is_masked_escaped_and_recorded(full):
    full.publish([
        {"client_id": "=cmd()", "manager_id": "m1", "name": "王小明", "region": "@here",
         "score": 80.0, "assets": -5},
    ])  # fmt: skip
    answer = full.http("compliance").get("/api/v1/clients?format=csv&tier=moderate")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="clients.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert row["client_id"] == "'=cmd()"
    assert row["region"] == "'@here"
    assert row["name"] == "王**"
    assert row["assets"] == "-5"
    with full.frame.read() as tx:
        bodies = tx.session.scalars(select(EvidenceEntry.body)).all()
    (entry,) = [body for body in bodies if "list.exported" in body]
    assert '"rows":1' in entry
    assert "tier" in entry


def test_csv_needs_its_permission_and_is_whole_or_refused(small, monkeypatch):
    refused = small.http("m1").get("/api/v1/clients?format=csv")
    assert (refused.status_code, refused.json()["code"]) == (403, "access.permission-missing")
    from keepwell.trust.access import export
    from keepwell.trust.book import read

    monkeypatch.setattr(export, "MOST_ROWS", 7)
    monkeypatch.setattr(read, "MOST_ROWS", 7)
    full = small.http("compliance").get("/api/v1/clients?format=csv")
    assert (full.status_code, full.json()["code"]) == (422, "access.export-too-large")
    part = small.http("compliance").get("/api/v1/clients?format=csv&manager_id=m1")
    assert len(part.text.splitlines()) == 4


def test_unmasking_shows_what_was_asked_and_is_recorded(full):
    http = full.http("m1")
    body = {"fields": ["phone", "name"], "reason": "Call back about complaint"}
    answer = http.post("/api/v1/clients/c1/unmask", json=body)
    assert answer.json() == {
        "client_id": "c1", "name": "Client c1", "phone": "13800000000", "birth_year": None,
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    with full.frame.read() as tx:
        row = tx.session.scalars(select(Unmasking)).one()
        bodies = tx.session.scalars(select(EvidenceEntry.body)).all()
    assert (row.user_id, row.fields, row.reason) == (
        "user_m1", ["name", "phone"], "Call back about complaint",
    )  # fmt: skip
    (entry,) = [text for text in bodies if "client.unmasked" in text]
    for secret in ("13800000000", "Client c1", "complaint", '"c1"'):
        assert secret not in entry
    (seen,) = full.http("compliance").get("/api/v1/unmaskings").json()["items"]
    assert (seen["client_id"], seen["user_name"]) == ("c1", "Person m1")
    listed = full.http("auditor").get("/api/v1/unmaskings?client_id=c2").json()["items"]
    assert listed == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"fields": ["phone"], "reason": "why"}, 422),
        ({"fields": [], "reason": "a good reason"}, 422),
        ({"fields": ["assets"], "reason": "a good reason"}, 422),
        ({"fields": ["phone", "phone"], "reason": "a good reason"}, 422),
        ({"fields": ["phone"], "reason": "a\x00 good reason"}, 422),
        ({"fields": ["phone"]}, 422),
    ],
)
def test_unmasking_needs_fields_and_a_reason(small, body, status):
    assert small.http("m1").post("/api/v1/clients/c1/unmask", json=body).status_code == status


def test_nobody_unmasks_outside_the_scope_or_without_permission(small):
    body = {"fields": ["phone"], "reason": "a good reason"}
    assert small.http("m1").post("/api/v1/clients/c4/unmask", json=body).status_code == 404
    assert small.http("analyst").post("/api/v1/clients/c4/unmask", json=body).status_code == 403
    with small.frame.read() as tx:
        assert tx.session.scalars(select(Unmasking)).all() == []


def test_a_repeated_unmasking_is_not_kept_in_clear(full):
    http = full.http("m1", **{"Idempotency-Key": "u1"})
    body = {"fields": ["phone"], "reason": "a good reason"}
    assert http.post("/api/v1/clients/c1/unmask", json=body).status_code == 200
    assert http.post("/api/v1/clients/c1/unmask", json=body).status_code == 409
    from keepwell.trust.access.model import IdempotencyKey

    with full.frame.read() as tx:
        assert tx.session.scalars(select(IdempotencyKey.body)).all() == [""]
