"""The value of all clients: the command, its files, and how they agree."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from keepwell.api import open, value
from keepwell.cli import main
from keepwell.core.errors import DataError, UsageError
from keepwell.core.text import set_locale
from keepwell.learn.value.book import value_book
from keepwell.learn.value.files import VALUE_SCHEMA, value_table, write_value
from keepwell.learn.value.margin import Absence, Line
from keepwell.learn.value.survival import SurvivalRule
from keepwell.warn.registry import ModelStore

TARIFF = """\
value:
  commission_tiers:
    - {turnover_from: 0, bps: 25}
  cost_to_serve: {default: 0.5}
"""


@pytest.fixture(scope="module")
def workspace(done, tmp_path_factory):
    """The small broker, with a tariff of its own."""
    folder = tmp_path_factory.mktemp("value") / "ws"
    shutil.copytree(done[0].root, folder)
    with (folder / "keepwell.yaml").open("a") as file:
        file.write(TARIFF)
    return open(folder)


@pytest.fixture(scope="module")
def book(workspace):
    return value(workspace)


def test_the_book_is_that_of_the_ranking(book, done):
    ranking = done[1].ranking
    assert book.as_of == ranking.as_of
    assert book.ranking.clients == ranking.clients
    assert np.array_equal(book.ranking.probability, ranking.probability, equal_nan=True)
    assert book.rule == SurvivalRule(6.0, 0.0, done[1].version.trained.base_rate)
    assert book.values.doubt.source == "proof"
    assert set(book.margins.lines) == {Line.COMMISSION, Line.COST_TO_SERVE}
    assert book.margins.absent[Line.CASH_SPREAD] is Absence.TABLE


def test_who_has_no_value_and_why(book):
    why = dict(zip(book.ranking.clients, book.why_not(), strict=True))
    assert (why["closed"], why["unfunded"], why["new"]) == ("closed", "unfunded", "new")
    assert set(why.values()) <= {None, "closed", "unfunded", "new", "margin"}
    for i, reason in enumerate(why.values()):
        assert (reason is None) == bool(book.valued[i])
    assert book.valued.sum() > 20


def test_groups_make_the_whole(book):
    whole = book.values.total()
    for codes in (book.ranking.tiers(), book.margins.segment, book.ranking.manager):
        groups = book.groups(codes)
        assert sum(group.clients for group in groups) == len(book.valued)
        assert sum(group.valued for group in groups) == book.valued.sum()
        assert sum(group.value.value for group in groups) == pytest.approx(whole.value)
    assert whole.low < whole.value < whole.high


def test_the_files_say_what_the_book_says(book, tmp_path):
    plain, typed = write_value(tmp_path, book)
    table = pq.read_table(typed)
    assert table.schema.equals(VALUE_SCHEMA)
    assert table.equals(value_table(book))
    assert table.schema.metadata[b"keepwell.doubt"] == b"proof"
    found = table.to_pylist()
    assert sorted(row["client"] for row in found) == book.ranking.clients
    stakes = [row["at_stake_minor"] for row in found if row["at_stake_minor"] is not None]
    assert stakes == sorted(stakes, reverse=True)
    raw = plain.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    read = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    for row, cells in zip(found, read, strict=True):
        assert cells["client"] == row["client"]
        worth = row["value_minor"]
        assert cells["value"] == ("" if worth is None else f"{worth / 100:.2f}")
        assert cells["cash_spread"] == "", "an absent line is empty, not zero"
        assert (row["not_valued"] is None) == (worth is not None)
        if worth is not None:
            assert row["value_low_minor"] <= worth <= row["value_high_minor"]
            assert worth + row["at_stake_minor"] == pytest.approx(row["value_if_kept_minor"], abs=2)


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["keepwell", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


@pytest.fixture
def english():
    yield
    set_locale("en")


def test_the_command_shows_lines_groups_and_assumptions(workspace, monkeypatch, capsys, english):
    folder = str(workspace.root)
    code, out, _ = command(monkeypatch, capsys, "--lang", "en", "value", "-w", folder, "--top", "2")
    assert code in (0, None)
    assert re.search(r"commission +€\S+ +\d+ +yours", out)
    assert "absent: no table of the data tells it" in out
    assert "default, not yours" in out
    assert "as the proof showed it" in out
    assert "365 complete days of trades within the last 365" in out
    assert "value.parquet" in out
    code, out, _ = command(monkeypatch, capsys, "--lang", "zh", "value", "-w", folder, "--top", "2")
    assert code in (0, None)
    assert "预期流失价值" in out
    assert not re.search(r"[a-z]{4,} [a-z]{4,}", out.replace(folder, "")), out
    code, out, _ = command(monkeypatch, capsys, "value", "-w", folder, "--json")
    told = json.loads(out)
    assert told["valued"] == sum(group["valued"] for group in told["tiers"])
    assert told["absent"]["margin_interest"] == "table-missing"
    assert told["value"]["low"] < told["value"]["value"] < told["value"]["high"]


def test_a_model_that_knows_too_much_is_refused(workspace):
    with pytest.raises(UsageError) as error:
        value_book(workspace, "2021-07-01")
    assert error.value.code == "value.as-of-early"
    later = value_book(workspace, "2022-01-15")
    assert later.as_of > value_book(workspace).as_of


def test_without_any_line_of_income_there_is_no_value(done):
    with pytest.raises(DataError) as error:
        value_book(done[0])
    assert error.value.code == "value.income-unknown"


def test_without_a_proof_the_training_labels_speak(workspace, tmp_path):
    shutil.copytree(workspace.root, tmp_path / "ws")
    shutil.rmtree(tmp_path / "ws" / ".keepwell" / "proofs")
    bare = open(tmp_path / "ws")
    assert value_book(bare).values.doubt.source == "training"
    shutil.rmtree(bare.models)
    assert ModelStore(bare.models).latest() is None
    with pytest.raises(DataError) as error:
        value_book(bare)
    assert error.value.code == "explain.model-missing"
