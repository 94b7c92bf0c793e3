"""The package's version, here so that every room can name it without importing the package."""

from __future__ import annotations

__version__ = "0.1.0"
