"""Users: made, changed and switched off by administrators, here or on the command line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.trust.access import repo
from keepwell.trust.access.call import check_version
from keepwell.trust.access.model import Staff, User
from keepwell.trust.access.policy import GRANTS, Actor, Role, Scope, needs_staff, within
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record


@dataclass(frozen=True, slots=True)
class Person:
    """A user with the place that the broker gives them.

    Attributes:
        user: the log-in.
        staff: the broker's row of the person, if they have one.
    """

    user: User
    staff: Staff | None


def find(tx: Tx, user_id: str) -> Person:
    """A user.

    Raises:
        NotFound: there is none.
    """
    user = repo.user(tx, user_id)
    if user is None:
        raise NotFound("access.user-unknown")
    return _person(tx, user)


def find_login(tx: Tx, login: str) -> Person:
    """The user of a log-in name.

    Raises:
        NotFound: there is none.
    """
    user = repo.by_login(tx, login)
    if user is None:
        raise NotFound("access.user-unknown")
    return _person(tx, user)


def listed(
    tx: Tx,
    limit: int,
    cursor: str | None,
    role: Role | None = None,
    active: bool | None = None,
    search: str | None = None,
) -> list[Person]:
    """A page of users and one more, by log-in name.

    Args:
        tx: unit of work.
        limit: rows.
        cursor: of the page before.
        role: only this one.
        active: only those who may, or may not, log in.
        search: beginning of the log-in name or of the name.
    """
    statement = repo.users()
    if role is not None:
        statement = statement.where(User.role == role.value)
    if active is not None:
        statement = statement.where(User.active.is_(active))
    if search:
        statement = statement.where(
            or_(
                User.login.startswith(search, autoescape=True),
                User.name.startswith(search, autoescape=True),
            )
        )
    paged = page_of(statement, [(User.login, False)], [str], limit, cursor)
    return [Person(user, staff) for user, staff in tx.session.execute(paged)]


def create(
    tx: Tx,
    actor: Actor,
    *,
    login: str,
    name: str,
    role: Role,
    scope: Scope | None = None,
    staff_id: str | None = None,
    locale: str = "en",
    password_hash: str | None = None,
    must_change: bool = True,
) -> Person:
    """Make a user.

    Args:
        tx: unit of work.
        actor: who does it.
        login: log-in name, lower case.
        name: of the person.
        role: what they are.
        scope: whose clients they see; default: the role's.
        staff_id: the broker's own number of the person.
        locale: 'en' or 'zh'.
        password_hash: `sessions.new_hash` of a first password.
        must_change: whether that password must be changed at the first log-in.

    Raises:
        Conflict: the log-in name or the staff number has a user already.
        Unprocessable: role, scope and place do not fit each other.
    """
    if repo.by_login(tx, login) is not None:
        raise Conflict("access.login-taken", login=login)
    if role is Role.INTEGRATION and password_hash is not None:
        raise Unprocessable("access.password-none")
    user = User(
        user_id=new_id("user", tx.at), login=login, name=name, role=role.value,
        scope=(scope or GRANTS[role].scope).value, staff_id=staff_id, locale=locale,
        password_hash=password_hash, must_change=must_change and password_hash is not None,
        active=True, version=1, created_at=tx.at,
    )  # fmt: skip
    person = _fitting(tx, user)
    tx.session.add(user)
    tx.session.flush()
    record(tx, actor, EvidenceKind.USER_CREATED, subject=user.user_id, data=_facts(user))
    return person


def change(tx: Tx, actor: Actor, user_id: str, expected: int, changes: dict[str, Any]) -> Person:
    """Change a user; it holds from their next request on.

    A new role brings its usual scope unless one is given. Switching a user off ends their
    sessions and revokes their tokens.

    Args:
        tx: unit of work.
        actor: who does it.
        user_id: whom.
        expected: the version that is changed.
        changes: among name, role, scope, staff_id, locale, active.

    Raises:
        NotFound: there is no such user.
        Stale: somebody else changed them.
        Conflict: nobody would be left to administer, or the staff number has a user already.
        Unprocessable: role, scope and place do not fit each other.
    """
    admins = repo.lock_admins(tx)
    user = repo.user(tx, user_id, lock=True)
    if user is None:
        raise NotFound("access.user-unknown")
    check_version(user.version, expected)
    was = _facts(user)
    if "role" in changes and "scope" not in changes:
        changes = {**changes, "scope": GRANTS[Role(changes["role"])].scope}
    for field, value in changes.items():
        setattr(user, field, value.value if isinstance(value, (Role, Scope)) else value)
    if admins == [user_id] and not (user.active and user.role == Role.ADMIN):
        raise Conflict("access.admin-last")
    person = _fitting(tx, user)
    if Role(user.role) is Role.INTEGRATION:
        user.password_hash = None
    facts = {k: v for k, v in _facts(user).items() if v != was[k]}
    user.version += 1
    if facts.get("active") is False:
        facts["sessions_ended"] = repo.end_sessions(tx, user_id)
        facts["tokens_revoked"] = repo.revoke_tokens(tx, user_id)
        record(tx, actor, EvidenceKind.USER_DISABLED, subject=user_id, data=facts)
    else:
        record(tx, actor, EvidenceKind.USER_CHANGED, subject=user_id, data=facts)
    tx.session.flush()
    return person


def logins(tx: Tx, user_ids: Collection[str]) -> dict[str, str]:
    """Log-in names by user id, for lists that name users.

    Args:
        tx: unit of work.
        user_ids: of users; those that there are not are left out.
    """
    return repo.logins(tx, set(user_ids))


def set_locale(tx: Tx, user_id: str, locale: str) -> None:
    """Choose a user's language; a preference, so neither version nor evidence say it.

    Args:
        tx: a writing unit of work.
        user_id: whose.
        locale: 'en' or 'zh'.

    Raises:
        NotFound: there is no such user.
    """
    find(tx, user_id).user.locale = locale


def _fitting(tx: Tx, user: User) -> Person:
    role, scope = Role(user.role), Scope(user.scope)
    if not within(scope, role):
        raise Unprocessable("access.scope-wider", scope=scope.value, role=role.value)
    with tx.session.no_autoflush:
        person = _person(tx, user)
        if user.staff_id is not None and person.staff is None:
            raise Unprocessable("access.staff-unknown", staff_id=user.staff_id)
        if user.staff_id is None and needs_staff(scope):
            raise Unprocessable("access.staff-needed", scope=scope.value)
        other = repo.by_staff(tx, user.staff_id) if user.staff_id else None
        if other is not None and other != user.user_id:
            raise Conflict("access.staff-taken", staff_id=user.staff_id)
    return person


def _person(tx: Tx, user: User) -> Person:
    staff = repo.row(tx, Staff, user.staff_id) if user.staff_id else None
    return Person(user, staff)


def _facts(user: User) -> dict[str, Any]:
    return {
        "role": user.role, "scope": user.scope, "staff_id": user.staff_id, "active": user.active,
        "locale": user.locale,
    }  # fmt: skip
