"""Waking the workers of this process when a transaction has made work that is due.

Only a shortcut: workers elsewhere, and any whose signal is lost, find the work at their next look.
"""

from __future__ import annotations

import threading
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.orm import Session

from keepwell.frame.database import Tx


class Bell(threading.Event):
    """What a lane sleeps on."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


_BELLS: WeakSet[Bell] = WeakSet()
_LOCK = threading.Lock()
_RINGS = "keepwell.rings"


def bell(url: str) -> Bell:
    """A bell that rings for work in the database of this address."""
    made = Bell(url)
    with _LOCK:
        _BELLS.add(made)
    return made


def after_commit(tx: Tx) -> None:
    """Ring when the transaction has committed."""
    session = tx.session
    if not _BELLS or session.info.get(_RINGS):
        return
    session.info[_RINGS] = True
    url = str(tx.frame.database.url)

    def ring(_session: Session) -> None:
        with _LOCK:
            bells = [each for each in _BELLS if each.url == url]
        for each in bells:
            each.set()

    event.listen(session, "after_commit", ring, once=True)
