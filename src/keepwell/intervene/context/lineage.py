"""From a client's score down: reason, indicator, tile rows, rows of the sources.

The database says whose client it is and of which publication the score; the lake is read outside of
a unit of work, for it takes its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from threading import BoundedSemaphore
from typing import Any, Final

from keepwell.core.errors import KeepwellError, nearest
from keepwell.core.text import tr
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.problem import Conflict, NotAllowed, Unavailable, Unprocessable
from keepwell.intervene.context.lineage_schema import (
    IndicatorOut,
    LineageOut,
    ReasonOut,
    SourceRowsOut,
    TileOut,
    TraceOut,
)
from keepwell.intervene.context.service import why
from keepwell.observe.indicators.registry import INDICATORS
from keepwell.observe.lineage import Lineage, lineage
from keepwell.trust.access.mask import sees_bands
from keepwell.trust.access.policy import Actor
from keepwell.trust.book import generation_repo as generations
from keepwell.trust.book.model import Client
from keepwell.trust.book.service import get_client

LISTED: Final = 50
"""Tile rows, and rows of each table, that are listed; all are counted."""
PATIENCE: Final = 20.0
"""Seconds to wait for others who trace."""
HIDDEN: Final = frozenset({"other_id"})
"""Columns that name another client, who may be nobody's to see here."""

_TURNS = BoundedSemaphore(2)
"""Each trace reads whole tables of the lake; more of them at once would starve the desk."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a trace needs from the database.

    Attributes:
        client_id: whose score.
        indicator: which to trace; None: none.
        as_of: the scores' instant.
        manifest: that they were made from.
    """

    client_id: str
    indicator: str | None
    as_of: datetime
    manifest: int


def asked(tx: Tx, actor: Actor, client_id: str, indicator: str | None) -> Asked:
    """Whether the actor may trace a client's indicator, and of which publication.

    Args:
        tx: the unit of work.
        actor: whose scope.
        client_id: whose score.
        indicator: its id; None: only which could be traced.

    Raises:
        NotFound: there is no such client, or they are not the actor's to see.
        NotAllowed: the actor sees bands of assets only, and so no numbers behind reasons.
        Unprocessable: there is no such indicator.
        Conflict: the client has no score.
    """
    client = get_client(tx, actor, client_id)
    generation = generations.one(tx, client.generation_id)
    if indicator is not None:
        if sees_bands(actor):
            raise NotAllowed("context.lineage-banded")
        if indicator not in INDICATORS:
            known = nearest(indicator, sorted(INDICATORS)) or "–"
            raise Unprocessable("context.indicator-unknown", id=indicator, nearest=known)
        if client.score is None:
            raise Conflict("context.lineage-scoreless")
    return Asked(client_id, indicator, generation.as_of, generation.manifest)


def traced(frame: Frame, what: Asked) -> Lineage | None:
    """Read the lake, outside of a unit of work; None where nothing was asked for.

    Args:
        frame: the desk.
        what: from `asked`.

    Raises:
        Conflict: the lake no longer holds what the scores were made from.
        Unavailable: others trace, and do not come to an end.
    """
    if what.indicator is None:
        return None
    if not _TURNS.acquire(timeout=PATIENCE):
        raise Unavailable("context.lineage-busy")
    try:
        return lineage(
            frame.workspace, what.client_id, what.indicator, what.as_of, what.manifest, LISTED
        )
    except KeepwellError as error:
        raise Conflict("context.lineage-gone", manifest=what.manifest, why=str(error)) from error
    finally:
        _TURNS.release()


def told(tx: Tx, actor: Actor, what: Asked, found: Lineage | None) -> LineageOut:
    """The whole way down, as the API tells it.

    Args:
        tx: the unit of work.
        actor: who reads; asked once more whether they may.
        what: from `asked`.
        found: from `traced`.

    Raises:
        NotFound: the client is not the actor's to see.
    """
    client = get_client(tx, actor, what.client_id)
    generation = generations.one(tx, client.generation_id)
    return LineageOut(
        client_id=client.client_id, score=client.score, generation_id=client.generation_id,
        model_version=generation.model_version, as_of=what.as_of, manifest=what.manifest,
        reasons=_reasons(client, actor, tx.frame.currency),
        trace=None if found is None else _trace(found, actor.locale),
    )  # fmt: skip


def _reasons(client: Client, actor: Actor, currency: str) -> list[ReasonOut]:
    if client.score is None:
        return []
    banded = sees_bands(actor)
    return [
        ReasonOut(
            code=reason["code"], words=words,
            indicator=None if banded else (reason.get("facts") or {}).get("indicator"),
        )
        for reason, words in zip(client.reasons, why(client, actor, currency), strict=True)
    ]  # fmt: skip


def _trace(found: Lineage, locale: str) -> TraceOut:
    item = found.indicator
    return TraceOut(
        indicator=IndicatorOut(
            id=item.id, title=item.title(locale), definition=tr(item.definition, locale),
            unit=item.unit_name(locale), tables=list(item.sources),
        ),
        value=found.value, coverage=found.coverage, tiles_total=found.tiles_total,
        tiles=[
            TileOut(table=tile.dataset, day=tile.day, values=dict(tile.values))
            for tile in found.tiles
        ],
        sources=[
            SourceRowsOut(
                table=one.table, version=one.version, key=list(one.key), total=one.total,
                rows=[_row(row) for row in one.rows],
            )
            for one in found.sources
        ],
    )  # fmt: skip


def _row(row: Mapping[str, Any]) -> dict[str, str | int | float | None]:
    return {name: None if name in HIDDEN else _plain(value) for name, value in row.items()}


def _plain(value: Any) -> str | int | float | None:
    return value.isoformat() if isinstance(value, date | datetime) else value
