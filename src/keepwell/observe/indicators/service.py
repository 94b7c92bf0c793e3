"""Service: how often the client needs help, how long it takes, and how content the client is."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import own_normal, ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import indicator

_FAMILY = "service"
_SECONDS_PER_HOUR = 3600.0


def _contacts(days: int) -> None:
    @indicator(
        f"contact_count_{days}d",
        name=f"Contacts in {days} days",
        unit="count",
        direction="high",
        family=_FAMILY,
        explain=f"Number of times the client got in touch in the last {days} days.",
        definition=f"Number of contact rows in the window of {days} days.",
    )
    def _(w: Windows) -> Array:
        return w.contact.sum("count", days)


for _days in (30, 90):
    _contacts(_days)


@indicator(
    "contact_change_30d",
    name="Contacts against own normal, 30 days",
    unit="ratio",
    direction="high",
    family=_FAMILY,
    explain=(
        "How often the client got in touch in the last 30 days, compared with the client's rate in "
        "the rest of the year; more questions often come before leaving."
    ),
    definition=(
        "(N / C) / (M / B). "
        "N: contacts in the window of 30 days. C: covered days of contact in it. M: contacts in "
        "the window of 365 days, minus N. B: covered days of the window of 365 days, minus C. "
        "Absent when B < 90 or M = 0."
    ),
    headline=True,
    threshold=2.0,
)
def _(w: Windows) -> Array:
    return own_normal(w.contact, "count", 30)


@indicator(
    "mean_wait_90d",
    name="Waiting time, 90 days",
    unit="seconds",
    direction="high",
    family=_FAMILY,
    explain="How long the client waited on average before someone answered.",
    definition=(
        "W / K. W: sum of wait_s over the contacts in the window of 90 days. K: contacts in it "
        "that have a wait_s. Absent when K = 0."
    ),
    headline=True,
    threshold=300.0,
)
def _(w: Windows) -> Array:
    return ratio(w.contact.sum("wait_s", 90), w.contact.sum("waited", 90))


@indicator(
    "longest_wait_90d",
    name="Longest wait, 90 days",
    unit="seconds",
    direction="high",
    family=_FAMILY,
    explain="The longest the client had to wait for an answer in the last 90 days.",
    definition=(
        "Largest wait_s of a contact in the window of 90 days. Absent when no contact in it has "
        "one."
    ),
)
def _(w: Windows) -> Array:
    return w.contact.max("max_wait_s", 90)


@indicator(
    "mean_resolution_90d",
    name="Time until resolved, 90 days",
    unit="hours",
    direction="high",
    family=_FAMILY,
    explain="How long it took on average until the client's question was resolved.",
    definition=(
        "(S / K) / 3600. S: sum of resolve_s over the contacts in the window of 90 days. K: "
        "contacts in it that have a resolve_s. Absent when K = 0."
    ),
    headline=True,
    threshold=6.0,
)
def _(w: Windows) -> Array:
    return ratio(w.contact.sum("resolve_s", 90), w.contact.sum("resolved", 90)) / _SECONDS_PER_HOUR


@indicator(
    "unresolved_contacts_90d",
    name="Not resolved at first contact, 90 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Contacts of the last 90 days that were not resolved at the first attempt.",
    definition="Number of contacts in the window of 90 days whose first_time is false.",
    headline=True,
    threshold=2.0,
)
def _(w: Windows) -> Array:
    return w.contact.sum("judged", 90) - w.contact.sum("first_time", 90)


@indicator(
    "mean_csat_180d",
    name="Satisfaction, 180 days",
    unit="points",
    direction="low",
    family=_FAMILY,
    explain="The client's average mark for our service, 1 to 5, over the last 180 days.",
    definition=(
        "C / K. C: sum of csat over the contacts in the window of 180 days. K: contacts in it "
        "that have a csat. Absent when K = 0."
    ),
    headline=True,
    threshold=3.0,
)
def _(w: Windows) -> Array:
    return ratio(w.contact.sum("csat", 180), w.contact.sum("rated", 180))


@indicator(
    "lowest_csat_180d",
    name="Lowest satisfaction, 180 days",
    unit="points",
    direction="low",
    family=_FAMILY,
    explain="The client's worst mark for our service, 1 to 5, in the last 180 days.",
    definition=(
        "Smallest csat of a contact in the window of 180 days. Absent when no contact in it has "
        "one."
    ),
    threshold=2.0,
)
def _(w: Windows) -> Array:
    return w.contact.min("min_csat", 180)


@indicator(
    "days_since_contact",
    name="Days since last contact",
    unit="days",
    direction="none",
    family=_FAMILY,
    explain="Days since the client last got in touch.",
    definition=(
        "D minus the local day of the latest known contact. Looks back without limit. Absent "
        "when none is known."
    ),
)
def _(w: Windows) -> Array:
    return w.contact.recency()
