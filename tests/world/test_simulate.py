"""The world in time: money and securities are conserved, nothing depends on the cores."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from keepwell.core.errors import UsageError
from keepwell.world import simulate
from keepwell.world.scenario import Scenario
from keepwell.world.simulate import World
from keepwell.world.state import EVENTS
from keepwell.world.terms import (
    ACTIONS,
    BUY,
    CLOSED,
    DEAD,
    DEPOSIT,
    DIVIDEND,
    DROPPED,
    FEE,
    INTEREST,
    LEFT,
    NEVER,
    OPEN,
    SELL,
    UNOPENED,
    WITHDRAWAL,
)

CLIENTS, DAYS = 3000, 150


def lived(world, days, actions=None):
    """All events of some days by kind, with a column for the day beside them."""
    parts, when = {name: [] for name in EVENTS}, {name: [] for name in EVENTS}
    for _ in range(days):
        day = world.step(actions=actions)
        actions = None
        for name, rows in day.events.items():
            parts[name].append(rows)
            when[name].append(np.full(len(rows), day.day))
    return {
        name: (np.concatenate(rows), np.concatenate(when[name]))
        for name, rows in parts.items()
        if rows
    }


@pytest.fixture(scope="module")
def story():
    world = World(Scenario(), 11, CLIENTS, DAYS)
    first = world.step()
    start = world.state.copy()
    return world, start, first, lived(world, DAYS - 1)


def by_client(rows, values):
    return np.bincount(rows["client"], values, CLIENTS).round().astype(np.int64)


def staying(world, start):
    """Clients whose account was neither opened nor emptied by death or the broker on the way."""
    return (start["status"] == OPEN) & ~np.isin(world.state["status"], (DEAD, DROPPED))


def test_cash_is_conserved_to_the_fen(story):
    world, start, _, events = story
    cash = start["cash"].astype(np.int64).copy()
    flows, _ = events["cash_flow"]
    paid = np.where(flows["failure"] == 0, flows["amount"], 0)
    for kind, sign in ((DEPOSIT, 1), (DIVIDEND, 1), (INTEREST, 1), (WITHDRAWAL, -1), (FEE, -1)):
        cash += sign * by_client(flows, paid * (flows["kind"] == kind))
    trades, _ = events["trade"]
    bought, sold = trades["side"] == BUY, trades["side"] == SELL
    cash -= by_client(trades, (trades["amount"] + trades["commission"]) * bought)
    cash += by_client(trades, (trades["amount"] - trades["commission"]) * sold)
    keep = staying(world, start) & (world.people.person["margin"] == 0)
    assert keep.sum() > CLIENTS / 2
    assert (world.state["cash"] == cash)[keep].all()
    assert (world.state["cash"] >= 0).all()


def test_quantities_follow_from_trades_and_transfers(story):
    world, start, _, events = story
    keep = staying(world, start)
    held = {}

    def add(client, instrument, quantity):
        for c, k, q in zip(client.tolist(), instrument.tolist(), quantity.tolist(), strict=True):
            held[c, k] = held.get((c, k), 0) + q

    for slot in range(start["slot"].shape[1]):
        some = start["slot"][:, slot] >= 0
        place = np.flatnonzero(some)
        add(place, start["slot"][some, slot], start["quantity"][some, slot])
    trades, _ = events["trade"]
    sign = np.where(trades["side"] == BUY, 1, -1)
    add(trades["client"], trades["instrument"], trades["quantity"] * sign)
    moved, _ = events["custody_transfer"]
    add(moved["client"], moved["instrument"], -moved["quantity"])
    expected = {key: q for key, q in held.items() if q and keep[key[0]]}
    found = {}
    for slot in range(start["slot"].shape[1]):
        for i in np.flatnonzero((world.state["slot"][:, slot] >= 0) & keep):
            found[int(i), int(world.state["slot"][i, slot])] = int(world.state["quantity"][i, slot])
    assert found == expected


def test_the_last_rows_written_are_the_state(story):
    world, _, first, events = story
    rows = np.concatenate([first.events["balance"], events["balance"][0]])
    newest = np.full(CLIENTS, -1)
    newest[rows["client"]] = np.arange(len(rows))
    there = newest >= 0
    assert (rows["cash"][newest[there]] == world.state["cash"][there]).all()
    assert there[world.state["status"] != UNOPENED].all()


def test_holdings_of_a_day_name_an_instrument_once_and_tell_when_it_is_gone(story):
    _, _, _, events = story
    rows, day = events["holding"]
    key = np.stack([rows["client"], day, rows["instrument"]], axis=1)
    assert len(np.unique(key, axis=0)) == len(key)
    assert (rows["quantity"] == 0).any()
    assert (rows["quantity"] >= 0).all()


@pytest.mark.parametrize("kind", ["client", "service", "consent", "subscription"])
def test_keys_of_profile_tables_are_unique(story, kind):
    _, _, _, events = story
    if kind not in events:
        assert kind == "service"  # nobody's adviser left in a calm year
        return
    rows, day = events[kind]
    key = np.stack([rows["client"], day, rows["second"]], axis=1)
    assert len(np.unique(key, axis=0)) == len(key)


def test_trades_happen_on_sessions_only_and_events_carry_the_time_of_day(story):
    world, _, _, events = story
    rows, day = events["trade"]
    t = day - world.market.start
    assert world.market.days["trading"][t].all()
    for rows, _ in events.values():
        assert (rows["second"] >= 0).all()
        assert (rows["second"] < 86_400).all()


def test_who_left_does_nothing_until_the_return(story):
    world, _, _, events = story
    gone = np.isin(world.state["status"], (LEFT, CLOSED)) & (world.state["left_day"] != NEVER)
    assert gone.sum() > 20
    for kind in ("session", "contact", "trade", "survey"):
        rows, day = events[kind]
        late = day > world.state["left_day"][rows["client"]]
        assert not (late & gone[rows["client"]]).any()
    assert (world.state["cash"][gone] == 0).all()
    assert (world.state["slot"][gone] == -1).all()


def test_events_come_sorted_by_client(story):
    _, _, first, _ = story
    for rows in first.events.values():
        assert (np.diff(rows["client"]) >= 0).all()


def test_neither_cores_nor_blocks_change_anything(monkeypatch):
    actions = (np.arange(0, 900, 3), np.arange(0, 900, 3) % len(ACTIONS))
    whole = World(Scenario(), 5, 2000, 40, cores=1)
    expected = lived(whole, 40, actions)
    monkeypatch.setattr(simulate, "BLOCK", 300)
    parts = World(Scenario(), 5, 2000, 40, cores=3)
    found = lived(parts, 40, actions)
    assert (parts.state == whole.state).all()
    assert found.keys() == expected.keys()
    for name, (rows, day) in found.items():
        assert (rows == expected[name][0]).all()
        assert (day == expected[name][1]).all()


def test_another_seed_is_another_world():
    a, b = (World(Scenario(), seed, 500, 5) for seed in (1, 2))
    assert len(a.step().events["holding"]) != len(b.step().events["holding"])


def test_shards_share_the_market_but_not_the_people():
    a = World(Scenario(), 5, 500, 5)
    b = World(Scenario(), 5, 500, 5, shard=1, market=a.market)
    assert (a.market.close == b.market.close).all()
    assert (a.people.person["assets"] != b.people.person["assets"]).any()


def test_a_copy_lives_on_its_own():
    world = World(Scenario(), 5, 500, 20)
    for _ in range(5):
        world.step()
    before = world.state.copy()
    twin = world.copy()
    twin.step()
    assert (world.state == before).all()
    assert world.today + timedelta(days=1) == twin.today
    world.step()
    assert (world.state == twin.state).all()


def test_actions_are_touches_and_change_what_follows():
    strong = Scenario().with_(help={"effects": 4.0, "harm": 0.0})
    plain, helped = (World(strong, 5, 2000, 120) for _ in range(2))
    everyone = np.arange(2000)
    for _ in range(60):
        plain.step()
        helped.step()
    plain.step()
    day = helped.step(actions=(everyone, np.full(2000, ACTIONS.index("adviser_review"))))
    touches = day.events["touch"]
    assert (touches["campaign"] == 3 + ACTIONS.index("adviser_review")).sum() > 1500
    stayed = [0, 0]
    for _ in range(59):
        plain.step()
        helped.step()
    for k, world in enumerate((plain, helped)):
        stayed[k] = (world.state["left_day"] == NEVER).sum()
    assert stayed[1] > stayed[0]


def test_leave_alone_is_doing_nothing():
    plain, left = (World(Scenario(), 5, 500, 5) for _ in range(2))
    plain.step()
    left.step(actions=(np.arange(500), np.zeros(500, np.int64)))
    assert (plain.state == left.state).all()


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ({"C00000000": "manager_cal"}, "world.action-unknown"),
        ({"C0000000": "manager_call"}, "world.client-unknown"),
        ((np.array([9999]), np.array([1])), "world.client-unknown"),
        ((np.array([1, 1]), np.array([1, 2])), "world.client-twice"),
    ],
)
def test_wrong_actions_are_refused_before_anything_happens(actions, code):
    world = World(Scenario(), 5, 500, 5)
    before = world.state.copy()
    with pytest.raises(UsageError) as error:
        world.step(actions=actions)
    assert error.value.code == code
    assert (world.state == before).all()


def test_days_are_lived_in_order_and_end():
    world = World(Scenario(), 5, 100, 2)
    with pytest.raises(UsageError, match="2024"):
        world.step(world.today + timedelta(days=1))
    world.step(world.today)
    world.step()
    with pytest.raises(UsageError) as error:
        world.step()
    assert error.value.code == "world.days-over"
