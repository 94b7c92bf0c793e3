"""Today: the order of the queue, who sees what, filters, views, and what is done with many."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from keepwell.core.text import catalogue
from keepwell.intervene.alert import service as alerts
from keepwell.intervene.alert.model import Alert
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.case import queue_repo
from keepwell.intervene.case.model import Case
from keepwell.intervene.case.policy import NOT_DUE
from keepwell.intervene.case.queue import Wanted, queue
from keepwell.intervene.case.urgency import Due, Edges, due_of, place
from keepwell.trust.access.model import User
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.book.model import Client
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent
from tests.intervene.case.helpers import open_case

HOSTILE = "<script>alert(1)</script>\" onload='x' {{ 7*7 }}"
LATER = {"follow_redirects": False}
ZONE = ZoneInfo("Asia/Shanghai")


class Read(HTMLParser):
    """A page: words, links, rows in their order, checkboxes."""

    def __init__(self, answer):
        super().__init__()
        self.status, self.source = answer.status_code, answer.text
        self.words, self.links, self.rows, self.ticks, self.actions = [], [], [], [], set()
        self.feed(answer.text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "a":
            self.links.append(given.get("href") or "")
        elif tag == "tr" and "data-href" in given:
            self.rows.append(given["id"].removeprefix("row-"))
        elif tag == "input" and given.get("name") == "alert":
            self.ticks.append(given["value"])
        elif tag == "form":
            self.actions.add(given.get("action", ""))

    def handle_data(self, data):
        self.words.append(data)


def page(desk, who="m1", path="/today", **headers):
    with desk.http(who, **headers) as http:
        return Read(http.get(path))


def send(desk, action, who="m1", back="/today", **fields):
    with desk.http(who) as http:
        return Read(http.post(f"/today/{action}", data={"back": back, **fields}))


@pytest.fixture
def desk(desk):
    """A desk without a hold-out: every alert is shown."""
    none = desk.frame.settings.holdout.model_copy(update={"share": 0.0})
    desk.frame.settings.__dict__["holdout"] = none
    return desk


def warn(desk, client, reason=AlertReason.RISK, tier="severe", score=90.0):
    """An alert as the desk raises it; id of its case."""
    with desk.tx() as tx:
        alert = alerts.raise_alert(
            tx, SYSTEM, client_id=client, reason=reason, tier=tier, facts={}, score=score
        )
        return alert.case_id


def due(desk, **cases):
    """Set when the first clock of cases is due."""
    with desk.tx() as tx:
        for case_id, at in cases.items():
            tx.session.execute(update(Case).where(Case.case_id == case_id).values(next_due_at=at))


@pytest.fixture
def busy(desk):
    """Alerts about c1, c2, c3 (m1), c4 (m2) and c6 (m4), each with its case, by client."""
    desk.usual()
    made = {client: warn(desk, client) for client in ("c1", "c2", "c3", "c4", "c6")}
    desk.settle()
    return made


# The order


def test_the_steps_of_the_time_left():
    now = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)  # Wednesday, 10:00 in Shanghai
    edges = Edges.at(now, ZONE)
    ends = {
        Due.OVERDUE: timedelta(minutes=-1), Due.SOON: timedelta(0), Due.HOUR: timedelta(minutes=15),
        Due.TODAY: timedelta(hours=1), Due.WEEK: timedelta(hours=14), Due.LATER: timedelta(days=5),
    }  # fmt: skip
    assert {due: due_of(now + left, edges) for due, left in ends.items()} == {d: d for d in ends}
    assert due_of(None, edges) is due_of(NOT_DUE, edges) is Due.NONE


def test_the_statement_sorts_as_the_rule_says(desk):
    desk.usual()
    clients = [f"c{i}" for i in range(1, 9)]
    with desk.tx() as tx:
        for i, client in enumerate(clients):
            row = {"assets": (i * 5 % 8) * 1_000_00, "score": 50.0 + i}
            tx.session.execute(update(Client).where(Client.client_id == client).values(**row))
    made = {client: warn(desk, client) for client in clients[:6]}
    made |= {c: open_case(desk, c, reason="manual", number=None) for c in clients[6:]}
    desk.settle()
    now = desk.now.at
    left = [-90, -5, 3, 10, 40, 300, 60 * 40, None]
    times = {
        case: now + timedelta(minutes=m) if m is not None else NOT_DUE
        for case, m in zip(made.values(), left[3:] + left[:3], strict=True)
    }
    due(desk, **times)
    edges = Edges.at(now, ZONE)
    with desk.frame.read() as tx:
        rows = queue(tx, desk.actors["auditor"], Wanted(), now, 50, None).rows
        known = tx.session.execute(select(Client.client_id, Client.score, Client.assets)).all()
    # Alerts tell their own score; of a case opened by hand the book does.
    weights = {c: (90.0 if c in clients[:6] else score) * assets for c, score, assets in known}
    steps = {c: due_of(times[made[c]], edges) for c in clients}
    wanted = sorted(clients, key=lambda c: place(steps[c], weights[c], made[c]))
    assert [(row.client_id, row.step) for row in rows] == [(c, steps[c]) for c in wanted]


def test_the_pages_of_one_walk_meet_every_row_once(desk, busy):
    with desk.frame.read() as tx:
        actor, seen, cursor = desk.actors["auditor"], [], None
        for _ in range(10):
            found = queue(tx, actor, Wanted(), tx.at, 2, cursor)
            seen += [row.id for row in found.rows]
            cursor = found.more
            if cursor is None:
                break
        whole = [row.id for row in queue(tx, actor, Wanted(), tx.at, 50, None).rows]
    assert seen == whole
    assert set(seen) == set(busy.values())


def test_a_wide_scope_is_bounded_by_the_clocks_that_end_first(desk, busy, monkeypatch):
    monkeypatch.setattr(queue_repo, "MOST", 2)
    monkeypatch.setattr("keepwell.intervene.case.queue.MOST", 2)
    queue_repo._page.cache_clear()
    queue_repo._counts.cache_clear()
    first = [busy["c2"], busy["c6"]]
    soon = {case: desk.now.at + timedelta(minutes=i) for i, case in enumerate(first, 1)}
    rest = dict.fromkeys(set(busy.values()) - set(first), desk.now.at + timedelta(days=2))
    due(desk, **soon, **rest)
    try:
        with desk.frame.read() as tx:
            found = queue(tx, desk.actors["auditor"], Wanted(), tx.at, 50, None)
            own = queue(tx, desk.actors["m1"], Wanted(), tx.at, 50, None)
    finally:
        queue_repo._page.cache_clear()
        queue_repo._counts.cache_clear()
    assert {row.id for row in found.rows} == set(first)
    assert (found.counts.bounded, own.counts.bounded, len(own.rows)) == (True, False, 3)


# Who sees what


def test_everybody_sees_the_work_on_their_clients(desk, busy):
    inside = {
        "m1": {"c1", "c2", "c3"}, "m2": {"c4"}, "m3": set(), "m4": {"c6"}, "l1": {"c1", "c2", "c3",
        "c4"}, "a2": {"c6"}, "d2": {"c6"}, "compliance": set(busy), "analyst": set(busy),
        "auditor": set(busy),
    }  # fmt: skip
    for who, clients in inside.items():
        assert set(page(desk, who).rows) == {busy[c] for c in clients}, who
    assert page(desk, "admin").status == 403
    with desk.http() as http:
        assert http.get("/today", **LATER).status_code == 303


def test_who_may_not_act_gets_no_forms_to_act(desk, busy):
    for who in ("compliance", "analyst", "auditor"):
        shown = page(desk, who)
        assert not shown.ticks
        assert not shown.actions & {"/today/acknowledge"}
        assert send(desk, "acknowledge", who, alert="a:1").status == 403
    assert page(desk, "m1").ticks
    assert "/team" in page(desk, "l1").links
    assert "/team" not in page(desk, "m1").links


def test_an_analyst_sees_bands_and_no_numbers_behind_reasons(desk, busy):
    shown = page(desk, "analyst")
    assert "500,000 to 2 million" in shown.text
    assert "¥" not in shown.text


@pytest.mark.parametrize("status", ["held-back", "held-out"])
def test_what_is_not_shown_is_not_in_the_queue(desk, busy, status):
    with desk.tx() as tx:
        alert = tx.session.scalar(select(Alert).where(Alert.case_id == busy["c1"]))
        other = tx.session.get(Case, busy["c1"])
        alert.status, alert.case_id, alert.shown_at, alert.held_at = status, None, None, tx.at
        other.live, other.state, other.closed_at = False, "lost", tx.at
        other.close_reason, other.alert_id = "not-reached", None
    for who in ("m1", "l1", "auditor"):
        assert "c1" not in page(desk, who).text.split()


def test_an_alert_without_a_case_is_in_the_list(desk, busy):
    with desk.tx() as tx:
        case = tx.session.get(Case, busy["c2"])
        alert = tx.session.scalar(select(Alert).where(Alert.case_id == busy["c2"]))
        alert_id, alert.case_id, case.alert_id = alert.alert_id, None, None
        case.live, case.state, case.closed_at, case.close_reason = (
            False,
            "lost",
            tx.at,
            "not-reached",
        )
    shown = page(desk)
    assert alert_id in shown.rows
    assert "No case yet" in shown.text
    assert alert_id not in page(desk, path="/today?state=open").rows


def test_names_are_masked_and_hostile_ones_escaped(desk, busy):
    with desk.tx() as tx:
        case = tx.session.get(Case, busy["c1"])
        case.title = HOSTILE
        tx.session.execute(update(Client).values(name="<b>x"))
    shown = page(desk)
    assert "<script>alert" not in shown.source
    assert "<b>x" not in shown.source
    assert "<**" in shown.text
    assert HOSTILE in shown.text


# The first line


def test_the_first_line_says_whom_to_call_why_and_how_long(desk, busy):
    reasons = [
        {
            "code": "app.less", "cause": "behaviour", "points": 0.5,
            "facts": {"indicator": "login_count_30d", "value": 4, "normal": 24.0, "typical": 9.0},
        }
    ]  # fmt: skip
    with desk.tx() as tx:
        tx.session.execute(update(Client).values(reasons=reasons))
    first = page(desk).text.split("First", 1)[1]
    for words in (
        "C**",
        "left",
        "First touch",
        "Risk of leaving",
        "Uses the app less",
        "normally 24",
    ):
        assert words in first.split("Overdue", 1)[0], words


def test_the_first_line_says_when_no_contact_may_be_made(desk, busy):
    desk.now.set(desk.now.at.replace(hour=14))  # 22:00 in Shanghai
    shown = page(desk).text
    assert shown.count("Quiet hours: contacts to keep a client are possible again at 08:00") == 1
    assert "Do not try to keep the client now:" not in shown  # once is enough
    desk.now.move(hours=14)
    assert "Quiet hours" not in page(desk).text


def test_the_first_line_says_what_else_forbids_a_contact(desk, busy):
    with desk.tx() as tx:
        for client in ("c1", "c2", "c3"):
            record_consent(tx, desk.actors["m1"], client, Purpose.MARKETING, False)
    assert "Do not try to keep the client now: The client refuses" in page(desk).text


def test_old_scores_are_told_to_be_old(desk, busy):
    assert "they are not new" not in page(desk).text
    desk.now.move(days=8)
    assert re.search(r"Scores are of \d+ \w+ 2026; they are not new\.", page(desk).text)


def test_a_service_is_no_matter_of_the_score(desk):
    desk.usual()
    with desk.tx() as tx:
        reasons = [{"code": "app.less", "cause": "behaviour", "points": 0.5, "facts": {}}]
        tx.session.execute(update(Client).values(reasons=reasons))
    warn(desk, "c1", AlertReason.COMPLAINT_OVERDUE, "moderate")
    shown = page(desk)
    assert "Complaint is overdue: serve in time, do not try to keep them" in shown.text
    assert "Service only: do not try to keep the client" in shown.text
    assert "Uses the app less" not in shown.text


def test_an_empty_queue_says_something_useful(desk):
    desk.usual()
    shown = page(desk)
    assert "Nothing waits for you." in shown.text
    assert "/clients" in shown.links
    assert "Nothing fits these filters." in page(desk, path="/today?tier=mild").text


def test_what_was_done_today_is_told(desk, busy):
    from keepwell.intervene.case.policy import CloseReason, State
    from keepwell.intervene.case.service import close

    me, end = desk.actors["m1"], (State.LOST, CloseReason.NOT_REACHED, "")
    for client in ("c1", "c2", "c3"):
        with desk.tx() as tx:
            close(tx, me, busy[client], tx.session.get(Case, busy[client]).version, *end)
    assert "closed 3 cases" in page(desk).text


# Filters and views


def test_parts_and_filters_narrow_the_list(desk, busy):
    now = desk.now.at
    due(desk, **{busy["c1"]: now - timedelta(hours=1), busy["c2"]: now + timedelta(minutes=5)})
    due(desk, **{busy["c3"]: now + timedelta(days=1)})
    assert page(desk).rows[:2] == [busy["c1"], busy["c2"]]
    for query, clients in {
        "only=overdue": ["c1"], "only=today": ["c2"], "only=week": ["c2", "c3"],
        "only=waiting": ["c1", "c2", "c3"], "only=asleep": [], "tier=severe": ["c1", "c2", "c3"],
        "tier=mild": [], "reason=risk&state=open": ["c1", "c2", "c3"], "reason=manual": [],
        "only=&tier=&reason=&state=&owner=": ["c1", "c2", "c3"],
    }.items():  # fmt: skip
        assert page(desk, path=f"/today?{query}").rows == [busy[c] for c in clients], query
    assert page(desk, path="/today?only=nonsense").status == 422
    assert page(desk, path="/today?color=red").status == 422


def test_a_lead_narrows_by_owner_and_a_manager_can_look_beyond(desk, busy):
    assert page(desk, "l1", "/today?owner=m2").rows == [busy["c4"]]
    with desk.tx() as tx:
        tx.session.get(Case, busy["c1"]).owner_id = "m2"
    assert busy["c1"] not in page(desk).rows
    assert busy["c1"] in page(desk, path="/today?owner=all").rows
    assert "Person m2" in page(desk, path="/today?owner=all").text


def test_what_came_since_one_was_away_is_new(desk, busy):
    with desk.http("m1") as http:
        assert "3 new" in http.get("/today").text
        desk.now.move(minutes=40)
        assert "0 new" in http.get("/today").text
        desk.now.move(minutes=5)
        open_case(desk, "c1", reason="manual", number=None)
        assert "1 new" in http.get("/today").text
        assert "1 new" in http.get("/today").text
        http.cookies.set("keepwell-looked", "nonsense", path="/today")
        assert http.get("/today").status_code == 200


def test_a_view_is_kept_replaced_and_forgotten(desk, busy):
    back = "/today?only=overdue&tier=severe"
    assert "View saved." in send(desk, "views", back=back, name=HOSTILE[:60]).text
    kept = page(desk)
    assert back in kept.links
    assert "<script>alert" not in kept.source
    send(desk, "views", back="/today?tier=mild", name=HOSTILE[:60])
    assert back not in page(desk).links
    assert "/today?tier=mild" in page(desk).links
    assert "/today?tier=mild" not in page(desk, "m2").links
    refused = send(desk, "views", back=back, name="")
    assert (refused.status, "Fill this in." in refused.text) == (422, True)
    send(desk, "views/delete", name=HOSTILE[:60])
    assert "/today?tier=mild" not in page(desk).links
    assert "/elsewhere" not in send(desk, "views", back="https://x/elsewhere", name="v").links


# What is done with many


def test_ticked_rows_are_acknowledged_and_what_changed_meanwhile_is_left(desk, busy):
    ticks = page(desk).ticks
    assert len(ticks) == 3
    warn(desk, "c3", tier="severe", score=95.0)
    after = send(desk, "acknowledge", alert=ticks)
    assert "Acknowledged: 2. Left as they are, because they had changed" in after.text
    with desk.frame.read() as tx:
        states = dict(tx.session.execute(select(Alert.client_id, Alert.status)).all())
    assert [states[c] for c in ("c1", "c2", "c3")] == ["acknowledged", "acknowledged", "shown"]


def test_nothing_ticked_and_other_peoples_rows(desk, busy):
    refused = send(desk, "acknowledge")
    assert (refused.status, "Tick at least one row first." in refused.text) == (422, True)
    other = page(desk, "m4").ticks
    assert "Acknowledged: 0. Left as they are" in send(desk, "acknowledge", alert=other).text
    assert send(desk, "acknowledge", alert=["nonsense", "a:b", ":1"]).status == 422


def test_a_snoozed_row_leaves_the_list_until_it_wakes_or_its_clock_runs_out(desk, busy):
    ticks = page(desk).ticks
    day = (desk.now.at + timedelta(days=20)).date().isoformat()
    after = send(desk, "snooze", alert=ticks, until=day, event="next-login", reason=HOSTILE)
    assert "Put to sleep: 3." in after.text
    assert not after.rows
    asleep = page(desk, path="/today?only=asleep")
    assert len(asleep.rows) == 3
    assert "Wakes on" in asleep.text
    assert "<script>alert" not in asleep.source
    due(desk, **{busy["c2"]: desk.now.at - timedelta(minutes=1)})
    assert page(desk).rows == [busy["c2"]]
    ticks = page(desk, path="/today?only=asleep").ticks
    assert "Woken: 2." in send(desk, "wake", back="/today?only=asleep", alert=ticks).text
    assert len(page(desk).rows) == 3


def test_a_snooze_without_reason_or_end_keeps_what_was_typed(desk, busy):
    ticks = page(desk).ticks
    refused = send(desk, "snooze", alert=ticks, until="2026-03-20", reason="")
    assert refused.status == 422
    assert 'value="2026-03-20"' in refused.source
    assert "Fill this in." in refused.text
    refused = send(desk, "snooze", alert=ticks, reason="Abroad")
    assert "Say until when the alert sleeps" in refused.text
    assert 'value="Abroad"' in refused.source
    assert send(desk, "snooze", alert=ticks, until="yesterday", reason="x").status == 422
    assert send(desk, "snooze", alert=ticks, until="2020-01-01", reason="x").status == 422


def test_the_part_is_sent_alone_when_the_script_asks(desk, busy):
    part = page(desk, **{"HX-Request": "true"})
    assert "<html" not in part.source
    assert len(part.rows) == 3
    assert "today-tools" in part.source
    assert not part.actions


def test_the_page_is_all_chinese(desk, busy):
    with desk.tx() as tx:
        tx.session.execute(update(User).values(locale="zh"))
    ticks = page(desk).ticks
    send(desk, "snooze", alert=ticks[:1], until="2026-03-20", reason="出差")
    for who, path in (("m1", "/today"), ("l1", "/today"), ("m1", "/today?only=asleep")):
        shown = page(desk, who, path)
        assert "今日" in shown.text
        words = {w.strip() for w in shown.words if re.search(r"[A-Za-z]{3}", w)}
        left = words & set(catalogue())
        assert not left, (path, left)
