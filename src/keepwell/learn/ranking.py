"""The ranking at one date: every client, scored or not, with what a person needs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from keepwell.core.days import local_day
from keepwell.core.places import Places
from keepwell.observe.engines.base import Engine
from keepwell.observe.indicators import INDICATORS
from keepwell.observe.indicators.registry import Registry, indicator
from keepwell.warn.backtest import RFM_COLUMNS, Trained
from keepwell.warn.dataset import unlabelled
from keepwell.warn.label import LabelDefinition, lake_table
from keepwell.warn.models.base import sigmoid
from keepwell.warn.reason import Explanation, explain, medians
from keepwell.warn.rfm import rfm_inputs
from keepwell.warn.risk import Means, Note, means, risk_set
from keepwell.warn.score import SCORES
from keepwell.warn.tier import Tier, tiers_of

Array = npt.NDArray[np.float64]

PART: Final = 100_000
"""Clients scored at a time: their inputs take an eighth of a gigabyte."""

EXPLAINED: Final = 25_000
"""Clients explained at a time."""

TYPICAL: Final = 250_000
"""Clients, at most, of whom medians are taken: evenly drawn from larger books."""

VISIBLE = "known_at <= $t and (gone_at is null or gone_at > $t)"

ACTIVITY = {
    "trade": "at", "first_purchase": "at", "cash_flow": "at", "session": "at", "contact": "at",
    "custody_transfer": "at", "exit_request": "at", "complaint": "at", "survey": "at", "view": "at",
}  # fmt: skip
"""Tables whose rows are the client's own doing, and the column that dates them."""


@dataclass(frozen=True)
class Vectors:
    """What the explained clients of a ranking were judged by.

    Attributes:
        clients: ids.
        names: k inputs.
        X: float64 [n, k]; NaN where absent.
        typical: float64 [k], medians over the ranked clients (at most `TYPICAL`, evenly drawn):
            what reasons compare with.
        score: float64 [n], 0..100.
        probability: float64 [n], 0..1.
    """

    clients: list[str]
    names: tuple[str, ...]
    X: Array
    typical: Array
    score: Array
    probability: Array


