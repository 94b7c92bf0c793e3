"""How the phrase files are read, and how one line of them stands for many phrases.

A file has sections, `[name]`, of one template a line; `#` begins a comment. In a template
`{a|b}` is a choice and `<app>` stands for any of the words that section `[word]` gives after
`app =`. A line `~` is the empty phrase; quotes around a line keep its spaces.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

_PART = re.compile(r"\{[^{}]*\}|<\w+>|[^{}<>]+")


@dataclass(frozen=True, slots=True)
class Template:
    """A line of a phrase file: plain text and choices in turn."""

    parts: tuple[str | tuple[Template, ...], ...]

    def forms(self) -> int:
        """How many phrases the line stands for."""
        product = 1
        for part in self.parts:
            if not isinstance(part, str):
                product *= sum(choice.forms() for choice in part)
        return product

    def phrase(self, draw: Callable[[], float]) -> str:
        """One of its phrases.

        Args:
            draw: gives the next draw in [0, 1).
        """
        said = []
        for part in self.parts:
            if isinstance(part, str):
                said.append(part)
            else:
                said.append(part[int(draw() * len(part))].phrase(draw))
        return "".join(said)


@dataclass(frozen=True, slots=True)
class Grammar:
    """All phrase files of a language.

    Attributes:
        sections: templates by section, without the sections of swaps.
        swaps: by `slip`, `mix` and `chat`, what may be written instead of a phrase.
    """

    sections: dict[str, tuple[Template, ...]]
    swaps: dict[str, dict[str, tuple[str, ...]]]

    def templates(self, name: str, mood: str = "") -> tuple[Template, ...]:
        """Templates of a section, and of the section for one mood besides.

        Args:
            name: such as 'contact.closing'.
            mood: 'bad', 'plain' or 'good'.

        Raises:
            KeyError: the files have neither section.
        """
        found = self.sections.get(name, ())
        found += self.sections.get(f"{name}.{mood}", ())
        if not found:
            raise KeyError(f"{name} {mood}")
        return found


def read_grammar(language: str) -> Grammar:
    """The grammar of a language.

    Args:
        language: 'zh' or 'en'.
    """
    folder = files("keepwell.world.words")
    text = "\n".join(
        folder.joinpath(f"{language}_{what}.txt").read_text("utf-8")
        for what in ("manner", "matter")
    )
    lines = _lines(text)
    swaps = {name: _equations(lines.pop(name)) for name in ("slip", "mix", "chat")}
    words = {
        name: tuple(Template((choice,)) for choice in choices)
        for name, choices in _equations(lines.pop("word")).items()
    }
    sections = {
        name: tuple(_template(line, words) for line in body) for name, body in lines.items()
    }
    return Grammar(sections, swaps)


def _lines(text: str) -> dict[str, list[str]]:
    """Lines by section, as they are to be read."""
    sections: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            body = sections.setdefault(line.strip("[]"), [])
        elif line == "~":
            body.append("")
        elif len(line) > 1 and line[0] == line[-1] == '"':
            body.append(line[1:-1])
        else:
            body.append(line)
    return sections


def _equations(lines: list[str]) -> dict[str, tuple[str, ...]]:
    """Lines such as `app = App|client` by what stands on the left."""
    pairs = (line.split(" = ", 1) for line in lines)
    return {left: tuple(right.split("|")) for left, right in pairs}


def _template(line: str, words: dict[str, tuple[Template, ...]]) -> Template:
    """A line with its choices and words found."""
    parts: list[str | tuple[Template, ...]] = []
    for piece in _PART.findall(line):
        if piece[0] == "{":
            parts.append(tuple(_template(choice, words) for choice in piece[1:-1].split("|")))
        elif piece[0] == "<":
            parts.append(words[piece[1:-1]])
        else:
            parts.append(piece)
    return Template(tuple(parts))
