"""Administration of webhooks: where they go, what they send, what came of it."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Path, Query, Response

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.events import TITLES, EventName
from keepwell.frame.text import Id
from keepwell.intervene.webhook import service
from keepwell.intervene.webhook.api import endpoint_out, message_out
from keepwell.intervene.webhook.policy import PING
from keepwell.intervene.webhook.schema import (
    DeliveryOut,
    EndpointChange,
    EndpointIn,
    MessageState,
    ReplayIn,
)
from keepwell.trust.access import users
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages.admin_frame import ROWS, Cursor, framed
from keepwell.web.pages.form import FormError, local_moment, parse
from keepwell.web.pages.visit import Context, Visit, visiting

router = APIRouter(include_in_schema=False)

LIST: Final = "admin/webhooks.html"
NEW: Final = "admin/webhook_new.html"
PAGE: Final = "admin/webhook.html"
MESSAGE: Final = "admin/webhook_message.html"
READ: Final = Permission.WEBHOOK_READ
ADMIN: Final = Permission.WEBHOOK_ADMIN

EndpointId = Annotated[Id, Path()]
MessageId = Annotated[Id, Path()]

OFF_REASONS: Final = {
    "manual": "Switched off by hand",
    "dead": "Switched off: too many messages failed",
    "gone": "Switched off: the address says that it is gone",
}
"""Why an endpoint is off, in English."""

MESSAGE_STATES: Final = {"pending": "Being sent", "delivered": "Delivered", "dead": "Given up"}
"""Where a message stands, in English."""

FAULTS: Final = {
    "address-refused": "The address is not in the public internet",
    "connection-failed": "No connection",
    "gone": "The address says that it is gone",
    "endpoint-off": "The webhook was switched off",
    "redirect-refused": "The address leads elsewhere, which is not followed",
    "status-bad": "The answer was an error",
    "timeout": "No answer in time",
    "host-unknown": "The host is not known",
}
"""What an attempt failed of, in English."""

THINGS: Final = {
    "alert": "Everything about alerts",
    "case": "Everything about cases",
    "clock": "Everything about clocks",
    "consent": "Everything about consent",
    "exit": "Everything about exit requests",
    "generation": "Everything about scores",
    "profiling": "Everything about profiling",
}
"""What a pattern of all events of one thing covers, in English."""

ALL_EVENTS: Final = "Everything, also what later versions add"


def pattern_words() -> dict[str, str]:
    """What each pattern covers, in English, in the order of the form."""
    words = {"*": ALL_EVENTS}
    for event in EventName:
        thing = event.value.split(".")[0]
        if thing in THINGS:
            words.setdefault(f"{thing}.*", THINGS[thing])
        words[event.value] = TITLES[event]
    return words


def _frame(verb: Any) -> Context:
    """What all pages of webhooks need besides their own."""

    def more(tx: Tx, actor: Actor) -> dict[str, Any]:
        return {
            "patterns": pattern_words(), "off_reasons": OFF_REASONS, "faults": FAULTS,
            "message_states": MESSAGE_STATES, "ping": PING, "titles": TITLES,
            "once": new_id("form", tx.at), "secret": None, **verb(tx, actor),
        }  # fmt: skip

    return framed(more)


@router.get("/admin/webhooks")
def webhooks_page(cursor: Cursor = None, visit: Visit = visiting(READ)) -> Response:
    """Endpoints, oldest first."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        rows, following = service.list_endpoints(tx, actor, ROWS, cursor)
        return {
            "endpoints": [endpoint_out(tx, row) for row in rows], "following": following or "",
            "cursor": cursor,
        }  # fmt: skip

    return visit.show(LIST, _frame(verb))


@router.get("/admin/webhooks/new")
def new_webhook_page(visit: Visit = visiting(ADMIN)) -> Response:
    """The form for a new endpoint."""
    return visit.show(NEW, _new(visit))


def _new(visit: Visit) -> Context:
    return _frame(lambda *_: {"chosen": set(visit.texts("patterns"))})


