"""Errors of what is told about one client."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "context.indicator-unknown": "There is no indicator {id!r}; nearest: {nearest}.",
    "context.lineage-banded": "Your role sees no numbers behind a client's reasons.",
    "context.lineage-busy": "Others trace scores just now; try again in a moment.",
    "context.lineage-gone": (
        "Data version {manifest}, which the score was made from, cannot be read: {why}"
    ),
    "context.lineage-scoreless": "The client has no score; nothing rests on anything.",
}
