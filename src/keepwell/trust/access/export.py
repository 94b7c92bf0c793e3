"""Lists as CSV files that spreadsheets open without running anything or guessing the encoding."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import Query, Response

from keepwell.frame.database import Tx
from keepwell.frame.problem import NotAllowed, Unprocessable
from keepwell.trust.access.call import Call, Reply
from keepwell.trust.access.policy import Actor, Permission
from keepwell.trust.evidence.policy import EvidenceKind
from keepwell.trust.evidence.service import record

Rows = Callable[[Tx, Actor], Iterable[Sequence[Any]]]
Format = Annotated[
    Literal["json", "csv"],
    Query(description="csv: the whole list as a file; needs client:export."),
]
MEDIA_TYPE = "text/csv; charset=utf-8"
MOST_ROWS = 50_000
"""A download is whole or refused, never cut off."""
CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}
"""For `responses` of lists that `?format=csv` downloads."""
# What Excel, LibreOffice and WPS take for the beginning of a formula, also full-width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def cell(value: Any) -> str:
    """A value as the text of a cell; text that a spreadsheet would run is escaped with '.

    Args:
        value: text, number, bool, instant, date, list (joined by '; ') or None (empty).
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)  # a negative number is no formula
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return cell(value.value)
    text = "; ".join(str(v) for v in value) if isinstance(value, (list, tuple)) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def csv_bytes(rows: Iterable[Sequence[Any]], heads: Sequence[str]) -> bytes:
    """A table as CSV (RFC 4180) in UTF-8 with a byte order mark.

    Args:
        rows: cells of each row.
        heads: names of the columns.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(heads)
    writer.writerows([cell(value) for value in row] for row in rows)
    return file.getvalue().encode("utf-8-sig")


def csv_reply(rows: Iterable[Sequence[Any]], heads: Sequence[str], name: str) -> Reply:
    """The answer to `?format=csv`; the verb checks `client:export` itself.

    Args:
        rows: cells of each row, masked already.
        heads: names of the columns.
        name: of the file, without ending: ASCII letters, digits and -.
    """
    return Reply(
        csv_bytes(rows, heads),
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
        media_type=MEDIA_TYPE,
    )


def download(call: Call, rows: Rows, heads: Sequence[str], name: str) -> Response:
    """Answer a list as CSV, whole or not at all, and record that it was handed out.

    The rows are read and written out before the recording transaction begins, which is short.

    Args:
        call: the request; its actor needs `client:export` besides the endpoint's permission.
        rows: verb that gives the rows, at most one more than `MOST_ROWS`, masked.
        heads: names of the columns.
        name: of the file and, in the record, of the list.

    Raises:
        NotAllowed: the actor lacks `client:export`.
        Unprocessable: there are more rows than `MOST_ROWS`.
    """

    def read(tx: Tx, actor: Actor) -> list[Sequence[Any]]:
        check_may_export(actor)
        return list(rows(tx, actor))

    found = call.peek(read)
    if len(found) > MOST_ROWS:
        raise Unprocessable("access.export-too-large", limit=MOST_ROWS)
    reply = csv_reply(found, heads, name)
    filters = sorted(set(call.request.query_params) - {"format", "limit", "cursor"})

    def handed_out(tx: Tx, actor: Actor) -> Reply:
        data = {"list": name, "rows": len(found), "filters": [f[:40] for f in filters[:20]]}
        record(tx, actor, EvidenceKind.LIST_EXPORTED, subject=name, data=data)
        return reply

    return call.perform(handed_out)


def check_may_export(actor: Actor) -> None:
    """Refuse a download to those who may not.

    Raises:
        NotAllowed: the actor lacks `client:export`.
    """
    if not actor.may(Permission.CLIENT_EXPORT):
        raise NotAllowed("access.permission-missing", permission=Permission.CLIENT_EXPORT.value)
