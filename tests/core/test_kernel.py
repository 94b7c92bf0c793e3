"""Compiled functions: as numba's own once called, and numba is loaded no sooner."""

from __future__ import annotations

import subprocess
import sys

import numba
import numpy as np
import pytest

from keepwell.core.kernel import Kernel, compiled

DESK = """
import sys
from keepwell import rooms
rooms.load_all()
rooms.routers()
assert "keepwell.observe.window_kernel" in sys.modules
found = {"numba", "pandas", "scipy", "catboost", "sklearn"} & set(sys.modules)
assert not found, found
"""
TABLES = """
import sys
from keepwell import rooms
rooms.load("model")
found = {"numba", "pandas", "duckdb", "deltalake"} & set(sys.modules)
assert not found, found
"""


@compiled()
def twice(x):
    """Double it."""
    return 2 * x


@compiled(inline="always")
def one_more(x):
    return x + 1


@compiled()
def walk(values):
    total = 0.0
    for i in range(len(values)):
        total += one_more(twice(values[i]))
    return total


@pytest.mark.parametrize("script", [DESK, TABLES], ids=["all rooms", "tables only"])
def test_a_desk_is_there_before_numba_is_loaded(script):
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_a_kernel_and_those_it_calls_are_compiled_at_its_first_call():
    assert isinstance(walk, Kernel)
    assert (walk.__name__, twice.__doc__) == ("walk", "Double it.")
    assert walk(np.array([1.0, 2.0])) == 8.0
    for name in ("twice", "one_more"):
        assert isinstance(globals()[name], numba.core.dispatcher.Dispatcher), name
    assert walk(np.array([1, 2, 3])) == 15.0


def test_a_kernel_says_what_is_wrong_as_numba_does():
    with pytest.raises(numba.core.errors.TypingError):
        walk(None)
