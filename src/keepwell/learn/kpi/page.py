"""The reference page of key figures."""

from __future__ import annotations

from typing import Final

from keepwell.core.text import LOCALES, number, percent, tr
from keepwell.learn.kpi.catalogue import DIMENSION_NAMES, UNIT_NAMES, Kpi, Unit, shipped
from keepwell.learn.kpi.estimate import ABSENT_WORDS
from keepwell.learn.kpi.formulas import FORMULAS
from keepwell.learn.kpi.words import OWNER_ROLES

_HEAD: Final = """# Key figures

What the desk computes of every complete month, in four dimensions.
[Key figures](../how-to/key-figures.md) shows how to set targets and owners and what a review is.

A target stands here only where the source names a level; the desk may set another. Where it names
a change, the goal is told in words, for the level it starts from is your own.
"""


def render() -> str:
    """The page, in Markdown: every key figure, in both languages."""
    lines = [_HEAD]
    for dimension, title in DIMENSION_NAMES.items():
        lines += [f"## {title} · {tr(title, 'zh')}", ""]
        for kpi in shipped().of(dimension):
            lines += _entry(kpi)
    lines += ["## Why there is no figure", "", "| code | English | 中文 |", "|---|---|---|"]
    lines += [f"| `{c.value}` | {w} | {tr(w, 'zh')} |" for c, w in ABSENT_WORDS.items()]
    return "\n".join(lines) + "\n"


def _entry(kpi: Kpi) -> list[str]:
    doc = (FORMULAS[kpi.compute].__doc__ or "").strip().split("\n")[0]
    rows = [
        ("version", f"{kpi.version}, since {kpi.added}"),
        ("unit", UNIT_NAMES[kpi.unit]),
        ("better", kpi.better),
        ("target", _target(kpi)),
        ("owner until named", OWNER_ROLES[kpi.owner]),
        ("needs", ", ".join(kpi.sources)),
        ("function", f"`{kpi.compute}`: {doc}"),
    ]
    words = [f"- {kpi.formula.say(locale)}" for locale in LOCALES]
    return [
        f"### `{kpi.id}`: {kpi.title.en} · {kpi.title.zh}", "", *words, "",
        "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), "",
    ]  # fmt: skip


def _target(kpi: Kpi) -> str:
    if kpi.target is None:
        return f"not set. {kpi.goal.en}" if kpi.goal else "not set"
    value = kpi.target.value
    level = percent(value, "en", 0) if kpi.unit is Unit.SHARE else number(value, "en", 2)
    return f"{level}. {kpi.target.source.en}"
