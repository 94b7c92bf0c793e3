"""What a kernel is given: the shard, the day, the parameters, and room for events."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np

from keepwell.world.dynamics.chance import inner
from keepwell.world.state import DAY, EVENTS, SLOTS

TABLES: Final = tuple(EVENTS)
(
    TRADE, FLOW, TRANSFER, EXIT_REQUEST, MARGIN, SUBSCRIPTION, BALANCE, HOLDING, SESSION, VIEW,
    CONTACT, COMPLAINT, SURVEY, TOUCH, CONSENT, PROFILE, SERVED, STEP,
    FIRST_HOLDING,
) = range(19)  # fmt: skip
"""Places of `count`; the last is where today's holdings of the client at hand begin."""

ROOM: Final = 1 << 16
"""Events of one kind that a block may make before it hands them over."""

SPARE: Final = 256
"""More than the events of one kind that one client can make in a day."""

(
    P_LIFE, P_SESSION, P_TRADE, P_FLOW, P_CONTACT, P_VOICE, P_ONSET, P_STAGE, P_ACT, P_EXIT,
    P_TOUCH, P_ADVICE,
) = range(12)  # fmt: skip
"""Purposes of draws."""


INSTRUMENTS: Final = 1024
"""Most instruments that a market can have."""


def _sources() -> str:
    """A digest of all kernels' sources."""
    found = blake2b(digest_size=8)
    here = Path(__file__).parent
    constants = (here.parent / "state.py", here.parent / "terms.py")
    for path in (*sorted(here.glob("*.py")), *constants):
        found.update(path.read_bytes())
    return found.hexdigest()


KERNELS: Final = f"kernels_{_sources()}"
"""Name of a field that is there for its name: numba keeps compiled code by the file of the function
called and the types it is given, and does not see a change in a function that it calls in turn."""


def frame_type(p: np.dtype[np.void]) -> np.dtype[np.void]:
    """What a kernel is given besides the clients, as one record: a pointer, cheap to pass on.

    (A tuple of arrays costs some hundred words at every call.)

    Args:
        p: type of the scenario's parameters.

    Returns:
        day: DAY. p: parameters. price, before: float64 [INSTRUMENTS], CNY at today's close and
        the one before. lot: int64. matures: int32. choice: int16 [6, 4096].
        money_fund: instrument. key: uint64, the world's luck. rng: uint64 [1], the draws of the
        moment. out: room for events, by kind. count: int64, see TABLES.
    """
    out = [
        # numba keeps "view" to itself
        ("viewed" if name == "view" else name, dtype, (ROOM,))
        for name, dtype in EVENTS.items()
    ]
    return np.dtype(
        [
            ("day", DAY), ("p", p), ("price", np.float64, (INSTRUMENTS,)),
            ("before", np.float64, (INSTRUMENTS,)), ("lot", np.int64, (INSTRUMENTS,)),
            ("matures", np.int32, (INSTRUMENTS,)),
            ("choice", np.int16, (6, 4096)), ("money_fund", np.int64), ("key", np.uint64),
            ("rng", np.uint64, (1,)), ("count", np.int64, (len(TABLES) + 1,)),
            (KERNELS, np.uint8), ("out", np.dtype(out, align=True)),
        ],
        align=True,
    )  # fmt: skip


def taken(w: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Copies of the events that a frame holds, by kind; kinds without any are left out."""
    return {
        name: w["out"][i][: w["count"][i]].copy() for i, name in enumerate(TABLES) if w["count"][i]
    }


@inner
def moment(hour: Any, spread: Any, u: Any) -> Any:
    """A second of the day around an hour."""
    second = int((hour + (u - 0.5) * 2.0 * spread) * 3600.0)
    return second % 86_400


@inner
def slots_worth(w: Any, c: Any) -> Any:
    """Value of a client's securities at today's close, fen."""
    total = np.int64(0)
    for k in range(SLOTS):
        if c.slot[k] >= 0:
            total += value_of(w, c.slot[k], c.quantity[k])
    return total


@inner
def value_of(w: Any, instrument: Any, quantity: Any) -> Any:
    """Value of a quantity at today's close, fen."""
    return np.int64(round(quantity * 1e-6 * w.price[instrument]))
