"""Passwords: Argon2id, one at a time, never inside a transaction."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from keepwell.frame.problem import TooMany, Unprocessable

Value = TypeVar("Value")

# OWASP's parameters for one lane: 19 MiB and two passes, some 50 ms.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
LONGEST = 128
MOST_WAITING = 64
_PLAIN = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is easily taken for another: i, l, o, 0, 1."""

_ONE_AT_A_TIME = Lock()
# A thread of its own: requests that wait for a hash must not hold the threads that serve others.
_LANE = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keepwell-password")
_waiting = 0
_nobody: list[str] = []


def hash_password(password: str) -> str:
    """The Argon2id hash to keep; takes some 50 ms."""
    with _ONE_AT_A_TIME:
        return _HASHER.hash(password)


def verify(kept: str | None, password: str) -> bool:
    """Whether a password is the one; takes as long when there is none to compare with.

    Args:
        kept: what `hash_password` gave; None for a user who does not exist or has no password.
        password: as given.
    """
    with _ONE_AT_A_TIME:
        if kept is None and not _nobody:
            _nobody.append(_HASHER.hash("nobody has this password"))
        try:
            return _HASHER.verify(kept or _nobody[0], password) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def check_new(password: str, login: str, shortest: int) -> None:
    """Refuse a new password that is too easily guessed.

    Args:
        password: the new one.
        login: of the user.
        shortest: least number of characters.

    Raises:
        Unprocessable: it is too short, too long, too simple or holds the log-in name.
    """
    if not shortest <= len(password) <= LONGEST:
        raise Unprocessable("access.password-length", shortest=shortest, longest=LONGEST)
    if len(set(password)) < 5 or login.lower() in password.lower():
        raise Unprocessable("access.password-weak")


def make_up(login: str, shortest: int) -> str:
    """A random password for somebody else to begin with: letters and digits that read alike to all.

    Args:
        login: of the user; the password does not hold it.
        shortest: least number of characters.
    """
    groups = max(4, -(-(shortest + 1) // 5))
    while True:
        made = "-".join("".join(secrets.choice(_PLAIN) for _ in range(4)) for _ in range(groups))
        with suppress(Unprocessable):
            check_new(made[:LONGEST], login, shortest)
            return made[:LONGEST]


async def in_lane(function: Callable[[], Value]) -> Value:
    """Run something that hashes in the one thread for it; other requests go on meanwhile.

    Raises:
        TooMany: too many are waiting already.
    """
    global _waiting
    if _waiting >= MOST_WAITING:
        raise TooMany("access.log-in-busy", retry_after=5)
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_LANE, function)
    finally:
        _waiting -= 1
