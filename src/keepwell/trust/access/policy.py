"""Permissions, roles and row scopes: pure data, one place.

Grammar of a permission: `<thing>:<verb>`, in the order of the alphabet. A role is a set of
permissions and one scope. A token holds a subset of its user's permissions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """What an actor may do; the scope says to whose clients."""

    ACTION_READ = "action:read"
    ALERT_ACT = "alert:act"
    ALERT_READ = "alert:read"
    BUDGET_APPROVE = "budget:approve"
    BUDGET_PROPOSE = "budget:propose"
    CASE_CLOSE = "case:close"
    CASE_READ = "case:read"
    CASE_REASSIGN = "case:reassign"
    CASE_WRITE = "case:write"
    CLIENT_EXPORT = "client:export"
    CLIENT_READ = "client:read"
    CLIENT_UNMASK = "client:unmask"
    CLOCK_ADMIN = "clock:admin"
    CLOCK_PAUSE = "clock:pause"
    CLOCK_READ = "clock:read"
    CONSENT_READ = "consent:read"
    CONSENT_WRITE = "consent:write"
    DATA_READ = "data:read"
    EVENT_WRITE = "event:write"
    EVIDENCE_READ = "evidence:read"
    EXIT_CANCEL = "exit:cancel"
    EXIT_HOLD = "exit:hold"
    EXIT_READ = "exit:read"
    EXIT_WRITE = "exit:write"
    EXPERIMENT_READ = "experiment:read"
    EXPERIMENT_WRITE = "experiment:write"
    HOLDOUT_READ = "holdout:read"
    INCIDENT_ADMIN = "incident:admin"
    INCIDENT_READ = "incident:read"
    INCIDENT_WRITE = "incident:write"
    INSIGHT_READ = "insight:read"
    JOB_ADMIN = "job:admin"
    KPI_READ = "kpi:read"
    KPI_WRITE = "kpi:write"
    NOTICE_READ = "notice:read"
    OUTCOME_READ = "outcome:read"
    PROOF_READ = "proof:read"
    TOKEN_ADMIN = "token:admin"  # noqa: S105
    TOKEN_OWN = "token:own"  # noqa: S105
    USER_ADMIN = "user:admin"
    USER_READ = "user:read"
    WEBHOOK_ADMIN = "webhook:admin"
    WEBHOOK_APPROVE = "webhook:approve"
    WEBHOOK_READ = "webhook:read"


PERMISSIONS: Final[dict[Permission, str]] = {
    Permission.ACTION_READ: "See the catalogue of actions and what the gate refused.",
    Permission.ALERT_ACT: "Acknowledge and snooze alerts.",
    Permission.ALERT_READ: "See alerts, also those held back.",
    Permission.BUDGET_APPROVE: "Approve or reject a proposed budget; never one's own.",
    Permission.BUDGET_PROPOSE: "Propose a budget on the proof of what was kept.",
    Permission.CASE_CLOSE: "Close and reopen cases.",
    Permission.CASE_READ: "See cases, their notes, tasks and files.",
    Permission.CASE_REASSIGN: "Give cases to other staff, many at once, and undo it.",
    Permission.CASE_WRITE: "Open cases, move them on, add notes, tasks, contacts and files.",
    Permission.CLIENT_EXPORT: "Download lists as CSV.",
    Permission.CLIENT_READ: "See clients, scores and reasons, personal fields masked.",
    Permission.CLIENT_UNMASK: "See a client's personal fields, for a reason that is logged.",
    Permission.CLOCK_ADMIN: "Change and activate clock policies.",
    Permission.CLOCK_PAUSE: "Pause a clock for a listed reason, and resume it.",
    Permission.CLOCK_READ: "See clocks, policies and calendars.",
    Permission.CONSENT_READ: "See what clients agreed to and refused.",
    Permission.CONSENT_WRITE: "Record consent, refusal and objection to profiling.",
    Permission.DATA_READ: "See generations of scores and the state of the event spool.",
    Permission.EVENT_WRITE: "Send events.",
    Permission.EVIDENCE_READ: "Search, prove and export the evidence log.",
    Permission.EXIT_CANCEL: "Record that a client took an exit request back.",
    Permission.EXIT_HOLD: "Hold an exit request for a lawful reason.",
    Permission.EXIT_READ: "See exit requests.",
    Permission.EXIT_WRITE: "Record, settle and complete exit requests.",
    Permission.EXPERIMENT_READ: "See experiments and what they showed.",
    Permission.EXPERIMENT_WRITE: "Set up, start, read out and stop experiments.",
    Permission.HOLDOUT_READ: "See the hold-out and the log of treatments.",
    Permission.INCIDENT_ADMIN: "Answer for every source: hear of all incidents and work on them.",
    Permission.INCIDENT_READ: "See incidents of one's own sources; with data:read, of all.",
    Permission.INCIDENT_WRITE: "Acknowledge and close incidents of sources one answers for.",
    Permission.INSIGHT_READ: "See totals, rankings and the model's quality.",
    Permission.JOB_ADMIN: "See background jobs and run dead ones again.",
    Permission.KPI_READ: "See the key figures, their targets and reviews.",
    Permission.KPI_WRITE: "Set owners and targets of key figures, work on reviews.",
    Permission.NOTICE_READ: "See one's own notices.",
    Permission.OUTCOME_READ: "See matured outcomes and where they differ from what staff typed.",
    Permission.PROOF_READ: "See what was kept, in clients and money.",
    Permission.TOKEN_ADMIN: "See and revoke everybody's API tokens.",
    Permission.TOKEN_OWN: "Make and revoke one's own API tokens.",
    Permission.USER_ADMIN: "Make users, set roles, teams and capacities, end sessions.",
    Permission.USER_READ: "See users and roles.",
    Permission.WEBHOOK_ADMIN: "Set up webhooks, see and replay deliveries.",
    Permission.WEBHOOK_APPROVE: "Approve where webhooks may send what happens to clients.",
    Permission.WEBHOOK_READ: "See where webhooks go and which events they send.",
}
"""What each permission allows, in English."""


class Scope(StrEnum):
    """Whose clients an actor sees, from the narrowest on."""

    NONE = "none"
    OWN = "own"
    TEAM = "team"
    BRANCH = "branch"
    REGION = "region"
    ALL = "all"


class Role(StrEnum):
    """What a user is; an integration is a program and works by token only."""

    MANAGER = "manager"
    ADVISER = "adviser"
    LEAD = "lead"
    DIRECTOR = "director"
    COMPLIANCE = "compliance"
    ANALYST = "analyst"
    ADMIN = "admin"
    AUDITOR = "auditor"
    INTEGRATION = "integration"


SCOPES: Final[dict[Scope, str]] = {
    Scope.NONE: "No clients.",
    Scope.OWN: "The clients of one's own book.",
    Scope.TEAM: "The clients of the managers of one's team.",
    Scope.BRANCH: "The clients of one's branch.",
    Scope.REGION: "The clients of the branches of one's region.",
    Scope.ALL: "All clients.",
}
"""What each scope covers, in English; clients lent by a case come on top of all but 'none'."""

ROLES: Final[dict[Role, str]] = {
    Role.MANAGER: "Relationship manager",
    Role.ADVISER: "Investment adviser",
    Role.LEAD: "Team lead",
    Role.DIRECTOR: "Regional director",
    Role.COMPLIANCE: "Compliance officer",
    Role.ANALYST: "Analyst",
    Role.ADMIN: "Administrator",
    Role.AUDITOR: "Auditor",
    Role.INTEGRATION: "Program",
}
"""What each role is called, in English."""

P = Permission

_EVERYBODY = {P.INCIDENT_READ, P.NOTICE_READ, P.TOKEN_OWN, P.USER_READ}
_READS = {
    P.ACTION_READ, P.ALERT_READ, P.CASE_READ, P.CLIENT_READ, P.CLOCK_READ, P.CONSENT_READ,
    P.EXIT_READ,
}  # fmt: skip
_JUDGES = {P.EXPERIMENT_READ, P.KPI_READ, P.OUTCOME_READ}
_WORKS = {
    P.ALERT_ACT, P.CASE_WRITE, P.CASE_CLOSE, P.CLIENT_UNMASK, P.CLOCK_PAUSE, P.EXIT_WRITE,
    P.INCIDENT_WRITE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role gives.

    Attributes:
        scope: whose clients.
        permissions: what may be done.
        unmasked: whether personal fields are shown at once, without asking.
    """

    scope: Scope
    permissions: frozenset[Permission]
    unmasked: bool = False


