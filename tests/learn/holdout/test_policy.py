"""How the hold-out is drawn: chances, blocks, reproducibility."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.learn.holdout.policy import Lot, fingerprint, parts_of, period_of, ratio_p

SECRET = b"s" * 32
CLIENTS = st.sets(st.text(min_size=1, max_size=12), max_size=60)


@given(
    clients=CLIENTS,
    share=st.integers(0, 500_000),
    secret=st.binary(min_size=1, max_size=40),
    period=st.sampled_from(["2026", "2027"]),
)
def test_a_block_holds_out_its_share_rounded_up_or_down(clients, share, secret, period):
    drawn = Lot(secret, period).block("m1/1", clients, share)
    assert {client for client, _ in drawn} == clients
    assert abs(sum(held for _, held in drawn) - len(clients) * share / 1e6) < 1


@given(clients=CLIENTS, seed=st.integers(0, 1000))
def test_the_order_in_which_clients_are_given_does_not_matter(clients, seed):
    shuffled = sorted(clients)
    random.Random(seed).shuffle(shuffled)
    lot = Lot(SECRET, "2026")
    assert dict(lot.block("b", shuffled, 50_000)) == dict(lot.block("b", clients, 50_000))


def _chi2_is_small(counts: list[int], expected: float, variance: float) -> bool:
    """Whether counts vary no more than chance: the statistic within 6 of its deviations."""
    chi2 = sum((c - expected) ** 2 / variance for c in counts)
    n = len(counts)
    return abs(chi2 - n) < 6 * (2 * n) ** 0.5


@pytest.mark.parametrize("n", [1, 3, 7, 33])
def test_each_clients_chance_is_exactly_the_share(n):
    clients = [f"c{i}" for i in range(n)]
    rounds = 4000
    held: Counter[str] = Counter()
    for number in range(rounds):
        drawn = Lot(SECRET + str(number).encode(), "2026").block("m/1", clients, 50_000)
        held.update(client for client, is_held in drawn if is_held)
    variance = rounds * 0.05 * 0.95
    assert _chi2_is_small([held[c] for c in clients], rounds * 0.05, variance)


def test_who_is_drawn_alone_has_the_same_chance():
    lot = Lot(SECRET, "2026")
    held = sum(lot.alone(f"c{i}", 50_000) for i in range(100_000))
    assert ratio_p(100_000, held, 0.05) > 1e-6


def test_years_have_nothing_to_do_with_each_other():
    clients = [f"c{i}" for i in range(40_000)]
    one, two = (dict(Lot(SECRET, year).block("m", clients, 50_000)) for year in ("2026", "2027"))
    both = sum(one[c] and two[c] for c in clients)
    assert sum(one.values()) == sum(two.values()) == 2000
    assert ratio_p(2000, both, 0.05) > 1e-6  # of those held out once, a twentieth again


def test_blocks_have_nothing_to_do_with_each_other():
    """The random starts differ, so that small blocks do not all hold out the same number."""
    lot = Lot(SECRET, "2026")
    held = [sum(h for _, h in lot.block(f"m{i}", [f"c{i}"], 50_000)) for i in range(20_000)]
    assert ratio_p(20_000, sum(held), 0.05) > 1e-6


def test_the_secret_and_nothing_else_decides():
    clients = [f"c{i}" for i in range(200)]
    draw = dict(Lot(SECRET, "2026").block("m", clients, 50_000))
    assert dict(Lot(SECRET, "2026").block("m", clients, 50_000)) == draw
    assert dict(Lot(b"t" * 32, "2026").block("m", clients, 50_000)) != draw
    assert fingerprint(SECRET) != fingerprint(b"t" * 32)
    assert sorted(c for c, held in draw.items() if held) == [
        "c10", "c101", "c102", "c185", "c199", "c20", "c32", "c41", "c51", "c93",
    ]  # fmt: skip


@settings(max_examples=30)
@given(n=st.integers(0, 400), most=st.integers(1, 100))
def test_large_blocks_are_split_without_loss(n, most):
    clients = [f"c{i}" for i in range(n)]
    parts = parts_of(clients, Lot(SECRET, "2026"), most)
    assert sorted(c for part in parts for c in part) == sorted(clients)
    assert all(len(part) < 3 * most + 20 for part in parts)


def test_a_period_is_the_exchanges_year():
    at = datetime(2025, 12, 31, 16, 0, tzinfo=UTC)
    assert period_of(at, ZoneInfo("Asia/Shanghai")) == "2026"
    assert period_of(at, ZoneInfo("America/New_York")) == "2025"


def test_sample_ratio_check():
    assert ratio_p(10_000, 500, 0.05) == 1
    assert ratio_p(10_000, 600, 0.05) < 0.001
    assert ratio_p(10_000, 520, 0.05) > 0.3
    assert ratio_p(10, 0, 0.0) == 1
    assert ratio_p(10, 1, 0.0) == 0
