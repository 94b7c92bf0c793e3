"""The screen pop: one call tells what is open, why, and what may be said; scope and masks hold."""

from __future__ import annotations

import pytest

FACT = {"indicator": "trade_count_90d", "value": 1.0, "normal": 6.0, "typical": None}
REASON = {
    "code": "trading.less", "cause": "behaviour", "points": 0.7, "facts": FACT, "change": None
}  # fmt: skip


def usual(desk):
    desk.staff_up()
    desk.publish(
        [
            {"client_id": "c1", "manager_id": "m1", "branch_id": "bn", "reasons": [REASON]},
            {"client_id": "c2", "manager_id": "m2", "branch_id": "bn"},
        ]
    )


def test_one_call_tells_everything(desk):
    usual(desk)
    http = desk.http("m1")
    case = http.post("/api/v1/cases", json={"client_id": "c1", "tier": "severe"}).json()
    contact = {"channel": "phone", "result": "no-answer", "note": "Tries tomorrow."}
    made = http.post(f"/api/v1/cases/{case['case_id']}/contacts", json=contact)
    assert made.status_code == 201, made.text
    http.post("/api/v1/clients/c1/consents", json={"purpose": "marketing", "granted": True})
    seen = http.get("/api/v1/clients/c1/context").json()
    assert seen["client"]["name"] == "C**"
    assert seen["why"] == ["Trades less (Trades in 90 days: 1, normally 6)"]
    assert [c["case_id"] for c in seen["cases"]] == [case["case_id"]]
    assert seen["cases"][0]["clocks"]
    assert [c["result"] for c in seen["contacts"]] == ["no-answer"]
    assert [(c["purpose"], c["granted"]) for c in seen["consents"]] == [("marketing", True)]
    assert seen["may_retain"]["allowed"] is True
    assert (seen["open_complaints"], seen["exits"]) == (0, [])


def test_it_speaks_the_callers_language(sqlite_desk):
    usual(sqlite_desk)
    http = sqlite_desk.http("m1", **{"Accept-Language": "zh-CN"})
    why = http.get("/api/v1/clients/c1/context").json()["why"]
    assert "平时" in why[0]


def test_an_open_complaint_means_service_only(desk):
    usual(desk)
    row = {"complaint_id": "k1", "client_id": "c1", "at": desk.now().isoformat(), "status": "open"}
    body = {"source": "crm", "batch": "b1", "table": "complaint", "rows": [row]}
    assert desk.http("integration").post("/api/v1/events", json=body).status_code == 202
    desk.settle()
    seen = desk.http("m1").get("/api/v1/clients/c1/context").json()
    assert seen["open_complaints"] == 1
    assert seen["may_retain"]["rule"] == "CT-2"
    assert seen["may_serve"]["allowed"] is True


@pytest.mark.parametrize(
    ("who", "client", "status"),
    [("m1", "c2", 404), ("m1", "c9", 404), ("admin", "c1", 403), ("l1", "c2", 200)],
)
def test_scope_holds(sqlite_desk, who, client, status):
    usual(sqlite_desk)
    assert sqlite_desk.http(who).get(f"/api/v1/clients/{client}/context").status_code == status


def test_those_who_see_bands_are_told_no_numbers(sqlite_desk):
    usual(sqlite_desk)
    seen = sqlite_desk.http("analyst").get("/api/v1/clients/c1/context").json()
    assert seen["why"] == ["Trades less"]
    assert seen["client"]["assets"] is None
