"""One client's panels against queries of their own over the lake, and against the engine."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import UTC, date, timedelta

import numpy as np
import pytest

from keepwell.core.days import day_number, local_day, midnight, to_date
from keepwell.learn.panel.months import month_spans
from keepwell.learn.panel.scores import LOOK_BACK, past_scores
from keepwell.learn.panel.words import KINDS, USUAL, fact_words
from keepwell.warn.risk import risk_set


def months_of(made, clients):
    found = defaultdict(lambda: defaultdict(int))
    for client in clients:
        for row in made.panels.months(client):
            for name in ("deposits", "withdrawals", "buys", "sells", "trades", "sessions"):
                found[name][row.month] += getattr(row, name) or 0
    return found


QUERIES = {
    "deposits": ("cash_flow", "amount", "kind = 'deposit' and failure_reason is null"),
    "withdrawals": ("cash_flow", "amount", "kind = 'withdrawal' and failure_reason is null"),
    "buys": ("trade", "amount", "side = 'buy'"),
    "sells": ("trade", "amount", "side = 'sell'"),
    "trades": ("trade", "1", "true"),
    "sessions": ("session", "1", "true"),
}


def test_months_sum_to_the_lake(made):
    """All clients' months against the rows themselves, added up in Python."""
    as_of, zone = made.panels.as_of, made.workspace.zone
    shown = months_of(made, made.result.ranking.clients)
    tables = made.result.engine.manifest.tables
    first = min(row.month for c in made.result.ranking.clients for row in made.panels.months(c))
    for name, (table, value, where) in QUERIES.items():
        if table not in tables:
            assert all(
                getattr(row, name) is None
                for c in made.result.ranking.clients
                for row in made.panels.months(c)
            )
            continue
        rows = made.query(f'select "at", known_at, gone_at, {value} from {table} where {where}')
        expected = defaultdict(int)
        for at, known, gone, amount in rows:
            if known <= as_of and at < as_of and (gone is None or gone > as_of):
                month = at.astimezone(zone).date().replace(day=1)
                if month >= first:
                    expected[month] += amount
        assert {m: v for m, v in shown[name].items() if v} == {
            m: v for m, v in expected.items() if v
        }


def test_assets_of_a_month_are_the_engine_s(broker):
    engine, zone = broker.result.engine, broker.workspace.zone
    month = date(2021, 6, 1)
    at = midnight(day_number(date(2021, 7, 1)), zone)
    positions = engine.positions(at, broker.panels.as_of)
    value = positions.value_at(at)
    for place, client in enumerate(positions.clients):
        row = next((r for r in broker.panels.months(client) if r.month == month), None)
        if np.isnan(value[place]):
            assert row is None or row.assets is None
        elif row is not None:
            assert row.assets == value[place]
        else:
            assert value[place] == 0


def test_assets_of_a_month_are_the_newest_balance(full):
    simulated, last = full, None
    as_of = full.panels.as_of
    rows = simulated.query(
        "select client_id, day, coalesce(cash, 0) + coalesce(securities, 0), known_at "
        "from balance where gone_at is null order by client_id, day"
    )
    told = defaultdict(dict)
    for client, day, total, known in rows:
        if known <= as_of:
            told[client][day] = total
    for client in simulated.result.ranking.clients[::7]:
        for row in simulated.panels.months(client):
            end = (row.month + timedelta(days=31)).replace(day=1)
            before = [day for day in told[client] if day < end]
            last = told[client][max(before)] if before else None
            assert row.assets == last
    assert last is not None


def test_months_have_no_gaps_and_end_now(made):
    for client in made.result.ranking.clients[::5]:
        months = [row.month for row in made.panels.months(client)]
        if not months:
            continue
        steps = {(b.year * 12 + b.month) - (a.year * 12 + a.month)
                 for a, b in itertools.pairwise(months)}  # fmt: skip
        assert steps <= {1}
        local = (made.panels.as_of - timedelta(seconds=1)).astimezone(made.workspace.zone).date()
        assert months[-1] == local.replace(day=1)
        assert len(months) <= 24


def test_a_month_outside_the_coverage_is_unknown_not_zero(broker, monkeypatch):
    from keepwell.learn.panel import making as module
    from keepwell.learn.panel.months import _months

    work = module.Making(broker.result.engine, broker.result.ranking, None, None)
    spans = month_spans(work, 3)
    assert [m for m, _, _ in spans] == [date(2021, 10, 1), date(2021, 11, 1), date(2021, 12, 1)]
    monkeypatch.setattr(
        module.Making, "covered",
        lambda self, table, low, high: table == "trade" and low > spans[0][1],
    )  # fmt: skip
    there = _months(work, spans)
    assert there.column("has_trade").to_pylist() == [False, True, True]
    assert there.column("has_session").to_pylist() == [False] * 3


def test_holdings_are_the_engine_s(made):
    engine, as_of = made.result.engine, made.panels.as_of
    positions = engine.positions(as_of)
    value = positions.value_minor
    some = 0
    for place, client in enumerate(positions.clients):
        rows = made.panels.holdings(client)
        assert {row.instrument_id: row.quantity for row in rows} == positions.held(place)
        values = [row.value for row in rows]
        assert values == sorted(values, key=lambda v: -(v or 0))
        if rows and None not in values:
            some += 1
            assert sum(values) == value[place]
            assert sum(row.weight for row in rows) == pytest.approx(1.0)
    assert some