GRANTS: Final[dict[Role, Grant]] = {
    Role.MANAGER: Grant(Scope.OWN, frozenset(_EVERYBODY | _READS | _WORKS | {P.CONSENT_WRITE})),
    Role.ADVISER: Grant(
        Scope.OWN,
        frozenset(
            _EVERYBODY | _READS
            | {P.ALERT_ACT, P.CASE_WRITE, P.CLIENT_UNMASK, P.INCIDENT_WRITE}
        ),
    ),
    Role.LEAD: Grant(
        Scope.TEAM,
        frozenset(
            _EVERYBODY | _READS | _WORKS | _JUDGES
            | {P.CASE_REASSIGN, P.CLIENT_EXPORT, P.CONSENT_WRITE, P.DATA_READ, P.INSIGHT_READ}
        ),
    ),
    Role.DIRECTOR: Grant(
        Scope.REGION,
        frozenset(
            _EVERYBODY | _READS | _WORKS | _JUDGES
            | {
                P.BUDGET_APPROVE, P.CASE_REASSIGN, P.CLIENT_EXPORT, P.DATA_READ, P.INSIGHT_READ,
                P.KPI_WRITE, P.PROOF_READ,
            }
        ),
    ),
    Role.COMPLIANCE: Grant(
        Scope.ALL,
        frozenset(
            _EVERYBODY | _READS | _JUDGES
            | {
                P.BUDGET_APPROVE, P.CLIENT_EXPORT, P.CLIENT_UNMASK, P.CONSENT_WRITE, P.DATA_READ,
                P.EVIDENCE_READ, P.EXIT_CANCEL, P.EXIT_HOLD, P.EXIT_WRITE, P.HOLDOUT_READ,
                P.INCIDENT_WRITE, P.PROOF_READ, P.WEBHOOK_APPROVE, P.WEBHOOK_READ,
            }
        ),
    ),
    Role.ANALYST: Grant(
        Scope.ALL,
        frozenset(
            _EVERYBODY | _READS | _JUDGES
            | {
                P.BUDGET_PROPOSE, P.CLIENT_EXPORT, P.DATA_READ, P.EXPERIMENT_WRITE, P.HOLDOUT_READ,
                P.INCIDENT_ADMIN, P.INCIDENT_WRITE, P.INSIGHT_READ, P.KPI_WRITE, P.PROOF_READ,
            }
        ),
    ),
    Role.ADMIN: Grant(
        Scope.NONE,
        frozenset(
            _EVERYBODY
            | {
                P.USER_ADMIN, P.TOKEN_ADMIN, P.WEBHOOK_ADMIN, P.WEBHOOK_READ, P.JOB_ADMIN,
                P.CLOCK_ADMIN,
                P.CLOCK_READ, P.DATA_READ, P.INCIDENT_ADMIN, P.INCIDENT_WRITE,
            }
        ),
    ),
    Role.AUDITOR: Grant(
        Scope.ALL,
        frozenset(
            _EVERYBODY | _READS | _JUDGES
            | {P.DATA_READ, P.EVIDENCE_READ, P.HOLDOUT_READ, P.PROOF_READ}
        ),
    ),
    Role.INTEGRATION: Grant(
        Scope.ALL,
        frozenset(
            _READS
            | {
                P.TOKEN_OWN, P.EVENT_WRITE, P.CASE_WRITE, P.ALERT_ACT, P.EXIT_WRITE,
                P.EXIT_CANCEL, P.CONSENT_WRITE, P.DATA_READ, P.INCIDENT_READ, P.USER_READ,
            }
        ),
    ),
}  # fmt: skip
"""What each role gives."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is doing something, and what they may do; known for one request or job.

    Attributes:
        user_id: the user, or 'system'.
        name: for logs and histories.
        role: the user's role; None for the system.
        scope: whose clients are visible.
        permissions: what may be done; a token narrows it.
        staff_id: the broker's own number of this person, as in the data (manager_id, adviser_id).
        team_id: team of the user.
        branch_id: branch of the user.
        region_id: region of the user.
        via: 'session', 'token', 'system' or 'local'.
        unmasked: whether personal fields are shown at once.
        locale: 'en' or 'zh'.
        lent: False when it is known that no client is lent to the actor; spares a look.
    """

    user_id: str
    name: str
    role: Role | None
    scope: Scope
    permissions: frozenset[Permission]
    staff_id: str | None = None
    team_id: str | None = None
    branch_id: str | None = None
    region_id: str | None = None
    via: str = "session"
    unmasked: bool = False
    locale: str = "en"
    lent: bool = True

    def may(self, permission: Permission) -> bool:
        """Whether the actor holds a permission."""
        return permission in self.permissions


SYSTEM: Final = Actor(
    "system", "keepwell", None, Scope.ALL, frozenset(Permission), via="system", unmasked=True
)
"""The desk itself: jobs, rules, publication."""

LOCAL: Final = Actor(
    "local", "keepwell", None, Scope.ALL, frozenset(Permission), via="local", unmasked=True
)
"""Whoever may run `keepwell` on the machine of the database."""

_WIDTH: Final = tuple(Scope)


def within(scope: Scope, role: Role) -> bool:
    """Whether a scope is not wider than the role's usual one.

    Example:
        >>> within(Scope.TEAM, Role.DIRECTOR), within(Scope.ALL, Role.DIRECTOR)
        (True, False)
    """
    return _WIDTH.index(scope) <= _WIDTH.index(GRANTS[role].scope)


def needs_staff(scope: Scope) -> bool:
    """Whether the scope is read off the broker's own number of the user."""
    return scope not in (Scope.NONE, Scope.ALL)
