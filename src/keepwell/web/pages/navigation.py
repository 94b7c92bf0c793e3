"""The pages that a reader may open, and where each stands in the navigation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keepwell.trust.access.policy import Actor, Permission, Scope


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the navigation.

    Attributes:
        title: in English, a key of the catalogue.
        path: address of the page.
        icon: name in the icon file.
        needs: permissions of which one is enough.
        scoped: whether it is about clients, and so of no use to a reader who may see none.
        narrow: whether it keeps a place at the bottom of a phone's screen.
    """

    title: str
    path: str
    icon: str
    needs: frozenset[Permission]
    scoped: bool = True
    narrow: bool = False

    def open_to(self, actor: Actor) -> bool:
        """Whether a reader may open the page."""
        if self.scoped and actor.scope is Scope.NONE:
            return False
        return not self.needs.isdisjoint(actor.permissions)


P = Permission

ENTRIES: Final = (
    Entry("Today", "/today", "sun", frozenset({P.CASE_READ, P.ALERT_READ}), narrow=True),
    Entry("Client list", "/clients", "users", frozenset({P.CLIENT_READ}), narrow=True),
    Entry("Team", "/team", "users-group", frozenset({P.CASE_REASSIGN}), narrow=True),
    Entry("Insight", "/insight", "chart-line", frozenset({P.INSIGHT_READ}), narrow=True),
    Entry(
        "Results", "/results", "certificate",
        frozenset({P.PROOF_READ, P.EXPERIMENT_READ, P.KPI_READ, P.OUTCOME_READ}),
    ),
    Entry("Data", "/data", "database", frozenset({P.DATA_READ}), scoped=False),
    Entry("Evidence", "/evidence", "shield-check", frozenset({P.EVIDENCE_READ}), scoped=False),
    Entry(
        "Admin", "/admin", "settings",
        frozenset({P.USER_ADMIN, P.WEBHOOK_READ, P.CLOCK_ADMIN, P.JOB_ADMIN}), scoped=False,
    ),
)  # fmt: skip
"""In the order of the navigation; the first that is open to a reader is where they begin."""


def entries_for(actor: Actor) -> list[Entry]:
    """What a reader's navigation shows."""
    return [entry for entry in ENTRIES if entry.open_to(actor)]


def home_of(actor: Actor) -> str:
    """Where a reader begins."""
    found = entries_for(actor)
    return found[0].path if found else "/account"
