"""All formulas: importing this module registers them."""

from __future__ import annotations

from keepwell.learn.kpi import desk_formulas, lake_formulas, money_formulas
from keepwell.learn.kpi.formula import FORMULAS

MODULES = (desk_formulas, lake_formulas, money_formulas)
"""Where they stand."""

__all__ = ["FORMULAS", "MODULES"]
