"""Kinds of notice and their words: pure data."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Final

from keepwell.core.text import day, tr
from keepwell.observe.mapping_monitor import MonitorKind
from keepwell.observe.monitors.words import TITLES as MONITORS


class NoticeKind(StrEnum):
    """What a notice is about."""

    ALERT_RAISED = "alert-raised"
    CASE_REASSIGNED = "case-reassigned"
    CLOCK_BREACHED = "clock-breached"
    CLOCK_ESCALATED = "clock-escalated"
    CLOCK_WARNED = "clock-warned"
    EXIT_BREACHED = "exit-breached"
    EXIT_UNSETTLED = "exit-unsettled"
    INCIDENT_CLOSED = "incident-closed"
    INCIDENT_OPENED = "incident-opened"
    KPI_REVIEW = "kpi-review"


TITLES: Final[dict[NoticeKind, str]] = {
    NoticeKind.ALERT_RAISED: "New alert ({tier}): client {client}",
    NoticeKind.CASE_REASSIGNED: "Case of client {client} is yours now (from {who})",
    NoticeKind.CLOCK_BREACHED: "{clock}: the promised time has passed (client {client})",
    NoticeKind.CLOCK_ESCALATED: "{clock}: passed up to you, level {level} (client {client})",
    NoticeKind.CLOCK_WARNED: "{clock}: {share} % of the time has passed (client {client})",
    NoticeKind.EXIT_BREACHED: "Exit request {subject} was not completed in time",
    NoticeKind.EXIT_UNSETTLED: "Exit request {subject} is still not settled",
    NoticeKind.INCIDENT_CLOSED: "Source {source} is in order again: {monitor}",
    NoticeKind.INCIDENT_OPENED: "Data of source {source} to look at: {monitor}",
    NoticeKind.KPI_REVIEW: "{clock}: off its target two months running, review due on {due}",
}
"""Title of each kind, in English."""

_GIVEN: Final[dict[tuple[bool, bool], str]] = {
    (False, False): "Case of client {client} is yours now",
    (False, True): "Case of client {client} is yours again: a reassignment was undone",
    (True, False): "{n} cases are yours now",
    (True, True): "{n} cases are yours again: a reassignment was undone",
}
"""Titles of cases that came to somebody, by whether they are several and come back."""
_GIVEN_BY: Final = "{n} cases are yours now (from {who})"

TIERS: Final = {"none": "no tier", "mild": "mild", "moderate": "moderate", "severe": "severe"}


def words(
    kind: NoticeKind, subject: str, client_id: str | None, data: dict[str, Any], locale: str
) -> str:
    """The title of a notice in its reader's language.

    Args:
        kind: what it is about.
        subject: id of the alert, case or exit request.
        client_id: whom it is about.
        data: facts from the event; `title` holds the name of a clock or key figure in both
            languages, `due_on` when its review is due; of cases
            that came to somebody `n` says how many, `from` whose they were, `undone` that they
            come back.
        locale: 'en' or 'zh'.
    """
    title = data.get("title") or {}
    fields = {
        "subject": subject,
        "client": client_id or "–",
        "clock": title.get(locale) or title.get("en") or data.get("clock", "–"),
        "level": data.get("level", "–"),
        "share": round(100 * float(data.get("share", 0))),
        "who": data.get("from"),
        "n": data.get("n", 1),
        "due": day(date.fromisoformat(data["due_on"]), locale) if "due_on" in data else None,
        "source": data.get("source", "–"),
        "monitor": _monitor(data.get("monitor"), locale),
        "tier": tr(TIERS.get(str(data.get("tier")), "no tier"), locale),
    }
    return tr(_title(kind, data), locale, **fields)


def _monitor(kind: Any, locale: str) -> str:
    known = kind in MonitorKind.__members__.values()
    return tr(MONITORS[MonitorKind(kind)], locale) if known else "–"


def _title(kind: NoticeKind, data: dict[str, Any]) -> str:
    if kind is not NoticeKind.CASE_REASSIGNED:
        return TITLES[kind]
    many, undone = data.get("n", 1) > 1, bool(data.get("undone"))
    if undone or not data.get("from"):
        return _GIVEN[many, undone]
    return _GIVEN_BY if many else TITLES[kind]
