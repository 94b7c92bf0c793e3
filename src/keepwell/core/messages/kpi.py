"""Errors of key figures, their reviews and reports."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "kpi.owner-unfit": "{owner_id} is no active user who may work on reviews.",
    "kpi.report-unknown": "There is no such report.",
    "kpi.review-closed": "The review is closed.",
    "kpi.review-unknown": "There is no such review.",
    "kpi.target-share": "{target} is no share: a target of this key figure lies between −1 and 1.",
    "kpi.unknown": "There is no key figure {id!r}.",
}
