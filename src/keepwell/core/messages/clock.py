"""Errors of clocks, calendars, exit requests and consent."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "calendar.exchange-unknown": (
        "There is no exchange {code!r} in exchange_calendars; nearest: {nearest}."
    ),
    "clock.clock-ended": "This clock has ended; it can neither be paused nor resumed.",
    "clock.clock-paused": "This clock is paused already.",
    "clock.clock-running": "This clock is not paused.",
    "clock.clock-unknown": "There is no such clock, or it is not yours to see.",
    "clock.contact-forbidden": (
        "The client may not be contacted now; this clock runs again once that is allowed."
    ),
    "clock.exit-unpausable": "The clock of an exit request cannot be paused.",
    "clock.policy-reserved": "The policy {name!r} is made from the settings and cannot be changed.",
    "clock.policy-unknown": "There is no clock policy {name!r}; nearest: {nearest}.",
    "consent.at-future": "A client's word cannot lie in the future.",
    "exit.at-future": "An exit request cannot lie in the future.",
    "exit.blocker-open": "Lawful holds are still in force: {codes}.",
    "exit.blocker-unknown": "There is no such hold in force on this exit request.",
    "exit.cancel-forbidden": (
        "Only compliance or the client's own feed may say that a request was taken back."
    ),
    "exit.hold-forbidden": "Only people of compliance may hold an exit request.",
    "exit.hold-span": (
        "A hold ends in the future, and all holds of a request last {days} days at the most."
    ),
    "exit.request-ended": "This exit request is completed or cancelled.",
    "exit.request-settled": "Application and settlement of this exit request are complete already.",
    "exit.request-taken": "Exit request {request_id!r} was recorded with other facts.",
    "exit.settled-span": (
        "Application and settlement are complete after the request, not in the future."
    ),
    "exit.request-unknown": "There is no such exit request, or it is not yours to see.",
}
