"""Facts in words: one line each, in English or Chinese.

Codes of the contract and usual words of source systems are told in the reader's language; what the
broker alone knows, such as a product or another broker, stands as the source gives it.
"""

from __future__ import annotations

from typing import Final

from keepwell.core import text
from keepwell.core.text import tr
from keepwell.learn.panel.schema import Fact

KINDS: Final[dict[str, str]] = {
    "contact": "Client got in touch",
    "complaint": "Complained",
    "complaint_closed": "Complaint closed",
    "complaint_withdrawn": "Complaint withdrawn",
    "survey_nps": "Would recommend us",
    "survey_csat": "Satisfaction survey",
    "survey_ces": "Ease-of-use survey",
    "touch": "We got in touch",
    "touch_replied": "We got in touch and the client replied",
    "touch_unreached": "Client not reached",
    "touch_refused": "Asked not to be contacted",
    "transfer_in": "Securities moved in",
    "transfer_out": "Securities moved out",
    "exit_close": "Asked to close the account",
    "exit_transfer": "Asked to move to another broker",
    "exit_revoke_designation": "Asked to revoke the designated trading",
    "exit_done": "Exit request carried out",
    "deposit": "Paid in",
    "withdrawal": "Took money out",
    "deposit_failed": "Payment in failed",
    "withdrawal_failed": "Taking money out failed",
    "ipo_won": "New issue allotted",
    "ipo_unpaid": "New issue not paid for",
    "ipo_active": "New issue subscribed",
    "ipo_ended": "New issue ended",
    "plan_won": "Subscription begun",
    "plan_unpaid": "Subscription not paid for",
    "plan_active": "Subscription begun",
    "plan_ended": "Subscription ended",
    "session_errors": "Errors in the app",
    "bought": "Bought",
    "sold": "Sold",
    "manager_changed": "New relationship manager",
}
"""Every kind of fact and its English title."""

USUAL: Final[dict[str, str]] = {
    "phone": "phone", "chat": "chat", "email": "e-mail", "branch": "branch", "wecom": "WeCom",
    "sms": "text message", "push": "push message", "app": "app", "web": "web", "visit": "visit",
    "question": "question", "trade_problem": "trouble with a trade",
    "app_problem": "trouble with the app", "fee": "fees", "fees": "fees", "advice": "advice",
    "feature_wish": "wish for a feature", "complaint": "complaint",
    "transfer_out": "moving securities out", "closing": "closing the account",
    "rival": "another broker", "market_worry": "worry about the market",
    "life_change": "change in life", "praise": "praise", "slow service": "slow service",
    "products": "products", "product": "products", "trust": "trust", "losses": "losses",
    "other": "other", "service": "service", "trading": "trading", "routine": "routine contact",
    "newsletter": "newsletter", "manager_call": "manager's call",
    "adviser_review": "adviser's review", "fee_explanation": "explanation of fees",
    "holdings_report": "report on holdings", "education": "investor education",
    "feature_help": "help with a feature", "complaint_fast": "complaint handled first",
    "leave_alone": "left alone", "bank_limit": "bank's limit",
    "bank_timeout": "bank did not answer",
    "wrong_password": "wrong password", "insufficient_funds": "not enough money",
    "close": "close the account", "transfer": "move to another broker",
    "revoke_designation": "revoke the designated trading",
}  # fmt: skip
"""Usual words of source systems and their English; unknown ones are shown as they come."""


def fact_title(fact: Fact, locale: str | None = None) -> str:
    """What kind of thing happened, such as 'Paid in'."""
    title = KINDS.get(fact.kind)
    return tr(title, locale) if title else fact.kind


def own_word(word: str, locale: str | None = None) -> str:
    """A word of a source system in a language, where it is a usual one, else as it is."""
    known = USUAL.get(word.lower())
    return tr(known, locale) if known else word


def fact_words(fact: Fact, locale: str | None = None, currency: str = "") -> str:
    """A fact in one line, without its time and without what was said or written.

    Args:
        fact: of `Panels.facts`.
        locale: 'en' or 'zh'.
        currency: ISO 4217 code of amounts.

    Example:
        >>> from datetime import UTC, datetime
        >>> fact_words(
        ...     Fact(datetime(2025, 1, 1, tzinfo=UTC), "contact", "fee", None, None, "phone"), "en")
        'Client got in touch: fees (phone)'
    """
    parts = []
    if fact.amount is not None and currency:
        parts.append(text.money(fact.amount, currency, locale))
    if fact.detail:
        parts.append(own_word(fact.detail, locale))
    counted = _counted(fact, locale)
    if counted:
        parts.append(counted)
    told = fact_title(fact, locale)
    if parts:
        told = tr("{title}: {rest}", locale, title=told, rest=tr(", ", locale).join(parts))
    if fact.channel:
        told = tr("{told} ({channel})", locale, told=told, channel=own_word(fact.channel, locale))
    return told


_COUNTS: Final = {
    "contact": "satisfaction {n} of 5",
    "survey_nps": "{n} of 10",
    "survey_csat": "{n} points",
    "survey_ces": "{n} points",
    "session_errors": "{n} on one day",
}
"""What the number of a kind means."""

_PIECES: Final = ("bought", "sold", "transfer_in", "transfer_out")


def _counted(fact: Fact, locale: str | None) -> str:
    if fact.number is None:
        return ""
    if fact.kind in _PIECES:
        if fact.number < 2:
            return ""
        return tr("{n} instruments", locale, n=fact.number)
    words = _COUNTS.get(fact.kind)
    return tr(words, locale, n=fact.number) if words else ""
