from __future__ import annotations

from datetime import date

from keepwell.core.days import parse_as_of
from keepwell.core.text import catalogue
from keepwell.warn.risk import NOTES, risk_set
from tests.warn.world import build


def test_open_funded_and_long_enough(tmp_path):
    day = date(2020, 6, 30)
    _, engine = build(
        tmp_path,
        trade=[(f"t{i}", c, at, "I1", "buy", 1.0, None) for i, (c, at) in enumerate([
            ("old", date(2020, 1, 5)), ("new", date(2020, 6, 15)), ("gone", date(2020, 1, 5)),
            ("opened", date(2020, 1, 5)), ("sold", date(2020, 1, 5)),
            ("future", date(2020, 8, 1)),
        ])],
        holding=[(c, day, "I1", 1.0) for c in ("old", "new", "gone", "opened", "known")],
        balance=[("cash", day, 5.0, 0.0), ("cash", date(2020, 1, 1), 0.0, 0.0),
                 ("empty", day, 0.0, 0.0), ("empty", date(2020, 5, 1), 9.0, 0.0)],
        client=[
            ("gone", date(2020, 5, 1), None, date(2020, 5, 1), "client"),
            ("opened", date(2020, 6, 20), date(2020, 6, 20), None, None),
            ("old", date(2020, 7, 15), None, date(2020, 7, 15), "client"),
        ],
    )  # fmt: skip
    found = risk_set(engine, parse_as_of("2020-07-01", engine.zone))
    notes = dict(zip(found.clients, map(str, found.note), strict=True))
    assert notes == {
        "old": "scored",  # the closing of July was not known on 1 July
        "cash": "scored",
        "new": "new",
        "known": "new",  # first seen on the day before
        "opened": "new",  # the opening day counts, not the first trade
        "gone": "closed",
        "sold": "unfunded",
        "empty": "unfunded",
    }
    assert found.at_risk == ["cash", "old"]
    assert found.counts() == {"scored": 2, "closed": 1, "unfunded": 2, "new": 3}
    assert found.allowed(["old", "new", "nobody"], newcomers=True).tolist() == [True, True, False]
    assert found.words("new", "zh") != found.words("new", "en")


def test_every_note_has_words_in_both_languages():
    assert all(words in catalogue() for words in NOTES.values())
