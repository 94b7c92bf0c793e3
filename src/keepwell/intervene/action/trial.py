"""What experiments say to recommendations: effects they proved, and the arm of a client."""

from __future__ import annotations

from dataclasses import dataclass

from keepwell.frame import known
from keepwell.frame.database import Tx
from keepwell.intervene.action.recommend import ProvenEffect
from keepwell.learn.experiment import repo
from keepwell.learn.experiment.model import ExperimentEffect
from keepwell.learn.experiment.service import asked_of

_PROVEN = known.hangs_on("action.proven", ExperimentEffect)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A client's arm in a running experiment of actions.

    Attributes:
        experiment_id: which.
        arm: its name.
        propensity: the chance with which the draw gave it.
        action: name and version of the action that the arm does first; None: as usual.
    """

    experiment_id: str
    arm: str
    propensity: float
    action: str | None


def proven(tx: Tx) -> dict[tuple[str, int], ProvenEffect]:
    """What experiments have shown, by action and version; of several, the newest.

    Another version of an action is another action: nothing is proven of it.
    """
    found: dict[tuple[str, int], ProvenEffect] = known.recall(tx, _PROVEN, ())
    if found is known.MISSING:
        found = {
            (one.action_id, one.action_version): ProvenEffect(
                one.reduction, one.low, one.high, f"{title} ({one.experiment_id})"
            )
            for one, title in repo.effects(tx)
        }
        known.learn(tx, _PROVEN, {(): found})
    return found


def drawn(tx: Tx, client_id: str) -> Drawn | None:
    """The arm of a client in the running experiment of actions that drew them first, if any."""
    for assignment, row in repo.running_of(tx, client_id):
        arms = {arm.name: arm for arm in asked_of(row).arms}
        if all(arm.action_id is None for arm in arms.values()):
            continue
        arm = arms[assignment.arm]
        action = f"{arm.action_id}@{arm.action_version}" if arm.action_id else None
        return Drawn(row.experiment_id, arm.name, assignment.propensity, action)
    return None
