"""Words that no action may carry, in either language: rules IN-1, IN-2, IN-3 and SU-8.

A list of words is a sieve, not a proof: it stops what is known, a person still reads what is new.
It is strict on purpose; a sentence that forbids a gift is refused like one that gives it, so that
nobody has to judge what a sentence means. Full-width letters, characters that cannot be seen,
traditional characters, letters of other alphabets that look alike, and spaces or signs between
the characters do not get around it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """A forbidden wording that was found.

    Attributes:
        phrase: what stands there, as it was compared.
        rule: which rule forbids it.
    """

    phrase: str
    rule: str


_FEE: Final = "佣金|费率|手续费|费用|交易费|利率"
_LEAVE: Final = (
    "转出|转走|转户|转托管|转移资产|销户|撤指定|撤销指定|离开|离场|"
    "提现|出金|取款|取现|提款|投诉|卖出"
)
_GO: Final = "转出|转走|转户|转托管|销户|撤指定|撤销指定|离开|离场|提现|出金|取款"
_DOWN: Final = "下调|调低|降低|降到|降至|减少|减半|调整|低至|优于"

_CHINESE: Final[dict[str, tuple[str, ...]]] = {
    "IN-1": (
        "返佣|返现|返利|返还|返点|回扣|折扣|打折|[一二三四五六七八九1-9]折|特惠|特价|优惠|让利",
        "赠送|赠品|赠予|赠与|附赠|礼品|礼物|礼金|礼包|礼券|礼遇|好礼|红包|奖品|奖金|奖励|抽奖|中奖",
        "代金券|体验券|优惠券|抵用券|抵扣|现金券|消费券|购物卡|购物券|加油卡|话费|京东卡|提货券|兑换券",
        "积分|补贴|福利|免费|免单|免佣|免收|免除|减免|全免|豁免",
        "(零|0|无|免)(佣|手续费|费率|费用|成本交易|交易费)|不收(取)?(佣|手续费|费|任何费)",
        f"({_FEE})(全免|为零|为0|归零|低于成本)|低于成本|成本价",
        "(?<![发推寄报递])送(您|你|客户)?(一|1|现金|股|券|钱|金|话费|卡|手机|会员|流量|书|月)|白送|倒贴",
        "新人专享|专享(价|费|券|礼)|会员价|试用券|赠|优待|利是|红色信封|酬谢|充值|旅游",
        "请(您|你|客户)?(吃饭|用餐|看电影)|(?<![发推寄报递])送[^。;；]{0,4}(票|品|礼|包|机|箱)",
        "(给|送|奖|返|补|付)[^。;；]{0,8}(元|块钱)|(门|机|电影|演出)票",
    ),
    "IN-2": (
        f"(专属|专享|单独|特别|特殊|个人|个性化|定制|独家|内部)(的)?({_FEE}|价格|报价|定价|收费)",
        f"({_FEE})(可以|可|能|给您|给你|帮您)?({_DOWN})",
        f"({_DOWN})(您的|你的|客户的|该客户的|其|他的|她的)?({_FEE})",
        f"({_FEE})[^。;；]{{0,6}}(万|千)(分之)?[0-9零一二三四五六七八九十点.]",
        f"({_FEE})[^。;；]{{0,8}}[0-9]+(\\.[0-9]+)?(%|‰|bp)",
        f"(万|千)(分之)?[0-9零一二三四五六七八九十点.]+(的)?({_FEE})",
        "议价|一人一价|按人定价|差别定价|底价|跟价|比价匹配|谈(佣金|费率|价)",
        f"更低的?({_FEE})|({_FEE})(可以|可|能)?(谈|优待|照顾|让步|特批)",
        "(vip|申请|特批)[^。;；]{0,4}(佣金|费率)",
        f"按(评分|风险|流失)[^。;；]{{0,6}}({_FEE}|定价|价格)",
    ),
    "IN-3": (
        f"(不|别|勿|莫|放弃|取消|撤回|撤销|推迟|暂缓|延后|延缓|停止|阻止|拖延|劝阻)(再|要|会|得)?({_LEAVE})",
        (
            f"({_LEAVE})(须|需|必须|应先|前须|前需|前必须|将|会|则|就|的话)?[^。;；]{{0,6}}"
            "(违约金|手续费|罚|扣|收回|追回|失去|取消|作废|冻结|限制|审批|面谈|挽留期)"
        ),
        "(如果|只要|若|凡|倘若|假如)(您|你|客户)?[^。;；]{0,6}(留下|留在|不走|继续持有|保留账户)",
        "(留下|留存|留满|留够|待满|保留|持有|持满|锁定|留在我们)[^。;；]{0,6}[0-9一二三四五六七八九十半两]+(个)?(天|日|周|月|年)",
        "锁定期|最短持有|留存期|(留下|留存)(来)?(即|就|才|便|后)(可|能|有|会|享)",
        f"({_GO})[^。;；]{{0,5}}(麻烦|很久|困难|失效|不划算|吃亏|损失|没有了)",
        f"(劝|说服|劝说|要求|挽留)(您|你|客户)?[^。;；]{{0,4}}(不|别|勿|放弃|取消|暂缓)({_GO})",
        f"限制({_LEAVE})|冻结(账户|资金|资产|权限)|({_LEAVE})限制",
    ),
    "SU-8": (
        "保本|保息|保收益|保底|保证(收益|盈利|赚|不亏|回报)|承诺(收益|盈利|回报|保本|不亏)|收益(保证|承诺)",
        "稳赚|稳赢|稳健盈利|包赚|包赢|必涨|必赚|只赚不赔|不会亏|不亏损|零风险|0风险|无风险",
        "(补偿|赔偿|弥补|承担)(您的|你的|客户的|全部|投资)?(亏损|损失)|兜底|刚兑|刚性兑付",
        "(收益|回报|年化)(率)?[^。;；]{0,6}(不低于|至少|有保障|保障|可达|翻倍|稳定在)",
        "翻倍|本金(安全|无忧|保障|不亏)|包(本|息|收益)",
        "全权委托|代客理财|代客操盘|代您操作|代为操作",
    ),
}
"""Patterns on Chinese text from which spaces and signs within are taken out."""

_LEAVING: Final = (
    "leave|leaves|leaving|left|close|closes|closing|transfer|transfers|transferring|withdraw|"
    "withdraws|withdrawing|withdrawal|withdrawals|exit|exits|exiting|go|goes|going|moving"
)
_PRICE: Final = (
    "price|prices|pricing|rate|rates|fee|fees|commission|commissions|tariff|quote|spread"
)

_ENGLISH: Final[dict[str, tuple[str, ...]]] = {
    "IN-1": (
        r"rebate\w*|re bate|refund\w*|cash ?back\w*|kick ?back\w*|gift\w*|voucher\w*|coupon\w*",
        r"discount\w*|bonus\w*|reward\w*|freebie\w*|give ?away\w*|prize\w*|lotter\w+|raffle\w*",
        r"sweepstake\w*|complimentary|perks?|promo|promotion\w*|special offers?|free|freely",
        r"zero ?(cost )?(commissions?|fees?|cost|charge|price)|no (commissions?|fees?|charges?)",
        r"(0|nil) ?(percent )?(commissions?|fees?|cost|charge)|without (commissions?|fees?|charge)",
        r"waiv\w+|below (our )?cost|at cost|(loyalty|bonus|shopping|goods) points?|points for",
        (
            r"(pay|give|hand|offer|send)s?( (the|a|an|you|her|him|them|client|clients|some|small"
            r"|two|\d+)){0,4} (yuan|rmb|cny|dollar|euro|cash|money(?! market)|credit|meal|tablet)s?"
        ),
        r"a present|presents|trading credits?|cash (credit|amount|sum)|treat (them|her|him)",
        r"(commissions?|fees?|rates?) holidays?|as a thank you|\d+ ?(yuan|rmb|cny|dollars|euros)",
        r"(cinema|concert|theatre|event|match|free|two|\d+) tickets?|(dinner|holiday|trip) for",
        r"on the house|(commissions?|fees?) (is|are) (zero|nil|waived|on us)|incentives?|subsid\w+",
    ),
    "IN-2": (
        (
            rf"(personal|personalised|personalized|individual|special|custom|customised|customized|"
            rf"exclusive|private|preferential|tailored|bespoke|own|better|best|lower|reduced|cheaper|"
            rf"negotiated) ({_PRICE})"
        ),
        (
            rf"(lower|reduc\w+|cut|cuts|cutting|drop\w*|slash\w*|adjust\w*|improv\w+|beat|match\w*|"
            rf"negotiat\w+|halv\w+)( \w+){{0,4}} ({_PRICE})"
        ),
        (
            rf"({_PRICE})( \w+){{0,4}} (lowered|reduced|cut|dropped|slashed|negotiable|negotiated|"
            rf"adjusted|halved|matched)"
        ),
        (
            rf"({_PRICE})( \w+){{0,4}} (of|to|at|is) \d+|\d+ ?(percent|bps|bp|basis points?)"
            rf"( \w+){{0,3}} ({_PRICE})"
        ),
        rf"({_PRICE}|costs?)( \w+){{0,4}} cheaper|cheaper (trad\w+|deal\w*)|vip ({_PRICE})",
        rf"({_PRICE}) (by|from|according to|depending on) (the |their )?(score|risk)",
    ),
    "IN-3": (
        (
            r"(if|as long as|so long as|provided|unless|on condition|only when|when|once"
            r"|in return for|in exchange for)( \w+){0,6} "
            r"(stay|stays|staying|remain|remains|remaining|keeps?)"
        ),
        rf"(do|does|did|will|would|must|should)? ?(not|never|don t|doesn t|won t) ({_LEAVING})",
        (
            r"(stay|stays|staying|remain|remains|remaining|keep|keeps|hold|holds)( \w+){0,6}"
            r" (for|at least|until|another|minimum)( \w+){0,3} (day|week|month|year|quarter)s?"
        ),
        rf"(lose|loses|losing|lost)( \w+){{0,5}} (if|when|on|by|upon)( \w+){{0,3}} ({_LEAVING})",
        rf"not to (move|sell|{_LEAVING})|(not|never) let( \w+){{0,4}} ({_LEAVING})",
        r"(convince|persuade|urge|press|talk|dissuade|discourage)( \w+){0,3} (out of|from|stay)",
        rf"({_LEAVING})( \w+){{0,3}} (takes?|taking|needs?) (weeks|months|long|ages|a long)",
        r"(to|must|should|please|us) (remain|stay)( as)?( \w+){0,2} (clients?|customers?|with)",
        r"lock ?(in|up)\w*|minimum (stay|holding|term|period)|clawback\w*|claw back|forfeit\w*",
        (
            r"(exit|closing|closure|termination|leaving|transfer|withdrawal) "
            r"(fee|fees|charge|charges|penalty|penalties|cost|costs)|penalt\w+"
        ),
        (
            rf"(cancel|cancels|cancelling|delay|delays|delaying|postpone|postpones|hold|holds|block|"
            rf"blocks|stop|stops|prevent|prevents|freeze|freezes|suspend|suspends|obstruct|slow|drop|"
            rf"abandon|withdraw|retract|reconsider)( \w+){{0,4}} ({_LEAVING}|closure|complaint)"
        ),
        (
            rf"(who|those who|after|before|upon|by) ({_LEAVING})( \w+){{0,5}} "
            rf"(lose|loses|losing|pay|pays|repay|must|owe|owes|give back|return)"
        ),
    ),
    "SU-8": (
        r"guarante\w+|risk ?free|riskless|no risk|without risk|zero risk|sure (profit|gain|win)\w*",
        r"(promis\w+|assur\w+|ensur\w+)( \w+){0,4} (gain|profit|return|yield)s?",
        r"(cannot|can t|can not|never|not) lose|capital (protected|protection)|principal protected",
        r"(compensat\w+|reimburs\w+|cover|covers|make good|make up)( \w+){0,4} (loss|losses)",
        r"(returns?|yields?|gains?|profits?) of (at least|up to|over|more|\d+)",
        r"double (your|their|the|her|his) money",
        r"trade (for you|on your behalf)|discretionary mandate|full discretion",
    ),
}
"""Patterns on English text in lower case, its words apart by one space."""

_GLUED: Final[dict[str, tuple[str, ...]]] = {
    "IN-1": (
        (
            "rebate|cashback|kickback|voucher|coupon|discount|freecommission|zerocommission|"
            "commissionfree|nocommission|feefree|zerofee|freetrad|loyaltypoint|giftcard"
        ),
    ),
    "IN-3": ("lockinperiod|exitfee|closingfee|exitpenalty|clawback",),
    "SU-8": ("guarantee|riskfree",),
}
"""Patterns on English letters alone, for words that are spelt out or run together."""

_TRADITIONAL: Final = str.maketrans(
    "優傭現還贈禮獎勵紅費減員價專屬個調軟轉戶銷離開託資產讓點積補貼獨單總賺證諾損賠償穩無風險"
    "條鎖滿續們則罰銀錢話購買費領會驗凍結賬帳圖議談臨萬數幾暫緩遲勸後違約繳罷選擇換給準歸",
    "优佣现还赠礼奖励红费减员价专属个调软转户销离开托资产让点积补贴独单总赚证诺损赔偿稳无风险"
    "条锁满续们则罚银钱话购买费领会验冻结账账图议谈临万数几暂缓迟劝后违约缴罢选择换给准归",
)
_ALIKE: Final = str.maketrans("авеікмнорстухѕјԁɡⅼοαеνρτυ〇", "abeikmhopctyxsjdgloaevptu0")
_UNSEEN: Final = frozenset({"Cf", "Cc", "Mn", "Me", "Cs", "Co"})
_BETWEEN: Final = re.compile(r"[^\w%‰;；。.]+|_")
_WORDS: Final = re.compile(r"[^a-z0-9]+")

_Patterns = tuple[tuple[str, re.Pattern[str]], ...]


def _compile(patterns: dict[str, tuple[str, ...]], around: str) -> _Patterns:
    return tuple(
        (rule, re.compile(around.format("|".join(f"(?:{p})" for p in each))))
        for rule, each in patterns.items()
    )


_CHINESE_PATTERNS: Final = _compile(_CHINESE, "{}")
_ENGLISH_PATTERNS: Final = _compile(_ENGLISH, r"\b(?:{})\b")
_GLUED_PATTERNS: Final = _compile(_GLUED, "{}")


def faults(text: str) -> Iterator[Fault]:
    """Forbidden wordings of a text, whatever its language; the first of each rule and form.

    Example:
        >>> [f.rule for f in faults("佣 金 全 免")], [f.rule for f in faults("Zero-Commission!")]
        (['IN-1'], ['IN-1', 'IN-1'])
        >>> list(faults("Explain the published fee tiers"))
        []
    """
    plain = _plain(text)
    tight = _BETWEEN.sub("", plain)
    loose = _WORDS.sub(" ", plain.replace("%", " percent ")).strip()
    for patterns, form in (
        (_CHINESE_PATTERNS, tight),
        (_ENGLISH_PATTERNS, loose),
        (_GLUED_PATTERNS, loose.replace(" ", "")),
    ):
        for rule, pattern in patterns:
            found = pattern.search(form)
            if found:
                yield Fault(found[0].strip(), rule)


def _plain(text: str) -> str:
    """Folded: compatibility forms, case, the unseen, look-alikes, traditional characters."""
    folded = unicodedata.normalize("NFKD", text)
    seen = "".join(c for c in folded if c in "\t\n\r" or unicodedata.category(c) not in _UNSEEN)
    return seen.casefold().translate(_ALIKE).translate(_TRADITIONAL)
