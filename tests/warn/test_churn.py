from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from keepwell.core.text import catalogue
from keepwell.warn.churn import TENURE_BANDS, UNKNOWN, churn_rates, tenure_bands
from keepwell.warn.label import Labels

A, B = (datetime(2021, m, 1, tzinfo=UTC) for m in (1, 7))


def labels(at, *y):
    return Labels(
        [f"c{i:03d}" for i in range(len(y))], np.array(y, float), np.full(len(y), "", object),
        np.full(len(y), np.nan), at, B,
    )  # fmt: skip


def test_rates_count_known_labels_and_drop_nobody():
    of = labels(A, *[1.0] * 5, *[0.0] * 25, np.nan)
    segment = {f"c{i:03d}": "mass" for i in range(22)} | {"c022": "premium", "c023": ""}
    cells = {(c.dimension, c.value): c for c in churn_rates([of], {"segment": segment})}
    assert (cells["all", "all"].clients, cells["all", "all"].left) == (30, 5)
    assert cells["segment", "mass"].clients == 22
    assert not cells["segment", "mass"].small
    assert cells["segment", "premium"].small
    assert cells["segment", UNKNOWN].clients == 7
    whole = cells["all", "all"]
    assert whole.rate == pytest.approx(1 / 6)
    assert whole.low < whole.rate < whole.high
    by = [c for c in churn_rates([of], {"segment": segment}) if c.dimension == "segment"]
    assert sum(c.clients for c in by) == 30


def test_each_date_may_have_its_own_segments():
    cells = churn_rates(
        [labels(A, 1.0, 0.0), labels(B, 0.0, 0.0)],
        {"s": [{"c000": "x", "c001": "x"}, {"c000": "y", "c001": "x"}]},
    )
    assert [(c.as_of, c.value, c.clients) for c in cells if c.dimension == "s"] == [
        (A, "x", 2), (B, "x", 1), (B, "y", 1),
    ]  # fmt: skip


def test_nobody_gives_no_cells():
    assert churn_rates([labels(A, np.nan)]) == []


def test_tenure_bands_by_days():
    found = tenure_bands({"a": 0.0, "b": 90.0, "c": 91.0, "d": 5000.0, "e": float("nan")})
    assert found == {
        "a": "under 3 months", "b": "under 3 months", "c": "3 to 12 months",
        "d": "5 years and more",
    }  # fmt: skip
    assert all(words in catalogue() for _, words in TENURE_BANDS)
