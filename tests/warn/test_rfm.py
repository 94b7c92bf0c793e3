from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from keepwell.core.days import parse_as_of
from keepwell.warn.rfm import rfm_inputs
from tests.warn.world import build

AT = date(2021, 1, 1)


def rows(client, *ago, amount=5.0):
    return [
        (f"{client}{i}", client, AT - timedelta(days=a), "I1", "buy", 1.0, amount)
        for i, a in enumerate(ago)
    ]


def test_against_the_formulas_by_hand(tmp_path):
    many = [3, 3, 40, 41, 200, 366, 367, 500]
    _, engine = build(
        tmp_path,
        trade=rows("many", *many) + rows("old", 400) + rows("blind", 7, amount=None)
        + rows("future", 0, -3),
    )  # fmt: skip
    clients = ["blind", "many", "nobody", "old"]
    names, X = rfm_inputs(engine, parse_as_of("2021-01-01", engine.zone), clients)
    found = dict(zip(clients, X, strict=True))
    assert names == ["rfm_recency", "rfm_frequency", "rfm_value", "rfm_clumpiness"]
    x = np.sort(366 - np.unique([a for a in many if a <= 366]) + 1)
    gaps = np.diff(np.concatenate([[0], x, [368]])) / 368
    clump = 1 + (gaps * np.log(gaps)).sum() / np.log(len(x) + 1)
    assert found["many"].tolist() == pytest.approx([3, 6, 6 * 500, clump])
    assert found["old"].tolist() == [400, 0, 0, 0]
    assert found["blind"][:2].tolist() == [7, 1]
    assert np.isnan(found["blind"][2])
    assert np.isnan(found["nobody"][0])
    assert found["nobody"][1:].tolist() == [0, 0, 0]


def test_what_was_not_known_is_not_seen(tmp_path):
    _, engine = build(tmp_path, delay="5d", trade=rows("a", 3, 10))
    _, X = rfm_inputs(engine, parse_as_of("2021-01-01", engine.zone), ["a"])
    assert X[0, :2].tolist() == [10, 1]
