"""What Insight shows: totals of the panels and of the book, within the reader's row scope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from math import ceil
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import TypeAdapter, ValidationError

from keepwell.core.money import minor_exponent
from keepwell.frame.database import Tx
from keepwell.frame.problem import NotFound
from keepwell.frame.text import Id
from keepwell.learn.panel.read import Panels
from keepwell.learn.panel.schema import ChurnCell, DayMovement, Group, Share
from keepwell.trust.access.mask import sees_bands
from keepwell.trust.access.policy import Actor, Permission, Scope
from keepwell.trust.book import insight
from keepwell.trust.book.insight_repo import WARNED, Warned
from keepwell.warn.label import LabelDefinition
from keepwell.warn.metrics import wilson
from keepwell.warn.reason_codes import TITLES
from keepwell.web.pages import insight_charts as charts
from keepwell.web.pages.tongue import Tongue

PATH: Final = "/insight"
DAYS: Final = (30, 60, 120)
"""How many days of movement can be asked for."""
SORTS: Final = ("risk", "kept", "net", "active", "clients")
"""Orders of the ranking, each the greatest first; of those kept the least."""
ROWS: Final = 100
"""Rows of the ranking on the page; the file holds all."""
SMALL: Final = 20
"""Of fewer clients followed a share says little and is marked."""
SHADES: Final = 5
COVERS: Final = {
    Scope.OWN: "The clients of your own book.", Scope.TEAM: "The clients of your team.",
    Scope.BRANCH: "The clients of your branch.", Scope.REGION: "The clients of your region.",
    Scope.ALL: "All clients.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asks the page for.

    Attributes:
        days: of movement.
        sort: a name of `SORTS`.
        branch_id: the branch to look at alone.
    """

    days: int = DAYS[0]
    sort: str = SORTS[0]
    branch_id: str | None = None

    def address(self, path: str = PATH, place: str = "", **other: Any) -> str:
        """The page's address, or that of a file, with something changed."""
        own = {"days": self.days, "sort": self.sort, "branch_id": self.branch_id} | other
        usual = {"days": DAYS[0], "sort": SORTS[0], "branch_id": None}
        told = {name: value for name, value in own.items() if value != usual[name]}
        return path + ("?" + urlencode(told) if told else "") + place


def read_query(query: Mapping[str, str]) -> Asked:
    """What an address asks for; what is not known is as usual.

    Args:
        query: its parameters.

    Raises:
        NotFound: the branch cannot be one.
    """
    days, sort, branch = query.get("days", ""), query.get("sort", ""), query.get("branch_id", "")
    try:
        branch_id = TypeAdapter(Id).validate_python(branch) if branch.strip() else None
    except ValidationError:
        raise NotFound("request.path-unknown") from None
    return Asked(
        next((n for n in DAYS if str(n) == days), DAYS[0]),
        sort if sort in SORTS else SORTS[0],
        branch_id,
    )


@dataclass(slots=True)
class Rank:
    """A branch or a manager in the ranking.

    Attributes:
        key: its number; None: clients who have none.
        name: what people call it.
        group: its totals from the panels.
        kept: share of the clients followed who did not leave.
        warned: warned clients.
        severe: of them, in the gravest tier.
        at_risk: assets of the warned clients.
        links: where its clients are, the gravest of them, and its own page or else the clients.
    """

    key: str | None
    name: str
    group: Group
    kept: Share | None
    warned: int
    severe: int
    at_risk: int
    links: dict[str, str]

    @property
    def net_share(self) -> float | None:
        """Net inflow over assets."""
        return _over(self.group.net_inflow, self.group.assets)

    @property
    def risk_share(self) -> float | None:
        """Assets at risk over assets."""
        return _over(self.at_risk, self.group.assets)


@dataclass(frozen=True, slots=True)
class Cell:
    """A month of a segment: who left of those followed, and how dark it is drawn."""

    left: int
    followed: int
    share: Share
    small: bool
    shade: int


