"""Rebuilt positions: by hand, and against a slow computation in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest

from keepwell.observe.positions import NONE, STATS, Held, Question, hold, summarise
from keepwell.observe.tile_build import POSITION_LAYOUT
from keepwell.observe.tile_rows import Block
from keepwell.observe.tile_sql import SNAPSHOT, TRADED, TRADED_UNKNOWN
from keepwell.observe.tiles import ALWAYS, BLANK, NEVER

UNIT = 10**8
Row = tuple[int, int, int, int, int]  # instrument, day, kind, quantity, known


def block(rows: list[Row]) -> Block:
    """Rows of one client."""
    n = len(rows)
    a = np.array(rows, np.int64).reshape(n, 5)
    return Block.join([Block(
        np.zeros(n, np.int32), a[:, 1].astype(np.int32), a[:, 4].astype(np.int32),
        np.full(n, NEVER, np.int32), np.column_stack([a[:, [0, 2, 3]], np.full(n, BLANK)]),
    )], POSITION_LAYOUT)  # fmt: skip


def ask(rows: list[Row], days: list[int], *, known: int = 1000, full: tuple[int, ...] = (),
        earliest: int = NONE, begin: int = NONE) -> Held:  # fmt: skip
    data = block(rows).rows(POSITION_LAYOUT)
    question = Question(
        known, np.array(days), np.array([d == known for d in days]), np.array(full, np.int64),
        np.full(len(days), earliest),
    )  # fmt: skip
    low, high = np.array([0]), np.array([len(rows)])
    return hold(question, data, low, high, np.array([begin]))


def quantities(held: Held, a: int = 0) -> dict[int, int]:
    return {int(i): int(q) for i, q in zip(held.instrument, held.quantity[:, a], strict=True)
            if q > 0}  # fmt: skip


SNAP: list[Row] = [(1, 100, SNAPSHOT, 5, 101), (2, 100, SNAPSHOT, 3, 101)]


def test_a_snapshot_and_the_trades_after_it() -> None:
    rows = [*SNAP, (1, 99, TRADED, 50, 100), (1, 100, TRADED, 50, 101), (1, 101, TRADED, -2, 102),
            (2, 102, TRADED, -3, 103), (3, 103, TRADED, 9, 104)]  # fmt: skip
    held = ask(rows, [105, 103, 102, 101, 100], known=105)
    assert [quantities(held, a) for a in range(5)] == [
        {1: 3, 3: 9}, {1: 3}, {1: 3, 2: 3}, {1: 5, 2: 3}, {1: 50}
    ]  # fmt: skip
    assert held.known[0].tolist() == [True, True, True, True, False]


def test_what_is_not_known_yet_does_not_count() -> None:
    rows = [*SNAP, (1, 101, TRADED, -5, 104)]
    assert quantities(ask(rows, [103], known=103)) == {1: 5, 2: 3}
    assert quantities(ask(rows, [103], known=104)) == {2: 3}


def test_the_open_tail_counts_today() -> None:
    rows = [*SNAP, (1, 105, TRADED, -5, ALWAYS)]
    assert quantities(ask(rows, [105], known=105)) == {2: 3}
    assert quantities(ask(rows, [104], known=105)) == {1: 5, 2: 3}


def test_a_day_that_lists_everybody_empties_who_is_not_listed() -> None:
    assert quantities(ask(SNAP, [130], full=(100, 120))) == {}
    assert ask(SNAP, [130], full=(100, 120)).known.all()
    assert quantities(ask(SNAP, [130], full=(100,))) == {1: 5, 2: 3}


def test_gaps_in_the_trades_make_positions_unknown() -> None:
    assert ask(SNAP, [110], earliest=100).known.all()
    assert not ask(SNAP, [110], earliest=101).known.any()
    assert not ask([(1, 101, TRADED, 5, 102)], [110]).known.any()
    opened = ask([(1, 101, TRADED, 5, 102)], [110], begin=99, earliest=99)
    assert opened.known.all()
    assert quantities(opened) == {1: 5}


def test_a_trade_of_unknown_quantity_makes_positions_unknown() -> None:
    before = [(3, 90, TRADED_UNKNOWN, 0, 91)]
    after = [(3, 101, TRADED_UNKNOWN, 0, 102)]
    assert ask([*before, *SNAP], [110]).known.all()
    assert not ask([*SNAP, *after], [110]).known.any()
    assert ask([*SNAP, *after], [101]).known.all()


def test_age_counts_from_the_first_sign_of_the_instrument() -> None:
    rows = [(2, 80, SNAPSHOT, 0, 81), (1, 90, TRADED_UNKNOWN, 0, 91), *SNAP]
    held = ask(rows, [110])
    assert dict(zip(held.instrument.tolist(), held.first.tolist(), strict=True)) == {1: 90, 2: 100}


def table(held: Held, days: list[int], price: list[list[int]], category: list[int]) -> dict:
    found = summarise(held, np.array(days), np.array(price, np.int64), np.array(category), 3, 1e14)
    return {stat: found[i, :, 0] for i, stat in enumerate(STATS)}


def test_values_and_concentration() -> None:
    rows = [(i, 100, SNAPSHOT, q * UNIT, 101) for i, q in ((0, 1), (1, 2), (2, 4), (3, 1))]
    price = [[10 * UNIT, 20 * UNIT, 125 * 10**5, BLANK]]
    got = table(ask(rows, [110]), [110], price, [0, 1, 1, -1])
    assert got["count"] == [4]
    assert got["value"] == [1000 + 4000 + 50]
    assert got["top_weight"] == [4000 / 5050]
    assert got["herfindahl"][0] == pytest.approx((1000**2 + 4000**2 + 50**2) / 5050**2, rel=1e-15)
    assert got["priced_share"] == [0.75]
    assert got["categories"] == [2]
    assert got["mean_age"] == [10]
    assert got["units_held"] == [1]


def test_halves_of_a_minor_unit_go_to_even() -> None:
    for units, minor in ((50_000_000, 0), (150_000_000, 2), (250_000_000, 2)):
        got = table(ask([(0, 100, SNAPSHOT, units, 101)], [110]), [110], [[10**6]], [0])
        assert got["value"] == [minor]


def test_nothing_held_is_worth_nothing_and_unpriced_is_absent() -> None:
    nothing = table(ask(SNAP, [130], full=(120,)), [130], [[BLANK] * 3], [0] * 3)
    assert (nothing["count"], nothing["value"], nothing["units_held"]) == ([0], [0], [0])
    assert np.isnan([nothing[s][0] for s in ("top_weight", "priced_share", "mean_age")]).all()
    unpriced = table(ask(SNAP, [130]), [130], [[BLANK] * 3], [0] * 3)
    assert unpriced["priced_share"] == [0]
    assert np.isnan(unpriced["value"][0])


def test_dropped_and_added_against_an_earlier_day() -> None:
    rows = [*SNAP, (2, 120, TRADED, -3, 121), (3, 121, TRADED, 4, 122), (4, 122, TRADED, 4, 123)]
    held = ask(rows, [130, 110])
    got = table(held, [130, 110], [[BLANK] * 5] * 2, [0] * 5)
    assert got["dropped"].tolist() == [0, 1]
    assert got["added"].tolist() == [0, 2]
    lost = ask(rows, [130, 100])
    assert np.isnan(table(lost, [130, 100], [[BLANK] * 5] * 2, [0] * 5)["dropped"][1])


def slow(rows: list[Row], known: int, day: int) -> dict[int, int] | None:
    """Positions by the definition."""
    seen = [r for r in rows if r[4] <= known and r[1] < day]
    snaps = [r[1] for r in seen if r[2] == SNAPSHOT]
    if not snaps or any(r[2] == TRADED_UNKNOWN and r[1] > max(snaps) for r in seen):
        return None
    out: dict[int, int] = {}
    for instrument, at, kind, quantity, _ in seen:
        if (kind == SNAPSHOT and at == max(snaps)) or (kind == TRADED and at > max(snaps)):
            out[instrument] = out.get(instrument, 0) + quantity
    return {i: q for i, q in out.items() if q > 0}


@pytest.mark.parametrize("seed", range(40))
def test_random_histories(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(60):
        kind = int(rng.choice([SNAPSHOT, TRADED, TRADED_UNKNOWN], p=[0.4, 0.58, 0.02]))
        day = int(rng.integers(0, 6) * 10 if kind == SNAPSHOT else rng.integers(0, 60))
        rows.append((int(rng.integers(0, 7)), day, kind, int(rng.integers(-9, 20)),
                     day + int(rng.integers(1, 5))))  # fmt: skip
    rows = list({(r[0], r[1], r[2] == SNAPSHOT): r for r in rows}.values())
    days = [55, 40, 31, 30, 7]
    held = ask(rows, days, known=55)
    for a, day in enumerate(days):
        want = slow(rows, 55, day)
        assert held.known[0, a] == (want is not None)
        if want is not None:
            assert quantities(held, a) == want
    assert not math.isnan(held.quantity.sum())
