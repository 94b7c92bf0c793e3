"""Errors of incidents of data."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "incident.lasts": (
        "The monitor still sees it: {what}. Acknowledge it; it closes when the data are mended. "
        "Only what was right all along can be called right."
    ),
    "incident.not-yours": "Somebody else answers for this source.",
    "incident.over": "The incident is over.",
    "incident.unknown": (
        "There is no such incident, or it is of a source that you do not answer for."
    ),
}