@dataclass(frozen=True, slots=True)
class Churn:
    """Who left by segment and month.

    Attributes:
        months: first days, oldest first.
        rows: name, address of the clients, and a cell or None for each month; at the end of all.
    """

    months: list[date]
    rows: list[tuple[str, str, list[Cell | None]]]


@dataclass(slots=True)
class Pile:
    """Warned clients with something in common.

    Attributes:
        clients: how many.
        unvalued: of them, those whose assets are not known.
        assets: of the others.
        by_tier: how many of each tier.
    """

    clients: int = 0
    unvalued: int = 0
    assets: int = 0
    by_tier: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WARNED, 0))

    def add(self, row: Warned) -> None:
        """Count a group of clients in."""
        self.clients += row.clients
        self.unvalued += row.clients - row.valued
        self.assets += row.assets
        self.by_tier[row.tier] += row.clients


class View:
    """Insight for one reader."""

    def __init__(self, tx: Tx, actor: Actor, tongue: Tongue, asked: Asked) -> None:
        """Find out whose clients it is about.

        Args:
            tx: the unit of work.
            actor: who reads.
            tongue: their language.
            asked: what they ask for.

        Raises:
            NotFound: there is no such branch, or it is not the actor's to see.
        """
        self.tx, self.actor, self.tongue = tx, actor, tongue
        self.banded = sees_bands(actor)
        self.where = insight.reach(tx, actor, asked.branch_id)
        # Who sees no money cannot sort by it either.
        hidden = self.banded and asked.sort == "net"
        self.asked = Asked(asked.days, SORTS[0], asked.branch_id) if hidden else asked
        self.told = insight.published(tx)
        self.panels = Panels.open(tx.frame.workspace)

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of what is ranked, by number."""
        if self.where.ranks == "branch":
            return self.where.branches
        return insight.staff_names(self.tx, self.actor)

    @cached_property
    def warned(self) -> list[Warned]:
        """Warned clients by tier, reason and what is ranked."""
        if self.told is None:
            return []
        return insight.warned(self.tx, self.actor, self.where, self.told)

    @cached_property
    def groups(self) -> list[Group]:
        """Totals of what is ranked."""
        if self.panels is None:
            return []
        by = "branch" if self.where.ranks == "branch" else "manager"
        found = self.panels.groups(by, self.where.managers)  # type: ignore[arg-type]
        if by == "branch":  # a manager may have clients of a branch that is not the reader's
            found = [g for g in found if g.key in self.where.branches or self._everybody]
        return found

    def page(self) -> dict[str, Any]:
        """What the page's template needs."""
        export = self.actor.may(Permission.CLIENT_EXPORT)
        ranking = self.ranking()
        return {
            "asked": self.asked, "where": self.where, "banded": self.banded, "told": self.told,
            "panels": self.panels, "export": export, "small": SMALL,
            "covers": COVERS.get(self.actor.scope, ""),
            "branch": self.where.branches.get(self.where.branch_id or ""),
            "branches": [(n, _named(n, name)) for n, name in self.where.branches.items()],
            "movement": self._movement(), "days": DAYS,
            "ranking": ranking[:ROWS], "ranked": len(ranking),
            "ranking_chart": self._ranking_chart(ranking), "everybody": self._all_kept(ranking),
            "churn": self.churn(), "definition": self._definition(),
            "reasons": self.reasons(), "reasons_chart": self._reasons_chart(),
            "tiers": self.tiers(), "warned_clients": sum(p.clients for _, p in self.tiers()),
            "tiers_chart": self._tiers_chart(), "all_assets": self._assets(),
            "reason_title": self.reason_title, "clients_at": self.clients_at,
            "quality": self.panels.quality() if self.panels else None,
            "quality_charts": self._quality_charts(), "share": self.share,
        }  # fmt: skip

    def movement(self) -> list[DayMovement]:
        """How assets moved, oldest day first."""
        if self.panels is None:
            return []
        return self.panels.movement(self.where.managers, self.asked.days)

    def ranking(self) -> list[Rank]:
        """Branches or managers in the order asked for; clients of none at the end."""
        piles: dict[str | None, Pile] = defaultdict(Pile)
        for row in self.warned:
            piles[row.key].add(row)
        out = []
        for group in self.groups:
            pile = piles[group.key]
            out.append(
                Rank(
                    group.key, self._rank_name(group.key), group,
                    share_of(group.kept, group.followed), pile.clients, pile.by_tier["severe"],
                    pile.assets, self._rank_links(group.key),
                )
            )  # fmt: skip
        order = _ORDERS[self.asked.sort]
        out.sort(key=lambda rank: (rank.key is None, *order(rank), rank.key or ""))
        return out

    def churn(self) -> Churn | None:
        """Who left by segment and month; None where the outcome of no month is known."""
        cells = self.panels.churn(self.where.managers) if self.panels else []
        if not cells:
            return None
        months = sorted({cell.month for cell in cells})
        found = {(cell.segment, cell.month): cell for cell in cells}
        keys = sorted({cell.segment for cell in cells}, key=lambda k: (k is None, k or ""))
        total = {
            month: ChurnCell(
                month, None, sum(c.left for c in cells if c.month == month),
                sum(c.followed for c in cells if c.month == month),
            )
            for month in months
        }  # fmt: skip
        told = [c for c in [*cells, *total.values()] if c.followed >= SMALL]
        darkest = max((c.left / c.followed for c in told), default=0.0)
        rows = [
            (
                self.tongue.t("No segment") if key is None else key,
                "" if key is None else self.clients_at(segment=key),
                [_cell(found.get((key, month)), darkest) for month in months],
            )
            for key in keys
        ]
        everybody = [_cell(total[month], darkest) for month in months]
        if len(keys) == 1:
            rows = []
        return Churn(months, [*rows, (self.tongue.t("All segments"), "", everybody)])

    def reasons(self) -> list[tuple[str | None, Pile]]:
        """Main reasons with the warned clients behind each, most clients first."""
        return self._piles(lambda row: row.reason)

    def tiers(self) -> list[tuple[str, Pile]]:
        """Tiers that warn with their clients, gravest first."""
        found = dict(self._piles(lambda row: row.tier))
        return [(tier, found.get(tier, Pile())) for tier in WARNED]

    def reason_title(self, code: str | None) -> str:
        """A reason in the reader's language."""
        if code is None:
            return self.tongue.t("No reason told")
        return self.tongue.names(TITLES, code)

    def clients_at(self, **filters: str) -> str:
        """The list of the clients behind a number."""
        own = {"branch_id": self.where.branch_id} if self.where.branch_id else {}
        return "/clients?" + urlencode({**own, **filters})

    def share(self, value: Share | None, digits: int = 1) -> str:
        """A share with its interval in words: '96.1% (95.4% to 96.7%)'."""
        if value is None:
            return self.tongue.percent(None)
        said = self.tongue.percent(value.value, digits)
        inner = self.between(value, digits)
        return self.tongue.t("{value} ({interval})", value=said, interval=inner) if inner else said

    def between(self, value: Share, digits: int = 1) -> str:
        """The interval of a share in words; '' where it has none."""
        if value.low is None or value.high is None:
            return ""
        low, high = (self.tongue.percent(v, digits) for v in (value.low, value.high))
        return self.tongue.t("{low} to {high}", low=low, high=high)

    @property
    def unit(self) -> int:
        """Minor units in one of the currency's."""
        return int(10 ** minor_exponent(self.tx.frame.currency))

    @property
    def _everybody(self) -> bool:
        return self.where.managers is None

    def _piles(self, by: Callable[[Warned], Any]) -> list[tuple[Any, Pile]]:
        piles: dict[Any, Pile] = defaultdict(Pile)
        for row in self.warned:
            piles[by(row)].add(row)
        return sorted(piles.items(), key=lambda item: (-item[1].clients, str(item[0])))

    def _rank_name(self, key: str | None) -> str:
        if key is None:
            none = "No branch" if self.where.ranks == "branch" else "No manager"
            return self.tongue.t(none)
        return self.names.get(key, key)

    def _rank_links(self, key: str | None) -> dict[str, str]:
        if key is None:
            return dict.fromkeys(("clients", "severe", "own"), "")
        column = f"{self.where.ranks}_id"
        links = {
            "clients": self.clients_at(**{column: key}),
            "severe": self.clients_at(**{column: key, "tier": "severe"}),
        }
        own = self.asked.address(branch_id=key) if self.where.ranks == "branch" else ""
        return {**links, "own": own or links["clients"]}

    def _all_kept(self, ranking: Sequence[Rank]) -> Share | None:
        kept = sum(rank.group.kept for rank in ranking)
        return share_of(kept, sum(rank.group.followed for rank in ranking))

    def _assets(self) -> int | None:
        known = [group.assets for group in self.groups if group.assets is not None]
        return sum(known) if known else None

    def _definition(self) -> str:
        return LabelDefinition.of(self.tx.frame.workspace).words(self.actor.locale)

    def _movement(self) -> dict[str, Any] | None:
        rows = self.movement()
        if not rows:
            return None
        return {
            "rows": rows, "first": rows[0], "last": rows[-1], "basis": rows[-1].basis,
            "closing": charts.closing(rows, self.unit, self.tongue, self.banded),
            "flows": charts.flows(rows, self.unit, self.tongue, self.banded),
        }  # fmt: skip

    def _ranking_chart(self, ranking: Sequence[Rank]) -> dict[str, Any] | None:
        everybody = self._all_kept(ranking)
        return charts.kept(
            [
                (rank.name, rank.kept, rank.group.followed,
                 rank.links["own"])
                for rank in ranking
            ],
            everybody, self.tongue, self.share,
        )  # fmt: skip

    def _reasons_chart(self) -> dict[str, Any]:
        rows = [
            (
                self.reason_title(code), pile.by_tier,
                {t: self.clients_at(reason=code, tier=t) for t in WARNED} if code else {},
            )
            for code, pile in self.reasons()
        ]  # fmt: skip
        return charts.reasons(rows, self.tongue)

    def _tiers_chart(self) -> dict[str, Any]:
        rows = [
            (tier, pile.clients if self.banded else pile.assets / self.unit,
             self.clients_at(tier=tier))
            for tier, pile in self.tiers()
        ]  # fmt: skip
        return charts.tiers(rows, self.tongue, self.banded)

    def _quality_charts(self) -> dict[str, Any]:
        quality = self.panels.quality() if self.panels else None
        if quality is None:
            return {}
        return {
            "lift": charts.lift(quality.tenths, self.tongue) if quality.tenths else None,
            "calibration": charts.calibration(quality.calibration, self.tongue, self.share)
            if quality.calibration else None,
        }  # fmt: skip


