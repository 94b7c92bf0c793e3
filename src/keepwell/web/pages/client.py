"""Client 360: everything about one client, the forms that belong there, and the side panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.problem import NotAuthenticated, NotFound
from keepwell.frame.text import ClientId, Code, Id
from keepwell.intervene.case import service as cases
from keepwell.intervene.case.schema import CaseIn
from keepwell.intervene.context.service import find_caller, phones_known
from keepwell.intervene.exit import service as exits
from keepwell.intervene.exit.schema import CancelIn, ExitIn, HoldIn, SettleIn
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.book import read
from keepwell.trust.book.schema import UnmaskIn
from keepwell.trust.consent import service as consents
from keepwell.trust.consent.schema import ConsentIn
from keepwell.web.pages import client_view as view
from keepwell.web.pages.form import FormError, local_moment, parse
from keepwell.web.pages.render import html, respond
from keepwell.web.pages.shell import language_of
from keepwell.web.pages.tongue import Tongue
from keepwell.web.pages.visit import THEME, Context, Visit, visiting

router = APIRouter(include_in_schema=False)

ThisClient = Annotated[ClientId, Path()]
RequestId = Annotated[Id, Path()]
HoldId = Annotated[Id, Path()]
PAGE: Final = "client/page.html"
PANEL: Final = "client/panel.html"


def place_of(client_id: str) -> str:
    """Address of a client's page."""
    return f"/clients/{quote(client_id, safe='')}"


@router.get("/clients/{client_id}")
def client_page(
    client_id: ThisClient,
    kind: Annotated[Code | None, Query()] = None,
    entries: Annotated[int, Query(ge=view.FIRST, le=view.MOST)] = view.FIRST,
    visit: Visit = visiting(Permission.CLIENT_READ),
) -> Response:
    """Everything about one client."""
    reads = _reads(visit, client_id, kind or "", entries)
    return visit.show(PAGE, reads, part="client/history.html")


def _reads(
    visit: Visit, client_id: str, kind: str = "", entries: int = view.FIRST, **more: Any
) -> Context:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        told = view.page(tx, actor, client_id, visit.tongue(actor), kind, entries)
        return {"unmasked": {}, **told, **more}

    return verb


@router.post("/clients/{client_id}/unmask")
def unmask(client_id: ThisClient, visit: Visit = visiting(Permission.CLIENT_UNMASK)) -> Response:
    """Show personal fields once; who, what, why and when is recorded."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        given = parse(UnmaskIn, {"fields": visit.texts("fields"), "reason": visit.text("reason")})
        return read.unmask(tx, actor, client_id, given.fields, given.reason)

    return visit.reveal(verb, PAGE, lambda values: _reads(visit, client_id, unmasked=values or {}))


@router.post("/clients/{client_id}/consents")
def record_consent(
    client_id: ThisClient, visit: Visit = visiting(Permission.CONSENT_WRITE)
) -> Response:
    """Record a client's word on one purpose."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = parse(
            ConsentIn,
            {
                "purpose": visit.text("purpose"), "granted": visit.text("granted"),
                "at": _moment(visit, "at"), "source": visit.text("source"),
            },
        )  # fmt: skip
        consents.record_consent(
            tx, actor, client_id, given.purpose, given.granted, given.at, given.source
        )

    return _act(visit, client_id, verb, "#consent", "The client's word is recorded.")


@router.post("/clients/{client_id}/cases")
def open_case(client_id: ThisClient, visit: Visit = visiting(Permission.CASE_WRITE)) -> Response:
    """Open a case by hand."""

    def verb(tx: Tx, actor: Actor) -> str:
        given = parse(
            CaseIn,
            {
                "client_id": client_id, "reason": visit.text("reason"),
                "tier": visit.text("tier"), "title": visit.text("title"),
            },
        )  # fmt: skip
        case = cases.open_manually(
            tx, actor, client_id, given.reason, given.tier, given.title or ""
        )
        return f"/cases/{case.case_id}"

    return visit.act(verb, str, said="The case is open.", again=(PAGE, _reads(visit, client_id)))


