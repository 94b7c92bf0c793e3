"""Redrawn assignments over the simulated brokerage, where the truth is known.

The same counts as `benchmarks/loop.py --coverage`, fewer of them.
"""

from __future__ import annotations

import pytest

from benchmarks.loop_experiments import DESIGN, alarms, covered, faults, store
from tests.learn.experiment.sizes import SIMULATIONS, at_least, at_most


@pytest.fixture(scope="module")
def stored():
    return store(2500)


def test_the_world_has_an_effect_to_find(stored):
    effect, relative = stored.truth(DESIGN.primary)
    assert -0.2 < effect < -0.03
    assert relative < -0.1


def test_intervals_hold_the_truth(stored):
    draws = SIMULATIONS // 2
    for one in covered(stored, draws):
        if one.wanted:
            assert one.times >= at_least(draws, 0.95), one


def test_looks_at_nothing_find_nothing(stored):
    draws = SIMULATIONS // 2
    for one in alarms(stored, draws):
        assert one.times <= at_most(draws, one.wanted), one


def test_tampered_arms_are_stopped(stored):
    for one in faults(stored, 10):
        assert one.times >= 9, one
