"""Figures in a text: numbers, money, percentages, spans, dates and times, as people write them.

They are read from the normal form (`normal`), in Chinese and English, in digits and in words.
Words count only before a unit ('三百元', 'ten per cent'): elsewhere they are rarely figures. So
does 'one', except of money and percentages: 'one day' and '一年' are idle words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Dim(StrEnum):
    """What a figure measures."""

    PLAIN = "plain"
    MONEY = "money"
    PERCENT = "percent"
    SPAN = "span"
    DATE = "date"
    TIME = "time"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure.

    Attributes:
        start: where it begins in the normal form.
        end: where it ends, exclusive.
        dim: what it measures.
        value: of money in whole units of the currency, of percentages as a share, of spans in
            `unit`; 0 of dates, times and names.
        step: the finest difference that its digits can show, in the same unit.
        unit: of a span: 'seconds', 'trading-days' or 'months'; of money the currency or ''.
        parts: of a date (year or 0, month or 0, day or 0); of a time (hour, minute).
        rough: whether it says 'about'.
    """

    start: int
    end: int
    dim: Dim
    value: float = 0.0
    step: float = 0.0
    unit: str = ""
    parts: tuple[int, ...] = ()
    rough: bool = False


_DIGITS: Final = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_SCALES: Final = {
    "万亿": 1e12, "亿": 1e8, "千万": 1e7, "百万": 1e6, "万": 1e4, "千": 1e3, "百": 1e2, "w": 1e4,
    "trillion": 1e12, "tn": 1e12, "t": 1e12, "billion": 1e9, "bn": 1e9, "million": 1e6, "mn": 1e6,
    "thousand": 1e3, "hundred": 1e2, "m": 1e6, "k": 1e3, "b": 1e9,
}  # fmt: skip
_SCALE: Final = (
    "万亿|千万|百万|亿|万|千|百|(?:trillion|tn|t|billion|bn|million|mn|thousand|hundred|m|k|b|w)"
    "(?![a-z])"
)
_HAN: Final = "[一二两三四五六七八九十][〇零一二两三四五六七八九十百千万亿点半]*"
_SMALL: Final = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)  # fmt: skip
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SAID: Final = (
    rf"(?:(?:{'|'.join(_TENS)})[ -](?:{'|'.join(_SMALL[:9])})"
    rf"|{'|'.join([*reversed(_SMALL), *_TENS])})"
    r"(?:[ -](?:hundred|thousand|million|billion))?|a (?:hundred|thousand|million)"
)
_NUM: Final = rf"(?:(?:{_DIGITS})\s*(?:{_SCALE})?)(?:(?:\d+(?:\.\d+)?)(?:{_SCALE}))*"
_ANY: Final = rf"(?P<n>{_NUM}|(?<!第){_HAN}|(?<![a-z])(?:{_SAID})(?![a-z]))"
_ROUGH: Final = re.compile(
    r"(?:约|近|大约|大概|差不多|将近|接近|超过|逾|about|around|nearly|roughly|almost|over|some)\s*$"
)
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_MONTH: Final = (
    r"(?P<mon>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_CURRENCIES: Final = {
    "cn¥": "CNY", "rmb": "CNY", "cny": "CNY", "人民币": "CNY", "元": "CNY", "块": "CNY",
    "yuan": "CNY", "us$": "USD", "usd": "USD", "美元": "USD", "hk$": "HKD", "hkd": "HKD",
    "港元": "HKD", "港币": "HKD", "€": "EUR", "eur": "EUR", "欧元": "EUR", "euro": "EUR",
    "euros": "EUR", "£": "GBP", "gbp": "GBP", "英镑": "GBP", "jpy": "JPY", "日元": "JPY",
}  # fmt: skip
_SIGN: Final = r"cn¥|us\$|hk\$|rmb|cny|usd|hkd|eur|gbp|jpy|人民币|¥|\$|€|£"
_MONEY_UNIT: Final = (
    r"元人民币|块钱|美元|港元|港币|欧元|英镑|日元|元|块|人民币|yuan|rmb|cny|usd|hkd|eur|euros?|gbp|"
    r"jpy|dollars?|pounds?|£|€|\$"
)
_SPANS: Final = (
    (r"个?(?:交易日|工作日)|(?:trading|business|working)[ -]days?", "trading-days", 1.0),
    (r"秒钟?|seconds?|secs?|s(?![a-z])", "seconds", 1.0),
    (r"分钟|minutes?|mins?", "seconds", 60.0),
    (r"个?小时|个?钟头|hours?|hrs?|h(?![a-z])", "seconds", 3600.0),
    (r"天|日(?!元|币)|days?", "seconds", 86_400.0),
    (r"周|个?星期|weeks?", "seconds", 604_800.0),
    (r"个月|months?", "months", 1.0),
    (r"年|years?", "months", 12.0),
)
_NO_TENTH: Final = "成(?!功|长|立|为|本|交|果|员|份|就|熟|都|人|绩|效|套)"
_PERCENT: Final = (
    r"%|per ?cent(?:age points?)?|percentage points?|个?百分点|个点(?!评|赞|子)|"
    rf"{_NO_TENTH}"
)
_POINTS: Final = r"‰|个?基点|bps?(?![a-z])|basis points?"

