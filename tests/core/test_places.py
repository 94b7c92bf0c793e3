"""Places of ids in a list, sorted or not, against a dictionary."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from keepwell.core.places import Places

IDS = st.lists(
    st.sampled_from(["", "a", "ab", "b", "B", "c1", "c10", "c2", "é", "客户", "\U0001f600"])
)


def arranged(ids: list[str], ascending: bool) -> list[str]:
    return sorted(set(ids)) if ascending else ids


@given(IDS, IDS, st.booleans(), st.booleans(), st.integers(0, 2))
def test_places_are_those_of_a_dictionary(ids, asked, rising, asked_rising, cut):
    ids = arranged(list(dict.fromkeys(ids)), rising)
    asked = arranged(asked, asked_rising)
    expected = [{id: i for i, id in enumerate(ids)}.get(id, -1) for id in asked]
    whole = pa.array(["x"] * cut + asked, pa.string())
    assert Places(ids).of(asked).tolist() == expected
    assert Places(ids).of(whole.slice(cut)).tolist() == expected
    chunks = pa.chunked_array([whole.slice(cut, 1), whole.slice(cut + 1)])
    assert Places(ids).of(chunks).tolist() == expected


@given(IDS, IDS, st.booleans())
def test_picked_values_stand_beside_their_ids(ids, asked, rising):
    ids, asked = (arranged(list(dict.fromkeys(some)), rising) for some in (ids, asked))
    values = [None if i % 3 == 0 else f"{id}!" for i, id in enumerate(asked)]
    found = Places(ids).pick(pa.array(asked, pa.string()), pa.array(values, pa.string()))
    assert found.to_pylist() == [dict(zip(asked, values, strict=True)).get(id) for id in ids]
