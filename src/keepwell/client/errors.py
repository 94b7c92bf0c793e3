"""Errors of a call to a desk: what the server said, or that it could not be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keepwell.core.errors import KeepwellError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a request.

    Attributes:
        where: place in the request, such as body.rows.3.amount.
        message: what is wrong with it.
    """

    where: str
    message: str


class DeskError(KeepwellError):
    """The desk refused a request or failed; `str(error)` is its own words.

    Args:
        status: HTTP status.
        code: stable code, as listed in docs/reference/errors.md.
        detail: what happened, in the language of the call.
        request_id: number of the request in the server's logs.
        errors: single faults of a request that is not acceptable.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        request_id: str = "",
        errors: tuple[Fault, ...] = (),
    ) -> None:
        # The server may know codes that this version does not: no look-up here.
        Exception.__init__(self, code)
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.errors = errors
        self.fields = {}

    def words(self, locale: str | None = None) -> str:  # noqa: ARG002
        """Each fault, or what the server said."""
        return "; ".join(f"{f.where}: {f.message}" for f in self.errors) or self.detail


class RequestRefused(DeskError):
    """The request was wrong: no such thing, not acceptable, not permitted (4xx)."""

    exit_code = 2


class ChangedMeanwhile(RequestRefused):
    """Somebody changed the thing since it was read (412): read it again and decide anew."""

    exit_code = 1


def error_of(status: int, body: Any, request_id: str) -> DeskError:
    """The error for an answer.

    Args:
        status: HTTP status.
        body: the problem document, or whatever came instead.
        request_id: of the header X-Request-ID.
    """
    given = body if isinstance(body, dict) else {}
    listed = given.get("errors")
    faults = tuple(
        Fault(str(f.get("where", "")), str(f.get("message", "")))
        for f in (listed if isinstance(listed, list) else [])
        if isinstance(f, dict)
    )
    kind = RequestRefused if 400 <= status < 500 else DeskError
    return (ChangedMeanwhile if status == 412 else kind)(
        status, str(given.get("code") or f"http.{status}"),
        str(given.get("detail") or f"HTTP {status}"),
        str(given.get("request_id") or request_id), faults,
    )  # fmt: skip