_Found = Callable[["re.Match[str]"], Figure | None]


def figures(text: str) -> list[Figure]:
    """Every figure of a text, from its beginning to its end.

    Args:
        text: in normal form.

    Example:
        >>> [(f.dim.value, f.value) for f in figures("资产3.82亿元,占12.5%,共3笔")]
        [('money', 382000000.0), ('percent', 0.125), ('plain', 3.0)]
    """
    taken = bytearray(len(text))
    found: list[Figure] = []
    for pattern, read in _RULES:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            figure = read(match)
            if figure is not None:
                taken[start:end] = b"\1" * (end - start)
                if figure.dim is not Dim.PLAIN or not _numbering(text, figure):
                    found.append(figure)
    return sorted(found, key=lambda figure: figure.start)


def _numbering(text: str, figure: Figure) -> bool:
    """Whether it only numbers the lines: '1. …', '2、…'."""
    line = text[text.rfind("\n", 0, figure.start) + 1 : figure.start]
    return line.strip(" (") == "" and bool(re.match(r"[)、]|\.\s", text[figure.end :]))


def _read_number(words: str) -> tuple[float, float] | None:
    """Value and step of a number in digits, hanzi or English words."""
    words = words.strip()
    if words[0].isdigit():
        total, step = 0.0, 1.0
        for digits, scale in re.findall(rf"({_DIGITS})\s*({_SCALE})?", words):
            unit = _SCALES[scale] if scale else 1.0
            plain = digits.replace(",", "")
            total += float(plain) * unit
            step = unit * 10.0 ** -(len(plain) - plain.find(".") - 1 if "." in plain else 0)
        return total, step
    value = _han(words) if words[0] in "一二两三四五六七八九十" else _english(words)
    return None if value is None else (value, 0.0)


def _han(words: str) -> float | None:
    figures_of = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
    units = {"十": 10.0, "百": 100.0, "千": 1e3}
    whole, _, rest = words.partition("点")
    total = section = 0.0
    last: float | None = None
    for letter in whole:
        if letter in figures_of:
            last = (last or 0.0) * 10 + figures_of[letter] if last else float(figures_of[letter])
        elif letter in units:
            section += (1.0 if last is None else last) * units[letter]
            last = None
        elif letter in "万亿":
            section += last or 0.0
            total = total + section * 1e4 if letter == "万" else (total + section) * 1e8
            section, last = 0.0, None
        else:
            return None
    value = total + section + (last or 0.0)
    for place, letter in enumerate(rest, 1):
        if letter not in figures_of:
            return None
        value += figures_of[letter] / 10**place
    return value


def _english(words: str) -> float | None:
    total = 0.0
    for word in re.split("[ -]", words):
        if word in _SMALL:
            total += _SMALL.index(word) + 1
        elif word in _TENS:
            total += 10 * (_TENS.index(word) + 2)
        elif word in _SCALES:
            total = max(total, 1.0) * _SCALES[word]
    return total or None


def _rough(match: re.Match[str]) -> bool:
    return bool(_ROUGH.search(match.string, max(0, match.start() - 12), match.start())) or (
        match.string[match.end() : match.end() + 2] == "左右"
    )


def _measured(dim: Dim, scale: float = 1.0, unit: str = "") -> _Found:
    def read(match: re.Match[str]) -> Figure | None:
        number = _read_number(match["n"])
        if number is None:
            return None
        value, step = number
        if dim is Dim.SPAN and value == 1 and not match["n"][0].isdigit():
            return None
        return Figure(
            *match.span(), dim, value * scale, step * scale, unit, rough=_rough(match)
        )  # fmt: skip

    return read


def _tenths(match: re.Match[str]) -> Figure | None:
    """三成, 七成五."""
    number = _read_number(match["n"])
    if number is None:
        return None
    more = _han(match["more"]) if match["more"] else 0.0
    value = number[0] / 10 + (more or 0.0) / 100
    return Figure(*match.span(), Dim.PERCENT, value, 0.01, rough=_rough(match))


def _hundredths(match: re.Match[str]) -> Figure | None:
    number = _read_number(match["n"])
    if number is None:
        return None
    scale = {"百": 100.0, "千": 1e3, "万": 1e4}[match["of"]]
    return Figure(*match.span(), Dim.PERCENT, number[0] / scale, number[1] / scale)


def _money(match: re.Match[str]) -> Figure | None:
    number = _read_number(match["n"])
    if number is None:
        return None
    said = {k: v for k, v in match.groupdict().items() if k in ("sign", "unit") and v}
    known = [code for words in said.values() for mark, code in _CURRENCIES.items() if mark in words]
    dollar = any("美元" in w or "港" in w for w in said.values())
    currency = next((c for c in known if not (dollar and c == "CNY")), "")
    return Figure(*match.span(), Dim.MONEY, *number, currency, rough=_rough(match))


