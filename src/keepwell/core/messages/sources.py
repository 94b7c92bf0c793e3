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
    "source.column-gone": (
        "Source {source!r}: column {column!r} ({expected}) is gone; there are: {columns}. Correct "
        "keepwell.yaml, or take the source as it is now with --accept-schema."
    ),
    "source.column-renamed": (
        "Source {source!r}: column {column!r} ({expected}) is gone, and {found!r} of the same type "
        "stands in its place. If it was renamed, say so in keepwell.yaml; or take the source as it "
        "is now with --accept-schema."
    ),
    "source.database-failed": "Source {source!r}: the database says: {problem}.",
    "source.driver-missing": ("Source {source!r}: its driver is not installed; install {package}."),
    "source.drop-format": (
        "Source {source!r}: a folder of drops holds files of a format read whole; {format} is not."
    ),
    "source.drop-unready": (
        "Source {source!r}: no file of {path} is complete yet: its marker is missing, or it was "
        "written to a moment ago."
    ),
    "source.encoding-unsure": (
        "Source {source!r}: {file}, line {row}: its encoding is not certain. It reads as "
        "{readings}. Write encoding: into keepwell.yaml."
    ),
    "source.excel-broken": "Source {source!r}: {file}: not readable as .xlsx: {problem}.",
    "source.excel-large": (
        "Source {source!r}: {file}: its part {part} would unpack to more than two gigabytes."
    ),
    "source.header-blank": (
        "Source {source!r}: {file}: column {column} has a value in row {row}, and no name in the "
        "header."
    ),
    "source.increment-type": (
        "Source {source!r}: column {column!r} cannot tell what is new: it is of type {type}; a "
        "whole number, text, a date or a time is expected."
    ),
    "source.increment-unsupported": (
        "Source {source!r}: increment is for databases; {format} is read whole. For a folder of "
        "daily files write format: drops."
    ),
    "source.mark-ahead": (
        "Source {source!r}: it was read up to {mark} and now has nothing from there on, only older "
        "rows. Was it restored, or numbered anew? Read it from the beginning with --whole."
    ),
    "source.option-unknown": (
        "Source {source!r}: there is no option {option!r}; nearest: {nearest}. Options: {known}."
    ),
    "source.option-wrong": "Source {source!r}, option {option!r}: expected: {expected}.",
    "source.sheet-missing": (
        "Source {source!r}: {file} has no sheet {sheet!r}; its sheets: {sheets}."
    ),
    "source.sheet-unclear": (
        "Source {source!r}: {file} has not one visible sheet but others: {sheets}. Name one: "
        "options: {{sheet: ...}}."
    ),
    "source.sqlite-broken": "Source {source!r}: {file}: SQLite says: {problem}.",
    "source.type-changed": (
        "Source {source!r}: column {column!r} was {expected} and is now {found}. Correct "
        "keepwell.yaml, or take the source as it is now with --accept-schema."
    ),
}

REASONS: dict[str, str] = {
    "cell.digits-lost": "{value!r}: Excel keeps fifteen digits of a number; the rest is lost",
    "cell.excel-error": "{value!r} is an error of the workbook, not a value",
    "cell.merged": "part of a merged area that shows {value!r}",
    "cell.not-computed": "{value!r} is a formula whose value was never computed",
}
