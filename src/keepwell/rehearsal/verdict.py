"""What a policy kept: the hold-out's estimate with its interval, and the truth beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.learn.experiment.power import Baseline, Terms, detectable
from keepwell.learn.outcome.read import stayed
from keepwell.learn.ranking import Ranking
from keepwell.learn.value.retained import ASSETS, CLIENTS, Retained, retained
from keepwell.learn.value.trial import trial_of
from keepwell.observe.engines.local import LocalEngine
from keepwell.rehearsal.future import Future
from keepwell.rehearsal.rivals import Spent
from keepwell.rehearsal.truth import Tally, difference

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
        services: owed, and done.
        service_minutes: for them.
        clients: kept.
        money: net flow at opening prices, minor units.
        held_clients: truth: hold-out clients kept by what was done to others; 0 without contagion.
        treated: clients in the contact arm whose outcome is known.
        held: the same of the hold-out.
        left: share of the hold-out that left.
        managers: clusters of the intervals.
        detectable: smallest fall of that share that the calculator says will be seen, 80 % power.
    """

    policy: str
    contacts: int
    minutes: int
    services: int
    service_minutes: int
    clients: Figure
    money: Figure
    held_clients: float
    treated: int
    held: int
    left: float
    managers: int
    detectable: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def judge(
    policy: str,
    future: Future,
    engine: LocalEngine,
    left_alone: Tally,
    arms: tuple[Flags, Flags],
    spent: Spent,
    opening: Ranking,
    until: datetime,
) -> Verdict:
    """Estimate as the desk would, from the lake, and set the truth beside it.

    Args:
        policy: its name.
        future: in which it worked, lived to the end.
        engine: what is known of it.
        left_alone: the same world without the policy.
        arms: in contact, and held out; by place.
        spent: what it took.
        opening: the ranking at the draw.
        until: the end.
    """
    contact, held = arms
    assert future.tally is not None
    since = opening.as_of
    place = future.place
    clients = [c for c in opening.clients if contact[place[c]] or held[place[c]]]
    treated = contact[future.places(clients)]
    chance = dict(zip(opening.clients, opening.probability, strict=True))
    stay = stayed(engine, since, until, clients, until)
    trial = trial_of(
        engine, since, until, clients, treated, stay, np.array([chance[c] for c in clients]),
    )  # fmt: skip
    found = retained(trial)
    truth = difference(future.tally, left_alone, contact, None)
    cut = difference(future.tally, left_alone, contact, found[ASSETS].limit)
    other = difference(future.tally, left_alone, held, None)
    known = ~np.isnan(stay)
    left = 1.0 - float(stay[known & ~treated].mean())
    terms = Terms(treated_share=float(treated[known].mean()))
    return Verdict(
        policy, spent.contacts, spent.minutes, spent.services, spent.service_minutes,
        _figure(found[CLIENTS], truth.clients, truth.clients),
        _figure(found[ASSETS], truth.money, cut.cut), other.clients,
        found[CLIENTS].treated, found[CLIENTS].held, left, found[CLIENTS].raw.clusters,
        detectable(Baseline(left), int(known.sum()), terms, lower=True),
    )  # fmt: skip


def _figure(found: Retained, truth: float, cut: float) -> Figure:
    one, raw = found.total, found.raw_total
    return Figure(one.value, one.low, one.high, raw.value, raw.low, raw.high, truth, cut)
