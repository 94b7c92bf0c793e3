"""From the spool into the lake: once, through all checks, without changing what is covered."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from keepwell.core.errors import UsageError
from keepwell.observe import quarantine, spool_ingest
from keepwell.observe.contract import TABLES
from keepwell.observe.ingest import ingest
from keepwell.observe.spool import Spool
from keepwell.observe.spool_ingest import drain, spool_of, waiting
from keepwell.observe.spool_rows import check
from keepwell.observe.validate import Context
from keepwell.observe.workspace import Workspace

AT = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)
LATER = AT + timedelta(minutes=5)
YAML = """\
version: 1
name: Events
timezone: Asia/Shanghai
currency: CNY
sources:
  trades: {path: trades.csv}
tables:
  trade:
    sql: >-
      select trade_id, client_id, cast("at" as timestamptz) as at, 'buy' as side,
      cast(amount as decimal(18, 2)) as amount from trades
    delay: 1d
    covers: [["2025-01-01", "2026-01-01"]]
"""


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "keepwell.yaml").write_text(YAML, "utf-8")
    (tmp_path / "trades.csv").write_text(
        "trade_id,client_id,at,amount\nT1,c1,2025-06-02 10:00:00+08,10.00\n", "utf-8"
    )
    return Workspace.open(tmp_path)


def trade(number, **more):
    return {
        "trade_id": f"T{number}", "client_id": "c1", "at": "2026-03-04T09:30:00+08:00",
        "side": "buy", "amount": 10, **more,
    }  # fmt: skip


def send(workspace, batch, rows, table="trade", faults=(), at=AT, source="core"):
    content = {"table": table, "rows": rows, "faults": list(faults)}
    return spool_of(workspace).append(source, batch, content, at).sequence


def rows_of(workspace, table="trade", columns="*"):
    connection = workspace.lake.connect()
    try:
        # Arrow, since DuckDB needs pytz for instants of its own.
        found = connection.sql(f"select {columns} from {table} order by all").to_arrow_table()
        return [tuple(row.values()) for row in found.to_pylist()]
    finally:
        connection.close()


def test_rows_reach_the_lake_known_since_their_acknowledgement(workspace):
    assert not waiting(workspace)
    ingest(workspace, now=AT)
    before = workspace.lake.manifest().tables["trade"]
    send(workspace, "b1", [trade(2, amount="0.07"), trade(3, amount=1.1)])
    send(workspace, "b2", [trade(4)], at=AT + timedelta(seconds=1))
    assert waiting(workspace)
    report = drain(workspace, LATER)
    assert (report.batches, report.rows, report.added, report.sequence) == (2, 3, 3, 2)
    assert not waiting(workspace)
    found = rows_of(
        workspace, columns='trade_id, amount, source, epoch_us(known_at), epoch_us("at")'
    )[1:]
    at = int(datetime(2026, 3, 4, 1, 30, tzinfo=UTC).timestamp() * 1e6)
    known = int(AT.timestamp() * 1e6)
    assert found == [
        ("T2", 7, "event:core", known, at),
        ("T3", 110, "event:core", known, at),
        ("T4", 1000, "event:core", known + 1_000_000, at),
    ]
    after = workspace.lake.manifest().tables["trade"]
    assert after.coverage == before.coverage != ()
    assert (after.full_days, after.inputs, after.rows) == (before.full_days, before.inputs, 4)


def test_again_is_nothing_new(workspace):
    send(workspace, "b1", [trade(2)])
    drain(workspace, LATER)
    manifest = workspace.lake.manifest().id
    assert drain(workspace, LATER).batches == 0
    send(workspace, "b2", [trade(2), trade(3), trade(3)])
    report = drain(workspace, LATER)
    assert (report.added, report.ignored, report.quarantined) == (1, 2, 0)
    assert [r[0] for r in rows_of(workspace, columns="trade_id")] == ["T2", "T3"]
    assert workspace.lake.manifest().id == manifest + 1


def test_conflicts_and_corrections(workspace):
    send(workspace, "b1", [trade(2)])
    drain(workspace, LATER)
    send(workspace, "b2", [trade(2, amount=11), trade(2, amount=12, revision=1)])
    report = drain(workspace, LATER)
    assert (report.added, report.quarantined) == (1, 1)
    (entry,) = quarantine.entries(workspace.lake).to_pylist()
    assert (entry["reason"], entry["source"]) == ("row.conflict", "event:core")
    assert rows_of(workspace, columns="amount, revision") == [(1000, 0), (1200, 1)]
    assert workspace.lake.manifest().tables["trade"].corrected


def test_a_row_is_taken_back(workspace):
    send(workspace, "b1", [trade(2), trade(3)])
    drain(workspace, LATER)
    gone = {"trade_id": "T2", "revision": 1, "deleted": True}
    alone = {"trade_id": "T3", "deleted": True}
    send(workspace, "b2", [gone, alone], at=AT + timedelta(seconds=5))
    report = drain(workspace, LATER)
    assert (report.added, report.quarantined) == (1, 1)
    (entry,) = quarantine.entries(workspace.lake).to_pylist()
    assert (entry["reason"], entry["column"]) == ("cell.missing", "revision")
    ended = int((AT + timedelta(seconds=5)).timestamp() * 1e6)
    assert rows_of(workspace, columns="trade_id, epoch_us(gone_at)") == [
        ("T2", ended), ("T3", None)
    ]  # fmt: skip


def test_what_was_refused_goes_to_the_quarantine_and_a_retry_leaves_it(workspace):
    ingest(workspace, now=AT)
    rows = [trade(2), trade(3, amount="x"), trade(4, at="2026-03-04T09:30:00")]
    send(workspace, "b1", rows, faults=[(1, "amount", "cell.not-decimal")])
    report = drain(workspace, LATER)
    assert (report.added, report.quarantined) == (1, 2)
    kept = quarantine.entries(workspace.lake).to_pylist()
    assert [(e["file"], e["row"], e["column"], e["reason"]) for e in kept] == [
        ("b1", 2, "amount", "cell.not-decimal"),
        ("b1", 3, "at", "cell.no-zone"),
    ]
    assert '"T3"' in kept[0]["key"]
    # The same bad row in another batch is another entry; in the same drain again it is not.
    send(workspace, "b2", [trade(3, amount="x")], faults=[(0, "amount", "cell.not-decimal")])
    drain(workspace, LATER)
    assert quarantine.retry(workspace).resolved == 0
    assert quarantine.entries(workspace.lake).num_rows == 3


def test_a_row_before_the_opening_is_found_at_the_drain(workspace):
    client = {"client_id": "c1", "valid_from": "2026-03-01T00:00:00Z", "opened_on": "2026-03-01"}
    send(workspace, "b1", [client], table="client")
    send(workspace, "b2", [trade(1, at="2026-02-01T00:00:00Z"), trade(2)])
    report = drain(workspace, LATER)
    assert (report.added, report.quarantined) == (2, 1)
    (entry,) = quarantine.entries(workspace.lake).to_pylist()
    assert entry["reason"] == "row.before-opening"
    assert rows_of(workspace, "client", "opened_on") == [(date(2026, 3, 1),)]


def test_events_before_the_first_ingest_leave_it_a_backfill(workspace):
    send(workspace, "b1", [trade(2)])
    drain(workspace, LATER)
    assert workspace.lake.manifest().tables["trade"].coverage == ()
    ingest(workspace, now=LATER)
    known = dict(rows_of(workspace, columns="trade_id, known_at"))
    assert known["T1"] == datetime(2025, 6, 3, 2, 0, tzinfo=UTC)
    assert known["T2"] == AT
    assert len(workspace.lake.manifest().tables["trade"].coverage) == 1


def test_another_writer_of_the_lake_makes_it_wait(workspace):
    send(workspace, "b1", [trade(2)])
    with workspace.lake.writer(), pytest.raises(UsageError) as error:
        drain(workspace, LATER)
    assert error.value.code == "lake.writer-busy"
    assert drain(workspace, LATER).added == 1


@pytest.mark.parametrize("step", ["record", "commit", "publish", "set_drained"])
def test_broken_off_at_any_step_it_goes_on(workspace, monkeypatch, step):
    """And what arrived in between comes along."""
    send(workspace, "b1", [trade(2), trade(3, amount="x")])
    send(workspace, "b1", [{"series": "S", "day": "2026-03-03", "close": 1.5}], "index_price",
         source="mkt")  # fmt: skip

    class Died(Exception):
        pass

    from keepwell.observe.lake_writer import LakeWriter

    targets = {
        "record": (quarantine, "record"), "commit": (LakeWriter, "commit"),
        "publish": (LakeWriter, "publish"), "set_drained": (Spool, "set_drained"),
    }  # fmt: skip
    home, name = targets[step]
    real = getattr(home, name)
    calls = []

    def once(*given, **named):
        calls.append(1)
        if step == "commit" and len(calls) < 3:
            return real(*given, **named)  # the last of three commits is the one that dies
        raise Died

    monkeypatch.setattr(home, name, once)
    with pytest.raises(Died):
        drain(workspace, LATER)
    monkeypatch.undo()
    send(workspace, "b2", [trade(4), trade(2)])
    drain(workspace, LATER)
    assert [r[0] for r in rows_of(workspace, columns="trade_id")] == ["T2", "T4"]
    assert len(rows_of(workspace, "index_price")) == 1
    assert quarantine.entries(workspace.lake).num_rows == 1


def test_rounds_are_bounded(workspace, monkeypatch):
    monkeypatch.setattr(spool_ingest, "ROUND_ROWS", 2)
    for n in range(5):
        send(workspace, f"b{n}", [trade(n)])
    assert drain(workspace, LATER).added == 5
    assert len(rows_of(workspace)) == 5
    assert workspace.lake.manifest().id == 3


def test_a_lost_spool_does_not_reuse_the_lakes_numbers(workspace):
    for n in range(3):
        send(workspace, f"b{n}", [trade(n)])
    drain(workspace, LATER)
    for file in (workspace.state / "spool").iterdir():
        file.unlink()
    spool_ingest._SPOOLS.clear()
    assert send(workspace, "new", [trade(9)]) == 4
    assert drain(workspace, LATER).added == 1


@pytest.mark.parametrize("table", TABLES)
def test_every_table_takes_rows_of_nothing(table):
    from zoneinfo import ZoneInfo

    context = Context(ZoneInfo("Asia/Shanghai"), "CNY", AT)
    found = check(TABLES[table], [{}, dict.fromkeys(TABLES[table].names)], context)
    assert found.good.num_rows == 0
    assert found.rejected == 2
    assert {(c, why) for _, c, why in found.faults} == {
        (name, "cell.missing") for name in TABLES[table].required
    }


@pytest.mark.parametrize(
    ("given", "minor"),
    [
        ("0.005", 0), ("0.015", 2), ("0.0050000000000001", 1), (0.1, 10), (1e-7, 0),
        ("9999999999.99", 999999999999), (12345678.91, 1234567891), (7, 700),
    ],
)  # fmt: skip
def test_amounts_are_exact(given, minor):
    from zoneinfo import ZoneInfo

    context = Context(ZoneInfo("Asia/Shanghai"), "CNY", AT)
    found = check(TABLES["trade"], [trade(1, amount=given)], context)
    assert found.faults == []
    assert found.good["amount"].to_pylist() == [minor]
    assert minor == int(Decimal(str(given)).quantize(Decimal("0.01")) * 100)


def test_quantities_are_exact_where_a_double_is_not():
    from zoneinfo import ZoneInfo

    context = Context(ZoneInfo("Asia/Shanghai"), "CNY", AT)
    found = check(TABLES["trade"], [trade(1, quantity="1234567890.12345678")], context)
    assert found.good["quantity"].to_pylist() == [123456789012345678]
