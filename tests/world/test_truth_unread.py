"""keepwell never reads the truth: by what it imports, and by what it opens while it works."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from keepwell.world.files.write import write_world
from keepwell.world.scenario import Scenario
from tests.world.opened import Opened

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "keepwell"
ROOMS = ("core", "observe", "warn", "learn")
"""The world's own room and the command that makes a world may know of it; nobody else."""

DATES = """
dates:
  train: ["2024-02-15", "2024-04-05"]
  prove: "2024-04-05"
  rank: "2024-05-25"
"""
IMPORT_ALL = """
import importlib, json, pkgutil, sys
for room in ("observe", "warn"):
    package = importlib.import_module(f"keepwell.{room}")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


def imported(source: str, package: str) -> set[str]:
    """Modules that a text names: imports of any kind, and strings that could be imported."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")
            base = above[: len(above) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found |= {start, *(f"{start}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and re.fullmatch(r"[\w.]+", str(node.value)):
            found.add(str(node.value))
    return found


def of_world(names: set[str]) -> set[str]:
    return {n for n in names if n == "keepwell.world" or n.startswith("keepwell.world.")}


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_imports_the_world(room):
    files = sorted((SOURCE / room).rglob("*.py"))
    assert len(files) > 5
    for file in files:
        package = ".".join(file.relative_to(SOURCE.parent).parent.parts)
        assert not of_world(imported(file.read_text("utf-8"), package)), file


@pytest.mark.parametrize(
    "source",
    [
        "import keepwell.world.files.truth",
        "import keepwell.world as w",
        "def f():\n    from keepwell.world.outcomes import potential",
        "from keepwell import world",
        "from .. import world",
        "from ..world import terms",
        "import importlib\nimportlib.import_module('keepwell.world.terms')",
    ],
)
def test_an_import_of_the_world_would_be_found(source):
    assert of_world(imported(source, "keepwell.warn"))


def test_a_fresh_process_with_all_modules_has_no_world():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True, timeout=120
    )
    names = set(json.loads(done.stdout))
    for room in ("observe", "warn"):
        made = {
            ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
            for path in (SOURCE / room).rglob("*.py")
            if path.name != "__init__.py"
        }
        assert made <= names  # none was forgotten
    assert not of_world(names)


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    """A small world; its label is shortened so that 150 days are enough to prove a model."""
    root = tmp_path_factory.mktemp("truth") / "world"
    quick = {"hazard": 0.006, "days": [20.0, 10.0, 6.0, 4.0]}
    write_world(Scenario().with_(leaving=quick), 120, 150, 7, root)
    mapping = root / "keepwell.yaml"
    text = mapping.read_text("utf-8")
    shorter = text.replace("horizon: 90d", "horizon: 30d").replace("gap: 45d", "gap: 7d")
    assert shorter.count("30d") == 1
    mapping.write_text(shorter + DATES, "utf-8")
    return root


def main_job(root):
    """Ingest and run in a process of its own; what it tells of itself."""
    shutil.rmtree(root / ".keepwell", ignore_errors=True)
    shutil.rmtree(root / "out", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.world.main_job_child", str(root)],
        capture_output=True, text=True, check=False, timeout=300, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def results(root):
    return {name: (root / "out" / name).read_bytes() for name in ("risk.csv", "risk.parquet")}


@pytest.fixture(scope="module")
def watched(small_world):
    """The main job with the truth beside it, and what the kernel heard of the truth meanwhile."""
    if sys.platform != "linux":
        return main_job(small_world), results(small_world), None
    with Opened(small_world / "truth") as truth:
        told = main_job(small_world)
    return told, results(small_world), truth.paths


def test_the_mapping_names_no_truth(small_world):
    mapping = yaml.safe_load((small_world / "keepwell.yaml").read_text("utf-8"))
    paths = [source["path"] for source in mapping["sources"].values()]
    assert paths
    assert all(path.startswith("data/") for path in paths)
    assert "truth" not in json.dumps(mapping)


def test_the_main_job_opens_nothing_of_the_truth(watched):
    told, made, heard = watched
    assert told["clients"] > 0
    assert told["opened"] > 10  # the hook hears
    assert len(made["risk.csv"]) > 1000
    assert told["touched"] == []
    assert told["world"] == []
    assert heard is None or heard == set()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is of Linux")
@pytest.mark.parametrize(
    "reader",
    [
        "import duckdb; duckdb.sql(f\"select max(stage) from '{truth}/steps.parquet'\").fetchall()",
        "import pyarrow.parquet as pq; pq.read_table(f'{truth}/steps.parquet')",
        "import pyarrow.dataset as ds; ds.dataset(f'{truth}/../truth/steps.parquet').to_table()",
        "import pathlib; list(pathlib.Path(truth).iterdir())",
        "import duckdb; duckdb.sql(f\"select count(*) from glob('{truth}/*')\").fetchall()",
    ],
)
def test_any_reader_of_the_truth_would_be_heard(small_world, watched, reader):
    truth = small_world / "truth"
    with Opened(truth) as heard:
        subprocess.run(
            [sys.executable, "-c", f"truth = {str(truth)!r}; {reader}"], check=True, timeout=60
        )
    assert heard.paths
    assert heard.paths <= {"steps.parquet", "."}


def test_without_the_truth_the_results_are_the_same_bytes(small_world, watched):
    _, made, _ = watched
    away = small_world.with_name("away")
    (small_world / "truth").rename(away)
    try:
        told = main_job(small_world)
    finally:
        away.rename(small_world / "truth")
    assert told["clients"] > 0
    assert results(small_world) == made
