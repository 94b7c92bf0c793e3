"""Verbs of outcomes: read them at publication; compare them with what staff typed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from types import SimpleNamespace
from typing import Any, Final

from keepwell.core.days import day_number, local_day, midnight, to_date
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.intervene.alert.repo import refusing_of
from keepwell.intervene.outcome import repo
from keepwell.intervene.outcome.policy import (
    COUNTED,
    OPEN,
    SAYS_LEFT,
    Agreement,
    Used,
    compare,
    strongest,
    usage,
    within,
)
from keepwell.learn.outcome import repo as outcomes
from keepwell.learn.outcome.model import Outcome
from keepwell.learn.outcome.policy import Decided, rule_of
from keepwell.learn.outcome.service import Matured, mature, mature_until
from keepwell.observe.engines.base import Engine
from keepwell.trust.access.policy import Actor, Permission
from keepwell.warn.label import LabelDefinition

MOST: Final = 50_000
"""Cases or contacts that one report looks at, the newest."""

_FEW: Final = 500
_EVER: Final = date(1970, 1, 1)
_NEVER: Final = date(9999, 1, 1)


def mature_outcomes(frame: Frame, engine: Engine) -> Matured:
    """Read the outcomes of all decisions whose horizon is over, and some earlier ones again.

    It may be run at any time and again; what is known already is not written twice.

    Args:
        frame: the desk.
        engine: the lake that a publication was made from.
    """
    known_by = mature_until(engine, frame.now())
    with frame.read() as tx:
        first = repo.first_decision(tx)
    days: list[date] = []
    if first is not None:
        zone, definition = frame.zone, LabelDefinition.of(engine.workspace)
        number = local_day(first, zone)
        while definition.matures_at(midnight(number, zone), zone) <= known_by:
            days.append(to_date(number))
            number += 1
    return mature(frame, engine, days, decided_on, known_by)


def decided_on(tx: Tx, day: date) -> list[Decided]:
    """What the desk decided on a day, one decision for each client; none who refuses profiling.

    Args:
        tx: the unit of work.
        day: of the exchange.
    """
    number, zone = day_number(day), tx.frame.zone
    rows = repo.decided(tx, midnight(number, zone), midnight(number + 1, zone), COUNTED)
    found = []
    for _, group in groupby(rows, key=lambda row: row[0].client_id):
        of_client = list(group)
        one, case_id = of_client[strongest(row[0].decision for row in of_client)]
        found.append(
            Decided(
                one.client_id, one.treatment_id, one.decision, one.arm, one.propensity, one.period,
                one.owner_id, one.alert_id, case_id, one.generation_id,
            )
        )  # fmt: skip
    refusing: set[str] = set()
    for start in range(0, len(found), _FEW):
        refusing |= refusing_of(tx, [one.client_id for one in found[start : start + _FEW]])
    return [one for one in found if one.client_id not in refusing]


# What people see


def readable(actor: Actor) -> Collection[str] | None:
    """Decisions whose outcomes a reader may see; None: all of them."""
    return None if actor.may(Permission.HOLDOUT_READ) else OPEN


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which outcomes are listed.

    Attributes:
        client_id: only of this client.
        since: only of decisions on this day or later.
        until: only of decisions before this day.
        left: only who left (True) or stayed (False).
    """

    client_id: str | None = None
    since: date | None = None
    until: date | None = None
    left: bool | None = None


def list_outcomes(
    tx: Tx, actor: Actor, wanted: Wanted, limit: int, cursor: str | None
) -> tuple[Sequence[Outcome], str | None]:
    """A page of matured outcomes in scope, the newest matured first, and the next page's cursor."""
    rows = outcomes.page(tx, _listing(tx, actor, wanted), limit, cursor)
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], encode_cursor([last.matured_at, last.outcome_id]) if last else None


def export_outcomes(tx: Tx, actor: Actor, wanted: Wanted, limit: int) -> Sequence[Outcome]:
    """All matured outcomes in scope, up to a limit."""
    return outcomes.some(tx, _listing(tx, actor, wanted), limit)


