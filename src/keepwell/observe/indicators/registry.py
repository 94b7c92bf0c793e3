"""The catalogue: every indicator with its words, its definition and what it needs.

An indicator is a function from the windowed measures of n clients to n numbers, registered with
`@indicator(...)`. Built-in ones and those of other packages (entry-point group
"keepwell.indicators", each naming a module to import) enter through the same door.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import numpy as np

from keepwell.core.errors import UsageError, nearest
from keepwell.core.text import tr
from keepwell.observe.indicators.needs import PEER_GROUP, Array, Need, Windows, sources_of
from keepwell.observe.indicators.recorder import Recorder

ENTRY_POINTS: Final = "keepwell.indicators"
_BUILT_IN: Final = tuple(
    f"keepwell.observe.indicators.{name}"
    for name in (
        "trading", "rhythm", "funding", "digital", "service", "portfolio", "acquisition",
        "client", "market", "trading_more", "rhythm_more", "flows", "custody", "under_water",
        "products", "digital_more", "service_more", "marketing", "relationship", "performance",
        "market_more", "selling", "peers",
    )
)  # fmt: skip

INPUT_LIST: Final = 1
"""Version of the list of indicators that models are trained on.

Settings and published accuracy were chosen on list 1. A later indicator is shown, explained and
usable by name, but enters models only when this number is raised after a measured comparison.
"""

FAMILIES: Final[dict[str, str]] = {
    "activity": "Trading activity",
    "rhythm": "Trading rhythm",
    "funding": "Money in and out",
    "digital": "Digital use",
    "service": "Service experience",
    "portfolio": "Portfolio structure",
    "performance": "Performance",
    "marketing": "Marketing and subscriptions",
    "relationship": "Relationship",
    "client": "Client's record",
    "market": "Market conditions",
}
"""Family id to its English name, in the order of the catalogue."""

UNITS: Final[dict[str, str]] = {
    "count": "number (count)",
    "days": "days",
    "years": "years",
    "hours": "hours",
    "seconds": "seconds",
    "milliseconds": "milliseconds",
    "money": "minor currency units",
    "share": "share, 0 to 1",
    "ratio": "ratio, 1 = the same",
    "change": "change, 0 = the same",
    "average": "average number",
    "times": "times",
    "index": "index points",
    "level": "level, 1 to 5",
    "points": "points of its own scale",
}
"""Unit id to its English name."""

DIRECTIONS: Final[dict[str, str]] = {
    "low": "low is a warning",
    "high": "high is a warning",
    "none": "neither side is a warning",
}
"""Direction id to its English meaning."""

_ID = re.compile(r"[a-z][a-z0-9_]*")

Function = Callable[[Windows], Array]


@dataclass(frozen=True)
class Indicator:
    """One registered indicator.

    Attributes:
        id: stable name, lower case with underscores.
        name: English name for people; the key of its Chinese one, as all words here.
        unit: a key of `UNITS`.
        direction: which side is a warning: 'low', 'high' or 'none'.
        family: a key of `FAMILIES`.
        explain: one plain sentence for people.
        definition: the exact formula in words, enough to write the query from it.
        headline: whether it is one of those shown first.
        threshold: the number, in the unit, at which a person should look: at or below it when
            low is a warning, at or above it when high is. None where there is no such number.
        since: the keepwell version that brought it.
        any_source: whether one of the sources is enough; else all are needed.
        input_list: first version of the models' input list that has it (see `INPUT_LIST`).
        function: n clients' windows to n numbers.
        needs: every windowed measure that the function asks, sorted.
        reads: what has to be computed for it: its needs, or those of the indicators that it
            compares with peers and of those that make the groups; sorted.
        sources: the contract tables behind these, sorted. Without one of them the indicator is
            absent (with `any_source`: without all of them). Positions can do without 'holding'
            where 'trade' is complete from the beginning.
    """

    id: str
    name: str
    unit: str
    direction: str
    family: str
    explain: str
    definition: str
    headline: bool
    threshold: float | None
    since: str
    any_source: bool
    input_list: int
    function: Function = field(repr=False)
    needs: tuple[Need, ...] = field(repr=False)
    reads: tuple[Need, ...] = field(repr=False)
    sources: tuple[str, ...]

    def __call__(self, windows: Windows) -> Array:
        """The indicator's values, float64 [n]; NaN where absent."""
        return np.asarray(self.function(windows), np.float64)

    @property
    def windows(self) -> tuple[int, ...]:
        """Window lengths and look-backs in days that it uses, ascending."""
        return tuple(sorted({n.window or n.ago for n in self.reads} - {0}))

    @property
    def compares(self) -> tuple[str, ...]:
        """Ids of the indicators that it compares with the client's peers, ascending."""
        return tuple(sorted({n.measure for n in self.needs if n.table == "peer"}))

    def title(self, locale: str | None = None) -> str:
        """The name in a language."""
        return tr(self.name, locale)

    def unit_name(self, locale: str | None = None) -> str:
        """The unit in a language."""
        return tr(UNITS[self.unit], locale)

    def family_name(self, locale: str | None = None) -> str:
        """The family in a language."""
        return tr(FAMILIES[self.family], locale)

    def alarming(self, values: Array) -> np.typing.NDArray[np.bool_]:
        """Which values lie at the threshold or beyond it on the warning side; absent ones do not.

        Args:
            values: float64 [n], in the indicator's unit.
        """
        if self.threshold is None:
            return np.zeros(len(values), np.bool_)
        beyond = values <= self.threshold if self.direction == "low" else values >= self.threshold
        return np.asarray(beyond, np.bool_)

    def describe(self, locale: str | None = None) -> dict[str, Any]:
        """Everything a person or a program may want to know, JSON-safe.

        Args:
            locale: language of the words; default: the current one.
        """
        return {
            "id": self.id,
            "name": self.title(locale),
            "family": self.family,
            "family_name": self.family_name(locale),
            "unit": self.unit,
            "unit_name": self.unit_name(locale),
            "direction": self.direction,
            "direction_name": tr(DIRECTIONS[self.direction], locale),
            "headline": self.headline,
            "threshold": self.threshold,
            "explain": tr(self.explain, locale),
            "definition": tr(self.definition, locale),
            "windows": list(self.windows),
            "sources": list(self.sources),
            "any_source": self.any_source,
            "since": self.since,
            "input_list": self.input_list,
        }


