"""Errors of the monitors of sources."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "monitor.incident-unknown": "There is no open incident with number {number}.",
}
