"""What a scenario may change about habits, experience, leaving, help and contagion.

Lists by cause are in the order of `terms.CAUSES`; by stage: anomaly, probing, assessment, exit; by
action in the order of `terms.ACTIONS`.
"""

from __future__ import annotations

from pydantic import model_validator

from keepwell.world.setting_types import Chances4, Eight, Odds8, Positive4, SharesBySix
from keepwell.world.settings import Part, setting

Four = tuple[float, float, float, float]
Matrix = tuple[Eight, Eight, Eight, Eight, Eight, Eight, Eight, Eight]

_FREE = "assumption: scale only, calibrated with the others against the spec's facts"
_TUNED = "calibrated to spec.md's facts by benchmarks/world_fidelity.py"
_STAGE = "spec.md, path of leaving (§2.4): behaviour anomaly to exit decision"


class Habits(Part):
    """What clients do when nothing is wrong; multiplies each client's own rates."""

    trading: float = setting(1.0, "Multiplies all trading.", _FREE, low=0)
    log_ins: float = setting(1.0, "Multiplies all log-ins.", _FREE, low=0)
    funding: float = setting(1.0, "Multiplies deposits and withdrawals.", _FREE, low=0)
    contacts: float = setting(1.3, "Multiplies inbound contacts.", _TUNED, low=0)
    session_spread: float = setting(
        0.45, "Standard deviation of the log of the lengths of a client's log-ins.",
        "assumption: a glance is half as long as a reading", low=0, high=2,
    )  # fmt: skip
    surveys_per_year: float = setting(
        0.5,
        "Survey answers a client-year.",
        "assumption: asked several times a year, answered seldom",
        low=0,
    )
    touches_per_year: float = setting(
        5.0, "Routine campaigns a client-year.", "assumption: one campaign in ten weeks", low=0
    )
    suggestions_per_year: float = setting(
        3.0,
        "Product suggestions by the adviser a client-year.",
        "assumption: about one a quarter, as market readings are sent",
        low=0,
    )
    subscriptions_per_year: float = setting(
        0.8,
        "Subscriptions (issues, advice, data, plans) a client-year.",
        "assumption: most clients try for a new issue once a year or never",
        low=0,
    )
    flow_size: float = setting(
        0.06,
        "Usual deposit or withdrawal as a share of assets.",
        "assumption: savings of a month or two against the assets",
        unit="share",
        low=0,
    )
    flow_fails: float = setting(
        0.02,
        "Share of transfers of money that fail.",
        "assumption: bank limits and wrong passwords are usual, not frequent",
        unit="share",
        low=0,
        high=1,
    )
    disposition: float = setting(
        0.5, "How much readier clients are to sell what has gained than what has lost.",
        "Odean (1998), Are investors reluctant to realize their losses?: gains are realised about "
        "half as often again", low=0,
    )  # fmt: skip
    margin_use: float = setting(
        0.25, "Debt that margin clients take up to, as a share of assets.",
        "assumption: far below the legal limit", low=0,
        high=1,
    )  # fmt: skip


