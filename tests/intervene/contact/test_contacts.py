"""Contacts in a case: the gate asked twice, what follows from a result."""

import threading

import pytest
from sqlalchemy import select

from keepwell.frame.problem import Conflict
from keepwell.intervene.case.model import Case
from keepwell.intervene.contact import service
from keepwell.intervene.contact.model import Contact
from keepwell.intervene.contact.policy import Aim, Channel, Direction, Result
from keepwell.intervene.exit.service import request_exit
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent, refused
from keepwell.trust.evidence.model import EvidenceEntry
from tests.intervene.case.helpers import open_case
from tests.intervene.case.test_case_life import assert_history_makes_the_row

CALL = {"channel": "phone", "result": "reached"}


@pytest.fixture
def complaints(monkeypatch):
    """How many complaints are open; the rules' own bookkeeping is tested with them."""
    number = [0]
    monkeypatch.setattr(
        "keepwell.intervene.rule.service.open_complaints", lambda tx, client_id: number[0]
    )
    return number


@pytest.fixture
def case(desk, complaints):
    desk.usual()
    return open_case(desk)


def log(desk, case_id, who="m1", **body):
    return desk.http(who).post(f"/api/v1/cases/{case_id}/contacts", json=CALL | body)


def gate(desk, purpose="retention", client="c1"):
    query = f"/api/v1/clients/{client}/may-contact?channel=phone&purpose={purpose}"
    got = desk.http("m1").get(query)
    return got.json()


def row(desk, case_id) -> Case:
    with desk.frame.read() as tx:
        return tx.session.get(Case, case_id)


def kinds(desk) -> list[str]:
    with desk.frame.read() as tx:
        return list(tx.session.scalars(select(EvidenceEntry.kind)))


def test_the_first_success_takes_an_open_case_on_to_contacted(desk, case):
    assert log(desk, case, result="no-answer").status_code == 201
    assert row(desk, case).state == "open"
    desk.now.move(minutes=3)
    made = log(desk, case, note="Asks for a fee review.")
    assert made.status_code == 201, made.text
    found = row(desk, case)
    assert (found.state, found.contacted_at) == ("contacted", desk.now.at)
    desk.now.move(minutes=3)
    assert log(desk, case).status_code == 201
    assert row(desk, case).contacted_at == found.contacted_at
    listed = desk.http("auditor").get(f"/api/v1/cases/{case}/contacts").json()["items"]
    assert [c["result"] for c in listed] == ["no-answer", "reached", "reached"]
    assert listed[1]["note"] == "Asks for a fee review."
    assert kinds(desk).count("touch.logged") == 3
    assert_history_makes_the_row(desk, case)


def test_a_client_who_calls_is_contacted_too(desk, case):
    assert log(desk, case, direction="in").status_code == 201
    assert row(desk, case).state == "contacted"


def test_quiet_hours_stop_retention_but_not_service(sqlite_desk, complaints):
    """Rule CT-1."""
    desk = sqlite_desk
    desk.usual()
    case = open_case(desk)
    assert gate(desk) == {"allowed": True, "code": None, "rule": None, "words": None}
    desk.now.move(hours=11)  # 21:00 in Shanghai
    verdict = gate(desk)
    assert (verdict["code"], verdict["rule"]) == ("contact.quiet-hours", "CT-1")
    assert "21:00" in verdict["words"]
    assert gate(desk, "service")["allowed"]
    late = log(desk, case)
    assert (late.status_code, late.json()["code"]) == (409, "contact.quiet-hours")
    assert log(desk, case, at="2026-03-04T20:59:00+08:00").status_code == 201
    assert log(desk, case, retention=False).status_code == 201
    assert log(desk, case, at="2026-03-04T21:06:00+08:00").json()["code"] == "contact.at-future"


def test_an_open_complaint_leaves_only_service(sqlite_desk, complaints):
    """Rule CT-2."""
    desk = sqlite_desk
    desk.usual()
    case = open_case(desk)
    complaints[0] = 1
    assert gate(desk)["rule"] == "CT-2"
    assert log(desk, case).json()["code"] == "contact.complaint-open"
    assert log(desk, case, retention=False).status_code == 201
    assert gate(desk, "service")["allowed"]


