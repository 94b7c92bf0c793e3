"""Administration of staff, teams, branches and regions: one pair of pages for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from keepwell.core.ids import new_id
from keepwell.frame.database import Base, Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.text import Id
from keepwell.trust.access import places
from keepwell.trust.access.model import Branch, Region, Staff, Team
from keepwell.trust.access.policy import ROLES, Actor, Permission
from keepwell.trust.access.schema_places import (
    BranchChange,
    BranchIn,
    RegionChange,
    RegionIn,
    StaffChange,
    StaffIn,
    TeamChange,
    TeamIn,
)
from keepwell.web.pages.admin_frame import ROWS, Cursor, framed
from keepwell.web.pages.form import FormError, parse
from keepwell.web.pages.visit import Context, Visit, visiting

router = APIRouter(include_in_schema=False)

LIST: Final = "admin/places.html"
PAGE: Final = "admin/place.html"
LISTED: Final = 500
"""Numbers of teams, branches and regions that a form suggests."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a pair of pages is about.

    Attributes:
        path: in addresses.
        table: its rows.
        given: what is needed to make one.
        change: what can be changed.
        title: of the list, in English.
        one: what one of them is called, in English.
        new: words of the form for a new one.
    """

    path: str
    table: type[Base]
    given: type[BaseModel]
    change: type[BaseModel]
    title: str
    one: str
    new: str

    @property
    def key(self) -> str:
        """The column of its number."""
        return places.KEYS[self.table]

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns besides the number."""
        return tuple(self.change.model_fields)


KINDS: Final = {
    kind.path: kind
    for kind in (
        Kind("staff", Staff, StaffIn, StaffChange, "Staff", "Staff member", "Make a staff member"),
        Kind("teams", Team, TeamIn, TeamChange, "Teams", "Team", "Make a team"),
        Kind("branches", Branch, BranchIn, BranchChange, "Branches", "Branch", "Make a branch"),
        Kind(
            "regions",
            Region,
            RegionIn,
            RegionChange,
            "Regions",
            "Region of the broker",
            "Make a region",
        ),
    )
}
"""In the order of the pages."""

Number = Annotated[Id, Path()]
Which = Annotated[str, Query(max_length=200)]
ADMIN: Final = Permission.USER_ADMIN


@router.get("/admin/staff")
def staff_page(
    role: Annotated[str, Query(max_length=20)] = "",
    team_id: Which = "",
    branch_id: Which = "",
    active: Annotated[str, Query(pattern="^(true|false)?$")] = "",
    cursor: Cursor = None,
    visit: Visit = visiting(ADMIN),
) -> Response:
    """Staff by number, with their new alerts a day."""
    filters = {"role": role if role in ROLES else "", "team_id": team_id, "branch_id": branch_id}
    return _list(visit, KINDS["staff"], cursor, {**filters, "active": active})


@router.get("/admin/teams")
def teams_page(
    branch_id: Which = "", cursor: Cursor = None, visit: Visit = visiting(ADMIN)
) -> Response:
    """Teams by number."""
    return _list(visit, KINDS["teams"], cursor, {"branch_id": branch_id})


@router.get("/admin/branches")
def branches_page(
    region_id: Which = "", cursor: Cursor = None, visit: Visit = visiting(ADMIN)
) -> Response:
    """Branches by number."""
    return _list(visit, KINDS["branches"], cursor, {"region_id": region_id})


@router.get("/admin/regions")
def regions_page(cursor: Cursor = None, visit: Visit = visiting(ADMIN)) -> Response:
    """Regions by number."""
    return _list(visit, KINDS["regions"], cursor, {})


@router.post("/admin/staff")
def make_staff(visit: Visit = visiting(ADMIN)) -> Response:
    """Make a member of staff."""
    return _make(visit, KINDS["staff"])


@router.post("/admin/teams")
def make_team(visit: Visit = visiting(ADMIN)) -> Response:
    """Make a team."""
    return _make(visit, KINDS["teams"])


@router.post("/admin/branches")
def make_branch(visit: Visit = visiting(ADMIN)) -> Response:
    """Make a branch."""
    return _make(visit, KINDS["branches"])


@router.post("/admin/regions")
def make_region(visit: Visit = visiting(ADMIN)) -> Response:
    """Make a region."""
    return _make(visit, KINDS["regions"])


@router.get("/admin/staff/{number}")
def staff_member_page(number: Number, visit: Visit = visiting(ADMIN)) -> Response:
    """One member of staff."""
    return visit.show(PAGE, _one(KINDS["staff"], number))


