"""Which action for which client: every decision of the gate, and what each that passes is worth.

    expected = P(leave) x relative reduction x value lost - minutes x cost of a minute - cost

in minor units of one currency. What counts is what *leaving* takes away (`ClientValue.lost`), not
what the client is worth: that is an average over staying and leaving, has the chance to leave in it
already and would count it twice. Of those who leave, the action keeps the share `reduction`; each
one kept brings what a leaver takes away. The reduction is what experiments have proven for this
version of the action, or else what its file assumes, and the recommendation says which. The chance
to leave and the client's value order what may be done; they neither open the gate nor change an
action.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from keepwell.intervene.action.catalogue import Action, Actions, Who
from keepwell.intervene.action.facts import ClientFacts, ContactPolicy
from keepwell.intervene.action.gate import Answer, Decision, Gate, Stage
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.rulebook import Rules

ASSUMED_MINUTES: Final[dict[Who, int]] = {
    Who.MANAGER: 200,
    Who.ADVISER: 300,
    Who.LEAD: 300,
    Who.DIRECTOR: 600,
}
"""Assumed cost of a minute in fen (CNY): 250,000 CNY a year over 120,000 minutes for a manager."""


ASSUMED_IN: Final = "CNY"
"""Currency of `ASSUMED_MINUTES`."""


@dataclass(frozen=True, slots=True)
class Economics:
    """What time costs.

    Attributes:
        currency: ISO 4217 code of all amounts, client values included.
        minute: cost of a minute of each role, minor units.
        assumed: nobody has set these costs yet, or not all of them.
    """

    currency: str = "CNY"
    minute: Mapping[Who, int] = field(default_factory=lambda: ASSUMED_MINUTES)
    assumed: bool = True


@dataclass(frozen=True, slots=True)
class ProvenEffect:
    """What an experiment has shown of one version of an action.

    Attributes:
        reduction: relative reduction of the chance to leave; below 0 where it does harm.
        low: lower end of its interval.
        high: upper end.
        source: the experiment.
    """

    reduction: float
    low: float
    high: float
    source: str

    def __post_init__(self) -> None:
        if not -10.0 <= self.low <= self.reduction <= self.high <= 1.0:
            raise ValueError(f"not an interval of a reduction: {self}")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a client's future; None where it is not.

    Attributes:
        p_leave: chance to leave within the horizon, 0 to 1.
        value: what leaving within that horizon takes away, minor units (`ClientValue.lost`).
        partial: lines of income are not known, so that `value` is a lower bound: what is expected
            above zero is expected at least, and what is not above zero is not known.
    """

    p_leave: float | None = None
    value: int | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        if self.p_leave is not None and not 0.0 <= self.p_leave <= 1.0:
            raise ValueError(f"a chance of {self.p_leave} is not between 0 and 1")


UNKNOWN: Final = Outlook()


class Option(NamedTuple):
    """One action for one client.

    Attributes:
        action: which.
        decision: whether it may be done; the gate's, or that it is not worth its cost.
        expected: expected value in minor units; None where it is not known or not asked.
        reduction: the relative reduction that was used.
        proven: whether experiments have shown it; otherwise it is assumed.
        source: where the reduction comes from, in English.
    """

    action: Action
    decision: Decision
    expected: int | None
    reduction: float
    proven: bool
    source: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What is recommended for one client, and why nothing else.

    Attributes:
        client_id: whose.
        at: when.
        owed: mandatory services, to be done whatever they are worth.
        best: the action of the highest expected value above zero, or else of the highest reduction
            where values are not known and are ranked all the same; None when there is none.
        runner_up: the next one.
        options: every action in force with its decision, in the order of the ids.
        first: name of the action that is best because an experiment drew it; None: none did.
    """

    client_id: str
    at: datetime
    owed: tuple[Option, ...]
    best: Option | None
    runner_up: Option | None
    options: tuple[Option, ...]
    first: str | None = None

    @property
    def refusals(self) -> tuple[Option, ...]:
        """What is not recommended because it may not, or not profitably, be done."""
        return tuple(o for o in self.options if not o.decision.open)


@dataclass(frozen=True, slots=True)
class _Cost:
    """An action's figures, made ready once."""

    action: Action
    reduction: float
    proven: bool
    source: str
    cost: int
    foreign: Decision | None


