"""The verbs of keepwell as a library: open, ingest, compute, prove, run, explain; experiments.

Each is a thin door to the rooms behind it; a program needs nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from keepwell.learn import experiment as experiment
from keepwell.observe.workspace import Workspace

if TYPE_CHECKING:
    from keepwell.intervene.publish import Published
    from keepwell.learn.explain import ClientExplanation
    from keepwell.learn.run import RunResult
    from keepwell.learn.value.book import ValueBook
    from keepwell.observe.engines.base import Engine
    from keepwell.observe.engines.export import Exported
    from keepwell.observe.engines.frame import IndicatorFrame
    from keepwell.observe.ingest import IngestReport
    from keepwell.warn.backtest import Backtest

Progress = Callable[[str], None]
Instant = str | date | datetime


def open(path: str | Path = ".") -> Workspace:
    """Open a workspace: a folder with keepwell.yaml.

    Raises:
        UsageError: there is none, or it is wrong.
    """
    return Workspace.open(path)


def ingest(workspace: Workspace, backfill: bool = False) -> IngestReport:
    """Read the sources into the lake; rows that break the contract go to quarantine.

    Args:
        workspace: where.
        backfill: new rows were known at `at` + delay, as in a first ingest, instead of now.

    Raises:
        KeepwellError: a source or select cannot be read; the lake is as it was.
    """
    from keepwell.observe.ingest import ingest as verb

    return verb(workspace, backfill=backfill)


def compute(
    workspace: Workspace,
    as_of: Instant,
    clients: Sequence[str] | None = None,
    indicators: Sequence[str] | None = None,
) -> IndicatorFrame:
    """Indicators of clients at an instant, from what was known at it.

    Args:
        workspace: ingested before.
        as_of: instant; a bare date is its beginning in the exchange's zone.
        clients: ids; default: all that exist.
        indicators: ids; default: the catalogue.
    """
    from keepwell.observe.engines.local import LocalEngine

    return LocalEngine.open(workspace).compute(as_of, clients, indicators)


def prove(workspace: Workspace, test_at: Instant | None = None) -> Backtest:
    """Test the model on a past date, trained only on what was known then.

    Args:
        workspace: ingested before.
        test_at: default: the mapping's proving date.

    Raises:
        DataError: no date can be tested.
    """
    from keepwell.core.days import parse_as_of
    from keepwell.core.errors import DataError
    from keepwell.learn.run import plan
    from keepwell.observe.engines.local import LocalEngine
    from keepwell.warn.backtest import backtest

    engine = LocalEngine.open(workspace)
    planned = plan(workspace, engine)
    at = planned.prove_at if test_at is None else parse_as_of(test_at, workspace.zone)
    if at is None:
        raise DataError("run.dates-immature", horizon=planned.definition.horizon, dates=0)
    return backtest(engine, planned.definition, planned.dates, at, capacity=planned.capacity)


def run(
    workspace: Workspace,
    as_of: str | date | None = None,
    locale: str | None = None,
    progress: Progress | None = None,
    opener: Callable[[Workspace], Engine] | None = None,
) -> RunResult:
    """Refresh, prove, train, rank and write the report; cheap to run again.

    Events that wait in the spool are brought into the lake first.

    Args:
        workspace: ingested before.
        as_of: ranking date; default: the mapping's, else the day after the newest data.
        locale: language of risk.csv and of the report's first view.
        progress: called with a line of text per step.
        opener: opens the engine that computes, such as `spark`; default: this machine.

    Raises:
        DataError: nothing was ingested, or no training date has a mature label.
    """
    from keepwell.learn.run import run as verb
    from keepwell.observe.engines.local import LocalEngine
    from keepwell.observe.spool_ingest import drain, waiting

    if waiting(workspace):
        drain(workspace)
    return verb(workspace, as_of, locale, progress, opener or LocalEngine.open)


@contextmanager
def spark(
    master: str = "local[*]", buckets: int | None = None, settings: dict[str, str] | None = None
) -> Iterator[Callable[[Workspace], Engine]]:
    """An opener of engines on a Spark cluster, whose session ends with the block.

    Args:
        master: Spark's master, such as `spark://host:7077`.
        buckets: parts of the clients; default: by the cluster's cores and the lake's rows.
        settings: further settings of Spark, by name.

    Use it so::

        with spark("spark://head:7077") as opener:
            run(open("broker"), opener=opener)
    """
    from keepwell.observe.engines.spark import SparkEngine

    opened: list[SparkEngine] = []

    def opener(workspace: Workspace) -> Engine:
        opened.append(SparkEngine.open(workspace, master, buckets, settings))
        return opened[-1]

    try:
        yield opener
    finally:
        for engine in opened:
            engine.close()


def export(
    workspace: Workspace,
    as_of: Instant,
    folder: str | Path | None = None,
    indicators: Sequence[str] | None = None,
    opener: Callable[[Workspace], Engine] | None = None,
) -> Exported:
    """Write everybody's indicators as a Delta table.

    Args:
        workspace: ingested before.
        as_of: instant; a bare date is its beginning in the exchange's zone.
        folder: of the table; default: `out/indicators` of the workspace.
        indicators: ids; default: the catalogue.
        opener: opens the engine that computes, such as `spark`; default: this machine.

    Raises:
        UsageError: an unknown indicator, or the folder holds something else.
    """
    from keepwell.observe.engines.export import export_indicators
    from keepwell.observe.engines.local import LocalEngine

    engine = (opener or LocalEngine.open)(workspace)
    target = Path(folder) if folder is not None else workspace.out / "indicators"
    return export_indicators(engine, as_of, target, indicators)


def has_desk(workspace: Workspace) -> bool:
    """Whether the workspace has a retention desk: its database is there, or is named.

    Raises:
        UsageError: a wrong setting in desk.yaml.
    """
    from keepwell.frame.settings import Settings

    named = Settings.load(workspace.root).database_url
    return bool(named) or (workspace.state / "desk.sqlite").is_file()


def publish(workspace: Workspace, result: RunResult) -> Published:
    """Put a run's scores in force on the workspace's desk.

    Args:
        workspace: whose desk; a SQLite database is made and migrated, a PostgreSQL one must be.
        result: of `run`.

    Raises:
        UsageError: the database needs 'keepwell migrate', or another publication is at work.
    """
    from keepwell.frame.context import Frame
    from keepwell.frame.migrate import check, migrate
    from keepwell.intervene.publish import publish_run
    from keepwell.rooms import load_all

    load_all()
    frame = Frame.open(workspace)
    try:
        if frame.database.is_sqlite:
            migrate(frame)
        check(frame)
        return publish_run(frame, result)
    finally:
        frame.close()


def value(
    workspace: Workspace, as_of: str | date | None = None, progress: Progress | None = None
) -> ValueBook:
    """What every client brings in a year and is worth, with intervals, at the workspace's rates.

    Args:
        workspace: where `run` was done before.
        as_of: the instant; default: the ranking date.
        progress: called with a line of text per step.

    Raises:
        DataError: no model was trained yet, or the data tell no line of income.
        UsageError: the model knows more than was known at as_of.
    """
    from keepwell.learn.value.book import value_book

    return value_book(workspace, as_of, progress)


def explain(
    workspace: Workspace, client: str, as_of: str | date | None = None
) -> ClientExplanation:
    """Why one client has its score, and what changed in a week.

    Args:
        workspace: where `run` was done before.
        client: id.
        as_of: the instant; default: the ranking date.

    Raises:
        DataError: no model was trained yet.
        UsageError: no such client at that instant.
    """
    from keepwell.learn.explain import explain_client

    return explain_client(workspace, client, as_of)
