"""Scenarios: small files that say how strong each mechanism of a world is, and what befalls it.

A file names only what differs from the defaults; every parameter has its meaning and its source in
docs/reference/scenarios.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

import numpy as np
import yaml
from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo

from keepwell.core.errors import UsageError, nearest
from keepwell.core.text import tr
from keepwell.observe.mapping_yaml import Document, read_yaml, read_yaml_file
from keepwell.world.dynamics.settings import Contagion, Experience, Habits, Help, Leaving
from keepwell.world.market.settings import MarketSettings
from keepwell.world.people.settings import PeopleSettings
from keepwell.world.settings import Part, setting

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SHIPPED = "keepwell.world.scenarios"

_UNKNOWN: Final = "extra_forbidden"
_NUMBER: Final = "a number is expected"
_WHOLE: Final = "a whole number is expected"
_DATE: Final = "a date such as 2024-01-02 is expected"
_LIST: Final = "a list is expected"
_VALUES: Final = "{count} values are expected"
_ROWS: Final = "{rows} rows of {columns} values each are expected"
_NAMES: Final = "names and values are expected"
PROBLEMS: Final = {
    "greater_than_equal": "at least {ge} is expected",
    "less_than_equal": "at most {le} is expected",
    "literal_error": "one of {known} is expected; nearest: {nearest}",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "tuple_type": _LIST,
    "missing": _LIST,
    "too_long": _LIST,
    "string_type": "text is expected",
    "model_type": _NAMES,
    "model_attributes_type": _NAMES,
}
"""What is wrong with a value, by pydantic's type of error."""

_LONG: Final = 100
"""Most characters of a default in a message."""


class Happening(Part):
    """Something that befalls the broker at a date of the scenario.

    Attributes:
        kind: what happens.
        day: days after the start.
        days: how long it lasts.
        strength: 1 is the strength that the defaults were thought for.
        system: outage only: which system fails.
    """

    kind: Literal["outage", "adviser_leaves", "price_war", "regulator", "crash", "bull", "news"] = (
        setting("news", "What happens.", "chosen by the scenario")
    )
    day: int = setting(0, "Days after the start.", "chosen by the scenario", unit="days", low=0)
    days: int = setting(1, "How long it lasts.", "chosen by the scenario", unit="days", low=1)
    strength: float = setting(1.0, "How strong it is; 1 is usual.", "chosen by the scenario", low=0)
    system: Literal["trading", "app", "quotes", "payments"] = setting(
        "trading", "Which system fails, in an outage.", "chosen by the scenario"
    )


class Title(Part):
    """A scenario's name for people.

    Attributes:
        en: in English.
        zh: in Chinese.
    """

    en: str = setting("Unnamed", "Name in English.", "chosen by the scenario")
    zh: str = setting("未命名", "Name in Chinese.", "chosen by the scenario")


class Scenario(Part):
    """All parameters of a world.

    Attributes:
        title: its name.
        start: first day.
        market: prices, regimes, outages, news.
        people: who the clients are.
        habits: what they do when nothing is wrong.
        experience: what hurts them.
        leaving: how they leave.
        help: what actions change.
        contagion: how leaving spreads.
        happenings: dated events.
    """

    title: Title = Title()
    start: date = setting(date(2024, 1, 2), "First day.", "chosen by the scenario")
    market: MarketSettings = MarketSettings()
    people: PeopleSettings = PeopleSettings()
    habits: Habits = Habits()
    experience: Experience = Experience()
    leaving: Leaving = Leaving()
    help: Help = Help()
    contagion: Contagion = Contagion()
    happenings: tuple[Happening, ...] = Field(
        (), description="Dated events.", json_schema_extra={"source": "chosen by the scenario"}
    )

    def record(self) -> Any:
        """The parameters of the kernels as one record; field names as in the sections."""
        values: dict[str, Any] = {}
        for section in (self.habits, self.experience, self.leaving, self.help, self.contagion):
            for name in type(section).model_fields:
                values[name] = np.asarray(getattr(section, name), np.float64)
        layout = [(name, np.float64, value.shape) for name, value in values.items()]
        record = np.zeros(1, np.dtype(layout))
        for name, value in values.items():
            record[name] = value
        return record[0]

    def with_(self, **sections: Any) -> Scenario:
        """A copy in which some parameters differ; the others of a section stay as they are.

        Args:
            **sections: section name to the parameters that change, nested as in a file.

        Raises:
            UsageError: an unknown section or parameter, or a wrong value.

        Example:
            >>> calm = Scenario().with_(contagion={"household": 0.0})
            >>> calm.contagion.household
            0.0
        """
        return parse_scenario(_merged(self.model_dump(mode="json"), sections), "with_")

    def dump(self) -> str:
        """All parameters as YAML; `load_scenario` reads it."""
        return yaml.safe_dump(self.model_dump(mode="json"), allow_unicode=True, sort_keys=False)


def shipped() -> list[str]:
    """Names of the scenarios that come with keepwell."""
    folder = files(SHIPPED)
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def load_scenario(name: str | Path = "calm-year") -> Scenario:
    """A scenario that comes with keepwell, by name, or a file.

    Args:
        name: such as 'calm-year', or a path that ends in .yaml or .yml.

    Raises:
        UsageError: no such scenario or file; not YAML; an unknown or wrong parameter.
    """
    text = str(name)
    if text.endswith((".yaml", ".yml")):
        path = Path(text)
        if not path.is_file():
            raise UsageError("world.scenario-missing", file=text)
        return _parse(read_yaml_file(path))
    known = shipped()
    if text not in known:
        raise UsageError(
            "world.scenario-unknown", name=text, nearest=nearest(text, known) or ", ".join(known)
        )
    return _parse(read_yaml((files(SHIPPED) / f"{text}.yaml").read_text("utf-8"), f"{text}.yaml"))


