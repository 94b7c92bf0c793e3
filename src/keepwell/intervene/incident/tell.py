"""Who hears of an incident: the owners of its sources, and those who answer for all of them."""

from __future__ import annotations

from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.intervene.incident import repo
from keepwell.intervene.incident.model import Incident
from keepwell.intervene.notice.policy import NoticeKind
from keepwell.intervene.notice.repo import users_of
from keepwell.intervene.notice.service import notify, notify_user
from keepwell.trust.access.policy import GRANTS, Actor, Permission

HEARERS: Final = tuple(
    role for role, grant in GRANTS.items() if Permission.INCIDENT_ADMIN in grant.permissions
)
"""Roles that hear of every incident."""


def tell(tx: Tx, row: Incident, kind: NoticeKind, data: dict[str, Any], actor: Actor) -> None:
    """Put one notice into the inbox of each of them.

    Args:
        tx: the unit of work.
        row: the incident.
        kind: that it opened or closed.
        data: what the notice says.
        actor: who did it, and need not be told.
    """
    owners = repo.told_owners(tx, row.incident_id)
    staff = {one.staff_id for one in owners if one.staff_id} - {actor.staff_id}
    notify(tx, sorted(staff), kind, row.incident_id, None, data)
    users = {one.user_id for one in owners if one.user_id and one.staff_id is None}
    for role in HEARERS:
        users |= {user for user, number in users_of(tx, role) if number not in staff}
    for user in sorted(users - {actor.user_id}):
        notify_user(tx, user, kind, row.incident_id, data)
