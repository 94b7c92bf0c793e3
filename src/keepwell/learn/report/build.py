"""From the results of a run to what the report and the files show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from keepwell.core.days import to_date
from keepwell.core.text import tr
from keepwell.core.version import __version__
from keepwell.learn.ranking import Ranking, newest, unscored_counts
from keepwell.learn.report import data as shown
from keepwell.learn.report.risk_files import RISK_SCHEMA, RiskTable
from keepwell.observe.contract import TABLES
from keepwell.observe.engines.base import Engine
from keepwell.observe.indicators import INDICATORS
from keepwell.observe.manifest import TableState
from keepwell.observe.workspace import Workspace
from keepwell.warn.backtest import training_dates
from keepwell.warn.churn import Cell, churn_rates, tenure_bands
from keepwell.warn.label import label_clients
from keepwell.warn.reason import Explanation
from keepwell.warn.reason_codes import ReasonCode
from keepwell.warn.registry import ModelVersion
from keepwell.warn.tier import CUTS

if TYPE_CHECKING:
    from keepwell.learn.proof import Proof
    from keepwell.learn.run import Plan

TOP = 100
"""Clients listed in the report."""


def report_data(
    workspace: Workspace,
    engine: Engine,
    planned: Plan,
    ranking: Ranking,
    version: ModelVersion,
    proof: Proof | None,
) -> shown.ReportData:
    """Gather what the report shows; every value comes from the run.

    Args:
        workspace: names, notes, currency.
        engine: the lake's state.
        planned: the dates.
        ranking: every client.
        version: the model.
        proof: the backtest, if any.
    """
    zone = workspace.zone
    codes = ranking.tiers()
    churn, dimensions = _churn(engine, planned)
    return shown.ReportData(
        workspace=workspace.mapping.name,
        created=datetime.now(UTC),
        as_of=shown.AsOf.of(planned.rank_at, zone),
        currency=workspace.currency,
        label=_label(version),
        versions=_versions(engine),
        population=_population(ranking),
        tiers=_tiers(ranking, codes, proof),
        histogram=_histogram(ranking),
        reasons=_reasons(ranking, codes),
        churn=churn,
        dimensions=dimensions,
        top=tuple(_top(ranking, codes, int(i), workspace.currency) for i in ranking.order()[:TOP]),
        managers=_books(ranking, codes),
        visibility=_visibility(engine, ranking, planned.rank_at),
        model=_card(version, engine),
        backtest=proof.result if proof else None,
        notes=tuple(shown.Words(n.en, n.zh or n.en) for n in workspace.mapping.notes),
        attribution=_attribution(workspace),
    )


def risk_table(ranking: Ranking, currency: str, version: ModelVersion) -> RiskTable:
    """The ranking as rows for files.

    Args:
        ranking: every client.
        currency: of the assets.
        version: the model, named in the file's facts.
    """
    n = len(ranking.clients)
    return RiskTable.of(
        {
            "client": ranking.clients,
            "manager": ranking.manager,
            "score": _nullable(ranking.score),
            "tier": ranking.tiers(),
            "probability": _nullable(ranking.probability),
            "assets_minor": pa.array(np.rint(ranking.assets), from_pandas=True).cast(pa.int64()),
            "currency": pa.repeat(currency, n),
            "coverage": _nullable(ranking.coverage),
            "not_scored": pa.array(ranking.note, pa.string(), mask=ranking.scored),
            "last_activity": ranking.last_activity,
            "reasons": _reason_lists(ranking, currency),
        },
        {
            "as_of": ranking.as_of.isoformat(),
            "model": version.id,
            "manifest": str(version.manifest),
            "package": __version__,
        },
    )


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)


def _reason_lists(ranking: Ranking, currency: str) -> pa.Array:
    """A list per client, empty for most: only those with reasons are gone through."""
    kind = RISK_SCHEMA.field("reasons").type
    told = [
        _client_reasons(ranking.explanations[client], currency) if has else ()
        for client, has in zip(
            ranking.clients, map(ranking.explanations.__contains__, ranking.clients), strict=True
        )
    ]
    rows = [row for rows in told for row in rows]
    columns = {
        "code": [row.code for row in rows],
        "en": [row.words.en for row in rows],
        "zh": [row.words.zh for row in rows],
    }
    inner = [pa.array(columns[field.name], pa.string()) for field in kind.value_type]
    offsets = np.cumsum([0, *map(len, told)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets),
        pa.StructArray.from_arrays(inner, fields=list(kind.value_type)),
        type=kind,
    )


def _label(version: ModelVersion) -> shown.LabelFacts:
    d = version.definition
    by = d.by if d.name == "exit" else ""
    return shown.LabelFacts(d.name, by, d.horizon, d.gap, shown.Words(d.words("en"), d.words("zh")))


def _versions(engine: Engine) -> shown.DataVersions:
    manifest = engine.manifest
    return shown.DataVersions(
        manifest.id,
        tuple(_table(name, state) for name, state in sorted(manifest.tables.items())),
    )


def _table(name: str, state: TableState) -> shown.TableVersion:
    return shown.TableVersion(
        name, state.version, state.rows, _as_date(state.first), _as_date(state.last),
        tuple((to_date(a), None if b is None else to_date(b)) for a, b in state.coverage),
    )  # fmt: skip


def _as_date(value: date | datetime | None) -> date | None:
    return value.date() if isinstance(value, datetime) else value


def _population(ranking: Ranking) -> shown.Population:
    unscored = tuple(
        shown.Unscored(reason, count) for reason, count in unscored_counts(ranking).items() if count
    )
    return shown.Population(len(ranking.clients), int(ranking.scored.sum()), unscored)


def _tiers(
    ranking: Ranking, codes: list[str | None], proof: Proof | None
) -> tuple[shown.Tier, ...]:
    tested = {tier.code: tier for tier in proof.tiers} if proof else {}
    cuts = dict(zip(("none", "mild", "moderate", "severe"), (0.0, *CUTS), strict=True))
    scored = max(int(ranking.scored.sum()), 1)
    out = []
    for code in shown.TIERS:
        inside = np.array([c == code for c in codes], bool)
        n = int(inside.sum())
        assets = ranking.assets[inside]
        known = assets[~np.isnan(assets)]
        then = tested.get(code)
        out.append(
            shown.Tier(
                code, cuts[code], n, n / scored,
                expected=float(np.nansum(ranking.probability[inside])),
                assets=round(float(known.sum())) if len(known) else None,
                realised=then.realised if then else None,
                tested=then.tested if then else 0,
            )
        )  # fmt: skip
    return tuple(out)


def _histogram(ranking: Ranking) -> shown.Histogram:
    edges = np.arange(0, 102, 2, dtype=np.float64)
    counts, _ = np.histogram(ranking.score[ranking.scored], edges)
    return shown.Histogram(tuple(edges.tolist()), tuple(int(c) for c in counts))


def _reasons(ranking: Ranking, codes: list[str | None]) -> tuple[shown.ReasonStat, ...]:
    tier = dict(zip(ranking.clients, codes, strict=True))
    found: dict[ReasonCode, Counter[str]] = {}
    for client, explanation in ranking.explanations.items():
        code = tier[client]
        if code in (None, "none"):
            continue
        for reason in explanation.reasons:
            found.setdefault(reason.code, Counter())[str(code)] += 1
    ordered = sorted(found.items(), key=lambda item: (-item[1].total(), str(item[0])))
    return tuple(
        shown.ReasonStat(str(code), shown.Words(code.title("en"), code.title("zh")), dict(counts))
        for code, counts in ordered
    )


def _client_reasons(
    explanation: Explanation | None, currency: str
) -> tuple[shown.ClientReason, ...]:
    if explanation is None:
        return ()
    return tuple(
        shown.ClientReason(
            str(r.code), shown.Words(r.words("en", currency), r.words("zh", currency))
        )
        for r in explanation.reasons
    )


def _top(ranking: Ranking, codes: list[str | None], i: int, currency: str) -> shown.TopClient:
    client, assets = ranking.clients[i], ranking.assets[i]
    return shown.TopClient(
        client, ranking.manager[i], float(ranking.score[i]), str(codes[i]),
        float(ranking.probability[i]), None if np.isnan(assets) else round(float(assets)),
        float(ranking.coverage[i]), ranking.last_activity[i],
        _client_reasons(ranking.explanations.get(client), currency),
    )  # fmt: skip


def _books(ranking: Ranking, codes: list[str | None]) -> tuple[shown.ManagerBook, ...]:
    places: dict[str, list[int]] = {}
    for i, (manager, has) in enumerate(zip(ranking.manager, ranking.scored, strict=True)):
        if has and manager is not None:
            places.setdefault(manager, []).append(i)
    books = []
    for manager, rows in places.items():
        tiers = Counter(str(codes[i]) for i in rows)
        warned = [ranking.assets[i] for i in rows if codes[i] != "none"]
        known = [a for a in warned if a == a]
        books.append(
            shown.ManagerBook(
                manager, len(rows), dict(tiers),
                float(ranking.probability[rows].sum()), round(sum(known)) if known else None,
            )
        )  # fmt: skip
    return tuple(
        sorted(books, key=lambda b: (-b.tiers.get("severe", 0), -(b.expected or 0), b.manager))
    )


def _visibility(engine: Engine, ranking: Ranking, at: datetime) -> shown.Visibility:
    present = engine.compute(at).present
    blocked: Counter[str] = Counter()
    for indicator in INDICATORS.values():
        for source in indicator.sources:
            if source in TABLES and source not in engine.manifest.tables:
                blocked[source] += 1
    covered = ranking.coverage[ranking.scored]
    return shown.Visibility(
        len(INDICATORS), len(present), float(covered.mean()) if len(covered) else 0.0,
        tuple(shown.AbsentSource(table, n) for table, n in sorted(blocked.items())),
    )  # fmt: skip


def _card(version: ModelVersion, engine: Engine) -> shown.ModelCard:
    trained = version.trained
    return shown.ModelCard(
        version.id, trained.model.name,
        tuple(shown.AsOf.of(t, engine.zone, start=True) for t in trained.dates),
        trained.rows, trained.left, len(trained.names), version.manifest, version.package,
        {k: v for k, v in trained.model.params.items() if isinstance(v, str | int | float)},
    )  # fmt: skip


def _attribution(workspace: Workspace) -> shown.Words | None:
    given = workspace.mapping.attribution
    return shown.Words(given.en, given.zh or given.en) if given else None


def _churn(
    engine: Engine, planned: Plan
) -> tuple[tuple[shown.ChurnDate, ...], tuple[shown.Dimension, ...]]:
    """Churn of everyone labelled, at each date known by the ranking; segments at the newest."""
    definition, zone = planned.definition, engine.zone
    dates = training_dates(definition, planned.dates, planned.rank_at, zone)
    labels = [label_clients(engine, t, definition, planned.rank_at) for t in dates]
    if not labels:
        return (), ()
    at = dates[-1]
    frame = engine.compute(at, indicators=["tenure_days"])
    tenure = dict(zip(frame.clients, frame.column("tenure_days").tolist(), strict=True))
    ways: dict[str, Mapping[str, str]] = {
        "tenure": tenure_bands(tenure),
        "segment": newest(engine, at, "client", "segment_hint"),
        "branch": newest(engine, at, "client", "branch_id"),
    }
    ways = {name: of for name, of in ways.items() if of}
    overall = tuple(
        shown.ChurnDate(shown.AsOf.of(c.as_of, zone, start=True), _rate(c))
        for c in churn_rates(labels)
    )
    cells = [c for c in churn_rates(labels[-1:], ways) if c.dimension != "all"]
    return overall, tuple(_dimension(name, cells, at, engine) for name in ways)


_DIMENSIONS = {"tenure": "Time with the broker", "segment": "Segment", "branch": "Branch"}


def _dimension(name: str, cells: list[Cell], at: datetime, engine: Engine) -> shown.Dimension:
    inside = [c for c in cells if c.dimension == name]
    return shown.Dimension(
        name,
        shown.Words(_DIMENSIONS[name], tr(_DIMENSIONS[name], "zh")),
        shown.AsOf.of(at, engine.zone, start=True),
        tuple(shown.Segment(shown.Words(c.value, tr(c.value, "zh")), _rate(c)) for c in inside),
    )


def _rate(cell: Cell) -> shown.Rate:
    return shown.Rate(cell.clients, cell.left, shown.Interval(cell.rate, cell.low, cell.high))
