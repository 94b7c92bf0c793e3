"""Today: one reader's queue by urgency, its filters and saved views, and what is done with many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor
from keepwell.frame.problem import Conflict, NotFound, Stale
from keepwell.frame.text import Id, Line
from keepwell.intervene.alert import service as alerts
from keepwell.intervene.alert.policy import SEEN, WAKE_TITLES, Status
from keepwell.intervene.alert.schema import SnoozeIn, TierCode
from keepwell.intervene.case.policy import (
    LIVE,
    REASON_TITLES,
    SERVICE_REASONS,
    STATE_TITLES,
    CaseReason,
    EventKind,
    State,
)
from keepwell.intervene.case.queue import (
    MOST,
    NextClock,
    Part,
    Queue,
    Wanted,
    done_today,
    owners,
    queue,
)
from keepwell.intervene.case.urgency import Due
from keepwell.intervene.clock.policy import PAUSE_TITLES
from keepwell.intervene.contact import service as contacts
from keepwell.intervene.contact.policy import Aim, is_quiet
from keepwell.intervene.context.service import why
from keepwell.intervene.context.stale import unusual
from keepwell.trust.access.mask import show
from keepwell.trust.access.policy import Actor, Permission, Role, Scope
from keepwell.trust.book.read import scores_of
from keepwell.trust.preference import service as preferences
from keepwell.web.pages.client_view import SCORED
from keepwell.web.pages.form import FormError, local_moment, parse
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/today"
ROWS: Final = 50
MOST_AT_ONCE: Final = 100
VIEWS: Final = "views.today"
LOOKED: Final = "keepwell-looked"
"""Cookie with two instants: since when all is new to this browser, and its last look."""
OLD_SCORES: Final = timedelta(days=7)
"""Scores that are older are told to be."""
AWAY: Final = timedelta(minutes=30)
"""Who comes back after so long has been away: what came meanwhile is new."""

BAND_TITLES: Final = {
    "under-100k": "under 100,000", "100k-500k": "100,000 to 500,000",
    "500k-2m": "500,000 to 2 million", "over-2m": "over 2 million",
}  # fmt: skip
"""Bands of assets for those who see no exact ones, in English."""

Only = Literal["overdue", "today", "week", "waiting", "new", "called", "asleep"]
Everybody = Literal["all"]


@dataclass(frozen=True, slots=True)
class Looking:
    """What a reader asks this page for.

    Attributes:
        only: a part of the queue.
        tier: of this tier.
        reason: for this reason.
        state: in this state.
        owner: staff number; 'all': everybody's; None: a manager's own, else everybody's.
        cursor: of the page before.
    """

    only: str | None = None
    tier: str | None = None
    reason: str | None = None
    state: str | None = None
    owner: str | None = None
    cursor: str | None = None

    def address(self, **other: str | None) -> str:
        """The page's address with this, or with some of it otherwise; always from the first row."""
        names = ("only", "tier", "reason", "state", "owner")
        given = {name: other.get(name, getattr(self, name)) for name in names}
        asked = urlencode({name: value for name, value in given.items() if value})
        return PATH + ("?" + asked if asked else "")

    def wanted(self, actor: Actor) -> Wanted:
        """The same as the case room takes it."""
        own = self.owner is None and actor.role is Role.MANAGER and self.only != Part.CALLED
        owner = None if self.owner == "all" else self.owner
        mine = actor.staff_id if own else None
        return Wanted(self.only, self.tier, self.reason, self.state, owner, mine)

    @property
    def narrowed(self) -> bool:
        """Whether anything but the part is asked for."""
        return any((self.tier, self.reason, self.state, self.owner))


class _Asked(BaseModel):
    only: Only | None = None
    tier: TierCode | None = None
    reason: CaseReason | None = None
    state: State | None = None
    owner: Id | None = None


@router.get(PATH)
def today_page(
    only: Annotated[Only | Literal[""], Query()] = "",
    tier: Annotated[TierCode | Literal[""], Query()] = "",
    reason: Annotated[CaseReason | Literal[""], Query()] = "",
    state: Annotated[State | Literal[""], Query()] = "",
    owner: Annotated[Id | Literal[""], Query()] = "",
    cursor: Cursor = None,
    visit: Visit = visiting(Permission.CASE_READ),
) -> Response:
    """The queue, most urgent first."""
    looking = Looking(
        only or None, tier or None, str(reason) or None, str(state) or None, owner or None, cursor
    )
    since, kept = _looks(visit)
    response = visit.show(
        "today/page.html", _reading(visit, looking, since), part="today/part.html"
    )
    if not visit.wants_part:
        response.set_cookie(
            LOOKED, kept, max_age=30 * 86_400, path=PATH, httponly=True, samesite="lax",
            secure=visit.frame.settings.session.secure,
        )  # fmt: skip
    return response


