"""What retention contacts took, as the proof of what was kept reads them."""

from __future__ import annotations

from datetime import timedelta

from keepwell.intervene.action.catalogue import Catalogue
from keepwell.intervene.contact.policy import Channel
from keepwell.learn.kept.spent import Touched, contacts_between

V1 = "/api/v1"


def call(desk, case, **more):
    body = {"channel": "phone", "result": "reached"}
    made = desk.http("m1").post(f"{V1}/cases/{case}/contacts", json=body | more)
    assert made.status_code == 201, made.text


def test_contacts_are_timed_by_their_action_and_priced_by_who_does_it(sqlite_desk):
    desk = sqlite_desk
    desk.usual()
    case = desk.http("m1").post(f"{V1}/cases", json={"client_id": "c1"}).json()["case_id"]
    since = desk.now()
    call(desk, case, result="no-answer", action_id="service-call", action_version=1)
    call(desk, case, direction="in", retention=False)

    def told():
        with desk.frame.read() as tx:
            return contacts_between(tx, since, since + timedelta(days=1))

    # Nobody has said what a minute costs; the client's own call costs nothing of it.
    assert told() == {"c1": Touched(1, 15, 0, False, None, 0)}
    action = desk.frame.settings.action.model_copy(update={"manager_minute": 300})
    desk.frame.settings.__dict__["action"] = action
    assert told() == {"c1": Touched(1, 15, 0, False, 4500, 0)}
    desk.now.move(hours=1)
    call(desk, case)
    longest = max(a.minutes for a in Catalogue.shipped().versions if Channel.PHONE in a.channels)
    # Of no action: a manager's time at its longest, and what it cost besides is not known.
    assert told() == {"c1": Touched(2, 15 + longest, 1, True, (15 + longest) * 300, None)}
    with desk.frame.read() as tx:
        assert contacts_between(tx, since, since) == {}
