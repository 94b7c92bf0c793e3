"""Errors of connectors, and why a cell that they read is set aside."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "source.address-missing": (
        "Source {source!r}: {where} holds no address of a database; an environment variable or a "
        "file of that name is expected."
    ),
    "source.address-wrong": (
        "Source {source!r}: what {where} holds is not an address of the form {form}."
    ),
    "source.database-failed": "Source {source!r}: the database says: {problem}.",
    "source.driver-missing": ("Source {source!r}: its driver is not installed; install {package}."),
    "source.option-unknown": (
        "Source {source!r}: there is no option {option!r}; nearest: {nearest}. Options: {known}."
    ),
    "source.option-wrong": "Source {source!r}, option {option!r}: expected: {expected}.",
    "source.sqlite-broken": "Source {source!r}: {file}: SQLite says: {problem}.",
}
