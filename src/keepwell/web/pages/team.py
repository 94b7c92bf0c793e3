"""Team: who has too much to do, whose cases, giving them to others and undoing it, what waits."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.paging import Cursor
from keepwell.frame.problem import NotFound
from keepwell.frame.text import Id
from keepwell.intervene.alert import service as alerts
from keepwell.intervene.alert.policy import REASON_TITLES as ALERT_TITLES
from keepwell.intervene.alert.policy import Status
from keepwell.intervene.case import reassign, team
from keepwell.intervene.case.model import Reassignment
from keepwell.intervene.case.policy import NOT_DUE, REASON_TITLES, STATE_TITLES
from keepwell.intervene.case.schema import ReassignIn
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages.form import FormError, parse
from keepwell.web.pages.visit import Visit, visiting

router = APIRouter(include_in_schema=False)

PATH: Final = "/team"
ROWS: Final = 50
NOBODY: Final = PATH + "/unowned"
MOST_MOVES: Final = 100
"""Cases of a plan that are listed one by one."""
SORTS: Final = {
    "trouble": lambda load: load.trouble,
    "name": lambda load: (load.name, load.staff_id or ""),
    "live": lambda load: -load.live,
    "overdue": lambda load: -load.overdue,
    "today": lambda load: -load.today,
    "silent": lambda load: -load.silent,
    "late": lambda load: -load.late,
    "held": lambda load: -load.held,
}
"""Orders of the overview."""

Number = Annotated[Id, Path(description="Staff number.")]


@router.get(PATH)
def team_page(
    sort: Annotated[str, Query(max_length=20)] = "trouble",
    visit: Visit = visiting(Permission.CASE_REASSIGN),
) -> Response:
    """Everybody's load, those in trouble first."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        loads = team.overview(tx, actor)
        chosen = sort if sort in SORTS else "trouble"
        ordered = sorted(loads, key=SORTS[chosen])
        return {
            "loads": ordered, "sort": chosen, "most": max((load.live for load in loads), default=0),
            "total": {
                name: sum(getattr(load, name) for load in loads)
                for name in ("live", "overdue", "today", "silent", "late", "held")
            },
            "batches": team.undoable(tx, actor), "kept": reassign.UNDO_KEPT, "place": place_of,
            "names": {load.staff_id: load.name for load in loads},
            "address": PATH + ("" if chosen == "trouble" else "?sort=" + chosen),
        }  # fmt: skip

    return visit.show("team/page.html", verb, part="team/part.html")


@router.get(NOBODY)
def unowned_page(
    cursor: Cursor = None, visit: Visit = visiting(Permission.CASE_REASSIGN)
) -> Response:
    """Live cases that nobody has yet."""
    return visit.show(
        "team/person.html", lambda tx, actor: _person(tx, actor, None, cursor),
        part="team/cases.html",
    )  # fmt: skip


@router.get(PATH + "/staff/{staff_id}")
def person_page(
    staff_id: Number, cursor: Cursor = None, visit: Visit = visiting(Permission.CASE_REASSIGN)
) -> Response:
    """One person's live cases, to be given to others."""
    return visit.show(
        "team/person.html", lambda tx, actor: _person(tx, actor, staff_id, cursor),
        part="team/cases.html",
    )  # fmt: skip


@router.post(NOBODY)
def plan_unowned(visit: Visit = visiting(Permission.CASE_REASSIGN)) -> Response:
    """Plan who gets cases that nobody has."""
    return _plan(visit, None)


@router.post(PATH + "/staff/{staff_id}")
def plan_cases(staff_id: Number, visit: Visit = visiting(Permission.CASE_REASSIGN)) -> Response:
    """Plan who gets which of somebody's cases; nothing changes yet."""
    return _plan(visit, staff_id)


@router.get(PATH + "/plan/{plan_id}")
def plan_page(
    plan_id: Id, chosen: Annotated[int, Query(ge=0, le=reassign.MOST)] = 0,
    visit: Visit = visiting(Permission.CASE_REASSIGN),
) -> Response:  # fmt: skip
    """What a plan would do."""
    return visit.show("team/plan.html", lambda tx, actor: _told(tx, actor, plan_id, chosen))


@router.post(PATH + "/plan/{plan_id}")
def carry_out(plan_id: Id, visit: Visit = visiting(Permission.CASE_REASSIGN)) -> Response:
    """Do exactly what the plan says."""
    return visit.act(
        lambda tx, actor: reassign.carry_out(tx, actor, plan_id),
        lambda outcome: f"{PATH}/batch/{outcome.batch_id}",
        again=("team/plan.html", lambda tx, actor: _told(tx, actor, plan_id, 0)),
    )


@router.get(PATH + "/batch/{batch_id}")
def batch_page(batch_id: Id, visit: Visit = visiting(Permission.CASE_REASSIGN)) -> Response:
    """What was reassigned, and the way back."""
    return visit.show("team/batch.html", lambda tx, actor: _batch(tx, actor, batch_id))


@router.post(PATH + "/batch/{batch_id}/undo")
def undo(batch_id: Id, visit: Visit = visiting(Permission.CASE_REASSIGN)) -> Response:
    """Give the cases back."""
    return visit.act(
        lambda tx, actor: reassign.undo(tx, actor, batch_id),
        f"{PATH}/batch/{quote(batch_id, safe='')}",
        again=("team/batch.html", lambda tx, actor: _batch(tx, actor, batch_id)),
    )


