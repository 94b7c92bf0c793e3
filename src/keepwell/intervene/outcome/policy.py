"""Rules of outcomes on the desk: which decision of a day counts, and when staff and label agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from keepwell.intervene.alert.policy import Decision
from keepwell.intervene.case.policy import State
from keepwell.warn.metrics import wilson

COUNTED: Final = (
    Decision.SHOWN, Decision.HELD_OUT, Decision.HELD_BACK, Decision.EXEMPT, Decision.BY_HAND
)  # fmt: skip
"""Decisions that have an outcome; of several on one day the first of these counts, for it is the
one that the draw made. Who refused profiling or asked to leave was not decided about."""

OPEN: Final = (Decision.SHOWN.value, Decision.EXEMPT.value, Decision.BY_HAND.value)
"""Decisions whose outcome any reader may see; of the others even that there is one could tell who
is held out, so that they are only for readers of the hold-out."""

SAYS_LEFT: Final[dict[State, int]] = {
    State.RECOVERED: 0, State.LOST: 1, State.FALSE_ALARM: 0,
}  # fmt: skip
"""What staff say of a client by the outcome with which they close a case: 1 left, 0 stayed."""

SMALL: Final = 30
"""Fewer than so many: chance decides much."""


def strongest(decisions: Iterable[str]) -> int:
    """Position of the decision of a day that counts; the later one of two alike.

    Example:
        >>> strongest(["held-back", "shown"])
        1
    """
    ranks = [COUNTED.index(Decision(decision)) for decision in decisions]
    best = min(ranks)
    return len(ranks) - 1 - ranks[::-1].index(best)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval.

    Attributes:
        part: how many.
        whole: of how many.
        low: lower end of the 95 % interval (Wilson); None where `whole` is 0.
        high: upper end.
    """

    part: int
    whole: int
    low: float | None
    high: float | None

    @property
    def share(self) -> float | None:
        """The share; None where there is nothing to share."""
        return self.part / self.whole if self.whole else None

    @property
    def small(self) -> bool:
        """Whether it rests on so few that chance decides much."""
        return self.whole < SMALL


def share_of(part: int, whole: int) -> Share:
    """A share with Wilson's 95 % interval.

    Example:
        >>> share_of(0, 0).share is None
        True
    """
    if not whole:
        return Share(part, whole, None, None)
    low, high = wilson(part, whole)
    return Share(part, whole, float(low), float(high))


@dataclass(frozen=True, slots=True)
class Judged:
    """A closed case beside what the label says of its client.

    Attributes:
        case: id, client, owner, team, state, close reason, closed at and days of opening and
            closing.
        outcome: the client's outcome after the first decision within the case; None: not mature,
            or none is known.
    """

    case: Any
    outcome: Any | None

    @property
    def agrees(self) -> bool | None:
        """Whether staff and label say the same; None where the label does not say."""
        if self.outcome is None or self.outcome.y is None:
            return None
        return SAYS_LEFT[State(self.case.state)] == int(self.outcome.y)


@dataclass(slots=True)
class Tally:
    """Closed cases counted.

    Attributes:
        agree: staff and label say the same.
        differ: they do not.
        unsaid: the label does not count the client, or does not know.
        waiting: the outcome is not known yet.
    """

    agree: int = 0
    differ: int = 0
    unsaid: int = 0
    waiting: int = 0

    def add(self, one: Judged) -> None:
        """Count a case."""
        if one.outcome is None:
            self.waiting += 1
        elif one.agrees is None:
            self.unsaid += 1
        elif one.agrees:
            self.agree += 1
        else:
            self.differ += 1

    @property
    def mismatch(self) -> Share:
        """The share of cases whose staff and label differ, of those where both speak."""
        return share_of(self.differ, self.agree + self.differ)


@dataclass(slots=True)
class Agreement:
    """What staff typed against what the label says.

    Attributes:
        whole: all cases.
        states: by the outcome typed: left, stayed, unsaid and waiting.
        managers: by the case's owner.
        teams: by the owner's team.
        differing: the cases that differ, the newest closed first.
    """

    whole: Tally = field(default_factory=Tally)
    states: dict[str, dict[str, int]] = field(default_factory=dict)
    managers: dict[str, Tally] = field(default_factory=dict)
    teams: dict[str, Tally] = field(default_factory=dict)
    differing: list[Judged] = field(default_factory=list)


def within(outcomes: Sequence[Any], first: date, last: date) -> Any | None:
    """The outcome of the first decision within a span of days.

    Args:
        outcomes: of one client, in the order of their days.
        first: day.
        last: day, within it still.
    """
    return next((row for row in outcomes if first <= row.day <= last), None)


def compare(cases: Iterable[Any], outcomes: Mapping[str, Sequence[Any]]) -> Agreement:
    """Put closed cases beside the outcomes of their clients.

    Args:
        cases: closed ones with an outcome that a person chose.
        outcomes: by client, in the order of their days.
    """
    found = Agreement()
    for state in SAYS_LEFT:
        found.states[state.value] = dict.fromkeys(("left", "stayed", "unsaid", "waiting"), 0)
    for case in cases:
        outcome = within(outcomes.get(case.client_id, ()), case.opened_day, case.closed_day)
        one = Judged(case, outcome)
        key = "waiting" if outcome is None else {1: "left", 0: "stayed"}.get(outcome.y, "unsaid")
        found.states[case.state][key] += 1
        found.whole.add(one)
        found.managers.setdefault(case.owner_id or "", Tally()).add(one)
        found.teams.setdefault(case.team_id or "", Tally()).add(one)
        if one.agrees is False:
            found.differing.append(one)
    found.differing.sort(key=lambda one: (one.case.closed_at, one.case.case_id), reverse=True)
    return found


@dataclass(slots=True)
class Used:
    """How often a script or an action was used, and what became of those clients.

    Attributes:
        name: of the script or the action, with its version.
        contacts: in which it was used.
        cases: in which it was used.
        matured: of these, those whose outcome is known and counted.
        left: of these, those whose client left.
    """

    name: str
    contacts: int = 0
    cases: int = 0
    matured: int = 0
    left: int = 0

    @property
    def leaving(self) -> Share:
        """The share that left."""
        return share_of(self.left, self.matured)


def usage(contacts: Iterable[tuple[str, Any]], outcomes: Mapping[str, Sequence[Any]]) -> list[Used]:
    """Count what was used and what became of the clients; a case counts once for each name.

    Args:
        contacts: name used, with the case's id, client and days of opening and closing.
        outcomes: by client, in the order of their days.
    """
    found: dict[str, Used] = {}
    seen: set[tuple[str, str]] = set()
    for name, case in contacts:
        used = found.setdefault(name, Used(name))
        used.contacts += 1
        if (name, case.case_id) in seen:
            continue
        seen.add((name, case.case_id))
        used.cases += 1
        outcome = within(outcomes.get(case.client_id, ()), case.opened_day, case.closed_day)
        if outcome is not None and outcome.y is not None:
            used.matured += 1
            used.left += int(outcome.y)
    return [found[name] for name in sorted(found)]
