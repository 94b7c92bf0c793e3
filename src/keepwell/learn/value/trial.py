"""A trial read from the lake: what was known at the assignment, and what became of it since.

Whether clients stayed is not read here: it comes from the labels, when they are mature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from keepwell.learn.ranking import managers
from keepwell.learn.value.estimate import Array, Flags
from keepwell.learn.value.flows import Basis, flows, uncovered
from keepwell.learn.value.margin import INCOME, YEAR, margins
from keepwell.learn.value.rates import Rates
from keepwell.learn.value.retained import Trial
from keepwell.observe.engines.base import Engine

NOBODY = "-"
"""Stands for the manager of clients who have none."""


def trial_of(
    engine: Engine,
    since: datetime,
    until: datetime,
    clients: Sequence[str],
    treated: Flags,
    stayed: Array,
    predicted: Array,
    *,
    worth: Array | None = None,
    rates: Rates | None = None,
    known_by: datetime | None = None,
) -> Trial:
    """Read what a trial needs.

    Flows as long before the assignment are read too, as known at it, for CUPED, where movements
    are declared complete so far back.

    Args:
        engine: whose lake is read.
        since: the assignment (UTC).
        until: the end of the span.
        clients: ids, distinct; all arrays have their order.
        treated: assigned to treatment; bool [n].
        stayed: 1 stayed, 0 left, NaN not known or not mature; float64 [n].
        predicted: probability of leaving as scored at the assignment; float64 [n].
        worth: what each would take away by leaving, as of the assignment (`ClientValue.lost`),
            minor units; float64 [n].
        rates: for revenue by line; default: no revenue is read.
        known_by: whose knowledge counts for the flows; default: `until`.

    Raises:
        UsageError: the span is empty, or arrays of different lengths.
        DataError: the lake knows neither movements of cash nor positions.
    """
    found = flows(engine, since, until, clients, known_by)
    before = since - (until - since)
    past = None
    if found.basis is Basis.POSITIONS or not uncovered(engine, before, since):
        past = flows(engine, before, since, clients).net
    manager = np.array([boss or NOBODY for boss in managers(engine, since, clients)], object)
    return Trial(
        treated, manager.astype(str), stayed, found.opening, found.net, predicted, past, worth,
        revenue_of(engine, since, until, clients, rates) if rates else {},
    )  # fmt: skip


def revenue_of(
    engine: Engine, since: datetime, until: datetime, clients: Sequence[str], rates: Rates
) -> dict[str, Array]:
    """Revenue of a span by line, as known at its end, minor units; float64 [n] each.

    The yearly lines of `margins`, looked back on over the span alone and scaled to it. Fees on
    assets take what is held at the end for the whole span. A client of whom a line is not known
    brought nothing in it. Absent lines are left out; so is commission in spans of fewer than 90
    days for which trades are complete.

    Args:
        engine: whose lake is read.
        since: beginning (UTC).
        until: end.
        clients: ids, distinct.
        rates: the broker's.
    """
    days = max(1, (until - since) // timedelta(days=1))
    of_span = replace(rates, history=days, level=days)
    found = margins(engine, until, of_span, clients)
    return {
        str(line): np.nan_to_num(values) * days / YEAR
        for line, values in found.lines.items()
        if line in INCOME
    }
