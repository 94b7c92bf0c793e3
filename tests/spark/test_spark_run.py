"""The main job and the table of indicators on a cluster: the same files as locally."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from keepwell import api
from keepwell.core.errors import UsageError
from keepwell.observe.workspace import Workspace
from tests.learn.broker import few_trees, world, write

from .conftest import SETTINGS


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    found = write(tmp_path_factory.mktemp("run") / "ws", world())
    api.ingest(found)
    return found


@pytest.fixture(scope="module")
def opener(cluster):
    with api.spark(cluster.master, buckets=2, settings=SETTINGS) as found:
        yield found


def test_the_main_job_writes_the_same_files(workspace, opener, tmp_path):
    shutil.copytree(workspace.root, tmp_path / "ws")
    other = Workspace.open(tmp_path / "ws")
    with few_trees():
        api.run(workspace, locale="en")
        found = api.run(other, locale="en", opener=opener)
    assert found.ranking.explanations
    for name in ("risk.csv", "risk.parquet", "model_card.md"):
        assert (other.out / name).read_bytes() == (workspace.out / name).read_bytes(), name


def test_indicators_become_a_delta_table(workspace, opener, tmp_path):
    there = tmp_path / "there"
    api.export(workspace, "2021-07-01", tmp_path / "here")
    written = api.export(workspace, "2021-07-01", there, opener=opener)
    assert (written.version, written.files) == (0, 2)
    api.export(workspace, "2021-01-01", there, ["trade_count_30d"], opener)
    first, second = (DeltaTable(there, version=v) for v in (0, 1))
    here = DeltaTable(tmp_path / "here")
    mine, theirs = (t.to_pyarrow_table().sort_by("client_id") for t in (first, here))
    assert mine.equals(theirs)
    assert second.to_pyarrow_table().column_names == ["client_id", "trade_count_30d"]
    assert second.history(1)[0]["keepwell.as_of"].startswith("2020-12-31")
    frame = api.compute(workspace, "2021-07-01")
    column = mine["trade_count_30d"].to_numpy(zero_copy_only=False)
    assert np.array_equal(column, frame.column("trade_count_30d"), equal_nan=True)


def test_a_folder_of_something_else_is_left_alone(workspace, tmp_path):
    kept = tmp_path / "mine.parquet"
    pq.write_table(pq.read_table(workspace.root / "trade.parquet"), kept)
    with pytest.raises(UsageError) as found:
        api.export(workspace, "2021-07-01", tmp_path)
    assert found.value.code == "export.folder-taken"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.parquet"]
