"""Lineage: the very value that was scored, the tiles read, the rows behind, at one manifest."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import numpy as np
import pytest

from keepwell.core.errors import UsageError
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators.registry import INDICATORS
from keepwell.observe.ingest import ingest
from keepwell.observe.lineage import lineage
from tests.observe.monitors import broker
from tests.observe.monitors.broker import LAST, NEXT, at_nine, drop, trades

NOON = at_nine(LAST) + timedelta(days=5)
"""Within a day: the open tail counts too."""


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    workspace = broker.make(tmp_path_factory.mktemp("lineage") / "ws")
    ingest(workspace, backfill=True, now=at_nine(LAST))
    drop(workspace.root, NEXT)
    wrong = {**trades(LAST), "revision": [1] * len(trades(LAST)["trade_id"])}
    wrong["amount"] = [2 * amount for amount in wrong["amount"]]
    broker.put(workspace.root, "trade", "corrected", wrong)
    ingest(workspace, now=at_nine(NEXT))
    return workspace


SOME = (
    "trade_count_30d", "days_since_trade", "commission_change_90d", "average_trade_value_90d",
    "tenure_days",
)  # fmt: skip


def test_its_value_is_the_engines_to_the_last_bit(ws):
    engine = LocalEngine.open(ws)
    chosen = [name for name in SOME if name in INDICATORS]
    chosen += [n for n in INDICATORS if INDICATORS[n].sources == ("session",)][:3]
    frame = engine.compute(NOON, ["c007"], chosen)
    for name in chosen:
        found = lineage(ws, "c007", name, NOON)
        value = float(frame.column(name)[0])
        assert found.value == (None if np.isnan(value) else value), name
        assert found.manifest == 2


def test_tiles_and_rows_are_those_that_entered(ws):
    found = lineage(ws, "c007", "trade_count_30d", NOON, limit=10_000)
    (source,) = found.sources
    assert source.table == "trade"
    assert found.value == source.total == len(source.rows)
    assert found.value == sum(tile.values["count"] for tile in found.tiles)
    assert found.tiles_total == len({tile.day for tile in found.tiles})
    first = min(row["at"] for row in source.rows)
    assert NOON - first < timedelta(days=31)
    by_hand = duckdb.sql(
        f"select distinct trade_id from read_parquet('{ws.root}/trade/*.parquet') "
        f"where client_id = 'c007' and \"at\" >= timestamptz '{first}'"
    ).fetchall()
    assert {row["trade_id"] for row in source.rows} == {id for (id,) in by_hand}
    # Of a corrected trade only the correction counts.
    corrected = {r["trade_id"]: r["revision"] for r in source.rows if r["at"].date() == LAST}
    assert set(corrected.values()) <= {1}
    short = lineage(ws, "c007", "trade_count_30d", NOON, limit=1)
    assert (len(short.tiles), len(short.sources[0].rows)) == (1, 1)
    assert (short.tiles_total, short.sources[0].total) == (found.tiles_total, source.total)


def test_a_pinned_manifest_tells_what_it_told_then(ws):
    before = lineage(ws, "c007", "trade_count_30d", at_nine(LAST), manifest=1)
    assert before.manifest == 1
    assert before.sources[0].version < ws.lake.manifest().tables["trade"].version
    assert all(row["revision"] == 0 for row in before.sources[0].rows)


def test_who_or_what_is_unknown(ws):
    with pytest.raises(UsageError, match="c999"):
        lineage(ws, "c999", "trade_count_30d", NOON)
    with pytest.raises(UsageError, match="trade_count_30d"):
        lineage(ws, "c007", "trade_count_30", NOON)
