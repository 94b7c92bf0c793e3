"""keepwell.yaml of a world: its folders as sources, its tables as they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import yaml

from keepwell.core.version import __version__
from keepwell.observe.contract import TABLES
from keepwell.world.market.draw import INDEX_SERIES

_SOURCES = {"news": "news", "touch": "touches"}
_EN = (
    "Everything here is simulated (keepwell world, scenario {title}, seed {seed}): no client, "
    "member of staff or instrument is real."
)
_ZH = (
    "此处全部数据均为模拟（keepwell world，情景 {title}，种子 {seed}）：客户、员工、产品均非真实。"
)


def source_of(table: str) -> str:
    """Name of the source that fills a table: its plural.

    Example:
        >>> source_of("trade")
        'trades'
    """
    return _SOURCES.get(table, f"{table}s")


def mapping_text(title_en: str, title_zh: str, seed: int, start: date, days: int) -> str:
    """The text of keepwell.yaml.

    Args:
        title_en: the scenario's name in English.
        title_zh: the same in Chinese.
        seed: the world's.
        start: first day.
        days: number of days.
    """
    until = start + timedelta(days=days)
    head = {
        "version": 1,
        "name": f"Simulated: {title_en}",
        "timezone": "Asia/Shanghai",
        "currency": "CNY",
    }
    tail = {
        "market": {"index": INDEX_SERIES},
        "label": {"name": "exit", "by": "value", "horizon": "90d", "gap": "45d"},
        "notes": [
            {
                "en": _EN.format(title=title_en, seed=seed),
                "zh": _ZH.format(title=title_zh, seed=seed),
            }
        ],
    }
    lines = [
        f"# A simulated brokerage, written by keepwell world new ({__version__}).",
        "# The folder truth beside this file says what is really so; nothing here may name it.",
        _dumped(head),
        "sources:",
    ]
    for name in TABLES:
        # Another day's files are read alone; a world's are complete as soon as they are there.
        read = "format: drops, options: {settle_s: 0}"
        source = f"path: data/{name}/*.parquet, {read}, allow_empty: true"
        lines.append(f"  {source_of(name)}: {{{source}}}")
    lines += ["", "tables:"]
    for name, table in TABLES.items():
        lines += [f"  {name}:", f"    sql: select * from {source_of(name)}"]
        if table.clock in ("at", "day"):
            lines.append(f'    covers: [["{start}", "{until}"]]')
    return "\n".join([*lines, "", _dumped(tail)])


def _dumped(values: Mapping[str, object]) -> str:
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=100)
