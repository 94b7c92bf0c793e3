"""Files for the browser: in memory, packed once, cached for ever by a digest of their content."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

PREFIX: Final = "/static/"

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Attributes:
        url: its address, with a digest of its content.
        media_type: for Content-Type.
        content: as it is.
        packed: the same by gzip.
    """

    url: str
    media_type: str
    content: bytes
    packed: bytes


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Every file under web/static that a browser may ask for, by its path there."""
    root = Path(str(files("keepwell").joinpath("web", "static")))
    found: dict[str, Asset] = {}
    for path in sorted(root.rglob("*")):
        media_type = _TYPES.get(path.suffix)
        if media_type is None:
            continue
        name = path.relative_to(root).as_posix()
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:12]
        url = f"{PREFIX}{digest}/{name}"
        found[name] = Asset(url, media_type, content, gzip.compress(content, 9, mtime=0))
    return found


def url_of(name: str) -> str:
    """The address of a file.

    Raises:
        KeyError: there is no such file.
    """
    return assets()[name].url


@lru_cache(maxsize=1)
def _by_url() -> dict[str, Asset]:
    return {asset.url: asset for asset in assets().values()}


async def serve_asset(request: Request) -> Response:
    """Answer a request for a file; an address with another digest is unknown."""
    asset = _by_url().get(request.url.path)
    if asset is None:
        return PlainTextResponse("no such file\n", 404)
    headers = {
        "Cache-Control": _FOR_EVER,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, 200, headers, asset.media_type)
    return Response(asset.content, 200, headers, asset.media_type)
