from __future__ import annotations

import pytest

from tests.learn.kpi.broker import broker, november


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """The broker of one month, ingested once; not to be written to."""
    return broker(tmp_path_factory.mktemp("kpi") / "ws", november())
