# ruff: noqa: DTZ001
"""The parts of benchmarks/accuracy.py that read a folder of other dates; the run itself is long."""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.accuracy import (
    EXAMPLE,
    make_workspace,
    snapshot_days,
    snapshot_span,
    trade_spans,
)


def folder(tmp_path, trades, snapshots):
    pq.write_table(
        pa.table({"source": [s for s, _ in trades], "timestamp": [t for _, t in trades]}),
        tmp_path / "transactions.parquet",
    )
    pq.write_table(pa.table({"asof": snapshots}), tmp_path / "holdings.parquet")
    return tmp_path


def test_spans_follow_the_sources_of_later_dates(tmp_path):
    data = folder(
        tmp_path,
        [("sequence_x", datetime(2018, 2, 1)), ("sequence_x", datetime(2019, 7, 31)),
         ("full_a", datetime(2021, 7, 2)), ("full_a", datetime(2021, 12, 31)),
         ("full_b", datetime(2022, 1, 3)), ("full_b", datetime(2022, 6, 30))],
        [datetime(2021, 7, 1), datetime(2021, 12, 31), datetime(2022, 7, 1)],
    )  # fmt: skip
    assert trade_spans(data) == [["2018-02-01", "2019-08-01"], ["2021-07-01", "2022-07-01"]]
    assert snapshot_days(data) == {
        date(2021, 7, 1): date(2021, 6, 30),
        date(2021, 12, 31): date(2021, 12, 31),
        date(2022, 7, 1): date(2022, 6, 30),
    }
    assert snapshot_span(data) == ["2021-06-30", "2022-07-01"]


def test_the_client_change_log_is_never_read(tmp_path):
    workspace = make_workspace(EXAMPLE.parent / "data", tmp_path)
    assert "client" not in workspace.mapping.tables
    assert not any(
        "customers" in path
        for source in workspace.mapping.sources.values()
        for path in source.paths
    )
    assert workspace.mapping.tables["first_purchase"].coverage
