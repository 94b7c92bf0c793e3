"""The catalogue of actions: versioned data, read strictly, the shipped ones by the same door.

A file is a list of entries under `actions`. An entry with an id that there is already, and the next
version, takes the place of the one before from its first day on. Packages add files through the
entry-point group `keepwell.actions`; a workspace has its own `actions.yaml`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property, lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from keepwell.core.errors import UsageError, nearest
from keepwell.core.money import AMOUNT_LIMIT, minor_exponent
from keepwell.core.text import tr
from keepwell.frame.data_file import CODED, NONE, Part, Words, digest, read_entries, wrong
from keepwell.intervene.action import wording
from keepwell.intervene.contact.policy import Aim, Channel
from keepwell.observe.mapping_yaml import Document, Loc
from keepwell.trust.consent.policy import Purpose
from keepwell.trust.suitability.policy import ProductLevel
from keepwell.warn.reason_codes import ReasonCode
from keepwell.world.terms import ACTIONS as SIMULATED

SHIPPED: Final = Path(__file__).parent / "actions.yaml"
FILE_NAME: Final = "actions.yaml"
ENTRY_POINTS: Final = "keepwell.actions"
"""Group of functions without arguments that give the path of a file of actions."""

ActionId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
TierCode = Literal["none", "mild", "moderate", "severe"]


class Who(StrEnum):
    """Who carries an action out."""

    MANAGER = "manager"
    ADVISER = "adviser"
    LEAD = "lead"
    DIRECTOR = "director"

    def title(self, locale: str | None = None) -> str:
        """The role for people."""
        return tr(WHO_TITLES[self], locale)


WHO_TITLES: Final[dict[Who, str]] = {
    Who.MANAGER: "Relationship manager",
    Who.ADVISER: "Investment adviser",
    Who.LEAD: "Team or branch lead",
    Who.DIRECTOR: "Regional director",
}
"""Roles, in English."""


class Situation(StrEnum):
    """What must be the case for a service to make sense."""

    ANY = "any"
    COMPLAINT = "complaint"
    EXIT = "exit"


class Need(StrEnum):
    """What suitability must say first."""

    NONE = "none"
    PRODUCT = "product"
    LEVERAGE = "leverage"


class ActionWords(Words):
    """Words of an action; refused where they carry what rules IN-1 to IN-3 and SU-8 forbid."""

    @field_validator("en", "zh")
    @classmethod
    def _lawful(cls, value: str, info: ValidationInfo) -> str:
        fault = next(wording.faults(value), None)
        if fault is None:
            return value
        context = {
            "code": "action.wording-forbidden",
            "phrase": fault.phrase,
            "rule": fault.rule,
        }
        raise PydanticCustomError(
            CODED, "{rule}: {phrase} in {at}", context | {"at": info.field_name}
        )


class Money(Part):
    """An amount.

    Attributes:
        amount: minor units (cents, 分), not below zero.
        currency: ISO 4217 code.
    """

    amount: Annotated[StrictInt, Field(ge=0, le=AMOUNT_LIMIT)]
    currency: str

    @field_validator("currency")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            minor_exponent(value)
        except UsageError:
            raise ValueError("an ISO 4217 code such as CNY") from None
        return value


class SuitabilityNeed(Part):
    """What suitability must say before an action.

    Attributes:
        need: nothing, that a product of `level` suits, or that new leverage does.
        level: the highest product level that the action may speak for; with `product` only.
    """

    need: Need
    level: ProductLevel | None = None

    @model_validator(mode="after")
    def _level_of_a_product(self) -> Self:
        if (self.need is Need.PRODUCT) != (self.level is not None):
            raise ValueError("a level from R1 to R5 with need: product, and only there")
        return self


class Effect(Part):
    """What an action is taken to change.

    Attributes:
        reduction: relative reduction of the chance to leave, 0 to 0.5.
        assumed: always true in a file; what is proven comes from experiments.
        source: where the figure comes from.
    """

    reduction: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)]
    assumed: Literal[True]
    source: Words


class Action(Part):
    """One version of an action.

    Attributes:
        id: its name for programs; the same in every version.
        version: from 1.
        since: `from` in files: the first day on which it may be used.
        until: `to` in files: the first day on which it may not any more; the same as `from` in a
            version that only withdraws the one before.
        aim: 'retention' to keep the client, 'service' for the client's own business.
        mandatory: a service that is owed, whatever it is worth.
        situation: what must be the case: any, complaint or exit.
        title: its name.
        text: what staff do, and what they leave.
        who: who carries it out.
        minutes: of working time.
        cost: what it costs besides time.
        channels: ways to do it, best first.
        tiers: tiers that it fits.
        reasons: reason codes that it fits; None ('any' in files): all.
        suitability: what suitability must say first.
        purposes: consents that must be on record.
        cool_down_days: days after which it may be used again.
        effect: what it is taken to change.
        simulated_as: the action of the simulated world that it is rehearsed as.
    """

    id: ActionId
    version: Annotated[StrictInt, Field(ge=1)] = 1
    since: date = Field(alias="from")
    until: date | None = Field(default=None, alias="to")
    aim: Aim
    mandatory: StrictBool = False
    situation: Situation = Situation.ANY
    title: ActionWords
    text: ActionWords
    who: Who
    minutes: Annotated[StrictInt, Field(ge=1, le=480)]
    cost: Money
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    tiers: Annotated[tuple[TierCode, ...], Field(min_length=1)]
    reasons: tuple[ReasonCode, ...] | None
    suitability: SuitabilityNeed
    purposes: tuple[Purpose, ...] = ()
    cool_down_days: Annotated[StrictInt, Field(ge=0, le=365)]
    effect: Effect
    simulated_as: str | None = None

    @field_validator("reasons", mode="before")
    @classmethod
    def _any(cls, value: object) -> object:
        if value == "any":
            return None
        if not isinstance(value, (list, tuple)) or not value:
            raise ValueError("any, or a list of reason codes")
        return value

    @field_validator("channels", "tiers", "reasons", "purposes")
    @classmethod
    def _once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and len(set(value)) < len(value):
            raise ValueError("each only once")
        return value

    @field_validator("simulated_as")
    @classmethod
    def _in_the_world(cls, value: str | None) -> str | None:
        if value is not None and value not in SIMULATED:
            raise ValueError("one of " + ", ".join(SIMULATED))
        return value

    @model_validator(mode="after")
    def _lawful(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise ValueError("to not before from")
        if self.aim is Aim.RETENTION:
            if self.mandatory or self.situation is not Situation.ANY:
                raise ValueError("mandatory and situation with aim: service only")
            if self.suitability.need is not Need.NONE and Purpose.MARKETING not in self.purposes:
                raise ValueError("purposes with marketing where an action speaks for a product")
        elif self.suitability.need is not Need.NONE or Purpose.MARKETING in self.purposes:
            raise ValueError("aim: retention where an action speaks for a product or advertises")
        return self

    @property
    def name(self) -> str:
        """Id and version, such as 'service-call@1'."""
        return f"{self.id}@{self.version}"

    def digest(self) -> str:
        """SHA-256 of the content."""
        return digest(self)


@dataclass(frozen=True, eq=False)
class Actions:
    """The actions in force on one day, by id, in the order of the ids.

    Attributes:
        day: the day, of the exchange.
        by_id: the version of each action in force.
    """

    day: date
    by_id: Mapping[str, Action]

    def __iter__(self) -> Iterator[Action]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def get(self, action_id: str) -> Action:
        """An action in force.

        Raises:
            UsageError: there is none of this id.
        """
        if action_id not in self.by_id:
            close = nearest(action_id, list(self.by_id)) or NONE
            raise UsageError("action.id-unknown", id=action_id, nearest=close)
        return self.by_id[action_id]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the digests of all actions in force."""
        text = "\n".join(f"{a.name} {a.digest()}" for a in self)
        return hashlib.sha256(text.encode()).hexdigest()


