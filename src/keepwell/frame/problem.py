"""What a request that fails answers: one shape, RFC 9457 problem details, for the whole API.

Every error of the desk is a `RequestError`; its class says the HTTP status. Services raise them
without knowing about HTTP otherwise, and the command line prints their words like any other error.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, Field

from keepwell.core.errors import KeepwellError

MEDIA_TYPE = "application/problem+json"


class RequestError(KeepwellError):
    """A request that cannot be served; `status` is its HTTP status."""

    status: ClassVar[int] = 400

    @property
    def headers(self) -> dict[str, str]:
        """Further response headers."""
        return {}


class NotAuthenticated(RequestError):
    """Nobody is logged in, or the token is not valid."""

    status = 401

    @property
    def headers(self) -> dict[str, str]:
        """The challenge that HTTP asks for."""
        return {"WWW-Authenticate": "Bearer"}


class NotAllowed(RequestError):
    """The role or the token does not permit it, or a rule forbids it."""

    status = 403


class NotFound(RequestError):
    """There is no such thing, or it is not yours to see; the two look alike on purpose."""

    status = 404


class Conflict(RequestError):
    """It does not fit the present state."""

    status = 409


class Stale(RequestError):
    """Somebody changed it since it was read."""

    status = 412


class TooLarge(RequestError):
    """The body is too large."""

    status = 413


class Unprocessable(RequestError):
    """The request is well formed but its content is not acceptable."""

    status = 422


class ConditionMissing(RequestError):
    """The request must say which version it changes."""

    status = 428


class TooMany(RequestError):
    """Too many requests; `retry_after` (field, seconds) says when to come back."""

    status = 429

    @property
    def headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": str(self.fields.get("retry_after", 1))}


class Unavailable(RequestError):
    """A part that is needed does not answer."""

    status = 503

    @property
    def headers(self) -> dict[str, str]:
        """When to come back."""
        return {"Retry-After": "1"}


class Fault(BaseModel):
    """One thing wrong in a request.

    Attributes:
        where: place in the request, such as body.rows.3.amount.
        message: what is wrong with it.
    """

    where: str = Field(examples=["body.note"])
    message: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """RFC 9457 problem details.

    Attributes:
        type: stable name of the problem, urn:keepwell:problem:<code>.
        title: the status in words.
        status: HTTP status.
        detail: what happened, in the caller's language.
        code: the error's code, as listed in docs/reference/errors.md.
        request_id: number of the request in the logs.
        errors: the faults of a request that is not acceptable.
    """

    type: str = Field(examples=["urn:keepwell:problem:case.case-unknown"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no such case, or it is not yours to see."])
    code: str = Field(examples=["case.case-unknown"])
    request_id: str = Field(examples=["req_01kdvdna00fgzjsdqkfb56fv6q"])
    errors: list[Fault] = []


def problem(
    error: KeepwellError,
    request_id: str,
    locale: str | None = None,
    faults: list[Fault] | None = None,
) -> Problem:
    """The body for an error.

    Args:
        error: what happened; one that is no `RequestError` answers 400.
        request_id: number of the request.
        locale: 'en' or 'zh'; default: the current one.
        faults: single faults, for 422.
    """
    from http import HTTPStatus

    status = error.status if isinstance(error, RequestError) else 400
    fields: dict[str, Any] = {
        "type": f"urn:keepwell:problem:{error.code}", "title": HTTPStatus(status).phrase,
        "status": status, "detail": error.words(locale), "code": error.code,
        "request_id": request_id, "errors": faults or [],
    }  # fmt: skip
    return Problem(**fields)


def also(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an endpoint may answer besides what every endpoint may, for the API's description.

    Args:
        *statuses: among 409, 412, 413, 428, 429.
    """
    return {status: answer(_FURTHER[status]) for status in statuses}


def answer(words: str) -> dict[str, Any]:
    """A problem as an answer, for the API's description.

    The framework is not told the model: it would build a validator for each answer of each endpoint
    whenever an application is made, and none is ever used.

    Args:
        words: when it is answered.
    """
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": words, "content": {MEDIA_TYPE: schema, "application/json": schema}}


_FURTHER = {
    409: "It does not fit the present state.",
    412: "Somebody changed it since you read it.",
    413: "The body is too large.",
    428: "Send If-Match with the ETag you read.",
    429: "Too many requests; come back after Retry-After seconds.",
}
