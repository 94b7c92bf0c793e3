"""Endpoints of clocks, clock policies and calendars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page, encode_cursor
from keepwell.frame.problem import also
from keepwell.frame.text import ClientId, Code, Id, Moment
from keepwell.intervene.clock import policies, service
from keepwell.intervene.clock.policy import PauseReason, PolicyBody
from keepwell.intervene.clock.repo import Filters
from keepwell.intervene.clock.schema import (
    CalendarOut,
    ClockDetail,
    ClockView,
    PauseIn,
    PolicyOut,
    SubjectKind,
    calendars_out,
    detail,
    policy_out,
    view,
)
from keepwell.intervene.clock.state import ClockState
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.export import CSV, MOST_ROWS, Format, download
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["clocks"])

ClockId = Annotated[Id, Path(examples=["clock_01kdvdna00fgzjsdqkfb56fv6q"])]
PolicyName = Annotated[Code, Path(examples=["first-touch"])]
_COLUMNS = (
    "clock_id", "subject_kind", "subject_id", "client_id", "code", "policy", "policy_version",
    "calendar", "state", "late", "tier", "owner_id", "started_at", "due_at", "target_minutes",
    "elapsed_minutes", "remaining_minutes", "pause_reason", "ended_at",
)  # fmt: skip


@router.get(
    "/clocks", response_model=Page[ClockView], operation_id="list_clocks",
    summary="Clocks by due time", responses=CSV,
)  # fmt: skip
def list_clocks(
    subject_kind: Annotated[SubjectKind | None, Query()] = None,
    subject_id: Annotated[Id | None, Query()] = None,
    client_id: Annotated[ClientId | None, Query()] = None,
    owner_id: Annotated[Id | None, Query()] = None,
    code: Annotated[Code | None, Query()] = None,
    state: Annotated[ClockState | None, Query()] = None,
    due_before: Annotated[Moment | None, Query()] = None,
    format: Format = "json",
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.CLOCK_READ),
) -> Response:
    """Clocks of clients in your scope; those without a due time come last."""
    filters = Filters(
        subject_kind, subject_id, client_id, owner_id, code, state.value if state else None,
        due_before,
    )  # fmt: skip

    def cells(tx: Tx, actor: Actor) -> Iterator[list[Any]]:
        for clock in service.page(tx, actor, filters, MOST_ROWS, None):
            shown = view(tx, clock)
            yield [getattr(shown, column) for column in _COLUMNS]

    if format == "csv":
        return download(call, cells, _COLUMNS, "clocks")
    return call.answer(lambda tx, actor: _list(tx, actor, filters, limit, cursor))


def _list(
    tx: Tx, actor: Actor, filters: Filters, limit: int, cursor: str | None
) -> Page[ClockView]:
    rows = service.page(tx, actor, filters, limit, cursor)
    views = [view(tx, clock) for clock in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    following = encode_cursor([last.due_rank, last.clock_id]) if last else None
    return Page[ClockView](items=views, next=following)


@router.get(
    "/clocks/{clock_id}", response_model=ClockDetail, operation_id="read_clock",
    summary="One clock and its log",
)  # fmt: skip
def read_clock(clock_id: ClockId, call: Call = allow(Permission.CLOCK_READ)) -> Response:
    """State, and the log from which it follows."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        clock, log = service.read_clock(tx, actor, clock_id)
        return Reply(detail(tx, clock, log), version=clock.version, anew=True)

    return call.answer(verb)


@router.post(
    "/clocks/{clock_id}/pause", response_model=ClockView, operation_id="pause_clock",
    summary="Let a clock stand still for a listed reason", responses=also(412, 428),
)  # fmt: skip
def pause_clock(
    clock_id: ClockId, body: PauseIn, call: Call = allow(Permission.CLOCK_PAUSE)
) -> Response:
    """Needs If-Match with the clock's version. Clocks of exit requests cannot be paused."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        version = call.expected_version()
        clock = service.pause(tx, actor, clock_id, version, PauseReason(body.reason), body.note)
        return Reply(view(tx, clock), version=clock.version)

    return call.perform(verb)


@router.post(
    "/clocks/{clock_id}/resume", response_model=ClockView, operation_id="resume_clock",
    summary="Let a paused clock run on", responses=also(412, 428),
)  # fmt: skip
def resume_clock(clock_id: ClockId, call: Call = allow(Permission.CLOCK_PAUSE)) -> Response:
    """Needs If-Match with the clock's version. The time paused is added to the due time."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        clock = service.resume(tx, actor, clock_id, call.expected_version())
        return Reply(view(tx, clock), version=clock.version)

    return call.perform(verb)


@router.get(
    "/clock-policies", response_model=list[PolicyOut], operation_id="list_clock_policies",
    summary="Clock policies in their newest version",
)  # fmt: skip
def list_clock_policies(call: Call = allow(Permission.CLOCK_READ)) -> Response:
    """Those that ship, those made here, and that of exit requests, which follows the settings."""

    def verb(tx: Tx, _: Actor) -> list[PolicyOut]:
        active = policies.active_name(tx)
        return [policy_out(n, v, body, active) for n, (v, body) in policies.listing(tx).items()]

    return call.answer(verb)


@router.get(
    "/clock-policies/{name}", response_model=PolicyOut, operation_id="read_clock_policy",
    summary="One clock policy in its newest version",
)  # fmt: skip
def read_clock_policy(name: PolicyName, call: Call = allow(Permission.CLOCK_READ)) -> Response:
    """Its ETag is the version that a change must name."""

    def verb(tx: Tx, _: Actor) -> Reply:
        version, body = policies.peek(tx, name)
        shown = policy_out(name, version, body, policies.active_name(tx))
        return Reply(shown, version=version)

    return call.answer(verb)


@router.put(
    "/clock-policies/{name}", response_model=PolicyOut, operation_id="change_clock_policy",
    summary="Store a new version of a clock policy", responses=also(412, 428),
)  # fmt: skip
def change_clock_policy(
    name: PolicyName, body: PolicyBody, call: Call = allow(Permission.CLOCK_ADMIN)
) -> Response:
    """An existing policy needs If-Match with its version; it is in force once activated.

    Clocks that run, and those of the past, keep the version they started under.
    """

    def verb(tx: Tx, actor: Actor) -> Reply:
        version = call.expected_version() if name in policies.listing(tx) else 0
        stored = policies.change(tx, actor, name, body, version)
        shown = policy_out(name, stored.version, body, policies.active_name(tx))
        return Reply(shown, version=stored.version)

    return call.perform(verb)


@router.post(
    "/clock-policies/{name}/activate", response_model=PolicyOut,
    operation_id="activate_clock_policy", summary="Put a clock policy in force",
)  # fmt: skip
def activate_clock_policy(name: PolicyName, call: Call = allow(Permission.CLOCK_ADMIN)) -> Response:
    """Its newest version holds for clocks that start from now on."""

    def verb(tx: Tx, actor: Actor) -> PolicyOut:
        chosen = policies.activate(tx, actor, name)
        return policy_out(name, chosen.version, policies.body_of(chosen), (name, chosen.version))

    return call.perform(verb)


@router.get(
    "/calendars", response_model=list[CalendarOut], operation_id="list_calendars",
    summary="What is open now",
)  # fmt: skip
def list_calendars(call: Call = allow(Permission.CLOCK_READ)) -> Response:
    """The calendars of clocks: whether they are open, when next, and from when days are a guess."""
    return call.answer(lambda tx, _: calendars_out(tx))
