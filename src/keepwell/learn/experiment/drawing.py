"""Draw an experiment: everybody who may enter, before anybody is contacted; arms never change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from keepwell.core.errors import KeepwellError
from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.frame.locks import hold
from keepwell.frame.problem import Conflict
from keepwell.learn.experiment import repo
from keepwell.learn.experiment.design import Assignment, Candidate, assign_all, unit_of
from keepwell.learn.experiment.model import ExperimentDraw, ExperimentRow
from keepwell.learn.experiment.service import asked_of, design_of, read
from keepwell.learn.holdout.policy import fingerprint, period_of
from keepwell.observe.engines.local import LocalEngine
from keepwell.trust.access.policy import Actor
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record
from keepwell.warn.label import lake_query

Ties = list[tuple[str, str]]
"""Pairs of clients of one household."""


def ties_of(frame: Frame, row: ExperimentRow) -> Ties:
    """Ties of households from the lake, for an experiment that draws households; else nothing.

    Args:
        frame: whose lake; it is read outside of any unit of work.
        row: the experiment.

    Raises:
        Conflict: the lake cannot be read, or knows no ties.
    """
    if design_of(row).unit != "household":
        return []
    try:
        engine = LocalEngine.open(frame.workspace)
    except KeepwellError as error:
        raise Conflict(error.code, **error.fields) from None
    if "relation" not in engine.manifest.tables:
        raise Conflict("experiment.households-unknown")
    found = lake_query(
        engine,
        """select client_id, other_id from relation where kind = 'household'
            and known_at <= $now and (gone_at is null or gone_at > $now)
        order by client_id, other_id""",
        now=frame.now(),
    )
    return [(str(a), str(b)) for a, b in zip(found["client_id"], found["other_id"], strict=True)]


def draw(tx: Tx, actor: Actor, experiment_id: str, ties: Ties) -> ExperimentDraw:
    """Draw all who may enter now and are not in the experiment yet, in a batch of their own.

    Who may: clients in the actor's scope, scored, of the tiers and segments chosen, in the contact
    arm of the hold-out, not refusing profiling, in no other running experiment about the same.

    Args:
        tx: a writing unit of work.
        actor: who draws.
        experiment_id: registered or running.
        ties: of `ties_of`.

    Raises:
        NotFound: there is no such experiment.
        Conflict: it is a draft or has ended; nobody new may enter; the desk's secret is not the
            one with which it was begun.
    """
    # Two draws at once must not take the same client; who is second sees whom the first took.
    hold(tx, "experiment", [read(tx, experiment_id).about])
    row = read(tx, experiment_id, lock=True)
    if row.state not in ("registered", "running"):
        raise Conflict("experiment.state-wrong", state=row.state, wanted="registered, running")
    before = repo.draws(tx, experiment_id)
    mine = fingerprint(tx.frame.secret)
    if before and before[0].secret != mine:
        raise Conflict("experiment.secret-changed", known=before[0].secret, given=mine)
    asked, period = asked_of(row), period_of(tx.at, tx.frame.zone)
    found = repo.candidates(tx, actor, row, asked.tiers, asked.segments, period)
    inside = repo.members(tx, experiment_id)
    fresh = [one for one in found if one.client_id not in inside]
    generation = repo.generation(tx)
    if not fresh or generation is None:
        raise Conflict("experiment.nobody-new")
    batch = len(before) + 1
    rows = _assigned(tx, row, fresh, ties, batch)
    made = ExperimentDraw(
        experiment_id=experiment_id, batch=batch, drawn_at=tx.at, drawn_by=actor.user_id,
        generation_id=generation, period=period, clients=len(rows),
        units=len({one["unit_id"] for one in rows}), secret=mine,
        seal=seal_of(tx.frame.secret, experiment_id, batch, _sealed(rows)),
    )  # fmt: skip
    tx.session.add(made)
    tx.session.flush()
    repo.add_assignments(tx, rows)
    if row.state == "registered":
        row.state, row.started_at, row.started_by = "running", tx.at, actor.user_id
    row.version += 1
    record(
        tx, actor, EvidenceKind.EXPERIMENT_DRAWN, subject=experiment_id,
        data={
            "batch": batch, "clients": made.clients, "units": made.units, "seal": made.seal,
            "generation_id": generation, "secret": mine,
        },
    )  # fmt: skip
    return made


def _assigned(
    tx: Tx, row: ExperimentRow, fresh: list[Any], ties: Ties, batch: int
) -> list[dict[str, Any]]:
    design = design_of(row)
    known = {
        unit: Assignment(arm, propensity, block or "")
        for unit, arm, propensity, block in repo.units(tx, row.experiment_id)
    }
    homes = households(ties, _units_by_client(tx, row)) if design.unit == "household" else {}
    entering = {
        one.client_id: Candidate(
            one.client_id, one.manager_id or "", one.tier, homes.get(one.client_id)
        )
        for one in fresh
    }
    arms = assign_all(design, tx.frame.secret, entering.values(), known, str(batch))
    rows = []
    for one in fresh:
        unit = unit_of(design, entering[one.client_id])
        got = arms[unit]
        rows.append({
            "experiment_id": row.experiment_id, "client_id": one.client_id, "unit_id": unit,
            "arm": got.arm, "propensity": got.propensity, "batch": batch, "block": got.stratum,
            "drawn_at": tx.at, "manager_id": one.manager_id, "tier": one.tier,
            "probability": one.probability, "assets": one.assets,
        })  # fmt: skip
    return rows


def _units_by_client(tx: Tx, row: ExperimentRow) -> dict[str, str]:
    return {one.client_id: one.unit_id for one in repo.assigned(tx, row.experiment_id)}


def households(ties: Iterable[tuple[str, str]], known: Mapping[str, str]) -> dict[str, str]:
    """The household of every client who has a tie.

    A household is named after its first client; one with a member who was drawn before keeps the
    name that it was drawn under, so that a newcomer gets the household's arm.

    Args:
        ties: pairs of clients.
        known: units by client, of those drawn before.
    """
    parent: dict[str, str] = {}

    def root(client: str) -> str:
        while parent.setdefault(client, client) != client:
            parent[client] = parent[parent[client]]
            client = parent[client]
        return client

    for one, other in ties:
        a, b = sorted((root(one), root(other)))
        parent[b] = a
    names: dict[str, str] = {}
    for client in sorted(parent):
        if client in known:
            names.setdefault(root(client), known[client])
    return {
        client: names.get(root(client), f"household:{root(client)}") for client in sorted(parent)
    }


def seal_of(
    secret: bytes, experiment_id: str, batch: int, drawn: Iterable[tuple[str, str, str]]
) -> str:
    """A digest of a draw that nobody without the secret can try arms against, in hex.

    Args:
        secret: of the desk.
        experiment_id: whose draw.
        batch: which.
        drawn: client, unit and arm of each, in any order.
    """
    key = hashlib.blake2b(secret, digest_size=32, person=b"kw-experiment").digest()
    digest = hashlib.blake2b(f"{experiment_id}\0{batch}\0".encode(), key=key, digest_size=32)
    digest.update("\0\0".join(sorted("\0".join(one) for one in drawn)).encode())
    return digest.hexdigest()


def broken_draws(tx: Tx, experiment_id: str, rows: Iterable[Any]) -> list[int]:
    """Batches whose stored assignments are not those that were sealed.

    Args:
        tx: the unit of work.
        experiment_id: which.
        rows: of `repo.assigned`.
    """
    by_batch: dict[int, list[tuple[str, str, str]]] = {}
    for one in rows:
        by_batch.setdefault(one.batch, []).append((one.client_id, one.unit_id, one.arm))
    return [
        made.batch
        for made in repo.draws(tx, experiment_id)
        if made.seal
        != seal_of(tx.frame.secret, experiment_id, made.batch, by_batch.get(made.batch, []))
    ]


def _sealed(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["client_id"], one["unit_id"], one["arm"]) for one in rows]
