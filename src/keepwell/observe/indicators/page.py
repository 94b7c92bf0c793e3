"""The reference page of the catalogue and the words that the command line shows beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from keepwell.core.text import tr
from keepwell.observe.indicators.needs import EVENT_TABLES
from keepwell.observe.indicators.registry import DIRECTIONS, FAMILIES, INDICATORS, Indicator

RULES: Final = (
    (
        "as_of is an instant; D is its day in the exchange's time zone, and a day is a whole "
        "local day. A bare date means the midnight that begins it, and then nothing of D "
        "itself counts."
    ),
    (
        "A fact counts when it happened before as_of (at < as_of) and was known by then "
        "(known_at <= as_of), in the highest revision known by then, and not at all if "
        "that takes it back. A client row counts when valid_from < as_of. Balances, holdings, "
        "margin accounts and prices are of the close of their day and count when day < D."
    ),
    (
        "The window of w days holds the facts with D - w <= day < D and those of D before "
        "as_of. The previous window of w days holds those with D - 2w <= day < D - w."
    ),
    (
        "A source must be declared complete for at least half of the days D - w to D - 1 of a "
        "window (D - 2w to D - w - 1 of a previous one); else whatever is asked of that window "
        "is absent. The covered days of a window are the days D - w to D - 1 for which the "
        "source is declared complete. Today's part does not count for this. Days since the "
        "latest or the first fact, and the latest balance, have no window: they look at all "
        "that is known, and are absent only when the declared spans of the source all begin on "
        "D or later (on D - w or later for the balance w days ago). Market, prices, and rows of "
        "client, account, service and relation need no declared span."
    ),
    (
        "Absent is not zero. A source that is not mapped makes its indicators absent; a client "
        "without rows in a mapped and covered source has a count and a sum of 0. Whatever is "
        "computed from an absent number is absent, and so is every division by 0."
    ),
    (
        "Positions of a client at X are rebuilt: the holding rows of the latest snapshot day s "
        "< X, plus the quantities of the later buys, minus those of the later sells. X is "
        "as_of for the positions at as_of, and the beginning of day D - w for the positions w "
        "days ago, always by what is known at as_of. A snapshot day is a day with holding rows "
        "of the client; where the mapping says full_days, any day with holding rows of anyone "
        "(a client without rows that day holds nothing). Without a snapshot nothing was held "
        "on s, the day before opened_on (of the client row in force at as_of); where that is "
        "unknown too and no holding table is mapped, s is the day before the first declared "
        "day of trade. Trades without an instrument are left out. A position counts when its "
        "quantity is above 0."
    ),
    (
        "Positions are absent, and with them all that is made of them, when there is no such s "
        "before X, when a trade after s has no quantity, and when trade (holding, where trade "
        "is not mapped) is not declared complete for every day from s + 1 to the day before X; "
        "a gap is forgiven for positions w days ago when s is at most 14 days older than the "
        "day before X."
    ),
    (
        "The price of an instrument at X is its latest close with day < X. The value of a "
        "position is quantity times price, rounded to minor units (halves to even)."
    ),
    (
        "A sale is what a client sold of one instrument on one local day; its result is the sum of "
        "amount minus its cost. The cost starts from the latest snapshot day s before the day, as "
        "for positions: quantity and cost of the holding row of s, 0 and 0 without a row. Then the "
        "days after s follow, that of the sale the last: buys first, which add quantity and "
        "amount; then what was sold, which takes out cost * sold / quantity, rounded to minor "
        "units (halves to even). The result is unknown when an amount sold is; without such an s; "
        "when trade is not declared complete from s + 1 to the day before the sale; and, from then "
        "on until the next snapshot day, when the holding row has a quantity above 0 and no cost "
        "above 0, when a trade in the instrument has no quantity or a buy of it no amount, and "
        "when more is sold than held."
    ),
    (
        "The peers of a client are the clients of the same risk level and the same fifth of "
        "total_assets; without a level, or with total_assets absent or not above 0, a client has "
        "none. They are taken at the midnight that begins D, of what was known at it, the client's "
        "own number and group at as_of. Edge k of the fifths, k = 1 to 4, is the ceil(k n / 5)-th "
        "smallest total_assets of the n clients for whom it is above 0 at that midnight; a "
        "client's fifth is the number of edges below its total_assets. The median of an even "
        "number is the mean of the middle two. With fewer than 20 peers that have a number "
        "nothing is said."
    ),
    (
        "Money is in minor units of its currency (cents, fen). A threshold is the number at "
        "which a person should look: at or below it where low is a warning, at or above it "
        "where high is."
    ),
    (
        "Who is listed at as_of: every client with a client row in force, or with any fact that "
        "counts by then: a client without a profile is kept."
    ),
)
"""What all definitions share; each is also the key of its Chinese text."""

_TITLE: Final = "Indicators"
_READING: Final = "How to read the definitions"
_INTRO: Final = (
    "Generated from the registry by python -m keepwell.observe.indicators.page; do not edit."
)
COUNTS: Final = "{count} indicators, {headline} of them headline ones (★)."
"""The catalogue's size in words."""


