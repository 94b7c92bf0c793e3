"""Client 360 and its side panel: who sees what, the forms, refusal, hostile words, languages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from sqlalchemy import select

from keepwell.core.errors import UsageError
from keepwell.core.text import catalogue
from keepwell.frame.settings import Settings
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.alert.service import raise_alert
from keepwell.intervene.case import service as cases
from keepwell.intervene.case.policy import CloseReason, State
from keepwell.intervene.context.history import history
from keepwell.intervene.exit.model import ExitRequest
from keepwell.learn.panel.schema import ClientMonth, Fact, Holding, ScorePoint, Source
from keepwell.trust.access.model import Unmasking, User
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.consent.service import record_consent, refused
from keepwell.web.pages import client_view
from tests.desk import START
from tests.intervene.case.helpers import open_case
from tests.web.pages.test_case import Read

HOSTILE = "<script>alert(1)</script>\" onload='x' {{ 7*7 }}"
REASONS = [
    {
        "code": "money.leaving", "cause": "trust", "points": 0.6, "change": 0.4,
        "facts": {"indicator": "withdrawal_value_30d", "value": 3_194_356.0, "normal": None,
                  "typical": 0.0},
    },
    {
        "code": "app.less", "cause": "behaviour", "points": 0.5, "change": 0.5,
        "facts": {"indicator": "seconds_per_login_change_30d", "value": 0.6, "normal": None,
                  "typical": 0.95},
    },
]  # fmt: skip


class _Panels:
    """Panels that know one client."""

    as_of = START
    currency = "CNY"

    def __init__(self):
        last = START.date() - timedelta(days=1)
        names = ("client", "balance", "cash_flow", "contact", "trade")
        self.sources = {name: Source(name, 1, 10, last, START) for name in names}

    def scores(self, client_id):
        days = (28, 7, 0)
        values = (50.0, 71.0, 80.0)
        points = zip(days, values, strict=True)
        return [ScorePoint(START - timedelta(days=d), v, v / 400, "mild") for d, v in points]

    def months(self, client_id):
        return [
            ClientMonth(START.date().replace(month=m, day=1), 4_000_000 * m, 100_00, 50_00, None,
                        None, 0, 0, 3, None)
            for m in (1, 2, 3)
        ]  # fmt: skip

    def holdings(self, client_id):
        day = START.date()
        return [Holding("600102", "风铃公用", "stock", 10**11, 6_196_500, 5_739_221, 1.0, day)]

    def facts(self, client_id, limit=100):
        at = START - timedelta(days=3)
        return [
            Fact(at, "contact", "fee", None, HOSTILE, "phone"),
            Fact(at - timedelta(days=1), "withdrawal", None, 12_345_600, None),
            Fact(at - timedelta(days=2), "complaint", "fee", None, "Too dear"),
        ]


@pytest.fixture
def panels(monkeypatch):
    monkeypatch.setattr(client_view, "Panels", SimpleNamespace(open=lambda _: _Panels()))


def page(desk, who="m1", client="c1", path="/clients/{}", **more):
    with desk.http(who) as http:
        return Read(http.get(path.format(quote(client, safe="")), **more))


def send(desk, action, who="m1", client="c1", read=None, **fields):
    """Fill in a form of the page as it was read, and send it; the page that follows."""
    path = f"/clients/{client}/{action}"
    with desk.http(who) as http:
        filled = (read or Read(http.get(f"/clients/{client}"))).filled(path, **fields)
        return Read(http.post(path, data=filled))


def consent(desk, purpose, granted, client="c1", source="call"):
    with desk.tx() as tx:
        record_consent(tx, SYSTEM, client, purpose, granted, source=source)


def in_chinese(desk, who):
    with desk.tx() as tx:
        tx.session.get_one(User, f"user_{who}").locale = "zh"


# Who sees what


@pytest.mark.parametrize("path", ["/clients/{}", "/panel/clients/{}"])
def test_who_sees_the_client_and_nobody_else(desk, path):
    desk.usual()
    people = ("m1", "a1", "l1", "d1", "compliance", "analyst", "auditor", "m2", "m4", "l3", "admin")
    seen = {who: page(desk, who, path=path).status for who in people}
    inside = dict.fromkeys(("m1", "a1", "l1", "d1", "compliance", "analyst", "auditor"), 200)
    assert seen == {**inside, "m2": 404, "m4": 404, "l3": 404, "admin": 403}


def test_personal_fields_are_masked(desk):
    desk.usual()
    for path in ("/clients/{}", "/panel/clients/{}"):
        source = page(desk, path=path).source
        assert "C**" in source
        assert "Client c1" not in source
        assert "13800000000" not in source


def test_forms_are_there_for_those_who_may(desk):
    desk.usual()
    ours = {
        who: {a.split("/")[-1] for a in page(desk, who).forms if a.startswith("/clients/c1/")}
        for who in ("m1", "a1", "d1", "compliance", "analyst", "auditor")
    }
    assert ours == {
        "m1": {"unmask", "cases", "exits", "consents"}, "a1": {"unmask", "cases"},
        "d1": {"unmask", "cases", "exits"}, "compliance": {"unmask", "exits", "consents"},
        "analyst": set(), "auditor": set(),
    }  # fmt: skip


def test_who_may_not_is_refused_whatever_the_page_shows(desk):
    desk.usual()
    with desk.http("analyst") as http:
        for action in ("unmask", "consents", "cases", "exits", "exits/x/settle", "exits/x/holds"):
            assert http.post(f"/clients/c1/{action}", data={}).status_code == 403, action
    with desk.http("m2") as http:
        answer = http.post(
            "/clients/c1/unmask", data={"fields": ["phone"], "reason": "call back now"}
        )
        assert answer.status_code == 404
        assert http.post("/clients/c1/exits", data={"kind": "close"}).status_code == 404


def test_who_sees_bands_sees_no_amounts(desk, panels):
    desk.usual()
    analyst, manager = page(desk, "analyst"), page(desk, "m1")
    assert "500,000 to 2 million" in analyst.text
    assert "风铃公用" in manager.text
    assert "风铃公用" not in analyst.text
    assert "123,456" in manager.text
    assert "123,456" not in analyst.text
    assert "Assets and flows by month" not in analyst.text


def test_the_hold_out_does_not_show(desk):
    desk.usual()
    with desk.tx() as tx:
        alert = raise_alert(
            tx, SYSTEM, client_id="c1", reason=AlertReason.RISK, tier="severe", facts={}, score=95
        )
        alert.status, alert.shown_at, alert.case_id = "held-out", None, None
    for path in ("/clients/{}", "/panel/clients/{}"):
        shown = page(desk, path=path)
        assert "Alert: " not in shown.text
        assert not re.search("held|hold-out", shown.text, re.IGNORECASE)


# What it says


def test_reasons_in_words_and_what_changed(desk, panels):
    desk.staff_up()
    desk.publish([{"client_id": "c1", "manager_id": "m1", "reasons": REASONS}])
    shown = page(desk)
    assert "Takes money out (Money taken out, 30 days: CN¥31,943.56" in shown.text
    assert "stronger than a week ago" in shown.text
    assert "new since last week" in shown.text
    assert "9 points more than a week ago" in shown.text
    assert "Of 100 clients like this about 20 leave" in shown.text
    assert "Balances · 3 Mar 2026" in shown.text


def test_without_panels_their_cards_are_absent(desk):
    desk.usual()
    shown = page(desk)
    for words in ("Score over time", "Holdings", "Assets and flows", "How fresh this is"):
        assert words not in shown.text
    assert "Scores of" in shown.text


def test_the_chart_has_its_table_and_its_events(desk, panels):
    desk.usual()
    open_case(desk)
    shown = page(desk)
    kinds = [a["data-kind"] for t, a in shown.tags if t == "div" and "data-kind" in a]
    assert kinds == ["score", "plain", "plain"]
    assert "Case opened: Risk of leaving" in shown.text
    assert '"name":"Complaints"' in shown.source
    assert "Probability of leaving" in shown.text


def test_the_history_is_narrowed_and_continued(desk, panels):
    desk.usual()
    number = open_case(desk)
    with desk.tx() as tx:
        case = cases.lock_case(tx, desk.actors["m1"], number)
        cases.close(
            tx, desk.actors["m1"], number, case.version, State.RECOVERED,
            CloseReason.SERVICE_FIXED, "All well",
        )  # fmt: skip
    everything = page(desk)
    assert "Case closed: Recovered, The cause was mended" in everything.text
    assert "All well" in everything.text
    assert "Took money out" in everything.text
    with desk.http("m1") as http:
        part = http.get("/clients/c1?kind=case", headers={"hx-request": "true"}).text
    assert "<html" not in part
    assert "Case closed" in part
    assert "Took money out" not in part
    assert page(desk, path="/clients/{}?entries=9999").status == 422


def test_open_cases_with_clocks_lead_on(desk):
    desk.usual()
    number = open_case(desk)
    desk.settle()
    for path in ("/clients/{}", "/panel/clients/{}"):
        shown = page(desk, path=path)
        assert f"/cases/{number}" in shown.links
        assert "First touch" in shown.text
        assert any("data-due" in a for _, a in shown.tags)


def test_may_i_contact_says_the_rule(desk):
    desk.usual()
    consent(desk, Purpose.MARKETING, False)
    for path in ("/clients/{}", "/panel/clients/{}"):
        assert "rule CT-1" in page(desk, path=path).text


def test_hostile_words_stay_words(desk, panels):
    desk.staff_up()
    desk.publish([{"client_id": "c1", "manager_id": "m1", "name": HOSTILE, "segment": HOSTILE}])
    consent(desk, Purpose.SERVICE, True, source=HOSTILE)
    for path in ("/clients/{}", "/panel/clients/{}"):
        shown = page(desk, path=path)
        assert HOSTILE in shown.text
        assert "<script>alert" not in shown.source
        assert not any(name.startswith("on") for _, attrs in shown.tags for name in attrs)


def test_odd_client_numbers_have_a_page(desk):
    desk.staff_up()
    number = "客 1?&#%"
    desk.publish([{"client_id": number, "manager_id": "m1"}])
    shown = page(desk, client=number)
    assert shown.status == 200
    assert f"/panel/clients/{quote(number)}" in shown.links


# Refusal of profiling


def test_who_refused_profiling_has_no_score_and_the_page_says_so(desk, panels):
    desk.staff_up()
    desk.publish([{"client_id": "c1", "manager_id": "m1", "reasons": REASONS}])
    open_case(desk)
    consent(desk, Purpose.PROFILING, False)
    desk.settle()
    shown, side = page(desk), page(desk, path="/panel/clients/{}")
    for read in (shown, side):
        assert "has refused scores and tags made by programs" in read.text
        assert "Takes money out" not in read.text
        assert "kw-tier-moderate" not in read.source
    assert "Score over time" not in shown.text
    assert "points more than a week ago" not in shown.text
    assert "Risk of leaving" not in re.sub(r"Open a case by hand.*?Open the case", "", shown.text)
    with desk.tx() as tx:
        told = history(tx, desk.actors["m1"], "c1", 50)
    assert {entry.kind for entry in told} == {"consent"}


def test_refusing_profiling_says_first_what_follows(desk):
    desk.usual()
    seen = page(desk)
    assert "A refusal is final" in seen.text
    path = "/clients/c1/consents"
    with desk.http("m1") as http:
        shown = http.post(
            path,
            data={"form": "consent-profiling", "purpose": "profiling", "granted": "false",
                  "source": "call"},
        )  # fmt: skip
    assert "The client&#39;s word is recorded." in shown.text
    with desk.tx() as tx:
        assert refused(tx, "c1", Purpose.PROFILING)


# Forms


def test_unmasking_shows_once_and_is_on_record(desk):
    desk.usual()
    with desk.http("m1") as http:
        answer = http.post(
            "/clients/c1/unmask", data={"fields": ["name", "phone"], "reason": "Call back today"}
        )
    shown = Read(answer)
    assert "Client c1" in shown.text
    assert "13800000000" in shown.text
    assert answer.headers["cache-control"] == "no-store"
    assert "13800000000" not in page(desk).source
    with desk.tx() as tx:
        row = tx.session.scalars(select(Unmasking)).one()
    assert (row.user_id, row.fields, row.reason) == (
        "user_m1", ["name", "phone"], "Call back today",
    )  # fmt: skip


def test_unmasking_without_a_reason_shows_nothing_and_keeps_what_was_typed(desk):
    desk.usual()
    with desk.http("m1") as http:
        data = {"form": "unmask", "fields": ["phone"], "reason": "why"}
        shown = Read(http.post("/clients/c1/unmask", data=data))
    assert shown.status == 422
    assert "13800000000" not in shown.source
    assert "At least 5 characters." in shown.text
    assert shown.forms["/clients/c1/unmask"]["reason"] == "why"
    with desk.tx() as tx:
        assert not tx.session.scalars(select(Unmasking)).all()


def test_a_case_is_opened_by_hand_once(desk):
    desk.usual()
    seen = page(desk)
    path = "/clients/c1/cases"
    with desk.http("m1") as http:
        http.follow_redirects = False
        first, second = (
            http.post(path, data=seen.filled(path, title="Wants lower fees")) for _ in range(2)
        )
    assert first.status_code == second.status_code == 303
    assert first.headers["location"].startswith("/cases/case_")
    assert "Wants lower fees" in page(desk).text
    again = send(desk, "cases", title="Another")
    assert again.status == 409
    assert again.forms[path]["title"] == "Another"


def test_an_exit_request_goes_its_way(desk):
    desk.usual()
    after = send(desk, "exits", kind="transfer", request_id="X-1")
    assert "The exit request is recorded." in after.text
    assert "Transfer securities to another broker" in after.text
    assert "asked to leave" in page(desk, path="/panel/clients/{}").text.lower()
    assert "no contact about the exit" in send(desk, "exits/X-1/no-contact").text
    assert "Settled: its clock runs." in send(desk, "exits/X-1/settle").text
    assert "is completed" in send(desk, "exits/X-1/complete").text
    with desk.tx() as tx:
        assert tx.session.get_one(ExitRequest, "X-1").state == "completed"


def test_holds_and_taking_back_are_for_compliance(desk):
    desk.usual()
    send(desk, "exits", kind="close", request_id="X-1")
    assert not {"hold", "cancel"} & {a.split("/")[-1] for a in page(desk).forms}
    held = send(
        desk, "exits/X-1/holds", "compliance", code="margin-debt", until="2026-03-20T10:00",
        appeal="Write to us",
    )  # fmt: skip
    assert "The exit request is held." in held.text
    assert "Write to us" in held.text
    lift = next(a for a in held.forms if a.endswith("/lift"))
    with desk.http("m1") as http:
        seen = Read(http.get("/clients/c1"))
        lifted = Read(http.post(lift, data=seen.filled(lift)))
    assert "The hold is lifted." in lifted.text
    back = send(
        desk, "exits/X-1/cancel", "compliance", source="Recording 1", note="Stays after all"
    )
    assert "took the request back" in back.text


def test_who_was_slower_sees_how_it_stands_and_keeps_the_words(desk):
    desk.usual()
    send(desk, "exits", kind="close", request_id="X-1")
    seen = page(desk, "compliance")
    send(desk, "exits/X-1/no-contact")
    late = send(
        desk, "exits/X-1/cancel", "compliance", read=seen, source="Recording 1", note="Long words"
    )
    assert late.status == 412
    form = late.forms["/clients/c1/exits/X-1/cancel"]
    assert (form["note"], form["source"], form["version"]) == ("Long words", "Recording 1", "2")
    assert "Wants no contact about it" in late.text


def test_a_request_of_somebody_else_is_not_this_clients(desk):
    desk.usual()
    send(desk, "exits", kind="close", request_id="X-1")
    with desk.http("m1") as http:
        answer = http.post("/clients/c2/exits/X-1/complete", data={"version": "1"})
    assert answer.status_code == 404


def test_a_time_that_is_none_is_said_at_its_field(desk):
    desk.usual()
    bad = send(desk, "exits", kind="close", at="soon", form="exit")
    assert bad.status == 422
    assert "Choose a date and a time." in bad.text
    assert bad.forms["/clients/c1/exits"]["at"] == "soon"


# The side panel


def test_screen_pop_by_number(desk):
    desk.usual()
    with desk.http("m1") as http:
        answer = http.get("/panel?client=c1", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/panel/clients/c1")
        missing = http.get("/panel/clients/c9")
    assert missing.status_code == 404
    assert "No client c9 is among those" in missing.text


def test_a_caller_is_found_by_the_whole_number_within_scope(desk):
    desk.staff_up()
    desk.publish(
        [
            {"client_id": "c1", "manager_id": "m1", "phone": "13812340001"},
            {"client_id": "c2", "manager_id": "m1", "phone": "13812340002"},
            {"client_id": "c3", "manager_id": "m1", "phone": "13812340002"},
            {"client_id": "c4", "manager_id": "m2", "phone": "13812340004"},
        ]
    )
    with desk.http("m1") as http:
        http.follow_redirects = False

        def ask(phone):
            return http.post("/panel", data={"phone": phone})

        for given in ("13812340001", "138 1234 0001", "+86 138-1234-0001", "008613812340001"):
            assert ask(given).headers.get("location") == "/panel/clients/c1", given
        both = Read(ask("13812340002"))
        assert {"/panel/clients/c2", "/panel/clients/c3"} <= set(both.links)
        for given in ("13812340004", "1381234", "%", ""):
            assert "exactly this number" in ask(given).text, given


def test_without_telephone_numbers_there_is_no_look_up(desk):
    desk.staff_up()
    desk.publish([{"client_id": "c1", "manager_id": "m1", "phone": None}])
    assert "Phone number, whole" not in page(desk, path="/panel").text


def test_only_named_sites_may_frame_the_panel_and_nothing_else(sqlite_desk):
    desk = sqlite_desk
    desk.usual()

    def policy(path, who="m1"):
        with desk.http(who) as http:
            answer = http.get(path, follow_redirects=False)
        return answer.status_code, answer.headers.get("content-security-policy", "")

    assert "frame-ancestors 'none'" in policy("/panel/clients/c1")[1]
    assert policy("/panel/clients/c1", None)[0] == 303
    allowed = desk.frame.settings.model_copy(update={"embed_from": ["https://phone.example.com"]})
    desk.frame = replace(desk.frame, settings=allowed)
    named = "frame-ancestors https://phone.example.com"
    assert policy("/panel/clients/c1")[1].endswith(named)
    assert policy("/panel/clients/c9") == (404, policy("/panel/clients/c9")[1])
    assert policy("/panel/clients/c9")[1].endswith(named)
    assert policy("/panel")[1].endswith(named)
    status, said = policy("/panel/clients/c1", None)
    assert status == 401
    assert said.endswith(named)
    assert "frame-ancestors 'none'" in policy("/clients/c1")[1]


@pytest.mark.parametrize(
    "origin",
    ["*", "phone.example.com", "https://a.example/path", "https://*.example.com",
     "https://a.example; script-src *", "javascript:x", "https://a b", "HTTPS://A.example\n"],
)  # fmt: skip
def test_what_is_no_origin_is_refused_clearly(tmp_path, origin):
    (tmp_path / "desk.yaml").write_text(f"embed_from: [{origin!r}]\n", "utf-8")
    with pytest.raises(UsageError) as caught:
        Settings.load(tmp_path)
    assert "embed_from" in str(caught.value)
    assert "an origin such as https://phone.example.com" in str(caught.value)


# Languages


def test_the_chinese_page_has_no_english_left(desk, panels):
    desk.staff_up()
    desk.publish([{"client_id": "c1", "manager_id": "m1", "reasons": REASONS}])
    open_case(desk)
    send(desk, "exits", kind="close", request_id="X-1")
    in_chinese(desk, "m1")
    in_chinese(desk, "compliance")
    english = {m for m in catalogue() if re.fullmatch(r"[A-Za-z' ,.()/-]{4,}", m)}
    for who, path in (
        ("m1", "/clients/{}"), ("compliance", "/clients/{}"), ("m1", "/panel/clients/{}"),
        ("m1", "/panel"),
    ):  # fmt: skip
        words = {w.strip() for w in page(desk, who, path=path).words}
        words -= {"keepwell", HOSTILE, "English"}
        assert not words & english
        # A chart's data stands in a block of its own.
        assert not [w for w in words - {HOSTILE} if "{" in w and not w.startswith('{"')]
