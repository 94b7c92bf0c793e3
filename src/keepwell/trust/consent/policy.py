"""Purposes that a client can agree to or refuse: pure data."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Purpose(StrEnum):
    """What a client's data are used for, as far as the client has a say."""

    MARKETING = "marketing"
    PROFILING = "profiling"
    SERVICE = "service"


TITLES: Final[dict[Purpose, str]] = {
    Purpose.MARKETING: "Offers and retention contacts",
    Purpose.PROFILING: "Scores and tags made by programs",
    Purpose.SERVICE: "Messages about the client's own business",
}
"""What each purpose means, in English."""
