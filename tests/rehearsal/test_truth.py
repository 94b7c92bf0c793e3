"""The truth of a rehearsal is what the world's own states and files say."""

import numpy as np
import pytest

from keepwell.learn.value.flows import flows
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace
from keepwell.rehearsal.future import Future
from keepwell.rehearsal.truth import Tally, difference
from keepwell.world.files.daily import LivingWorld
from keepwell.world.scenario import Scenario
from keepwell.world.simulate import World
from keepwell.world.terms import ACTIONS

N, WARM, DAYS = 150, 25, 20


@pytest.fixture(scope="module")
def future(tmp_path_factory):
    made = Future.of(
        LivingWorld(World(Scenario(), 11, N, WARM + DAYS), tmp_path_factory.mktemp("f"))
    )
    for _ in range(WARM):
        made.live()
    made.read()
    made.begin()
    return made


@pytest.fixture(scope="module")
def branched(future, tmp_path_factory):
    other = future.branch(tmp_path_factory.mktemp("g") / "other")
    same = future.living.world.copy()
    tally = Tally.begin(same)
    everybody = (np.arange(N), np.full(N, ACTIONS.index("manager_call")))
    for number in range(DAYS):
        future.live()
        other.live(everybody if number == 3 else (np.zeros(0, int), np.zeros(0, int)))
        tally.add(same.step())
    return other, tally


def test_flows_counted_from_the_world_are_those_that_the_lake_tells(future, branched):
    since = future.morning(future.today - DAYS)
    engine = future.read()
    clients = list(future.place)
    told = flows(engine, since, future.morning(future.today), clients)
    assert np.abs(told.net).max() > 0
    np.testing.assert_allclose(told.net, future.tally.net, atol=2.0 * 8)


def test_two_futures_differ_by_what_staff_did_and_by_nothing_else(future, branched):
    other, untouched = branched
    everybody = np.ones(N, bool)
    none = difference(future.tally, untouched, everybody, None)
    assert (none.clients, none.money, none.cut) == (0.0, 0.0, 0.0)
    assert none.counted == int((~np.isnan(untouched.stayed())).sum())
    assert not np.array_equal(other.tally.world.state, untouched.world.state)


def test_a_branch_reads_its_own_days_and_leaves_the_other_alone(future, branched):
    other, _ = branched
    before = other.workspace.lake.manifest().tables["touch"].rows
    engine = other.read(keep=False)
    mine = engine.manifest.tables["touch"].rows
    assert mine > before
    again = Workspace.open(future.living.root)
    theirs = LocalEngine.open(again).manifest.tables["touch"].rows
    assert mine - theirs > N // 2  # every client was called
    assert not list((other.living.root / "data" / "touch").iterdir())


def test_what_was_read_is_put_away_and_can_be_read_again(future, branched, tmp_path):
    future.read()
    told = future.workspace.lake.manifest().tables["touch"].rows
    (tmp_path / "data" / "touch").mkdir(parents=True)
    for file in (future.living.root / "past" / "touch").iterdir():
        (tmp_path / "data" / "touch" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "keepwell.yaml").write_bytes((future.living.root / "keepwell.yaml").read_bytes())
    fresh = Workspace.open(tmp_path)
    ingest(fresh, ["touch"])
    assert fresh.lake.manifest().tables["touch"].rows == told
