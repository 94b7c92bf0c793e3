"""Databases as sources: the contract suite on real files and real servers, and their traps."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from keepwell.core.errors import KeepwellError
from keepwell.observe.connectors.postgresql import PostgresConnector
from keepwell.observe.connectors.sqlite import SqliteConnector
from keepwell.observe.ingest import ingest
from keepwell.observe.mapping import Source
from keepwell.observe.quarantine import entries, retry
from keepwell.observe.scan import scan
from keepwell.observe.workspace import Workspace
from keepwell.testing.connector_suite import (
    ConnectorContract,
    IncrementContract,
    Row,
    SourceContract,
)

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def write_sqlite(path: Path, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]):
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"create table {table} ({', '.join(columns)})")
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"insert into {table} values ({marks})", rows)
        connection.commit()


class TestSqlite(ConnectorContract, IncrementContract):
    connector = SqliteConnector()
    large_rows = 70_000

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        values = [[row[column] for column in columns] for row in rows]
        said = [f'"{column}" text' for column in columns]
        write_sqlite(folder / f"{name}.db", "facts", said, values)
        return Source(path=f"{name}.db", options={"table": "facts", "key": ["rowid"]})


@pytest.fixture(scope="module")
def server(postgres) -> Iterator[str]:
    url = postgres(empty=True).replace("postgresql+psycopg", "postgresql")
    os.environ["BROKER_DB"] = url
    yield url
    del os.environ["BROKER_DB"]


def fill_postgres(
    url: str, *statements: str, copy: tuple[str, Sequence[Sequence[Any]]] | None = None
):
    import psycopg

    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement)
        if copy:
            with connection.cursor().copy(copy[0]) as sink:
                for row in copy[1]:
                    sink.write_row(row)


class TestPostgres(IncrementContract):
    connector = PostgresConnector()
    large_rows = 100_000

    @pytest.fixture(autouse=True)
    def _server(self, server: str) -> None:
        self.url = server

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        said = ", ".join(f'"{column}" text' for column in columns)
        fill_postgres(
            self.url,
            f"drop table if exists {name}",
            f"create table {name} (nr serial primary key, {said})",
            copy=(
                f"copy {name} ({', '.join(columns)}) from stdin",
                [[row[column] for column in columns] for row in rows],
            ),
        )
        names = ", ".join(columns)
        query = f"select {names} from (select * from {name} order by nr) as x"
        return Source(format="postgresql", options={"url_env": "BROKER_DB", "query": query})


def read(connector: SourceContract, source: Source, folder: Path) -> list[dict[str, Any]]:
    found = list(connector.open("s", source, folder))
    return pa.Table.from_batches([b.columns for b in found]).to_pylist()


def staged(source: Source, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    done = scan("s", source, folder, folder / "staged")
    return [r for f in done.files for r in pq.read_table(f).to_pylist()], done.rejects.to_pylist()


def test_sqlite_keeps_declared_types_and_sets_misfits_aside(tmp_path: Path) -> None:
    rows = [
        (1, "a", 1.5, "12.50", 1),
        ("two", "b", 2.5, "3", 0),
        (3, 4, 2, "x", 1),
        (4.5, b"\xff", None, None, 7),
    ]
    columns = ["n integer", "t text", "r real", "d decimal(18,2)", "b boolean"]
    write_sqlite(tmp_path / "a.db", "facts", columns, rows)
    good, bad = staged(Source(path="a.db", options={"table": "facts"}), tmp_path)
    assert [(r["n"], r["t"], r["r"], str(r["d"]), r["b"]) for r in good] == [
        (1, "a", 1.5, "12.50000000", True)
    ]
    assert sorted((r["column"], r["reason"]) for r in bad) == [
        ("d", "cell.not-decimal"),
        ("n", "cell.not-integer"),
        ("n", "cell.not-integer"),
        ("t", "cell.not-text"),
    ]
    assert {r["row"] for r in bad} == {None}
    assert "two" in bad[0]["raw"]


def test_sqlite_reads_a_query_and_nothing_but_one_select(tmp_path: Path) -> None:
    write_sqlite(tmp_path / "a.db", "facts", ["n integer", "t text"], [(1, "x"), (2, "y")])
    query = Source(path="a.db", options={"query": "select t, n * 2 as m from facts where n > 1;"})
    assert read(SqliteConnector(), query, tmp_path) == [{"t": "y", "m": "4"}]
    for wrong in ("drop table facts", "select 1; drop table facts", "select * from nothing"):
        with pytest.raises(KeepwellError) as caught:
            read(SqliteConnector(), Source(path="a.db", options={"query": wrong}), tmp_path)
        assert caught.value.code == "source.sqlite-broken"
    with pytest.raises(KeepwellError) as caught:
        read(SqliteConnector(), Source(path="a.db", options={"table": "fakts"}), tmp_path)
    assert "fakts" in str(caught.value)


def test_sqlite_sees_what_a_writer_has_only_in_its_log(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as writer:
        writer.execute("pragma journal_mode = wal")
        writer.execute("create table facts (n integer)")
        writer.execute("insert into facts values (1)")
        writer.commit()
        source = Source(path="a.db", options={"table": "facts"})
        assert read(SqliteConnector(), source, tmp_path) == [{"n": 1}]


def test_postgres_types_are_checked_cell_by_cell(server: str, tmp_path: Path) -> None:
    fill_postgres(
        server,
        "create table kinds (id int primary key, amount numeric(18,2), happened timestamptz, "
        "day date, open boolean, ratio float8, note text, local timestamp)",
        "insert into kinds values (3, 12.50, '2024-03-02 10:00:00.5+08', '2024-02-29', true, 0.5, "
        "'', '2024-01-01 09:30'), (1, 'NaN', now(), '2024-01-01', true, 1, 'NA', now()), "
        "(2, 1, now(), 'infinity', false, 1, null, now()), "
        "(4, 0, null, null, null, null, null, null)",
    )
    source = Source(format="postgresql", options={"url_env": "BROKER_DB", "table": "public.kinds"})
    good, bad = staged(source, tmp_path)
    assert [r["id"] for r in good] == [3, 4]
    first = good[0]
    assert str(first["amount"]) == "12.50000000"
    assert first["happened"].isoformat() == "2024-03-02T02:00:00.500000+00:00"
    assert (first["day"].isoformat(), first["open"], first["ratio"]) == ("2024-02-29", True, 0.5)
    assert (first["note"], first["local"]) == ("", "2024-01-01 09:30:00")
    assert [(r["column"], r["reason"]) for r in bad] == [
        ("amount", "cell.not-decimal"),
        ("day", "cell.not-date"),
    ]


def test_postgres_cannot_be_written_to(server: str, tmp_path: Path) -> None:
    fill_postgres(server, "create table kept (n int)", "insert into kept values (1)")
    for query in (
        "delete from kept returning n",
        "with x as (delete from kept returning n) select * from x",
    ):
        options = {"url_env": "BROKER_DB", "query": query}
        source = Source(format="postgresql", options=options)
        with pytest.raises(KeepwellError) as caught:
            read(PostgresConnector(), source, tmp_path)
        assert caught.value.code == "source.database-failed"
    options = {"url_env": "BROKER_DB", "table": "kept"}
    assert (
        len(read(PostgresConnector(), Source(format="postgresql", options=options), tmp_path)) == 1
    )


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://ann:S3cr%40t@127.0.0.1:1/x?sslmode=bogus-S3cr@t", "source.database-failed"),
        ("postgresql://ann:S3cr%40t@127.0.0.1:1/x", "source.database-failed"),
        ("mysql://ann:S3cr%40t@127.0.0.1:1/x", "source.address-wrong"),
        ("S3cr@t", "source.address-wrong"),
        ("", "source.address-missing"),
    ],
)
def test_no_message_holds_a_password(url: str, code: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SECRET_DB", url)
    (tmp_path / "address").write_text(url + "\n")
    for where in ({"url_env": "SECRET_DB"}, {"url_file": "address"}):
        source = Source(format="postgresql", options={**where, "table": "t"})
        with pytest.raises(KeepwellError) as caught:
            read(PostgresConnector(), source, tmp_path)
        assert caught.value.code == code
        for words in (
            caught.value.words("en"),
            caught.value.words("zh"),
            repr(caught.value.fields),
        ):
            assert "S3cr" not in words


def test_an_address_in_clear_is_refused_without_being_repeated(tmp_path: Path) -> None:
    clear = "postgresql://ann:S3cret@host/db"
    for options in ({"url_env": clear}, {"url": clear}, {"url_env": clear, "url_file": clear}):
        source = Source(format="postgresql", options={**options, "table": "t"})
        with pytest.raises(KeepwellError) as caught:
            read(PostgresConnector(), source, tmp_path)
        assert caught.value.code in ("source.option-wrong", "source.option-unknown")
        assert "S3cret" not in caught.value.words("en") + repr(caught.value.fields)


MAPPING = """\
version: 1
name: small
timezone: Asia/Shanghai
currency: CNY
sources:
  trades:
    format: postgresql
    options: {url_env: BROKER_DB, table: trades}
  clients: {path: clients.db, options: {table: clients}}
