"""Inputs that moved too far: the index by its definition, and who is left out by it."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.warn.dataset import Dataset
from keepwell.warn.drift import MOST_DRIFT, drifted, stability_index
from keepwell.warn.label import LabelDefinition

VALUE = st.one_of(st.integers(-5, 5).map(float), st.just(math.nan))
COLUMN = st.lists(VALUE, min_size=1, max_size=40)


def slow(before, after):
    """The index by its words, value by value."""
    both = sorted(v for v in before + after if not math.isnan(v))
    edges = sorted({float(np.quantile(both, i / 10)) for i in range(1, 10)}) if both else []

    def share(values, place):
        def bin(v):
            return "absent" if math.isnan(v) else sum(edge < v for edge in edges)

        return sum(bin(v) == place for v in values) / len(values) + 1e-3

    return sum(
        (share(before, b) - share(after, b)) * math.log(share(before, b) / share(after, b))
        for b in [*range(len(edges) + 1), "absent"]
    )


@settings(max_examples=60, deadline=None)
@given(COLUMN, COLUMN)
def test_the_index_is_its_definition(before, after):
    found = stability_index(np.array(before), np.array(after))
    assert found == pytest.approx(slow(before, after), abs=1e-9)
    assert found >= -1e-12
    assert stability_index(np.array(after), np.array(before)) == pytest.approx(found, abs=1e-9)


def test_nothing_moved_is_zero_and_apart_is_large():
    a = np.arange(200.0)
    assert stability_index(a, a) == 0
    assert stability_index(a, a[::-1]) == 0
    assert stability_index(a, a + 10) < 0.25
    assert stability_index(a, a + 1000) > MOST_DRIFT


def test_absence_is_a_value_of_its_own():
    a = np.arange(100.0)
    gone = np.full(100, np.nan)
    half = np.where(a % 2 == 0, a, np.nan)
    assert stability_index(gone, gone) == 0
    assert stability_index(a, gone) > MOST_DRIFT
    assert 0.25 < stability_index(a, half) < stability_index(a, gone)


def test_a_constant_has_not_moved():
    assert stability_index(np.zeros(10), np.zeros(500)) == 0
    assert stability_index(np.zeros(10), np.ones(10)) > MOST_DRIFT


def dataset(columns, dates):
    """Rows of some dates; `dates` gives the date of each row."""
    X = np.column_stack(list(columns.values())).astype(np.float64)
    n, count = len(X), max(dates) + 1
    return Dataset(
        X=X, y=np.zeros(n), clients=np.array([f"c{i}" for i in range(n)], object),
        date=np.array(dates, np.int64),
        dates=tuple(datetime(2020 + i, 1, 1, tzinfo=UTC) for i in range(count)),
        names=tuple(columns), weight=np.ones(n), at_risk=np.ones(n, np.bool_), manifest=1,
        versions={}, definition=LabelDefinition(),
    )  # fmt: skip


def test_inputs_are_compared_with_the_newest_training_date_only():
    n = 100
    old, new = np.arange(n) + 5000.0, np.arange(n) + 0.0
    dates = [0] * n + [1] * n
    learnt = dataset(
        {"back": np.r_[old, new], "steady": np.r_[new, new], "away": np.r_[new, new]}, dates
    )
    # Other columns in another order; one that training does not have.
    now = dataset({"more": new, "away": old, "back": new, "steady": new}, [0] * n)
    assert drifted(learnt, now, ["steady", "away", "back"]) == ["away"]
    assert drifted(learnt, now, ["back", "steady"]) == []
    assert drifted(learnt, learnt.rows(learnt.date == 0), ["back", "away"]) == ["back"]


def test_the_order_of_rows_and_labels_do_not_matter():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=300), rng.normal(1, 2, 250)
    assert stability_index(a, b) == stability_index(rng.permutation(a), rng.permutation(b))
    learnt, now = dataset({"x": a}, [0] * 300), dataset({"x": b + 50}, [0] * 250)
    now.y[:] = np.nan
    assert drifted(learnt, now, ["x"]) == ["x"]
