"""Two workspaces with panels: a broker without balances or flows, and a simulated one with all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from keepwell.api import ingest, run
from keepwell.learn.panel.read import Panels
from keepwell.learn.panel.write import write_panels
from keepwell.learn.ranking import rank
from keepwell.learn.run import RunResult
from keepwell.observe.workspace import Workspace
from keepwell.world.files.write import write_world
from keepwell.world.scenario import Scenario
from tests.learn.broker import few_trees

WEEKS = (0, 1, 4, 8)


@dataclass(frozen=True)
class Made:
    """A workspace, what its main job found, and the panels written of it."""

    workspace: Workspace
    result: RunResult
    panels: Panels

    def query(self, sql):
        """Rows of a query over the lake, as tuples."""
        with self.workspace.lake.connect(self.result.engine.manifest) as lake:
            table = lake.sql(sql).to_arrow_table()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def now(self, clock="at"):
        """SQL: what had happened before as_of and was known at it."""
        t = f"timestamptz '{self.panels.as_of.isoformat()}'"
        return f'"{clock}" < {t} and known_at <= {t} and (gone_at is null or gone_at > {t})'


def made_of(workspace, result=None):
    if result is None:
        with few_trees():
            result = run(workspace, locale="en")
    write_panels(workspace, result.engine, result.ranking, result.version, result.data, weeks=WEEKS)
    panels = Panels.open(workspace)
    assert panels is not None
    return Made(workspace, result, panels)


@pytest.fixture(scope="session")
def broker(done, tmp_path_factory):
    """Trades, holdings, prices, profiles and managers; no balance, no flows."""
    root = tmp_path_factory.mktemp("panels") / "broker"
    shutil.copytree(done[0].root, root)
    return made_of(Workspace.open(root))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """A simulated broker with every table; its label is short, so that some of it is mature."""
    root = tmp_path_factory.mktemp("panels") / "world"
    quick = {"hazard": 0.006, "days": [20.0, 10.0, 6.0, 4.0]}
    write_world(Scenario().with_(leaving=quick), 110, 215, 7, root)
    mapping = root / "keepwell.yaml"
    words = mapping.read_text("utf-8")
    shorter = words.replace("horizon: 90d", "horizon: 30d").replace("gap: 45d", "gap: 7d")
    assert shorter != words
    # One training date leaves none to prove the model on.
    mapping.write_text(shorter + '\ndates: {train: ["2024-06-01"]}\n', "utf-8")
    workspace = Workspace.open(root)
    ingest(workspace)
    return made_of(workspace)


@pytest.fixture(scope="session")
def earlier(simulated, tmp_path_factory):
    """The simulated broker's panels as of an afternoon weeks before its newest data."""
    root = tmp_path_factory.mktemp("panels") / "earlier"
    (root / ".keepwell").mkdir(parents=True)
    (root / ".keepwell" / "lake").symlink_to(simulated.workspace.state / "lake")
    result = simulated.result
    as_of = result.ranking.as_of - timedelta(days=40, hours=8, minutes=29, microseconds=1)
    ranking = rank(result.engine, result.version.trained, result.version.definition, as_of)
    workspace = Workspace(root, simulated.workspace.mapping)
    return made_of(workspace, replace(result, ranking=ranking))


@pytest.fixture(params=["broker", "simulated", "earlier"])
def made(request):
    """Each of the three."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["simulated", "earlier"])
def full(request):
    """Each of those with every table."""
    return request.getfixturevalue(request.param)
