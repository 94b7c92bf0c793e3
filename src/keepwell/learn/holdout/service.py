"""Verbs of the hold-out: draw it, look up a client's arm, read its counts, repeat the draw."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from sqlalchemy.exc import IntegrityError

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.paging import encode_cursor
from keepwell.frame.problem import Conflict, NotFound
from keepwell.learn.holdout import repo
from keepwell.learn.holdout.model import HoldoutArm, HoldoutPeriod
from keepwell.learn.holdout.policy import (
    CONTACT,
    HOLD_OUT,
    WHOLE,
    Lot,
    fingerprint,
    millionths,
    parts_of,
    period_of,
    ratio_p,
    seal_of,
)
from keepwell.learn.holdout.schema import HoldoutOut, ManagerOut
from keepwell.trust.access.policy import SYSTEM, Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

CHUNK: Final = 2_000
"""Clients drawn in one transaction, so that no lock is held for long."""

LARGEST: Final = 5_000
"""A larger block is drawn in parts."""

ALARM: Final = 0.001
"""A sample ratio less likely than this is a fault (reference: Fabijan et al., 2019)."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A client's arm in the present period.

    Attributes:
        arm: 'contact' or 'hold-out'.
        propensity: the chance with which the draw gave this arm.
        period: such as '2026'.
    """

    arm: str
    propensity: float
    period: str

    @property
    def held_out(self) -> bool:
        """Whether the client gets no retention contact."""
        return self.arm == HOLD_OUT


def present(tx: Tx) -> HoldoutPeriod:
    """The present period; begun, with the share of the settings, when first asked for.

    Raises:
        Conflict: the desk's secret is not the one with which the period was begun.
    """
    name = period_of(tx.at, tx.frame.zone)
    row = repo.period_row(tx, name)
    secret = fingerprint(tx.frame.secret)
    if row is None:
        row = HoldoutPeriod(
            period=name, share=millionths(tx.frame.settings.holdout.share), secret=secret,
            drawn_at=tx.at, batches=0,
        )  # fmt: skip
        tx.session.add(row)
        tx.session.flush()
    if row.secret != secret:
        raise Conflict("holdout.secret-changed", period=name, known=row.secret, given=secret)
    return row


def outside(tx: Tx) -> Assignment:
    """For what no draw decides: contact, for sure. Nothing is looked up or drawn for it."""
    return Assignment(CONTACT, 1.0, period_of(tx.at, tx.frame.zone))


def arm_of(tx: Tx, client_id: str, manager_id: str | None) -> Assignment:
    """The client's arm; sticky within the period, drawn alone when nobody drew it before."""
    return arms_of(tx, [(client_id, manager_id)])[client_id]


def arms_of(tx: Tx, clients: Sequence[tuple[str, str | None]]) -> dict[str, Assignment]:
    """The arms of clients, given with their managers; newcomers are drawn one by one.

    Args:
        tx: a unit of work that writes.
        clients: ids with the managers' numbers.
    """
    period = present(tx)
    known = {row.client_id: row for row in repo.arms(tx, period.period, [c for c, _ in clients])}
    lot = Lot(tx.frame.secret, period.period)
    strangers = [(client, manager) for client, manager in clients if client not in known]
    for client, manager in strangers:
        held = lot.alone(client, period.share)
        row = HoldoutArm(**_arm(tx, period, f"{manager or ''}/-", client, held, _UNSCORED))
        tx.session.add(row)
        repo.count_alone(tx, period.period, manager or "", int(held))
        known[client] = row
    if strangers:
        tx.session.flush()
    return {
        client: Assignment(row.arm, row.propensity, period.period) for client, row in known.items()
    }


def foresee(tx: Tx, clients: Sequence[str]) -> None:
    """Look up the arms of many clients at once; `arm_of` then answers without asking for each."""
    repo.foresee(tx, present(tx), clients)