@router.post("/admin/webhooks/new")
def make_webhook(visit: Visit = visiting(ADMIN)) -> Response:
    """Set up an endpoint and show its signing secret, this once."""
    made: list[str] = []

    def verb(tx: Tx, actor: Actor) -> str:
        given = parse(EndpointIn, {
            "url": visit.text("url"), "description": visit.text("description"),
            "patterns": _patterns(visit),
        })  # fmt: skip
        endpoint = service.create_endpoint(tx, actor, given)
        made[:] = [endpoint.endpoint_id]
        return service.secret_of(tx, endpoint)

    def shown(tx: Tx, actor: Actor) -> dict[str, Any]:
        return _page(visit, made[0])(tx, actor)

    return visit.show_once(verb, PAGE, shown, again=(NEW, _new(visit)))


def _patterns(visit: Visit) -> list[str]:
    chosen = visit.texts("patterns")
    if not chosen:
        raise FormError({"patterns": "Choose at least one."})
    return chosen


@router.get("/admin/webhooks/{endpoint_id}")
def webhook_page(
    endpoint_id: EndpointId,
    state: Annotated[str, Query(max_length=20)] = "",
    cursor: Cursor = None,
    visit: Visit = visiting(READ),
) -> Response:
    """One endpoint; for administrators with its messages."""
    return visit.show(PAGE, _page(visit, endpoint_id, state, cursor))


def _page(
    visit: Visit, endpoint_id: str, state: str = "", cursor: str | None = None
) -> Context:  # fmt: skip
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        shown = endpoint_out(tx, service.read_endpoint(tx, actor, endpoint_id))
        found: dict[str, Any] = {"messages": None, "following": ""}
        if actor.may(ADMIN):
            wanted = cast(MessageState, state) if state in MESSAGE_STATES else None
            rows, following = service.list_messages(tx, actor, endpoint_id, wanted, ROWS, cursor)
            found = {"messages": [message_out(r) for r in rows], "following": following or ""}
        approver = shown.approved_by
        return {
            "endpoint": shown, "chosen": set(visit.texts("patterns") or shown.patterns),
            "state": state, "cursor": cursor,
            "approver": users.logins(tx, [approver]).get(approver, "") if approver else "",
            "today": tx.at.astimezone(tx.frame.zone).date(), **found,
        }  # fmt: skip

    return _frame(verb)


def _at(endpoint_id: str) -> str:
    return f"/admin/webhooks/{endpoint_id}"


@router.post("/admin/webhooks/{endpoint_id}")
def change_webhook(endpoint_id: EndpointId, visit: Visit = visiting(ADMIN)) -> Response:
    """Change address, events or description; the first two need a new approval."""

    def verb(tx: Tx, actor: Actor) -> None:
        present = service.read_endpoint(tx, actor, endpoint_id)
        patterns, url = _patterns(visit), visit.text("url")
        change = parse(EndpointChange, {
            # Only what differs: naming the address anew would ask for another approval.
            "url": url if url != present.url else None,
            "patterns": patterns if set(patterns) != set(present.patterns) else None,
            "description": visit.text("description"),
        })  # fmt: skip
        service.change_endpoint(tx, actor, endpoint_id, change, visit.expected_version())

    return _act(visit, endpoint_id, verb, "The webhook is changed.")


def _act(visit: Visit, endpoint_id: str, verb: Any, said: str) -> Response:
    again = (PAGE, _page(visit, endpoint_id))
    return visit.act(verb, _at(endpoint_id), said=said, again=again)


@router.post("/admin/webhooks/{endpoint_id}/approve")
def approve_webhook(
    endpoint_id: EndpointId, visit: Visit = visiting(Permission.WEBHOOK_APPROVE)
) -> Response:
    """Approve where an endpoint sends what, as it was read."""

    def verb(tx: Tx, actor: Actor) -> None:
        service.approve_endpoint(tx, actor, endpoint_id, visit.expected_version())

    return _act(visit, endpoint_id, verb, "The webhook is approved; messages are sent from now on.")


