"""What selling gained or lost, by hand: average cost, what makes it unknown, what stays."""

from __future__ import annotations

import numpy as np

from keepwell.observe.indicators.needs import SALES
from keepwell.observe.positions import NONE
from keepwell.observe.sales import Period, sales
from keepwell.observe.tile_build import POSITION_LAYOUT
from keepwell.observe.tile_rows import Block
from keepwell.observe.tile_sql import SNAPSHOT, SOLD, TRADED, TRADED_UNKNOWN
from keepwell.observe.tiles import ALWAYS, BLANK, NEVER

UNIT = 10**8
TODAY, SINCE = 1000, 635
Row = tuple[int, int, int, int, int]  # instrument, day, kind, units, money


def ask(rows: list[Row], *, prices=(), begin=NONE, earliest=NONE, full=(), tail=False, window=365):
    """The answers for one client; prices of (instrument, day, minor units per unit)."""
    a = np.array(rows, np.int64)
    n = len(a)
    known = np.where(a[:, 1] == TODAY, ALWAYS, a[:, 1] + 1).astype(np.int32)
    values = np.column_stack([a[:, 0], a[:, 2], a[:, 3] * UNIT, a[:, 4]])
    block = Block.join(
        [Block(np.zeros(n, np.int32), a[:, 1].astype(np.int32), known,
               np.full(n, NEVER, np.int32), values)], POSITION_LAYOUT,
    )  # fmt: skip
    price = np.full((TODAY - SINCE + 1, 8), BLANK, np.int64)
    for instrument, day, close in prices:
        price[day - SINCE :, instrument] = close * 10**6
    days = np.arange(SINCE, TODAY + 1)
    period = Period(
        TODAY, TODAY, tail, SINCE, np.isin(days, full), NONE,
        np.full(len(days), earliest, np.int64), price, 1e14,
    )  # fmt: skip
    spans = (np.array([0]), np.array([n]), np.array([begin]))
    found = sales(period, block.rows(POSITION_LAYOUT), *spans, [window])
    return dict(zip(SALES, found[:, 0, 0].tolist(), strict=True))


SNAP: list[Row] = [(1, 900, SNAPSHOT, 10, 1000), (2, 900, SNAPSHOT, 5, 500)]


def test_average_cost_of_a_snapshot_and_buys_of_the_day():
    found = ask([*SNAP, (1, 950, TRADED, 10, 2000), (1, 950, SOLD, -5, 700)])
    assert (found["sold"], found["sold_known"], found["sold_losing"]) == (1, 1, 1)
    assert (found["lost"], found["gained"]) == (50, 0)  # 3000 * 5 / 20 = 750 against 700
    later = ask([*SNAP, (1, 950, SOLD, -3, 400), (1, 960, SOLD, -7, 600)])
    assert (later["gained"], later["lost"]) == (100, 100)


def test_a_later_snapshot_sets_the_cost_anew():
    again = [(1, 955, SNAPSHOT, 10, 3000), (2, 955, SNAPSHOT, 5, 500)]
    rows = [*SNAP, (1, 955, SOLD, -2, 100), *again, (1, 960, SOLD, -1, 200)]
    found = ask(rows)
    assert (found["sold"], found["lost"], found["gained"]) == (2, 200, 0)
    gone = ask([*SNAP, (2, 955, SNAPSHOT, 5, 500), (1, 960, SOLD, -1, 200)])
    assert (gone["sold"], gone["sold_known"]) == (1, 0)


def test_what_makes_a_result_unknown():
    sell: Row = (1, 950, SOLD, -5, 700)
    unknown = {
        "no snapshot": [sell],
        "no cost": [(1, 900, SNAPSHOT, 10, BLANK), sell],
        "no amount": [*SNAP, (1, 950, SOLD, -5, BLANK)],
        "a buy without an amount": [*SNAP, (1, 940, TRADED, 1, BLANK), sell],
        "a trade without a quantity": [*SNAP, (1, 940, TRADED_UNKNOWN, 0, 5), sell],
        "more than was held": [*SNAP, (1, 950, SOLD, -11, 700)],
        "after more than was held": [*SNAP, (1, 930, SOLD, -11, 9), (1, 931, TRADED, 50, 9), sell],
    }
    for words, rows in unknown.items():
        found = ask(rows)
        assert found["sold"] > found["sold_known"] == 0, words
    assert ask([*SNAP, sell], earliest=901)["sold_known"] == 0
    assert ask([*SNAP, sell], earliest=900)["sold_known"] == 1
    assert ask([*SNAP, (2, 940, TRADED_UNKNOWN, 0, 5), sell])["sold_known"] == 1


def test_nothing_held_before_a_day_is_a_beginning_too():
    rows: list[Row] = [(1, 940, TRADED, 10, 1000), (1, 950, SOLD, -5, 700)]
    assert ask(rows, begin=930)["gained"] == 200
    assert ask(rows, begin=945)["sold_known"] == 0
    assert ask(rows, full=[930])["gained"] == 200


def test_only_the_window_counts_and_today_only_with_its_open_tail():
    rows: list[Row] = [*SNAP, (1, 950, SOLD, -5, 700), (2, TODAY, SOLD, -5, 400)]
    assert ask(rows)["sold"] == 1
    assert ask(rows, tail=True)["sold"] == 2
    assert ask(rows, tail=True)["lost"] == 100
    assert ask(rows, tail=True, window=49)["gained"] == 0
    assert ask(rows, tail=True, window=50)["gained"] == 200


def test_gains_and_losses_realised_and_on_paper():
    snap: list[Row] = [(i, 900, SNAPSHOT, 10, 1000) for i in range(1, 6)]
    prices = [(1, 940, 150), (2, 940, 150), (3, 940, 50), (4, 940, 100), (3, 951, 500)]
    rows = [*snap, (1, 950, SOLD, -1, 150)]
    found = ask(rows, prices=prices)
    # sold: 1 at a gain; on paper: 2 a gain, 3 a loss, 4 neither, 5 without a price
    assert (found["gains_realised"], found["losses_realised"]) == (1, 0)
    assert (found["gains_on_paper"], found["losses_on_paper"]) == (1, 1)
    lone = ask([snap[0], (1, 950, SOLD, -1, 150)], prices=prices)
    assert (lone["gained"], lone["gains_realised"]) == (50, 0)
