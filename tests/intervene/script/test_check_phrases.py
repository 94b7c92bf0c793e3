"""What may not be said is found in every dress; what only sounds like it is left alone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.intervene.action.wording import faults
from keepwell.intervene.script.check import LIMIT, Author, Brief, check, passes
from keepwell.intervene.script.normal import normal
from keepwell.intervene.script.phrases import Occasion, shipped_phrases

from .dress import dressed
from .sentences import BAD, COMPLAINT, EXIT, FINE_WHEN_LEAVING, GOOD, lines
from .talk import BAD_TALK, FAIR_TALK

ON = date(2026, 11, 23)
PLAIN = Brief(ON, commercial=False)
ALL_BAD = [(rule, text) for rule, block in BAD.items() for text in lines(block)]
ALL_GOOD = lines(GOOD)


def codes(text, brief=PLAIN):
    return [finding.code for finding in check(text, brief) if finding.start < finding.end]


def test_the_corpus_is_large_enough():
    assert len(ALL_BAD) >= 200
    assert len(ALL_GOOD) >= 150


@pytest.mark.parametrize("rule", BAD)
def test_bad_sentences_are_found_under_their_rule(rule):
    missed = [
        text for text in lines(BAD[rule])
        if rule not in {f.rule for f in check(text, PLAIN) if f.severity == "grave"}
    ]  # fmt: skip
    assert not missed


def test_talk_as_people_talk():
    assert [text for text in lines(BAD_TALK) if passes(check(text, PLAIN))] == []
    assert [(text, codes(text)) for text in lines(FAIR_TALK) if codes(text)] == []


def test_no_dress_hides_a_bad_sentence():
    missed = [
        (way, text) for _, sentence in ALL_BAD for way, text in dressed(sentence)
        if passes(check(text, PLAIN))
    ]  # fmt: skip
    assert not missed


def test_words_spelt_letter_by_letter_are_found():
    for text in ("It is g u a r a n t e e d return.", "We pay a r e b a t e.", "r i s k - free"):
        assert not passes(check(text, PLAIN)), text


def test_an_english_phrase_begins_where_a_word_does():
    assert codes("We spoke about volcano risks.") == []
    assert codes("No risks.") == codes("(no risks)") == ["gain-promise"]


def test_good_sentences_are_left_alone():
    wrong = [(text, codes(text)) for text in ALL_GOOD if codes(text)]
    assert not wrong


def test_a_bad_sentence_is_found_among_good_ones():
    for _, bad in ALL_BAD[::9]:
        zh = "\u4e00" <= bad[0] <= "\u9fff"
        around = [s for s in ALL_GOOD if ("\u4e00" <= s[0] <= "\u9fff") == zh]
        text = "\n".join([*around[:4], bad, *around[4:8]])
        found = [f for f in check(text, PLAIN) if f.start < f.end]
        assert found, bad
        begin = text.index(bad)
        assert all(begin <= f.start < f.end <= begin + len(bad) for f in found), bad


@pytest.mark.parametrize(
    "text",
    [
        "这不是不保本，您放心。",
        "我们绝不会不保本。",
        "怎么会不保本。",
        "不是我吹牛这款保本。",
        "我们不是银行，但这款保本保息。",
        "别家不保本。我们保本。",
        "保。本。保。息。",
        "稳 。赚 。不 。赔",
        "It is not only guaranteed return but more: guaranteed profit.",
        "No doubt, guaranteed returns.",
        "We are not a bank. Guaranteed returns are ours.",
        "Why not guaranteed returns?",
    ],
)
def test_a_denial_that_does_not_govern_the_phrase_is_none(text):
    assert not passes(check(text, PLAIN))


def test_complaint_and_exit_have_phrases_of_their_own():
    for occasion, block in ((Occasion.COMPLAINT, COMPLAINT), (Occasion.EXIT, EXIT)):
        brief = Brief(ON, commercial=False, occasion=occasion)
        assert [s for s in lines(block) if not codes(s, brief)] == []
    leaving = Brief(ON, commercial=False, occasion=Occasion.EXIT)
    assert [s for s in lines(FINE_WHEN_LEAVING) if codes(s, leaving)] == []
    assert codes("请您再考虑一下。") == []


def test_findings_point_into_the_text_as_written():
    text = "您好！这款产品ｇｕａｒａｎｔｅｅｄ　return，保\u200b 證本金。"
    found = check(text, PLAIN)
    assert [f.quote for f in found] == ["ｇｕａｒａｎｔｅｅｄ　return", "保\u200b 證本金"]
    assert all(text[f.start : f.end] == f.quote for f in found)
    first = found[0].as_dict()
    assert first["rule"] == "SU-8"
    assert set(first["what"]) == set(first["suggestion"]) == {"en", "zh"}


def test_phrases_count_from_their_day_on():
    before = Brief(date(2019, 12, 31), commercial=False)
    assert "gain-promise" in codes("保本保息")
    assert codes("保本保息", before) == []


def test_required_words_by_kind():
    def missing(text, **given):
        return {f.code for f in check(text, Brief(ON, **given)) if f.start == f.end}

    assert missing("您好", commercial=True) == {"refuse-missing"}
    assert missing("您好，如不希望再收到，请告知。", commercial=True) == set()
    assert missing("Hello. Reply STOP to opt out.", commercial=True) == set()
    assert missing("您持有的华夏成长混合已到期。", commercial=False) == {"risk-missing"}
    assert missing("华夏成长混合到期。投资有风险。", commercial=False) == set()
    assert missing("您好", commercial=False, author=Author.MODEL) == {"ai-missing"}
    assert missing("Hello", commercial=False, occasion=Occasion.EXIT) == {"exit-free-missing"}
    known = Brief(ON, commercial=False, products=("稳健一号",))
    assert {f.code for f in check("稳健一号到期", known)} == {"risk-missing"}
    early = Brief(date(2026, 8, 1), commercial=False, author=Author.MODEL)
    assert check("您好", early) == ()


def test_blanks_and_empty_texts_are_found():
    assert codes("亲爱的{client_name}，您好") == ["blank-unfilled"]
    assert codes("亲爱的XX，您有____元") == ["blank-unfilled", "blank-unfilled"]
    assert [f.code for f in check(" \n", PLAIN)] == ["text-empty"]
    with pytest.raises(Exception, match="10") as error:
        check("a" * (LIMIT + 1), PLAIN)
    assert error.value.code == "script.text-long"


def test_every_group_names_a_rule_and_speaks_both_languages():
    book = shipped_phrases()
    for entry in (*book.forbidden, *book.required):
        assert entry.rule in book.rules
        assert entry.words.zh != entry.words.en
        assert any("\u4e00" <= letter <= "\u9fff" for letter in entry.words.zh)
    assert {rule.confidence for rule in book.rules.values()} <= {
        "verified", "secondary", "unverified", "house",
    }  # fmt: skip


def test_no_standard_words_are_themselves_refused():
    for entry in shipped_phrases().required:
        for words in (entry.spoken, entry.written, entry.sms):
            for text in (words.en, words.zh):
                assert codes(text, Brief(ON + timedelta(1), occasion=Occasion.EXIT)) == []
                assert entry.stands_in(normal(text).text), text


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_checked_without_falling(text):
    for finding in check(text, Brief(ON)):
        assert 0 <= finding.start <= finding.end <= len(text)
        assert text[finding.start : finding.end] == finding.quote


@pytest.mark.parametrize(
    "text",
    ["保 " * 5000, "guarante" * 1250, "不" * 9000 + "保本", "(" * 9000, "1" * 9000, "1," * 5000],
)
def test_a_hostile_text_is_checked_to_its_end(text):
    """Patterns that go back again and again would never end here."""
    assert isinstance(check(text, PLAIN), tuple)


@pytest.mark.parametrize(
    "text",
    [
        "我们给您打折", "我们给您八折", "我们可以给您一些优惠", "給您優惠", "给客户100元",
        "我们为您减免手续费", "我们给您不收佣金", "我们赠送给您，为您免费",
        "送您电影票", "我们给您积分奖励",
        "We will give you a discount", "We can offer you a special offer",
        "I will get you loyalty points", "We give you this free of charge", "We pay you 100 yuan",
        "We offer you a commission holiday",
    ],
)  # fmt: skip
def test_what_the_catalogue_may_not_carry_nobody_may_offer(text):
    """The catalogue refuses such words anywhere; in a talk they are refused as an offer."""
    assert "IN-1" in {rule.rule for rule in check(text, Brief(ON))}
    assert "IN-1" in {fault.rule for fault in faults(text)}
