"""Formulas over what the desk knows: first response, promises of time, dual service."""

from __future__ import annotations

from keepwell.learn.kpi.estimate import Absent, clustered_share, median, share
from keepwell.learn.kpi.formula import SEEN, Answer, Reading, formula
from keepwell.warn.label import lake_query


@formula
def first_response(reading: Reading) -> Answer:
    """Median hours from the opening of a case to its first contact."""
    return median(reading.desk.responses)


@formula
def clocks_met(reading: Reading) -> Answer:
    """Share of decided clocks that were met in time."""
    clients = [client for client, _ in reading.desk.clocks]
    return clustered_share(clients, [met for _, met in reading.desk.clocks])


@formula
def dual_service(reading: Reading) -> Answer:
    """Share of warned clients with a manager and an adviser."""
    if not reading.desk.warned:
        return Absent.ALERTS
    tables = [] if reading.engine is None else [
        table for table in ("client", "service") if table in reading.engine.manifest.tables
    ]  # fmt: skip
    if not tables:
        return Absent.TABLE
    served: dict[str, set[str]] = {"manager_id": set(), "adviser_id": set()}
    assert reading.engine is not None
    for table in tables:
        found = lake_query(
            reading.engine,
            f"""select client_id, arg_max(manager_id, valid_from) as manager_id,
                arg_max(adviser_id, valid_from) as adviser_id
            from {table} where {SEEN} and valid_from < $b group by client_id""",
            t=reading.month.known_by, b=reading.month.end,
        )  # fmt: skip
        for column, clients in served.items():
            clients.update(
                client for client, who in zip(found["client_id"], found[column], strict=True) if who
            )
    both = served["manager_id"] & served["adviser_id"]
    return share(sum(client in both for client in reading.desk.warned), len(reading.desk.warned))
