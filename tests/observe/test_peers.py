"""A client among peers: groups, medians and ranks by hand, frozen for the day, alone or not."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keepwell.core.errors import UsageError
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.engines.peers import Norms
from keepwell.observe.indicators import Registry, get, indicator
from keepwell.observe.ingest import ingest
from keepwell.observe.lineage import lineage
from keepwell.observe.workspace import Workspace

DAY = date(2026, 4, 1)
MIDNIGHT = datetime(2026, 3, 31, 16, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)
IDS = [f"c{i:03d}" for i in range(230)]
MAPPING = """\
version: 1
name: Peers
timezone: Asia/Shanghai
currency: CNY
sources:
  people: {path: client.parquet}
  balances: {path: "balance/*.parquet"}
  flows: {path: cash_flow.parquet}
tables:
  client: {sql: select * from people}
  balance: {sql: select * from balances, covers: [["2025-01-01", null]]}
  cash_flow: {sql: select * from flows, covers: [["2025-01-01", null]]}
"""


def _balances(day: date, cash: np.ndarray) -> pa.Table:
    n = len(IDS)
    columns = {"client_id": IDS, "day": [day] * n, "cash": cash.round(2), "securities": [0.0] * n}
    return pa.table(columns)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """230 clients of levels C2 and C3, two balances each, a manifest before a late balance."""
    root = tmp_path_factory.mktemp("peers")
    (root / "keepwell.yaml").write_text(MAPPING, encoding="utf-8")
    (root / "balance").mkdir()
    luck = np.random.default_rng(7)
    before = np.round(np.exp(luck.normal(11, 1, len(IDS))), 2)
    after = before * (1 + luck.normal(0, 0.1, len(IDS)))
    levels = ["C2" if i % 2 else "C3" for i in range(len(IDS))]
    levels[4] = None
    pq.write_table(
        pa.table({"client_id": IDS, "valid_from": [datetime(2020, 1, 1, tzinfo=UTC)] * len(IDS),
                  "risk_level": levels}), root / "client.parquet",
    )  # fmt: skip
    flows = {"flow_id": ["f"], "client_id": ["c000"], "kind": ["deposit"], "amount": [1.0],
             "at": [datetime(2025, 2, 1, tzinfo=UTC)]}  # fmt: skip
    pq.write_table(pa.table(flows), root / "cash_flow.parquet")
    pq.write_table(_balances(date(2025, 12, 1), before), root / "balance" / "a.parquet")
    pq.write_table(_balances(date(2026, 3, 30), after), root / "balance" / "b.parquet")
    workspace = Workspace.open(root)
    ingest(workspace, backfill=True, now=NOON - timedelta(hours=1))
    late = _balances(date(2026, 3, 31), after * 2)
    pq.write_table(late.slice(0, 5), root / "balance" / "c.parquet")
    ingest(workspace, now=NOON)
    rows = {"assets": np.rint(after * 100), "level": np.array(levels)}
    rows["return"] = np.rint(after * 100) / np.rint(before * 100) - 1
    return workspace, rows


def _groups(rows):
    ordered = np.sort(rows["assets"])
    edges = [ordered[-(-k * len(IDS) // 5) - 1] for k in (1, 2, 3, 4)]
    return [
        (int((edges < a).sum()), level)
        for a, level in zip(rows["assets"], rows["level"], strict=True)
    ]


def test_median_and_rank_by_hand(place):
    workspace, rows = place
    ids = ["return_beyond_peers_90d", "return_rank_90d"]
    frame = LocalEngine.open(workspace).compute(MIDNIGHT, indicators=ids)
    groups = _groups(rows)
    told = 0
    for i in range(len(IDS)):
        peers = [rows["return"][j] for j in range(len(IDS)) if groups[j] == groups[i]]
        if rows["level"][i] is None or len(peers) < 20:
            assert np.isnan(frame.values[i]).all()
            continue
        mine = rows["return"][i]
        assert frame.values[i, 0] == pytest.approx(mine - np.median(peers), abs=1e-12)
        assert frame.values[i, 1] == pytest.approx(
            (sum(p < mine for p in peers) + 0.5 * sum(p == mine for p in peers)) / len(peers)
        )
        told += 1
    assert 100 < told < len(IDS)


def test_alone_as_in_a_crowd_and_with_the_rest_of_the_catalogue(place):
    workspace, _ = place
    ids = ["return_rank_90d", "assets_beyond_peers_90d", "return_90d"]
    for at in (MIDNIGHT, NOON):
        engine = LocalEngine.open(workspace)
        whole = engine.compute(at, indicators=ids)
        for client in ("c007", "c150"):
            alone = LocalEngine.open(workspace, threads=1).compute(at, [client], ids)
            assert alone.values[0].tobytes() == whole.values[IDS.index(client)].tobytes()
        catalogue = engine.compute(at)
        for id in ids:
            assert catalogue.column(id).tobytes() == whole.column(id).tobytes()
            small = engine.compute(at, indicators=ids, dtype=np.float32).column(id)
            np.testing.assert_array_equal(small, whole.column(id).astype(np.float32))


def test_what_comes_within_the_day_moves_only_the_client(place):
    """Five balances doubled at noon: their clients' numbers move, nobody else's."""
    workspace, _ = place
    engine = LocalEngine.open(workspace)
    before, after = (
        engine.compute(at, indicators=["assets_beyond_peers_90d"]).values[:, 0]
        for at in (MIDNIGHT, NOON)
    )
    moved = [i for i in range(len(IDS)) if not np.array_equal(before[i], after[i], equal_nan=True)]
    assert moved
    assert set(moved) <= set(range(5))


def test_lineage_names_the_group(place):
    workspace, rows = place
    client = next(
        IDS[i] for i, g in enumerate(_groups(rows)) if i > 5 and _groups(rows).count(g) >= 20
    )
    engine = LocalEngine.open(workspace)
    for manifest in (None, 1):
        found = lineage(workspace, client, "return_beyond_peers_90d", MIDNIGHT, manifest)
        value = engine.compute(MIDNIGHT, [client], ["return_beyond_peers_90d"]).values[0, 0]
        assert found.value == value
        (group,) = found.peers
        place_ = _groups(rows)[IDS.index(client)]
        assert (group.fifth - 1, f"C{group.level}") == place_
        assert group.members == _groups(rows).count(place_)
        assert group.median == pytest.approx(rows["return"][IDS.index(client)] - value)
        assert (group.low or 0) < rows["assets"][IDS.index(client)] <= (group.high or np.inf)
        assert {source.table for source in found.sources} == {"balance", "cash_flow", "client"}
    assert lineage(workspace, "c004", "return_rank_90d", MIDNIGHT).peers == ()
    assert lineage(workspace, client, "return_90d", MIDNIGHT).peers == ()


def test_equal_values_and_small_groups():
    columns = {
        "total_assets": np.array([5.0, 5.0, 5.0, 0.0, np.nan, 5.0]),
        "client_risk_level": np.array([1.0, 1.0, 1.0, 1.0, 1.0, np.nan]),
        "x": np.array([1.0, 2.0, 2.0, 3.0, 3.0, 3.0]),
    }
    norms = Norms.of(columns, ["x"])
    group = norms.group(columns)
    assert group.tolist() == [0, 0, 0, -1, -1, -1]
    assert norms.median("x", 3)[0] == 2.0
    assert np.isnan(norms.median("x", 4)).all()
    ranks = norms.rank("x", columns["x"], group, 3)
    np.testing.assert_allclose(ranks[:3], [1 / 6, 4 / 6, 4 / 6])
    assert np.isnan(ranks[3:]).all()
    nobody = {name: np.full(3, np.nan) for name in columns}
    assert (Norms.of(nobody, ["x"]).group(columns) == -1).all()


def test_a_comparison_asks_of_registered_indicators_only():
    def new(function):
        indicator(
            "mine", name="N", explain="E.", definition="D.", unit="change", direction="none",
            family="performance", registry=Registry(load=False),
        )(function)  # fmt: skip

    with pytest.raises(UsageError, match=r"peers and of something else"):
        new(lambda w: w.peer.own("return_90d") - w.trade.sum("count", 30))
    with pytest.raises(UsageError, match="itself is such a comparison"):
        new(lambda w: w.peer.own("return_rank_90d"))
    with pytest.raises(UsageError, match="return_90"):
        new(lambda w: w.peer.median("return_9d"))
    with pytest.raises(UsageError, match="mean"):
        new(lambda w: w.peer.mean("return_90d"))
    assert get("return_rank_90d").sources == ("balance", "cash_flow", "client")
    assert get("return_rank_90d").windows == (90,)
