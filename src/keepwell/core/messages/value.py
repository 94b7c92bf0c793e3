"""Errors of value, of what was kept, and of the budget rule."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "value.arm-empty": (
        "Two arms of clients under at least two managers are needed; found {treated} treated, "
        "{held} held out, {clusters} managers."
    ),
    "value.as-of-early": (
        "The model in force was trained for {ranked} and knows more than was known at {as_of}. "
        "Run 'keepwell run --as-of {as_of}' first."
    ),
    "value.flows-uncovered": (
        "Not declared complete from {since} until {until}: {tables}. What is missing is not zero; "
        "see 'covers' in keepwell.yaml."
    ),
    "value.flows-unknown": "The data have neither movements of cash nor positions.",
    "value.horizon-invalid": (
        "Months ahead {months}, discount rate {discount}: at least one month and a rate of at "
        "least 0 are needed."
    ),
    "value.income-unknown": (
        "The data tell no line of income: neither trades with commission, nor positions with "
        "categories, nor balances. See docs/how-to/value-a-client.md."
    ),
    "value.lengths-differ": "All arrays must have one element per client; their lengths: {counts}.",
    "value.share-invalid": "{name} is {given}, which is out of range.",
    "value.span-empty": (
        "The span from {since} until {until} is empty, or ends after what may be known."
    ),
    "value.span-invalid": "A horizon of {horizon} months after a gap of {gap} is not possible.",
}
