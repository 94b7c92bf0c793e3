"""The page of evidence: search, one entry, receipts and their verification, hold-out."""

from __future__ import annotations

import json
from html import unescape

import pytest

from keepwell.trust.access.model import User
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence.policy import TITLES, EvidenceKind
from keepwell.trust.evidence.service import record
from keepwell.web.pages import evidence
from tests.web.pages.test_data import Words, words

CASE = "case_01kdvdna00fgzjsdqkfb56fv6q"


@pytest.fixture
def told(desk):
    """A desk with four entries, one of them about a client with a personal value."""
    desk.usual()
    m1 = desk.actors["m1"]
    with desk.tx() as tx:
        desk.noted = record(
            tx, m1, EvidenceKind.CASE_NOTED, client_id="c1", subject=CASE,
            data={"case_id": CASE}, personal={"note": "Call on Monday."},
        )  # fmt: skip
        record(tx, SYSTEM, EvidenceKind.CASE_OPENED, client_id="c6", subject="case_2")
        record(tx, SYSTEM, EvidenceKind.SETTING_CHANGED, subject="<script>alert(1)</script>")
        desk.held = record(tx, SYSTEM, EvidenceKind.TREATMENT_WITHHELD, client_id="c2")
    desk.settle()
    return desk


@pytest.mark.parametrize("who", ["compliance", "auditor"])
def test_who_may_look_at_evidence(told, who):
    paths = ["", "/verify", "/unmaskings", "/holdout", "/checkpoint", f"/entries/{told.noted}"]
    with told.http(who) as http:
        for path in paths:
            assert http.get("/evidence" + path).status_code == 200, path


@pytest.mark.parametrize("who", ["m1", "a1", "l1", "d1", "admin"])
def test_who_may_not(told, who):
    with told.http(who) as http:
        for path in ("", "/verify", "/unmaskings", "/holdout", f"/entries/{told.noted}"):
            assert http.get("/evidence" + path).status_code == 403
        assert http.post("/evidence/verify", data={"what": "log"}).status_code == 403


def test_the_hold_out_needs_its_own_permission(told):
    with told.http("analyst") as http:
        assert http.get("/evidence/holdout").status_code == 200
        assert http.get("/evidence").status_code == 403


def test_entries_are_found_and_lead_to_client_and_case(told):
    with told.http("compliance") as http:
        page = http.get("/evidence")
        assert "A note was added to a case." in words(page)
        assert "<script>alert" not in page.text
        links = Words(page.text).links
        assert "/clients/c1" in links
        assert f"/cases/{CASE}" in links
        for asked in ("client=c1", "who=m1", f"subject={CASE}", "kind=case.noted"):
            said = words(http.get(f"/evidence?{asked}&since=2026-03-04&until=2026-03-04"))
            assert said.split("Place in the log")[1].count("A note was added to a case.") == 1
        assert "No entry fits" in words(http.get("/evidence?client=c1&until=2026-03-03"))
        assert "No entry fits" in words(http.get("/evidence?client=nobody"))
        assert "Choose a date." in words(http.get("/evidence?since=yesterday"))


def test_pages_of_entries(told):
    with told.tx() as tx:
        for number in range(60):
            record(tx, SYSTEM, EvidenceKind.JOB_REPLAYED, subject=f"job_{number:02}")
    with told.http("auditor") as http:
        first = http.get("/evidence?kind=job.replayed")
        following = next(link for link in Words(first.text).links if "cursor=" in (link or ""))
        second = http.get(unescape(following))
        assert first.text.count('<td class="kw-block">') == 50
        assert second.text.count('<td class="kw-block">') == 10


def test_an_entry_shows_its_data_and_explains_what_it_commits_to(told):
    with told.http("compliance") as http:
        page = http.get(f"/evidence/entries/{told.noted}")
        said = words(page)
        assert "case_id" in said
        assert "The log holds no personal values." in said
        assert "Call on Monday." not in page.text
        assert http.get("/evidence/entries/ev_nothing").status_code == 404