def parse_scenario(values: Any, name: str) -> Scenario:
    """Check the values of a scenario.

    Args:
        values: nested mapping, as read from YAML; None for nothing but defaults.
        name: told in errors.

    Raises:
        UsageError: `world.parameter-unknown` with the nearest one, `world.parameter-wrong` with
            what was expected, or `world.scenario-broken`.
    """
    return _parse(Document(name, values))


def parameters() -> dict[str, FieldInfo]:
    """Every parameter by its name with dots, such as 'leaving.hazard', in the order of the file.

    Those of a happening stand under 'happenings', without a number.
    """
    return dict(_leaves(Scenario, ""))


def _leaves(model: type[Part], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inside = _part_of(field.annotation)
        if inside is None:
            yield prefix + name, field
        else:
            yield from _leaves(inside, f"{prefix}{name}.")


def _part_of(annotation: Any) -> type[Part] | None:
    """The section that a type is, or is a list of."""
    if get_origin(annotation) is None:
        is_part = isinstance(annotation, type) and issubclass(annotation, Part)
        return annotation if is_part else None
    found = [_part_of(inner) for inner in get_args(annotation)]
    return next((part for part in found if part), None)


def _merged(whole: dict[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(whole)
    for name, value in changed.items():
        old = merged.get(name)
        both = isinstance(old, dict) and isinstance(value, Mapping)
        merged[name] = _merged(old, value) if both and old is not None else value
    return merged


def _parse(document: Document) -> Scenario:
    values = {} if document.value is None else document.value
    if not isinstance(values, dict):
        raise UsageError("world.scenario-broken", file=document.file)
    # A section all of whose lines are remarks is empty.
    given = {k: v for k, v in values.items() if v is not None or k not in Scenario.model_fields}
    try:
        return Scenario.model_validate(given)
    except ValidationError as error:
        # A misspelt name explains the rest.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != _UNKNOWN)
        raise _wrong(faults[0], document) from None


def _wrong(fault: ErrorDetails, document: Document) -> UsageError:
    place = fault["loc"]
    file = f"{document.file}:{document.line(place)}" if document.lines else document.file
    # People count from 1.
    steps = [str(step + 1) if isinstance(step, int) else step for step in place]
    if fault["type"] == _UNKNOWN:
        return UsageError(
            "world.parameter-unknown",
            file=file,
            parameter=".".join(steps),
            nearest=_nearest(place, steps) or "–",
        )
    value = fault["input"]
    if fault["type"] == "missing" and isinstance(place[-1], int):
        steps.pop()  # the list is wrong, not the entry that it lacks
    default = _default(place)
    return UsageError(
        "world.parameter-wrong",
        file=file,
        parameter=".".join(steps),
        value=value,
        problem=_shape(place) if PROBLEMS.get(fault["type"]) == _LIST else _problem(fault),
        default=tr(" Default: {value}.", value=default) if default else "",
    )


def _shape(place: tuple[int | str, ...]) -> str:
    """How many values a list takes, in the current language."""
    names = [step for step in place if isinstance(step, str)]
    field = parameters().get(".".join(names))
    shape = list(np.shape(field.get_default())) if field is not None else []
    if len(shape) == 2:
        return tr(_ROWS, rows=shape[0], columns=shape[1])
    fixed = field is not None and Ellipsis not in get_args(field.annotation)
    return tr(_VALUES, count=shape[0]) if len(shape) == 1 and fixed else tr(_LIST)


def _nearest(place: tuple[int | str, ...], steps: list[str]) -> str:
    """The known name nearest to an unknown one: the same elsewhere, alike here, alike elsewhere."""
    elsewhere = {name.rpartition(".")[2]: name for name in reversed(parameters())}
    wanted = steps[-1]
    if wanted in parameters():
        section, _, name = wanted.partition(".")
        return f"{section}: {{{name}: …}}"
    if wanted in elsewhere:
        return elsewhere[wanted]
    model: type[Part] | None = Scenario
    for step in place[:-1]:
        if model and isinstance(step, str):
            model = _part_of(model.model_fields[step].annotation)
    here = nearest(wanted, list(model.model_fields)) if model else ""
    if here:
        return ".".join([*steps[:-1], here])
    return elsewhere.get(nearest(wanted, list(elsewhere)), "")


def _problem(fault: ErrorDetails) -> str:
    """What is wrong with a value, in the current language."""
    context = dict(fault.get("ctx", {}))
    if fault["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", str(context["expected"]))
        close = nearest(str(fault["input"]), known) or "–"
        return tr(PROBLEMS["literal_error"], known=", ".join(known), nearest=close)
    words = PROBLEMS.get(fault["type"])
    if words:
        return tr(words, **context)
    return tr(str(context.get("error") or fault["msg"]))


def _default(place: tuple[int | str, ...]) -> str:
    """The default of a parameter, for people; empty where it has none or a long one."""
    value: Any = Scenario().model_dump(mode="json")
    for step in place:
        if isinstance(value, dict) and step in value:
            value = value[step]
    plain = not isinstance(value, dict) and place[0] != "happenings"
    return str(value) if plain and len(str(value)) <= _LONG else ""
