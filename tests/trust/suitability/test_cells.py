"""All 120 cells against a table written by hand from the rules' words, not from the code."""

from __future__ import annotations

from datetime import date

import pytest

from keepwell.core.text import catalogue
from keepwell.trust.suitability.policy import (
    ClientLevel,
    Initiative,
    Investor,
    Outcome,
    ProductLevel,
    Profile,
    judge,
)
from keepwell.trust.suitability.rulebook import RuleBook

DAY = date(2026, 11, 2)
RULES = RuleBook.shipped().on(DAY)

# y: allowed. w: with written warning and recorded insistence (SU-4). 2, 3: refused by SU-2, SU-3.
TABLE = """
ordinary      recommend    C-lowest  y 2 2 2 2
ordinary      recommend    C1        y 2 2 2 2
ordinary      recommend    C2        y y 2 2 2
ordinary      recommend    C3        y y y 2 2
ordinary      recommend    C4        y y y y 2
ordinary      recommend    C5        y y y y y
ordinary      client-asks  C-lowest  y 3 3 3 3
ordinary      client-asks  C1        y w w w w
ordinary      client-asks  C2        y y w w w
ordinary      client-asks  C3        y y y w w
ordinary      client-asks  C4        y y y y w
ordinary      client-asks  C5        y y y y y
professional  recommend    C-lowest  y 2 2 2 2
professional  recommend    C1        y y y y y
professional  recommend    C2        y y y y y
professional  recommend    C3        y y y y y
professional  recommend    C4        y y y y y
professional  recommend    C5        y y y y y
professional  client-asks  C-lowest  y 3 3 3 3
professional  client-asks  C1        y y y y y
professional  client-asks  C2        y y y y y
professional  client-asks  C3        y y y y y
professional  client-asks  C4        y y y y y
professional  client-asks  C5        y y y y y
"""


def cells():
    for line in TABLE.strip().splitlines():
        investor, initiative, level, *marks = line.split()
        for product, mark in zip(ProductLevel, marks, strict=True):
            yield Investor(investor), Initiative(initiative), ClientLevel(level), product, mark


def test_the_table_has_every_cell_once():
    found = [cell[:4] for cell in cells()]
    assert len(found) == len(set(found)) == 120


@pytest.mark.parametrize(
    ("investor", "initiative", "level", "product", "mark"),
    list(cells()),
    ids=str,
)
def test_cell(investor, initiative, level, product, mark):
    verdict = judge(Profile(investor, level, DAY), product, initiative, DAY, RULES)
    expected = {"y": Outcome.ALLOWED, "w": Outcome.WARNING}.get(mark, Outcome.REFUSED)
    assert verdict.outcome is expected
    last = {"w": "SU-4", "2": "SU-2", "3": "SU-3", "y": "SU-1"}[mark]
    assert verdict.rules[-1] == last
    assert bool(verdict.records) is (mark == "w")
    english, chinese = verdict.words("en"), verdict.words("zh")
    assert "{" not in english + chinese
    assert english != chinese
    assert last in english
    assert last in chinese


def test_a_higher_product_is_never_judged_kinder():
    for investor in Investor:
        for level in ClientLevel:
            for initiative in Initiative:
                for profile in (Profile(investor, level, DAY), Profile(investor, level, None)):
                    outcomes = [judge(profile, p, initiative, DAY, RULES) for p in ProductLevel]
                    assert [v.outcome for v in outcomes] == sorted(v.outcome for v in outcomes)


def test_a_client_who_bears_more_is_never_judged_harder_and_asking_never_harder_than_ours():
    for investor in Investor:
        for product in ProductLevel:
            for initiative in Initiative:
                outcomes = [
                    judge(Profile(investor, level, DAY), product, initiative, DAY, RULES).outcome
                    for level in ClientLevel
                ]
                assert outcomes == sorted(outcomes, reverse=True)
            for level in ClientLevel:
                profile = Profile(investor, level, DAY)
                ours, theirs = (judge(profile, product, i, DAY, RULES) for i in Initiative)
                assert theirs.outcome <= ours.outcome


def test_every_word_of_a_verdict_has_its_chinese():
    from keepwell.trust.suitability.policy import ALLOWING, RECORD_TITLES
    from keepwell.trust.suitability.rulebook import STATUS_TITLES

    words = [*ALLOWING.values(), *RECORD_TITLES.values(), *STATUS_TITLES.values()]
    assert [w for w in words if w not in catalogue()] == []