def _date(match: re.Match[str]) -> Figure | None:
    said = match.groupdict()

    def part(name: str) -> int:
        words = said.get(name)
        if not words:
            return 0
        if words.isdigit():
            return int(words)
        return int(_han(words) or 0)

    month = _MONTHS.index(said["mon"][:3]) + 1 if said.get("mon") else part("m")
    year, day = part("y"), part("d")
    if year and year < 100:
        year += 2000
    if month > 12 or day > 31 or (not month and not year):
        return None
    return Figure(*match.span(), Dim.DATE, parts=(year, month, day))


def _time(match: re.Match[str]) -> Figure | None:
    hour = int(match["h"])
    minute = 30 if match.groupdict().get("half") else int(match["min"] or 0)
    late = any(word in (match["part"] or "") for word in ("下午", "晚", "pm", "p.m"))
    if hour > 24 or minute > 59:
        return None
    return Figure(
        *match.span(), Dim.TIME, parts=(hour + 12 if late and hour < 12 else hour, minute)
    )  # fmt: skip


def _name(match: re.Match[str]) -> Figure:
    return Figure(*match.span(), Dim.NAME)


def _rules() -> Iterator[tuple[str, _Found]]:
    han_day = "[〇零一二三四五六七八九十]{1,3}"
    ordinal = r"(?:st|nd|rd|th)?"
    yield r"(?<!\d)(?:(?P<y>\d{4}|\d{2})年)?(?P<m>\d{1,2})月(?:份|(?P<d>\d{1,2})[日号])", _date
    yield rf"(?P<m>{han_day})月(?P<d>{han_day})[日号]", _date
    yield r"(?<!\d)(?P<y>\d{4})年(?:(?P<m>\d{1,2})月)?", _date
    yield r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)", _date
    yield (
        rf"(?<!\d)(?P<d>\d{{1,2}}){ordinal} (?:of )?{_MONTH}(?![a-z])(?:,? (?P<y>\d{{4}})(?!\d))?",
        _date,
    )
    yield (
        rf"(?<![a-z]){_MONTH} (?P<d>\d{{1,2}}){ordinal}(?!\d)(?:,? (?P<y>\d{{4}})(?!\d))?",
        _date,
    )
    yield rf"(?<![a-z]){_MONTH} (?P<y>\d{{4}})(?!\d)", _date
    yield (r"(?<!\d)(?P<h>\d{1,2})(?::(?P<min>\d{2}))? ?(?P<part>[ap]\.?m\.?)(?![a-z])", _time)
    part = r"(?P<part>上午|下午|早上|晚上|晚|早|中午)?"
    yield rf"{part}(?<!\d)(?P<h>\d{{1,2}}):(?P<min>\d{{2}})(?!\d)", _time
    yield rf"{part}(?<!\d)(?P<h>\d{{1,2}})点(?:钟|(?P<half>半)|(?P<min>\d{{1,2}})分?)?(?!\d)", _time
    yield rf"(?P<of>百|千|万)分之(?P<n>{_DIGITS}|{_HAN})", _hundredths
    yield (
        rf"(?P<n>(?:{_DIGITS})|[一二两三四五六七八九]){_NO_TENTH}(?P<more>[一二三四五六七八九])?",
        _tenths,
    )
    yield rf"[+-]?{_ANY}\s*(?:{_PERCENT})", _measured(Dim.PERCENT, 0.01)
    yield rf"[+-]?{_ANY}\s*‰", _measured(Dim.PERCENT, 0.001)
    yield rf"[+-]?{_ANY}\s*(?:{_POINTS})", _measured(Dim.PERCENT, 0.0001)
    yield rf"[+-]?(?P<sign>{_SIGN})\s*{_ANY}(?P<unit>\s*(?:{_MONEY_UNIT}))?", _money
    yield rf"{_ANY}\s*(?P<unit>{_MONEY_UNIT})(?![a-z])", _money
    for words, unit, scale in _SPANS:
        yield rf"{_ANY}(?:\s|-)*(?:{words})(?![a-z])", _measured(Dim.SPAN, scale, unit)
    yield r"(?<![a-z0-9])[a-z]+-?\d+[a-z0-9]*", _name
    # Hanzi without a unit of time or money are figures when they are large or are counted.
    yield r"(?P<n>(?<!第)(?:[二两三四五六七八九十]+))\s*(?=[笔次只倍股手])", _measured(Dim.PLAIN)
    large = "[一二两三四五六七八九十]+[百千万亿][〇零一二两三四五六七八九十百千万亿]*"
    yield rf"(?P<n>(?<!第){large})", _measured(Dim.PLAIN)
    yield rf"(?P<n>{_NUM})", _measured(Dim.PLAIN)


_RULES: Final = [(re.compile(pattern), read) for pattern, read in _rules()]
