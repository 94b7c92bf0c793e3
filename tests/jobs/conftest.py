"""Kinds of jobs that exist for one test only."""

from __future__ import annotations

import pytest

from keepwell.jobs import registry


@pytest.fixture
def kinds(monkeypatch):
    """The registry; what a test registers is gone after it, and nothing else recurs meanwhile."""
    monkeypatch.setattr(registry, "_HANDLERS", dict(registry._HANDLERS))
    monkeypatch.setattr(registry, "_RECURRING", {})
    return registry
