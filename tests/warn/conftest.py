from __future__ import annotations

import pytest

from tests.warn.world import build, leaving_world


@pytest.fixture(scope="session")
def leaving(tmp_path_factory):
    """A workspace in which silence comes before leaving, and its engine."""
    return build(tmp_path_factory.mktemp("leaving"), **leaving_world())
