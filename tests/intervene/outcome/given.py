"""Decisions on a desk, and a lake whose label says what a test wants it to say."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
from sqlalchemy import select, update

from keepwell.core.days import day_number
from keepwell.intervene.alert.policy import AlertReason
from keepwell.intervene.alert.service import raise_alert
from keepwell.intervene.case.model import Case
from keepwell.intervene.outcome.service import mature_outcomes
from keepwell.learn.holdout.model import HoldoutArm
from keepwell.learn.holdout.service import draw
from keepwell.learn.outcome import service
from keepwell.learn.outcome.model import Outcome
from keepwell.trust.access.policy import SYSTEM
from keepwell.warn.label import Labels, Why


def begin(desk, held=()):
    """The usual people and clients, with arms: all contacted but those held out."""
    draw(desk.frame, desk.usual())
    with desk.tx() as tx:
        tx.session.execute(update(HoldoutArm).values(arm="contact", propensity=0.9))
        out = HoldoutArm.client_id.in_(list(held))
        tx.session.execute(update(HoldoutArm).where(out).values(arm="hold-out", propensity=0.1))


def warn(desk, client, reason=AlertReason.RISK, tier="moderate"):
    """A warning by the score, shown or not; the case that it leads to, if any."""
    with desk.tx() as tx:
        raise_alert(tx, SYSTEM, client_id=client, reason=reason, tier=tier, facts={})
    with desk.frame.read() as tx:
        found = select(Case.case_id).where(Case.client_id == client, Case.reason == reason.value)
        return tx.session.scalars(found.order_by(Case.opened_at.desc())).first()


def close(desk, case_id, outcome, reason, who="m1"):
    http = desk.http(who)
    etag = http.get(f"/api/v1/cases/{case_id}").headers["etag"]
    done = http.post(
        f"/api/v1/cases/{case_id}/close", headers={"If-Match": etag},
        json={"outcome": outcome, "reason": reason, "note": "As told."},
    )  # fmt: skip
    assert done.status_code == 200, done.text


class Lake:
    """What the label would say: client -> (y, why, day of leaving); each change is a manifest."""

    def __init__(self, desk, monkeypatch):
        self.desk = desk
        self.truth: dict[str, tuple[float, Why, date | None]] = {}
        self.asked: list[object] = []
        self.number = 1
        monkeypatch.setattr(service, "label_clients", self._label)
        monkeypatch.setattr(service, "all_known", lambda engine: desk.now())

    def says(self, client, y, why=None, left=None):
        self.truth[client] = (y, why or (Why.CLOSED if y else Why.STAYED), left)
        self.number += 1

    def mature(self):
        engine = SimpleNamespace(
            workspace=self.desk.frame.workspace, manifest=SimpleNamespace(id=self.number)
        )
        return mature_outcomes(self.desk.frame, engine)

    def _label(self, engine, as_of, definition, known_by):
        self.asked.append(as_of)
        clients = sorted(self.truth)
        rows = [self.truth[c] for c in clients]
        return Labels(
            clients, np.array([r[0] for r in rows], float), np.array([r[1] for r in rows], object),
            np.array([np.nan if r[2] is None else day_number(r[2]) for r in rows], float),
            as_of, known_by,
        )  # fmt: skip


def stored(desk):
    with desk.frame.read() as tx:
        rows = tx.session.scalars(select(Outcome).order_by(Outcome.client_id, Outcome.revision))
        return list(rows)


def half_a_year(desk):
    """On beyond the horizon."""
    return desk.now.set(desk.now() + timedelta(days=185))
