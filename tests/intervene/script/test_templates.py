"""The shipped templates: the contract suite, what they cover, how they are chosen and filled."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import KeepwellError
from keepwell.core.text import LOCALES, catalogue
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.contact.policy import Aim, Channel
from keepwell.intervene.script.check import SAYS, check, passes
from keepwell.intervene.script.facts import SLOTS, UNIT_WORDS, Facts, Words
from keepwell.intervene.script.fill import (
    ALERT_OCCASIONS,
    ALERT_REASONS,
    Situation,
    brief_of,
    candidates,
    choose,
    fill,
)
from keepwell.intervene.script.page import OCCASION_TITLES, render
from keepwell.intervene.script.persona import (
    PERSONA_TITLES,
    Persona,
    cut_offs,
    persona_of,
    shipped_cut_offs,
)
from keepwell.intervene.script.phrases import Occasion, phrase_book
from keepwell.intervene.script.template import CHANNELS, Library, library
from keepwell.intervene.script.writer import FAULT_TITLES, WISHES
from keepwell.testing.script_facts import SAMPLE
from keepwell.testing.script_suite import ScriptSuite
from keepwell.warn.reason_codes import ReasonCode

ON = date(2026, 11, 23)
SHIPPED = library()


class TestShipped(ScriptSuite):
    """Those that come with keepwell."""


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_has_a_spoken_and_a_written_script_for_everybody(code):
    for channel in (Channel.PHONE, Channel.WECOM, Channel.EMAIL, Channel.APP):
        chosen = choose(SHIPPED, Situation(channel, (code,), "mild"), SAMPLE, ON).template
        assert chosen.reasons == [code], (channel, chosen.id)
    severe = choose(SHIPPED, Situation(Channel.PHONE, (code,), "severe"), SAMPLE, ON)
    assert code in severe.template.reasons


def test_every_channel_has_something_for_anybody_with_few_facts():
    few = Facts({k: SAMPLE[k] for k in ("client_name", "staff_name", "broker_name", "staff_phone")})
    for occasion in Occasion:
        for channel in CHANNELS:
            situation = Situation(channel, (ReasonCode.MONEY_LEAVING,), "severe", occasion=occasion)
            assert choose(SHIPPED, situation, few, ON).template.occasion is occasion


def test_the_reason_decides_before_the_persona_and_the_tier():
    def first(reasons, persona=Persona.DEFAULT, tier="mild", channel=Channel.PHONE):
        return candidates(SHIPPED, Situation(channel, reasons, tier, persona), ON)[0].id

    assert first((ReasonCode.MONEY_LEAVING,)) == "money.leaving.phone"
    assert first((ReasonCode.MONEY_LEAVING,), tier="severe") == "money.leaving.severe.phone"
    assert first((ReasonCode.MONEY_LEAVING,), Persona.HIGH_NET_WORTH) == "wealthy.money.phone"
    assert first((ReasonCode.TRADING_LESS,), Persona.YOUNG_GROWTH) == "young.phone"
    assert first((ReasonCode.APP_TROUBLE, ReasonCode.MONEY_LEAVING)) == "app.trouble.phone"
    assert first((), Persona.DORMANT) == "dormant.phone"
    assert first(()) == "any.phone"


def test_a_template_without_its_facts_gives_way():
    situation = Situation(Channel.PHONE, (ReasonCode.MONEY_LEAVING,), "severe")
    choice = choose(SHIPPED, situation, SAMPLE.without("plan_within"), ON)
    assert choice.template.id == "money.leaving.phone"
    assert [(p.template, p.missing) for p in choice.passed_over] == [
        ("money.leaving.severe.phone@1", ("plan_within",))
    ]
    with pytest.raises(KeepwellError) as error:
        choose(SHIPPED, situation, Facts(), ON)
    assert error.value.code == "script.none-fits"
    with pytest.raises(KeepwellError) as error:
        fill(SHIPPED.get("money.leaving.severe.phone"), Facts(), Channel.PHONE, ON)
    assert error.value.code == "script.fact-missing"


def test_leaving_sounds_the_same_whoever_it_is():
    """R-EXIT-1: neither score nor campaign nor persona changes a word of it."""
    for channel in CHANNELS:
        texts = set()
        for tier in (None, "mild", "moderate", "severe"):
            for persona in Persona:
                situation = Situation(channel, tuple(ReasonCode), tier, persona, Occasion.EXIT)
                chosen = choose(SHIPPED, situation, SAMPLE, ON).template
                texts.add(fill(chosen, SAMPLE, channel, ON, "zh").text)
        assert len(texts) == 1


def test_required_words_are_added_once():
    script = fill(SHIPPED.get("trading.less.phone"), SAMPLE, Channel.PHONE, ON, "zh")
    assert script.disclosures == ("refuse",)
    assert script.text.count("不再打扰") == 1
    product = fill(SHIPPED.get("product.maturing.written@1"), SAMPLE, Channel.EMAIL, ON, "en")
    assert product.disclosures == ("risk",)
    message = fill(SHIPPED.get("any.sms"), SAMPLE, Channel.SMS, ON, "zh")
    assert message.text.endswith("拒收请回复R")
    leaving = fill(SHIPPED.get("exit.sms"), SAMPLE, Channel.SMS, ON, "en")
    assert leaving.disclosures == ("exit-free",)
    assert script.template == "trading.less.phone@1"
    assert len(script.digest) == len(script.template_digest) == 64
    assert "3" in script.note
    bare = fill(SHIPPED.get("trading.less.phone"), SAMPLE.without("reason"), Channel.PHONE, ON)
    assert bare.note == ""


_DAYS = st.dates(date(2026, 11, 1), date(2030, 1, 1))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(CHANNELS), st.lists(st.sampled_from(ReasonCode), max_size=3, unique=True),
    st.sampled_from((None, "mild", "moderate", "severe")), st.sampled_from(Persona),
    st.sampled_from(Occasion), st.sampled_from(LOCALES), st.sets(st.sampled_from(sorted(SLOTS))),
    _DAYS,
)  # fmt: skip
def test_whatever_is_chosen_is_whole_and_passes(
    channel, reasons, tier, persona, occasion, locale, absent, on
):
    facts = SAMPLE.without(*absent)
    situation = Situation(channel, tuple(reasons), tier, persona, occasion)
    fitting = [
        t for t in candidates(SHIPPED, situation, on) if all(slot in facts for slot in t.slots)
    ]
    if not fitting:
        with pytest.raises(KeepwellError, match=r".+"):
            choose(SHIPPED, situation, facts, on)
        return
    template = choose(SHIPPED, situation, facts, on).template
    assert template == fitting[0]
    assert template.occasion is occasion
    assert channel in template.channels
    script = fill(template, facts, channel, on, locale)
    assert script == fill(template, facts, channel, on, locale)
    assert check(script.text, brief_of(template, facts, channel, on)) == ()
    assert "{" not in script.text + script.note


@pytest.mark.parametrize("name", sorted(SHIPPED.versions))
def test_a_figure_without_its_fact_is_refused(name):
    template = SHIPPED.get(name)
    for slot in template.slots:
        if SLOTS[slot].kind not in ("money", "percent", "number", "span", "date"):
            continue
        same = [s for s in template.slots if SLOTS[s].kind == SLOTS[slot].kind]
        rest = Facts({s: SAMPLE[s] for s in template.slots if s not in (*same, "reason")})
        for locale in LOCALES:
            brief = brief_of(template, rest, template.channels[0], ON)
            found = check(SAMPLE.told(slot, locale), brief)
            assert "fact-unsupported" in {f.code for f in found}, slot


def test_personas_by_age_assets_and_idleness():
    table = [
        ((30, 20_000_000, 1), "young-growth"), ((30, 50_000_000, 1), "default"),
        ((35, 0, 1), "young-growth"), ((24, 0, 1), "default"), ((36, 50_000_000, 1), "mature"),
        ((45, 199_999_999, 1), "mature"), ((46, 100_000_000, 1), "default"),
        ((30, 200_000_000, 1), "high-net-worth"), ((30, 200_000_000, 400), "high-net-worth"),
        ((30, 20_000_000, 180), "dormant"), ((None, None, None), "default"),
        ((30, None, 10), "default"),
    ]  # fmt: skip
    for (age, assets, idle), persona in table:
        assert persona_of(age, assets, "CNY", idle) == persona, (age, assets, idle)
    assert persona_of(30, 20_000_000, "USD") == "default"


def test_a_workspace_sets_its_own_cut_offs(tmp_path):
    assert cut_offs(tmp_path) == cut_offs() == shipped_cut_offs()
    body = "currency: USD\npersonas:\n  - {persona: mature, age_from: 30}\n"
    folder = write(tmp_path / "scripts", body, "personas.yaml")
    assert persona_of(30, cut_offs=cut_offs(folder)) == "mature"
    assert "personas.yaml" not in str(library(folder).versions)
    write(folder, body.replace("mature", "rich"), "personas.yaml")
    with pytest.raises(KeepwellError, match="line 3"):
        cut_offs(folder)


def write(folder, body, name="ours.yaml"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(body, "utf-8")
    return folder


_MANY = {"trad", "mone", "app.", "serv", "hold", "clie", "pric", "mark", "weal", "youn", "matu"}

OWN = """templates:
  ours.phone:
    from: 2026-11-01
    reasons: [app.less]
    channels: [phone]
    text:
      en: "Hello {client_name}."
      zh: "{client_name}，您好。"
