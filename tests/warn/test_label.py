from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from keepwell.core.days import midnight, parse_as_of
from keepwell.core.errors import UsageError
from keepwell.core.text import catalogue
from keepwell.warn.label import LABELS, WORDS, LabelDefinition, covered, label_clients
from tests.warn.world import build

UNITS = LabelDefinition(by="units")
VALUE = LabelDefinition(by="value")
D0, D1 = date(2020, 6, 30), date(2020, 12, 31)


def hold(client, day, units, instrument="I1"):
    return (client, day, instrument, units)


def trade(n, client, at, side, quantity, instrument="I1"):
    return (f"t{n}", client, at, instrument, side, quantity, None)


def labels(engine, definition, at="2020-07-01", known_by=None):
    found = label_clients(engine, parse_as_of(at, engine.zone), definition, known_by)
    return dict(zip(found.clients, found.y.tolist(), strict=True)), dict(
        zip(found.clients, map(str, found.why), strict=True)
    )


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    prices = [("I1", D0, 10.0), ("I2", D0, 1.0), ("I1", D1, 0.01), ("I2", D1, 500.0)]
    days = [date(2020, 7, 15), date(2020, 9, 1)]
    _, engine = build(
        tmp_path_factory.mktemp("label"),
        trade=[trade(0, "a", date(2019, 2, 1), "buy", 100.0)],
        holding=[
            hold("stays", D0, 100.0), hold("stays", D1, 90.0),
            hold("sells", D0, 100.0),
            hold("remnant", D0, 100.0), hold("remnant", D1, 4.0),
            hold("switch", D0, 100.0), hold("switch", D1, 1000.0, "I2"),
            hold("shrinks", D0, 100.0), hold("shrinks", D1, 40.0, "I2"),
            hold("blind", D0, 100.0), hold("blind", D1, 1.0, "UNPRICED"),
            hold("short", D0, -5.0), hold("short", D1, 3.0),
            hold("dead", D0, 1.0), hold("closer", D0, 1.0), hold("closer", D1, 1.0),
            hold("thrown", D0, 1.0), hold("mover", D0, 1.0), hold("mover", D1, 1.0),
            hold("asks", D0, 1.0), hold("asks", D1, 1.0),
        ],
        price=prices,
        client=[
            ("dead", days[0], None, days[0], "death"),
            ("thrown", days[0], None, days[0], "broker"),
            ("closer", days[1], None, days[1], "client"),
        ],
        custody_transfer=[("x1", "mover", days[1], "out", "I1", 1.0),
                          ("x2", "stays", days[1], "in", "I1", 1.0)],
        exit_request=[("r1", "asks", days[0], "transfer", days[1]),
                      ("r2", "stays", days[0], "close", None)],
    )  # fmt: skip
    return engine


def test_exit_by_units(engine):
    y, why = labels(engine, UNITS)
    assert y["stays"] == 0.0
    assert y["sells"] == 1.0
    assert (y["remnant"], y["switch"], y["shrinks"]) == (0.0, 0.0, 0.0)
    assert why["sells"] == "exited"
    assert "short" not in y


def test_exit_by_value_is_at_constant_prices(engine):
    y, _ = labels(engine, VALUE)
    assert y["remnant"] == 1.0  # 4 % of the first value
    assert y["switch"] == 0.0  # 1,000 of the other at the first price of 1
    assert y["shrinks"] == 1.0  # worth 20,000 at the last prices, but 4 % at the first
    assert y["stays"] == 0.0  # 90 units, whatever became of their price
    assert y["blind"] == 0.0  # what has no first price cannot be called little


def test_death_and_closure_by_the_broker_are_not_counted(engine):
    y, why = labels(engine, UNITS)
    assert np.isnan([y["dead"], y["thrown"]]).all()
    assert (why["dead"], why["thrown"]) == ("died", "broker-closed")


def test_closing_and_moving_custody_are_leaving_and_dated(engine):
    found = label_clients(engine, parse_as_of("2020-07-01", engine.zone), UNITS)
    at = {c: i for i, c in enumerate(found.clients)}
    for client, code in (("closer", "closed"), ("mover", "transferred"), ("asks", "transferred")):
        assert found.y[at[client]] == 1.0
        assert found.why[at[client]] == code
        assert found.left_day[at[client]] == (date(2020, 9, 1) - date(1970, 1, 1)).days
    assert np.isnan(found.left_day[at["sells"]])


def test_what_came_after_as_of_does_not_choose_the_clients(engine):
    y, _ = labels(engine, UNITS, "2020-07-01")
    assert {"dead", "thrown", "closer"} <= set(y)


def test_a_label_is_not_known_before_its_horizon_ends(engine):
    with pytest.raises(UsageError, match="earliest"):
        labels(engine, UNITS, known_by=parse_as_of("2020-12-31", engine.zone))
    assert labels(engine, UNITS, known_by=parse_as_of("2021-01-01", engine.zone))[0]["sells"] == 1


