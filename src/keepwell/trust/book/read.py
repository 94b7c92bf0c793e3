"""Verbs for reading clients: lists, one client, unmasking."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keepwell.core.ids import new_id
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor, page_of, sort_key
from keepwell.frame.problem import NotAllowed
from keepwell.trust.access.export import MOST_ROWS
from keepwell.trust.access.mask import UNMASKABLE, sees_bands, show, worth
from keepwell.trust.access.model import Unmasking
from keepwell.trust.access.policy import Actor
from keepwell.trust.book import choice_repo, generation_repo, list_repo
from keepwell.trust.book import read_repo as repo
from keepwell.trust.book.list_repo import SORTS, Wanted
from keepwell.trust.book.model import Client, Generation
from keepwell.trust.book.service import get_client
from keepwell.trust.evidence.attest import attest
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

HEADS: Final = (
    "client_id", "name", "phone", "birth_decade", "opened_year", "region", "city_tier",
    "investor_class", "risk_level", "manager_id", "adviser_id", "branch_id", "segment", "status",
    "assets", "assets_band", "value", "value_low", "value_high", "value_lost", "last_activity",
    "note", "score", "tier", "reasons",
)  # fmt: skip
"""Columns of the CSV; always masked."""


def list_clients(
    tx: Tx, actor: Actor, wanted: Wanted, sort: str, limit: int, cursor: str | None
) -> tuple[Sequence[Any], str | None]:
    """A page of clients, as rows of all columns, and the cursor of the next.

    The page may be shorter than the limit, or empty, with a cursor all the same: then so many
    clients were looked at as one request may.

    Args:
        tx: unit of work.
        actor: whose scope.
        wanted: which clients.
        sort: a name of `SORTS`, with '-' in front for descending; by assets, clients whose assets
            cannot be valued are left out.
        limit: rows of a page.
        cursor: of the page before.

    Raises:
        NotAllowed: the actor sees bands of assets only, and sorts or filters by them.
        Unprocessable: sort name or cursor is wrong.
    """
    rows, looked_to = list_repo.clients(
        tx, actor, wanted, _sort(actor, wanted, sort), limit, cursor
    )
    more = None if looked_to is None else encode_cursor(looked_to)
    if len(rows) > limit:
        last = rows[limit - 1]
        more = encode_cursor(_place(last, sort))
    return rows[:limit], more


def count_clients(tx: Tx, actor: Actor, wanted: Wanted) -> int | None:
    """How many clients a list holds, one more than `list_repo.MOST_COUNTED` for many.

    Returns:
        None where it cannot be told soon.
    """
    return list_repo.count(tx, actor, wanted)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a list of clients can be narrowed to.

    Attributes:
        managers: number and name; empty where there are more than fit a list.
        branches: the same.
        segments: those that the broker gives.
        as_of: the instant of the scores in force; None before the first publication.
    """

    managers: list[tuple[str, str]]
    branches: list[tuple[str, str]]
    segments: list[str]
    as_of: datetime | None


MOST_CHOICES: Final = 300


def choices(tx: Tx, actor: Actor) -> Choices:
    """What an actor can narrow a list of clients to."""
    managers = choice_repo.managers(tx, actor, MOST_CHOICES)
    branches = choice_repo.branches(tx, actor, MOST_CHOICES)
    return Choices(
        managers if len(managers) <= MOST_CHOICES else [],
        branches if len(branches) <= MOST_CHOICES else [],
        choice_repo.segments(tx, 40), choice_repo.as_of(tx),
    )  # fmt: skip


def scores_of(tx: Tx) -> datetime | None:
    """The instant of the scores in force; None before the first publication."""
    return choice_repo.as_of(tx)


def staff_names(tx: Tx, staff_ids: Collection[str]) -> dict[str, str]:
    """Names of members of staff, by number."""
    return choice_repo.names(tx, staff_ids)