"""


def test_a_workspace_adds_and_renews_templates(tmp_path):
    folder = write(tmp_path / "scripts", OWN)
    own = library(folder)
    assert own.get("ours.phone").ref == "ours.phone@1"
    renewed = OWN.replace("ours.phone:", "any.phone:\n    version: 2").replace(
        "2026-11-01", "2027-01-01"
    )
    write(folder, renewed, "new.yaml")
    later = library(folder)
    assert {t.ref for t in later.on(date(2026, 12, 31))} >= {"any.phone@1", "ours.phone@1"}
    assert "any.phone@2" in {t.ref for t in later.on(date(2027, 1, 1))}
    assert later.get("any.phone@1").version == 1
    with pytest.raises(KeepwellError, match=r"any\.phon"):
        later.get("any.phon")

    class Ours(ScriptSuite):
        def library(self):
            few = {name: of for name, of in later.versions.items() if name[:4] not in _MANY}
            return Library(few)

    Ours.folder = folder
    for name in (n for n in dir(Ours) if n.startswith("test_")):
        getattr(Ours(), name)()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{client_name}，您好。", "{client_nam}，您好。", "client_name"),
        ("{client_name}，您好。", "您好。", "different slots"),
        ("{client_name}，您好。", "{client_name}，3天。", "figures only by slots"),
        ("{client_name}，您好。", "{client_name}，{您好。", "braces"),
        ("channels: [phone]", "channels: [letter]", "channels of scripts"),
        ("channels: [phone]", "channels: [phone]\n    occasion: exit", "for everybody"),
        ("reasons: [app.less]", "occasion: exit", "aim service"),
        ("reasons: [app.less]", "reasons: [app.lesser]", "Input should be"),
        ("from: 2026-11-01", "from: 2026-11-01\n    until: 2026-10-01", "until"),
        ("reasons: [app.less]", "price: 3", "Extra inputs"),
        ("ours.phone:", "any.phone:", "version 1 is there already"),
    ],
)
def test_a_template_that_will_not_do_is_refused_with_its_place(tmp_path, old, new, said):
    folder = write(tmp_path / "scripts", OWN.replace(old, new))
    with pytest.raises(KeepwellError) as error:
        library(folder)
    assert error.value.code == "script.file-invalid"
    assert said in error.value.words("en")


def test_a_workspace_adds_phrases_and_takes_none_away(tmp_path):
    body = """rules:
  OUR-1: {confidence: house, source: our handbook, words: {en: Ours., zh: 本公司规定。}}