def draw(frame: Frame, generation_id: int, still: Callable[[], object] | None = None) -> int:
    """Draw every client of a generation who has no arm in the present period.

    The first draw of a period covers the whole book; later ones those who came since, who get
    blocks of their own. Runs in many short transactions and may be run again at any time.

    Args:
        frame: the desk.
        generation_id: whose clients; it need not be in force yet.
        still: called before each transaction, such as to renew a lease.

    Returns:
        How many were drawn.
    """
    with frame.read() as tx:
        groups = list(_groups(repo.managers(tx, generation_id)))
    batch = ""
    drawn = 0
    seals: list[bytes] = []
    for group in groups:
        if still is not None:
            still()
        name = period_of(frame.now(), frame.zone)
        with frame.read() as tx:
            if not repo.any_undrawn(tx, generation_id, name, group):
                continue
        batch = batch or _begin_batch(frame, generation_id)
        drawn += _draw_group(frame, generation_id, name, group, batch, seals)
    if drawn:
        with frame.write() as tx:
            data = {
                "generation_id": generation_id, "batch": batch, "drawn": drawn,
                "blocks": len(seals), "digest": seal_of(seals),
                "secret": fingerprint(frame.secret),
            }  # fmt: skip
            record(tx, SYSTEM, EvidenceKind.HOLDOUT_DRAWN, subject=name, data=data)
    return drawn


def _begin_batch(frame: Frame, generation_id: int) -> str:
    with frame.write() as tx:
        period = present(tx)
        if period.batches == 0:
            period.model_version = repo.model_of(tx, generation_id)
        period.batches += 1
        return str(period.batches)


def _groups(managers: list[tuple[str | None, int]]) -> Iterator[list[str | None]]:
    """Managers who together have about one transaction's clients; nobody's clients apart."""
    group: list[str | None] = []
    size = 0
    for manager, count in managers:
        if manager is None:
            yield [None]
            continue
        group.append(manager)
        size += count
        if size >= CHUNK or len(group) == 200:
            yield group
            group, size = [], 0
    if group:
        yield group


def _draw_group(
    frame: Frame,
    generation_id: int,
    name: str,
    group: list[str | None],
    batch: str,
    seals: list[bytes],
) -> int:
    for mark in ("", "b", "c"):
        try:
            return _draw_once(frame, generation_id, name, group, batch + mark, seals)
        except IntegrityError:
            # Somebody among them was drawn alone just now; look again who is left.
            continue
    return _draw_once(frame, generation_id, name, group, batch + "d", seals)


def _draw_once(
    frame: Frame,
    generation_id: int,
    name: str,
    group: list[str | None],
    batch: str,
    seals: list[bytes],
) -> int:
    with frame.read() as tx:
        period = repo.period_row(tx, name)
        waiting = repo.undrawn(tx, generation_id, name, group)
    if period is None or not waiting:
        return 0  # the year has turned since; the next draw begins it
    lot = Lot(frame.secret, name)
    blocks: list[_Block] = []
    scores: dict[str, _Score] = {client: (p, tier) for client, _, p, tier in waiting}
    for manager, rows in groupby(waiting, key=lambda row: row[1] or ""):
        parts = parts_of([row[0] for row in rows], lot, LARGEST)
        for number, part in enumerate(parts):
            suffix = f".{number}" if len(parts) > 1 else ""
            stratum = f"{manager}/{batch}{suffix}"
            blocks.append((manager, stratum, lot.block(stratum, part, period.share)))
    together = sum(len(drawn) for _, _, drawn in blocks) <= LARGEST
    for some in [blocks] if together else [[block] for block in blocks]:
        _store(frame, period, some, scores)
        seals += [lot.seal(stratum, drawn) for _, stratum, drawn in some]
    return len(waiting)


_Block = tuple[str, str, list[tuple[str, bool]]]
"""Manager, name of the block, clients with whether they are held out."""


_Score = tuple[float | None, str | None]
"""Probability of leaving and tier, as they stood for the draw."""

_UNSCORED: Final[_Score] = (None, None)


