"""Prices and securities transfers, as relations that several panels read."""

from __future__ import annotations

from keepwell.learn.panel.making import Making


def prepare(making: Making) -> None:
    """Make the relations `closing` (series, day, close) and `moved`, once per writing.

    `moved` holds what securities clients brought in and took out: client_id, at, day, direction,
    other_broker, value (minor units; NULL where there is no price of that day or before).
    """
    run = making.connection.execute
    if making.has("price"):
        run(
            f"create temp table closing as select series, day, close "
            f"from {making.seen('price')} order by series, day"
        )
    else:
        run("create temp table closing (series varchar, day date, close bigint)")
    if not making.has("custody_transfer"):
        run(
            'create temp table moved (client_id varchar, "at" timestamptz, day date, '
            "direction varchar, other_broker varchar, value bigint)"
        )
        return
    run(
        f"""create temp table moved as
        with given as (
            select client_id, "at", {making.local_date('"at"')} as day, direction, instrument_id,
                quantity, other_broker
            from {making.seen("custody_transfer")} semi join book using (client_id))
        select g.client_id, g."at", g.day, g.direction, g.other_broker,
            {making.worth("g.quantity", "c.close")} as value
        from given g asof left join closing c on g.instrument_id = c.series and g.day >= c.day"""
    )
