"""Events made by hand, by kind."""

from __future__ import annotations

import numpy as np

from keepwell.world.state import EVENTS


def events(**rows):
    """Event arrays of rows given as dicts; fields that a row leaves out are 0."""
    made = {}
    for kind, given in rows.items():
        made[kind] = np.zeros(len(given), EVENTS[kind])
        for place, row in enumerate(given):
            for name, value in row.items():
                made[kind][name][place] = value
    return made
