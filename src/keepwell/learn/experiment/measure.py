"""What became of those who were drawn: outcomes, flows and counts, batch by batch.

Outcomes come from the lake by the workspace's own label, never from what staff type. A guardrail
for which there are no data is absent, not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.days import local_day, midnight
from keepwell.core.errors import DataError
from keepwell.frame.database import Tx
from keepwell.learn.experiment import repo
from keepwell.learn.experiment.doors import COUNTERS
from keepwell.learn.outcome.read import stayed
from keepwell.learn.value.flows import flows
from keepwell.observe.engines.base import Engine
from keepwell.warn.label import covered, lake_query

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """Clients who were drawn at one instant.

    Attributes:
        number: of the draw.
        drawn_at: when (UTC).
        matures_at: when their horizon is over.
        rows: of `repo.assigned`.
        known: counts by metric and client that the desk's own tables tell.
    """

    number: int
    drawn_at: datetime
    matures_at: datetime
    rows: Sequence[Any]
    known: Mapping[str, Mapping[str, float]]

    @property
    def clients(self) -> list[str]:
        """Ids, in the order of the rows."""
        return [row.client_id for row in self.rows]


def desk_counts(tx: Tx, since: datetime, until: datetime) -> dict[str, dict[str, float]]:
    """Counts by metric and client that the desk's own tables tell of a span.

    Args:
        tx: the unit of work.
        since: from when (UTC).
        until: until when.
    """
    counters = {**COUNTERS, "opt_outs": repo.opt_outs}
    return {name: counter(tx, since, until) for name, counter in sorted(counters.items())}


def left(engine: Engine, batch: Batch, now: datetime) -> Array:
    """1 for clients who left within the horizon, 0 who stayed, NaN not known or not counted [n]."""
    return 1.0 - stayed(engine, batch.drawn_at, batch.matures_at, batch.clients, now)


def net_flow(engine: Engine, batch: Batch, now: datetime) -> Array | None:
    """Market-neutral net flow within the horizon, minor units [n]; None: the lake cannot tell."""
    try:
        found = flows(engine, batch.drawn_at, batch.matures_at, batch.clients, now)
    except DataError:
        return None
    return found.net


_TABLES: Final = {"complaints": "complaint", "trades": "trade"}
"""Guardrails that the lake counts, by its tables."""


def harms(
    engine: Engine, batches: Sequence[Batch], now: datetime, metrics: Sequence[str]
) -> dict[str, Array]:
    """Counts within the horizon, or until now, by metric; those that nobody counts are left out.

    Args:
        engine: whose lake is read.
        batches: all draws; the arrays hold their clients in this order.
        now: the instant of the look.
        metrics: wanted.
    """
    found: dict[str, Array] = {}
    for metric in metrics:
        counter = _counter(engine, metric, batches, now)
        if counter is not None:
            parts = [_placed(batch, counter(batch)) for batch in batches]
            found[metric] = np.concatenate(parts) if parts else np.zeros(0)
    return found


def _counter(
    engine: Engine, metric: str, batches: Sequence[Batch], now: datetime
) -> Callable[[Batch], Mapping[str, float]] | None:
    if all(metric in batch.known for batch in batches):
        return lambda batch: batch.known[metric]
    table = _TABLES.get(metric)
    if table is None or not all(
        _reaches(engine, table, batch.drawn_at, min(batch.matures_at, now)) for batch in batches
    ):
        return None
    return lambda batch: _of_lake(engine, table, batch, now)


def _reaches(engine: Engine, table: str, since: datetime, until: datetime) -> bool:
    """Whether a table tells of a span: declared complete for it, or else learning since it began.

    What is missing in a table that is not complete is missing in all arms alike.
    """
    state = engine.manifest.tables.get(table)
    if state is None:
        return False
    if state.coverage:
        low, high = local_day(since, engine.zone), local_day(until, engine.zone)
        return covered(state.coverage, low, high + (until > midnight(high, engine.zone)))
    return state.last_known_at is not None and state.last_known_at >= since


def _of_lake(engine: Engine, table: str, batch: Batch, now: datetime) -> dict[str, float]:
    found = lake_query(
        engine,
        f"""select client_id, count(*)::double as n from {table}
        where known_at <= $now and (gone_at is null or gone_at > $now)
            and "at" >= $since and "at" < $until
        group by client_id order by client_id""",
        now=now, since=batch.drawn_at, until=min(batch.matures_at, now),
    )  # fmt: skip
    return {str(c): float(n) for c, n in zip(found["client_id"], found["n"], strict=True)}


def _placed(batch: Batch, counts: Mapping[str, float]) -> Array:
    return np.array([counts.get(client, 0.0) for client in batch.clients], np.float64)