class Catalogue:
    """All versions of all actions.

    Args:
        actions: in any order; no version of an action twice.

    Example:
        >>> actions = Catalogue.shipped().on(date(2026, 11, 2))
        >>> actions.get("service-call").who.value
        'manager'
    """

    def __init__(self, actions: Iterable[Action]) -> None:
        self.versions = tuple(sorted(actions, key=lambda a: (a.id, a.version)))

    @classmethod
    def shipped(cls) -> Catalogue:
        """The actions that come with keepwell."""
        return cls(_shipped())

    @classmethod
    def of_workspace(cls, folder: Path) -> Catalogue:
        """The shipped actions, those of installed packages, and those of the workspace's file.

        Raises:
            UsageError: the first fault of a file, with its line.
        """
        catalogue = cls.shipped()
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: (p.name, p.value)):
            catalogue = catalogue.with_file(Path(point.load()()))
        own = folder / FILE_NAME
        return catalogue.with_file(own) if own.is_file() else catalogue

    def with_file(self, path: Path) -> Catalogue:
        """This catalogue with the actions of a file added.

        Raises:
            UsageError: `action.file-missing`, or the first fault, with its line.
        """
        if not path.is_file():
            raise UsageError("action.file-missing", path=path)
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError:
            raise UsageError(
                "mapping.yaml-invalid", file=path.name, line=1, problem="not UTF-8"
            ) from None
        return self.with_text(text, path.name)

    def with_text(self, text: str, file: str = FILE_NAME) -> Catalogue:
        """This catalogue with the actions of a text added; as `with_file`."""
        newest = {action.id: action for action in self.versions}
        added = []
        for action, loc, document in read_entries(text, file, "actions", Action):
            _follows(action, newest.get(action.id), loc, document)
            newest[action.id] = action
            added.append(action)
        return Catalogue([*self.versions, *added])

    def on(self, day: date) -> Actions:
        """The actions in force on a day.

        Args:
            day: of the exchange.
        """
        current = {a.id: a for a in self.versions if a.since <= day}
        return Actions(day, {i: a for i, a in current.items() if a.until is None or a.until > day})

    def version(self, action_id: str, version: int) -> Action:
        """One version of an action, in force or not; for replaying what was decided.

        Raises:
            UsageError: there is none.
        """
        for action in self.versions:
            if (action.id, action.version) == (action_id, version):
                return action
        name, known = f"{action_id}@{version}", [a.name for a in self.versions]
        raise UsageError("action.id-unknown", id=name, nearest=nearest(name, known) or NONE)


def _follows(action: Action, before: Action | None, loc: Loc, document: Document) -> None:
    """A version follows the one before, in number and in time."""
    expected = before.version + 1 if before else 1
    if action.version != expected:
        words = f"version {expected}, the next of {action.id}"
        raise wrong(document, (*loc, "version"), action.version, words)
    if before is not None and action.since <= before.since:
        words = f"a day after {before.since}, the first of version {before.version}"
        raise wrong(document, (*loc, "from"), action.since, words)


@lru_cache(maxsize=1)
def _shipped() -> tuple[Action, ...]:
    return Catalogue(()).with_text(SHIPPED.read_text("utf-8"), SHIPPED.name).versions
