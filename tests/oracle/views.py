"""What can be seen at an instant: the oracle's views, in SQL, from the design's words on time.

A fact counts at t if it happened before t and was known by t, in its latest revision known by
t; not at all if that revision takes it back. Close-of-day facts (balance, holding, prices) count
from the day after theirs. Days are local days of the exchange's zone. The rule "which rows are
visible" stands here once; what an indicator makes of them is in the ``sql_*`` modules.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from .world import World, day_of, local_day
from .world_schema import KEYS, SCHEMAS

_AT = pa.timestamp("us", "UTC")
EVENTS = (
    "trade", "first_purchase", "cash_flow", "session", "contact", "custody_transfer",
    "exit_request", "subscription", "view", "complaint", "survey", "touch", "news", "outage",
)  # fmt: skip
CLOSES = ("balance", "holding", "margin", "price", "index_price")


def open_world(world: World) -> duckdb.DuckDBPyConnection:
    """An in-memory database with the world's raw rows as ``all_<table>`` (repeats removed).

    Tables that the world lacks exist empty; ``present`` lists those it has.
    """
    con = duckdb.connect(config={"threads": 1})
    con.execute("pragma disable_optimizer")  # so few rows are read sooner than plans get better
    _register(con, "calendar", _calendar(world.zone))
    for name, schema in SCHEMAS.items():
        rows = world.tables.get(name, schema.empty_table())
        con.register("incoming", rows)
        con.execute(f"create table all_{name} as select distinct * from incoming")
        if name in (*EVENTS, "service"):
            clock = "valid_from" if name == "service" else "at"
            con.execute(f"""
                create or replace table all_{name} as
                select f.*, calendar.day, calendar.hour
                from all_{name} as f asof left join calendar on f."{clock}" >= calendar.starts""")
        con.unregister("incoming")
    _register(con, "agos", pa.table({"ago": pa.array(AGOS, pa.int64())}))
    _register(con, "present", pa.table({"name": pa.array(list(world.tables), pa.string())}))
    spans = [(name, *span) for name, spans in world.covers.items() for span in spans]
    con.execute(
        "create table mapped as select "
        + ", ".join(f"count(*) filter (name = '{name}') > 0 as {name}" for name in SCHEMAS)
        + " from present"
    )
    names, starts, ends = zip(*spans, strict=True) if spans else ((), (), ())
    columns = {
        "name": pa.array(names, pa.string()),
        "start": pa.array(starts, pa.int64()),
        "until": pa.array(ends, pa.int64()),
    }
    _register(con, "covers", pa.table(columns))
    return con


def _register(con: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    con.register("incoming", rows)
    con.execute(f"create table {name} as select * from incoming")
    con.unregister("incoming")


@lru_cache
def _calendar(zone: ZoneInfo) -> pa.Table:
    """Local day and wall-clock hour of every UTC hour the worlds can touch."""
    first = datetime(2020, 6, 1, tzinfo=UTC)
    hours = [first + timedelta(hours=k) for k in range(24 * 1800)]
    local = [hour.astimezone(zone) for hour in hours]
    columns = {
        "starts": pa.array(hours, _AT),
        "day": pa.array([day_of(hour.date()) for hour in local], pa.int64()),
        "hour": pa.array([hour.hour for hour in local], pa.int64()),
    }
    return pa.table(columns)


def look(con: duckdb.DuckDBPyConnection, world: World, t: datetime) -> None:
    """(Re)creates the views of the world as seen at ``t``.

    Creates ``trade``, ``first_purchase``, ``cash_flow``, ``session``, ``contact`` (with ``day``
    and ``hour``, the local day and wall-clock hour), ``balance``, ``holding``, ``price``,
    ``index_price``, ``instrument``, ``profile`` (each client's row in force), ``people`` (who
    exists), ``cover``, ``first_seen`` (first day of each client's instruments),
    ``snaps``, ``held``, ``portfolio``, ``worth``, ``account``, ``served``, ``ties``, ``market``
    and ``now`` (one row: ``t``, its local day ``d``).
    """
    con.execute(
        "create or replace temp table now as select ?::timestamptz as t, ?::bigint as d",
        [t, local_day(t, world.zone)],
    )
    for name in SCHEMAS:
        key = ", ".join(f'"{column}"' for column in KEYS[name])
        con.execute(f"""
            create or replace temp table seen_{name} as
            select * from all_{name} where known_at <= (select t from now)
            qualify row_number() over (partition by {key} order by revision desc) = 1""")
        con.execute(f"delete from seen_{name} where deleted")
    for name in EVENTS:
        con.execute(f"""
            create or replace temp table {name} as
            select * from seen_{name} where "at" < (select t from now)""")
    for name in CLOSES:
        con.execute(f"""
            create or replace temp table {name} as
            select * replace (day - date '1970-01-01' as day) from seen_{name}
            where day - date '1970-01-01' < (select d from now)""")
    con.execute("create or replace temp table instrument as select * from seen_instrument")
    con.execute("""
        create or replace temp table profile as
        select * from seen_client where valid_from < (select t from now)
        qualify row_number() over (partition by client_id order by valid_from desc) = 1""")
    con.execute("create or replace temp table account as select * from seen_account")
    con.execute(SERVED)
    con.execute(TIES)
    con.execute(PEOPLE)
    con.execute(COVER)
    con.execute("""
        create or replace temp table first_seen as
        select client_id, instrument_id, min(day) as day
        from (
            select client_id, instrument_id, day from trade
            union all
            select client_id, instrument_id, day from first_purchase
            union all
            select client_id, instrument_id, day from holding where quantity > 0
        ) where instrument_id is not null group by all""")
    con.execute(SNAPS, {"full_days": world.full_days})
    con.execute(HELD)
    con.execute(PORTFOLIO)
    con.execute(WORTH)
    con.execute(
        "create or replace temp table market as select * from index_price where series = ?",
        [world.index],
    )


SERVED = """
    create or replace temp table served as
    select *, lag(manager_id) over w as manager_before, lag(adviser_id) over w as adviser_before,
           lag(wecom) over w as wecom_before, row_number() over w as place,
           row_number() over (partition by client_id order by valid_from desc) = 1 as newest
    from seen_service where valid_from < (select t from now)
    window w as (partition by client_id order by valid_from)"""
"""Service rows in force by now, each beside the one before."""

TIES = """
    create or replace temp table ties as
    select * from seen_relation, now
    where since is null or since - date '1970-01-01' < d"""
"""Ties between clients that have begun."""

ACTIVITIES = ("trade", "first_purchase", "cash_flow", "session", "contact")
SIGNS_OF_LIFE = (
    "profile", *ACTIVITIES, "balance", "holding", "custody_transfer", "exit_request",
    "subscription", "view", "complaint", "survey",
)  # fmt: skip
PEOPLE = f"""
    create or replace temp table people as
    select distinct client_id, t, d
    from (
        {" union all ".join(f"select client_id from {name}" for name in SIGNS_OF_LIFE)}
    ), now"""
"""Who exists: a client row in force, or any fact of the client, known by now.

A client without a profile is kept and never dropped, even one who only has a balance or a holding.
"""

WINDOWS = (7, 14, 30, 60, 90, 180, 365, 366)
COVER = f"""
    create or replace temp table cover as
    with spans as (
        select p.name, w, prev,
               case when prev then d - 2 * w else d - w end as low,
               case when prev then d - w else d end as high
        from present as p, now, (select unnest({list(WINDOWS)}) as w),
             (select unnest([true, false]) as prev)
    )
    select s.name, w, prev,
           coalesce(sum(greatest(0, least(coalesce(until, high), high) - greatest(start, low))), 0)
               as days,
           days >= 0.5 * w as told
    from spans as s left join covers as v on v.name = s.name
    group by s.name, w, prev, low, high"""
"""Whole days of each table's windows that its declared coverage holds, and whether enough."""

AGOS = (0, 90, 180, 365)
SNAPS = """
    create or replace temp table snaps as
    with cuts as (
        -- as_of may lie inside day D: then what of that day came before it counts too.
        select ago, d - ago as x_day,
               d - ago + case when ago = 0 and t > midnight then 1 else 0 end as ends
        from now, agos, (
            select min(starts) as midnight from calendar where day = (select d from now))
    ),
    latest as (
        select c.client_id, ago, ends, x_day, max(h.day) as snap_day
        from people as c cross join cuts
        left join holding as h on h.day < x_day and ($full_days or h.client_id = c.client_id)
        group by all
    ),
    starts as (
        select l.*, coalesce(
                   l.snap_day,
                   (select p.opened_on - date '1970-01-01' - 1 from profile as p
                    where p.client_id = l.client_id),
                   (select min(start) - 1 from covers where name = 'trade'
                    and not (select holding from mapped))) as s0
        from latest as l
    ),
    based as (select * exclude s0, case when s0 < x_day then s0 end as s from starts)
    select b.client_id, b.ago, b.ends, b.snap_day, b.s,
           b.s is not null
           and (select holding or trade from mapped)
           and not exists (
             select 1 from trade as x
             where x.client_id = b.client_id and x.day > b.s and x.day < b.ends
               and x.quantity is null and x.instrument_id is not null)
           and (
             b.x_day - b.s - 1 <= coalesce((
               select sum(greatest(
                   0, least(coalesce(v.until, b.x_day), b.x_day) - greatest(v.start, b.s + 1)))
               from covers as v
               where v.name = (
                   select case when trade then 'trade' else 'holding' end from mapped)), 0)
             or (b.ago > 0 and b.x_day - 1 - b.s <= 14)
           ) as known
    from based as b"""
"""Per client and ago: the day s his positions start from, and whether they can be told.

X is the start of day D - ago, or t itself for ago 0; ``ends`` is the first day whose trades do not
count, ``x_day`` the day of X.
"""

HELD = """
    create or replace temp table held as
    with parts as (
        select ago, s.client_id, h.instrument_id, h.quantity
        from snaps as s join holding as h on h.client_id = s.client_id and h.day = s.snap_day
        where s.known
        union all
        select ago, s.client_id, x.instrument_id,
               case x.side when 'buy' then x.quantity else -x.quantity end
        from snaps as s join trade as x
          on x.client_id = s.client_id and x.day < s.ends and x.day > s.s
        where s.known and x.instrument_id is not null
    )
    select p.*, i.category, f.day as first_day
    from (
        select ago, client_id, instrument_id, sum(quantity)::bigint as quantity
        from parts group by all
    ) as p
    left join instrument as i using (instrument_id)
    left join first_seen as f using (client_id, instrument_id)"""
"""Positions at X, where known: the snapshot, plus later buys, minus later sells."""

PORTFOLIO = """
    create or replace temp table portfolio as
    with quotes as (
        select x.ago, p.series, arg_max(p.close, p.day) as close
        from (select distinct ago from agos) as x cross join now
        join price as p on p.day < now.d - x.ago
        group by all
    ),
    valued as (
        select h.ago, h.client_id,
               round((h.quantity::hugeint * q.close)::double / 1e14) as value
        from held as h left join quotes as q on q.ago = h.ago and q.series = h.instrument_id
        where h.quantity > 0
    ),
    sums as (
        select c.client_id, x.ago, x.known, count(v.ago) as positions, count(v.value) as priced,
               case when count(v.ago) > 0 and count(v.value) = 0 then null
                    else coalesce(sum(v.value), 0) end as value,
               max(v.value) as largest, sum(v.value * v.value) as squares
        from people as c join snaps as x using (client_id)
        left join valued as v on v.client_id = c.client_id and v.ago = x.ago
        group by all
    )
    select client_id, ago,
           case when known then positions end as positions,
           case when known and price then priced end as priced,
           case when known and price then value end as value,
           case when known and price then largest end as largest,
           case when known and price then squares / nullif(value * value, 0) end
               as concentration
    from sums, mapped"""
"""One row per client and ago: positions, those priced, their value, largest and Herfindahl."""

WORTH = """
    create or replace temp table worth as
    select h.ago, h.client_id, h.instrument_id, i.category, i.sector,
           substr(i.risk_level, 2)::integer as risk,
           i.maturity_on - date '1970-01-01' as matures,
           round((h.quantity::hugeint * q.close)::double / 1e14) as value
    from held as h
    left join instrument as i using (instrument_id)
    left join (
        select x.ago, p.series, arg_max(p.close, p.day) as close
        from (select distinct ago from agos) as x cross join now
        join price as p on p.day < now.d - x.ago
        group by all) as q on q.ago = h.ago and q.series = h.instrument_id
    where h.quantity > 0"""
"""Positions held at X with their value (NULL without a price) and what the instrument is."""
