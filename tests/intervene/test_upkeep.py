"""What the desk and its models pin, and that a decision is replayed when the lake is gone."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from keepwell.api import ingest, run
from keepwell.cli import app
from keepwell.core.errors import DataError, UsageError
from keepwell.frame.migrate import newest
from keepwell.intervene.publish import publish_run
from keepwell.intervene.upkeep.pins import pins_of
from keepwell.learn.archive import decisions_kept, find, replay_decisions, training_kept
from keepwell.observe.workspace import Workspace
from keepwell.trust.access.policy import SYSTEM
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record
from keepwell.warn.registry import ModelStore
from tests.desk import Desk, Ticker, make_schema
from tests.learn.broker import few_trees, world, write


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A desk with one generation, made from the second of two manifests."""
    root = tmp_path_factory.mktemp("upkeep") / "ws"
    tables = world(40)
    half = len(tables["price"]) // 2
    workspace = write(root, {**tables, "price": tables["price"][:half]})
    ingest(workspace)
    write(root, tables)
    ingest(workspace)
    with few_trees():
        result = run(workspace, locale="en")
    file = root / ".keepwell" / "desk.sqlite"
    make_schema(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("create table alembic_version (version_num varchar(32))")
        database.execute("insert into alembic_version values (?)", [newest()])
    desk = Desk.open(root, f"sqlite:///{file}", Ticker())
    publish_run(desk.frame, result, weeks=(0, 1))
    yield workspace, desk, result
    desk.close()


def cli(*words: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["--lang", "en", "lake", *map(str, words)])
    return found.exit_code, found.stdout


def test_models_rankings_rows_and_evidence_pin_their_manifests(kept):
    workspace, desk, result = kept
    with desk.frame.write() as tx:
        record(tx, SYSTEM, EvidenceKind.PROOF_MADE, subject="p", data={"manifest": 99})
    pins = pins_of(workspace, desk.frame)
    assert set(pins.manifests) == {2, 99}
    assert pins.manifests[99] == ["proof.made"]
    who = " ".join(pins.manifests[2])
    for part in (f"model {result.version.id}", "decisions 000002-", "panels"):
        assert part in who, part
    assert "generation" in pins.manifests[2]
    assert pins.read_until["trade"] == result.engine.manifest.tables["trade"].version
    alone = pins_of(workspace, None)
    assert "generation" not in alone.manifests[2]


def test_the_commands_list_and_then_remove(kept):
    workspace, _, _ = kept
    code, said = cli("compact", "-w", workspace.root, "--json")
    assert code == 0
    assert json.loads(said)["tables"]["price"]["files"] == [2, 1]
    assert "No table has small files" in cli("compact", "-w", workspace.root)[1]
    _, said = cli("vacuum", "-w", workspace.root, "--keep-days", 0)
    assert "Manifests to retire: 1" in said
    assert "Nothing was removed" in said
    assert "Manifest 99 is not there; it is named by: proof.made." in said
    _, said = cli("vacuum", "-w", workspace.root, "--keep-days", 0, "--remove", "--json")
    report = json.loads(said)
    assert report["removed"]
    assert report["retired"] == [1]
    assert set(report["kept"]) == {"2", "3"}
    assert "Nothing is due" in cli("vacuum", "-w", workspace.root, "--keep-days", 0)[1]
    assert workspace.lake.manifest(2) is not None
    with pytest.raises(DataError):
        workspace.lake.manifest(1)
    assert "Manifest 3" in cli("-w", workspace.root)[1]


def test_a_run_after_compaction_trains_nothing_anew(kept):
    workspace, _, first = kept
    cli("compact", "-w", workspace.root)
    with few_trees():
        again = run(workspace, locale="en")
    assert again.engine.manifest.id == 3
    assert ModelStore(workspace.models).ids() == [first.version.id]
    assert again.version.id == first.version.id
    assert np.array_equal(again.ranking.score, first.ranking.score, equal_nan=True)


def test_a_decision_is_replayed_without_the_lake(kept, tmp_path):
    workspace, _, result = kept
    root = tmp_path / "ws"
    shutil.copytree(workspace.root, root)
    shutil.rmtree(root / ".keepwell" / "lake")
    shutil.rmtree(root / ".keepwell" / "tiles")
    (copy,) = decisions_kept(Workspace.open(root))
    assert (copy.manifest, copy.model, copy.as_of) == (
        2, result.version.id, result.ranking.as_of,
    )  # fmt: skip
    done = replay_decisions(Workspace.open(root), copy)
    told = result.ranking.explanations
    assert done.differing == ()
    assert done.clients == len(told) > 0
    assert {c: e.reasons for c, e in done.explanations.items()} == {
        c: e.reasons for c, e in told.items()
    }
    assert cli("replay", "-w", root)[0] == 0
    # A single number changed is found, and the command says so by its exit code.
    table = pq.read_table(copy.file)
    scores = table["score"].to_numpy().copy()
    scores[1] += 1e-9
    pq.write_table(table.set_column(1, "score", [scores]), copy.file)
    code, said = cli("replay", copy.file.stem[:10], "-w", root, "--json")
    assert code == 1
    assert json.loads(said)[0]["differing"] == [table["client_id"][1].as_py()]
    copy.file.write_bytes(b"PAR1")
    with pytest.raises(DataError) as error:
        decisions_kept(Workspace.open(root))
    assert error.value.code == "archive.file-unreadable"


def test_the_matrix_that_a_model_was_fitted_on_is_kept(kept):
    workspace, _, result = kept
    found = {one.model: one for one in training_kept(workspace)}
    one = found[result.version.id]
    assert (one.rows, one.manifest) == (result.version.trained.rows, 2)
    table = pq.read_table(one.file)
    assert tuple(table.column_names[5:]) == result.version.trained.names
    assert sum(table["y"].to_pylist()) == result.version.trained.left


def test_a_name_that_is_no_ranking(kept):
    with pytest.raises(UsageError) as error:
        find(kept[0], "999")
    assert error.value.code == "archive.decisions-unknown"
