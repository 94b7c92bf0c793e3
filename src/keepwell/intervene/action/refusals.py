"""What the gate refused in the recommendations stored: rows, counts, words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.intervene.action import repo
from keepwell.intervene.action.gate import Answer, Decision, Stage
from keepwell.intervene.action.model import Recommended, Refused
from keepwell.intervene.action.record import decision_from
from keepwell.intervene.action.repo import Wanted
from keepwell.trust.access.export import MOST_ROWS
from keepwell.trust.access.policy import Actor


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a code refused.

    Attributes:
        code: why.
        stage: where it was held.
        recommendations: in how many.
        clients: of how many.
        newest: the newest refusal with it.
    """

    code: str
    stage: Stage
    recommendations: int
    clients: int
    newest: Refused


def refusals_of(stored: Recommended) -> list[Refused]:
    """The rows of a recommendation's refusals, one for each code.

    Args:
        stored: with its record.
    """
    found: dict[str, Refused] = {}
    options: Sequence[dict[str, Any]] = (stored.record or {}).get("made", {}).get("options", ())
    for option in options:
        if option["answer"] != Answer.DROP.value:
            continue
        code = option["code"]
        row = found.get(code)
        if row is None:
            row = found[code] = Refused(
                recommendation_id=stored.recommendation_id, code=code,
                stage=option.get("stage", Stage.WORTH.value), case_id=stored.case_id,
                client_id=stored.client_id, at=stored.at, rules=option.get("rules", []),
                actions=[], fields=option.get("fields", {}),
            )  # fmt: skip
        row.actions = [*row.actions, option["action"]]
    return list(found.values())


def decision_of(refused: Refused) -> Decision:
    """The gate's decision behind a row, with its words in both languages."""
    return decision_from(
        {
            "answer": Answer.DROP.value, "stage": refused.stage, "code": refused.code,
            "rules": refused.rules, "fields": refused.fields,
        }
    )  # fmt: skip


def list_refusals(
    tx: Tx, actor: Actor, wanted: Wanted, limit: int, cursor: str | None
) -> tuple[Sequence[Refused], str | None]:
    """A page of refusals within the actor's scope, newest first, and the cursor of the next.

    Raises:
        Unprocessable: the cursor is wrong.
    """
    rows = repo.refusals(tx, actor, wanted, limit, cursor)
    last = rows[limit - 1] if len(rows) > limit else None
    more = encode_cursor([last.recommendation_id, last.code]) if last else None
    return rows[:limit], more


def count_refusals(tx: Tx, actor: Actor, wanted: Wanted) -> list[Counted]:
    """How often each code refused within the actor's scope, most often first."""
    rows = repo.refusal_counts(tx, actor, wanted)
    newest = repo.refused_as(tx, actor, [(row[4], row[0]) for row in rows])
    return [
        Counted(code, Stage(stage), number, clients, newest[code])
        for code, stage, number, clients, _ in rows
    ]


HEADS = (
    "at", "case_id", "client_id", "stage", "code", "rules", "words", "actions",
    "recommendation_id",
)  # fmt: skip
"""Columns of the CSV."""


def export_refusals(tx: Tx, actor: Actor, wanted: Wanted) -> list[Sequence[Any]]:
    """All refusals for a CSV, columns `HEADS`; the words in the actor's language."""
    return [
        (
            row.at, row.case_id, row.client_id, row.stage, row.code, row.rules,
            decision_of(row).words(actor.locale), row.actions, row.recommendation_id,
        )
        for row in repo.refusals(tx, actor, wanted, MOST_ROWS, None)
    ]  # fmt: skip
