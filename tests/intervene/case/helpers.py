"""Opening cases as alerts do."""

from __future__ import annotations

from keepwell.intervene.case import service
from keepwell.trust.access.policy import SYSTEM


def open_case(desk, client="c1", reason="risk", tier="moderate", number="a1", owner="m1") -> str:
    with desk.tx() as tx:
        return service.open_or_append(
            tx, SYSTEM, client_id=client, reason=reason, tier=tier, alert_id=number, owner_id=owner
        ).case_id