def share_of(part: int, whole: int) -> Share | None:
    """A share with Wilson's 95 % interval; None of nobody.

    Example:
        >>> share_of(0, 0), round(share_of(5, 10).low, 3)
        (None, 0.237)
    """
    if not whole:
        return None
    low, high = wilson(part, whole)
    return Share(part / whole, float(low), float(high))


def _cell(cell: ChurnCell | None, darkest: float) -> Cell | None:
    share = share_of(cell.left, cell.followed) if cell else None
    if cell is None or share is None:
        return None
    small = cell.followed < SMALL
    shade = 0 if small or not darkest else min(SHADES, ceil(SHADES * share.value / darkest))
    return Cell(cell.left, cell.followed, share, small, shade)


def _over(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else part / whole


def _named(number: str, name: str) -> str:
    return number if name == number else f"{name} ({number})"


_ORDERS: Final[dict[str, Callable[[Rank], tuple[Any, ...]]]] = {
    "risk": lambda rank: (-rank.at_risk, -rank.warned),
    "kept": lambda rank: (rank.kept is None, rank.kept.value if rank.kept else 0),
    "net": lambda rank: (rank.group.net_inflow is None, -(rank.group.net_inflow or 0)),
    "active": lambda rank: (-rank.group.active,),
    "clients": lambda rank: (-rank.group.clients,),
}
