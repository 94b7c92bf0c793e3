from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core.errors import UsageError
from keepwell.warn.tier import (
    RULE_TITLES,
    TITLES,
    RaiseRule,
    Tier,
    TierRules,
    TierState,
    next_state,
    tier_of,
    tiers_of,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def run(*scores, rules=None, fired=(), start=None):
    state = start
    for i, score in enumerate(scores):
        state = next_state(score, T0 + i * DAY, state, rules, fired)
    return state


@pytest.mark.parametrize(
    ("score", "tier"),
    [(0, "none"), (59.999, "none"), (60, "mild"), (75.999, "mild"), (76, "moderate"),
     (89.999, "moderate"), (90, "severe"), (100, "severe")],
)  # fmt: skip
def test_tiers_are_half_open(score, tier):
    assert tier_of(score).code == tier
    assert tiers_of(np.array([float(score)]))[0] == tier_of(score)


def test_a_client_rises_at_once():
    state = run(50, 91)
    assert (state.tier, state.since) == (Tier.SEVERE, T0 + DAY)


def test_four_points_below_the_cut_are_not_left():
    state = run(80, *[72.0] * 30)
    assert state.tier == Tier.MODERATE
    assert state.low_since is None


def test_below_that_the_dwell_must_pass():
    assert run(80, *[71.9] * 7).tier == Tier.MODERATE
    left = run(80, *[71.9] * 8)
    assert (left.tier, left.since) == (Tier.MILD, T0 + 8 * DAY)


def test_a_recovery_in_between_starts_the_dwell_anew():
    assert run(80, *[71.0] * 6, 73.0, *[71.0] * 7).tier == Tier.MODERATE
    assert run(80, *[71.0] * 6, 73.0, *[71.0] * 8).tier == Tier.MILD


def test_a_deep_fall_passes_tiers_by_their_own_hysteresis():
    assert run(95, *[73.0] * 9).tier == Tier.MODERATE
    assert run(95, *[57.0] * 9).tier == Tier.MILD
    assert run(95, *[10.0] * 9).tier == Tier.NONE


def test_a_rule_raises_at_once_and_says_so():
    state = run(20, fired=[RaiseRule.COMPLAINT_OVERDUE, RaiseRule.CLOSING_QUESTION])
    assert state.tier == Tier.SEVERE
    assert state.raised_by == RaiseRule.CLOSING_QUESTION


def test_a_rule_that_still_holds_keeps_the_tier():
    state = run(*[20.0] * 40, fired=[RaiseRule.COMPLAINT_OVERDUE])
    assert state.tier == Tier.MODERATE
    assert state.low_since is None


def test_when_the_rule_ends_the_dwell_begins():
    raised = run(20, fired=[RaiseRule.CLOSING_QUESTION])
    later = next_state(20, T0 + 3 * DAY, raised)
    assert later.tier == Tier.SEVERE
    assert later.raised_by == RaiseRule.CLOSING_QUESTION
    assert next_state(20, T0 + 9 * DAY, later).tier == Tier.SEVERE
    assert next_state(20, T0 + 10 * DAY, later).tier == Tier.NONE


def test_the_score_takes_over_from_a_rule():
    raised = run(20, fired=[RaiseRule.CLOSING_QUESTION])
    assert next_state(95, T0 + DAY, raised).raised_by is None


def test_without_hysteresis_and_dwell_it_is_the_cut():
    rules = TierRules(hysteresis=0, dwell=timedelta())
    assert run(95, 75.9, rules=rules).tier == Tier.MILD


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="score"):
        next_state(101, T0)
    with pytest.raises(ValueError, match="before"):
        next_state(50, T0 - DAY, TierState(Tier.NONE, T0))
    with pytest.raises(UsageError, match="increase"):
        TierRules(cuts=(60, 50, 90))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_the_tier_is_never_below_that_of_the_score(scores):
    state = None
    for i, score in enumerate(scores):
        before = state
        state = next_state(score, T0 + i * DAY, state)
        assert state.tier >= tier_of(score)
        assert next_state(score, T0 + i * DAY, before) == state
        if before and state.tier < before.tier:
            assert score < (60, 76, 90)[before.tier - 1] - 4


def test_every_tier_and_rule_has_words_in_both_languages():
    from keepwell.core.text import catalogue

    for words in (*TITLES.values(), *RULE_TITLES.values()):
        assert words in catalogue()
