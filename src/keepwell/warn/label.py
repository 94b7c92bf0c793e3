"""Labels: versioned definitions of leaving, applied at an as-of instant with what is known now.

A label is 1 (left), 0 (stayed) or NaN: not known, or not for us to count (death, closure by the
broker). What cannot be seen is NaN, never 0. Definitions enter through a registry; other packages
add theirs by the entry-point group "keepwell.labels".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.days import add_span, local_day
from keepwell.core.errors import UsageError, nearest
from keepwell.core.text import tr
from keepwell.observe.engines.base import Engine

Array = npt.NDArray[np.float64]

ENTRY_POINTS: Final = "keepwell.labels"


class Why(StrEnum):
    """Why a label is what it is."""

    STAYED = "stayed"
    EXITED = "exited"
    CLOSED = "closed"
    TRANSFERRED = "transferred"
    SILENT = "silent"
    DORMANT = "dormant"
    OUTFLOW = "outflow"
    NOT_HELD = "not-held"
    LEFT_IN_GAP = "left-in-gap"
    BROKER_CLOSED = "broker-closed"
    DIED = "died"
    ALREADY_SILENT = "already-silent"
    UNKNOWN_START = "unknown-start"
    UNKNOWN_END = "unknown-end"


WORDS: Final[dict[Why, str]] = {
    Why.STAYED: "Stayed.",
    Why.EXITED: "Holds at most the remnant allowed at the end of the horizon.",
    Why.CLOSED: "Closed the account.",
    Why.TRANSFERRED: "Transferred custody to another broker.",
    Why.SILENT: "Silent for longer than is usual for this client.",
    Why.DORMANT: "Inactive for as long as the label says.",
    Why.OUTFLOW: "Took out, net, at least the share of the assets that the label says.",
    Why.NOT_HELD: "Held nothing at the start.",
    Why.LEFT_IN_GAP: "Left before the horizon began.",
    Why.BROKER_CLOSED: "Closed by the broker; not counted.",
    Why.DIED: "Died; not counted.",
    Why.ALREADY_SILENT: "Was silent already at the start.",
    Why.UNKNOWN_START: "The data do not show what was held at the start.",
    Why.UNKNOWN_END: "The data do not show what was held at the end.",
}
"""What each code means, in English."""


def span_words(span: str, locale: str | None = None) -> str:
    """A span such as '6mo' or '90d' in words.

    Example:
        >>> span_words("90d"), span_words("6mo")
        ('90 days', '6 months')
    """
    if span.endswith("mo"):
        return tr("{count} months", locale, count=int(span[:-2]))
    return tr("{count} days", locale, count=int(span[:-1]))


@dataclass(frozen=True)
class LabelDefinition:
    """One definition, one gap, one horizon.

    Attributes:
        name: the rule, such as 'exit' or 'silence'.
        by: for exit: 'units' (no positive unit left) or 'value' (at most `remnant` left).
        horizon: 'Nd' or 'Nmo' (calendar months), from the end of the gap.
        gap: span left out after as_of; who leaves in it is not counted.
        remnant: for exit by value: the share at constant prices that still counts as left.
        quantile: for silence: of the client's own gaps.
        version: of the rule's meaning.
        share: for outflow: net outflow over average assets that counts as leaving.
        days: for dormant: days without activity.
    """

    name: str = "exit"
    by: str = "units"
    horizon: str = "6mo"
    gap: str = "0d"
    remnant: float = 0.05
    quantile: float = 0.99
    version: int = 1
    share: float = 0.5
    days: int = 180

    @classmethod
    def of(cls, workspace: Any) -> LabelDefinition:
        """The primary label of a workspace."""
        label = workspace.mapping.label
        return cls(
            name=label.name, by=label.by, horizon=label.horizon, gap=label.gap,
            share=label.share, days=label.days,
        )  # fmt: skip

    def starts_at(self, as_of: datetime, zone: ZoneInfo) -> datetime:
        """When the horizon begins: as_of plus the gap, on the exchange's calendar."""
        return add_span(as_of, self.gap, zone)

    def matures_at(self, as_of: datetime, zone: ZoneInfo) -> datetime:
        """When the horizon ends: the label of as_of cannot be known earlier."""
        return add_span(self.starts_at(as_of, zone), self.horizon, zone)

    def words(self, locale: str | None = None) -> str:
        """The definition in one sentence."""
        if self.name == "silence":
            text = (
                "No trade, funding or session for longer than the {quantile:.0%} quantile of the "
                "client's own gaps, at the end of {horizon}."
            )
        elif self.name == "dormant":
            text = "No trade, funding or session for at least {days} days, at the end of {horizon}."
        elif self.name == "outflow":
            text = (
                "Within {horizon} takes out, net of what is paid in, at least {share:.0%} of the "
                "average assets of the 60 days before; price changes have no part in it."
            )
        elif self.name == "exit_any" and self.by == "value":
            text = (
                "Holds assets now, and at the end of some day within {horizon} at most "
                "{remnant:.0%} of them at constant prices, or closed the account or moved custody."
            )
        elif self.name == "exit_any":
            text = (
                "Holds a position now, and at the end of some day within {horizon} none with "
                "positive units, or closed the account or moved custody."
            )
        elif self.by == "value":
            text = (
                "Holds assets now, and {horizon} later at most {remnant:.0%} of them at constant "
                "prices, or closed the account or moved custody."
            )
        else:
            text = (
                "Holds a position now, and {horizon} later none with positive units, or closed "
                "the account or moved custody."
            )
        horizon = span_words(self.horizon, locale)
        told = tr(
            text, locale, horizon=horizon, remnant=self.remnant, quantile=self.quantile,
            share=self.share, days=self.days,
        )  # fmt: skip
        if self.gap in ("0d", "0mo"):
            return told
        return tr(
            "{told} The {horizon} begin {gap} from now; who leaves before is not counted.", locale,
            told=told, horizon=horizon, gap=span_words(self.gap, locale),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """JSON-safe form; `LabelDefinition(**it)` gives it back."""
        return {
            "name": self.name, "by": self.by, "horizon": self.horizon, "gap": self.gap,
            "remnant": self.remnant, "quantile": self.quantile, "version": self.version,
            "share": self.share, "days": self.days,
        }  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """Labels of clients at one as-of instant.

    Attributes:
        clients: ids, sorted.
        y: float64 [n]: 1 left, 0 stayed, NaN not known or not counted.
        why: [n] codes of `Why`.
        left_day: float64 [n] day number of leaving where an event dates it, else NaN.
        as_of: the start.
        ends_at: the end of the horizon.
    """

    clients: list[str]
    y: Array
    why: npt.NDArray[np.object_]
    left_day: Array = field(repr=False)
    as_of: datetime
    ends_at: datetime

    def rows(self, keep: npt.NDArray[np.bool_]) -> Labels:
        """The clients for which `keep` holds."""
        return replace(
            self,
            clients=[c for c, k in zip(self.clients, keep, strict=True) if k],
            y=self.y[keep],
            why=self.why[keep],
            left_day=self.left_day[keep],
        )

    def counts(self) -> dict[str, int]:
        """Clients by code, most frequent first."""
        codes, counts = np.unique(self.why.astype(str), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {str(codes[i]): int(counts[i]) for i in order}


LabelRule = Callable[[Engine, datetime, LabelDefinition, datetime], Labels]
"""(engine, as_of, definition, known_by) -> labels."""


class LabelRegistry(Mapping[str, LabelRule]):
    """Label rules by name."""

    def __init__(self) -> None:
        self._items: dict[str, LabelRule] = {}
        self._loaded = False

    def add(self, name: str) -> Callable[[LabelRule], LabelRule]:
        """Decorator that registers a rule.

        Raises:
            UsageError: the name is taken by another rule.
        """

        def register(rule: LabelRule) -> LabelRule:
            if self._items.setdefault(name, rule) is not rule:
                raise UsageError("label.name-taken", name=name)
            return rule

        return register

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        from importlib import import_module
        from importlib.metadata import entry_points

        for module in ("exits", "silence", "outflow"):
            import_module(f"keepwell.warn.labels.{module}")
        for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: (p.name, p.value)):
            self.add(point.name)(point.load())

    def __getitem__(self, name: str) -> LabelRule:
        self._load()
        if name not in self._items:
            known = sorted(self._items)
            raise UsageError(
                "label.name-unknown", name=name, nearest=nearest(name, known) or ", ".join(known)
            )
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._items))

    def __len__(self) -> int:
        self._load()
        return len(self._items)


