from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import KeepwellError, UsageError
from keepwell.observe.ingest import ingest
from keepwell.observe.quarantine import entries
from keepwell.observe.workspace import Workspace

from .small_workspace import content, trade, workspace, write_trades

NOW = datetime(2021, 7, 1, tzinfo=UTC)


def report(ws: Workspace, **settings_: object) -> tuple[int, int, int, int, int]:
    made = ingest(ws, now=NOW, **settings_)
    (table,) = (t for t in made.tables if t.table == "trade")
    counts = (table.added, table.corrected, table.ignored, table.quarantined)
    assert table.unchanged or sum(counts) == table.read
    return (table.read, *counts)


def test_rows_arrive_with_both_clocks(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1, amount=Decimal("12.34")), trade(2, "客户")])
    assert report(ws) == (2, 2, 0, 0, 0)
    rows = content(ws, 'trade_id, client_id, "at", known_at, quantity, amount, source, revision')
    at = datetime(2021, 3, 1, 8, tzinfo=UTC)
    known = datetime(2021, 3, 2, 8, tzinfo=UTC)
    assert rows == [
        ("1", "c1", at, known, 150_000_000, 1234, "trades", 0),
        ("2", "客户", at, known, 150_000_000, None, "trades", 0),
    ]


def test_an_unchanged_source_is_not_read_again(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1)])
    first = ingest(ws, now=NOW)
    again = ingest(ws, now=NOW)
    assert (first.published, again.published) == (True, False)
    assert again.manifest == first.manifest
    assert again.tables[0].unchanged
    assert report(ws, force=True) == (1, 0, 0, 1, 0)


def test_a_change_of_the_mapping_is_read_again(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1)])
    ingest(ws, now=NOW)
    file = tmp_path / "keepwell.yaml"
    file.write_text(file.read_text().replace('"2020-01-01"', '"2020-02-01"'))
    made = ingest(Workspace.open(tmp_path), now=NOW)
    assert made.published
    assert made.tables[0].unchanged
    manifest = ws.lake.manifest()
    assert manifest is not None
    assert manifest.tables["trade"].coverage == ((18293, None),)
    file.write_text(file.read_text().replace("delay: 1d", "delay: 2d"))
    assert not ingest(Workspace.open(tmp_path), now=NOW).tables[0].unchanged


def test_later_rows_are_known_when_they_arrive(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1)])
    ingest(ws, now=NOW)
    write_trades(tmp_path, [trade(1), trade(2)])
    assert report(ws) == (2, 1, 0, 1, 0)
    assert content(ws, "trade_id, known_at")[1] == ("2", NOW)
    write_trades(tmp_path, [trade(3)])
    report(ws, backfill=True)
    assert content(ws, "trade_id, known_at")[2] == ("3", datetime(2021, 3, 2, 8, tzinfo=UTC))


def test_conflicts_go_to_quarantine_whatever_their_order(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1), trade(1, quantity=9.0), trade(2), trade(2), trade(3)])
    assert report(ws) == (5, 2, 0, 1, 2)
    assert [r[0] for r in content(ws)] == ["2", "3"]
    kept = entries(ws.lake).to_pylist()
    assert {e["reason"] for e in kept} == {"row.conflict"}
    assert len(kept) == 2
    assert min(e["raw"] for e in kept).startswith('{"trade_id": "1", "client_id": "c1"')
    write_trades(tmp_path, [trade(2, quantity=9.0), trade(4)])
    assert report(ws) == (2, 1, 0, 0, 1)
    assert entries(ws.lake).num_rows == 3
    assert [r[0] for r in content(ws)] == ["2", "3", "4"]


def test_a_higher_revision_is_a_correction(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1, revision=0), trade(2, revision=0)], True)
    assert report(ws) == (2, 2, 0, 0, 0)
    write_trades(tmp_path, [trade(1, revision=1, quantity=9.0), trade(2, revision=0)], True)
    assert report(ws) == (2, 0, 1, 1, 0)
    manifest = ws.lake.manifest()
    assert manifest is not None
    assert manifest.tables["trade"].corrected
    rows = content(ws, "trade_id, revision, quantity, gone_at")
    assert rows == [
        ("1", 0, 150_000_000, NOW),
        ("1", 1, 900_000_000, None),
        ("2", 0, 150_000_000, None),
    ]


def test_a_row_is_taken_back_and_stays_in_the_lake(tmp_path: Path) -> None:
    given = {"revision": 0, "deleted": None}
    ws = workspace(tmp_path, [trade(1, **given), trade(2, **given)], True)
    assert report(ws) == (2, 2, 0, 0, 0)
    gone = {**dict.fromkeys(trade(1)), "trade_id": "1", "revision": 1, "deleted": True}
    nameless = {**gone, "trade_id": None}
    unnumbered = {**gone, "trade_id": "2", "revision": None}
    write_trades(tmp_path, [gone, nameless, unnumbered, trade(3, **given)], True)
    assert report(ws) == (4, 1, 1, 0, 2)
    assert set(entries(ws.lake)["reason"].to_pylist()) == {"cell.missing"}
    assert content(ws, "trade_id, revision, gone_at") == [
        ("1", 0, NOW), ("2", 0, None), ("3", 0, None),
    ]  # fmt: skip
    manifest = ws.lake.manifest()
    assert manifest is not None
    assert manifest.tables["trade"].rows == 4
    # A deletion says only that: sent again with all of its row it is a repeat. It can be undone.
    again = trade(1, revision=1, deleted=True)
    write_trades(tmp_path, [again, trade(1, revision=2, deleted=False)], True)
    assert report(ws) == (2, 0, 1, 1, 0)
    assert content(ws, "revision, gone_at")[:2] == [(0, NOW), (0, None)]
    assert ("1", 2, None) in content(ws, "trade_id, revision, gone_at")


