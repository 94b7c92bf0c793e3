"""Queries over users, staff, sessions, tokens, log-in failures and idempotency keys."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Select, bindparam, delete, select, update

from keepwell.frame.database import Tx
from keepwell.trust.access.model import (
    ApiToken,
    IdempotencyKey,
    LoginFailure,
    Staff,
    User,
    UserSession,
)
from keepwell.trust.access.policy import Role
from keepwell.trust.book.model import ClientGrant

_LENT = select(ClientGrant.staff_id).where(  # unscoped: whether there is any, not which
    ClientGrant.staff_id == User.staff_id
)
_WHO: tuple[Any, ...] = (
    User.user_id, User.login, User.name, User.role, User.scope, User.staff_id, User.locale,
    User.must_change, Staff.team_id, Staff.branch_id, Staff.region_id,
    _LENT.exists().label("lent"),
)  # fmt: skip

# Built once: these two run in every request, and building a statement costs more than running it.
_BY_TOKEN = (
    select(*_WHO, ApiToken.permissions, ApiToken.used_at.label("seen_at"))
    .join(ApiToken, ApiToken.user_id == User.user_id)
    .outerjoin(Staff, Staff.staff_id == User.staff_id)
    .where(
        ApiToken.digest == bindparam("digest"),
        ApiToken.expires_at > bindparam("at"),
        ApiToken.revoked_at.is_(None),
        User.active,
    )
)
_BY_SESSION = (
    select(*_WHO, UserSession.seen_at)
    .join(UserSession, UserSession.user_id == User.user_id)
    .outerjoin(Staff, Staff.staff_id == User.staff_id)
    .where(
        UserSession.digest == bindparam("digest"),
        UserSession.expires_at > bindparam("at"),
        UserSession.seen_at > bindparam("idle_since"),
        User.active,
    )
)


_BY_LOGIN = (
    select(*_WHO)
    .outerjoin(Staff, Staff.staff_id == User.staff_id)
    .where(User.login == bindparam("login"), User.active)
)


def by_token(tx: Tx, digest: bytes) -> Any:
    """User, place and token of a live token."""
    return _first(tx.rows(_BY_TOKEN, {"digest": digest, "at": tx.at}))


def by_session(tx: Tx, digest: bytes, idle: timedelta) -> Any:
    """User, place and session of a live session."""
    values = {"digest": digest, "at": tx.at, "idle_since": tx.at - idle}
    return _first(tx.rows(_BY_SESSION, values))


def _first(rows: Sequence[Any]) -> Any:
    return rows[0] if rows else None


def by_local_login(tx: Tx, login: str) -> Any:
    """User and place of an active log-in, for a call from this very process."""
    return tx.session.execute(_BY_LOGIN, {"login": login}).first()


def touch_session(tx: Tx, digest: bytes) -> None:
    """Note that a session was used now."""
    tx.session.execute(
        update(UserSession).where(UserSession.digest == digest).values(seen_at=tx.at)
    )


def touch_token(tx: Tx, digest: bytes) -> None:
    """Note that a token was used now."""
    tx.session.execute(update(ApiToken).where(ApiToken.digest == digest).values(used_at=tx.at))


def by_login(tx: Tx, login: str) -> User | None:
    """The user of a log-in name."""
    return tx.session.scalar(select(User).where(User.login == login))


def user(tx: Tx, user_id: str, lock: bool = False) -> User | None:
    """A user; locked against changes by others until the transaction ends, when wanted."""
    statement = select(User).where(User.user_id == user_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return tx.session.scalar(statement)


def logins(tx: Tx, user_ids: Collection[str]) -> dict[str, str]:
    """Log-in names by user id."""
    statement = select(User.user_id, User.login).where(User.user_id.in_(user_ids))
    return {row.user_id: row.login for row in tx.session.execute(statement)}


def by_staff(tx: Tx, staff_id: str) -> str | None:
    """Id of the user of a staff number."""
    return tx.session.scalar(select(User.user_id).where(User.staff_id == staff_id))


def users() -> Any:
    """All users with their staff rows."""
    return select(User, Staff).outerjoin(Staff, Staff.staff_id == User.staff_id)


def lock_admins(tx: Tx) -> list[str]:
    """Active administrators; nobody else can change one of them until the transaction ends."""
    statement = (
        select(User.user_id)
        .where(User.role == Role.ADMIN.value, User.active)
        .order_by(User.user_id)
        .with_for_update()
    )
    return list(tx.session.scalars(statement))


def row(tx: Tx, table: type[Any], key: str, lock: bool = False) -> Any:
    """A staff member, team, branch or region by its number, or None."""
    return tx.session.get(table, key, with_for_update=lock or None, populate_existing=lock)


def rows(table: type[Any]) -> Select[Any]:
    """All staff, teams, branches or regions."""
    return select(table)


def end_sessions(tx: Tx, user_id: str, but: bytes | None = None) -> int:
    """Delete the sessions of a user, except one; how many."""
    statement = delete(UserSession).where(UserSession.user_id == user_id)
    if but is not None:
        statement = statement.where(UserSession.digest != but)
    return _count(tx, statement)


def end_session(tx: Tx, digest: bytes) -> int:
    """Delete one session; how many there were."""
    return _count(tx, delete(UserSession).where(UserSession.digest == digest))


def token(tx: Tx, token_id: str, user_id: str | None) -> ApiToken | None:
    """A token, of one user when named."""
    statement = select(ApiToken).where(ApiToken.token_id == token_id)
    if user_id is not None:
        statement = statement.where(ApiToken.user_id == user_id)
    return tx.session.scalar(statement)


def tokens(user_id: str | None) -> Select[Any]:
    """Tokens that were not revoked, of one user when named."""
    statement = select(ApiToken).where(ApiToken.revoked_at.is_(None))
    return statement if user_id is None else statement.where(ApiToken.user_id == user_id)


def revoke_tokens(tx: Tx, user_id: str) -> int:
    """Revoke all tokens of a user; how many."""
    statement = (
        update(ApiToken)
        .where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=tx.at)
    )
    return _count(tx, statement)


def failures(tx: Tx, subjects: Sequence[str], lock: bool = False) -> dict[str, LoginFailure]:
    """Counted log-in failures by subject."""
    statement = select(LoginFailure).where(LoginFailure.subject.in_(subjects))
    if lock:
        statement = statement.order_by(LoginFailure.subject).with_for_update()
    return {found.subject: found for found in tx.session.scalars(statement)}


def forget_failures(tx: Tx, subject: str) -> None:
    """Count the failures of a subject anew."""
    tx.session.execute(delete(LoginFailure).where(LoginFailure.subject == subject))


def forget_answers(tx: Tx, client_id: str) -> None:
    """Empty the answers kept for Idempotency-Keys that tell of a client; the keys still count."""
    named = json.dumps(client_id, ensure_ascii=False)
    tx.session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.body.contains(named, autoescape=True))
        .values(status=0, headers={}, body="")
        .execution_options(synchronize_session=False)
    )


def key_of(tx: Tx, user_id: str, key: str) -> IdempotencyKey | None:
    """The answer kept under an idempotency key."""
    return tx.session.get(IdempotencyKey, (user_id, key))


def prune(tx: Tx, keys_before: datetime, failures_before: datetime, idle_before: datetime) -> int:
    """Delete idempotency keys, log-in failures and sessions that no longer count; how many."""
    over = (UserSession.expires_at < tx.at) | (UserSession.seen_at < idle_before)
    return sum(
        _count(tx, statement)
        for statement in (
            delete(IdempotencyKey).where(IdempotencyKey.created_at < keys_before),
            delete(LoginFailure).where(LoginFailure.last_at < failures_before),
            delete(UserSession).where(over),
        )
    )


def _count(tx: Tx, statement: Any) -> int:
    result = tx.session.execute(statement)
    return result.rowcount if isinstance(result, CursorResult) else 0
