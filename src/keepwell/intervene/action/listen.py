"""What actions tell other rooms: which there are, for the arms of experiments."""

from __future__ import annotations

from keepwell.core.errors import UsageError
from keepwell.frame.database import Tx
from keepwell.frame.problem import Unprocessable
from keepwell.intervene.action import gather
from keepwell.learn.experiment.doors import checks_actions


@checks_actions
def in_catalogue(tx: Tx, action_id: str, version: int) -> None:
    """Refuse an action that the workspace's catalogue does not have.

    Raises:
        Unprocessable: there is no such version.
    """
    try:
        gather.catalogue_of(tx).version(action_id, version)
    except UsageError as error:
        raise Unprocessable(error.code, **error.fields) from None
