"""Scores of the past year by today's model, and what has changed about the reasons in a week.

These are not the scores that the desk showed then: the model was trained later, and a client whom
it warns about now looks the way it looks to this model all along. Only what was known at each
instant goes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from keepwell.core.days import day_number, local_day, midnight
from keepwell.learn.panel.making import Making
from keepwell.learn.ranking import Ranking
from keepwell.observe.contract import TABLES
from keepwell.observe.engines.base import Engine
from keepwell.observe.indicators import INDICATORS
from keepwell.warn.backtest import Trained
from keepwell.warn.dataset import unlabelled
from keepwell.warn.models.base import sigmoid
from keepwell.warn.reason import codes_of
from keepwell.warn.registry import ModelVersion
from keepwell.warn.rfm import rfm_inputs
from keepwell.warn.risk import risk_set

Array = npt.NDArray[np.float64]

WEEKS: Final = (0, 1, *range(4, 53, 4))
"""How many weeks before as_of a client is scored, by default."""

LOOK_BACK: Final = 180
"""Days of data before the first score: without them the model's windows see nothing."""

ROWS: Final = 2_048
"""Rows per row group: some 140 clients."""

SCHEMA: Final = pa.schema(
    [
        ("client_id", pa.string()), ("at", pa.timestamp("us", "UTC")), ("score", pa.float64()),
        ("probability", pa.float64()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Past:
    """Scores of clients who have one now.

    Attributes:
        at: the instants, newest first.
        clients: ids at each instant, ascending.
        score: their scores at each.
        probability: and probabilities.
        changes: client -> reason code -> change of its push (log-odds) in a week, of the clients
            whom the ranking explains and the model could score a week before.
    """

    at: list[datetime]
    clients: list[list[str]]
    score: list[Array]
    probability: list[Array]
    changes: dict[str, dict[str, float]]


def past_scores(
    engine: Engine,
    ranking: Ranking,
    version: ModelVersion,
    weeks: Sequence[int] = WEEKS,
) -> Past:
    """Score the clients of a ranking at past instants with its model.

    Whoever has no score now (`ranking.note`) gets none in the past either.

    Args:
        engine: what was known at each instant.
        ranking: today's; its instant is the last one.
        version: the model behind it.
        weeks: how many weeks back; those before the data's first half year are left out.
    """
    zone, today = engine.zone, local_day(ranking.as_of, engine.zone)
    begin = _begin(engine)
    has = {c for c, known in zip(ranking.clients, ranking.scored, strict=True) if known}
    out = Past([], [], [], [], {})
    place = {client: i for i, client in enumerate(ranking.clients)}
    for back in sorted(set(weeks)):
        if not back:
            places = np.flatnonzero(ranking.scored)
            clients = [ranking.clients[i] for i in places]
            _add(out, ranking.as_of, clients, ranking.score[places], ranking.probability[places])
            continue
        at = midnight(today - 7 * back, zone)
        if begin is None or today - 7 * back < begin:
            break
        clients = [c for c in risk_set(engine, at).at_risk if c in has and c in place]
        if not clients:
            break
        X, names = _inputs(engine, version, at, clients)
        z = version.trained.log_odds(X, names)
        _add(out, at, clients, version.trained.score(z), sigmoid(z))
        if back == 1:
            out.changes.update(_changes(version.trained, ranking, clients, X, names))
    return out


def _add(out: Past, at: datetime, clients: list[str], score: Array, probability: Array) -> None:
    out.at.append(at)
    out.clients.append(clients)
    out.score.append(score)
    out.probability.append(probability)


def _begin(engine: Engine) -> int | None:
    """First day on which a score has enough to look back on; None without data."""
    starts: list[int] = []
    for name, state in engine.manifest.tables.items():
        if not TABLES[name].activity and name not in ("holding", "balance"):
            continue
        starts += [since for since, _ in state.coverage]
        if not state.coverage and state.first is not None:
            first = state.first
            known = local_day(first, engine.zone) if isinstance(first, datetime) else None
            starts.append(day_number(first) if known is None else known)
    return min(starts) + LOOK_BACK if starts else None


def _inputs(
    engine: Engine, version: ModelVersion, at: datetime, clients: list[str]
) -> tuple[Array, tuple[str, ...]]:
    """The model's own inputs; the rest of the catalogue would only cost time."""
    catalogue = [name for name in version.trained.names if name in INDICATORS]
    extra = rfm_inputs if len(catalogue) < len(version.trained.names) else None
    data = unlabelled(engine, at, version.definition, clients=clients, names=catalogue, extra=extra)
    return data.X, data.names


def _changes(
    trained: Trained, ranking: Ranking, clients: list[str], X: Array, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Push of each told reason now less that of a week before."""
    row = {client: i for i, client in enumerate(clients)}
    told = [client for client in ranking.explanations if client in row]
    if not told:
        return {}
    parts = trained.contributions(X[[row[client] for client in told]], names)
    codes = codes_of(parts.names)
    kinds = sorted(set(codes))
    member = np.array([[code == kind for kind in kinds] for code in codes], np.float64)
    pushes = parts.values @ member
    at = {str(kind): j for j, kind in enumerate(kinds)}
    return {
        client: {
            str(reason.code): reason.push - float(pushes[i, at[str(reason.code)]])
            for reason in ranking.explanations[client].reasons
            if str(reason.code) in at
        }
        for i, client in enumerate(told)
    }


def write_scores(making: Making, past: Past) -> None:
    """Write the scores by client, oldest first; no file where nobody has one.

    Args:
        making: the writing.
        past: of `past_scores`.
    """
    if not any(past.clients):
        return
    client = np.concatenate([np.asarray(ids, object) for ids in past.clients])
    sizes = [len(ids) for ids in past.clients]
    order_of = {id: i for i, id in enumerate(sorted(set(client.tolist())))}
    code = np.fromiter((order_of[id] for id in client), np.int64, len(client))
    instant = np.repeat(np.array([int(at.timestamp() * 1e6) for at in past.at], np.int64), sizes)
    order = np.lexsort((instant, code))
    table = pa.table(
        {
            "client_id": pa.array(client[order], pa.string()),
            "at": pa.array(instant[order]).cast(pa.timestamp("us", "UTC")),
            "score": pa.array(np.concatenate(past.score)[order]),
            "probability": pa.array(np.concatenate(past.probability)[order]),
        },
        SCHEMA,
    )
    pq.write_table(
        table, making.folder / "scores.parquet", row_group_size=ROWS, compression="zstd",
        use_dictionary=False,
    )  # fmt: skip
