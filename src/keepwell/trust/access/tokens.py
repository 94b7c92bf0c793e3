"""API tokens: shown once, kept as a digest, never holding more than their user does."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.frame.problem import NotAllowed, NotFound, Unprocessable
from keepwell.trust.access import repo
from keepwell.trust.access.identity import digest_of
from keepwell.trust.access.model import ApiToken, User
from keepwell.trust.access.policy import GRANTS, Actor, Permission, Role
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

LONGEST = timedelta(days=366)
PREFIX = "kw_"
_SHOWN = 9


@dataclass(frozen=True, slots=True)
class Made:
    """A new token.

    Attributes:
        token: its row.
        secret: what the program sends; shown now and never again.
    """

    token: ApiToken
    secret: str


def make(
    tx: Tx,
    actor: Actor,
    user: User,
    name: str,
    permissions: Collection[Permission],
    expires_at: datetime,
) -> Made:
    """Make a token for a user.

    Args:
        tx: unit of work.
        actor: who makes it.
        user: for whom.
        name: what it is for.
        permissions: what it may do, at most what its user may.
        expires_at: when it ends, at most a year ahead.

    Raises:
        Unprocessable: the end is past or too far away, or a permission is not the user's.
        NotAllowed: a token makes a token that may do more than itself.
    """
    if not tx.at < expires_at <= tx.at + LONGEST:
        raise Unprocessable("access.token-end", days=LONGEST.days)
    foreign = sorted(set(permissions) - GRANTS[Role(user.role)].permissions)
    if foreign or not permissions:
        raise Unprocessable("access.token-permissions", permissions=", ".join(foreign) or "–")
    if actor.user_id == user.user_id and not set(permissions) <= actor.permissions:
        raise NotAllowed("access.token-wider")
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        token_id=new_id("token", tx.at), user_id=user.user_id, name=name, prefix=secret[:_SHOWN],
        digest=digest_of(secret), permissions=sorted(p.value for p in set(permissions)),
        created_at=tx.at, expires_at=expires_at, revoked_at=None, used_at=None,
    )  # fmt: skip
    tx.session.add(token)
    tx.session.flush()
    record(
        tx, actor, EvidenceKind.TOKEN_CREATED, subject=token.token_id,
        data={"user_id": user.user_id, "permissions": token.permissions, "until": expires_at},
    )  # fmt: skip
    return Made(token, secret)


def revoke(tx: Tx, actor: Actor, token_id: str, user_id: str | None) -> None:
    """Revoke a token at once; one that is revoked already stays so.

    Args:
        tx: unit of work.
        actor: who does it.
        token_id: which.
        user_id: whose it must be; None: anybody's.

    Raises:
        NotFound: there is no such token.
    """
    token = repo.token(tx, token_id, user_id)
    if token is None:
        raise NotFound("access.token-unknown")
    if token.revoked_at is None:
        token.revoked_at = tx.at
        record(
            tx, actor, EvidenceKind.TOKEN_REVOKED, subject=token_id,
            data={"user_id": token.user_id},
        )  # fmt: skip


def listed(tx: Tx, user_id: str | None, limit: int, cursor: str | None) -> list[ApiToken]:
    """A page of tokens and one more, newest first.

    Args:
        tx: unit of work.
        user_id: whose; None: everybody's.
        limit: rows.
        cursor: of the page before.
    """
    order = [(ApiToken.token_id, True)]
    return list(tx.session.scalars(page_of(repo.tokens(user_id), order, [str], limit, cursor)))
