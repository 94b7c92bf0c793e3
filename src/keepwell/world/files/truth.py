"""What keepwell must never read: who clients are inside, why they go, what their words mean.

These tables lie in a folder of their own, which no mapping names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from keepwell.world import terms
from keepwell.world.files.columns import (
    Numbers,
    Words,
    date,
    flag,
    instant,
    instants,
    money,
    ratio,
    same_date,
    whole,
)
from keepwell.world.files.dealing import Columns
from keepwell.world.files.signals import complaint_sentiment, survey_intent

if TYPE_CHECKING:
    from keepwell.world.files.naming import Names
    from keepwell.world.people.draw import People

WAYS = ("", "transferred", "closed", "drifted")
"""How a client left."""

_CAUSES = Words(terms.CAUSES)
_STAGES = Words(terms.STAGES)
_PATHS = Words(terms.PATHS)
_STATUSES = Words(terms.STATUSES)
_WAYS = Words(WAYS)
_ACTIONS = Words(terms.ACTIONS)
_INTENTS = Words(terms.INTENTS)
_KINDS = Words(terms.TEXT_KINDS)
_NAMED = Words(
    [
        ",".join(cause for place, cause in enumerate(terms.CAUSES) if bits >> place & 1)
        for bits in range(2 ** len(terms.CAUSES))
    ]
)


def clients(people: People, names: Names, state: Any) -> pa.Table:
    """Every client's traits and how it ended.

    Args:
        people: the shard's clients and staff.
        names: what they are called.
        state: CLIENT records of all clients at the end.
    """
    person, staff = people.person, people.staff
    everyone = np.arange(len(person))
    gone = state["left_day"] < terms.NEVER
    columns: Columns = {
        "client_id": names.clients.column(everyone),
        "opened_on": date(person["opened"]),
        "age": ratio(person["age"]),
        "assets": ratio(person["assets"]),
        **{
            f"taste_{cause.replace('-', '_')}": ratio(person["taste"][:, place])
            for place, cause in enumerate(terms.CAUSES)
        },
        **{
            trait: ratio(person[trait])
            for trait in ("onset", "pace", "device", "patience", "death", "drop")
        },
        "branch_wait": ratio(staff.branch_wait[person["branch"]]),
        "adviser_skill": ratio(staff.adviser_skill[person["adviser"]]),
        "household": whole(person["household"]),
        "status": _STATUSES.column(state["status"]),
        "stage": _STAGES.column(state["stage"]),
        "path": _PATHS.column(state["path"]),
        "way": _WAYS.column(state["way"]),
        "left_on": date(np.where(gone, state["left_day"], 0), gone),
        "cause": _CAUSES.column(state["cause"], state["cause"] >= 0),
        "named": _NAMED.column(_bits(state["named"])),
        "returned": flag(state["returned"]),
    }
    return pa.table(columns)


def steps(names: Names, e: Any, day: int) -> pa.Table:
    """Steps from stage to stage, out, or back.

    Args:
        names: the shard's names.
        e: events of kind `step`.
        day: day number.
    """
    columns: Columns = {
        "client_id": names.clients.column(e["client"]),
        "at": instant(instants(day, e["second"])),
        "stage": _STAGES.column(e["stage"]),
        "path": _PATHS.column(e["path"]),
        "cause": _CAUSES.column(e["cause"], e["cause"] >= 0),
        "status": _STATUSES.column(e["status"]),
        "way": _WAYS.column(e["way"]),
        "named": _NAMED.column(_bits(e["named"])),
        "worth": money(e["worth"]),
    }
    return pa.table(columns)


def texts(names: Names, events: dict[str, Any], tables: dict[str, pa.Table]) -> pa.Table:
    """What the day's texts mean: intent, cause and tone of each contact, complaint and comment.

    Args:
        names: the shard's names.
        events: the day's events.
        tables: the tables made of them, for the ids. A complaint counts when it is made.
    """
    parts = []
    for code, kind in enumerate(terms.TEXT_KINDS):
        e = events[kind]
        if not len(e):
            continue
        first = e["revision"] == 0 if kind == "complaint" else np.ones(len(e), bool)
        made = tables[kind].filter(pa.array(first))
        e = e[first]
        if kind == "complaint":
            tone: Numbers = complaint_sentiment(e["words"])
            intent = np.full(len(e), terms.I_COMPLAINT, np.int8)
        else:
            tone = e["sentiment"]
            intent = e["intent"] if kind == "contact" else survey_intent(e["cause"], tone)
        columns: Columns = {
            "kind": _KINDS.column(np.full(len(e), code, np.int8)),
            "id": made[f"{kind}_id"].combine_chunks(),
            "client_id": names.clients.column(e["client"]),
            "at": made["at"].combine_chunks(),
            "intent": _INTENTS.column(intent.astype(np.int8)),
            "cause": _CAUSES.column(e["cause"], e["cause"] >= 0),
            "sentiment": whole(tone),
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts) if parts else pa.table({})


def treatments(names: Names, day: int, client: Numbers, action: Numbers) -> pa.Table:
    """Actions that were taken on a day, `leave_alone` included where it was decided.

    Args:
        names: the shard's names.
        day: day number.
        client: places of the clients.
        action: codes of `terms.ACTIONS`.
    """
    columns: Columns = {
        "day": same_date(day, len(client)),
        "client_id": names.clients.column(client),
        "action": _ACTIONS.column(action.astype(np.int8)),
    }
    return pa.table(columns)


def _bits(named: Numbers) -> Numbers:
    return np.asarray(named.astype(np.int32) & (2 ** len(terms.CAUSES) - 1))
