"""Errors of the desk: events, the spool, publications."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "book.publication-busy": (
        "Another keepwell is publishing to this desk; wait until it ends, then try again."
    ),
    "event.batch-conflict": (
        "Batch {batch!r} of source {source!r} came before with other content; give it another id."
    ),
    "event.column-unknown": (
        "Table {table!r} has no column {column!r}; nearest: {nearest}. Known: {known}."
    ),
    "event.spool-failed": "The events could not be stored: {why}. Nothing was taken; send again.",
    "event.table-unknown": "There is no table {table!r}; nearest: {nearest}. Known: {known}.",
    "spool.batch-conflict": "Batch {batch!r} of source {source!r} came before with other content.",
    "spool.busy": "Another keepwell holds the event spool; wait until it ends, then try again.",
    "spool.disk-failed": "The disk does not take the events: {why}.",
    "spool.record-damaged": "Record {sequence} of the event spool is damaged.",
}
