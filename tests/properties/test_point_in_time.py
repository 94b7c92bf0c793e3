"""What is computed as of t must not know the future, nor depend on how the facts arrived."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keepwell.core.days import midnight
from keepwell.observe.engines.frame import IndicatorFrame
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators import INDICATORS
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace
from tests.oracle.load import ingest_world, lake_world, write_world
from tests.oracle.world import World, draw_world, local_day

WORLDS = int(os.environ.get("KEEPWELL_ORACLE_WORLDS", "2"))

few = settings(
    max_examples=WORLDS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
seeds = st.integers(1000, 1100)
which = st.integers(0, 5)
RESENT = "session"
"""The table whose old file comes a third time."""


@contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp())
    try:
        yield path
    finally:
        shutil.rmtree(path)


def compute(workspace: Workspace, t: datetime) -> IndicatorFrame:
    return LocalEngine.open(workspace).compute(t, min_peers=2)


def known(world: World, t: datetime) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """The world's rows that count at t, with corrections known by then, and the others."""
    past, future = {}, {}
    for name, table in world.tables.items():
        counts = np.array([_counts(row, world, t) for row in table.to_pylist()], bool)
        past[name] = table.filter(pa.array(counts, pa.bool_()))
        future[name] = table.filter(pa.array(~counts, pa.bool_()))
    return past, future


def _counts(row: dict, world: World, t: datetime) -> bool:
    if row["known_at"] > t:
        return False
    if row["revision"]:
        return True  # what it corrects counts no more, though it be moved to t or later
    for clock in ("at", "valid_from"):
        if row.get(clock) is not None:
            return row[clock] < t
    if "day" in row:
        return (row["day"] - datetime(1970, 1, 1, tzinfo=UTC).date()).days < local_day(
            t, world.zone
        )
    return True


def same(a: IndicatorFrame, b: IndicatorFrame) -> None:
    """The same clients and the same bits."""
    assert a.clients == b.clients
    assert a.names == b.names
    assert a.coverage == b.coverage
    for i, name in enumerate(a.names):
        x, y = a.values[:, i], b.values[:, i]
        assert np.array_equal(np.isnan(x), np.isnan(y)), name
        assert np.where(np.isnan(x), 0, x).tobytes() == np.where(np.isnan(y), 0, y).tobytes(), name


def pick(world: World, i: int) -> datetime:
    return world.as_ofs[i % len(world.as_ofs)]


def append(workspace: Workspace, world: World, tables: dict[str, pa.Table], source: str) -> None:
    with workspace.lake.writer() as writer:
        for name, table in tables.items():
            if table.num_rows:
                writer.append(name, table, source=source)
        writer.publish(coverage=world.covers, full_days={"holding": world.full_days})


def without_repeats(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    return {
        name: pa.Table.from_pylist(
            list({tuple(row.items()): row for row in table.to_pylist()}.values()),
            schema=table.schema,
        )
        for name, table in tables.items()
    }


@few
@given(seeds, which)
def test_live_equals_later_however_the_rows_arrived(seed: int, i: int) -> None:
    """Computed with only the past in the lake; with all; from a new store; and by other ways in."""
    world = draw_world(seed)
    t = pick(world, i)
    past, future = known(world, t)
    with folder() as path:
        workspace = lake_world(world.replace(tables=past), path)
        live = compute(workspace, t)
        append(workspace, world, without_repeats(future), "later")
        same(live, compute(workspace, t))
        assert len(live.present) > 5
        shutil.rmtree(workspace.tiles)
        same(live, compute(workspace, t))
    rng = np.random.default_rng(seed)
    shuffled = {n: x.take(pa.array(rng.permutation(x.num_rows))) for n, x in world.tables.items()}
    with folder() as path:
        workspace = lake_world(world.replace(tables=shuffled), path, parts=3)
        same(live, compute(workspace, t))
    with folder() as path:
        same(live, compute(delivered(world.replace(tables=shuffled), path, rng), t))


def delivered(world: World, path: Path, rng: np.random.Generator) -> Workspace:
    """Ingested as a source that doubles, re-sends and stops would have it.

    Revisions come in any order, deletions before the rows they delete, too. The first file has
    some rows twice; the second brings the rest, and old rows again; the third is the first file
    once more; then the source stops.
    """
    first, second = {}, {}
    for name, table in world.tables.items():
        late = rng.random(table.num_rows) < 0.5
        late[:1] = False
        early = table.filter(pa.array(~late, pa.bool_()))
        first[name] = pa.concat_tables([early, early.slice(0, 1 + early.num_rows // 3)])
        second[name] = pa.concat_tables([table.filter(pa.array(late)), early.slice(0, 9)])
    workspace = ingest_world(world.replace(tables=first), path)
    write_world(world.replace(tables=second), path)
    report = ingest(workspace)
    assert report.published
    assert not report.quarantined
    manifest = report.manifest
    write_world(world.replace(tables={**second, RESENT: first.get(RESENT)}), path)
    report = ingest(workspace)
    assert {table.added + table.corrected + table.quarantined for table in report.tables} == {0}
    assert not ingest(workspace).published
    assert workspace.lake.manifest(manifest) is not None
    return workspace


@few
@given(seeds, which, st.integers(0, 60))
def test_a_late_event_changes_only_its_client(seed: int, i: int, back: int) -> None:
    world = draw_world(seed)
    if "trade" not in world.tables:
        world = draw_world(1)
    t = pick(world, i)
    with folder() as path:
        workspace = lake_world(world, path)
        before = compute(workspace, t)
        client = before.clients[back % len(before.clients)]
        row = {
            "trade_id": "late", "client_id": client, "at": t - timedelta(days=back, hours=1),
            "instrument_id": "late-instrument", "side": "buy", "quantity": 10**8,
            "amount": 12_345, "commission": 1, "currency": world.currency,
            "known_at": t - timedelta(minutes=1), "revision": 0,
        }  # fmt: skip
        table = pa.Table.from_pylist([row], schema=world.tables["trade"].schema)
        append(workspace, world, {"trade": table}, "late")
        after = compute(workspace, t)
    assert before.clients == after.clients
    own = before.clients.index(client)
    others = np.delete(np.arange(len(before.clients)), own)
    # What is usual among peers is of what was known at the midnight before: that may be t.
    inside = row["known_at"] > midnight(local_day(t, world.zone), world.zone)
    kept = [i for i, name in enumerate(before.names) if inside or not INDICATORS[name].compares]
    places = np.ix_(others, kept)
    assert np.array_equal(before.values[places], after.values[places], equal_nan=True)
    recency = before.names.index("days_since_trade")
    if any(since < local_day(t, world.zone) for since, _ in world.covers["trade"]):
        assert not np.isnan(after.values[own, recency])
        assert not np.array_equal(before.values[own], after.values[own], equal_nan=True)


def test_the_check_would_notice_one_bit(tmp_path: Path) -> None:
    frame = compute(lake_world(draw_world(1), tmp_path), draw_world(1).as_ofs[-1])
    values = frame.values.copy()
    row, column = np.argwhere(~np.isnan(values))[0]
    values[row, column] = np.nextafter(values[row, column], np.inf)
    changed = IndicatorFrame(frame.clients, frame.as_of, frame.names, values, frame.coverage)
    with pytest.raises(AssertionError):
        same(frame, changed)
