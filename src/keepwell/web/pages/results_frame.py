"""What frames the pages of results: the tabs, each only with its permission."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from keepwell.frame.database import Tx
from keepwell.trust.access.policy import Actor, Permission
from keepwell.web.pages.admin_frame import Tab

P = Permission

TABS: Final[tuple[Tab, ...]] = (
    Tab("What was kept", "/results/kept", P.PROOF_READ),
    Tab("Experiments", "/results/experiments", P.EXPERIMENT_READ),
    Tab("Outcomes", "/results/outcomes", P.OUTCOME_READ),
    Tab("Key figures", "/results/kpi", P.KPI_READ),
    Tab("Actions", "/results/actions", P.ACTION_READ),
)
"""In their order; the first that is open to a reader is where /results leads."""


def tabs_for(actor: Actor) -> list[Tab]:
    """The tabs that a reader sees."""
    return [tab for tab in TABS if actor.may(tab.needs)]


def framed(verb: Callable[[Tx, Actor], dict[str, Any]]) -> Callable[[Tx, Actor], dict[str, Any]]:
    """What a page of results needs: its own and the tabs.

    Args:
        verb: reads the page's own.
    """
    return lambda tx, actor: {"tabs": tabs_for(actor), **verb(tx, actor)}
