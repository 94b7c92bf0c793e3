"""Queries of proofs. They are company-wide figures; no row about a client leaves this room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from keepwell.frame.database import Tx
from keepwell.frame.paging import page_of
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.learn.holdout.policy import CONTACT
from keepwell.learn.kept.model import KeptProof
from keepwell.learn.kept.policy import is_first, manager_of

_ROWS: Final = 20_000


@dataclass(frozen=True)
class Drawn:
    """Everybody drawn in a period, in the order of the ids; arrays [n].

    Attributes:
        clients: ids.
        treated: whether the arm is 'contact'; bool.
        manager: the manager at the draw; '' for none.
        first: whether drawn with the whole book; bool.
        at: the instant of each draw, microseconds since 1970; int64.
        probability: of leaving as scored for the draw; NaN where there is none.
        tier: of that score; None where there is none.
    """

    clients: list[str]
    treated: npt.NDArray[np.bool_]
    manager: npt.NDArray[np.object_]
    first: npt.NDArray[np.bool_]
    at: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    tier: list[str | None]


def drawn(tx: Tx, period: str) -> Drawn:
    """Everybody drawn in a period."""
    statement = (
        select(  # unscoped: totals over everybody drawn; no row of it is shown
            HoldoutArm.client_id, HoldoutArm.arm, HoldoutArm.stratum, HoldoutArm.drawn_at,
            HoldoutArm.probability, HoldoutArm.tier,
        )
        .where(HoldoutArm.period == period)
        .order_by(HoldoutArm.client_id)
    )  # fmt: skip
    rows = tx.session.execute(statement.execution_options(yield_per=_ROWS)).all()
    p = [np.nan if row[4] is None else row[4] for row in rows]
    return Drawn(
        [row[0] for row in rows], np.array([row[1] == CONTACT for row in rows], np.bool_),
        np.array([manager_of(row[2]) for row in rows], object),
        np.array([is_first(row[2]) for row in rows], np.bool_),
        np.array([round(row[3].timestamp() * 1e6) for row in rows], np.int64),
        np.array(p, np.float64), [row[5] for row in rows],
    )  # fmt: skip


def newest(tx: Tx) -> KeptProof | None:
    """The newest proof."""
    statement = select(KeptProof).order_by(KeptProof.at.desc(), KeptProof.proof_id.desc()).limit(1)
    return tx.session.scalars(statement).first()


def by_digest(tx: Tx, digest: str) -> KeptProof | None:
    """The proof that found exactly this."""
    return tx.session.scalars(select(KeptProof).where(KeptProof.digest == digest)).first()


def proof(tx: Tx, proof_id: str) -> KeptProof | None:
    """A proof by its number."""
    return tx.session.get(KeptProof, proof_id)


def proofs(tx: Tx, limit: int, cursor: str | None) -> Sequence[KeptProof]:
    """A page of proofs, newest first."""
    from datetime import datetime

    keys = ((KeptProof.at, True), (KeptProof.proof_id, True))
    statement = page_of(select(KeptProof), keys, (datetime, str), limit, cursor)
    return tx.session.scalars(statement).all()
