"""Models behind one protocol; the built-ins and those of other packages enter by the same door."""

from __future__ import annotations

from keepwell.warn.models.base import (
    MODELS,
    Contributions,
    Model,
    ModelFactory,
    ModelRegistry,
    create,
    load,
)

__all__ = [
    "MODELS",
    "Contributions",
    "Model",
    "ModelFactory",
    "ModelRegistry",
    "create",
    "load",
]
