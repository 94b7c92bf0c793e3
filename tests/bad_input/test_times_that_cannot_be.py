"""Time travel: known before it happened, known in the future, hours that clocks skip or repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwell.observe.ingest import ingest
from keepwell.observe.quarantine import entries
from keepwell.observe.workspace import Workspace
from tests.bad_input.broken import HEADER, MAPPING, NOW, TYPED

GAPS = (
    "2024-03-10 01:59:59", "2024-03-10 02:30:00", "2024-03-10 03:00:00",
    "2024-11-03 01:30:00", "2023-11-05 01:30:00",
)  # fmt: skip


def lake_of(folder: Path, rows: list[str], said: str, *, zone: str = "Asia/Shanghai",
            header: str = HEADER, more: str = "") -> tuple[list[tuple], list[dict]]:  # fmt: skip
    folder.mkdir()
    (folder / "t.csv").write_text("\n".join([header, *rows]) + "\n", "utf-8")
    text = MAPPING.format(path='"t.csv"', said=said).replace("Asia/Shanghai", zone)
    (folder / "keepwell.yaml").write_text(text.replace("amount from s", f"amount{more} from s"))
    workspace = Workspace.open(folder)
    ingest(workspace, now=NOW)
    with workspace.lake.connect(threads=1) as engine:
        found = engine.execute(
            'select trade_id, epoch_us("at"), epoch_us(known_at) from trade order by 1'
        ).fetchall()
    return found, entries(workspace.lake).to_pylist()


def test_hours_that_a_clock_skips_mean_the_same_typed_and_untyped(tmp_path: Path) -> None:
    """02:30 of the night clocks go forward is moved by the gap; 01:30 twice is the first."""
    rows = [
        f"t{n},C1,{at},600000,buy,1,1" for n, at in enumerate(GAPS) if not at.startswith("2024-11")
    ]
    zone = "America/New_York"
    typed, aside = lake_of(tmp_path / "typed", rows, TYPED, zone=zone)
    plain, plain_aside = lake_of(tmp_path / "plain", rows, "nulls: ['']", zone=zone)
    assert aside == plain_aside == []
    assert [row[:2] for row in typed] == [row[:2] for row in plain]
    utc = {name: at // 1_000_000 % 86_400 for name, at, _ in plain}
    assert utc == {"t0": 25_199, "t1": 27_000, "t2": 25_200, "t4": 19_800}


def test_nothing_is_known_before_it_happened_nor_after_now(tmp_path: Path) -> None:
    rows = [
        "k1,C1,2024-02-01 10:00:00,600000,buy,1,1,2024-01-01 10:00:00",  # known before: no
        "k2,C1,2024-02-01 10:00:00,600000,buy,1,1,2024-02-03 10:00:00",
        "k3,C1,2024-02-01 10:00:00,600000,buy,1,1,2025-02-03 10:00:00",  # known next year: no
        "k4,C1,2024-02-01 10:00:00,600000,buy,1,1,0001-01-01 00:00:00",
    ]
    found, aside = lake_of(
        tmp_path / "ws", rows, "nulls: ['']", header=f"{HEADER},known_at", more=", known_at"
    )
    day = 86_400_000_000
    assert [(name, (known - at) // day) for name, at, known in found] == [("k2", 2)]
    assert sorted((entry["column"], entry["reason"]) for entry in aside) == [
        ("at", "row.ahead-of-known"), ("known_at", "cell.out-of-range"),
        ("known_at", "row.in-future"),
    ]  # fmt: skip


@pytest.mark.parametrize("year", ["0001", "1900", "2100", "9999"])
def test_the_ends_of_calendars(tmp_path: Path, year: str) -> None:
    rows = [f"y1,C1,{year}-01-01 00:00:00,600000,buy,1,1", "y2,C1,2024-01-02,600000,buy,1,1"]
    found, aside = lake_of(tmp_path / "ws", rows, TYPED)
    assert len(found) + len(aside) == 2
    assert found[-1][0] == "y2"
