"""Client: what the client table says, as it was known at as_of.

None of these is a warning by itself, and a workspace whose client table appears late (say, when a
client leaves) must keep them out of its models.
"""

from __future__ import annotations

from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "client"
_ROW = "the client row in force at as_of (largest valid_from < as_of)"


@indicator(
    "tenure_days",
    name="Days as a client",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="Days since the account was opened.",
    definition=(
        f"D minus opened_on of {_ROW}. Absent when there is no such row or it has no opened_on."
    ),
)
def _(w: Windows) -> Array:
    return w.client.tenure_days()


@indicator(
    "age_years",
    name="Age",
    unit="years",
    direction="none",
    family=_FAMILY,
    explain="Age in years, by the year of birth.",
    definition=(
        f"Calendar year of D minus birth_year of {_ROW}. Absent when there is no such row or it "
        "has no birth_year."
    ),
)
def _(w: Windows) -> Array:
    return w.client.age_years()


@indicator(
    "client_risk_level",
    name="Client's risk level",
    unit="level",
    direction="none",
    family=_FAMILY,
    explain="Assessed risk tolerance, C1 (lowest) to C5 (highest).",
    definition=(
        f"1 to 5 for risk_level C1 to C5 of {_ROW}. Absent when there is no such row or it has "
        "no risk_level."
    ),
)
def _(w: Windows) -> Array:
    return w.client.risk_level()


@indicator(
    "days_since_assessed",
    name="Days since risk assessment",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="Days since the client's risk tolerance was last assessed.",
    definition=(
        f"D minus assessed_on of {_ROW}. Absent when there is no such row or it has no assessed_on."
    ),
)
def _(w: Windows) -> Array:
    return w.client.days_since_assessed()
