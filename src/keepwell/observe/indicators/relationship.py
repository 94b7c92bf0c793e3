"""Relationship: requests to leave, who serves the client, accounts, tiers, and ties to others."""

from __future__ import annotations

from keepwell.observe.indicators.expressions import ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_FAMILY = "relationship"


@second(
    "exit_requests_180d",
    name="Requests to leave, 180 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="How often in the last 180 days the client asked to close, transfer or be released.",
    definition="Number of exit_request rows in the window of 180 days.",
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.exit_request.sum("count", 180)


@second(
    "pending_exit_requests_365d",
    name="Requests to leave not carried out, 365 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Requests to leave of the last 365 days that are not carried out yet.",
    definition="Number of exit_request rows in the window of 365 days without a completed_at.",
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.exit_request.sum("pending", 365)


@second(
    "exit_blockers_365d",
    name="Blockers of requests to leave, 365 days",
    unit="count",
    direction="none",
    family=_FAMILY,
    explain="What stands against the client's open requests to leave, such as an open position.",
    definition=(
        "Over the exit_request rows in the window of 365 days without a completed_at: number of "
        "items, separated by commas, in blockers; 0 where that is null."
    ),
)
def _(w: Windows) -> Array:
    return w.exit_request.sum("blockers", 365)


@second(
    "blocked_exit_share_365d",
    name="Share of requests to leave that are blocked, 365 days",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="Which part of the client's requests to leave waits for something to be cleared.",
    definition=(
        "B / N. N: exit_request rows in the window of 365 days. B: those of them without a "
        "completed_at that have blockers. Absent when N = 0."
    ),
)
def _(w: Windows) -> Array:
    return ratio(w.exit_request.sum("blocked", 365), w.exit_request.sum("count", 365))


@second(
    "days_since_exit_request",
    name="Days since last request to leave",
    unit="days",
    direction="low",
    family=_FAMILY,
    explain="Days since the client last asked to leave.",
    definition=(
        "D minus the local day of the latest known exit_request row. Looks back without limit. "
        "Absent when none is known."
    ),
    threshold=90.0,
)
def _(w: Windows) -> Array:
    return w.exit_request.recency()


_OPEN = "account rows of the client, as known at as_of, whose state is not closed"


@second(
    "open_accounts",
    name="Open accounts",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="Number of the client's accounts that are not closed.",
    definition=f"Number of {_OPEN}.",
    threshold=0.0,
)
def _(w: Windows) -> Array:
    return w.account.count()


@second(
    "account_kinds",
    name="Kinds of account",
    unit="count",
    direction="low",
    family=_FAMILY,
    explain="How many kinds of account, such as margin or pension, the client has.",
    definition=f"Number of different known values of kind over the {_OPEN}.",
)
def _(w: Windows) -> Array:
    return w.account.kinds()


@second(
    "trading_permissions",
    name="Trading permissions",
    unit="count",
    direction="none",
    family=_FAMILY,
    explain="How many trading permissions the client's best equipped account has.",
    definition=(
        f"Largest number of items, separated by commas, in permissions over the {_OPEN}. Absent "
        "when none has any."
    ),
)
def _(w: Windows) -> Array:
    return w.account.permissions()


@second(
    "published_fee_rate",
    name="Published commission rate",
    unit="share",
    direction="none",
    family=_FAMILY,
    explain="Commission rate of the client's cheapest fee plan.",
    definition=f"Least fee_rate over the {_OPEN}. Absent when none has one.",
)
def _(w: Windows) -> Array:
    return w.account.fee_rate()


@second(
    "commission_over_tier_90d",
    name="Effective commission over the published rate, 90 days",
    unit="ratio",
    direction="high",
    family=_FAMILY,
    explain=(
        "Commission really paid per money traded, over the rate of the client's fee plan; above 1 "
        "the client pays more than the plan says, as minimum fees make small trades dear."
    ),
    definition=(
        "(C / A) / R. C, A: sums of commission and of amount over the trades in the window of 90 "
        "days; a trade without one adds 0 to it. R: indicator published_fee_rate. Absent when R "
        "is, when A = 0, and when R = 0."
    ),
    headline=True,
    threshold=1.5,
)
def _(w: Windows) -> Array:
    rate = ratio(w.trade.sum("commission", 90), w.trade.sum("amount", 90))
    return ratio(rate, w.account.fee_rate())


_SERVICE = (
    "service rows of the client with valid_from < as_of, in the order of valid_from, as known at "
    "as_of"
)
_INSIDE = "those whose local day of valid_from is D - {} or later"


def _staff(who: str, alarm: float, headline: bool) -> None:
    @second(
        f"{who}_changes_365d",
        name=f"Changes of {who}, 365 days",
        unit="count",
        direction="high",
        family=_FAMILY,
        explain=f"How often the client was given another {who} in the last 365 days.",
        definition=(
            f"Over the {_SERVICE}: number of rows, of {_INSIDE.format(365)}, whose {who}_id is "
            f"known and differs from a known {who}_id of the row before. Absent without rows."
        ),
        headline=headline,
        threshold=alarm,
    )
    def _(w: Windows) -> Array:
        changes = w.service.manager_changes if who == "manager" else w.service.adviser_changes
        return changes(365)


_staff("manager", 2.0, True)
_staff("adviser", 2.0, False)


@second(
    "days_with_manager",
    name="Days with the present manager",
    unit="days",
    direction="low",
    family=_FAMILY,
    explain="Days since the client was given the present manager.",
    definition=(
        f"Over the {_SERVICE}: D minus the local day of valid_from of the latest row whose "
        "manager_id is known and differs from a known manager_id of the row before; of the first "
        "row when there is none. Absent without rows."
    ),
    threshold=30.0,
)
def _(w: Windows) -> Array:
    return w.service.manager_days()


@second(
    "wecom_connected",
    name="Connected on WeCom",
    unit="share",
    direction="low",
    family=_FAMILY,
    explain="1 when the client is connected to the manager on WeCom, 0 when not.",
    definition=(
        f"wecom of the latest of the {_SERVICE}: 1 for true, 0 for false. Absent without rows, "
        "and when it is unknown."
    ),
    threshold=0.0,
)
def _(w: Windows) -> Array:
    return w.service.connected()


@second(
    "wecom_removed_90d",
    name="WeCom contact removed, 90 days",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="How often in the last 90 days the connection on WeCom was ended.",
    definition=(
        f"Over the {_SERVICE}: number of rows, of {_INSIDE.format(90)}, whose wecom is false "
        "after a row whose wecom is true. Absent without rows."
    ),
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.service.removals(90)


_TIES = "relation rows known at as_of whose since is null or before D"


@second(
    "household_size",
    name="Others in the household",
    unit="count",
    direction="none",
    family=_FAMILY,
    explain="Other clients in the same household or on a joint account.",
    definition=(
        f"Number of different values of other_id over the {_TIES}, of kind "
        "household or joint, whose client_id is the client."
    ),
)
def _(w: Windows) -> Array:
    return w.relation.household()


@second(
    "referred_clients",
    name="Clients referred",
    unit="count",
    direction="none",
    family=_FAMILY,
    explain="How many clients name this one as the one who referred them.",
    definition=(
        f"Number of different values of client_id over the {_TIES}, of kind referrer, whose "
        "other_id is the client."
    ),
)
def _(w: Windows) -> Array:
    return w.relation.referred()


@second(
    "tied_clients_left",
    name="Tied clients who left",
    unit="count",
    direction="high",
    family=_FAMILY,
    explain="Clients of the same household, or tied by a referral, whose relationship has ended.",
    definition=(
        f"Number of different clients tied to the client, as client_id or as other_id, by the "
        f"{_TIES}, of any kind, whose client row in force (largest valid_from < as_of) has a "
        "closed_on before D."
    ),
    headline=True,
    threshold=1.0,
)
def _(w: Windows) -> Array:
    return w.relation.left()