def _looks(visit: Visit) -> tuple[datetime, str]:
    """Since when all is new to this browser, and what its cookie says from now on."""
    now = visit.frame.now()
    local = now.astimezone(visit.frame.zone)
    since = last = datetime.combine(local, time(), visit.frame.zone)
    try:
        parts = visit.request.cookies.get(LOOKED, "").split("_")
        told = [datetime.fromtimestamp(int(part), UTC) for part in parts]
        if len(told) == 2 and told[0] <= told[1] <= now:
            since, last = told
            if now - last > AWAY:
                since = last
    except (ValueError, OverflowError, OSError):
        pass  # none yet, or not of ours
    return since, f"{int(since.timestamp())}_{int(now.timestamp())}"


def _reading(visit: Visit, looking: Looking, since: datetime) -> Callable[[Tx, Actor], Any]:
    return lambda tx, actor: _context(tx, actor, visit, looking, since)


def _context(
    tx: Tx, actor: Actor, visit: Visit, looking: Looking, since: datetime
) -> dict[str, Any]:
    found = queue(tx, actor, looking.wanted(actor), since, ROWS, looking.cursor)
    rows = [_row(actor, visit, found, row, at) for at, row in enumerate(found.rows)]
    several = actor.scope is not Scope.OWN or actor.role is not Role.MANAGER or bool(looking.owner)
    first = rows[0] if rows and not looking.cursor else None
    begin = looking.address()
    more = f"{begin}{'&' if '?' in begin else '?'}{urlencode({'cursor': found.more})}"
    told: dict[str, Any] = {
        "here": PATH, "address": begin, "looking": looking, "since": since,
        "rows": rows, "first": first, "counts": found.counts, "Due": Due,
        "whole": not visit.wants_part,
        "more": more if found.more else "", "begun": begin if looking.cursor else "",
        "verdict": _verdict(tx, actor, first) if first else "", "quiet": _quiet(tx),
        "several": several, "acts": actor.may(Permission.ALERT_ACT),
        "leads": actor.may(Permission.CASE_REASSIGN),
        "ticks": any(row["tick"] for row in rows) and actor.may(Permission.ALERT_ACT),
        "done": done_today(tx, actor) if not rows else {}, "Kind": EventKind,
        "titles": REASON_TITLES, "most": MOST, "states": STATE_TITLES, "bands": BAND_TITLES,
        "contacts": actor.may(Permission.CASE_WRITE),
    }  # fmt: skip
    return told if visit.wants_part else told | _tools(tx, actor, visit)


def _tools(tx: Tx, actor: Actor, visit: Visit) -> dict[str, Any]:
    """What only the whole page needs: filters, views, the form for many rows."""
    t = visit.tongue(actor).t
    return {
        "reason_choices": [(code, t(title)) for code, title in REASON_TITLES.items()],
        "state_choices": [(state, t(STATE_TITLES[state])) for state in LIVE],
        "wakings": [(event, t(title)) for event, title in WAKE_TITLES.items()],
        "views": _views(tx, actor),
        "owners": owners(tx, actor) if actor.scope not in (Scope.OWN, Scope.NONE) else [],
        "tomorrow": (tx.at.astimezone(tx.frame.zone).date() + timedelta(days=1)).isoformat(),
        "old": _old_scores(tx),
        "unusual": list(dict.fromkeys(one.finding.table for one in unusual(tx))),
        "table_names": SCORED,
    }


