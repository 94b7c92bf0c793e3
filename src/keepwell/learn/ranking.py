"""The ranking at one date: every client, scored or not, with what a person needs beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from keepwell.core.days import local_day, to_date
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators import INDICATORS
from keepwell.warn.backtest import Trained
from keepwell.warn.dataset import unlabelled
from keepwell.warn.label import LabelDefinition, lake_query
from keepwell.warn.models.base import sigmoid
from keepwell.warn.reason import Explanation, explain, medians
from keepwell.warn.rfm import rfm_inputs
from keepwell.warn.risk import Note, risk_set
from keepwell.warn.tier import Tier, tiers_of

Array = npt.NDArray[np.float64]

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
        typical: float64 [k], medians over all ranked clients: what reasons compare with.
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
        codes = tiers_of(np.nan_to_num(self.score))
        return [
            Tier(int(code)).code if has else None
            for code, has in zip(codes, self.scored, strict=True)
        ]

    def order(self) -> npt.NDArray[np.int64]:
        """Positions of the scored clients, highest log-odds first; ties by id."""
        places = np.flatnonzero(self.scored)
        return places[np.argsort(-self.probability[places], kind="stable")]


def rank(
    engine: LocalEngine,
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
    risk = risk_set(engine, as_of)
    n = len(risk.clients)
    place = {client: i for i, client in enumerate(risk.clients)}
    out = {name: np.full(n, np.nan) for name in ("score", "probability", "coverage")}
    at_risk = risk.at_risk
    explanations: dict[str, Explanation] = {}
    vectors = None
    if at_risk:
        data = unlabelled(engine, as_of, definition, clients=at_risk, extra=rfm_inputs)
        z = trained.log_odds(data.X, data.names)
        places = np.array([place[c] for c in at_risk])
        scores = trained.score(z)
        out["score"][places], out["probability"][places] = scores, sigmoid(z)
        catalogue = [name for name in data.names if name in INDICATORS]
        out["coverage"][places] = data.columns(catalogue).coverage()
        chosen = np.flatnonzero((scores >= 60) | (np.argsort(np.argsort(-z)) < explained))
        vectors = Vectors(
            [at_risk[i] for i in chosen], data.names, data.X[chosen], medians(data.X),
            scores[chosen], sigmoid(z)[chosen],
        )  # fmt: skip
        explanations = _explain(trained, vectors)
    assets = assets_at(engine, as_of, place)
    return Ranking(
        as_of, risk.clients, risk.note, out["score"], out["probability"], out["coverage"], assets,
        last_activity(engine, as_of, place), managers(engine, as_of, place), explanations, vectors,
    )  # fmt: skip


def _explain(trained: Trained, judged: Vectors) -> dict[str, Explanation]:
    if not judged.clients:
        return {}
    found = explain(
        trained.contributions(judged.X, judged.names), judged.X, judged.names, judged.clients,
        typical=judged.typical,
    )  # fmt: skip
    return {e.client: e for e in found}


def assets_at(engine: LocalEngine, as_of: datetime, place: dict[str, int]) -> Array:
    """Cash and securities of the newest balance, else the value of the positions."""
    out = np.full(len(place), np.nan)
    positions = engine.positions(as_of)
    for client, value in zip(positions.clients, positions.value_minor, strict=True):
        if client in place:
            out[place[client]] = value
    if "balance" in engine.manifest.tables:
        found = lake_query(
            engine,
            f"""select client_id, coalesce(cash, 0) + coalesce(securities, 0) as assets from balance
            where {VISIBLE} and day < date '1970-01-01' + $day
            qualify row_number() over (partition by client_id order by day desc) = 1""",
            t=as_of, day=local_day(as_of, engine.zone),
        )  # fmt: skip
        for client, value in zip(found["client_id"], found["assets"], strict=True):
            if client in place:
                out[place[client]] = float(value)
    return out


def last_activity(engine: LocalEngine, as_of: datetime, place: dict[str, int]) -> list[date | None]:
    """Day of each client's newest activity before an instant, as known at it."""
    parts = [
        f'select client_id, max("{column}") as seen from {table} '
        f'where {VISIBLE} and "{column}" < $t group by client_id'
        for table, column in ACTIVITY.items()
        if table in engine.manifest.tables
    ]
    out: list[date | None] = [None] * len(place)
    if parts:
        found = lake_query(
            engine,
            f"""select client_id,
            cast(max(seen) at time zone '{engine.zone.key}' as date) - date '1970-01-01' as day
            from ({" union all ".join(parts)}) group by client_id""",
            t=as_of,
        )
        for client, day in zip(found["client_id"], found["day"], strict=True):
            if client in place:
                out[place[client]] = to_date(int(day))
    return out


def managers(engine: LocalEngine, as_of: datetime, place: dict[str, int]) -> list[str | None]:
    """The manager in charge of each client, by table `service`, else by the profile."""
    out: list[str | None] = [None] * len(place)
    for table in ("client", "service"):
        for client, manager in newest(engine, as_of, table, "manager_id").items():
            if client in place:
                out[place[client]] = manager
    return out


def newest(engine: LocalEngine, as_of: datetime, table: str, column: str) -> dict[str, Any]:
    """The value in force of a profile column at an instant, by client; without one, left out.

    Args:
        engine: whose lake is read.
        as_of: the instant.
        table: 'client' or 'service'.
        column: one of its columns.
    """
    if table not in engine.manifest.tables:
        return {}
    found = lake_query(
        engine,
        f"""select client_id, {column} as value from {table}
        where {VISIBLE} and valid_from < $t and {column} is not null
        qualify row_number() over (partition by client_id order by valid_from desc) = 1""",
        t=as_of,
    )
    return dict(zip((str(c) for c in found["client_id"]), found["value"], strict=True))


def unscored_counts(ranking: Ranking) -> dict[str, int]:
    """Clients without a score, by note."""
    return {
        str(note): int((ranking.note == note).sum()) for note in Note if note is not Note.SCORED
    }
