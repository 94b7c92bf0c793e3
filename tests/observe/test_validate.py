from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from keepwell.core.errors import REASONS
from keepwell.observe.contract import TABLES
from keepwell.observe.validate import Context, Openings, Validated, validate

ATHENS = ZoneInfo("Europe/Athens")
NOW = datetime(2021, 7, 1, 12, tzinfo=UTC)
CONTEXT = Context(ATHENS, "EUR", NOW, "export", backfill=True, delay_days=1)
SKEWED = replace(CONTEXT, skew_us=300_000_000)


def row(**other: Any) -> dict[str, Any]:
    good = {
        "trade_id": "1",
        "client_id": "c",
        "at": "2021-03-01 10:00:00",
        "side": "buy",
        "quantity": 2.0,
        "amount": 10.0,
    }
    return {**good, **other}


def check(*rows: dict[str, Any], table: str = "trade", context: Context = CONTEXT) -> Validated:
    return validate(TABLES[table], pa.Table.from_pylist(list(rows)), context)


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"trade_id": ""}, "trade_id", "cell.missing"),
        ({"trade_id": None}, "trade_id", "cell.missing"),
        ({"client_id": "=cmd|' /C calc'!A0"}, "client_id", "cell.formula"),
        ({"client_id": "a\x00b"}, "client_id", "cell.control-character"),
        ({"at": "2021-13-01"}, "at", "cell.not-instant"),
        ({"at": None}, "at", "cell.missing"),
        ({"at": "2021-07-01 15:00:01"}, "at", "row.in-future"),
        ({"side": "short"}, "side", "cell.not-in-list"),
        ({"side": None}, "side", "cell.missing"),
        ({"quantity": -2.0}, "quantity", "cell.below-zero"),
        ({"quantity": float("nan")}, "quantity", "cell.not-double"),
        ({"amount": float("inf")}, "amount", "cell.not-double"),
        ({"amount": 1e18}, "amount", "cell.too-large"),
        ({"currency": "XQX"}, "currency", "cell.unknown-currency"),
        ({"known_at": "2021-07-01 15:00:01"}, "known_at", "row.in-future"),
        ({"revision": -1}, "revision", "cell.below-zero"),
    ],
)
def test_a_bad_cell_is_named(changes: dict[str, Any], column: str, reason: str) -> None:
    optional = dict.fromkeys(changes)
    found = check(
        row(trade_id="good", **{k: None for k in optional if k not in row()}), row(**changes)
    )
    assert found.good["trade_id"].to_pylist() == ["good"]
    assert found.rejected == 1
    (entry,) = found.rejects.to_pylist()
    assert (entry["column"], entry["reason"]) == (column, reason)
    assert reason in REASONS
    assert entry["source"] == "export"
    given = changes[column]
    shown = str(given) if isinstance(given, float) and not np.isfinite(given) else given
    assert json.loads(entry["detail"])["value"] == shown
    assert json.loads(entry["raw"])[column] == shown
    assert json.loads(entry["key"]) == {"trade_id": changes.get("trade_id", "1")}


def test_a_row_with_two_faults_is_one_row() -> None:
    found = check(row(side="x", quantity=-1.0))
    assert found.rejected == 1
    assert found.good.num_rows == 0
    assert sorted(found.rejects["reason"].to_pylist()) == ["cell.below-zero", "cell.not-in-list"]


def test_good_rows_in_the_lake_s_types() -> None:
    good = check(row()).good
    schema = TABLES["trade"].arrow_schema()
    assert good.schema.names == [name for name in schema.names if name != "row_hash"]
    assert [f.type for f in good.schema] == [f.type for f in schema if f.name != "row_hash"]
    (made,) = good.to_pylist()
    assert (made["quantity"], made["amount"], made["currency"]) == (200_000_000, 1000, "EUR")
    assert made["at"] == datetime(2021, 3, 1, 8, tzinfo=UTC)
    assert (made["source"], made["revision"], made["channel"]) == ("export", 0, None)