def _listing(tx: Tx, actor: Actor, wanted: Wanted) -> Any:
    y = None if wanted.left is None else int(wanted.left)
    return outcomes.listing(
        tx, actor, decisions=readable(actor), client_id=wanted.client_id, since=wanted.since,
        until=wanted.until, y=y,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Which closed cases or contacts a report looks at: days [since, until)."""

    since: date
    until: date


def span_of(tx: Tx, since: date | None = None, until: date | None = None) -> Span:
    """A span of days; by default the two years that end with today.

    A horizon of half a year leaves one and a half of them.
    """
    today = tx.at.astimezone(tx.frame.zone).date()
    first, last = since or today - timedelta(days=730), until or today + timedelta(days=1)
    return Span(min(max(first, _EVER), _NEVER), min(max(last, _EVER), _NEVER))


def agreement(tx: Tx, actor: Actor, span: Span) -> Agreement:
    """What staff typed when they closed cases, against what the label says of the clients.

    Args:
        tx: the unit of work.
        actor: whose scope.
        span: days on which the cases were closed.
    """
    states = [state.value for state in SAYS_LEFT]
    rows = list(_dated(tx, repo.closed_cases(tx, actor, states, *_instants(tx, span), MOST)))
    found = outcomes.of_clients(tx, actor, (row.client_id for row in rows), readable(actor))
    return compare(rows, found)


def use_of(tx: Tx, actor: Actor, span: Span) -> tuple[list[Used], list[Used]]:
    """What became of clients with whom each script, and each action, was used.

    This is no effect: nobody drew by lot who gets which script.

    Args:
        tx: the unit of work.
        actor: whose scope.
        span: days of the contacts.
    """
    rows = list(_dated(tx, repo.used(tx, actor, *_instants(tx, span), MOST)))
    found = outcomes.of_clients(tx, actor, (row.client_id for row in rows), readable(actor))
    scripts = usage(((row.script_id, row) for row in rows if row.script_id), found)
    actions = usage(
        ((f"{row.action_id}@{row.action_version}", row) for row in rows if row.action_id), found
    )
    return scripts, actions


def of_case(
    tx: Tx, actor: Actor, client_id: str, opened_at: datetime, closed_at: datetime | None
) -> Outcome | None:
    """What the label says of the client of a case after the first decision within it.

    Args:
        tx: the unit of work.
        actor: who reads.
        client_id: about whom the case is.
        opened_at: when it was opened.
        closed_at: when it was closed; None while it is live.
    """
    zone = tx.frame.zone
    first = opened_at.astimezone(zone).date()
    last = closed_at.astimezone(zone).date() if closed_at else _NEVER
    found: Outcome | None = within(of_client(tx, actor, client_id), first, last)
    return found


def says(state: str) -> int | None:
    """What staff say by the state of a case: 1 left, 0 stayed, None nothing."""
    return {str(code): left for code, left in SAYS_LEFT.items()}.get(state)


def of_client(tx: Tx, actor: Actor, client_id: str) -> list[Outcome]:
    """The newest outcomes of a client, in the order of their days."""
    return outcomes.of_clients(tx, actor, [client_id], readable(actor)).get(client_id, [])


def _instants(tx: Tx, span: Span) -> tuple[datetime, datetime]:
    zone = tx.frame.zone
    return midnight(day_number(span.since), zone), midnight(day_number(span.until), zone)


def _dated(tx: Tx, rows: Iterable[Any]) -> Iterator[SimpleNamespace]:
    """Rows with the exchange's days of opening and closing."""
    zone = tx.frame.zone
    for row in rows:
        yield SimpleNamespace(
            **row._asdict(), opened_day=row.opened_at.astimezone(zone).date(),
            closed_day=row.closed_at.astimezone(zone).date() if row.closed_at else _NEVER,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """For which decisions outcomes are known.

    Attributes:
        first: day of the first ones; None: none are known.
        last: day of the last ones.
    """

    first: date | None
    last: date | None


def known_days(tx: Tx) -> Known:
    """The days of decisions whose outcomes by the present definition are known."""
    rule = rule_of(LabelDefinition.of(tx.frame.workspace))
    return Known(*outcomes.span_of(tx, rule))
