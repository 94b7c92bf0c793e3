"""Monitors: silent on days like all others; every injected fault is found, by its own kind."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from keepwell.core.errors import UsageError
from keepwell.core.text import catalogue
from keepwell.observe.ingest import ingest
from keepwell.observe.lake import open_duckdb
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors import words
from keepwell.observe.monitors.finding import finding_from, finding_to
from keepwell.observe.monitors.incidents import MONITOR, close, incidents_of
from keepwell.observe.monitors.profile import profile_of
from keepwell.observe.monitors.watch import watch
from keepwell.observe.workspace import Workspace
from tests.observe.monitors import broker
from tests.observe.monitors.broker import HOLIDAY, LAST, NEXT, at_nine, drop, sessions, trades

K = MonitorKind


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Eleven weeks that were read in, and nothing unusual."""
    workspace = broker.make(tmp_path_factory.mktemp("watched") / "ws")
    report = ingest(workspace, backfill=True, now=at_nine(LAST))
    assert report.findings == ()
    return workspace


@pytest.fixture
def ws(whole, tmp_path):
    shutil.copytree(whole.root, tmp_path / "ws")
    return Workspace.open(tmp_path / "ws")


def after(ws, day=NEXT, **faulty):
    """What the ingest of one more day finds: (table, kind, column)."""
    drop(ws.root, day, **faulty)
    report = ingest(ws, now=at_nine(day))
    return report.findings


def places(findings):
    return {(f.table, f.kind, f.column) for f in findings}


def test_each_table_is_judged_by_day(whole):
    found = watch(whole, at_nine(LAST))
    assert {t.table: t.length for t in found.tables} == {
        "client": 0, "instrument": 0, "trade": 1, "session": 1, "price": 1
    }  # fmt: skip
    assert {t.table: t.owner for t in found.tables}["trade"] == "m1"
    assert {t.table: t.owner for t in found.tables}["session"] == "data-team"


def test_normal_days_and_a_holiday_are_silent(ws):
    assert after(ws, HOLIDAY, trade=None, price=None) == ()
    assert after(ws, NEXT) == ()
    state = ws.lake.manifest().tables["trade"]
    with open_duckdb() as engine:
        grown = profile_of(ws, "trade", state, NEXT, engine)
        shutil.rmtree(ws.state / "monitors")
        anew = profile_of(ws, "trade", state, NEXT, engine)
    # A profile grown by deliveries is the one made at once.
    assert (grown.days.tolist(), grown.rows.tolist()) == (anew.days.tolist(), anew.rows.tolist())
    for name, counts in anew.columns.items():
        assert counts.bins == grown.columns[name].bins
        assert (counts.counts == grown.columns[name].counts).all()


def doubled(day):
    once = trades(day)
    again = {**once, "trade_id": [f"again-{i}" for i in once["trade_id"]]}
    return {name: once[name] + again[name] for name in once}


def part(day, share):
    rows = trades(day)
    keep = int(len(rows["trade_id"]) * share)
    return {name: values[:keep] for name, values in rows.items()}


def times(rows, column, factor):
    return {**rows, column: [None if v is None else v * factor for v in rows[column]]}


def emptied(rows, column, share):
    luck = np.random.default_rng(1)
    return {**rows, column: [None if luck.random() < share else v for v in rows[column]]}


def strange(values, every, *, factor=0):
    """A few values of many: multiplied, or names that nobody knows."""
    return [v if i % every else v * factor if factor else f"x{i}" for i, v in enumerate(values)]


def many():
    """Faults of a day, each of another column."""
    dealt = times(times(trades(NEXT), "amount", 100), "quantity", 0.01)
    dealt["client_id"] = strange(dealt["client_id"], 5)
    dealt["instrument_id"] = strange(dealt["instrument_id"], 5)
    seen = emptied(times(sessions(NEXT), "seconds", 60), "latency_ms", 0.5)
    seen["pages"] = strange(seen["pages"], 20, factor=10**5)
    return {
        "trade": emptied(dealt, "commission", 0.5), "session": seen,
        "price": times(broker.prices(NEXT), "close", 100),
    }  # fmt: skip


def test_every_injected_fault_is_found_and_nothing_else(ws):
    found = after(ws, **many())
    assert places(found) == {
        ("trade", K.UNITS, "amount"), ("trade", K.UNITS, "quantity"),
        ("trade", K.GAPS, "client_id"), ("trade", K.GAPS, "instrument_id"),
        ("trade", K.NULLS, "commission"), ("session", K.UNITS, "seconds"),
        ("session", K.NULLS, "latency_ms"), ("session", K.RANGES, "pages"),
        ("price", K.UNITS, "close"),
    }  # fmt: skip
    factors = {f.column: f.factor for f in found if f.kind is K.UNITS}
    assert factors == {"amount": 100, "quantity": 0.01, "seconds": 60, "close": 100}
    for one in found:
        assert one.since == one.until == NEXT
        assert finding_from(finding_to(one)) == one
        assert words.told(one, "en") != words.told(one, "zh")
        longer = words.told(replace(one, until=NEXT + timedelta(days=1)), "en")
        assert (" on " in words.told(one, "en"), " since " in longer) == (True, True)
        assert " on " not in longer
    _well_again(ws)