def test_a_deletion_and_a_correction_may_come_before_their_row(tmp_path: Path) -> None:
    gone = {**dict.fromkeys(trade(1)), "trade_id": "1", "revision": 1, "deleted": True}
    early = [{**gone, "known_at": "2021-03-02 00:00:00"}, trade(2, revision=1, quantity=9.0)]
    ws = workspace(tmp_path, early, True)
    assert report(ws) == (2, 2, 0, 0, 0)
    assert [r[0] for r in content(ws, "trade_id")] == ["2"]
    write_trades(tmp_path, [trade(1, revision=0), trade(2, revision=0)], True)
    assert report(ws, accept=True)[:3] == (2, 0, 2)
    rows = content(ws, "trade_id, revision, gone_at is not null and gone_at <= known_at")
    assert rows == [("1", 0, True), ("2", 0, True), ("2", 1, False)]


def test_deleted_needs_a_revision(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1, deleted=True)])
    with pytest.raises(UsageError) as error:
        ingest(ws, now=NOW)
    assert error.value.code == "select.deleted-alone"


def test_without_revisions_nothing_is_corrected(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1, revision=4)], True)
    ingest(ws, now=NOW)
    write_trades(tmp_path, [trade(1, quantity=9.0)])
    assert report(ws, accept=True) == (1, 0, 0, 0, 1)  # the column is gone
    write_trades(tmp_path, [trade(1)])
    assert report(ws) == (1, 0, 0, 1, 0)


def test_clients_without_a_profile_are_kept_and_counted(tmp_path: Path) -> None:
    ws = workspace(
        tmp_path,
        [trade(1, "known"), trade(2, "stranger")],
        clients="client_id,opened_on\nknown,2020-01-01\n",
    )
    made = ingest(ws, now=NOW)
    assert made.clients_without_profile == 1
    assert [r[1] for r in content(ws)] == ["known", "stranger"]


def test_a_trade_before_the_opening_known_in_the_same_ingest(tmp_path: Path) -> None:
    clients = "client_id,opened_on\nc1,2021-03-02\n"
    ws = workspace(tmp_path, [trade(1), trade(2, "c2")], clients=clients)
    assert report(ws) == (2, 1, 0, 0, 1)
    assert entries(ws.lake)["reason"].to_pylist() == ["row.before-opening"]


def test_a_bad_cell_of_the_scan_is_kept_with_its_place(tmp_path: Path) -> None:
    clients = "client_id,opened_on\nc1,2020-01-01\nc2,yesterday\n"
    ws = workspace(tmp_path, [trade(1)], clients=clients)
    made = ingest(ws, now=NOW)
    (entry,) = entries(ws.lake).to_pylist()
    assert (entry["file"], entry["row"], entry["column"]) == ("clients.csv", 3, "opened_on")
    assert made.quarantined == 1


def test_an_error_leaves_the_lake_as_it_was(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [trade(1)], clients="client_id,opened_on\nc1,2020-01-01\n")
    ingest(ws, now=NOW)
    before = sorted(p for p in ws.lake.root.rglob("*") if p.is_file())
    write_trades(tmp_path, [trade(1), trade(2)])
    (tmp_path / "clients.csv").write_text("client,opened_on\nc1,2020-01-01\n")
    with pytest.raises(KeepwellError):
        ingest(ws, now=NOW)
    assert sorted(p for p in ws.lake.root.rglob("*") if p.is_file()) == before
    assert list(ws.scan.iterdir()) == []


def test_no_rows_is_not_no_table(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [])
    ingest(ws, now=NOW)
    manifest = ws.lake.manifest()
    assert manifest is not None
    assert manifest.tables["trade"].rows == 0
    assert content(ws) == []


ROWS = st.lists(
    st.builds(
        lambda n, q, r: trade(n, quantity=float(q), revision=r),
        st.integers(0, 6),
        st.integers(1, 2),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=6, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 2**16))
def test_order_and_repeats_within_an_ingest_do_not_matter(rows: list[dict], seed: int) -> None:
    shuffled = rows + random.Random(seed).choices(rows, k=3)
    random.Random(seed).shuffle(shuffled)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first = workspace(Path(one), rows, True)
        second = workspace(Path(two), shuffled, True)
        report(first)
        report(second)
        assert content(first) == content(second)
        keys = [set(entries(ws.lake)["key"].to_pylist()) for ws in (first, second)]
        assert keys[0] == keys[1]


@settings(max_examples=5, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 2**16), cuts=st.integers(2, 3))
def test_batching_does_not_matter(rows: list[dict], seed: int, cuts: int) -> None:
    """Rows that do not contradict each other make the same lake in one ingest or in several."""
    kept = list({(r["trade_id"], r["revision"]): r for r in rows}.values())
    order = random.Random(seed)
    order.shuffle(kept)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        whole = workspace(Path(one), kept, True)
        report(whole)
        pieces = workspace(Path(two), [], True)
        for part in range(cuts):
            write_trades(Path(two), kept[part::cuts] + order.choices(kept, k=2), True)
            report(pieces)
        assert content(whole) == content(pieces)
