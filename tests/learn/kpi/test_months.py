"""Months of key figures over a lake: computed once, known by their delay, anew as a revision."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from keepwell.intervene.kpi import making
from keepwell.intervene.kpi.model import KpiValue
from tests.desk import Desk, Ticker, make_schema

NOVEMBER = date(2022, 11, 1)


@pytest.fixture
def desk(workspace, tmp_path):
    """A desk over the broker, ten days into December."""
    url = f"sqlite:///{tmp_path / 'desk.sqlite'}"
    make_schema(url)
    now = Ticker(datetime(2022, 12, 10, tzinfo=UTC))
    opened = Desk.open(workspace.root, url, now, kpi={"core_amount": 400_000})
    opened.staff_up()
    yield opened
    opened.close()


def test_a_month_is_computed_once_and_anew_only_as_a_revision(desk):
    assert making.compute(desk.frame, months=1) == 13
    assert making.compute(desk.frame, months=1) == 0
    found = {k["kpi_id"]: k for k in desk.http("analyst").get("/api/v1/kpis").json()["items"]}
    satisfaction = found["satisfaction"]["newest"]
    assert (satisfaction["value"], satisfaction["missed"]) == (0.6, True)
    assert satisfaction["known_by"] == "2022-12-05T16:00:00Z"
    assert found["net-inflow"]["newest"]["value"] == pytest.approx(0.02)
    assert found["first-response"]["newest"]["absent"] == "no-rows"
    with desk.tx() as tx:
        wrong = {"value": 99.0, "n": 4, "known_by": tx.at, "computed_at": tx.at, "manifest": 1}
        tx.session.add(KpiValue(kpi_id="nps", version=1, month=NOVEMBER, revision=2, **wrong))
    # A year later, all that came late is in the lake: the month is still what it was.
    desk.now.move(days=20)
    assert making.compute(desk.frame, months=1, again=True) == 1
    shown = desk.http("analyst").get("/api/v1/kpis/nps").json()["months"]
    assert [(m["value"], m["revision"]) for m in shown] == [(25.0, 3)]