def test_cost_is_told_only_of_the_quantity_that_it_is_of(full):
    simulated = full
    today = to_date(local_day(full.panels.as_of, full.workspace.zone))
    lake = {
        (client, instrument): (quantity, cost)
        for client, instrument, quantity, cost in simulated.query(
            "select client_id, instrument_id, quantity, cost from holding where gone_at is null "
            f"and day < date '{today}' "
            "qualify row_number() over "
            "(partition by client_id, instrument_id order by day desc) = 1"
        )
    }
    seen = 0
    for client in simulated.result.ranking.clients:
        for row in simulated.panels.holdings(client):
            quantity, cost = lake[client, row.instrument_id]
            assert row.cost == (cost if quantity == row.quantity else None)
            assert row.name is not None
            assert row.category is not None
            seen += row.cost is not None
    assert seen > 50


def test_scores_end_with_the_ranking_s_and_are_only_of_those_who_have_one(made):
    ranking, engine = made.result.ranking, made.result.engine
    tiers = ranking.tiers()
    zone = made.workspace.zone
    before = midnight(local_day(ranking.as_of, zone) - 7, zone)
    begin = min(since for s in engine.manifest.tables.values() for since, _ in s.coverage)
    reached = local_day(before, zone) >= begin + LOOK_BACK
    then = set(risk_set(engine, before).at_risk) if reached else set()
    for place, client in enumerate(ranking.clients):
        points = made.panels.scores(client)
        if not ranking.scored[place]:
            assert points == []
            continue
        assert points[-1].at == ranking.as_of
        assert points[-1].score == pytest.approx(ranking.score[place])
        assert points[-1].probability == pytest.approx(ranking.probability[place])
        assert points[-1].tier == tiers[place]
        assert [p.at for p in points] == sorted(p.at for p in points)
        assert (before in {p.at for p in points}) == (client in then)


def test_a_past_score_uses_only_what_was_known_then(broker):
    """The same model's ranking at the earlier date gives the same scores."""
    from keepwell.learn.ranking import rank

    result = broker.result
    at = midnight(day_number(date(2021, 12, 25)), broker.workspace.zone)
    earlier = rank(result.engine, result.version.trained, result.version.definition, at)
    by_client = dict(zip(earlier.clients, earlier.score, strict=True))
    compared = 0
    for client in result.ranking.clients:
        for point in broker.panels.scores(client):
            if point.at == at:
                assert point.score == pytest.approx(by_client[client])
                compared += 1
    assert compared > 20


@pytest.mark.parametrize("name", ["broker", "simulated"])
def test_changes_are_now_less_a_week_ago(name, request):
    """Against `explain_client`, which computes both weeks for one client."""
    from keepwell.learn.explain import explain_client

    made = request.getfixturevalue(name)
    result = made.result
    past = past_scores(result.engine, result.ranking, result.version, (0, 1))
    assert past.changes
    for client in list(past.changes)[:4]:
        told = explain_client(made.workspace, client, made.panels.as_of)
        reasons = result.ranking.explanations[client].reasons
        assert set(past.changes[client]) == {str(reason.code) for reason in reasons}
        for code, change in past.changes[client].items():
            assert change == pytest.approx(told.changed[code], abs=1e-9)


def test_the_past_ends_where_the_data_have_less_than_half_a_year(simulated):
    at = {p.at for c in simulated.result.ranking.clients for p in simulated.panels.scores(c)}
    oldest = min(at).astimezone(simulated.workspace.zone).date()
    begin = min(
        since for state in simulated.result.engine.manifest.tables.values()
        for since, _ in state.coverage
    )  # fmt: skip
    assert day_number(oldest) >= begin + LOOK_BACK
    assert len(at) > 1


def test_facts_are_of_the_lake_newest_first(full):
    simulated, as_of = full, full.panels.as_of
    lake = defaultdict(set)
    for table, key in (("contact", "topic"), ("complaint", "topic"), ("touch", "campaign")):
        rows = simulated.query(f'select client_id, "at", {key} from {table} where {full.now()}')
        for client, at, word in rows:
            lake[client].add((at.astimezone(UTC), table, word))
    seen = set()
    for client in simulated.result.ranking.clients:
        facts = simulated.panels.facts(client, limit=500)
        assert [f.at for f in facts] == sorted((f.at for f in facts), reverse=True)
        assert len(facts) <= 200
        assert simulated.panels.facts(client, limit=3) == facts[:3]
        assert all(f.at < as_of for f in facts)
        kinds = {f.kind for f in facts}
        assert kinds <= set(KINDS)
        seen |= kinds
        shown = {
            (f.at.astimezone(UTC), f.kind.split("_")[0], f.detail)
            for f in facts if f.kind in ("contact", "complaint") or f.kind.startswith("touch")
        }  # fmt: skip
        assert shown <= lake[client]
        if len(facts) < 100:
            assert shown == lake[client]
    assert {"contact", "complaint", "deposit", "withdrawal", "bought", "sold", "touch"} <= seen


def test_facts_are_told_in_both_languages(simulated):
    from keepwell.core.text import catalogue

    assert set(KINDS.values()) | set(USUAL.values()) <= set(catalogue())
    for client in simulated.result.ranking.clients[:40]:
        for fact in simulated.panels.facts(client):
            en = fact_words(fact, "en", "CNY")
            zh = fact_words(fact, "zh", "CNY")
            assert en.startswith(KINDS[fact.kind])
            assert any("\u4e00" <= letter <= "\u9fff" for letter in zh)
            assert "{" not in en + zh
            assert "None" not in en + zh


def test_a_client_whom_nobody_knows_has_nothing(made):
    panels = made.panels
    for stranger in ("nobody", "", "\x00", "zzz", "c0000x", "客户", "' or 1=1 --"):
        assert panels.scores(stranger) == []
        assert panels.months(stranger) == []
        assert panels.holdings(stranger) == []
        assert panels.facts(stranger) == []
