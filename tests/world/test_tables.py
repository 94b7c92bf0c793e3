"""Events as rows of the contract: exact amounts, ids, what is known when, corrections."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from keepwell.core.days import day_number
from keepwell.observe.contract import SELECT_EXTRAS, TABLES
from keepwell.world import terms
from keepwell.world.files import columns, truth
from keepwell.world.files.tables import ShardTables, snapshot
from keepwell.world.people.draw import draw_people
from keepwell.world.scenario import Scenario
from keepwell.world.state import CLIENT, EVENTS, SLOTS
from keepwell.world.words import Words
from tests.world.happened import events

START = day_number(date(2024, 1, 2))
CODES = ["600001", "600002", "510300", "900001"]
N = 400
NOON = 12 * 3600


@pytest.fixture(scope="module")
def people():
    return draw_people(Scenario(), 5, 3, N, START, 90)


@pytest.fixture
def shard(people):
    return ShardTables(people, SimpleNamespace(codes=CODES), Words.make(5), 5, START)


@pytest.fixture
def state(people):
    world = np.zeros(N, CLIENT)
    for name in ("manager", "adviser", "wecom"):
        world[name] = people.person[name]
    world["slot"] = -1
    world["status"] = terms.OPEN
    return world


def made(shard, state, t, **rows):
    return shard.day(snapshot(START + t, t, events(**rows), state))


def cells(table, name):
    return table[name].to_pylist()


def local(t, second):
    midnight = datetime(2024, 1, 2, tzinfo=UTC) - timedelta(hours=8)
    return midnight + timedelta(days=t, seconds=int(second))


def test_money_and_quantities_are_exact(shard, state):
    fen = [1, -1, 7, 10**12 + 3, 123456789, 10**13 - 1]
    units = [1, 10**17 + 1, 12_345_678, 100 * 10**8, 5, 3]
    rows = [
        {"client": 2, "second": NOON, "commission": f, "amount": abs(f), "quantity": u}
        for f, u in zip(fen, units, strict=True)
    ]
    table = made(shard, state, 4, trade=rows)["trade"]
    assert cells(table, "commission") == [Decimal(f).scaleb(-2) for f in fen]
    assert cells(table, "quantity") == [Decimal(u).scaleb(-8) for u in units]
    assert len(set(cells(table, "trade_id"))) == len(rows)
    assert set(cells(table, "client_id")) == {"C03000002"}
    assert cells(table, "at")[0] == cells(table, "known_at")[0] == local(4, NOON)


def test_words_replace_codes(shard, state):
    rows = [
        {"client": 1, "kind": 1, "bank": 4, "failure": 3},
        {"client": 1, "kind": 2, "bank": 4, "failure": 0},
    ]
    table = made(shard, state, 4, cash_flow=rows)["cash_flow"]
    assert cells(table, "kind") == ["withdrawal", "dividend"]
    assert cells(table, "bank") == ["CMB", None]
    assert cells(table, "failure_reason") == ["wrong_password", None]
    seen = [{"client": 0, "topic": 0, "subject": 2}, {"client": 0, "topic": 3, "subject": 2}]
    view = made(shard, state, 5, view=seen)["view"]
    assert cells(view, "subject") == ["510300", "close_help-02"]
    assert cells(view, "topic") == ["instrument", "close_help"]


def test_ids_tell_days_and_kinds_apart(shard, state):
    rows = [{"client": c} for c in range(3)]
    ids = [
        cells(made(shard, state, t, **{kind: rows})[kind], TABLES[kind].key[0])
        for t in (1, 2)
        for kind in ("trade", "cash_flow", "session", "view", "custody_transfer", "touch")
    ]
    assert len({i for some in ids for i in some}) == 36


def test_a_close_is_known_at_the_next_midnight(shard, state):
    rows = [{"client": 7, "cash": 100, "top": 0.5}]
    table = made(shard, state, 9, balance=rows)["balance"]
    assert cells(table, "day") == [date(2024, 1, 11)]
    assert cells(table, "known_at") == [local(10, 0)]


def test_a_contact_is_known_when_resolved(shard, state):
    rows = [
        {"client": 7, "second": 100, "wait": 60, "resolve": 200_000, "intent": 8, "words": 3},
        {"client": 7, "second": 200, "wait": 0, "resolve": 0, "intent": 8, "words": 8, "csat": 4},
    ]
    table = made(shard, state, 3, contact=rows)["contact"]
    assert cells(table, "known_at") == [local(3, 200_160), local(3, 200)]
    assert cells(table, "topic") == ["closing", "question"], "the second is filed wrongly"
    assert cells(table, "csat") == [None, 4]
    assert all(cells(table, "text"))


def test_an_answer_corrects_its_complaint(shard, state):
    asked = [
        {"client": 9, "second": 500, "cause": 3, "words": 77, "day": START + 2, "asked_second": 500}
    ]
    first = made(shard, state, 2, complaint=asked)["complaint"].to_pylist()[0]
    answer = asked[0] | {"second": 900, "status": 2, "revision": 1, "cause": 5, "words": 0}
    # On the day of the answer the client complains again, of something else.
    again = {"client": 9, "second": 950, "cause": 0, "words": 5}
    both = made(shard, state, 6, complaint=[answer, again])["complaint"].to_pylist()
    second = both[0]
    assert first["at"] == first["known_at"] == second["at"] == local(2, 500)
    for name in ("complaint_id", "client_id", "topic", "text"):
        assert first[name] == second[name], name
    assert (first["status"], second["status"]) == ("open", "closed")
    assert second["known_at"] == second["closed_at"] == local(6, 900)
    assert (first["closed_at"], first["revision"], second["revision"]) == (None, 0, 1)
    assert both[1]["complaint_id"] != second["complaint_id"]
    assert both[1]["topic"] == "slow service"


def test_a_request_carried_out_is_a_correction(shard, state):
    asked = {"client": 4, "second": 60, "kind": 1, "blocker": 2, "day": START + 1}
    asked["asked_second"] = 60
    first = made(shard, state, 1, exit_request=[asked])["exit_request"].to_pylist()[0]
    done = asked | {"second": 80, "revision": 1, "blocker": 0}
    second = made(shard, state, 8, exit_request=[done])["exit_request"].to_pylist()[0]
    assert first["request_id"] == second["request_id"]
    assert (first["blockers"], second["blockers"]) == ("margin_debt", None)
    assert (first["completed_at"], second["completed_at"]) == (None, local(8, 80))
    assert (first["known_at"], second["known_at"]) == (local(1, 60), local(8, 80))


def test_everyone_is_told_once(people, shard, state):
    days = range(60)
    found = {name: [] for name in ("client", "service", "account", "relation", "consent")}
    for t in days:
        for name, table in made(shard, state, t).items():
            found[name] += table.to_pylist()
    opened = people.person["opened"]
    by = opened < START + 60
    again = by & (people.person["assessed"] > opened)
    assert len(found["service"]) == by.sum() > (opened < START).sum()
    assert len(found["client"]) == by.sum() + again.sum() > by.sum()
    assert len(found["consent"]) == 4 * by.sum()
    for row in found["client"]:
        place = int(row["client_id"][3:])
        midnight = local(int(opened[place]) - START, 0)
        assessed = local(int(people.person["assessed"][place]) - START, 36_000)
        assert row["valid_from"] == row["known_at"] in (midnight, assessed)
        assert (
            row["assessed_on"] is None
            or (row["known_at"] + timedelta(hours=8)).date() >= row["assessed_on"]
        )
        assert (row["status"], row["closed_on"]) == ("open", None)
        assert row["risk_level"] == f"C{people.person['risk_level'][place]}"
    assert len({row["account_id"] for row in found["account"]}) == len(found["account"])
    kinds = ("margin", "option", "fund", "pension")
    wanted = by.sum() + sum(people.person[kind][by].sum() for kind in kinds)
    assert len(found["account"]) == wanted
    ties = {(row["client_id"], row["other_id"], row["kind"]) for row in found["relation"]}
    assert len(ties) == len(found["relation"])
    for one, other, kind in ties:
        a, b = int(one[3:]), int(other[3:])
        if kind == "household":
            assert (other, one, kind) in ties
            assert people.person["household"][a] == people.person["household"][b]
        else:
            assert people.person["referrer"][a] == b
        assert by[a]
        assert by[b]


def test_closing_changes_profile_and_accounts(people, shard, state):
    client = int(np.flatnonzero(people.person["opened"] < START)[0])
    made(shard, state, 0)
    closing = [{"client": client, "second": 70, "status": terms.CLOSED, "reason": 1}]
    tables = made(shard, state, 5, client=closing)
    rows = [r for r in tables["client"].to_pylist() if r["client_id"] == f"C03{client:06d}"]
    assert [(r["status"], r["closed_on"], r["closed_reason"]) for r in rows] == [
        ("closed", date(2024, 1, 7), "client")
    ]
    accounts = [a for a in tables["account"].to_pylist() if a["client_id"] == f"C03{client:06d}"]
    assert {(a["state"], a["revision"], a["known_at"]) for a in accounts} == {
        ("closed", 6, local(5, 70))
    }
    back = [{"client": client, "second": 70, "status": terms.OPEN}]
    again = made(shard, state, 8, client=back)["account"].to_pylist()
    mine = [a for a in again if a["client_id"] == f"C03{client:06d}"]
    assert {(a["state"], a["revision"]) for a in mine} == {("open", 9)}
    same = made(shard, state, 9, client=back).get("client")
    assert same is None or f"C03{client:06d}" not in cells(same, "client_id")


def test_a_new_adviser_shows_in_service_and_profile(people, shard, state):
    made(shard, state, 0)
    client = int(np.flatnonzero(people.person["opened"] < START)[0])
    served = [{"client": client, "second": 5, "manager": 0, "adviser": 0, "wecom": 1}]
    tables = made(shard, state, 3, service=served)
    for name in ("client", "service"):
        row = [r for r in tables[name].to_pylist() if r["client_id"] == f"C03{client:06d}"]
        assert [r["adviser_id"] for r in row] == ["A03-00000"]
        assert row[0]["valid_from"] == local(3, 5)


def test_touches_name_who_serves_now(shard, state):
    state["manager"][5], state["adviser"][5] = 0, 0
    review = terms.FIRST_ACTION + terms.ADVISER_REVIEW
    rows = [
        {"client": 5, "channel": 0, "campaign": 0},
        {"client": 5, "channel": 2, "campaign": 1},
        {"client": 5, "channel": 0, "campaign": review},
    ]
    table = made(shard, state, 3, touch=rows)["touch"]
    assert cells(table, "staff_id") == ["M03-00000", None, "A03-00000"]
    assert cells(table, "campaign") == ["routine", "newsletter", "adviser_review"]


def test_positions_from_before_were_bought_between_opening_and_start(people, shard, state):
    old = np.flatnonzero(people.person["opened"] < START)
    state["slot"][old, :3] = [0, 2, 3]
    rows = made(shard, state, 0)["first_purchase"].to_pylist()
    assert len(rows) == 3 * len(old)
    assert len({(r["client_id"], r["instrument_id"]) for r in rows}) == len(rows)
    opened = people.person["opened"]
    for row in rows:
        place = int(row["client_id"][3:])
        assert local(int(opened[place]) - START, 0) <= row["at"] < local(0, 0)
        assert row["known_at"] == row["at"]
    late = [r for r in rows if opened[int(r["client_id"][3:])] < START - 30]
    assert all((r["at"] + timedelta(hours=8)).weekday() < 5 for r in late)


def test_columns_are_those_of_the_contract(shard, state):
    rows = {
        kind: [{"client": 1, "second": 9}]
        for kind in EVENTS
        if kind not in ("step", "client", "service")
    }
    state["slot"][1, SLOTS - 1] = 1
    tables = made(shard, state, 0, **rows)
    assert len(tables) == 25 - 5, "all but the market's"
    for name, table in tables.items():
        assert set(table.column_names) <= {*TABLES[name].names, *SELECT_EXTRAS}
        assert set(TABLES[name].required) <= set(table.column_names)
        missing = set(TABLES[name].names) - set(table.column_names)
        assert missing <= {"currency", "phone", "settled_at"}, name


def test_texts_have_their_truth(shard, state):
    rows = {
        "contact": [{"client": 1, "intent": 8, "cause": -1, "sentiment": -2, "words": 9}],
        "complaint": [
            {"client": 2, "cause": 5, "words": 128},
            {"client": 3, "revision": 1, "day": START, "asked_second": 3},
        ],
        "survey": [{"client": 4, "cause": -1, "sentiment": 2, "words": 4}],
    }
    happened = snapshot(START + 2, 2, events(**rows), state)
    tables = shard.day(happened)
    told = truth.texts(shard.names, happened.events, tables).to_pylist()
    assert [(r["kind"], r["intent"], r["cause"], r["sentiment"]) for r in told] == [
        ("contact", "closing", None, -2),
        ("complaint", "complaint", "price", -2),
        ("survey", "praise", None, 2),
    ]
    ids = {i for kind in rows for i in cells(tables[kind], f"{kind}_id")}
    assert {r["id"] for r in told} < ids


def test_a_code_without_a_word_is_an_error():
    with pytest.raises(IndexError):
        columns.Words(("a", "b")).column(np.array([0, 2], np.int8))


def test_ids_of_unequal_length_still_work():
    ids = columns.Ids(pa.array(["a", "bcd"]))
    assert ids.column(np.array([1, 0, 1])).to_pylist() == ["bcd", "a", "bcd"]
