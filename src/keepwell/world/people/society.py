"""Who serves clients, and whom they know: settings of staff, households and referrals."""

from __future__ import annotations

from keepwell.world.setting_types import Pair, Shares4
from keepwell.world.settings import Part, setting


class StaffSettings(Part):
    """Branches, managers and advisers of a shard."""

    per_manager: float = setting(
        400, "Clients a manager serves.", "assumption: mass-market books", unit="clients", low=1
    )
    per_adviser: float = setting(
        1000, "Clients an adviser serves.", "assumption: fewer advisers", unit="clients", low=1
    )
    per_branch: float = setting(
        8000, "Clients of a branch.", "assumption: some 375 branches of 3 M", unit="clients", low=1
    )
    branch_spread: float = setting(
        0.5,
        "Standard deviation of the log of branches' sizes.",
        "assumption: branches differ by half",
        low=0,
        high=3,
    )
    pool: int = setting(
        2,
        "Advisers of the branch a manager works with.",
        "assumption: small teams",
        unit="advisers",
        low=1,
        high=50,
    )
    skill: Pair = setting(
        (4.0, 3.0),
        "Shape parameters of the Beta distribution of advisers' skill.",
        "assumption: most are middling, few are stars",
    )
    wait_spread: float = setting(
        0.35,
        "Standard deviation of the log of branches' waiting times.",
        "assumption: a slow branch takes twice as long as a fast one",
        low=0,
        high=2,
    )
    regions: int = setting(
        31, "Regions the book is spread over.", "provinces of mainland China", low=1, high=1000
    )
    elsewhere: float = setting(
        0.15,
        "Share of households living in another region than their branch's.",
        "assumption: accounts opened online, or clients who moved",
        low=0,
        high=1,
    )


class TieSettings(Part):
    """Households and referrals."""

    household: Shares4 = setting(
        (0.45, 0.28, 0.17, 0.10),
        "Shares of clients in households of one, two, three and four clients.",
        "assumption: about half the clients have a relative at the broker",
    )
    age_alike: float = setting(
        0.4,
        "Correlation of age (as a normal score) within a household.",
        "assumption: spouses are of one age, parents are not",
        low=0,
        high=0.95,
    )
    wealth_alike: float = setting(
        0.5,
        "Correlation of wealth (as a normal score) within a household.",
        "assumption: households share means",
        low=0,
        high=0.95,
    )
    referred: float = setting(
        0.2,
        "Share of clients who were referred by an earlier client.",
        "assumption: referral is one channel of several",
        low=0,
        high=1,
    )
    copied: float = setting(
        0.5,
        "Chance that a referral comes from one who referred before, in proportion to how often.",
        "copying model: Kumar et al., Stochastic models for the web graph, FOCS 2000; size assumed",
        low=0,
        high=1,
    )
    local: float = setting(
        0.6,
        "Chance that another referral comes from a client of the same branch.",
        "assumption: acquaintances live near",
        low=0,
        high=1,
    )
