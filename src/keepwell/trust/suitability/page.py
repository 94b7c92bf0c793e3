"""The reference page of the rules: what they demand, how sure we are, which test shows it."""

from __future__ import annotations

from datetime import date
from typing import Final

from keepwell.core.text import LOCALES
from keepwell.trust.suitability.policy import (
    ClientLevel,
    Initiative,
    Investor,
    Outcome,
    ProductLevel,
    Profile,
    judge,
)
from keepwell.trust.suitability.rulebook import Parameter, Rule, RuleBook

_HEAD: Final = """# Rules

The rules that gates judge by, as dated data: each version has its days, its source, and how sure
keepwell is of it. *Verified*: the legal text was read. *Secondary*: somebody reliable says so.
*Unverified*: general knowledge, until a compliance reviewer of yours signs it. A rule is as sure
as its weakest source, and days and parameters have marks of their own: T, S, K in the same order.
This is not legal advice.

A rule judges only on the days on which it is in force, so a past decision can be made again under
the rules of its day, and with what was known then. Rules of exits (R-EXIT-1, R-EXIT-2) and of
evidence are held by code and tests elsewhere: [exit requests](../how-to/exit-requests.md),
[evidence](../how-to/evidence.md).
"""
_CAPTION: Final = (
    "Ordinary investors with an assessment in date; first whether we may recommend it, then "
    "whether the client may have it on request. *warning*: after a special written warning, with "
    "the client's insistence on record. The levels do not bind professional investors (one who is "
    "marked as lowest class is treated as that class until the data are mended)."
)
_CELLS: Final = {Outcome.ALLOWED: "yes", Outcome.WARNING: "warning", Outcome.REFUSED: "no"}


def render() -> str:
    """The page, in Markdown."""
    book = RuleBook.shipped()
    lines = [_HEAD, "| rule | title | sure | in force from | origin |", "|---|---|---|---|---|"]
    for rule in book.versions:
        since = f"{rule.in_force.since or 'always'}"
        lines.append(
            f"| [{rule.id}](#{rule.id.lower()}) | {rule.title.en} | {rule.status} | {since} "
            f"| {rule.origin} |"
        )
    lines += _table(book)
    for rule in book.versions:
        lines += _section(rule)
    return "\n".join(lines) + "\n"


def _table(book: RuleBook) -> list[str]:
    """All cells of client level, product level and who begins, for ordinary investors."""
    day = date(2026, 1, 1)
    rules = book.on(day)
    lines = [
        "",
        "## Who may have what",
        "",
        _CAPTION,
        "",
        "| client | " + " | ".join(r.value for r in ProductLevel) + " |",
        "|---" * (len(ProductLevel) + 1) + "|",
    ]
    for level in ClientLevel:
        profile = Profile(Investor.ORDINARY, level, day)
        cells = [
            " / ".join(_CELLS[judge(profile, r, who, day, rules).outcome] for who in Initiative)
            for r in ProductLevel
        ]
        lines.append(f"| {level} | " + " | ".join(cells) + " |")
    return lines


def _section(rule: Rule) -> list[str]:
    days = f"from {rule.in_force.since}" if rule.in_force.since else "at all times"
    if rule.in_force.until:
        days += f" until {rule.in_force.until}"
    lines = ["", f"## {rule.id}", ""]
    for locale in LOCALES:
        lines += [f"**{rule.title.say(locale)}** {rule.words.say(locale)}", ""]
    sources = "; ".join(f"{s.text.en} ({s.confidence})" for s in rule.sources)
    facts = {
        "version": f"{rule.version}, {rule.jurisdiction}, {rule.origin}",
        "in force": f"{days} ({rule.in_force.confidence})",
        "sources": sources,
        "sure": f"{rule.status.title('en')}",
        "test": f"`{rule.test}`",
    }
    for name, parameter in rule.parameters.items():
        facts[f"`{name}`"] = _parameter(parameter)
    return [*lines, "| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in facts.items())]


def _parameter(parameter: Parameter) -> str:
    value = parameter.value
    if isinstance(value, dict):
        value = ", ".join(f"{k}: {v}" for k, v in value.items())
    return f"{value} ({parameter.confidence}). {parameter.note.en}"