def test_holes_are_unknown_never_stayed(tmp_path):
    _, engine = build(
        tmp_path,
        trade=[trade(0, "a", date(2020, 7, 5), "sell", 5.0),
               trade(1, "b", date(2020, 8, 5), "buy", 5.0)],
        holding=[hold("a", D0, 5.0), hold("b", D0, 5.0)],
        trade_covers=[["2020-01-01", "2020-10-01"]],
    )  # fmt: skip
    short = LabelDefinition(horizon="90d")
    y, _ = labels(engine, short, "2020-07-01")
    assert (y["a"], y["b"]) == (1.0, 0.0)
    y, why = labels(engine, UNITS, "2020-07-01")
    assert np.isnan(list(y.values())).all()
    assert set(why.values()) == {"unknown-end"}


def test_late_trades_are_not_taken_for_staying(tmp_path):
    _, engine = build(
        tmp_path, delay="2d",
        trade=[trade(0, "a", date(2020, 12, 31), "sell", 5.0)],
        holding=[hold("a", D0, 5.0)],
    )  # fmt: skip
    ends = parse_as_of("2021-01-01", engine.zone)
    _, why = labels(engine, UNITS, known_by=ends)
    assert why == {"a": "unknown-end"}
    later = midnight(parse_day("2021-01-04"), engine.zone)
    y, _ = labels(engine, UNITS, known_by=later)
    assert y == {"a": 1.0}


def parse_day(text):
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def test_leaving_in_the_gap_is_not_counted(tmp_path):
    _, engine = build(
        tmp_path,
        trade=[trade(0, "soon", date(2020, 7, 3), "sell", 5.0),
               trade(1, "later", date(2020, 9, 3), "sell", 5.0)],
        holding=[hold("soon", D0, 5.0), hold("later", D0, 5.0)],
    )  # fmt: skip
    y, why = labels(engine, LabelDefinition(horizon="90d", gap="14d"))
    assert y["later"] == 1.0
    assert why["soon"] == "left-in-gap"
    assert np.isnan(y["soon"])


def test_calendar_months_end_at_local_midnight():
    zone = __import__("zoneinfo").ZoneInfo("Europe/Athens")
    at = parse_as_of("2021-07-01", zone)
    assert UNITS.matures_at(at, zone) == parse_as_of("2022-01-01", zone)
    assert LabelDefinition(horizon="45d", gap="5d").matures_at(at, zone) == parse_as_of(
        "2021-08-20", zone
    )


def silence_world(folder, covers=None):
    days = [date(2020, 1, 1).toordinal() + 7 * k for k in range(120)]
    rows, n = [], 0
    for c in range(30):
        for day in days:
            at = date.fromordinal(day)
            if (c == 0 and at > date(2020, 9, 20)) or (c == 1 and at > date(2020, 6, 1)):
                continue
            rows.append(trade(n, f"c{c:02d}", at, "buy", 1.0))
            n += 1
    _, engine = build(folder, trade=rows, trade_covers=covers)
    return engine


def test_silence_is_measured_by_the_clients_own_gaps(tmp_path):
    engine = silence_world(tmp_path)
    definition = LabelDefinition(name="silence", horizon="45d")
    y, why = labels(engine, definition, "2020-09-22")
    assert y["c00"] == 1.0
    assert why["c01"] == "already-silent"
    assert all(y[f"c{c:02d}"] == 0.0 for c in range(2, 30))


def test_silence_over_a_hole_is_not_known(tmp_path):
    engine = silence_world(tmp_path, [["2019-01-01", "2020-10-01"], ["2020-10-20", "2022-12-31"]])
    definition = LabelDefinition(name="silence", horizon="45d")
    y, why = labels(engine, definition, "2020-09-22")
    assert np.isnan(list(y.values())).all()
    assert set(why.values()) == {"unknown-end"}


def test_spans_cover_only_what_they_join():
    assert covered([(0, 5), (5, 9)], 1, 9)
    assert not covered([(0, 5), (6, 9)], 1, 9)
    assert covered([], 3, 3)
    assert not covered([(4, None)], 3, 5)


def test_unknown_label_names_the_nearest(engine):
    assert {"exit", "exit_any", "outflow", "silence", "dormant"} <= set(LABELS)
    with pytest.raises(UsageError, match="exit"):
        labels(engine, LabelDefinition(name="exits"))


def test_every_code_and_definition_has_words_in_both_languages():
    for words in WORDS.values():
        assert words in catalogue()
    others = [LabelDefinition(name=n) for n in ("silence", "dormant", "outflow", "exit_any")]
    for definition in (UNITS, VALUE, *others, LabelDefinition(name="exit_any", by="value")):
        assert definition.words("en") != definition.words("zh")
        assert "6个月" in definition.words("zh")
        late = replace(definition, gap="45d")
        assert late.words("zh") != definition.words("zh")
        assert "45 days" in late.words("en")
    assert LabelDefinition(**VALUE.to_json()) == VALUE
