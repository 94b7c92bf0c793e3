"""Verbs of clock policies: those that ship, new versions, the one in force."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from keepwell.core.errors import UsageError, nearest
from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.problem import Conflict, NotFound, Stale
from keepwell.intervene.clock import repo
from keepwell.intervene.clock.model import ClockPolicy
from keepwell.intervene.clock.policy import EXIT_POLICY, PolicyBody, exit_policy
from keepwell.trust.access.call import check_version
from keepwell.trust.access.policy import SYSTEM, Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

_FOLDER: Final = Path(__file__).parent / "policies"


@lru_cache(maxsize=1)
def shipped() -> dict[str, PolicyBody]:
    """The policies that come with keepwell, by name."""
    return {
        path.stem: PolicyBody.model_validate(yaml.safe_load(path.read_text("utf-8")))
        for path in sorted(_FOLDER.glob("*.yaml"))
    }


def body_of(policy: ClockPolicy) -> PolicyBody:
    """The content of a stored version."""
    body = _BODIES.get(policy.policy_id)
    if body is None:
        if len(_BODIES) > 200:
            _BODIES.clear()
        body = _BODIES[policy.policy_id] = PolicyBody.model_validate(policy.content)
    return body


_BODIES: dict[str, PolicyBody] = {}
"""A stored version never changes, so it is read once per process."""


def body_by_id(tx: Tx, policy_id: str) -> PolicyBody:
    """The content of the version that a clock started under."""
    return _BODIES.get(policy_id) or body_of(repo.policy_by_id(tx, policy_id))


def in_force(tx: Tx) -> ClockPolicy:
    """The active policy; the one of the settings when nobody has chosen yet.

    Raises:
        UsageError: the settings name a policy that there is not.
    """
    active = repo.active_policy(tx)
    if active is not None:
        return active
    name = tx.frame.settings.clock.policy
    stored = _newest(tx, name)
    if stored is None:
        known = sorted(shipped())
        raise UsageError("clock.policy-unknown", name=name, nearest=nearest(name, known) or "–")
    repo.activate(tx, stored.policy_id, only_first=True)
    return repo.active_policy(tx) or stored


def for_exits(tx: Tx) -> ClockPolicy:
    """The policy of exit requests, in a new version when the setting has changed."""
    body = exit_policy(tx.frame.settings.clock.exit_days)
    newest = repo.newest_policy(tx, EXIT_POLICY)
    if newest is not None and newest.digest == body.digest():
        return newest
    return _store(tx, SYSTEM, EXIT_POLICY, body, newest.version + 1 if newest else 1)


def newest(tx: Tx, name: str) -> ClockPolicy:
    """The newest version of a policy, stored or shipped.

    Raises:
        NotFound: there is none of this name.
    """
    stored = for_exits(tx) if name == EXIT_POLICY else _newest(tx, name)
    if stored is None:
        known = sorted({*shipped(), *(p.name for p in repo.newest_policies(tx))})
        raise NotFound("clock.policy-unknown", name=name, nearest=nearest(name, known) or "–")
    return stored


def peek(tx: Tx, name: str) -> tuple[int, PolicyBody]:
    """Version and content of a policy for showing; nothing is stored.

    Raises:
        NotFound: there is none of this name.
    """
    found = listing(tx).get(name)
    if found is None:
        known = sorted(listing(tx))
        raise NotFound("clock.policy-unknown", name=name, nearest=nearest(name, known) or "–")
    return found


def listing(tx: Tx) -> dict[str, tuple[int, PolicyBody]]:
    """Newest version and content of every policy, by name; shipped ones count as version 1."""
    exits = exit_policy(tx.frame.settings.clock.exit_days)
    found = {name: (1, body) for name, body in {**shipped(), EXIT_POLICY: exits}.items()}
    found |= {row.name: (row.version, body_of(row)) for row in repo.newest_policies(tx)}
    return dict(sorted(found.items()))


def active_name(tx: Tx) -> tuple[str, int]:
    """Name and version of the policy in force; nothing is stored."""
    active = repo.active_policy(tx)
    if active is not None:
        return active.name, active.version
    name = tx.frame.settings.clock.policy
    return name, listing(tx)[name][0] if name in listing(tx) else 1


def change(
    tx: Tx, actor: Actor, name: str, body: PolicyBody, version: int | None = None
) -> ClockPolicy:
    """Store a new version of a policy, or a new policy; what runs keeps its version.

    Args:
        tx: the unit of work.
        actor: who does it.
        name: of the policy.
        body: its content.
        version: the newest one as the actor has read it, 0 for a new policy; None: whichever.

    Raises:
        Conflict: the policy is made from the settings.
        Stale: somebody else stored a version since, or at the same moment.
    """
    if name == EXIT_POLICY:
        raise Conflict("clock.policy-reserved", name=name)
    if name == tx.frame.settings.clock.policy:
        in_force(tx)  # what nobody has chosen yet is the version of now, not the one made here
    before = _newest(tx, name)
    if version is not None:
        check_version(before.version if before else 0, version)
    if before is not None and before.digest == body.digest():
        return before
    after = _store(tx, actor, name, body, before.version + 1 if before else 1)
    if after.digest != body.digest():
        raise Stale("request.condition-stale", current=after.version, given=after.version - 1)
    data = {"name": name, "version": after.version, "digest": after.digest}
    record(tx, actor, EvidenceKind.POLICY_CHANGED, subject=after.policy_id, data=data)
    return after


def activate(tx: Tx, actor: Actor, name: str) -> ClockPolicy:
    """Put the newest version of a policy in force for clocks that start from now on.

    Raises:
        NotFound: there is none of this name.
        Conflict: it is the policy of exit requests.
    """
    if name == EXIT_POLICY:
        raise Conflict("clock.policy-reserved", name=name)
    chosen = newest(tx, name)
    repo.activate(tx, chosen.policy_id)
    data = {"name": name, "version": chosen.version, "digest": chosen.digest}
    record(tx, actor, EvidenceKind.POLICY_ACTIVATED, subject=chosen.policy_id, data=data)
    return chosen


def _newest(tx: Tx, name: str) -> ClockPolicy | None:
    stored = repo.newest_policy(tx, name)
    if stored is None and name in shipped():
        return _store(tx, SYSTEM, name, shipped()[name], 1)
    return stored


def _store(tx: Tx, actor: Actor, name: str, body: PolicyBody, version: int) -> ClockPolicy:
    values: dict[str, Any] = {
        "policy_id": new_id("policy", tx.at), "name": name, "version": version,
        "content": body.model_dump(mode="json"), "digest": body.digest(), "created_at": tx.at,
        "created_by": actor.user_id,
    }  # fmt: skip
    repo.add_policy(tx, values)
    stored = repo.newest_policy(tx, name)
    assert stored is not None
    return stored
