"""What the endpoints for staff, teams, branches and regions take and give."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from keepwell.frame.text import Id, Line
from keepwell.trust.access.policy import Role

Capacity = Annotated[int, Field(ge=0, le=10_000)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["Pudong"])
    version: int = Field(examples=[1])


class StaffIn(_Given):
    """Somebody who works for the broker.

    Attributes:
        staff_id: the broker's own number, as in the data.
        name: of the person.
        role: what they are.
        team_id: their team.
        branch_id: their branch.
        region_id: their region.
        capacity: new alerts a day; null: the desk's setting.
        active: whether they work here.
    """

    staff_id: Annotated[Id, Field(max_length=64)] = Field(examples=["m17"])
    name: Line = Field(examples=["Wang Li"])
    role: Role
    team_id: Id | None = Field(default=None, examples=["t3"])
    branch_id: Id | None = Field(default=None, examples=["b1"])
    region_id: Id | None = Field(default=None, examples=["east"])
    capacity: Capacity | None = Field(default=None, examples=[12])
    active: bool = True


class StaffChange(_Given):
    """Changes of a member of staff; what is left out stays.

    Attributes:
        name: of the person.
        role: what they are.
        team_id: their team.
        branch_id: their branch.
        region_id: their region.
        capacity: new alerts a day; null: the desk's setting.
        active: whether they work here.
    """

    name: Line = Field(default="", examples=["Wang Li"])
    role: Role = Role.MANAGER
    team_id: Id | None = Field(default=None, examples=["t3"])
    branch_id: Id | None = Field(default=None, examples=["b1"])
    region_id: Id | None = Field(default=None, examples=["east"])
    capacity: Capacity | None = Field(default=None, examples=[12])
    active: bool = True


class StaffOut(_Row):
    """A member of staff.

    Attributes:
        staff_id: the broker's own number.
        name: of the person.
        role: what they are.
        team_id: their team.
        branch_id: their branch.
        region_id: their region.
        capacity: new alerts a day; null: the desk's setting.
        active: whether they work here.
        version: for If-Match.
    """

    staff_id: str = Field(examples=["m17"])
    role: Role
    team_id: str | None = Field(examples=["t3"])
    branch_id: str | None = Field(examples=["b1"])
    region_id: str | None = Field(examples=["east"])
    capacity: int | None = Field(examples=[12])
    active: bool


class TeamIn(_Given):
    """A team.

    Attributes:
        team_id: its number.
        name: its name.
        branch_id: its branch.
    """

    team_id: Annotated[Id, Field(max_length=64)] = Field(examples=["t3"])
    name: Line = Field(examples=["Pudong 3"])
    branch_id: Id | None = Field(default=None, examples=["b1"])


class TeamChange(_Given):
    """Changes of a team; what is left out stays.

    Attributes:
        name: its name.
        branch_id: its branch.
    """

    name: Line = Field(default="", examples=["Pudong 3"])
    branch_id: Id | None = Field(default=None, examples=["b1"])


class TeamOut(_Row):
    """A team.

    Attributes:
        team_id: its number.
        name: its name.
        branch_id: its branch.
        version: for If-Match.
    """

    team_id: str = Field(examples=["t3"])
    branch_id: str | None = Field(examples=["b1"])


class BranchIn(_Given):
    """A branch.

    Attributes:
        branch_id: its number.
        name: its name.
        region_id: its region.
    """

    branch_id: Annotated[Id, Field(max_length=64)] = Field(examples=["b1"])
    name: Line = Field(examples=["Pudong"])
    region_id: Id | None = Field(default=None, examples=["east"])


class BranchChange(_Given):
    """Changes of a branch; what is left out stays.

    Attributes:
        name: its name.
        region_id: its region.
    """

    name: Line = Field(default="", examples=["Pudong"])
    region_id: Id | None = Field(default=None, examples=["east"])


class BranchOut(_Row):
    """A branch.

    Attributes:
        branch_id: its number.
        name: its name.
        region_id: its region.
        version: for If-Match.
    """

    branch_id: str = Field(examples=["b1"])
    region_id: str | None = Field(examples=["east"])


class RegionIn(_Given):
    """A region.

    Attributes:
        region_id: its number.
        name: its name.
    """

    region_id: Annotated[Id, Field(max_length=64)] = Field(examples=["east"])
    name: Line = Field(examples=["East"])


class RegionChange(_Given):
    """Changes of a region.

    Attributes:
        name: its name.
    """

    name: Line = Field(examples=["East"])


class RegionOut(_Row):
    """A region.

    Attributes:
        region_id: its number.
        name: its name.
        version: for If-Match.
    """

    region_id: str = Field(examples=["east"])
