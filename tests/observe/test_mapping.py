"""keepwell.yaml: what is accepted, what is refused, and how clearly."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core.days import day_number
from keepwell.core.errors import KeepwellError, UsageError
from keepwell.observe.contract import TABLES
from keepwell.observe.mapping import Mapping, mapped_tables
from keepwell.observe.mapping_yaml import read_yaml
from keepwell.observe.workspace import Workspace

GOOD = """\
version: 1
name: demo
timezone: Europe/Athens
currency: EUR
sources:
  transactions: {path: data/transactions.parquet}
  clients:
    path: [a.csv, b.csv]
    encoding: gbk
    columns: {opened: date, seen: {type: instant, timezone: UTC}, on: text}
tables:
  trade:
    sql: select 1
    delay: 2d
    covers: [["2020-07-01", null], [2018-02-01, 2019-08-01]]
  client: {sql: select 2}
label: {name: exit, by: units, horizon: 6mo, gap: 0d}
dates: {train: {every: 1mo, from: 2020-01-01}, prove: "2021-07-01", rank: null}
"""


def fault(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        Mapping.parse(text)
    return caught.value


def changed(old: str, new: str) -> UsageError:
    assert GOOD.count(old) == 1
    return fault(GOOD.replace(old, new))


def test_a_good_mapping() -> None:
    mapping = Mapping.parse(GOOD)
    assert mapping.zone.key == "Europe/Athens"
    assert mapping.sources["clients"].paths == ["a.csv", "b.csv"]
    assert mapping.sources["clients"].columns["opened"].type == "date"
    assert mapping.sources["clients"].columns["seen"].timezone == "UTC"
    assert mapping.tables["trade"].delay_days == 2
    assert mapping.tables["trade"].coverage == [
        (day_number(date(2018, 2, 1)), day_number(date(2019, 8, 1))),
        (day_number(date(2020, 7, 1)), None),
    ]
    assert mapping.dates.prove == date(2021, 7, 1)
    assert mapping.dates.rank is None
    assert not isinstance(mapping.dates.train, list)
    assert mapping.dates.train.start == date(2020, 1, 1)
    assert (mapping.capacity.severe, mapping.capacity.mild) == (0.01, 0.10)


def test_words_that_yaml_would_turn_into_something_else_stay_words() -> None:
    document = read_yaml("a: no\nb: on\nc: 2020-01-01\nd: true\ne: 12\nf: 0.5\ng: null\n", "x")
    assert document.value == {
        "a": "no",
        "b": "on",
        "c": "2020-01-01",
        "d": True,
        "e": 12,
        "f": 0.5,
        "g": None,
    }


@pytest.mark.parametrize(
    ("old", "new", "key", "line", "nearest"),
    [
        ("currency: EUR", "currncy: EUR", "currncy", 4, "currency"),
        ("encoding: gbk", "encodings: gbk", "sources.clients.encodings", 9, "encoding"),
        ("timezone: UTC}", "timezon: UTC}", "sources.clients.columns.seen.timezon", 10, "timezone"),
        ("delay: 2d", "delays: 2d", "tables.trade.delays", 14, "delay"),
        ("horizon: 6mo", "horizn: 6mo", "label.horizn", 17, "horizon"),
        ("every: 1mo", "evry: 1mo", "dates.train.evry", 18, "every"),
        ("prove:", "proof:", "dates.proof", 18, "prove"),
    ],
)
def test_an_unknown_key_names_the_nearest_file_and_line(old, new, key, line, nearest) -> None:
    error = changed(old, new)
    assert error.code == "mapping.key-unknown"
    assert (error.fields["file"], error.fields["line"]) == ("keepwell.yaml", line)
    assert (error.fields["key"], error.fields["nearest"]) == (key, nearest)


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ("version: 1", "version: 2", "version", "1"),
        ("Europe/Athens", "Europe/Atens", "timezone", "IANA"),
        ("currency: EUR", "currency: EURO", "currency", "ISO 4217"),
        ("encoding: gbk", "encoding: klingon", "sources.clients.encoding", "utf-8"),
        ("opened: date", "opened: dates", "sources.clients.columns.opened", "'decimal'"),
        ("delay: 2d", "delay: 2w", "tables.trade.delay", "1d"),
        ("horizon: 6mo", "horizon: half a year", "label.horizon", "6mo"),
        ("name: exit", "name: leave", "label.name", "'exit'"),
        ('prove: "2021-07-01"', "prove: July", "dates.prove", "2021-07-01"),
        ("[2018-02-01, 2019-08-01]", "[2019-02-01, 2018-08-01]", "tables.trade", "before"),
        ("[2018-02-01, 2019-08-01]", "[2018-02-01, 2021-08-01]", "tables.trade", "overlap"),
        (
            "client: {sql: select 2}",
            "client: {sql: select 2, full_days: true}",
            "tables.client.full_days",
            "holding",
        ),
    ],
)
def test_a_wrong_value_says_what_was_expected(old, new, key, expected) -> None:
    error = changed(old, new)
    assert error.code == "mapping.value-invalid"
    assert error.fields["key"] == key
    assert expected in str(error.fields["expected"])
    assert GOOD.replace(old, new).splitlines()[error.fields["line"] - 1] != ""


def test_unordered_capacity_is_refused() -> None:
    error = fault(GOOD + "capacity: {severe: 0.2, moderate: 0.1, mild: 0.3}\n")
    assert error.code == "mapping.value-invalid"
    assert "severe < moderate < mild" in str(error.fields["expected"])


def test_missing_keys_and_tables() -> None:
    assert changed("currency: EUR\n", "").fields["key"] == "currency"
    assert changed("    sql: select 1\n", "").fields["key"] == "tables.trade.sql"
    assert fault(GOOD.replace("trade:", "trades:")).code == "mapping.table-unknown"
    assert fault(GOOD.replace("trade:", "trades:")).fields["nearest"] == "trade"


def test_a_table_with_a_clock_needs_covers() -> None:
    start = GOOD.index("    covers")
    error = fault(GOOD[:start] + GOOD[GOOD.index("  client: {sql") :])
    assert (error.code, error.fields["line"]) == ("mapping.covers-missing", 12)
    clocked = [t for t in TABLES.values() if t.clock in ("at", "day")]
    assert len(clocked) > 10


def test_without_an_activity_table_there_is_nothing_to_rank() -> None:
    text = GOOD[: GOOD.index("  trade:")] + GOOD[GOOD.index("  client: {sql") :]
    error = fault(text)
    assert error.code == "mapping.activity-missing"
    assert "trade" in error.fields["known"]


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "just words", "a: b: c", "a: [1", "\tx: 1", "a: *b"]
)
def test_what_is_no_mapping_at_all(text: str) -> None:
    assert fault(text).code in {"mapping.value-invalid", "mapping.yaml-invalid"}


def test_a_key_given_twice_is_no_silent_overwrite() -> None:
    error = changed("    delay: 2d\n", "    delay: 2d\n    delay: 3d\n")
    assert (error.code, error.fields["line"]) == ("mapping.key-twice", 15)
    assert error.fields["key"] == "delay"


def test_a_mapping_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "keepwell.yaml").write_bytes("version: 1\nname: 演示\n".encode("gbk"))
    with pytest.raises(UsageError) as caught:
        Workspace.open(tmp_path)
    assert (caught.value.code, caught.value.fields["line"]) == ("mapping.yaml-invalid", 2)


@given(st.text(alphabet="abc:{}[]-'\" \n\t#&*|>0", max_size=60))
def test_no_text_gives_another_library_s_exception(text: str) -> None:
    with contextlib.suppress(KeepwellError):
        Mapping.parse(text)


def test_tables_asked_for_must_be_mapped() -> None:
    mapping = Mapping.parse(GOOD)
    assert mapped_tables(mapping, None) is None
    assert mapped_tables(mapping, ["trade"]) == ["trade"]
    with pytest.raises(UsageError) as caught:
        mapped_tables(mapping, ["trad"])
    assert caught.value.code == "mapping.table-unmapped"
    assert caught.value.fields["nearest"] == "trade"


@pytest.mark.parametrize(
    ("name", "part"),
    [("a [1]", "["), ("x]y", "]"), ("h%20i", "%20"), ("100% *sure? {1}#", None)],
)
def test_a_folder_below_which_no_lake_is_found(tmp_path: Path, name: str, part: str | None) -> None:
    root = tmp_path / name
    root.mkdir()
    (root / "keepwell.yaml").write_text(GOOD, "utf-8")
    if part is None:
        with Workspace.open(root).lake.writer() as writer:
            writer.create("trade", pa.schema([("trade_id", pa.string())]))
            assert writer.exists("trade")
        return
    with pytest.raises(UsageError) as caught:
        Workspace.open(root)
    assert (caught.value.code, caught.value.fields["part"]) == ("workspace.folder-unusable", part)


def test_workspace(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Workspace.open(tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("workspace.mapping-missing", 2)
    (tmp_path / "keepwell.yaml").write_text(GOOD, "utf-8")
    workspace = Workspace.open(tmp_path / "keepwell.yaml")
    assert workspace.root == tmp_path.resolve()
    assert workspace.currency == "EUR"
    assert workspace.tiles.is_dir()
    assert workspace.tiles.parent == workspace.state
    assert workspace.lake.manifest() is None
