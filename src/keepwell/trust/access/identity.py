"""Who calls: by bearer token or by session cookie, in one query."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request

from keepwell.frame.database import Tx
from keepwell.frame.problem import NotAllowed, NotAuthenticated
from keepwell.trust.access import repo
from keepwell.trust.access.policy import GRANTS, Actor, Permission, Role, Scope

TOUCH_AFTER = timedelta(minutes=1)
LOCAL_LOGIN = "keepwell.login"
"""Key of the ASGI scope under which this very process says as whom it calls (`web.local`).

Nothing that comes over a network can set it: a server makes the scope.
"""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls and how they proved it.

    Attributes:
        actor: who.
        login: log-in name.
        digest: of the token or of the session's cookie.
        must_change: whether the password must be changed before anything else.
        seen_at: when the token or session was last noted to be used.
    """

    actor: Actor
    login: str
    digest: bytes
    must_change: bool
    seen_at: datetime | None

    def is_due(self, at: datetime) -> bool:
        """Whether the use is to be noted: once a minute, not with every request."""
        return self.seen_at is None or at - self.seen_at >= TOUCH_AFTER

    def touch(self, tx: Tx) -> None:
        """Note the use."""
        if self.actor.via == "token":
            repo.touch_token(tx, self.digest)
        else:
            repo.touch_session(tx, self.digest)


def identify(tx: Tx, request: Request) -> Identity:
    """Who calls: by bearer token if there is one, else by session cookie.

    Raises:
        NotAuthenticated: nobody, or no longer.
        NotAllowed: a browser was made to send the request by another site.
    """
    if LOCAL_LOGIN in request.scope:
        return _local(tx, request.scope[LOCAL_LOGIN])
    given = request.headers.get("authorization")
    if given is not None:
        scheme, _, secret = given.partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise NotAuthenticated("access.log-in-needed")
        digest = digest_of(secret.strip())
        found = repo.by_token(tx, digest)
        if found is None:
            raise NotAuthenticated("access.token-invalid")
        actor = _actor(found, found.permissions)
    else:
        settings = tx.frame.settings.session
        value = request.cookies.get(cookie_name(settings.secure))
        if not value:
            raise NotAuthenticated("access.log-in-needed")
        digest = digest_of(value)
        found = repo.by_session(tx, digest, timedelta(minutes=settings.idle_minutes))
        if found is None:
            raise NotAuthenticated("access.session-over")
        refuse_other_sites(request)
        actor = _actor(found, None)
    return Identity(actor, found.login, digest, found.must_change, found.seen_at)


def _local(tx: Tx, login: str) -> Identity:
    found = repo.by_local_login(tx, login)
    if found is None:
        raise NotAuthenticated("access.login-unknown", login=login)
    actor = replace(_actor(found, None), via="local")
    return Identity(actor, found.login, b"", False, tx.at)


def refuse_other_sites(request: Request) -> None:
    """Stop forged requests: browsers say which site makes them, other programs say nothing.

    Raises:
        NotAllowed: another site makes a request that changes something.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        allowed = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise NotAllowed("access.site-foreign")


def digest_of(secret: str) -> bytes:
    """What is kept of a token or cookie."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def cookie_name(secure: bool) -> str:
    """Name of the session cookie; `__Host-` lets no other host or path set it."""
    return "__Host-keepwell" if secure else "keepwell"


def _actor(found: Any, chosen: Sequence[str] | None) -> Actor:
    role = Role(found.role)
    grant = GRANTS[role]
    permissions: frozenset[Permission] = grant.permissions
    if chosen is not None:
        # A token never holds more than its user does now, whatever it was made with.
        permissions = frozenset(p for p in permissions if p.value in chosen)
    return Actor(
        found.user_id, found.name, role, Scope(found.scope), permissions, found.staff_id,
        found.team_id, found.branch_id, found.region_id,
        "session" if chosen is None else "token", grant.unmasked, found.locale, bool(found.lent),
    )  # fmt: skip
