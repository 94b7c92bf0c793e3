"""The read-out: what does not matter does not matter, what must be known is asked for."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import DataError, UsageError
from keepwell.learn.experiment.compliance import complied
from keepwell.learn.experiment.design import Metric
from keepwell.learn.experiment.readout import read_out

KEPT = Metric("kept", covariates=("before",))
LEFT = Metric("left", "proportion", "lower")
ORDERS = Metric("orders", "ratio", denominator="sessions", covariates=("before",))


def data(n: int = 600, managers: int = 40, seed: int = 5, effect: float = 4.0) -> dict:
    rng = np.random.default_rng(seed)
    manager = np.arange(n) % managers
    call = rng.permutation(n) < 0.7 * n
    before = rng.lognormal(3, 0.8, n)
    sessions = 1.0 + rng.poisson(5, n)
    return {
        "arm": np.where(call, "call", "none"),
        "manager": np.array([f"m{i}" for i in manager]),
        "stratum": np.array(
            [f"m{i}/{j}" for i, j in zip(manager, rng.integers(0, 2, n), strict=True)]
        ),
        "before": before,
        "kept": before + rng.normal(0, 5, n) + effect * call + rng.normal(0, 2, managers)[manager],
        "left": (rng.random(n) < 0.3 - 0.1 * call).astype(float),
        "sessions": sessions,
        "orders": sessions * rng.beta(2, 3, n),
        "reached": (call & (rng.random(n) < 0.6)).astype(float),
    }


WAYS = [
    {},
    {"stratum": "stratum"},
    {"cluster": "manager"},
    {"stratum": "stratum", "cluster": "manager"},
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "+".join(way) or "units")
@given(random=st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_neither_order_nor_type_of_the_rows_matters(way, random):
    whole = data(300)
    order = list(range(300))
    random.shuffle(order)
    mixed = {name: pa.array(values[order]) for name, values in whole.items()}
    first = read_out([KEPT, LEFT, ORDERS], whole, control="none", **way)
    again = read_out([KEPT, LEFT, ORDERS], mixed, control="none", **way)
    for a, b in zip(first.effects, again.effects, strict=True):
        assert b.difference.value == pytest.approx(a.difference.value, rel=1e-9, abs=1e-12)
        assert b.difference.low == pytest.approx(a.difference.low, rel=1e-9, abs=1e-12)
        assert b.relative.high == pytest.approx(a.relative.high, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "+".join(way) or "units")
@given(constant=st.floats(-1e9, 1e9), factor=st.floats(0.001, 1000))
@settings(max_examples=15, deadline=None)
def test_cuped_is_not_moved_by_a_constant_or_a_unit_of_the_covariate(way, constant, factor):
    whole = data(300)
    moved = whole | {"before": whole["before"] * factor + constant * factor}
    (one,) = read_out([KEPT], whole, control="none", **way).effects
    (other,) = read_out([KEPT], moved, control="none", **way).effects
    tolerance = 1e-6 * max(1.0, abs(constant) / 1e6)
    assert other.difference.value == pytest.approx(
        one.difference.value, rel=tolerance, abs=tolerance
    )
    assert other.difference.se == pytest.approx(one.difference.se, rel=tolerance)


@given(constant=st.floats(-1e6, 1e6))
def test_a_covariate_that_does_not_vary_changes_nothing(constant):
    whole = data(200) | {"flat": np.full(200, constant)}
    plain = read_out([Metric("kept")], whole, control="none").effects[0]
    flat = read_out([Metric("kept", covariates=("flat",))], whole, control="none").effects[0]
    assert flat.difference == plain.difference


@given(shift=st.floats(-1e6, 1e6))
def test_a_constant_on_the_outcome_moves_the_means_alone(shift):
    whole = data(200)
    (one,) = read_out([KEPT], whole, control="none").effects
    (other,) = read_out([KEPT], whole | {"kept": whole["kept"] + shift}, control="none").effects
    assert other.difference.value == pytest.approx(one.difference.value, abs=1e-6)
    assert other.means[1] == pytest.approx(one.means[1] + shift, rel=1e-9, abs=1e-6)


def test_cuped_is_right_on_average_and_cuts_the_variance():
    """400 draws of one world: the mean of the estimates is the truth."""
    rng = np.random.default_rng(8)
    n = 120
    before = rng.lognormal(3, 0.8, n)
    control = before + rng.normal(0, 4, n)
    treated = control + rng.normal(3, 1, n)
    truth = float((treated - control).mean())
    found = []
    for _ in range(400):
        call = rng.permutation(n) < 60
        whole = {
            "arm": np.where(call, "call", "none"), "before": before,
            "kept": np.where(call, treated, control),
        }  # fmt: skip
        found.append(read_out([KEPT], whole, control="none").effects[0])
    values = np.array([one.difference.value for one in found])
    assert abs(values.mean() - truth) < 4 * values.std() / math.sqrt(len(values))
    assert np.median([one.reduction for one in found]) > 0.8
    covered = sum(one.difference.low <= truth <= one.difference.high for one in found)
    assert covered >= 0.91 * len(found)


def test_strata_with_chances_of_their_own_do_not_bias():
    """Severe clients leave more and are treated more: only strata or propensities tell it apart."""
    n = 8000
    rng = np.random.default_rng(4)
    severe = rng.random(n) < 0.4
    chance = np.where(severe, 0.9, 0.3)
    call = rng.random(n) < chance
    left = (rng.random(n) < np.where(severe, 0.5, 0.1) - 0.05 * call).astype(float)
    whole = {
        "arm": np.where(call, "call", "none"), "left": left,
        "tier": np.where(severe, "severe", "mild"), "chance": np.where(call, chance, 1 - chance),
    }  # fmt: skip
    naive = read_out([LEFT], whole, control="none").effects[0].difference
    assert naive.low > -0.05
    for way in ({"stratum": "tier"}, {"propensity": "chance"}):
        found = read_out([LEFT], whole, control="none", **way).effects[0].difference
        assert found.low < -0.05 < found.high


def test_strata_too_small_to_compare_are_taken_together():
    whole = data(400) | {"own": np.arange(400)}
    found = read_out([KEPT], whole, control="none", stratum="own")
    assert found.strata == 1
    plain = read_out([KEPT], whole, control="none")
    assert found.effects[0].difference == plain.effects[0].difference
    by_manager = read_out([KEPT], whole, control="none", stratum="own", cluster="manager")
    assert by_manager.strata == 1  # ten clients each, three of them untreated: still too few


def test_luck_shared_within_books_widens_the_interval():
    """Effects that differ by manager: so many clients tell less than they seem to."""
    rng = np.random.default_rng(2)
    n, managers = 6000, 60
    manager = np.arange(n) % managers
    call = rng.random(n) < 0.5
    kept = rng.normal(0, 1, n) + call * rng.normal(0, 1, managers)[manager]
    whole = {"arm": np.where(call, "call", "none"), "manager": manager, "kept": kept}
    alone = read_out([Metric("kept")], whole, control="none").effects[0].difference
    books = read_out([Metric("kept")], whole, control="none", cluster="manager").effects[0]
    assert books.difference.se > 3 * alone.se
    assert books.difference.method == "clusters"


@pytest.mark.parametrize("managers", [4, 5, 6, 12, 20])
def test_few_managers_are_told_by_their_signs(managers):
    whole = data(600, managers, effect=6.0)
    found = read_out([KEPT], whole, control="none", stratum="manager", cluster="manager")
    assert found.method == "signs"
    difference = found.effects[0].difference
    if managers < 6:
        assert (difference.low, difference.high) == (-math.inf, math.inf)
        assert difference.p > 0.05
    else:
        assert 0 < difference.low < difference.value < difference.high
        assert difference.p <= 0.05
    narrow = found.effects[0].at(0.5)
    assert narrow.low >= difference.low


def test_signs_cover_the_truth_with_any_few_managers():
    """Effects that differ by manager, eight managers: t on clients fails, signs hold."""
    rng = np.random.default_rng(12)
    covered = alone = 0
    for _ in range(300):
        manager = np.arange(400) % 8
        call = rng.permutation(400) < 200
        kept = rng.normal(0, 1, 400) + call * rng.normal(0, 0.5, 8)[manager]
        whole = {"arm": np.where(call, "call", "none"), "manager": manager, "kept": kept}
        books = read_out([Metric("kept")], whole, control="none", cluster="manager").effects[0]
        covered += books.difference.low <= 0 <= books.difference.high
        units = read_out([Metric("kept")], whole, control="none").effects[0]
        alone += units.difference.low <= 0 <= units.difference.high
    assert covered >= 0.91 * 300
    assert alone < 0.85 * 300


def test_a_winsorised_metric_keeps_its_raw_difference_beside_it():
    whole = data(600)
    whole["kept"][:3] = 1e6
    cut = Metric("kept", winsor=0.99, covariates=("before",))
    found = read_out([cut], whole, control="none").effects[0]
    raw = read_out([Metric("kept")], whole, control="none").effects[0]
    assert found.raw == raw.difference
    assert found.difference.se < 0.01 * found.raw.se
    assert found.reduction > 0.99
    both = Metric("kept", winsor=0.9, both_tails=True)
    assert read_out([both], whole, control="none").effects[0].difference.value != found.raw.value


def test_compliers_get_the_effect_of_those_who_were_drawn_divided_by_who_was_reached():
    whole = data(4000, effect=0.0)
    whole["kept"] += 5.0 * whole["reached"]
    for way in ({}, {"stratum": "stratum", "cluster": "manager"}):
        found = complied(KEPT, whole, "reached", treated="call", control="none", **way)
        itt = read_out([KEPT], whole, control="none", **way).effects[0].difference
        assert found.effect.value == pytest.approx(itt.value / found.compliance.value)
        assert found.effect.low < 5 < found.effect.high
        assert found.effect.low > 3
    nobody = complied(KEPT, whole | {"reached": np.zeros(4000)}, "reached", treated="call",
                      control="none")  # fmt: skip
    assert (nobody.effect.low, nobody.effect.high) == (-math.inf, math.inf)


def test_three_arms_are_each_held_against_the_control():
    whole = data(900)
    whole["arm"] = np.where(np.arange(900) % 3 == 0, "letter", whole["arm"])
    found = read_out([KEPT, LEFT], whole, control="none")
    assert [(one.metric.name, one.arm) for one in found.effects] == [
        ("kept", "call"), ("kept", "letter"), ("left", "call"), ("left", "letter"),
    ]  # fmt: skip
    assert sum(found.units.values()) == 900
    assert found.effect("left", "letter").q >= found.effect("left", "letter").difference.p


def test_missing_covariates_count_as_their_mean_and_missing_outcomes_are_refused():
    whole = data(200)
    gone = whole["before"].copy()
    gone[:20] = np.nan
    filled = np.where(np.isnan(gone), np.nanmean(gone), gone)
    one = read_out([KEPT], whole | {"before": gone}, control="none").effects[0]
    other = read_out([KEPT], whole | {"before": filled}, control="none").effects[0]
    assert one.difference.low == pytest.approx(other.difference.low, rel=1e-9)
    with pytest.raises(DataError) as caught:
        read_out([KEPT], whole | {"kept": gone}, control="none")
    assert (caught.value.code, caught.value.fields["rows"]) == ("experiment.outcome-missing", 20)


@pytest.mark.parametrize(
    ("code", "change", "ask"),
    [
        ("experiment.column-missing", {}, {"metrics": [Metric("keept")]}),
        ("experiment.column-missing", {}, {"cluster": "managers"}),
        ("experiment.column-length", {"kept": np.zeros(3)}, {}),
        ("experiment.arm-unknown", {}, {"control": "nobody"}),
        ("experiment.arm-empty", {"arm": np.array(["none"] + ["call"] * 199)}, {}),
        ("experiment.value-wrong", {"left": np.full(200, 0.5)}, {"metrics": [LEFT]}),
        ("experiment.value-wrong", {"chance": np.zeros(200)}, {"propensity": "chance"}),
        ("experiment.value-wrong", {"sessions": np.zeros(200)}, {"metrics": [ORDERS]}),
        ("experiment.metric-twice", {}, {"metrics": [KEPT, KEPT]}),
    ],
)
def test_what_cannot_be_read_out_says_why(code, change, ask):
    fields = {"metrics": [KEPT], "control": "none"} | ask
    with pytest.raises((DataError, UsageError)) as caught:
        read_out(fields.pop("metrics"), data(200) | change, **fields)
    assert caught.value.code == code


def test_a_metric_not_read_out_is_named():
    with pytest.raises(UsageError) as caught:
        read_out([KEPT], data(200), control="none").effect("kepd")
    assert caught.value.fields["nearest"] == "kept"