LABELS: Final = LabelRegistry()
"""All label rules of this process."""


def label_clients(
    engine: Engine,
    as_of: datetime,
    definition: LabelDefinition,
    known_by: datetime | None = None,
) -> Labels:
    """Apply a definition.

    Args:
        engine: gives clients and positions.
        as_of: the start; who is labelled follows from what was known then.
        definition: what leaving means.
        known_by: nothing learned later is used; default: everything the lake holds.

    Raises:
        UsageError: no such rule, or the label is not mature by `known_by`.
    """
    zone = engine.workspace.zone
    ends = definition.matures_at(as_of, zone)
    if known_by is None:
        known_by = max(ends, all_known(engine))
    if ends > known_by:
        raise UsageError("label.horizon-immature", as_of=as_of, ends=ends, known_by=known_by)
    return LABELS[definition.name](engine, as_of, definition, known_by)


def all_known(engine: Engine) -> datetime:
    """The instant by which the lake knew all that it holds."""
    manifest = engine.manifest
    known = [t.last_known_at for t in manifest.tables.values() if t.last_known_at]
    latest: datetime = max(known, default=manifest.made_at)
    return latest


def covered(spans: Sequence[tuple[int, int | None]], first: int, until: int) -> bool:
    """Whether every day of [first, until) lies in one of the spans [from, until); None is open.

    Example:
        >>> covered([(0, 10), (10, None)], 5, 20), covered([(0, 10), (11, None)], 5, 20)
        (True, False)
    """
    at = first
    for since, end in sorted(spans, key=lambda span: span[0]):
        if at >= until or since > at:
            break
        at = max(at, until if end is None else end)
    return at >= until


_CONNECTIONS: Final[WeakKeyDictionary[Engine, Any]] = WeakKeyDictionary()
# One DuckDB per engine, which is pinned to one manifest: opening the views costs more than most
# queries do.


def lake_query(engine: Engine, sql: str, **values: Any) -> dict[str, npt.NDArray[Any]]:
    """Columns of a query over the lake's views, as numpy arrays.

    Args:
        engine: whose manifest is read.
        sql: with $name parameters; instants are timezone-aware.
        **values: the parameters.
    """
    table = lake_table(engine, sql, **values)
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def lake_table(engine: Engine, sql: str, **values: Any) -> pa.Table:
    """The same as an Arrow table: columns of many ids cost less so."""
    if engine not in _CONNECTIONS:
        _CONNECTIONS[engine] = engine.workspace.lake.connect(engine.manifest)
    connection = _CONNECTIONS[engine].cursor()
    try:
        return connection.sql(sql, params=values).to_arrow_table()
    finally:
        connection.close()


def day_of(engine: Engine, instant: datetime) -> int:
    """The local day number of an instant."""
    return local_day(instant, engine.workspace.zone)
