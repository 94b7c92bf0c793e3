"""The whole job on a small broker: what is written, that it agrees, and that it is cheap again."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from keepwell.api import explain, ingest, open, run
from keepwell.core.errors import DataError
from keepwell.learn.report.risk_files import CSV_COLUMNS
from keepwell.observe.engines.local import LocalEngine
from tests.learn.broker import files, future, world, write

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def copied(done, tmp_path):
    """A workspace in which the job was done, to be written to."""
    shutil.copytree(done[0].root, tmp_path / "ws")
    return open(tmp_path / "ws")


def risk_rows(workspace):
    raw = (workspace.out / "risk.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "a spreadsheet needs the byte order mark"
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def test_every_client_is_listed_once_with_a_score_or_a_note(done):
    workspace, _ = done
    rows = risk_rows(workspace)
    assert tuple(rows[0]) == CSV_COLUMNS
    listed = [row["client"] for row in rows]
    expected = {row[0] for row in world()["client"]} | {row[1] for row in world()["trade"]}
    assert set(listed) == expected
    assert len(listed) == len(expected)
    for row in rows:
        has = [bool(row[name]) for name in ("score", "tier", "probability")]
        assert all(has) != bool(row["coverage_note"])
        assert any(has) == all(has)
    notes = {row["client"]: row["coverage_note"] for row in rows}
    assert "closed" in notes["closed"]
    assert "position" in notes["unfunded"]
    assert "30 days" in notes["new"]
    assert not notes[listed[0]]


def test_the_csv_is_sorted_and_says_what_the_parquet_says(done):
    workspace, result = done
    table = pq.read_table(workspace.out / "risk.parquet")
    rows, typed = risk_rows(workspace), table.to_pylist()
    assert [row["client"] for row in rows] == [row["client"] for row in typed]
    scores = [row["score"] for row in typed if row["score"] is not None]
    assert scores == sorted(scores, reverse=True)
    assert [row["score"] is None for row in typed].index(True) == len(scores)
    for row, other in zip(rows, typed, strict=True):
        assert row["manager"] == (other["manager"] or "")
        assert row["last_activity"] == str(other["last_activity"] or "")
        for name, digits in (("score", 1), ("probability", 4), ("coverage", 3)):
            value = other[name]
            assert row[name] == ("" if value is None else f"{value:.{digits}f}")
        assert row["assets"] == (
            "" if other["assets_minor"] is None else f"{other['assets_minor'] / 100:.2f}"
        )
        assert row["top_reasons"] == "; ".join(reason["en"] for reason in other["reasons"])
    facts = table.schema.metadata
    assert facts[b"keepwell.model"].decode() == result.version.id
    assert facts[b"keepwell.as_of"].decode() == result.ranking.as_of.isoformat()


def test_reasons_are_in_both_languages_with_the_clients_own_numbers(done):
    workspace, result = done
    reasons = [
        (row["client"], reason)
        for row in pq.read_table(workspace.out / "risk.parquet").to_pylist()
        for reason in row["reasons"]
    ]
    assert len({client for client, _ in reasons}) > 20
    for _, reason in reasons:
        assert HAN.search(reason["zh"])
        assert not HAN.search(reason["en"])
        assert re.search(r"\d", reason["en"])
    client, said = reasons[0]
    told = result.ranking.explanations[client].reasons[0]
    frame = LocalEngine.open(workspace).compute("2022-01-01", [client], [told.fact.indicator])
    assert frame.values[0, 0] == told.fact.value
    assert str(told.code) == said["code"]


def test_the_report_holds_both_languages_and_the_first_client(done):
    workspace, result = done
    page = (workspace.out / "report.html").read_text("utf-8")
    assert HAN.search(page)
    assert "Small broker" in page
    assert result.data.top[0].client in page
    assert result.data.top[0].reasons[0].words.zh in page
    assert re.search(r"(src|href)=[\"']https?://", page) is None, "the page must be self-contained"
    assert (workspace.out / "model_card.md").read_text().count(result.version.id) >= 1


def test_the_numbers_of_the_report_are_those_of_the_ranking(done):
    _, result = done
    ranking, data = result.ranking, result.data
    codes = [code for code in ranking.tiers() if code]
    assert {tier.code: tier.clients for tier in data.tiers} == {
        code: codes.count(code) for code in ("severe", "moderate", "mild", "none")
    }
    assert sum(data.histogram.counts) == data.population.scored == len(codes)
    assert data.population.clients == len(ranking.clients)
    assert sum(u.clients for u in data.population.unscored) == len(ranking.clients) - len(codes)
    scored = {c for c, has in zip(ranking.clients, ranking.scored, strict=True) if has}
    named = {c for c, m in zip(ranking.clients, ranking.manager, strict=True) if m}
    assert sum(book.clients for book in data.managers) == len(scored & named)


def test_a_second_run_trains_nothing_and_changes_nothing(copied, trees):
    kept = {name: files(copied.root / name) for name in (".keepwell", "out")}
    again = run(copied, locale="en")
    assert files(copied.root / ".keepwell") == kept[".keepwell"]
    for name in ("risk.csv", "risk.parquet", "model_card.md"):
        assert (copied.out / name).read_bytes() == kept["out"][name][1]
    assert again.proof is not None


def test_what_is_known_later_does_not_change_the_ranking(done, copied, trees):
    _, first = done
    write(copied.root, future(world()))
    report = ingest(copied, backfill=True)
    assert sum(table.added for table in report.tables) > 200
    again = run(copied, locale="en")
    assert again.version.id != first.version.id, "other data are another model"
    assert len(list((copied.state / "proofs").iterdir())) == 2
    old, new = first.ranking, again.ranking
    assert new.clients == old.clients
    assert list(new.note) == list(old.note)
    for name in ("score", "probability", "coverage", "assets"):
        np.testing.assert_array_equal(getattr(new, name), getattr(old, name))
    assert (new.manager, new.last_activity) == (old.manager, old.last_activity)
    assert new.explanations == old.explanations
    assert again.proof is not None
    assert again.proof.result == first.proof.result
    # The rows are there: a day later some of them count.
    engine = LocalEngine.open(copied)
    assert "later" not in engine.clients("2022-01-01")
    assert "later" in engine.clients("2022-06-01")
    ids = ["trade_count_90d"]
    early, late = (engine.compute(f"2022-01-0{day}", indicators=ids).values for day in (1, 3))
    assert np.nansum(late) > np.nansum(early)


def test_another_date_has_its_own_model_and_the_first_comes_back(copied, done, trees):
    _, first = done
    other = run(copied, "2021-10-01")
    assert other.ranking.as_of.isoformat() == "2021-09-30T21:00:00+00:00"
    assert other.version.id != first.version.id
    assert other.proof is None, "the label of the proving date is not known yet"
    assert [t.at.isoformat()[:10] for t in other.data.model.trained_on][-1] == "2020-12-31"
    top = other.data.top[0]
    assert explain(copied, top.client).score == top.score
    back = run(copied)
    assert back.version.id == first.version.id
    np.testing.assert_array_equal(back.ranking.score, first.ranking.score)
    top = back.data.top[0]
    found = explain(copied, top.client)
    assert (found.version, found.score) == (back.version.id, top.score)


def test_a_model_that_a_crash_kept_from_being_in_force_is_put_in_force(copied, trees):
    (copied.models / "latest").unlink()
    result = run(copied)
    assert explain(copied, result.data.top[0].client).version == result.version.id


def test_leftovers_of_a_killed_run_are_swept(copied, trees):
    gone = 2**22 + 1  # above every process id
    (copied.out / f".risk.csv.{gone}.tmp").write_bytes(b"half")
    (copied.state / "proofs" / f".x.json.{gone}.tmp").write_bytes(b"half")
    (copied.models / f".m.{gone}.tmp").mkdir()
    (copied.models / f".m.{gone}.tmp" / "model.cbm").write_bytes(b"half")
    run(copied)
    assert not [path.name for path in copied.root.rglob("*.tmp")]


def test_without_a_ranking_date_it_is_the_day_after_the_newest_data(copied, trees):
    file = copied.root / "keepwell.yaml"
    file.write_text(file.read_text().replace('  rank: "2022-01-01"\n', ""))
    result = run(open(copied.root))
    assert result.ranking.as_of.isoformat() == "2021-12-31T22:00:00+00:00"


def test_the_language_is_that_asked_for(copied, trees):
    run(copied, locale="zh")
    rows = risk_rows(copied)
    assert HAN.search(rows[0]["tier"])
    assert HAN.search(rows[0]["top_reasons"])


def test_dates_without_a_mature_label_are_an_error(done):
    with pytest.raises(DataError) as caught:
        run(done[0], "2020-03-01")
    assert caught.value.code == "run.dates-immature"


def test_an_empty_lake_is_an_error(tmp_path):
    with pytest.raises(DataError) as caught:
        run(write(tmp_path / "ws", world(6)))
    assert caught.value.exit_code == 1
    assert "ingest" in str(caught.value)


def test_the_proof_is_kept_as_plain_json(done):
    kept = list((done[0].state / "proofs").iterdir())
    assert len(kept) == 1
    assert json.loads(kept[0].read_text())
