"""Rivals call within the same staff's time, and nobody who is held out."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from keepwell.rehearsal.plan import RANDOM, Plan, steps
from keepwell.rehearsal.rivals import MINUTES, REST, Rival, Service
from keepwell.world.scenario import Scenario
from keepwell.world.simulate import World
from keepwell.world.terms import ACTIONS, COMPLAINT_FAST, MANAGER_CALL

N, DAYS = 900, 140


@pytest.fixture(scope="module")
def year():
    """Half a year of calls at random among 900 clients, 600 of whom may be called."""
    plan = Plan(Scenario(), 3, N, DAYS, minutes=120)
    world = World(plan.scenario, 3, N, DAYS + 1)
    world.step()  # on its first day those who are clients already come
    begin = date.fromordinal(plan.scenario.start.toordinal() + 1)
    lived = []

    def live(actions):
        lived.append(world.step(actions=actions))
        return lived[-1]

    first = next(steps(plan, begin))
    owed = (np.arange(4), np.full(4, COMPLAINT_FAST))
    service = Service({first.working[2]: owed}, {0: {0: 240}})
    contact = np.arange(N) % 3 != 0
    future = SimpleNamespace(living=SimpleNamespace(world=world), live=live)
    rival = Rival(plan, future, RANDOM, contact, service, None)
    for step in steps(plan, begin):
        rival.step(step)
    return plan, world, rival, lived, contact, first, owed


def calls(lived):
    return [
        (day.day, int(client))
        for day in lived
        for client, code in zip(day.clients, day.actions, strict=True)
        if code == MANAGER_CALL
    ]


def test_nobody_held_out_is_called_and_nobody_twice_in_a_season(year):
    _, _, _, lived, contact, _, _ = year
    made = calls(lived)
    assert len(made) > 100
    assert contact[[client for _, client in made]].all()
    before = {}
    for day, client in made:
        assert day - before.get(client, -(10**6)) >= REST
        before[client] = day
    assert all((day + 3) % 7 < 5 for day, _ in made)


def test_time_is_that_of_the_same_staff_less_what_is_owed(year):
    plan, world, rival, lived, _, first, _ = year
    manager = world.people.person["manager"]
    per_step = {}
    for day, client in calls(lived):
        key = ((day - first.first) // plan.step, int(manager[client]))
        per_step[key] = per_step.get(key, 0) + MINUTES
    whole = plan.minutes * plan.step // 7
    assert max(per_step.values()) <= whole
    assert per_step[0, 0] <= whole - 240
    assert rival.spent.contacts >= len(calls(lived))
    assert rival.spent.minutes == MINUTES * rival.spent.contacts


def test_what_is_owed_is_done_on_its_day_and_counts_for_nothing(year):
    _, _, _, lived, _, first, owed = year
    day = next(day for day in lived if day.day == first.working[2])
    done = dict(zip(day.clients.tolist(), day.actions.tolist(), strict=True))
    there = [client for client in owed[0].tolist() if client in done]
    assert there
    assert {done[client] for client in there} == {ACTIONS.index("complaint_fast")}


def test_who_refuses_is_not_called_again(year):
    _, _, _, lived, _, _, _ = year
    no = {}
    for day in lived:
        touched = day.events.get("touch")
        for one in touched if touched is not None else ():
            if one["refused"] and one["campaign"] >= 3:
                no.setdefault(int(one["client"]), day.day)
    assert no
    assert not [client for day, client in calls(lived) if day > no.get(client, 10**9)]


def test_calls_to_those_who_refused_are_counted(year):
    _, world, rival, lived, _, _, _ = year
    unwilling = world.people.person["marketing"] == 0
    made = [client for _, client in calls(lived)]
    # Who has left by the day cannot be called; the attempt is counted.
    assert 0 < int(unwilling[made].sum()) <= rival.spent.refusing <= rival.spent.contacts
