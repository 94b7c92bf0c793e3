"""The local engine: all cores of one machine, one kernel, any instant.

It is opened on a workspace and asked for an instant::

    engine = LocalEngine.open(Workspace.open("build/demo"))
    frame = engine.compute(parse_as_of("2021-07-01", engine.zone))
"""

from __future__ import annotations

import itertools
import operator
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from keepwell.core.days import midnight, parse_as_of
from keepwell.core.errors import UsageError
from keepwell.observe import coverage
from keepwell.observe.accessor import Windows
from keepwell.observe.engines import peers
from keepwell.observe.engines.base import Instant, chosen
from keepwell.observe.engines.frame import IndicatorFrame, Positions
from keepwell.observe.engines.moment import Moment, Reader
from keepwell.observe.engines.plan import CHUNK, PositionWork, Work, covered, prepare, prices
from keepwell.observe.indicators.needs import Need
from keepwell.observe.indicators.registry import Indicator
from keepwell.observe.manifest import Manifest
from keepwell.observe.positions import Held
from keepwell.observe.tile_build import POSITION, register, zone_sql
from keepwell.observe.tile_store import LakeReader, TileStore

T = TypeVar("T")
P = TypeVar("P")
Ints = npt.NDArray[np.int64]
_ALONE = 1024  # fewer clients are not worth a second thread


class EngineSource(Protocol):
    """What the engine needs of a workspace."""

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's zone."""
        ...

    @property
    def currency(self) -> str:
        """ISO 4217 code."""
        ...

    @property
    def lake(self) -> LakeReader:
        """The lake."""
        ...

    @property
    def tiles(self) -> Path:
        """The tile store's folder."""
        ...

    @property
    def mapping(self) -> Any:
        """The mapping; its `market.index` names the market's series."""
        ...


