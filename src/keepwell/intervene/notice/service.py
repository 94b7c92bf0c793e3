"""Verbs of notices: tell people, list, mark as read; and who is whose lead or director."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.intervene.notice import repo
from keepwell.intervene.notice.model import Notice
from keepwell.intervene.notice.policy import NoticeKind
from keepwell.trust.access.policy import Actor, Role


def notify(
    tx: Tx,
    staff_ids: Iterable[str],
    kind: NoticeKind,
    subject: str,
    client_id: str | None = None,
    data: dict[str, Any] | None = None,
) -> int:
    """Put a notice into the inbox of members of staff; unknown and inactive ones are left out.

    Args:
        tx: the unit of work.
        staff_ids: whose inboxes; one notice each.
        kind: what it is about.
        subject: id of the alert, case, clock or exit request.
        client_id: whom it is about.
        data: codes and numbers, no names and no free text.

    Returns:
        How many notices were written.
    """
    people = repo.known_staff(tx, sorted({s for s in staff_ids if s}))
    for staff_id in people:
        _add(tx, staff_id, None, kind, subject, client_id, data)
    return len(people)


def notify_role(
    tx: Tx,
    role: Role,
    kind: NoticeKind,
    subject: str,
    client_id: str | None = None,
    data: dict[str, Any] | None = None,
) -> int:
    """Put a notice into the inbox of every active user of a role; how many."""
    users = repo.users_of(tx, role)
    for user_id, _ in users:
        _add(tx, None, user_id, kind, subject, client_id, data)
    return len(users)


def notify_user(
    tx: Tx, user_id: str, kind: NoticeKind, subject: str, data: dict[str, Any] | None = None
) -> None:
    """Put a notice about no client into the inbox of one user.

    Args:
        tx: the unit of work.
        user_id: whose inbox.
        kind: what it is about.
        subject: its number.
        data: codes and numbers, no names and no free text.
    """
    _add(tx, None, user_id, kind, subject, None, data)


def joined(tx: Tx, staff_id: str, batch_id: str, giver: str | None) -> bool:
    """Count one more case in the notice of the batch that somebody is getting just now.

    Args:
        tx: the unit of work, in which the whole batch is given.
        staff_id: who gets the cases.
        batch_id: the batch.
        giver: whose the case was.

    Returns:
        Whether there was such a notice.
    """
    found = repo.of_batch(tx, staff_id, NoticeKind.CASE_REASSIGNED, batch_id)
    if found is None:
        return False
    # It is about several clients now: what was said of the first one goes.
    kept = {name: value for name, value in found.data.items() if name in ("batch_id", "undone")}
    if giver is not None and found.data.get("from") == giver:
        kept["from"] = giver
    found.data = kept | {"n": found.data.get("n", 1) + 1}
    found.subject, found.client_id = batch_id, None
    tx.session.flush()
    return True


def leads_of(tx: Tx, owner_id: str | None) -> list[str]:
    """Who leads the team of a member of staff; empty when nobody does."""
    return repo.leads(tx, owner_id) if owner_id else []


def directors_of(tx: Tx, owner_id: str | None, client_id: str | None) -> list[str]:
    """Directors of the region of a member of staff, else of the client's branch."""
    region = repo.region_of_staff(tx, owner_id) if owner_id else None
    if region is None and client_id:
        region = repo.region_of_client(tx, client_id)
    return repo.directors(tx, region, owner_id) if region else []


def manager_of(tx: Tx, client_id: str) -> str | None:
    """The manager of a client."""
    return repo.manager_of(tx, client_id)


def page(
    tx: Tx, actor: Actor, limit: int, cursor: str | None, unread: bool = False
) -> Sequence[Notice]:
    """One's own notices, unread first, then newest first; one more than `limit` if more follow."""
    return repo.page(tx, actor, limit, cursor, unread)


def unread_count(tx: Tx, actor: Actor, most: int = 100) -> int:
    """How many of one's own notices are unread, counted up to `most`."""
    return repo.unread_count(tx, actor, most)


def mark_read(tx: Tx, actor: Actor, ids: Sequence[str] | None) -> int:
    """Mark one's own notices as read.

    Args:
        tx: the unit of work.
        actor: whose.
        ids: which; None means all. Other people's are left alone.

    Returns:
        How many were unread until now.
    """
    return repo.mark_read(tx, actor, ids)


def _add(
    tx: Tx,
    staff_id: str | None,
    user_id: str | None,
    kind: NoticeKind,
    subject: str,
    client_id: str | None,
    data: dict[str, Any] | None,
) -> None:
    tx.session.add(
        Notice(
            notice_id=new_id("notice", tx.at), staff_id=staff_id, user_id=user_id,
            kind=kind.value, subject=subject, client_id=client_id, data=data or {}, at=tx.at,
        )
    )  # fmt: skip
