"""What a scenario says of the market, of the broker's systems and of what is written about it."""

from __future__ import annotations

from typing import Final, Literal

from keepwell.world.settings import Part, setting

_GT: Final = "Guidolin & Timmermann (2007), four states of returns; size assumed"
_CHAIN: Final = "Hamilton (1989), Markov chain of regimes; size assumed"
_CHURN: Final = "spec.md, facts §2.1: peaks in Q1 and Q4; size assumed"


class MarketSettings(Part):
    """Parameters of the market; all of it is exogenous, no client moves it.

    The four regimes are those of Guidolin & Timmermann, "Asset allocation under multivariate regime
    switching", Journal of Economic Dynamics and Control 31 (2007): slow growth (here `calm`), bull,
    crash and recovery, following a Markov chain as in Hamilton, Econometrica 57 (1989).
    """

    first_regime: Literal["calm", "bull", "crash", "recovery"] = setting(
        "calm", "Regime on the first day.", "assumption: most years begin quietly"
    )
    calm_drift: float = setting(
        0.04, "Log growth of the index in calm times.", _GT, unit="1/year", low=-3, high=3
    )
    bull_drift: float = setting(
        0.30, "Log growth of the index in bull times.", _GT, unit="1/year", low=-3, high=3
    )
    crash_drift: float = setting(
        -1.30, "Log growth of the index in a crash.", _GT, unit="1/year", low=-6, high=3
    )
    recovery_drift: float = setting(
        0.40, "Log growth of the index in a recovery.", _GT, unit="1/year", low=-3, high=3
    )
    calm_volatility: float = setting(
        0.14, "Volatility of the index in calm times.", _GT, unit="1/sqrt(year)", low=0, high=2
    )
    bull_volatility: float = setting(
        0.20, "Volatility of the index in bull times.", _GT, unit="1/sqrt(year)", low=0, high=2
    )
    crash_volatility: float = setting(
        0.38, "Volatility of the index in a crash.", _GT, unit="1/sqrt(year)", low=0, high=2
    )
    recovery_volatility: float = setting(
        0.25, "Volatility of the index in a recovery.", _GT, unit="1/sqrt(year)", low=0, high=2
    )
    calm_sessions: float = setting(
        150, "Mean length of calm times.", _CHAIN, unit="sessions", low=1, high=1e6
    )
    bull_sessions: float = setting(
        70, "Mean length of bull times.", _CHAIN, unit="sessions", low=1, high=1e6
    )
    crash_sessions: float = setting(
        25, "Mean length of a crash.", _CHAIN, unit="sessions", low=1, high=1e6
    )
    recovery_sessions: float = setting(
        45, "Mean length of a recovery.", _CHAIN, unit="sessions", low=1, high=1e6
    )
    calm_to_crash: float = setting(
        0.30,
        "Chance that calm times end in a crash and not in a bull market.",
        _CHAIN,
        low=0,
        high=1,
    )
    bull_to_crash: float = setting(
        0.35, "Chance that bull times end in a crash and not calmly.", _CHAIN, low=0, high=1
    )
    recovery_to_bull: float = setting(
        0.25, "Chance that a recovery goes over into a bull market.", _CHAIN, low=0, high=1
    )
    forced_fall: float = setting(
        0.28,
        "Log fall of the index over the days of a crash that a scenario orders, at strength 1.",
        "assumption: about a quarter, as the CSI 300 in the summer of 2015 or early 2016",
        low=0,
        high=2,
    )
    forced_rise: float = setting(
        0.30,
        "Log rise of the index over the days of a bull market that a scenario orders, at "
        "strength 1.",
        "assumption: of the size of the ordered crash",
        low=0,
        high=2,
    )
    tail: float = setting(
        5.0,
        "Degrees of freedom of Student's t of all daily returns; low means fat tails.",
        "Praetz (1972) and Blattberg & Gonedes (1974) find 3 to 6 for shares",
        low=2.5,
        high=100,
    )
    index_start: float = setting(
        3500.0, "Level of the index at the start.", "assumption: a round level", low=1, high=1e6
    )

    instruments: int = setting(
        400,
        "Number of instruments.",
        "several hundred, as a broker offers; shares by category assumed (INSTRUMENT_MIX)",
        low=64,
        high=1024,
    )
    sector_volatility: float = setting(
        0.12,
        "Volatility of a sector beyond the index.",
        "assumption: below the index's own",
        unit="1/sqrt(year)",
        low=0,
        high=2,
    )
    own_volatility: float = setting(
        0.26,
        "Median volatility of a share beyond index and sector.",
        "Campbell et al. (2001): a share's own risk exceeds the market's; size assumed",
        unit="1/sqrt(year)",
        low=0,
        high=2,
    )
    daily_limit: float = setting(
        0.10,
        "Greatest daily move of a share; shares of R5 move up to twice as much.",
        "price limits of the Shanghai and Shenzhen exchanges (10 %, 20 % on the growth boards)",
        low=0.01,
        high=1,
    )
    money_yield: float = setting(
        0.02,
        "Yearly growth of money funds and of the safest yields.",
        "assumption: about the seven-day yield of Chinese money funds in 2023 and 2024",
        unit="1/year",
        low=-0.05,
        high=0.3,
    )
    rate_volatility: float = setting(
        0.004,
        "Volatility of the level of interest rates.",
        "assumption: of the size of Chinese government yields' yearly moves",
        unit="1/sqrt(year)",
        low=0,
        high=0.1,
    )
    maturing_share: float = setting(
        0.15,
        "Share of bonds and structured products that mature within the simulated days.",
        "assumption: enough to see redemptions",
        low=0,
        high=1,
    )
    popularity: float = setting(
        0.9,
        "Zipf exponent of how often instruments are chosen.",
        "assumption: attention to shares is concentrated (Barber & Odean 2008 on attention)",
        low=0,
        high=3,
    )
    risk_focus: float = setting(
        0.7,
        "How much clients prefer instruments near their own risk level, per level of distance.",
        "assumption: clients stay near their level, without a source for the strength",
        low=0,
        high=5,
    )

    quarter_1: float = setting(
        1.25, "Relative speed of clients' decisions in Q1.", _CHURN, low=0.05, high=4
    )
    quarter_2: float = setting(
        0.80, "Relative speed of clients' decisions in Q2.", _CHURN, low=0.05, high=4
    )
    quarter_3: float = setting(
        0.75, "Relative speed of clients' decisions in Q3.", _CHURN, low=0.05, high=4
    )
    quarter_4: float = setting(
        1.20, "Relative speed of clients' decisions in Q4.", _CHURN, low=0.05, high=4
    )
    closed_activity: float = setting(
        0.35,
        "Log-ins on a day without a session, relative to a day with one.",
        "assumption: clients look in at weekends, but less",
        low=0,
        high=1,
    )
    volatility_activity: float = setting(
        0.35,
        "Elasticity of activity to recent volatility.",
        "Karpoff (1987): volume grows with volatility; size assumed",
        low=0,
        high=2,
    )
    trend_activity: float = setting(
        1.2,
        "How much activity follows the log return of the last 21 sessions.",
        "Statman, Thorley & Vorkink (2006): trading follows past gains; size assumed",
        low=0,
        high=10,
    )

    outages_a_year: float = setting(
        4.0,
        "Failures of the broker's systems that happen by themselves.",
        "assumption: one in a quarter, mostly slight",
        unit="1/year",
        low=0,
        high=365,
    )
    outage_errors_low: float = setting(
        20.0,
        "App errors on a day with the slightest failure, usual day 1.",
        "assumption: plain to see against a usual day",
        low=1,
        high=1e4,
    )
    outage_errors_high: float = setting(
        60.0,
        "App errors on a day with the worst failure, usual day 1.",
        "assumption: plain to see against a usual day",
        low=1,
        high=1e4,
    )
    outage_latency: float = setting(
        6.0,
        "Response times on a day with a medium failure, usual day 1.",
        "assumption: slow, not dead, over the whole day",
        low=1,
        high=1000,
    )
    outage_wait: float = setting(
        2.0,
        "Waiting and solving times on a day with a medium failure, usual day 1.",
        "assumption: clients call when the app fails",
        low=1,
        high=100,
    )
    wobble: float = setting(
        0.08,
        "Standard deviation of the logs of errors, response and waiting times on usual days.",
        "assumption: small",
        low=0,
        high=1,
    )
    wobble_memory: float = setting(
        0.8,
        "Correlation of those from day to day.",
        "assumption: troubles last for days",
        low=0,
        high=0.99,
    )

    own_news: float = setting(
        0.12,
        "News about the broker.",
        "assumption: a broker is written about once in eight days",
        unit="1/day",
        low=0,
        high=20,
    )
    rival_news: float = setting(
        0.20,
        "News about rivals.",
        "assumption: the rivals together, a little more often",
        unit="1/day",
        low=0,
        high=20,
    )
    market_news: float = setting(
        0.80, "News about the market, on days with a session.",
        "assumption: on most sessions", unit="1/day", low=0,
        high=20,
    )  # fmt: skip
    bad_news: float = setting(
        0.25,
        "Share of the news about the broker that is bad.",
        "assumption: most of what is written is neutral or the broker's own",
        low=0,
        high=1,
    )
    outage_news: float = setting(
        0.35,
        "Chance that a medium failure is in the news; grows with its strength.",
        "assumption: bad failures are always written about",
        low=0,
        high=1,
    )
    event_news: float = setting(
        0.5,
        "Pieces of news a day about a price war or a regulator's act, beyond that of the first.",
        "assumption: a topic is taken up again every second day",
        unit="1/day",
        low=0,
        high=20,
    )
    english_news: float = setting(
        0.15,
        "Share of the news written in English.",
        "assumption: few of a Chinese broker's papers are English",
        low=0,
        high=1,
    )
    offers_a_year: float = setting(
        2.0,
        "Rivals' price offers in usual times.",
        "assumption: one in half a year",
        unit="1/year",
        low=0,
        high=365,
    )
    offer_days: int = setting(
        10,
        "Length of such an offer.",
        "assumption: a campaign lasts two weeks",
        unit="days",
        low=1,
        high=365,
    )
    offer_strength: float = setting(
        0.3,
        "Strength of such an offer; a price war has 1.",
        "assumption: well below a price war, which is 1",
        low=0,
        high=10,
    )
