"""What a shard's people are like: margins of the book, and how traits go together.

Parts of it have modules of their own: `leaving_settings`, `society_settings`, `usual_settings`.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from keepwell.world.people.society import StaffSettings, TieSettings
from keepwell.world.people.targets import LeavingTargets, TasteSettings
from keepwell.world.people.usual import UsualSettings
from keepwell.world.setting_types import Shares, Shares3, Shares4
from keepwell.world.settings import Part, setting


class PeopleSettings(Part):
    """A book of clients: its margins, and how traits go together."""

    age: Shares4 = setting(
        (0.05, 0.48, 0.30, 0.17),
        "Shares of clients aged 18-24, 25-35, 36-45 and 46-85.",
        "source report 2.2 and 10.1: shares of leavers over rates give 48 % and 30 %; rest assumed",
    )
    old_decay: float = setting(
        12.0,
        "Years over which the number of clients older than 45 falls by 1/e.",
        "assumption: trading online came late for the old",
        unit="years",
        low=1,
        high=1000,
    )
    city: Shares4 = setting(
        (0.33, 0.38, 0.18, 0.11),
        "Shares of clients in cities of tiers 1, 2, 3 and 4.",
        "source report 2.2: rates 18 % and 10 % with 15.7 % overall give 71 % in tiers 1-2",
    )
    assets: Shares3 = setting(
        (0.35, 0.52, 0.13),
        "Shares of clients below, between and above the cuts of assets.",
        "source report 2.2 and 10.1: shares of leavers over rates",
    )
    cuts: tuple[float, float, float, float] = setting(
        (1e3, 1e5, 5e5, 1e8),
        "Least assets, the two cuts between the bands, and the most assets.",
        "source report 2.2 (100 and 500 thousand); ends assumed",
        unit="CNY",
    )
    tail: tuple[float, float, float] = setting(
        (-0.6, -0.1, 1.36),
        "Power of assets within each band: the density falls as assets to the power -(1 + it).",
        "assumption: a Pareto tail (Pareto, 1896) that makes a client leave with about 380,000 CNY "
        "(source report 2.5)",
    )
    wealth_by_age: float = setting(
        0.35,
        "Log odds of the next band of assets for each step of age group.",
        "assumption: savings grow with age",
        low=-3,
        high=3,
    )
    wealth_by_city: float = setting(
        0.15,
        "Log odds of the next band of assets for each step to a larger city.",
        "assumption: incomes are higher in large cities",
        low=-3,
        high=3,
    )
    risk: Shares = setting(
        (0.08, 0.20, 0.35, 0.25, 0.12),
        "Shares of clients of risk levels C1 to C5.",
        "assumption: most are balanced",
    )
    assessed_within: int = setting(
        730,
        "Days before the start within which the last risk assessments lie.",
        "usual in China: an assessment is repeated every two years",
        unit="days",
        low=1,
        high=3650,
    )
    risk_by_age: float = setting(
        -0.25,
        "Correlation of risk tolerance with age (as normal scores).",
        "assumption: tolerance falls with age (e.g. Dohmen et al., J. Eur. Econ. Assoc. 2011)",
        low=-0.7,
        high=0.7,
    )
    risk_by_assets: float = setting(
        0.25,
        "Correlation of risk tolerance with wealth (as normal scores).",
        "assumption: the wealthy can bear more",
        low=-0.7,
        high=0.7,
    )
    newcomers: float = setting(
        0.16,
        "Clients who open in a year, as a share of those there at the start.",
        "assumption: they replace the 15.7 % who leave (source report 2.1)",
        unit="share a year",
        low=0,
        high=5,
    )
    history: float = setting(
        8.0,
        "Years before the start over which the first clients opened.",
        "assumption: the broker's data go back that far",
        unit="years",
        low=0.1,
        high=60,
    )
    turnover: float = setting(
        0.16,
        "Rate at which the number of clients still there falls with years since opening.",
        "assumption: about the yearly rate of leaving",
        unit="a year",
        low=0,
        high=5,
    )
    death: float = setting(
        0.003,
        "Yearly rate of death over the whole book.",
        "assumption: a book younger than the population, of which 0.7-0.8 % die a year",
        unit="a year",
        low=0,
        high=0.5,
    )
    ageing: float = setting(
        0.09,
        "Growth of the log death rate with each year of age.",
        "Gompertz, Phil. Trans. R. Soc. 115 (1825); about 0.09 for modern populations",
        unit="a year",
        low=0,
        high=0.3,
    )
    drop: float = setting(
        0.001,
        "Yearly rate of being closed by the broker.",
        "assumption: identity and conduct cases are rare",
        unit="a year",
        low=0,
        high=0.5,
    )
    english: float = setting(
        0.03, "Share of clients who write English.", "assumption: few", low=0, high=1
    )
    marketing: float = setting(
        0.70,
        "Share of clients that agree to marketing when they open.",
        "assumption: most tick the box",
        unit="share",
        low=0,
        high=1,
    )
    wecom: float = setting(
        0.6,
        "Share of clients connected to their manager on WeCom.",
        "assumption: a majority",
        low=0,
        high=1,
    )
    privileged: float = setting(
        5e5,
        "Assets from which margin and option accounts are open to a client of level C4 or C5.",
        "rules of the Chinese exchanges: 500,000 CNY on average over 20 trading days",
        unit="CNY",
        low=0,
    )
    margin: float = setting(
        0.45,
        "Share of clients with a margin account among those entitled.",
        "assumption: some 2-3 % of the book",
        low=0,
        high=1,
    )
    option: float = setting(
        0.15,
        "Share of clients with an option account among those entitled.",
        "assumption: below 1 % of the book",
        low=0,
        high=1,
    )
    fund: float = setting(
        0.6, "Share of clients with a fund account.", "assumption: a majority", low=0, high=1
    )
    pension: float = setting(
        0.08,
        "Share of clients aged up to 60 with a pension account.",
        "assumption: these accounts are new (2022)",
        low=0,
        high=1,
    )
    professional_from: float = setting(
        5e6,
        "Assets from which a client can be a professional investor.",
        "Chinese suitability rules for securities and futures (2017), art. 8",
        unit="CNY",
        low=0,
    )
    professional: float = setting(
        0.5,
        "Share of professional investors among those with the assets for it.",
        "assumption: half apply for it",
        low=0,
        high=1,
    )
    lowest: float = setting(
        0.1,
        "Share of the lowest investor class among clients of level C1.",
        "assumption: the class is rare",
        low=0,
        high=1,
    )
    fee_rates: tuple[float, ...] = setting(
        (0.0008, 0.0005, 0.0003, 0.0002, 0.00015),
        "Commission of each fee plan as a share of a trade's value, dearest first.",
        "assumption: usual online commissions in China, from the old list price to special offers",
    )
    fee_plans: Shares = setting(
        (0.12, 0.25, 0.35, 0.18, 0.10),
        "Shares of clients on each fee plan.",
        "assumption: most are on the middle plan",
    )
    fee_by_assets: float = setting(
        0.6,
        "Correlation of a cheap plan with wealth (as normal scores).",
        "assumption: the wealthy bargain",
        low=-0.99,
        high=0.99,
    )
    fee_minimum: int = setting(
        500, "Least commission of a trade.", "usual in China: 5 CNY", unit="fen", low=0
    )
    pace_by_age: float = setting(
        -0.25,
        "Change of the log speed through the stages with one standard deviation of age.",
        "source report 2.4: the young leave fast; size assumed",
        low=-2,
        high=2,
    )
    pace_by_assets: float = setting(
        -0.2,
        "Change of the log speed through the stages with one standard deviation of wealth.",
        "source report 2.4: the wealthy leave slowly; size assumed",
        low=-2,
        high=2,
    )
    pace_spread: float = setting(
        0.2,
        "Standard deviation of the log speed through the stages, all else equal.",
        "assumption: temper",
        low=0,
        high=2,
    )
    leaving: LeavingTargets = setting(
        LeavingTargets(), "Rates of leaving of parts of the book.", "see its own parameters"
    )
    taste: TasteSettings = setting(
        TasteSettings(), "What matters to clients.", "see its own parameters"
    )
    usual: UsualSettings = setting(
        UsualSettings(), "Clients' usual behaviour.", "see its own parameters"
    )
    ties: TieSettings = setting(
        TieSettings(), "Households and referrals.", "see its own parameters"
    )
    staff: StaffSettings = setting(StaffSettings(), "Who serves.", "see its own parameters")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.risk) != 5:
            raise ValueError("risk: five shares are needed, of C1 to C5")
        if len(self.fee_rates) != len(self.fee_plans):
            raise ValueError("fee_rates and fee_plans must have the same length")
        if not all(0 <= rate <= 1 for rate in self.fee_rates):
            raise ValueError("fee_rates must be from 0 to 1")
        if not 0 < self.cuts[0] < self.cuts[1] < self.cuts[2] < self.cuts[3]:
            raise ValueError("cuts must be above 0 and grow")
        return self
