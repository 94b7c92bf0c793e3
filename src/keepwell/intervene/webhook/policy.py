"""Pure rules of webhooks: which events match, when to try again, how secrets are made."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from keepwell.frame.events import EventName

PING: Final = "webhook.ping"
"""Type of the message that a test sends."""

OLD_SECRET_VALID: Final = timedelta(hours=24)
"""So long after a rotation both secrets sign."""

RESPONSE_KEPT: Final = 2048
"""Characters of a response that are kept."""

DELAYS: Final = tuple(
    timedelta(seconds=s) for s in (5, 60, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600)
)
"""Pause after the first failure, the second, …; the last one repeats."""

RETRY_AFTER_MOST: Final = timedelta(hours=10)

_PATTERN = re.compile(r"\*|[a-z-]+\.(\*|[a-z-]+)")


class Fault(StrEnum):
    """What an attempt failed of."""

    ADDRESS = "address-refused"
    CONNECTION = "connection-failed"
    GONE = "gone"
    OFF = "endpoint-off"
    REDIRECT = "redirect-refused"
    STATUS = "status-bad"
    TIMEOUT = "timeout"
    UNKNOWN_HOST = "host-unknown"


def matches(patterns: list[str], event: str) -> bool:
    """Whether an event is among those wanted: `*`, `case.*` or its own name."""
    thing = event.split(".")[0]
    return any(p in ("*", f"{thing}.*", event) for p in patterns)


def pattern_known(pattern: str) -> bool:
    """Whether a pattern is well formed and some event matches it."""
    return bool(_PATTERN.fullmatch(pattern)) and any(matches([pattern], e) for e in EventName)


def known_patterns() -> list[str]:
    """All patterns that match something, for suggestions."""
    things = sorted({event.split(".")[0] for event in EventName})
    return ["*", *(f"{thing}.*" for thing in things), *EventName]


def delay(attempt: int, message_id: str) -> timedelta:
    """The pause after a failed attempt, up to a fifth longer or shorter.

    Args:
        attempt: 1 for the first of this run.
        message_id: spreads messages that failed together; the same message waits the same.
    """
    base = DELAYS[min(attempt, len(DELAYS)) - 1]
    digest = hashlib.sha256(f"{message_id}/{attempt}".encode()).digest()
    chance = int.from_bytes(digest[:4], "big") / 2**32
    return base * (0.8 + 0.4 * chance)


def retry_after(header: str | None) -> timedelta | None:
    """What a Retry-After header in seconds asks for, within bounds; None without a usable one."""
    if header is None or not re.fullmatch(r"[0-9]{1,7}", header.strip()):
        return None
    return min(timedelta(seconds=int(header)), RETRY_AFTER_MOST)


def derive_secret(desk_secret: bytes, endpoint_id: str, number: int) -> str:
    """The signing secret of an endpoint, as its owner gets it: `whsec_` and base 64.

    Args:
        desk_secret: only this desk knows it.
        endpoint_id: whose secret.
        number: 1 at first, one more with each rotation.
    """
    key = hmac.digest(desk_secret, f"webhook/{endpoint_id}/{number}".encode(), "sha256")
    return f"whsec_{base64.b64encode(key).decode()}"


def secret_numbers(number: int, rotated_at: datetime | None, at: datetime) -> list[int]:
    """The secrets that sign at an instant, newest first."""
    if number > 1 and rotated_at is not None and at < rotated_at + OLD_SECRET_VALID:
        return [number, number - 1]
    return [number]


def clean_response(body: bytes) -> str:
    """What of a response is kept: the first characters, without what a database refuses."""
    text = body[: 4 * RESPONSE_KEPT].decode("utf-8", "replace")
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", text)[:RESPONSE_KEPT]
