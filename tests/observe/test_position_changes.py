"""Changes of positions against plain Python, and what first purchases say about their history."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.money import QUANTITY_SCALE
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.ingest import ingest
from keepwell.observe.position_changes import MOST_CHANGE, MOVES, movements, share
from keepwell.observe.positions import NONE, Held
from keepwell.observe.workspace import Workspace

DAYS = [1000, 820, 640]
QUANTITY = st.sampled_from(
    [-QUANTITY_SCALE, 0, 1, QUANTITY_SCALE // 2, QUANTITY_SCALE, 3 * QUANTITY_SCALE, 10**14]
)
POSITION = st.tuples(
    st.integers(0, 5),
    st.sampled_from([600, 639, 640, 641, 819, 820, 821, 999]),
    st.tuples(QUANTITY, QUANTITY, QUANTITY),
)
CLIENT = st.tuples(
    st.lists(POSITION, max_size=5), st.tuples(st.booleans(), st.booleans(), st.booleans())
)


def held_of(clients):
    rows = [row for positions, _ in clients for row in positions]
    n = len(clients)
    return Held(
        np.cumsum([0, *(len(positions) for positions, _ in clients)]),
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.int64).reshape(-1, 3),
        np.array([known for _, known in clients], np.bool_).reshape(-1, 3),
        np.zeros(n, np.int64), np.full(n, NONE, np.int64), np.zeros((n, 3), np.int64),
    )  # fmt: skip


def slow_moves(positions, known, a):
    """Each statistic by its words; NaN where it has no answer."""
    out = dict.fromkeys(MOVES, math.nan)
    if not known[a]:
        return out
    then = {i: row for i, row in enumerate(positions) if row[2][a] > 0}
    now = {i: row for i, row in enumerate(positions) if row[2][0] > 0}
    units = [row[2][a] / QUANTITY_SCALE for row in then.values()]
    if units:
        out["units_min"], out["units_max"] = min(units), max(units)
        out["units_log_mean"] = math.fsum(math.log(1 + u) for u in units) / len(units)
    if known[0]:
        both = [positions[i][2] for i in now.keys() & then.keys()]
        out["increased"] = sum(q[0] > q[a] for q in both)
        out["decreased"] = sum(q[0] < q[a] for q in both)
        out["returned"] = sum(row[1] < DAYS[a] for i, row in now.items() if i not in then)
        logs = [max(-MOST_CHANGE, min(MOST_CHANGE, math.log(q[0] / q[a]))) for q in both]
        if logs:
            out["log_change_mean"] = math.fsum(logs) / len(logs)
            out["log_change_min"] = min(logs)
    return out


@settings(max_examples=80, deadline=None)
@given(st.lists(CLIENT, min_size=1, max_size=5))
def test_movements_follow_their_definition(clients):
    found = movements(held_of(clients), np.array(DAYS))
    assert found.shape == (len(MOVES), 3, len(clients))
    for c, (positions, known) in enumerate(clients):
        for a in range(3):
            for m, (name, expected) in enumerate(slow_moves(positions, known, a).items()):
                got = found[m, a, c]
                assert got == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True), name


@settings(max_examples=40, deadline=None)
@given(
    st.lists(CLIENT, min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_what_is_not_asked_is_absent_and_the_rest_unchanged(clients, changed, sized):
    held, days = held_of(clients), np.array(DAYS)
    found = movements(held, days, np.array(changed), np.array(sized))
    every = movements(held, days)
    every[:5, ~np.array(changed)] = np.nan
    every[5:, ~np.array(sized)] = np.nan
    np.testing.assert_array_equal(found, every)


@settings(max_examples=40, deadline=None)
@given(st.lists(CLIENT, min_size=1, max_size=4), st.permutations(range(5)))
def test_no_order_of_positions_changes_a_bit(clients, order):
    turned = [
        ([positions[i] for i in order if i < len(positions)], known)
        for positions, known in clients
    ]  # fmt: skip
    one, other = (movements(held_of(c), np.array(DAYS)) for c in (clients, turned))
    np.testing.assert_array_equal(one, other)


@settings(max_examples=60, deadline=None)
@given(st.lists(CLIENT, min_size=1, max_size=5), st.lists(st.booleans(), min_size=6, max_size=6))
def test_shares_follow_their_definition(clients, member):
    found = [share(held_of(clients), np.array(member), a) for a in range(3)]
    for c, (positions, known) in enumerate(clients):
        for a in range(3):
            some = [member[code] for code, _, quantity in positions if quantity[a] > 0]
            expected = sum(some) / len(some) if some and known[a] else math.nan
            assert found[a][c] == pytest.approx(expected, abs=0, nan_ok=True)


TRADE, FIRST, HOLDING = (
    ["trade_id", "client_id", "at", "instrument_id", "side", "quantity", "known_at"],
    ["client_id", "at", "instrument_id", "known_at"],
    ["client_id", "day", "instrument_id", "quantity"],
)
COVERED = '[["2020-01-01", "2022-01-01"]]'
AS_OF = date(2021, 7, 1)


def engine(root, trades=(), firsts=(), holdings=(), trade_covers=COVERED, first_covers=COVERED):
    """A workspace of these rows; `firsts` or `trades` None leaves the table out."""
    lines, sources = [], []
    for name, columns, rows, covers in (
        ("trade", TRADE, trades, trade_covers), ("first_purchase", FIRST, firsts, first_covers),
        ("holding", HOLDING, holdings, COVERED),
    ):  # fmt: skip
        if rows is None:
            continue
        kinds = {"quantity": pa.float64(), "at": pa.date32(), "day": pa.date32(),
                 "known_at": pa.date32()}  # fmt: skip
        arrays = {
            c: pa.array([row[i] for row in rows], kinds.get(c, pa.string()))
            for i, c in enumerate(columns)
        }
        pq.write_table(pa.table(arrays), root / f"{name}.parquet")
        sources.append(f"  {name}: {{path: {name}.parquet, allow_empty: true}}")
        lines.append(f"  {name}: {{sql: select * from {name}, covers: {covers}}}")
    (root / "keepwell.yaml").write_text(
        "version: 1\nname: changes\ntimezone: Europe/Athens\ncurrency: EUR\n"
        + "\n".join(["sources:", *sources, "tables:", *lines, ""])
    )
    workspace = Workspace.open(root)
    ingest(workspace)
    return LocalEngine.open(workspace)


IDS = {
    "ever": "instruments_ever_held", "left": "instruments_given_up",
    "newest_age": "days_since_new_instrument", "fresh90": "new_instruments_90d",
    "fresh180": "new_instruments_180d", "returned": "instruments_returned_180d",
}  # fmt: skip


def look(opened, as_of=AS_OF, client="c1"):
    frame = opened.compute(as_of, clients=[client], indicators=list(IDS.values()))
    row = dict(zip(frame.names, frame.values[0].tolist(), strict=True))
    return {short: row[name] for short, name in IDS.items()}


def ago(days):
    return AS_OF - timedelta(days=days)


def bought(instrument, days, units=1.0, side="buy", known=1, id=""):
    at = ago(days)
    name = id or f"{instrument}{days}{side}"
    return (name, "c1", at, instrument, side, units, at + timedelta(days=known))


def first(instrument, days, known=1):
    return ("c1", ago(days), instrument, ago(days) + timedelta(days=known))


def test_first_days_come_from_trades_first_purchases_and_holdings(tmp_path):
    opened = engine(
        tmp_path,
        trades=[bought("A", 300), bought("A", 10), bought("C", 100)],
        firsts=[first("A", 400), first("B", 50), first("C", 20)],
        # Nothing of D was held; E is first seen in the snapshot.
        holdings=[("c1", ago(200), "A", 1.0), ("c1", ago(200), "D", 0.0),
                  ("c1", ago(200), "E", 2.0)],
    )  # fmt: skip
    found = look(opened)
    # First days: A 400, B 50, C 100, E 200 days ago. Held now: A (2), C (1), E (2).
    assert found["ever"] == 4
    assert found["left"] == 1
    assert found["newest_age"] == 50
    assert (found["fresh90"], found["fresh180"]) == (1, 2)


def test_what_is_known_later_is_not_seen(tmp_path):
    opened = engine(
        tmp_path,
        trades=[bought("A", 300), bought("X", 30, known=31)],
        firsts=[first("A", 300), first("B", 50, known=60), first("C", 40, known=40)],
        holdings=[("c1", ago(301), "A", 1.0)],
    )
    before, after = look(opened), look(opened, ago(-15))
    # C becomes known at the very instant; X the day after; B ten days after.
    assert (before["ever"], before["newest_age"], before["fresh90"]) == (2, 40, 1)
    assert (after["ever"], after["newest_age"], after["fresh90"]) == (4, 45, 3)
    assert (before["left"], after["left"]) == (1, 2)
    assert look(opened, ago(-1))["newest_age"] == 31


def test_what_happens_on_the_day_or_later_is_not_seen(tmp_path):
    opened = engine(
        tmp_path,
        trades=[bought("A", 300)],
        firsts=[first("A", 300), ("c1", AS_OF, "B", AS_OF), first("C", -3)],
        holdings=[("c1", ago(299), "A", 1.0)],
    )
    assert look(opened)["ever"] == 1
    assert look(opened)["newest_age"] == 300


def test_nothing_at_all_is_no_age_but_a_count_of_zero(tmp_path):
    opened = engine(tmp_path, trades=[], firsts=[], holdings=[("c1", ago(100), "A", 0.0)])
    found = look(opened)
    assert (found["ever"], found["left"], found["fresh90"]) == (0, 0, 0)
    assert math.isnan(found["newest_age"])


def test_without_known_positions_what_was_left_is_absent(tmp_path):
    opened = engine(tmp_path, trades=[bought("A", 300)], firsts=[first("B", 50)])
    found = look(opened)
    assert found["ever"] == 2
    assert math.isnan(found["left"])
    assert math.isnan(found["returned"])


def test_an_instrument_taken_up_again(tmp_path):
    opened = engine(
        tmp_path,
        trades=[bought("A", 400), bought("A", 300, side="sell"), bought("A", 20),
                bought("B", 20), bought("C", 170), bought("C", 160, side="sell"),
                bought("C", 10)],
        firsts=[],
        holdings=[("c1", ago(450), "Z", 1.0)],
    )  # fmt: skip
    # A was given up by then; B and C are new since; Z was held all the time.
    found = look(opened)
    assert found["returned"] == 1
    assert found["fresh180"] == 2


@pytest.mark.parametrize(
    ("trade_covers", "first_covers", "there"),
    [
        (COVERED, COVERED, True),
        ('[["2020-01-01", "2021-01-05"]]', COVERED, True),
        (COVERED, '[["2020-01-01", "2021-01-05"]]', True),
        ('[["2020-01-01", "2021-01-05"]]', '[["2020-01-01", "2021-01-05"]]', False),
        # Half of the 90 days before 2021-07-01 begins on 2021-05-17.
        ('[["2020-01-01", "2021-01-05"]]', '[["2021-05-17", "2022-01-01"]]', True),
        ('[["2020-01-01", "2021-01-05"]]', '[["2021-05-18", "2022-01-01"]]', False),
    ],
)
def test_new_instruments_need_one_covered_source(tmp_path, trade_covers, first_covers, there):
    opened = engine(
        tmp_path, [bought("A", 60)], [first("B", 30)], [("c1", ago(200), "E", 1.0)],
        trade_covers, first_covers,
    )  # fmt: skip
    found = look(opened)
    assert (not math.isnan(found["fresh90"])) == there
    if there:
        assert found["fresh90"] == 2
    assert found["ever"] == 3


@pytest.mark.parametrize("missing", ["trade", "first_purchase"])
def test_one_of_the_two_sources_is_enough(tmp_path, missing):
    opened = engine(
        tmp_path,
        None if missing == "trade" else [bought("A", 60)],
        None if missing == "first_purchase" else [first("B", 30)],
        [("c1", ago(200), "E", 1.0)],
    )
    found = look(opened)
    assert found["fresh90"] == 1
    assert found["newest_age"] == (30 if missing == "trade" else 60)
