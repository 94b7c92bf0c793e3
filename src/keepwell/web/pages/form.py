"""From the fields of a form to the types of the API, with faults in words at their fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from keepwell.core.text import tr
from keepwell.frame.problem import Unprocessable

Model = TypeVar("Model", bound=BaseModel)


class FormError(Unprocessable):
    """A form that cannot be accepted.

    Args:
        faults: what is wrong, by field; in English, keys of the catalogue.
    """

    def __init__(self, faults: Mapping[str, str | tuple[str, dict[str, Any]]]) -> None:
        super().__init__("page.form-invalid")
        self.faults = dict(faults)

    def told(self, locale: str) -> dict[str, str]:
        """The faults in a language, by field."""
        told = {}
        for name, fault in self.faults.items():
            message, fields = fault if isinstance(fault, tuple) else (fault, {})
            told[name] = tr(message, locale, **fields)
        return told


def parse(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Values of a form as a type of the API.

    Args:
        model: the type.
        values: by field; '' stands for nothing and is left out.

    Raises:
        FormError: they do not fit.
    """
    given = {name: value for name, value in values.items() if value not in ("", None)}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults: dict[str, tuple[str, dict[str, Any]]] = {}
        for found in error.errors():
            name = str(found["loc"][0]) if found["loc"] else ""
            kind = found["type"]
            if kind in ("too_short", "too_long") and isinstance(found["input"], str):
                kind = f"string_{kind}"  # a length asked for after the text was cleaned
            faults.setdefault(name, _fault(kind, found.get("ctx") or {}))
        raise FormError(faults) from None


def local_moment(text: str, zone: ZoneInfo) -> str:
    """What a field for date and time holds, in the exchange's zone, as the API takes it.

    Args:
        text: such as '2026-03-04T10:00'; '' stays ''.
        zone: the exchange's zone.

    Raises:
        FormError: it is no date and time.
    """
    if not text:
        return ""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    except ValueError:
        raise FormError({"": "Choose a date and a time."}) from None


_FAULTS: Final = {
    "missing": "Fill this in.",
    "string_too_short": "At least {min_length} characters.",
    "string_too_long": "At most {max_length} characters.",
    "too_short": "Choose at least {min_length}.",
    "too_long": "Choose at most {max_length}.",
    "greater_than": "More than {gt}.",
    "greater_than_equal": "At least {ge}.",
    "less_than": "Less than {lt}.",
    "less_than_equal": "At most {le}.",
    "int_parsing": "A whole number.",
    "int_type": "A whole number.",
    "float_parsing": "A number.",
    "literal_error": "Choose one of the list.",
    "enum": "Choose one of the list.",
    "datetime_from_date_parsing": "Choose a date and a time.",
    "datetime_parsing": "Choose a date and a time.",
    "date_from_datetime_parsing": "Choose a date.",
    "date_parsing": "Choose a date.",
}
"""Words for what the types find wrong."""


def _fault(kind: str, context: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    message = _FAULTS.get(kind, "This cannot be accepted.")
    fields = {k: v for k, v in context.items() if "{" + k + "}" in message}
    return message, fields
