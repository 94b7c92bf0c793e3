"""Errors of suitability, of files of dated data, of actions and of the gate before them."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "action.file-missing": "There is no file {path}.",
    "action.id-unknown": "There is no action {id!r}; nearest: {nearest}.",
    "action.aim-other": "The action {action} has another aim than this contact.",
    "action.recommendation-none": "The case is closed: nothing is recommended.",
    "action.record-changed": (
        "Rules or actions of that day are not what they were when this was decided; it cannot be "
        "made again."
    ),
    "action.wording-forbidden": (
        "{file}, line {line}: {key}: {phrase!r} may not stand in an action (rule {rule})."
    ),
    "data-file.key-missing": "{file}, line {line}: key {key!r} is missing.",
    "data-file.key-unknown": (
        "{file}, line {line}: unknown key {key!r}; nearest known key: {nearest}. Known here: "
        "{known}."
    ),
    "data-file.value-invalid": (
        "{file}, line {line}: {key}: {value!r} is not acceptable; expected {expected}."
    ),
    "gate.action-ended": "This version of the action is not in force.",
    "gate.cap-channel": "{channel}: {most} contacts in {days} days are reached (rule CT-1).",
    "gate.cap-total": "{most} contacts in {days} days are reached, by all channels (rule CT-1).",
    "gate.channel-other": "The action is not done by this way: {channel}.",
    "gate.channel-refused": "The client refuses this way of contact (rule CT-1).",
    "gate.channel-unreached": "{channel} does not reach the client.",
    "gate.cool-down": "The action was used less than {days} days ago.",
    "gate.currency-differs": "The action's cost is in {currency}, the client's value is not.",
    "gate.delay-long": "It could be done only after the longest delay of {days} days.",
    "gate.exit-blocking": (
        "{channel} cannot be skipped by a client who wants to leave (rule R-EXIT-3)."
    ),
    "gate.held-out": "The client is in the hold-out and gets no retention contact.",
    "gate.purpose-missing": "No consent to {purpose} is on record (rule CT-1).",
    "gate.purpose-refused": "The client refuses {purpose} (rule CT-1).",
    "gate.reason-other": "The action does not fit the reasons of this client.",
    "gate.service-only": (
        "This case is the client's own business: it is served, nobody tries to keep the client."
    ),
    "gate.situation-absent": "There is nothing of the kind that this service is about.",
    "gate.tier-other": "The action does not fit the tier of this client.",
    "gate.unwarned": (
        "No warning of the desk led to this case; actions to keep the client are recommended only "
        "where one did, so that effects can be measured."
    ),
    "gate.value-unknown": "Chance of leaving or client value is not known; nothing can be ranked.",
    "gate.worth-nothing": "It would cost more than it is expected to keep.",
    "suitability.assessment-expired": (
        "The risk assessment is out of date since {until}; until it is renewed nothing may be "
        "sold or recommended (rule SU-5)."
    ),
    "suitability.assessment-missing": (
        "There is no complete risk assessment; without one nothing may be sold or recommended "
        "(rule SU-5)."
    ),
    "suitability.insistence-missing": (
        "{product} is above the client's level {client}; a special written warning is given and "
        "the client's insistence recorded first (rule SU-4)."
    ),
    "suitability.level-above": (
        "{product} is above the client's level {client}; it may not be recommended (rule SU-2)."
    ),
    "suitability.lowest-class": (
        "{product} is above the lowest class; it may not be sold even on request (rule SU-3)."
    ),
    "suitability.objectives-differ": (
        "The product does not serve the client's objectives; it may not be recommended (rule SU-2)."
    ),
    "suitability.product-unknown": "The product has no risk level, so nothing matches (rule SU-1).",
    "suitability.rule-unknown": "There is no rule {id!r}; nearest: {nearest}.",
}
