"""From a run of the main job to the desk: clients, profiles, reasons, hold-out, the lake's news."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from keepwell.api import has_desk, ingest, run
from keepwell.intervene import publish as module
from keepwell.intervene.incident.model import StaleMark
from keepwell.intervene.publish import catch_up, publish_run
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.learn.outcome.service import Matured
from keepwell.learn.value.basis import basis_words
from keepwell.learn.value.book import value_ranking
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.mapping_value import Value
from keepwell.observe.monitors.finding import Finding
from keepwell.observe.spool_ingest import drain, spool_of
from keepwell.observe.workspace import Workspace
from keepwell.trust.book.model import Client, Generation
from tests.desk import Desk, Ticker, make_schema
from tests.learn.broker import few_trees, world, write

RANK = datetime(2021, 12, 31, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    root = tmp_path_factory.mktemp("published") / "ws"
    workspace = write(root, world(50))
    ingest(workspace)
    assert not has_desk(workspace)
    with few_trees():
        return root, run(workspace, locale="en")


@pytest.fixture
def desk(ran):
    root, _ = ran
    file = root / ".keepwell" / "desk.sqlite"
    file.unlink(missing_ok=True)
    make_schema(f"sqlite:///{file}")
    made = Desk.open(root, f"sqlite:///{file}", Ticker())
    assert has_desk(Workspace.open(root))
    yield made
    made.close()


def test_the_desk_shows_what_the_run_found(desk, ran):
    _, result = ran
    done = publish_run(desk.frame, result)
    ranking = result.ranking
    assert (done.clients, done.caught_up) == (len(ranking.clients), 0)
    with desk.frame.read() as tx:
        rows = {c.client_id: c for c in tx.session.scalars(select(Client))}
        generation = tx.session.get(Generation, done.generation)
        assert (generation.as_of, generation.scored) == (ranking.as_of, done.scored)
        arms = list(tx.session.scalars(select(HoldoutArm.client_id)))
    assert sorted(rows) == ranking.clients
    assert sorted(arms) == ranking.clients
    tiers = ranking.tiers()
    for place, client in enumerate(ranking.clients):
        row = rows[client]
        scored = bool(ranking.scored[place])
        assert row.score == (pytest.approx(ranking.score[place]) if scored else None)
        assert row.tier == (tiers[place] or "none")
        assert row.note == str(ranking.note[place])
        assert row.manager_id == ranking.manager[place]
        assert row.last_activity == ranking.last_activity[place]
        told = ranking.explanations.get(client)
        codes = [str(reason.code) for reason in told.reasons] if told else []
        assert [reason["code"] for reason in row.reasons] == codes
    profiles = [r for r in rows.values() if r.opened_on is not None]
    assert profiles
    assert {r.branch_id for r in profiles} - {None}


def test_clients_are_published_with_what_they_are_worth(desk, ran, monkeypatch):
    _, result = ran
    # The small broker tells no commissions; a published tariff gives a line of income.
    tariff = Value.model_validate({"commission_tiers": [{"turnover_from": 0, "bps": 25}]})
    workspace = desk.frame.workspace
    mapping = workspace.mapping.model_copy(update={"value": tariff})
    rated = replace(workspace, mapping=mapping)
    monkeypatch.setattr(desk, "frame", replace(desk.frame, workspace=rated))
    number = publish_run(desk.frame, result).generation
    book = value_ranking(rated, result.engine, result.ranking, result.version)
    low, high = book.values.interval()
    columns = (book.values.value, low, high, book.values.lost)
    with desk.frame.read() as tx:
        rows = {c.client_id: c for c in tx.session.scalars(select(Client))}
        basis = tx.session.get(Generation, number).value_basis
    for place, client in enumerate(book.ranking.clients):
        row = rows[client]
        found = (row.value, row.value_low, row.value_high, row.value_lost)
        assert found == tuple(None if c[place] != c[place] else round(c[place]) for c in columns)
    valued = [row for row in rows.values() if row.value is not None]
    assert len(valued) == book.valued.sum() == basis["valued"] > 0
    assert all(row.value_low < row.value < row.value_high for row in valued if row.value)
    assert basis["lines"] == {"commission": True}
    assert "cash_spread" in basis["absent"]
    words = basis_words(basis, "en")
    assert "At your rates: commission." in words
    assert any(w.startswith("Not known, so in no value: ") and "cash spread" in w for w in words)
    assert "按贵司费率：佣金。" in basis_words(basis, "zh")


def test_without_any_income_known_clients_are_published_without_a_value(desk, ran):
    number = publish_run(desk.frame, ran[1]).generation
    with desk.frame.read() as tx:
        rows = tx.session.scalars(select(Client)).all()
        assert tx.session.get(Generation, number).value_basis is None
    names = ("value", "value_low", "value_high", "value_lost")
    assert {getattr(row, name) for row in rows for name in names} == {None}


def test_a_publication_reads_the_outcomes_that_are_known(desk, ran, monkeypatch):
    told = []

    def mature(frame, engine):
        told.append((engine, frame.now()))
        return Matured(1, 5, 1, 2)

    monkeypatch.setattr(module, "mature_outcomes", mature)
    assert publish_run(desk.frame, ran[1]).matured == 7
    assert [engine for engine, _ in told] == [ran[1].engine]


def test_what_the_lake_learned_is_shown_once(desk, ran, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "keepwell.intervene.rule.service.apply",
        lambda tx, table, rows: shown.extend((table, next(iter(r.values()))) for r in rows),
    )
    workspace = desk.frame.workspace

    def complaint(number, **more):
        return {
            "complaint_id": f"K{number}", "client_id": "c1", "at": "2021-11-01T00:00:00Z",
            "status": "open", **more,
        }  # fmt: skip

    def word(purpose, granted, day):
        return {
            "client_id": "c1", "purpose": purpose, "at": f"2021-11-{day:02d}T00:00:00Z",
            "granted": granted,
        }  # fmt: skip

    def send(batch, table, rows):
        content = {"table": table, "rows": rows, "faults": []}
        spool_of(workspace).append("crm", batch, content, desk.now())
        drain(workspace, desk.now())

    send("a", "complaint", [
        complaint(1), complaint(2, status="closed"), complaint(3, closed_at="2021-11-02T00:00:00Z"),
    ])  # fmt: skip
    send("b", "exit_request", [
        {"request_id": "E1", "client_id": "c1", "at": "2021-11-01T00:00:00Z", "kind": "close"},
        {"request_id": "E2", "client_id": "c2", "at": "2021-11-01T00:00:00Z", "kind": "close",
         "completed_at": "2021-11-03T00:00:00Z"},
    ])  # fmt: skip
    send("c", "consent", [
        word("profiling", True, 1), word("calls", False, 1), word("calls", True, 2),
        word("marketing", True, 1), word("service", True, 1), word("service", False, 3),
    ])  # fmt: skip
    monkeypatch.setattr(module, "CATCH_UP", 1)
    assert catch_up(desk.frame) == 4
    # Of consent: the refusal, and the marketing that silence would not allow.
    assert sorted(shown) == [
        ("complaint", "K1"), ("consent", "c1"), ("consent", "c1"), ("exit_request", "E1")
    ]  # fmt: skip
    shown.clear()
    assert catch_up(desk.frame) == 0
    send("d", "complaint", [complaint(4), complaint(1, status="closed", revision=1)])
    send("e", "consent", [word("profiling", False, 9)])
    send("f", "exit_request", [
        {"request_id": "E1", "client_id": "c1", "at": "2021-11-01T00:00:00Z", "kind": "close",
         "completed_at": "2021-11-09T00:00:00Z", "revision": 1},
    ])  # fmt: skip
    assert catch_up(desk.frame) == 4
    # Also what has ended since.
    assert sorted(shown) == [
        ("complaint", "K1"), ("complaint", "K4"), ("consent", "c1"), ("exit_request", "E1")
    ]  # fmt: skip


def test_scores_made_of_unusual_data_are_in_force_with_their_mark(desk, ran):
    _, result = ran
    day = result.ranking.as_of.date()
    found = Finding(
        "trade", MonitorKind.UNITS, "amount", day, day, 1e6, 1e4, 9, 100.0, "trades", ""
    )
    long_ago = replace(found, since=day - timedelta(days=9), until=day - timedelta(days=9))
    done = publish_run(desk.frame, replace(result, findings=(long_ago,)))
    with desk.frame.read() as tx:
        (mark,) = tx.session.scalars(select(StaleMark))
        assert (mark.generation_id, mark.table_name, mark.kind) == (
            done.generation, "trade", "units"
        )  # fmt: skip
