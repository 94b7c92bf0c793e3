"""Experiments as data; arms that stay, are known, and hang on nothing else."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from keepwell.core.errors import UsageError
from keepwell.learn.experiment.design import (
    Arm,
    Candidate,
    Experiment,
    Guardrail,
    Metric,
    assign,
    assign_all,
    assign_block,
    unit_of,
)
from keepwell.learn.holdout.policy import Lot

SECRET = b"a secret of the desk"
LEFT = Metric("left", "proportion", "lower")
CALLS = Experiment("calls", (Arm("call", 0.5), Arm("letter", 0.3), Arm("none", 0.2)), "none", LEFT)


def two(share: float, name: str = "two", **more) -> Experiment:
    return Experiment(name, (Arm("call", share), Arm("none", 1 - share)), "none", LEFT, **more)


def book(n: int, managers: int = 7) -> list[Candidate]:
    tiers = ("mild", "moderate", "severe")
    return [Candidate(f"c{i}", f"m{i % managers}", tiers[i % 3], f"h{i // 2}") for i in range(n)]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("experiment.arms-wrong", {"arms": (Arm("call", 1.0),)}),
        ("experiment.arms-wrong", {"arms": (Arm("none", 0.5), Arm("none", 0.5))}),
        ("experiment.arms-wrong", {"arms": (Arm("call", 0.5), Arm("none", 0.4))}),
        ("experiment.arms-wrong", {"arms": (Arm("call", 1.2), Arm("none", -0.2))}),
        ("experiment.arms-wrong", {"control": "nobody"}),
        ("experiment.looks-wrong", {"looks": (0.5, 0.4, 1.0)}),
        ("experiment.looks-wrong", {"looks": (0.5,)}),
        ("experiment.looks-wrong", {"looks": ()}),
        ("experiment.metric-twice", {"secondary": (LEFT,)}),
        ("experiment.value-wrong", {"unit": "manager"}),
        ("experiment.value-wrong", {"blocks": ("branch",)}),
        ("experiment.value-wrong", {"horizon_days": 0}),
        ("experiment.value-wrong", {"alpha": 0.0}),
        ("experiment.value-wrong", {"id": ""}),
    ],
)
def test_a_wrong_design_is_refused(code, change):
    fields = {"id": "e", "arms": CALLS.arms, "control": "none", "primary": LEFT} | change
    with pytest.raises(UsageError) as caught:
        Experiment(**fields)
    assert caught.value.code == code
    assert caught.value.words("zh") != caught.value.words("en")


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "median"},
        {"goal": "up"},
        {"kind": "ratio"},
        {"denominator": "sessions"},
        {"winsor": 0.4},
        {"kind": "proportion", "winsor": 0.99},
    ],
)
def test_a_wrong_metric_is_refused(fields):
    with pytest.raises(UsageError) as caught:
        Metric("x", **fields)
    assert caught.value.code == "experiment.value-wrong"


def test_a_design_goes_through_json_unchanged():
    whole = two(
        0.8,
        secondary=(Metric("orders", "ratio", denominator="sessions", covariates=("before",)),),
        guardrails=(Guardrail(Metric("complaints", "mean", "lower"), 0.01),),
    )
    assert Experiment.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole


@given(st.lists(st.text(min_size=1), unique=True, max_size=40), st.randoms())
@settings(max_examples=60, deadline=None)
def test_an_arm_is_for_ever_and_hangs_on_nobody_else(clients, random):
    first = {one: assign(CALLS, SECRET, one) for one in clients}
    random.shuffle(clients)
    assert {one: assign(CALLS, SECRET, one) for one in clients} == first
    assert {one.propensity for one in first.values()} <= {0.5, 0.3, 0.2}


def test_arms_of_experiments_have_nothing_to_do_with_each_other_or_with_the_hold_out():
    clients = [f"c{i}" for i in range(6000)]
    other = two(0.5, "other")
    one = np.array([assign(two(0.5), SECRET, c).arm == "call" for c in clients])
    two_ = np.array([assign(other, SECRET, c).arm == "call" for c in clients])
    lot = Lot(SECRET, "2026")
    held = np.array([lot.alone(c, 500_000) for c in clients])
    for a, b in ((one, two_), (one, held)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(clients))


def test_arms_drawn_alone_have_their_shares():
    found = Counter(assign(CALLS, SECRET, f"c{i}").arm for i in range(20_000))
    for arm in CALLS.arms:
        low, high = binom.interval(0.9999, 20_000, arm.share)
        assert low <= found[arm.name] <= high


@given(
    st.integers(1, 400),
    st.lists(st.integers(1, 20), min_size=2, max_size=5),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_a_block_has_its_shares_rounded_whatever_the_order(n, parts, random):
    names = [f"a{i}" for i in range(len(parts))]
    shares = [round(p / sum(parts), 6) for p in parts]
    shares[-1] = round(1 - sum(shares[:-1]), 6)
    arms = tuple(Arm(name, share) for name, share in zip(names, shares, strict=True))
    experiment = Experiment("e", arms, names[0], LEFT)
    units = [f"u{i}" for i in range(n)]
    drawn = assign_block(experiment, SECRET, "m1/mild/1", units)
    random.shuffle(units)
    assert assign_block(experiment, SECRET, "m1/mild/1", units) == drawn
    assert set(drawn) == set(units)
    counts = Counter(one.arm for one in drawn.values())
    for arm in arms:
        # Rounded once for every arm drawn before it.
        assert abs(counts[arm.name] - n * arm.share) < len(arms)
        chances = {one.propensity for one in drawn.values() if one.arm == arm.name}
        assert all(abs(chance - arm.share) < 1e-5 for chance in chances)


def test_every_unit_of_a_block_has_the_chance_that_is_written_down():
    units = [f"u{i}" for i in range(7)]
    found = Counter()
    for draw in range(3000):
        drawn = assign_block(CALLS, SECRET + draw.to_bytes(4, "big"), "m/1", units)
        found.update((unit, one.arm) for unit, one in drawn.items())
    for unit in units:
        for arm in CALLS.arms:
            low, high = binom.interval(0.9999, 3000, arm.share)
            assert low <= found[unit, arm.name] <= high


def test_with_two_arms_the_draw_is_the_hold_outs():
    experiment = two(0.2)
    units = [f"u{i}" for i in range(31)]
    lot = Lot(SECRET, "experiment\0two")
    held = dict(lot.block("m1/1\0call", units, 200_000))
    drawn = assign_block(experiment, SECRET, "m1/1", units)
    assert {unit: one.arm == "call" for unit, one in drawn.items()} == held


def test_a_book_is_drawn_in_blocks_and_newcomers_change_nobody():
    experiment = two(0.8, blocks=("manager", "tier"))
    first = assign_all(experiment, SECRET, book(300))
    by_block: dict[str, list[str]] = {}
    for one in first.values():
        by_block.setdefault(one.stratum, []).append(one.arm)
    assert len(by_block) == 21
    for arms in by_block.values():
        assert abs(arms.count("call") - 0.8 * len(arms)) < 1
    everyone = book(360)
    later = assign_all(experiment, SECRET, reversed(everyone), first, batch="2")
    assert {unit: later[unit] for unit in first} == first
    assert {one.stratum.split("/")[-1] for unit, one in later.items() if unit not in first} == {"2"}


def test_a_household_has_one_arm():
    experiment = two(0.5, unit="household")
    drawn = assign_all(experiment, SECRET, [*book(40), Candidate("alone", "m1", "mild")])
    assert len(drawn) == 21
    assert unit_of(experiment, Candidate("alone")) in drawn
    assert {unit_of(experiment, one) for one in book(40)} < set(drawn)


def test_thirds_add_up():
    thirds = Experiment("e", tuple(Arm(name, 1 / 3) for name in "abc"), "a", LEFT)
    assert sum(thirds.millionths) == 1_000_000
    assert sum(thirds.share(name) for name in "abc") == pytest.approx(1, abs=1e-12)
    found = Counter(
        one.arm for one in assign_block(thirds, SECRET, "m", [str(i) for i in range(900)]).values()
    )
    assert found == {"a": 300, "b": 300, "c": 300}


def test_an_unknown_arm_has_no_share():
    with pytest.raises(UsageError) as caught:
        CALLS.share("leter")
    assert caught.value.fields["nearest"] == "letter"
