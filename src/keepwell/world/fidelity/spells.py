"""Spells of leaving in a watched world: the steps of each client put into order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepwell.world.fidelity.watch import Flags, Floats, Ints, Lived
from keepwell.world.terms import EXIT, NONE


@dataclass(frozen=True)
class Spells:
    """Stays in a stage, one row each, that began while the world was watched.

    Attributes:
        client: whose.
        stage: code of `terms.STAGES`, above `NONE`.
        path: code of `terms.PATHS`.
        cause: code of `terms.CAUSES`, -1 for none.
        day: t of its beginning.
        days: how long it took; -1 when it outlasted the watch.
        went_on: it led to the next stage, or out of the last.
        left: the client left in the end, at once or some stages later.
        left_after: days from its beginning to the leaving; -1 where not left.
        worth: fen, when the stage began.
    """

    client: Ints
    stage: Ints
    path: Ints
    cause: Ints
    day: Ints
    days: Ints
    went_on: Flags
    left: Flags
    left_after: Ints
    worth: Ints


def spells_of(lived: Lived) -> Spells:
    """The spells of a watched world, by client and time.

    Args:
        lived: what was seen.
    """
    order = np.lexsort((lived.step_day, lived.steps["client"]))
    step, day = lived.steps[order], lived.step_day[order]
    client, stage = step["client"].astype(np.int64), step["stage"].astype(np.int64)
    leaves = step["way"] > 0
    # Place of the step that ends the episode: the first one from here on that is in no stage.
    last = np.flatnonzero(stage == NONE)
    at = np.searchsorted(last, np.arange(len(step)))
    end = last[np.minimum(at, max(len(last) - 1, 0))] if len(last) else np.zeros(len(step), int)
    ended = (at < len(last)) & (client[end] == client) if len(last) else np.zeros(len(step), bool)
    left = ended & leaves[end]
    following = np.minimum(np.arange(len(step)) + 1, len(step) - 1)
    known = (following > np.arange(len(step))) & (client[following] == client)
    inside = (stage > NONE) & (stage <= EXIT)
    on = known & np.where(stage == EXIT, leaves[following], stage[following] == stage + 1)
    # A drifting client leaves from the first stage.
    on |= known & (stage > NONE) & leaves[following]
    return Spells(
        client=client[inside],
        stage=stage[inside],
        path=step["path"].astype(np.int64)[inside],
        cause=step["cause"].astype(np.int64)[inside],
        day=day[inside],
        days=np.where(known, day[following] - day, -1)[inside],
        went_on=on[inside],
        left=left[inside],
        left_after=np.where(left, day[end] - day, -1)[inside],
        worth=step["worth"].astype(np.int64)[inside],
    )


@dataclass(frozen=True)
class Leavers:
    """Who left within the measured year, one row each.

    Attributes:
        client: whose.
        day: t of leaving.
        path: code of `terms.PATHS`.
        cause: code of `terms.CAUSES`.
        named: bits of the reasons named.
        taken: CNY taken away: worth when the exit (or the drifting off) began, or at leaving
            where that was before the start.
    """

    client: Ints
    day: Ints
    path: Ints
    cause: Ints
    named: Ints
    taken: Floats


def leavers_of(lived: Lived, spells: Spells, until: int) -> Leavers:
    """Who left before day `until`.

    Args:
        lived: what was seen.
        spells: its spells.
        until: t of the first day that does not count.
    """
    mine: NDArray[Any] = (lived.steps["way"] > 0) & (lived.step_day < until)
    step, day = lived.steps[mine], lived.step_day[mine]
    client, taken = step["client"].astype(np.int64), step["worth"] / 100.0
    final = spells.left & spells.went_on & (spells.days == spells.left_after)
    # Both sides by client and day of leaving; a client leaves at most once a day.
    keys = spells.client[final] * lived.days + (spells.day + spells.days)[final]
    wanted = client * lived.days + day
    by_key = np.argsort(keys)
    at = np.minimum(np.searchsorted(keys[by_key], wanted), max(len(keys) - 1, 0))
    if len(keys):
        found = by_key[at]
        taken = np.where(keys[found] == wanted, spells.worth[final][found] / 100.0, taken)
    return Leavers(
        client=client,
        day=day,
        path=step["path"].astype(np.int64),
        cause=step["cause"].astype(np.int64),
        named=step["named"].astype(np.int64),
        taken=np.asarray(taken, np.float64),
    )
