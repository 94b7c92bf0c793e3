"""A stand-in for the engine: the one of the contract suite that keepwell ships."""

from __future__ import annotations

from keepwell.testing.indicator_suite import AS_OF, DAY, N, numbers, windows

__all__ = ["AS_OF", "DAY", "N", "numbers", "windows"]
