"""One attempt to deliver a message: a signed POST through the guard, and what came of it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from httpcore2 import ConnectionPool, NetworkError, ProtocolError, TimeoutException
from standardwebhooks import Webhook

from keepwell.core.version import __version__
from keepwell.frame.settings import WebhookSettings
from keepwell.intervene.webhook.guard import (
    AddressRefused,
    GuardedBackend,
    HostUnknown,
    Resolver,
    resolve,
)
from keepwell.intervene.webhook.policy import RESPONSE_KEPT, Fault, clean_response, retry_after


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be sent.

    Attributes:
        url: where to.
        message_id: the webhook-id.
        body: the JSON.
        secrets: each signs; newest first.
    """

    url: str
    message_id: str
    body: str
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        status: HTTP status, if an answer came.
        fault: what failed; None when it arrived.
        milliseconds: how long it took.
        response: beginning of the answer's body.
        wait: what the receiver asked for by Retry-After.
    """

    status: int | None
    fault: Fault | None
    milliseconds: int
    response: str = ""
    wait: timedelta | None = None


def headers_of(parcel: Parcel, at: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks specification, signed at an instant (UTC)."""
    signed = [Webhook(s).sign(parcel.message_id, at, parcel.body) for s in parcel.secrets]
    return {
        "content-type": "application/json",
        "user-agent": f"keepwell/{__version__}",
        "webhook-id": parcel.message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def send(
    parcel: Parcel, at: datetime, settings: WebhookSettings, resolver: Resolver = resolve
) -> Outcome:
    """Try once. Redirects are not followed and no proxy is used: both would go round the guard.

    Args:
        parcel: what and where.
        at: instant of the signature.
        settings: the time limit, and whether private addresses are allowed.
        resolver: host and port to addresses.
    """
    begun = time.monotonic()
    status, wait, body, fault = None, None, b"", None
    try:
        status, wait, body = _post(parcel, at, settings, resolver)
        fault = _fault_of(status)
    except AddressRefused:
        fault = Fault.ADDRESS
    except HostUnknown:
        fault = Fault.UNKNOWN_HOST
    except TimeoutException:
        fault = Fault.TIMEOUT
    except (NetworkError, ProtocolError, OSError):
        fault = Fault.CONNECTION
    took = int((time.monotonic() - begun) * 1000)
    return Outcome(status, fault, took, clean_response(body), wait)


def _fault_of(status: int) -> Fault | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Fault.REDIRECT
    return Fault.GONE if status == 410 else Fault.STATUS


def _post(
    parcel: Parcel, at: datetime, settings: WebhookSettings, resolver: Resolver
) -> tuple[int, timedelta | None, bytes]:
    seconds = settings.timeout_seconds
    backend = GuardedBackend(seconds, settings.allow_private, resolver)
    content = parcel.body.encode()
    headers = [*headers_of(parcel, at).items(), ("content-length", str(len(content)))]
    limits = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    with (
        ConnectionPool(_tls(), network_backend=backend, http2=False) as pool,
        pool.stream(
            "POST", parcel.url, headers=headers, content=content, extensions={"timeout": limits}
        ) as response,
    ):
        found = {k.lower(): v for k, v in response.headers}
        asked = found.get(b"retry-after")
        body = b""
        try:
            for part in response.iter_stream():
                body += part
                if len(body) >= 4 * RESPONSE_KEPT:
                    break
        except (TimeoutException, NetworkError, ProtocolError):
            pass  # the status has come; the rest of the body decides nothing
        return response.status, retry_after(asked.decode("latin-1") if asked else None), body


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
