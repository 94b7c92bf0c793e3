"""From a score to its rows: over HTTP and on a page, to who sees the client, as it was scored."""

from __future__ import annotations

import json

import pytest

from keepwell.observe.ingest import ingest
from tests.desk import START

PATH = "/api/v1/clients/{}/lineage"
REASON = {
    "code": "trading.less", "cause": "behaviour", "points": 0.8, "change": None,
    "facts": {"indicator": "trade_count_30d", "value": 2.0, "normal": 6.0, "typical": 5.0},
}  # fmt: skip
ROWS = ("t1,c1,2026-02-20T02:00:00Z", "t2,c1,2026-02-27T02:00:00Z", "t3,c2,2026-02-27T03:00:00Z")


@pytest.fixture
def desk(sqlite_desk):
    desk = sqlite_desk
    file = desk.frame.workspace.root / "trades.csv"
    head = file.read_text("utf-8")
    file.write_text(head + "\n".join(ROWS) + "\n", "utf-8")
    ingest(desk.frame.workspace, backfill=True, now=START)
    manifest = desk.frame.workspace.lake.manifest().id
    desk.staff_up()
    desk.publish(
        [
            {"client_id": "c1", "manager_id": "m1", "branch_id": "bn", "reasons": [REASON]},
            {"client_id": "c2", "manager_id": "m2", "branch_id": "bn", "score": None,
             "note": "refused", "tier": "none"},
        ],
        manifest=manifest,
    )  # fmt: skip
    # What is known later is not what was scored.
    file.write_text(head + "\n".join((*ROWS, "t4,c1,2026-02-26T02:00:00Z")) + "\n", "utf-8")
    desk.now.move(hours=3)
    ingest(desk.frame.workspace, now=desk.now.at)
    assert desk.frame.workspace.lake.manifest().id > manifest
    return desk


def test_a_score_leads_to_its_rows_and_no_further(desk):
    http = desk.http("m1")
    whole = http.get(PATH.format("c1")).json()
    assert (whole["score"], whole["trace"]) == (80.0, None)
    assert [(one["code"], one["indicator"]) for one in whole["reasons"]] == [
        ("trading.less", "trade_count_30d")
    ]
    answer = http.get(PATH.format("c1"), params={"indicator": "trade_count_30d"})
    assert answer.status_code == 200, answer.text
    trace = answer.json()["trace"]
    assert (trace["value"], trace["tiles_total"]) == (2.0, 2)
    assert [tile["values"]["count"] for tile in trace["tiles"]] == [1, 1]
    (trades,) = [one for one in trace["sources"] if one["table"] == "trade"]
    assert (trades["total"], [row["trade_id"] for row in trades["rows"]]) == (2, ["t2", "t1"])
    assert trades["rows"][0]["source"] == "trades"
    assert trades["rows"][0]["known_at"] >= trades["rows"][0]["at"]
    assert "t3" not in json.dumps(trace)  # another client's
    page = http.get("/clients/c1/lineage", params={"indicator": "trade_count_30d"}).text
    assert "t2" in page
    assert "t3" not in page
    assert "/clients/c1/lineage?indicator=trade_count_30d" in http.get("/clients/c1").text


def test_only_who_sees_the_client_and_numbers_behind_reasons(desk):
    asked = {"indicator": "trade_count_30d"}
    assert desk.http("m2").get(PATH.format("c1"), params=asked).status_code == 404
    assert desk.http("m2").get("/clients/c1/lineage", params=asked).status_code == 404
    analyst = desk.http("analyst")
    assert analyst.get(PATH.format("c1")).json()["reasons"][0]["indicator"] is None
    banded = analyst.get(PATH.format("c1"), params=asked)
    assert (banded.status_code, banded.json()["code"]) == (403, "context.lineage-banded")
    unknown = desk.http("m1").get(PATH.format("c1"), params={"indicator": "trade_cout_30d"})
    assert (unknown.status_code, "trade_count_30d" in unknown.json()["detail"]) == (422, True)
    # Nothing is computed of who refuses profiling.
    refused = desk.http("m2").get(PATH.format("c2"), params=asked)
    assert (refused.status_code, refused.json()["code"]) == (409, "context.lineage-scoreless")
    desk.publish([{"client_id": "c1", "manager_id": "m1", "branch_id": "bn"}], manifest=999)
    gone = desk.http("m1").get(PATH.format("c1"), params=asked)
    assert (gone.status_code, gone.json()["code"]) == (409, "context.lineage-gone")
