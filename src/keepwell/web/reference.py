"""Pages of docs/reference about the desk, rendered from the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keepwell import rooms
from keepwell.core.text import tr


def permissions_page() -> str:
    """Permissions, roles and scopes."""
    from keepwell.trust.access.policy import GRANTS, PERMISSIONS, Permission, Role

    roles = list(Role)
    intro = (
        "A role is a set of permissions and one row scope; a token holds a subset of its user's "
        "permissions. Out of scope looks like not there: 404 or an empty list."
    )
    lines = ["# Permissions and roles", "", intro, ""]
    lines += ["| role | whose clients | personal fields at once |", "|---|---|---|"]
    lines += [
        f"| {role} | {GRANTS[role].scope} | {'yes' if GRANTS[role].unmasked else 'masked'} |"
        for role in roles
    ]
    heads = " | ".join(role.value for role in roles)
    lines += [
        "",
        f"| permission | meaning | 含义 | {heads} |",
        "|---|---|---|" + "---|" * len(roles),
    ]
    for permission in Permission:
        words = PERMISSIONS[permission]
        marks = " | ".join("x" if permission in GRANTS[r].permissions else "" for r in roles)
        lines.append(f"| `{permission}` | {words} | {tr(words, 'zh')} | {marks} |")
    return "\n".join(lines) + "\n"


def events_page() -> str:
    """Domain events, kinds of evidence, background jobs."""
    from keepwell.frame.events import TITLES, EventName
    from keepwell.jobs.registry import kinds
    from keepwell.trust.evidence.policy import TITLES as KIND_TITLES
    from keepwell.trust.evidence.policy import EvidenceKind

    rooms.load_all()
    lines = [
        "# Events, evidence, jobs", "", "## Events", "",
        "Webhooks subscribe to these; the rooms of the desk hear them within the transaction.", "",
        "| event | meaning | 含义 |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| `{e}` | {TITLES[e]} | {tr(TITLES[e], 'zh')} |" for e in EventName]
    lines += ["", "## Evidence", "", "Kinds of entries in the evidence log.", ""]
    lines += ["| kind | meaning | 含义 |", "|---|---|---|"]
    lines += [
        f"| `{kind}` | {KIND_TITLES[kind]} | {tr(KIND_TITLES[kind], 'zh')} |"
        for kind in EvidenceKind
    ]
    lines += ["", "## Jobs", "", "Kinds of background jobs.", ""]
    lines += ["| kind | what it does |", "|---|---|"]
    lines += [f"| `{kind}` | {words} |" for kind, words in sorted(kinds().items())]
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """Every endpoint of the API with its permission."""
    intro = (
        "All under `/api/v1`; the whole description with schemas and examples is "
        "`/api/v1/openapi.json`. Errors are problem+json (RFC 9457) with a `code` from "
        "[the list](errors.md). Lists come in pages: pass `next` back as `cursor`. Changes want "
        "`If-Match` with the ETag read; writes take an `Idempotency-Key`, kept for a day. "
        "`Accept-Language: zh` gives Chinese words."
    )
    lines = ["# API", "", intro]
    groups: dict[str, list[str]] = {}
    for method, path, permission, route in endpoints():
        tag = str(route.tags[0]) if route.tags else "other"
        what = " ".join((route.summary or route.name).split())
        shown = f"`{permission}`" if permission else "–"
        groups.setdefault(tag, []).append(f"| `{method} {path}` | {shown} | {what} |")
    for tag in sorted(groups):
        lines += ["", f"## {tag}", "", "| endpoint | permission | what it does |", "|---|---|---|"]
        lines += groups[tag]
    return "\n".join(lines) + "\n"


def endpoints() -> Iterator[tuple[str, str, str | None, Any]]:
    """Method, path, permission and route of each endpoint of the API, in their order.

    The route is as the application has it: with the tags of the routers that include its own.
    """
    from fastapi.routing import APIRoute, iter_route_contexts

    from keepwell.trust.access.call import guard
    from keepwell.web import operations

    rooms.load_all()
    for router in (*rooms.routers(), operations.router):
        for route in iter_route_contexts(router.routes):
            if not isinstance(route.original_route, APIRoute):
                continue
            allowed = guard(route.original_route)
            permission = allowed.permission if allowed is not None else None
            for method in sorted(route.methods or ()):
                yield method, str(route.path), permission, route
