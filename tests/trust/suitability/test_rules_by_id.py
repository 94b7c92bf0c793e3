"""Every rule of suitability by its id; what each says where it is in force, and where it is not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwell.intervene.contact.policy import Channel
from keepwell.trust.suitability.policy import (
    ClientLevel,
    Initiative,
    Investor,
    Outcome,
    ProductLevel,
    Profile,
    Record,
    assessed_until,
    judge,
    leverage_level,
)
from keepwell.trust.suitability.rulebook import RuleBook, Rules

DAY = date(2026, 11, 2)
RULES = RuleBook.shipped().on(DAY)
ASKS, OURS = Initiative.CLIENT_ASKS, Initiative.RECOMMEND
EVIDENCE = Path(__file__).parents[3] / "src/keepwell/trust/evidence"


def ordinary(level, assessed_on=DAY, **more):
    return Profile(Investor.ORDINARY, ClientLevel(level), assessed_on, **more)


def without(*ids):
    return Rules(RULES.day, RULES.known, {i: r for i, r in RULES.by_id.items() if i not in ids})


def test_su_1_match_iff_the_product_is_not_above_the_client():
    for level in ClientLevel:
        for product in ProductLevel:
            verdict = judge(ordinary(level), product, OURS, DAY, RULES)
            assert verdict.allowed is (product.number <= level.number)
            assert "SU-1" in verdict.rules
    assert judge(ordinary("C5"), None, ASKS, DAY, RULES).code == "suitability.product-unknown"
    # Without the rule there is no match to fail.
    unruled = judge(ordinary("C1"), ProductLevel.R5, OURS, DAY, without("SU-1"))
    assert (unruled.outcome, unruled.code) == (Outcome.ALLOWED, "suitability.unruled")


def test_su_2_nothing_above_the_level_or_outside_objectives_is_recommended():
    above = judge(ordinary("C4"), ProductLevel.R5, OURS, DAY, RULES)
    assert (above.outcome, above.code) == (Outcome.REFUSED, "suitability.level-above")
    for investor in Investor:
        profile = Profile(investor, ClientLevel.C5, DAY, within_objectives=False)
        verdict = judge(profile, ProductLevel.R1, OURS, DAY, RULES)
        assert (verdict.code, verdict.rules) == ("suitability.objectives-differ", ("SU-2",))
        assert judge(profile, ProductLevel.R1, ASKS, DAY, RULES).allowed
    assert judge(ordinary("C4"), ProductLevel.R5, OURS, DAY, without("SU-2")).allowed
    assert leverage_level(RULES) is ProductLevel.R4
    assert leverage_level(without("SU-2")) is ProductLevel.R5


def test_su_3_the_lowest_class_gets_nothing_above_its_level_even_on_request():
    for product in list(ProductLevel)[1:]:
        verdict = judge(ordinary("C-lowest"), product, ASKS, DAY, RULES)
        assert (verdict.outcome, verdict.rules) == (Outcome.REFUSED, ("SU-1", "SU-3"))
        assert judge(ordinary("C1"), product, ASKS, DAY, RULES).outcome is Outcome.WARNING
    assert judge(ordinary("C-lowest"), ProductLevel.R1, ASKS, DAY, RULES).allowed
    left = judge(ordinary("C-lowest"), ProductLevel.R2, ASKS, DAY, without("SU-3"))
    assert left.outcome is Outcome.WARNING


def test_su_4_a_client_who_insists_is_warned_in_writing_and_recorded_by_channel():
    both = [Record.WRITTEN_WARNING, Record.INSISTENCE]
    for channel in Channel:
        verdict = judge(ordinary("C2"), ProductLevel.R4, ASKS, DAY, RULES, channel.value)
        seen = channel in (Channel.BRANCH, Channel.VISIT)
        way = Record.AUDIO_VIDEO if seen else Record.ELECTRONIC_TRAIL
        assert (verdict.outcome, list(verdict.records)) == (Outcome.WARNING, [*both, way])
        assert verdict.records[-1].title("zh") == ("录音或录像" if seen else "电子确认痕迹")
    assert judge(ordinary("C2"), ProductLevel.R4, ASKS, DAY, without("SU-4")).allowed


@pytest.mark.parametrize("initiative", list(Initiative))
def test_su_5_without_an_assessment_in_date_nothing_is_sold(initiative):
    def code(profile, rules=RULES):
        return judge(profile, ProductLevel.R1, initiative, DAY, rules).code

    missing = "suitability.assessment-missing"
    assert code(ordinary("C5", None)) == missing
    assert code(ordinary("C5", DAY + timedelta(days=1))) == missing
    assert code(Profile(Investor.ORDINARY, None, DAY)) == missing
    assert code(Profile(None, ClientLevel.C5, DAY)) == missing
    assert code(Profile(Investor.PROFESSIONAL, ClientLevel.LOWEST, None)) == missing
    assert code(ordinary("C5", date(2025, 11, 2))) == "suitability.assessment-expired"
    assert code(ordinary("C5", date(2025, 11, 3))) == "suitability.matched"
    assert code(ordinary("C5", None), without("SU-5")) == "suitability.matched"
    # A professional shows their standing otherwise.
    assert code(Profile(Investor.PROFESSIONAL, None, None)) == "suitability.professional"
    words = judge(ordinary("C5", date(2025, 11, 2)), ProductLevel.R1, initiative, DAY, RULES)
    assert "nothing may be sold" in words.words("en")
    assert "2026-11-02" in words.words("zh")


def test_su_5_says_how_sure_its_months_are():
    months = RULES.by_id["SU-5"].parameters["months"]
    assert (months.value, months.confidence) == (12, "K")
    assert assessed_until(date(2025, 8, 31), RULES) == date(2026, 8, 31)
    assert assessed_until(date(2024, 2, 29), RULES) == date(2025, 2, 28)
    assert assessed_until(DAY, without("SU-5")) is None


def test_su_7_records_are_kept_for_twenty_years_and_nothing_of_the_log_is_deleted():
    years = RULES.by_id["SU-7"].parameters["years"]
    assert (years.value, years.confidence) == (20, "T")
    # What may go are salts and openings, for erasure, and entries that have become leaves.
    source = "".join(module.read_text("utf-8") for module in EVIDENCE.glob("*.py"))
    deleted = set(re.findall(r"\bdelete\(\s*(\w+)", source))
    assert deleted == {"EvidenceOpening", "EvidenceSalt", "EvidencePending"}


@given(
    st.sampled_from(list(Investor)),
    st.sampled_from(list(ClientLevel)),
    st.sampled_from(list(Initiative)),
    st.integers(-30, 800),
    st.sampled_from([None, True, False]),
    st.sets(st.sampled_from(sorted(RULES.by_id))),
)
def test_raising_the_product_never_makes_a_verdict_kinder(
    investor, level, initiative, age, objectives, absent
):
    """Whatever the profile, and whichever rules are in force."""
    profile = Profile(investor, level, DAY - timedelta(days=age), objectives)
    rules = without(*absent)
    outcomes = [judge(profile, p, initiative, DAY, rules).outcome for p in ProductLevel]
    assert outcomes == sorted(outcomes)


@given(st.sampled_from(list(ClientLevel)), st.sampled_from(list(ProductLevel)), st.integers(0, 364))
def test_a_verdict_in_date_does_not_depend_on_the_day_of_the_assessment(level, product, age):
    fresh = ordinary(level)
    older = replace(fresh, assessed_on=DAY - timedelta(days=age))
    assert judge(older, product, ASKS, DAY, RULES) == judge(fresh, product, ASKS, DAY, RULES)


def test_the_columns_of_the_contract_become_a_profile():
    assert Profile.of_contract("lowest", "C1", DAY).level is ClientLevel.LOWEST
    assert Profile.of_contract("lowest", None, DAY).investor is Investor.ORDINARY
    assert Profile.of_contract("professional", None, None).investor is Investor.PROFESSIONAL
    assert Profile.of_contract(None, "C3", DAY) == Profile(None, ClientLevel.C3, DAY)
    assert Profile.of_contract("ordinary", None, DAY).level is None