def _well_again(ws):
    """Corrected by key and revision, every monitor is silent."""
    right = {**trades(NEXT), "revision": [1] * len(trades(NEXT)["trade_id"])}
    broker.put(ws.root, "trade", "corrected", right)
    assert {f.table for f in ingest(ws, now=at_nine(NEXT)).findings} == {"session", "price"}


def test_too_few_rows(ws):
    assert places(after(ws, trade=part(NEXT, 0.3))) == {("trade", K.VOLUME, "")}


def test_a_day_left_out_is_late_and_then_a_gap(ws):
    (late,) = after(ws, trade=None)
    assert (late.kind, late.source, late.owner, late.until) == (K.FRESHNESS, "trades", "m1", LAST)
    (lasts,) = incidents_of(ws)
    assert (lasts.kind, lasts.closed_at) == (K.FRESHNESS, None)
    (gap,) = after(ws, NEXT + timedelta(days=1))
    # Well again: what is late no more closes by itself; the gap is another incident.
    assert [(i.kind, i.closed_by) for i in incidents_of(ws)] == [
        (K.FRESHNESS, MONITOR), (K.VOLUME, "")
    ]  # fmt: skip
    assert (gap.table, gap.kind, gap.until, gap.value) == ("trade", K.VOLUME, NEXT, 0)


def test_drift_needs_two_days(ws):
    def sold(day):
        rows = trades(day)
        return {**rows, "side": ["sell"] * len(rows["side"])}

    assert after(ws, trade=sold(NEXT)) == ()
    second = NEXT + timedelta(days=1)
    found = after(ws, second, trade=sold(second))
    assert places(found) == {("trade", K.DRIFT, "side")}
    assert (found[0].since, found[0].until) == (NEXT, second)


def test_an_incident_per_source_and_kind_lasts_until_a_person_calls_it_right(ws):
    jump = times(times(trades(NEXT), "amount", 100), "commission", 100)
    after(ws, trade=jump)
    (one,) = watch(ws, at_nine(NEXT)).incidents
    assert (one.number, one.source, one.kind, one.owner) == (1, "trades", K.UNITS, "m1")
    assert {f.column for f in one.findings} == {"amount", "commission"}
    close(ws, 1, "anna", "The feed is in fen from now on.")
    again = watch(ws, at_nine(NEXT))
    assert (again.findings, again.incidents) == ((), ())
    (kept,) = incidents_of(ws)
    assert (kept.closed_by, kept.reason) == ("anna", "The feed is in fen from now on.")
    with pytest.raises(UsageError, match="1"):
        close(ws, 1, "anna", "Again.")
    # It is the usual now; with too few such days before nothing is said of the column.
    day = NEXT + timedelta(days=1)
    then = times(times(trades(day), "amount", 100), "commission", 100)
    assert after(ws, day, trade=then) == ()


def test_too_many_rows_and_thresholds_are_settings(ws, monkeypatch):
    def told(extra):
        text = broker.MAPPING.replace(
            "trade: {sql: select * from trades,",
            f"trade: {{sql: select * from trades, monitors: {extra},",
        )
        (ws.root / "keepwell.yaml").write_text(text)
        return places(watch(Workspace.open(ws.root), at_nine(NEXT)).findings)

    assert places(after(ws, trade=doubled(NEXT))) == {("trade", K.VOLUME, "")}
    with monkeypatch.context() as closed:  # looked at again, no row is read
        closed.setattr("keepwell.observe.monitors.watch.open_duckdb", None)
        assert places(watch(ws, at_nine(NEXT)).findings) == {("trade", K.VOLUME, "")}
    assert told("{volume: 3}") == told("{off: [volume]}") == set()
    assert told("{volume: 3, bounds: {amount: [0, 30000]}}") == {("trade", K.RANGES, "amount")}


def test_every_monitor_speaks_chinese():
    for texts in (words.TITLES, words.RULES, words.REMEDIES, words._WORDS):
        assert set(texts) == set(MonitorKind)
        assert all(text in catalogue() for text in texts.values())


def test_nothing_was_read_in_yet(tmp_path):
    found = watch(broker.make(tmp_path / "new"))
    assert (found.manifest, found.findings) == (0, ())


def test_history_is_judged_as_of_its_own_end(ws):
    """Data declared to end are not late for ever; open ones are."""
    years_on = at_nine(date(2029, 1, 2))
    assert K.FRESHNESS in {f.kind for f in watch(ws, years_on).findings}
    text = broker.MAPPING.replace(", null]]", f', "{NEXT}"]]')
    (ws.root / "keepwell.yaml").write_text(text)
    ended = watch(Workspace.open(ws.root), years_on)
    assert (ended.findings, ended.today.by, ended.today.day) == ((), "covers", NEXT)
    (ws.root / "keepwell.yaml").write_text(broker.MAPPING + f'dates: {{rank: "{LAST}"}}\n')
    ranked = watch(Workspace.open(ws.root), years_on)
    assert (ranked.findings, ranked.today.by, ranked.today.day) == ((), "rank", LAST)
