"""Errors of the frame: settings, requests, paging."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "database.revision-old": (
        "The database is at revision {found}, this keepwell needs {needed}: run 'keepwell migrate'."
    ),
    "database.unreachable": "The database does not answer: {problem}.",
    "database.url-invalid": "{url!r} is not a database address: {problem}.",
    "page.form-invalid": "Look at the fields that are marked.",
    "request.body-invalid": "The request is not acceptable; see the list of errors.",
    "request.body-too-large": "The body is larger than {limit} MB.",
    "request.condition-missing": (
        "Send If-Match with the ETag you read, so that nobody's change is lost."
    ),
    "request.condition-stale": (
        "Somebody changed it since you read it: version {current}, yours {given}. Read it again."
    ),
    "request.cursor-invalid": "The cursor is not one of this list; begin again without it.",
    "request.failed": "Something went wrong here; quote request {request_id} to the administrator.",
    "request.key-conflict": "The Idempotency-Key {key!r} was used for another request.",
    "request.key-invalid": "An Idempotency-Key has 1 to 255 visible ASCII characters.",
    "request.method-unknown": "This address does not take that method.",
    "request.path-unknown": "There is nothing at this address.",
    "request.query-unknown": (
        "There is no query parameter {name!r}; nearest: {nearest}. Known here: {known}."
    ),
    "request.sort-unknown": "Cannot sort by {name!r}; nearest: {nearest}. Known: {known}.",
    "request.overloaded": "Too many requests at once; try again in {retry_after} s.",
    "request.unavailable": "The database does not answer; try again shortly.",
    "settings.key-unknown": (
        "{file}, line {line}: unknown setting {key!r}; nearest: {nearest}. Known here: {known}."
    ),
    "settings.value-invalid": (
        "{file}, line {line}: {key}: {value!r} is not acceptable; expected {expected}."
    ),
}
