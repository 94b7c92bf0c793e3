"""The world in time: money and securities are conserved, nothing depends on the cores."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

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
    if kind == "service":
        gone = {"kind": "adviser_leaves", "day": 5, "days": 1, "strength": 1.0}
        events = lived(World(Scenario().with_(happenings=[gone]), 5, 3000, 10), 10)
        assert len(events["service"][0]) > 500
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
    whole.step()  # on the first day nobody can be touched yet
    expected = lived(whole, 39, actions)
    assert (expected["touch"][0]["campaign"] > 3).sum() > 150
    monkeypatch.setattr(simulate, "BLOCK", 300)
    parts = World(Scenario(), 5, 2000, 40, cores=3)
    parts.step()
    found = lived(parts, 39, actions)
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
        ((np.array([1]), np.array([8])), "world.action-unknown"),
        ((np.array([1]), np.array([-1])), "world.action-unknown"),
        ((np.array([1, 2]), np.array([1])), "world.action-unknown"),
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


def test_a_change_of_any_kernel_is_compiled_anew(tmp_path, monkeypatch):
    """What numba keeps on disk is found by the frame's type: that must tell kernels apart."""
    from keepwell.world.dynamics import frame

    assert frame.KERNELS in World(Scenario(), 5, 10, 1)._frame(0).dtype.names
    here = Path(frame.__file__).parent
    copy = tmp_path / "dynamics"
    copy.mkdir()
    for path in [*here.glob("*.py"), here.parent / "state.py", here.parent / "terms.py"]:
        (tmp_path / path.relative_to(here.parent)).write_bytes(path.read_bytes())
    monkeypatch.setattr(frame, "__file__", str(copy / "frame.py"))
    assert f"kernels_{frame._sources()}" == frame.KERNELS
    for changed in (copy / "voice.py", tmp_path / "terms.py"):
        before = frame._sources()
        changed.write_bytes(b"# changed\n")
        assert frame._sources() != before


def test_debt_and_cash_move_together():
    """Borrowing gives cash, repaying takes it; a fee beyond the cash is owed."""
    world = World(Scenario().with_(people={"margin": 1.0}), 11, CLIENTS, DAYS)
    world.step()
    start = world.state.copy()
    events = lived(world, DAYS - 1)
    assert (world.state["cash"] >= 0).all()
    assert (world.state["debt"] >= 0).all()
    assert (world.state["debt"] > 0).sum() > 50
    net = start["cash"] - start["debt"]
    flows, _ = events["cash_flow"]
    paid = np.where(flows["failure"] == 0, flows["amount"], 0)
    for kind, sign in ((DEPOSIT, 1), (DIVIDEND, 1), (INTEREST, 1), (WITHDRAWAL, -1)):
        net = net + sign * by_client(flows, paid * (flows["kind"] == kind))
    trades, _ = events["trade"]
    bought, sold = trades["side"] == BUY, trades["side"] == SELL
    net = net - by_client(trades, (trades["amount"] + trades["commission"]) * bought)
    net = net + by_client(trades, (trades["amount"] - trades["commission"]) * sold)
    never = world.state["left_day"] == NEVER  # what a leaver cannot repay is the broker's loss
    keep = staying(world, start) & (world.people.person["margin"] != 0) & never
    assert keep.sum() > 50
    gap = net - (world.state["cash"] - world.state["debt"])
    fees = by_client(flows, paid * (flows["kind"] == FEE))
    assert (gap[keep] >= fees[keep]).all()
    assert (gap[keep & (fees == 0)] == 0).all()
    rows, _ = events["margin"]
    newest = np.full(CLIENTS, -1)
    newest[rows["client"]] = np.arange(len(rows))
    told = keep & (newest >= 0)
    assert (rows["debt"][newest[told]] == world.state["debt"][told]).all()


def test_actions_on_who_is_not_a_client_are_not_recorded():
    world = World(Scenario(), 5, 1000, 100)
    assert len(world.step(actions=(np.arange(1000), np.full(1000, 1))).actions) == 0
    day = world.step(actions=(np.arange(1000), np.full(1000, 1)))
    touched = day.events["touch"]
    assert (touched["campaign"] == 4).sum() == len(day.clients) > 800


def test_who_leaves_takes_nothing_of_it_along():
    world = World(Scenario().with_(leaving={"returns": 1.0, "return_days": 1.0}), 5, 4000, 150)
    before = world.state["status"].copy()
    back = 0
    for _ in range(150):
        before = world.state["status"].copy()
        world.step()
        new = np.isin(before, (LEFT, CLOSED)) & (world.state["status"] == OPEN)
        back += int(new.sum())
        assert (world.state["complaint_day"][new] == NEVER).all()
        assert (world.state["grievance"][new] == 0).all()
    assert back > 100
    dead = np.isin(world.state["status"], (DEAD, DROPPED))
    assert dead.any()
    assert (world.state["cause"][dead] == -1).all()


def test_clients_of_a_departed_adviser_pass_to_the_heir_whenever_they_come():
    gone = {"kind": "adviser_leaves", "day": 5, "days": 1, "strength": 1.0}
    world = World(Scenario().with_(happenings=[gone]), 5, 4000, 60)
    star = int(
        np.argmax(np.bincount(world.people.person["adviser"], world.people.person["assets"]))
    )
    for _ in range(60):
        world.step()
    there = world.state["status"] == OPEN
    came = there & (world.people.person["opened"] > world.market.start + 6)
    settled = world.people.person["opened"] < world.market.start + 55
    assert (came & (world.people.person["adviser"] == star)).any()
    assert not ((world.state["adviser"] == star) & there & settled).any()


def test_the_only_adviser_cannot_leave():
    gone = {"kind": "adviser_leaves", "day": 5, "days": 1, "strength": 1.0}
    world = World(Scenario().with_(happenings=[gone]), 5, 300, 10)
    assert world.people.staff.advisers == 1
    assert "service" not in lived(world, 10)
