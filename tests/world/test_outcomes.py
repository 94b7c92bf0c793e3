"""What becomes of clients under each assignment: what is frozen, what is felt, what is written."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from keepwell.core.days import to_date
from keepwell.core.errors import UsageError
from keepwell.world.outcomes import (
    Potential,
    household_potential,
    keepable,
    live_on,
    potential,
    potential_table,
)
from keepwell.world.scenario import Scenario
from keepwell.world.simulate import World
from keepwell.world.terms import (
    ACTIONS,
    COMPLAINT_FAST,
    FEINT,
    LEFT,
    NEVER,
    OPEN,
    PROBING,
    STAGED,
    STAGES,
    UNOPENED,
)

HORIZON = 60
RESTLESS = {"hazard": 0.01, "days": [30.0, 14.0, 9.0, 5.0], "at_peace": 1.0}


def lived(contagion, clients=1_500, days=130, before=50):
    none = {"household": 0.0, "referrer": 0.0, "adviser": 0.0}
    scenario = Scenario().with_(contagion=none | contagion, leaving=RESTLESS)
    world = World(scenario, 3, clients, days)
    for _ in range(before):
        world.pass_day()
    return world


@pytest.fixture(scope="module")
def world():
    return lived({"household": 4.0, "referrer": 2.0, "adviser": 4.0, "resolve": 0.5})


@pytest.fixture(scope="module")
def outcomes(world):
    return potential(world, HORIZON)


def test_looking_ahead_changes_nothing(world):
    before, t = world.state.copy(), world.t
    made = potential(world, 5, ("leave_alone", "manager_call"))
    again = potential(world, 5, ("leave_alone", "manager_call"))
    live_on(world, np.arange(10), np.full(10, COMPLAINT_FAST), 5)
    assert world.t == t
    for name in before.dtype.names:
        assert np.array_equal(world.state[name], before[name])
    assert np.array_equal(made.left_day, again.left_day)


def test_left_alone_is_what_happens_when_nobody_acts(world, outcomes):
    real = live_on(world, [], [], HORIZON)
    assert np.array_equal(outcomes.left_day[0], real.left_day[outcomes.clients])
    copy = world.copy()
    left = {}
    for _ in range(HORIZON):
        day = copy.step()
        out = day.events.get("step")
        if out is not None:
            gone = out[(out["status"] != OPEN) & (out["way"] > 0)]
            for client in gone["client"]:
                left.setdefault(int(client), day.day)
    assert left
    told = np.flatnonzero(real.left_day != NEVER)
    assert {int(c): int(real.left_day[c]) for c in told} == left
    assert np.array_equal(copy.state["status"], real.status)


def test_the_first_time_counts_for_who_comes_back_and_leaves_again():
    soon = {"returns": 1.0, "return_days": 1.0, "hazard": 0.2, "at_once": 0.9, "drift": 0.0}
    scenario = Scenario().with_(leaving=RESTLESS | soon | {"days": [1.0, 1.0, 1.0, 1.0]})
    world = World(scenario, 3, 300, 120)
    world.pass_day()
    made, copy = live_on(world, [], [], 100), world.copy()
    for _ in range(100):
        copy.pass_day()
    twice = (copy.state["returned"] == 1) & (copy.state["left_day"] > made.left_day)
    assert twice.any()
    assert (copy.state["left_day"] != NEVER).sum() == (made.left_day != NEVER).sum()


def test_who_has_left_keeps_nothing(world):
    made = live_on(world, [], [], HORIZON)
    assert (made.kept[(made.status == LEFT) | (made.status == UNOPENED)] == 0).all()
    assert (made.kept[made.status == OPEN] > 0).mean() > 0.99


def test_one_client_treated_alone_is_her_potential_outcome_when_others_cannot_tell():
    calm = lived({})
    made = potential(calm, HORIZON, ("leave_alone", "complaint_fast"))
    helped = np.flatnonzero(made.left_day[0] != made.left_day[1])
    assert len(helped) > 5
    for place in helped[:5]:
        client = made.clients[place]
        real = live_on(calm, [client], [COMPLAINT_FAST], HORIZON)
        assert real.left_day[client] == made.left_day[1, place]
        others = np.delete(made.clients, place)
        alone = np.delete(made.left_day[0], place)
        assert np.array_equal(real.left_day[others], alone)


def test_with_contagion_the_treatment_of_others_matters_but_not_to_the_potential(world, outcomes):
    everyone = outcomes.clients
    real = live_on(world, everyone, np.full(len(everyone), COMPLAINT_FAST), HORIZON)
    stored = outcomes.left_day[COMPLAINT_FAST]
    assert not np.array_equal(real.left_day[everyone], stored)
    # Fewer leave when the others are helped, too.
    assert (real.left_day[everyone] != NEVER).sum() < (stored != NEVER).sum()


def test_contagion_is_read_off_the_untreated_future(world, outcomes):
    # One client treated alone can reach herself only through an echo, so nearly all agree.
    helped = np.flatnonzero(outcomes.left_day[0] != outcomes.left_day[COMPLAINT_FAST])[:8]
    agree = 0
    for place in helped:
        client = outcomes.clients[place]
        real = live_on(world, [client], [COMPLAINT_FAST], HORIZON)
        agree += real.left_day[client] == outcomes.left_day[COMPLAINT_FAST, place]
    assert len(helped) == 8
    assert agree >= 7


def test_the_first_clients_have_the_same_outcomes_as_among_all(world, outcomes):
    some = potential(world, HORIZON, ("leave_alone", "education"), first=400)
    mine = outcomes.clients < 400
    assert np.array_equal(some.clients, outcomes.clients[mine])
    assert np.array_equal(
        some.left_day, outcomes.left_day[[0, ACTIONS.index("education")]][:, mine]
    )
    assert np.array_equal(some.stage, outcomes.stage[mine])


def test_households_in_every_pattern_are_exact():
    world = lived({"household": 8.0, "resolve": 1.0})
    made = household_potential(world, HORIZON, "complaint_fast")
    sizes = np.bincount(made.household)
    assert made.left_day.shape == (2 ** sizes.max(), 1_500)
    assert sizes.max() == 4
    rng = np.random.default_rng(1)
    for share in (0.2, 0.7):
        treated = rng.random(1_500) < share
        clients = np.flatnonzero(treated)
        real = live_on(world, clients, np.full(len(clients), COMPLAINT_FAST), HORIZON)
        assert np.array_equal(made.under(treated), real.left_day)
    # And it is not what each alone would do.
    alone = potential(world, HORIZON, ("complaint_fast",))
    everyone = made.under(np.ones(1_500, bool))[alone.clients]
    assert not np.array_equal(everyone, alone.left_day[0])


def test_households_have_no_outcomes_of_their_own_when_others_spread_leaving(world):
    with pytest.raises(UsageError) as caught:
        household_potential(world, 10, "education")
    assert caught.value.code == "world.outcomes-entangled"


def test_too_few_days_or_an_unknown_action_are_said(world):
    with pytest.raises(UsageError) as caught:
        potential(world, world.days - world.t + 1)
    assert caught.value.code == "world.days-over"
    with pytest.raises(UsageError) as caught:
        potential(world, 10, ("magic",))
    assert caught.value.code == "world.action-unknown"


def test_the_table_says_days_after_the_decision(world, outcomes):
    table = potential_table(world, outcomes)
    assert table.column_names == ["decided_on", "client_id", "stage", "path", "cause", *ACTIONS]
    assert table.num_rows == (world.state["status"] == OPEN).sum()
    assert table["decided_on"].unique().to_pylist() == [world.today]
    assert to_date(outcomes.decided) == world.today
    ids = world.people.ids.to_pylist()
    for row in table.slice(0, 300).to_pylist():
        place = int(np.searchsorted(outcomes.clients, ids.index(row["client_id"])))
        assert row["stage"] == STAGES[outcomes.stage[place]]
        for code, action in enumerate(ACTIONS):
            day = outcomes.left_day[code, place]
            assert (row[action] is None) == (day == NEVER)
            if row[action] is not None:
                assert 0 <= row[action] < HORIZON
                left = row["decided_on"] + timedelta(days=row[action])
                assert left == to_date(int(day))


def test_keepable_counts_who_leaves_alone_and_stays_under_some_action():
    gone = 100
    left = np.array([[gone, gone, NEVER, gone, gone], [gone, NEVER, gone, NEVER, NEVER]], np.int32)
    stage = np.array([PROBING, PROBING, PROBING, PROBING, PROBING + 1], np.int8)
    path = np.array([STAGED, STAGED, STAGED, FEINT, STAGED], np.int8)
    none = np.zeros(5, np.int8)
    made = Potential(
        90, 60, ("leave_alone", "education"), np.arange(5), stage, path, none, left,
        np.zeros((2, 5), np.int64),
    )  # fmt: skip
    found = keepable(made, "probing")
    assert found == (3, 2, 1)
    assert found.share == 0.5
    assert np.isnan(keepable(made, "anomaly").share)
