"""Key figures on the desk: values by month, targets, reviews, the doors to them."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from keepwell.intervene.kpi import making
from keepwell.intervene.kpi.model import KpiValue
from keepwell.trust.access.policy import SYSTEM
from tests.desk import Desk

V1 = "/api/v1"


def values(desk: Desk, kpi_id: str, months: dict[str, float | None], revision: int = 1) -> None:
    """Months of a key figure as if they had been computed."""
    with desk.tx() as tx:
        from datetime import date

        for month, value in months.items():
            tx.session.add(
                KpiValue(
                    kpi_id=kpi_id,
                    version=1,
                    month=date.fromisoformat(f"{month}-01"),
                    revision=revision,
                    value=value,
                    n=10,
                    absent=None if value is not None else "no-rows",
                    known_by=tx.at,
                    manifest=1,
                    computed_at=tx.at,
                )
            )


def kinds(desk: Desk, like: str) -> list[str]:
    with desk.tx() as tx:
        found = tx.session.execute(
            text(f"select kind from evidence_entry where kind like '{like}' order by entry_id")
        )
        return list(found.scalars())


def look(desk: Desk) -> int:
    with desk.tx() as tx:
        return len(making.open_reviews(tx))


def test_first(desk):
    desk.usual()
    print(desk.settle())
    making.compute(desk.frame)
    http = desk.http("analyst")
    print(http.get(f"{V1}/kpis").json()["items"][4])
    r = http.get("/results/kpi", follow_redirects=False)
    print(r.status_code, r.headers.get("location"))
