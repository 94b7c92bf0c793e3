"""Compares what the engine computes with what the oracle says."""

from __future__ import annotations

from typing import Any

import numpy as np

from .sql import Answer

RELATIVE = 1e-9
NEAR_ZERO = 1e-12


def differences(frame: Any, answer: Answer) -> dict[str, str]:
    """Where an IndicatorFrame and the oracle's answer part.

    Args:
        frame: The engine's result at the same instant (``clients``, ``names``, ``values``).
        answer: The oracle's.

    Returns:
        Indicator id to words on the first client that differs; ``clients`` when the lists differ.
        Absent (NaN) equals only absent; numbers agree to 1e-9 of the larger one.
    """
    if list(frame.clients) != answer.clients:
        odd = sorted(set(frame.clients) ^ set(answer.clients)) or "order"
        return {"clients": f"engine {len(frame.clients)}, oracle {len(answer.clients)}: {odd}"}
    found = {}
    for column, name in enumerate(frame.names):
        ours, theirs = np.asarray(frame.values[:, column], np.float64), answer.values[name]
        wrong = ~(_same(ours, theirs))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            found[name] = (
                f"{int(wrong.sum())} of {len(wrong)} clients; {answer.clients[row]}: "
                f"engine {ours[row]!r}, oracle {theirs[row]!r}"
            )
    return found


def _same(a: Any, b: Any) -> Any:
    with np.errstate(invalid="ignore"):
        close = np.abs(a - b) <= np.maximum(RELATIVE * np.maximum(np.abs(a), np.abs(b)), NEAR_ZERO)
    return (np.isnan(a) & np.isnan(b)) | close | (a == b)
