"""Who stayed over a span, by the workspace's own definition of leaving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from keepwell.core.days import local_day
from keepwell.core.errors import UsageError
from keepwell.observe.engines.base import Engine
from keepwell.warn.label import LabelDefinition, label_clients

Array = npt.NDArray[np.float64]


def stayed(
    engine: Engine,
    since: datetime,
    until: datetime,
    clients: Sequence[str],
    known_by: datetime | None = None,
) -> Array:
    """Whether clients stayed, float64 [n]: 1 stayed, 0 left, NaN not known or not counted.

    The workspace's primary label with the span as its horizon and no gap; who died, was closed by
    the broker or held nothing at the beginning is not counted.

    Args:
        engine: whose lake is read.
        since: beginning (UTC), such as the draw of an experiment.
        until: end (UTC), whole days later.
        clients: ids, distinct, in the order of the answer.
        known_by: nothing learned later is used; default: everything the lake holds.

    Raises:
        UsageError: the span is not over by `known_by`, or is empty.
    """
    zone = engine.workspace.zone
    days = local_day(until, zone) - local_day(since, zone)
    if days < 1:
        raise UsageError("value.span-empty", since=since.isoformat(), until=until.isoformat())
    definition = replace(LabelDefinition.of(engine.workspace), horizon=f"{days}d", gap="0d")
    found = label_clients(engine, since, definition, known_by)
    by_client = dict(zip(found.clients, found.y, strict=True))
    return 1.0 - np.array([by_client.get(client, np.nan) for client in clients], np.float64)
