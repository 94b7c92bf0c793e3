"""What the forms of a case share: names of fields, faults at them, and the page shown again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Path

from keepwell.frame.database import Tx
from keepwell.frame.text import Id
from keepwell.trust.access.policy import Actor
from keepwell.web.pages.case_view import case_context
from keepwell.web.pages.form import FormError, Model, local_moment, parse
from keepwell.web.pages.visit import Context, Visit

CaseId = Annotated[Id, Path()]


def place(case_id: str) -> str:
    """The address of a case."""
    return "/cases/" + quote(case_id, safe="")


def again(visit: Visit, case_id: str) -> tuple[str, Context]:
    """Template and verb of the page, to be shown again when a form of it is refused."""

    def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        return case_context(tx, actor, visit, case_id, correct=visit.text("note_corrects"))

    return "case/page.html", verb


def parsed(
    prefix: str,
    model: type[Model],
    values: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
) -> Model:
    """Values of one of the forms of the page as a type of the API.

    The forms are on one page, so each field is called by its form: faults are named likewise.

    Args:
        prefix: of the form's fields.
        model: the type.
        values: by the type's fields.
        names: fields of the form that are called otherwise, by the type's fields.

    Raises:
        FormError: they do not fit.
    """
    called = names or {}
    try:
        return parse(model, values)
    except FormError as error:
        raise FormError(
            {called.get(name, f"{prefix}_{name}"): fault for name, fault in error.faults.items()}
        ) from None


def moment(visit: Visit, name: str) -> str:
    """What a field for date and time holds, as the API takes it; '' for nothing.

    Raises:
        FormError: it is no date and time.
    """
    try:
        return local_moment(visit.text(name), visit.frame.zone)
    except FormError as error:
        raise FormError({name: next(iter(error.faults.values()))}) from None
