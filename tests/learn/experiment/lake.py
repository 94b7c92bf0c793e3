"""A desk over a lake whose clients leave: trades alone, time that is told, 600 clients of 40 books.

Everybody buys in 2019. Who leaves is decided after the draw, by the arm: `leave` writes the sales
and brings them in.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from keepwell.learn.experiment.model import ExperimentAssignment
from keepwell.learn.holdout import service as holdout
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace
from tests.desk import Desk, Ticker

MAPPING = """\
version: 1
name: Leaving broker
timezone: Asia/Shanghai
currency: CNY
sources:
  trade: {path: trade.parquet}
tables:
  trade:
    sql: select * from trade
    covers: [["2019-01-01", "2023-01-01"]]
label: {name: exit, by: units, horizon: 6mo, gap: 0d}
"""
BEGIN = datetime(2021, 1, 6, 2, 0, tzinfo=UTC)
CLIENTS = 600

DESIGN = {
    "title": "Service call", "hypothesis": "A call keeps half of those who would leave.",
    "arms": [
        {"name": "call", "share": 0.5, "action_id": "service-call", "action_version": 1},
        {"name": "usual", "share": 0.5, "text": "Business as usual"},
    ],
    "control": "usual", "horizon_days": 90, "looks": [0.5, 1.0], "base": 0.4, "effect": 0.35,
}  # fmt: skip


def trades(gone: dict[str, date]) -> list[tuple[object, ...]]:
    rows = [(f"b{i}", f"c{i}", date(2019, 6, 3), "I1", "buy", 10.0, 1000.0) for i in range(CLIENTS)]
    rows += [(f"s{c}", c, day, "I1", "sell", 10.0, 1000.0) for c, day in sorted(gone.items())]
    return rows


def write(root, gone):
    names = (
        "trade_id",
        "client_id",
        "at",
        "instrument_id",
        "side",
        "quantity",
        "amount",
        "known_at",
    )
    # What happened is known on the day: the files are written later than the desk's clock says.
    columns = zip(*((*row, row[2]) for row in trades(gone)), strict=True)
    table = pa.table(dict(zip(names, map(list, columns), strict=True)))
    pq.write_table(table, root / "trade.parquet")
    workspace = Workspace.open(root)
    ingest(workspace)
    return workspace


def opened(root, url) -> Desk:
    root.mkdir(parents=True, exist_ok=True)
    (root / "keepwell.yaml").write_text(MAPPING, "utf-8")
    write(root, {})
    desk = Desk.open(root, url, Ticker(BEGIN))
    desk.staff_up()
    return desk


def publish(desk: Desk, clients=range(CLIENTS), **more) -> int:
    """A book of these clients, 15 to a manager, and the hold-out drawn of it."""
    rows = [
        {"client_id": f"c{i}", "manager_id": f"m{i % 40}", "branch_id": "bn",
         "probability": 0.4, **more}
        for i in clients
    ]  # fmt: skip
    generation = desk.publish(rows)
    holdout.draw(desk.frame, generation)
    return generation


def arms(desk: Desk, experiment_id: str) -> dict[str, str]:
    with desk.frame.read() as tx:
        rows = tx.session.execute(
            select(ExperimentAssignment.client_id, ExperimentAssignment.arm).where(
                ExperimentAssignment.experiment_id == experiment_id
            )
        )
        return dict(list(rows))


def leave(desk: Desk, by_arm: dict[str, str], every: dict[str, int], after: int = 30) -> int:
    """Of each arm every so many-th client sells all some days from now; how many did."""
    day = (desk.now() + timedelta(days=after)).date()
    gone = {}
    for arm, step in every.items():
        mine = sorted(c for c, a in by_arm.items() if a == arm)
        gone |= dict.fromkeys(mine[::step], day)
    write(desk.frame.workspace.root, gone)
    return len(gone)


def begin(http, **changes):
    """A registered experiment over HTTP."""
    made = http.post("/api/v1/experiments", json={**DESIGN, **changes})
    assert made.status_code == 201, made.text
    return step(http, made, "register", status=200)


def step(http, before, verb, status=201, **body):
    """Do the next thing to an experiment that an answer showed."""
    path = f"/api/v1/experiments/{before.json()['experiment_id']}/{verb}"
    etag = http.get(path.rsplit("/", 1)[0]).headers["etag"]
    found = http.post(path, headers={"If-Match": etag}, **({"json": body} if body else {}))
    assert found.status_code == status, found.text
    return found
