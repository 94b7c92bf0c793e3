from __future__ import annotations

import pytest

from keepwell.api import ingest, run
from tests.learn.broker import few_trees, world, write


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    """A workspace in which the job was done once, and what it found; not to be written to."""
    workspace = write(tmp_path_factory.mktemp("learn") / "ws", world())
    ingest(workspace)
    with few_trees():
        return workspace, run(workspace, locale="en")


@pytest.fixture
def trees():
    """Few trees for the models of this test."""
    with few_trees():
        yield
