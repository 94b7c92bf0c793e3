"""Triggers that keep what was written as it was written, on both databases.

They stop mistakes and careless hands. Whoever may drop a trigger can still change rows; the audit
of the evidence log (`trust.evidence.audit`) is what finds that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import DDL, Table, event

SAYS: Final = "the record only grows"

GUARDS: Final[list[tuple[str, str, str]]] = []
"""(dialect, table, DDL) of the triggers, in order; `create_all` runs them, and so do migrations."""

UNGUARDS: Final[list[tuple[str, str, str]]] = []
"""(dialect, table, DDL) that removes the guards, for the way down of a migration and for tests."""


def only_grows(
    table: Any, free: Collection[str] = (), keys: Mapping[str, Collection[str]] | None = None
) -> None:
    """Refuse to delete rows of a table, and to change what was written.

    Args:
        table: `__table__` of a model.
        free: columns that may change all the same.
        keys: JSON column to those of its keys that may change all the same.
    """
    assert isinstance(table, Table)
    frozen = [column.name for column in table.columns if column.name not in free]
    every = not free and not keys
    for dialect, statement in (
        *(("sqlite", s) for s in _sqlite(table.name, frozen, keys or {}, every)),
        *(("postgresql", s) for s in _postgresql(table.name, frozen, keys or {}, every)),
    ):
        GUARDS.append((dialect, table.name, statement))
        ddl = DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", ddl)
    UNGUARDS.extend(
        ("sqlite", table.name, f"DROP TRIGGER IF EXISTS {table.name}_no_{verb}")
        for verb in ("update", "delete")
    )
    drop = f"DROP FUNCTION IF EXISTS {table.name}_guard() CASCADE"
    UNGUARDS.append(("postgresql", table.name, drop))


def _sqlite(
    table: str, frozen: list[str], keys: Mapping[str, Collection[str]], every: bool
) -> list[str]:
    def value(row: str, column: str) -> str:
        paths = "".join(f", '$.{key}'" for key in keys.get(column, ()))
        return f'json_remove({row}."{column}"{paths})' if paths else f'{row}."{column}"'

    same = " AND ".join(f"{value('OLD', c)} IS {value('NEW', c)}" for c in frozen)
    when = "" if every else f"WHEN NOT ({same}) "
    body = f"BEGIN SELECT RAISE(ABORT, '{SAYS}'); END"
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {when}{body}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {body}",
    ]


def _postgresql(
    table: str, frozen: list[str], keys: Mapping[str, Collection[str]], every: bool
) -> list[str]:
    def value(row: str, column: str) -> str:
        return f'({row}."{column}"' + "".join(f" - '{k}'" for k in keys.get(column, ())) + ")"

    same = " AND ".join(f"{value('OLD', c)} IS NOT DISTINCT FROM {value('NEW', c)}" for c in frozen)
    when = "" if every else f"WHEN (NOT ({same})) "
    body = f"'BEGIN RAISE EXCEPTION ''{SAYS}''; END'"
    call = f"EXECUTE FUNCTION {table}_guard()"
    made = f"CREATE TRIGGER {table}_guard"
    return [
        f"CREATE OR REPLACE FUNCTION {table}_guard() RETURNS trigger LANGUAGE plpgsql AS {body}",
        f"{made} BEFORE UPDATE ON {table} FOR EACH ROW {when}{call}",
        f"{made}_del BEFORE DELETE ON {table} FOR EACH ROW {call}",
        f"{made}_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {call}",
    ]