class LocalEngine:
    """Computes indicators and positions from an opened tile store; see `open`.

    It goes on answering from the state it opened while newer ones are written; open another to
    see them.
    """

    def __init__(
        self, workspace: EngineSource, store: TileStore, threads: int | None = None
    ) -> None:
        self.workspace, self.store = workspace, store
        self.zone, self.currency = workspace.zone, workspace.currency
        self.threads = threads or os.cpu_count() or 1
        connection = workspace.lake.connect(store.lake_manifest)
        register(connection, store.clients, store.instruments)
        sql = zone_sql(store.lake_manifest, self.zone, datetime.now(UTC))
        self._reader = Reader(store, connection, self.zone, sql)
        self._pool = ThreadPoolExecutor(self.threads, "keepwell-engine")
        self._lock = threading.RLock()
        self._moment: Moment | None = None
        self._planned: tuple[tuple[frozenset[Need], float], Work] | None = None
        self._norms: tuple[tuple[datetime, tuple[str, ...], float], peers.Norms] | None = None
        self._norming = threading.Lock()

    @classmethod
    def open(cls, workspace: EngineSource, threads: int | None = None) -> LocalEngine:
        """Bring the workspace's tile store in step with its lake and open it.

        Args:
            workspace: the workspace.
            threads: worker threads; default: all cores. Results do not depend on it.

        Raises:
            DataError: nothing was ingested yet.
        """
        store = TileStore.open(workspace.tiles, workspace.lake, workspace.zone)
        return cls(workspace, store, threads)

    @property
    def manifest(self) -> Manifest:
        """The lake's manifest whose data the engine answers from."""
        return self.store.lake_manifest

    @property
    def index(self) -> str | None:
        """The market's series, if the mapping names one."""
        market = self.workspace.mapping.market
        return market.index if market else None

    def clients(self, as_of: Instant) -> list[str]:
        """Ids of the clients that exist at an instant, ascending.

        A client exists from the first of its rows or activities that had happened before and was
        known at the instant.
        """
        with self._lock:
            codes = self._at(self._instant(as_of)).exist()
        return [self.store.clients[code] for code in codes]

    def compute(
        self,
        as_of: Instant,
        clients: Sequence[str] | None = None,
        indicators: Iterable[str | Indicator] | None = None,
        dtype: npt.DTypeLike = np.float64,
        min_coverage: float = coverage.MINIMUM,
        min_peers: int = peers.MINIMUM,
    ) -> IndicatorFrame:
        """Indicators of clients as of an instant, from what was known at it.

        Args:
            as_of: instant; a bare date is its beginning in the exchange's zone.
            clients: which; default: all that exist. Those that do not exist yet are left out.
            indicators: ids, or indicators that need not be registered; default: the catalogue.
            dtype: float64 or float32 of the matrix; computing is in float64.
            min_coverage: least covered share of a window for which a number is given.
            min_peers: members of a group of peers below which it says nothing.

        Raises:
            UsageError: an unknown client or indicator.
        """
        items = chosen(indicators)
        compared = peers.bases(items)
        needs = {need for item in (*items, *compared) for need in item.reads}
        with self._lock:
            moment = self._at(self._instant(as_of))
            codes, ids = self._codes(moment, clients)
            work = self._work(moment, frozenset(needs), min_coverage)
        columns = np.empty((len(items), len(codes)), dtype)
        own = np.empty((len(compared), len(codes)))
        place = {id(item): i for i, item in enumerate(compared)}
        alone = [
            (i, item) for i, item in enumerate(items) if not item.compares and id(item) not in place
        ]

        def evaluate(low: int, part: Ints) -> None:
            _evaluate(work, part, low, (alone, columns), (list(enumerate(compared)), own))

        self._each(codes, evaluate)
        if compared:
            values = {item.id: own[i] for i, item in enumerate(compared)}
            everyone = values if clients is None else None
            norms = self._norms_of(moment, compared, min_coverage, everyone)

            def compare(low: int, part: Ints) -> None:
                some = {id: all_[low : low + len(part)] for id, all_ in values.items()}
                answer = peers.answers(norms, some, min_peers)
                windows = Windows(len(part), moment.as_of, moment.day, answer)
                with np.errstate(all="ignore"):
                    for i, item in enumerate(items):
                        if item.compares:
                            columns[i, low : low + len(part)] = item(windows)
                        elif id(item) in place:
                            columns[i, low : low + len(part)] = some[item.id]

            self._each(codes, compare)
        shares = {item.id: covered(work, item) for item in items}
        return IndicatorFrame(ids, moment.as_of, [item.id for item in items], columns.T, shares)

    def peer_groups(
        self, client: str, indicator: Indicator, as_of: Instant, min_peers: int = peers.MINIMUM
    ) -> list[peers.PeerGroup]:
        """The group of a client for each indicator that one compares with peers.

        Args:
            client: the client's number.
            indicator: which compares.
            as_of: the instant.
            min_peers: members below which a group says nothing.

        Returns:
            Empty where the client has no group, and for an indicator that compares nothing.

        Raises:
            UsageError: there is no such client.
        """
        compared = peers.bases([indicator])
        frame = self.compute(as_of, [client], compared)
        if not compared or not frame.clients:
            return []
        values = {item.id: np.asarray(frame.column(item.id), np.float64) for item in compared}
        with self._lock:
            moment = self._at(frame.as_of)
        norms = self._norms_of(moment, compared, coverage.MINIMUM)
        return peers.describe(norms, values, indicator.compares, min_peers)

    def _norms_of(
        self,
        moment: Moment,
        compared: Sequence[Indicator],
        min_coverage: float,
        everyone: dict[str, npt.NDArray[np.float64]] | None = None,
    ) -> peers.Norms:
        """What is usual among peers at the midnight before; the same object when asked again.

        At a midnight the values of everyone, where they are there, need not be computed again.
        """
        start = midnight(moment.day, self.zone)
        asked = (start, tuple(item.id for item in compared), min_coverage)
        with self._norming:
            if self._norms is None or self._norms[0] != asked:
                if everyone is not None and moment.as_of == start:
                    norms = peers.Norms.of(everyone, everyone)
                else:
                    norms = self._norms_at(start, compared, min_coverage)
                self._norms = (asked, norms)
            return self._norms[1]

    def _norms_at(
        self, start: datetime, compared: Sequence[Indicator], min_coverage: float
    ) -> peers.Norms:
        needs = {need for item in compared for need in item.reads}
        with self._lock:
            moment = Moment(self._reader, start, start)
            codes = moment.exist()
            work = prepare(moment, needs, self.currency, self.index, min_coverage)
        own = np.empty((len(compared), len(codes)))
        self._each(
            codes,
            lambda low, part: _evaluate(work, part, low, (list(enumerate(compared)), own)),
        )
        columns = {item.id: own[i] for i, item in enumerate(compared)}
        return peers.Norms.of(columns, columns)

    def parts(
        self,
        task: Callable[[LocalEngine, list[str]], T],
        clients: Sequence[str],
        size: int,
        peers_at: datetime | None = None,  # noqa: ARG002 - the engine has the peers at hand
    ) -> Iterator[tuple[list[str], T]]:
        """A task about clients, a part of them at a time: what it gives bounds the memory.

        On a cluster the parts are done where the clients' rows are; a task is a function of a
        module, or a `partial` of one.

        Args:
            task: called with an engine that knows the part's clients, and with their ids.
            clients: ids of clients that exist at some time.
            size: most clients in a part.
            peers_at: the instant, if the task asks for indicators that compare with peers.

        Yields:
            The ids of a part, ascending where `clients` are, and what the task gave.
        """
        starts = range(0, len(clients), size)
        if self.threads == 1 or len(starts) < 2:
            for low in starts:
                part = list(clients[low : low + size])
                yield part, task(self, part)
            return
        # What one part does in one thread goes on beside the computing of the next.
        with ThreadPoolExecutor(2, "keepwell-part") as pool:
            running: deque[tuple[list[str], Future[T]]] = deque()
            for low in starts:
                part = list(clients[low : low + size])
                running.append((part, pool.submit(task, self, part)))
                if len(running) == 2:
                    part, done = running.popleft()
                    yield part, done.result()
            for part, done in running:
                yield part, done.result()

    def spread(self, task: Callable[[P], T], pieces: Sequence[P]) -> list[T]:
        """A task about pieces of work that need no rows; on a cluster, the executors share them.

        Args:
            task: a function of a module, or a `partial` of one.
            pieces: what it is called with.

        Returns:
            What it gave, in the order of the pieces.
        """
        return [task(piece) for piece in pieces]

    def positions(self, as_of: Instant, known_by: Instant | None = None) -> Positions:
        """What each client holds at an instant.

        Args:
            as_of: trades before it count.
            known_by: the instant whose knowledge counts; default: as_of. Labels look back with
                later knowledge.
        """
        instant = self._instant(as_of)
        known = self._instant(known_by) if known_by is not None else instant
        with self._lock:
            moment = self._at(instant, known)
            codes = moment.exist()
            work = PositionWork(moment, [0], self.currency) if POSITION in self.store.base else None
            if work:
                moment.visible(POSITION)
        held = Held.nothing(len(codes))
        if work and len(codes):
            parts: dict[int, Held] = {}

            def hold(low: int, part: Ints) -> None:
                found, places = work.hold(part)
                parts[low] = found.take(np.argsort(places))

            self._each(codes, hold)
            held = Held.join([parts[low] for low in sorted(parts)])
        ids = [self.store.clients[code] for code in codes]
        divisor = work.divisor if work else 1.0
        return Positions(ids, instant, known, self.store.instruments, held, self.prices, divisor)

    def prices(self, as_of: Instant) -> Ints:
        """Latest price of each instrument code before an instant as known at it; 10^-8, int64."""
        with self._lock:
            return prices(self._at(self._instant(as_of)), 0)

    def _instant(self, as_of: Instant) -> datetime:
        return parse_as_of(as_of, self.zone)

    def _at(self, as_of: datetime, known_by: datetime | None = None) -> Moment:
        """The moment, the same object when it was asked last time."""
        known_by = known_by or as_of
        last = self._moment
        if last is None or (last.as_of, last.known_by) != (as_of, known_by):
            last = self._moment = Moment(self._reader, as_of, known_by)
        return last

    def _work(self, moment: Moment, needs: frozenset[Need], min_coverage: float) -> Work:
        """The plan, the same object when it was asked last time: a refresh asks every minute."""
        last, asked = self._planned, (needs, min_coverage)
        if last is None or last[0] != asked or last[1].moment is not moment:
            work = prepare(moment, needs, self.currency, self.index, min_coverage)
            last = self._planned = (asked, work)
        return last[1]

    def _codes(self, moment: Moment, clients: Sequence[str] | None) -> tuple[Ints, list[str]]:
        """Codes and ids of the clients wanted that exist, in the order of their ids."""
        ids = self.store.clients
        if clients is None:
            codes = moment.exist()
            return codes, [ids[code] for code in codes]
        rising = all(map(operator.lt, clients, itertools.islice(clients, 1, None)))
        wanted = list(clients) if rising else sorted(set(clients))
        known = self._reader.codes
        codes = np.fromiter((known.get(id, -1) for id in wanted), np.int64, len(wanted))
        if len(codes) and codes.min() < 0:
            raise UsageError("engine.client-unknown", client=wanted[int(np.argmin(codes))])
        exists = moment.exists(codes)
        if exists.all():
            return codes, wanted
        return codes[exists], [wanted[i] for i in np.flatnonzero(exists)]

    def _each(self, codes: Ints, task: Callable[[int, Ints], None]) -> None:
        """Runs a task on every batch of codes, in threads; the first error is raised."""
        batches = -(-len(codes) // CHUNK)
        if self.threads > 1 and len(codes) > _ALONE:
            batches = max(batches, self.threads)
        size = -(-len(codes) // max(batches, 1))
        starts = range(0, len(codes), max(size, 1))
        if len(starts) < 2 or self.threads == 1:
            for low in starts:
                task(low, codes[low : low + size])
            return
        running = [self._pool.submit(task, low, codes[low : low + size]) for low in starts]
        for batch in running:
            batch.result()


_local = threading.local()


def _evaluate(
    work: Work,
    codes: Ints,
    low: int,
    *targets: tuple[Sequence[tuple[int, Indicator]], npt.NDArray[Any]],
) -> None:
    """Computes one batch and writes it to its place in matrices, each with its rows' items."""
    if getattr(_local, "work", None) is not work:
        _local.work, _local.buffers = work, work.buffers()
    answers = work.answer(codes, _local.buffers)
    moment = work.moment
    windows = Windows(len(codes), moment.as_of, moment.day, answers.__getitem__)
    with np.errstate(all="ignore"):
        for items, columns in targets:
            for i, item in items:
                same = work.settled(item, len(codes))
                columns[i, low : low + len(codes)] = item(windows) if same is None else same
