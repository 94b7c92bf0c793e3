"""The SQL of `movement`: changes of base value, quantities and clients, and flows, by manager.

Each list of statements makes `base_change`, `held_change`, `client_change` (what changes at a day's
close, the level before the span at any day before it) and `flow_day`. They read the relations
`boss` (client_id, manager), `span` (since: the first day shown), `closing` and `moved`.
"""

from __future__ import annotations

from keepwell.learn.panel.making import Making


def balance(making: Making) -> list[str]:
    """From balances: value apart from prices, quantities from the holdings of the same day."""
    held = (
        f"""select s.client_id, s.manager, s.day, h.instrument_id, h.quantity
        from {making.seen("holding")} h join step s on s.client_id = h.client_id and s.day = h.day
        where s.until is distinct from s.from_day + 1"""
        if making.has("holding")
        else "select client_id, manager, day, null::varchar as instrument_id, "
        "null::bigint as quantity from step where false"
    )
    return [
        f"""create temp table step as
        with given as (
            select client_id, day, coalesce(cash, 0) + coalesce(securities, 0) as total
            from {making.seen("balance")} semi join boss using (client_id)),
        kept as (
            select client_id, max(day) as day, arg_max(total, day) as total
            from given, span where day < since group by client_id
            union all select client_id, day, total from given, span where day >= since)
        select client_id, manager, day, total, greatest(day, since - 1) as from_day,
            lead(day) over (partition by client_id order by day) as until
        from kept join boss using (client_id), span""",
        # Where the next balance is the next day's, no price comes between: not followed.
        f"""create temp table followed as
        select g.client_id, g.manager, g.day, g.instrument_id, g.quantity,
            {making.worth("g.quantity", "c.close")} as value
        from ({held}) g asof join closing c on g.instrument_id = c.series and g.day >= c.day""",
        """create temp table base_change as
        with own as (
            select s.client_id, s.manager, s.from_day, s.day,
                s.total - coalesce(f.value, 0) as value
            from step s left join (
                select client_id, day, sum(value) as value from followed group by all) f
            on f.client_id = s.client_id and f.day = s.day)
        select manager, from_day as day, sum(change)::bigint as value from (
            select manager, from_day,
                value - lag(value, 1, 0) over (partition by client_id order by day) as change
            from own) group by all""",
        """create temp table held_change as
        select manager, instrument_id, day, sum(quantity)::bigint as quantity from (
            select f.manager, f.instrument_id, s.from_day as day, f.quantity
            from followed f join step s on s.client_id = f.client_id and s.day = f.day
            union all
            select f.manager, f.instrument_id, s.until, -f.quantity
            from followed f join step s on s.client_id = f.client_id and s.day = f.day
            where s.until is not null)
        group by all having sum(quantity) <> 0""",
        """create temp table client_change as
        select manager, from_day as day, sum(change)::bigint as value from (
            select manager, from_day, (total <> 0)::int - lag((total <> 0)::int, 1, 0) over (
                partition by client_id order by day) as change from step) group by all""",
        _paid(making),
    ]


def _paid(making: Making) -> str:
    """Flows of money and of custody, by manager and day."""
    return f"""create temp table flow_day as
    with paid as (
        select client_id, {making.local_date('"at"')} as day, kind, amount
        from {making.seen("cash_flow")}
        where failure_reason is null and kind in ('deposit', 'withdrawal')),
    flow as (
        select client_id, day, case when kind = 'deposit' then amount else 0 end as inflow,
            case when kind = 'withdrawal' then amount else 0 end as outflow from paid
        union all
        select client_id, day, case when direction = 'in' then coalesce(value, 0) else 0 end,
            case when direction = 'out' then coalesce(value, 0) else 0 end from moved)
    select manager, day, sum(inflow)::bigint as inflow, sum(outflow)::bigint as outflow
    from flow join boss using (client_id), span where day >= since group by all"""


