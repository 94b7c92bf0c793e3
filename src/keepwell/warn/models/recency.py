"""Recency alone: the baseline that any model must beat first."""

from __future__ import annotations

from typing import ClassVar

from keepwell.warn.models.base import MODELS
from keepwell.warn.models.logistic import RFM, Logistic


@MODELS.add
class Recency(Logistic):
    """Days since the last trade or known first buy, through a logistic curve."""

    name: ClassVar[str] = "recency"
    inputs: ClassVar[tuple[str, ...]] = RFM[:1]
