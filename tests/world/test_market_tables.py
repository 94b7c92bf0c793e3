from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from keepwell.core.days import midnight
from keepwell.observe.contract import TABLES
from keepwell.observe.contract_convert import Edge, convert
from keepwell.world.market.draw import draw_market
from keepwell.world.market.settings import MarketSettings
from keepwell.world.market.tables import MARKET_TABLES, market_tables
from keepwell.world.scenario import Happening, Scenario
from keepwell.world.terms import NEVER

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 120


@pytest.fixture(scope="module")
def market():
    settings = MarketSettings(instruments=80, maturing_share=0.6, outages_a_year=30.0)
    happenings = (Happening(kind="outage", day=4, days=2, strength=2.0),)
    scenario = Scenario(start=date(2024, 1, 2), market=settings, happenings=happenings)
    return draw_market(scenario, 3, DAYS)


@pytest.fixture(scope="module")
def tables(market):
    return [market_tables(market, t) for t in range(DAYS)]


def test_tables_and_columns_are_the_contracts(tables):
    assert set(tables[0]) == set(MARKET_TABLES)
    assert all(set(day) == set(MARKET_TABLES) - {"instrument"} for day in tables[1:])
    for name in MARKET_TABLES:
        table = TABLES[name]
        columns = tables[0][name].column_names
        assert columns[-1] == "known_at"
        assert set(columns[:-1]) <= set(table.names)
        assert set(table.names) - set(columns) <= {"currency"}
        assert tables[0][name].schema.field("known_at").type == pa.timestamp("us", "UTC")
        assert len({day[name].schema for day in tables if name in day}) == 1


def test_the_mapping_edge_takes_every_value(tables):
    edge = Edge(ZONE, "CNY")
    for name in MARKET_TABLES:
        whole = pa.concat_tables([day[name] for day in tables if name in day])
        assert len(whole) > 0
        for column in TABLES[name].columns:
            if column.name in whole.column_names:
                values = whole[column.name].combine_chunks()
                converted = convert(column, values, edge)
                assert not converted.faults, (name, column.name)
                if TABLES[name].is_required(column.name):
                    assert converted.values.null_count == 0
        keys = list(zip(*(whole[key].to_pylist() for key in TABLES[name].key), strict=True))
        assert len(set(keys)) == len(keys)


def test_prices_are_exact_on_sessions_only(market, tables):
    for t, day in enumerate(tables):
        prices, index = day["price"], day["index_price"]
        assert index.num_rows == market.days["trading"][t]
        if not market.days["trading"][t]:
            assert prices.num_rows == 0
            continue
        alive = np.flatnonzero(market.maturity >= market.start + t)
        assert prices["series"].to_pylist() == [market.codes[i] for i in alive]
        assert [float(p) for p in prices["close"].to_pylist()] == market.close[t, alive].tolist()
        assert index["close"].to_pylist() == [market.index[t]]
        assert index["series"].to_pylist() == ["MAIN"]
        known = midnight(market.start + t + 1, ZONE)
        assert set(prices["known_at"].to_pylist()) == {known}
        assert index["known_at"].to_pylist() == [known]
    assert tables[-1]["price"].num_rows < tables[0]["price"].num_rows


def test_instruments_are_told_with_maturity_and_known_at_the_start(market, tables):
    table = tables[0]["instrument"]
    assert table["instrument_id"].to_pylist() == market.codes
    assert set(table["known_at"].to_pylist()) == {datetime(2024, 1, 1, 16, tzinfo=UTC)}
    dated = (market.maturity != NEVER).tolist()
    assert [value is not None for value in table["maturity_on"].to_pylist()] == dated
    i = dated.index(True)
    assert (table["maturity_on"][i].as_py() - date(1970, 1, 1)).days == market.maturity[i]
    assert table["esg"].null_count == int(np.isnan(market.esg).sum()) > 0


def test_news_and_outages_are_at_their_local_time(market, tables):
    news = pa.concat_tables([day["news"] for day in tables])
    assert len(news) == len(market.news)
    for row, piece in zip(news.to_pylist(), market.news, strict=True):
        local = row["at"].astimezone(ZONE)
        assert (local.date() - date(1970, 1, 1)).days == piece.day
        assert local.hour * 3600 + local.minute * 60 + local.second == piece.second
        assert row["known_at"] == row["at"]
        assert (row["subject"], row["text"]) == (piece.subject, piece.text)
    outages = pa.concat_tables([day["outage"] for day in tables]).to_pylist()
    assert len(outages) == len(market.outages) >= 5
    for row, failure in zip(outages, market.outages, strict=True):
        assert (row["ended_at"] - row["at"]).total_seconds() == failure.seconds
        assert row["known_at"] == row["ended_at"]
        assert row["severity"] == ("low", "medium", "high")[failure.severity]
