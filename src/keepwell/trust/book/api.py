"""Endpoints for reading clients."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from keepwell.core.money import AMOUNT_LIMIT
from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor, Limit, Page
from keepwell.frame.text import ClientId, Code, Id, Line
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.export import CSV, Format, download
from keepwell.trust.access.mask import Shown, show, worth
from keepwell.trust.access.model import Unmasking
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book import read
from keepwell.trust.book.list_repo import Wanted
from keepwell.trust.book.model import Client
from keepwell.trust.book.schema import ClientOut, UnmaskedOut, UnmaskIn, UnmaskingOut
from keepwell.trust.book.service import get_client

router = APIRouter(tags=["clients"])
ThisClient = Annotated[ClientId, Path(description="The client's number.")]
Score = Annotated[float | None, Query(ge=0, le=100)]
Assets = Annotated[int | None, Query(ge=-AMOUNT_LIMIT, le=AMOUNT_LIMIT, description="Minor units.")]
Tier = Literal["none", "mild", "moderate", "severe"]
_PLAIN = (
    "client_id", "city_tier", "investor_class", "risk_level", "assessed_on", "manager_id",
    "adviser_id", "branch_id", "segment", "status", "last_activity", "note", "score",
    "probability", "coverage", "tier", "generation_id",
)  # fmt: skip

_TREATED = attrgetter(*Shown.__slots__)


def client_out(tx: Tx, actor: Actor, client: Client) -> ClientOut:
    """A client as an actor may see them."""
    return ClientOut(**_fields(tx, actor, client))


def _fields(tx: Tx, actor: Actor, client: Any) -> dict[str, Any]:
    """The fields of a `ClientOut`; what the table guarantees is not checked once more."""
    fields: dict[str, Any] = {name: getattr(client, name) for name in _PLAIN}
    shown = show(actor, client, tx.frame.currency)
    fields.update(zip(shown.__slots__, _TREATED(shown), strict=True))
    fields.update(worth(actor, client))
    return fields


async def _wanted(
    tier: Tier | None = None,
    manager_id: Annotated[Id | None, Query(description="Relationship manager.")] = None,
    adviser_id: Annotated[Id | None, Query(description="Investment adviser.")] = None,
    branch_id: Annotated[Id | None, Query(description="Branch.")] = None,
    team_id: Annotated[Id | None, Query(description="Team of the manager.")] = None,
    min_score: Score = None,
    max_score: Score = None,
    min_assets: Assets = None,
    max_assets: Assets = None,
    note: Annotated[Code | None, Query(description="'scored', or why not.")] = None,
    status: Annotated[Code | None, Query(description="State of the relationship.")] = None,
    segment: Annotated[Line | None, Query(description="Segment that the broker gives.")] = None,
    reason: Annotated[Code | None, Query(description="Code of the first reason.")] = None,
    search: Annotated[ClientId | None, Query(description="The number or its beginning.")] = None,
) -> Wanted:
    return Wanted(
        tier, manager_id, adviser_id, branch_id, team_id, min_score, max_score, min_assets,
        max_assets, note, status, segment, reason, search,
    )  # fmt: skip


@router.get(
    "/clients", response_model=Page[ClientOut], operation_id="list_clients", summary="Clients",
    responses=CSV,
)  # fmt: skip
def list_clients(
    wanted: Annotated[Wanted, Depends(_wanted)],
    sort: Annotated[
        str, Query(max_length=20, description="score, assets or client_id; - descends.")
    ] = "-score",
    format: Format = "json",
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.CLIENT_READ),
) -> Response:
    """Clients in one's scope, most at risk first; sorted by assets, unvalued ones are left out.

    One request looks at 8,000 clients at most. A page may therefore hold fewer rows than `limit`,
    even none, and `next` still lead on.
    """
    if format == "csv":
        return download(
            call,
            lambda tx, actor: read.export_clients(tx, actor, wanted, sort, tx.frame.currency),
            read.HEADS, "clients",
        )  # fmt: skip

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        rows, more = read.list_clients(tx, actor, wanted, sort, limit, cursor)
        return {"items": [_fields(tx, actor, row) for row in rows], "next": more}

    return call.answer(verb)


@router.get(
    "/clients/{client_id}", response_model=ClientOut, operation_id="read_client",
    summary="A client",
)  # fmt: skip
def read_client(client_id: ThisClient, call: Call = allow(Permission.CLIENT_READ)) -> Response:
    """One client of one's scope."""
    return call.answer(lambda tx, actor: _fields(tx, actor, get_client(tx, actor, client_id)))


@router.post(
    "/clients/{client_id}/unmask", response_model=UnmaskedOut, operation_id="unmask_client",
    summary="See a client's personal fields",
)  # fmt: skip
def unmask_client(
    client_id: ThisClient, body: UnmaskIn, call: Call = allow(Permission.CLIENT_UNMASK)
) -> Response:
    """Show personal fields for a reason; who, what, why and when is recorded."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        values = read.unmask(tx, actor, client_id, body.fields, body.reason)
        return Reply(UnmaskedOut(client_id=client_id, **values), secret=True)

    return call.perform(verb)


@router.get(
    "/unmaskings", response_model=Page[UnmaskingOut], operation_id="list_unmaskings",
    summary="Who looked at personal fields",
)  # fmt: skip
def list_unmaskings(
    client_id: Annotated[ClientId | None, Query(description="Only of this client.")] = None,
    user_id: Annotated[Id | None, Query(description="Only by this user.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.EVIDENCE_READ),
) -> Response:
    """Every look at personal fields, newest first."""

    def verb(tx: Tx, actor: Actor) -> Page[UnmaskingOut]:
        rows, more = read.list_unmaskings(tx, actor, client_id, user_id, limit, cursor)
        return Page[UnmaskingOut](items=[_unmasking(row, name) for row, name in rows], next=more)

    return call.answer(verb)


def _unmasking(row: Unmasking, name: str) -> UnmaskingOut:
    return UnmaskingOut(
        unmasking_id=row.unmasking_id, client_id=row.client_id, user_id=row.user_id,
        user_name=name, fields=row.fields, reason=row.reason, at=row.at,
    )  # fmt: skip