class Experience(Part):
    """What happens to clients and how much it hurts; hurt is a grievance of one cause."""

    forget_days: float = setting(
        60.0, "Days in which half of a grievance is forgotten.",
        "assumption: the anomaly stage lasts 2-3 months (§2.4)", unit="days", low=1,
    )  # fmt: skip
    wait_seconds: float = setting(
        110.0,
        "Median wait for an answer.",
        "assumption: a hotline that answers within two minutes",
        unit="s",
        low=0,
    )
    solve_hours: float = setting(
        2.2, "Median time until a contact is solved.",
        "spec.md: 48 h at the worst, 6 h tolerated (§2.3)", unit="h", low=0,
    )  # fmt: skip
    solve_spread: float = setting(
        1.5, "Standard deviation of the log of the solving time.",
        "assumption: 2 % of contacts take 48 h or more", low=0,
    )  # fmt: skip
    tolerated_hours: float = setting(
        6.0, "Hours until solved that clients tolerate.", "spec.md: 6 h tolerated (§2.3)",
        unit="h", low=0.1,
    )  # fmt: skip
    wait_hurt: float = setting(0.30, "Hurt of a wait of five minutes.", _TUNED, low=0)
    unsolved_hurt: float = setting(
        0.60, "Hurt of each doubling of the tolerated hours.", _TUNED, low=0
    )
    error_rate: float = setting(
        0.023, "App errors a session on a usual day.", "assumption: one log-in in forty", low=0
    )
    error_hurt: float = setting(0.40, "Hurt of an app error.", _TUNED, low=0)
    latency_ms: float = setting(
        420.0, "Median response time.", "assumption: a usual app", unit="ms", low=1
    )
    gap_share: float = setting(
        0.21, "Share of looks at a feature that end in finding it missing.",
        "assumption: who looks for a feature mostly finds it", low=0,
        high=1,
    )  # fmt: skip
    gap_hurt: float = setting(0.50, "Hurt of a missing feature.", _TUNED, low=0)
    poor_advice: float = setting(
        0.55, "Share of an adviser's suggestions that are poor, at skill 0.",
        "assumption: skill lowers it in proportion", low=0, high=1,
    )  # fmt: skip
    advice_hurt: float = setting(0.70, "Hurt of a poor suggestion.", _TUNED, low=0)
    loss_hurt: float = setting(
        5.0, "Hurt, charged to advice, of falling behind the index by a whole; a month's worth.",
        _TUNED, low=0,
    )  # fmt: skip
    market_hurt: float = setting(
        6.0, "Hurt of a fall of the index by a whole within a month.", _TUNED, low=0
    )
    fee_hurt: float = setting(
        0.20, "Hurt a month of paying twice the rate that rivals ask.", _TUNED, low=0
    )
    rival_rate: float = setting(
        0.00025, "Commission rate that rivals ask.", "assumption: usual internet brokers' rate",
        unit="share", low=0.00001,
    )  # fmt: skip
    rival_hurt: float = setting(
        0.02,
        "Hurt a day of a price war of strength 1.",
        "assumption: a quarter of price war weighs as one bad piece of advice or two",
        low=0,
    )
    trust_hurt: float = setting(
        0.21, "Hurt of bad news about the broker, for those who hear it.", _TUNED, low=0
    )
    heard: float = setting(
        0.30,
        "Share of clients who hear a piece of news.",
        "assumption: most clients do not read about their broker",
        low=0,
        high=1,
    )
    life_per_year: float = setting(
        0.045,
        "Life events (a move, a house, a child) a client-year.",
        "assumption: one in two decades or so that touches the account",
        low=0,
    )
    life_hurt: float = setting(3.5, "Weight of a life event.", _TUNED, low=0)
    complain: float = setting(
        0.001,
        "Complaints a day per unit of the worst grievance above 1.",
        "assumption: about one complaint in ten client-years",
        low=0,
    )
    solve_complaint_days: float = setting(
        6.0,
        "Median days until a complaint is closed.",
        "assumption: a working week",
        unit="days",
        low=0.1,
    )


