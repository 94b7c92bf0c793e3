"""The ranking: who is scored, and what stands beside each score."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from keepwell.core.days import parse_as_of
from keepwell.learn import ranking as ranking_module
from keepwell.learn.ranking import ACTIVITY, last_activity, newest, rank, unscored_counts
from keepwell.observe.contract import TABLES
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators.registry import model_inputs
from keepwell.warn.dataset import unlabelled
from keepwell.warn.reason import medians
from keepwell.warn.rfm import rfm_inputs
from keepwell.warn.risk import Note
from keepwell.warn.score import Capacity, fit_score
from tests.learn.broker import PRICE, RANK, world
from tests.warn.world import build

LAST = date(2021, 12, 31)


@pytest.fixture(scope="module")
def engine(done):
    return LocalEngine.open(done[0])


@pytest.fixture(scope="module")
def data(done, engine):
    """Inputs of the scored clients, as the ranking saw them."""
    _, result = done
    ranking = result.ranking
    at_risk = [c for c, has in zip(ranking.clients, ranking.scored, strict=True) if has]
    return unlabelled(
        engine, ranking.as_of, result.version.definition, clients=at_risk, extra=rfm_inputs
    )


def by_client(ranking, values):
    return dict(zip(ranking.clients, values, strict=True))


def test_everybody_who_exists_is_ranked_in_the_order_of_the_ids(done, engine):
    ranking = done[1].ranking
    assert ranking.clients == sorted(engine.clients(ranking.as_of))
    held = {row[0] for row in world()["holding"] if row[1] == LAST} - {"closed", "new"}
    assert {c for c, has in by_client(ranking, ranking.scored).items() if has} == held
    notes = by_client(ranking, ranking.note)
    assert (notes["closed"], notes["unfunded"], notes["new"]) == ("closed", "unfunded", "new")
    assert unscored_counts(ranking) == {
        "closed": 1, "new": 1, "unfunded": len(ranking.clients) - len(held) - 2
    }  # fmt: skip


def test_without_a_score_there_is_no_number_of_the_model(done):
    ranking = done[1].ranking
    for values in (ranking.score, ranking.probability, ranking.coverage):
        np.testing.assert_array_equal(np.isnan(values), ranking.note != Note.SCORED)
    assert set(ranking.explanations) <= set(np.array(ranking.clients)[ranking.scored])


def test_the_managers_are_those_in_charge_at_the_instant(done):
    tables = world()
    expected: dict[str, str | None] = {}
    for table in ("client", "service"):  # who serves goes before who is in the profile
        column = {"client": 3, "service": 2}[table]
        for row in sorted(tables[table], key=lambda row: row[1]):
            expected[row[0]] = row[column] or expected.get(row[0])
    ranking = done[1].ranking
    assert by_client(ranking, ranking.manager) == expected
    assert {"P1", "M0", "M9", None} <= set(expected.values())


def test_the_newest_value_is_that_in_force(done, engine):
    moved = min({row[0] for row in world()["service"] if row[2] == "M9"})
    for day, changed in (("2021-05-31", False), ("2021-06-01", False), ("2021-06-02", True)):
        at = parse_as_of(day, engine.zone)
        assert (newest(engine, at, "service", "manager_id")[moved] == "M9") == changed
    assert newest(engine, at, "consent", "purpose") == {}


def test_assets_are_the_positions_at_the_latest_price(done):
    units = {client: q for client, day, _, q in world()["holding"] if day == LAST}
    ranking = done[1].ranking
    assets = by_client(ranking, ranking.assets)
    for client, value in assets.items():
        assert value == units.get(client, 0) * PRICE * 100
    assert sum(value > 0 for value in assets.values()) == len(units)


def test_the_last_activity_is_the_newest_one_known(done):
    newest_trade: dict[str, date] = {}
    for row in world()["trade"]:
        if row[2] < RANK and row[7] <= RANK:
            newest_trade[row[1]] = max(row[2], newest_trade.get(row[1], row[2]))
    ranking = done[1].ranking
    assert by_client(ranking, ranking.last_activity) == {
        client: newest_trade.get(client) for client in ranking.clients
    }
    assert max(newest_trade.values()) > RANK - timedelta(days=20)


def test_tiles_and_rows_tell_the_same_last_activity(done, engine, monkeypatch):
    ranking = done[1].ranking
    bare = {name: replace(table, coverage=()) for name, table in engine.manifest.tables.items()}
    undeclared = replace(engine.manifest, tables=bare)
    monkeypatch.setattr(LocalEngine, "manifest", property(lambda _: undeclared))
    said = last_activity(engine, ranking.as_of, ranking.clients)
    assert said == ranking.last_activity
    assert len(set(said)) > 3


def test_the_newest_of_several_tables_is_the_last_activity(tmp_path):
    _, engine = build(
        tmp_path,
        trade=[("t1", "A", date(2020, 1, 5), "I1", "buy", 1.0, None),
               ("t2", "B", date(2020, 3, 9), "I1", "buy", 1.0, None)],
        cash_flow=[("f1", "A", date(2020, 2, 7), "deposit", 5.0, None),
                   ("f2", "B", date(2020, 2, 8), "deposit", 5.0, None),
                   ("f3", "C", date(2020, 2, 9), "deposit", 5.0, None)],
    )  # fmt: skip
    at = parse_as_of("2020-04-01", engine.zone)
    newest_days = [date(2020, 2, 7), date(2020, 3, 9), date(2020, 2, 9), None]
    assert last_activity(engine, at, ["A", "B", "C", "nobody"]) == newest_days


def test_activity_tables_and_their_columns_are_in_the_contract():
    for table, column in ACTIVITY.items():
        assert column in {c.name for c in TABLES[table].columns}


def test_coverage_is_a_share_of_the_models_input_list(done, engine):
    ranking = done[1].ranking
    scored = [c for c, has in zip(ranking.clients, ranking.scored, strict=True) if has]
    listed = model_inputs()
    frame = engine.compute(ranking.as_of, clients=scored, indicators=listed)
    share = (~np.isnan(frame.values)).sum(axis=1) / len(listed)
    np.testing.assert_allclose(ranking.coverage[ranking.scored], share, rtol=1e-12)


def test_contributions_add_up_to_the_log_odds_before_clipping(done, data):
    _, result = done
    trained, ranking = result.version.trained, result.ranking
    z = trained.log_odds(data.X, data.names)
    parts = trained.contributions(data.X, data.names)
    np.testing.assert_allclose(parts.log_odds(), z, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(trained.score(z), ranking.score[ranking.scored])
    # Nobody's contributions depend on who else is explained.
    for i in (0, len(z) - 1):
        alone = trained.contributions(data.X[[i]], data.names)
        assert alone.base == parts.base
        np.testing.assert_array_equal(alone.values[0], parts.values[i])
    p = by_client(ranking, ranking.probability)
    assert ranking.explanations
    for client, found in ranking.explanations.items():
        total = found.base + found.client_part + found.market_part
        assert 1 / (1 + np.exp(-total)) == pytest.approx(p[client], abs=1e-7)
        assert sum(r.push for r in found.reasons) <= np.clip(parts.values, 0, None).sum(1).max()


def test_the_order_is_by_log_odds_and_all_in_a_tier_are_explained(done, engine, data):
    _, result = done
    trained = result.version.trained
    z = trained.log_odds(data.X, data.names)
    spread = replace(trained, score_map=fit_score(z, 0.1, Capacity(0.05, 0.1, 0.3)))
    ranking = result.ranking
    order = ranking.order()
    assert len(order) == ranking.scored.sum()
    assert (np.diff(ranking.probability[order]) <= 0).all()
    few = rank(engine, spread, result.version.definition, ranking.as_of, explained=2)
    in_tier = {c for c, t in by_client(few, few.tiers()).items() if t not in (None, "none")}
    first = {few.clients[i] for i in order[:2]}
    assert len(in_tier) > 4
    assert set(few.explanations) == in_tier | first
    for client, found in few.explanations.items():
        said = ranking.explanations[client]
        assert [(r.code, r.fact) for r in found.reasons] == [(r.code, r.fact) for r in said.reasons]


def test_scored_in_parts_or_at_once_the_ranking_is_the_same(done, engine, monkeypatch):
    _, result = done
    whole = result.ranking
    args = engine, result.version.trained, result.version.definition, whole.as_of
    monkeypatch.setattr(ranking_module, "PART", 7)
    parts = rank(*args)
    for name in ("score", "probability", "coverage", "assets"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    assert parts.explanations == whole.explanations
    np.testing.assert_array_equal(parts.vectors.X, whole.vectors.X)
    np.testing.assert_array_equal(parts.vectors.typical, whole.vectors.typical)
    n = int(whole.scored.sum())
    monkeypatch.setattr(ranking_module, "TYPICAL", n // 3)
    drawn = rank(*args, explained=n)
    step = -(-n // (n // 3))
    np.testing.assert_array_equal(drawn.vectors.typical, medians(drawn.vectors.X[::step]))


def test_the_tier_follows_from_the_score(done):
    ranking = done[1].ranking
    scores = np.full(len(ranking.clients), np.nan)
    scores[:9] = [0, 59.9999, 60, 75.9999, 76, 89.9999, 90, 100, 40]
    assert replace(ranking, score=scores).tiers()[:10] == [
        "none", "none", "mild", "mild", "moderate", "moderate", "severe", "severe", "none", None
    ]  # fmt: skip


def test_nobody_at_risk_is_a_ranking_without_scores(done, engine):
    _, result = done
    at = parse_as_of("2019-02-01", engine.zone)  # before the first trade
    found = rank(engine, result.version.trained, result.version.definition, at)
    assert len(found.clients) > 0
    assert not found.scored.any()
    assert found.explanations == {}
    assert len(found.order()) == 0
