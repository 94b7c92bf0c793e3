"""A desk to look at: people for every role around the books that the data name.

For `keepwell demo` only. Teams and regions are made up from the managers and branches of the data;
the passwords are derived from the workspace's own secret, so a second demo prints the same ones.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlalchemy import func, select

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.trust.access.model import Branch, Region, Staff, Team, User
from keepwell.trust.access.policy import GRANTS, Role
from keepwell.trust.book.model import Client
from keepwell.trust.book.repo import current_generation

TEAM_SIZE = 8


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A log-in for looking around.

    Attributes:
        login: log-in name.
        password: its password; empty where there is no log-in by password.
        role: the role.
        staff_id: whose book, if any.
    """

    login: str
    password: str
    role: Role
    staff_id: str | None

    @property
    def scope(self) -> str:
        """Whose clients the user sees."""
        return GRANTS[self.role].scope.value


@dataclass(frozen=True, slots=True)
class Standing:
    """What the desk holds of one tier.

    Attributes:
        title: the tier in English, a key of the catalogue.
        shown: alerts shown.
        held_back: alerts that wait for the ceiling.
        held_out: alerts of the hold-out.
        cases: live cases.
    """

    title: str
    shown: int
    held_back: int
    held_out: int
    cases: int


def settle(frame: Frame, most: int = 2_000) -> None:
    """Run jobs until the alerts of the publication are raised and shown.

    What recurs every second is due again and again, so "until nothing is due" would never come.

    Args:
        frame: the desk.
        most: turns at most.
    """
    from keepwell.jobs.model import Job, JobState
    from keepwell.jobs.worker import run_due

    for _ in range(most):
        run_due(frame)
        with frame.read() as tx:
            waiting = select(func.count()).where(
                Job.kind.like("alert.%"), Job.state == JobState.WAITING, Job.due_at <= tx.at,
                Job.key.not_like("every:%"),
            )  # fmt: skip
            if not tx.session.scalar(waiting):
                return


def standing(frame: Frame) -> list[Standing]:
    """Alerts and cases by tier, gravest first."""
    from keepwell.intervene.alert.model import Alert
    from keepwell.intervene.case.model import Case
    from keepwell.warn.tier import TITLES, Tier

    with frame.read() as tx:
        # unscoped: the demo's organiser counts everything
        alerts = {
            (tier, status): number
            for tier, status, number in tx.session.execute(
                select(Alert.tier, Alert.status, func.count()).group_by(Alert.tier, Alert.status)
            )
        }
        cases = {
            str(tier): int(number)
            for tier, number in tx.session.execute(
                select(Case.tier, func.count()).where(Case.live).group_by(Case.tier)
            )
        }
    return [
        Standing(
            TITLES[tier], alerts.get((tier.code, "shown"), 0),
            alerts.get((tier.code, "held-back"), 0), alerts.get((tier.code, "held-out"), 0),
            cases.get(tier.code, 0),
        )
        for tier in (Tier.SEVERE, Tier.MODERATE, Tier.MILD)
    ]  # fmt: skip


def seed(frame: Frame) -> list[DemoUser]:
    """Make teams, regions and one user per role; does nothing twice.

    Args:
        frame: a desk whose first generation is published and swept.
    """
    with frame.write() as tx:
        _organise(tx)
        chosen = _people(tx)
    users = [
        DemoUser(
            f"demo-{role}", "" if role is Role.INTEGRATION else _password(frame, role), role,
            chosen.get(role),
        )
        for role in Role
    ]  # fmt: skip
    from keepwell.trust.access.passwords import hash_password

    hashes = {user.login: hash_password(user.password) for user in users if user.password}
    with frame.write() as tx:
        known = set(tx.session.scalars(select(User.login)))
        for user in users:
            if user.login not in known:
                tx.session.add(_row(tx, user, hashes.get(user.login)))
    return users


def _row(tx: Tx, user: DemoUser, password_hash: str | None) -> User:
    from keepwell.core.ids import new_id

    return User(
        user_id=new_id("user", tx.at), login=user.login, name=f"Demo {user.role}", role=user.role,
        scope=GRANTS[user.role].scope, staff_id=user.staff_id, password_hash=password_hash,
        created_at=tx.at,
    )  # fmt: skip


