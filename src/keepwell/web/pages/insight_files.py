"""The lists of Insight as files: amounts in minor units, shares from 0 to 1.

Who sees assets in bands only gets no amounts: those columns are empty, the shares are there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from keepwell.web.pages.insight_view import View

Row = list[Any]

LISTS: Final[dict[str, tuple[str, ...]]] = {
    "movement": (
        "day", "opening", "inflow", "outflow", "market", "closing", "inflow_share",
        "outflow_share", "market_share", "clients", "basis",
    ),
    "ranking": (
        "kind", "key", "name", "clients", "active", "net_inflow_90d", "net_inflow_share",
        "followed", "kept", "retention", "retention_low", "retention_high", "warned", "severe",
        "assets", "assets_at_risk", "assets_at_risk_share",
    ),
    "churn": ("month", "segment", "followed", "left", "share", "low", "high", "small"),
    "reasons": ("reason", "title", "clients", "severe", "moderate", "mild", "assets", "unvalued"),
    "tiers": ("tier", "clients", "assets", "unvalued"),
}  # fmt: skip
"""Columns of each file, by its name."""


def rows_of(view: View, name: str) -> list[Row]:
    """The rows of a file.

    Args:
        view: what the reader sees.
        name: a key of `LISTS`.
    """
    return _MAKERS[name](view)


def _movement(view: View) -> list[Row]:
    def share(part: int, whole: int) -> float | None:
        return round(part / whole, 6) if whole else None

    return [
        [
            row.day, *(_money(view, v) for v in (
                row.opening, row.inflow, row.outflow, row.market, row.closing)),
            *(share(v, row.opening) for v in (row.inflow, row.outflow, row.market)),
            row.clients, row.basis,
        ]
        for row in view.movement()
    ]  # fmt: skip


def _ranking(view: View) -> list[Row]:
    out = []
    for rank in view.ranking():
        group, kept = rank.group, rank.kept
        out.append(
            [
                view.where.ranks, rank.key, rank.name, group.clients, group.active,
                _money(view, group.net_inflow), _round(rank.net_share), group.followed, group.kept,
                *(_round(v) for v in ((kept.value, kept.low, kept.high) if kept else (None,) * 3)),
                rank.warned, rank.severe, _money(view, group.assets), _money(view, rank.at_risk),
                _round(rank.risk_share),
            ]
        )  # fmt: skip
    return out


def _churn(view: View) -> list[Row]:
    churn = view.churn()
    if churn is None:
        return []
    return [
        [
            month, name, cell.followed, cell.left, _round(cell.share.value),
            _round(cell.share.low), _round(cell.share.high), cell.small,
        ]
        for name, _, cells in churn.rows
        for month, cell in zip(churn.months, cells, strict=True)
        if cell is not None
    ]  # fmt: skip


def _reasons(view: View) -> list[Row]:
    return [
        [code, view.reason_title(code), pile.clients, *pile.by_tier.values(),
         _money(view, pile.assets), pile.unvalued]
        for code, pile in view.reasons()
    ]  # fmt: skip


def _tiers(view: View) -> list[Row]:
    return [
        [tier, pile.clients, _money(view, pile.assets), pile.unvalued]
        for tier, pile in view.tiers()
    ]


def _money(view: View, minor: int | None) -> int | None:
    return None if view.banded else minor


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


_MAKERS: Final[dict[str, Callable[[View], list[Row]]]] = {
    "movement": _movement, "ranking": _ranking, "churn": _churn, "reasons": _reasons,
    "tiers": _tiers,
}  # fmt: skip
