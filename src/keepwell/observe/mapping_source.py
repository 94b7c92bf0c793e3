"""What a source in keepwell.yaml may say: its name, encoding, delimiter, formats, `increment`."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_SPAN = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
DAY = timedelta(days=1)
KEYS = 1000
"""Whole-number keys read again unless the mapping says otherwise."""

_NAME: Final = re.compile(r"\w[\w .-]{0,59}")
_NO_CHARSETS: Final = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}
_DELIMITERS: Final = "one character of ASCII that is no letter, digit, quote or line break"


def encoding(value: str) -> str:
    """A text encoding that Python knows, or 'auto'.

    Raises:
        ValueError: it is none; also for what packs bytes (zip, base64) instead of writing text.
    """
    if value == "auto":
        return value
    try:
        found = codecs.lookup(value)
        text = found.name not in _NO_CHARSETS and isinstance(b"a".decode(value, "replace"), str)
    except (LookupError, ValueError, OSError, ImportError):
        text = False
    if not text:
        raise ValueError("an encoding such as utf-8, gbk or gb18030, or auto")
    return value


def cell_delimiter(value: str) -> str:
    """A character that may part cells.

    Raises:
        ValueError: it may not.
    """
    if not value.isascii() or value.isalnum() or (value != "\t" and value in '"\r\n\0'):
        raise ValueError(_DELIMITERS)
    return value


def time_format(value: str) -> str:
    """A strptime format that DuckDB reads.

    Raises:
        ValueError: it does not.
    """
    if not _reads(value):
        raise ValueError("a strptime format such as %Y-%m-%d %H:%M:%S")
    return value


@cache
def _reads(form: str) -> bool:
    import duckdb

    text = form.replace("'", "''")
    with duckdb.connect(":memory:") as engine:
        try:
            engine.execute(f"select try_strptime('', '{text}')")
        except duckdb.Error:
            return False
    return True


def name_fault(names: Iterable[str]) -> tuple[str, str] | None:
    """The first name that no source may have, and what is expected; None when all are right.

    A name becomes a view of SQL, which takes A and a for one, and part of a file's name.

    Example:
        >>> name_fault(["trades", "Trades"])
        ('Trades', 'names that differ in more than upper and lower case')
        >>> name_fault(["../trades"])[0]
        '../trades'
    """
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            return name, "letters, digits, _, -, . and spaces, 60 at most, a letter or digit first"
        if name.lower() in seen:
            return name, "names that differ in more than upper and lower case"
        seen.add(name.lower())
    return None


def _overlap(value: str | None) -> str | None:
    if value is not None and not value.isdigit() and not _SPAN.fullmatch(value):
        raise ValueError("a span such as 15m, 6h or 1d, or a number of keys")
    return value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Increment(BaseModel):
    """What makes a row of a database new.

    Attributes:
        by: the column that only grows: a key (whole number or text), or the time of a row's last
            change.
        overlap: how far before the newest row known the next ingest begins: a span (15m, 6h, 1d)
            for times, a number for whole-number keys. It catches rows that were committed late;
            what was read before is recognised and ignored. Default: 1d, or 1000 keys; text: none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Annotated[str, Field(min_length=1)]
    overlap: Annotated[str | None, BeforeValidator(_text), AfterValidator(_overlap)] = None

    @property
    def span(self) -> timedelta:
        """The overlap of a time."""
        found = _SPAN.fullmatch(self.overlap or "")
        return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else DAY

    @property
    def keys(self) -> int:
        """The overlap of a whole-number key."""
        return int(self.overlap) if self.overlap and self.overlap.isdigit() else KEYS
