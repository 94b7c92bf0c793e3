"""Errors of the desk: alerts and the hold-out."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "alert.alert-unknown": "There is no such alert, or it is not yours to see.",
    "alert.date-invalid": (
        "An alert sleeps until a date between now and {most} days from now; got {until}."
    ),
    "alert.snooze-empty": "Say until when the alert sleeps: a date, an event, or both.",
    "alert.state-unfit": "The alert is {status}; it cannot be {verb}.",
    "holdout.period-unknown": "No hold-out was drawn for {period}.",
    "holdout.secret-changed": (
        "The hold-out of {period} was drawn with the secret {known}, the desk's is {given} now. "
        "Put the old secret back; another would move clients between the arms."
    ),
}