@router.get("/admin/teams/{number}")
def team_page(number: Number, visit: Visit = visiting(ADMIN)) -> Response:
    """One team."""
    return visit.show(PAGE, _one(KINDS["teams"], number))


@router.get("/admin/branches/{number}")
def branch_page(number: Number, visit: Visit = visiting(ADMIN)) -> Response:
    """One branch."""
    return visit.show(PAGE, _one(KINDS["branches"], number))


@router.get("/admin/regions/{number}")
def region_page(number: Number, visit: Visit = visiting(ADMIN)) -> Response:
    """One region."""
    return visit.show(PAGE, _one(KINDS["regions"], number))


@router.post("/admin/staff/{number}")
def change_staff_member(number: Number, visit: Visit = visiting(ADMIN)) -> Response:
    """Change a member of staff; scopes follow at once."""
    return _change(visit, KINDS["staff"], number)


@router.post("/admin/teams/{number}")
def change_team(number: Number, visit: Visit = visiting(ADMIN)) -> Response:
    """Change a team; scopes follow at once."""
    return _change(visit, KINDS["teams"], number)


@router.post("/admin/branches/{number}")
def change_branch(number: Number, visit: Visit = visiting(ADMIN)) -> Response:
    """Change a branch; scopes follow at once."""
    return _change(visit, KINDS["branches"], number)


@router.post("/admin/regions/{number}")
def change_region(number: Number, visit: Visit = visiting(ADMIN)) -> Response:
    """Change a region."""
    return _change(visit, KINDS["regions"], number)


def _list(visit: Visit, kind: Kind, cursor: str | None, filters: dict[str, str]) -> Response:
    return visit.show(LIST, _rows(kind, cursor, filters))


def _rows(kind: Kind, cursor: str | None, filters: dict[str, str]) -> Context:
    def verb(tx: Tx, _: Actor) -> dict[str, Any]:
        wanted: dict[str, Any] = {name: value or None for name, value in filters.items()}
        if wanted.get("active") is not None:
            wanted["active"] = wanted["active"] == "true"
        rows = places.listed(tx, kind.table, ROWS, cursor, **wanted)
        last = getattr(rows[ROWS - 1], kind.key) if len(rows) > ROWS else None
        return {
            "kind": kind, "kinds": KINDS.values(), "cursor": cursor, "filters": filters,
            "rows": rows[:ROWS], "following": encode_cursor([last]) if last else "",
            "once": new_id("form", tx.at), **_choices(tx, kind),
        }  # fmt: skip

    return framed(verb)


def _choices(tx: Tx, kind: Kind) -> dict[str, Any]:
    """What a form suggests: the numbers of what one of the kind may belong to."""
    known = {
        column: [(getattr(row, column), row.name) for row in places.listed(tx, table, LISTED, None)]
        for table, column in places.KEYS.items()
        if column in kind.columns
    }
    capacity = tx.frame.settings.alert.per_manager_per_day
    return {"known": known, "roles": ROLES, "capacity": capacity}


def _one(kind: Kind, number: str) -> Context:
    def verb(tx: Tx, _: Actor) -> dict[str, Any]:
        row = places.find(tx, kind.table, number)
        return {
            "kind": kind, "kinds": KINDS.values(), "row": row, "number": number,
            **_choices(tx, kind),
        }  # fmt: skip

    return framed(verb)


def _values(visit: Visit, model: type[BaseModel]) -> dict[str, Any]:
    """The columns that a form gives, one that is left empty as None."""
    given = {name: visit.text(name) for name in model.model_fields}
    if "active" in given:
        given["active"] = "true" if visit.text("active") else "false"
    body = parse(model, given)
    values = {name: getattr(body, name) for name in model.model_fields}
    if not values["name"]:
        raise FormError({"name": "Fill this in."})
    return values


def _make(visit: Visit, kind: Kind) -> Response:
    def verb(tx: Tx, actor: Actor) -> None:
        places.create(tx, actor, kind.table, _values(visit, kind.given))

    return visit.act(
        verb, f"/admin/{kind.path}", said="It is made.", again=(LIST, _rows(kind, None, {}))
    )


def _change(visit: Visit, kind: Kind, number: str) -> Response:
    def verb(tx: Tx, actor: Actor) -> None:
        changes = _values(visit, kind.change)
        places.change(tx, actor, kind.table, number, visit.expected_version(), changes)

    return visit.act(
        verb, f"/admin/{kind.path}", said="The change holds from now on.",
        again=(PAGE, _one(kind, number)),
    )  # fmt: skip
