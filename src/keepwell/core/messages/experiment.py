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
    "experiment.looks-wrong": (
        "Looks are shares of the planned information that increase and end at 1; got {looks}."
    ),
    "experiment.metric-twice": "Metric {metric!r} is named twice; give each a name of its own.",
    "experiment.metric-unknown": (
        "No metric {metric!r} was read out; nearest: {nearest}. Metrics: {known}."
    ),
    "experiment.outcome-missing": (
        "Column {column!r} has no finite number in {rows} rows. Who leaves the data leaves the "
        "comparison; settle what their outcome is before reading out."
    ),
    "experiment.value-wrong": "{name} must be {expected}; got {value}.",
}
