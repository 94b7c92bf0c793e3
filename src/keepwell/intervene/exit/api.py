"""Endpoints of exit requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page, encode_cursor
from keepwell.frame.problem import also
from keepwell.frame.text import ClientId, Id
from keepwell.intervene.exit import service
from keepwell.intervene.exit.model import ExitRequest
from keepwell.intervene.exit.policy import ExitState
from keepwell.intervene.exit.schema import CancelIn, ExitIn, ExitOut, HoldIn, SettleIn, shown
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.export import CSV, MOST_ROWS, Format, download
from keepwell.trust.access.policy import Actor, Permission

router = APIRouter(tags=["exits"])

ExitId = Annotated[Id, Path(examples=["exit_01kdvdna00fgzjsdqkfb56fv6q"])]
HoldId = Annotated[Id, Path(examples=["hold_01kdvdna00fgzjsdqkfb56fv6q"])]
_AT_ONCE = 500
_COLUMNS = (
    "request_id", "client_id", "kind", "state", "steps", "blockers", "requested_at", "settled_at",
    "due_at", "provisional", "completed_at", "cancelled_at", "retention_contacts", "refused",
)  # fmt: skip


@router.get(
    "/exits", response_model=Page[ExitOut], operation_id="list_exits",
    summary="Exit requests, newest first", responses=CSV,
)  # fmt: skip
def list_exits(
    client_id: Annotated[ClientId | None, Query()] = None,
    state: Annotated[ExitState | None, Query()] = None,
    format: Format = "json",
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.EXIT_READ),
) -> Response:
    """Requests of clients in your scope."""
    chosen = state.value if state else None

    def cells(tx: Tx, actor: Actor) -> Iterator[list[Any]]:
        rows = service.page(tx, actor, client_id, chosen, MOST_ROWS, None)
        for first in range(0, len(rows), _AT_ONCE):
            for one in shown(tx, rows[first : first + _AT_ONCE]):
                yield [getattr(one, column) for column in _COLUMNS]

    if format == "csv":
        return download(call, cells, _COLUMNS, "exits")

    def verb(tx: Tx, actor: Actor) -> Page[ExitOut]:
        rows = service.page(tx, actor, client_id, chosen, limit, cursor)
        items = shown(tx, rows[:limit])
        last = rows[limit - 1] if len(rows) > limit else None
        following = encode_cursor([last.requested_at, last.request_id]) if last else None
        return Page[ExitOut](items=items, next=following)

    return call.answer(verb)


@router.get(
    "/exits/{request_id}", response_model=ExitOut, operation_id="read_exit",
    summary="One exit request",
)  # fmt: skip
def read_exit(request_id: ExitId, call: Call = allow(Permission.EXIT_READ)) -> Response:
    """Where it stands, what is still to be done, and what lawfully holds it."""
    return call.answer(lambda tx, actor: _reply(tx, service.read_request(tx, actor, request_id)))


@router.post(
    "/exits", response_model=ExitOut, status_code=201, operation_id="request_exit",
    summary="Record that a client asks to leave",
)  # fmt: skip
def request_exit(body: ExitIn, call: Call = allow(Permission.EXIT_WRITE)) -> Response:
    """The same number again answers the request as it is."""
    return call.perform(
        lambda tx, actor: _reply(
            tx,
            service.request_exit(
                tx, actor, client_id=body.client_id, request_id=body.request_id,
                kind=body.kind.value, at=body.requested_at,
            ),
        ),
        status=201,
    )  # fmt: skip


@router.post(
    "/exits/{request_id}/settle", response_model=ExitOut, operation_id="settle_exit",
    summary="Say that application and settlement are complete", responses=also(412, 428),
)  # fmt: skip
def settle_exit(
    request_id: ExitId,
    body: SettleIn | None = None,
    call: Call = allow(Permission.EXIT_WRITE),
) -> Response:
    """Starts the clock of the exchange's trading days; its breach pages compliance."""
    at = body.settled_at if body else None
    return _change(call, lambda tx, who, seen: service.settle(tx, who, request_id, seen, at))


@router.post(
    "/exits/{request_id}/complete", response_model=ExitOut, operation_id="complete_exit",
    summary="Say that the exit was carried out", responses=also(412, 428),
)  # fmt: skip
def complete_exit(request_id: ExitId, call: Call = allow(Permission.EXIT_WRITE)) -> Response:
    """Ends its clock."""
    return _change(call, lambda tx, who, seen: service.complete(tx, who, request_id, seen))


@router.post(
    "/exits/{request_id}/cancel", response_model=ExitOut, operation_id="cancel_exit",
    summary="Say that the client took the request back", responses=also(412, 428),
)  # fmt: skip
def cancel_exit(
    request_id: ExitId, body: CancelIn, call: Call = allow(Permission.EXIT_CANCEL)
) -> Response:
    """For compliance and the client's feed; the evidence commits to the client's word."""
    return _change(
        call,
        lambda tx, who, seen: service.cancel(tx, who, request_id, seen, body.source, body.note),
    )


@router.post(
    "/exits/{request_id}/no-contact", response_model=ExitOut, operation_id="refuse_exit_contact",
    summary="Say that the client wants no contact about it", responses=also(412, 428),
)  # fmt: skip
def refuse_exit_contact(request_id: ExitId, call: Call = allow(Permission.EXIT_WRITE)) -> Response:
    """From now on no contact may try to keep the client (rule R-EXIT-3)."""
    return _change(call, lambda tx, who, seen: service.refuse_contact(tx, who, request_id, seen))


@router.post(
    "/exits/{request_id}/holds", response_model=ExitOut, status_code=201,
    operation_id="place_exit_hold", summary="Hold a request for a lawful reason",
    responses=also(412, 428),
)  # fmt: skip
def place_exit_hold(
    request_id: ExitId, body: HoldIn, call: Call = allow(Permission.EXIT_HOLD)
) -> Response:
    """For people of compliance only; those who have clients to keep cannot."""

    def verb(tx: Tx, actor: Actor, seen: int) -> ExitRequest:
        service.place_hold(tx, actor, request_id, seen, body.code, body.until, body.appeal)
        return service.read_request(tx, actor, request_id)

    return _change(call, verb, 201)


@router.post(
    "/exits/{request_id}/holds/{hold_id}/lift", response_model=ExitOut,
    operation_id="lift_exit_hold", summary="Lift a hold", responses=also(412, 428),
)  # fmt: skip
def lift_exit_hold(
    request_id: ExitId, hold_id: HoldId, call: Call = allow(Permission.EXIT_WRITE)
) -> Response:
    """A hold also ends by itself at its time."""
    return _change(
        call, lambda tx, who, seen: service.lift_hold(tx, who, request_id, seen, hold_id)
    )


def _change(
    call: Call, verb: Callable[[Tx, Actor, int], ExitRequest], status: int = 200
) -> Response:
    return call.perform(
        lambda tx, actor: _reply(tx, verb(tx, actor, call.expected_version())), status=status
    )


def _reply(tx: Tx, request: ExitRequest) -> Reply:
    return Reply(shown(tx, [request])[0], version=request.version, anew=True)
