"""What becomes of clients under each assignment of actions: the truth that estimators must find.

All luck is fixed by client, day and purpose, so two futures of one world differ by what was done
and by nothing else.

- `live_on` lives one assignment with everything it does to others. Without contagion it is, client
  by client, what `potential` says (no interference; Rubin 1980, "Randomization analysis of
  experimental data: comment").
- `potential` treats each client alone: what others do to her is read off the future in which nobody
  is treated, so that one pass per action answers for all clients at once. An echo, her own stay
  keeping a mate whose stay keeps her, is left out.
- `household_potential` treats whole households in every pattern and keeps contagion at home; that
  is partial interference (Sobel 2006, "What do randomized studies of housing mobility
  demonstrate?").

An outcome of a day is decided before that day: who leaves on the day of the decision leaves after 0
days, and a horizon of 90 days has the days 0 to 89.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.errors import UsageError
from keepwell.world.files.columns import Numbers, Words, same_date, whole
from keepwell.world.simulate import World
from keepwell.world.terms import (
    ACTIONS,
    CAUSES,
    FEINT,
    LEAVE_ALONE,
    NEVER,
    NO_PATH,
    OPEN,
    PATHS,
    STAGES,
)

Flags = npt.NDArray[np.bool_]
Pressures = list[npt.NDArray[np.float32]]

_NOBODY: Final = (np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Outcomes:
    """What became of clients under one assignment.

    Attributes:
        left_day: day number on which the client first left; NEVER if not within the horizon;
            int32 [n].
        status: code of `terms.STATUSES` at the end of the horizon; int8 [n].
        kept: fen still held at the end of the horizon; int64 [n].
    """

    left_day: npt.NDArray[np.int32]
    status: npt.NDArray[np.int8]
    kept: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Potential:
    """What becomes of each client under each action given to her alone.

    Attributes:
        decided: day number of the decision.
        horizon: days lived, that day included.
        actions: the words of `terms.ACTIONS` that were tried, in the order of the first axis.
        clients: places of the clients, those with an open account on that day; int64 [m].
        stage: where each stood, code of `terms.STAGES`; int8 [m].
        path: code of `terms.PATHS`; int8 [m].
        cause: code of `terms.CAUSES`, -1 for none; int8 [m].
        left_day: day number on which she first leaves, NEVER if not within the horizon;
            int32 [actions, m].
        kept: fen still held at the end; int64 [actions, m].
    """

    decided: int
    horizon: int
    actions: tuple[str, ...]
    clients: npt.NDArray[np.int64]
    stage: npt.NDArray[np.int8]
    path: npt.NDArray[np.int8]
    cause: npt.NDArray[np.int8]
    left_day: npt.NDArray[np.int32]
    kept: npt.NDArray[np.int64]

    def leaves(self, action: str) -> Flags:
        """Who leaves within the horizon under an action; bool [m]."""
        return np.asarray(self.left_day[self.actions.index(action)] != NEVER)


@dataclass(frozen=True)
class HouseholdPotential:
    """What becomes of each client under each way of treating her household.

    Attributes:
        decided: day number of the decision.
        horizon: days lived, that day included.
        household: number of the client's household, 0.. without gaps; int64 [n].
        member: place of the client within it; int64 [n].
        open: has an open account on the day of the decision; others cannot be treated; bool [n].
        left_day: day number of leaving when bit j of the pattern says whether member j is treated,
            NEVER if not within the horizon; int32 [2**largest, n].
    """

    decided: int
    horizon: int
    household: npt.NDArray[np.int64]
    member: npt.NDArray[np.int64]
    open: Flags
    left_day: npt.NDArray[np.int32]

    def under(self, treated: Flags) -> npt.NDArray[np.int32]:
        """Days of leaving under any assignment, int32 [n].

        Args:
            treated: who is treated; bool [n].
        """
        bits = treated.astype(np.int64) << self.member
        pattern = np.bincount(self.household, bits).astype(np.int64)[self.household]
        return np.asarray(self.left_day[pattern, np.arange(len(pattern))])


def live_on(
    world: World, clients: Numbers, codes: Numbers, horizon: int, *, first: int | None = None
) -> Outcomes:
    """What really happens under one assignment, with all the interference the scenario has.

    Args:
        world: lived up to the day of the decision; not changed.
        clients: places of the clients to treat.
        codes: actions they get, codes of `terms.ACTIONS`.
        horizon: days to live, the day of the decision included.
        first: keep only the outcomes of so many clients, the first; default: all.

    Raises:
        UsageError: the world has too few days left, or no such client.
    """
    chosen = (np.asarray(clients, np.int64), np.asarray(codes, np.int64))
    outcomes = _lived(world.copy(), chosen, horizon)[0]
    return Outcomes(outcomes.left_day[:first], outcomes.status[:first], outcomes.kept[:first])


def potential(
    world: World,
    horizon: int,
    actions: Sequence[str] = ACTIONS,
    *,
    first: int | None = None,
) -> Potential:
    """What becomes of each client under each action, given to her alone today.

    Args:
        world: lived up to the day of the decision; not changed.
        horizon: days to live, the day of the decision included.
        actions: words of `terms.ACTIONS`; leaving alone need not be among them.
        first: only so many clients, the first, which are as good as drawn by lot; the future
            without treatment is lived by all of them. Default: all.

    Raises:
        UsageError: the world has too few days left; an unknown action.
    """
    codes = [_code(action) for action in actions]
    control = _lived(world.copy(), _NOBODY, horizon, felt=_catches(world))
    state = world.state[:first]
    clients = np.flatnonzero(state["status"] == OPEN)
    pressures = None if control[1] is None else [felt[:first] for felt in control[1]]
    left, kept = [], []
    for code in codes:
        made = control[0]
        if code != LEAVE_ALONE:
            everyone = (clients, np.full(len(clients), code))
            made = _lived(world.copy(first), everyone, horizon, pressures)[0]
        left.append(made.left_day[clients])
        kept.append(made.kept[clients])
    here = state[clients]
    return Potential(
        decided=world.market.start + world.t, horizon=horizon, actions=tuple(actions),
        clients=clients, stage=here["stage"].copy(), path=here["path"].copy(),
        cause=here["cause"].copy(), left_day=np.stack(left), kept=np.stack(kept),
    )  # fmt: skip


def household_potential(world: World, horizon: int, action: str) -> HouseholdPotential:
    """What becomes of each client under every way of treating her household with one action.

    Households of k clients have 2**k patterns; each is lived by all households at once.

    Args:
        world: lived up to the day of the decision; not changed. Its contagion keeps within
            households.
        horizon: days to live, the day of the decision included.
        action: a word of `terms.ACTIONS`.

    Raises:
        UsageError: `world.outcomes-entangled` when referrers or advisers spread leaving too, so
            that no household's outcomes are its own; too few days left; an unknown action.
    """
    spreads = world.scenario.contagion
    if spreads.referrer or spreads.adviser:
        raise UsageError("world.outcomes-entangled")
    code = _code(action)
    household = np.unique(world.people.person["household"], return_inverse=True)[1].reshape(-1)
    member = _places(household)
    left = []
    for pattern in range(2 ** (int(member.max()) + 1)):
        clients = np.flatnonzero(pattern >> member & 1)
        assigned = (clients, np.full(len(clients), code))
        left.append(_lived(world.copy(), assigned, horizon)[0].left_day)
    return HouseholdPotential(
        decided=world.market.start + world.t, horizon=horizon, household=household, member=member,
        open=np.asarray(world.state["status"] == OPEN), left_day=np.stack(left),
    )  # fmt: skip


class Keepable(NamedTuple):
    """How many of those who are on their way out can still be kept.

    Attributes:
        clients: in the stage.
        leaving: of them leave within the horizon when left alone.
        kept: of the leaving stay under at least one action.
    """

    clients: int
    leaving: int
    kept: int

    @property
    def share(self) -> float:
        """Of the leaving, the share that at least one action keeps; nan when nobody leaves."""
        return self.kept / self.leaving if self.leaving else float("nan")


def keepable(outcomes: Potential, stage: str) -> Keepable:
    """Who leaves when left alone, and stays under at least one action.

    Args:
        outcomes: leaving alone must be among its actions.
        stage: word of `terms.STAGES`; who only looks like leaving does not count.
    """
    here = (outcomes.stage == STAGES.index(stage)) & (outcomes.path != FEINT)
    leaving = here & outcomes.leaves(ACTIONS[LEAVE_ALONE])
    stays = (outcomes.left_day == NEVER).any(axis=0)
    return Keepable(int(here.sum()), int(leaving.sum()), int((leaving & stays).sum()))


_STAGES, _PATHS, _CAUSES = Words(STAGES), Words(PATHS), Words(CAUSES)


def potential_table(world: World, outcomes: Potential, ids: pa.Array | None = None) -> pa.Table:
    """Potential outcomes as a table of the truth, a row for each client.

    Args:
        world: whose clients they are.
        outcomes: of `potential`.
        ids: text ids of all clients; default: the world's.

    Returns:
        decided_on (date), client_id, stage, path (null for none), cause (null for none), and by
        action the days from the decision until the client leaves, null when not within the horizon.
    """
    ids = world.people.ids if ids is None else ids
    m = len(outcomes.clients)
    columns: dict[str, Any] = {
        "decided_on": same_date(outcomes.decided, m),
        "client_id": ids.take(pa.array(outcomes.clients)),
        "stage": _STAGES.column(outcomes.stage),
        "path": _PATHS.column(outcomes.path, outcomes.path != NO_PATH),
        "cause": _CAUSES.column(outcomes.cause, outcomes.cause >= 0),
    }
    for action, left in zip(outcomes.actions, outcomes.left_day, strict=True):
        gone = left != NEVER
        columns[action] = whole(np.where(gone, left - outcomes.decided, 0), gone)
    return pa.table(columns)


def _lived(
    world: World,
    chosen: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    horizon: int,
    pressures: Pressures | None = None,
    *,
    felt: bool = False,
) -> tuple[Outcomes, Pressures | None]:
    """Live a copy on, under its own contagion or a given one; and keep what was felt."""
    if world.days - world.t < horizon:
        raise UsageError("world.days-over", days=world.days)
    state, start = world.state, world.market.start + world.t
    left_day = np.full(len(state), NEVER, np.int32)
    kept_felt: Pressures = []
    for day in range(horizon):
        world.pass_day(_NOBODY if day else chosen, pressures[day] if pressures else None)
        if felt:
            kept_felt.append(state["pressure"].copy())
        # The first time counts: who comes back may leave again.
        now = (state["left_day"] == start + day) & (left_day == NEVER)
        left_day[now] = start + day
    kept = np.where(state["status"] == OPEN, state["worth"], 0)
    return Outcomes(left_day, state["status"].copy(), kept), kept_felt if felt else None


def _catches(world: World) -> bool:
    """Whether leaving spreads at all."""
    spreads = world.scenario.contagion
    return bool(spreads.household or spreads.referrer or spreads.adviser)


def _places(group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Place of each element among those of its group, in order."""
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group)
    first = np.cumsum(sizes) - sizes
    places = np.empty(len(group), np.int64)
    places[order] = np.arange(len(group)) - first[group[order]]
    return places


def _code(action: str) -> int:
    if action not in ACTIONS:
        raise UsageError("world.action-unknown", action=action, nearest=", ".join(ACTIONS))
    return ACTIONS.index(action)