@router.get(PATH + "/held")
def held_page(
    owner: Id | None = None, cursor: Cursor = None,
    visit: Visit = visiting(Permission.CASE_REASSIGN),
) -> Response:  # fmt: skip
    """Alerts that a ceiling holds back, most urgent first."""
    return visit.show(
        "team/held.html", lambda tx, actor: _held(tx, actor, owner, cursor), part="team/waits.html"
    )


def place_of(staff_id: str | None) -> str:
    """The page of one person's cases."""
    return NOBODY if staff_id is None else f"{PATH}/staff/{quote(staff_id, safe='')}"


def _person(tx: Tx, actor: Actor, staff_id: str | None, cursor: str | None) -> dict[str, Any]:
    loads = team.overview(tx, actor)
    load = next((load for load in loads if load.staff_id == staff_id), None)
    if load is None:
        if staff_id is not None:
            raise NotFound("case.staff-unknown", staff=staff_id)
        load = team.Load(None, "")
    rows, more = team.cases_of(tx, actor, staff_id, ROWS, cursor)
    takers = sorted(
        (other for other in loads if other.manager and other.staff_id != staff_id),
        key=lambda other: (other.live, other.staff_id or ""),
    )
    place = place_of(staff_id)
    return {
        "load": load, "takers": takers, "rows": [_case(actor, row) for row in rows],
        "next": f"{place}?{urlencode({'cursor': more})}" if more else "",
        "first": place if cursor else "", "place": place, "titles": REASON_TITLES,
        "states": STATE_TITLES, "busiest": max((other.live for other in loads), default=0),
        "most": reassign.MOST,
        "address": f"{place}?{urlencode({'cursor': cursor})}" if cursor else place,
    }  # fmt: skip


def _case(actor: Actor, row: Any) -> dict[str, Any]:
    return {
        "case_id": row.case_id, "client_id": row.client_id, "tier": row.tier,
        "name": team.shown_name(actor, row.client_name), "reason": row.reason, "state": row.state,
        "due_at": None if row.next_due_at == NOT_DUE else row.next_due_at,
        "contacted_at": row.contacted_at, "opened_at": row.opened_at, "owner_id": row.owner_id,
    }  # fmt: skip


def _plan(visit: Visit, staff_id: str | None) -> Response:
    chosen, takers = list(dict.fromkeys(visit.texts("case"))), visit.texts("taker")
    everything = visit.text("all") == "1" and staff_id is not None
    asked = 0 if everything else len(chosen)

    def verb(tx: Tx, actor: Actor) -> Reassignment:
        faults = {}
        if not chosen and not everything:
            faults["case"] = "Tick the cases that somebody else is to have."
        if not takers:
            faults["taker"] = "Tick who is to have them."
        if faults:
            raise FormError(dict(faults))
        whom = {"to": takers[0]} if len(takers) == 1 else {"spread": takers}
        which = {"owner_id": staff_id} if everything else {"case_ids": chosen}
        body = parse(ReassignIn, {**whom, **which})
        return reassign.preview(tx, actor, body.takers, body.case_ids, body.owner_id)

    def then(plan: Reassignment) -> str:
        stay = f"?chosen={asked}" if asked > len(plan.moves) else ""
        return f"{PATH}/plan/{plan.plan_id}{stay}"

    def again(tx: Tx, actor: Actor) -> dict[str, Any]:
        return {
            **_person(tx, actor, staff_id, None), "ticked": frozenset(chosen),
            "picked": frozenset(takers),
        }  # fmt: skip

    return visit.act(verb, then, again=("team/person.html", again))


def _told(tx: Tx, actor: Actor, plan_id: str, chosen: int) -> dict[str, Any]:
    told = team.plan(tx, actor, plan_id)
    giver = next(iter(told.gives), None)
    return {
        **_moves(actor, told), "loads": {x.staff_id: x.live for x in team.overview(tx, actor)},
        "stay": max(0, chosen - len(told.plan.moves)),
        "back_to": place_of(giver),
        "old": told.until is not None and tx.at > told.until,
    }  # fmt: skip


def _batch(tx: Tx, actor: Actor, batch_id: str) -> dict[str, Any]:
    told = team.batch(tx, actor, batch_id)
    return {
        **_moves(actor, told), "back": told.back,
        "old": told.until is not None and tx.at > told.until,
    }  # fmt: skip


def _moves(actor: Actor, told: team.Told) -> dict[str, Any]:
    listed = [
        {**_case(actor, case), "giver": giver, "taker": taker, "changed": case.case_id in skipped}
        for skipped in [frozenset(told.changed)]
        for case, giver, taker in told.moves[:MOST_MOVES]
        if case is not None
    ]
    return {
        "told": told, "moves": listed, "all": len(told.moves), "titles": REASON_TITLES,
        "names": told.names, "place": place_of,
    }  # fmt: skip


def _held(tx: Tx, actor: Actor, owner: str | None, cursor: str | None) -> dict[str, Any]:
    chosen = alerts.AlertFilter(status=(Status.HELD_BACK,), owner=owner)
    rows, more = alerts.list_alerts(tx, actor, chosen, "-urgency", ROWS, cursor)
    own = {"owner": owner} if owner else {}
    here = PATH + "/held" + ("?" + urlencode(own) if own else "")
    loads = {load.staff_id: load for load in team.overview(tx, actor)}
    return {
        "rows": rows, "clients": team.client_names(tx, actor, [row.client_id for row in rows]),
        "loads": loads, "owner": owner, "titles": ALERT_TITLES,
        "next": PATH + "/held?" + urlencode(own | {"cursor": more}) if more else "",
        "first": here if cursor else "",
        "address": PATH + "/held?" + urlencode(own | {"cursor": cursor}) if cursor else here,
    }  # fmt: skip
