"""Every figure, date and product of a text must be among the facts given."""

from __future__ import annotations

from datetime import date, time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import KeepwellError
from keepwell.core.text import LOCALES
from keepwell.intervene.script.check import Brief, check
from keepwell.intervene.script.facts import SLOTS, Amount, Facts, Kind, Span, Told, Unit, Words
from keepwell.intervene.script.figures import Dim, figures
from keepwell.intervene.script.normal import normal
from keepwell.testing.script_facts import SAMPLE
from keepwell.warn.reason import Fact

ON = date(2026, 11, 23)


def loose(text, facts, **given):
    brief = Brief(ON, commercial=False, facts=facts, **given)
    return [
        f.quote for f in check(text, brief)
        if f.code in ("fact-unsupported", "product-unsupported", "link-unsupported")
    ]  # fmt: skip


CASH = Facts({"cash": Amount(38_200_000_000, "CNY")})


@pytest.mark.parametrize(
    "text",
    [
        "您有现金3.82亿", "您有3.82亿元", "您有382,000,000元", "您有３.８２億元", "¥382,000,000.00",
        "CN¥382M", "382 million yuan", "RMB 382,000,000", "38200万元", "3亿8200万元",
        "三亿八千二百万元",
        "约4亿元", "近3.8亿元", "您有现金382000000",
    ],
)  # fmt: skip
def test_one_amount_in_many_hands(text):
    assert loose(text, CASH) == []


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("您有现金3.83亿", "3.83亿"), ("您有383,000,000元", "383,000,000元"), ("€382M", "€382M"),
        ("您有382元", "382元"), ("约5亿元", "5亿元"), ("二百万元", "二百万元"),
        ("占比38.2%", "38.2%"),
        ("US$382,000,000", "US$382,000,000"), ("in 382 days", "382 days"), ("近三成", "三成"),
    ],
)  # fmt: skip
def test_another_amount_is_not_supported(text, quote):
    assert loose(text, CASH) == [quote]


def test_shares_dates_spans_and_times():
    facts = Facts(
        {
            "cash_share": 0.425, "as_of": date(2026, 11, 20), "wait": Span(48, Unit.HOURS),
            "exit_days": Span(2, Unit.TRADING_DAYS), "meeting_at": time(15, 30), "trades": 3,
        }
    )  # fmt: skip
    fine = [
        "现金占42.5%", "42.5 per cent", "百分之四十二点五", "about 43%", "截至2026年11月20日",
        "11月20日",
        "20 Nov 2026", "Nov 20, 2026", "2026-11-20", "2026/11/20", "2026年", "等了48小时",
        "48 hours", "两天", "2 days", "2个交易日", "two trading days", "15:30", "下午3点半",
        "3:30 pm", "3笔", "三笔",
        "one day", "一年来", "1. 第一\n2. 第二", "成功办理", "千万别急", "第二次",
    ]  # fmt: skip
    assert [(text, loose(text, facts)) for text in fine if loose(text, facts)] == []
    wrong = [
        "42%以上的48%", "11月21日", "21 Nov 2026", "2025年", "等了49小时", "三天", "3个交易日",
        "4笔", "四笔", "ten per cent", "16:30", "twenty days", "3%", "25bp",
    ]  # fmt: skip
    assert [text for text in wrong if not loose(text, facts)] == []


def test_the_hour_of_an_appointment_is_for_a_person_to_judge():
    found = check("明天16:30给您回电", Brief(ON, commercial=False, facts=Facts()))
    assert [(f.quote, f.severity.value) for f in found] == [("16:30", "caution")]


def test_a_reason_supports_its_numbers_and_its_window():
    told = Told(Fact("trade_count_90d", 3.0, 11.0), "CNY")
    facts = Facts({"reason": told})
    assert loose("近90天交易3笔，平时11笔", facts) == []
    assert loose("In 90 days 3 trades, normally 11", facts) == []
    assert loose("近60天交易4笔", facts) == ["60天", "4"]


