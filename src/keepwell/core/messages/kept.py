"""Errors of proofs of what was kept, and of budgets."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "kept.nobody-drawn": (
        "In period {period} nobody was drawn with the whole book, or nobody is held out; without "
        "a hold-out nothing can be proved."
    ),
    "kept.proof-unknown": "There is no such proof.",
    "kept.span-empty": (
        "The draw was on {since}, and the lake is complete until {until}: no whole day can be "
        "read out yet."
    ),
    "kept.span-outside": ("The span cannot end on {until}; it may end from {first} to {last}."),
    "budget.amount-unearned": (
        "The rule does not propose more, so the budget may be at most {most}; asked: {amount}."
    ),
    "budget.approved-already": "You have answered this proposal already.",
    "budget.decided": "The proposal is decided already: {state}.",
    "budget.own": "Nobody approves a proposal of their own.",
    "budget.proof-stopped": "Nothing was read out of this proof; no budget can rest on it.",
    "budget.proof-old": "This is not the newest proof; propose on the newest one.",
    "budget.revenue-unknown": (
        "The data tell no line of revenue, so that no budget follows from it; give an amount."
    ),
    "budget.role-taken": (
        "Somebody of your role has approved already; the other approval must come from: {role}."
    ),
    "budget.role-wrong": "A budget is approved by a director and by somebody of compliance.",
    "budget.unknown": "There is no such proposal.",
    "budget.value-missing": (
        "The proof has no measure of value, so that the rule cannot be applied."
    ),
}
