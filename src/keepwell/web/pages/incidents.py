"""Incidents of data: what lasts, what rests on it, and what those who answer do about it."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor
from keepwell.frame.text import Id
from keepwell.intervene.incident import service
from keepwell.intervene.incident.policy import STATES
from keepwell.intervene.incident.repo import Wanted
from keepwell.intervene.incident.schema import AcknowledgeIn, CloseIn
from keepwell.observe.indicators.registry import INDICATORS
from keepwell.trust.access.call import Reply
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.access.users import logins
from keepwell.web.pages.data import NAMES
from keepwell.web.pages.form import parse
from keepwell.web.pages.visit import Context, Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/data/incidents"
ROWS: Final = 50

Number = Annotated[Id, Path()]


@router.get(PATH)
def incidents_page(
    over: Annotated[str, Query(pattern="^1?$")] = "",
    cursor: Cursor = None,
    visit: Visit = visiting(Permission.INCIDENT_READ),
) -> Response:
    """Incidents that last, or those that are over."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        found = service.list_incidents(tx, actor, Wanted(live=not over), ROWS, cursor)
        asked = {"over": over} if over else {}
        return {
            "rows": found["items"], "over": bool(over), "states": STATES, "names": NAMES,
            "next": _path(asked | {"cursor": found["next"]}) if found["next"] else "",
            "begun": _path(asked) if cursor else "",
        }  # fmt: skip

    return visit.show("data/incidents.html", verb)


@router.get(PATH + "/{incident_id}")
def incident_page(
    incident_id: Number, visit: Visit = visiting(Permission.INCIDENT_READ)
) -> Response:
    """One incident: what was found, what rests on it, what may be done."""
    return visit.show(*_one(incident_id))


@router.post(PATH + "/{incident_id}/acknowledge")
def acknowledge(
    incident_id: Number, visit: Visit = visiting(Permission.INCIDENT_WRITE)
) -> Response:
    """Take it on."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        given = parse(AcknowledgeIn, {"note": visit.text("note") or None})
        version = visit.expected_version()
        return service.acknowledge(tx, actor, incident_id, version, given.note)

    return visit.act(
        verb, f"{PATH}/{incident_id}", said="The incident was acknowledged.",
        again=_one(incident_id),
    )  # fmt: skip


@router.post(PATH + "/{incident_id}/close")
def close(incident_id: Number, visit: Visit = visiting(Permission.INCIDENT_WRITE)) -> Response:
    """Close it, or call right what was found."""

    def verb(tx: Tx, actor: Actor) -> Reply:
        right = visit.text("right") == "1"
        given = parse(CloseIn, {"reason": visit.text("reason"), "right": right})
        version = visit.expected_version()
        return service.close(tx, actor, incident_id, version, given.reason, given.right)

    return visit.act(
        verb, f"{PATH}/{incident_id}", said="The incident was closed.",
        again=_one(incident_id),
    )  # fmt: skip


def _one(incident_id: str) -> tuple[str, Context]:
    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        out = service.read_incident(tx, actor, incident_id).content
        people = {one for one in (out.acknowledged_by, out.closed_by) if one}
        return {
            "one": out, "names": NAMES, "states": STATES, "people": logins(tx, people),
            "titles": {id: INDICATORS[id].title(actor.locale) for id in out.indicator_ids},
            "once": new_id("once", tx.at), "path": f"{PATH}/{incident_id}",
        }  # fmt: skip

    return "data/incident.html", verb


def _path(asked: dict[str, Any]) -> str:
    return PATH + ("?" + urlencode(asked) if asked else "")