def export_clients(
    tx: Tx, actor: Actor, wanted: Wanted, sort: str, currency: str
) -> list[Sequence[Any]]:
    """All rows of a list for a CSV, columns `HEADS`, masked whoever asks.

    Raises:
        NotAllowed: the actor sees bands of assets only, and sorts or filters by them.
        Unprocessable: the sort name is wrong.
    """
    rows: list[Sequence[Any]] = []
    order = _sort(actor, wanted, sort)
    found = list_repo.clients(tx, actor, wanted, order, MOST_ROWS, None, whole=True)
    for client in found.rows:
        shown = show(actor, client, currency)
        codes = [str(reason.get("code", "")) for reason in shown.reasons]
        rows.append(
            (
                client.client_id, shown.name, shown.phone, shown.birth_decade, shown.opened_year,
                shown.region, client.city_tier, client.investor_class, client.risk_level,
                client.manager_id, client.adviser_id, client.branch_id, client.segment,
                client.status, shown.assets, shown.assets_band, *worth(actor, client).values(),
                client.last_activity, client.note, client.score, client.tier, codes,
            )
        )  # fmt: skip
    return rows


def unmask(
    tx: Tx, actor: Actor, client_id: str, fields: Sequence[str], reason: str
) -> dict[str, Any]:
    """Show personal fields of a client, and record who saw them and why.

    Args:
        tx: a writing unit of work.
        actor: who looks.
        client_id: at whom.
        fields: among `UNMASKABLE`.
        reason: in the actor's words.

    Raises:
        NotFound: there is no such client, or they are not the actor's to see.
    """
    client = get_client(tx, actor, client_id)
    wanted = [field for field in UNMASKABLE if field in fields]
    row = Unmasking(
        unmasking_id=new_id("unmask", tx.at), client_id=client_id, user_id=actor.user_id,
        fields=wanted, reason=reason, at=tx.at,
    )  # fmt: skip
    tx.session.add(row)
    attest(tx, client_id, row)
    record(
        tx, actor, EvidenceKind.CLIENT_UNMASKED, client_id=client_id, subject=row.unmasking_id,
        data={"fields": wanted}, personal={"reason": reason},
    )  # fmt: skip
    tx.session.flush()
    return {field: getattr(client, field) for field in wanted}


def list_unmaskings(
    tx: Tx,
    actor: Actor,
    client_id: str | None,
    user_id: str | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[tuple[Unmasking, str]], str | None]:
    """A page of unmaskings with the user's name, newest first, and the cursor of the next.

    Raises:
        Unprocessable: the cursor is wrong.
    """
    order = [(Unmasking.unmasking_id, True)]
    statement = repo.unmaskings(tx, actor, client_id, user_id)
    found = tx.session.execute(page_of(statement, order, [str], limit, cursor)).all()
    rows = [(row, name) for row, name in found]
    more = encode_cursor([rows[limit - 1][0].unmasking_id]) if len(rows) > limit else None
    return rows[:limit], more


def generations(tx: Tx, actor: Actor, limit: int) -> tuple[list[Generation], int | None]:  # noqa: ARG001
    """The latest generations of scores, newest first, and the number of the one in force.

    Args:
        tx: unit of work.
        actor: who asks.
        limit: at most so many.
    """
    return generation_repo.newest(tx, limit), generation_repo.in_force(tx)


def _sort(actor: Actor, wanted: Wanted, sort: str) -> tuple[str, bool]:
    name, down = sort_key(sort, list(SORTS))
    by_assets = name == "assets" or wanted.min_assets is not None or wanted.max_assets is not None
    if sees_bands(actor) and by_assets:
        raise NotAllowed("access.field-banded")
    return name, down


def _place(client: Any, sort: str) -> list[Any]:
    column = SORTS[sort.removeprefix("-")][0]
    if column is Client.client_id:
        return [client.client_id]
    return [getattr(client, column.key), client.client_id]
