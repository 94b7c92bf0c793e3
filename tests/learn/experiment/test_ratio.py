"""Arms without their shares stop everything; arms with them do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core.errors import DataError
from keepwell.learn.experiment.design import Arm, Candidate, Experiment, Metric, assign_all
from keepwell.learn.experiment.ratio import check, check_counts
from keepwell.learn.holdout.policy import ratio_p

LEFT = Metric("left", "proportion", "lower")
CALLS = Experiment("calls", (Arm("call", 0.8), Arm("none", 0.2)), "none", LEFT)


def drawn(n: int, experiment: Experiment = CALLS) -> tuple[np.ndarray, np.ndarray]:
    """Arms and managers of a drawn book."""
    book = [Candidate(f"c{i}", f"m{i % 23}", ("mild", "severe")[i % 2]) for i in range(n)]
    arms = assign_all(experiment, b"secret", book)
    return (
        np.array([arms[one.client_id].arm for one in book]),
        np.array([one.manager_id for one in book]),
    )


def test_a_drawn_book_passes_and_says_so_in_both_languages():
    found = check(CALLS, *drawn(5000))
    assert not found.stop
    assert found.expected == {"call": 4000, "none": 1000}
    assert found.words("en") == "The arms have the shares that were planned."
    assert found.words("zh") == "各组人数占比与计划一致。"


def test_with_two_arms_it_is_the_check_of_the_hold_out():
    found = check_counts(
        {"contact": 0.95, "hold-out": 0.05}, {"*": {"contact": 900, "hold-out": 61}}
    )
    assert found.p == pytest.approx(ratio_p(961, 61, 0.05))


@pytest.mark.parametrize("lost", [0.2, 0.5, 1.0])
def test_treated_units_that_get_lost_are_noticed(lost):
    """Who left before the data were drawn is missing from one arm more than from the other."""
    arm, manager = drawn(6000)
    gone = (arm == "none") & (np.random.default_rng(3).random(6000) < lost)
    found = check(CALLS, arm[~gone], manager[~gone])
    assert found.stop
    assert found.p < 0.001
    assert "none" in found.words("en")


def test_one_manager_who_calls_everybody_is_noticed_though_the_whole_is_not():
    arm, manager = drawn(20_000)
    arm[(manager == "m4")] = "call"
    found = check(CALLS, arm, manager)
    assert found.p > 0.001
    assert found.stop
    assert found.block == "m4"
    assert "m4" in found.words("zh")


def test_a_swap_within_a_manager_pair_is_noticed():
    """Totals are right, two books are not."""
    arm, manager = drawn(20_000)
    a, b = np.flatnonzero(manager == "m1"), np.flatnonzero(manager == "m2")
    arm[a[arm[a] == "none"]] = "call"
    arm[b[: (manager == "m1").sum() // 5 * 2]] = "none"
    found = check(CALLS, arm, manager)
    assert found.p > 0.001
    assert found.stop


def test_small_blocks_are_counted_together():
    arm, _ = drawn(600)
    alone = [f"b{i}" for i in range(600)]
    assert not check(CALLS, arm, alone).stop
    wrong = np.where(np.arange(600) < 420, "call", "none")
    found = check(CALLS, wrong, alone)
    assert found.stop
    assert found.block == "*"


def test_alarms_of_draws_one_by_one_are_as_rare_as_they_should_be():
    rng = np.random.default_rng(11)
    found = [
        check_counts(
            {"a": 0.5, "b": 0.3, "c": 0.2}, {"*": dict(zip("abc", counts, strict=True))}
        ).stop
        for counts in rng.multinomial(3000, [0.5, 0.3, 0.2], size=3000).tolist()
    ]
    assert sum(found) <= 12  # 3 expected; chance of more than 12 below 1e-4


@given(st.permutations(range(60)))
def test_the_order_of_rows_does_not_matter(order):
    arm = np.array(["call"] * 40 + ["none"] * 20)
    block = np.array([f"m{i % 3}" for i in range(60)])
    one, other = check(CALLS, arm, block), check(CALLS, arm[order], block[order])
    assert one.counts == other.counts
    assert one.p == other.p
    assert one.block_p == pytest.approx(other.block_p)


def test_an_arm_that_nobody_planned_is_refused():
    with pytest.raises(DataError) as caught:
        check(CALLS, ["call", "cal"])
    assert caught.value.code == "experiment.arm-unknown"
    with pytest.raises(DataError):
        check_counts({"call": 1.0}, {"*": {"mail": 3}})


def test_nobody_drawn_is_no_alarm():
    assert not check(CALLS, np.array([], "U4")).stop
    assert not check_counts({"call": 0.5, "none": 0.5}, {}).stop