@pytest.mark.parametrize(
    ("changes", "context", "known"),
    [
        # Athens goes to summer time on 28 March: a day later on the calendar is 23 hours later.
        ({"at": "2021-03-27 12:00:00"}, CONTEXT, datetime(2021, 3, 28, 9, tzinfo=UTC)),
        ({}, replace(CONTEXT, backfill=False), NOW),
        ({"known_at": "2021-05-01"}, CONTEXT, datetime(2021, 4, 30, 21, tzinfo=UTC)),
        (
            {"known_at": "2021-05-01"},
            replace(CONTEXT, backfill=False),
            datetime(2021, 4, 30, 21, tzinfo=UTC),
        ),
        ({"known_at": "2021-03-01 09:55:00"}, SKEWED, datetime(2021, 3, 1, 8, tzinfo=UTC)),
        ({"at": "2021-07-01 14:00:00"}, CONTEXT, NOW),
    ],
    ids=["backfill", "now", "stated", "stated later", "never before it happened", "never later"],
)
def test_when_an_event_was_known(changes: dict, context: Context, known: datetime) -> None:
    (made,) = check(row(**changes), context=context).good.to_pylist()
    assert made["known_at"] == known


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"at": "2021-07-01 15:05:00"}, ""),
        ({"at": "2021-07-01 15:05:01"}, "row.in-future"),
        ({"known_at": "2021-03-01 09:54:59"}, "row.ahead-of-known"),
        ({"known_at": "2021-07-01 15:00:01"}, "row.in-future"),
    ],
)
def test_a_clock_may_run_ahead_a_little(changes: dict, reason: str) -> None:
    found = check(row(**changes), context=SKEWED)
    assert found.rejects["reason"].to_pylist() == ([reason] if reason else [])
    for made in found.good.to_pylist():
        assert made["known_at"] == made["at"] == NOW + timedelta(minutes=5)


def test_when_a_close_was_known() -> None:
    balance = {"client_id": "c", "day": date(2021, 3, 1), "cash": 1.0}
    (made,) = check(balance, table="balance").good.to_pylist()
    assert made["known_at"] == datetime(2021, 3, 2, 22, tzinfo=UTC)


def test_states_are_known_from_their_ingest_and_names_from_ever() -> None:
    (made,) = check({"account_id": "a", "client_id": "c"}, table="account").good.to_pylist()
    assert made["known_at"] == NOW
    (made,) = check({"instrument_id": "i"}, table="instrument").good.to_pylist()
    assert made["known_at"] == datetime(1970, 1, 1, tzinfo=UTC)


def test_today_s_close_is_no_future_but_tomorrow_s_is() -> None:
    days = [date(2021, 7, 1), date(2021, 7, 2)]
    found = check(*({"client_id": "c", "day": d, "cash": 1.0} for d in days), table="balance")
    assert found.good["day"].to_pylist() == days[:1]
    assert found.rejects["reason"].to_pylist() == ["row.in-future"]
    maturity = {"instrument_id": "i", "maturity_on": date(2050, 1, 1)}
    assert check(maturity, table="instrument").rejected == 0


def test_nothing_happens_before_a_client_s_opening() -> None:
    opened = Openings.of(
        pa.table(
            {
                "client_id": ["c", "c", "d"],
                "opened_on": pa.array([date(2021, 3, 2), date(2021, 3, 1), None], pa.date32()),
            }
        )
    )
    context = replace(CONTEXT, openings=opened)
    rows = [
        row(trade_id=str(n), at=at, client_id=client)
        for n, (client, at) in enumerate(
            [
                ("c", "2021-03-01 00:00:00"),
                ("c", "2021-02-28 23:59:59"),
                ("d", "2001-01-01"),
                ("nobody", "2001-01-01"),
            ]
        )
    ]
    found = check(*rows, context=context)
    assert found.good["trade_id"].to_pylist() == ["0", "2", "3"]
    assert found.rejects["reason"].to_pylist() == ["row.before-opening"]


def test_zones_may_be_mixed() -> None:
    found = check(
        row(at="2021-03-01 10:00:00"),
        row(at="2021-03-01T08:00:00Z"),
        row(at="2021-03-01 16:00:00+08:00"),
    )
    assert len(set(found.good["at"].to_pylist())) == 1


def test_a_batch_of_nothing() -> None:
    empty = pa.Table.from_pylist([row()]).slice(0, 0)
    found = validate(TABLES["trade"], empty, CONTEXT)
    assert (found.good.num_rows, found.rejects.num_rows, found.rejected) == (0, 0, 0)


def test_many_rows_take_no_time() -> None:
    """Whole columns at once: a loop over rows would take a hundred times as long."""
    import time

    count = 200_000
    batch = pa.table(
        {
            "trade_id": pa.array(np.arange(count)).cast(pa.string()),
            "client_id": pa.array(np.arange(count) % 977).cast(pa.string()),
            "at": pa.array(
                [
                    datetime(2021, 1, 1) + timedelta(minutes=int(i))  # noqa: DTZ001
                    for i in range(1000)
                ]
                * (count // 1000)
            ),
            "side": ["buy", "sell"] * (count // 2),
            "amount": np.random.default_rng(1).random(count) * 1e4,
        }
    )
    before = time.process_time()
    assert validate(TABLES["trade"], batch, CONTEXT).good.num_rows == count
    assert time.process_time() - before < 5