def positions(making: Making) -> list[str]:
    """From positions: holdings set the level, trades change it, below zero nothing is held.

    Only of clients in the relation `certain`, and of instruments from their first price on.
    """
    return [
        "create temp table base_change (manager integer, day date, value bigint)",
        *_events(making),
        # The level after each day; a change that no trade explains is taken at the close.
        """create temp table level as
        with running as (
            select client_id, instrument_id, day, traded, inflow, outflow, greatest(0, sum(change)
                over (partition by client_id, instrument_id order by day)) as quantity
            from event)
        select *, quantity - lag(quantity, 1, 0) over (
            partition by client_id, instrument_id order by day) as change from running""",
        """create temp table held_change as
        select manager, instrument_id, day, sum(change)::bigint as quantity
        from level join boss using (client_id) group by all having sum(change) <> 0""",
        """create temp table client_change as
        with turned as (
            select client_id, day, sum((quantity > 0)::int - (before > 0)::int) as change from (
                select client_id, day, quantity, lag(quantity, 1, 0) over (
                    partition by client_id, instrument_id order by day) as before from level)
            group by all),
        held as (
            select client_id, day, sum(change) over (partition by client_id order by day) as count
            from turned)
        select manager, day, sum(change)::bigint as value from (
            select client_id, day, (count > 0)::int - lag((count > 0)::int, 1, 0) over (
                partition by client_id order by day) as change from held)
        join boss using (client_id) group by all""",
        f"""create temp table flow_day as
        with priced as (
            select l.*, {making.worth("abs(l.change - l.traded)", "c.close")} as rest
            from (select l.* from level l, span where l.day >= since) l
            asof join closing c on l.instrument_id = c.series and l.day >= c.day)
        select manager, day,
            sum(inflow + case when change > traded then rest else 0 end)::bigint as inflow,
            sum(outflow + case when change < traded then rest else 0 end)::bigint as outflow
        from priced join boss using (client_id) group by all""",
    ]


def _events(making: Making) -> list[str]:
    """`event`: client_id, instrument_id, day, change of quantity, of it traded, bought, sold."""
    trades = (
        f"""select client_id, instrument_id, {making.local_date('"at"')} as day,
            case when side = 'buy' then 1 else -1 end * coalesce(quantity, 0) as quantity,
            case when side = 'buy' then coalesce(amount, 0) else 0 end as inflow,
            case when side = 'sell' then coalesce(amount, 0) else 0 end as outflow
        from {making.seen("trade")} semi join certain using (client_id)"""
        if making.has("trade")
        else "select null::varchar as client_id, null::varchar as instrument_id, "
        "null::date as day, 0 as quantity, 0 as inflow, 0 as outflow where false"
    )
    holdings = (
        f"select client_id, instrument_id, day, quantity from {making.seen('holding')} "
        "semi join certain using (client_id)"
        if making.has("holding")
        else "select null::varchar as client_id, null::varchar as instrument_id, "
        "null::date as day, 0 as quantity where false"
    )
    state = making.engine.manifest.tables.get("holding")
    listed = "select distinct client_id, day from held_given"
    if state is not None and state.full_days:
        listed = (
            "select client_id, day from certain cross join (select distinct day from held_given)"
        )
    return [
        f"create temp table held_given as {holdings}",
        f"create temp table traded as {trades}",
        # Snapshots that count: the newest before the span, and those in it.
        f"""create temp table snapshot as
        with days as ({listed}),
        kept as (
            select client_id, max(day) as day from days, span where day < since group by client_id
            union all select client_id, day from days, span where day >= since)
        select client_id, day, lead(day) over (partition by client_id order by day) as next,
            row_number() over (partition by client_id order by day) = 1 as first from kept""",
        """create temp table event as
        with later as (
            -- Trades up to a client's first snapshot are in it, and those of its day too.
            select t.* from traded t left join snapshot s
            on s.client_id = t.client_id and s.first where t.day > s.day or s.day is null),
        change as (
            select client_id, instrument_id, day, quantity, quantity as traded, inflow, outflow
            from later
            union all
            select h.client_id, h.instrument_id, h.day, h.quantity, 0, 0, 0
            from held_given h join snapshot s on s.client_id = h.client_id and s.day = h.day
            union all
            select h.client_id, h.instrument_id, s.next, -h.quantity, 0, 0, 0
            from held_given h join snapshot s on s.client_id = h.client_id and s.day = h.day
            where s.next is not null
            union all
            select l.client_id, l.instrument_id, s.day, -l.quantity, 0, 0, 0
            from later l asof join snapshot s on s.client_id = l.client_id and s.day >= l.day)
        select client_id, instrument_id, greatest(day, since - 1) as day,
            sum(quantity)::bigint as change, sum(traded)::bigint as traded,
            sum(inflow)::bigint as inflow, sum(outflow)::bigint as outflow
        from change, span group by all""",
    ]