def test_a_no_is_honoured_at_once_and_everywhere(desk, case):
    """Rule CT-1."""
    other = open_case(desk, reason="manual", number="a2")
    assert log(desk, case, result="refused").status_code == 201
    with desk.frame.read() as tx:
        assert refused(tx, "c1", Purpose.MARKETING)
    assert gate(desk)["code"] == "contact.marketing-refused"
    assert log(desk, other).json()["code"] == "contact.marketing-refused"
    assert [row(desk, c).retention for c in (case, other)] == ["none", "none"]
    assert row(desk, case).state == "contacted"
    assert_history_makes_the_row(desk, case)


def test_a_contact_that_happened_all_the_same_is_a_breach_on_record(desk, case, complaints):
    complaints[0] = 1
    assert log(desk, case).status_code == 409
    made = log(desk, case, happened=True)
    assert (made.status_code, made.json()["breach"]) == (201, "contact.complaint-open")
    assert kinds(desk).count("contact.breached") == 1
    assert "touch.logged" not in kinds(desk)


def test_consent_may_be_required(sqlite_desk, complaints, monkeypatch):
    """Rule CT-1."""
    desk = sqlite_desk
    desk.usual()
    strict = desk.frame.settings.contact.model_copy(update={"require_consent": True})
    monkeypatch.setitem(desk.frame.settings.__dict__, "contact", strict)
    assert gate(desk)["code"] == "contact.consent-missing"
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.MARKETING, True)
    assert gate(desk)["allowed"]


def test_after_profiling_is_refused_nothing_follows_from_the_score(sqlite_desk, complaints):
    """Rule PI-4."""
    desk = sqlite_desk
    desk.usual()
    case = open_case(desk)
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, "c1", Purpose.PROFILING, False)
    assert gate(desk)["rule"] == "PI-4"
    assert log(desk, case).json()["code"] == "contact.profiling-refused"
    by_hand = open_case(desk, reason="manual", number="a2")
    assert log(desk, by_hand).status_code == 201


def ask_to_leave(desk, client="c1"):
    with desk.tx() as tx:
        request_exit(tx, SYSTEM, client_id=client, request_id=f"x-{client}", kind="close")


def test_one_retention_contact_about_an_exit_and_none_after_a_no(desk, case):
    """Rule R-EXIT-3."""
    ask_to_leave(desk)
    assert row(desk, case).retention == "once"
    assert gate(desk)["allowed"]
    assert log(desk, case, retention=False).status_code == 201
    first = log(desk, case, result="no-answer")
    assert first.json()["exit_request_id"]
    assert row(desk, case).retention == "none"
    assert gate(desk)["rule"] == "R-EXIT-3"
    assert log(desk, case).json()["code"] == "contact.exit-contacted"
    assert log(desk, case, happened=True).json()["breach"] == "contact.exit-contacted"
    assert log(desk, case, retention=False).status_code == 201
    assert_history_makes_the_row(desk, case)
    open_case(desk, client="c2", number="a5")
    ask_to_leave(desk, "c2")
    with desk.frame.read() as tx:
        other = tx.session.scalars(select(Case).where(Case.client_id == "c2")).first()
    assert log(desk, other.case_id, result="refused").status_code == 201
    assert gate(desk, client="c2")["code"] in ("contact.exit-refused", "contact.marketing-refused")


def test_two_people_at_once_make_one_contact_about_an_exit(desk, case):
    """Rule R-EXIT-3."""
    other = open_case(desk, reason="manual", number="a2")
    ask_to_leave(desk)
    barrier, results = threading.Barrier(2), []

    def work(case_id):
        barrier.wait()
        try:
            with desk.tx() as tx:
                service.log_touch(
                    tx, desk.actors["m1"], case_id, channel=Channel.PHONE,
                    direction=Direction.OUT, aim=Aim.RETENTION, result=Result.NO_ANSWER,
                )  # fmt: skip
            results.append("made")
        except Conflict as error:
            results.append(error.code)

    threads = [threading.Thread(target=work, args=(c,)) for c in (case, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["contact.exit-contacted", "made"]
    with desk.frame.read() as tx:
        assert len(tx.session.scalars(select(Contact)).all()) == 1


def test_the_gate_and_the_log_mind_scope_and_permission(sqlite_desk, complaints):
    desk = sqlite_desk
    desk.usual()
    case = open_case(desk)
    assert log(desk, case, who="m4").status_code == 404
    assert log(desk, case, who="analyst").status_code == 403
    assert desk.http("m4").get("/api/v1/clients/c1/may-contact").status_code == 404
    assert desk.http("admin").get("/api/v1/clients/c1/may-contact").status_code == 403
    assert log(desk, case, note="a\x00b").status_code == 422
    assert log(desk, case, at="0001-01-01T00:00:00+14:00").status_code == 422
