"""Logging in and out by password; called in the thread for passwords, never in a transaction.

Each step is a short unit of work of its own, so that no hash is computed while a lock is held.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.problem import NotAuthenticated, Unprocessable
from keepwell.trust.access import repo, throttle
from keepwell.trust.access.identity import digest_of
from keepwell.trust.access.model import User, UserSession
from keepwell.trust.access.passwords import check_new, hash_password, verify
from keepwell.trust.access.policy import SYSTEM, Actor, Role
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was opened.

    Attributes:
        secret: the cookie's value; only its digest is kept.
        user_id: whose.
        must_change: whether the password must be changed first.
        expires_at: when it ends at the latest.
    """

    secret: str
    user_id: str
    must_change: bool
    expires_at: datetime


def log_in(frame: Frame, login: str, password: str, address: str, old: str | None = None) -> Opened:
    """Open a session.

    Args:
        frame: the desk.
        login: log-in name.
        password: as typed.
        address: where the request comes from.
        old: the cookie that came with it; its session ends, so that none is ever taken over.

    Raises:
        NotAuthenticated: name or password is wrong; it does not say which.
        TooMany: too many failures; there is a pause.
    """
    with frame.read() as tx:
        names = throttle.subjects(tx, login, address)
        throttle.check(tx, names)
        user = repo.by_login(tx, login)
        kept = user.password_hash if user is not None and _may_log_in(user) else None
    if not verify(kept, password):
        _count_failure(frame, names, user.user_id if user else None)
        raise NotAuthenticated("access.log-in-failed")
    secret = secrets.token_urlsafe(32)
    with frame.write() as tx:
        now = repo.user(tx, user.user_id, lock=True) if user else None
        if now is None or not _may_log_in(now) or now.password_hash != kept:
            raise NotAuthenticated("access.log-in-failed")
        if old:
            repo.end_session(tx, digest_of(old))
        throttle.succeeded(tx, names)
        expires = tx.at + timedelta(hours=frame.settings.session.hours)
        tx.session.add(
            UserSession(
                digest=digest_of(secret), user_id=now.user_id, created_at=tx.at, seen_at=tx.at,
                expires_at=expires,
            )
        )  # fmt: skip
        record(tx, SYSTEM, EvidenceKind.LOGIN_SUCCEEDED, subject=now.user_id)
        return Opened(secret, now.user_id, now.must_change, expires)


def _may_log_in(user: User) -> bool:
    return user.active and user.role != Role.INTEGRATION


def _count_failure(frame: Frame, names: tuple[str, str], user_id: str | None) -> None:
    for again in (True, False):
        try:
            with frame.write() as tx:
                throttle.failed(tx, names)
                record(tx, SYSTEM, EvidenceKind.LOGIN_FAILED, subject=user_id or "")
        except IntegrityError:
            # Two processes counted the first failure at once; the second try finds the row.
            if not again:
                raise
        else:
            return


def log_out(tx: Tx, actor: Actor, digest: bytes) -> None:
    """End the session that the request came with."""
    if repo.end_session(tx, digest):
        record(tx, actor, EvidenceKind.SESSION_ENDED, subject=actor.user_id, data={"sessions": 1})


def check_password(frame: Frame, login: str, kept: str | None, password: str, address: str) -> None:
    """Check the present password of somebody who is logged in; failures count as at the log-in.

    Raises:
        Unprocessable: it is wrong.
        TooMany: too many failures; there is a pause.
    """
    with frame.read() as tx:
        names = throttle.subjects(tx, login, address)
        throttle.check(tx, names)
    if not verify(kept, password):
        _count_failure(frame, names, None)
        raise Unprocessable("access.password-wrong")


def new_hash(frame: Frame, login: str, password: str) -> str:
    """Check and hash a new password.

    Raises:
        Unprocessable: it is too short, too long or too simple.
    """
    check_new(password, login, frame.settings.session.password_length)
    return hash_password(password)


def set_password(
    tx: Tx, actor: Actor, user: User, hashed: str, must_change: bool, but: bytes | None = None
) -> None:
    """Store a new password and end the user's sessions, except the one that changes it.

    Args:
        tx: unit of work.
        actor: who does it.
        user: whose password.
        hashed: `new_hash` of it.
        must_change: whether the user must change it at the next log-in.
        but: digest of the session that stays.
    """
    if user.role == Role.INTEGRATION:
        raise Unprocessable("access.password-none")
    user.password_hash = hashed
    user.must_change = must_change
    user.version += 1
    ended = repo.end_sessions(tx, user.user_id, but)
    record(
        tx, actor, EvidenceKind.PASSWORD_CHANGED, subject=user.user_id,
        data={"must_change": must_change, "sessions_ended": ended},
    )  # fmt: skip


def end_all(tx: Tx, actor: Actor, user_id: str) -> int:
    """End every session of a user; how many."""
    ended = repo.end_sessions(tx, user_id)
    record(tx, actor, EvidenceKind.SESSION_ENDED, subject=user_id, data={"sessions": ended})
    return ended
