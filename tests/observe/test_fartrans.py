"""The demo's mapping on the demo's data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from keepwell.observe.check import CheckReport, check
from keepwell.observe.ingest import ingest
from keepwell.observe.monitors.watch import watch
from keepwell.observe.workspace import Workspace

EXAMPLE = Path(__file__).parents[2] / "examples" / "fartrans"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("fartrans") / "ws"
    folder.mkdir()
    shutil.copy(EXAMPLE / "keepwell.yaml", folder)
    shutil.copytree(EXAMPLE / "data", folder / "data")
    return Workspace.open(folder)


@pytest.fixture(scope="module")
def report(workspace: Workspace) -> CheckReport:
    return check(workspace)


def test_every_row_is_taken_and_no_client_is_dropped(report: CheckReport) -> None:
    assert (report.problems, report.exit_code) == ((), 0)
    assert {t.table: t.rows.added for t in report.tables} == {
        "client": 29_057,
        "service": 27_720,
        "trade": 106_340,
        "holding": 181_293,
        "first_purchase": 80_192,
        "instrument": 806,
        "price": 18_541,
        "index_price": 1_412,
    }
    assert all(t.rows.quarantined == t.rows.ignored == 0 for t in report.tables)
    assert report.clients_without_profile == 983


def test_the_monitors_are_silent_as_of_its_own_day(workspace: Workspace) -> None:
    tables = ["trade", "first_purchase", "price", "index_price"]
    assert ingest(workspace, tables).findings == ()
    found = watch(workspace)
    assert (found.today.by, found.today.day.isoformat()) == ("rank", "2022-01-01")
    assert {t.table for t in found.tables if t.length} == {"trade", "first_purchase", "price"}


def test_the_data_is_small_and_the_page_beside_it_says_whose_it_is() -> None:
    assert sum(f.stat().st_size for f in (EXAMPLE / "data").iterdir()) < 5_000_000
    words = (EXAMPLE / "README.md").read_text("utf-8")
    for said in ("10.5525/gla.researchdata.1658", "CC BY 4.0", "Changes", "synthetic", "ODC-PDDL"):
        assert said in words
