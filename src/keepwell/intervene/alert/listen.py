"""What alerts do when other rooms tell that something happened; all in the same transaction."""

from __future__ import annotations

from datetime import datetime

from keepwell.frame.database import Tx
from keepwell.frame.events import Event, EventName, subscribe
from keepwell.intervene.alert import repo, tiers
from keepwell.intervene.alert.policy import MANDATORY, AlertReason
from keepwell.intervene.alert.raising import end
from keepwell.intervene.alert.service import raise_alert
from keepwell.intervene.rule import repo as rules
from keepwell.trust.access.policy import SYSTEM
from keepwell.warn.tier import RaiseRule


@subscribe(EventName.PROFILING_REFUSED)
def forget(tx: Tx, event: Event) -> None:
    """Close alerts and take scores and tiers away (rule PI-4)."""
    client = event.client_id or event.subject
    _close_all(tx, client, "profiling-refused")
    rules.end_rules(tx, client, [RaiseRule.FIRST_LARGE_TRANSFER, RaiseRule.CLOSING_QUESTION])
    tx.session.flush()
    repo.forget(tx, client)


@subscribe(EventName.EXIT_REQUESTED)
def stop(tx: Tx, event: Event) -> None:
    """Close retention alerts and warn of the request itself, a service that everybody gets.

    The request is told by the event; neither tier nor facts here come from the score.
    """
    from keepwell.intervene.exit.service import open_request

    if event.client_id is None:
        return
    _close_all(tx, event.client_id, "exit-requested")
    if open_request(tx, event.client_id) is None:
        return  # told late, and over by now
    raise_alert(
        tx, SYSTEM, client_id=event.client_id, reason=AlertReason.EXIT_REQUEST, tier="moderate",
        facts={"request": event.subject},
    )  # fmt: skip


@subscribe(EventName.EXIT_COMPLETED)
def finish(tx: Tx, event: Event) -> None:
    """Close the alert of an exit request that is done, and those that would keep the client."""
    if event.client_id is None:
        return
    _close_all(tx, event.client_id, "exit-completed")
    _close_request(tx, event.client_id, "exit-completed")


@subscribe(EventName.EXIT_CANCELLED)
def come_back(tx: Tx, event: Event) -> None:
    """Close the alert of a request that was taken back; what it silenced and still holds returns.

    The score may have changed since, so the tier is judged anew.
    """
    if event.client_id is None:
        return
    _close_request(tx, event.client_id, "exit-cancelled")
    tiers.come_back(tx, event.client_id, datetime.fromisoformat(event.data["since"]))


@subscribe(EventName.CASE_CLOSED)
def follow_case(tx: Tx, event: Event) -> None:
    """Close the alerts of a case that is closed."""
    # A case is withdrawn when the client refuses profiling; that is the alert's reason too.
    withdrawn = event.data.get("state") == "withdrawn"
    left = event.data.get("state") == "lost" and event.actor_id == SYSTEM.user_id
    why = "profiling-refused" if withdrawn else "exit-completed" if left else "case-closed"
    for alert in repo.of_case(tx, event.subject):
        end(tx, SYSTEM, alert, why)


@subscribe(EventName.CASE_REASSIGNED)
def follow_owner(tx: Tx, event: Event) -> None:
    """Give the alerts of a case to its new owner."""
    owner = event.data.get("owner_id")
    for alert in repo.of_case(tx, event.subject):
        alert.owner_id = owner
        alert.version += 1


def _close_request(tx: Tx, client_id: str, why: str) -> None:
    from keepwell.intervene.exit.service import open_request

    if open_request(tx, client_id) is not None:
        return  # the client has made another one
    done = repo.live(tx, [client_id])[client_id].get(AlertReason.EXIT_REQUEST)
    if done is not None:
        end(tx, SYSTEM, done, why)


def _close_all(tx: Tx, client_id: str, why: str) -> None:
    for alert in repo.live(tx, [client_id])[client_id].values():
        if alert.reason not in MANDATORY:
            end(tx, SYSTEM, alert, why)
