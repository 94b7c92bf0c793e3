"""The recommendation of a case: what is stored, what refuses, and that no answer tells the arm."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select, update

from keepwell.core.digest import digest_of
from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.action.model import Recommended
from keepwell.intervene.action.record import replay, restore
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.alert.service import raise_alert
from keepwell.intervene.case.model import Case
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.exit.service import request_exit
from keepwell.intervene.rule.service import apply
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.learn.holdout.service import draw
from keepwell.trust.access.model import Staff
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import Client
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from keepwell.trust.evidence.model import EvidenceEntry, EvidenceOpening
from keepwell.trust.suitability.rulebook import RuleBook

AT = datetime(2026, 11, 4, 2, tzinfo=UTC)  # a Wednesday, 10:00 in Shanghai
IDLE = {"code": "money.idle", "cause": "behaviour", "points": 0.4, "facts": {}, "change": None}


def begin(desk, **more):
    """m1's clients c1 and c2; c2 is held out, c1 is not."""
    desk.now.set(AT)
    desk.staff_up()
    usual = {
        "manager_id": "m1", "score": 80.0, "probability": 0.2, "tier": "moderate", "name": "王小明",
        "reasons": [IDLE], "investor_class": "ordinary", "risk_level": "C1",
        "assessed_on": date(2026, 5, 4), "assets": 30_000_000,
    }  # fmt: skip
    number = desk.publish([{"client_id": c, **usual, **more} for c in ("c1", "c2")])
    draw(desk.frame, number)
    with desk.tx() as tx:
        tx.session.execute(update(HoldoutArm).values(arm="contact"))
        held = HoldoutArm.client_id == "c2"
        tx.session.execute(update(HoldoutArm).where(held).values(arm="hold-out"))


def warn(desk, client="c1") -> str:
    """A warning that is shown, and the case that it opens."""
    with desk.tx() as tx:
        raise_alert(
            tx, SYSTEM, client_id=client, reason=AlertReason.RISK, tier="moderate", score=80.0,
            facts={},
        )  # fmt: skip
    with desk.tx() as tx:
        case = select(Case.case_id).where(Case.client_id == client, Case.reason == "risk")
        return tx.session.scalars(case).one()


def ask(desk, case, who="m1", **headers):
    answer = desk.http(who, **headers).get(f"/api/v1/cases/{case}/recommendation")
    assert answer.status_code == 200, answer.text
    return answer


def by_hand(desk, client):
    made = desk.http("m1").post("/api/v1/cases", json={"client_id": client})
    assert made.status_code == 201, made.text
    return made.json()["case_id"]


def refused(told):
    return {r["action_id"]: r["code"] for r in told["refusals"]}


def log(desk, case, **body):
    sent = {"channel": "phone", "result": "reached"} | body
    return desk.http("m1").post(f"/api/v1/cases/{case}/contacts", json=sent)


def use(name, **more):
    return {"action_id": name, "action_version": 1} | more


def rows(desk):
    with desk.frame.read() as tx:
        return list(tx.session.scalars(select(Recommended).order_by(Recommended.number)))


def test_a_case_is_told_what_to_do_in_both_languages_and_why_nothing_else(sqlite_desk):
    desk = sqlite_desk
    begin(desk)
    case = warn(desk)
    told = ask(desk, case).json()
    # The value of the client is not known: the greatest assumed effect that the gate lets pass.
    assert told["basis"] == "assumed-effect"
    assert (told["best"]["action_id"], told["best"]["expected"]) == ("service-call", None)
    assert (told["best"]["answer"], told["best"]["channel"]) == ("go", "phone")
    assert told["runner_up"]["reduction"] <= told["best"]["reduction"]
    against = {r["action_id"]: r for r in told["refusals"]}
    assert against["maturing-talk"]["rules"] == ["SU-1", "SU-2"]
    assert against["maturing-talk"]["code"] == "suitability.level-above"
    assert against["money-fund-talk"]["code"] == "gate.purpose-missing"
    assert told["script"]["text"].startswith("Hello 王**, this is Person m1 of Test broker.")
    chinese = ask(desk, case, **{"Accept-Language": "zh"}).json()
    assert chinese["best"]["title"] == Catalogue.shipped().version("service-call", 1).title.zh
    assert {r["code"] for r in chinese["refusals"]} == {r["code"] for r in told["refusals"]}
    assert "王**" in chinese["script"]["text"]
    words = {r["action_id"]: r["words"] for r in chinese["refusals"]}
    assert words["maturing-talk"].startswith("R2高于客户的C1等级")
    # Who does not contact clients is not told what to say.
    assert ask(desk, case, "auditor").json()["script"] is None


