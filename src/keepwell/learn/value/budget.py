"""When retention earns more than it costs, and what is then proposed. Nothing is changed here.

The rule looks at the lower bound, not at the estimate:

- *worth it* iff the lower 90 % bound of (present value of the margin kept - contacts - minutes -
  harm) lies above zero;
- *more* is proposed iff, besides, the lower bound of the value kept exceeds `ratio` times the cost;
- *less* iff even the upper bound lies below zero;
- a cost that is not known, or too few managers for an interval, never gives *more*.

The bound is the lower end of the two-sided 90 % interval, so that a treatment without effect passes
in one of twenty, not in one of ten. Errors of value and harm are added, not squared: that holds
however the two go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from keepwell.core.errors import UsageError
from keepwell.core.money import minor_exponent
from keepwell.core.text import tr
from keepwell.learn.value.client_value import Interval
from keepwell.learn.value.estimate import Effect, student_quantile
from keepwell.observe.mapping_value import Budget

if TYPE_CHECKING:
    from keepwell.observe.workspace import Workspace

CONFIDENCE: Final = 0.90
"""Of the two-sided interval whose lower end decides."""

APPROVERS: Final = ("director", "compliance")
"""Roles that must approve a proposal: two people, neither of whom made it."""


class Kind(StrEnum):
    """What is proposed."""

    MORE = "more"
    SAME = "same"
    LESS = "less"


KIND_WORDS: Final[dict[Kind, str]] = {
    Kind.MORE: "Propose a larger retention budget.",
    Kind.SAME: "Leave the retention budget as it is.",
    Kind.LESS: "Propose a smaller retention budget.",
}


class Why(StrEnum):
    """What spoke for or against."""

    WORTH_IT = "worth-it"
    NOT_PROVEN = "not-proven"
    LOSING = "losing"
    RATIO_REACHED = "ratio-reached"
    RATIO_MISSED = "ratio-missed"
    COST_UNKNOWN = "cost-unknown"
    MANAGERS_FEW = "managers-few"


WHY_WORDS: Final[dict[Why, str]] = {
    Why.WORTH_IT: "Even at the lower bound, what was kept exceeds cost and harm.",
    Why.NOT_PROVEN: "At the lower bound, what was kept does not exceed cost and harm.",
    Why.LOSING: "Even at the upper bound, cost and harm exceed what was kept.",
    Why.RATIO_REACHED: "At the lower bound, what was kept exceeds cost as often as is asked for.",
    Why.RATIO_MISSED: "At the lower bound, what was kept exceeds cost less often than asked for.",
    Why.COST_UNKNOWN: "What a minute or a contact costs is not given, so the cost is not known.",
    Why.MANAGERS_FEW: "There are too few managers for the interval to be relied on.",
}


@dataclass(frozen=True)
class Costs:
    """What a treatment cost, minor units.

    Attributes:
        contacts: how many.
        minutes: of managers.
        contact_cost: of one contact; None where it is not given.
        minute_cost: of one minute; None where it is not given.
    """

    contacts: float
    minutes: float
    contact_cost: float | None
    minute_cost: float | None

    def __post_init__(self) -> None:
        for name in ("contacts", "minutes", "contact_cost", "minute_cost"):
            given = getattr(self, name)
            if given is not None and not given >= 0:
                raise UsageError("value.share-invalid", name=name, given=given)

    @classmethod
    def of(cls, workspace: Workspace, contacts: float, minutes: float) -> Costs:
        """Costs at the rates of a workspace's keepwell.yaml.

        Args:
            workspace: its section `value.budget` names them.
            contacts: how many.
            minutes: of managers.
        """
        rates = workspace.mapping.value.budget
        minor = 10.0 ** minor_exponent(workspace.currency)
        one = None if rates.contact_cost is None else rates.contact_cost * minor
        each = None if rates.minute_cost is None else rates.minute_cost * minor
        return cls(contacts, minutes, one, each)

    @property
    def known(self) -> bool:
        """Whether everything that was spent has a price."""
        return not (
            (self.contacts and self.contact_cost is None)
            or (self.minutes and self.minute_cost is None)
        )

    @property
    def total(self) -> float:
        """Cost of what has a price, minor units."""
        return self.contacts * (self.contact_cost or 0.0) + self.minutes * (self.minute_cost or 0.0)


@dataclass(frozen=True)
class Proposal:
    """What the rule proposes; two people decide.

    Attributes:
        kind: more, same or less.
        worth_it: whether it may be scaled: the net's lower bound lies above zero.
        why: what spoke for or against, in order.
        net: value kept less cost and harm, with its 90 % interval, minor units.
        kept: lower bound of the value kept, minor units.
        cost: minor units; of what has a price.
        ratio: lower bound of the value kept over cost; None without a cost.
        asked: ratio from which more is proposed.
        approvers: roles that must approve; empty when nothing is to be changed.
    """

    kind: Kind
    worth_it: bool
    why: tuple[Why, ...]
    net: Interval
    kept: float
    cost: float
    ratio: float | None
    asked: float
    approvers: tuple[str, ...]

    def words(self, locale: str | None = None) -> list[str]:
        """What is proposed, and why; one sentence each.

        Args:
            locale: 'en' or 'zh'; default: the current one.
        """
        return [
            tr(KIND_WORDS[self.kind], locale),
            *(tr(WHY_WORDS[why], locale) for why in self.why),
        ]


def propose(kept: Effect, costs: Costs, harm: Effect | None = None, ratio: float = 1.5) -> Proposal:
    """Apply the rule to one treatment.

    Args:
        kept: present value of the margin kept in all (`Retained.total` of 'value'), minor units.
        costs: what it cost.
        harm: harm done in all, minor units, positive is bad; None where none was measured in money.
        ratio: of `Budget.ratio`.

    Raises:
        UsageError: a ratio below 1.
    """
    if not ratio >= 1:
        raise UsageError("value.share-invalid", name="ratio", given=ratio)
    cost = costs.total
    half = _half(kept) + (_half(harm) if harm else 0.0)
    middle = kept.value - cost - (harm.value if harm else 0.0)
    net = Interval(middle, middle - half, middle + half)
    least = kept.value - _half(kept)
    few = kept.few or (harm is not None and harm.few)
    enough = least > ratio * cost
    worth, losing = net.low > 0, net.high < 0
    why = [Why.WORTH_IT if worth else Why.LOSING if losing else Why.NOT_PROVEN]
    if worth:
        why.append(Why.RATIO_REACHED if enough else Why.RATIO_MISSED)
    if not costs.known:
        why.append(Why.COST_UNKNOWN)
    if few:
        why.append(Why.MANAGERS_FEW)
    # With a cost unknown the net is too high: it may still show a loss, never a gain.
    worth = worth and costs.known and not few
    kind = Kind.MORE if worth and enough else Kind.LESS if losing and not few else Kind.SAME
    return Proposal(
        kind, worth, tuple(why), net, least, cost, least / cost if cost > 0 else None, ratio,
        () if kind is Kind.SAME else APPROVERS,
    )  # fmt: skip


def _half(effect: Effect) -> float:
    return student_quantile(CONFIDENCE, effect.clusters - 1) * effect.error


def may_approve(approvals: Sequence[tuple[str, str]], proposer: str, needed: Sequence[str]) -> bool:
    """Whether approvals suffice: every role, by different people, none of them the proposer.

    Args:
        approvals: (person, role) of each approval.
        proposer: who made the proposal.
        needed: roles of `Proposal.approvers`.
    """
    chosen = [(person, role) for person, role in approvals if person != proposer]

    def cover(roles: Sequence[str], used: frozenset[str]) -> bool:
        if not roles:
            return True
        return any(
            role == roles[0] and person not in used and cover(roles[1:], used | {person})
            for person, role in chosen
        )

    return cover(list(needed), frozenset())


def allocate(amount: int, budget: Budget) -> dict[str, int]:
    """A budget by its parts, minor units; the parts make the whole to the last unit.

    Args:
        amount: minor units.
        budget: the shares.

    Example:
        >>> list(allocate(1001, Budget()).values())
        [451, 300, 150, 100]
    """
    exact = [amount * part.share for part in budget.split]
    floors = [int(x // 1) for x in exact]
    # The largest remainders get what is left; ties go to the first.
    order = sorted(range(len(exact)), key=lambda i: (floors[i] - exact[i], i))
    for i in order[: amount - sum(floors)]:
        floors[i] += 1
    return {part.name: floors[i] for i, part in enumerate(budget.split)}
