"""Writing the panels of a publication and putting them in force."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from keepwell.core.days import local_day, to_date
from keepwell.core.files import atomic_write
from keepwell.core.text import tr
from keepwell.learn.panel import facts, groups, holdings, months, movement, prices, quality
from keepwell.learn.panel.folder import ABOUT, FORMAT, draft, in_force, panels_root
from keepwell.learn.panel.making import making
from keepwell.learn.panel.scores import WEEKS, Past, past_scores, write_scores
from keepwell.learn.ranking import Ranking
from keepwell.learn.report.data import ReportData
from keepwell.observe.engines.base import Engine
from keepwell.observe.workspace import Workspace
from keepwell.warn.registry import ModelVersion

Progress = Callable[[str], None]


def write_panels(
    workspace: Workspace,
    engine: Engine,
    ranking: Ranking,
    version: ModelVersion,
    data: ReportData,
    progress: Progress | None = None,
    *,
    past: Past | None = None,
    weeks: Sequence[int] = WEEKS,
) -> Path:
    """Write all panels beside those in force, then put them in force at once.

    Killed at any moment, the panels before stay in force. Nothing is shown that was not known at
    the ranking's instant.

    Args:
        workspace: in whose state folder they go.
        engine: of the run; its manifest is the one shown.
        ranking: of the run.
        version: the model behind it.
        data: what the report of the run shows.
        progress: called with a line of text per step.
        past: scores of the past year, when they were computed before.
        weeks: how many weeks before the ranking scores are given; not used with `past`.

    Returns:
        The folder now in force.
    """
    root = panels_root(workspace.state)
    with prepared_panels(
        workspace, engine, ranking, version, data, progress, past=past, weeks=weeks
    ):
        pass
    current = in_force(root)
    assert current is not None
    return root / current


@contextmanager
def prepared_panels(
    workspace: Workspace,
    engine: Engine,
    ranking: Ranking,
    version: ModelVersion,
    data: ReportData,
    progress: Progress | None = None,
    *,
    past: Past | None = None,
    weeks: Sequence[int] = WEEKS,
) -> Iterator[Past]:
    """The same in two steps: all is written before the block, and put in force at its end.

    So panels and scores of a publication come into force together, not minutes apart. When the
    block fails, the panels before stay.

    Args:
        workspace: as in `write_panels`.
        engine: the same.
        ranking: the same.
        version: the same.
        data: the same.
        progress: the same.
        past: the same.
        weeks: the same.

    Yields:
        The scores of the past, with the changes of the reasons in a week.
    """
    say = progress or (lambda _: None)
    if past is None:
        say(tr("Score the past year"))
        past = past_scores(engine, ranking, version, weeks)
    say(tr("Write the panels of the pages"))
    name = f"{engine.manifest.id:06d}-{ranking.as_of:%Y%m%dT%H%M%S}"
    with draft(panels_root(workspace.state), name) as folder:
        with making(workspace, engine, ranking, folder) as work:
            write_scores(work, past)
            prices.prepare(work)
            months.write_months(work)
            holdings.write_holdings(work)
            facts.write_facts(work)
            movement.write_movement(work)
            groups.write_groups(work, version.definition)
            groups.write_churn(work, version.definition)
            quality.write_quality(work, data)
        atomic_write(folder / ABOUT, json.dumps(_about(engine, ranking, version), indent=1))
        yield past


def _about(engine: Engine, ranking: Ranking, version: ModelVersion) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "as_of": ranking.as_of.isoformat(),
        "manifest": engine.manifest.id,
        "model": version.id,
        "currency": engine.currency,
        "written_at": datetime.now(UTC).isoformat(),
        "sources": [
            {
                "table": table,
                "version": state.version,
                "rows": state.rows,
                "last": _day(state.last, engine),
                "known_until": state.last_known_at and state.last_known_at.isoformat(),
            }
            for table, state in sorted(engine.manifest.tables.items())
        ],
    }


def _day(moment: date | datetime | None, engine: Engine) -> str | None:
    if isinstance(moment, datetime):
        return to_date(local_day(moment, engine.zone)).isoformat()
    return moment.isoformat() if moment else None