@dataclass(frozen=True)
class Ranking:
    """All clients that exist at an instant, in the order of their ids.

    Attributes:
        as_of: the instant.
        clients: ids, ascending.
        note: [n] code of `Note`; 'scored' or why there is no score.
        score: float64 [n], 0..100; NaN without a score.
        probability: float64 [n], 0..1; NaN without a score.
        coverage: float64 [n], share of the catalogue's indicators that could be computed.
        assets: float64 [n], minor units; NaN where they cannot be valued.
        last_activity: day of the newest activity, or None.
        manager: the manager in charge, or None.
        explanations: client -> why; of those in a tier and of the first `explained`.
        vectors: what these were judged by; None when nobody was scored.
    """

    as_of: datetime
    clients: list[str]
    note: npt.NDArray[np.object_]
    score: Array
    probability: Array
    coverage: Array
    assets: Array
    last_activity: list[date | None]
    manager: list[str | None]
    explanations: dict[str, Explanation]
    vectors: Vectors | None = field(default=None, repr=False)

    @property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Whether each client has a score, bool [n]."""
        return ~np.isnan(self.score)

    def tiers(self) -> list[str | None]:
        """Tier code of each client; None without a score."""
        codes = np.where(self.scored, tiers_of(np.nan_to_num(self.score)), len(Tier))
        names: list[str | None] = [*(tier.code for tier in Tier), None]
        return [names[code] for code in codes.tolist()]

    def order(self) -> npt.NDArray[np.int64]:
        """Positions of the scored clients, highest log-odds first; ties by id."""
        places = np.flatnonzero(self.scored)
        return places[np.argsort(-self.probability[places], kind="stable")]


def rank(
    engine: Engine,
    trained: Trained,
    definition: LabelDefinition,
    as_of: datetime,
    explained: int = 100,
) -> Ranking:
    """Score everybody at risk, and say of everybody else why not.

    Args:
        engine: gives what was known.
        trained: model, calibration, score.
        definition: what is predicted.
        as_of: the instant.
        explained: how many clients to explain at least; all in a tier are.
    """
    known = means(engine, as_of)
    risk = risk_set(engine, as_of, known)
    n = len(risk.clients)
    out = {name: np.full(n, np.nan) for name in ("score", "probability", "coverage")}
    at_risk = risk.at_risk
    vectors = None
    if at_risk:
        judged = _judge(engine, trained, definition, as_of, at_risk, explained)
        vectors, where = judged.vectors, np.flatnonzero(risk.note == Note.SCORED)
        out["score"][where], out["probability"][where] = judged.score, sigmoid(judged.z)
        out["coverage"][where] = judged.coverage
    clients = risk.clients
    # Explaining keeps one core busy; what the tiles and the lake tell is read on the other.
    with ThreadPoolExecutor(1, "keepwell-rank") as beside:
        assets = beside.submit(assets_at, engine, as_of, clients, known)
        activity = beside.submit(last_activity, engine, as_of, clients)
        manager = beside.submit(managers, engine, as_of, clients)
        explanations = _explain(engine, trained, vectors) if vectors else {}
    return Ranking(
        as_of, clients, risk.note, out["score"], out["probability"], out["coverage"],
        assets.result(), activity.result(), manager.result(), explanations, vectors,
    )  # fmt: skip


@dataclass(frozen=True)
class _Judged:
    """Calibrated log-odds, scores and coverage of clients, float64 [n]; who is to be explained."""

    z: Array
    score: Array
    coverage: Array
    vectors: Vectors


def _judge(
    engine: Engine,
    trained: Trained,
    definition: LabelDefinition,
    as_of: datetime,
    clients: list[str],
    explained: int,
) -> _Judged:
    """Score clients part by part: only the numbers of those to be explained are kept."""
    n, places = len(clients), Places(clients)
    step = -(-n // TYPICAL)
    task = partial(
        _score_part, trained=trained, definition=definition, as_of=as_of, explained=explained,
        every=Places(clients[::step]) if step > 1 else None,
    )  # fmt: skip
    z, coverage = np.empty(n), np.empty(n)
    parts: list[_Part] = []
    rows: list[npt.NDArray[np.int64]] = []
    for ids, found in engine.parts(task, clients, PART):
        at = places.of(ids)
        z[at], coverage[at] = found.z, found.coverage
        parts.append(found)
        rows.append(at[found.likely])
    score = trained.score(z)
    chosen = _chosen(score, z, explained)
    kept, at = np.concatenate([part.X for part in parts]), np.concatenate(rows)
    order = np.argsort(at)
    X = kept[order[np.searchsorted(at, chosen, sorter=order)]]
    typical = medians(np.concatenate([part.drawn for part in parts]))
    vectors = Vectors(
        [clients[i] for i in chosen], parts[0].names, X, typical, score[chosen],
        sigmoid(z)[chosen],
    )  # fmt: skip
    return _Judged(z, score, coverage, vectors)


@dataclass(frozen=True)
class _Part:
    """A part of the clients, judged: log-odds and coverage of all; inputs of some.

    Attributes:
        z, coverage: float64 [n].
        likely: places in the part of those that may have to be explained.
        X: their inputs.
        drawn: inputs of those of whom medians are taken.
        names: of the inputs.
    """

    z: Array
    coverage: Array
    likely: npt.NDArray[np.int64]
    X: Array
    drawn: Array
    names: tuple[str, ...]


def _score_part(
    engine: Engine,
    clients: list[str],
    *,
    trained: Trained,
    definition: LabelDefinition,
    as_of: datetime,
    explained: int,
    every: Places | None,
) -> _Part:
    extra = rfm_inputs if set(trained.names) & set(RFM_COLUMNS) else None
    data = unlabelled(engine, as_of, definition, clients=clients, extra=extra)
    z = trained.log_odds(data.X, data.names)
    coverage = data.columns([name for name in data.names if name in INDICATORS]).coverage()
    likely = _chosen(trained.score(z), z, explained)
    drawn = data.X if every is None else data.X[every.of(clients) >= 0]
    return _Part(z, coverage, likely, data.X[likely], drawn, data.names)


def _chosen(score: Array, z: Array, explained: int) -> npt.NDArray[np.int64]:
    """Who is explained: all in a tier, and the first ones."""
    first = np.argsort(-z, kind="stable")[:explained]
    return np.union1d(np.flatnonzero(score >= SCORES[2]), first)


def _explain(engine: Engine, trained: Trained, judged: Vectors) -> dict[str, Explanation]:
    pieces = [
        (judged.clients[low : low + EXPLAINED], judged.X[low : low + EXPLAINED])
        for low in range(0, len(judged.clients), EXPLAINED)
    ]
    task = partial(_explain_piece, trained, judged.names, judged.typical)
    return {e.client: e for found in engine.spread(task, pieces) for e in found}


def _explain_piece(
    trained: Trained, names: tuple[str, ...], typical: Array, piece: tuple[list[str], Array]
) -> list[Explanation]:
    clients, X = piece
    return list(explain(trained.contributions(X, names), X, names, clients, typical=typical))


def assets_at(
    engine: Engine, as_of: datetime, clients: Sequence[str], known: Means | None = None
) -> Array:
    """Cash and securities of the newest balance, else the value of the positions; minor units.

    Args:
        engine: gives positions and the lake.
        as_of: the instant.
        clients: whose.
        known: what they hold and have, where it was read already.
    """
    known = known or means(engine, as_of)
    places, out = Places(clients), np.full(len(clients), np.nan)
    value = np.asarray(known.positions.value_minor, np.float64)
    places.put(out, known.positions.clients, value)
    if known.balance is not None:
        assets = known.balance["assets"].to_numpy().astype(np.float64)
        places.put(out, known.balance["client_id"], assets)
    return out


_LATEST: Final = Registry(load=False)
"""Days since the newest row of each table of `ACTIVITY`."""


def _latest(table: str) -> None:
    word = f"latest_{table}"
    register = indicator(
        word, name=word, explain=word, definition=word, unit="days", direction="none",
        family="rhythm", registry=_LATEST,
    )  # fmt: skip
    register(lambda windows: getattr(windows, table).recency())


for _table in ACTIVITY:
    _latest(_table)


def last_activity(engine: Engine, as_of: datetime, clients: Sequence[str]) -> list[date | None]:
    """Day of each client's newest activity before an instant, as known at it.

    It counts whatever the source's declared coverage: tiles answer where any is declared, the
    lake's rows elsewhere.
    """
    today, tables = local_day(as_of, engine.zone), engine.manifest.tables
    places, ago = Places(clients), np.full(len(clients), np.nan)
    tiled = [t for t in ACTIVITY if t in tables and any(d < today for d, _ in tables[t].coverage)]
    if tiled:
        wanted = [_LATEST[f"latest_{table}"] for table in tiled]
        frame = engine.compute(as_of, indicators=wanted, min_coverage=0.0)
        places.put(ago, frame.clients, np.fmin.reduce(frame.values.T, axis=0))
    for table in (t for t in ACTIVITY if t in tables and t not in tiled):
        found = lake_table(
            engine,
            f"""select client_id, ($today - (cast(max("{ACTIVITY[table]}")
            at time zone '{engine.zone.key}' as date) - date '1970-01-01'))::double as ago
            from {table} where {VISIBLE} and "{ACTIVITY[table]}" < $t group by client_id""",
            t=as_of, today=today,
        )  # fmt: skip
        one = np.full(len(clients), np.nan)
        places.put(one, found["client_id"], found["ago"].to_numpy())
        ago = np.fmin(ago, one)
    days = pa.array(today - ago, mask=np.isnan(ago)).cast(pa.int32())
    found_on: list[date | None] = days.cast(pa.date32()).to_pylist()
    return found_on


def managers(engine: Engine, as_of: datetime, clients: Sequence[str]) -> list[str | None]:
    """The manager in charge of each client, by table `service`, else by the profile."""
    places, out = Places(clients), pa.nulls(len(clients), pa.string())
    for table in ("client", "service"):
        found = _newest(engine, as_of, table, "manager_id")
        if found is not None:
            out = pc.coalesce(places.pick(found["client_id"], found["value"]), out)
    named: list[str | None] = out.to_pylist()
    return named


def newest(engine: Engine, as_of: datetime, table: str, column: str) -> dict[str, Any]:
    """The value in force of a profile column at an instant, by client; without one, left out.

    Args:
        engine: whose lake is read.
        as_of: the instant.
        table: 'client' or 'service'.
        column: one of its columns.
    """
    found = _newest(engine, as_of, table, column)
    if found is None:
        return {}
    columns = [found[name].to_numpy(zero_copy_only=False) for name in found.column_names]
    return dict(zip(*columns, strict=True))


def _newest(engine: Engine, as_of: datetime, table: str, column: str) -> pa.Table | None:
    """Clients, and the value in force of each; None where there is no such table."""
    if table not in engine.manifest.tables:
        return None
    return lake_table(
        engine,
        f"""select client_id, arg_max({column}, valid_from) as value from {table}
        where {VISIBLE} and valid_from < $t and {column} is not null group by client_id
        order by client_id""",
        t=as_of,
    )


def unscored_counts(ranking: Ranking) -> dict[str, int]:
    """Clients without a score, by note."""
    return {
        str(note): int((ranking.note == note).sum()) for note in Note if note is not Note.SCORED
    }
