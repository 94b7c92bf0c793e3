"""Entries with a forbidden wording, in disguise, and what may be said."""

from __future__ import annotations

import os
import random
import re

import pytest
from pydantic import ValidationError

from keepwell.core.errors import UsageError
from keepwell.intervene.action.catalogue import Action, Catalogue
from keepwell.intervene.action.wording import faults
from tests.intervene.action.given import ENTRY

ENTRIES = int(os.environ.get("KEEPWELL_WORDINGS", "1500"))
"""Disguised entries: each wording several times; `make release` takes ten thousand."""
FORBIDDEN = {
    "IN-1": """
        rebate|a cash back|kickback|gift card|small gifts|voucher|coupon|a discount|bonus
        loyalty points|reward points|free trades|commission-free|free of charge|zero commission
        no commission|zero fees|waive the fee|prize draw|complimentary service|special offer
        below cost|fee free|0% commission|cash-back|pay you 100 yuan|a cash reward|a present
        trading credit|a tablet as a thank-you|a commission holiday|two tickets
        返佣|返现|回扣|打折|八折|优惠|特惠|赠送|礼品|红包|代金券|体验券|优惠券|购物卡|积分|补贴|福利
        免费|免佣|零佣金|0佣金|零手续费|佣金全免|减免|不收佣金|不收手续费|低于成本|送您一张|白送|抽奖|奖励
        送电影票|送小礼物|请客户吃饭|赠阅|给客户100元|现金奖励|满三个月返还|利是
        費用減免|贈送|優惠|紅包|積分""",
    "IN-2": """
        a personal rate|special commission|individual pricing|exclusive fee|custom rates
        lower your fee|reduce the client's commission|cut their fees|negotiate the rate
        make the trading costs cheaper|a VIP rate
        match the rival's price|a better rate|commission of 2 bps|fees at 1
        专属费率|单独佣金|个人费率|专属价格|佣金下调|下调您的佣金|费率降至|降低手续费|佣金万1.5
        申请更低的佣金|佣金可以谈|佣金优待|申请VIP费率|佣金万一点五|手续费千分之一|万2.5的佣金|议价|一人一价|專屬佣金|傭金下調""",
    "IN-3": """
        if you stay|as long as the client remains|stay for six months|keep the account for 90 days
        do not leave|do not transfer|cancel the transfer|delay the withdrawal|block the closing
        you lose the benefits if you close|convince them not to move|do not let the client go
        what is lost on leaving|closing takes weeks|please remain a client|talk her out of it
        an exit fee|lock-in period|a minimum holding|clawback|forfeit|penalty|hold the withdrawal
        不要转出|别销户|取消转户|暂缓销户|推迟提现|劝阻转出|撤回投诉|放弃销户|只要您留下|如果客户留下
        销户很麻烦|转户需要很久|销户后权益失效|说服客户不转户|留存3个月|锁定期|转出须缴违约金|销户将扣回|冻结账户|限制提现|暫緩銷戶|留满半年""",
    "SU-8": """
        guaranteed|risk-free|no risk|cannot lose|promise a return|compensate any loss
        returns of at least|double your money|capital protected|trade on your behalf
        年化收益不低于|翻倍|本金安全|收益有保障|保本|保证收益|承诺收益|稳赚|零风险|无风险|赔偿损失|兜底|全权委托|代客理财|保證收益|穩賺""",
}
PHRASES = [
    (rule, phrase.strip())
    for rule, lines in FORBIDDEN.items()
    for phrase in re.split(r"[|\n]", lines)
    if phrase.strip()
]
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
ALLOWED = """
Explain the published fee tiers and which of them the client is in.
Go through what was charged, line by line.
Review the bonds and the margin account, and what a fall would mean.
Say by when the transfer will be done and who does it.
Carry out the closing today.
Call about the complaint that is open for twelve days.
Send the reading of the market with date and author.
She may end the plan on any day.
Send the client the facts about money-market funds.
Keep the client informed every day until it is mended.
Offer to explain what idle cash could be used for.
Open a ticket with the engineers and call back.
Close the case when the client says that it is solved.
Ask what went wrong before the withdrawal failed, and see that it goes through.
说明公布的费用档次，逐笔核对已收的费用。
介绍融资融券、债券和证券账户的区别。
按时办理销户、转户和提现申请，告知办理进度。
投诉由专人跟进，解决后回访。
与客户一起看最近三个月的持仓报告。
发送一份市场解读，推送风险提示。
说明收益会波动，可能亏损。
告知客户资产100万元以上可约见投顾。
核对误收的费用，按规定退还。
提醒客户测评将到期，可在线重新测评。
""".strip().splitlines()


