"""Incidents at the desk: owners are told once, scores are marked, who may work on one and how."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from keepwell.intervene.incident.bring import bring_in, mark
from keepwell.intervene.incident.model import StaleMark
from keepwell.intervene.notice.model import Notice
from keepwell.jobs.service import enqueue
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors import affected, incidents
from keepwell.observe.monitors.finding import Finding
from keepwell.observe.workspace import Workspace
from keepwell.trust.access.model import User
from keepwell.trust.evidence.model import EvidenceEntry
from tests.desk import YAML

V1 = "/api/v1/incidents"
DAY = date(2026, 3, 3)
K = MonitorKind


def finding(table="trade", kind=K.UNITS, source="trades", column="amount", since=DAY):
    owner = "m2" if source == "trades" else "analyst"
    return Finding(table, kind, column, since, since, 1e6, 1e4, 120, 100.0, source, owner)


def watched(desk, *found):
    """A watch finds this, and the desk brings it in; how many incidents are new or over."""
    incidents.settle(desk.frame.workspace, found, desk.now.at)
    affected._standing.cache_clear()
    return bring_in(desk.frame)


@pytest.fixture
def desk(sqlite_desk):
    """Two owners: m2 of the trades, the analyst, by log-in name, of whatever names nobody."""
    desk = sqlite_desk
    root = desk.frame.workspace.root
    text = YAML.replace("trades.csv}", "trades.csv, owner: m2}") + "monitors: {owner: analyst}\n"
    (root / "keepwell.yaml").write_text(text, "utf-8")
    desk.frame.workspace.__dict__.clear()
    desk.frame.workspace.__dict__.update(Workspace.open(root).__dict__)
    desk.staff_up()
    return desk


def inbox(desk):
    with desk.tx() as tx:
        rows = tx.session.scalars(select(Notice).order_by(Notice.at)).all()
        return sorted((row.kind, row.staff_id or row.user_id) for row in rows)


def entries(desk):
    with desk.tx() as tx:
        kinds = tx.session.scalars(select(EvidenceEntry.kind)).all()
        return sorted(kind for kind in kinds if kind.startswith("incident."))


def test_owners_are_told_once_when_it_opens_and_once_when_it_is_over(desk):
    assert watched(desk, finding(), finding("session", source="events")) == 2
    told = inbox(desk)
    # The owner of the trades, and those who answer for all; the analyst once for each.
    assert told == [
        ("incident-opened", who) for who in
        ("m2", "user_admin", "user_admin", "user_analyst", "user_analyst")
    ]  # fmt: skip
    desk.now.move(hours=1)
    assert watched(desk, finding(), finding("session", source="events")) == 0
    assert bring_in(desk.frame) == 0
    assert inbox(desk) == told
    desk.now.move(hours=1)
    assert watched(desk, finding("session", source="events")) == 1
    assert inbox(desk)[:3] == [
        ("incident-closed", "m2"), ("incident-closed", "user_admin"),
        ("incident-closed", "user_analyst"),
    ]  # fmt: skip
    (over,) = desk.http("m2").get(V1).json()["items"]
    assert (over["state"], over["closed_by"], over["owners"]) == ("closed", "monitor", ["m2"])
    assert entries(desk) == ["incident.closed", "incident.opened", "incident.opened"]
    title = desk.http("m2").get("/api/v1/notices").json()["items"][-1]["title"]
    assert title == "Data of source trades to look at: Changed unit"


def test_a_lost_file_ends_what_lasts_and_numbers_that_begin_again_are_other_incidents(desk):
    watched(desk, finding())
    (desk.frame.workspace.state / "monitors" / "incidents.json").unlink()
    desk.now.move(hours=1)
    assert watched(desk, finding()) == 2
    found = desk.http("admin").get(V1).json()["items"]
    assert [(one["number"], one["state"]) for one in found] == [(1, "open"), (1, "closed")]


def test_who_sees_and_who_may_work_on_it(desk):
    watched(desk, finding(), finding("session", source="events", kind=K.NULLS))
    assert [one["source"] for one in desk.http("m2").get(V1).json()["items"]] == ["trades"]
    assert desk.http("m1").get(V1).json()["items"] == []
    first = desk.http("auditor").get(V1, params={"limit": 1}).json()
    second = desk.http("auditor").get(V1, params={"limit": 1, "cursor": first["next"]}).json()
    assert {first["items"][0]["source"], second["items"][0]["source"]} == {"trades", "events"}
    assert second["next"] is None
    (trades,) = desk.http("admin").get(V1, params={"source": "trades"}).json()["items"]
    assert desk.http("admin").get(V1, params={"source": "trade"}).json()["items"] == []
    path = f"{V1}/{trades['incident_id']}"
    now = {"If-Match": '"1"'}
    assert desk.http("m1").get(path).status_code == 404
    assert desk.http("m1", **now).post(f"{path}/acknowledge", json={}).status_code == 404
    seen = desk.http("l1", **now).post(f"{path}/acknowledge", json={})  # sees all, answers for none
    assert (seen.status_code, seen.json()["code"]) == (403, "incident.not-yours")
    assert desk.http("auditor", **now).post(f"{path}/acknowledge", json={}).status_code == 403
    done = desk.http("m2", **now).post(f"{path}/acknowledge", json={"note": "Asked."})
    assert (done.status_code, done.json()["state"], done.json()["note"]) == (
        200, "acknowledged", "Asked."
    )  # fmt: skip
    again = desk.http("analyst", **now).post(f"{path}/acknowledge", json={})
    assert again.status_code == 412


def test_while_the_monitor_sees_it_only_calling_right_closes_it(desk):
    watched(desk, finding(), finding("session", source="events", kind=K.NULLS))
    live = desk.http("admin").get(V1, params={"live": True}).json()["items"]
    events, trades = sorted(live, key=lambda one: one["source"])
    http = desk.http("m2", **{"If-Match": '"1"'})
    path = f"{V1}/{trades['incident_id']}/close"
    refused = http.post(path, json={"reason": "Enough."})
    assert (refused.status_code, refused.json()["code"]) == (409, "incident.lasts")
    assert "100 times the usual" in refused.json()["detail"]
    right = http.post(path, json={"reason": "In fen from now on.", "right": True}).json()
    assert (right["state"], right["called_right"], right["closed_by"]) == (
        "closed", True, "user_m2"
    )  # fmt: skip
    (kept,) = [i for i in incidents.incidents_of(desk.frame.workspace) if i.closed_at]
    assert (kept.closed_by, kept.reason) == ("Person m2", "In fen from now on.")
    assert bring_in(desk.frame) == 0
    # Mended meanwhile, and the desk has not looked yet: a person may say so.
    incidents.settle(desk.frame.workspace, (), desk.now.at)
    admin = desk.http("admin", **{"If-Match": '"1"'})
    over = admin.post(f"{V1}/{events['incident_id']}/close", json={"reason": "Came again."}).json()
    assert (over["state"], over["called_right"]) == ("closed", False)
    late = admin.post(f"{V1}/{events['incident_id']}/close", json={"reason": "Once more."})
    assert late.status_code in (409, 412)
    assert entries(desk).count("incident.closed") == 2


def stale(desk, client="c1"):
    told = desk.http("m1").get(f"/api/v1/clients/{client}/context").json()["stale"]
    return [(one["table"], one["kind"], one["mended_at"] is not None) for one in told]


def test_marks_stay_until_a_publication_whose_data_are_whole(desk):
    rows = [{"client_id": "c1", "manager_id": "m1", "branch_id": "bn"}]
    desk.publish(rows)
    watched(desk, finding())
    assert stale(desk) == [("trade", "units", False)]
    (one,) = desk.http("admin").get(V1).json()["items"]
    assert (one["scores"], one["indicators"] > 10) == (1, True)
    desk.now.move(hours=1)
    watched(desk)
    assert stale(desk) == [("trade", "units", True)]  # mended, but not what was computed of it
    assert "with the next publication" in desk.http("m1").get("/clients/c1").text
    desk.publish(rows)
    assert stale(desk) == []
    (one,) = desk.http("admin").get(V1).json()["items"]
    assert one["scores"] == 0

    # What a run's own watch found marks its scores, though it was mended before they were in force.
    number = desk.publish(rows)
    with desk.tx() as tx:
        mark(tx, number, desk.now.at, [finding(), finding("news")])
        marks = tx.session.scalars(select(StaleMark).where(StaleMark.generation_id == number))
        assert [row.table_name for row in marks] == ["trade"]  # no score rests on the news
    assert stale(desk) == [("trade", "units", True)]


def test_what_the_scores_have_not_looked_at_does_not_mark_them_and_what_is_right_takes_it_off(desk):
    desk.publish([{"client_id": "c1", "manager_id": "m1", "branch_id": "bn"}])
    watched(desk, finding(since=DAY + timedelta(days=1)))  # the day of the scores and later
    assert stale(desk) == []
    watched(desk, finding())
    assert len(stale(desk)) == 1
    incidents.close(desk.frame.workspace, 1, "anna", "The feed is in fen.", desk.now.at)
    affected._standing.cache_clear()
    assert bring_in(desk.frame) == 1
    assert stale(desk) == []
    (one,) = desk.http("admin").get(V1).json()["items"]
    assert (one["closed_by"], one["called_right"], one["reason"]) == (
        "anna", True, "The feed is in fen."
    )  # fmt: skip


def test_the_desk_looks_by_itself(desk, monkeypatch):
    seen = []
    monkeypatch.setattr("keepwell.intervene.incident.jobs.watch", lambda *given: seen.append(given))
    incidents.settle(desk.frame.workspace, [finding()], desk.now.at)
    with desk.tx() as tx:
        enqueue(tx, "incident.watch", {})
    desk.settle()
    assert seen
    assert seen[0][2](date(2026, 3, 4))
    assert not seen[0][2](date(2026, 3, 8))
    assert [one["number"] for one in desk.http("admin").get(V1).json()["items"]] == [1]


def test_pages_show_it_and_take_a_form(desk):
    watched(desk, finding())
    (one,) = desk.http("admin").get(V1).json()["items"]
    path = f"/data/incidents/{one['incident_id']}"
    assert "/data/incidents" in desk.http("admin").get("/data").text
    assert path in desk.http("m2").get("/data/incidents").text
    assert path not in desk.http("m1").get("/data/incidents").text
    assert path in desk.http("m2").get("/notices").text
    page = desk.http("m2").get(path).text
    assert "has its unit changed?" in page
    with desk.tx() as tx:
        tx.session.get_one(User, "user_admin").locale = "zh"
    assert "单位是否变了" in desk.http("admin").get(path).text
    http = desk.http("m2")
    http.follow_redirects = False
    said = {"version": "1", "once": "once_1", "reason": "Enough."}
    refused = http.post(f"{path}/close", data=said)
    assert (refused.status_code, "The monitor still sees it" in refused.text) == (409, True)
    taken = http.post(f"{path}/acknowledge", data={"version": "1", "once": "o2", "note": "Asked."})
    assert taken.status_code == 303
    said = {"version": "2", "once": "once_3", "reason": "In fen now.", "right": "1"}
    assert http.post(f"{path}/close", data=said).status_code == 303
    over = desk.http("admin").get("/data/incidents?over=1").text
    assert path in over
    assert "In fen now." in desk.http("admin").get(path).text
