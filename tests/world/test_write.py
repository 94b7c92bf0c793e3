"""A world as a folder: whole or not at all, the same twice, and clean food for an ingest."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from keepwell.core.errors import UsageError
from keepwell.core.files import sha256_file
from keepwell.observe.contract import SELECT_EXTRAS, TABLES
from keepwell.observe.ingest import ingest
from keepwell.observe.mapping import Mapping
from keepwell.observe.workspace import Workspace
from keepwell.world.files import write
from keepwell.world.files.daily import DayWriter
from keepwell.world.files.folder import file_schema
from keepwell.world.files.write import MARKER, write_world
from keepwell.world.scenario import Scenario
from keepwell.world.terms import ACTIONS

CLIENTS, DAYS, SEED = 600, 45, 3
_FORFEIT = ("death", "broker")


def files_of(folder):
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents_of(folder):
    return {
        str(path.relative_to(folder)): pq.read_table(path)
        if path.suffix == ".parquet"
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".keepwell" not in path.parts
    }


def rows_of(folder, name):
    return [
        row for path in sorted((folder / "data" / name).iterdir()) for row in read(path).to_pylist()
    ]


def read(path):
    return pq.ParquetFile(path).read()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("worlds") / "one"
    told = []
    written = write_world(
        Scenario(), CLIENTS, DAYS, SEED, out, progress=lambda *args: told.append(args)
    )
    assert [done for done, _, _ in told] == list(range(1, DAYS + 1))
    assert told[-1] == (DAYS, DAYS, sum(written.rows.values()))
    return out, written


def test_every_table_has_files_and_every_row_is_counted(made):
    out, written = made
    assert {p.name for p in (out / "data").iterdir()} == set(TABLES)
    for name in TABLES:
        tables = [read(path) for path in (out / "data" / name).iterdir()]
        assert tables, name
        assert sum(t.num_rows for t in tables) == written.rows.get(name, 0)
        assert all(t.num_rows for t in tables) or len(tables) == 1
        assert set(tables[0].column_names) <= {*TABLES[name].names, *SELECT_EXTRAS}
    about = json.loads((out / MARKER).read_text())
    assert (about["clients"], about["days"], about["seed"]) == (CLIENTS, DAYS, SEED)
    assert about["rows"] == {name: written.rows.get(name, 0) for name in TABLES}


def test_files_are_named_by_their_day(made):
    out, _ = made
    first = date(2024, 1, 2)
    days = {str(first + timedelta(days=t)) for t in range(DAYS)}
    for path in (out / "data").rglob("*.parquet"):
        assert path.stem in days
    for path in (out / "data" / "balance").iterdir():
        assert {str(d) for d in read(path)["day"].to_pylist()} == {path.stem}


def test_the_mapping_names_all_tables_and_no_truth(made):
    out, _ = made
    mapping = Mapping.load(out / "keepwell.yaml")
    assert set(mapping.tables) == set(TABLES)
    assert mapping.tables["trade"].covers == [(date(2024, 1, 2), date(2024, 2, 16))]
    assert (mapping.timezone, mapping.currency) == ("Asia/Shanghai", "CNY")
    assert (mapping.market.index, mapping.label.by, mapping.label.gap) == ("MAIN", "value", "45d")
    assert "simulated" in mapping.notes[0].words("en")
    assert "模拟" in mapping.notes[0].words("zh")
    paths = [path for source in mapping.sources.values() for path in source.paths]
    assert all(path.startswith("data/") for path in paths)


def test_ingest_takes_every_row_and_each_correction(made, tmp_path):
    out, written = made
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "keepwell.yaml").write_bytes((out / "keepwell.yaml").read_bytes())
    (workspace / "data").symlink_to(out / "data")
    report = ingest(Workspace.open(workspace))
    assert report.quarantined == 0
    assert report.clients_without_profile == 0
    for table in report.tables:
        assert table.added + table.corrected == table.read == written.rows.get(table.table, 0)
        corrections = sum(row.get("revision", 0) > 0 for row in rows_of(out, table.table))
        assert table.corrected == corrections, table.table


def test_another_day_is_read_alone_and_nothing_is_missed(made, tmp_path):
    """Later files come, and one that was cut short is sent again."""
    out, written = made
    (tmp_path / "keepwell.yaml").write_bytes((out / "keepwell.yaml").read_bytes())
    files = [path.relative_to(out) for path in sorted((out / "data").rglob("*.parquet"))]
    firsts = {path.parent: path for path in reversed(files)}.values()
    later = {path for path in files if path.stem > "2024-01-20" and path not in firsts}
    short = next(path for path in files if path.parent.name == "session" and path not in later)
    for path in (path for path in files if path not in later):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(out / path, tmp_path / path)
    pq.write_table(read(out / short).slice(1), tmp_path / short)
    ingest(Workspace.open(tmp_path))
    for path in (*later, short):
        shutil.copy(out / path, tmp_path / path)
    workspace = Workspace.open(tmp_path)
    report = ingest(workspace)
    assert report.quarantined == 0
    fresh = Counter()
    for path in (*later, short):
        fresh[path.parent.name] += pq.read_metadata(out / path).num_rows
    assert {t.table: t.read for t in report.tables if t.read} == fresh
    rows = {name: state.rows for name, state in workspace.lake.manifest().tables.items()}
    assert {name: n for name, n in rows.items() if n} == dict(written.rows)
    again = [row for path in later for row in read(out / path).to_pylist()]
    assert sum(t.corrected for t in report.tables) == sum(r.get("revision", 0) > 0 for r in again)
    assert all(table.unchanged for table in ingest(workspace).tables)


def test_trades_explain_holdings(made):
    """Units at the last close: those at the first, bought less sold, moved in less out."""
    out, _ = made
    units, last = Counter(), {}
    first_day = min(row["day"] for row in rows_of(out, "holding"))
    for row in rows_of(out, "holding"):
        key = (row["client_id"], row["instrument_id"])
        if row["day"] == first_day:
            units[key] += row["quantity"]
        last[key] = row["quantity"]
    for row in rows_of(out, "trade"):
        key = (row["client_id"], row["instrument_id"])
        units[key] += row["quantity"] if row["side"] == "buy" else -row["quantity"]
    for row in rows_of(out, "custody_transfer"):
        key = (row["client_id"], row["instrument_id"])
        units[key] += row["quantity"] if row["direction"] == "in" else -row["quantity"]
    assert len(units) > CLIENTS
    # The dead leave theirs to heirs elsewhere, and whom the broker puts out takes all along.
    gone = {r["client_id"] for r in rows_of(out, "client") if r["closed_reason"] in _FORFEIT}
    wrong = {key for key in units if last[key] != (0 if key[0] in gone else units[key])}
    assert not wrong


def test_truth_stands_apart(made):
    out, written = made
    clients = read(out / "truth" / "clients.parquet")
    assert clients.num_rows == CLIENTS
    assert set(written.truth) >= {"clients", "steps", "texts"}
    texts = read(out / "truth" / "texts.parquet").to_pylist()
    kinds = Counter(row["kind"] for row in texts)
    assert kinds["contact"] == written.rows["contact"]
    ids = {row["contact_id"] for row in rows_of(out, "contact")}
    assert ids == {row["id"] for row in texts if row["kind"] == "contact"}
    again = yaml.safe_load((out / "truth" / "scenario.yaml").read_text("utf-8"))
    assert again == Scenario().model_dump(mode="json")


def test_the_same_seed_gives_the_same_files(made, tmp_path):
    out, _ = made
    write_world(Scenario(), CLIENTS, DAYS, SEED, tmp_path / "two")
    # The content is compared: a Parquet file may differ in bytes that carry nothing.
    one, two = contents_of(out), contents_of(tmp_path / "two")
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_shards_have_files_and_ids_of_their_own(tmp_path):
    out = tmp_path / "w"
    written = write_world(Scenario(), 500, 8, SEED, out, shard_size=300)
    names = {path.stem[-3:] for path in (out / "data" / "session").iterdir()}
    assert names == {"-00", "-01"}
    ids = [row["client_id"] for row in rows_of(out, "client")]
    assert {i[:3] for i in ids} == {"C00", "C01"}
    assert written.truth["clients"] == 500
    sessions = [row["session_id"] for row in rows_of(out, "session")]
    assert len(set(sessions)) == len(sessions)
    prices = [(row["series"], row["day"]) for row in rows_of(out, "price")]
    assert len(set(prices)) == len(prices), "the market is written once"


def test_a_policy_acts_and_is_told(tmp_path):
    def policy(world):
        chosen = np.flatnonzero(world.state["status"] == 1)[:3]
        return chosen, np.full(len(chosen), ACTIONS.index("education"))

    out = tmp_path / "w"
    written = write_world(Scenario(), 200, 5, SEED, out, policy=policy)
    told = read(out / "truth" / "treatments.parquet").to_pylist()
    assert len(told) == written.truth["treatments"] == 3 * 4
    assert {row["action"] for row in told} == {"education"}
    assert any(row["campaign"] == "education" for row in rows_of(out, "touch"))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    out = tmp_path / "w"
    out.mkdir()
    (out / "letter.txt").write_text("mine")
    with pytest.raises(UsageError) as error:
        write_world(Scenario(), 50, 2, SEED, out)
    assert error.value.code == "world.folder-taken"
    assert (out / "letter.txt").read_text() == "mine"
    part = tmp_path / "x.part"
    part.mkdir()
    (part / "letter.txt").write_text("mine")
    with pytest.raises(UsageError) as error:
        write_world(Scenario(), 50, 2, SEED, tmp_path / "x")
    assert error.value.code == "world.folder-taken"
    assert (part / "letter.txt").exists()


def test_a_killed_run_leaves_the_old_world_and_is_cleared_away(tmp_path, monkeypatch):
    out = tmp_path / "w"
    write_world(Scenario(), 50, 3, SEED, out)
    before = files_of(out)

    def fail(self, day, shot):
        if day.t == 2:
            raise RuntimeError("the disk is gone")
        return written(self, day, shot)

    written = DayWriter._write
    monkeypatch.setattr(DayWriter, "_write", fail)
    with pytest.raises(RuntimeError, match="the disk is gone"):
        write_world(Scenario(), 50, 4, SEED, out)
    assert files_of(out) == before
    assert (tmp_path / "w.part").exists()
    monkeypatch.undo()
    write_world(Scenario(), 50, 4, SEED, out)
    assert json.loads((out / MARKER).read_text())["days"] == 4
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


def test_sizes_and_dates_that_cannot_be(tmp_path):
    for clients, days in ((0, 5), (5, 0)):
        with pytest.raises(UsageError) as error:
            write_world(Scenario(), clients, days, SEED, tmp_path / "w")
        assert error.value.code == "world.size-wrong"
    late = datetime.now(UTC).date() - timedelta(days=2)
    with pytest.raises(UsageError) as error:
        write_world(Scenario(), 5, 5, SEED, tmp_path / "w", start=late)
    assert error.value.code == "world.end-future"
    assert not list(tmp_path.iterdir())


def test_an_empty_file_has_the_columns_that_a_full_one_has(tmp_path):
    write_world(Scenario(), 200, 40, SEED, tmp_path / "w")
    full = 0
    for name in TABLES:
        for file in (tmp_path / "w" / "data" / name).iterdir():
            assert set(pq.read_schema(file).names) == set(file_schema(name).names), name
            full += pq.read_metadata(file).num_rows > 0
    assert full > 40 * 4


def test_the_truth_keeps_potential_outcomes_on_days_of_decision(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "DECIDED", 6)
    monkeypatch.setattr(write, "HORIZON", 5)
    written = write_world(Scenario(), 200, 20, SEED, tmp_path / "w")
    table = pq.read_table(tmp_path / "w" / "truth" / "potential.parquet")
    days = sorted(set(table["decided_on"].to_pylist()))
    # Day 18 has no five days left to look ahead.
    assert days == [date(2024, 1, 8), date(2024, 1, 14)]
    assert set(ACTIONS) < set(table.schema.names)
    assert table.num_rows == written.truth["potential"] > 300
    twice = pq.read_table(tmp_path / "w" / "data" / "balance").num_rows
    monkeypatch.setattr(write, "HORIZON", 100)
    write_world(Scenario(), 200, 20, SEED, tmp_path / "none")
    assert pq.read_table(tmp_path / "none" / "data" / "balance").num_rows == twice
    assert not (tmp_path / "none" / "truth" / "potential.parquet").exists()
