"""How a scenario's parameters are declared: each with its meaning, its unit and its source."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A section of a scenario: strict, so that a typo is an error, and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def setting(
    default: Any,
    meaning: str,
    source: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """One parameter.

    Args:
        default: its value where a scenario says nothing.
        meaning: what it does, in one sentence.
        source: where the value comes from: a section of the source report, a paper, or the reason
            for an assumption.
        unit: of the value.
        low: least value allowed.
        high: greatest value allowed.
    """
    return Field(
        default,
        description=meaning,
        ge=low,
        le=high,
        json_schema_extra={"source": source, "unit": unit},
        validate_default=True,
    )
