"""From what was asked for to a design, its size, and its dates: pure functions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import rfc8785

from keepwell.core.days import add_span
from keepwell.core.errors import UsageError
from keepwell.learn.experiment.design import Arm, Experiment, Metric
from keepwell.learn.experiment.guardrails import standard
from keepwell.learn.experiment.power import (
    Baseline,
    Terms,
    detectable,
    needed,
    needed_to_pass,
    planned_units,
    terms_of,
)
from keepwell.learn.experiment.schema import ExperimentIn, PowerIn, PowerOut

LEFT: Final = "left"
"""The primary metric: 1 for a client who left within the horizon, by the workspace's label."""
FLOW: Final = "net_flow"
"""Market-neutral net flow within the horizon, minor units."""
MONTH: Final = 30.44
"""Days."""


def experiment_of(experiment_id: str, asked: ExperimentIn) -> Experiment:
    """The design that statistics go by.

    Chance to leave and assets at the draw are the covariates: both are known before any arm acts.

    Args:
        experiment_id: its lots hang on it.
        asked: what was asked for.

    Raises:
        UsageError: arms or looks do not fit together.
    """
    chance = ("probability",)
    secondary: tuple[Metric, ...] = ()
    if asked.money:
        secondary = (
            Metric(FLOW, covariates=("assets_before",), winsor=0.99, both_tails=True),
        )  # fmt: skip
    return Experiment(
        experiment_id, tuple(Arm(arm.name, arm.share) for arm in asked.arms), asked.control,
        Metric(LEFT, "proportion", "lower", covariates=chance), asked.unit,
        tuple(dict.fromkeys(asked.blocks)), asked.horizon_days, secondary, standard(),
        tuple(asked.looks), asked.alpha, asked.power,
    )  # fmt: skip


def planned(experiment: Experiment, asked: ExperimentIn) -> int:
    """Units of all arms together that the effect asked for needs."""
    base = Baseline(asked.base)
    return max(
        planned_units(
            experiment,
            needed(
                base, -asked.effect * asked.base,
                terms_of(experiment, arm, explained=asked.explained),
            ),
            arm,
        )
        for arm in experiment.treated
    )  # fmt: skip


def digest_of(design: Mapping[str, Any]) -> str:
    """SHA-256 of the RFC 8785 form of a design, which the evidence log keeps."""
    return hashlib.sha256(rfc8785.dumps(dict(design))).hexdigest()


def matures_at(drawn_at: datetime, horizon_days: int, zone: ZoneInfo) -> datetime:
    """When the horizon of those drawn at an instant is over."""
    return add_span(drawn_at, f"{horizon_days}d", zone)


def size(asked: PowerIn, clients: int, book_base: float | None) -> PowerOut:
    """The calculator's answer.

    Args:
        asked: the question.
        clients: how many come into question.
        book_base: their mean chance to leave; None: it is not known.
    """
    base = asked.base if asked.base is not None else book_base
    assumed = min(1.5 * asked.least, 0.95)
    out = PowerOut(
        base=base, base_source="book" if asked.base is None else "given", clients=clients,
        needed=None, needed_treated=None, needed_control=None, detectable=None,
        needed_to_pass=None, assumed_reduction=assumed, days=None, enough=False,
    )  # fmt: skip
    if base is None or not 0 < base < 1:
        return out
    each = (1 - asked.control_share) / asked.treated
    pair = each + asked.control_share
    terms = Terms(
        each / pair, asked.alpha / asked.treated, asked.power, explained=asked.explained,
        looks=tuple((i + 1) / asked.looks for i in range(asked.looks)),
    )  # fmt: skip
    baseline = Baseline(base)
    sizes = needed(baseline, -asked.effect * base, terms)
    total = math.ceil(sizes.total / pair - 1e-9)
    least = _detectable(baseline, int(clients * pair), terms)
    try:
        gate = math.ceil(needed_to_pass(baseline, -assumed, asked.least, terms).total / pair - 1e-9)
    except UsageError:
        gate = None
    days: int | None = asked.horizon_days
    if total > clients:
        days = None
        if asked.monthly:
            days = asked.horizon_days + math.ceil((total - clients) / asked.monthly * MONTH)
    return out.model_copy(
        update={
            "needed": total, "needed_treated": sizes.treated, "needed_control": sizes.control,
            "detectable": least, "needed_to_pass": gate, "days": days, "enough": total <= clients,
        }
    )  # fmt: skip


def _detectable(baseline: Baseline, units: int, terms: Terms) -> float | None:
    if units < 4:
        return None
    found = -detectable(baseline, units, terms, lower=True) / baseline.mean
    return found if math.isfinite(found) and found < 1 else None
