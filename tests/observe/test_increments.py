"""Sources read in increments, and sources whose columns change."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keepwell.core.errors import KeepwellError
from keepwell.observe import ingest as ingests
from keepwell.observe import marks
from keepwell.observe.check import check
from keepwell.observe.drift import Change, changes
from keepwell.observe.ingest import ingest
from keepwell.observe.mapping import Source
from keepwell.observe.marks import SourceMark, row_by_row
from keepwell.observe.quarantine import retry
from keepwell.observe.workspace import Workspace

from .small_workspace import content

NOW = datetime(2024, 6, 1, tzinfo=UTC)
MAPPING = """\
version: 1
name: small
timezone: Asia/Shanghai
currency: CNY
sources:
  trades:
    path: broker.db
    options: {table: trades}
    increment: {by: nr, overlap: 1}
tables:
  trade:
    sql: select cast(nr as varchar) as trade_id, client as client_id, at_ as at, side from trades
    covers: [["2024-01-01", null]]
"""


def broker(
    folder: Path, *numbers: int, columns: str = "nr integer, client text, at_ text, side text"
):
    (folder / "broker.db").unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / "broker.db")) as connection:
        connection.execute(f"create table trades ({columns})")
        add(connection, numbers)
    if not (folder / "keepwell.yaml").exists():
        (folder / "keepwell.yaml").write_text(MAPPING)
    return Workspace.open(folder)


def add(connection: sqlite3.Connection, numbers: Sequence[int], side: str = "buy") -> None:
    rows = [(n, "c1", "2024-03-01 10:00:00", side) for n in numbers]
    connection.executemany("insert into trades values (?, ?, ?, ?)", rows)
    connection.commit()


def more(folder: Path, *numbers: int, side: str = "buy") -> None:
    with closing(sqlite3.connect(folder / "broker.db")) as connection:
        add(connection, numbers, side)


def counts(ws: Workspace, **options: bool) -> tuple[int, int, int, bool]:
    """Rows read, added and known before, and whether only a part was read."""
    made = ingest(ws, now=NOW, **options)
    return made.tables[0].read, made.tables[0].added, made.tables[0].ignored, made.sources[0].part


def test_only_what_is_new_is_read_and_the_overlap_again(tmp_path: Path) -> None:
    ws = broker(tmp_path, 1, 2, 5)
    assert counts(ws) == (3, 3, 0, False)
    manifest = ws.lake.manifest()
    assert counts(ws) == (1, 0, 1, True)
    assert ws.lake.manifest() == manifest
    more(tmp_path, 4, 6, 7)  # 4 was committed late, within the overlap
    assert check(ws).tables[0].rows.read == 4
    assert counts(ws) == (4, 3, 1, True)
    more(tmp_path, 3)  # later than the overlap allows: only the whole shows it
    assert counts(ws) == (2, 0, 2, True)
    assert counts(ws, force=True) == (7, 1, 6, False)
    assert [row[0] for row in content(ws, "trade_id")] == ["1", "2", "3", "4", "5", "6", "7"]


def test_killed_before_the_manifest_the_rows_are_read_again(tmp_path: Path, monkeypatch) -> None:
    ws = broker(tmp_path, 1)
    counts(ws)
    more(tmp_path, 5, 6)

    def killed(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ingests.marks, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            counts(ws)
    assert len(content(ws)) == 1
    more(tmp_path, 7)
    assert counts(ws) == (4, 1, 3, True)
    assert [row[0] for row in content(ws, "trade_id")] == ["1", "5", "6", "7"]


def test_another_mapping_reads_everything_again(tmp_path: Path) -> None:
    ws = broker(tmp_path, 1, 2, 3, 9)
    counts(ws)
    file = tmp_path / "keepwell.yaml"
    file.write_text(file.read_text().replace("at_ as at", "at_ as at, 'app' as channel"))
    assert counts(Workspace.open(tmp_path))[0] == 4
    file.write_text(file.read_text().replace("overlap: 1", "overlap: 5"))
    assert counts(Workspace.open(tmp_path))[0] == 4


def test_a_row_set_aside_is_mended_though_its_key_is_old(tmp_path: Path) -> None:
    ws = broker(tmp_path, 1)
    more(tmp_path, 2, side="swap")
    more(tmp_path, 30)
    made = ingest(ws, now=NOW)
    assert (made.tables[0].added, made.quarantined) == (2, 1)
    assert counts(ws)[0] == 1
    with closing(sqlite3.connect(tmp_path / "broker.db")) as connection:
        connection.execute("update trades set side = 'sell' where nr = 2")
        connection.commit()
    assert retry(ws).resolved == 1
    assert [row[0] for row in content(ws, "trade_id")] == ["1", "2", "30"]


def test_a_database_numbered_anew_is_not_taken_for_nothing_new(tmp_path: Path) -> None:
    ws = broker(tmp_path, 100, 101)
    counts(ws)
    broker(tmp_path, 1, 2)
    with pytest.raises(KeepwellError) as caught:
        ingest(ws, now=NOW)
    assert (caught.value.code, caught.value.fields["mark"]) == ("source.mark-ahead", 100)
    assert counts(ws, force=True) == (2, 2, 0, False)
    assert counts(ws)[0] == 2


def test_what_needs_all_rows_reads_all_rows() -> None:
    parts = ["select a, b from t where c > 1", "select a from t union all select b from t"]
    wholes = [
        "select a, sum(b) from t group by a",
        "select distinct a from t",
        "select a, row_number() over (order by b) from t",
        "select a from t qualify lag(a) over (order by b) is null",
        "select a from t limit 5",
        "not sql at all",
    ]
    assert [row_by_row(sql) for sql in parts + wholes] == [True, True] + [False] * 6


def test_an_aggregate_over_a_source_in_increments_stays_right(tmp_path: Path) -> None:
    (tmp_path / "keepwell.yaml").write_text(
        MAPPING.replace("select cast(nr as varchar)", "select cast(count(*) as varchar)").replace(
            "from trades\n", "from trades group by all\n"
        )
    )
    ws = broker(tmp_path, 1, 2)
    counts(ws)
    more(tmp_path, 3)
    counts(ws)
    assert [row[0] for row in content(ws, "trade_id")] == ["2", "3"]


@pytest.mark.parametrize(
    ("newest", "overlap", "begins"),
    [
        (5000, None, 4000),
        (5000, 10, 4990),
        ("T17", None, "T17"),
        ("2024-05-02 10:00:00", "15m", "2024-05-02 09:45:00"),
        ("2024-05-02T10:00", "1d", "2024-05-01T10:00"),
        (datetime(2024, 5, 2, 10, tzinfo=UTC), "6h", datetime(2024, 5, 2, 4, tzinfo=UTC)),
        # A row of the year 2099 must not hide all that comes until then.
        (datetime(2099, 1, 1, tzinfo=UTC), "15m", NOW - timedelta(minutes=15)),
        (datetime(2099, 1, 1), "15m", datetime(2024, 6, 1, 7, 45)),  # noqa: DTZ001
    ],
)
def test_where_the_next_read_begins(newest: object, overlap: object, begins: object) -> None:
    source = Source.model_validate(
        {"format": "sqlite", "increment": {"by": "x", "overlap": overlap}}
    )
    zone = ZoneInfo("Asia/Shanghai")
    assert marks.since(source, [SourceMark(newest=newest)], NOW, zone).value == begins
    kept = marks.TableMarks("d", {"s": SourceMark({"a": "text"}, newest, {"f": "1"})})
    assert marks._parsed(marks._written(newest)) == newest
    assert kept.sources["s"].newest == newest


def test_files_are_not_read_in_increments(tmp_path: Path) -> None:
    ws = broker(tmp_path, 1)
    (tmp_path / "t.csv").write_text("nr,client,at_,side\n1,c1,2024-03-01 10:00:00,buy\n")
    file = tmp_path / "keepwell.yaml"
    changed = file.read_text().replace("broker.db", "t.csv").replace("options: {table: trades}", "")
    file.write_text(changed)
    with pytest.raises(KeepwellError) as caught:
        ingest(Workspace.open(ws.root), now=NOW)
    assert caught.value.code == "source.increment-unsupported"


def test_changes_of_columns_are_named() -> None:
    before = {"id": "text", "day": "date", "sum": "integer", "note": "text"}
    assert changes(before, before) == ()
    assert changes(before, {**before, "x": "text"}) == (Change("added", "x", found="text"),)
    assert changes(before, {"id": "text", "day": "date", "note": "text"}) == (
        Change("removed", "sum", "integer"),
    )
    now = {"id": "text", "day": "date", "total": "integer", "note": "integer"}
    assert changes(before, now) == (
        Change("renamed", "sum", "integer", "total"),
        Change("retyped", "note", "text", "integer"),
    )
    assert changes(before, {**before, "note": ""}) == ()


@pytest.mark.parametrize(
    ("columns", "code", "found"),
    [
        ("nr integer, client text, at_ text, sides text", "source.column-renamed", "sides"),
        ("nr integer, client text, at_ text, side integer", "source.type-changed", "integer"),
        ("side text, nr integer, client text", "source.column-gone", ""),
    ],
)
def test_drift_stops_the_ingest_until_somebody_says_what_it_is(
    tmp_path: Path, columns: str, code: str, found: str
) -> None:
    ws = broker(tmp_path, 1)
    counts(ws)
    (tmp_path / "broker.db").unlink()
    with closing(sqlite3.connect(tmp_path / "broker.db")) as connection:
        connection.execute(f"create table trades ({columns})")
        connection.execute("insert into trades (nr, client) values (9, 'c1')")
        connection.commit()
    before = ws.lake.manifest()
    with pytest.raises(KeepwellError) as caught:
        ingest(ws, now=NOW)
    assert (caught.value.code, caught.value.fields["found"]) == (code, found)
    assert ws.lake.manifest() == before
    (problem,) = check(ws).problems
    assert problem.error.code == code


def test_an_added_column_is_told_and_goes_on(tmp_path: Path) -> None:
    ws = broker(tmp_path, 1)
    counts(ws)
    with closing(sqlite3.connect(tmp_path / "broker.db")) as connection:
        connection.execute("alter table trades add column memo text")
        connection.commit()
    (report,) = ingest(ws, now=NOW).sources
    assert report.drift == (Change("added", "memo", found="text"),)
    (report,) = ingest(ws, now=NOW).sources
    assert report.drift == ()


def test_drift_that_was_accepted_is_the_new_normal(tmp_path: Path) -> None:
    ws = broker(tmp_path, 1)
    with closing(sqlite3.connect(tmp_path / "broker.db")) as connection:
        connection.execute("alter table trades add column memo text")
        connection.commit()
    counts(ws)
    with closing(sqlite3.connect(tmp_path / "broker.db")) as connection:
        connection.execute("alter table trades drop column memo")
        connection.commit()
    with pytest.raises(KeepwellError):
        ingest(ws, now=NOW)
    assert ingest(ws, now=NOW, accept=True).sources[0].drift == (Change("removed", "memo", "text"),)
    assert ingest(ws, now=NOW).sources[0].drift == ()


def test_a_file_of_other_types_is_refused_and_not_rounded(tmp_path: Path) -> None:
    """DuckDB would read 1.5 as 2 where the first file's column is of whole numbers."""
    (tmp_path / "keepwell.yaml").write_text(
        MAPPING.replace("path: broker.db", 'path: "*.parquet"').replace(
            "    options: {table: trades}\n    increment: {by: nr, overlap: 1}\n", ""
        )
    )
    for name, number in (("a", 1), ("b", 1.5)):
        row = {"nr": [number], "client": ["c"], "at_": ["2024-03-01 10:00:00"], "side": ["buy"]}
        pq.write_table(pa.table(row), tmp_path / f"{name}.parquet")
    with pytest.raises(KeepwellError) as caught:
        ingest(Workspace.open(tmp_path), now=NOW)
    assert caught.value.code == "source.type-changed"
    assert "b.parquet" in caught.value.words("en")
