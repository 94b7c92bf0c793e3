"""The selects' engine: what it can read, and how it refuses the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keepwell.core.errors import UsageError
from keepwell.observe.mapping import Mapping
from keepwell.observe.select import Selects, sources_of

COLUMNS = 'trade_id, client_id, "at", side'


def mapping(sql: str, zone: str = "Asia/Shanghai") -> Mapping:
    body = "\n".join(f"      {line}" for line in sql.splitlines())
    return Mapping.parse(
        f"version: 1\nname: x\ntimezone: {zone}\ncurrency: CNY\n"
        "sources:\n  trades: {path: t.parquet}\n  客户: {path: c.parquet}\n"
        f'tables:\n  trade:\n    covers: [["2020-01-01", null]]\n    sql: |\n{body}\n'
    )


@pytest.fixture
def staged(tmp_path: Path) -> dict[str, list[Path]]:
    first = pa.table(
        {
            "trade_id": ["1", "2"],
            "client_id": ["a", "b"],
            "at": pa.array(["2024-03-02T10:00:00", "2024-07-02T10:00:00"]).cast(pa.timestamp("us")),
            "side": ["buy", "sell"],
        }
    )
    second = first.slice(0, 1).set_column(0, "trade_id", pa.array(["3"]))
    pq.write_table(first, tmp_path / "t0.parquet")
    pq.write_table(second, tmp_path / "t1.parquet")
    pq.write_table(pa.table({"编号": ["a"]}), tmp_path / "c.parquet")
    return {
        "trades": [tmp_path / "t0.parquet", tmp_path / "t1.parquet"],
        "客户": [tmp_path / "c.parquet"],
    }


def rows(sql: str, staged: dict[str, list[Path]], zone: str = "Asia/Shanghai") -> pa.Table:
    with Selects(mapping(sql, zone), staged) as selects:
        return selects.batches("trade").read_all()


def refused(sql: str, staged: dict[str, list[Path]]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        rows(sql, staged)
    assert caught.value.fields["table"] == "trade"
    return caught.value


def test_a_source_is_all_its_files(staged) -> None:
    found = rows(f"select {COLUMNS} from trades", staged)
    assert found["trade_id"].to_pylist() == ["1", "2", "3"]


def test_ctes_subqueries_joins_comments_and_a_last_semicolon(staged) -> None:
    sql = (
        "-- the broker's trades\nwith known as (select * from trades)\n"
        f"select {COLUMNS} from known where client_id in (select 编号 from 客户); -- end"
    )
    # A join promises no order.
    assert sorted(rows(sql, staged)["trade_id"].to_pylist()) == ["1", "3"]


def test_instants_made_in_a_select_are_local_and_come_in_utc(staged) -> None:
    sql = 'select trade_id, client_id, cast("at" as timestamptz) as at, side from trades'
    found = rows(sql, staged, "Europe/Athens")
    assert found.schema.field("at").type == pa.timestamp("us", "UTC")
    assert found["at"].to_pylist()[:2] == [
        datetime(2024, 3, 2, 8, tzinfo=UTC),
        datetime(2024, 7, 2, 7, tzinfo=UTC),
    ]


def test_the_same_select_gives_the_same_rows_in_the_same_order(staged) -> None:
    sql = f"select {COLUMNS} from trades"
    assert rows(sql, staged).equals(rows(sql, staged))


def test_only_what_is_read_is_asked_for() -> None:
    assert sources_of(mapping(f"select {COLUMNS} from trades"), ["trade"]) == ["trades"]
    both = mapping(f"select {COLUMNS} from TRADES join 客户 on true")
    assert sources_of(both, ["trade"]) == ["trades", "客户"]


@pytest.mark.parametrize("name", ["客户号", "编码", "trade_idd"])
def test_an_unknown_column_names_the_source_and_its_columns(staged, name: str) -> None:
    error = refused(f'select {name} as trade_id, client_id, "at", side from trades', staged)
    assert (error.code, error.fields["column"]) == ("select.column-unknown", name)
    assert error.fields["columns"] == "trade_id, client_id, at, side"
    if name == "trade_idd":
        assert error.fields["nearest"] == "trade_id"


def test_the_nearest_column_is_sought_in_every_source_read(staged) -> None:
    sql = 'select trades.trade_id, 编号号 as client_id, "at", side from trades, 客户'
    error = refused(sql, staged)
    assert (error.fields["nearest"], error.fields["source"]) == ("编号", "'客户'")


def test_unknown_source(staged) -> None:
    error = refused(f"select {COLUMNS} from trade", staged)
    assert (error.code, error.fields["nearest"]) == ("select.source-unknown", "trades")


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_text('/etc/hostname')",
        "select 'x' as trade_id, 'c' as client_id, 1 as at, 's' as side from sniff_csv('/etc/x')",
        "select * from read_parquet('nowhere.parquet')",
        "select * from glob('/*')",
        "select * from read_parquet('https://example.com/a.parquet')",
        f"select {COLUMNS} from trades where side in (select content from read_text('/etc/x'))",
        f"with x as (from read_csv('/etc/passwd')) select {COLUMNS} from trades, x",
        f"select {COLUMNS} from trades union all select * from read_json('/etc/passwd')",
    ],
)
def test_nothing_outside_can_be_read(staged, sql: str) -> None:
    assert refused(sql, staged).code == "select.reach-outside"


def test_the_mapping_s_own_files_are_out_of_reach_too(staged, tmp_path: Path) -> None:
    """Only what was staged, which the scan has checked, can be read."""
    pq.write_table(pa.table({"x": [1]}), tmp_path / "raw.parquet")
    sql = f"select x as trade_id from read_parquet('{tmp_path}/raw.parquet')"
    assert refused(sql, staged).code == "select.reach-outside"


def test_python_variables_are_out_of_reach(staged) -> None:
    secret = pa.table({"trade_id": ["x"]})  # noqa: F841 - DuckDB would find it by its name
    assert refused("select trade_id from secret", staged).code == "select.source-unknown"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("insert into trades values (1)", "INSERT"),
        ("update trades set side = 'x'", "UPDATE"),
        ("delete from trades", "DELETE"),
        ("create table x as select 1", "CREATE"),
        ("drop view trades", "DROP"),
        ("copy trades to 'x.csv'", "COPY"),
        ("attach 'x.db'", "ATTACH"),
        ("export database 'x'", "EXPORT"),
        ("pragma version", "PRAGMA"),
        ("set threads = 8", "SET"),
        ("reset threads", "RESET"),
        ("install httpfs", "INSTALL"),
        ("load httpfs", "LOAD"),
        ("call pragma_version()", "CALL"),
        ("checkpoint", "CHECKPOINT"),
        ("summarize trades", "SUMMARIZE"),
        ("/* a */ -- b\nshow tables", "SHOW"),
        ("explain select 1", "EXPLAIN"),
    ],
)
def test_only_a_select(staged, sql: str, kind: str) -> None:
    error = refused(sql, staged)
    assert (error.code, error.fields["kind"]) == ("select.kind-wrong", kind)


def test_the_contract_s_own_word_at_is_a_keyword_and_the_message_says_so(staged) -> None:
    error = refused("select trade_id, client_id, at, side from trades", staged)
    assert error.code == "select.syntax-at"
    assert '"at"' in error.words("en")
    assert refused("select trade_id client_id at from from trades as at", staged).code


def test_exactly_one(staged) -> None:
    sql = f"select {COLUMNS} from trades"
    assert refused(f"{sql};\n{sql}", staged).fields["found"] == 2
    assert refused("-- nothing", staged).code in {"select.count-wrong", "select.kind-wrong"}


def test_the_outputs_are_held_against_the_contract(staged) -> None:
    error = refused(f"select {COLUMNS}, 1 as amout from trades", staged)
    assert (error.code, error.fields["nearest"]) == ("select.output-unknown", "amount")
    error = refused("select trade_id, client_id, trades.at as happened from trades", staged)
    assert error.code == "select.output-unknown"
    error = refused("select trade_id, client_id, side from trades", staged)
    assert (error.code, error.fields["column"]) == ("select.output-missing", "at")
    error = refused(f"select {COLUMNS}, side from trades", staged)
    assert (error.code, error.fields["column"]) == ("select.output-twice", "side")
    assert (
        "known_at"
        in rows(
            f"select {COLUMNS}, trades.at as known_at, 0 as revision from trades", staged
        ).column_names
    )


def test_a_fault_while_rows_are_read_is_the_select_s(staged) -> None:
    error = refused(f"select {COLUMNS}, cast(side as int) as quantity from trades", staged)
    assert error.code == "select.failed"
    assert "LINE" not in str(error)


def test_settings_stay_locked(staged) -> None:
    with Selects(mapping(f"select {COLUMNS} from trades"), staged) as selects:
        for setting in (
            "set enable_external_access = true",
            "set allowed_paths = ['/']",
            "set lock_configuration = false",
            "reset lock_configuration",
        ):
            with pytest.raises(Exception, match=r"locked|cannot|Cannot"):
                selects._connection.execute(setting)