class Leaving(Part):
    """The hazard of beginning to leave, the stages, their signs, and how it ends."""

    hazard: float = setting(
        0.000605, "Hazard a day of beginning to leave, of a client at peace.", _TUNED, low=0
    )
    at_peace: float = setting(
        0.25, "Weight of being at peace beside the grievances.", _TUNED, low=0
    )
    strength: Eight = setting(
        (1.45, 0.80, 1.00, 0.90, 0.95, 0.58, 1.50, 1.00),
        "Weight of each cause's grievance in the hazard.", _TUNED,
    )  # fmt: skip
    full: float = setting(
        2.5, "Grievance at which its effect reaches half of its most.", "assumption: saturation",
        low=0.1,
    )  # fmt: skip
    days: Positive4 = setting(
        (66.0, 24.5, 15.0, 7.4), "Mean days of each stage, on the client's own clock.",
        "spec.md §2.4: anomaly 2-3 months; the others assumed as 4, 2.5 and 1.3 weeks; a little "
        "less here, as steps are taken on the next day with a session", unit="days",
    )  # fmt: skip
    days_spread: float = setting(
        0.35,
        "Standard deviation of the log of a stage's length.",
        "assumption: the stages' ranges in spec.md (2-3 months) are about this wide",
        low=0,
    )
    go_on: Chances4 = setting(
        (0.62, 0.82, 0.90, 0.85), "Chance of going on from each stage when left alone.",
        "spec.md §2.4: after the first large transfer out 85 % leave; the others calibrated",
    )  # fmt: skip
    worse: float = setting(
        0.6,
        "Logit of going on per unit that the cause's grievance has grown.",
        "assumption: a new hurt of 1 turns a chance of 1/2 into 2/3",
    )
    at_once: float = setting(
        0.04, "Share of those who begin to leave who do it at once, without the early stages.",
        "assumption: about 8 % of leavers, as most of these leave and few of the others", low=0,
        high=1,
    )  # fmt: skip
    drift: float = setting(
        0.06, "Share of those who begin to leave who drift off without a word.",
        "assumption: about 11 % of leavers", low=0, high=1,
    )  # fmt: skip
    drift_days: float = setting(
        150.0, "Mean days of drifting off.", "assumption: slower than the stages together", low=1
    )
    feints_per_year: float = setting(
        0.16, "Spells a client-year that only look like leaving (holiday, busy, a house).",
        "assumption: a long holiday or a busy spell every sixth year; makes false alarms", low=0,
    )  # fmt: skip
    feint_days: float = setting(
        45.0, "Mean days of such a spell.", "assumption: a month and a half", low=1
    )
    trading_signs: Four = setting(
        (0.35, 0.35, 0.30, 0.15), "Multiplies the beginning of bursts of trading in each stage.",
        "spec.md §2.4: trading at least 30 % below own normal, moves into money funds included",
    )  # fmt: skip
    log_in_signs: Four = setting(
        (0.60, 1.15, 1.15, 1.30),
        "Multiplies log-ins in each stage.",
        "spec.md §2.4 gives the direction; sizes chosen after seeing benchmarks/world_reasons.py",
    )
    seconds_signs: Four = setting(
        (0.58, 0.70, 0.75, 0.80), "Multiplies the length of log-ins in each stage.",
        "spec.md §2.4: shorter log-ins; sizes chosen after seeing benchmarks/world_reasons.py",
    )  # fmt: skip
    contact_signs: Four = setting(
        (1.6, 4.0, 5.0, 8.0), "Multiplies contacts in each stage.",
        "spec.md §2.4: more questions; sizes calibrated so that 73 % of leavers met slow service",
    )  # fmt: skip
    deposit_signs: Four = setting(
        (0.60, 0.40, 0.20, 0.0), "Multiplies deposits in each stage.", _STAGE
    )
    withdrawal_signs: Four = setting(
        (1.3, 1.6, 2.4, 3.0), "Multiplies withdrawals in each stage.", _STAGE
    )
    money_moves: Four = setting(
        (0.006, 0.010, 0.020, 0.05), "Chance a trading day of moving a position into money funds.",
        "spec.md §2.4: moves into money funds",
    )  # fmt: skip
    view_signs: SharesBySix = setting(
        (
            (0.860, 0.085, 0.001, 0.001, 0.025, 0.028),
            (0.800, 0.110, 0.003, 0.002, 0.050, 0.035),
            (0.560, 0.170, 0.020, 0.010, 0.170, 0.070),
            (0.440, 0.120, 0.080, 0.030, 0.240, 0.090),
            (0.300, 0.040, 0.300, 0.240, 0.080, 0.040),
        ),
        "Share of each topic of views, in no stage and in each stage; topics as in the contract.",
        "spec.md §2.4: new-product and rival browsing, then 2-3 rivals compared",
    )  # fmt: skip
    first_transfer: float = setting(
        0.5,
        "Share of assets in the first large transfer out.",
        "assumption: large against usual withdrawals, but not all",
        low=0,
        high=1,
    )
    closes: float = setting(
        0.30,
        "Share of leavers who close the account.",
        "assumption: both ways are common; the rest drifts off",
        low=0,
        high=1,
    )
    moves: float = setting(
        0.40,
        "Share of leavers who move custody to another broker.",
        "assumption: both ways are common; the rest drifts off",
        low=0,
        high=1,
    )
    returns: float = setting(
        0.07, "Share of leavers who come back.", "assumption: few, within the year", low=0, high=1
    )
    return_days: float = setting(
        140.0, "Mean days until they come back.", "assumption: few, within the year", low=1
    )
    names: Eight = setting(
        (20.0, 6.7, 2.0, 3.8, 2.0, 2.0, 2.0, 1.5),
        "How readily a leaver names each cause: chance 1 - exp(-names * grievance).",
        "spec.md §2.3: service 73 %, advice 68 %, app 42 % of leavers; the others assumed",
    )  # fmt: skip

    @model_validator(mode="after")
    def _shares_add_up(self) -> Leaving:
        if self.at_once + self.drift > 1.0:
            raise ValueError("at_once and drift add up to 1 at the most")
        if self.closes + self.moves > 1.0:
            raise ValueError("closes and moves add up to 1 at the most")
        return self


