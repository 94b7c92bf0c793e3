"""The client among its peers: clients of like wealth and risk level (engines/peers.py).

The market's part is in the peers' number too, so what is left is the client's own.
"""

from __future__ import annotations

from keepwell.observe.indicators.expressions import ratio
from keepwell.observe.indicators.needs import Array, Windows
from keepwell.observe.indicators.registry import second

_PEERS = (
    "the client's peers: the clients of the same fifth of total_assets and the same risk level at "
    "the beginning of D (see the rules above)"
)
_ABSENT = "Absent when P is, and when fewer than 20 peers have one."


def _beyond(
    base: str, id: str, name: str, explain: str, *, family: str, unit: str = "points",
    direction: str = "low", headline: bool = False, threshold: float | None = None,
) -> None:  # fmt: skip
    @second(
        id,
        name=name,
        unit=unit,
        direction=direction,
        family=family,
        explain=explain,
        definition=(
            f"P - M. P: indicator {base}. M: median of the same at the beginning of D over "
            f"{_PEERS}. {_ABSENT}"
        ),
        headline=headline,
        threshold=threshold,
    )
    def _(w: Windows) -> Array:
        return w.peer.own(base) - w.peer.median(base)


def _over(base: str, id: str, name: str, explain: str, *, family: str) -> None:
    @second(
        id,
        name=name,
        unit="ratio",
        direction="high",
        family=family,
        explain=explain,
        definition=(
            f"P / M. P: indicator {base}. M: median of the same at the beginning of D over "
            f"{_PEERS}. {_ABSENT} Absent when M is 0."
        ),
        threshold=1.5,
    )
    def _(w: Windows) -> Array:
        return ratio(w.peer.own(base), w.peer.median(base))


def _rank(days: int) -> None:
    @second(
        f"return_rank_{days}d",
        name=f"Rank of the return among peers, {days} days",
        unit="share",
        direction="low",
        family="performance",
        explain=(
            f"Which part of clients of like wealth and risk level earned less in {days} days: "
            "0.1 means that nine of ten did better."
        ),
        definition=(
            f"(B + E / 2) / N. N: number of {_PEERS}, that have indicator return_{days}d then. B: "
            "those of them below the client's, E: those equal to it. Absent when the client's is, "
            "and when N is below 20."
        ),
        threshold=0.1,
    )
    def _(w: Windows) -> Array:
        return w.peer.rank(f"return_{days}d")


for _days in (30, 90, 365):
    _beyond(
        f"return_{_days}d",
        f"return_beyond_peers_{_days}d",
        f"Return beyond peers, {_days} days",
        f"The client's return of the last {_days} days minus the usual one of clients of like "
        "wealth and risk level.",
        family="performance",
        unit="change",
        headline=_days == 90,
        threshold=-0.1,
    )
for _days in (90, 365):
    _rank(_days)
_beyond(
    "trade_rate_change_90d",
    "trading_beyond_peers_90d",
    "Trading beyond peers, 90 days",
    "How much more or less than peers the client trades, each against their own normal: -0.3 means "
    "that the client's fell by 30 points more.",
    family="activity",
    threshold=-0.5,
)
_beyond(
    "login_change_30d",
    "logins_beyond_peers_30d",
    "Log-ins beyond peers, 30 days",
    "How much more or less than peers the client logs in, each against their own normal.",
    family="digital",
    threshold=-0.5,
)
_beyond(
    "net_flow_share_90d",
    "net_flow_beyond_peers_90d",
    "Net flow over assets beyond peers, 90 days",
    "Money moved in or out as a share of assets, minus the usual share of peers.",
    family="funding",
    threshold=-0.3,
)
_beyond(
    "total_assets_change_90d",
    "assets_beyond_peers_90d",
    "Change of assets beyond peers, 90 days",
    "Change of the client's assets minus the usual one of peers, who saw the same market.",
    family="funding",
    threshold=-0.3,
)
_over(
    "commission_rate_90d",
    "commission_over_peers_90d",
    "Commission rate over that of peers, 90 days",
    "What the client pays per traded value over what peers pay: 1.5 means half as much again.",
    family="relationship",
)
_over(
    "mean_wait_90d",
    "wait_over_peers_90d",
    "Waiting time over that of peers, 90 days",
    "How long the client waited for service over how long peers waited.",
    family="service",
)