@router.post("/clients/{client_id}/exits")
def request_exit(client_id: ThisClient, visit: Visit = visiting(Permission.EXIT_WRITE)) -> Response:
    """Record that the client asks to leave."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = parse(
            ExitIn,
            {
                "client_id": client_id, "kind": visit.text("kind"),
                "request_id": visit.text("request_id"), "requested_at": _moment(visit, "at"),
            },
        )  # fmt: skip
        exits.request_exit(
            tx, actor, client_id=client_id, request_id=given.request_id, kind=given.kind.value,
            at=given.requested_at,
        )  # fmt: skip

    return _act(visit, client_id, verb, "#exits", "The exit request is recorded.")


@router.post("/clients/{client_id}/exits/{request_id}/settle")
def settle_exit(
    client_id: ThisClient, request_id: RequestId, visit: Visit = visiting(Permission.EXIT_WRITE)
) -> Response:
    """Say that application and settlement are complete."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = parse(SettleIn, {"settled_at": _moment(visit, "at")})
        version = _of_client(visit, tx, actor, client_id, request_id)
        exits.settle(tx, actor, request_id, version, given.settled_at)

    return _act(visit, client_id, verb, "#exits", "Settled: its clock runs.")


@router.post("/clients/{client_id}/exits/{request_id}/complete")
def complete_exit(
    client_id: ThisClient, request_id: RequestId, visit: Visit = visiting(Permission.EXIT_WRITE)
) -> Response:
    """Say that the exit was carried out."""

    def verb(tx: Tx, actor: Actor) -> None:
        version = _of_client(visit, tx, actor, client_id, request_id)
        exits.complete(tx, actor, request_id, version)

    return _act(visit, client_id, verb, "#exits", "The exit request is completed.")


@router.post("/clients/{client_id}/exits/{request_id}/cancel")
def cancel_exit(
    client_id: ThisClient, request_id: RequestId, visit: Visit = visiting(Permission.EXIT_CANCEL)
) -> Response:
    """Say that the client took the request back."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = parse(CancelIn, {"source": visit.text("source"), "note": visit.text("note")})
        version = _of_client(visit, tx, actor, client_id, request_id)
        exits.cancel(tx, actor, request_id, version, given.source, given.note)

    return _act(visit, client_id, verb, "#exits", "Recorded: the client took the request back.")


@router.post("/clients/{client_id}/exits/{request_id}/no-contact")
def refuse_contact(
    client_id: ThisClient, request_id: RequestId, visit: Visit = visiting(Permission.EXIT_WRITE)
) -> Response:
    """Say that the client wants no contact about the request."""

    def verb(tx: Tx, actor: Actor) -> None:
        version = _of_client(visit, tx, actor, client_id, request_id)
        exits.refuse_contact(tx, actor, request_id, version)

    return _act(visit, client_id, verb, "#exits", "Recorded: no contact about the exit request.")


@router.post("/clients/{client_id}/exits/{request_id}/holds")
def hold_exit(
    client_id: ThisClient, request_id: RequestId, visit: Visit = visiting(Permission.EXIT_HOLD)
) -> Response:
    """Hold a request for a lawful reason."""

    def verb(tx: Tx, actor: Actor) -> None:
        given = parse(
            HoldIn,
            {
                "code": visit.text("code"), "until": _moment(visit, "until"),
                "appeal": visit.text("appeal"),
            },
        )  # fmt: skip
        version = _of_client(visit, tx, actor, client_id, request_id)
        exits.place_hold(
            tx, actor, request_id, version, given.code, given.until, given.appeal
        )  # fmt: skip

    return _act(visit, client_id, verb, "#exits", "The exit request is held.")


@router.post("/clients/{client_id}/exits/{request_id}/holds/{hold_id}/lift")
def lift_hold(
    client_id: ThisClient,
    request_id: RequestId,
    hold_id: HoldId,
    visit: Visit = visiting(Permission.EXIT_WRITE),
) -> Response:
    """Lift a hold before its time."""

    def verb(tx: Tx, actor: Actor) -> None:
        version = _of_client(visit, tx, actor, client_id, request_id)
        exits.lift_hold(tx, actor, request_id, version, hold_id)

    return _act(visit, client_id, verb, "#exits", "The hold is lifted.")


def _act(
    visit: Visit, client_id: str, verb: Callable[[Tx, Actor], Any], anchor: str, said: str
) -> Response:
    again = (PAGE, _reads(visit, client_id))
    return visit.act(verb, place_of(client_id) + anchor, said=said, again=again)


def _of_client(visit: Visit, tx: Tx, actor: Actor, client_id: str, request_id: str) -> int:
    """The version that the form was filled in for, of a request that is this client's."""
    if exits.read_request(tx, actor, request_id).client_id != client_id:
        raise NotFound("exit.request-unknown")
    return visit.expected_version()


