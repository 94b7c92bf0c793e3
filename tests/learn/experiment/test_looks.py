"""One look: what stops an experiment, in which order, in words."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from keepwell.core.errors import UsageError
from keepwell.core.text import catalogue
from keepwell.learn.experiment.design import Arm, Experiment, Guardrail, Metric
from keepwell.learn.experiment.gate import stage_gate
from keepwell.learn.experiment.guardrails import STANDARD, standard
from keepwell.learn.experiment.looks import Verdict, look
from keepwell.learn.experiment.ratio import check
from keepwell.learn.experiment.readout import read_out
from tests.learn.experiment.sizes import SIMULATIONS, at_least, at_most

LEFT = Metric("left", "proportion", "lower")
COMPLAINTS = Metric("complaints", "mean", "lower")
KEPT = Metric("kept", goal="higher")
CALLS = Experiment(
    "calls", (Arm("call", 0.5), Arm("none", 0.5)), "none", LEFT,
    guardrails=(Guardrail(COMPLAINTS, 0.02), Guardrail(KEPT)),
)  # fmt: skip


def drawn(n, rng, left=(0.3, 0.3), complaints=(0.1, 0.1), kept=(0.0, 0.0), managers=40):
    """n clients in two arms; pairs are under the call, under none."""
    call = rng.permutation(n) < n // 2
    manager = np.arange(n) % managers

    def pick(pair):
        return np.where(call, *pair)

    return {
        "arm": np.where(call, "call", "none"),
        "manager": manager,
        "left": (rng.random(n) < pick(left)).astype(float),
        "complaints": rng.poisson(pick(complaints)).astype(float),
        "kept": rng.normal(pick(kept), 1),
    }


def seen(data, fraction=1.0, done=(), experiment=CALLS, arm=None, cluster="manager"):
    read = read_out(experiment.metrics, data, control="none", cluster=cluster)
    return look(experiment, done, fraction, read, check(experiment, data["arm"]), arm=arm)


@pytest.mark.parametrize(
    ("verdict", "because", "world", "fraction"),
    [
        (Verdict.CONTINUE, None, {}, 0.5),
        (Verdict.FINISHED, "left", {}, 1.0),
        (Verdict.BENEFIT, "left", {"left": (0.15, 0.3)}, 0.5),
        (Verdict.HARM, "left", {"left": (0.4, 0.2)}, 0.5),
        (Verdict.HARM, "complaints", {"left": (0.15, 0.3), "complaints": (0.4, 0.1)}, 0.5),
        (Verdict.HARM, "kept", {"kept": (-0.4, 0.0)}, 0.5),
        (Verdict.CONTINUE, None, {"kept": (0.4, 0.0)}, 0.5),
    ],
)
def test_what_stops_an_experiment(verdict, because, world, fraction):
    found = seen(drawn(4000, np.random.default_rng(6), **world), fraction, (0.25,))
    assert (found.verdict, found.because) == (verdict, because)
    assert found.words("en").split(":")[0] in {"Go on", "Stop", "The end"}
    assert found.words("zh", metric="流失率").endswith("%。")
    assert found.words("zh") != found.words("en")


def test_the_standard_guardrails_are_named_in_both_languages_and_watched():
    experiment = Experiment("all", CALLS.arms, "none", LEFT, guardrails=standard())
    data = drawn(4000, np.random.default_rng(6))
    rng = np.random.default_rng(1)
    names = [one.guardrail.metric.name for one in STANDARD]
    data |= {name: rng.poisson(0.1, 4000) for name in names}
    assert seen(data, 0.5, experiment=experiment).verdict is Verdict.CONTINUE
    data["opt_outs"] = rng.poisson(np.where(data["arm"] == "call", 0.3, 0.1))
    found = seen(data, 0.5, experiment=experiment)
    assert (found.verdict, found.because) == (Verdict.HARM, "opt_outs")
    assert [one.metric.name for one in found.guardrails] == names
    assert all(one.title in catalogue() for one in STANDARD)


def test_harm_within_the_margin_is_borne():
    data = drawn(40_000, np.random.default_rng(6), complaints=(0.115, 0.10))
    found = seen(data, 0.5)
    rail = found.guardrails[0]
    assert 0 < rail.harm.value < 0.02
    assert not rail.harmed
    assert rail.harm.high == math.inf


def test_wrong_shares_stop_before_anything_is_read():
    data = drawn(4000, np.random.default_rng(6), left=(0.1, 0.4))
    lost = (data["arm"] == "call") & (np.arange(4000) % 4 == 0)
    found = seen({name: column[~lost] for name, column in data.items()})
    assert found.verdict is Verdict.RATIO
    assert (found.primary, found.guardrails) == (None, ())
    assert found.words("zh").startswith("停止：各组人数占比与计划不符。")


def test_the_interval_of_a_look_is_that_of_its_boundary():
    data = drawn(4000, np.random.default_rng(6))
    early, late = seen(data, 0.25), seen(data, 1.0, (0.25, 0.5, 0.75))
    assert early.boundary > 4
    assert early.primary.high - early.primary.low > 2 * (late.primary.high - late.primary.low)
    read = read_out(CALLS.metrics, data, control="none", cluster="manager").effect("left")
    assert late.primary == read.at(late.level)


def test_everything_found_is_plain_data_for_json():
    data = drawn(400, np.random.default_rng(6), managers=5)
    found = seen(data, 0.5)
    read = read_out(CALLS.metrics, data, control="none", cluster="manager")
    gated = stage_gate(read.effect("left"))
    for one in (found, read, found.ratio, gated):
        told = json.dumps(one.to_dict(), allow_nan=False)
        assert json.dumps(json.loads(told)) == told
    # Five managers bound nothing: what is infinite is told as null.
    assert found.to_dict()["primary"]["low"] is None
    assert found.to_dict()["ratio"]["stop"] is False


def test_more_information_than_planned_counts_as_all():
    data = drawn(400, np.random.default_rng(6))
    assert seen(data, 1.3).boundary == seen(data, 1.0).boundary


def test_a_look_that_does_not_go_forward_is_refused():
    data = drawn(400, np.random.default_rng(6))
    with pytest.raises(UsageError):
        seen(data, 0.5, (0.5,))


def test_several_treated_arms_share_the_alpha_and_must_be_named():
    arms = (Arm("call", 0.25), Arm("letter", 0.25), Arm("none", 0.5))
    three = Experiment("three", arms, "none", LEFT)
    data = drawn(4000, np.random.default_rng(6))
    data["arm"] = np.where(
        (data["arm"] == "call") & (np.arange(4000) % 2 == 0), "letter", data["arm"]
    )
    one = Experiment("one", CALLS.arms, "none", LEFT)
    with pytest.raises(UsageError):
        seen(data, experiment=three)
    found = seen(data, experiment=three, arm="letter")
    assert found.arm == "letter"
    assert found.boundary > seen(drawn(400, np.random.default_rng(6)), experiment=one).boundary


def test_a_guardrail_rings_with_few_managers_though_signs_cannot():
    data = drawn(4000, np.random.default_rng(6), complaints=(0.6, 0.1), managers=8)
    found = seen(data, 0.5)
    assert (found.verdict, found.because) == (Verdict.HARM, "complaints")
    assert found.primary.method == "signs"
    assert found.guardrails[0].harm.method == "clusters"


@pytest.mark.parametrize(("managers", "cluster"), [(40, "manager"), (8, "manager"), (40, None)])
def test_false_alarms_of_four_looks_and_coverage_of_their_intervals(managers, cluster):
    """A/A tests on rare, skewed outcomes; every interval of every look has to hold 0 at once."""
    experiment = Experiment("aa", CALLS.arms, "none", LEFT, guardrails=(Guardrail(COMPLAINTS),))
    rng = np.random.default_rng(managers)
    stopped = harmed = wrong = uneven = 0
    for _ in range(SIMULATIONS):
        data = drawn(1200, rng, left=(0.1, 0.1), managers=managers)
        done: list[float] = []
        missed = False
        for fraction in experiment.looks:
            part = {name: column[: int(1200 * fraction)] for name, column in data.items()}
            found = seen(part, fraction, done, experiment, cluster=cluster)
            done.append(fraction)
            if found.verdict is Verdict.RATIO:
                uneven += 1
                break
            missed |= not found.primary.low <= 0 <= found.primary.high
            if found.verdict in (Verdict.BENEFIT, Verdict.HARM):
                stopped += found.because == "left"
                harmed += found.because == "complaints"
                break
        wrong += missed
    assert uneven <= at_most(SIMULATIONS, 0.004)  # 0.001 at each of four looks
    assert stopped <= at_most(SIMULATIONS, 0.05)
    assert harmed <= at_most(SIMULATIONS, 0.05)
    assert SIMULATIONS - wrong >= at_least(SIMULATIONS, 0.95)


def test_an_effect_of_the_planned_size_is_found_with_the_planned_power():
    from keepwell.learn.experiment.power import Baseline, Terms, needed

    experiment = Experiment("power", CALLS.arms, "none", LEFT)
    units = needed(Baseline(0.3), -0.1, Terms(looks=experiment.looks)).total
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(SIMULATIONS):
        data = drawn(units, rng, left=(0.2, 0.3))
        done: list[float] = []
        for fraction in experiment.looks:
            part = {name: column[: int(units * fraction)] for name, column in data.items()}
            verdict = seen(part, fraction, done, experiment, cluster=None).verdict
            done.append(fraction)
            if verdict is not Verdict.CONTINUE:
                found += verdict is Verdict.BENEFIT
                break
    assert found >= at_least(SIMULATIONS, 0.8)
