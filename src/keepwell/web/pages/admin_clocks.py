"""Administration of clocks: calendars as they stand now, clock policies and their times."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response

from keepwell.core.calendars import BusinessCalendar
from keepwell.frame.database import Tx
from keepwell.frame.text import Code
from keepwell.intervene.case.policy import REASON_TITLES, STATE_TITLES
from keepwell.intervene.clock import policies, repo
from keepwell.intervene.clock.calendars import calendars_of, hours_on, unusual
from keepwell.intervene.clock.policy import (
    EXIT_POLICY,
    CalendarName,
    Conditions,
    Level,
    PolicyBody,
)
from keepwell.intervene.clock.schema import calendars_out
from keepwell.trust.access import users
from keepwell.trust.access.call import check_version
from keepwell.trust.access.policy import Actor, Permission
from keepwell.warn.reason_codes import CAUSES
from keepwell.web.pages.admin_frame import framed
from keepwell.web.pages.form import FormError, parse
from keepwell.web.pages.visit import Context, Visit, visiting

router = APIRouter(include_in_schema=False)

LIST: Final = "admin/clocks.html"
PAGE: Final = "admin/clock.html"
AHEAD: Final = 180
"""Days that the page of calendars looks ahead."""
MOST: Final = {"minutes": 525_600, "days": 250}
"""Longest promise by unit, as the API takes it."""
STEPS: Final = 5
"""Most warnings and most escalations of a clock."""
TIER_KEYS: Final = ("any", "severe", "moderate", "mild", "none")
"""For whom a time may be promised, in the order of the form."""

CALENDARS: Final = {
    CalendarName.EXCHANGE: "Trading hours",
    CalendarName.OFFICE: "Office hours",
    CalendarName.ALWAYS: "Round the clock",
}
"""What each calendar is called, in English."""

TIERS: Final = {
    "any": "Any tier", "severe": "Severe", "moderate": "Moderate", "mild": "Mild",
    "none": "No warning",
}  # fmt: skip
"""For whom a time is promised, in English."""

EVENTS: Final = {
    "case.alerted": "a further alert comes to the case",
    "case.opened": "a case is opened",
    "case.reopened": "a case is reopened",
    "exit.settled": "an exit request is settled",
    "case.closed": "the case is closed",
    "case.contacted": "a contact with the client is recorded",
    "exit.completed": "the exit request is completed",
}
"""What starts and stops clocks, in English."""

LEVELS: Final = {
    Level.LEAD: "Team lead", Level.DIRECTOR: "Regional director",
    Level.COMPLIANCE: "Compliance officer",
}  # fmt: skip
"""Whom a clock calls, in English."""

Name = Annotated[Code, Path()]


@router.get("/admin/calendars")
def calendars_page(visit: Visit = visiting(Permission.CLOCK_READ)) -> Response:
    """What is open now, when next, and the days off ahead."""
    return visit.show("admin/calendars.html", framed(_calendars))


def _calendars(tx: Tx, _: Actor) -> dict[str, Any]:
    known = calendars_of(tx.frame)
    now = {shown.name: shown for shown in calendars_out(tx)}
    return {
        "calendars": [
            {"now": now[name], **_ahead(tx, known[name])} for name in CALENDARS
        ],
        "titles": CALENDARS, "ahead": AHEAD,
    }  # fmt: skip


def _ahead(tx: Tx, calendar: BusinessCalendar) -> dict[str, Any]:
    opens = calendar.next_open(tx.at).astimezone(calendar.zone).date()
    today = tx.at.astimezone(calendar.zone).date()
    return {"hours": hours_on(calendar, opens), "unusual": unusual(calendar, today, AHEAD)}


@router.get("/admin/clocks")
def policies_page(visit: Visit = visiting(Permission.CLOCK_READ)) -> Response:
    """Clock policies, which one is in force, and what each promises."""

    def verb(tx: Tx, _: Actor) -> dict[str, Any]:
        active = policies.active_name(tx)
        shown = [
            {"name": name, "version": version, "body": body, "active": active[1]}
            if name == active[0]
            else {"name": name, "version": version, "body": body, "active": None}
            for name, (version, body) in policies.listing(tx).items()
        ]
        # The one in force first, that of exit requests last: nobody chooses it.
        shown.sort(key=lambda p: (p["active"] is None, p["name"] == EXIT_POLICY))
        return {"policies": shown, **_words()}

    return visit.show(LIST, framed(verb))


def _words() -> dict[str, Any]:
    return {
        "tiers": TIERS, "tier_keys": TIER_KEYS, "calendars": CALENDARS, "events": EVENTS,
        "levels": LEVELS, "states": STATE_TITLES, "reasons": REASON_TITLES, "causes": CAUSES,
        "exit_policy": EXIT_POLICY, "hours": hours, "limits": limits,
    }  # fmt: skip


def hours(minutes: int) -> tuple[int, int]:
    """Working minutes as hours and minutes; never days, which are of another length there.

    Example:
        >>> hours(2880), hours(90), hours(15)
        ((48, 0), (1, 30), (0, 15))
    """
    return divmod(minutes, 60)


def limits(conditions: Conditions) -> bool:
    """Whether conditions leave anybody out."""
    return bool(conditions.model_dump(exclude_none=True))


@router.get("/admin/clocks/{name}")
def policy_page(name: Name, visit: Visit = visiting(Permission.CLOCK_READ)) -> Response:
    """One policy: its promises, its versions, and the form for its times."""
    return visit.show(PAGE, _policy(name))


def _policy(name: str) -> Context:
    def verb(tx: Tx, _: Actor) -> dict[str, Any]:
        version, body = policies.peek(tx, name)
        active = policies.active_name(tx)
        stored = list(repo.policy_versions(tx, name))
        return {
            "name": name, "version": version, "body": body,
            "active": active[1] if active[0] == name else None,
            "stored": stored, "makers": users.logins(tx, [row.created_by for row in stored]),
            "steps": STEPS, **_words(),
        }  # fmt: skip

    return framed(verb)


@router.post("/admin/clocks/{name}")
def change_policy(name: Name, visit: Visit = visiting(Permission.CLOCK_ADMIN)) -> Response:
    """Store a new version with other times; it is in force once it is activated."""

    def verb(tx: Tx, actor: Actor) -> None:
        version = visit.expected_version()
        _, body = policies.peek(tx, name)
        policies.change(tx, actor, name, edited(visit, body), version)

    return visit.act(
        verb, f"/admin/clocks/{name}",
        said="The times are stored. They hold once the policy is put in force.",
        again=(PAGE, _policy(name)),
    )  # fmt: skip


@router.post("/admin/clocks/{name}/activate")
def activate_policy(name: Name, visit: Visit = visiting(Permission.CLOCK_ADMIN)) -> Response:
    """Put the version that was read in force, for clocks that start from now on."""

    def verb(tx: Tx, actor: Actor) -> None:
        # Only what was looked at: the newest version may have changed meanwhile.
        check_version(policies.peek(tx, name)[0], visit.expected_version())
        policies.activate(tx, actor, name)

    return visit.act(
        verb, f"/admin/clocks/{name}",
        said="The policy is in force for clocks that start from now on.",
        again=(PAGE, _policy(name)),
    )  # fmt: skip


def edited(visit: Visit, body: PolicyBody) -> PolicyBody:
    """A policy with the times of a form; what starts and stops its clocks stays.

    Args:
        visit: holds the form.
        body: the newest version.

    Raises:
        FormError: a time, a warning or an escalation is not acceptable.
    """
    raw = body.model_dump(mode="json")
    faults: dict[str, Any] = {}
    for code in ("en", "zh"):
        raw["title"][code] = visit.text(f"title-{code}") or raw["title"][code]
    raw["note"] = visit.text("note")
    for number, clock in enumerate(raw["clocks"]):
        unit = "minutes" if clock["minutes"] is not None else "days"
        clock[unit] = _times(visit, number, MOST[unit], faults)
        clock["calendar"] = visit.text(f"calendar-{number}") or clock["calendar"]
        clock["warn"] = _warnings(visit, number, faults)
        clock["escalate"] = _escalations(visit, number, faults)
    if faults:
        raise FormError(faults)
    return parse(PolicyBody, raw)


def _times(visit: Visit, number: int, most: int, faults: dict[str, Any]) -> dict[str, int]:
    found = {}
    for tier in TIER_KEYS:
        name = f"time-{number}-{tier}"
        text = visit.text(name)
        if not text:
            continue
        if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most:
            found[tier] = int(text)
        else:
            faults[name] = ("A whole number from 1 to {most}.", {"most": most})
    if not found and not any(name.startswith(f"time-{number}-") for name in faults):
        faults[f"time-{number}-any"] = "Fill in at least one time."
    return found


def _percent(text: str, least: int, most: int) -> int | None:
    known = text.isascii() and text.isdigit() and len(text) < 6
    return int(text) if known and least <= int(text) <= most else None


def _warnings(visit: Visit, number: int, faults: dict[str, Any]) -> list[float]:
    name = f"warn-{number}"
    given = [part for part in visit.text(name).replace("，", ",").split(",") if part.strip()]
    shares = [_percent(part.strip().rstrip("%"), 1, 99) for part in given]
    known = sorted({share for share in shares if share is not None})
    if len(known) != len(given) or len(known) > STEPS:
        faults[name] = (
            "Up to {most} different whole numbers from 1 to 99, with commas between.",
            {"most": STEPS},
        )
    return [share / 100 for share in known]


def _escalations(visit: Visit, number: int, faults: dict[str, Any]) -> list[dict[str, Any]]:
    found = {}
    for step in range(STEPS):
        name = f"at-{number}-{step}"
        text = visit.text(name).rstrip("%")
        if not text:
            continue
        share = _percent(text, 100, 2000)
        level = visit.text(f"to-{number}-{step}")
        if share is None or share in found or level not in set(Level):
            faults[name] = "A whole number from 100 to 2000, each once, and whom to call."
        else:
            found[share] = {"at": share / 100, "to": level}
    return [found[share] for share in sorted(found)]
