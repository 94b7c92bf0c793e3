"""What a contact keeps of how its client was treated, and what becomes known later."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from keepwell.intervene.alert.model import Treatment
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.contact.model import Contact, ContactDelivery
from keepwell.trust.evidence.audit import audit
from keepwell.trust.evidence.sequence import sequence_all
from tests.intervene.outcome.given import begin, warn


def log(desk, case_id, **body):
    sent = {"channel": "phone", "result": "reached"} | body
    made = desk.http("m1").post(f"/api/v1/cases/{case_id}/contacts", json=sent)
    assert made.status_code == 201, made.text
    return made.json()


def say(desk, contact, delivery, who="m1", **body):
    path = f"/api/v1/contacts/{contact['contact_id']}/delivery"
    return desk.http(who).post(path, json={"delivery": delivery, **body})


def test_a_contact_keeps_the_propensity_of_the_decision_that_led_to_it(sqlite_desk):
    desk = sqlite_desk
    begin(desk)
    made = log(desk, warn(desk, "c1"), script_id="any.phone@1")
    assert (made["propensity"], made["unassigned"], made["delivery"]) == (0.9, None, "delivered")
    owed = log(desk, warn(desk, "c2", AlertReason.COMPLAINT_OVERDUE), retention=False)
    assert (owed["propensity"], owed["unassigned"]) == (None, "mandatory")
    case = desk.http("m1").post("/api/v1/cases", json={"client_id": "c3"}).json()["case_id"]
    own = log(desk, case)
    assert (own["propensity"], own["unassigned"]) == (None, "no-alert")
    with desk.frame.read() as tx:
        row = tx.session.get(Contact, made["contact_id"])
        drawn = tx.session.get(Treatment, row.treatment_id)
        assert (drawn.decision, drawn.propensity, row.script_id) == ("shown", 0.9, "any.phone@1")


@pytest.mark.parametrize(
    ("channel", "result", "delivery"),
    [("phone", "no-answer", "failed"), ("sms", "no-answer", "unknown"), ("sms", "failed", "failed"),
     ("email", "delivered", "delivered"), ("wecom", "refused", "delivered")],
)  # fmt: skip
def test_the_result_says_whether_it_arrived_as_far_as_it_does(channel, result, delivery):
    from keepwell.intervene.contact.policy import Channel, Direction, Result, delivery_of

    assert delivery_of(Channel(channel), Direction.OUT, Result(result)) == delivery
    assert delivery_of(Channel(channel), Direction.IN, Result(result)) == "delivered"


def test_what_becomes_known_later_is_added_and_the_contact_stays(desk):
    begin(desk)
    case = warn(desk, "c1")
    made = log(desk, case, channel="sms", result="no-answer")
    assert made["delivery"] == "unknown"
    desk.now.move(hours=1)
    told = say(desk, made, "delivered").json()
    assert (told["delivery"], told["result"]) == ("delivered", "no-answer")
    assert say(desk, made, "delivered").status_code == 200  # the same again adds nothing
    desk.now.move(hours=1)
    assert say(desk, made, "failed").json()["delivery"] == "failed"
    listed = desk.http("m1").get(f"/api/v1/cases/{case}/contacts").json()["items"]
    assert [one["delivery"] for one in listed] == ["failed"]
    with desk.frame.read() as tx:
        rows = tx.session.scalars(select(ContactDelivery).order_by(ContactDelivery.number)).all()
        assert [(r.number, r.delivery) for r in rows] == [(1, "delivered"), (2, "failed")]
        assert tx.session.get(Contact, made["contact_id"]).delivery == "unknown"
    for statement in ("update contact set result = 'reached'", "delete from contact_delivery"):
        with pytest.raises(DBAPIError, match="only grows"), desk.tx() as tx:
            tx.session.execute(text(statement))
    with desk.tx() as tx:
        sequence_all(tx)
        assert audit(tx).findings == []


def test_a_word_about_delivery_must_make_sense(sqlite_desk):
    desk = sqlite_desk
    begin(desk)
    case = warn(desk, "c1")
    made = log(desk, case, channel="sms", result="no-answer")
    for body, code in (
        ({"at": "2026-03-04T01:00:00Z"}, "contact.delivery-early"),
        ({"at": "2026-03-05T01:00:00Z"}, "contact.at-future"),
    ):
        refused = say(desk, made, "failed", **body)
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    theirs = log(desk, case, direction="in", channel="phone")
    assert say(desk, theirs, "failed").json()["code"] == "contact.delivery-inbound"
    assert say(desk, made, "failed", who="m4").status_code == 404


def test_contacts_from_before_this_was_kept_do_not_disturb_the_audit(sqlite_desk):
    desk = sqlite_desk
    begin(desk)
    made = log(desk, warn(desk, "c1"))
    columns = ("contact_id", "case_id", "number", "client_id", "channel", "direction", "aim",
               "result", "at", "note", "actor_id", "recorded_at", "marks")  # fmt: skip
    listed = ", ".join(f'"{name}"' for name in columns)
    with desk.tx() as tx:
        copied = listed.replace('"contact_id"', "'contact_old'", 1)
        tx.session.execute(text(f"insert into contact ({listed}) select {copied} from contact"))
        sequence_all(tx)
        assert audit(tx).findings == []
        # But nobody makes a row look old: its entry knows it.
        tx.session.execute(text("drop trigger contact_no_update"))
        tx.session.execute(text("update contact set delivery = null"))
        assert [f.code for f in audit(tx).findings] == ["row.missing"]
    assert made["delivery"] == "delivered"
