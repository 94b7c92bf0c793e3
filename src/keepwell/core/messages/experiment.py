"""Errors of experiments."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "experiment.arm-empty": (
        "Arm {arm!r} has {units} units; at least {least} are needed to compare it."
    ),
    "experiment.arm-unknown": "There is no arm {arm!r}; nearest: {nearest}. Arms: {known}.",
    "experiment.arms-wrong": (
        "An experiment needs two or more arms of different names, the control among them, whose "
        "shares are above 0 and add up to 1; got {arms} with control {control!r}."
    ),
    "experiment.column-length": "Column {column!r} has {rows} rows where {expected} are expected.",
    "experiment.column-missing": (
        "The data have no column {column!r}; nearest: {nearest}. Columns: {known}."
    ),
    "experiment.households-unknown": (
        "The data know no ties between clients, so households cannot be drawn; draw clients."
    ),
    "experiment.look-early": (
        "It is too early for the next look: outcomes of {units} units are known, {wanted} are "
        "planned for it. Guardrails may be read at any time."
    ),
    "experiment.look-immature": "No outcome that is asked for is known before {at}.",
    "experiment.looks-wrong": (
        "Looks are shares of the planned information that increase and end at 1; got {looks}."
    ),
    "experiment.metric-twice": "Metric {metric!r} is named twice; give each a name of its own.",
    "experiment.metric-unknown": (
        "No metric {metric!r} was read out; nearest: {nearest}. Metrics: {known}."
    ),
    "experiment.nobody-new": (
        "There is nobody to draw: no client in your scope is scored, of the tiers and segments "
        "chosen, in the contact arm of the hold-out, and in no other running experiment about "
        "the same, who is not in this one already."
    ),
    "experiment.outcome-missing": (
        "Column {column!r} has no finite number in {rows} rows. Who leaves the data leaves the "
        "comparison; settle what their outcome is before reading out."
    ),
    "experiment.outcomes-unknown": (
        "The horizon is over, but the data do not show yet who left; bring in newer data first."
    ),
    "experiment.secret-changed": (
        "This experiment was begun with another secret of the desk ({known}, now {given}); "
        "restore it, or arms drawn now would not fit."
    ),
    "experiment.state-wrong": (
        "The experiment is {state}; this can be done only while it is {wanted}."
    ),
    "experiment.unknown": "There is no such experiment.",
    "experiment.value-wrong": "{name} must be {expected}; got {value}.",
}
