"""What a manifest pins is replayed to the last bit, whatever arrived or was tidied since."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import DataError
from keepwell.observe.compact import compact
from keepwell.observe.replay import engine_at
from keepwell.observe.vacuum import Pins, vacuum
from tests.oracle.load import lake_world
from tests.oracle.world import draw_world

from .test_point_in_time import append, compute, few, pick, same, seeds, which, without_repeats

LATER = datetime.now(UTC) + timedelta(days=30)


# An example costs six engines; what varies most is in `test_point_in_time`.
@settings(few, max_examples=1)
@given(seeds, which, st.sets(st.integers(1, 3)), st.integers(0, 2))
def test_pinned_manifests_are_replayed_after_compaction_and_vacuum(
    seed: int, i: int, pinned: set[int], compacted_after: int
) -> None:
    world = draw_world(seed)
    t = pick(world, i)
    dice = np.random.default_rng(seed)
    tables = without_repeats(world.tables)
    part = {name: dice.integers(0, 3, table.num_rows) for name, table in tables.items()}
    path = Path(tempfile.mkdtemp())
    try:
        live = {}
        workspace = None
        for k in range(3):
            rows = {n: x.filter(pa.array(part[n] == k, pa.bool_())) for n, x in tables.items()}
            if workspace is None:
                workspace = lake_world(world.replace(tables=rows), path)
            else:
                append(workspace, world, rows, f"part{k}")
            manifest = workspace.lake.manifest()
            assert manifest is not None
            live[manifest.id] = compute(workspace, t)
            if k == compacted_after:
                compact(workspace)
        assert workspace is not None
        newest = workspace.lake.manifest()
        assert newest is not None
        pins = {number: ["a test"] for number in pinned & live.keys()}
        report = vacuum(workspace.lake, Pins(pins), LATER, remove=True)
        for number, frame in live.items():
            if number in report.retired:
                with pytest.raises(DataError), engine_at(workspace, number):
                    pass
            else:
                with engine_at(workspace, number, threads=1) as engine:
                    same(frame, engine.compute(t, min_peers=2))
        assert set(report.retired).isdisjoint(pins)
        same(live[max(live)], compute(workspace, t))
    finally:
        shutil.rmtree(path)
