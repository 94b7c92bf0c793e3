"""Jobs of alerts: the sweep over a generation in parts, the release, wake-ups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.paging import decode_cursor, encode_cursor
from keepwell.intervene.alert import release, service, tiers
from keepwell.jobs.registry import Lease, every, external, transactional
from keepwell.jobs.service import enqueue
from keepwell.learn.holdout import service as holdout

STRANDED: Final = timedelta(hours=1)
"""Alerts not decided for so long were left behind by a sweep that died."""


@external("alert.sweep", lease=600)
def sweep(frame: Frame, payload: dict[str, Any], lease: Lease) -> Callable[[Tx], None]:
    """Begin the sweep over a generation: nobody is warned about before the hold-out is drawn.

    The publication drew it already; this finds nobody left, unless rows came by another way.
    """
    number = int(payload["generation_id"])
    holdout.draw(frame, number, lease.renew)

    def go_on(tx: Tx) -> None:
        _next(tx, number, None)

    return go_on


@transactional("alert.sweep-part", lease=120)
def sweep_part(tx: Tx, payload: dict[str, Any]) -> None:
    """Look at some clients, then leave the next ones to the next job."""
    number = int(payload["generation_id"])
    if not service.is_current(tx, number):
        return  # a newer generation has its own sweep
    if not payload.get("rest"):
        after = payload.get("after")
        score, client = decode_cursor(after, [float, str]) if after else (0.0, "")
        at = tiers.sweep_part(tx, number, (float(score), client) if after else None)
        _next(tx, number, list(at) if at else None, rest=at is None)
    elif tiers.sweep_rest(tx, number):
        _next(tx, number, None, rest=True)
    else:
        _release(tx, tx.at)


def _next(tx: Tx, number: int, after: list[Any] | None, rest: bool = False) -> None:
    # Sealed: jobs are kept for a while, and a score must not stay in them (rule PI-4).
    place = encode_cursor(after) if after else None
    payload = {"generation_id": number, "after": place, "rest": rest}
    enqueue(tx, "alert.sweep-part", payload, key=f"alert.sweep:{number}:part")


@every("alert.release", seconds=60)
def release_all(tx: Tx, payload: dict[str, Any]) -> None:
    """Look whose ceiling has room: a new day has begun, or a capacity was raised."""
    del payload
    _release(tx, tx.at - STRANDED)


def _release(tx: Tx, since: datetime, after: str = "") -> None:
    found = release.owners(tx, since, after)
    for owner in found:
        payload = {"owner_id": owner, "since": since.isoformat()}
        enqueue(tx, "alert.release-for", payload, key=f"alert.release:{owner}")
    if len(found) == release.CHUNK:
        more = {"since": since.isoformat(), "after": found[-1]}
        enqueue(tx, "alert.release-more", more, key=f"alert.release-more:{found[-1]}")


@transactional("alert.release-more")
def release_more(tx: Tx, payload: dict[str, Any]) -> None:
    """Go on with the next managers."""
    _release(tx, datetime.fromisoformat(payload["since"]), str(payload["after"]))


@transactional("alert.release-for", lease=120)
def release_for(tx: Tx, payload: dict[str, Any]) -> None:
    """Release what one manager has room for."""
    owner = str(payload["owner_id"])
    if release.release_for(tx, owner, datetime.fromisoformat(payload["since"])):
        enqueue(tx, "alert.release-for", payload, key=f"alert.release:{owner}")


@transactional("alert.wake")
def wake(tx: Tx, payload: dict[str, Any]) -> None:
    """Wake an alert whose date has come, if it still sleeps."""
    service.wake_by_date(tx, str(payload["alert_id"]))
