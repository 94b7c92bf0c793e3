"""Rules CT-1, CT-2, R-EXIT-3 and PI-4: the gate as a pure function, over the whole grid."""

from datetime import time
from itertools import product

import pytest

from keepwell.core.errors import ERRORS
from keepwell.core.text import catalogue
from keepwell.intervene.contact.policy import (
    RESULT_TITLES,
    RULES,
    Aim,
    Direction,
    Facts,
    Result,
    is_quiet,
    may_contact,
)

FLAGS = (
    "marketing_refused", "marketing_given", "service_refused", "profiling_refused", "from_score",
    "require_consent", "exiting", "exit_refused",
)  # fmt: skip


def grid():
    for values in product((False, True), repeat=len(FLAGS)):
        facts = dict(zip(FLAGS, values, strict=True))
        for complaints, exit_contacts, hour in product((0, 1), (0, 1), (10, 22)):
            yield facts | {
                "complaints": complaints, "exit_contacts": exit_contacts, "local": time(hour),
            }  # fmt: skip


def test_a_retention_contact_is_allowed_exactly_when_no_rule_speaks_against_it():
    allowed = 0
    for given in grid():
        verdict = may_contact(Facts(aim=Aim.RETENTION, **given))
        expected = not (
            given["marketing_refused"]  # CT-1
            or given["complaints"]  # CT-2
            or given["exit_refused"]  # R-EXIT-3
            or (given["exiting"] and given["exit_contacts"])  # R-EXIT-3
            or (given["profiling_refused"] and given["from_score"])  # PI-4
            or (given["require_consent"] and not given["marketing_given"])  # CT-1
            or given["local"] == time(22)  # CT-1
        )
        assert verdict.allowed is expected, given
        assert (verdict.code is None) is expected
        allowed += expected
    assert allowed > 50


def test_service_is_stopped_only_by_the_clients_own_word_and_never_while_something_is_open():
    for given in grid():
        verdict = may_contact(Facts(aim=Aim.SERVICE, **given))
        needed = given["complaints"] or given["exiting"]
        assert verdict.allowed is (not given["service_refused"] or bool(needed)), given


def test_a_client_who_calls_is_always_answered():
    for given in grid():
        assert may_contact(Facts(aim=Aim.RETENTION, direction=Direction.IN, **given)).allowed


@pytest.mark.parametrize(
    ("local", "since", "until", "quiet"),
    [
        (time(20, 59), time(21), time(8), False),
        (time(21), time(21), time(8), True),
        (time(0), time(21), time(8), True),
        (time(7, 59, 59), time(21), time(8), True),
        (time(8), time(21), time(8), False),
        (time(12, 30), time(12), time(14), True),
        (time(14), time(12), time(14), False),
        (time(3), time(0), time(0), False),
    ],
)
def test_quiet_hours_are_half_open_and_may_pass_midnight(local, since, until, quiet):
    assert is_quiet(local, since, until) is quiet


def test_every_code_has_a_rule_and_words():
    assert set(RULES) <= set(ERRORS)
    assert set(RULES.values()) == {"CT-1", "CT-2", "R-EXIT-3", "PI-4"}
    for code, rule in RULES.items():
        assert rule in ERRORS[code]
    assert set(RESULT_TITLES) == set(Result)
    assert all(words in catalogue() for words in RESULT_TITLES.values())