class Registry(Mapping[str, Indicator]):
    """Indicators by id, in the order of their ids; loads the built-ins and plug-ins on first use.

    Args:
        load: whether reading loads the built-ins and the entry points.
    """

    def __init__(self, load: bool = True) -> None:
        self._items: dict[str, Indicator] = {}
        self._sorted: list[str] | None = None
        self._loaded = not load

    def add(self, item: Indicator) -> None:
        """Register an indicator.

        Raises:
            UsageError: the id is taken.
        """
        if item.id in self._items:
            raise UsageError("indicator.id-taken", id=item.id)
        self._items[item.id] = item
        self._sorted = None

    def get_known(self, id: str) -> Indicator:
        """The indicator with this id.

        Raises:
            UsageError: there is none; the message names the nearest id.
        """
        self._load()
        if id not in self._items:
            raise UsageError("indicator.id-unknown", id=id, nearest=nearest(id, list(self)) or "-")
        return self._items[id]

    def __getitem__(self, id: str) -> Indicator:
        self._load()
        return self._items[id]

    def __iter__(self) -> Iterator[str]:
        self._load()
        if self._sorted is None:
            self._sorted = sorted(self._items)
        return iter(self._sorted)

    def __len__(self) -> int:
        self._load()
        return len(self._items)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        from importlib.metadata import entry_points

        for module in _BUILT_IN:
            importlib.import_module(module)
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: (p.name, p.value)):
            point.load()


INDICATORS: Final = Registry()
"""All indicators of this process."""


def get(id: str) -> Indicator:
    """The indicator with this id.

    Raises:
        UsageError: there is none; the message names the nearest id.

    Example:
        >>> get("trade_count_30d").unit
        'count'
    """
    return INDICATORS.get_known(id)


