"""Errors of scripts."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "script.fact-invalid": "Slot {slot!r} takes a value of kind {kind}; {value!r} is none.",
    "script.fact-missing": "Template {template!r} needs facts that are not given: {slots}.",
    "script.file-invalid": "{file}, line {line}: {place}: {problem}.",
    "script.none-fits": "No template of this occasion and channel has all its facts: {missing}.",
    "script.slot-unknown": "There is no slot {slot!r}; nearest: {nearest}.",
    "script.template-unknown": "There is no template {template!r}; nearest: {nearest}.",
    "script.text-long": "The text has {length} characters; at most {limit} are checked.",
    "script.text-refused": "Template {template!r} may not be used; the checker found: {findings}.",
    "script.text-unreadable": "{file} cannot be read as text in UTF-8.",
}
