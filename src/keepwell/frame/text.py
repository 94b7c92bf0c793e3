"""Text and instants that people and programs send: cleaned and bounded once, here.

PostgreSQL cannot store the NUL character and a page cannot show other control characters, so
they are refused at the door with 422 instead of failing deep inside.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, StringConstraints

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ud800-\udfff]")
_BREAK = re.compile(r"[\r\n\t]")


def _no_control(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("control characters are not acceptable")
    return value


def _one_line(value: str) -> str:
    if _BREAK.search(value):
        raise ValueError("one line of text")
    return _no_control(value)


def _storable(value: datetime) -> datetime:
    if not 1900 <= value.year <= 9000:  # what PostgreSQL and UTC conversions take for sure
        raise ValueError("an instant between the years 1900 and 9000")
    return value


Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    AfterValidator(_one_line),
]
"""One line, 1 to 200 characters."""

Note = Annotated[
    str,
    StringConstraints(min_length=1, max_length=4000, strip_whitespace=True),
    AfterValidator(_no_control),
]
"""Several lines, 1 to 4,000 characters."""

ClientId = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)
]
"""A client's number at the broker."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$")]
"""A code of ours or a name chosen by an administrator: lower case, digits, . _ -"""

Moment = Annotated[AwareDatetime, AfterValidator(_storable)]
"""An instant with its offset from UTC."""

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}$")]
"""An id of ours, or a staff, team, branch or region number."""