def _password(frame: Frame, role: Role) -> str:
    digest = hmac.new(frame.secret, f"demo {role}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def _organise(tx: Tx) -> None:
    """Two regions of branches; teams of managers who share most clients' branch."""
    branches = sorted(tx.session.scalars(select(Branch.branch_id)))
    for number, name in ((1, "region-1"), (2, "region-2")):
        if tx.session.get(Region, name) is None:
            tx.session.add(Region(region_id=name, name=f"Region {number}"))
    tx.session.flush()
    half = (len(branches) + 1) // 2
    for position, branch_id in enumerate(branches):
        branch = tx.session.get_one(Branch, branch_id)
        if branch.region_id is None:
            branch.region_id = "region-1" if position < half else "region-2"
    for branch_id, managers in sorted(_by_branch(tx).items()):
        for position, manager_id in enumerate(managers):
            team_id = f"team-{branch_id}-{position // TEAM_SIZE + 1}"
            if tx.session.get(Team, team_id) is None:
                tx.session.add(Team(team_id=team_id, name=team_id, branch_id=branch_id))
                tx.session.flush()
            staff = tx.session.get_one(Staff, manager_id)
            if staff.team_id is None:
                staff.team_id, staff.branch_id = team_id, branch_id


def _by_branch(tx: Tx) -> dict[str, list[str]]:
    """Managers by the branch in which most of their clients are; without branches, 'main'."""
    # unscoped: the demo's organiser looks at the whole book
    counted = tx.session.execute(
        select(Client.manager_id, Client.branch_id, func.count())
        .where(Client.generation_id == current_generation(), Client.manager_id.is_not(None))
        .group_by(Client.manager_id, Client.branch_id)
    )
    places: dict[str, Counter[str]] = defaultdict(Counter)
    for manager_id, branch_id, clients in counted:
        places[str(manager_id)][branch_id or "main"] += clients
    homeless = any("main" in counts for counts in places.values())
    if homeless and tx.session.get(Branch, "main") is None:
        tx.session.add(Branch(branch_id="main", name="main", region_id="region-1"))
        tx.session.flush()
    found: dict[str, list[str]] = defaultdict(list)
    for manager_id, counts in sorted(places.items()):
        found[counts.most_common(1)[0][0]].append(manager_id)
    return found


def _people(tx: Tx) -> dict[Role, str]:
    """Staff numbers for the roles that have a book or a team: the busiest manager and above."""
    busiest = _busiest(tx)
    if busiest is None:
        return {}
    manager = tx.session.get_one(Staff, busiest)
    branch = tx.session.get(Branch, manager.branch_id) if manager.branch_id else None
    region = branch.region_id if branch else None
    chosen = {Role.MANAGER: busiest}
    adviser = tx.session.scalars(
        select(Staff.staff_id).where(Staff.role == "adviser").order_by(Staff.staff_id)
    ).first()
    if adviser is not None:
        chosen[Role.ADVISER] = adviser
    for role, team, place in ((Role.LEAD, manager.team_id, None), (Role.DIRECTOR, None, region)):
        staff_id = f"demo-{role}"
        if tx.session.get(Staff, staff_id) is None:
            tx.session.add(
                Staff(
                    staff_id=staff_id, name=f"Demo {role}", role=role, team_id=team,
                    branch_id=manager.branch_id if team else None, region_id=place,
                )
            )  # fmt: skip
            tx.session.flush()
        chosen[role] = staff_id
    return chosen


def _busiest(tx: Tx) -> str | None:
    from keepwell.intervene.case.model import Case

    # unscoped: the demo's organiser looks at all cases
    return tx.session.scalars(
        select(Case.owner_id)
        .join(Staff, Staff.staff_id == Case.owner_id)
        .where(Case.closed_at.is_(None), Staff.role == "manager")
        .group_by(Case.owner_id)
        .order_by(func.count().desc(), Case.owner_id)
    ).first()
