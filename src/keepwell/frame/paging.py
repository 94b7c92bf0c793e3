"""Lists in pages by cursor: a cursor is the sort key of the last row, so pages never shift.

The cursor is sealed with the desk's secret: sort keys may be what its holder must not see, such
as score times assets, and nobody can make one up.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, and_, bindparam, or_

from keepwell.core.errors import KeepwellError, nearest
from keepwell.frame.context import IN_USE
from keepwell.frame.problem import Unprocessable

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page of a list.

    Attributes:
        items: the rows.
        next: cursor of the next page; null at the end.
    """

    items: list[Item]
    next: str | None = Field(default=None, examples=["3l0cUXWv7CqQvBTCHCqYzQ"])


_BLOCK: Final = 48
_LOOSE: Final = AESSIV(secrets.token_bytes(64))
"""Seals cursors made outside of a unit of work; they last as long as the process."""


def _seal() -> AESSIV:
    frame = IN_USE.get()
    return _LOOSE if frame is None else frame.cursor_seal


Limit = Annotated[int, Query(ge=1, le=500, description="Rows per page.")]
Cursor = Annotated[
    str | None, Query(max_length=500, description="`next` of the page before; none for the first.")
]


def encode_cursor(values: Sequence[Any]) -> str:
    """The cursor after a row with these sort values (text, numbers, instants, None)."""
    plain = [{"t": v.isoformat()} if isinstance(v, datetime) else v for v in values]
    text = json.dumps(plain, separators=(",", ":")).encode()
    # The length must not tell how many digits a number has.
    padded = text.ljust(-(-len(text) // _BLOCK) * _BLOCK)
    return base64.urlsafe_b64encode(_seal().encrypt(padded, None)).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: Sequence[type]) -> list[Any]:
    """The sort values in a cursor.

    Args:
        cursor: as `encode_cursor` wrote it.
        kinds: type of each value: str, int, float or datetime.

    Raises:
        Unprocessable: it is not such a cursor.
    """
    try:
        sealed = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        plain = json.loads(_seal().decrypt(sealed, None))
        values = [datetime.fromisoformat(v["t"]) if isinstance(v, dict) else v for v in plain]
        if any(isinstance(v, datetime) and v.tzinfo is None for v in values):
            raise ValueError
        if len(values) != len(kinds) or not all(
            isinstance(v, (int, float) if kind is float else kind) and not isinstance(v, bool)
            for v, kind in zip(values, kinds, strict=True)
        ):
            raise ValueError
    except (
        ValueError, KeyError, TypeError, binascii.Error, RecursionError, OverflowError, InvalidTag,
    ):  # fmt: skip
        raise Unprocessable("request.cursor-invalid") from None
    return values


def after(columns: Sequence[tuple[Any, bool]], values: Sequence[Any]) -> ColumnElement[bool]:
    """The condition for rows that come after the cursor's.

    Args:
        columns: sort columns, none of which may be null, with whether each descends; the last is
            unique.
        values: the cursor's values, one for each.
    """
    steps = []
    for position, (column, descends) in enumerate(columns):
        same = [c == v for (c, _), v in zip(columns[:position], values, strict=False)]
        value = values[position]
        steps.append(and_(*same, column < value if descends else column > value))
    # Says nothing new, but lets the database begin in the index where the page before ended.
    (first, down), start = columns[0], values[0]
    return and_(first <= start if down else first >= start, or_(*steps))


def page_of(
    statement: Select[Any],
    columns: Sequence[tuple[Any, bool]],
    kinds: Sequence[type],
    limit: int,
    cursor: str | None,
) -> Select[Any]:
    """The statement for one page, one row longer than the page to tell whether more follow."""
    if cursor:
        statement = statement.where(after(columns, decode_cursor(cursor, kinds)))
    return statement.order_by(*(c.desc() if d else c.asc() for c, d in columns)).limit(limit + 1)


def prepared_page(
    statement: Select[Any], columns: Sequence[tuple[Any, bool]], paged: bool
) -> Select[Any]:
    """As `page_of`, for a statement that is built once and run with `page_values`.

    Args:
        statement: what to page.
        columns: sort columns with whether each descends.
        paged: whether the page is one after a cursor.
    """
    if paged:
        places = [bindparam(f"after_{i}", type_=c.type) for i, (c, _) in enumerate(columns)]
        statement = statement.where(after(columns, places))
    ordered = statement.order_by(*(c.desc() if d else c.asc() for c, d in columns))
    return ordered.limit(bindparam("page_rows"))


def page_values(kinds: Sequence[type], limit: int, cursor: str | None) -> dict[str, Any]:
    """The parameters of a statement made by `prepared_page`.

    Raises:
        Unprocessable: it is not such a cursor.
    """
    places = decode_cursor(cursor, kinds) if cursor else ()
    return {f"after_{i}": v for i, v in enumerate(places)} | {"page_rows": limit + 1}


def sort_key(name: str, known: Sequence[str]) -> tuple[str, bool]:
    """A sort parameter ('-score' descends) as name and direction.

    Raises:
        Unprocessable: it is not among the known names.
    """
    plain = name.removeprefix("-")
    if plain not in known:
        raise unknown_sort(plain, list(known))
    return plain, name.startswith("-")


def unknown_sort(name: str, known: list[str]) -> KeepwellError:
    """The error for a sort name that there is not."""
    return Unprocessable(
        "request.sort-unknown", name=name, nearest=nearest(name, known) or "–",
        known=", ".join(known),
    )  # fmt: skip
