"""Settings as people read them: present value, where it comes from, what it means."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from sqlalchemy import make_url

from keepwell.core.errors import KeepwellError
from keepwell.frame.settings import FILE_NAME, Settings
from keepwell.observe.mapping_yaml import read_yaml_file

HIDDEN: Final = "•••"
"""Stands for a secret that is set."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting.

    Attributes:
        part: name of its part of desk.yaml; '' for those at the top.
        name: its name within.
        meaning: what it does, in English, a key of the catalogue.
        value: the present value as text; '' where nothing is set.
        origin: 'default', 'file' (desk.yaml), 'environment' or 'start' (an option of the command).
    """

    part: str
    name: str
    meaning: str
    value: str
    origin: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        path = (self.part, self.name) if self.part else (self.name,)
        return "KEEPWELL_" + "__".join(path).upper()


def listed(
    settings: Settings, file: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> list[Shown]:
    """Every setting of a desk, those at the top first.

    Args:
        settings: in force.
        file: content of desk.yaml.
        environ: the environment that they were read from; default: this process's.
    """
    known = {name.upper() for name in (os.environ if environ is None else environ)}
    found = list(_of(settings, "", file, known))
    return [s for s in found if not s.part] + [s for s in found if s.part]


def file_of(root: Path) -> dict[str, Any]:
    """Content of a workspace's desk.yaml; nothing when there is none, or none that can be read."""
    path = root / FILE_NAME
    try:
        value = read_yaml_file(path).value if path.is_file() else {}
    except KeepwellError:
        return {}  # it was changed since the desk began, and would keep it from beginning again
    return value if isinstance(value, dict) else {}


def _of(
    model: BaseModel, part: str, file: Mapping[str, Any], known: set[str]
) -> Iterator[Shown]:  # fmt: skip
    said = meanings(type(model))
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            inner = file.get(name)
            yield from _of(value, name, inner if isinstance(inner, dict) else {}, known)
            continue
        path = (part, name) if part else (name,)
        # A whole part may also be given in one variable, as JSON.
        variables = {"_".join(("KEEPWELL", "__".join(path[:n]))).upper() for n in (1, 2)}
        if not variables.isdisjoint(known):
            origin = "environment"
        elif name in model.model_fields_set:
            origin = "file" if name in file else "start"
        else:
            origin = "default"
        yield Shown(part, name, said[name], _text(name, value), origin)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What each setting of a part means, from its docstring, as in docs/reference."""
    _, _, attributes = inspect.cleandoc(model.__doc__ or "").partition("Attributes:")
    found: dict[str, str] = {}
    name = ""
    for line in attributes.splitlines():
        head, colon, rest = line.strip().partition(": ")
        if line.startswith("    ") and not line.startswith("     ") and colon:
            name, found[head] = head, rest
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def _text(name: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, SecretStr):
        return HIDDEN
    if name == "database_url":
        return _without_password(str(value))
    if isinstance(value, (list, tuple)):
        if isinstance(value, tuple) and all(isinstance(part, time) for part in value):
            return "–".join(_text(name, part) for part in value)
        return ", ".join(_text(name, part) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _without_password(url: str) -> str:
    # Options of the address may hold a password as well.
    return make_url(url).set(query={}).render_as_string(hide_password=True)
