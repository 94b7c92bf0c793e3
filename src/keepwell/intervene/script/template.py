"""Templates of scripts: dated, versioned data, and the library of those in force."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from keepwell.core.errors import UsageError, nearest
from keepwell.intervene.contact.policy import Aim, Channel
from keepwell.intervene.script.facts import SLOTS, Kind
from keepwell.intervene.script.figures import figures
from keepwell.intervene.script.normal import normal
from keepwell.intervene.script.persona import Persona
from keepwell.intervene.script.phrases import Both, Occasion, fault
from keepwell.observe.mapping_yaml import read_yaml_file
from keepwell.warn.reason_codes import ReasonCode

_FOLDER: Final = Path(__file__).parent / "templates"
NOT_TEMPLATES: Final = frozenset({"phrases.yaml", "personas.yaml"})
"""Files of a workspace's folder `scripts` that hold something else."""

CHANNELS: Final = (
    Channel.PHONE, Channel.WECOM, Channel.SMS, Channel.APP, Channel.EMAIL, Channel.BRANCH,
)  # fmt: skip
"""Channels that have scripts."""

SLOT: Final = re.compile(r"\{([a-z_]+)\}")

TierCode = Literal["mild", "moderate", "severe"]


class Template(BaseModel):
    """A script with slots.

    Attributes:
        id: its name; the same in all versions.
        version: from 1 on.
        since: first day in force.
        until: first day no longer in force; None: still.
        occasion: what is going on with the client; only templates of that occasion apply.
        aim: to keep the client, or for the client's own business.
        reasons: codes it speaks to; none: any.
        tiers: warning tiers it is for; none: any.
        personas: whom it speaks to; none: anybody.
        channels: ways in which it may be used.
        text: what is said or written to the client; facts stand in braces.
        note: what staff should know or do; not for the client.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]{1,80}$")]
    version: Annotated[int, Field(ge=1)] = 1
    since: Annotated[date, Field(alias="from")]
    until: date | None = None
    occasion: Occasion = Occasion.ORDINARY
    aim: Aim = Aim.RETENTION
    reasons: list[ReasonCode] = []
    tiers: list[TierCode] = []
    personas: list[Persona] = []
    channels: Annotated[list[Channel], Field(min_length=1)]
    text: Both
    note: Both | None = None

    @field_validator("channels")
    @classmethod
    def _have_scripts(cls, channels: list[Channel]) -> list[Channel]:
        if not set(channels) <= set(CHANNELS):
            raise ValueError(f"channels of scripts are {', '.join(CHANNELS)}")
        return channels

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _check_slots(self.text)
        if self.note is not None:
            _check_slots(self.note, figures_too=False)
        if slots_of(self.text.en) != slots_of(self.text.zh):
            raise ValueError("the two languages name different slots")
        if self.occasion is not Occasion.ORDINARY:
            # Whoever leaves or complains hears the same, whatever a score says (R-EXIT-1).
            if self.reasons or self.tiers or self.personas:
                raise ValueError(
                    "a script for a complaint or an exit is for everybody: "
                    "no reasons, tiers or personas"
                )
            if self.aim is not Aim.SERVICE:
                raise ValueError("a script for a complaint or an exit has the aim service")
        if self.until is not None and self.until <= self.since:
            raise ValueError("until must be after from")
        return self

    @property
    def slots(self) -> tuple[str, ...]:
        """Slots of the client's text, sorted."""
        return tuple(sorted(slots_of(self.text.en)))

    @property
    def commercial(self) -> bool:
        """Whether it is to keep or win business."""
        return self.aim is Aim.RETENTION

    @property
    def names_product(self) -> bool:
        """Whether it names a product."""
        return any(SLOTS[slot].kind is Kind.PRODUCT for slot in self.slots)

    @property
    def ref(self) -> str:
        """Name and version, as contacts record them."""
        return f"{self.id}@{self.version}"

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def in_force(self, on: date) -> bool:
        """Whether it may be used on a day."""
        return self.since <= on and (self.until is None or on < self.until)


