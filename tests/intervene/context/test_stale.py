"""A score that rests on late or unusual data says so: to programs, and on three pages."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from keepwell.intervene.case.policy import CaseReason
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors import affected
from keepwell.observe.monitors.finding import Finding
from tests.desk import Desk

DAY = date(2026, 3, 3)
REASON = {
    "code": "trading.less", "cause": "behaviour", "points": 0.8, "change": None,
    "facts": {"indicator": "trade_count_90d", "value": 1.0, "normal": 6.0, "typical": 5.0},
}  # fmt: skip
SAID = "amount jumped to 100 times the usual on 3 Mar 2026: has its unit changed?"


def finding(table: str, kind: MonitorKind = MonitorKind.UNITS) -> Finding:
    return Finding(table, kind, "amount", DAY, DAY, 1e6, 1e4, 120, 100.0, f"{table}s", "m1")


@pytest.fixture
def found(monkeypatch):
    """Findings of the last watch, as if an ingest had just made them."""
    some: list[Finding] = []
    monkeypatch.setattr(affected, "last_findings", lambda _: tuple(some))
    affected._standing.cache_clear()
    yield some
    affected._standing.cache_clear()


def scored(desk: Desk) -> None:
    desk.staff_up()
    rows = [
        {"client_id": "c1", "manager_id": "m1", "branch_id": "bn", "reasons": [REASON]},
        {"client_id": "c2", "manager_id": "m1", "branch_id": "bn", "score": None,
         "note": "young", "tier": "none"},
    ]  # fmt: skip
    desk.publish(rows)


def test_api_and_pages_say_it(sqlite_desk, found):
    desk = sqlite_desk
    scored(desk)
    http = desk.http("m1")
    assert http.get("/api/v1/clients/c1/context").json()["stale"] == []
    assert "late or unusual" not in http.get("/clients/c1").text + http.get("/today").text

    found += [finding("trade"), finding("news"), finding("session", MonitorKind.NULLS)]
    desk.now.move(minutes=2)
    trade, session = http.get("/api/v1/clients/c1/context").json()["stale"]
    assert (trade["table"], trade["kind"], trade["owner"]) == ("trade", "units", "m1")
    assert (trade["words"], trade["reasons"]) == (SAID, ["trading.less"])
    assert trade["indicators"] > 10
    assert (session["table"], session["reasons"]) == ("session", [])  # no input reads the news
    assert http.get("/api/v1/clients/c2/context").json()["stale"] == []  # without a score

    page = http.get("/clients/c1").text
    assert "This score rests on data that are late or unusual." in page
    assert SAID in page
    assert "Reasons below that rest on it: 1" in page
    assert "Scores rest on data that are late or unusual:" in http.get("/today").text
    made = http.post("/api/v1/cases", json={"client_id": "c1", "reason": CaseReason.RISK})
    assert made.status_code == 201, made.text
    assert SAID in http.get(f"/cases/{made.json()['case_id']}").text
    zh = desk.http("m1", **{"Accept-Language": "zh-CN"})
    assert "单位是否变了" in zh.get("/api/v1/clients/c1/context").json()["stale"][0]["words"]


def test_an_answer_is_kept_for_a_minute_and_a_new_watch_is_seen_at_once(sqlite_desk, found):
    frame = sqlite_desk.frame
    now, is_open = sqlite_desk.now.at, lambda _: True
    assert affected.standing(frame.workspace, now, is_open) == ()
    found.append(finding("trade"))
    assert affected.standing(frame.workspace, now + timedelta(seconds=30), is_open) == ()
    folder = frame.workspace.state / "monitors"
    folder.mkdir()
    (folder / "found.json").write_text("{}")
    assert affected.standing(frame.workspace, now, is_open) == (finding("trade"),)
