"""What clients usually do: how often, how long, how much."""

from __future__ import annotations

from keepwell.world.setting_types import Pair, Positive3, Shares3
from keepwell.world.settings import Part, setting


class UsualSettings(Part):
    """Means over the book, and how much clients differ.

    A rate is lognormal over clients; the logs share one factor of activity, which the young and
    the wealthy have more of, and a share of clients is very quiet.
    """

    sessions: float = setting(
        75.0,
        "Log-ins of a client.",
        "5 M API calls a day for 3 M clients (spec.md, scale), at some 8 calls a log-in",
        unit="a year",
        low=0,
        high=3650,
    )
    trades: float = setting(
        24.0,
        "Trades of a client, all within bursts.",
        "assumption: two a month, though a third of the book hardly trades",
        unit="a year",
        low=0,
        high=3650,
    )
    bursts: float = setting(
        8.0,
        "Bursts of trading of a client.",
        "human activity comes in bursts (Barabasi, Nature 435, 2005); number assumed",
        unit="a year",
        low=0.1,
        high=50,
    )
    burst_days: float = setting(
        4.0, "Mean length of a burst.", "assumption: part of a week", unit="days", low=1, high=60
    )
    burst_spread: float = setting(
        0.3,
        "Standard deviation of the log of clients' mean length of a burst.",
        "assumption: alike",
        low=0,
        high=2,
    )
    views: float = setting(
        0.8,
        "Pages viewed in a session.",
        "assumption: many log-ins only check the account",
        unit="a session",
        low=0,
        high=50,
    )
    views_spread: float = setting(
        0.5,
        "Standard deviation of the log of clients' pages in a session.",
        "assumption: readers and glancers",
        low=0,
        high=2,
    )
    flows: float = setting(
        5.0, "Deposits and withdrawals.", "assumption: a few", unit="a year", low=0, high=365
    )
    contacts: float = setting(
        2.0,
        "Contacts with service.",
        "assumption: most clients ask seldom",
        unit="a year",
        low=0,
        high=365,
    )
    contacts_by_age: float = setting(
        0.25,
        "Change of the log rate of contacts with one standard deviation of age.",
        "assumption: the old ask people, the young look it up",
        low=-2,
        high=2,
    )
    session_seconds: float = setting(
        300.0,
        "Mean length of a session.",
        "assumption: a look at prices and an order",
        unit="seconds",
        low=1,
        high=7200,
    )
    seconds_spread: float = setting(
        0.5,
        "Standard deviation of the log of clients' mean length of a session.",
        "assumption: readers and glancers",
        low=0,
        high=2,
    )
    seconds_alike: float = setting(
        0.3,
        "Correlation of the log length of a session with a client's activity.",
        "assumption: the busy stay longer",
        low=-1,
        high=1,
    )
    spread: float = setting(
        1.0,
        "Standard deviation of the log rates of log-ins, trades, deposits and contacts.",
        "assumption: heavy tails, the busiest tenth does about half",
        low=0,
        high=2,
    )
    alike: float = setting(
        0.8,
        "Correlation of each log rate with a client's activity.",
        "assumption: who trades more also looks, pays in and asks more",
        low=0,
        high=1,
    )
    activity_by_age: float = setting(
        -0.3,
        "Correlation of activity with age (as normal scores).",
        "assumption: the young are on their phones",
        low=-0.7,
        high=0.7,
    )
    activity_by_assets: float = setting(
        0.15,
        "Correlation of activity with wealth (as normal scores).",
        "assumption: more at stake",
        low=-0.7,
        high=0.7,
    )
    quiet: float = setting(
        0.3, "Share of very quiet clients.", "assumption: dormant accounts", low=0, high=0.95
    )
    quiet_factor: float = setting(
        0.1,
        "Activity of very quiet clients against the book's mean.",
        "assumption: a few log-ins a year",
        low=0.001,
        high=1,
    )
    size: float = setting(
        0.05,
        "Median of the usual trade as a share of assets.",
        "assumption: a fifth of a position",
        unit="share",
        low=0.0001,
        high=0.5,
    )
    size_spread: float = setting(
        0.9,
        "Standard deviation of the log of the usual trade.",
        "assumption: heavy tail",
        low=0,
        high=3,
    )
    cash: float = setting(
        0.1,
        "Mean share of assets in cash.",
        "assumption: money between two trades",
        unit="share",
        low=0.001,
        high=0.5,
    )
    money: float = setting(
        0.1,
        "Mean share of assets in money funds.",
        "assumption: parked money",
        unit="share",
        low=0.001,
        high=0.5,
    )
    share_sum: float = setting(
        8.0,
        "Sum of the Beta parameters of the two shares; the larger, the more alike clients are.",
        "assumption: many hold hardly any, few hold half",
        low=0.1,
        high=1000,
    )
    idle_most: float = setting(
        0.8,
        "Most of cash and money funds together; beyond it both are cut in proportion.",
        "assumption: whoever holds less in securities is not a trading client",
        unit="share",
        low=0.01,
        high=1,
    )
    positions: float = setting(
        3.4,
        "Middle of the number of instruments held.",
        "assumption: few, as retail portfolios are (Barber & Odean, J. Finance 55, 2000: about 4)",
        low=1,
        high=7,
    )
    positions_by_assets: float = setting(
        0.7,
        "Change of the number of instruments with one standard deviation of wealth.",
        "assumption: the wealthy spread more",
        low=-5,
        high=5,
    )
    positions_spread: float = setting(
        1.4,
        "Standard deviation of the number of instruments, all else equal.",
        "assumption: taste",
        low=0,
        high=5,
    )
    device_spread: float = setting(
        0.7,
        "Standard deviation of the log of how a phone multiplies app errors.",
        "assumption: old phones fail several times as often",
        low=0,
        high=2,
    )
    patience: Pair = setting(
        (2.0, 2.0),
        "Shape parameters of the Beta distribution of patience with calls.",
        "assumption: few extremes",
    )
    hours: Positive3 = setting(
        (10.2, 14.0, 20.5),
        "Middles of the usual hours: morning session, afternoon session, evening.",
        "sessions of the Chinese exchanges: 9:30-11:30 and 13:00-15:00; evening assumed",
        unit="hour",
    )
    hours_shares: Shares3 = setting(
        (0.45, 0.30, 0.25), "Shares of clients by usual hours.", "assumption: prices move by day"
    )
    hours_spread: Positive3 = setting(
        (0.7, 0.6, 1.3),
        "Standard deviations around the usual hours.",
        "assumption: within the session",
        unit="hours",
    )
