"""Errors of the evidence log."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "evidence.checkpoint-foreign": "{name} is not a checkpoint of this log.",
    "evidence.checkpoint-none": "Nothing is in the evidence log yet.",
    "evidence.client-unknown": "There is no such client, or it is not yours to see.",
    "evidence.client-nothing": "No entry is about client {client}; is the number right?",
    "evidence.entry-unknown": "There is no such entry, or it is not yours to see.",
    "evidence.entry-waiting": (
        "The entry is written but no checkpoint covers it yet; ask again in a few seconds."
    ),
    "evidence.file-missing": "There is no file {path}.",
    "evidence.instant-invalid": "{text!r} is not an instant with a time zone.",
    "evidence.key-broken": "{path} does not hold a signing key; put the right file back.",
    "evidence.key-foreign": (
        "{path} holds another key than the log is signed with: {verifier}. Put the right file "
        "back; nothing is signed until then."
    ),
    "evidence.key-missing": (
        "{path} is missing; the log is signed with the key {verifier}. Put the file back; nothing "
        "is signed until then."
    ),
    "evidence.openings-broad": "Personal values are handed out for one client: give --client too.",
    "evidence.sizes-invalid": (
        "No proof leads from {first} to {second} entries; the log has {size}."
    ),
    "evidence.verification-failed": "The evidence does not hold; findings: {count}.",
    "evidence.verifier-invalid": "{text!r} is not a verifier key: name+id+key is expected.",
}
