"""Outcomes from a real lake: the label, its horizon, and what the data do not show."""

from __future__ import annotations

from datetime import UTC, date, datetime

from keepwell.intervene.outcome.service import mature_outcomes
from tests.desk import Desk, Ticker, make_schema
from tests.intervene.outcome.given import stored, warn
from tests.warn.world import build

RANK = datetime(2021, 1, 3, 9, tzinfo=UTC)


def holding(client, *days):
    return [(client, day, "I1", 10.0) for day in days]


def test_who_holds_nothing_any_more_left_and_who_holds_stayed(tmp_path):
    old, first, last = date(2020, 6, 1), date(2020, 12, 31), date(2021, 6, 30)
    workspace, engine = build(
        tmp_path / "ws",
        trade=[(f"t{c}", c, old, "I1", "buy", 10.0, 100.0) for c in ("c1", "c2", "c3")]
        + [("t9", "c2", date(2021, 3, 1), "I1", "sell", 10.0, 100.0)]
        + [("t8", "c5", date(2021, 7, 5), "I1", "buy", 10.0, 100.0)],
        holding=holding("c1", old, first, last) + holding("c2", old, first)
        + holding("c3", old, first, last),
        price=[("I1", old, 10.0), ("I1", first, 10.0), ("I1", last, 10.0)],
        client=[(c, old, old, None, None) for c in ("c1", "c2", "c3")]
        + [("c3", date(2021, 2, 1), old, date(2021, 2, 1), "broker")],
    )  # fmt: skip
    file = workspace.state / "desk.sqlite"
    make_schema(f"sqlite:///{file}")
    desk = Desk.open(workspace.root, f"sqlite:///{file}", Ticker(RANK))
    try:
        desk.staff_up()
        desk.publish([{"client_id": c, "manager_id": "m1"} for c in ("c1", "c2", "c3", "c4")])
        for client in ("c1", "c2", "c3", "c4"):
            warn(desk, client)
        desk.now.set(datetime(2021, 7, 2, 9, tzinfo=UTC))
        assert mature_outcomes(desk.frame, engine).outcomes == 0  # until 3 July
        desk.now.set(datetime(2021, 7, 6, 9, tzinfo=UTC))
        assert mature_outcomes(desk.frame, engine).outcomes == 4
        found = {row.client_id: (row.y, row.why, row.left_day) for row in stored(desk)}
        assert found["c1"] == (0, "stayed", None)
        assert (found["c2"][0], found["c2"][1]) == (1, "exited")
        assert found["c3"][0] is None
        assert found["c3"][1] == "broker-closed"
        assert found["c4"] == (None, "unknown-start", None)  # of whom the lake knows nothing
        assert {row.matured_at.isoformat() for row in stored(desk)} == {"2021-07-02T21:00:00+00:00"}
    finally:
        desk.close()
