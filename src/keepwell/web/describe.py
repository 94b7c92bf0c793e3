"""What the framework does not tell about endpoints by itself: headers, problems, methods at a path.

`Call` reads the headers for every endpoint alike, so the description adds them in one place.
"""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from keepwell.frame.problem import Problem
from keepwell.trust.access.call import guard

_TEXT: Final = r"^[\x20-\x7e]+$"
KEY: Final[dict[str, Any]] = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "description": "Repeats of the same request with the same key, within 24 hours, have one"
    " effect and get one answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": _TEXT},
    "example": "0d9f6c1e-2f0e-4a59-9d0c-6c3c3b0a7a11",
}  # fmt: skip
MATCH: Final[dict[str, Any]] = {
    "name": "If-Match", "in": "header", "required": True,
    "description": "The ETag that you read; if somebody has changed it since, the answer is 412.",
    "schema": {"type": "string", "pattern": r'^(W/)?"?[0-9]{1,9}"?$', "maxLength": 20},
    "example": '"1"',
}  # fmt: skip
NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that you have; if nothing has changed, the answer is 304.",
    "schema": {"type": "string", "pattern": _TEXT, "maxLength": 40},
}
_UNCHANGED: Final = {"description": "Nothing has changed since the ETag in If-None-Match."}

ONLY_IF_KNOWN: Final = frozenset({"change_clock_policy"})
"""Changes that also make what is not there yet, and then need no If-Match."""
ALWAYS_ANEW: Final = frozenset({"read_case", "read_clock", "read_exit", "read_webhook"})
"""Reads with an ETag whose content changes without a new version, so that there is no 304."""


def describe(app: FastAPI) -> None:
    """Have the description of the API name the headers that endpoints take, and what a problem is.

    Args:
        app: with all its endpoints.
    """
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _add_headers(app, document)
            _add_problem(document)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _add_headers(app: FastAPI, document: dict[str, Any]) -> None:
    guarded = {
        (method.lower(), context.path)
        for context in iter_route_contexts(app.routes)
        if guard(context.original_route) is not None
        for method in context.methods or ()
    }
    paths = document["paths"]
    changed = {
        path for path, item in paths.items() if any("412" in o["responses"] for o in item.values())
    }
    for path, item in paths.items():
        for method, operation in item.items():
            if (method, path) not in guarded:
                continue
            given = operation.setdefault("parameters", [])
            name = operation["operationId"]
            if method != "get":
                given.append(KEY)
            if "412" in operation["responses"]:
                given.append({**MATCH, "required": name not in ONLY_IF_KNOWN})
            # Below what is read, or at it, something changes it by its version.
            if method == "get" and name not in ALWAYS_ANEW and _is_versioned(path, changed):
                given.append(NONE_MATCH)
                operation["responses"]["304"] = _UNCHANGED
            if not given:
                del operation["parameters"]


def _add_problem(document: dict[str, Any]) -> None:
    problem = Problem.model_json_schema(
        ref_template="#/components/schemas/{model}", mode="serialization"
    )
    known = document["components"]["schemas"]
    known |= {**problem.pop("$defs"), "Problem": problem}
    document["components"]["schemas"] = dict(sorted(known.items()))


def _is_versioned(path: str, changed: set[str]) -> bool:
    """Whether a path leads to one thing that has a version."""
    one = path.endswith("}")
    return one and any(
        other == path or re.fullmatch(re.escape(path) + r"/[a-z-]+", other) for other in changed
    )


def methods_at(app: FastAPI, path: str) -> list[str]:
    """The methods that an address takes, in the order of the alphabet.

    Args:
        app: the application.
        path: of the request.
    """
    routes = [context for context in iter_route_contexts(app.routes) if context.path]
    # The first that fits is the address; what fits besides it is another one with a parameter.
    first = next((c.path for c in routes if compile_path(str(c.path))[0].match(path)), None)
    return sorted({method for c in routes if c.path == first for method in c.methods or ()})
