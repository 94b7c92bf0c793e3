"""Everything that a person reads exists in both languages, and the page is up to date."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.pofile import read_po

import keepwell.core.text
from keepwell.core.errors import ERRORS
from keepwell.core.text import tr
from keepwell.observe.indicators import DIRECTIONS, FAMILIES, INDICATORS, UNITS
from keepwell.observe.indicators.page import (
    COUNTS,
    RULES,
    coverage_rule,
    render,
    threshold_words,
)

ROOT = Path(__file__).parents[3]
PO = Path(keepwell.core.text.__file__).parent / "locale" / "zh_Hans"
HAN = re.compile("[一-鿿]")


def _messages() -> list[str]:
    words = [*FAMILIES.values(), *UNITS.values(), *DIRECTIONS.values(), *RULES, COUNTS]
    words += [text for code, text in ERRORS.items() if code.startswith("indicator.")]
    for item in INDICATORS.values():
        words += [item.name, item.explain, item.definition]
    return sorted(set(words))


def test_there_is_chinese() -> None:
    for message in _messages():  # one test: a case each would cost more than the look itself
        chinese = tr(message, "zh")
        assert HAN.search(chinese), message
        fields = [sorted(re.findall(r"{\w+", text)) for text in (chinese, message)]
        assert fields[0] == fields[1], message


def test_both_definitions_name_the_same_numbers_and_columns() -> None:
    facts = re.compile(r"\d+|[a-z]+_[a-z_0-9]+")
    tables = {"cash_flow", "last_day"}
    for item in INDICATORS.values():
        english, chinese = item.definition, tr(item.definition, "zh")
        parted = set(facts.findall(english)) ^ set(facts.findall(chinese))
        assert parted <= tables, (item.id, parted)


def test_the_catalogue_has_nothing_unused() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("observe/indicators", "cli")
        for path in (ROOT / "src/keepwell" / folder).glob("*.py")
    )
    known = set(_messages())
    for name in (
        "indicators.po",
        "indicators_more.po",
        "indicators_peers.po",
        "indicators_selling.po",
    ):
        with (PO / name).open("rb") as file:
            unused = [
                str(message.id)
                for message in read_po(file)
                if message.id and message.id not in known and f'"{message.id}"' not in source
            ]
        assert unused == [], name


def test_no_chinese_outside_the_catalogues() -> None:
    for path in (ROOT / "src/keepwell/observe/indicators").glob("*.py"):
        assert not HAN.search(path.read_text(encoding="utf-8")), path.name


def test_names_are_unique_in_each_language() -> None:
    for locale in ("en", "zh"):
        names = [item.title(locale) for item in INDICATORS.values()]
        assert len(set(names)) == len(names), locale


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs/reference/indicators.md").read_text(encoding="utf-8")
    assert page == render(), "run: python -m keepwell.observe.indicators.page > docs/reference/..."


def test_the_page_shows_every_indicator_in_both_languages() -> None:
    page = render()
    for item in INDICATORS.values():
        for text in (item.name, item.explain, item.definition):
            assert text in page
            assert tr(text, "zh") in page
        assert f"### {item.id}\n" in page


def test_coverage_in_words() -> None:
    rule = coverage_rule(INDICATORS["trade_rate_change_30d"], "en")
    assert rule == "Needs trade, complete for at least half of each window (30, 365 days)."
    assert coverage_rule(INDICATORS["position_count"], "en").startswith("Needs holding, or")
    assert coverage_rule(INDICATORS["days_since_activity"], "en").endswith("is enough.")
    assert HAN.search(coverage_rule(INDICATORS["days_since_activity"], "zh"))


def test_thresholds_in_words() -> None:
    assert threshold_words(INDICATORS["trade_rate_change_30d"]) == "<= 0.7"
    assert threshold_words(INDICATORS["silence_ratio"]) == ">= 3"
    assert threshold_words(INDICATORS["tenure_days"]) == ""
