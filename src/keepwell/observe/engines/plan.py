"""From the needs of indicators to kernel plans, and the answers of one batch of clients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from keepwell.core.days import to_date
from keepwell.core.money import minor_exponent
from keepwell.observe import coverage
from keepwell.observe.accessor import Windows
from keepwell.observe.day_kernel import DayPlan, run_days
from keepwell.observe.engines.moment import Moment, Part
from keepwell.observe.engines.sold import SalesWork
from keepwell.observe.engines.states import answer_state, answer_world
from keepwell.observe.indicators.needs import (
    DAY_STATS,
    EVENT_TABLES,
    SALES,
    SINCE_WINDOW,
    Need,
    sources_of,
)
from keepwell.observe.indicators.registry import Indicator
from keepwell.observe.indicators.state_needs import STATE_STATS
from keepwell.observe.market import Index
from keepwell.observe.position_changes import MOVES, movements, share
from keepwell.observe.position_kinds import Kinds, kinds_asked
from keepwell.observe.positions import FORGIVEN, NONE, STATS, Held, Question, hold, summarise
from keepwell.observe.tile_build import POSITION
from keepwell.observe.tile_sql import micros
from keepwell.observe.tiles import BLANK, PRICE, TILES
from keepwell.observe.windows import Plan, run

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CHUNK = 4096
"""Clients in a batch: their answers stay in the cache."""

_STRIDE = CHUNK + 8  # not a power of two: neighbouring rows must not share cache sets


@dataclass
class Work:
    """All that is to be computed at one moment, for any batch of clients.

    Attributes:
        moment: what is visible.
        plans: kernel plan per event table.
        constants: answers that are the same for every client, absent ones NaN.
        days: day plan per close-of-day table.
        states: answers by client code.
        position: the positions asked, if any.
        sold: the sales asked, if any.
        shares: covered share per need.
    """

    moment: Moment
    plans: dict[str, Plan] = field(default_factory=dict)
    constants: dict[Need, float] = field(default_factory=dict)
    days: dict[str, DayPlan] = field(default_factory=dict)
    states: dict[Need, Array] = field(default_factory=dict)
    position: PositionWork | None = None
    sold: SalesWork | None = None
    shares: dict[Need, float] = field(default_factory=dict)
    _settled: dict[int, tuple[Indicator, float | None]] = field(default_factory=dict)

    @property
    def _holdings(self) -> bool:
        return bool(self.position or self.sold)

    def settled(self, item: Indicator, n: int) -> float | None:
        """The one value of an indicator that asks for nothing of the clients' own; else None.

        Args:
            item: the indicator.
            n: clients in a batch: it is computed as for them.
        """
        if id(item) not in self._settled:
            value = None
            if all(need in self.constants for need in item.reads):
                same = {need: np.full(n, self.constants[need]) for need in item.reads}
                with np.errstate(all="ignore"):
                    moment = self.moment
                    found = item(Windows(n, moment.as_of, moment.day, same.__getitem__))
                if len(found) and (np.isnan(found).all() or (found == found[0]).all()):
                    value = float(found[0])
            self._settled[id(item)] = (item, value)
        return self._settled[id(item)][1]

    def buffers(self) -> dict[str, Array]:
        """Room for one batch's answers; one per thread."""
        rows = {name: len(plan.needs) for name, plan in self.plans.items()}
        rows |= {f"{name} days": len(plan.needs) for name, plan in self.days.items()}
        return {name: np.empty((count, _STRIDE)) for name, count in rows.items()}

    def answer(self, codes: Ints, buffers: dict[str, Array]) -> dict[Need, Array]:
        """Every need's answer for a batch; float64 [n], read-only.

        Args:
            codes: client codes; at most `CHUNK`.
            buffers: overwritten.
        """
        n = len(codes)
        out: dict[Need, Array] = {}
        for name, plan in self.plans.items():
            if plan.only_recency:
                found = self.moment.visible(name).latest(codes, self.moment.day)
                out.update(dict.fromkeys(plan.needs, found))
                continue
            for rows, low, high, places in self.moment.visible(name).parts(codes):
                run(plan, self.moment.day, rows, low, high, places, buffers[name])
            for need, row in plan.row.items():
                out[need] = buffers[name][row, :n]
        for name, days in self.days.items():
            found = buffers[f"{name} days"]
            found[:] = np.nan
            for rows, low, high, places in self.moment.visible(name).parts(codes):
                run_days(days, self.moment.day, rows, low, high, places, found)
            for need, row in days.row.items():
                out[need] = found[row, :n]
        for need, values in self.states.items():
            out[need] = values[codes]
        rows_of = list(self.moment.visible(POSITION).parts(codes)) if self._holdings else []
        if self.position:
            out.update(self.position.answer(codes, rows_of))
        if self.sold:
            out.update(self.sold.answer(codes, rows_of))
        same = {str(value): np.full(n, value) for value in set(self.constants.values())}
        for need, value in self.constants.items():
            out[need] = same[str(value)]
        for values in out.values():
            values.flags.writeable = False
        return out


