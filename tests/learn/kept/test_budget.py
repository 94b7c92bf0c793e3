"""Budgets: the rule on a proof, four eyes, and who may not."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from keepwell.learn.kept.model import KeptProof

EFFECT = {"value": 9e6, "low": 6e6, "high": 12e6, "error": 1e6, "confidence": 0.95, "clusters": 60}


def measure(effect, **more):
    return {
        "raw": effect, "adjusted": effect, "raw_total": effect, "total": effect, "share": None,
        "treated": 800, "held": 200, "unknown": [3, 1], "limit": None, "opening": 1e9,
        "few": False, "shown": effect["low"] > 0, "detectable": 0.01, **more,
    }  # fmt: skip


def proof_on(desk, *, error=1e6, cost=50.0, stopped=None, revenue=100_000_000, value=True, n=1):
    """A stored proof with a value kept of 90,000.00 and costs of 1,000 minutes."""
    effect = EFFECT | {"error": error, "low": 9e6 - 2 * error, "high": 9e6 + 2 * error}
    measures = {"clients": measure(EFFECT | {"value": 84.0, "low": 40.0, "high": 128.0})}
    if value:
        measures["value"] = measure(effect)
    record = {
        "format": 1, "currency": "CNY", "basis": "movements", "later": 0, "alone": 0, "lost": 0,
        "ratio": {"counts": {"contact": 800, "hold-out": 200},
                  "expected": {"contact": 800.0, "hold-out": 200.0}, "p": 1.0, "block": None,
                  "block_p": 1.0, "stop": stopped is not None},
        "measures": measures, "tiers": [{"tier": "severe", "treated": 800, "held": 200,
                                         "measure": measure(EFFECT)}],
        "absent": {}, "complied": None,
        "costs": {"contacts": 0, "minutes": 1000, "untimed": 0, "clients": 0, "contact_cost": 0.0,
                  "minute_cost": cost, "known": cost is not None, "total": 1000 * (cost or 0)},
        "revenue": {"year": revenue, "lines": {}, "absent": {}, "yours": []},
    }  # fmt: skip
    if stopped:
        record.pop("measures")
    with desk.tx() as tx:
        from keepwell.learn.holdout.service import present

        period = present(tx)
        tx.session.add(KeptProof(
            proof_id=f"proof_{n}", at=tx.at, actor_id="system", period=period.period, since=tx.at,
            until=tx.at, days=100, manifest=1, treated=800, held=200, stopped=stopped,
            digest=f"{n}" * 64, record=record,
        ))  # fmt: skip
    return f"proof_{n}"


def propose(desk, who="analyst", **body):
    return desk.http(who).post("/api/v1/budgets", json={"proof_id": "proof_1", **body})


def say(desk, who, proposal, verb="approve", words="Read."):
    return desk.http(who).post(f"/api/v1/budgets/{proposal}/{verb}", json={"words": words})


def test_four_eyes_put_a_budget_in_force(desk):
    desk.usual()
    proof_on(desk)
    made = propose(desk, words="Twice the calls.")
    assert made.status_code == 201
    body = made.json()
    # 3.5 % of a revenue of 1,000,000.00, by 45, 30, 15 and 10 per cent.
    assert body["amount"] == 3_500_000
    assert [p["amount"] for p in body["parts"]] == [1_575_000, 1_050_000, 525_000, 350_000]
    assert (body["state"], body["kind"], body["newest"]) == ("proposed", "more", True)
    assert body["needed"] == ["director", "compliance"]
    number = body["proposal_id"]
    first = say(desk, "d1", number).json()
    assert (first["state"], first["needed"]) == ("proposed", ["compliance"])
    again = say(desk, "d1", number)
    assert (again.status_code, again.json()["code"]) == (409, "budget.approved-already")
    # Two directors do not suffice.
    other = say(desk, "d2", number)
    assert (other.status_code, other.json()["code"]) == (409, "budget.role-taken")
    done = say(desk, "compliance", number).json()
    assert (done["state"], done["needed"]) == ("approved", [])
    assert sorted(a["role"] for a in done["approvals"]) == ["compliance", "director"]
    late = say(desk, "d2", number, "reject")
    assert (late.status_code, late.json()["code"]) == (409, "budget.decided")
    with desk.frame.read() as tx:
        kinds = tx.session.scalars(
            text("select kind from evidence_entry where kind like 'budget.%' order by kind")
        ).all()
    assert kinds == ["budget.approved", "budget.approved", "budget.proposed"]


def test_nobody_approves_what_they_proposed(desk):
    from keepwell.frame.problem import NotAllowed
    from keepwell.learn.kept.budget import answer, propose_budget
    from keepwell.learn.kept.policy import Answer

    desk.usual()
    proof_on(desk)
    director = desk.actors["d1"]
    with desk.tx() as tx:
        row = propose_budget(tx, director, "proof_1")
    with pytest.raises(NotAllowed, match="of their own"), desk.tx() as tx:
        answer(tx, director, row.proposal_id, Answer.APPROVE)
    # Nor does any other role, whatever permission it were given.
    with pytest.raises(NotAllowed, match="a director and"), desk.tx() as tx:
        answer(tx, desk.actors["analyst"], row.proposal_id, Answer.APPROVE)
    assert say(desk, "analyst", row.proposal_id).status_code == 403
    assert propose(desk, "d1").status_code == 403


def test_one_rejection_ends_it(sqlite_desk):
    sqlite_desk.usual()
    proof_on(sqlite_desk)
    number = propose(sqlite_desk).json()["proposal_id"]
    say(sqlite_desk, "d1", number)
    assert say(sqlite_desk, "compliance", number, "reject").json()["state"] == "rejected"
    assert say(sqlite_desk, "d2", number).json()["code"] == "budget.decided"


def test_more_than_usual_only_where_the_rule_proposes_more(sqlite_desk):
    sqlite_desk.usual()
    proof_on(sqlite_desk, error=6e6)  # the lower bound of the value lies below zero
    refused = propose(sqlite_desk, amount=3_500_001)
    assert (refused.status_code, refused.json()["code"]) == (422, "budget.amount-unearned")
    assert propose(sqlite_desk, amount=3_500_000).json()["kind"] == "same"
    sqlite_desk.now.move(minutes=1)
    proof_on(sqlite_desk, n=2)
    assert propose(sqlite_desk).json()["code"] == "budget.proof-old"
    more = propose(sqlite_desk, proof_id="proof_2", amount=9_000_000)
    assert (more.status_code, more.json()["amount"]) == (201, 9_000_000)
    listed = sqlite_desk.http("d1").get("/api/v1/budgets").json()["items"]
    # The older one rests on an old proof, and ended with the new one.
    assert [(b["state"], b["newest"]) for b in listed] == [("proposed", True), ("expired", False)]


def test_a_cost_not_known_never_gives_more(sqlite_desk):
    sqlite_desk.usual()
    proof_on(sqlite_desk, cost=None)
    body = propose(sqlite_desk).json()
    assert body["kind"] == "same"
    assert "not given" in " ".join(body["why"])


def test_a_proposal_expires(sqlite_desk):
    sqlite_desk.usual()
    proof_on(sqlite_desk)
    number = propose(sqlite_desk).json()["proposal_id"]
    sqlite_desk.now.move(days=31)
    assert sqlite_desk.http("d1").get(f"/api/v1/budgets/{number}").json()["state"] == "expired"
    assert say(sqlite_desk, "d1", number).json()["code"] == "budget.decided"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"stopped": "ratio"}, "budget.proof-stopped"), ({"value": False}, "budget.value-missing"),
        ({"revenue": None}, "budget.revenue-unknown"),
    ],
)  # fmt: skip
def test_no_budget_without_a_finding(sqlite_desk, how, code):
    sqlite_desk.usual()
    proof_on(sqlite_desk, **how)
    assert propose(sqlite_desk).json()["code"] == code


def test_the_page_shows_it_and_takes_the_answers(sqlite_desk):
    sqlite_desk.usual()
    proof_on(sqlite_desk)
    analyst, director = sqlite_desk.http("analyst"), sqlite_desk.http("d1")
    analyst.follow_redirects = director.follow_redirects = True
    shown = analyst.post(
        "/results/kept/propose", data={"proof_id": "proof_1", "amount": "42,000.50", "words": "W"}
    )
    assert shown.status_code == 200
    page = director.get("/results/kept").text
    assert "42,000.50" in page or "4.2" in page
    assert "/approve" in page
    number = director.get("/api/v1/budgets").json()["items"][0]["proposal_id"]
    assert director.get("/api/v1/budgets").json()["items"][0]["amount"] == 4_200_050
    director.post(f"/results/kept/budgets/{number}/approve", data={"words": ""})
    assert director.get(f"/api/v1/budgets/{number}").json()["needed"] == ["compliance"]
    refused = director.post(f"/results/kept/budgets/{number}/reject", data={})
    assert refused.status_code == 409
    assert "already" in refused.text
    chinese = director.get("/results/kept", headers={"Accept-Language": "zh"}).text
    assert chinese.count("<table") == page.count("<table")
    told = analyst.get("/results/kept.csv").text.splitlines()
    assert told[0].startswith("\ufeffmeasure,kept,low,high")
    assert len(told) == 3
    assert sqlite_desk.http("m1").get("/results/kept").status_code == 403


def test_the_page_before_any_proof_and_of_one_that_was_stopped(sqlite_desk):
    sqlite_desk.usual()
    director = sqlite_desk.http("d1")
    assert "Nothing was proved yet" in director.get("/results/kept").text
    proof_on(sqlite_desk, stopped="ratio")
    assert "Nothing is read out" in director.get("/results/kept").text
    listed = director.get("/api/v1/kept").json()["items"]
    assert [(p["stopped"], p["clients"]) for p in listed] == [("ratio", None)]
    whole = director.get("/api/v1/kept/proof_1").json()
    assert (whole["measures"], whole["ratio_p"]) == ([], 1.0)
    assert director.get("/api/v1/kept/none").status_code == 404


def test_a_proof_over_http_and_by_job(sqlite_desk):
    sqlite_desk.usual()
    analyst = sqlite_desk.http("analyst")
    assert analyst.post("/api/v1/kept", json={}).status_code == 404
    from keepwell.learn.holdout.service import draw

    draw(sqlite_desk.frame, 1)
    asked = analyst.post("/api/v1/kept", json={})
    assert asked.status_code == 202
    assert asked.json()["job_id"].startswith("job_")
    sqlite_desk.settle()  # there is no lake: the job ends, nothing is stored
    assert analyst.get("/api/v1/kept").json()["items"] == []
    proof_on(sqlite_desk)
    whole = analyst.get("/api/v1/kept/proof_1").json()
    assert [m["measure"] for m in whole["measures"]] == ["clients", "value"]
    assert whole["measures"][0]["total"] == {"value": 84.0, "low": 40.0, "high": 128.0}
    assert "84 (40 to 128)" in whole["claims"][0]
    assert "95% interval clustered by 60 managers" in whole["claims"][0]
