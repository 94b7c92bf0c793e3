"""The engine and the oracle agree on every indicator of random worlds.

The oracle is SQL written by hand from the catalogue's text; it shares no code with the engine.
``KEEPWELL_ORACLE_WORLDS=300 pytest tests/oracle`` looks at more worlds than the default.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators.registry import INDICATORS
from keepwell.observe.workspace import Workspace

from .compare import differences
from .load import ingest_world, lake_world
from .sql import SQL, Oracle
from .sql_peers import LEAST
from .world import World, draw_world

WORLDS = int(os.environ.get("KEEPWELL_ORACLE_WORLDS", "3"))


def test_every_indicator_has_an_oracle_and_every_oracle_an_indicator():
    assert set(SQL) == set(INDICATORS)


@pytest.mark.parametrize("name", ["compare", "terms", "views", "world", "world_schema", "sql*"])
def test_oracle_imports_nothing_of_keepwell(name: str):
    files = sorted(Path(__file__).parent.glob(f"{name}.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            assert not [n for n in names if n.startswith("keepwell")], file.name


@pytest.mark.parametrize("seed", range(WORLDS))
def test_engine_agrees(seed: int, tmp_path: Path):
    world = draw_world(seed)
    assert_agrees(world, lake_world(world, tmp_path, parts=1 + seed % 3))


@pytest.mark.parametrize("seed", [1_000_001])
def test_engine_agrees_on_what_was_ingested(seed: int, tmp_path: Path):
    world = draw_world(seed, clients=25)
    assert_agrees(world, ingest_world(world, tmp_path))


def assert_agrees(world: World, workspace: Workspace) -> None:
    engine, oracle = LocalEngine.open(workspace), Oracle(world)
    for t in world.as_ofs:
        frame = engine.compute(t, min_peers=LEAST)
        assert set(frame.names) == set(SQL)
        found = differences(frame, oracle.at(t))
        lines = "\n".join(f"  {name}: {words}" for name, words in found.items())
        assert not found, f"world {world.seed} at {t} ({world.zone}):\n{lines}"