tables:
  client:
    sql: select id as client_id, cast(opened as date) as valid_from from clients
  trade:
    sql: select nr as trade_id, client as client_id, traded as at, side, amount from trades
    covers: [["2024-01-01", null]]
"""


def test_databases_go_the_way_of_files_into_the_lake(server: str, tmp_path: Path) -> None:
    fill_postgres(
        server,
        "create table trades (nr int primary key, client text, traded timestamptz, side text, "
        "amount numeric(18,2))",
        "insert into trades values (1, 'c1', '2024-03-01 10:00+08', 'buy', 10.50), "
        "(2, 'c1', '2024-03-02 10:00+08', 'buy', 'NaN')",
    )
    write_sqlite(
        tmp_path / "clients.db", "clients", ["id text", "opened text"], [("c1", "2024-01-01")]
    )
    (tmp_path / "keepwell.yaml").write_text(MAPPING)
    ws = Workspace.open(tmp_path)
    made = ingest(ws, now=NOW)
    counts = {t.table: (t.read, t.added, t.quarantined) for t in made.tables}
    assert counts == {"client": (1, 1, 0), "trade": (1, 1, 0)}
    (entry,) = entries(ws.lake).to_pylist()
    assert (entry["file"], entry["row"], entry["column"]) == ("trades", None, "amount")
    again = ingest(ws, now=NOW)
    assert not again.published
    assert [(t.table, t.ignored) for t in again.tables] == [("client", 1), ("trade", 1)]
    fill_postgres(
        server,
        "update trades set amount = 3 where nr = 2",
        "insert into trades values (0, 'c1', '2024-03-03 10:00+08', 'sell', 1)",
    )
    third = ingest(ws, now=NOW)
    assert [(t.table, t.added) for t in third.tables] == [("client", 0), ("trade", 2)]
    assert retry(ws).resolved == 1
