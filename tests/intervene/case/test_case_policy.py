from itertools import product

import pytest

from keepwell.core.text import catalogue
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.case.policy import (
    BY_SYSTEM,
    CLOSE_TITLES,
    LIVE,
    OUTCOMES,
    REASON_TITLES,
    STATE_TITLES,
    CaseReason,
    CloseReason,
    State,
    higher,
    may_close,
    may_move,
    replay,
    spread,
    urgency,
)
from keepwell.warn.tier import Tier


def test_moves_go_forward_only_and_may_skip():
    allowed = {(a, b) for a, b in product(State, State) if may_move(a, b)}
    expected = {(a, b) for i, a in enumerate(LIVE) for b in LIVE[i + 1 :]}
    assert allowed == expected


def test_every_reason_belongs_to_exactly_one_outcome():
    homes = {reason: [o for o in State if may_close(o, reason)] for reason in CloseReason}
    assert all(len(outcomes) == 1 for outcomes in homes.values())
    assert {o for outcomes in homes.values() for o in outcomes} == set(OUTCOMES)
    assert set(LIVE) | set(OUTCOMES) == set(State)
    assert {State.WITHDRAWN} == BY_SYSTEM


def test_cases_know_every_reason_of_alerts_and_every_tier():
    assert {r.value for r in AlertReason} | {"manual"} == {r.value for r in CaseReason}
    codes = [tier.code for tier in sorted(Tier)]
    assert sorted(codes, key=urgency, reverse=True) == codes
    assert higher("none", "mild") == higher("mild", "none") == "mild"


@pytest.mark.parametrize("titles", [REASON_TITLES, STATE_TITLES, CLOSE_TITLES])
def test_every_code_has_a_title_in_both_languages(titles):
    assert set(titles) == set(type(next(iter(titles))))
    assert [words for words in titles.values() if words not in catalogue()] == []


def test_replay_lets_the_last_word_count():
    row = replay([{"state": "open", "tier": "mild"}, {}, {"state": "plan"}])
    assert row["state"] == "plan"
    assert row["tier"] == "mild"
    assert row["owner_id"] is None


def test_spread_evens_out_the_load():
    cases = [f"case{i}" for i in range(10)]
    plan = spread({"a": 0, "b": 4, "c": 1}, cases)
    taken = {staff: list(plan.values()).count(staff) for staff in "abc"}
    assert taken == {"a": 5, "b": 1, "c": 4}
