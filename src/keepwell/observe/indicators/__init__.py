"""Indicators: documented numbers per client that a person can read and a model can use."""

from __future__ import annotations

from keepwell.observe.indicators.needs import Array, Need, Windows
from keepwell.observe.indicators.registry import (
    DIRECTIONS,
    FAMILIES,
    INDICATORS,
    UNITS,
    Indicator,
    Registry,
    get,
    indicator,
)

__all__ = [
    "DIRECTIONS",
    "FAMILIES",
    "INDICATORS",
    "UNITS",
    "Array",
    "Indicator",
    "Need",
    "Registry",
    "Windows",
    "get",
    "indicator",
]
