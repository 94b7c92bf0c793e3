"""Recurring work of the book: remove generations that nobody needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keepwell.frame.context import Frame
from keepwell.frame.database import Tx
from keepwell.jobs.registry import Lease, every
from keepwell.trust.book import service


@every("book.sweep", seconds=60, external=True)
def sweep(frame: Frame, payload: dict[str, Any], lease: Lease) -> Callable[[Tx], None] | None:
    """Remove abandoned and long retired generations, in short transactions."""
    del payload
    service.sweep(frame, lease.renew)
    return None
