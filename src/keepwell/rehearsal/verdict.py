"""What a policy kept: the hold-out's estimate with its interval, and the truth beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.learn.experiment.power import Baseline, Terms, detectable
from keepwell.learn.kept.readout import plain_measure
from keepwell.learn.outcome.read import stayed
from keepwell.learn.ranking import Ranking
from keepwell.learn.value.retained import ASSETS, CLIENTS, retained
from keepwell.learn.value.trial import trial_of
from keepwell.observe.engines.base import Engine
from keepwell.rehearsal.future import Future
from keepwell.rehearsal.rivals import Spent
from keepwell.rehearsal.truth import Tally, difference

Measures = Mapping[str, Mapping[str, Any]]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Figure:
    """An estimate beside the truth.

    Attributes:
        estimate: kept in all, clients or minor units: treated against held out.
        low: lower end of the interval.
        high: upper end.
        raw: the same without covariates and cuts.
        raw_low: lower end of its interval.
        raw_high: upper end.
        truth: what was really kept.
        truth_cut: the same of flows cut as the estimate cuts them.
    """

    estimate: float
    low: float
    high: float
    raw: float
    raw_low: float
    raw_high: float
    truth: float
    truth_cut: float

    @property
    def holds(self) -> bool:
        """Whether the interval holds the truth, of what it speaks of."""
        return self.low <= self.truth_cut <= self.high


@dataclass(frozen=True)
class Verdict:
    """How a policy did.

    Attributes:
        policy: its name.
        contacts: to keep clients.
        minutes: for them.
        refusing: contacts with clients who had refused them, which the law forbids.
        services: owed, and done.
        service_minutes: for them.
        clients: kept.
        money: net flow at opening prices, minor units.
        held_clients: truth: hold-out clients kept by what was done to others; 0 without contagion.
        treated: clients in the contact arm whose outcome is known.
        held: the same of the hold-out.
        left: share of the hold-out that left.
        managers: clusters of the intervals.
        detectable: smallest fall of that share that the calculator says will be seen, 80 % power;
            None: none will.
    """

    policy: str
    contacts: int
    minutes: int
    refusing: int
    services: int
    service_minutes: int
    clients: Figure
    money: Figure
    held_clients: float
    treated: int
    held: int
    left: float
    managers: int
    detectable: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def judge(
    policy: str,
    future: Future,
    left_alone: Tally,
    arms: tuple[Flags, Flags],
    spent: Spent,
    measures: Measures,
) -> Verdict:
    """Set the truth beside an estimate.

    Args:
        policy: its name.
        future: in which it worked, lived to the end.
        left_alone: the same world without the policy.
        arms: in contact, and held out; by place.
        spent: what it took.
        measures: by name, as a proof on the desk has them.
    """
    contact, held = arms
    assert future.tally is not None
    clients, assets = measures[CLIENTS], measures[ASSETS]
    truth = difference(future.tally, left_alone, contact, None)
    cut = difference(future.tally, left_alone, contact, assets["limit"])
    other = difference(future.tally, left_alone, held, None)
    stay = future.tally.stayed()[held]
    left = 1.0 - float(np.nanmean(stay))
    units = clients["treated"] + clients["held"]
    terms = Terms(treated_share=clients["treated"] / units)
    return Verdict(
        policy, spent.contacts, spent.minutes, spent.refusing, spent.services,
        spent.service_minutes,
        _figure(clients, truth.clients, truth.clients), _figure(assets, truth.money, cut.cut),
        other.clients, clients["treated"], clients["held"], left, clients["raw"]["clusters"],
        _detectable(left, units, terms),
    )  # fmt: skip


def estimate(
    future: Future,
    engine: Engine,
    arms: tuple[Flags, Flags],
    opening: Ranking,
    until: datetime,
) -> Measures:
    """Estimate what a policy kept as the desk does, from the lake, where no desk is.

    Args:
        future: in which it worked.
        engine: what is known of it.
        arms: in contact, and held out; by place.
        opening: the ranking at the draw.
        until: the end.
    """
    contact, held = arms
    since, place = opening.as_of, future.place
    clients = [c for c in opening.clients if contact[place[c]] or held[place[c]]]
    treated = contact[future.places(clients)]
    chance = dict(zip(opening.clients, opening.probability, strict=True))
    trial = trial_of(
        engine, since, until, clients, treated, stayed(engine, since, until, clients, until),
        np.array([chance[client] for client in clients]),
    )  # fmt: skip
    found = retained(trial)
    return {name: plain_measure(found[name]) for name in (CLIENTS, ASSETS)}


def _figure(found: Mapping[str, Any], truth: float, cut: float) -> Figure:
    one, raw = found["total"], found["raw_total"]
    return Figure(
        one["value"], one["low"], one["high"], raw["value"], raw["low"], raw["high"], truth, cut
    )


def _detectable(left: float, units: int, terms: Terms) -> float | None:
    """None where so few clients show nothing at all."""
    found = detectable(Baseline(left), units, terms, lower=True) if 0 < left < 1 else math.nan
    return found if math.isfinite(found) else None
