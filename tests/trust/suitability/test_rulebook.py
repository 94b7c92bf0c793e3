"""Rules as dated data: what was in force on a day, as far as was known on another."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from keepwell.core.errors import UsageError
from keepwell.trust.suitability.page import render
from keepwell.trust.suitability.policy import Initiative, ProductLevel, Profile, judge
from keepwell.trust.suitability.rulebook import FILE, RuleBook, Status

ROOT = Path(__file__).parents[3]
BOOK = RuleBook.shipped()
IDS = {
    *(f"SU-{n}" for n in range(1, 9)), "IN-1", "IN-2", "IN-3", "CT-1", "CT-2", "PI-4", "R-EXIT-3",
}  # fmt: skip

ONE = """
rules:
  - id: SU-3
    jurisdiction: CN
    title: {en: Lowest class, zh: 最低类别}
    words: {en: Nothing above, zh: 不得超出}
    sources: [{text: {en: a, zh: 甲}, confidence: T}]
    in_force: {from: 2020-01-01, confidence: T}
    recorded_on: 2020-01-01
    test: a::b
"""
SECOND = """
  - id: SU-3
    version: 2
    supersedes: 1
    jurisdiction: CN
    title: {en: Lowest class, zh: 最低类别}
    words: {en: Changed, zh: 已修改}
    sources: [{text: {en: a, zh: 甲}, confidence: T}, {text: {en: b, zh: 乙}, confidence: S}]
    in_force: {from: 2024-01-01, confidence: T}
    recorded_on: 2024-03-01
    test: a::b
"""
REPEAL = """
  - id: SU-3
    version: 3
    supersedes: 2
    jurisdiction: CN
    title: {en: Lowest class, zh: 最低类别}
    words: {en: Changed, zh: 已修改}
    sources: [{text: {en: a, zh: 甲}, confidence: T}]
    in_force: {from: 2024-01-01, to: 2026-01-01, confidence: T}
    recorded_on: 2025-12-01
    test: a::b
"""


def version(book, day, known=None):
    found = book.on(day, known).by_id.get("SU-3")
    return found.version if found else None


def test_all_rules_ship_each_with_source_confidence_and_words():
    assert {rule.id for rule in BOOK.versions} == IDS
    for rule in BOOK.versions:
        assert rule.sources
        assert re.search("[\u4e00-\u9fff]", rule.title.zh + rule.words.zh)
        assert not re.search("[\u4e00-\u9fff]", rule.title.en + rule.words.en)


def test_each_rule_names_a_test_that_there_is():
    for rule in BOOK.versions:
        path, _, name = rule.test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), rule.id
        assert name.startswith("test_" + rule.id.lower().replace("-", "_")), rule.id


def test_a_rule_is_as_sure_as_its_weakest_source():
    assert BOOK.get("SU-5").status is Status.VERIFIED
    assert BOOK.get("CT-1").status is Status.SECONDARY
    assert BOOK.get("SU-3").status is Status.UNVERIFIED
    # Securities Law Art. 88 was read, Order 130 was not.
    assert BOOK.get("SU-2").status is Status.UNVERIFIED
    signed = BOOK.get("SU-3").model_copy(update={"signed_by": "reviewer 7"})
    assert signed.status is Status.VERIFIED
    assert signed.digest() != BOOK.get("SU-3").digest()


def test_versions_follow_days_and_what_was_known():
    book = RuleBook.parse(ONE + SECOND + REPEAL)
    assert version(book, date(2019, 12, 31)) is None
    assert version(book, date(2023, 12, 31)) == 1
    assert version(book, date(2024, 1, 1)) == 3
    assert version(book, date(2026, 1, 1)) is None
    # As one would have judged then.
    assert version(book, date(2024, 2, 1), known=date(2024, 2, 1)) == 1
    assert version(book, date(2024, 2, 1), known=date(2024, 3, 1)) == 2
    assert version(book, date(2026, 2, 1), known=date(2025, 11, 30)) == 2
    assert book.on(date(2024, 1, 1)).names(["SU-3", "SU-9"]) == ("SU-3@3",)
    assert not book.on(date(2024, 1, 1), jurisdiction="GR").by_id


def test_a_rule_that_is_not_in_force_does_not_judge():
    early, late = date(2017, 6, 30), date(2017, 7, 1)
    for day, refused in ((early, False), (late, True)):
        profile = Profile.of_contract("lowest", "C1", day)
        verdict = judge(profile, ProductLevel.R5, Initiative.CLIENT_ASKS, day, BOOK.on(day))
        assert (verdict.code == "suitability.lowest-class") is refused


def test_digests_change_with_the_rules():
    then, now = BOOK.on(date(2019, 1, 1)), BOOK.on(date(2026, 1, 1))
    assert then.digest != now.digest
    assert now.digest == RuleBook.parse(FILE.read_text("utf-8")).on(date(2026, 1, 2)).digest


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("    jurisdiction: CN\n", "", "data-file.key-missing", 3),
        ("jurisdiction: CN", "jurisdiction: China", "data-file.value-invalid", 4),
        ("confidence: T}]", "confidence: X}]", "data-file.value-invalid", 7),
        ("from: 2020-01-01,", "from: soon,", "data-file.value-invalid", 8),
        ("from: 2020-01-01,", "from: null,", "data-file.value-invalid", 8),
        ("from: 2020-01-01,", "from: 2020-01-01, to: 2020-01-01,", "data-file.value-invalid", 8),
        ("recorded_on:", "recorded:", "data-file.key-unknown", 9),
        ("zh: 最低类别", "cn: 最低类别", "data-file.key-unknown", 5),
        ("id: SU-3", "id: su3", "data-file.value-invalid", 3),
        ("    test", "    version: 2\n    test", "data-file.value-invalid", 10),
        ("    test", "    supersedes: 7\n    test", "data-file.value-invalid", 10),
        ("rules:", "rule:", "data-file.key-missing", 2),
        ("    test: a::b", "    test: a::b\n    test: c", "mapping.key-twice", 11),
    ],
)
def test_a_fault_is_named_with_its_line(old, new, code, line):
    text = ONE.strip("\n")
    assert old in text
    with pytest.raises(UsageError) as caught:
        RuleBook.parse(text.replace(old, new), "my-rules.yaml")
    assert caught.value.code == code
    assert caught.value.fields["file"] == "my-rules.yaml"
    assert caught.value.fields["line"] == line - 1
    assert "my-rules.yaml" in caught.value.words("zh")


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        BOOK.get("SU-33")
    assert (caught.value.code, caught.value.fields["nearest"]) == (
        "suitability.rule-unknown", "SU-3",
    )  # fmt: skip


def test_the_page_shows_every_rule_its_confidence_and_its_test():
    page = render()
    for rule in BOOK.versions:
        section = page.split(f"\n## {rule.id}\n")[1].split("\n## ")[0]
        for words in (rule.title.en, rule.words.zh, rule.test, rule.status.title("en")):
            assert words in section, (rule.id, words)
    assert "| C-lowest | yes / yes | no / no | no / no | no / no | no / no |" in page
    assert "| C2 | yes / yes | yes / yes | no / warning | no / warning | no / warning |" in page