def test_a_receipt_is_handed_out_and_verified_as_file_and_as_text(told):
    with told.http("compliance") as http:
        receipt = http.get(f"/evidence/entries/{told.noted}/receipt")
        assert receipt.status_code == 200
        assert "attachment" in receipt.headers["content-disposition"]
        form = {"what": "receipt", "receipt": receipt.text}
        assert "Receipts that are genuine: 1." in words(http.post("/evidence/verify", data=form))
        files = {"file": ("r.json", receipt.content, "application/json")}
        done = http.post("/evidence/verify", data={"what": "receipt"}, files=files)
        assert "Receipts that are genuine: 1." in words(done)


def test_a_receipt_that_was_changed_says_what_to_do(told):
    with told.http("compliance") as http:
        receipt = http.get(f"/evidence/entries/{told.noted}/receipt").json()
        receipt["entry"]["actor"] = "<b>somebody</b>"
        form = {"what": "receipt", "receipt": json.dumps(receipt)}
        page = http.post("/evidence/verify", data=form)
        said = words(page)
        assert "Not verified" in said
        assert "The proof does not show that entry" in said
        assert "Download the receipt here anew and compare the two." in said
        assert "<b>somebody" not in page.text
        for text in ("nonsense", "[]", "{}", "[" * 5000):
            done = http.post("/evidence/verify", data={"what": "receipt", "receipt": text})
            assert "This is no receipt" in words(done)


def test_no_receipt_at_all_is_asked_for(told):
    with told.http("compliance") as http:
        page = http.post("/evidence/verify", data={"what": "receipt", "receipt": " "})
        assert page.status_code == 422
        assert "Choose a file or paste a receipt." in page.text


def test_the_log_is_verified_also_against_a_checkpoint_kept_elsewhere(told):
    with told.http("auditor") as http:
        kept = http.get("/evidence/checkpoint").text
        with told.tx() as tx:
            record(tx, SYSTEM, EvidenceKind.SETTING_CHANGED, subject="later")
        told.later(minutes=10)
        log = {"what": "log"}
        assert "it has only grown since" in words(http.post("/evidence/verify", data=log))
        page = http.post("/evidence/verify", data={**log, "checkpoint": kept})
        assert "The checkpoint you kept is of this log too." in words(page)
        page = http.post("/evidence/verify", data={**log, "checkpoint": kept.replace("4", "5")})
        assert "Not verified" in words(page)
        assert "tell compliance" in words(page)


def test_before_anything_was_signed(desk):
    desk.usual()
    with desk.http("auditor") as http:
        assert "Nothing was signed yet" in words(http.get("/evidence/verify"))
        assert http.post("/evidence/verify", data={"what": "log"}).status_code == 404


def test_unmaskings_name_who_and_why(told):
    with told.http("m1") as http:
        body = {"fields": ["phone"], "reason": "<i>Called back</i>"}
        assert http.post("/api/v1/clients/c1/unmask", json=body).status_code == 200
    with told.http("compliance") as http:
        page = http.get("/evidence/unmaskings?who=m1&client=c1")
        assert "Person m1" in words(page)
        assert "<i>Called" not in page.text
        assert "Nothing fits" in words(http.get("/evidence/unmaskings?who=m2"))


def test_the_hold_out_is_told(told):
    from keepwell.learn.holdout.service import draw

    with told.http("auditor") as http:
        assert "No hold-out was drawn" in words(http.get("/evidence/holdout"))
    with told.frame.read() as tx:
        from keepwell.trust.book.generation_repo import in_force

        number = in_force(tx)
    from keepwell.learn.holdout.service import present

    with told.tx() as tx:
        present(tx)
    draw(told.frame, number)
    with told.http("auditor") as http:
        said = words(http.get("/evidence/holdout"))
    assert "Share held out" in said
    assert "m4" in said
    assert "Holds" in said


def test_every_title_has_its_chinese_and_the_page_no_english(told):
    with told.tx() as tx:
        tx.session.get_one(User, "user_compliance").locale = "zh"
    with told.http("compliance") as http:
        said = words(http.get("/evidence"))
        assert "存证" in said
        assert not [title for title in TITLES.values() if title in said]
        said = words(http.post("/evidence/verify", data={"what": "log"}))
        assert "核验通过" in said
        said = words(http.get("/evidence/holdout"))
        assert not [w for w in evidence.DECISIONS.values() if w in said]
