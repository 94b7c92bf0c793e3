"""The parameters of scenarios, and the scenarios that ship, as a page of the documentation."""

from __future__ import annotations

import inspect
from importlib.resources import files
from typing import Any, Final

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from keepwell.world.scenario import SHIPPED, Happening, Scenario, load_scenario, parameters, shipped
from keepwell.world.settings import Part
from keepwell.world.terms import ACTIONS, CAUSES, STAGES, TOPICS

HAPPENINGS: Final = {
    "outage": (
        "One failure of `system` on each of the days, mostly in the first trading hours. App "
        "errors, response times and waiting times rise, more transfers of money fail, and it may "
        "get into the news. Strength below 0.5 is slight, from 1.5 on severe, 2 the worst. Which "
        "system fails changes the outage table and the news, not how clients feel it."
    ),
    "adviser_leaves": (
        "The adviser of each shard with the most assets in the book leaves the broker on `day`; a "
        "second one takes the next adviser. All clients of the book are hurt (cause advice), by "
        "`contagion.adviser_leaves` times the strength, and pass to a colleague of the branch. "
        "`days` has no meaning."
    ),
    "price_war": (
        "Rivals undercut on each of the days: a grievance about price grows by "
        "`experience.rival_hurt` times the strength a day. An offer of usual times has "
        "`market.offer_strength`."
    ),
    "regulator": (
        "A regulator acts against the broker. On each of the days, a client hears of it with "
        "chance `experience.heard` and loses trust, by `experience.trust_hurt` times the strength."
    ),
    "crash": (
        "The regime is `crash` on the days, and over them the index falls by a log of "
        "`market.forced_fall` times the strength. A recovery follows."
    ),
    "bull": (
        "The regime is `bull` on the days, and over them the index rises by a log of "
        "`market.forced_rise` times the strength."
    ),
    "news": (
        "At least one piece of bad news about the broker on each of the days; its sentiment, and "
        "so the loss of trust of those who hear it, grow with the strength up to 1."
    ),
}
"""What each kind of happening does."""

_HEAD: Final = f"""# Scenarios and their parameters

A scenario is a YAML file that says how strong each mechanism of a simulated world is, and what
befalls it. It names only what differs from the defaults below. [Write a
scenario](../how-to/write-a-scenario.md) shows how.

Names stand in the file one below the other: `people.leaving.by_age` is `by_age` below `leaving`
below `people`. Lists have a fixed order:

- by cause: {", ".join(CAUSES)};
- by stage: {", ".join(STAGES[1:])};
- by action: {", ".join(ACTIONS)};
- by topic of views: {", ".join(TOPICS)}.

Sources: "source report", "spec.md" and § are the plan for keeping brokers' clients that keepwell
follows, and its figures as this project registered them. "Assumption" means that we know of no
source and chose a value; nothing is claimed for it beyond the reason given. "Calibrated" means that
the value was set so that the world as a whole meets those figures."""

_ENTRIES: Final = """Entries of the list `happenings`; several may overlap. Days count from 0, the
first day. What is ordered beyond the last day of a world does not come."""

_COLUMNS: Final = (
    "| parameter | default | unit | allowed | meaning | source |\n|---|---|---|---|---|---|"
)


def render() -> str:
    """The whole page as Markdown.

    Example:
        >>> render().splitlines()[0]
        '# Scenarios and their parameters'
    """
    parts = [_HEAD, "## Scenarios that ship", _shipped(), "## Parameters"]
    rows: dict[str, list[str]] = {}
    for name, field in parameters().items():
        rows.setdefault(name.rpartition(".")[0], []).append(_row(name, field))
    for section, lines in rows.items():
        parts.append(f"### {section or 'The world'}")
        if section:
            parts.append(_about(section))
        parts.append("\n".join([_COLUMNS, *lines]))
    parts += ["## Happenings", _happenings()]
    return "\n\n".join(parts) + "\n"


def _shipped() -> str:
    lines = []
    for name in shipped():
        title = load_scenario(name).title
        text = (files(SHIPPED) / f"{name}.yaml").read_text("utf-8").strip()
        lines.append(f"### {name}\n\n{title.en} / {title.zh}\n\n```yaml\n{text}\n```")
    return "\n\n".join(lines)


def _about(section: str) -> str:
    """What a section is, as its class says."""
    model: type[Part] = Scenario
    for name in section.split("."):
        inner = model.model_fields[name].annotation
        model = inner if isinstance(inner, type) and issubclass(inner, Part) else Happening
    return inspect.cleandoc(model.__doc__ or "").partition("\n\nAttributes:")[0]


def _row(name: str, field: FieldInfo) -> str:
    extra: Any = field.json_schema_extra or {}
    cells = [
        f"`{name}`", _value(field.get_default()), extra["unit"], _allowed(field),
        field.description or "", extra["source"],
    ]  # fmt: skip
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        between = "<br>" if value and isinstance(value[0], tuple) else ", "
        return between.join(_value(inner) for inner in value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _allowed(field: FieldInfo) -> str:
    """Bounds of a number, what a list must keep to, or the words that may stand there."""
    words = getattr(field.annotation, "__args__", ())
    if words and all(isinstance(word, str) for word in words):
        return ", ".join(f"`{word}`" for word in words)
    bounds = [
        f"{sign} {getattr(limit, name):.15g}"
        for limit in field.metadata
        for sign, name in (("≥", "ge"), ("≤", "le"))
        if hasattr(limit, name)
    ]
    words = [rule.func.__doc__ or "" for rule in field.metadata if isinstance(rule, AfterValidator)]
    rules = [text[:1].lower() + text[1:].rstrip(".") for text in words]
    return ", ".join(bounds + rules)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _happenings() -> str:
    rows = [f"| `{kind}` | {_cell(words)} |" for kind, words in HAPPENINGS.items()]
    return "\n".join([_ENTRIES, "", "| kind | what it does |", "|---|---|", *rows])
