"""From a trial to the record of a proof: plain data, money in minor units, no database.

The record's figures are those of `learn.value.retained`, of `learn.experiment.compliance` and of
`learn.experiment.power`; nothing is computed a second way here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import DataError
from keepwell.learn.experiment.compliance import complied
from keepwell.learn.experiment.design import Metric
from keepwell.learn.experiment.intervals import Estimate
from keepwell.learn.experiment.power import Baseline, Terms, detectable
from keepwell.learn.holdout.policy import CONTACT, HOLD_OUT
from keepwell.learn.kept.policy import CONFIDENCE
from keepwell.learn.value.estimate import Effect, coded
from keepwell.learn.value.retained import CLIENTS, Retained, Trial, measure, outcomes_of
from keepwell.warn.tier import Tier

Flags = npt.NDArray[np.bool_]


def read_out(
    trial: Trial, tiers: Sequence[str | None], received: Flags | None
) -> dict[str, Any]:  # fmt: skip
    """Measures, clients kept by tier, and the effect on those who were reached.

    A measure for which an arm has nobody known is left out and named in `absent`.

    Args:
        trial: the arms and what became of them.
        tiers: of each client at the draw; None where it had none or is not known.
        received: whether a retention contact reached the client; None: contacts are not kept.

    Raises:
        DataError: of no measure at all: an arm is empty, or there are fewer than two managers.
    """
    # Sorted once, not each time.
    coded_trial = replace(trial, manager=coded(np.asarray(trial.manager))[0])
    measures, absent = {}, {}
    for name, y in outcomes_of(trial).items():
        try:
            found = measure(name, y, coded_trial, confidence=CONFIDENCE)
        except DataError as error:
            if error.code != "value.arm-empty" or name == CLIENTS:
                raise
            absent[name] = error.code
            continue
        measures[name] = plain_measure(found)
    return {
        "measures": measures,
        "absent": absent,
        "stayed": _shares(trial),
        "tiers": by_tier(trial, tiers),
        "complied": None if received is None else _complied(trial, received),
    }


def plain_effect(effect: Effect) -> dict[str, Any]:
    """An effect as data for JSON."""
    return {
        "value": effect.value, "low": effect.low, "high": effect.high, "error": effect.error,
        "confidence": effect.confidence, "clusters": effect.clusters,
    }  # fmt: skip


def effect_of(plain: Mapping[str, Any]) -> Effect:
    """The effect that `plain_effect` wrote."""
    return Effect(**plain)


def plain_measure(one: Retained) -> dict[str, Any]:
    """One measure: per client and in all, raw and adjusted, and what the power suffices for.

    `shown`: the adjusted interval does not hold zero. `detectable`: the smallest effect per client
    that so many clients, as different as these are, show in four of five cases.
    """
    better = one.adjusted
    return {
        "raw": plain_effect(one.raw), "adjusted": plain_effect(better),
        "raw_total": plain_effect(one.raw_total), "total": plain_effect(one.total),
        "share": None if one.share is None else plain_effect(one.share),
        "treated": one.treated, "held": one.held, "unknown": list(one.unknown),
        "limit": one.limit, "opening": one.opening, "few": better.few,
        "shown": bool(better.low > 0 or better.high < 0), "detectable": smallest(one),
    }  # fmt: skip


def smallest(one: Retained) -> float | None:
    """The smallest effect per client that the test shows with a power of 80 %; None: not known.

    From the adjusted standard error, which holds what covariates took away and what clients of one
    manager have in common.
    """
    n, share = one.treated + one.held, one.treated / (one.treated + one.held)
    variance = one.adjusted.error**2 * n * share * (1 - share)
    if not variance > 0:
        return None
    terms = Terms(treated_share=share, alpha=1 - CONFIDENCE)
    found = detectable(Baseline(0.0, variance), n, terms)
    return found if math.isfinite(found) else None


def by_tier(trial: Trial, tiers: Sequence[str | None]) -> list[dict[str, Any]]:
    """Clients kept by the tier at the draw, the gravest first; tiers too small say only how many.

    Args:
        trial: the arms.
        tiers: of each client.
    """
    names = np.array(["" if tier is None else tier for tier in tiers], object)
    out = []
    for code in [*(tier.code for tier in sorted(Tier, reverse=True)), ""]:
        mine = names == code
        if not mine.any():
            continue
        some = _rows(trial, mine)
        row: dict[str, Any] = {
            "tier": code or None, "treated": int(some.treated.sum()),
            "held": int((~some.treated).sum()), "measure": None,
        }  # fmt: skip
        try:
            found = measure(CLIENTS, some.stayed, some, confidence=CONFIDENCE)
        except DataError as error:
            if error.code != "value.arm-empty":
                raise
        else:
            row["measure"] = plain_measure(found)
        out.append(row)
    return out


def _rows(trial: Trial, keep: Flags) -> Trial:
    return replace(
        trial, treated=trial.treated[keep], manager=trial.manager[keep],
        stayed=trial.stayed[keep], opening=trial.opening[keep], net=trial.net[keep],
        predicted=trial.predicted[keep], past=None if trial.past is None else trial.past[keep],
        worth=None, revenue={},
    )  # fmt: skip


def _shares(trial: Trial) -> dict[str, float]:
    """Share of each arm's clients, of those known, who stayed."""
    known = ~np.isnan(trial.stayed)
    return {
        arm: float(trial.stayed[known & of].mean())
        for arm, of in ((CONTACT, trial.treated), (HOLD_OUT, ~trial.treated))
        if (known & of).any()
    }


def _complied(trial: Trial, received: Flags) -> dict[str, Any]:
    """Who was reached in each arm, and the effect on those whom the draw made be reached."""
    known = ~np.isnan(trial.stayed)
    arms = np.where(trial.treated, CONTACT, HOLD_OUT)
    out: dict[str, Any] = {
        "received": {arm: int(received[arms == arm].sum()) for arm in (CONTACT, HOLD_OUT)},
        "compliance": None, "effect": None,
    }  # fmt: skip
    if not received[trial.treated & known].any():
        return out
    data = {
        "arm": arms[known], "stayed": trial.stayed[known],
        "received": received[known].astype(np.float64), "manager": trial.manager[known],
    }  # fmt: skip
    got = complied(
        Metric("stayed", "proportion"), data, "received", treated=CONTACT, control=HOLD_OUT,
        cluster="manager", level=CONFIDENCE,
    )  # fmt: skip
    return out | {"compliance": _estimate(got.compliance), "effect": _estimate(got.effect)}


def _estimate(one: Estimate) -> dict[str, Any]:
    """Ends that do not exist (Fieller's interval may be open) are null."""
    return {
        name: value if math.isfinite(value) else None
        for name, value in (("value", one.value), ("low", one.low), ("high", one.high))
    }
