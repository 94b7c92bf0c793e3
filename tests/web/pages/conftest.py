"""Which databases the tests of pages run on.

Pages add queries of their own here and there; those pages are tested on both databases in full. The
rest calls services that are tested on both in their own rooms: of it every third test runs on
PostgreSQL, too.
"""

from __future__ import annotations

from zlib import crc32

import pytest

from tests.desk import opened

FULL = ("test_today", "test_team", "test_explore", "test_insight")


def pytest_generate_tests(metafunc):
    if "desk" not in metafunc.fixturenames:
        return
    name = f"{metafunc.module.__name__.rpartition('.')[2]}.{metafunc.function.__name__}"
    both = name.startswith(FULL) or crc32(name.encode()) % 3 == 0
    kinds = ["sqlite", "postgresql"] if both else ["sqlite"]
    metafunc.parametrize("desk", kinds, indirect=True)


@pytest.fixture
def desk(request, tmp_path):
    """A desk with an empty database."""
    yield from opened(request, tmp_path)
