"""How `keepwell desk` shows things: headings, words for codes, times of the reader's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from keepwell.cli.terminal import say, show, write_json
from keepwell.core.text import current_locale, tr

if TYPE_CHECKING:
    from keepwell.client import Item

HEADS = {
    "adviser_id": "Adviser", "alert_id": "Alert", "at": "At", "author": "Author",
    "case_id": "Case", "day": "Day", "decision": "Decision", "left_day": "Left on",
    "revision": "Revision", "words": "By the label", "client_id": "Client",
    "close_reason": "Closed because",
    "closed_at": "Closed", "contacted_at": "Contacted", "due_at": "Due", "giver": "From",
    "kind": "Kind", "last_activity": "Last activity", "level": "Level", "login": "Log-in",
    "manager_id": "Manager", "name": "Name", "next_due_at": "Next due", "note": "Note",
    "opened_at": "Opened", "owner_id": "Owner", "permissions": "Permissions", "phone": "Phone",
    "plan": "Plan", "raised_at": "Raised", "read_at": "Read", "reason": "Reason",
    "risk_level": "Risk level", "role": "Role", "scope": "Scope", "score": "Score",
    "staff_id": "Staff number", "state": "State", "status": "Status", "subject": "Subject",
    "taker": "To", "text": "Text", "tier": "Tier", "title": "Title",
}  # fmt: skip
"""Column headings, the catalogue's keys."""


_CODED = frozenset({"tier", "state", "status", "reason", "close_reason"})
"""Columns whose values are codes with words."""


def table(rows: Sequence[Item], as_json: bool, names: list[str]) -> None:
    """Rows with the columns named, as a table or as JSON whole."""
    if as_json:
        write_json(list(rows))
    elif not rows:
        say("There is nothing to show.")
    else:
        show([HEADS[name] for name in names], [[_cell(n, r.get(n)) for n in names] for r in rows])


def one(item: Item, as_json: bool, names: list[str]) -> None:
    """One thing, a line for each of the fields named that has a value."""
    if as_json:
        write_json(item)
        return
    for name in names:
        value = _cell(name, item.get(name))
        if value not in (None, ""):
            say("{name}: {value}", name=tr(HEADS[name]), value=value)


def said(item: Item, as_json: bool, message: str, *names: str) -> None:
    """What was done, in one sentence with the fields named."""
    if as_json:
        write_json(item)
    else:
        say(message, **{name: item[name] for name in names})


_CLOCKS = {
    "running": "Running", "paused": "Paused", "breached": "Overdue", "met": "Met",
    "cancelled": "Fell away",
}  # fmt: skip
"""States of a clock, in English."""


@lru_cache(maxsize=1)
def _words() -> dict[str, str]:
    """Code to English title, of everything that has one."""
    from keepwell.intervene.alert import policy as alert
    from keepwell.intervene.case import policy as case
    from keepwell.warn.tier import TITLES

    known = {str(code): words for code, words in case.STATE_TITLES.items()}
    known |= {str(code): words for code, words in case.CLOSE_TITLES.items()}
    known |= {str(code): words for code, words in case.REASON_TITLES.items()}
    known |= {str(code): words for code, words in alert.REASON_TITLES.items()}
    known |= {str(code): words for code, words in alert.STATUS_TITLES.items()}
    known |= _CLOCKS
    return known | {tier.code: words for tier, words in TITLES.items()}


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, dict):  # a title in both languages
        return value.get(current_locale())
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    if name in _CODED and isinstance(value, str):
        known = _words().get(value)
        return tr(known) if known else value
    if isinstance(value, str) and len(value) >= 19 and value[4:5] == "-" and value[10:11] == "T":
        return f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M}"
    return round(value, 1) if isinstance(value, float) else value
