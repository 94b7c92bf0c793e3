from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from keepwell.core.errors import DataError, UsageError
from keepwell.observe.contract import TABLES
from keepwell.observe.lake import Lake
from keepwell.observe.manifest import Manifest, TableState

T0 = datetime(2021, 1, 1, tzinfo=UTC)


def trades(*rows: tuple[str, int, int], revision: int = 0) -> pa.Table:
    """Rows of (id, units, days from T0 until known)."""
    return pa.table(
        {
            "trade_id": [r[0] for r in rows],
            "client_id": ["c"] * len(rows),
            "at": pa.array([T0] * len(rows), pa.timestamp("us", "UTC")),
            "side": ["buy"] * len(rows),
            "quantity": pa.array([r[1] for r in rows], pa.int64()),
            "known_at": pa.array(
                [T0 + timedelta(days=r[2]) for r in rows], pa.timestamp("us", "UTC")
            ),
            "revision": pa.array([revision] * len(rows), pa.int64()),
        }
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "湖 lake" / "lake")


def read(lake: Lake, sql: str, manifest: Manifest | None = None) -> list[tuple]:
    with lake.connect(manifest) as engine:
        return [tuple(r.values()) for r in engine.sql(sql).to_arrow_table().to_pylist()]


def test_an_empty_lake(lake: Lake) -> None:
    assert lake.manifest() is None
    with lake.connect() as engine:
        assert engine.sql("show tables").fetchall() == []


def test_a_sequence_is_written_once(lake: Lake) -> None:
    with lake.writer() as writer:
        assert writer.append("trade", trades(("1", 1, 0)), "s", 1)
        assert not writer.append("trade", trades(("1", 1, 0)), "s", 1)
        assert writer.append("trade", trades(("2", 1, 0)), "other", 1)
        assert writer.append("trade", trades(("3", 1, 0)), "s")
        assert writer.sequence("trade", "s") == 2
        writer.publish()
    assert read(lake, "select trade_id from trade order by 1") == [("1",), ("2",), ("3",)]


def test_delta_itself_would_take_the_repeat(lake: Lake) -> None:
    """Why the writer compares: if Delta learns to refuse, this test says so."""
    from deltalake import CommitProperties, Transaction

    path = str(lake.path("trade"))
    lake.root.mkdir(parents=True)
    for _ in range(2):
        write_deltalake(
            path,
            trades(("1", 1, 0)),
            mode="append",
            commit_properties=CommitProperties(app_transactions=[Transaction("s", 1)]),
        )
    assert DeltaTable(path).to_pyarrow_table().num_rows == 2


def test_readers_go_by_the_manifest(lake: Lake) -> None:
    with lake.writer() as writer:
        writer.append("trade", trades(("1", 1, 0)), "s")
        first = writer.publish(coverage={"trade": ((10, None),)})
        writer.append("trade", trades(("2", 1, 3)), "s")
        assert read(lake, "select count(*) from trade") == [(1,)]
        second = writer.publish()
        assert writer.publish() == second
    assert (first.id, second.id) == (1, 2)
    assert read(lake, "select count(*) from trade") == [(2,)]
    assert read(lake, "select count(*) from trade", first) == [(1,)]
    state = second.tables["trade"]
    assert (state.rows, state.coverage, state.corrected) == (2, ((10, None),), False)
    assert (state.first, state.last_known_at) == (T0, T0 + timedelta(days=3))
    added = lake.added_files("trade", first.tables["trade"].version, state.version)
    assert set(added) == set(lake.files("trade", second)) - set(lake.files("trade", first))
    assert len(added) == 1


def test_the_highest_revision_known_counts(lake: Lake) -> None:
    with lake.writer() as writer:
        writer.append("trade", trades(("1", 1, 1), ("2", 7, 1)), "s")
        writer.append("trade", trades(("1", 3, 2), revision=3), "s")
        writer.append("trade", trades(("1", 2, 5), revision=2), "s")
        manifest = writer.publish()
    assert manifest.tables["trade"].corrected
    for day, expected in ((0, []), (1, [1]), (2, [3]), (3, [3]), (9, [3])):
        at = (T0 + timedelta(days=day)).isoformat()
        seen = read(
            lake,
            f"select quantity from trade where trade_id = '1' and "
            f"known_at <= timestamptz '{at}' and "
            f"(gone_at is null or gone_at > timestamptz '{at}')",
        )
        assert [row[0] for row in seen] == expected, day
    assert read(lake, "select gone_at from trade where trade_id = '2'") == [(None,)]


def test_columns_added_to_the_contract_later_are_null_in_old_rows(lake: Lake) -> None:
    lake.root.mkdir(parents=True)
    old = trades(("1", 1, 0)).drop_columns(["quantity"])
    full = old.append_column("source", pa.array(["s"])).append_column("row_hash", pa.array(["h"]))
    write_deltalake(str(lake.path("trade")), full)
    with lake.writer() as writer:
        writer.publish()
        assert read(lake, "select trade_id, quantity, channel from trade") == [("1", None, None)]
        writer.append("trade", trades(("2", 5, 0)), "s")
        writer.publish()
    rows = read(lake, "select trade_id, quantity from trade order by 1")
    assert rows == [("1", None), ("2", 5)]


def test_views_have_the_contract_s_columns(lake: Lake) -> None:
    with lake.writer() as writer:
        for name, table in TABLES.items():
            writer.create(name, table.arrow_schema())
        writer.publish()
    with lake.connect() as engine:
        for name, table in TABLES.items():
            columns = engine.sql(f'select * from "{name}"').columns
            assert columns == [*table.names, "known_at", "revision", "source", "gone_at"]


def test_one_writer_at_a_time(lake: Lake) -> None:
    with (
        lake.writer(),
        pytest.raises(UsageError) as error,
        Lake(lake.root).writer(),
    ):
        pass
    assert error.value.code == "lake.writer-busy"
    with lake.writer():
        pass


def test_manifests_round_trip_and_are_never_rewritten(lake: Lake) -> None:
    from keepwell.observe import manifest as manifests

    made = Manifest(
        7,
        T0,
        {
            "balance": TableState(
                3, 9, date(2021, 1, 1), date(2021, 2, 1), T0, True, ((1, 5), (9, None)), True, "x"
            ),
            "relation": TableState(1),
        },
        4,
    )
    assert Manifest.from_json(made.to_json()) == made
    lake.root.mkdir(parents=True)
    manifests.save(lake.root, made)
    assert lake.manifest() == made
    assert lake.manifest(7) == made
    with pytest.raises(DataError):
        manifests.save(lake.root, made)
    with pytest.raises(DataError):
        lake.manifest(6)
    (lake.root / "manifest-000008.json").write_text(json.dumps({"id": 8}))
    with pytest.raises(DataError) as error:
        lake.manifest()
    assert error.value.code == "lake.manifest-unreadable"


def test_a_table_whose_making_was_cut_short(lake: Lake) -> None:
    (lake.path("trade") / "_delta_log").mkdir(parents=True)
    assert not lake.exists("trade")
    with lake.writer() as writer:
        assert writer.publish().tables == {}
        writer.append("trade", trades(("1", 1, 0)), "s")
        writer.publish()
    assert read(lake, "select trade_id from trade") == [("1",)]
