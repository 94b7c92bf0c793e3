"""Section `value` of keepwell.yaml: the broker's own rates, for what a client is worth in money."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Bps = Annotated[float, Field(ge=0, le=10_000)]
Money = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CommissionTier(_Part):
    """One step of the published commission tariff, by what a client trades in a year.

    Attributes:
        turnover_from: least turnover a year, in major units of the workspace's currency.
        bps: commission in basis points of the value traded.
    """

    turnover_from: Money
    bps: Bps


class BudgetPart(_Part):
    """One part of the retention budget.

    Attributes:
        name: what it pays for; yours to say.
        share: of the budget, 0 to 1.
    """

    name: Annotated[str, Field(min_length=1)]
    share: Share


class Budget(_Part):
    """What retention may cost, and when to propose more of it.

    Attributes:
        revenue_share: budget of a year as a share of revenue.
        split: its parts; the shares make 1.
        minute_cost: one minute of a manager, in major units; without it no minute is priced, and
            the budget rule does not propose more.
        contact_cost: one contact apart from the minutes (call, message), in major units; as
            `minute_cost`.
        ratio: incremental value over cost from which more is proposed, at the lower bound.
    """

    revenue_share: Share = 0.035
    split: list[BudgetPart] = [
        BudgetPart(name="part 1", share=0.45),
        BudgetPart(name="part 2", share=0.30),
        BudgetPart(name="part 3", share=0.15),
        BudgetPart(name="part 4", share=0.10),
    ]
    minute_cost: Money | None = None
    contact_cost: Money | None = None
    ratio: Annotated[float, Field(ge=1)] = 1.5

    @model_validator(mode="after")
    def _whole(self) -> Budget:
        if not self.split or abs(sum(part.share for part in self.split) - 1) > 1e-9:
            raise ValueError("split: shares that make 1")
        names = [part.name for part in self.split]
        if len(set(names)) < len(names):
            raise ValueError("split: names that differ")
        return self


class Value(_Part):
    """What a client brings in a year, and how far ahead it is counted.

    Every default here is an assumption of keepwell's, not a figure of yours; whatever is printed
    from one says "default, not yours". Published tariffs only: nothing here differs by score.

    Attributes:
        horizon_years: how far ahead margins are counted.
        discount_rate: yearly, as a share: 0.08 halves a sum in nine years.
        after: survival beyond the model's horizon: `observed` takes everybody's observed rate of
            leaving, `constant` keeps the client's own.
        history_days: trades looked back on for a year's commission.
        level_days: days over which cash and margin debt are averaged.
        commission_kept: share of the commission that stays with the broker after what exchanges
            and others take of it.
        commission_tiers: the published tariff; used only where trades carry no commission.
        asset_fee_bps: yearly fee kept, basis points of the value held, by category of instrument;
            a category not named pays none.
        margin_spread_bps: interest on margin debt less its funding, basis points a year.
        cash_spread_bps: earned on clients' cash less what they are paid, basis points a year.
        cost_to_serve: yearly cost of serving a client, in major units, by segment; `default` for
            all others. Without it the line is absent.
        budget: what retention may cost.
    """

    horizon_years: Annotated[float, Field(gt=0, le=30)] = 5.0
    discount_rate: Annotated[float, Field(ge=0, lt=1)] = 0.08
    after: Literal["observed", "constant"] = "observed"
    history_days: Annotated[int, Field(ge=90, le=1_100)] = 365
    level_days: Annotated[int, Field(ge=1, le=400)] = 90
    commission_kept: Annotated[float, Field(gt=0, le=1)] = 1.0
    commission_tiers: list[CommissionTier] = []
    asset_fee_bps: dict[str, Bps] = {
        "fund_equity": 60.0,
        "fund_mixed": 60.0,
        "fund_bond": 30.0,
        "fund_money": 10.0,
    }
    margin_spread_bps: Bps = 300.0
    cash_spread_bps: Bps = 100.0
    cost_to_serve: dict[str, Money] = {}
    budget: Budget = Budget()

    @model_validator(mode="after")
    def _tariff(self) -> Value:
        steps = [tier.turnover_from for tier in self.commission_tiers]
        if steps and (steps[0] != 0 or sorted(set(steps)) != steps):
            raise ValueError("commission_tiers: turnover_from 0 first, then rising")
        return self