def _row(actor: Actor, visit: Visit, found: Queue, row: Any, at: int) -> dict[str, Any]:
    """One row as the page shows it; numbers of the reasons only where there is room for them."""
    shown = show(actor, row, visit.frame.currency)
    reason = row.reason or row.alert_reason
    # What a client asks for of their own accord is not a matter of the score.
    reasons = [] if reason in SERVICE_REASONS else row.reasons or []
    book = SimpleNamespace(reasons=reasons[: 2 if at == 0 else 1])
    live = row.alert_status in SEEN
    clock: NextClock | None = found.clocks.get(row.case_id)
    return {
        "id": row.id, "case_id": row.case_id, "client_id": row.client_id,
        "name": shown.name, "assets": shown.assets, "band": shown.assets_band,
        "phone": shown.phone if "phone" not in shown.masked else None,
        "score": row.score, "tier": row.tier or row.alert_tier,
        "reason": reason, "service": reason in SERVICE_REASONS, "state": row.state,
        "why": why(book, actor, visit.frame.currency),  # type: ignore[arg-type]
        "owner_id": row.owner_id, "owner": row.owner_name,
        "level": row.level, "called": bool(row.called), "fresh": bool(row.fresh),
        "waiting": bool(row.waiting), "retention": row.retention, "title": row.title,
        "due_at": clock.due_at if clock else None, "step": Due(row.step),
        "promise": getattr(clock.title, actor.locale, clock.title.en) if clock else "",
        "paused": PAUSE_TITLES.get(clock.pause_reason, "") if clock and clock.pause_reason else "",  # type: ignore[call-overload]
        "tick": f"{row.alert_id}:{row.alert_version}" if live else "",
        "acknowledged": row.alert_status == Status.ACKNOWLEDGED,
        "sleeps": row.alert_status == Status.SNOOZED, "wake_at": row.wake_at,
        "wake_on": WAKE_TITLES.get(row.wake_on, ""), "snooze_reason": row.snooze_reason,
    }  # fmt: skip


def _verdict(tx: Tx, actor: Actor, row: dict[str, Any]) -> str:
    """Why the client of a row may not be contacted now; '' where that is allowed."""
    if row["reason"] in SERVICE_REASONS or row["name"] is None:
        return ""
    verdict = contacts.ask(tx, actor, row["client_id"], Aim.RETENTION)
    # Quiet time holds for every row: the page says it once.
    if verdict.allowed or verdict.code == "contact.quiet-hours":
        return ""
    return contacts.forbidden(tx, verdict).words(actor.locale)


def _quiet(tx: Tx) -> str:
    """When quiet time ends, as a time of day; '' where it is not quiet now."""
    settings = tx.frame.settings.contact
    now = tx.at.astimezone(tx.frame.zone).time()
    quiet = is_quiet(now, settings.quiet_from, settings.quiet_until)
    return f"{settings.quiet_until:%H:%M}" if quiet else ""


def _old_scores(tx: Tx) -> datetime | None:
    """The instant of the scores where they are too old to go unsaid."""
    at = scores_of(tx)
    return at if at is not None and tx.at - at > OLD_SCORES else None


# What is done with many


SAID: Final = {
    "acknowledged": (
        "Acknowledged: {n}.",
        "Acknowledged: {n}. Left as they are, because they had changed in the meantime: {left}.",
    ),
    "asleep": (
        "Put to sleep: {n}.",
        "Put to sleep: {n}. Left as they are, because they had changed in the meantime: {left}.",
    ),
    "woken": (
        "Woken: {n}.",
        "Woken: {n}. Left as they are, because they had changed in the meantime: {left}.",
    ),
}
"""What was done: with all that were ticked, and where some were left."""


@router.post("/today/acknowledge")
def acknowledge(visit: Visit = visiting(Permission.ALERT_ACT)) -> Response:
    """Say of all that were ticked that one has seen them."""
    return _each(visit, _acknowledger, SAID["acknowledged"])


def _acknowledger(tx: Tx, actor: Actor) -> Callable[[str, int], object]:
    return lambda alert_id, version: alerts.acknowledge(tx, actor, alert_id, version)


@router.post("/today/snooze")
def snooze(visit: Visit = visiting(Permission.ALERT_ACT)) -> Response:
    """Put all that were ticked to sleep until a day or an event."""

    def sleeper(tx: Tx, actor: Actor) -> Callable[[str, int], object]:
        body = _sleep(visit)
        return lambda alert_id, version: alerts.snooze(
            tx, actor, alert_id, version, until=body.until, event=body.event, reason=body.reason
        )

    return _each(visit, sleeper, SAID["asleep"])