forbidden:
  - id: ours
    rule: OUR-1
    from: 2026-01-01
    severity: caution
    words: {en: Not ours., zh: 不合规定。}
    suggestion: {en: Say client., zh: 请称客户。}
    zh: [亲]
"""
    folder = write(tmp_path / "scripts", body, "phrases.yaml")
    book = phrase_book(folder)
    brief = brief_of(SHIPPED.get("exit.phone"), Facts(), Channel.PHONE, ON)
    assert [f.rule for f in check("亲，申请照常办理", brief, book)] == ["OUR-1"]
    assert [f.rule for f in check("保本，申请照常办理", brief, book)] == ["SU-8"]
    for wrong in ("id: gain-promise", "rule: SU-99", "zh: ['(']"):
        key = wrong.partition(":")[0]
        lines = [
            line.replace(line.strip().removeprefix("- "), wrong)
            if line.strip().removeprefix("- ").startswith(f"{key}: ") and "{" not in line
            else line
            for line in body.splitlines()
        ]
        write(folder, "\n".join(lines), "phrases.yaml")
        with pytest.raises(KeepwellError) as error:
            phrase_book(folder)
        assert error.value.code == "script.file-invalid", wrong


def test_alerts_by_rule_lead_to_scripts():
    known = {reason.value for reason in AlertReason}
    assert {*ALERT_OCCASIONS, *ALERT_REASONS} <= known


def test_every_word_is_in_both_languages():
    words = [
        *(slot.title for slot in SLOTS.values()), *UNIT_WORDS.values(), *PERSONA_TITLES.values(),
        *OCCASION_TITLES.values(), *FAULT_TITLES.values(), *WISHES.values(),
        *(word for pair in SAYS.values() for word in pair),
    ]  # fmt: skip
    assert [word for word in words if word not in catalogue()] == []
    page = render()
    assert all(f"### `{name}@" in page for name in SHIPPED.versions)


def test_a_contact_for_retention_is_commercial_whatever_the_template():
    template = SHIPPED.get("service.slow.phone")
    service = fill(template, SAMPLE, Channel.PHONE, ON, "zh")
    retention = fill(template, SAMPLE, Channel.PHONE, ON, "zh", aim=Aim.RETENTION)
    assert service.disclosures == ()
    assert retention.disclosures == ("refuse",)


def test_a_template_that_the_checker_refuses_is_not_filled(tmp_path):
    folder = write(tmp_path / "scripts", OWN.replace("，您好。", "，稳赚不赔。"))
    with pytest.raises(KeepwellError, match="gain-promise") as error:
        fill(library(folder).get("ours.phone"), SAMPLE, Channel.PHONE, ON, "zh")
    assert error.value.code == "script.text-refused"


def test_a_complaint_may_be_called_by_its_name():
    topic = Words("a promise of guaranteed returns", "承诺保本")
    facts = Facts({**SAMPLE, "complaint_topic": topic})
    for locale in LOCALES:
        template = SHIPPED.get("complaint.due.phone")
        script = fill(template, facts, Channel.PHONE, ON, locale)
        brief = brief_of(template, facts, Channel.PHONE, ON)
        assert check(script.text, brief) == ()
        assert not passes(check(script.text + "保本" + "guaranteed returns", brief))