class Recommender:
    """Recommends at one instant, for one client or many.

    Args:
        actions: those in force on the day.
        rules: those in force on the day.
        at: the instant, with a time zone.
        zone: the clients' time zone.
        policy: quiet time, caps, consent.
        economics: what time costs.
        proven: effects that experiments have shown, by action id and version.
        unvalued: what becomes of actions whose expected value is not known, because chance or
            value is not: 'drop' them, or 'rank' them by the relative reduction alone. The first
            is for budgets, the second for people who must do something today.

    Example:
        >>> from datetime import UTC, date
        >>> from keepwell.intervene.action.catalogue import Catalogue
        >>> from keepwell.trust.suitability.policy import Profile
        >>> from keepwell.trust.suitability.rulebook import RuleBook
        >>> from keepwell.warn.reason_codes import ReasonCode
        >>> day, at = date(2026, 11, 2), datetime(2026, 11, 2, 2, tzinfo=UTC)
        >>> actions, rules = Catalogue.shipped().on(day), RuleBook.shipped().on(day)
        >>> recommender = Recommender(actions, rules, at, ZoneInfo("Asia/Shanghai"))
        >>> profile = Profile.of_contract("ordinary", "C3", day)
        >>> facts = ClientFacts("8001", "moderate", (ReasonCode.PRICE_FEES,), profile)
        >>> recommender.one(facts, Outlook(0.2, 3_000_000)).best.action.id
        'service-call'
    """

    def __init__(
        self,
        actions: Actions,
        rules: Rules,
        at: datetime,
        zone: ZoneInfo,
        policy: ContactPolicy | None = None,
        economics: Economics | None = None,
        proven: Mapping[tuple[str, int], ProvenEffect] | None = None,
        unvalued: Literal["drop", "rank"] = "drop",
    ) -> None:
        self.at, self.actions, self.rules, self.zone = at, actions, rules, zone
        self.policy, self.economics = policy or ContactPolicy(), economics or Economics()
        self.gate = Gate(actions, rules, self.policy, at, zone)
        self.proven, self.unvalued = dict(proven or {}), unvalued
        self._costs = [self._cost(action) for action in actions]

    def one(
        self, facts: ClientFacts, outlook: Outlook = UNKNOWN, first: str | None = None
    ) -> Recommendation:
        """What to do about one client.

        A client who refuses profiling is not ranked: chance and value are not looked at (PI-4).

        Args:
            facts: as of now.
            outlook: chance to leave, and value.
            first: name of the action of the client's arm in an experiment; where the gate lets it
                pass it comes first, worth its cost or not, for that is what is being found out.
        """
        refuses = facts.consents.get(Purpose.PROFILING) is False and "PI-4" in self.rules
        known = UNKNOWN if refuses else outlook
        decisions = self.gate.decide_all(facts)
        options = [
            _option(cost, decision, known, self.unvalued == "drop")
            for cost, decision in zip(self._costs, decisions, strict=True)
        ]
        place = None if refuses else self._drawn(first, decisions)
        if place is not None:
            options[place] = options[place]._replace(decision=decisions[place])
        passed = [o for o in options if o.decision.answer is not Answer.DROP]
        owed = tuple(o for o in passed if o.action.mandatory)
        ranked = sorted((o for o in passed if not o.action.mandatory), key=_rank)
        if place is not None:
            # The sort is stable: the others keep their order.
            ranked.sort(key=lambda o: o is not options[place])
        best = ranked[0] if ranked else None
        second = ranked[1] if len(ranked) > 1 else None
        return Recommendation(
            facts.client_id, self.at, owed, best, second, tuple(options),
            None if place is None else first,
        )  # fmt: skip

    def _drawn(self, first: str | None, decisions: Sequence[Decision]) -> int | None:
        """The place of the action of an arm, if the gate lets it pass."""
        for place, cost in enumerate(self._costs if first else ()):
            if cost.action.name == first:
                opens = decisions[place].answer is not Answer.DROP and cost.foreign is None
                return place if opens and not cost.action.mandatory else None
        return None

    def many(self, clients: Iterable[tuple[ClientFacts, Outlook]]) -> Iterator[Recommendation]:
        """What to do about each of many clients, in their order; the same as `one` for each."""
        for facts, outlook in clients:
            yield self.one(facts, outlook)

    def _cost(self, action: Action) -> _Cost:
        shown = self.proven.get((action.id, action.version))
        reduction = shown.reduction if shown else action.effect.reduction
        source = shown.source if shown else action.effect.source.en
        foreign = None
        if action.cost.amount and action.cost.currency != self.economics.currency:
            code, fields = "gate.currency-differs", (("currency", action.cost.currency),)
            foreign = Decision(Answer.DROP, None, None, Stage.WORTH, code, (), fields)
        cost = action.minutes * self.economics.minute[action.who] + action.cost.amount
        return _Cost(action, reduction, shown is not None, source, cost, foreign)


def _option(cost: _Cost, decision: Decision, outlook: Outlook, strict: bool) -> Option:
    action, expected = cost.action, None
    if outlook.p_leave is not None and outlook.value is not None and cost.foreign is None:
        expected = round(outlook.p_leave * cost.reduction * outlook.value) - cost.cost
        # A lower bound at or below zero says nothing; of an action that does harm, it is an upper.
        if outlook.partial and expected <= 0 and cost.reduction > 0:
            expected = None
    if decision.answer is not Answer.DROP and not action.mandatory:
        if cost.foreign is not None:
            decision = cost.foreign
        elif expected is None:
            decision = VALUE_UNKNOWN if strict else decision
        elif expected <= 0:
            decision = WORTH_NOTHING
    return Option(action, decision, expected, cost.reduction, cost.proven, cost.source)


def _rank(option: Option) -> tuple[bool, float, int, str]:
    """Most valuable first; among equals the shorter, then the id: no chance in it.

    Actions whose expected value is not known come after those where it is, by their reduction.
    """
    unknown = option.expected is None
    worth = -option.reduction if option.expected is None else -option.expected
    return unknown, worth, option.action.minutes, option.action.id


VALUE_UNKNOWN: Final = Decision(Answer.DROP, None, None, Stage.WORTH, "gate.value-unknown")
WORTH_NOTHING: Final = Decision(Answer.DROP, None, None, Stage.WORTH, "gate.worth-nothing")
