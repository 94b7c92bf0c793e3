"""Monitors over a simulated broker: silent while nothing is wrong, and what is injected is told."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from keepwell.observe.ingest import ingest
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors.watch import watch
from keepwell.observe.workspace import Workspace
from keepwell.world.files.write import write_world
from keepwell.world.scenario import load_scenario

CLIENTS, DAYS, SEED = 260, 101, 11
K = MonitorKind


def morning(day: date) -> datetime:
    """Ten in the morning, Shanghai: what the day before brought has come."""
    return datetime.combine(day, time(2), UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A quiet broker up to a week before its end; the last week's files lie aside."""
    root = tmp_path_factory.mktemp("simulated") / "ws"
    scenario = load_scenario("calm-year")
    write_world(scenario, CLIENTS, DAYS, SEED, root)
    end = scenario.start + timedelta(days=DAYS)
    cut = end - timedelta(days=7)
    text = (root / "keepwell.yaml").read_text("utf-8")
    (root / "keepwell.yaml").write_text(text.replace(f'"{end}"]]', "null]]"), "utf-8")
    for file in sorted((root / "data").rglob("*.parquet")):
        if file.stem[:4].isdigit() and file.stem[:10] >= cut.isoformat():
            kept = root.parent / "week" / file.parent.name / file.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            file.rename(kept)
    workspace = Workspace.open(root)
    report = ingest(workspace, backfill=True, now=morning(cut))
    return workspace, root.parent / "week", cut, report.findings


def test_quiet_days_are_silent(world):
    """Every day is among the newest ten of a watch, so each of them is judged."""
    workspace, _, cut, findings = world
    assert findings == ()
    file = workspace.root / "keepwell.yaml"
    text = file.read_text("utf-8")
    for days in range(10, 40, 10):
        day = cut - timedelta(days=days)
        file.write_text(text + f'dates: {{rank: "{day}"}}\n', "utf-8")
        assert watch(Workspace.open(workspace.root), morning(cut)).findings == (), day
    file.write_text(text, "utf-8")


def replaced(rows, column, values):
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, rows.schema.field(place), values)


def test_what_is_injected_is_told_and_what_is_sent_again_is_not(world):
    workspace, week, cut, _ = world
    data = workspace.root / "data"
    for file in sorted(week.rglob("*.parquet")):
        name = file.parent.name
        if name == "balance":
            continue  # stops
        rows = pq.ParquetFile(file).read()
        if name == "session":  # seconds become milliseconds
            more = pc.multiply(rows["seconds"], pa.scalar(1000, rows["seconds"].type))
            rows = replaced(rows, "seconds", more)
        if name == "trade":  # sent again, as it was
            shutil.copy(file, data / name / f"{file.stem}-again.parquet")
        pq.write_table(rows, data / name / file.name)
        if name == "price":  # comes twice, under other names
            twice = pa.array([f"{one}-copy" for one in rows["series"].to_pylist()])
            rows = replaced(rows, "series", twice.cast(rows["series"].type))
            pq.write_table(rows, data / name / f"{file.stem}-twice.parquet")
    found = ingest(Workspace.open(workspace.root), now=morning(cut + timedelta(days=7))).findings
    told = {(f.table, f.kind, f.column) for f in found}
    assert told == {
        ("balance", K.FRESHNESS, ""), ("session", K.UNITS, "seconds"), ("price", K.VOLUME, "")
    }  # fmt: skip
