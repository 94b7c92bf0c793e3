"""The contract as a page of the documentation, in English or Chinese."""

from __future__ import annotations

from keepwell.core.text import tr
from keepwell.observe.contract import SYSTEM_COLUMNS, TABLES, Column, Table

_HEADS = {
    "en": ("Column", "Kind", "Unit", "Needed", "Meaning", "Sensitivity", "Purpose"),
    "zh": ("列", "类型", "单位", "必填", "含义", "敏感级别", "用途"),
}
_NEEDED = {"en": "yes", "zh": "是"}
_INTRODUCTION = (
    "The tables that keepwell understands. A select in keepwell.yaml gives each table's columns by "
    "these names, money and quantities in major units; the lake holds whole numbers: money in "
    "minor units, quantities and prices in units of 10^-8. Instants are UTC; a time without a zone "
    "is in the workspace's zone. Every table is optional but one activity table."
)
_SYSTEM = (
    "Every row carries these besides its table's columns. A select may give known_at, revision and "
    "deleted. A deletion needs a revision above the one it takes back; of the table's own columns "
    "only the key."
)


def render(locale: str = "en") -> str:
    """The whole page as Markdown.

    Args:
        locale: 'en' or 'zh'.

    Example:
        >>> render().splitlines()[0]
        '# Data contract'
    """
    parts = [f"# {tr('Data contract', locale)}", tr(_INTRODUCTION, locale)]
    for table in TABLES.values():
        parts += [f"## {table.name}", _facts(table, locale)]
        parts.append(_grid(table.columns, table.required, locale))
    parts += [f"## {tr('Columns of the lake itself', locale)}", tr(_SYSTEM, locale)]
    parts.append(_grid(SYSTEM_COLUMNS, [c.name for c in SYSTEM_COLUMNS], locale))
    return "\n\n".join(parts) + "\n"


def _facts(table: Table, locale: str) -> str:
    said = [
        tr(table.meaning, locale),
        tr("Key: {key}.", locale, key=", ".join(f"`{name}`" for name in table.key)),
    ]
    if table.clock:
        said.append(tr("Clock: {clock}.", locale, clock=f"`{table.clock}`"))
    if table.activity:
        said.append(tr("An activity table.", locale))
    return (" " if locale == "en" else "").join(said)


def _grid(columns: tuple[Column, ...], required: list[str], locale: str) -> str:
    lines = [f"| {' | '.join(_HEADS[locale])} |", "|" + "---|" * len(_HEADS[locale])]
    for column in columns:
        meaning = tr(column.meaning, locale)
        if column.values:
            meaning += " " + ", ".join(f"`{value}`" for value in column.values)
        cells = (
            f"`{column.name}`",
            column.kind.value,
            column.unit,
            _NEEDED[locale] if column.name in required else "",
            meaning,
            column.sensitivity,
            column.purpose,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
