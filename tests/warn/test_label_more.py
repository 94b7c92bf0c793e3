"""The labels `exit_any`, `outflow` and `dormant`, on small real workspaces."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from keepwell.core.days import parse_as_of
from keepwell.warn.label import LabelDefinition, label_clients
from tests.warn.world import build

AT = date(2020, 7, 1)


def label(engine, name, known_by="2022-06-01", **fields):
    zone = engine.workspace.zone
    found = label_clients(
        engine, parse_as_of(AT.isoformat(), zone), LabelDefinition(name=name, **fields),
        parse_as_of(known_by, zone),
    )  # fmt: skip
    rows = zip(found.clients, found.y, found.why, found.left_day, strict=True)
    return {client: (y, str(why), day) for client, y, why, day in rows}


def on(days):
    return AT + timedelta(days=days)


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    """Everybody had 1,000 on average before; what they did after is in their name."""
    names = ("stayed", "took-half", "put-back", "failed", "early", "moved", "new", "died", "fell")
    balances = [
        (name, on(-k), 400.0, 600.0) for name in names for k in range(1, 5 if name == "new" else 41)
    ]
    balances += [("fell", on(k), 0.0, 1.0) for k in (5, 40)]
    flows = [
        ("took-half", on(20), "withdrawal", 500.0, None),
        ("put-back", on(20), "withdrawal", 900.0, None),
        ("put-back", on(30), "deposit", 500.0, None),
        ("failed", on(20), "withdrawal", 900.0, "limit"),
        ("early", on(2), "withdrawal", 900.0, None),
        ("new", on(20), "withdrawal", 900.0, None),
        ("died", on(20), "withdrawal", 900.0, None),
        ("stayed", on(-3), "withdrawal", 900.0, None),
        ("stayed", on(60), "withdrawal", 900.0, None),
    ]
    _, engine = build(
        tmp_path_factory.mktemp("flows"),
        trade=[("t0", "moved", on(-50), "I1", "buy", 6.0, 600.0)],
        price=[("I1", on(-1), 100.0), ("I1", on(5), 1.0)],
        balance=balances,
        cash_flow=[(f"f{n}", *row) for n, row in enumerate(flows)],
        custody_transfer=[("x1", "moved", on(25), "out", "I1", 6.0)],
        client=[("died", on(-300), on(-300), on(30), "death")],
    )
    return engine


def test_outflow_is_net_of_deposits_and_of_prices(flows):
    found = label(flows, "outflow", horizon="50d")
    assert {name: why for name, (_, why, _) in found.items()} == {
        "stayed": "stayed", "took-half": "outflow", "put-back": "stayed", "failed": "stayed",
        "early": "outflow", "moved": "outflow", "new": "unknown-start", "died": "died",
        "fell": "stayed",
    }  # fmt: skip
    assert found["took-half"][0] == 1.0
    assert found["stayed"][0] == 0.0
    assert np.isnan(found["new"][0])
    assert np.isnan(found["died"][0])


def test_outflow_share_gap_and_end(flows):
    assert label(flows, "outflow", horizon="50d", share=0.51)["took-half"][1] == "stayed"
    assert label(flows, "outflow", horizon="50d", gap="10d")["early"][1] == "left-in-gap"
    assert label(flows, "outflow", horizon="20d")["took-half"][1] == "stayed"


def test_dormant_counts_days(tmp_path):
    rows = [
        ("back", on(-10)), ("back", on(100)), ("gone", on(-10)), ("edge", on(1)), ("just", on(0)),
        ("edge", on(-1)), ("just", on(-1)), ("old", on(-180)), ("young", on(-179)),
    ]  # fmt: skip
    trade = [(f"t{n}", c, at, "I1", "buy", 1.0, 1.0) for n, (c, at) in enumerate(rows)]
    _, engine = build(tmp_path, trade=trade)
    found = label(engine, "dormant", horizon="180d")
    assert {name: why for name, (_, why, _) in found.items()} == {
        "back": "stayed", "gone": "dormant", "edge": "stayed", "just": "dormant",
        "old": "already-silent", "young": "dormant",
    }  # fmt: skip
    assert found["gone"][2] == (on(170) - date(1970, 1, 1)).days
    assert label(engine, "dormant", horizon="30d", days=31)["edge"][1] == "stayed"
    assert label(engine, "dormant", horizon="30d", days=29)["edge"][1] == "dormant"


def test_exit_any_sees_who_left_and_came_back(tmp_path):
    moves = [
        ("stayed", -40, "buy"), ("left", -40, "buy"), ("left", 10, "sell"),
        ("back", -40, "buy"), ("back", 10, "sell"), ("back", 20, "buy"),
        ("swift", -40, "buy"), ("swift", 10, "sell"), ("swift", 10, "buy"),
    ]  # fmt: skip
    trade = [
        (f"t{n}", client, on(day), "I1", side, 5.0, 5.0)
        for n, (client, day, side) in enumerate(moves)
    ]
    _, engine = build(tmp_path, trade=trade)
    at_end = label(engine, "exit", horizon="40d")
    any_day = label(engine, "exit_any", horizon="40d")
    assert [at_end[c][0] for c in ("stayed", "left", "back", "swift")] == [0.0, 1.0, 0.0, 0.0]
    assert [any_day[c][0] for c in ("stayed", "left", "back", "swift")] == [0.0, 1.0, 1.0, 0.0]
    assert any_day["back"][2] == (on(10) - date(1970, 1, 1)).days
    late = label(engine, "exit_any", horizon="40d", gap="15d")
    assert late["back"][1] == "left-in-gap"
