"""The main job of a workspace: refresh, prove, train, rank, report. Cheap to run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from keepwell.core.days import day_number, local_day, midnight, parse_as_of, to_date
from keepwell.core.errors import DataError
from keepwell.core.files import atomic_write, sweep
from keepwell.core.text import tr
from keepwell.learn.archive import keep_training
from keepwell.learn.proof import Proof, prove
from keepwell.learn.ranking import Ranking, rank
from keepwell.learn.report import (
    ReportData,
    write_report,
    write_risk_csv,
    write_risk_parquet,
)
from keepwell.learn.report.build import report_data, risk_table
from keepwell.observe.contract import TABLES
from keepwell.observe.engines.base import Engine
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.manifest import TableState
from keepwell.observe.monitors.finding import Finding
from keepwell.observe.monitors.watch import watch
from keepwell.observe.workspace import Workspace
from keepwell.warn.backtest import (
    configured_dates,
    date_series,
    train,
    training_dates,
    usable_inputs,
)
from keepwell.warn.dataset import build_dataset, unlabelled
from keepwell.warn.label import LabelDefinition
from keepwell.warn.registry import ModelStore, ModelVersion, training_key, version_id
from keepwell.warn.risk import risk_set
from keepwell.warn.score import Capacity

Progress = Callable[[str], None]
Opener = Callable[[Workspace], Engine]

HALF_YEAR = 180
"""Days of data before the first training date that is not configured."""

RANKED_AT = "ranked_at"
"""Fact of a model version: the instant that it was trained to rank."""


@dataclass(frozen=True)
class RunResult:
    """What a run found and where it stands.

    Attributes:
        data: all that the report shows.
        ranking: every client.
        proof: the backtest; None when the data carry no test date.
        version: the model behind the scores.
        files: what was written.
        engine: what the run read, pinned to its manifest.
        findings: what the monitors said of the sources before it began.
    """

    data: ReportData
    ranking: Ranking
    proof: Proof | None
    version: ModelVersion
    files: tuple[Path, ...]
    engine: Engine
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The dates of a run, all instants.

    Attributes:
        definition: what is predicted.
        capacity: of the staff.
        dates: candidates for training.
        prove_at: the test; None when no date can be tested.
        rank_at: the ranking.
    """

    definition: LabelDefinition
    capacity: Capacity
    dates: list[datetime]
    prove_at: datetime | None
    rank_at: datetime


def plan(workspace: Workspace, engine: Engine, as_of: str | date | None = None) -> Plan:
    """Decide the dates from keepwell.yaml and the data.

    Args:
        workspace: its mapping names training, proving and ranking dates.
        engine: for the newest day of the data, where no ranking date is named.
        as_of: ranking date; default: the mapping's, else the day after the newest data.

    Raises:
        DataError: no training date has a mature label by the ranking.
    """
    zone, dates = workspace.zone, workspace.mapping.dates
    definition = LabelDefinition.of(workspace)
    if as_of is not None:
        rank_at = parse_as_of(as_of, zone)
    elif dates.rank is not None:
        rank_at = midnight(day_number(dates.rank), zone)
    else:
        rank_at = _after_data(engine)
    candidates = configured_dates(workspace, rank_at) or default_dates(engine, rank_at)
    usable = training_dates(definition, candidates, rank_at, zone)
    if not usable:
        raise DataError("run.dates-immature", horizon=definition.horizon, dates=len(candidates))
    if dates.prove is not None:
        prove_at: datetime | None = midnight(day_number(dates.prove), zone)
    else:
        newest = usable[-1]
        prove_at = newest if training_dates(definition, usable, newest, zone) else None
    if prove_at is not None and definition.matures_at(prove_at, zone) > rank_at:
        prove_at = None
    return Plan(definition, _capacity(workspace), candidates, prove_at, rank_at)


