"""Service: complaints, what came back unsolved, and what surveys say."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import per_item_change, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "service"
_HASHED = (
    "estimated from a set of 64 bits: a topic sets the bit of the first byte of its MD5 in UTF-8, "
    "modulo 64"
)


def _complaints(days: int, headline: bool) -> None:
    @second(
        f"complaints_{days}d",
        name=f"Complaints, {days} days",
        unit="count",
        direction="high",
        family=_FAMILY,
        explain=f"Complaints that the client made in the last {days} days.",
        definition=f"Number of complaint rows in the window of {days} days.",
        headline=headline,
        threshold=1.0 if headline else 2.0,
    )
    def _(w: Windows) -> Array:
        return w.complaint.sum("count", days)


_complaints(90, True)
_complaints(365, False)


@second(
    "unsettled_complaints_365d",
    name="Complaints not settled, 365 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Complaints of the last 365 days that are neither closed nor withdrawn.",
    definition=(
        "Number of complaint rows in the window of 365 days without a closed_at whose status is "
        "open, answered or unknown."
    ),
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.complaint.sum("unsettled", 365)


@second(
    "days_since_complaint",
    name="Days since last complaint",
    unit="days",
    direction="low",
    family=_FAMILY,
    explain="Days since the client last complained.",
    definition=(
        "D minus the local day of the latest known complaint. Looks back without limit. Absent "
        "when none is known."
    ),
    threshold=30.0,
)
def _(w: Windows) -> Array:
    return w.complaint.recency()


def _repeated(table: str, id: str, name: str, days: int, headline: bool) -> None:
    @second(
        id,
        name=f"{name}, {days} days",
        unit="count",
        direction="high",
        family=_FAMILY,
        explain="How often the client came back with a topic that had been raised already.",
        definition=(
            f"N - K. N: {table} rows with a topic in the window of {days} days. K: different "
            f"topics among them, {_HASHED}."
        ),
        headline=headline,
        threshold=2.0,
    )
    def _(w: Windows) -> Array:
        rows = w.contact if table == "contact" else w.complaint
        return rows.sum("topical", days) - rows.distinct("topics", days)


_repeated("contact", "repeated_contacts_90d", "Contacts about the same again", 90, True)
_repeated("complaint", "repeated_complaints_365d", "Complaints about the same again", 365, False)


@second(
    "unresolved_share_90d",
    name="Share not resolved at first contact, 90 days",
    unit="share",
    direction="high",
    family=_FAMILY,
    explain="Which part of the contacts of the last 90 days was not resolved at the first attempt.",
    definition=(
        "F / K. K: contacts in the window of 90 days whose first_time is known. F: those of them "
        "whose first_time is false. Absent when K = 0."
    ),
    threshold=0.5,
)
def _(w: Windows) -> Array:
    judged = w.contact.sum("judged", 90)
    return ratio(judged - w.contact.sum("first_time", 90), judged)


@second(
    "unsolved_contacts_90d",
    name="Contacts without a solution, 90 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Contacts of the last 90 days of which no solution is on record.",
    definition="Number of contacts in the window of 90 days without a resolve_s.",
    threshold=2.0,
)
def _(w: Windows) -> Array:
    return w.contact.sum("count", 90) - w.contact.sum("resolved", 90)


def _against(id: str, name: str, column: str, items: str, direction: str, alarm: float) -> None:
    @second(
        id,
        name=f"{name} against own normal, 90 days",
        unit="ratio",
        direction=direction,
        family=_FAMILY,
        explain="The average of the last 90 days over that of the rest of the year; 1 is the same.",
        definition=(
            f"(S / K) / (T / M). S: sum of {column} over the contacts in the window of 90 days. K: "
            f"contacts in it that have a {column}. T, M: the same in the window of 365 days, minus "
            "S and minus K. Absent when K = 0, M = 0 or T = 0."
        ),
        threshold=alarm,
    )
    def _(w: Windows) -> Array:
        return per_item_change(w.contact, column, items, 90)


_against("wait_change_90d", "Waiting time", "wait_s", "waited", "high", 2.0)
_against("resolution_change_90d", "Time until resolved", "resolve_s", "resolved", "high", 2.0)
_against("csat_change_90d", "Satisfaction", "csat", "rated", "low", 0.8)


def _survey(kind: str, id: str, name: str, words: str, direction: str) -> None:
    @second(
        id,
        name=f"{name}, 365 days",
        unit="points",
        direction=direction,
        family=_FAMILY,
        explain=words,
        definition=(
            f"S / K. S: sum of score over the survey rows of kind {kind} in the window of 365 "
            "days. K: those of them that have a score. Absent when K = 0."
        ),
    )
    def _(w: Windows) -> Array:
        return ratio(w.survey.sum(f"{kind}_score", 365), w.survey.sum(f"{kind}_count", 365))


for _row in (
    ("nps", "nps_365d", "Willingness to recommend",
     "The client's average answer to whether they would recommend us, 0 to 10.", "low"),
    ("csat", "survey_csat_365d", "Satisfaction by survey",
     "The client's average mark in satisfaction surveys.", "low"),
    ("ces", "survey_effort_365d", "Effort by survey",
     "The client's average answer on the effort it took; which side is good is the survey's.",
     "none"),
):  # fmt: skip
    _survey(*_row)


@second(
    "detractor_answers_365d",
    name="Answers of a detractor, 365 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="How often in the last 365 days the client would not have recommended us.",
    definition=(
        "Number of survey rows of kind nps with a score of 6 or less in the window of 365 days."
    ),
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.survey.sum("detractor", 365)