class Help(Part):
    """What each action changes: the truth that estimators must find."""

    effects: float = setting(
        1.0,
        "Multiplies every entry of `effect`, those that harm (above 0) too.",
        "scale: 1 is the size given by `effect`, `annoys` and `wakes`",
        low=0,
    )
    harm: float = setting(
        1.0,
        "Multiplies `annoys` and `wakes`: the harm of needless touches; not `effect`.",
        "scale: 1 is the size given by `effect`, `annoys` and `wakes`",
        low=0,
    )
    effect: Matrix = setting(
        (
            (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            (-0.59, -0.45, -0.2, -0.2, -0.52, 0.3, -0.26, 0.2),
            (-0.1, -1.7, -0.4, 0.0, -0.3, 0.2, -0.9, -0.3),
            (0.0, 0.0, 0.0, 0.1, -0.3, -1.3, 0.0, 0.0),
            (0.0, -1.0, -0.2, 0.0, -0.2, 0.1, -0.8, 0.0),
            (0.1, -0.3, -0.6, -0.1, 0.0, 0.0, -0.9, 0.0),
            (0.0, 0.0, -1.5, -1.3, 0.0, 0.0, 0.0, 0.0),
            (-2.0, -0.2, 0.0, -0.9, -0.9, -0.1, 0.0, 0.0),
        ),
        "Logit of going on that each action adds; below 0 keeps. A row per action (leave_alone, "
        "manager_call, adviser_review, fee_explanation, holdings_report, education, "
        "feature_help, complaint_fast), a column per cause (service, advice, product, "
        "technology, trust, price, market, life-event).",
        "assumption: sizes give the 1.9 points of Matos, Ferreira & Belo (2018) for calls to all "
        "at risk, and harm for some as in Ascarza, Iyengar & Schleicher (2016)",
    )  # fmt: skip
    by_stage: Four = setting(
        (1.4, 1.3, 0.8, 0.35), "Multiplies effects in each stage.",
        "spec.md §2.4: 60 % still keepable while probing, few after the exit decision",
    )  # fmt: skip
    young: Eight = setting(
        (1.0, 0.6, 0.8, 1.1, 0.8, 1.2, 1.3, 1.0), "Multiplies effects on clients below 36.",
        "spec.md §2.4: young clients care for features",
    )  # fmt: skip
    wealthy: Eight = setting(
        (1.0, 1.2, 1.3, 0.8, 1.2, 0.8, 0.8, 1.1), "Multiplies effects above 500,000 CNY.",
        "spec.md §2.4: wealthy clients care for service",
    )  # fmt: skip
    help_days: float = setting(
        90.0,
        "Days in which half of an effect fades.",
        "assumption: a talk is forgotten in a season",
        low=1,
    )
    relief: float = setting(
        0.5, "Share of the cause's grievance taken away per logit of effect.",
        "assumption: help removes part of its ground, not all", low=0,
        high=1,
    )  # fmt: skip
    annoys: Eight = setting(
        (0.0, 0.35, 0.20, 0.12, 0.05, 0.08, 0.10, 0.0),
        "Hurt to trust of a client without cause who wants to be left alone.",
        "Ascarza, Iyengar & Schleicher (2016): calls made churn 10.0 % where it was 6.4 %",
    )  # fmt: skip
    wakes: Odds8 = setting(
        (0.0, 0.012, 0.006, 0.006, 0.002, 0.002, 0.003, 0.0),
        "Chance that the action itself makes such a client begin to leave.",
        "assumption: Ascarza, Iyengar & Schleicher (2016), sleeping dogs; size assumed",
    )  # fmt: skip


class Contagion(Part):
    """How leaving spreads; 0 switches it off."""

    household: float = setting(
        1.5, "Raises the hazard by this per member of the household who left lately.",
        "assumption: strong enough to see, since those who live together decide together", low=0,
    )  # fmt: skip
    referrer: float = setting(
        0.6,
        "Raises the hazard by this when the referrer left lately.",
        "assumption: weaker than a household",
        low=0,
    )
    adviser: float = setting(
        4.0, "Raises the hazard by this times the share of the adviser's clients who left lately.",
        "assumption: a tenth of the book gone weighs as 0.4", low=0,
    )  # fmt: skip
    adviser_leaves: float = setting(
        1.2,
        "Hurt, charged to advice, of losing the adviser.",
        "assumption: about two poor suggestions",
        low=0,
    )
    lately: float = setting(
        60.0,
        "Days that count as lately (mean of a decay).",
        "assumption: talked about for a season",
        low=1,
    )
    resolve: float = setting(
        0.35,
        "Logit of going on per unit of contagion, once leaving has begun.",
        "assumption: weaker than an own bad experience (`worse`)",
        low=0,
    )
