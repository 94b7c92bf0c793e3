"""MySQL as a source, on a real MariaDB server where there is one (`mariadbd` on the path)."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pymysql
import pytest

from keepwell.core.errors import KeepwellError
from keepwell.observe.connectors.mysql import MysqlConnector
from keepwell.observe.mapping import Source
from keepwell.testing.connector_suite import IncrementContract, Row

from .test_connector_databases import read, staged

SHARE = Path("/usr/share/mysql")
LIGHT = ["--innodb-buffer-pool-size=16M", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # Not below pytest's folder: a socket's path must be short.
    folder = tmp_path_factory.mktemp("m")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "data").mkdir()
    common = ["--no-defaults", f"--datadir={folder / 'data'}", "--user=root", *LIGHT]
    # What mariadb-install-db does, which needs the client's programs too.
    first = "create database mysql;\nuse mysql;\nset @auth_root_socket=null;\n"
    tables = [
        (SHARE / f"mysql_system_{part}.sql").read_text() for part in ("tables", "tables_data")
    ]
    subprocess.run(
        ["mariadbd", *common, "--bootstrap"],
        input="\n".join([first, *tables]), text=True, check=True, capture_output=True,
    )  # fmt: skip
    options = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 's'}"]
    running = subprocess.Popen(
        ["mariadbd", *common, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(str(folder / "s"))
        with pymysql.connect(unix_socket=str(folder / "s"), user="root") as root:
            cursor = root.cursor()
            cursor.execute("create database broker character set utf8mb4")
            cursor.execute("create user 'ann'@'127.0.0.1' identified by 'S3cr@t'")
            cursor.execute("grant all on broker.* to 'ann'@'127.0.0.1'")
        yield f"mysql://ann:S3cr%40t@127.0.0.1:{port}/broker"
    finally:
        running.kill()
        running.wait()


def _await(path: str) -> None:
    for _ in range(600):
        with socket.socket(socket.AF_UNIX) as attempt:
            if attempt.connect_ex(path) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not come up")


@pytest.fixture(autouse=True)
def address(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_MYSQL", server)


def run(server: str, *statements: str) -> None:
    host, _, port = server.partition("@")[2].partition("/")[0].partition(":")
    with pymysql.connect(
        host=host, port=int(port), user="ann", password="S3cr@t", database="broker"
    ) as connection:
        for statement in statements:
            connection.cursor().execute(statement)
        connection.commit()


def source(**options: str) -> Source:
    return Source(format="mysql", options={"url_env": "BROKER_MYSQL", **options})


class TestMysql(IncrementContract):
    connector = MysqlConnector()
    large_rows = 70_000

    @pytest.fixture(autouse=True)
    def _server(self, server: str) -> None:
        self.url = server

    def write(self, folder: Path, name: str, rows: Sequence[Row], columns: Sequence[str]) -> Source:
        said = ", ".join(f"`{column}` text" for column in columns)
        run(
            self.url,
            f"drop table if exists `{name}`",
            f"create table `{name}` (nr int auto_increment primary key, {said})",
        )
        host, _, port = self.url.partition("@")[2].partition("/")[0].partition(":")
        with pymysql.connect(
            host=host, port=int(port), user="ann", password="S3cr@t", database="broker",
            charset="utf8mb4",
        ) as connection:  # fmt: skip
            marks = ", ".join(["%s"] * len(columns))
            sql = f"insert into `{name}` ({', '.join(columns)}) values ({marks})"
            connection.cursor().executemany(sql, [[row[c] for c in columns] for row in rows])
            connection.commit()
        names = ", ".join(columns)
        return source(query=f"select {names} from `{name}` order by nr limit 10000000")


def test_types_and_impossible_days(server: str, tmp_path: Path) -> None:
    run(
        server,
        "set sql_mode = ''",
        "create table kinds (id int primary key, amount decimal(18,2), big bigint unsigned, "
        "happened timestamp null, local datetime(3), day date, note varchar(20), raw blob)",
    )
    run(
        server,
        "set time_zone = '+08:00'",
        "set sql_mode = ''",
        "insert into kinds values (4, 12.50, 5, '2024-03-02 10:00:00', '2024-03-02 10:00:00.5', "
        "'2024-02-29', '', null), "
        "(2, -99.99, 18446744073709551615, null, null, null, null, null), "
        "(3, 1, 1, null, null, '0000-00-00', 'x', null), "
        "(1, 1, 1, null, '0000-00-00 00:00:00', null, '100%', null), "
        "(5, 1, 1, null, null, null, '100%', x'ff')",
    )
    good, bad = staged(source(table="kinds"), tmp_path)
    (row,) = good
    assert (row["id"], str(row["amount"]), row["big"], row["note"]) == (4, "12.50", 5, "")
    assert row["happened"].isoformat() == "2024-03-02T02:00:00+00:00"
    assert row["local"].isoformat() == "2024-03-02T10:00:00.500000"
    assert row["day"].isoformat() == "2024-02-29"
    assert sorted((r["column"], r["reason"]) for r in bad) == [
        ("big", "cell.not-integer"),
        ("day", "cell.not-date"),
        ("local", "cell.not-instant"),
        ("raw", "cell.not-text"),
    ]
    some = source(query="select note from kinds where note like '100%'")
    assert len(read(MysqlConnector(), some, tmp_path)) == 2


def test_it_cannot_write_and_says_what_fails_without_the_password(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeepwellError) as caught:
        read(MysqlConnector(), source(table="nothing"), tmp_path)
    assert (caught.value.code, "nothing" in str(caught.value)) == ("source.database-failed", True)
    monkeypatch.setenv("BROKER_MYSQL", server.replace("S3cr%40t", "S3cr%40t-wrong"))
    with pytest.raises(KeepwellError) as caught:
        read(MysqlConnector(), source(table="kinds"), tmp_path)
    assert caught.value.code == "source.database-failed"
    assert "S3cr" not in str(caught.value)
