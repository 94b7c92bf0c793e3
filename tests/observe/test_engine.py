"""The local engine on a small real workspace."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from keepwell.core.days import day_number
from keepwell.core.errors import UsageError
from keepwell.observe import coverage
from keepwell.observe.engines import plan
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.indicators.needs import Need, Windows
from keepwell.observe.indicators.registry import Indicator, Registry, indicator
from keepwell.observe.lake import Lake

ATHENS = ZoneInfo("Europe/Athens")
AS_OF = datetime(2023, 9, 1, tzinfo=ATHENS).astimezone(UTC)
AT = pa.timestamp("us", "UTC")


def instant(day: date, hour: float = 12.0) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ATHENS) + timedelta(hours=hour)


def make(root: Path, tables: dict[str, pa.Table], covers: dict[str, Any], **more: Any) -> Any:
    lake = Lake(root / "lake")
    with lake.writer() as writer:
        for name, table in tables.items():
            writer.append(name, table, source=name)
        writer.publish(coverage=covers, full_days=more.get("full_days"))
    return SimpleNamespace(
        zone=ATHENS, currency="EUR", lake=lake, tiles=root / "tiles",
        mapping=SimpleNamespace(market=SimpleNamespace(index=more.get("index", "IDX"))),
    )  # fmt: skip


def trades(rows: list[tuple[str, datetime, str, str, int]], delay: timedelta) -> pa.Table:
    return pa.table({
        "trade_id": [str(i) for i in range(len(rows))],
        "client_id": [r[0] for r in rows],
        "at": pa.array([r[1] for r in rows], AT),
        "instrument_id": [r[2] for r in rows],
        "side": [r[3] for r in rows],
        "quantity": [r[4] * 10**8 for r in rows],
        "amount": [r[4] * 1000 for r in rows],
        "known_at": pa.array([r[1] + delay for r in rows], AT),
    })  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """200 clients with trades, holdings, prices, an index and client rows."""
    rng = np.random.default_rng(5)
    first = date(2023, 1, 2)
    rows = [(f"c{rng.integers(200):03d}", instant(first + timedelta(days=int(rng.integers(240))),
             float(rng.random() * 24)), f"i{rng.integers(20)}", str(rng.choice(["buy", "sell"])),
             int(rng.integers(1, 50))) for _ in range(4000)]  # fmt: skip
    snap = date(2023, 3, 31)
    held = [(f"c{c:03d}", f"i{i}") for c in range(200) for i in range(20) if rng.random() < 0.2]
    known = pa.array([instant(snap, 24.0)] * len(held), AT)
    holdings = pa.table({
        "client_id": [h[0] for h in held], "day": pa.array([snap] * len(held), pa.date32()),
        "instrument_id": [h[1] for h in held],
        "quantity": rng.integers(1, 90, len(held)) * 10**8, "known_at": known,
    })  # fmt: skip
    days = [first + timedelta(days=i) for i in range(241)]
    closes = pa.table({
        "series": [f"i{i}" for i in range(19) for _ in days],
        "day": pa.array(days * 19, pa.date32()),
        "close": rng.integers(10**8, 10**10, 19 * len(days)),
        "known_at": pa.array([instant(d, 24.0) for d in days] * 19, AT),
    })  # fmt: skip
    index = pa.table({
        "series": ["IDX"] * len(days), "day": pa.array(days, pa.date32()),
        "close": 100.0 + np.arange(len(days)),
        "known_at": pa.array([instant(d, 24.0) for d in days], AT),
    })  # fmt: skip
    begin = instant(date(2022, 1, 1))
    people = pa.table({
        "client_id": [f"c{c:03d}" for c in range(200)],
        "valid_from": pa.array([begin] * 200, AT), "known_at": pa.array([begin] * 200, AT),
        "opened_on": pa.array([date(2021, 9, 1)] * 200, pa.date32()),
        "birth_year": [1950 + c % 50 for c in range(200)],
        "risk_level": [f"C{1 + c % 5}" for c in range(200)],
    })  # fmt: skip
    start = day_number(first)
    return make(
        tmp_path_factory.mktemp("broker"),
        {"trade": trades(rows, timedelta(hours=20)), "holding": holdings, "price": closes,
         "index_price": index, "client": people},
        {"trade": [(start, None)], "holding": [(start, None)], "price": [(start, None)]},
    )  # fmt: skip


def test_results_depend_neither_on_batches_nor_on_threads(
    broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = LocalEngine.open(broker, threads=1).compute(AS_OF)
    monkeypatch.setattr("keepwell.observe.engines.local.CHUNK", 7)
    parts = LocalEngine.open(broker, threads=3).compute(AS_OF)
    assert whole.values.tobytes() == parts.values.tobytes()
    assert len(whole.present) > 40


@pytest.mark.parametrize("as_of", [AS_OF, AS_OF + timedelta(hours=13, minutes=5)])
def test_a_refresh_of_some_gives_what_all_give(broker: Any, as_of: datetime) -> None:
    engine = LocalEngine.open(broker)
    whole = engine.compute(as_of)
    some = engine.compute(as_of, clients=["c150", "c003", "c003", "c199"])
    assert some.clients == ["c003", "c150", "c199"]
    rows = [whole.clients.index(c) for c in some.clients]
    assert some.values.tobytes("F") == whole.values[rows].tobytes("F")


def test_float32_is_the_rounded_matrix(broker: Any) -> None:
    engine = LocalEngine.open(broker)
    narrow = engine.compute(AS_OF, dtype=np.float32)
    assert narrow.values.dtype == np.float32
    assert np.array_equal(narrow.values, engine.compute(AS_OF).values.astype(np.float32), True)


def test_unknown_names_are_told(broker: Any) -> None:
    engine = LocalEngine.open(broker)
    with pytest.raises(UsageError, match="nobody"):
        engine.compute(AS_OF, clients=["nobody"])
    with pytest.raises(UsageError):
        engine.compute(AS_OF, indicators=["trade_count_31d"])


def test_a_bare_date_is_the_zones_midnight(broker: Any) -> None:
    engine = LocalEngine.open(broker)
    a, b = engine.compute("2023-09-01"), engine.compute(AS_OF)
    assert a.as_of == b.as_of == AS_OF
    assert a.values.tobytes() == b.values.tobytes()


def test_positions_agree_with_the_indicators(broker: Any) -> None:
    engine = LocalEngine.open(broker)
    frame, positions = engine.compute(AS_OF), engine.positions(AS_OF)
    assert positions.clients == frame.clients
    assert np.array_equal(positions.count, frame.column("position_count"), equal_nan=True)
    assert np.array_equal(positions.value_minor, frame.column("holdings_value"), equal_nan=True)
    assert (positions.count > 0).sum() > 100
    held = [positions.held(i) for i in range(len(positions.clients))]
    known = positions.known
    assert 100 < known.sum() < 200  # without a snapshot, and opened before the trades begin
    assert np.isnan(positions.count[~known]).all()
    assert [len(h) for h in np.array(held)[known]] == positions.count[known].tolist()
    units = [sum(h.values()) / 1e8 for h in np.array(held)[known]]
    np.testing.assert_allclose(positions.units[known], units, rtol=1e-12)


def test_constant_prices_and_later_knowledge(broker: Any) -> None:
    engine = LocalEngine.open(broker)
    earlier = AS_OF - timedelta(days=60)
    then = engine.positions(earlier, known_by=AS_OF)
    live = engine.positions(earlier)
    price = engine.prices(earlier)
    for i in np.flatnonzero(then.count > 3)[:5]:
        want = sum(round(q * int(price[engine.store.instruments.index(k)]) / 1e14)
                   for k, q in then.held(i).items() if k != "i19")  # fmt: skip
        assert then.value_at(earlier)[i] == want
    # trades are known 20 hours late: at that midnight those of the day before were not
    assert (then.count != live.count).any()
    assert np.nanmean(then.value_at(AS_OF) != then.value_at(earlier)) > 0.5


def test_market_and_client_numbers(broker: Any) -> None:
    frame = LocalEngine.open(broker).compute(AS_OF, clients=["c012"], indicators=_items())
    got = dict(zip(frame.names, frame.values[0], strict=True))
    last = 100.0 + 241  # the closes rise by one a day, the last before AS_OF is of 2023-08-30
    assert got["level"] == last - 1
    assert got["change"] == (last - 1) / (last - 1 - 29) - 1
    assert got["drawdown"] == 0
    assert got["tenure"] == 730
    assert got["age"] == 2023 - 1962
    assert got["risk"] == 3


def _items() -> list[Indicator]:
    registry = Registry(load=False)
    ask: dict[str, Any] = {
        "level": lambda w: w.market.level(), "change": lambda w: w.market.change(30),
        "drawdown": lambda w: w.market.drawdown(90), "tenure": lambda w: w.client.tenure_days(),
        "age": lambda w: w.client.age_years(), "risk": lambda w: w.client.risk_level(),
        "covered": lambda w: w.trade.covered(365), "count": lambda w: w.trade.sum("count", 365),
        "recent": lambda w: w.trade.sum("count", 30), "visits": lambda w: w.session.days(30),
    }  # fmt: skip
    for name, function in ask.items():
        indicator(name, name=name, unit="count", direction="none", family="activity",
                  explain=name, definition=name, registry=registry)(function)  # fmt: skip
    return [registry[name] for name in ask]


def test_a_window_that_is_not_covered_gives_no_number(tmp_path: Path) -> None:
    day = date(2023, 8, 1)
    start = day_number(date(2023, 8, 2))
    workspace = make(
        tmp_path, {"trade": trades([("c1", instant(day), "i", "buy", 1)], timedelta())},
        {"trade": [(start, None)]},
    )  # fmt: skip
    frame = LocalEngine.open(workspace).compute(AS_OF, indicators=_items())
    got = dict(zip(frame.names, frame.values[0], strict=True))
    assert got["covered"] == 30
    assert np.isnan(got["count"])
    assert got["recent"] == 0
    assert np.isnan(got["visits"])
    assert frame.coverage["count"] == pytest.approx(30 / 365)
    assert frame.coverage["recent"] == 1.0
    assert frame.coverage["visits"] == 0.0
    assert frame.present == ["covered", "recent"]
    more = LocalEngine.open(workspace).compute(AS_OF, indicators=_items(), min_coverage=0.05)
    assert more.column("count").tolist() == [1.0]


def test_clients_exist_from_their_first_sign(tmp_path: Path) -> None:
    day = date(2023, 8, 10)
    workspace = make(
        tmp_path,
        {"trade": trades([("late", instant(day, 10.0), "i", "buy", 1)], timedelta(hours=5)),
         "client": pa.table({
             "client_id": ["early"], "valid_from": pa.array([instant(day, -48.0)], AT),
             "known_at": pa.array([instant(day, -48.0)], AT)})},
        {"trade": [(day_number(day), None)]},
    )  # fmt: skip
    engine = LocalEngine.open(workspace)
    assert engine.clients(instant(day, -48.0)) == []  # valid from then on, and not before
    assert engine.clients(instant(day, 14.9)) == ["early"]
    assert engine.clients(instant(day, 15.0)) == ["early", "late"]
    assert engine.compute(instant(day), clients=["late"]).clients == []


def test_an_engine_keeps_the_state_it_opened(tmp_path: Path) -> None:
    day = date(2023, 8, 10)
    covers = {"trade": [(day_number(day) - 90, None)]}
    first = trades([("c1", instant(day), "i", "buy", 1)], timedelta())
    workspace = make(tmp_path, {"trade": first}, covers)
    engine = LocalEngine.open(workspace)
    more = trades([("c1", instant(day), "i", "buy", 1)] * 2, timedelta())
    more = more.set_column(0, "trade_id", pa.array(["x", "y"]))
    make(tmp_path, {"trade": more}, covers)
    newer = LocalEngine.open(workspace)
    assert engine.compute(AS_OF, indicators=["trade_count_30d"]).values.tolist() == [[1.0]]
    assert newer.compute(AS_OF, indicators=["trade_count_30d"]).values.tolist() == [[3.0]]
    assert (engine.manifest.id, newer.manifest.id) == (1, 2)


def test_coverage_spans() -> None:
    spans = [(10, 20), (30, None)]
    assert coverage.covered_days(spans, 0, 100) == 80
    assert coverage.share(Need("trade", "days", window=10, prev=True), spans, 30) == 1.0
    assert coverage.share(Need("trade", "days", window=10), spans, 30) == 0.0
    assert coverage.share(Need("trade", "recency"), spans, 11) == 1.0
    assert coverage.share(Need("trade", "recency"), spans, 10) == 0.0
    assert [coverage.complete_from(spans, d) for d in (15, 20, 25, 31, 40)] == [10, 10, 25, 30, 30]


def test_accessors_answer_what_the_protocol_asks(broker: Any) -> None:
    """Every method of the protocols exists here, under the same parameters."""
    import inspect

    from keepwell.observe import accessor
    from keepwell.observe.indicators import needs

    for name in ("Windows", "TableWindows", "PositionWindows", "MarketWindows", "ClientAttributes"):
        for method, wanted in vars(getattr(needs, name)).items():
            if method.startswith("_"):
                continue
            given = getattr(getattr(accessor, name), method, None)
            assert given is not None or method == "n" or name == "Windows", f"{name}.{method}"
            if callable(wanted) and given is not None:
                for parameter in inspect.signature(wanted).parameters.values():
                    ours = inspect.signature(given).parameters[parameter.name]
                    assert ours.default == parameter.default, f"{name}.{method}"
    assert Windows is needs.Windows
    assert plan.CHUNK % 1024 == 0
