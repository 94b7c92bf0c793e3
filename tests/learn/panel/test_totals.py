"""Totals over many clients: identities, scopes, and the same figures found another way."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest

from keepwell.core.days import day_number, local_day, midnight, to_date
from keepwell.warn.label import label_clients
from keepwell.warn.risk import risk_set


def managers_of(made):
    return sorted({m for m in made.result.ranking.manager if m is not None})


def test_a_day_s_movement_adds_up_for_everybody_and_for_each_manager(made):
    for scope in (None, *[[manager] for manager in managers_of(made)]):
        rows = made.panels.movement(scope, days=500)
        assert rows
        for row in rows:
            assert row.closing == row.opening + row.inflow - row.outflow + row.market
            assert row.basis == ("balance" if "balance" in made.panels.sources else "positions")
            assert row.inflow >= 0
            assert row.outflow >= 0
        for before, after in itertools.pairwise(rows):
            assert after.opening == before.closing
            assert after.day > before.day
    assert len(made.panels.movement(None, days=5)) == 5
    assert made.panels.movement(None, days=5) == made.panels.movement(None, days=500)[-5:]
    assert made.panels.movement(None, days=0) == []


def test_managers_add_up_to_everybody_with_a_manager(made):
    together = {row.day: row for row in made.panels.movement(managers_of(made), days=500)}
    parts = defaultdict(int)
    for manager in managers_of(made):
        for row in made.panels.movement([manager], days=500):
            parts[row.day] += row.closing
    assert parts == {day: row.closing for day, row in together.items()}


def test_the_last_closing_is_the_ranking_s_assets(broker):
    last = broker.panels.movement(None, days=1)[0]
    total = np.nansum(broker.result.ranking.assets)
    # Values are rounded per manager and instrument, not per client.
    assert last.closing == pytest.approx(total, abs=len(broker.result.ranking.clients))


def test_a_closing_is_the_last_balance_followed_by_prices(full):
    """Client by client in Python, on three days."""
    today = local_day(full.panels.as_of, full.workspace.zone)
    balances, held, prices = defaultdict(dict), defaultdict(list), defaultdict(dict)
    for client, day, total in full.query(
        "select client_id, day, coalesce(cash, 0) + coalesce(securities, 0) from balance "
        f"where day < date '{to_date(today)}'"
    ):
        balances[client][day] = total
    for client, day, instrument, quantity in full.query(
        "select client_id, day, instrument_id, quantity from holding"
    ):
        held[client, day].append((instrument, quantity))
    for series, day, close in full.query("select series, day, close from price"):
        prices[series][day] = close

    def price(instrument, day):
        known = [d for d in prices[instrument] if d <= day]
        return prices[instrument][max(known)] if known else None

    for row in full.panels.movement(None, days=500)[-40::19]:
        total = 0
        for client, told in balances.items():
            days = [day for day in told if day <= row.day]
            if not days or client not in full.result.ranking.clients:
                continue
            newest = max(days)
            total += told[newest]
            for instrument, quantity in held[client, newest]:
                now, then = price(instrument, row.day), price(instrument, newest)
                if then is not None:
                    total += quantity * (now - then) / 1e14
        assert row.closing == pytest.approx(total, abs=len(balances) * 5)


def test_positions_are_valued_as_the_engine_values_them(broker):
    engine, as_of = broker.result.engine, broker.panels.as_of
    known = set(engine.positions(as_of).clients)
    for row in broker.panels.movement(None, days=500)[-60::10]:
        at = midnight(day_number(row.day) + 1, broker.workspace.zone)
        positions = engine.positions(at, as_of)
        assert row.closing == pytest.approx(np.nansum(positions.value_at(at)), abs=len(known))
        assert row.clients == int((positions.count > 0).sum())


def test_flows_are_what_the_lake_says(full):
    simulated, as_of, zone = full, full.panels.as_of, full.workspace.zone
    rows = simulated.query(
        'select "at", kind, amount from cash_flow where gone_at is null and failure_reason is null '
        "and kind in ('deposit', 'withdrawal')"
    )
    paid = defaultdict(lambda: [0, 0])
    for at, kind, amount in rows:
        if at < as_of:
            paid[at.astimezone(zone).date()][kind == "withdrawal"] += amount
    moved = {
        at.astimezone(zone).date() for (at,) in simulated.query('select "at" from custody_transfer')
    }
    days = simulated.panels.movement(None, days=500)
    compared = 0
    for row in days:
        if row.day not in moved:
            compared += 1
            assert [row.inflow, row.outflow] == paid[row.day]
        else:
            assert row.outflow >= paid[row.day][1]
    assert compared > 20


def test_balances_between_are_followed_by_prices(simulated):
    """On a day of trading the market moves the books, although few clients have a new balance."""
    trading = {
        day for (day,) in simulated.query("select distinct day from price")
    }  # fmt: skip
    rows = simulated.panels.movement(None, days=60)
    open_days = [abs(row.market) for row in rows if row.day in trading]
    shut_days = [abs(row.market) for row in rows if row.day not in trading]
    assert np.median(open_days) > 5 * (np.median(shut_days) if shut_days else 0)


def test_groups_add_up_to_the_ranking(made):
    ranking = made.result.ranking
    closed = int((ranking.note == "closed").sum())
    for by in ("manager", "branch", "segment"):
        groups = made.panels.groups(by, None)
        if not groups:
            assert by == "segment"  # the small broker has none
            continue
        assert sum(g.clients for g in groups) == len(ranking.clients) - closed
        total = sum(g.assets or 0 for g in groups)
        assert total == pytest.approx(np.nansum(np.rint(ranking.assets)))
        risky = [a for a, t in zip(ranking.assets, ranking.tiers(), strict=True)
                 if t not in (None, "none") and a == a]  # fmt: skip
        assert sum(g.at_risk_assets or 0 for g in groups) == pytest.approx(sum(np.rint(risky)))
        assert [g.key for g in groups if g.key] == sorted(g.key for g in groups if g.key)
        for group in groups:
            assert 0 <= group.kept <= group.followed
            assert group.active <= group.clients
    mine = managers_of(made)[:1]
    assert [g.key for g in made.panels.groups("manager", mine)] == mine
    assert made.panels.groups("manager", []) == []


def test_net_inflow_is_of_the_last_ninety_days(full):
    today = local_day(full.panels.as_of, full.workspace.zone)
    since = midnight(today - 90, full.workspace.zone)
    recent = f"{full.now()} and \"at\" >= timestamptz '{since.isoformat()}'"
    total = 0
    for kind, amount in full.query(
        f"select kind, amount from cash_flow where failure_reason is null and {recent}"
    ):
        total += {"deposit": amount, "withdrawal": -amount}.get(kind, 0)
    for at, direction, instrument, quantity in full.query(
        f'select "at", direction, instrument_id, quantity from custody_transfer where {recent}'
    ):
        day = at.astimezone(full.workspace.zone).date()
        found = full.query(
            f"select close from price where series = '{instrument}' and day <= date '{day}' "
            f"and day < date '{to_date(today)}' order by day desc limit 1"
        )
        value = round(quantity * found[0][0] / 1e14) if found else 0
        total += value if direction == "in" else -value
    assert sum(g.net_inflow for g in full.panels.groups("manager", None)) == total


def test_churn_is_the_label_s(made):
    engine, definition = made.result.engine, made.result.version.definition
    cells = made.panels.churn(None)
    assert cells
    for month in {cell.month for cell in cells}:
        at = midnight(day_number(month), made.workspace.zone)
        assert definition.matures_at(at, made.workspace.zone) <= made.panels.as_of
        inside = set(risk_set(engine, at).at_risk)
        labels = label_clients(engine, at, definition, made.panels.as_of)
        known = [y for c, y in zip(labels.clients, labels.y, strict=True) if c in inside and y == y]
        mine = [cell for cell in cells if cell.month == month]
        assert sum(cell.followed for cell in mine) == len(known)
        assert sum(cell.left for cell in mine) == sum(known)
    by_manager = made.panels.churn(None, by="manager")
    assert sum(c.followed for c in by_manager) == sum(c.followed for c in cells)
    alone = made.panels.churn(managers_of(made)[:1], by="manager")
    assert {c.segment for c in alone} == set(managers_of(made)[:1])


def test_quality_is_the_proof_s(broker):
    found, tested = broker.panels.quality(), broker.result.data.backtest
    assert (found.clients, found.left) == (tested.clients, tested.left)
    champion = next(model for model in tested.models if model.champion)
    assert found.auc.value == champion.metrics["auc"].value
    assert found.lift_top10.value == champion.metrics["lift_top10"].value
    assert len(found.tenths) == 10
    assert sum(tenth.left for tenth in found.tenths) == pytest.approx(found.left)
    assert found.tenths[0].lift.value == pytest.approx(found.lift_top10.value, rel=0.05)
    for tenth in found.tenths:
        assert tenth.lift.low <= tenth.lift.value <= tenth.lift.high
    assert sum(point.clients for point in found.calibration) == found.clients
    assert [tier.tier for tier in found.tiers] == ["severe", "moderate", "mild", "none"]
    assert found.data("en") != found.data("zh")


def test_without_a_proof_there_is_no_quality(simulated):
    assert simulated.result.proof is None
    assert simulated.panels.quality() is None


def test_sources_are_the_manifest_s(made):
    manifest = made.result.engine.manifest
    assert made.panels.manifest == manifest.id
    assert set(made.panels.sources) == set(manifest.tables)
    for name, source in made.panels.sources.items():
        state = manifest.tables[name]
        assert (source.version, source.rows) == (state.version, state.rows)
        assert (source.last is None) == (state.last is None)
        assert source.known_until == state.last_known_at
