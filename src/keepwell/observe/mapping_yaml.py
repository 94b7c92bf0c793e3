"""YAML read with line numbers: every value of the mapping knows the line it stands on.

YAML 1.2's plain words only: `no`, `on` and `2020-01-01` stay text, since a broker's column may
well be called `on`. A key given twice is an error, not a silent overwrite.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from keepwell.core.errors import UsageError

Loc = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the root."""


@dataclass(frozen=True)
class Document:
    """A parsed YAML file.

    Attributes:
        file: the file's name as a person knows it.
        value: plain dicts, lists, strings, numbers, booleans and None.
        lines: line number (from 1) of each value's key, or of the item in a list.
    """

    file: str
    value: Any
    lines: dict[Loc, int] = field(default_factory=dict)

    def line(self, loc: Loc) -> int:
        """The line of a value, or of its nearest parent that stands in the file."""
        for end in range(len(loc), 0, -1):
            if loc[:end] in self.lines:
                return self.lines[loc[:end]]
        return 1


def read_yaml(text: str, file: str) -> Document:
    """Parse YAML text.

    Args:
        text: the file's content.
        file: name for error messages.

    Raises:
        UsageError: `mapping.yaml-invalid` or `mapping.key-twice`, with the line.
    """
    loader = _Loader(text)
    lines: dict[Loc, int] = {}
    try:
        node = loader.get_single_node()
        value = None if node is None else _build(loader, node, (), lines, file)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UsageError(
            "mapping.yaml-invalid", file=file, line=mark.line + 1 if mark else 1, problem=problem
        ) from None
    finally:
        loader.dispose()
    return Document(file, value, lines)


def read_yaml_file(path: Path) -> Document:
    """Parse a YAML file in UTF-8.

    Raises:
        UsageError: `mapping.yaml-invalid` (also for a file that is not UTF-8) and the rest of
            `read_yaml`.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            "mapping.yaml-invalid", file=path.name, line=line, problem="not UTF-8"
        ) from None
    return read_yaml(text, path.name)


class _Loader(yaml.SafeLoader):
    """SafeLoader without dates, and with true/false as the only booleans."""


_Loader.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (
        kept := [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag not in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"}
        ]
    )
}
_TRUE = {"true": True, "false": False}


def _build(loader: _Loader, node: yaml.Node, loc: Loc, lines: dict[Loc, int], file: str) -> Any:
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in result:
                raise UsageError("mapping.key-twice", file=file, line=line, key=key)
            lines[(*loc, key)] = line
            result[key] = _build(loader, value_node, (*loc, key), lines, file)
        return result
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[(*loc, index)] = item.start_mark.line + 1
            items.append(_build(loader, item, (*loc, index), lines, file))
        return items
    if isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _TRUE:
        return _TRUE[node.value]
    return loader.construct_object(node, deep=True)
