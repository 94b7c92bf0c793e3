"""A publication brings its panels into force, and the book says what changed about the reasons."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from keepwell.api import ingest, run
from keepwell.intervene import publish as module
from keepwell.intervene.publish import publish_run
from keepwell.learn.panel.read import Panels
from keepwell.learn.panel.scores import past_scores
from keepwell.trust.book.model import Client
from tests.desk import Desk, Ticker, make_schema
from tests.learn.broker import few_trees, world, write


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    workspace = write(tmp_path_factory.mktemp("panels") / "ws", world(60))
    ingest(workspace)
    with few_trees():
        return workspace.root, run(workspace, locale="en")


@pytest.fixture
def desk(ran):
    file = ran[0] / ".keepwell" / "desk.sqlite"
    file.unlink(missing_ok=True)
    make_schema(f"sqlite:///{file}")
    made = Desk.open(ran[0], f"sqlite:///{file}", Ticker())
    yield made
    made.close()


def test_a_publication_that_fails_puts_no_panels_in_force(desk, ran, monkeypatch):
    def fails(*_args, **_more):
        raise RuntimeError

    before = Panels.open(desk.frame.workspace)
    monkeypatch.setattr(module, "publish", fails)
    with pytest.raises(RuntimeError):
        publish_run(desk.frame, ran[1])
    assert Panels.open(desk.frame.workspace) is before


def test_panels_and_scores_come_into_force_together(desk, ran):
    result = ran[1]
    publish_run(desk.frame, result)
    panels = Panels.open(desk.frame.workspace)
    assert panels is not None
    assert (panels.as_of, panels.model) == (result.ranking.as_of, result.version.id)
    changes = past_scores(result.engine, result.ranking, result.version, (0, 1)).changes
    assert changes
    with desk.frame.read() as tx:
        rows = {c.client_id: c for c in tx.session.scalars(select(Client))}
    for client, row in rows.items():
        told = {reason["code"]: reason["change"] for reason in row.reasons}
        expected = changes.get(client, {})
        assert told == {
            code: pytest.approx(expected[code], abs=1e-6) if code in expected else None
            for code in told
        }
        assert (panels.scores(client) != []) == (row.score is not None)
