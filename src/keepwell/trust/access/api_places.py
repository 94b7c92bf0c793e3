"""Endpoints for staff, teams, branches and regions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from keepwell.frame.database import Base, Tx
from keepwell.frame.paging import Cursor, Limit, Page, encode_cursor
from keepwell.frame.problem import also
from keepwell.frame.text import Id
from keepwell.trust.access import places
from keepwell.trust.access.call import Call, Reply, allow
from keepwell.trust.access.model import Branch, Region, Staff, Team
from keepwell.trust.access.policy import Permission, Role
from keepwell.trust.access.schema_places import (
    BranchChange,
    BranchIn,
    BranchOut,
    RegionChange,
    RegionIn,
    RegionOut,
    StaffChange,
    StaffIn,
    StaffOut,
    TeamChange,
    TeamIn,
    TeamOut,
)

router = APIRouter()
Number = Annotated[Id, Path(description="Its number.")]
InTeam = Annotated[Id | None, Query(description="Only of this team.")]
InBranch = Annotated[Id | None, Query(description="Only of this branch.")]
InRegion = Annotated[Id | None, Query(description="Only of this region.")]


@router.get("/staff", response_model=Page[StaffOut], operation_id="list_staff", summary="Staff")
def list_staff(
    role: Role | None = None,
    team_id: InTeam = None,
    branch_id: InBranch = None,
    region_id: InRegion = None,
    active: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.USER_READ),
) -> Response:
    """Staff by number."""
    return call.answer(
        lambda tx, _: _page(
            tx,
            Staff,
            StaffOut,
            limit,
            cursor,
            role=role.value if role else None,
            team_id=team_id,
            branch_id=branch_id,
            region_id=region_id,
            active=active,
        )
    )


@router.post(
    "/staff", response_model=StaffOut, status_code=201, operation_id="create_staff_member",
    summary="Make a member of staff",
)  # fmt: skip
def create_staff_member(body: StaffIn, call: Call = allow(Permission.USER_ADMIN)) -> Response:
    """Make a member of staff."""
    return _create(call, Staff, StaffOut, body)


@router.get(
    "/staff/{staff_id}", response_model=StaffOut, operation_id="read_staff_member",
    summary="A member of staff",
)  # fmt: skip
def read_staff_member(staff_id: Number, call: Call = allow(Permission.USER_READ)) -> Response:
    """One member of staff."""
    return call.answer(lambda tx, _: _reply(StaffOut, places.find(tx, Staff, staff_id)))


@router.patch(
    "/staff/{staff_id}", response_model=StaffOut, operation_id="change_staff_member",
    summary="Change a member of staff", responses=also(412, 428),
)  # fmt: skip
def change_staff_member(
    staff_id: Number, body: StaffChange, call: Call = allow(Permission.USER_ADMIN)
) -> Response:
    """Change a member of staff; scopes follow at once."""
    return _change(call, Staff, StaffOut, staff_id, body)


@router.get("/teams", response_model=Page[TeamOut], operation_id="list_teams", summary="Teams")
def list_teams(
    branch_id: InBranch = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.USER_READ),
) -> Response:
    """Teams by number."""
    return call.answer(lambda tx, _: _page(tx, Team, TeamOut, limit, cursor, branch_id=branch_id))


@router.post(
    "/teams", response_model=TeamOut, status_code=201, operation_id="create_team",
    summary="Make a team",
)  # fmt: skip
def create_team(body: TeamIn, call: Call = allow(Permission.USER_ADMIN)) -> Response:
    """Make a team."""
    return _create(call, Team, TeamOut, body)


@router.get(
    "/teams/{team_id}", response_model=TeamOut, operation_id="read_team",
    summary="A team",
)  # fmt: skip
def read_team(team_id: Number, call: Call = allow(Permission.USER_READ)) -> Response:
    """One team."""
    return call.answer(lambda tx, _: _reply(TeamOut, places.find(tx, Team, team_id)))


@router.patch(
    "/teams/{team_id}", response_model=TeamOut, operation_id="change_team",
    summary="Change a team", responses=also(412, 428),
)  # fmt: skip
def change_team(
    team_id: Number, body: TeamChange, call: Call = allow(Permission.USER_ADMIN)
) -> Response:
    """Change a team; scopes follow at once."""
    return _change(call, Team, TeamOut, team_id, body)


@router.get(
    "/branches", response_model=Page[BranchOut], operation_id="list_branches", summary="Branches"
)
def list_branches(
    region_id: InRegion = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.USER_READ),
) -> Response:
    """Branches by number."""
    return call.answer(
        lambda tx, _: _page(tx, Branch, BranchOut, limit, cursor, region_id=region_id)
    )


@router.post(
    "/branches", response_model=BranchOut, status_code=201, operation_id="create_branch",
    summary="Make a branch",
)  # fmt: skip
def create_branch(body: BranchIn, call: Call = allow(Permission.USER_ADMIN)) -> Response:
    """Make a branch."""
    return _create(call, Branch, BranchOut, body)


@router.get(
    "/branches/{branch_id}", response_model=BranchOut, operation_id="read_branch",
    summary="A branch",
)  # fmt: skip
def read_branch(branch_id: Number, call: Call = allow(Permission.USER_READ)) -> Response:
    """One branch."""
    return call.answer(lambda tx, _: _reply(BranchOut, places.find(tx, Branch, branch_id)))


@router.patch(
    "/branches/{branch_id}", response_model=BranchOut, operation_id="change_branch",
    summary="Change a branch", responses=also(412, 428),
)  # fmt: skip
def change_branch(
    branch_id: Number, body: BranchChange, call: Call = allow(Permission.USER_ADMIN)
) -> Response:
    """Change a branch; scopes follow at once."""
    return _change(call, Branch, BranchOut, branch_id, body)


@router.get(
    "/regions", response_model=Page[RegionOut], operation_id="list_regions", summary="Regions"
)
def list_regions(
    limit: Limit = 50,
    cursor: Cursor = None,
    call: Call = allow(Permission.USER_READ),
) -> Response:
    """Regions by number."""
    return call.answer(lambda tx, _: _page(tx, Region, RegionOut, limit, cursor))


@router.post(
    "/regions", response_model=RegionOut, status_code=201, operation_id="create_region",
    summary="Make a region",
)  # fmt: skip
def create_region(body: RegionIn, call: Call = allow(Permission.USER_ADMIN)) -> Response:
    """Make a region."""
    return _create(call, Region, RegionOut, body)


@router.get(
    "/regions/{region_id}", response_model=RegionOut, operation_id="read_region",
    summary="A region",
)  # fmt: skip
def read_region(region_id: Number, call: Call = allow(Permission.USER_READ)) -> Response:
    """One region."""
    return call.answer(lambda tx, _: _reply(RegionOut, places.find(tx, Region, region_id)))


@router.patch(
    "/regions/{region_id}", response_model=RegionOut, operation_id="change_region",
    summary="Change a region", responses=also(412, 428),
)  # fmt: skip
def change_region(
    region_id: Number, body: RegionChange, call: Call = allow(Permission.USER_ADMIN)
) -> Response:
    """Change a region; scopes follow at once."""
    return _change(call, Region, RegionOut, region_id, body)


def _reply(shape: type[BaseModel], row: Any) -> Reply:
    return Reply(shape.model_validate(row), version=row.version)


def _page(
    tx: Tx,
    table: type[Base],
    shape: type[BaseModel],
    limit: int,
    cursor: str | None,
    **filters: Any,
) -> Page[Any]:
    rows = places.listed(tx, table, limit, cursor, **filters)
    key = places.KEYS[table]
    more = encode_cursor([getattr(rows[limit - 1], key)]) if len(rows) > limit else None
    return Page[Any](items=[shape.model_validate(row) for row in rows[:limit]], next=more)


def _create(call: Call, table: type[Base], shape: type[BaseModel], body: BaseModel) -> Response:
    values = {name: getattr(body, name) for name in type(body).model_fields}
    return call.perform(
        lambda tx, actor: _reply(shape, places.create(tx, actor, table, values)), status=201
    )


def _change(
    call: Call, table: type[Base], shape: type[BaseModel], key: str, body: BaseModel
) -> Response:
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    return call.perform(
        lambda tx, actor: _reply(
            shape, places.change(tx, actor, table, key, call.expected_version(), changes)
        )
    )
