"""The engine on a Spark cluster: the same answers as the local one, to the last bit.

Spark builds the tiles of buckets of clients with the same SQL; each executor answers for its
buckets with the same kernels. The answers come back through files in the buckets' folder.
"""

from __future__ import annotations

import os
import pickle
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from keepwell.core.days import parse_as_of
from keepwell.core.errors import DataError, UsageError
from keepwell.core.places import Places
from keepwell.observe import coverage
from keepwell.observe.engines import peers
from keepwell.observe.engines.base import Instant, chosen
from keepwell.observe.engines.frame import IndicatorFrame, Positions
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.engines.spark.bucket import (
    Asked,
    Existing,
    at_midnight,
    existing,
    norms_key,
    open_bucket,
    open_market,
)
from keepwell.observe.engines.spark.build import build
from keepwell.observe.engines.spark.layout import Buckets
from keepwell.observe.engines.spark.session import failed, open_session
from keepwell.observe.indicators.registry import INDICATORS, Indicator
from keepwell.observe.manifest import Manifest
from keepwell.observe.positions import Held
from keepwell.observe.tile_sql import micros
from keepwell.observe.vacuum import BUCKETS
from keepwell.observe.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")
Ints = npt.NDArray[np.int64]
Given = tuple[Asked, peers.Norms] | None

ROWS_PER_BUCKET: Final = 20_000_000
"""Rows of the lake per bucket, about: its tiles then take some 2 GB of an executor."""


