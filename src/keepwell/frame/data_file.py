"""Files of dated data that people write: one list of entries, checked, each fault with its line.

What rules of suitability and actions have in common; no database, no web framework.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from keepwell.core.digest import digest_of
from keepwell.core.errors import UsageError, nearest
from keepwell.core.text import current_locale
from keepwell.observe.mapping_yaml import Document, Loc, read_yaml

Entry = TypeVar("Entry", bound=BaseModel)

NONE: Final = "–"
CODED: Final = "keepwell"
"""Type of a `PydanticCustomError` that carries `code`, a code of ours, and the fields of its words
besides file, line and key."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]

_EXPECTED: Final = {
    "string_type": "text",
    "string_too_short": "some text",
    "string_too_long": "a shorter text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "date_from_datetime_parsing": "a date such as 2026-07-01",
    "date_parsing": "a date such as 2026-07-01",
    "date_type": "a date such as 2026-07-01",
    "list_type": "a list",
    "tuple_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "too_short": "at least one entry",
}
"""What to expect, by pydantic's type of fault; its own words where none stand here."""


class Part(BaseModel):
    """A piece of such a file: nothing unknown in it, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Part):
    """A text in both languages.

    Attributes:
        en: English.
        zh: Chinese.
    """

    en: Text
    zh: Text

    def say(self, locale: str | None = None) -> str:
        """The text in a language ('en' or 'zh'; default: the current one)."""
        return self.zh if (locale or current_locale()) == "zh" else self.en


def digest(part: BaseModel) -> str:
    """SHA-256 of an entry's content, 64 hex digits; equal content, equal digest."""
    return digest_of(part.model_dump(mode="json", by_alias=True))


def read_entries(
    text: str, file: str, key: str, entry: type[Entry]
) -> list[tuple[Entry, Loc, Document]]:
    """The checked entries of the file's one list.

    Args:
        text: the file's content, YAML.
        file: its name for error messages.
        key: the name of the list, the only key at the top.
        entry: what each item is.

    Returns:
        Each entry with the place where it stands.

    Raises:
        UsageError: `mapping.yaml-invalid`, `mapping.key-twice`, `data-file.key-missing`,
            `data-file.key-unknown` or `data-file.value-invalid`: the first fault, with its line.
    """
    document = read_yaml(text, file)
    value = document.value
    if not isinstance(value, dict) or key not in value:
        raise UsageError("data-file.key-missing", file=file, line=1, key=key)
    for other in value:
        if other != key:
            raise _unknown(document, (other,), [key])
    items = value[key]
    if not isinstance(items, list) or not items:
        raise wrong(document, (key,), items, "a list with at least one entry")
    found: list[tuple[Entry, Loc, Document]] = []
    for index, item in enumerate(items):
        try:
            found.append((entry.model_validate(item), (key, index), document))
        except ValidationError as error:
            raise _first_fault(error, document, (key, index), entry) from None
    return found


def wrong(document: Document, loc: Loc, value: object, expected: str) -> UsageError:
    """The error of a value that is not acceptable.

    Args:
        document: the file.
        loc: where the value stands.
        value: it.
        expected: what would be acceptable, in English.
    """
    shown = NONE if isinstance(value, (dict, list)) else value
    place = {"file": document.file, "line": document.line(loc), "key": _path(loc)}
    return UsageError("data-file.value-invalid", **place, value=shown, expected=expected)


def _unknown(document: Document, loc: Loc, known: list[str]) -> UsageError:
    return UsageError(
        "data-file.key-unknown",
        file=document.file,
        line=document.line(loc),
        key=_path(loc),
        nearest=nearest(str(loc[-1]), known) or NONE,
        known=", ".join(known),
    )


def _first_fault(
    error: ValidationError, document: Document, at: Loc, entry: type[BaseModel]
) -> UsageError:
    """The fault that stands first in the file; unknown keys first, as they explain missing ones."""
    faults = [((*at, *fault["loc"]), fault) for fault in error.errors()]
    faults.sort(key=lambda x: (x[1]["type"] != "extra_forbidden", document.line(x[0])))
    loc, fault = faults[0]
    if fault["type"] == "extra_forbidden":
        return _unknown(document, loc, _keys(entry, fault["loc"][:-1]))
    if fault["type"] == "missing":
        place = {"file": document.file, "line": document.line(loc), "key": _path(loc)}
        return UsageError("data-file.key-missing", **place)
    context = dict(fault.get("ctx", {}))
    if fault["type"] == CODED:
        place = {"file": document.file, "line": document.line(loc), "key": _path(loc)}
        return UsageError(context.pop("code"), **place, **context)
    own = context.get("error")
    expected = _EXPECTED.get(fault["type"]) or str(own or context.get("expected") or fault["msg"])
    return wrong(document, loc, fault["input"], expected)


def _keys(entry: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Keys known at a place of an entry; none where it is not one of our parts."""
    model: Any = entry
    for step in loc:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
        names = {f.alias or n: f.annotation for n, f in model.model_fields.items()}
        model = names.get(str(step))
        inner = getattr(model, "__args__", ())
        model = next((a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)), model)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [f.alias or n for n, f in model.model_fields.items()]
    return []


def _path(loc: Loc) -> str:
    return ".".join(str(step) for step in loc)
