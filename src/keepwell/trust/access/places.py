"""Where people belong: staff, teams, branches, regions."""

from __future__ import annotations

from typing import Any, Final

from keepwell.frame.database import Base, Tx
from keepwell.frame.paging import page_of
from keepwell.frame.problem import Conflict, NotFound, Unprocessable
from keepwell.trust.access import repo
from keepwell.trust.access.call import check_version
from keepwell.trust.access.model import Branch, Region, Staff, Team
from keepwell.trust.access.policy import Actor, Role
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

Place = Staff | Team | Branch | Region
KEYS: Final[dict[type[Base], str]] = {
    Staff: "staff_id", Team: "team_id", Branch: "branch_id", Region: "region_id",
}  # fmt: skip
"""Tables and the column of their number."""
_UP: Final[dict[str, type[Base]]] = {"team_id": Team, "branch_id": Branch, "region_id": Region}


def find(tx: Tx, table: type[Base], key: str, lock: bool = False) -> Any:
    """A staff member, team, branch or region; locked until the transaction ends, when wanted.

    Raises:
        NotFound: there is none of that number.
    """
    found = repo.row(tx, table, key, lock)
    if found is None:
        raise NotFound("access.place-unknown", what=KEYS[table], number=key)
    return found


def listed(tx: Tx, table: type[Base], limit: int, cursor: str | None, **filters: Any) -> list[Any]:
    """A page and one more, by number.

    Args:
        tx: unit of work.
        table: which kind.
        limit: rows.
        cursor: of the page before.
        **filters: column and value; None: any.
    """
    statement = repo.rows(table)
    for column, value in filters.items():
        if value is not None:
            statement = statement.where(getattr(table, column) == value)
    order = [(getattr(table, KEYS[table]), False)]
    return list(tx.session.scalars(page_of(statement, order, [str], limit, cursor)))


def create(tx: Tx, actor: Actor, table: type[Base], values: dict[str, Any]) -> Any:
    """Make one.

    Args:
        tx: unit of work.
        actor: who does it.
        table: which kind.
        values: its columns, the number among them.

    Raises:
        Conflict: there is one of that number.
        Unprocessable: it belongs to something that there is not.
    """
    key = values[KEYS[table]]
    if repo.row(tx, table, key) is not None:
        raise Conflict("access.place-taken", what=KEYS[table], number=key)
    _check(tx, table, values)
    made = table(**_plain(values), version=1)
    tx.session.add(made)
    tx.session.flush()
    _record(tx, actor, table, key, values, "created")
    return made


def change(
    tx: Tx, actor: Actor, table: type[Base], key: str, expected: int, changes: dict[str, Any]
) -> Any:
    """Change one; scopes follow from the next request on.

    Args:
        tx: unit of work.
        actor: who does it.
        table: which kind.
        key: its number.
        expected: the version that is changed.
        changes: columns and new values.

    Raises:
        NotFound: there is none.
        Stale: somebody else changed it.
        Unprocessable: it would belong to something that there is not.
    """
    found = find(tx, table, key, lock=True)
    check_version(found.version, expected)
    _check(tx, table, changes)
    for column, value in _plain(changes).items():
        setattr(found, column, value)
    found.version += 1
    tx.session.flush()
    _record(tx, actor, table, key, changes, "changed")
    return found


def _check(tx: Tx, table: type[Base], values: dict[str, Any]) -> None:
    for column, above in _UP.items():
        key = values.get(column)
        if key is not None and column != KEYS[table] and repo.row(tx, above, key) is None:
            raise Unprocessable("access.place-missing", what=column, number=key)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v.value if isinstance(v, Role) else v for k, v in values.items()}


def _record(
    tx: Tx, actor: Actor, table: type[Base], key: str, values: dict[str, Any], how: str
) -> None:
    # Names stay out: evidence holds codes and numbers.
    facts = {k: v for k, v in values.items() if k not in ("name", KEYS[table])}
    data = {"what": KEYS[table], "how": how, **facts}
    record(tx, actor, EvidenceKind.STAFF_CHANGED, subject=key, data=data)
