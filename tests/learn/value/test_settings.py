"""Section `value` of keepwell.yaml: strict, and said by line."""

from __future__ import annotations

import pytest

from keepwell.core.errors import UsageError
from keepwell.observe.mapping import Mapping
from keepwell.observe.mapping_value import Value

HEAD = """\
version: 1
name: x
timezone: Asia/Shanghai
currency: CNY
sources:
  t: {path: t.csv}
tables:
  trade:
    sql: select * from t
    covers: [["2021-01-01", null]]
value:
"""


def test_the_defaults_are_the_documented_ones():
    given = Mapping.parse(HEAD + "  horizon_years: 3\n").value
    assert given == Value(horizon_years=3.0)
    assert given.model_fields_set == {"horizon_years"}
    assert given.budget.ratio == 1.5
    assert [part.share for part in given.budget.split] == [0.45, 0.30, 0.15, 0.10]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  discout_rate: 0.1", ["line 12", "discout_rate", "discount_rate"]),
        ("  discount_rate: 1.5", ["line 12", "value.discount_rate"]),
        ("  after: never", ["line 12", "observed"]),
        ("  asset_fee_bps: {fund_bond: -1}", ["asset_fee_bps"]),
        ("  commission_tiers:\n    - {turnover: 0, bps: 3}", ["line 13", "turnover_from"]),
        ("  commission_tiers:\n    - {turnover_from: 5, bps: 3}", ["turnover_from 0 first"]),
        ("  budget: {minute: 3}", ["line 12", "minute_cost"]),
        ("  budget:\n    split:\n      - {name: a, part: 1}", ["line 14", "share"]),
        ("  budget:\n    split:\n      - {name: a, share: 0.9}", ["shares that make 1"]),
    ],
)
def test_a_fault_is_named_with_its_line(text, words):
    with pytest.raises(UsageError) as error:
        Mapping.parse(HEAD + text + "\n")
    for word in words:
        assert word in str(error.value), error.value
