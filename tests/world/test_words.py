"""The texts clients write, read by lists of words that the grammar does not know of."""

from __future__ import annotations

import re
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from keepwell.world import terms
from keepwell.world.words import Words, WordsSettings

GLAD = re.compile(
    r"谢|满意|赞|不错|挺好|好评|开心|感动|惊喜|放心多|放心了|踏实|省心|辛苦|贴心|靠谱|棒|一流|超出预期|没毛病|"
    r"顺利|一直很放心|不算差|没什么可挑|"
    r"\b(?:thanks|thank you|thx|great|good|happy|satisfied|pleased|"
    r"excellent|wonderful|fantastic|superb|outstanding|love|perfect|best|delighted|brilliant|"
    r"impressive|recommend|relief|nice|better than|cannot complain|five stars|not bad)\b|"
    r"[👍😊🙂❤🌹]|:\)",
    re.IGNORECASE,
)
ANGRY = re.compile(
    r"差|烂|垃圾|坑|气死|气人|火大|忍无可忍|破|骗|忽悠|恶心|欺人|失望|不满|愤怒|离谱|无语|服了|糟|后悔|可恶|麻烦，|"
    r"烦|郁闷|着急|不太|不怎么样|不方便|不应该|不该|没以前好|头疼|不是很放心|说不过去|不开心|不舒服|再也不|耽误|零分|"
    r"还要我说|到底管不管|\b(?:terrible|awful|disgrace\w*|joke|pathetic|unacceptable|furious|"
    r"disappoint\w*|angry|sick of|fed up|worst|useless|ridiculous|hopeless|crooks|thieves|scam|"
    r"unbelievable|outrageous|enough|never again|regret|warn anyone|zero stars|horrible|waste|"
    r"disaster|mess|annoy\w*|frustrat\w*|worried|unhappy|not great|inconvenient|poor|below par|"
    r"worse|tiresome|nuisance|not happy|should not|not right|bothers|used to be better|slow|"
    r"so long|better before)\b|[😡🤬💢😞😓]|:[(/]",
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"销户|销掉|注销|消户|销护|xiaohu|户头关|户销了|账户销|close account|"
    r"clos\w* (?:my|the|this|it|your)|clos\w*.{0,60}acc|accounts? clos|cancel.{0,40}acc|delete it",
    re.IGNORECASE,
)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def codes(m, seed=1, *, intent=None, cause=None, sentiment=None, english=None):
    """Arguments of `texts`; what is not given is drawn."""
    chance = np.random.default_rng(seed)
    drawn = {
        "intent": chance.integers(0, len(terms.INTENTS), m),
        "cause": chance.integers(-1, len(terms.CAUSES), m),
        "sentiment": chance.integers(-2, 3, m),
        "english": chance.integers(0, 2, m),
    }
    given = {"intent": intent, "cause": cause, "sentiment": sentiment, "english": english}
    arrays = {
        name: np.full(m, given[name], np.int8) if given[name] is not None else drawn[name]
        for name in drawn
    }
    return {n: a.astype(np.int8) for n, a in arrays.items()} | {
        "words": chance.integers(0, 2**32, m).astype(np.uint32)
    }


@pytest.fixture(scope="module")
def words():
    return Words.make(7)


def read(texts):
    """What a reader of tone words makes of texts: -1, 0 or 1 each."""
    return np.array([
        np.sign(len(GLAD.findall(text)) - len(ANGRY.findall(text))) for text in texts
    ])  # fmt: skip


def test_equal_codes_give_equal_texts_whatever_stands_beside_them(words):
    given = codes(3000)
    whole = words.texts("contact", **given)
    part = words.texts("contact", **{name: code[1000:1500] for name, code in given.items()})
    assert whole.slice(1000, 500).equals(part)
    from keepwell.world.words import writer

    writer._make.cache_clear()
    assert Words.make(7).texts("contact", **given).equals(whole)
    assert not Words.make(8).texts("contact", **given).equals(whole)


def test_a_piece_more_changes_nothing(words, monkeypatch):
    given = codes(1000)
    whole = words.texts("survey", **given)
    monkeypatch.setattr("keepwell.world.words.writer._ROWS", 64)
    assert words.texts("survey", **given).equals(whole)


@pytest.mark.parametrize("kind", ["contact", "complaint"])
def test_texts_are_many(words, kind):
    texts = words.texts(kind, **codes(20_000, english=0))
    assert pc.count_distinct(texts).as_py() >= 5000
    assert texts.null_count == 0
    assert pc.min(pc.utf8_length(texts)).as_py() >= 2


def test_even_one_cell_has_hundreds_of_texts(words):
    meaning = {"intent": terms.I_LIFE, "cause": terms.LIFE, "sentiment": 0}
    for english in (0, 1):
        texts = words.texts("contact", **codes(2000, **meaning, english=english))
        assert pc.count_distinct(texts).as_py() > 1000


