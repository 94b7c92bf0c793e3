"""Which function does which kind of job, and what recurs.

A transactional handler works in the database only: its effect and the end of its job are one
transaction, so the effect happens exactly once whatever dies when. An external handler talks to
the outside first; it may be repeated, and what it returns is done with the end of the job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx

Payload = dict[str, Any]
Inside = Callable[[Tx, Payload], object]
Finish = Callable[[Tx], object]

LEASE = 30.0
"""Seconds after which a job whose worker is silent is given to another."""


class Lease(Protocol):
    """The hold of an external handler on its job."""

    @property
    def attempt(self) -> int:
        """Number of this attempt, from 1."""

    @property
    def last(self) -> bool:
        """Whether the job is dead if this attempt fails."""

    def renew(self) -> None:
        """Hold on for the full time again; what takes longer than the lease calls it on its way.

        Raises:
            LeaseLost: another worker has the job, or it was cancelled; stop at once.
        """


Outside = Callable[[Frame, Payload, Lease], "Finish | None"]
Function = TypeVar("Function", bound=Callable[..., Any])


class LeaseLost(Exception):
    """The job is no longer this worker's; nothing of the attempt is stored."""


class Retry(Exception):
    """Raised by a handler that knows when to try again.

    Args:
        after: how long to wait; default: the usual back-off.
        code: why, a code for the job's error column.
    """

    def __init__(self, after: timedelta | None = None, code: str = "retry") -> None:
        super().__init__(code)
        self.after = after
        self.code = code


class GiveUp(Exception):
    """Raised by a handler that will never succeed: the job is dead at once.

    Args:
        code: why, a code for the job's error column.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Handler:
    """What does a kind of job.

    Attributes:
        kind: which kind.
        function: the handler.
        external: whether it talks to the outside.
        lease: seconds a worker may be silent about one job.
    """

    kind: str
    function: Callable[..., Any]
    external: bool
    lease: float


@dataclass(frozen=True, slots=True)
class Recurring:
    """What is done again and again.

    Attributes:
        kind: which kind of job.
        seconds: every so many seconds; or
        cron: at the times of a cron expression, in the exchange's zone.
    """

    kind: str
    seconds: float | None
    cron: str | None


_HANDLERS: dict[str, Handler] = {}
_RECURRING: dict[str, Recurring] = {}


def transactional(kind: str, *, lease: float = LEASE) -> Callable[[Function], Function]:
    """Register a handler `(tx, payload)` whose effect is stored exactly once.

    Args:
        kind: kind of job, `<thing>.<verb>`.
        lease: longest time in seconds that it takes, with much to spare.
    """
    return _register(kind, external=False, lease=lease)


def external(kind: str, *, lease: float = LEASE) -> Callable[[Function], Function]:
    """Register a handler `(frame, payload, lease)` that talks to the outside, at least once.

    What it returns, `(tx) -> None` or None, runs in the transaction that ends the job.

    Args:
        kind: kind of job, `<thing>.<verb>`.
        lease: seconds after which another worker may try; longer work calls `lease.renew()`.
    """
    return _register(kind, external=True, lease=lease)


def every(
    kind: str,
    *,
    seconds: float | None = None,
    cron: str | None = None,
    external: bool = False,
    lease: float = LEASE,
) -> Callable[[Function], Function]:
    """Register recurring work; alone, or above one of the other decorators.

    At most one job of the kind is live. Ticks missed meanwhile collapse to the newest. The payload
    is {"tick": ISO instant}. A failed tick is tried again until it succeeds.

    Args:
        kind: kind of job, `<thing>.<verb>`.
        seconds: period, counted from the epoch.
        cron: five fields; in the zone of the exchange. Its first tick is the first after the
            desk's first start.
        external: whether the handler is an external one; transactional by default.
        lease: as for the others.

    Raises:
        ValueError: not exactly one of period and cron expression, or a wrong one.
    """
    if (seconds is None) == (cron is None) or (seconds is not None and seconds <= 0):
        raise ValueError(f"{kind}: give a period in seconds or a cron expression")
    if cron is not None:
        from croniter import croniter  # type: ignore[import-untyped]

        if not croniter.is_valid(cron):
            raise ValueError(f"{kind}: {cron!r} is not a cron expression")

    def register(function: Function) -> Function:
        known = _HANDLERS.get(kind)
        if known is None or known.function is not function:
            _register(kind, external=external, lease=lease)(function)
        _RECURRING[kind] = Recurring(kind, seconds, cron)
        return function

    return register


def _register(kind: str, *, external: bool, lease: float) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        known = _HANDLERS.get(kind)
        if known is not None and _name(known.function) != _name(function):
            raise ValueError(f"{kind} is done by {_name(known.function)} already")
        _HANDLERS[kind] = Handler(kind, function, external, lease)
        return function

    return register


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def forget(kind: str) -> None:
    """Take a handler out again; for tests."""
    _HANDLERS.pop(kind, None)
    _RECURRING.pop(kind, None)


def handler_of(kind: str) -> Handler | None:
    """Who does a kind of job; None when no room of this version does."""
    return _HANDLERS.get(kind)


def kinds() -> dict[str, str]:
    """Every kind of job that is registered, with the first line about its handler."""
    return {
        kind: (handler.function.__doc__ or "").strip().split("\n")[0]
        for kind, handler in _HANDLERS.items()
    }


def lane_of(kind: str) -> str:
    """In which lane jobs of a kind wait, so that a slow receiver never delays a timer."""
    known = _HANDLERS.get(kind)
    return "outside" if known is not None and known.external else "inside"


def long_leases() -> dict[str, float]:
    """Kinds whose lease is not the usual one."""
    return {h.kind: h.lease for h in _HANDLERS.values() if h.lease != LEASE}


def recurring() -> list[Recurring]:
    """All that recurs, by kind."""
    return [_RECURRING[kind] for kind in sorted(_RECURRING)]


def newest_tick(item: Recurring, now: datetime, zone: Any) -> datetime:
    """The newest tick that is not after now, UTC."""
    from datetime import UTC

    if item.seconds is not None:
        return datetime.fromtimestamp(now.timestamp() // item.seconds * item.seconds, UTC)
    from croniter import croniter

    local = now.astimezone(zone) + timedelta(microseconds=1)
    tick: datetime = croniter(item.cron, local).get_prev(datetime)
    return tick.astimezone(UTC)
