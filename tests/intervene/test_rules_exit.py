"""Rules R-EXIT-1 to 3: nothing derived from a score can delay, change or colour an exit."""

from __future__ import annotations

import ast
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import keepwell.intervene.exit
from keepwell.core.calendars import exchange_calendar
from keepwell.intervene.exit import policy
from keepwell.intervene.exit.policy import ExitFacts, ExitKind, HoldCode, plan

ROOM = Path(keepwell.intervene.exit.__file__).parent
URL = "/api/v1"

# Rooms that know scores, alerts or campaigns, or act on them.
FORBIDDEN_ROOMS = (
    "keepwell.warn", "keepwell.learn", "keepwell.observe", "keepwell.intervene.alert",
    "keepwell.intervene.rule", "keepwell.intervene.case", "keepwell.intervene.contact",
    "keepwell.trust.book.model",
)  # fmt: skip
FORBIDDEN_NAMES = {
    "score", "rank_score", "probability", "tier", "reasons", "coverage", "alert", "campaign",
    "persona", "holdout", "segment", "cause", "Client",
}  # fmt: skip


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_r_exit_1_the_exit_room_knows_no_score(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert [name for name in _imports(tree) if name.startswith(FORBIDDEN_ROOMS)] == []
    assert sorted(FORBIDDEN_NAMES & set(_names(tree))) == []


def test_r_exit_1_the_only_keyword_that_says_tier_is_nothing():
    # Starting the clock names a tier because every clock has one: for exits it is None, always.
    tree = ast.parse((ROOM / "service.py").read_text("utf-8"))
    tiers = [
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "tier"
    ]
    assert tiers == [None]


def test_r_exit_1_the_deny_list_would_notice():
    bad = ast.parse("from keepwell.intervene.alert.service import worst\nx = client.score")
    assert [name for name in _imports(bad) if name.startswith(FORBIDDEN_ROOMS)]
    assert FORBIDDEN_NAMES & set(_names(bad)) == {"score"}


def _state(chance: random.Random) -> dict:
    """Everything the desk may know about an exit and its client."""
    asked = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(500_000))
    settled = asked + timedelta(minutes=chance.randrange(5_000)) if chance.random() < 0.6 else None
    return {
        "kind": chance.choice(list(ExitKind)), "requested_at": asked, "settled_at": settled,
        "completed_at": settled + timedelta(hours=9) if settled and chance.random() < 0.3 else None,
        "cancelled_at": asked + timedelta(days=1) if chance.random() < 0.1 else None,
        "holds": [
            (code, asked + timedelta(days=chance.randrange(90)))
            for code in HoldCode if chance.random() < 0.15
        ],
        "tier": chance.choice(["none", "mild", "moderate", "severe"]),
        "alerts": chance.randrange(9), "campaign": chance.choice([None, "spring"]),
        "assets": chance.randrange(10**12), "persona": chance.choice(["young", "wealthy"]),
    }  # fmt: skip


def test_r_exit_1_ten_thousand_states_are_the_same_at_score_0_and_100():
    zone = ZoneInfo("Asia/Shanghai")
    calendar = exchange_calendar(zone, "XSHG", None, [])
    chance = random.Random(20261122)
    known = ExitFacts.__dataclass_fields__
    seen = set()
    for _ in range(10_000):
        state = _state(chance)
        at = state["requested_at"] + timedelta(hours=chance.randrange(2_000))
        low, high = ({**state, "score": score} for score in (0, 100))
        plans = [
            plan(ExitFacts(**{k: v for k, v in s.items() if k in known}), at, calendar, 2)
            for s in (low, high)
        ]
        assert plans[0] == plans[1]
        seen.add((plans[0].state, plans[0].steps, bool(plans[0].holds)))
    assert len(seen) >= 6  # the states differ among each other


def test_r_exit_1_only_lawful_reasons_can_hold():
    assert policy.lawful("retention, score, margin_debt,UNSETTLED-TRADES, vip") == [
        HoldCode.MARGIN_DEBT, HoldCode.UNSETTLED_TRADES,
    ]  # fmt: skip
    assert policy.lawful(None) == []
    assert set(HoldCode) == set(policy.HOLD_TITLES)


