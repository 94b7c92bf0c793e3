"""What a client is worth, on the page of the client and in the list."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import update

from keepwell.core.text import catalogue
from keepwell.trust.access.model import User

BASIS = {
    "months": 60, "discount": 0.08, "discount_yours": True, "doubt": "proof", "absent": [
        "cash_spread", "cost_to_serve"], "lines": {"commission": True, "asset_fee": False},
}  # fmt: skip
WORTH = {"value": 1_234_500, "value_low": 1_000_000, "value_high": 1_500_000,
         "value_lost": 1_300_000}  # fmt: skip


@pytest.fixture
def valued(sqlite_desk):
    sqlite_desk.staff_up()
    client = {"client_id": "c1", "manager_id": "m1", "branch_id": "bn", "assets": 90_000_000}
    sqlite_desk.publish([{**client, **WORTH}, {**client, "client_id": "c2"}], value_basis=BASIS)
    return sqlite_desk


def test_the_page_says_the_value_its_interval_and_what_it_was_made_of(valued):
    with valued.http("m1") as http:
        page = http.get("/clients/c1").text
        assert "12.34K (CN¥10K to CN¥15K)" in page
        assert "Margin of 5.0 years, discounted by 8.0% a year (yours)." in page
        assert "At your rates: commission. At assumed rates: fees on assets." in page
        assert "Not known, so in no value: cash spread." in page
        # What is not known is not shown as nothing.
        assert "Client value" not in http.get("/clients/c2").text
        with valued.tx() as tx:
            tx.session.execute(update(User).where(User.user_id == "user_m1").values(locale="zh"))
        chinese = http.get("/clients/c1").text
        assert "客户价值" in chinese
        assert f"按假定费率：{catalogue()['fees on assets']}。" in chinese
        listed = http.get("/clients?columns=value").text
        assert "客户价值" in listed


def test_who_sees_bands_sees_no_value_anywhere(valued):
    http = valued.http("analyst")
    shown = http.get("/api/v1/clients/c1").json()
    assert shown["assets_band"] == "500k-2m"
    assert {shown[name] for name in WORTH} == {None}
    told = http.get("/api/v1/clients/c1/context").json()
    assert told["value_made_of"] == []
    text = http.get("/clients/c1").text + http.get("/clients?columns=value").text
    text += http.get("/api/v1/clients?format=csv").text
    assert "At your rates" not in text
    assert "12.34K" not in text
    assert str(WORTH["value"]) not in text
    own = valued.http("m1").get("/api/v1/clients/c1/context").json()
    assert own["client"]["value_low"] == WORTH["value_low"]
    assert len(own["value_made_of"]) == 5
    table = valued.http("compliance").get("/api/v1/clients?format=csv").text.lstrip("\ufeff")
    rows = {row["client_id"]: row for row in csv.DictReader(io.StringIO(table))}
    assert rows["c1"]["value_lost"] == str(WORTH["value_lost"])
    assert rows["c2"]["value"] == ""
