"""Codes of the report to the words people read: English message ids, Chinese in report.po."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MetricWords:
    """How one metric is named, explained and written."""

    name: str
    explain: str
    style: Literal["ratio", "percent", "times"]


TIER_NAMES = {
    "severe": "severe",
    "moderate": "moderate",
    "mild": "mild",
    "none": "no warning",
}

METRICS = {
    "auc": MetricWords(
        "AUC",
        "How often a client who left had a higher score than one who stayed; 0.5 is chance.",
        "ratio",
    ),
    "ap": MetricWords(
        "Average precision",
        "Precision averaged over all leavers found; chance gives the base rate.",
        "ratio",
    ),
    "lift_top10": MetricWords(
        "Lift, top tenth",
        "Leavers among the tenth with the highest scores, against the average of all.",
        "times",
    ),
    "recall_top10": MetricWords(
        "Leavers reached, top tenth",
        "Share of all leavers among the tenth with the highest scores.",
        "percent",
    ),
    "lift_capacity": MetricWords(
        "Lift at capacity",
        "The same among the clients that the staff can work on.",
        "times",
    ),
    "recall_capacity": MetricWords(
        "Leavers reached at capacity",
        "Share of all leavers among the clients that the staff can work on.",
        "percent",
    ),
    "brier": MetricWords(
        "Brier score", "Mean squared error of the probability; lower is better.", "ratio"
    ),
    "ece": MetricWords(
        "Calibration error",
        "Mean distance between predicted and observed share; lower is better.",
        "percent",
    ),
    "ece_refit": MetricWords(
        "Calibration error, level refitted",
        "The same once the average level is corrected on the test; reported only.",
        "percent",
    ),
}

MODELS = {
    "catboost": "keepwell (boosting)",
    "lightgbm": "LightGBM (challenger)",
    "rfm": "RFM logistic",
    "rfm-clumpiness": "RFM with clumpiness",
    "logistic": "Logistic on all indicators",
    "recency": "Recency alone",
}

UNSCORED = {
    "closed": "account closed",
    "unfunded": "no position and no balance",
    "new": "known for less than 30 days",
}

SOURCES = {
    "client": "Client profiles",
    "account": "Accounts",
    "service": "Service teams over time",
    "relation": "Relations between clients",
    "instrument": "Instruments",
    "trade": "Trades",
    "first_purchase": "First purchases",
    "cash_flow": "Deposits and withdrawals",
    "custody_transfer": "Custody transfers",
    "exit_request": "Exit requests",
    "margin": "Margin debt",
    "subscription": "Subscriptions",
    "balance": "Daily balances",
    "holding": "Holdings",
    "session": "Log-ins and sessions",
    "view": "Pages viewed",
    "contact": "Contacts with service",
    "complaint": "Complaints",
    "survey": "Surveys",
    "touch": "Messages sent to clients",
    "index_price": "Market indices",
    "price": "Prices",
    "news": "News",
    "outage": "System outages",
    "consent": "Consents",
}


def every_message() -> list[str]:
    """All message ids of this module; a test asks for their Chinese."""
    metrics = [text for metric in METRICS.values() for text in (metric.name, metric.explain)]
    named = (TIER_NAMES, MODELS, UNSCORED, SOURCES)
    return metrics + [text for names in named for text in names.values()]