def test_text_facts_support_only_themselves():
    facts = Facts({"staff_phone": "010-5550-0199", "product_level": "R2"})
    assert loose("请致电010-5550-0199", facts) == []
    assert loose("等级R2", facts) == []
    assert loose("等级R3", facts) == ["R3"]
    assert loose("请致电010-5550-0198", facts) != []
    assert loose("共10笔", facts) == ["10"]


def test_products_and_addresses():
    facts = Facts({"product_name": "华夏成长混合A"})
    assert loose("华夏成长混合A已到期", facts) == []
    assert loose("易方达蓝筹精选混合", facts) == ["易方达蓝筹精选混合"]
    assert loose("Vanguard Total World Index Fund", facts) == ["Vanguard Total World Index Fund"]
    assert loose("了解一下稳盈宝", facts, products=("稳盈宝",)) == ["稳盈宝"]
    assert loose("货币基金和债券基金的区别", facts) == []
    assert loose("点 https://evil.example/x 或 abc.top", facts) == [
        "https://evil.example/x", "abc.top",
    ]  # fmt: skip


def test_without_facts_nothing_is_judged():
    assert check("3.83亿元", Brief(ON, commercial=False)) == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**13 - 1), st.sampled_from(["CNY", "USD", "EUR", "JPY"]))
def test_money_is_known_as_it_is_told(minor, currency):
    facts = Facts({"cash": Amount(minor, currency)})
    for locale in LOCALES:
        assert loose(f"现金 {facts.told('cash', locale)} 。", facts) == []


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-10, 10, allow_nan=False), st.floats(0, 1e9, allow_nan=False),
    st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(1, 5000), st.sampled_from(Unit),
)  # fmt: skip
def test_everything_is_known_as_it_is_told(share, number, day, length, unit):
    facts = Facts({"cash_share": share, "trades": number, "as_of": day, "wait": Span(length, unit)})
    for name in facts:
        for locale in LOCALES:
            assert loose(f"【 {facts.told(name, locale)} 】", facts) == [], name


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 10**9), st.integers(2, 10**9))
def test_another_number_is_unsupported(said, known):
    facts = Facts({"trades": known})
    assert (loose(f"共{said}笔", facts) == []) == (said == known)


def test_every_slot_has_a_sample_and_takes_only_its_kind():
    assert set(SAMPLE) == set(SLOTS)
    wrong = {
        Kind.TEXT: 3, Kind.WORDS: "x", Kind.PRODUCT: "", Kind.LEVEL: "R9", Kind.MONEY: 3.0,
        Kind.PERCENT: "3%", Kind.NUMBER: True, Kind.SPAN: 3, Kind.DATE: "2026-01-01",
        Kind.TIME: 15, Kind.REASON: "x",
    }  # fmt: skip
    for name, slot in SLOTS.items():
        with pytest.raises(KeepwellError) as error:
            Facts({name: wrong[slot.kind]})
        assert error.value.code == "script.fact-invalid"
    for hostile in ("{staff_phone}", "a\nb", " ", "x" * 201):
        with pytest.raises(KeepwellError):
            Facts({"client_name": hostile})
    with pytest.raises(KeepwellError, match="cash_share"):
        Facts({"cash_shar": 3})


def test_facts_from_a_file():
    facts = Facts.parse(
        {
            "cash": "382000000.00 CNY", "cash_share": "42.5%", "wait": "2 trading days",
            "as_of": "2026-11-20", "meeting_at": "15:30", "trades": 3,
            "issue": {"en": "a delay", "zh": "延迟"}, "client_name": "王女士",
            "product_level": "R2",
        }
    )  # fmt: skip
    assert facts["cash"] == Amount(38_200_000_000, "CNY")
    assert facts["wait"] == Span(2.0, Unit.TRADING_DAYS)
    assert facts["issue"] == Words("a delay", "延迟")
    assert facts.told("cash_share", "zh") == "42.5%"
    for slot, value in {"cash": "many", "wait": "3 moons", "as_of": "x", "reason": "x"}.items():
        with pytest.raises(KeepwellError):
            Facts.parse({slot: value})


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="0123456789,.%万亿元年月日天成点百分之三两 ¥$-/:abcdmJanR", max_size=40))
def test_figures_of_any_text(text):
    found = figures(normal(text).text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(f.dim in Dim and f.start < f.end for f in found)
