"""kill -9 at any moment of an ingest, then the same command: nothing lost, nothing twice."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import pytest

from keepwell.observe.lake import open_duckdb
from keepwell.observe.quarantine import entries
from keepwell.observe.workspace import Workspace

from .forks import CONTEXT, ready
from .ingest_child import run

KILLS = 20
MAPPING = """\
version: 1
name: crash
timezone: Asia/Shanghai
currency: CNY
sources:
  trades: {path: trades.csv, columns: {quantity: decimal}}
  logins: {path: logins.csv}
tables:
  trade:
    sql: select * from trades
    covers: [["2021-01-01", null]]
  session:
    sql: select * from logins
    covers: [["2021-01-01", null]]
"""


def write_source(root: Path, first: int, last: int) -> None:
    """Rows, some bad at the scan, some after the select, some twice, some in conflict."""
    lines = ["trade_id,client_id,at,side,quantity"]
    for n in range(first, last):
        quantity = "oops" if n % 101 == 0 else ("-1" if n % 97 == 0 else "1.5")
        lines.append(f"t{n},c{n % 50},2021-03-01 10:00:00,buy,{quantity}")
        if n % 89 == 0:
            lines.append(lines[-1])
        if n % 83 == 0:
            lines.append(f"t{n},c{n % 50},2021-03-02 10:00:00,buy,{quantity}")
    (root / "trades.csv").write_text("\n".join(lines) + "\n")
    lines = ["session_id,client_id,at,seconds"]
    lines += [f"s{n},c{n % 50},2021-03-01 10:00:00,{n % 60}" for n in range(first, last)]
    (root / "logins.csv").write_text("\n".join(lines) + "\n")


def keys(root: Path, file: str, column: str) -> set[str]:
    with open_duckdb() as engine:
        sql = f"select {column} from read_csv('{root / file}', all_varchar = true)"
        return {row[0] for row in engine.execute(sql).fetchall()}


def assert_whole(root: Path, expected: dict[str, set[str]]) -> None:
    lake = Workspace.open(root).lake
    kept = entries(lake)
    assert len(set(kept["reject_id"].to_pylist())) == kept.num_rows
    with lake.connect() as engine:
        for table, key in (("trade", "trade_id"), ("session", "session_id")):
            rows = [r[0] for r in engine.execute(f"select {key} from {table}").fetchall()]
            assert len(rows) == len(set(rows)), "a row came twice"
            raw = [json.loads(r) for r in kept["raw"].to_pylist()]
            aside = {r[key] for r in raw if key in r}
            assert set(rows) | aside == expected[table]
            assert not set(rows) & aside


def counts(root: Path) -> tuple[int, ...]:
    """Manifest and rows as a reader sees them."""
    lake = Workspace.open(root).lake
    manifest = lake.manifest()
    if manifest is None:
        return (0,)
    with lake.connect(manifest) as engine:
        seen = [
            engine.execute(f"select count(*) from {t}").fetchall()[0][0]
            for t in ("trade", "session")
        ]
    assert seen == [manifest.tables[t].rows for t in ("trade", "session")]
    return (manifest.id, *seen)


def whole_run(root: Path) -> float:
    before = time.monotonic()
    process = CONTEXT.Process(target=run, args=(root,))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    return time.monotonic() - before


def killed_run(root: Path, after: float) -> bool:
    """Run and kill; whether the kill came before the end."""
    process = CONTEXT.Process(target=run, args=(root,))
    process.start()
    process.join(after)
    process.kill()
    process.join(60)
    return process.exitcode != 0


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, float, tuple]]:
    """Two workspaces about to ingest: an empty one, and one with a lake; time and outcome."""
    ready()
    folder = tmp_path_factory.mktemp("crash")
    first = folder / "first"
    first.mkdir()
    (first / "keepwell.yaml").write_text(MAPPING)
    write_source(first, 0, 1000)
    later = folder / "later"
    shutil.copytree(first, later)
    whole_run(later)
    write_source(later, 800, 2000)
    made = {}
    for name, root in (("first", first), ("later", later)):
        trial = folder / f"{name}-trial"
        shutil.copytree(root, trial)
        whole_run(trial)
        shutil.rmtree(trial)
        shutil.copytree(root, trial)
        made[name] = (root, whole_run(trial), counts(trial))
    return made


@pytest.mark.parametrize("stage", ["first", "later"])
def test_killed_at_any_moment_and_run_again(
    stages: dict[str, tuple[Path, float, tuple]], stage: str, tmp_path: Path
) -> None:
    origin, seconds, outcome = stages[stage]
    before = counts(origin)
    expected = {
        "trade": keys(origin, "trades.csv", "trade_id"),
        "session": keys(origin, "logins.csv", "session_id"),
    }
    if stage == "later":
        expected = {
            "trade": expected["trade"] | {f"t{n}" for n in range(1000)},
            "session": expected["session"] | {f"s{n}" for n in range(1000)},
        }
    dice = random.Random(f"{stage} 20")
    hits = 0
    for moment in range(KILLS // 2):
        # Every other one is killed again before it may end, on what the first kill left behind.
        root = tmp_path / str(moment // 2)
        if moment % 2 == 0:
            shutil.copytree(origin, root)
        hits += killed_run(root, seconds * (moment + dice.random()) / (KILLS // 2))
        assert counts(root) in (before, outcome)
        if moment % 2 == 0:
            continue
        whole_run(root)
        assert counts(root) == outcome
        assert_whole(root, expected)
        assert list((root / ".keepwell" / "scan").iterdir()) == []
        shutil.rmtree(root)
    assert hits >= KILLS // 4
