"""Templates to HTML: one environment, strict about names, with the reader's language in reach."""

from __future__ import annotations

import gzip
import json
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from keepwell.web.pages.assets import url_of

SMALLEST_PACKED: Final = 1_000
"""Bytes below which packing a page costs more than it spares."""

SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src-elem 'self'; "
        # Charts place their parts by style attributes; no text of people gets into one.
        "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Headers of every page: no script but our files, no other site's frame."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates under web/templates."""
    folder = str(files("keepwell").joinpath("web", "templates"))
    made = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    made.globals.update(asset=url_of, icon=icon, data_block=data_block)
    return made


@lru_cache(maxsize=500)
def icon(name: str, title: str = "") -> Markup:
    """An icon; with a title it says something, without it only decorates.

    Args:
        name: of a symbol in the icon file.
        title: what it means, in the reader's language.
    """
    place = f"{url_of('vendor/icons/tabler-icons.svg')}#{name}"
    if title:
        return Markup(
            '<svg class="icon" role="img" aria-label="{}"><title>{}</title><use href="{}"/></svg>'
        ).format(title, title, place)
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>').format(place)


def data_block(value: Any, kind: str) -> Markup:
    """Data for a script of ours, as a block that is never run.

    Args:
        value: JSON-safe.
        kind: the block's class, by which the script finds it.
    """
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = body.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup('<script type="application/json" class="{}">{}</script>').format(
        kind,
        Markup(safe),  # noqa: S704
    )


def html(template: str, context: dict[str, Any]) -> bytes:
    """A template filled in.

    Args:
        template: name under web/templates.
        context: what it needs; a name that is missing is an error.
    """
    return environment().get_template(template).render(context).encode()


def respond(
    request: Request, body: bytes, status: int = 200, ancestors: str = "'none'"
) -> Response:
    """A page as a response, packed where the browser takes it.

    Args:
        request: what is answered.
        body: the page.
        status: HTTP status.
        ancestors: sites that may show it in a frame, as the policy writes them.
    """
    headers = {name: value.format(ancestors=ancestors) for name, value in SECURITY.items()}
    headers["Vary"] = "Accept-Encoding, Cookie"
    if len(body) >= SMALLEST_PACKED and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, 4, mtime=0)
    return Response(body, status, headers, "text/html; charset=utf-8")
