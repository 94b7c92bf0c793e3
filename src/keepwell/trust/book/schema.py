"""What the endpoints about clients take and give."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic import StringConstraints as Text

from keepwell.frame.text import Line

Field_ = Literal["name", "phone", "birth_year"]


class ClientOut(BaseModel):
    """A client with score, tier and reasons; personal fields masked.

    Attributes:
        client_id: the client's number.
        name: the first character, the rest hidden.
        phone: the first three and last four digits.
        birth_year: only for those who see everything.
        birth_decade: first year of the decade of birth.
        opened_on: day the relationship was opened.
        opened_year: year of it.
        region: province or region.
        city_tier: size class of the city.
        investor_class: ordinary, lowest or professional.
        risk_level: C1 to C5.
        assessed_on: day of the last risk assessment.
        manager_id: relationship manager.
        adviser_id: investment adviser.
        branch_id: branch.
        segment: segment that the broker gives.
        status: state of the relationship.
        assets: minor units; null where unknown, or for those who see bands.
        assets_band: under-100k, 100k-500k, 500k-2m or over-2m, in major units.
        value: what the client is worth, minor units: discounted margin at the broker's rates and
            at assumed ones; null where unknown, or for those who see bands.
        value_low: lower end of its 95 % interval.
        value_high: upper end of it.
        value_lost: what leaving within the model's horizon would take away, minor units.
        last_activity: day of the last activity.
        note: 'scored', or why there is no score.
        score: 0 to 100.
        probability: calibrated probability of leaving.
        coverage: share of the model's inputs that are known.
        tier: none, mild, moderate or severe.
        reasons: most important first.
        masked: fields that can be unmasked.
        generation_id: the publication that the values are from.
    """

    client_id: str = Field(examples=["c4711"])
    name: str | None = Field(examples=["王**"])
    phone: str | None = Field(examples=["138****0000"])
    birth_year: int | None = Field(examples=[None])
    birth_decade: int | None = Field(examples=[1990])
    opened_on: date | None = Field(examples=["2019-05-20"])
    opened_year: int | None = Field(examples=[2019])
    region: str | None = Field(examples=["Shanghai"])
    city_tier: str | None = Field(examples=["1"])
    investor_class: str | None = Field(examples=["ordinary"])
    risk_level: str | None = Field(examples=["C3"])
    assessed_on: date | None = Field(examples=["2025-11-02"])
    manager_id: str | None = Field(examples=["m17"])
    adviser_id: str | None = Field(examples=["a3"])
    branch_id: str | None = Field(examples=["b1"])
    segment: str | None = Field(examples=["mature"])
    status: str | None = Field(examples=["open"])
    assets: int | None = Field(examples=[50_000_000])
    assets_band: str | None = Field(examples=["500k-2m"])
    value: int | None = Field(examples=[1_200_000])
    value_low: int | None = Field(examples=[950_000])
    value_high: int | None = Field(examples=[1_450_000])
    value_lost: int | None = Field(examples=[1_310_000])
    last_activity: date | None = Field(examples=["2026-02-27"])
    note: str = Field(examples=["scored"])
    score: float | None = Field(examples=[81.5])
    probability: float | None = Field(examples=[0.21])
    coverage: float | None = Field(examples=[0.93])
    tier: str = Field(examples=["moderate"])
    reasons: list[dict[str, Any]] = Field(
        examples=[[{"code": "activity.trades-fell", "cause": "service", "points": 12.5}]]
    )
    masked: list[str] = Field(examples=[["name", "phone", "birth_year"]])
    generation_id: int = Field(examples=[42])


def _distinct(fields: list[Field_]) -> list[Field_]:
    if len(set(fields)) != len(fields):
        raise ValueError("a field is named twice")
    return fields


class UnmaskIn(BaseModel):
    """Personal fields to be shown, and why.

    Attributes:
        fields: which.
        reason: why, in one's own words; it is recorded.
    """

    model_config = ConfigDict(extra="forbid")

    fields: Annotated[list[Field_], AfterValidator(_distinct)] = Field(
        min_length=1, max_length=3, examples=[["phone"]]
    )
    reason: Annotated[Line, Text(min_length=5)] = Field(
        examples=["Call back about the open complaint"]
    )


class UnmaskedOut(BaseModel):
    """The personal fields asked for; others are null.

    Attributes:
        client_id: whose.
        name: full name.
        phone: full number.
        birth_year: year of birth.
    """

    client_id: str = Field(examples=["c4711"])
    name: str | None = Field(default=None, examples=[None])
    phone: str | None = Field(default=None, examples=["13800000000"])
    birth_year: int | None = Field(default=None, examples=[None])


class UnmaskingOut(BaseModel):
    """Somebody looked at a client's personal fields.

    Attributes:
        unmasking_id: its id.
        client_id: at whom.
        user_id: who.
        user_name: their name.
        fields: which fields.
        reason: why, in their words.
        at: when.
    """

    unmasking_id: str = Field(examples=["unmask_01kjtvre00w9x8m3q5t7yfz2bc"])
    client_id: str = Field(examples=["c4711"])
    user_id: str = Field(examples=["user_01kjtvre00w9x8m3q5t7yfz2bc"])
    user_name: str = Field(examples=["Wang Li"])
    fields: list[str] = Field(examples=[["phone"]])
    reason: str = Field(examples=["Call back about the open complaint"])
    at: datetime
