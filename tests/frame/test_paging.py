"""Pages by cursor: every row once, in order, whatever is added or removed in between."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from keepwell.frame.paging import decode_cursor, encode_cursor, page_of, sort_key
from keepwell.frame.problem import Unprocessable
from keepwell.trust.access.model import Staff

VALUES = st.one_of(
    st.text(max_size=40),
    st.integers(-(2**40), 2**40),
    st.datetimes(timezones=st.just(UTC)),
)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_cursor_comes_back_as_it_was(values):
    kinds = [type(value) for value in values]
    assert decode_cursor(encode_cursor(values), kinds) == values


@given(st.text(max_size=60))
def test_a_foreign_cursor_is_refused_not_a_crash(text):
    with pytest.raises(Unprocessable, match="cursor"):
        decode_cursor(text + "!", [str, str])


@pytest.mark.parametrize("values", [["a"], [1, "b"], ["a", None], [True, "a"], ["a", "b", "c"]])
def test_a_cursor_of_another_list_is_refused(values):
    with pytest.raises(Unprocessable):
        decode_cursor(encode_cursor(values), [str, str])


def test_a_cursor_without_a_zone_is_refused():
    with pytest.raises(Unprocessable):
        decode_cursor(encode_cursor([datetime(2026, 1, 1)]), [datetime])  # noqa: DTZ001


def walk(desk, size, between=lambda tx: None):
    columns, kinds = ((Staff.name, True), (Staff.staff_id, False)), (str, str)
    seen, cursor = [], None
    while True:
        with desk.tx() as tx:
            statement = page_of(select(Staff), columns, kinds, size, cursor)
            rows = list(tx.session.scalars(statement))
            seen += [row.staff_id for row in rows[:size]]
            between(tx)
            if len(rows) <= size:
                return seen
            last = rows[size - 1]
            cursor = encode_cursor([last.name, last.staff_id])


@settings(max_examples=5)
@given(size=st.integers(1, 7))
def test_pages_give_every_row_once_in_order(size, tmp_path_factory, sqlite_template):
    from tests.desk import on_sqlite

    desk = on_sqlite(sqlite_template, tmp_path_factory.mktemp("paging"))
    people = [(f"s{i:02d}", "ABC"[i % 3]) for i in range(13)]
    with desk.tx() as tx:
        tx.session.add_all(Staff(staff_id=i, name=n, role="manager") for i, n in people)
    expected = [i for i, _ in sorted(people, key=lambda p: (-ord(p[1]), p[0]))]
    assert walk(desk, size) == expected
    desk.close()


def test_rows_added_behind_the_cursor_do_not_shift_pages(desk):
    with desk.tx() as tx:
        tx.session.add_all(Staff(staff_id=f"s{i}", name="N", role="manager") for i in range(6))
    added = iter(range(100))

    def add(tx):
        tx.session.add(Staff(staff_id=f"a{next(added)}", name="Z", role="manager"))

    seen = walk(desk, 2, add)
    assert [s for s in seen if s.startswith("s")] == [f"s{i}" for i in range(6)]
    assert len(seen) == len(set(seen))


def test_an_unknown_sort_names_the_nearest():
    assert sort_key("-score", ["score", "assets"]) == ("score", True)
    with pytest.raises(Unprocessable, match="nearest: score"):
        sort_key("scor", ["score", "assets"])


def test_a_cursor_hides_its_values_and_their_length_and_cannot_be_made_up():
    # A score times assets among the sort keys must not tell the assets.
    rich, poor = (encode_cursor([3, float(weight), "alert_1"]) for weight in (4_750_000_000, 7))
    assert len(rich) == len(poor)
    for cursor in (rich, poor):
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert b"alert_1" not in raw
    plain = base64.urlsafe_b64encode(b'["a","b"]').decode().rstrip("=")
    for forged in (plain, rich[:-6] + "AAAAAA", rich[4:]):
        with pytest.raises(Unprocessable):
            decode_cursor(forged, [int, float, str])


def test_a_cursor_of_another_desk_is_refused(sqlite_template, tmp_path):
    from tests.desk import on_sqlite

    here, there = (on_sqlite(sqlite_template, tmp_path / name) for name in ("a", "b"))
    (there.frame.workspace.state / "desk.secret").write_bytes(b"another" * 5)
    with here.frame.read():
        cursor = encode_cursor(["x"])
        assert decode_cursor(cursor, [str]) == ["x"]
    with there.frame.read(), pytest.raises(Unprocessable):
        decode_cursor(cursor, [str])
    here.close()
    there.close()


def test_times_keep_their_microseconds():
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=7)
    assert decode_cursor(encode_cursor([at]), [datetime]) == [at]
