"""Verbs of access that other rooms call."""

from __future__ import annotations

from fastapi import Request

from keepwell.frame.database import Tx
from keepwell.trust.access.identity import identify
from keepwell.trust.access.model import Staff, User
from keepwell.trust.access.policy import GRANTS, Actor, Permission, Role, Scope


def authenticate(tx: Tx, request: Request) -> Actor:
    """Who calls: by bearer token, else by session cookie.

    Raises:
        NotAuthenticated: nobody, or no longer.
        NotAllowed: a browser was made to send the request by another site.
    """
    return identify(tx, request).actor


def actor_of(
    user: User, staff: Staff | None, permissions: frozenset[Permission], via: str
) -> Actor:
    """The actor that a user is."""
    role = Role(user.role)
    return Actor(
        user.user_id, user.name, role, Scope(user.scope), permissions, user.staff_id,
        staff.team_id if staff else None, staff.branch_id if staff else None,
        staff.region_id if staff else None,
        via, GRANTS[role].unmasked, user.locale,
    )  # fmt: skip