def _moment(visit: Visit, name: str) -> str:
    try:
        return local_moment(visit.text(name), visit.frame.zone)
    except FormError as error:
        raise FormError({name: error.faults[""]}) from None


# The side panel: other sites may show it in a frame, so it answers for itself, whatever happens.


@router.get("/panel")
def find_panel(
    client: Annotated[ClientId | None, Query()] = None,
    visit: Visit = visiting(Permission.CLIENT_READ),
) -> Response:
    """A screen pop by the client's number; without it a form to look a caller up."""
    if client is not None:
        return visit.go(panel_of(client))
    return _embedded(visit, lambda: _finder(visit))


@router.post("/panel")
def look_up(visit: Visit = visiting(Permission.CLIENT_READ)) -> Response:
    """Look a caller up by the exact telephone number, which never stands in an address."""
    phone = visit.text("phone")
    found: list[str] = []

    def seek(tx: Tx, actor: Actor) -> None:
        found[:] = [client.client_id for client in find_caller(tx, actor, phone)]

    def answer() -> Response:
        visit.peek(seek)
        if len(found) == 1:
            return visit.go(panel_of(found[0]))
        return _finder(visit, phone, found)

    return _embedded(visit, answer)


@router.get("/panel/clients/{client_id}")
def side_panel(client_id: ThisClient, visit: Visit = visiting(Permission.CLIENT_READ)) -> Response:
    """The essentials for somebody on the telephone, 320 to 400 pixels wide."""

    def reads(tx: Tx, actor: Actor) -> dict[str, Any]:
        return view.panel(tx, actor, client_id, visit.tongue(actor))

    def answer() -> Response:
        try:
            return visit.show(PANEL, reads, ancestors=_ancestors(visit))
        except NotFound:
            return _finder(visit, missing=client_id, status=404)

    return _embedded(visit, answer)


def panel_of(client_id: str) -> str:
    """Address of a client's side panel."""
    return f"/panel/clients/{quote(client_id, safe='')}"


def _finder(
    visit: Visit, phone: str = "", found: list[str] | None = None, missing: str = "",
    status: int = 200,
) -> Response:  # fmt: skip
    def reads(tx: Tx, actor: Actor) -> dict[str, Any]:  # noqa: ARG001
        return {
            "by_phone": phones_known(tx), "phone": phone, "found": found or [],
            "asked": found is not None, "missing": missing,
        }  # fmt: skip

    return visit.show("client/find.html", reads, status=status, ancestors=_ancestors(visit))


def _embedded(visit: Visit, answer: Callable[[], Response]) -> Response:
    try:
        return answer()
    except NotAuthenticated:
        if not visit.frame.settings.embed_from:
            raise
        # The log-in itself may not be framed: it opens in a window of its own.
        frame = visit.frame
        tongue = Tongue(language_of(visit.request), frame.currency, frame.zone, frame.now())
        given = {
            "t": tongue.t, "f": tongue, "theme": visit.request.cookies.get(THEME, ""),
            "again": visit.request.url.path,
        }  # fmt: skip
        body = html("client/panel_login.html", given)
        return respond(visit.request, body, 401, _ancestors(visit))


def _ancestors(visit: Visit) -> str:
    return " ".join(visit.frame.settings.embed_from) or "'none'"
