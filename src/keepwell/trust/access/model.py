"""Tables of access: staff and where they belong, users, sessions, tokens, idempotency keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from keepwell.frame.database import Base
from keepwell.frame.guard import only_grows
from keepwell.trust.access.policy import Role, Scope
from keepwell.trust.evidence.attest import vouch

_ROLES = ", ".join(f"'{role}'" for role in Role)
_SCOPES = ", ".join(f"'{scope}'" for scope in Scope)


class Region(Base):
    """A region: what a director answers for."""

    __tablename__ = "region"

    region_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int] = mapped_column(default=1)


class Branch(Base):
    """A branch of the broker."""

    __tablename__ = "branch"

    branch_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    region_id: Mapped[str | None] = mapped_column(ForeignKey("region.region_id"), index=True)
    version: Mapped[int] = mapped_column(default=1)


class Team(Base):
    """A team: what a lead answers for."""

    __tablename__ = "team"

    team_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    branch_id: Mapped[str | None] = mapped_column(ForeignKey("branch.branch_id"), index=True)
    version: Mapped[int] = mapped_column(default=1)


class Staff(Base):
    """A person who works for the broker, by the broker's own number; owns alerts and cases.

    Everybody whom the data name as manager or adviser is here, with or without a log-in.
    """

    __tablename__ = "staff"
    __table_args__ = (
        CheckConstraint(f"role in ({_ROLES})", name="role"),
        CheckConstraint("capacity >= 0", name="capacity"),
    )

    staff_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    team_id: Mapped[str | None] = mapped_column(ForeignKey("team.team_id"), index=True)
    branch_id: Mapped[str | None] = mapped_column(ForeignKey("branch.branch_id"), index=True)
    region_id: Mapped[str | None] = mapped_column(ForeignKey("region.region_id"), index=True)
    capacity: Mapped[int | None] = mapped_column()
    """New alerts a day; null means the setting's."""
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)


class User(Base):
    """A log-in."""

    __tablename__ = "app_user"
    __table_args__ = (
        CheckConstraint(f"role in ({_ROLES})", name="role"),
        CheckConstraint(f"scope in ({_SCOPES})", name="scope"),
        CheckConstraint("locale in ('en', 'zh')", name="locale"),
    )

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    login: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(16))
    scope: Mapped[str] = mapped_column(String(16))
    """The role's usual scope unless an administrator chose a narrower one."""
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff.staff_id"), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    """Argon2id; null: no log-in by password (integrations use tokens)."""
    must_change: Mapped[bool] = mapped_column(default=False)
    locale: Mapped[str] = mapped_column(String(2), default="en")
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column()


class UserSession(Base):
    """A log-in that is open; the cookie holds a random value of which only the digest is kept."""

    __tablename__ = "user_session"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("app_user.user_id"), index=True)
    created_at: Mapped[datetime] = mapped_column()
    seen_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column()


class LoginFailure(Base):
    """Failed log-ins, counted per login name and per address, to slow guessing down."""

    __tablename__ = "login_failure"

    subject: Mapped[str] = mapped_column(String(260), primary_key=True)
    """'login:<digest>' or 'address:<digest>', keyed with the desk's secret."""
    failures: Mapped[int] = mapped_column()
    last_at: Mapped[datetime] = mapped_column(index=True)
    locked_until: Mapped[datetime | None] = mapped_column()


class ApiToken(Base):
    """A token for programs: a visible prefix and the SHA-256 of the secret part."""

    __tablename__ = "api_token"

    token_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("app_user.user_id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(16))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    permissions: Mapped[list[Any]] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column()
    revoked_at: Mapped[datetime | None] = mapped_column()
    used_at: Mapped[datetime | None] = mapped_column()


class IdempotencyKey(Base):
    """The answer to a write that carried an Idempotency-Key, kept for a day."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("ix_idempotency_key_created_at", "created_at"),)

    user_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of method, path and body."""
    status: Mapped[int] = mapped_column()
    """0: the answer held a secret, which is not kept."""
    headers: Mapped[dict[str, Any]] = mapped_column()
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column()


class Unmasking(Base):
    """A person looked at a client's personal fields, and why."""

    __tablename__ = "unmasking"
    __table_args__ = (
        Index("ix_unmasking_client_id_at", "client_id", "at"),
        Index("ix_unmasking_at", "at", "unmasking_id"),
    )

    unmasking_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[str] = mapped_column(String(40), index=True)
    fields: Mapped[list[Any]] = mapped_column()
    reason: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime] = mapped_column()


vouch(Unmasking.__table__, ("client_id", "user_id", "fields", "reason", "at"))
only_grows(Unmasking.__table__)