def _store(
    frame: Frame, period: HoldoutPeriod, blocks: list[_Block], scores: dict[str, _Score]
) -> None:
    """Store blocks in one transaction: a block is drawn wholly or not at all."""
    with frame.write() as tx:
        for manager, stratum, drawn in blocks:
            block = {
                "period": period.period, "stratum": stratum, "manager_id": manager,
                "clients": len(drawn), "held_out": sum(held for _, held in drawn),
                "drawn_at": tx.at,
            }  # fmt: skip
            repo.add(
                tx, block, [_arm(tx, period, stratum, c, held, scores[c]) for c, held in drawn]
            )


def _arm(
    tx: Tx, period: HoldoutPeriod, stratum: str, client: str, held: bool, score: _Score
) -> dict[str, object]:
    share = period.share / WHOLE
    probability, tier = score
    return {
        "period": period.period, "client_id": client, "arm": HOLD_OUT if held else CONTACT,
        "propensity": share if held else 1 - share, "stratum": stratum, "drawn_at": tx.at,
        "probability": probability, "tier": None if probability is None else tier,
    }  # fmt: skip


def read_holdout(
    tx: Tx, actor: Actor, period: str | None, limit: int, cursor: str | None
) -> HoldoutOut:
    """The hold-out of a period: share, counts by manager, sample-ratio check.

    Args:
        tx: the unit of work.
        actor: sees the managers of the clients in scope; the totals are everybody's.
        period: such as '2026'; default: the newest.
        limit: managers per page.
        cursor: of the page before.

    Raises:
        NotFound: no such period was drawn.
    """
    row = repo.period_row(tx, period) if period else repo.latest(tx)
    if row is None:
        raise NotFound("holdout.period-unknown", period=period or period_of(tx.at, tx.frame.zone))
    clients, held_out = repo.totals(tx, row.period)
    share = row.share / WHOLE
    found = repo.by_manager(tx, actor, row.period, limit, cursor)
    p = ratio_p(clients, held_out, share)
    return HoldoutOut(
        period=row.period, share=share, drawn_at=row.drawn_at, clients=clients,
        held_out=held_out, p_value=p, alarm=p < ALARM,
        managers=[
            ManagerOut(manager_id=m or None, contact=n - held, held_out=held)
            for m, n, held in found[:limit]
        ],
        next=encode_cursor([found[limit - 1][0]]) if len(found) > limit else None,
    )  # fmt: skip


def digest_of(tx: Tx, period: str, batch: str, secret: bytes) -> str:
    """The digest of one draw as stored, to compare with the one in the evidence log.

    Args:
        tx: the unit of work.
        period: such as '2026'.
        batch: number of the draw within the period, as the log names it.
        secret: of the desk that drew.
    """
    lot = Lot(secret, period)
    mine = re.compile(rf".*/{re.escape(batch)}[b-d]?(\.\d+)?", re.DOTALL)
    return seal_of(
        lot.seal(stratum, [(arm.client_id, arm.arm == HOLD_OUT) for arm in rows])
        for stratum, rows in groupby(repo.all_arms(tx, period), key=lambda arm: str(arm.stratum))
        if mine.fullmatch(stratum)
    )


def redo(tx: Tx, period: str, secret: bytes) -> list[str]:
    """Repeat the draw of a period from its secret; the blocks whose stored arms differ.

    Anybody who is given the secret and the table can do this; an empty list proves the draw.

    Args:
        tx: the unit of work.
        period: such as '2026'.
        secret: of the desk that drew.

    Raises:
        NotFound: no such period was drawn.
    """
    row = repo.period_row(tx, period)
    if row is None:
        raise NotFound("holdout.period-unknown", period=period)
    lot = Lot(secret, period)
    wrong = []
    for stratum, rows in groupby(repo.all_arms(tx, period), key=lambda arm: str(arm.stratum)):
        stored = {arm.client_id: arm.arm == HOLD_OUT for arm in rows}
        if stratum.endswith("/-"):
            again = {client: lot.alone(client, row.share) for client in stored}
        else:
            again = dict(lot.block(stratum, stored, row.share))
        if again != stored:
            wrong.append(stratum)
    return wrong