@pytest.mark.parametrize(
    ("tier", "action", "name"),
    [("moderate", "service-recovery", "Person l1"), ("severe", "director-plan", "Person d1")],
)
def test_what_a_lead_or_director_says_names_them_where_there_is_only_one(
    sqlite_desk, tier, action, name
):
    desk = sqlite_desk
    slow = {**IDLE, "code": "service.slow"}
    begin(desk, reasons=[slow], branch_id="bn", tier=tier)
    case = warn(desk)
    told = ask(desk, case).json()
    assert told["best"]["action_id"] == told["script"]["action_id"] == action
    assert f"this is {name} of Test broker" in told["script"]["text"]
    # With a second one nobody knows who will call: then the next best has something to say.
    with desk.tx() as tx:
        for number, staff in (("l9", "l1"), ("d9", "d1")):
            known = tx.session.get_one(Staff, staff)
            tx.session.add(
                Staff(
                    staff_id=number, name=number, role=known.role, active=True,
                    team_id=known.team_id, branch_id=known.branch_id, region_id=known.region_id,
                )
            )  # fmt: skip
    again = ask(desk, case).json()
    assert again["best"]["action_id"] == action
    assert again["script"] is None or again["script"]["action_id"] != action


def test_the_same_answer_is_stored_once_and_replays_from_its_record(desk):
    begin(desk)
    case = warn(desk)
    first = ask(desk, case)
    desk.now.move(minutes=5)
    again = ask(desk, case, "auditor")
    assert again.headers["etag"] == first.headers["etag"] == '"1"'
    assert again.json()["recommendation_id"] == first.json()["recommendation_id"]
    assert log(desk, case, **use("service-call")).status_code == 201
    second = ask(desk, case).json()
    assert second["number"] == 2
    assert second["best"] is None or second["best"]["action_id"] != "service-call"
    kept = rows(desk)
    assert [row.number for row in kept] == [1, 2]
    for row in kept:
        recommender = restore(row.record["context"], Catalogue.shipped(), RuleBook.shipped())
        made, record = replay(row.record["made"], recommender)
        assert record == row.record["made"]
        assert (made.best.action.id if made.best else None) == row.best_id
    with desk.frame.read() as tx:
        entries = select(EvidenceEntry.subject).where(EvidenceEntry.kind == "recommendation.made")
        assert set(tx.session.scalars(entries)) == {row.recommendation_id for row in kept}
        opened = select(EvidenceOpening.value).where(EvidenceOpening.field == "recommended")
        assert set(tx.session.scalars(opened)) == {digest_of(row.record) for row in kept}


def test_the_hold_out_gets_no_action_to_keep_it_and_no_answer_tells_the_arm(desk):
    begin(desk)
    told = {}
    for client in ("c1", "c2"):
        case = by_hand(desk, client)
        answer = ask(desk, case).json()
        assert answer["best"] is None
        assert "gate.held-out" not in str(answer)
        names = ("recommendation_id", "case_id", "client_id")
        told[client] = {k: v for k, v in answer.items() if k not in names}
        # What a person does of their own accord is not refused, for neither of the two.
        assert log(desk, case, **use("service-call")).status_code == 201
    assert told["c1"] == told["c2"]
    assert refused(told["c1"])["service-call"] == "gate.unwarned"


def test_the_chance_to_leave_never_opens_or_closes_the_gate(sqlite_desk):
    desk = sqlite_desk
    begin(desk)
    case = warn(desk)
    found = set()
    for probability in (0.0, 0.2, 1.0, None):
        with desk.tx() as tx:
            changes = {"probability": probability, "score": (probability or 0) * 100}
            tx.session.execute(update(Client).values(**changes))
        told = ask(desk, case).json()
        found.add(
            (
                told["best"]["action_id"],
                tuple((r["action_id"], r["code"]) for r in told["refusals"]),
            )
        )
    assert len(found) == 1