def render(indicators: Mapping[str, Indicator] = INDICATORS) -> str:
    """The catalogue as Markdown, in English and Chinese, grouped by family.

    Args:
        indicators: what to show; default: all that are registered.
    """
    items = list(indicators.values())
    counts = {"count": len(items), "headline": sum(item.headline for item in items)}
    lines = [f"# {_both(_TITLE)}", "", _both(_INTRO), "", _both(COUNTS, **counts), ""]
    lines += [f"## {_both(_READING)}", ""]
    for number, rule in enumerate(RULES, 1):
        lines += [f"{number}. {rule}", f"   {tr(rule, 'zh')}"]
    for family in FAMILIES:
        members = [item for item in items if item.family == family]
        if members:
            lines += ["", f"## {_both(FAMILIES[family])}", "", *_table(members)]
            for item in members:
                lines += ["", *_details(item)]
    return "\n".join(lines) + "\n"


def coverage_rule(item: Indicator, locale: str | None = None) -> str:
    """Which sources an indicator needs, and how complete they must be, in a language.

    Example:
        >>> from keepwell.observe.indicators import get
        >>> coverage_rule(get("trade_count_30d"), "en")
        'Needs trade, complete for at least half of each window (30 days).'
    """
    parts = []
    for table in item.sources:
        windows = sorted({n.window for n in item.reads if n.table == table and n.window})
        if table in (*EVENT_TABLES, "news", "outage") and windows:
            days = ", ".join(str(window) for window in windows)
            parts.append(
                tr(
                    "Needs {table}, complete for at least half of each window ({days} days).",
                    locale, table=table, days=days,
                )
            )  # fmt: skip
        elif table == "holding" and any(need.table == "position" for need in item.reads):
            parts.append(tr("Needs holding, or else all trade since the beginning.", locale))
        else:
            parts.append(tr("Needs {table}.", locale, table=table))
    if item.any_source:
        parts.append(tr("One of these sources is enough.", locale))
    return ("" if _chinese(locale) else " ").join(parts)


def threshold_words(item: Indicator) -> str:
    """The threshold as a condition, such as '<= 0.7'; '' where there is none.

    Example:
        >>> from keepwell.observe.indicators import get
        >>> threshold_words(get("silence_ratio"))
        '>= 3'
    """
    if item.threshold is None:
        return ""
    return f"{'<=' if item.direction == 'low' else '>='} {item.threshold:g}"


def _table(items: Iterable[Indicator]) -> list[str]:
    heads = ("Indicator", "Name", "Unit", "Warning side", "Threshold")
    rows = ["| " + " | ".join(map(_both, heads)) + " |", "|---" * len(heads) + "|"]
    for item in items:
        star = " ★" if item.headline else ""
        words = (
            f"[`{item.id}`](#{item.id}){star}",
            _both(item.name),
            f"{item.unit_name('en')} {item.unit_name('zh')}",
            _both(DIRECTIONS[item.direction]),
            threshold_words(item),
        )
        rows.append("| " + " | ".join(words) + " |")
    return rows


def _details(item: Indicator) -> list[str]:
    windows = ", ".join(str(window) for window in item.windows) or "–"
    facts = (
        ("Days used", windows),
        ("Sources", ", ".join(item.sources)),
        ("Added in version", item.since),
        ("Models' input list", item.input_list),
    )
    return [
        f"### {item.id}",
        "",
        f"**{_both(item.name)}**",
        "",
        _both(item.explain),
        "",
        f"- {item.definition}",
        f"- {tr(item.definition, 'zh')}",
        f"- {coverage_rule(item, 'en')} {coverage_rule(item, 'zh')}",
        "- " + " · ".join(f"{_both(name)}: {value}" for name, value in facts),
    ]


def _both(message: str, **fields: object) -> str:
    return f"{tr(message, 'en', **fields)} {tr(message, 'zh', **fields)}"


def _chinese(locale: str | None) -> bool:
    from keepwell.core.text import current_locale

    return (locale or current_locale()) == "zh"


if __name__ == "__main__":
    import sys

    sys.stdout.write(render())