def slots_of(text: str) -> set[str]:
    """The slots that a text names."""
    return set(SLOT.findall(text))


def _check_slots(both: Both, figures_too: bool = True) -> None:
    for text in (both.en, both.zh):
        for slot in sorted(slots_of(text)):
            if slot not in SLOTS:
                close = nearest(slot, list(SLOTS))
                raise ValueError(f"there is no slot {slot!r}; nearest: {close or '–'}")
        bare = SLOT.sub("\N{BULLET}", text)
        if "{" in bare or "}" in bare:
            raise ValueError("braces only around the name of a slot")
        loose = figures(normal(bare).text) if figures_too else []
        if loose:
            words = normal(bare).text[loose[0].start : loose[0].end]
            raise ValueError(f"figures only by slots: {words!r}")


@dataclass(frozen=True)
class Library:
    """Templates by name; of each the versions that there are, newest last.

    Attributes:
        versions: by name.
    """

    versions: dict[str, tuple[Template, ...]]

    def on(self, day: date) -> list[Template]:
        """The newest version in force of each template on a day, by name."""
        found = []
        for name in sorted(self.versions):
            live = [t for t in self.versions[name] if t.in_force(day)]
            if live:
                found.append(live[-1])
        return found

    def get(self, ref: str) -> Template:
        """A template by name, or by name and version: 'app.less.phone', 'app.less.phone@1'.

        Raises:
            UsageError: there is none.
        """
        name, _, version = ref.partition("@")
        for template in reversed(self.versions.get(name, ())):
            if not version or str(template.version) == version:
                return template
        close = nearest(name, list(self.versions))
        raise UsageError("script.template-unknown", template=ref, nearest=close or "–")


def read_templates(path: Path) -> list[Template]:
    """The templates of one file: `templates:`, then a mapping by name.

    Raises:
        UsageError: the file is not acceptable, with line and place.
    """
    document = read_yaml_file(path)
    content = document.value
    entries = content.get("templates") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or set(content) != {"templates"}:
        raise UsageError(
            "script.file-invalid", file=path.name, line=1, place="templates",
            problem="a mapping of names to templates is expected, and nothing beside it",
        )  # fmt: skip
    made = []
    for name, body in entries.items():
        try:
            made.append(Template.model_validate({**_mapping(body), "id": name}))
        except ValidationError as error:
            raise fault(error, document, at=("templates", name)) from None
    return made


def _mapping(body: object) -> dict[str, object]:
    return body if isinstance(body, dict) else {"text": body}


@lru_cache(maxsize=1)
def shipped_templates() -> tuple[Template, ...]:
    """The templates that come with keepwell."""
    return tuple(t for path in sorted(_FOLDER.glob("*.yaml")) for t in read_templates(path))


def library(folder: Path | None = None) -> Library:
    """The templates of a workspace: the shipped ones and those of its folder `scripts`.

    Args:
        folder: the workspace's folder `scripts`; default: only the shipped ones.

    Raises:
        UsageError: a file is not acceptable, or a version of a template is there twice.
    """
    own: list[Template] = []
    if folder is not None and folder.is_dir():
        for path in sorted(folder.glob("*.yaml")):
            if path.name not in NOT_TEMPLATES:
                own += read_templates(path)
    return collect([*shipped_templates(), *own])


def collect(templates: Iterable[Template]) -> Library:
    """A library of these templates.

    Raises:
        UsageError: a version of one is there twice.
    """
    versions: dict[str, dict[int, Template]] = {}
    for template in templates:
        if template.version in versions.setdefault(template.id, {}):
            raise UsageError(
                "script.file-invalid", file="scripts", line=1, place=template.id,
                problem=f"version {template.version} is there already; give a higher one",
            )  # fmt: skip
        versions[template.id][template.version] = template
    return Library(
        {name: tuple(of[v] for v in sorted(of)) for name, of in sorted(versions.items())}
    )
