"""Experiments: who gets which arm, what it changed, and when to stop. Pure maths, no database.

The names below are loaded on first use, as `keepwell.experiment` or from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keepwell.learn.experiment.compliance import complied
    from keepwell.learn.experiment.design import (
        Arm,
        Assignment,
        Candidate,
        Experiment,
        Guardrail,
        Metric,
        assign,
        assign_all,
        assign_block,
        unit_of,
    )
    from keepwell.learn.experiment.gate import stage_gate
    from keepwell.learn.experiment.guardrails import STANDARD, standard
    from keepwell.learn.experiment.looks import Verdict, look
    from keepwell.learn.experiment.power import (
        Baseline,
        Terms,
        detectable,
        needed,
        needed_to_pass,
        planned_units,
        power_of,
        terms_of,
    )
    from keepwell.learn.experiment.ratio import check, check_counts
    from keepwell.learn.experiment.readout import read_out

_HOMES = {
    "compliance": ("complied",),
    "design": (
        "Arm", "Assignment", "Candidate", "Experiment", "Guardrail", "Metric", "assign",
        "assign_all", "assign_block", "unit_of",
    ),
    "gate": ("stage_gate",),
    "guardrails": ("STANDARD", "standard"),
    "looks": ("Verdict", "look"),
    "power": (
        "Baseline", "Terms", "detectable", "needed", "needed_to_pass", "planned_units", "power_of",
        "terms_of",
    ),
    "ratio": ("check", "check_counts"),
    "readout": ("read_out",),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "STANDARD",
    "Arm",
    "Assignment",
    "Baseline",
    "Candidate",
    "Experiment",
    "Guardrail",
    "Metric",
    "Terms",
    "Verdict",
    "assign",
    "assign_all",
    "assign_block",
    "check",
    "check_counts",
    "complied",
    "detectable",
    "look",
    "needed",
    "needed_to_pass",
    "planned_units",
    "power_of",
    "read_out",
    "stage_gate",
    "standard",
    "terms_of",
    "unit_of",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
