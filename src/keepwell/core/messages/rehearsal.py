"""Errors of rehearsals."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "rehearsal.value-wrong": "{name} is {value}; expected: {expected}.",
}