class PositionWork:
    """The positions asked at one moment.

    Args:
        moment: what is visible.
        agos: days back of each question; the first is 0.
        currency: the workspace's.
        needs: what is asked beyond what is always answered.
    """

    def __init__(
        self, moment: Moment, agos: list[int], currency: str, needs: Iterable[Need] = ()
    ) -> None:
        self.moment, self.agos = moment, agos
        self.kinds = kinds_asked(needs)
        reader = moment.reader
        tables = reader.store.lake_manifest.tables
        days = np.array([moment.day - ago for ago in agos], np.int64)
        spans = (tables.get("trade") or tables["holding"]).coverage
        earliest = [coverage.complete_from(spans, int(day)) - 1 for day in days]
        for a in np.flatnonzero(days < moment.day):
            earliest[a] = min(earliest[a], int(days[a]) - 1 - FORGIVEN)
        self.question = Question(
            moment.known, days, days == moment.day, reader.full_days(moment.known_by),
            np.array(earliest, np.int64),
        )  # fmt: skip
        self.begin = self._begin(spans, "holding" in tables)
        self.divisor = 10.0 ** (16 - minor_exponent(currency))
        self.features = reader.instruments.at(moment.known_by)
        self._wanted: dict[str, list[tuple[int, Need]]] = {}
        for need in needs:
            place = agos.index(need.window if need.stat in SINCE_WINDOW else need.ago)
            self._wanted.setdefault(need.stat, []).append((place, need))

    def _begin(self, spans: coverage.Spans, holdings: bool) -> Ints:
        """Per client code the day at whose close nothing was held for sure."""
        profiles = self.moment.reader.profiles
        opened = profiles.at(
            self.moment.as_of, self.moment.known_by, len(self.moment.reader.store.clients)
        )["opened"]
        otherwise = NONE if holdings or not spans else min(since for since, _ in spans) - 1
        return np.where(np.isnan(opened), otherwise, np.nan_to_num(opened) - 1).astype(np.int64)

    def hold(self, codes: Ints, parts: Sequence[Part] | None = None) -> tuple[Held, Ints]:
        """The positions of a batch, see `positions.hold`; and the clients' places in `codes`.

        Args:
            codes: client codes.
            parts: their rows, where they are at hand.
        """
        found, order = [], []
        for rows, low, high, places in parts or self.moment.visible(POSITION).parts(codes):
            found.append(hold(self.question, rows, low, high, self.begin[codes[places]]))
            order.append(places)
        return Held.join(found), np.concatenate(order)

    def prepare(self) -> None:
        """Reads prices once, before threads ask for them."""
        self.price = np.stack([prices(self.moment, ago) for ago in self.agos])

    def answer(self, codes: Ints, parts: Sequence[Part] | None = None) -> dict[Need, Array]:
        """Every position statistic that is asked.

        Args:
            codes: client codes.
            parts: their rows, where they are at hand.
        """
        held, places = self.hold(codes, parts)
        found = summarise(
            held, self.question.days, self.price, self.features.category,
            self.moment.reader.instruments.categories, self.divisor,
        )  # fmt: skip
        moved = movements(held, self.question.days, self._asked(MOVES[:5]), self._asked(MOVES[5:]))
        history = self._history(held, found[0])
        rows = [*zip(STATS, found, strict=True), *zip(MOVES, moved, strict=True), *history.items()]
        n = len(codes)
        out: dict[Need, Array] = {}

        def put(need: Need, values: Array) -> None:
            out[need] = np.empty(n)
            out[need][places] = values

        for stat, values in rows:
            for a, need in self._wanted.get(stat, ()):
                put(need, values[a])
        worth = Kinds(held, self.question.days, self.price, self.divisor, self.features)
        for need in self.kinds:
            put(need, worth.answer(need, self.agos))
        for a, need in self._wanted.get("share_of", ()):
            put(need, share(held, self.features.member(need.measure), a))
        return out

    def _asked(self, stats: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Of which questions one of some statistics is asked; bool [a]."""
        wanted = {a for stat in stats for a, _ in self._wanted.get(stat, ())}
        return np.isin(np.arange(len(self.agos)), list(wanted))

    def _history(self, held: Held, count: Array) -> dict[str, Array]:
        """What follows from all instruments a client was ever seen with; [a, n] each."""
        ever = held.ever.astype(np.float64)
        newest = np.where(held.newest == NONE, np.nan, self.moment.day - held.newest)
        every = (len(self.agos), 1)
        return {
            "ever": np.tile(ever, every),
            "left": np.tile(ever - count[0], every),
            "newest_age": np.tile(newest, every),
            "first_since": held.fresh.T.astype(np.float64),
        }


def prices(moment: Moment, ago: int) -> Ints:
    """Latest visible price of each instrument code with day < D - ago, `BLANK` without one."""
    count = len(moment.reader.store.instruments)
    if "price" not in moment.reader.store.base:
        return np.full(count, BLANK, np.int64)
    plan = Plan(PRICE, [Need("price", "last", "close", ago=moment.known - moment.day + ago)])
    out = np.empty((1, count))
    codes = np.arange(count, dtype=np.int64)
    for rows, low, high, places in moment.visible("price").parts(codes):
        run(plan, moment.known, rows, low, high, places, out)
    return np.where(np.isnan(out[0]), float(BLANK), out[0]).astype(np.int64)


def prepare(
    moment: Moment, needs: Iterable[Need], currency: str, index: str | None, minimum: float
) -> Work:
    """Plan what a set of needs asks at a moment.

    Args:
        moment: what is visible.
        needs: of all indicators wanted.
        currency: the workspace's.
        index: the market's series, or None.
        minimum: least covered share of a window for which a number is given.
    """
    work = Work(moment)
    asked: dict[str, list[Need]] = {}
    for need in sorted(set(needs)):
        asked.setdefault(need.table, []).append(need)
    moment.reader.read({*asked, "client"} if POSITION in asked else asked)
    for table in EVENT_TABLES:
        _plan_events(work, table, asked.get(table, []), minimum)
    _plan_market(work, asked.get("market", []), index)
    _plan_client(work, asked.get("client", []))
    for table in STATE_STATS:
        _plan_states(work, table, asked.get(table, []), minimum)
    _plan_positions(work, asked.get(POSITION, []), currency, minimum)
    return work


def _plan_events(work: Work, table: str, needs: list[Need], minimum: float) -> None:
    state = work.moment.reader.store.lake_manifest.tables.get(table)
    wanted = []
    for need in needs:
        found = coverage.share(need, state.coverage, work.moment.day) if state else 0.0
        work.shares[need] = found
        if need.stat == "covered":
            days = round(found * need.window)
            work.constants[need] = float(days) if state else np.nan
        elif found < minimum:
            work.constants[need] = np.nan
        else:
            wanted.append(need)
    daily = [need for need in wanted if need.stat in DAY_STATS]
    rest = [need for need in wanted if need.stat not in DAY_STATS]
    if daily:
        work.days[table] = DayPlan(TILES[table], daily)
    if rest:
        work.plans[table] = Plan(TILES[table], rest)
    if wanted:
        work.moment.visible(table)


def _plan_market(work: Work, needs: list[Need], index: str | None) -> None:
    if not needs:
        return
    reader = work.moment.reader
    present = index is not None and "index_price" in reader.store.lake_manifest.tables
    market = None
    if present:
        series = Index.load(reader.connection, str(index))
        market = series.at(work.moment.day, micros(work.moment.known_by))
    for need in needs:
        value = market.answer(need) if market else np.nan
        work.constants[need] = value
        work.shares[need] = 0.0 if np.isnan(value) else 1.0


def _plan_client(work: Work, needs: list[Need]) -> None:
    if not needs:
        return
    moment = work.moment
    store = moment.reader.store
    rows = moment.reader.profiles.at(moment.as_of, moment.known_by, len(store.clients))
    year = to_date(moment.day).year
    values = {
        "tenure_days": moment.day - rows["opened"],
        "age_years": year - rows["birth"],
        "risk_level": rows["risk"],
        "days_since_assessed": moment.day - rows["assessed"],
    }
    for need in needs:
        work.states[need] = values[need.stat]
        work.shares[need] = float("client" in store.lake_manifest.tables)


def _plan_states(work: Work, table: str, needs: list[Need], minimum: float) -> None:
    """Tables that are no tiles: states as they are known, news and failures where covered."""
    tables = work.moment.reader.store.lake_manifest.tables
    for need in needs:
        dated = table in ("news", "outage")
        work.shares[need] = float(set(sources_of([need])) <= set(tables))
        if work.shares[need] and dated:
            spans = tables[table].coverage
            work.shares[need] = coverage.share(need, spans, work.moment.day)
        if work.shares[need] == 0.0 or work.shares[need] < minimum:
            work.constants[need] = np.nan
        elif dated:
            work.constants[need] = answer_world(work.moment, need)
        else:
            work.states[need] = answer_state(work.moment, need)


def _plan_positions(work: Work, needs: list[Need], currency: str, minimum: float) -> None:
    if not needs:
        return
    store = work.moment.reader.store
    tables = store.lake_manifest.tables
    asked = []
    for need in needs:
        sources = set(sources_of([need])) - {"holding"}
        there = bool({"holding", "trade"} & set(tables)) and sources <= set(tables)
        work.shares[need] = float(there)
        if there and need.stat == "first_since":
            work.shares[need] = _purchases_covered(work, need.window)
            there = work.shares[need] >= minimum
        elif there and need.stat in SALES:
            work.shares[need] = _sales_covered(work, need.window)
            there = work.shares[need] >= minimum
        if there:
            asked.append(need)
        else:
            work.constants[need] = np.nan
    sold = [need for need in asked if need.stat in SALES]
    held = [need for need in asked if need.stat not in SALES]
    if not asked:
        return
    agos = sorted({need.ago or need.window for need in held} | {0})
    found = PositionWork(work.moment, agos, currency, held)
    work.moment.visible(POSITION)
    if held:
        work.position = found
        found.prepare()
    if sold:
        work.sold = SalesWork(work.moment, sold, found.begin, found.divisor)


def _sales_covered(work: Work, window: int) -> float:
    spans = work.moment.reader.store.lake_manifest.tables["trade"].coverage
    day = work.moment.day
    return coverage.covered_days(spans, day - window, day) / window


def _purchases_covered(work: Work, window: int) -> float:
    """Share of a window in which first purchases are known: by trades, or by their own table."""
    tables, day = work.moment.reader.store.lake_manifest.tables, work.moment.day
    found = [
        coverage.covered_days(tables[name].coverage, day - window, day) / window
        for name in ("trade", "first_purchase")
        if name in tables
    ]
    return max(found, default=0.0)


def covered(work: Work, item: Indicator) -> float:
    """Covered share of the windows that an indicator looks at, that of the least covered one.

    Where one source of several is enough, the best covered source counts.
    """
    least: dict[str, float] = {}
    for need in item.reads:
        least[need.table] = min(work.shares[need], least.get(need.table, 1.0))
    best = max if item.any_source else min
    return best(least.values(), default=1.0)