def is_chinese(text):
    return bool(re.search("[\u4e00-\u9fff]", text))


def disguise(phrase, rng):
    """The same words for a reader, other characters for a program."""
    how = rng.randrange(7)
    if how == 0:
        return phrase.upper()
    if how == 1:  # full width
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in phrase)
    if how == 2:  # characters that cannot be seen
        return "".join(c + rng.choice(UNSEEN) for c in phrase)
    if how == 3 and is_chinese(phrase):  # spaces and signs between
        return rng.choice([" ", "·", "-", "*", "、", "\u3000", "_"]).join(phrase)
    if how == 4:
        return phrase.replace(" ", rng.choice(["-", "  ", " / ", "\n", "_", "\u00a0"]))
    if how == 5:
        return phrase.title()
    return phrase


def test_entries_with_forbidden_wording_are_refused():
    rng = random.Random(6)
    fillers = [line.rstrip(".。") for line in ALLOWED]
    missed = []
    for number in range(ENTRIES):
        rule, phrase = PHRASES[number % len(PHRASES)]
        language = "zh" if is_chinese(phrase) else "en"
        if rng.random() < 0.1:  # the wrong language's text is read too
            language = "en" if language == "zh" else "zh"
        before, after = (f for f in rng.sample(fillers, 2))
        text = f"{before}. {disguise(phrase, rng)}. {after}"
        entry = dict(ENTRY)
        place = rng.choice(["title", "text"])
        entry[place] = {**entry[place], language: text}
        try:
            Action.model_validate(entry)
            missed.append((rule, text))
        except ValidationError as error:
            fault = error.errors()[0]
            assert fault["loc"] == (place, language)
            assert fault["ctx"]["rule"] in FORBIDDEN
    assert missed == []


@pytest.mark.parametrize(("rule", "phrase"), PHRASES, ids=str)
def test_each_wording_names_its_rule(rule, phrase):
    assert rule in {fault.rule for fault in faults(f"x. {phrase}. y")}


@pytest.mark.parametrize("line", ALLOWED)
def test_what_may_be_said_passes(line):
    assert list(faults(line)) == []


@pytest.mark.parametrize(
    "text", ["gіft", "frее", "rеbate", "r e b a t e", "ｖｏｕｃｈｅｒ", "佣 金 全 免"]
)
def test_letters_that_look_alike_and_words_spelt_out_are_found(text):
    assert {fault.rule for fault in faults(text)} == {"IN-1"}


def test_a_file_says_where_the_wording_stands():
    text = """
actions:
  - id: nice-call
    from: 2026-01-01
    aim: retention
    title: {en: Nice call, zh: 温馨回访}
    text:
      en: Call and listen.
      zh: 致电并赠送礼品。
    who: manager
    minutes: 5
    cost: {amount: 0, currency: CNY}
    channels: [phone]
    tiers: [mild]
    reasons: any
    suitability: {need: none}
    cool_down_days: 0
    effect: {reduction: 0.1, assumed: true, source: {en: a, zh: 甲}}
"""
    with pytest.raises(UsageError) as caught:
        Catalogue.shipped().with_text(text, "actions.yaml")
    error = caught.value
    assert error.code == "action.wording-forbidden"
    assert (error.fields["line"], error.fields["key"]) == (9, "actions.0.text.zh")
    assert error.fields["rule"] == "IN-1"
    assert error.words("zh").startswith("actions.yaml 第 9 行：actions.0.text.zh：")
