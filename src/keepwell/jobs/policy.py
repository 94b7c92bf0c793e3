"""Rules of jobs that need no database: when to try again, and what a failure is called."""

from __future__ import annotations

import re
import zlib
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from keepwell.core.errors import KeepwellError
from keepwell.jobs.registry import GiveUp, Retry

FIRST_PAUSE: Final = timedelta(seconds=4)
LONGEST_PAUSE: Final = timedelta(hours=1)
LONGEST_PAUSE_RECURRING: Final = timedelta(minutes=5)

_CODE = re.compile(r"^[a-z0-9][a-z0-9_.:-]{0,99}$")
# Administrator shut it down, crashed, starting up; connection exceptions.
_GONE = ("57P", "08")


def back_off(number: int, attempts: int, recurring: bool = False) -> timedelta:
    """How long a job waits after a failure: doubling, and spread by its number.

    Args:
        number: of the job; jobs that failed together come back apart, the same way each time.
        attempts: attempts that have ended, at least one.
        recurring: a recurring job waits five minutes at most, another an hour.
    """
    longest = LONGEST_PAUSE_RECURRING if recurring else LONGEST_PAUSE
    full: timedelta = min(FIRST_PAUSE * 2 ** min(attempts - 1, 20), longest)
    spread = zlib.crc32(f"{number}:{attempts}".encode()) / 2**32
    return full * (0.5 + spread / 2)


def error_name(error: BaseException) -> str:
    """Class and code of an error; its words, which may hold values, are left out."""
    name = type(error).__name__
    code = ""
    if isinstance(error, (KeepwellError, Retry, GiveUp)):
        code = error.code
    elif isinstance(error, DBAPIError):
        code = str(getattr(error.orig, "sqlstate", None) or "").lower()
    return f"{name}: {code}"[:200] if _CODE.match(code) else name[:200]


def database_gone(error: BaseException) -> bool:
    """Whether an error says that the database does not answer, rather than that it refused."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_GONE)
    # psycopg has no state for a server that cannot be reached; SQLite never has one.
    return type(error.orig).__module__.startswith("psycopg")


def failure(error: DBAPIError) -> str:
    """What the database or its driver said, in one line, for whoever starts the desk."""
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    # A name with several addresses has a heading and then a line for each.
    lines = [line for line in lines if not line.startswith("Multiple ")] or lines
    return (lines[0] if lines else type(error.orig).__name__)[:300].rstrip(".:")