def indicator(
    id: str,
    *,
    name: str,
    unit: str,
    direction: str,
    family: str,
    explain: str,
    definition: str,
    headline: bool = False,
    threshold: float | None = None,
    since: str = "0.1",
    any_source: bool = False,
    input_list: int = 1,
    registry: Registry | None = None,
) -> Callable[[Function], Function]:
    """Register a function as an indicator; its needs are found by running it once.

    Args:
        id: stable name, lower case with underscores.
        name: English name, the key of its Chinese one.
        unit: a key of `UNITS`.
        direction: 'low', 'high' or 'none': which side is a warning.
        family: a key of `FAMILIES`.
        explain: one plain sentence for people.
        definition: exact formula in words: window bounds, units, when it is absent.
        headline: whether it is shown first.
        threshold: the number at which a person should look, in the unit.
        since: the version that brought it.
        any_source: whether one of its sources is enough.
        input_list: first version of the models' input list that has it.
        registry: where to register; default: `INDICATORS`.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        UsageError: the id is taken or malformed, a word is missing, or the function asks for a
            table, measure, statistic or window that does not exist; or it asks about peers and of
            something else too, or of an indicator that does not exist or asks about peers itself.
    """
    target = INDICATORS if registry is None else registry

    def register(function: Function) -> Function:
        _check(id, unit, direction, family, threshold, (name, explain, definition))
        needs = trace(function)
        reads = _reads(id, needs)
        target.add(
            Indicator(
                id=id, name=name, unit=unit, direction=direction, family=family,
                explain=explain, definition=definition, headline=headline, threshold=threshold,
                since=since, any_source=any_source, input_list=input_list, function=function,
                needs=needs, reads=reads, sources=sources_of(reads),
            )
        )  # fmt: skip
        return function

    return register


second = partial(indicator, since="0.2", input_list=2)
"""`indicator` for those that came with version 0.2 and wait for the second input list."""


def model_inputs() -> list[str]:
    """Ids of the indicators that models are trained on, ascending (see `INPUT_LIST`).

    Example:
        >>> "trade_count_30d" in model_inputs()
        True
    """
    return [id for id, item in INDICATORS.items() if item.input_list <= INPUT_LIST]


def trace(function: Function) -> tuple[Need, ...]:
    """What a function asks of the windowed measures, found by running it on dummy numbers.

    Args:
        function: an indicator's function.

    Returns:
        Its needs, sorted.

    Raises:
        UsageError: it asks for something that does not exist.
        ValueError: it does not return one number per client.
    """
    recorder = Recorder()
    values = np.asarray(function(cast(Windows, recorder)))
    if values.shape != (recorder.n,):
        raise ValueError(f"an indicator gives one number per client, not shape {values.shape}")
    return tuple(sorted(recorder.needs))


def _reads(id: str, needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """What has to be computed for an indicator; see `Indicator.reads`."""
    compared = {need.measure for need in needs if need.table == "peer"}
    if not compared:
        return needs
    if any(need.table != "peer" for need in needs):
        raise UsageError("indicator.peers-alone", id=id)
    found: set[Need] = set()
    for other in sorted({*compared, *PEER_GROUP}):
        base = INDICATORS.get_known(other)
        if base.compares:
            raise UsageError("indicator.peers-of-peers", id=id, other=other)
        found.update(base.reads)
    return tuple(sorted(found))


def _check(
    id: str,
    unit: str,
    direction: str,
    family: str,
    threshold: float | None,
    words: tuple[str, str, str],
) -> None:
    def fault(what: str, given: object, known: str) -> None:
        raise UsageError("indicator.setting-invalid", id=id, what=what, given=given, known=known)

    if not _ID.fullmatch(id):
        fault("id", id, "lower-case letters, digits, underscores")
    if unit not in UNITS:
        fault("unit", unit, ", ".join(UNITS))
    if direction not in DIRECTIONS:
        fault("direction", direction, ", ".join(DIRECTIONS))
    if family not in FAMILIES:
        fault("family", family, ", ".join(FAMILIES))
    if not all(word.strip() for word in words):
        fault("text", "''", "a name, an explanation and a definition")
    if threshold is not None and (direction == "none" or not math.isfinite(threshold)):
        fault("threshold", threshold, "a finite number, with direction low or high")