@router.post("/today/wake")
def wake(visit: Visit = visiting(Permission.ALERT_ACT)) -> Response:
    """Wake all that were ticked and sleep."""

    def waker(tx: Tx, actor: Actor) -> Callable[[str, int], object]:
        return lambda alert_id, version: alerts.wake_alert(tx, actor, alert_id, version)

    return _each(visit, waker, SAID["woken"])


def _sleep(visit: Visit) -> SnoozeIn:
    """What the form says about a sleep; a day begins when clients may be called."""
    day, until = visit.text("until"), ""
    begins = visit.frame.settings.contact.quiet_until
    if day:
        try:
            start = datetime.combine(date.fromisoformat(day), begins)
        except ValueError:
            raise FormError({"until": "Choose a date."}) from None
        until = local_moment(start.isoformat(), visit.frame.zone)
    given = {"until": until, "event": visit.text("event"), "reason": visit.text("reason")}
    return parse(SnoozeIn, given)


def _each(
    visit: Visit, make: Callable[[Tx, Actor], Callable[[str, int], object]], said: tuple[str, str]
) -> Response:
    """Do something with each alert that was ticked; what somebody changed meanwhile is left."""
    looking = _back(visit)

    def verb(tx: Tx, actor: Actor) -> tuple[str, dict[str, Any]]:
        ticked = _ticked(visit)
        do, done = make(tx, actor), 0
        for alert_id, version in ticked:
            try:
                do(alert_id, version)
                done += 1
            except (Stale, Conflict, NotFound):
                continue  # refused before anything of it was changed
        left = len(ticked) - done
        return said[left > 0], {"n": done, "left": left}

    since, _ = _looks(visit)
    again = ("today/page.html", _reading(visit, looking, since))
    return visit.act(verb, looking.address(), said=lambda result: result, again=again)


def _ticked(visit: Visit) -> list[tuple[str, int]]:
    """Ids and versions of the alerts that were ticked, in one order for all who lock them."""
    found = {}
    for text in visit.texts("alert"):
        alert_id, _, version = text.rpartition(":")
        if alert_id and version.isdigit() and len(version) <= 9:
            found[alert_id] = int(version)
    if not found:
        raise FormError({"alert": "Tick at least one row first."})
    if len(found) > MOST_AT_ONCE:
        raise FormError(
            {"alert": ("At most {max_length} rows at once.", {"max_length": MOST_AT_ONCE})}
        )
    return sorted(found.items())


# Saved views


class ViewIn(BaseModel):
    """A view to be kept.

    Attributes:
        name: its name.
    """

    name: Annotated[Line, Field(max_length=60)]


@router.post("/today/views")
def save_view(visit: Visit = visiting(Permission.CASE_READ)) -> Response:
    """Keep the present filters under a name; the same name again replaces it."""
    looking = _back(visit)

    def verb(tx: Tx, actor: Actor) -> None:
        name = parse(ViewIn, {"name": visit.text("name")}).name
        kept = [view for view in _views(tx, actor) if view["name"] != name]
        preferences.put(tx, actor, VIEWS, [*kept, {"name": name, "place": looking.address()}])

    since, _ = _looks(visit)
    again = ("today/page.html", _reading(visit, looking, since))
    return visit.act(verb, looking.address(), said="View saved.", again=again)


@router.post("/today/views/delete")
def delete_view(visit: Visit = visiting(Permission.CASE_READ)) -> Response:
    """Forget a view."""
    name = visit.text("name")

    def verb(tx: Tx, actor: Actor) -> None:
        kept = [view for view in _views(tx, actor) if view["name"] != name]
        preferences.put(tx, actor, VIEWS, kept)

    return visit.act(verb, _back(visit).address(), said="View deleted.")


def _views(tx: Tx, actor: Actor) -> list[dict[str, str]]:
    kept = preferences.get(tx, actor, VIEWS, [])
    return [view for view in kept if isinstance(view, dict) and {"name", "place"} <= view.keys()]


_ASKED: Final = TypeAdapter(_Asked)


def _back(visit: Visit) -> Looking:
    """What the page showed when a form was sent from it; all of it where that cannot be read."""
    path, _, asked = visit.text("back").partition("?")
    if path != PATH:
        return Looking()
    given = {name: value for name, value in parse_qsl(asked) if value}
    try:
        return Looking(**_ASKED.validate_python(given).model_dump(mode="json"))
    except ValidationError:
        return Looking()
