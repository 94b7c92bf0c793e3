"""The app database: SQLite by default, PostgreSQL for several servers; one unit of work for both.

A session never crosses a function and never lives in a dependency: a sync endpoint that waits for
a pool slot held by its own dependency is a deadlock (FastAPI issue 3205). `read` and `write` are
the only ways in, and only they commit.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    JSON,
    URL,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Row,
    Select,
    TypeDecorator,
    create_engine,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

from keepwell.core.errors import UsageError

if TYPE_CHECKING:
    from keepwell.frame.context import Frame

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

PATIENCE: Final = 30.0
"""Seconds for which a busy writer of SQLite is waited for, not failed."""

LONG: Final = 0.02
"""Seconds after which a write transaction owes others a gap."""

GAP: Final = 0.004
"""Least seconds of the gap; who waits looks twice in that time."""

SHARE: Final = 0.25
"""The gap as a share of the time for which the lock was held: on a machine with more to do than
it can, who waits is not woken in time for a short one, and a busy worker would always be first."""

TURN: Final = 0.05
"""Seconds after which a job with much to do had better leave the rest to its next transaction."""

Json = JSON().with_variant(JSONB(), "postgresql")
"""Column type of JSON values on both databases."""


class Instant(TypeDecorator[datetime]):
    """A UTC instant: timestamptz on PostgreSQL, naive text on SQLite; always aware in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse instants without a zone; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        """Read SQLite's text in one step; lists have five instants in every row."""
        if dialect.name == "sqlite":
            return _from_text
        return super().result_processor(dialect, coltype)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Give UTC back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


class Base(DeclarativeBase):
    """Base of every table of the desk."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: Instant, dict[str, Any]: Json, list[Any]: Json}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class Tx:
    """One unit of work; every service function takes one as its first argument.

    Attributes:
        session: the SQLAlchemy session. Never commit, roll back or keep it.
        at: the instant of the transaction, UTC; all that it writes carries this time.
        frame: settings, calendar zone, secret.
        begun: when it began, by a clock that only measures.
    """

    session: Session
    at: datetime
    frame: Frame
    begun: float = field(default_factory=time.monotonic, repr=False, compare=False)

    @property
    def lasted(self) -> float:
        """Seconds since it began, by a clock that only measures."""
        return time.monotonic() - self.begun

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.frame.database.is_sqlite

    def rows(
        self, statement: Select[*tuple[Any, ...]], values: dict[str, Any]
    ) -> Sequence[Row[Any]]:
        """Rows of a select of columns, past the ORM, which would cost more than a small query.

        Args:
            statement: of columns; built once, with parameters.
            values: of the parameters.
        """
        self.session.flush()
        return self.session.connection().execute(statement, values).all()


def _parsed(url: str) -> URL:
    """The address, if it is one of SQLite or of PostgreSQL by psycopg 3."""
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername not in _DRIVERS:
            raise ArgumentError(f"{parsed.drivername}; expected sqlite or postgresql")
        parsed.get_dialect().import_dbapi()
    except (ArgumentError, ImportError, ValueError) as error:
        # The address may hold a password; this goes to screens and logs.
        hidden = re.sub(r"//.*@", "//***@", url)
        raise UsageError("database.url-invalid", url=hidden, problem=error) from None
    return parsed


_DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")


class Database:
    """The engine and its units of work.

    Args:
        url: SQLAlchemy URL; `postgresql://` means psycopg 3.
        pool: connections kept; threads beyond it wait.

    Raises:
        UsageError: the address cannot be read, or its driver is not installed.
    """

    def __init__(self, url: str, pool: int = 8) -> None:
        parsed = _parsed(url)
        self.url = parsed
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        options: dict[str, Any] = {
            "pool_size": pool, "max_overflow": 4, "pool_timeout": 10,
            "hide_parameters": True,  # errors are logged; values may be personal
        }  # fmt: skip
        if self.is_sqlite:
            # A busy writer is waited for, not failed: write transactions are short.
            options["connect_args"] = {"timeout": PATIENCE, "check_same_thread": False}
        else:
            options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}
        self.engine: Engine = create_engine(parsed, **options)
        if self.is_sqlite:
            _prepare_sqlite(self.engine)
        # Begins of a write take SQLite's lock at once instead of failing when they first write.
        self.write_engine = self.engine.execution_options(keepwell_write=True)
        self._shared = True

    def have_alone(self) -> None:
        """Work for one process that nobody waits for and that can make the database again.

        A long write leaves no gap for others, and SQLite does not wait for the disk: what was
        written may be lost in a power cut, but not when the process dies.
        """
        self._shared = False
        if self.is_sqlite:
            self.engine.dispose()

            @event.listens_for(self.engine, "connect")
            def _hurry(connection: Any, _record: Any) -> None:
                connection.execute("PRAGMA synchronous=OFF")

    @contextmanager
    def session(self, write: bool) -> Iterator[Session]:
        """A session in a transaction; committed at the end of a write, else rolled back."""
        with Session(
            self.write_engine if write else self.engine, expire_on_commit=False, autoflush=True
        ) as session:
            if not write:
                yield session
                return
            with session.begin():
                yield session

    @contextmanager
    def read(self, frame: Frame, at: datetime | None = None) -> Iterator[Tx]:
        """A unit of work that only reads; its snapshot is one."""
        with self.session(write=False) as session:
            yield Tx(session, at or frame.now(), frame)

    @contextmanager
    def write(self, frame: Frame, at: datetime | None = None) -> Iterator[Tx]:
        """A unit of work that commits when its block ends and rolls back when it raises."""
        with self.session(write=True) as session:
            tx = Tx(session, at or frame.now(), frame)
            yield tx
        if self.is_sqlite and self._shared and tx.lasted > LONG:
            # Who held the lock for long lets others have it first.
            time.sleep(min(TURN, max(GAP, tx.lasted * SHARE)))

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin or commit by itself
        cursor = connection.cursor()
        # FULL: what was acknowledged survives a power cut (design.md, section 7).
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000",
            "cache_size=-32000", "temp_store=MEMORY",
        ):  # fmt: skip
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        if connection.get_execution_options().get("keepwell_write"):
            _begin_write(connection.connection.driver_connection)
        else:
            connection.exec_driver_sql("BEGIN")


def _begin_write(connection: sqlite3.Connection) -> None:
    """Take SQLite's one lock for writing, asking every few milliseconds.

    SQLite itself waits longer and longer between two looks, up to 100 ms, and so misses the gaps
    that a busy worker leaves: an alert could wait for half a minute.
    """
    until = time.monotonic() + PATIENCE
    connection.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > until:
                    # SQLAlchemy wraps what a statement raises, not what a listener does.
                    raise OperationalError("BEGIN IMMEDIATE", None, error) from error
                time.sleep(GAP / 2)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout={int(PATIENCE * 1000)}")


Now = Callable[[], datetime]
"""Where the time comes from; tests give their own."""


def utc_now() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)
