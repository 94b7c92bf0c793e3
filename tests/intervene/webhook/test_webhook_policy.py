from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from keepwell.frame.events import EventName
from keepwell.intervene.webhook import policy

AT = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        ("*", "case.opened", True), ("case.*", "case.opened", True),
        ("case.opened", "case.opened", True), ("case.closed", "case.opened", False),
        ("alert.*", "case.opened", False), ("cas.*", "case.opened", False),
    ],
)  # fmt: skip
def test_a_pattern_matches_all_a_thing_or_a_name(pattern, event, expected):
    assert policy.matches([pattern], event) is expected


@pytest.mark.parametrize("pattern", ["", "case", "case.*.x", "*.opened", "case.opend", "Case.*"])
def test_patterns_that_nothing_matches_are_unknown(pattern):
    assert not policy.pattern_known(pattern)


def test_every_suggested_pattern_is_known():
    assert all(policy.pattern_known(p) for p in policy.known_patterns())
    assert set(EventName) < set(policy.known_patterns())


@given(st.integers(1, 60), st.text())
def test_pauses_stay_within_a_fifth_and_are_repeatable(attempt, message_id):
    base = policy.DELAYS[min(attempt, len(policy.DELAYS)) - 1]
    pause = policy.delay(attempt, message_id)
    assert 0.8 * base <= pause <= 1.2 * base
    assert pause == policy.delay(attempt, message_id)


def test_messages_that_failed_together_do_not_return_together():
    assert len({policy.delay(3, f"msg_{i}") for i in range(100)}) > 90


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None), ("", None), ("soon", None), ("-5", None), ("1e9", None),
        ("120", timedelta(minutes=2)), ("9999999", policy.RETRY_AFTER_MOST),
    ],
)  # fmt: skip
def test_retry_after_is_bounded(header, expected):
    assert policy.retry_after(header) == expected


def test_each_endpoint_and_rotation_has_its_own_secret():
    made = {
        policy.derive_secret(key, endpoint, number)
        for key in (b"a" * 32, b"b" * 32)
        for endpoint in ("hook_1", "hook_2")
        for number in (1, 2)
    }
    assert len(made) == 8
    for secret in made:
        Webhook(secret)  # the library takes it
        assert len(secret) == len("whsec_") + 44


def test_the_old_secret_signs_for_a_day():
    day = timedelta(hours=24)
    assert policy.secret_numbers(1, None, AT) == [1]
    assert policy.secret_numbers(3, AT, AT + day - timedelta(seconds=1)) == [3, 2]
    assert policy.secret_numbers(3, AT, AT + day) == [3]


@given(st.binary(max_size=20_000))
def test_whatever_is_answered_can_be_stored(body):
    kept = policy.clean_response(body)
    assert len(kept) <= 2048
    assert "\x00" not in kept
    kept.encode()


def test_an_ordinary_answer_is_kept_as_it_is():
    assert policy.clean_response("收到\n".encode()) == "收到\n"
