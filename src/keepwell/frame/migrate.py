"""The schema of the app database, by Alembic: one set of revisions for SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from keepwell.core.errors import UsageError
from keepwell.frame.context import Frame
from keepwell.frame.database import Database

FOLDER = Path(__file__).parent / "migrations"
_ONE = threading.Lock()
"""Alembic keeps its state in the module, so one thread at a time."""

_LOCK = 7_316_022_951
"""Number of the advisory lock that lets one process migrate at a time on PostgreSQL."""


def newest() -> str:
    """The revision that this keepwell needs."""
    head = ScriptDirectory(str(FOLDER)).get_current_head()
    assert head is not None
    return head


def found(database: Database) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(frame: Frame, to: str = "head") -> None:
    """Bring the database to a revision; two processes at once do it one after the other.

    Args:
        frame: whose database.
        to: 'head', 'base' or a revision.
    """
    database = frame.database
    if database.is_sqlite:
        file = database.url.database
        if file and file != ":memory:":
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    with _ONE, database.write_engine.connect() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql(f"select pg_advisory_lock({_LOCK})")
            connection.commit()
        try:
            _run(connection, to)
        finally:
            if not database.is_sqlite:
                connection.exec_driver_sql(f"select pg_advisory_unlock({_LOCK})")
                connection.commit()


def upgrade_within(connection: Connection, to: str) -> None:
    """Make the schema of a revision in a transaction that somebody else ends, on PostgreSQL.

    Args:
        connection: within a transaction, to a database without tables.
        to: the revision.
    """
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    with _ONE:
        command.upgrade(config, to)


def _run(connection: Connection, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    target = script.get_current_head() if to == "head" else to
    if current == target:
        return
    backwards = to == "base" or (current is not None and _is_before(script, to, current))
    (command.downgrade if backwards else command.upgrade)(config, to)


def _is_before(script: ScriptDirectory, revision: str, current: str) -> bool:
    if revision in ("head", current):
        return False
    return any(r.revision == revision for r in script.iterate_revisions(current, "base"))


def check(frame: Frame) -> None:
    """See that the database has the schema that this keepwell needs.

    Raises:
        UsageError: it is behind or ahead; 'keepwell migrate' brings it up.
    """
    at = found(frame.database)
    if at != newest():
        raise UsageError("database.revision-old", found=at or "–", needed=newest())


def tables(connection: Connection) -> dict[str, Any]:
    """Names of tables, their columns, indexes and checks, to compare schemas in tests."""
    seen = inspect(connection)
    return {
        name: {
            "columns": sorted((c["name"], c["nullable"]) for c in seen.get_columns(name)),
            "indexes": sorted(
                (str(i["name"]), tuple(i["column_names"]), bool(i["unique"]))
                for i in seen.get_indexes(name)
            ),
            "checks": sorted(str(c["name"]) for c in seen.get_check_constraints(name)),
            "foreign": sorted(
                (tuple(k["constrained_columns"]), k["referred_table"])
                for k in seen.get_foreign_keys(name)
            ),
            "key": tuple(seen.get_pk_constraint(name)["constrained_columns"]),
        }
        for name in seen.get_table_names()
        if name != "alembic_version"
    }
