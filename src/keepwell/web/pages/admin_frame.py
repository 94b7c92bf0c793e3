"""What frames the pages of administration: the tabs, each only with its permission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Query

from keepwell.frame.database import Tx
from keepwell.frame.text import Line
from keepwell.trust.access.policy import Actor, Permission

P = Permission

ROWS: Final = 50
"""Rows of a page."""

Cursor = Annotated[str | None, Query(max_length=500)]
Search = Annotated[Line | None, Query()]


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of administration.

    Attributes:
        title: in English, a key of the catalogue.
        path: its address; addresses below it belong to it.
        needs: the permission for reading it.
        more: further addresses that belong to it.
    """

    title: str
    path: str
    needs: Permission
    more: tuple[str, ...] = ()

    def covers(self, address: str) -> bool:
        """Whether an address is the tab's, or one below it."""
        places = (self.path, *self.more)
        return any(address == place or address.startswith(f"{place}/") for place in places)


TABS: Final = (
    Tab("Users", "/admin/users", P.USER_ADMIN),
    Tab(
        "Staff and places", "/admin/staff", P.USER_ADMIN,
        ("/admin/teams", "/admin/branches", "/admin/regions"),
    ),
    Tab("API tokens", "/admin/tokens", P.TOKEN_ADMIN),
    Tab("Webhooks", "/admin/webhooks", P.WEBHOOK_READ),
    Tab("Calendars", "/admin/calendars", P.CLOCK_READ),
    Tab("Clock policies", "/admin/clocks", P.CLOCK_READ),
    Tab("Settings", "/admin/settings", P.JOB_ADMIN),
    Tab("Jobs", "/admin/jobs", P.JOB_ADMIN),
    Tab("Roles", "/admin/roles", P.USER_READ),
)  # fmt: skip
"""In their order; the first that is open to a reader is where /admin leads."""


def tabs_for(actor: Actor) -> list[Tab]:
    """The tabs that a reader sees."""
    return [tab for tab in TABS if actor.may(tab.needs)]


def framed(verb: Callable[[Tx, Actor], dict[str, Any]]) -> Callable[[Tx, Actor], dict[str, Any]]:
    """What a page of administration needs: its own and the tabs.

    Args:
        verb: reads the page's own.
    """
    return lambda tx, actor: {"tabs": tabs_for(actor), **verb(tx, actor)}