@router.post("/admin/webhooks/{endpoint_id}/active")
def switch_webhook(endpoint_id: EndpointId, visit: Visit = visiting(ADMIN)) -> Response:
    """Switch an endpoint off, or on again with a clean record of failures."""
    on = visit.text("active") == "true"

    def verb(tx: Tx, actor: Actor) -> None:
        change = EndpointChange(active=on)
        service.change_endpoint(tx, actor, endpoint_id, change, visit.expected_version())

    said = "The webhook is on." if on else "The webhook is off."
    return _act(visit, endpoint_id, verb, said)


@router.post("/admin/webhooks/{endpoint_id}/rotate")
def rotate_secret(endpoint_id: EndpointId, visit: Visit = visiting(ADMIN)) -> Response:
    """Make a new secret and show it, this once; for a day the old one signs too."""

    def verb(tx: Tx, actor: Actor) -> str:
        version = visit.expected_version()
        endpoint = service.rotate_secret(tx, actor, endpoint_id, version)
        return service.secret_of(tx, endpoint)

    reading = _page(visit, endpoint_id)
    return visit.show_once(verb, PAGE, reading, again=(PAGE, reading))


@router.post("/admin/webhooks/{endpoint_id}/test")
def ping_webhook(endpoint_id: EndpointId, visit: Visit = visiting(ADMIN)) -> Response:
    """Send a test message."""

    def verb(tx: Tx, actor: Actor) -> None:
        service.ping(tx, actor, endpoint_id)

    said = "A test message is on its way; what came of it stands below in a moment."
    return _act(visit, endpoint_id, verb, said)


@router.post("/admin/webhooks/{endpoint_id}/delete")
def delete_webhook(endpoint_id: EndpointId, visit: Visit = visiting(ADMIN)) -> Response:
    """Remove an endpoint with its messages."""

    def verb(tx: Tx, actor: Actor) -> None:
        service.delete_endpoint(tx, actor, endpoint_id, visit.expected_version())

    return visit.act(
        verb, "/admin/webhooks", said="The webhook is removed.",
        again=(PAGE, _page(visit, endpoint_id)),
    )  # fmt: skip


@router.post("/admin/webhooks/{endpoint_id}/replay")
def replay_dead(endpoint_id: EndpointId, visit: Visit = visiting(ADMIN)) -> Response:
    """Send the messages given up since a moment again."""

    def verb(tx: Tx, actor: Actor) -> None:
        since = local_moment(visit.text("since"), visit.frame.zone)
        given = parse(ReplayIn, {"since": since})
        service.replay_dead(tx, actor, endpoint_id, given.since)

    said = "The messages given up are sent again, 1,000 at a time."
    return _act(visit, endpoint_id, verb, said)


@router.get("/admin/webhooks/{endpoint_id}/messages/{message_id}")
def message_page(
    endpoint_id: EndpointId, message_id: MessageId, visit: Visit = visiting(ADMIN)
) -> Response:
    """One message and every attempt to deliver it."""
    return visit.show(MESSAGE, _message(endpoint_id, message_id))


def _message(endpoint_id: str, message_id: str) -> Context:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        endpoint = endpoint_out(tx, service.read_endpoint(tx, actor, endpoint_id))
        message = message_out(service.read_message(tx, actor, endpoint_id, message_id))
        rows, _ = service.list_deliveries(tx, actor, endpoint_id, message_id, ROWS, None)
        deliveries = [DeliveryOut.model_validate(row, from_attributes=True) for row in rows]
        return {"endpoint": endpoint, "message": message, "deliveries": deliveries}

    return _frame(verb)


@router.post("/admin/webhooks/{endpoint_id}/messages/{message_id}/replay")
def replay_message(
    endpoint_id: EndpointId, message_id: MessageId, visit: Visit = visiting(ADMIN)
) -> Response:
    """Send one message again."""

    def verb(tx: Tx, actor: Actor) -> None:
        service.replay(tx, actor, endpoint_id, message_id)

    return visit.act(
        verb, f"{_at(endpoint_id)}/messages/{message_id}", said="The message is sent again.",
        again=(MESSAGE, _message(endpoint_id, message_id)),
    )  # fmt: skip
