"""Slowing down guesses of passwords: pauses that double, per log-in name and per address.

Nobody is locked out for ever: a pause is at most fifteen minutes, attempts during a pause count
for nothing, and an hour without a failure clears the count.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from keepwell.frame.database import Tx
from keepwell.frame.problem import TooMany
from keepwell.trust.access import repo
from keepwell.trust.access.model import LoginFailure

FORGOTTEN_AFTER = timedelta(hours=1)
LONGEST_PAUSE = timedelta(minutes=15)


def pause_after(failures: int, attempts: int, first: timedelta) -> timedelta | None:
    """How long to wait after so many failures; None: not at all.

    Args:
        failures: in a row.
        attempts: free ones.
        first: the first pause.

    Example:
        >>> [str(pause_after(n, 5, timedelta(seconds=30))) for n in (4, 5, 6, 99)]
        ['None', '0:00:30', '0:01:00', '0:15:00']
    """
    if failures < attempts:
        return None
    doubled: int = 2 ** min(failures - attempts, 20)
    return min(first * doubled, LONGEST_PAUSE)


def subjects(tx: Tx, login: str, address: str) -> tuple[str, str]:
    """What is counted for a log-in name and an address; neither can be read from it."""
    return _digest(tx, "login", login), _digest(tx, "address", _network(address))


def check(tx: Tx, names: tuple[str, str]) -> None:
    """Refuse an attempt during a pause.

    Raises:
        TooMany: wait until the pause is over.
    """
    ends = [f.locked_until for f in repo.failures(tx, names).values() if f.locked_until]
    until = max(ends, default=tx.at)
    if until > tx.at:
        seconds = math.ceil((until - tx.at).total_seconds())
        raise TooMany("access.log-in-paused", retry_after=seconds, seconds=seconds)


def failed(tx: Tx, names: tuple[str, str]) -> None:
    """Count a failure for both."""
    settings = tx.frame.settings.session
    known = repo.failures(tx, names, lock=True)
    first = timedelta(seconds=settings.pause_seconds)
    for name, attempts in zip(names, (settings.attempts, settings.address_attempts), strict=True):
        row = known.get(name)
        if row is None:
            row = LoginFailure(subject=name, failures=0, last_at=tx.at)
            tx.session.add(row)
        elif _is_over(row, tx.at):
            row.failures = 0
        row.failures += 1
        row.last_at = tx.at
        pause = pause_after(row.failures, attempts, first)
        row.locked_until = None if pause is None else tx.at + pause
    tx.session.flush()


def succeeded(tx: Tx, names: tuple[str, str]) -> None:
    """Clear the count of the log-in name; the address may go on guessing other names."""
    repo.forget_failures(tx, names[0])


def _is_over(row: LoginFailure, at: datetime) -> bool:
    return row.last_at < at - FORGOTTEN_AFTER


def _digest(tx: Tx, kind: str, text: str) -> str:
    key = hmac.new(tx.frame.secret, f"{kind}:{text}".encode(), hashlib.sha256)
    return f"{kind}:{key.hexdigest()}"


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):  # one customer has a whole /64
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return address