def test_owed_services_come_first_and_nobody_is_kept_meanwhile(sqlite_desk):
    """Rules CT-2 and R-EXIT-3."""
    desk = sqlite_desk
    begin(desk)
    case = warn(desk)
    complaint = {"complaint_id": "k1", "client_id": "c1", "at": desk.now.at, "status": "open"}
    with desk.tx() as tx:
        apply(tx, "complaint", [complaint])
    told = ask(desk, case).json()
    assert [o["action_id"] for o in told["owed"]] == ["complaint-solve"]
    assert told["best"] is None or told["best"]["aim"] == "service"
    assert refused(told)["service-call"] == "contact.complaint-open"
    assert log(desk, case, **use("service-call")).json()["code"] == "contact.complaint-open"
    served = log(desk, case, retention=False, **use("complaint-solve"))
    assert served.status_code == 201, served.text
    with desk.tx() as tx:
        request_exit(tx, SYSTEM, client_id="c2", request_id="e1", kind="close", at=desk.now.at)
        leaving = tx.session.scalars(select(Case.case_id).where(Case.client_id == "c2")).one()
    told = ask(desk, leaving).json()
    assert [o["action_id"] for o in told["owed"]] == ["exit-help"]
    assert refused(told)["service-call"] == "gate.service-only"
    assert told["script"]["script_id"].startswith("exit")


@pytest.mark.parametrize(
    ("name", "more", "code"),
    [
        ("maturing-talk", {}, "suitability.level-above"),
        ("money-fund-talk", {}, "gate.purpose-missing"),
        ("fee-tiers", {}, "gate.reason-other"),
        ("service-call", {"channel": "letter"}, "gate.channel-other"),
        ("complaint-solve", {"retention": False}, "gate.situation-absent"),
    ],
)
def test_a_contact_with_an_action_passes_the_gate_again(sqlite_desk, name, more, code):
    desk = sqlite_desk
    begin(desk)
    case = warn(desk)
    refusal = log(desk, case, **use(name, **more))
    assert (refusal.status_code, refusal.json()["code"]) == (409, code)
    if code == "suitability.level-above":
        assert "SU-2" in refusal.json()["detail"]
    breach = log(desk, case, **use(name, happened=True, **more))
    assert (breach.status_code, breach.json()["breach"]) == (201, code)


def test_use_is_linked_to_the_contact_and_counts_against_the_cool_down(desk):
    begin(desk)
    case = warn(desk)
    script = ask(desk, case).json()["script"]["script_id"]
    made = log(desk, case, **use("service-call", script_id=script))
    assert made.status_code == 201, made.text
    assert (made.json()["action_id"], made.json()["script_id"]) == ("service-call", script)
    desk.now.move(days=1)
    assert refused(ask(desk, case).json())["service-call"] == "gate.cool-down"
    assert log(desk, case, **use("service-call")).json()["code"] == "gate.cool-down"
    # A client who calls is always answered.
    assert log(desk, case, **use("service-call", direction="in")).status_code == 201
    with desk.frame.read() as tx:
        used = tx.session.scalars(select(Contact.action_id)).all()
    assert used == ["service-call", "service-call"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action_id": "no-such", "action_version": 1}, "action.id-unknown"),
        ({"action_id": "service-call", "action_version": 9}, "action.id-unknown"),
        ({"action_id": "complaint-solve", "action_version": 1}, "action.aim-other"),
        ({"script_id": "no.such@1"}, "script.template-unknown"),
        ({"action_id": "service-call"}, "request.body-invalid"),
    ],
)
def test_what_does_not_exist_is_not_linked(sqlite_desk, body, code):
    desk = sqlite_desk
    begin(desk)
    answer = log(desk, warn(desk), **body)
    assert answer.status_code == 422
    assert code in (answer.json()["code"], "request.body-invalid")


def test_who_refuses_profiling_leaves_no_recommendation_behind(desk):
    """Rule PI-4."""
    begin(desk)
    case = warn(desk)
    ask(desk, case)
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.PROFILING, False)
    row = rows(desk)[0]
    assert (row.number, row.record, row.answer, row.best_id, row.script_id) == (
        1, None, None, None, None,
    )  # fmt: skip
    with desk.frame.read() as tx:
        opened = select(EvidenceOpening.value).where(EvidenceOpening.field == "recommended")
        assert tx.session.scalars(opened).all() == []
    gone = desk.http("m1").get(f"/api/v1/cases/{case}/recommendation")
    assert (gone.status_code, gone.json()["code"]) == (404, "action.recommendation-none")