class SparkEngine:
    """Answers from the buckets of one manifest; see `open`.

    Attributes:
        workspace: whose lake.
        session: Spark's.
        buckets: what executors read.
        threads: this machine's cores, for what is done here.
    """

    def __init__(self, workspace: Workspace, session: SparkSession, buckets: Buckets) -> None:
        self.workspace, self.session, self.buckets = workspace, session, buckets
        self.zone, self.currency, self.index = workspace.zone, workspace.currency, buckets.index
        self.threads = os.cpu_count() or 1
        self._norms: Given = None

    @classmethod
    def open(
        cls,
        workspace: Workspace,
        master: str = "local[*]",
        buckets: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> SparkEngine:
        """Connect to a cluster and bring the buckets in step with the workspace's lake.

        Args:
            workspace: in a folder that driver and executors see under one path.
            master: Spark's master.
            buckets: default: two per core, and at most `ROWS_PER_BUCKET` rows in each.
            settings: further settings of Spark.

        Raises:
            UsageError: pyspark is missing, or the master cannot be reached.
            DataError: nothing was ingested yet, no executor came, or a job failed.
        """
        manifest = workspace.lake.manifest()
        if manifest is None:
            raise DataError("tiles.lake-empty")
        session = open_session(master, settings)
        rows = sum(state.rows for state in manifest.tables.values())
        cores = int(session.sparkContext.defaultParallelism)
        market = workspace.mapping.market
        described = Buckets(
            workspace.state / BUCKETS, buckets or max(2 * cores, -(-rows // ROWS_PER_BUCKET)),
            workspace.lake.root, manifest, workspace.zone.key, workspace.currency,
            market.index if market else None,
        )  # fmt: skip
        build(session, described)
        return cls(workspace, session, described)

    def close(self) -> None:
        """End the session; its executors are free."""
        self.session.stop()

    @property
    def manifest(self) -> Manifest:
        """The lake's manifest whose data the engine answers from."""
        return self.buckets.manifest

    def clients(self, as_of: Instant) -> list[str]:
        """Ids of the clients that exist at an instant, ascending.

        Raises:
            UsageError: the instant lies within a day.
        """
        t = micros(self._instant(as_of))
        alive = self._seen <= t
        alive[self._brief[0][(self._brief[1] <= t) & (self._brief[2] > t)]] = True
        return [self._ids[i] for i in np.flatnonzero(alive)]

    def compute(
        self,
        as_of: Instant,
        clients: Sequence[str] | None = None,
        indicators: Iterable[str | Indicator] | None = None,
        dtype: npt.DTypeLike = np.float64,
        min_coverage: float = coverage.MINIMUM,
        min_peers: int = peers.MINIMUM,
    ) -> IndicatorFrame:
        """Indicators of clients, gathered on this machine; arguments as of `LocalEngine.compute`.

        Raises:
            UsageError: an unknown client or indicator, or an instant within a day.
        """
        instant = self._instant(as_of)
        items = chosen(indicators)
        given = self._norms_at(instant, peers.bases(items), min_coverage)
        task = partial(
            _compute, as_of=instant, indicators=items, dtype=np.dtype(dtype),
            min_coverage=min_coverage, min_peers=min_peers,
        )  # fmt: skip
        frames: list[IndicatorFrame] = [f for _, f in self._run(task, clients, given)]
        ids = [id for frame in frames for id in frame.clients]
        order, place = _sorted(ids)
        values, low = np.empty((len(ids), len(items)), dtype, order="F"), 0
        for frame in frames:
            values[place[low : low + len(frame.clients)]] = frame.values
            low += len(frame.clients)
        shares = frames[0].coverage if frames else {}
        names = [item.id for item in items]
        return IndicatorFrame([ids[i] for i in order], instant, names, values, shares)

    def peer_groups(
        self, client: str, indicator: Indicator, as_of: Instant, min_peers: int = peers.MINIMUM
    ) -> list[peers.PeerGroup]:
        """The group of a client; see `LocalEngine.peer_groups`."""
        compared = peers.bases([indicator])
        frame = self.compute(as_of, [client], compared)
        given = self._norms_at(frame.as_of, compared, coverage.MINIMUM)
        if given is None or not frame.clients:
            return []
        values = {item.id: np.asarray(frame.column(item.id), np.float64) for item in compared}
        return peers.describe(given[1], values, indicator.compares, min_peers)

    def positions(self, as_of: Instant, known_by: Instant | None = None) -> Positions:
        """What each client holds, gathered on this machine; see `LocalEngine.positions`.

        Raises:
            UsageError: an instant within a day.
        """
        instant = self._instant(as_of)
        known = self._instant(known_by) if known_by is not None else instant
        found: list[Positions] = [
            p for _, p in self._run(partial(_positions, as_of=instant, known_by=known), None, None)
        ]
        ids = [id for part in found for id in part.clients]
        order, _ = _sorted(ids)
        held = Held.join([part._held for part in found]).take(order)
        divisor = found[0]._divisor
        instruments = self._market.store.instruments
        return Positions(
            [ids[i] for i in order], instant, known, instruments, held, self.prices, divisor
        )

    def prices(self, as_of: Instant) -> Ints:
        """Latest price of each instrument code before an instant as known at it; 10^-8, int64."""
        return self._market.prices(self._instant(as_of))

    def parts(
        self,
        task: Callable[[Any, list[str]], T],
        clients: Sequence[str],
        size: int,
        peers_at: datetime | None = None,
    ) -> Iterator[tuple[list[str], T]]:
        """A task about parts of the clients, done on the executors; see `LocalEngine.parts`."""
        given = None
        if peers_at is not None:
            compared = peers.bases(INDICATORS.values())
            given = self._norms_at(peers_at, compared, coverage.MINIMUM)
        for _, found in self._run(partial(_in_parts, task=task, size=size), clients, given):
            yield from found

    def spread(self, task: Callable[[Any], T], pieces: Sequence[Any]) -> list[T]:
        """A task about pieces of work that need no client's rows, done on the executors."""
        numbered = list(enumerate(pieces))
        found = dict(self._submit(partial(_on_piece, task=task), numbered))
        return [found[i] for i, _ in numbered]

    def _instant(self, as_of: Instant) -> datetime:
        return at_midnight(parse_as_of(as_of, self.zone), self.zone)

    @cached_property
    def _market(self) -> LocalEngine:
        return open_market(self.buckets)

    @cached_property
    def _dictionary(self) -> tuple[list[str], Ints, Ints, tuple[Ints, Ints, Ints]]:
        """Ids ascending; from when each exists; its bucket; brief spans by place."""
        found = self._submit(_exist_in, [(n, None) for n in range(self.buckets.count)])
        parts = [(n, *told) for n, told in found]
        ids = [id for _, own, _, _ in parts for id in own]
        seen = np.concatenate([seen for _, _, seen, _ in parts])
        bucket = np.concatenate([np.full(len(own), n, np.int64) for n, own, _, _ in parts])
        first = np.cumsum([0, *(len(own) for _, own, _, _ in parts)])
        code = np.concatenate([low + b[0] for low, (*_, b) in zip(first, parts, strict=False)])
        begin, until = (np.concatenate([b[i] for *_, b in parts]) for i in (1, 2))
        order, place = _sorted(ids)
        return [ids[i] for i in order], seen[order], bucket[order], (place[code], begin, until)

    @property
    def _ids(self) -> list[str]:
        return self._dictionary[0]

    @property
    def _seen(self) -> Ints:
        return self._dictionary[1]

    @property
    def _brief(self) -> tuple[Ints, Ints, Ints]:
        return self._dictionary[3]

    @cached_property
    def _places(self) -> Places:
        return Places(self._ids)

    def _norms_at(self, as_of: datetime, compared: list[Indicator], min_coverage: float) -> Given:
        """What is usual among peers at a midnight, from the values of everyone."""
        if not compared:
            return None
        asked = norms_key(as_of, compared, min_coverage)
        if self._norms is None or self._norms[0] != asked:
            frame = self.compute(as_of, None, compared, min_coverage=min_coverage)
            columns = {i.id: np.asarray(frame.column(i.id), np.float64) for i in compared}
            self._norms = (asked, peers.Norms.of(columns, columns))
        return self._norms

    def _run(
        self, task: Callable[..., T], clients: Sequence[str] | None, given: Given
    ) -> Iterator[tuple[int, T]]:
        """A task on every bucket, or on those of some clients; in the order of the buckets."""
        asked: list[tuple[int, list[str] | None]]
        if clients is None:
            asked = [(n, None) for n in range(self.buckets.count)]
        else:
            wanted = sorted(set(clients))
            at = self._places.of(wanted)
            if len(at) and at.min() < 0:
                raise UsageError("engine.client-unknown", client=wanted[int(np.argmin(at))])
            bucket = self._dictionary[2][at]
            asked = [
                (int(n), [wanted[i] for i in np.flatnonzero(bucket == n)])
                for n in np.unique(bucket)
            ] or [(0, [])]
        return self._submit(partial(_on_bucket, task=task, given=given), asked)

    def _submit(
        self, call: Callable[..., Any], asked: Sequence[tuple[int, Any]]
    ) -> Iterator[tuple[int, Any]]:
        """One job: a call per number, each with what is asked of it; results come as files."""
        from pyspark import cloudpickle

        dumps: Callable[[Any], bytes] = cloudpickle.dumps
        job = self.buckets.results / uuid.uuid4().hex
        job.mkdir(parents=True)
        try:
            for place, one in enumerate(asked):
                (job / f"{place}.asked").write_bytes(dumps(one))
            (job / "call").write_bytes(dumps(call))
            places = self.session.range(0, len(asked), 1, max(len(asked), 1))
            run = partial(_answer, buckets=self.buckets, job=str(job))
            try:
                answered = places.mapInArrow(run, "id BIGINT")
                answered.write.format("noop").mode("overwrite").save()
            except Exception as error:
                if type(error).__module__.startswith(("pyspark", "py4j")):
                    raise failed(error) from error
                raise
            for place, (number, _) in enumerate(asked):
                yield number, pickle.loads((job / f"{place}.found").read_bytes())  # noqa: S301
        finally:
            shutil.rmtree(job, ignore_errors=True)


def _sorted(ids: list[str]) -> tuple[Ints, Ints]:
    """The order of ids, and the place of each in it."""
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
    place = np.empty(len(ids), np.int64)
    place[order] = np.arange(len(ids))
    return order, place


def _answer(
    batches: Iterator[pa.RecordBatch], buckets: Buckets, job: str
) -> Iterator[pa.RecordBatch]:
    """Runs on an executor: answers what is asked at its places, each into a file."""
    folder = Path(job)
    call = pickle.loads((folder / "call").read_bytes())  # noqa: S301 - the driver's own
    for batch in batches:
        for place in batch.column(0).to_pylist():
            number, words = pickle.loads((folder / f"{place}.asked").read_bytes())  # noqa: S301
            found = call(buckets, number, words)
            part = folder / f"{place}.{uuid.uuid4().hex}"
            part.write_bytes(pickle.dumps(found, pickle.HIGHEST_PROTOCOL))
            part.replace(folder / f"{place}.found")
        yield batch


def _on_bucket(buckets: Buckets, number: int, clients: Any, task: Any, given: Given) -> Any:
    engine = open_bucket(buckets, number)
    engine.given = given
    return task(engine, clients)


def _on_piece(_buckets: Buckets, _number: int, piece: Any, task: Any) -> Any:
    return task(piece)


def _exist_in(buckets: Buckets, number: int, _: None) -> Existing:
    return existing(buckets, number)


def _compute(engine: LocalEngine, clients: list[str] | None, **how: Any) -> IndicatorFrame:
    return engine.compute(clients=clients, **how)


def _positions(engine: LocalEngine, _: None, as_of: datetime, known_by: datetime) -> Positions:
    found = engine.positions(as_of, known_by)
    return Positions(found.clients, as_of, known_by, [], found._held, _no_prices, found._divisor)


def _no_prices(_: datetime) -> Ints:
    raise RuntimeError("prices are the driver's")


def _in_parts(engine: LocalEngine, clients: list[str], task: Any, size: int) -> list[Any]:
    return list(engine.parts(task, clients, size))
