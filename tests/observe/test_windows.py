"""The kernel against a slow, obvious computation in plain Python."""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from keepwell.observe.indicators.needs import Need
from keepwell.observe.merge import merge
from keepwell.observe.tile_build import DATASETS
from keepwell.observe.tile_rows import Block
from keepwell.observe.tiles import ALWAYS, BALANCE, BLANK, CONTACT, NEVER, TRADE
from keepwell.observe.windows import Plan, Rows, latest, run

TODAY = 1000
NEEDS = [
    *(Need("trade", "sum", m, w, p) for m in ("count", "amount") for w in (7, 30, 90)
      for p in (False, True)),
    *(Need("trade", "max", "max_amount", w, p) for w in (30, 365) for p in (False, True)),
    *(Need("trade", "distinct", "instruments", w, p) for w in (7, 90) for p in (False, True)),
    *(Need("trade", "std", m, w, p) for m in ("amount", "count") for w in (30, 180)
      for p in (False, True)),
    *(Need("trade", "days", window=w, prev=p) for w in (14, 180) for p in (False, True)),
    *(Need("trade", s, window=w, prev=p) for s in ("longest_gap", "mean_gap", "clumpiness")
      for w in (60, 180) for p in (False, True)),
    Need("trade", "recency"),
    Need("trade", "first_seen"),
]  # fmt: skip


def random_block(rng: np.random.Generator, clients: int, rows: int) -> Block:
    layout = DATASETS["trade"].layout
    day = rng.integers(TODAY - 420, TODAY + 10, rows)
    day[rng.random(rows) < 0.3] = TODAY - rng.choice([1, 7, 8, 30, 31, 60, 61, 90, 180, 181], 1)
    known = day + rng.integers(1, 4, rows)
    tail = rng.random(rows) < 0.1
    known[tail], day[tail] = ALWAYS, rng.integers(TODAY - 3, TODAY + 1, int(tail.sum()))
    gone = np.where(rng.random(rows) < 0.2, known + rng.integers(0, 300, rows), NEVER)
    gone[tail] = NEVER
    values = rng.integers(0, 10**9, (rows, len(layout.names)))
    values[:, layout.names.index("max_amount")] = np.where(
        rng.random(rows) < 0.3, BLANK, rng.integers(1, 10**6, rows)
    )
    values[:, layout.names.index("instruments")] = 1 << rng.integers(0, 63, rows)
    code = np.sort(rng.integers(0, clients, rows))
    parts = (a.astype(np.int32) for a in (code, day, known, gone))
    return Block.join([Block(*parts, values)], layout)


def narrowed(block: Block) -> Rows:
    """The block as mapped rows: some measures in 32 bits."""
    rows, names = block.rows(DATASETS["trade"].layout), DATASETS["trade"].layout.names
    narrow = [i for i, name in enumerate(names) if name in ("count", "buys")]
    wide = [i for i, name in enumerate(names) if i not in narrow]
    arrays = [block.values[:, narrow].astype(np.int32), block.values[:, wide].copy()]
    for array in arrays:
        array.flags.writeable = False
    return Rows(
        rows.day, rows.known, rows.gone, *arrays,
        {names[i]: k for k, i in enumerate(narrow)}, {names[i]: k for k, i in enumerate(wide)},
        rows.newest,
    )  # fmt: skip


def expected(block: Block, client: int, need: Need) -> float:
    """A need's answer by its definition."""
    names = DATASETS["trade"].layout.names
    seen = []
    for i in np.flatnonzero(block.code == client):
        day, known, gone = int(block.day[i]), int(block.known[i]), int(block.gone[i])
        if (known == ALWAYS and day <= TODAY) or (day < TODAY and known <= TODAY < gone):
            seen.append((day, block.values[i]))
    if need.stat in ("recency", "first_seen"):
        pick = max if need.stat == "recency" else min
        return TODAY - pick(d for d, _ in seen) if seen else math.nan
    low = need.window + 1 if need.prev else 0
    high = 2 * need.window if need.prev else need.window
    inside = [(d, v) for d, v in seen if low <= TODAY - d <= high]
    days = sorted({d for d, _ in inside})
    if need.stat == "days":
        return len(days)
    if need.stat in ("longest_gap", "mean_gap", "clumpiness"):
        return gap(days, need)
    cells = [(d, int(v[names.index(need.measure)])) for d, v in inside]
    if need.stat == "sum":
        return sum(x for _, x in cells)
    if need.stat == "max":
        return max((x for _, x in cells if x != BLANK), default=math.nan)
    if need.stat == "distinct":
        bits = 0
        for _, x in cells:
            bits |= x
        return bits.bit_count()
    sums = [float(sum(x for d, x in cells if d == day)) for day in days]
    return statistics.stdev(sums) if len(sums) > 1 else math.nan


def gap(days: list[int], need: Need) -> float:
    gaps = [b - a for a, b in pairwise(days)]
    if need.stat == "longest_gap":
        return max(gaps, default=math.nan)
    if need.stat == "mean_gap":
        return sum(gaps) / len(gaps) if gaps else math.nan
    if not days:
        return math.nan
    length = need.window + 1
    begin = TODAY - need.window * (1 + need.prev)
    cuts = [0, *(day - begin + 1 for day in days), length]
    shares = [(b - a) / length for a, b in pairwise(cuts)]
    entropy = sum(s * math.log(s) for s in shares if s > 0)
    return 1 + entropy / math.log(len(days) + 1)


