"""From the draw and the lake to the trial that a proof reads out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import DataError
from keepwell.frame.database import Tx
from keepwell.learn.experiment.ratio import RatioCheck, check_counts
from keepwell.learn.holdout import repo as holdout
from keepwell.learn.holdout.model import HoldoutPeriod
from keepwell.learn.holdout.policy import CONTACT, HOLD_OUT, WHOLE
from keepwell.learn.kept import repo
from keepwell.learn.kept.policy import Lack
from keepwell.learn.kept.repo import Drawn
from keepwell.learn.kept.spent import Touched, contacts_between
from keepwell.learn.outcome.read import stayed
from keepwell.learn.ranking import assets_at
from keepwell.learn.value.book import survival_rule
from keepwell.learn.value.budget import Costs
from keepwell.learn.value.client_value import client_value
from keepwell.learn.value.margin import INCOME, margins
from keepwell.learn.value.rates import Rates
from keepwell.learn.value.retained import ASSETS, VALUE, Trial
from keepwell.learn.value.trial import NOBODY, revenue_of, trial_of
from keepwell.observe.engines.base import Engine
from keepwell.observe.workspace import Workspace
from keepwell.warn.label import all_known
from keepwell.warn.registry import ModelStore

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cohort:
    """Who was drawn with the whole book in a period, and who is left out.

    Attributes:
        period: such as '2026'.
        share: of the hold-out, 0 to 1.
        since: when the last of them was drawn: nobody had been contacted yet.
        drawn: of the first draw only.
        alone: clients drawn one by one, left out.
        later: clients drawn with a later publication, left out.
        check: whether the arms of everybody drawn have their shares.
        lost: clients whose draw was counted and whose arm is gone.
        model: the model behind the scores at the draw; None where it is not known.
    """

    period: str
    share: float
    since: datetime
    drawn: Drawn
    alone: int
    later: int
    check: RatioCheck
    lost: int
    model: str | None


def cohort_of(tx: Tx, period: HoldoutPeriod) -> Cohort | None:
    """The cohort of a period; None before its first draw of the whole book.

    Args:
        tx: the unit of work.
        period: the period.
    """
    all_of = repo.drawn(tx, period.period)
    share = period.share / WHOLE
    if not all_of.first.any():
        return None
    blocks: dict[str, dict[str, int]] = {}
    for manager, treated in zip(all_of.manager, all_of.treated, strict=True):
        counts = blocks.setdefault(manager or NOBODY, {CONTACT: 0, HOLD_OUT: 0})
        counts[CONTACT if treated else HOLD_OUT] += 1
    first = _some(all_of, all_of.first)
    since = datetime.fromtimestamp(int(first.at.max()) / 1e6, UTC)
    counted, _ = holdout.totals(tx, period.period)
    one_by_one = holdout.alone(tx, period.period)
    return Cohort(
        period.period, share, since, first, one_by_one,
        len(all_of.clients) - len(first.clients) - one_by_one,
        check_counts({CONTACT: 1 - share, HOLD_OUT: share}, blocks),
        counted - len(all_of.clients), period.model_version,
    )  # fmt: skip


def _some(given: Drawn, keep: npt.NDArray[np.bool_]) -> Drawn:
    return Drawn(
        [c for c, k in zip(given.clients, keep, strict=True) if k], given.treated[keep],
        given.manager[keep], given.first[keep], given.at[keep], given.probability[keep],
        [t for t, k in zip(given.tier, keep, strict=True) if k],
    )  # fmt: skip


def trial_from(
    workspace: Workspace, engine: Engine, cohort: Cohort, until: datetime, now: datetime
) -> tuple[Trial, dict[str, str]]:
    """What became of the cohort, and which measures cannot be had.

    Managers are those of the draw's blocks. What was learned until now counts for outcomes and
    flows; for everything before the draw only what was known at it.

    Args:
        workspace: for the broker's rates and the model of the draw.
        engine: whose lake is read.
        cohort: who was drawn.
        until: the end of the span (UTC).
        now: nothing learned later is used.

    Returns:
        The trial; and by measure a code why it cannot be had.
    """
    rates = Rates.of(workspace)
    known_by = max(until, min(all_known(engine), now))
    who = cohort.drawn
    outcome = stayed(engine, cohort.since, until, who.clients, known_by)
    worth, lack = worth_of(workspace, engine, cohort, rates)
    absent = {VALUE: lack.value} if lack else {}
    manager = np.array([name or NOBODY for name in who.manager], object).astype(str)
    try:
        trial = trial_of(
            engine, cohort.since, until, who.clients, who.treated, outcome, who.probability,
            worth=worth, rates=rates, known_by=known_by,
        )  # fmt: skip
    except DataError as error:
        if error.code not in ("value.flows-uncovered", "value.flows-unknown"):
            raise
        # Who stayed is known all the same.
        absent[ASSETS] = error.code
        opening = assets_at(engine, cohort.since, who.clients)
        trial = Trial(
            who.treated, manager, outcome, opening, np.full(len(opening), np.nan),
            who.probability, None, worth,
            revenue_of(engine, cohort.since, until, who.clients, rates),
        )  # fmt: skip
    return replace(trial, manager=manager), absent


def worth_of(
    workspace: Workspace, engine: Engine, cohort: Cohort, rates: Rates
) -> tuple[Array | None, Lack | None]:  # fmt: skip
    """What each client would take away by leaving, as of the draw; None with the reason.

    From the probabilities stored at the draw, the margins known at it, and the survival beyond of
    the model that gave them; see `learn.value.client_value`.

    Args:
        workspace: keeps the models.
        engine: whose lake is read.
        cohort: who was drawn.
        rates: the broker's.
    """
    who = cohort.drawn
    if np.isnan(who.probability).all():
        return None, Lack.PROBABILITY
    store = ModelStore(workspace.models)
    if cohort.model is None or cohort.model not in store.ids():
        return None, Lack.MODEL
    found = margins(engine, cohort.since, rates, who.clients)
    if not any(line in found.lines for line in INCOME):
        return None, Lack.INCOME
    rule = survival_rule(store.load(cohort.model), rates)
    values = client_value(who.probability, found.total, rule, rates.months, rates.discount)
    return values.lost, None


def year_revenue(
    workspace: Workspace, engine: Engine, cohort: Cohort, until: datetime
) -> dict[str, Any]:
    """What the clients drawn bring in a year, as known at the end of the span.

    Args:
        workspace: for the broker's rates.
        engine: whose lake is read.
        cohort: who was drawn.
        until: the end of the span (UTC).
    """
    rates = Rates.of(workspace)
    found = margins(engine, until, rates, cohort.drawn.clients)
    known = [line for line in INCOME if line in found.lines]
    lines = {str(line): float(np.nansum(found.lines[line])) for line in known}
    return {
        "year": round(sum(lines.values())) if lines else None, "lines": lines,
        "absent": {str(line): str(why) for line, why in found.absent.items() if line in INCOME},
        "yours": sorted(rates.yours),
    }  # fmt: skip


def costs_of(
    workspace: Workspace, cohort: Cohort, touched: Mapping[str, Touched] | None
) -> dict[str, Any] | None:
    """Contacts and minutes spent on the arm that may be contacted; None: contacts are not kept.

    A minute costs what the desk's settings say of who did it, else `value.budget.minute_cost`; a
    contact besides `value.budget.contact_cost`, else what the catalogue says of its actions.

    Args:
        workspace: for what a minute and a contact cost.
        cohort: who was drawn.
        touched: retention contacts by client.
    """
    if touched is None:
        return None
    who = zip(cohort.drawn.clients, cohort.drawn.treated, strict=True)
    mine = [touched[client] for client, treated in who if treated and client in touched]
    contacts, minutes = sum(t.contacts for t in mine), sum(t.minutes for t in mine)
    named = Costs.of(workspace, contacts, minutes)
    minute, extra = _mean([t.paid for t in mine], minutes), _mean([t.extra for t in mine], contacts)
    priced = Costs(
        contacts, minutes, extra if named.contact_cost is None else named.contact_cost,
        named.minute_cost if minute is None else minute,
    )  # fmt: skip
    return {
        "contacts": contacts, "minutes": minutes, "untimed": sum(t.untimed for t in mine),
        "clients": sum(t.contacts > 0 for t in mine), "contact_cost": priced.contact_cost,
        "minute_cost": priced.minute_cost, "known": priced.known, "total": priced.total,
    }  # fmt: skip


def _mean(amounts: Sequence[int | None], over: int) -> float | None:
    """The price of one, from what all cost; None where a part of it is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) / over if over and len(known) == len(amounts) else None


def reached(
    cohort: Cohort, touched: Mapping[str, Touched] | None
) -> npt.NDArray[np.bool_] | None:  # fmt: skip
    """Whether a retention contact reached each client of the cohort; None: not kept."""
    if touched is None:
        return None
    return np.array([c in touched and touched[c].reached for c in cohort.drawn.clients], np.bool_)


def touched_between(tx: Tx, cohort: Cohort, until: datetime) -> dict[str, Touched] | None:
    """The retention contacts of the span."""
    return contacts_between(tx, cohort.since, until)
