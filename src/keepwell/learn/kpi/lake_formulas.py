"""Formulas over the lake: who left, what clients say, what they use."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from keepwell.core.errors import KeepwellError
from keepwell.learn.kpi.estimate import (
    Absent,
    Figure,
    clustered_share,
    rate,
    ratio,
    share,
)
from keepwell.learn.kpi.formula import SEEN, Answer, Reading, formula
from keepwell.learn.outcome.read import stayed
from keepwell.learn.ranking import assets_at
from keepwell.warn.label import lake_query

EIGHT_HOURS: Final = 8 * 3600
"""Seconds."""

YEAR: Final = 12
"""Months."""


@formula
def core_churn(reading: Reading) -> Answer:
    """Yearly churn of core clients, from who left in the month."""
    if reading.engine is None:
        return Absent.TABLE
    month = reading.month
    at_risk = reading.at_start.at_risk
    assets = assets_at(reading.engine, month.start, at_risk)
    core = [c for c, value in zip(at_risk, assets, strict=True) if value >= reading.core_amount]
    if not core:
        return Absent.ASSETS if not np.isfinite(assets).any() else Absent.ROWS
    try:
        known = stayed(reading.engine, month.start, month.end, core, month.known_by)
    except KeepwellError:
        return Absent.LABEL
    known = known[~np.isnan(known)]
    found = share(int((known == 0).sum()), len(known))
    if isinstance(found, Absent):
        return Absent.LABEL
    assert found.low is not None
    assert found.high is not None
    return Figure(_yearly(found.value), _yearly(found.low), _yearly(found.high), found.n)


def _yearly(monthly: float) -> float:
    return float(1 - (1 - monthly) ** YEAR)


@formula
def satisfaction(reading: Reading) -> Answer:
    """Share of satisfied answers to contacts and surveys."""
    owners, satisfied = [], []
    why: Absent | None = None
    for table, column, least, where in (
        ("contact", "csat", 4, "csat is not null"),
        ("survey", "score", 6, "kind = 'csat' and score is not null"),
    ):
        missing = reading.missing(table)
        if missing is not None:
            # Not covered says more than not there.
            why = missing if why is not Absent.COVERAGE else why
            continue
        found = reading.rows(table, f"client_id, {column} >= {least} as good", where)
        owners.append(found["client_id"])
        satisfied.append(found["good"])
    if not owners:
        return why or Absent.TABLE
    return clustered_share(np.concatenate(owners), np.concatenate(satisfied))


@formula
def nps(reading: Reading) -> Answer:
    """Promoters less detractors, in points."""
    missing = reading.missing("survey")
    if missing is not None:
        return missing
    found = reading.rows(
        "survey",
        "client_id, case when score >= 9 then 100 when score <= 6 then -100 else 0 end as points",
        "kind = 'nps' and score is not null",
    )
    return ratio(found["client_id"], found["points"], np.ones(len(found["points"])))


@formula
def complaints(reading: Reading) -> Answer:
    """Complaints per 1,000 open clients."""
    missing = reading.missing("complaint")
    if missing is not None:
        return missing
    found = reading.rows("complaint", "client_id")
    return rate(found["client_id"], len(reading.open_clients), 1000)


@formula
def solved_8h(reading: Reading) -> Answer:
    """Share of contacts resolved within 8 hours."""
    missing = reading.missing("contact")
    if missing is not None:
        return missing
    found = reading.rows(
        "contact", f"client_id, resolve_s <= {EIGHT_HOURS} as soon", "resolve_s is not null"
    )
    return clustered_share(found["client_id"], found["soon"])


@formula
def app_errors(reading: Reading) -> Answer:
    """Errors per session."""
    missing = reading.missing("session")
    if missing is not None:
        return missing
    # By client at once: a broker has millions of sessions a month.
    found = _summed(reading, "session", "sum(errors) as errors, count(*) as sessions",
                    "errors is not null")  # fmt: skip
    told = ratio(found["client_id"], found["errors"], found["sessions"])
    if isinstance(told, Absent):
        return told
    low = None if told.low is None else max(0.0, told.low)
    return Figure(told.value, low, told.high, int(found["sessions"].sum()))


def _summed(reading: Reading, table: str, sums: str, where: str) -> dict[str, npt.NDArray[Any]]:
    assert reading.engine is not None
    month = reading.month
    return lake_query(
        reading.engine,
        f"""select client_id, {sums} from {table} where {SEEN} and "at" >= $a and "at" < $b
        and {where} group by client_id order by client_id""",
        t=month.known_by, a=month.start, b=month.end,
    )  # fmt: skip


@formula
def active(reading: Reading) -> Answer:
    """Share of open clients with a session."""
    missing = reading.missing("session")
    if missing is not None:
        return missing
    there = set(reading.open_clients)
    found = reading.rows("session", "distinct client_id")
    return share(sum(client in there for client in found["client_id"]), len(there))


@formula
def two_kinds(reading: Reading) -> Answer:
    """Share of holders of instruments of two categories or more."""
    engine = reading.engine
    if engine is None or "instrument" not in engine.manifest.tables:
        return Absent.TABLE
    if not (reading.has("holding") or reading.has("trade")):
        tables = [reading.missing("holding"), reading.missing("trade")]
        return Absent.COVERAGE if Absent.COVERAGE in tables else Absent.TABLE
    named = lake_query(
        engine,
        f"select instrument_id, category from instrument where {SEEN} and category is not null",
        t=reading.month.known_by,
    )  # fmt: skip
    category = dict(zip(named["instrument_id"], named["category"], strict=True))
    if not category:
        return Absent.TABLE
    kinds = {name: i for i, name in enumerate(sorted(set(category.values())))}
    positions = engine.positions(reading.month.end, reading.month.known_by)
    client, instrument, _ = positions.rows
    kind = np.array([kinds.get(category.get(i, ""), -1) for i in positions.instruments], np.int64)
    held = kind[instrument]
    known = np.asarray(positions.known)[client] & (held >= 0)
    pairs = np.unique(client[known] * (len(kinds) + 1) + held[known])
    per_client = np.bincount(pairs // (len(kinds) + 1))
    return share(int((per_client >= 2).sum()), int((per_client >= 1).sum()))
