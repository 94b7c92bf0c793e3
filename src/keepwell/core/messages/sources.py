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
    "source.cells-unreadable": (
        "Source {source!r}: {file}: its cells cannot be checked: {problem}."
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
    "source.excel-packed": (
        "Source {source!r}: {file}: its part {part} unpacks to far more than it says, or to more "
        "than {times} times its size, which no workbook of people does; it is not read."
    ),
    "source.excel-sparse": (
        "Source {source!r}: {file}: the cells lie so far apart, down to row {rows} and across "
        "{columns} columns, that {cells} would have to be held. Delete what stands far outside the "
        "table, also what only looks empty, and save the workbook again."
    ),
    "source.file-changed": (
        "Source {source!r}: {file} was written to, replaced or removed while it was being read; "
        "nothing of it is taken. Try again when its export has ended, or write format: drops, "
        "which waits for complete files."
    ),
    "source.file-unreadable": "Source {source!r}: {file} cannot be read: {problem}.",
    "source.header-alike": (
        "Source {source!r}: {file}: the header names columns {column!r} and {other!r}; to SQL "
        "names that differ only in upper and lower case are one. Rename one of them."
    ),
    "source.header-invalid": (
        "Source {source!r}: {file}: column {number} has {column!r} for a name; a name of visible "
        "characters is expected."
    ),
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
    "source.path-wrong": (
        "Source {source!r}: {path!r} is no path of a file, nor a glob: {problem}."
    ),
    "source.record-long": (
        "Source {source!r}: {file}, row {row}: a record of more than {megabytes} MB. A line break "
        "or a closing quote is missing, or the file is no table."
    ),
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
    "cell.invisible-character": "{value!r} contains a character that nobody sees",
    "cell.not-computed": "{value!r} is a formula whose value was never computed",
}
