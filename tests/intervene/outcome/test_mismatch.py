"""What staff typed against what the label says: counted, in scope, and telling nobody the arm."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.outcome.policy import Tally, share_of, strongest
from keepwell.warn.label import Why
from tests.intervene.contact.test_delivery import log
from tests.intervene.outcome.given import Lake, begin, close, half_a_year, warn

PATH = "/api/v1/outcomes"


def read(desk, who, path="/mismatch", **query):
    answer = desk.http(who).get(PATH + path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def typed(desk, monkeypatch):
    """c1 recovered and stayed; c2 recovered but left; c4 lost but stayed; c3 dead; c5 waits."""
    begin(desk)
    lake = Lake(desk, monkeypatch)
    cases = {}
    for client in ("c1", "c2", "c3", "c4"):
        cases[client] = warn(desk, client)
        log_as = "m2" if client == "c4" else "m1"
        made = desk.http(log_as).post(
            f"/api/v1/cases/{cases[client]}/contacts",
            json={"channel": "phone", "result": "reached", "script_id": "any.phone@1"},
        )
        assert made.status_code == 201, made.text
    desk.now.move(days=20)
    close(desk, cases["c1"], "recovered", "stayed-after-contact")
    close(desk, cases["c2"], "recovered", "service-fixed")
    close(desk, cases["c3"], "lost", "not-reached")
    close(desk, cases["c4"], "lost", "moved-to-competitor", "m2")
    lake.says("c1", 0.0)
    lake.says("c2", 1.0, Why.CLOSED, date(2026, 6, 1))
    lake.says("c3", float("nan"), Why.DIED)
    lake.says("c4", 0.0)
    half_a_year(desk)
    cases["c5"] = warn(desk, "c5")
    close(desk, cases["c5"], "false-alarm", "no-intention", "m3")
    lake.mature()
    return cases


def test_staff_and_label_side_by_side(desk, monkeypatch):
    told = typed(desk, monkeypatch)
    whole = read(desk, "auditor")
    assert {k: whole["whole"][k] for k in ("agree", "differ", "unsaid", "waiting")} == {
        "agree": 1, "differ": 2, "unsaid": 1, "waiting": 1,
    }  # fmt: skip
    share = whole["whole"]["mismatch"]
    assert (share["part"], share["whole"], round(share["share"], 3)) == (2, 3, 0.667)
    assert 0.2 < share["low"] < 0.3 < 0.9 < share["high"] < 1
    states = {row["state"]: row for row in whole["states"]}
    assert (states["recovered"]["stayed"], states["recovered"]["left"]) == (1, 1)
    assert (states["lost"]["stayed"], states["lost"]["unsaid"]) == (1, 1)
    assert states["false-alarm"]["waiting"] == 1
    managers = {row["key"]: (row["name"], row["agree"], row["differ"]) for row in whole["managers"]}
    assert managers["m1"] == ("Person m1", 1, 1)
    assert managers["m2"] == ("Person m2", 0, 1)
    assert {row["key"] for row in whole["teams"]} == {"tn1", "tn2"}
    differing = [(row["case_id"], row["state"], row["left"]) for row in whole["differing"]]
    assert sorted(differing) == sorted(
        [(told["c2"], "recovered", True), (told["c4"], "lost", False)]
    )
    assert next(r for r in whole["differing"] if r["left"])["left_day"] == "2026-06-01"
    assert whole["definition"].startswith("Holds")
    # Of another span nothing is said; and a lead sees the own team's alone.
    assert read(desk, "auditor", until="2026-03-10")["whole"]["agree"] == 0
    assert read(desk, "l2")["whole"]["differ"] == 0
    assert read(desk, "l2")["whole"]["waiting"] == 1
    assert desk.http("m1").get(PATH + "/mismatch").status_code == 403
    csv = desk.http("compliance").get(PATH + "/mismatch", params={"format": "csv"})
    assert csv.text.count("\r\n") == 3
    assert told["c2"] in csv.text


def test_use_and_pages_tell_what_followed_and_say_that_it_is_no_effect(sqlite_desk, monkeypatch):
    desk = sqlite_desk
    told = typed(desk, monkeypatch)
    use = read(desk, "auditor", "/use")
    (script,) = use["scripts"]
    assert (script["name"], script["contacts"], script["cases"]) == ("any.phone@1", 4, 4)
    assert (script["left"]["part"], script["left"]["whole"]) == (1, 3)
    assert script["left"]["low"] < 1 / 3 < script["left"]["high"]
    assert "no effect" in use["warning"]
    assert use["actions"] == []
    assert read(desk, "l2", "/use")["scripts"] == []
    html = desk.http("l1").get(f"/cases/{told['c2']}").text
    assert "Left on 1 Jun 2026, by the label" in html
    assert "differs from what staff typed" in html
    assert "differs from" not in desk.http("l1").get(f"/cases/{told['c1']}").text
    assert "by the label" in desk.http("l1").get("/clients/c2").text
    page = desk.http("l1").get("/results/outcomes").text
    assert told["c2"] in page
    assert "any.phone@1" in page
    assert "This is no effect" in page
    assert "66.7%" in page


def test_only_readers_of_the_hold_out_see_what_was_withheld(sqlite_desk, monkeypatch):
    desk = sqlite_desk
    begin(desk, held=["c1"])
    lake = Lake(desk, monkeypatch)
    for client in ("c1", "c2"):
        warn(desk, client)
        lake.says(client, 1.0)
    # A contact by hand of somebody held out must not tell the arm either.
    log(desk, desk.http("m1").post("/api/v1/cases", json={"client_id": "c3"}).json()["case_id"])
    lake.says("c3", 0.0)
    half_a_year(desk)
    lake.mature()
    shown = {row["client_id"]: row for row in read(desk, "l1", "")["items"]}
    assert set(shown) == {"c2", "c3"}
    assert {(row["arm"], row["propensity"]) for row in shown.values()} == {(None, None)}
    whole = {row["client_id"]: row for row in read(desk, "auditor", "")["items"]}
    assert (whole["c1"]["decision"], whole["c1"]["arm"]) == ("held-out", "hold-out")
    assert (whole["c3"]["decision"], whole["c3"]["left"]) == ("by-hand", False)
    assert [r["client_id"] for r in read(desk, "auditor", "", left="true", limit=1)["items"]]
    assert read(desk, "auditor", "", client="c3", left="true")["items"] == []
    csv = desk.http("compliance").get(PATH, params={"format": "csv"}).text
    assert csv.count("\r\n") == 4
    assert "by the label" not in desk.http("l1").get("/clients/c1").text


def test_a_case_of_service_has_an_outcome_too(sqlite_desk, monkeypatch):
    desk = sqlite_desk
    begin(desk)
    lake = Lake(desk, monkeypatch)
    case = warn(desk, "c1", AlertReason.COMPLAINT_OVERDUE)
    close(desk, case, "false-alarm", "data-fault")
    lake.says("c1", 1.0)
    half_a_year(desk)
    lake.mature()
    assert [row["case_id"] for row in read(desk, "auditor")["differing"]] == [case]


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_share_lies_within_its_interval(part, more):
    share = share_of(part, part + more)
    if part + more == 0:
        assert (share.share, share.low) == (None, None)
    else:
        assert 0 <= share.low <= share.share + 1e-9
        assert share.share <= share.high + 1e-9 <= 1 + 2e-9


def test_the_decision_of_the_draw_is_the_one_that_counts():
    assert strongest(["held-back", "by-hand", "shown", "exempt"]) == 2
    assert strongest(["held-back", "held-out"]) == 1
    assert strongest(["held-back", "by-hand", "held-back"]) == 2
    assert Tally().mismatch.share is None