def _run(desk, client, number):
    """An exit through the API, all that is answered on the way, ids and client apart."""
    http = desk.http("m1")
    answers = [
        http.post(
            f"{URL}/exits", json={"client_id": client, "kind": "transfer", "request_id": number}
        )
    ]
    for verb in ("settle", "complete"):
        tag = {"If-Match": answers[-1].headers["etag"]}
        answers.append(http.post(f"{URL}/exits/{number}/{verb}", headers=tag))
    bodies = [answer.json() for answer in answers]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    for body in bodies:
        body.pop("request_id"), body.pop("client_id")
    return bodies


def test_r_exit_1_the_same_exit_at_score_0_and_100(desk):
    desk.staff_up()
    scores = [("low", 0.0, "none"), ("high", 100.0, "severe"), ("none", None, "none")]
    desk.publish(
        [
            {"client_id": name, "manager_id": "m1", "branch_id": "bn", "score": score, "tier": tier}
            for name, score, tier in scores
        ]
    )
    runs = [_run(desk, name, f"X-{name}") for name, _, _ in scores]
    assert runs[0] == runs[1] == runs[2]
    assert runs[0][1]["due_at"] == "2026-03-06T07:00:00Z"


def test_r_exit_2_two_trading_days_then_compliance_is_paged(desk):
    desk.usual()
    desk.now.set(datetime(2026, 9, 29, 6, 0, tzinfo=UTC))  # two days before the October holidays
    http = desk.http("m1")
    made = http.post(f"{URL}/exits", json={"client_id": "c1", "kind": "close"})
    number = made.json()["request_id"]
    assert made.json()["due_at"] is None
    settled = http.post(f"{URL}/exits/{number}/settle", headers={"If-Match": made.headers["etag"]})
    # 30 September and, after the holidays, 8 October.
    assert settled.json()["due_at"] == "2026-10-08T07:00:00Z"
    desk.now.set(datetime(2026, 10, 8, 6, 59, tzinfo=UTC))
    desk.settle()
    page = desk.http("compliance")
    assert _kinds(page) == []
    desk.later(minutes=1)
    assert _kinds(page) == ["exit-breached"]
    clock = page.get(f"{URL}/clocks?subject_id={number}").json()["items"][0]
    assert (clock["state"], clock["policy"], clock["calendar"]) == ("breached", "exit", "exchange")
    stop = {"reason": "waiting-for-client"}
    tag = {"If-Match": f'"{clock["version"]}"'}
    path = f"{URL}/clocks/{clock['clock_id']}/pause"
    assert http.post(path, json=stop, headers=tag).status_code == 409
    done = http.post(
        f"{URL}/exits/{number}/complete", headers={"If-Match": settled.headers["etag"]}
    )
    assert done.json()["state"] == "completed"
    clock = page.get(f"{URL}/clocks?subject_id={number}").json()["items"][0]
    assert (clock["state"], clock["late"]) == ("met", True)


def _kinds(http):
    return [n["kind"] for n in http.get(f"{URL}/notices").json()["items"]]


def test_r_exit_3_one_contact_and_none_after_a_no(desk):
    from keepwell.intervene.exit import service

    desk.usual()
    with desk.tx() as tx:
        assert service.open_request(tx, "c1") is None
        first = service.request_exit(tx, desk.actors["m1"], client_id="c1", kind="close")
        assert service.open_request(tx, "c1") == service.OpenRequest(first.request_id, 0, False)
        service.note_contact(tx, first.request_id)
        assert service.open_request(tx, "c1").retention_contacts == 1
        service.note_contact(tx, first.request_id, refused=True)
        assert service.open_request(tx, "c1").refused
        assert service.open_request(tx, "c2") is None
        # Non-blocking: contacts or none, the request goes on.
        assert service.settle(tx, desk.actors["m1"], first.request_id, None).state == "settled"
        service.complete(tx, desk.actors["m1"], first.request_id, None)
        assert service.open_request(tx, "c1") is None
