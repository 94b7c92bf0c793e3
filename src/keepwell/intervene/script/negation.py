"""Whether a phrase is denied where it stands: 'we cannot promise …', '不承诺…', 'beware of …'.

Only a denial that governs the phrase counts: it stands right before it, with nothing between but
words that a denial reaches over. Double denials and rhetorical questions are none.
"""

from __future__ import annotations

import re
from typing import Final

_ZH_NOT: Final = (
    "不会|不能|不可能|不可以|不可|不得|不应|不该|不作|不做|不存在|不提供|不构成|不等于|不代表|"
    "不意味着|不是|不支持|不接受|不允许|不用|不需要|不需|不必|不承诺|不保证|不|无法|无权|无需|"
    "没有|没|并非|并不|非|绝不|决不|从不|绝不会|决不会|从来不|从未|未|禁止|严禁|杜绝|拒绝|请勿|勿"
)
_ZH_OVER: Final = (
    "对|向|就|给|为|把|将|您|你|客户|任何|一切|什么|哪种|一种|哪个|一款|投资者|本金|收益|投资|产品|"
    "的|作出|做出|作|做|形式|承诺|保证|确保|担保|说|称|宣称|有|人|机构|或者|或|和|与|及|、|能|敢|"
    "是|会|再|我们|公司|本公司|我司|员工|所谓|要求|收取|收|设|提供|以|用|通过|因此|因|而|被|也|都|"
    "使用|接受|参与|代|单独|私下|另行|直接|办理|进行|其|该|此|这|那|类|不当|利益|现金|赠送|发放|派发|收受|送|赠|投资者|这样|口头|书面|向其|得到"
)
_ZH_BEFORE: Final = re.compile(rf"(?P<not>{_ZH_NOT})(?:{_ZH_OVER}){{0,8}}$")
_ZH_TWICE: Final = re.compile(
    r"(?:怎么|怎会|怎能|怎|哪|岂|难道|莫非|何愁|不可能|不会|不能|不是|并非|绝不|从不|无不|没有|没|"
    r"无|别说|谁说|不得|不|能|会|要|是)(?:会|能|可能|说|有)?$"
)
_ZH_WARNED: Final = re.compile(
    r"(?:谨防|警惕|提防|当心|小心|请勿相信|不要相信|不要轻信|别相信|别信|别轻信|勿轻信|勿信|"
    r"切勿相信|切勿轻信|远离|举报|严禁|禁止|不得)(?!.*(?:我们|我司|我这|本公司)).{0,14}$"
)
_ZH_FALSE: Final = re.compile(
    r"^[^。!?;\n]{0,12}?(?:都|均|皆|全)?(?<!不)(?:是|属于?|系|涉嫌|构成)"
    r"(?:骗局|诈骗|骗人|骗子|违规|违法|虚假|不可信|不允许|被禁止|禁止)"
)
_ZH_INSIDE: Final = re.compile("[不无没未免非勿]")

_EN_NOT: Final = (
    r"cannot|can't|can not|do not|don't|does not|doesn't|did not|never|not|no|nobody can|"
    r"no one can|without|neither|nor|isn't|aren't|is not|are not|won't|will not|must not|may not|"
    r"shall not|unable to|not able to|forbidden to|not allowed to|prohibited from|refuse to|against"
)
_EN_OVER: Final = (
    r"(?:be|been|to|make|makes|made|give|gives|offer|offers|offering|provide|any|a|an|the|of|that|"
    r"you|your|we|us|our|and|or|nor|kind|form|such|promise|promises|promised|promising|guarantee|"
    r"guarantees|guaranteed|assure|gain|gains|profit|profits|return|returns|or|in|way|ever|have|"
    r"has|is|are|there|pay|pays|paid|accept|receive|thing|as|need|for|charge|charges|say|claim|"
    r"individual|personally|individually|staff|anyone|by|which|it|must|should|ask|asked|them)"
)
_EN_BEFORE: Final = re.compile(
    rf"(?<![a-z'])(?P<not>{_EN_NOT})(?:[\s,\-]+{_EN_OVER}(?![a-z'])){{0,9}}[\s,\-]*$"
)
_EN_TWICE: Final = re.compile(
    r"(?:\bnot|n't|\bnever|\bcannot|\bno|\bwhy|\bhow can(?: you| we)?|\bwho says?)"
    r"(?: we| you| i)?\s*$"
)
_EN_WARNED: Final = re.compile(
    r"\b(?:beware of|be wary of|never trust|never believe|do not believe|don't believe|"
    r"do not trust|don't trust|report|forbidden to|prohibited from|not allowed to)"
    r"(?!.*\b(?:we|our|i|us)\b)[^.!?;\n]{0,50}$"
)
_EN_FALSE: Final = re.compile(
    r"^[^.!?;\n]{0,40}?\b(?:is|are)\s+(?:(?:a|always|usually|probably|certainly)\s+)*"
    r"(?:fraud\w*|scam\w*|false|forbidden|prohibited|illegal|not true|unlawful|lying)"
)
_EN_INSIDE: Final = re.compile(r"\b(?:not|no|never|without|n't|cannot)\b|n't\b")
_BREAK: Final = {"zh": re.compile(r"[。!?;,\n:]"), "en": re.compile(r"[.!?;\n:]")}


def denied(text: str, start: int, end: int, gaps: str, locale: str) -> bool:
    """Whether the phrase text[start:end) is denied.

    Args:
        text: in normal form.
        start: where the phrase begins.
        end: where it ends.
        gaps: what the phrase's gaps skipped; a denial there counts as well.
        locale: language of the phrase.

    Example:
        >>> denied("我们不承诺保本", 5, 7, "", "zh"), denied("怎么会不保本", 4, 6, "", "zh")
        (True, False)
    """
    zh = locale == "zh"
    before = _BREAK[locale].split(text[max(0, start - 60) : start])[-1]
    after = text[end : end + 60]
    if zh:
        before, gaps = re.sub(r"[^\w、]|_", "", before), re.sub(r"\s", "", gaps)
    warned, false = (_ZH_WARNED, _ZH_FALSE) if zh else (_EN_WARNED, _EN_FALSE)
    if warned.search(before) or false.search(after):
        return True
    found = (_ZH_BEFORE if zh else _EN_BEFORE).search(before)
    inside = bool((_ZH_INSIDE if zh else _EN_INSIDE).search(gaps))
    if found is None:
        return inside
    if inside:
        return False
    twice = _ZH_TWICE if zh else _EN_TWICE
    return not twice.search(before[: found.start("not")])