def default_dates(engine: Engine, until: datetime) -> list[datetime]:
    """Training dates where keepwell.yaml names none: the first of every month.

    They begin half a year into the data, so that the windows have something to look back on.

    Args:
        engine: whose manifest says what the tables cover.
        until: the last possible date.
    """
    starts = [since for state in _telling(engine).values() for since, _ in state.coverage]
    if not starts:
        return []
    after = to_date(min(starts) + HALF_YEAR)
    first = date(after.year + after.month // 12, after.month % 12 + 1, 1)
    return date_series(midnight(day_number(first), engine.zone), until, "1mo", engine.zone)


def _telling(engine: Engine) -> dict[str, TableState]:
    """The tables present that tell of clients' doings or holdings."""
    return {
        name: state
        for name, state in engine.manifest.tables.items()
        if TABLES[name].activity or name in ("holding", "balance")
    }


def _after_data(engine: Engine) -> datetime:
    ends = []
    for state in _telling(engine).values():
        if isinstance(state.last, datetime):
            ends.append(local_day(state.last, engine.zone) + 1)
        elif state.last is not None:
            ends.append(day_number(state.last) + 1)
    if not ends:
        raise DataError("run.lake-empty")
    return midnight(max(ends), engine.zone)


def _capacity(workspace: Workspace) -> Capacity:
    given = workspace.mapping.capacity
    return Capacity(given.severe, given.moderate, given.mild)


def train_version(
    workspace: Workspace,
    engine: Engine,
    planned: Plan,
    proof: Proof | None = None,
    progress: Progress | None = None,
) -> ModelVersion:
    """The model for the ranking, from all labels known by then; trained once per state of things.

    Args:
        workspace: keeps the model folders.
        engine: gives what was known.
        planned: the dates.
        proof: goes onto the model card.
        progress: called with a line of text per step.
    """
    definition, at = planned.definition, planned.rank_at
    dates = training_dates(definition, planned.dates, at, engine.zone)
    key = training_key(
        definition, engine.manifest.knowledge, [*dates, at], "catboost", {}, planned.capacity
    )
    store = ModelStore(workspace.models)
    known = store.find(key)
    if known:
        return _in_force(store, known)
    data = build_dataset(engine, dates, definition, known_by=at, progress=progress)
    now = unlabelled(engine, at, definition, clients=risk_set(engine, at).at_risk)
    trained = train(data, inputs=usable_inputs(data, now), capacity=planned.capacity)
    # Before the version is there: one that is found is not trained again, nor archived.
    keep_training(workspace, data.columns(trained.names), version_id(trained, key))
    return store.publish(
        trained, definition, manifest=data.manifest, versions=data.versions, key=key,
        metrics=_metrics(proof), facts=_facts(proof, engine, at),
    )  # fmt: skip


def _in_force(store: ModelStore, known: ModelVersion) -> ModelVersion:
    """Put a version in force again: another date's came after it, or a crash before it was."""
    latest = store.latest()
    if latest is not None and latest.id == known.id:
        return known
    return store.publish(
        known.trained, known.definition, manifest=known.manifest, versions=known.versions,
        key=known.key,
    )  # fmt: skip


def _metrics(proof: Proof | None) -> dict[str, dict[str, object]]:
    if proof is None:
        return {}
    return {model.code: dict(model.metrics) for model in proof.result.models}


def _facts(proof: Proof | None, engine: Engine, ranked_at: datetime) -> dict[str, object]:
    facts: dict[str, object] = {RANKED_AT: ranked_at.isoformat()}
    if proof is not None:
        facts["tested_at"] = proof.test_at.astimezone(engine.zone).date().isoformat()
    return facts


def _proof(workspace: Workspace, engine: Engine, planned: Plan, say: Progress) -> Proof | None:
    """The proof, or None where no date can be tested: a young broker is ranked all the same."""
    if planned.prove_at is None:
        return None
    say(tr("Prove the model on a past date"))
    try:
        return prove(
            engine, planned.definition, planned.dates, planned.prove_at, planned.capacity,
            workspace.state / "proofs", say,
        )  # fmt: skip
    except DataError as error:
        if error.code not in (
            "metric.class-single",
            "model.class-single",
            "dataset.label-immature",
        ):
            raise
        say(error.words())
        return None


def run(
    workspace: Workspace,
    as_of: str | date | None = None,
    locale: str | None = None,
    progress: Progress | None = None,
    opener: Opener = LocalEngine.open,
) -> RunResult:
    """Do the whole job and write out/risk.csv, out/risk.parquet and out/report.html.

    Args:
        workspace: ingested before.
        as_of: ranking date; default: the mapping's, else the day after the newest data.
        locale: language of risk.csv and of the report's first view.
        progress: called with a line of text per step.
        opener: opens the engine that computes; default: the local one.

    Raises:
        DataError: nothing was ingested, or no training date has a mature label.
    """
    say = progress or (lambda _: None)
    for folder in (workspace.out, workspace.models, workspace.state / "proofs"):
        sweep(folder)
    say(tr("Refresh the tiles"))
    engine = opener(workspace)
    findings = watch(workspace).findings
    planned = plan(workspace, engine, as_of)
    proof = _proof(workspace, engine, planned, say)
    say(tr("Train on all labels known by now"))
    version = train_version(workspace, engine, planned, proof, progress)
    say(tr("Rank the clients"))
    ranking = rank(engine, version.trained, planned.definition, planned.rank_at)
    say(tr("Write the report"))
    data = report_data(workspace, engine, planned, ranking, version, proof)
    files = _write(workspace, ranking, version, data, locale)
    return RunResult(data, ranking, proof, version, files, engine, findings)


def _write(
    workspace: Workspace,
    ranking: Ranking,
    version: ModelVersion,
    data: ReportData,
    locale: str | None,
) -> tuple[Path, ...]:
    risk = risk_table(ranking, workspace.currency, version)
    names = ("risk.csv", "risk.parquet", "report.html", "model_card.md")
    csv, parquet, report, card = (workspace.out / name for name in names)
    write_risk_csv(csv, risk, locale)
    write_risk_parquet(parquet, risk)
    write_report(report, data, locale)
    atomic_write(card, (version.folder / "model_card.md").read_bytes())
    return csv, parquet, report, card
