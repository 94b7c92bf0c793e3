"""YAML read with line numbers: every value of the mapping knows the line it stands on.

YAML 1.2's plain words only: `no`, `on` and `2020-01-01` stay text, since a broker's column may
well be called `on`. A key given twice is an error, not a silent overwrite.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from keepwell.core.errors import UsageError

Loc = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the root."""

LONGEST: Final = 1 << 20
"""Most bytes of a mapping file; the largest by hand have a hundredth."""
_DEEPEST: Final = 50
_MOST: Final = 100_000
"""Most values; a few lines of anchors that repeat each other would make billions."""


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
    loader: _Loader | None = None
    lines: dict[Loc, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        value = None if node is None else _build(loader, node, (), lines, file)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise _invalid(file, line, f"{error.reason}: #x{error.character:04x}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise _invalid(file, mark.line + 1 if mark else 1, problem) from None
    except RecursionError:
        raise _invalid(file, _line_of(loader), _NESTED) from None
    except (ValueError, OverflowError):  # an escape such as \UFFFFFFFF
        raise _invalid(file, _line_of(loader), "a character that does not exist") from None
    finally:
        if loader is not None:
            loader.dispose()
    return Document(file, value, lines)


_NESTED: Final = f"values nested more than {_DEEPEST} deep"


def _invalid(file: str, line: int, problem: str) -> UsageError:
    return UsageError("mapping.yaml-invalid", file=file, line=line, problem=problem)


def _line_of(loader: _Loader | None) -> int:
    return int(loader.line) + 1 if loader is not None else 1


def read_yaml_file(path: Path) -> Document:
    """Parse a YAML file in UTF-8.

    Raises:
        UsageError: `mapping.yaml-invalid` (also for a file that is not UTF-8) and the rest of
            `read_yaml`.
    """
    try:
        with path.open("rb") as opened:
            data = opened.read(LONGEST + 1)
    except OSError as error:
        raise _invalid(path.name, 1, error.strerror or type(error).__name__) from None
    if len(data) > LONGEST:
        raise _invalid(path.name, 1, f"more than {LONGEST:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _invalid(path.name, line, "not UTF-8") from None
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
_SHOWN: Final = 60
_TRUE = {"true": True, "false": False}


def _build(loader: _Loader, node: yaml.Node, loc: Loc, lines: dict[Loc, int], file: str) -> Any:
    here = node.start_mark.line + 1
    if len(loc) > _DEEPEST:
        raise _invalid(file, here, _NESTED)
    if len(lines) > _MOST:
        raise _invalid(file, here, f"anchors that repeat to more than {_MOST:,} values")
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _sound(str(key_node.value), key_node, file)
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
    try:
        value = loader.construct_object(node, deep=True)
        return _sound(value, node, file) if isinstance(value, str) else value
    except (ValueError, OverflowError, LookupError, AttributeError):
        # A tag says what the text is not: !!int abc. Or a number has thousands of digits.
        kind = node.tag.rpartition(":")[2]
        raise _invalid(file, here, f"{str(node.value)[:_SHOWN]!r} is no {kind}") from None


def _sound(text: str, node: yaml.Node, file: str) -> str:
    r"""A text that can be written down; half a character (\uD800) cannot."""
    if text.isascii() or text.encode("utf-8", "ignore").decode() == text:
        return text
    raise _invalid(file, node.start_mark.line + 1, "a character that does not exist")