def test_silent_surveys_have_no_comment(words):
    texts = words.texts("survey", **codes(20_000))
    assert texts.null_count / len(texts) == pytest.approx(0.45, abs=0.02)
    assert not pc.any(pc.equal(texts, "")).as_py()


@pytest.mark.parametrize("kind", terms.TEXT_KINDS)
@pytest.mark.parametrize("english", [0, 1])
def test_every_cell_of_a_language_is_written_in_it(words, kind, english):
    cells = np.array([
        (intent, cause, sentiment)
        for intent in range(-1, len(terms.INTENTS))
        for cause in range(-1, len(terms.CAUSES))
        for sentiment in range(-2, 3)
        for _ in range(20)
    ])  # fmt: skip
    chance = np.random.default_rng(3)
    texts = words.texts(
        kind, *cells.T, np.full(len(cells), english), chance.integers(0, 2**32, len(cells))
    )
    said = [text for text in texts.to_pylist() if text]
    share = np.mean([
        len(CHINESE.findall(text)) > 0.5 * len(re.sub(r"\W", "", text)) for text in said
    ])  # fmt: skip
    assert share < 0.02 if english else share > 0.93


@pytest.mark.parametrize("english", [0, 1])
def test_closing_texts_speak_of_closing_and_few_others_do(words, english):
    of = {"intent": terms.I_CLOSING, "english": english}
    closing = words.texts("contact", **codes(4000, **of)).to_pylist()
    assert 0.88 < np.mean([CLOSING.search(text) is not None for text in closing]) < 1
    others = words.texts("contact", **codes(4000, intent=terms.I_FEE, english=english)).to_pylist()
    # Threats, and thanks for not having had to close, are the exceptions.
    assert 0 < np.mean([CLOSING.search(text) is not None for text in others]) < 0.05


@pytest.mark.parametrize("english", [0, 1])
def test_tone_agrees_with_the_truth_mostly_but_not_always(words, english):
    given = codes(20_000, english=english)
    found = read(words.texts("contact", **given).to_pylist())
    truth = np.sign(given["sentiment"])
    felt = truth != 0
    agrees, opposes = np.mean(found[felt] == truth[felt]), np.mean(found[felt] == -truth[felt])
    assert 0.60 < agrees < 0.85
    assert 0.02 < opposes < 0.12
    assert np.mean(found[~felt] == 0) > 0.6


def test_hard_cases_can_be_switched_off(words):
    easy = {"withheld": 0, "ironic": 0, "conceding": 0, "threatening": 0}
    given = codes(6000, english=0)
    felt = given["sentiment"] != 0
    truth = np.sign(given["sentiment"])[felt]
    shares = [
        np.mean(read(writer.texts("contact", **given).to_pylist())[felt] == truth)
        for writer in (words, Words.make(7, WordsSettings(**easy)))
    ]
    assert shares[1] > shares[0] + 0.05


def test_typos_follow_the_settings():
    none = {"typos_plain": 0, "typos_casual": 0, "typos_hasty": 0, "mixed": 0, "shortened": 0}
    given = codes(4000, intent=terms.I_FEE, cause=terms.PRICE, english=0)
    slip = re.compile("拥金|用金|佣今|手序费|手续废|手绪费")
    shares = [
        np.mean(
            [slip.search(text) is not None for text in writer.texts("contact", **given).to_pylist()]
        )
        for writer in (Words.make(7), Words.make(7, WordsSettings(**none)))
    ]
    assert 0.005 < shares[0] < 0.06
    assert shares[1] == 0


def test_texts_name_no_codes_and_no_numbers_to_call(words):
    for kind in terms.TEXT_KINDS:
        text = "\n".join(filter(None, words.texts(kind, **codes(10_000)).to_pylist()))
        assert not re.search(r"\w+_\w+|\d{7,}|[<>{}|]", text)


def test_a_complaint_tells_of_its_cause(words):
    of = {"intent": terms.I_COMPLAINT, "cause": terms.PRICE, "sentiment": -2, "english": 0}
    texts = words.texts("complaint", **codes(2000, **of)).to_pylist()
    about = re.compile("佣金|费|融资利率|优惠|老客户|万|commission|fee|[拥用]金|佣今")
    assert np.mean([about.search(text) is not None for text in texts]) > 0.85


def test_no_texts_and_unknown_kinds(words):
    nothing = words.texts("contact", **codes(0))
    assert len(nothing) == 0
    assert nothing.type == pa.string()
    with pytest.raises(ValueError, match="index"):
        words.texts("letter", **codes(1))


def test_forms_are_counted(words):
    forms = words.describe()
    assert forms.templates > 900
    assert forms.phrases > 30_000
    assert forms.pooled > 20_000
    assert forms.texts > 1000


def test_a_hundred_thousand_texts_take_less_than_four_seconds(words):
    given = codes(100_000)
    begun = time.process_time()
    words.texts("contact", **given)
    assert time.process_time() - begun < 4