def answers(plan: Plan, rows: Rows, block: Block, clients: int) -> np.ndarray:
    codes = np.arange(clients)
    low, high = np.searchsorted(block.code, codes), np.searchsorted(block.code, codes, "right")
    out = np.full((len(plan.needs), clients + 3), -7.0)
    run(plan, TODAY, rows, low, high, codes, out)
    assert (out[:, clients:] == -7.0).all()
    return out[:, :clients]


@pytest.mark.parametrize("seed", range(4))
def test_every_statistic_follows_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = random_block(rng, clients=12, rows=300)
    plan = Plan(TRADE, NEEDS)
    got = answers(plan, narrowed(block), block, 13)
    for need, row in plan.row.items():
        want = [expected(block, client, need) for client in range(13)]
        np.testing.assert_allclose(got[row], want, rtol=1e-12, atol=1e-12, err_msg=str(need))


@pytest.mark.parametrize("seed", range(6))
def test_recency_alone_is_that_of_the_walk(seed: int) -> None:
    """Also in two sets of rows, of which the later one counts."""
    rng, codes = np.random.default_rng(seed), np.arange(42)
    block = random_block(rng, clients=40, rows=90)
    walked = answers(Plan(TRADE, [Need("trade", "recency")]), narrowed(block), block, 42)[0]
    newer = rng.random(90) < 0.3
    found = []
    for part in (block, block.take(~newer), block.take(newer)):
        spans = [np.searchsorted(part.code, codes, side) for side in ("left", "right")]
        found.append(latest(narrowed(part), TODAY, *spans))
    np.testing.assert_array_equal(found[0], walked)
    np.testing.assert_array_equal(np.fmin(found[1], found[2]), walked)


@pytest.mark.parametrize("seed", range(3))
def test_merged_rows_give_the_same_bits_as_stored_ones(seed: int) -> None:
    """Part of the rows stored, part newer: as if all had been stored together."""
    layout = DATASETS["trade"].layout
    rng = np.random.default_rng(seed)
    block = random_block(rng, clients=12, rows=300)
    newer = rng.random(300) < 0.3
    base, extra = block.take(~newer), block.take(newer)
    codes = np.arange(12)
    spans = tuple(
        np.searchsorted(b.code, codes, side) for b in (base, extra) for side in ("left", "right")
    )
    plan = Plan(TRADE, NEEDS)
    rows, low, high = merge(narrowed(base), extra, layout, spans)
    out = np.empty((len(plan.needs), 12))
    run(plan, TODAY, rows, low, high, codes, out)
    assert np.array_equal(out, answers(plan, narrowed(block), block, 12), equal_nan=True)


def one(spec: str, **columns: Any) -> tuple[Block, Rows]:
    """Rows of one client, from columns by name; others 0."""
    layout = DATASETS[spec].layout
    count = len(columns["day"])
    values = np.zeros((count, len(layout.names)), np.int64)
    for name in set(columns) - {"day", "known", "gone"}:
        values[:, layout.names.index(name)] = columns[name]
    day = np.array(columns["day"], np.int32)
    known = np.array(columns.get("known", day + 1), np.int32)
    gone = np.array(columns.get("gone", [NEVER] * count), np.int32)
    block = Block(np.zeros(count, np.int32), day, known, gone, values)
    return block, block.rows(layout)


def test_last_is_the_newest_row_before_the_day_asked() -> None:
    weights = np.array([0.25, 0.5, math.nan]).view(np.int64)
    block, rows = one("balance", day=[900, 989, 999], cash=[5, BLANK, 7], top_weight=weights)
    needs = [Need("balance", "last", m, ago=a) for m in ("cash", "top_weight")
             for a in (0, 1, 10, 11, 99, 100)]  # fmt: skip
    plan = Plan(BALANCE, needs)
    got = dict(zip(plan.needs, answers(plan, rows, block, 1)[:, 0], strict=True))
    want = {"cash": [7, math.nan, math.nan, 5, 5, math.nan],
            "top_weight": [math.nan, 0.5, 0.5, 0.25, 0.25, math.nan]}  # fmt: skip
    for need in needs:
        index = (0, 1, 10, 11, 99, 100).index(need.ago)
        np.testing.assert_equal(got[need], float(want[need.measure][index]), str(need))


def test_a_correction_replaces_from_when_it_is_known() -> None:
    _, rows = one("trade", day=[990, 990], known=[991, TODAY], gone=[TODAY, NEVER],
                      amount=[100, 40])  # fmt: skip
    plan = Plan(TRADE, [Need("trade", "sum", "amount", 30)])
    codes = np.array([0])
    found = []
    for today in (TODAY - 1, TODAY):
        out = np.empty((1, 1))
        run(plan, today, rows, np.array([0]), np.array([2]), codes, out)
        found.append(out[0, 0])
    assert found == [100, 40]


def test_minimum_passes_over_blanks() -> None:
    block, rows = one("contact", day=[990, 991, 992], min_csat=[BLANK, 4, 3])
    plan = Plan(CONTACT, [Need("contact", "min", "min_csat", w) for w in (7, 30)])
    got = answers(plan, rows, block, 2)
    np.testing.assert_equal(got, [[math.nan, math.nan], [3.0, math.nan]])
