"""The stage gate: certain, impossible, or not yet known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import UsageError
from keepwell.learn.experiment.design import Metric
from keepwell.learn.experiment.gate import Passing, stage_gate
from keepwell.learn.experiment.readout import read_out

LEFT = Metric("left", "proportion", "lower")


def effect(left: int, of: int, left_alone: int, of_alone: int, metric: Metric = LEFT):
    data = {
        "arm": ["call"] * of + ["none"] * of_alone,
        "left": [1] * left + [0] * (of - left) + [1] * left_alone + [0] * (of_alone - left_alone),
    }
    return read_out([metric], data, control="none").effects[0]


@pytest.mark.parametrize(
    ("passing", "counts"),
    [
        (Passing.PASSED, (700, 8000, 1200, 8000)),
        (Passing.NOT_YET, (7, 80, 12, 80)),
        (Passing.NOT_YET, (960, 8000, 1200, 8000)),
        (Passing.FAILED, (1150, 8000, 1200, 8000)),
        (Passing.FAILED, (1500, 8000, 1200, 8000)),
    ],
)
def test_the_gate_asks_for_the_interval(passing, counts):
    found = stage_gate(effect(*counts))
    assert found.passing is passing
    words = found.words("en", metric="churn")
    assert "churn" in words
    assert "20%" in words
    assert words.startswith(str(passing).capitalize())
    assert found.words("zh", metric="流失率") != words


def test_the_chinese_words_are_a_brokers():
    words = stage_gate(effect(700, 8000, 1200, 8000)).words("zh", metric="流失率")
    assert words.startswith("通过：“流失率”比对照组至少低 20%")


def test_a_metric_that_should_rise_is_gated_upwards():
    rise = Metric("left", "proportion", "higher")
    assert stage_gate(effect(1800, 8000, 1200, 8000, rise)).passing is Passing.PASSED
    assert stage_gate(effect(700, 8000, 1200, 8000, rise)).passing is Passing.FAILED


def test_nobody_left_in_the_control_group_proves_nothing():
    found = stage_gate(effect(1, 100, 0, 100))
    assert found.passing is Passing.NOT_YET
    assert "∞" in found.words("en")


@given(st.integers(1, 299), st.integers(1, 299), st.floats(0.05, 0.6))
@settings(max_examples=60, deadline=None)
def test_passed_is_what_a_test_against_the_lowered_control_says(left, alone, least):
    """Fieller's interval is that of the difference from a lowered control, turned round."""
    one = effect(left, 300, alone, 300)
    contrast = one.contrast(1.0, -(1 - least), 0.95)
    found = stage_gate(one, least).passing
    # Degrees of freedom differ a little along the interval; away from the edge they do not matter.
    margin = 0.02 * abs(contrast.high - contrast.low)
    if np.isinf(one.relative.high):
        assert found is Passing.NOT_YET
    elif contrast.high < -margin:
        assert found is Passing.PASSED
    elif contrast.low > margin:
        assert found is Passing.FAILED
    elif contrast.low < -margin and contrast.high > margin:
        assert found is Passing.NOT_YET


def test_a_higher_level_never_passes_more():
    one = effect(880, 8000, 1200, 8000)
    order = [Passing.PASSED, Passing.NOT_YET]
    found = [
        order.index(stage_gate(one, level=level).passing) for level in np.linspace(0.5, 0.999, 12)
    ]
    assert found == sorted(found)


def test_a_gate_that_asks_for_nothing_is_refused():
    with pytest.raises(UsageError):
        stage_gate(effect(7, 80, 12, 80), 0.0)
