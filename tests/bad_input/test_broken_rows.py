"""Rows that cannot be true: set aside with a reason; the others are taken."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

LATER = "T4,C1,2024-03-02 10:00:00,600000,buy,5,50.00"


def test_12_the_same_id_twice_with_other_content(broker) -> None:
    broker.trades(LATER, LATER.replace("50.00", "51.00"))
    report = broker.ingest()
    assert [e["reason"] for e in broker.quarantined()] == ["row.conflict"] * 2
    assert report.quarantined == 2
    assert ("T4",) not in broker.key_list()


def test_13_the_same_row_twice_is_counted_and_ignored(broker) -> None:
    broker.trades(LATER, LATER)
    report = broker.ingest()
    (trade,) = [t for t in report.tables if t.table == "trade"]
    assert (trade.read, trade.added, trade.ignored, trade.quarantined) == (5, 1, 4, 0)
    assert broker.key_list() == [("T1",), ("T2",), ("T3",), ("T4",)]


def test_14_clients_without_a_profile_are_kept_and_counted(broker) -> None:
    broker.trades(LATER.replace("C1", "C9"))
    report = broker.ingest()
    assert report.clients_without_profile == 1
    assert report.quarantined == 0
    assert ("T4",) in broker.key_list()


@pytest.mark.parametrize(
    ("old", "new", "reason", "column"),
    [
        (",5,", ",-5,", "cell.below-zero", "quantity"),
        ("50.00", "1000000000000000000", "cell.too-large", "amount"),
        ("2024-03-02", "2031-03-02", "row.in-future", "at"),
        ("C1,2024-03-02", "C2,2024-01-15", "row.before-opening", "at"),
        ("buy", "purchased", "cell.not-in-list", "side"),
        ("T4,C1", "T4,=cmd|' /C calc'!A0", "cell.formula", "client_id"),
        ("T4,C1", "T4,", "cell.missing", "client_id"),
    ],
    ids=[
        "15_negative_quantity",
        "16_amount_of_10_to_the_18",
        "17_in_the_future",
        "18_before_the_client_was_opened",
        "19_side_not_in_the_list",
        "20_formula_as_an_id",
        "21_no_client",
    ],
)
def test_a_value_that_cannot_be(broker, old: str, new: str, reason: str, column: str) -> None:
    assert LATER.count(old) == 1
    broker.trades(LATER.replace(old, new))
    entry = broker.one_reject(reason, column)
    assert entry["table"] == "trade"
    assert "T4" in entry["key"]
    assert broker.key_list() == [("T1",), ("T2",), ("T3",)]


@pytest.mark.parametrize(
    ("old", "new", "reason", "column"),
    [
        ("50.00", "50,00元", "row.ragged", None),
        ("50.00", "NaN", "cell.not-decimal", "金额"),
        ("50.00", "=1+1", "cell.not-decimal", "金额"),
        ("2024-03-02", "2024-02-30", "cell.not-instant", "成交时间"),
        ("2024-03-02 10:00:00", "02/03/2024 10:00", "cell.not-instant", "成交时间"),
    ],
    ids=[
        "22_decimal_comma",
        "23_nan_text",
        "23_formula_as_an_amount",
        "24_no_such_day",
        "24_other_form",
    ],
)
def test_a_cell_that_cannot_be_read(broker, old, new, reason, column) -> None:
    broker.trades(LATER.replace(old, new))
    entry = broker.one_reject(reason, column)
    assert (entry["source"], entry["file"], entry["row"]) == ("trades", "trades.csv", 5)
    assert "T4" in entry["raw"]
    assert broker.key_list() == [("T1",), ("T2",), ("T3",)]


def test_25_mixed_time_zones(broker) -> None:
    """Without a declared zone only instants with an offset are read; none is guessed."""
    broker.mapping("{type: instant, timezone: Asia/Shanghai}", "instant")
    broker.trades(
        LATER.replace("10:00:00", "10:00:00+08:00"),
        LATER.replace("T4", "T5").replace("10:00:00", "02:00:00Z"),
        LATER.replace("T4", "T6"),
        keep=False,
    )
    entry = broker.one_reject("cell.no-zone", "成交时间")
    assert "T6" in entry["raw"]
    with broker.open().lake.connect() as engine:
        rows = engine.execute(
            "select trade_id, epoch(\"at\") from trade where trade_id in ('T4', 'T5')"
        ).fetchall()
    assert len(rows) == 2
    assert rows[0][1] == rows[1][1]


def test_26_nan_in_parquet(broker) -> None:
    holdings = pq.read_table(broker.folder / "holdings.parquet")
    more = [
        *holdings.to_pylist(),
        {**holdings.to_pylist()[0], "instrument_id": "000002", "quantity": float("nan")},
        {**holdings.to_pylist()[0], "instrument_id": "000003", "quantity": float("inf")},
    ]
    pq.write_table(
        pa.Table.from_pylist(more, schema=holdings.schema), broker.folder / "holdings.parquet"
    )
    report = broker.ingest()
    assert report.quarantined == 2
    assert {(e["reason"], e["column"]) for e in broker.quarantined()} == {
        ("cell.not-double", "quantity")
    }
    assert len(broker.key_list("holding")) == 2


def test_27_ragged_rows_are_named_and_the_rest_is_taken(broker) -> None:
    broker.trades("T8,C1", LATER, LATER.replace("T4", "T5") + ",extra")
    report = broker.ingest()
    assert report.quarantined == 2
    assert [(e["row"], e["detail"]) for e in broker.quarantined()] == [
        (5, {"found": 2, "expected": 7}),
        (7, {"found": 8, "expected": 7}),
    ]
    assert ("T4",) in broker.key_list()


def test_source_keys_are_lake_keys_and_quarantine_keys(broker) -> None:
    broker.trades(
        LATER,
        LATER.replace("T4", "T5").replace("50.00", "x"),
        LATER.replace("T4", "T6").replace(",5,", ",-5,"),
    )
    broker.ingest()
    aside = {word for e in broker.quarantined() for word in ("T4", "T5", "T6") if word in e["raw"]}
    assert aside == {"T5", "T6"}
    assert {key for (key,) in broker.key_list()} | aside == {"T1", "T2", "T3", "T4", "T5", "T6"}
