"""Panels come into force whole or not at all, and nothing known later is in them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import fields, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keepwell.api import ingest
from keepwell.learn.panel.folder import draft, in_force, panels_root
from keepwell.learn.panel.lookup import Sorted
from keepwell.learn.panel.read import Panels
from keepwell.learn.panel.write import prepared_panels, write_panels
from tests.learn.broker import future, world, write

from .conftest import made_of

CHILD = """\
import os, signal, sys
from pathlib import Path
from keepwell.learn.panel.folder import draft
with draft(Path(sys.argv[1]), "new") as folder:
    for number in range(3):
        (folder / f"{number}.parquet").write_bytes(b"x" * 1000)
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
"""


def folders(root):
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def test_none_before_the_first(broker, tmp_path):
    assert Panels.open(replace(broker.workspace, root=tmp_path)) is None


@pytest.mark.parametrize("files", [0, 1, 2])
def test_killed_between_files_the_old_stay_in_force(tmp_path, files):
    with draft(tmp_path, "old") as folder:
        (folder / "a").write_text("whole")
    killed = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(files)], check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    assert in_force(tmp_path) == "old"
    assert (tmp_path / "old" / "a").read_text() == "whole"
    with draft(tmp_path, "next") as folder:
        (folder / "a").write_text("new")
    # What the killed one left is gone; the panels before are kept for who reads them.
    assert folders(tmp_path) == ["next", "old"]
    assert in_force(tmp_path) == "next"


def test_killed_between_the_rename_and_the_pointer_the_old_stay_in_force(tmp_path, monkeypatch):
    from keepwell.learn.panel import folder as module

    with draft(tmp_path, "old") as staged:
        (staged / "a").write_text("whole")

    class Killed(BaseException):
        pass

    def die(path, content):
        raise Killed

    monkeypatch.setattr(module, "atomic_write", die)
    with pytest.raises(Killed), draft(tmp_path, "new") as staged:
        (staged / "a").write_text("new")
    monkeypatch.undo()
    assert in_force(tmp_path) == "old"
    with draft(tmp_path, "new") as staged:
        (staged / "a").write_text("newer")
    assert folders(tmp_path) == ["new", "old"]
    assert (tmp_path / "new" / "a").read_text() == "newer"


def test_one_generation_is_kept(tmp_path):
    for name in ("1", "2", "2", "3"):
        with draft(tmp_path, name):
            pass
    assert folders(tmp_path) == ["2-2", "3"]


def test_a_pointer_of_another_format_or_to_elsewhere_is_none(tmp_path):
    with draft(tmp_path, "1"):
        pass
    pointer = tmp_path / "current.json"
    for said in ('{"format": 99, "folder": "1"}', '{"format": 1, "folder": "../1"}', "[1]", "{"):
        pointer.write_text(said)
        assert in_force(tmp_path) is None


def test_a_publication_that_fails_leaves_the_old_panels(broker):
    result, root = broker.result, panels_root(broker.workspace.state)
    before = in_force(root)
    with (
        pytest.raises(RuntimeError),
        prepared_panels(
            broker.workspace, result.engine, result.ranking, result.version, result.data,
            weeks=(0,),
        ),
    ):  # fmt: skip
        raise RuntimeError
    assert in_force(root) == before
    assert not list(root.glob(".*.tmp"))


def test_readers_keep_what_they_opened_and_find_the_new(simulated, tmp_path):
    """Threads read all the time while panels are replaced three times."""
    made = copied(simulated, tmp_path)
    client = made.result.data.top[0].client
    old = made.panels
    expected, faults, stop = old.months(client), [], threading.Event()

    def read():
        while not stop.is_set():
            panels = Panels.open(made.workspace)
            if panels is None or panels.months(client) != expected or not panels.facts(client):
                faults.append(panels)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            result = made.result
            write_panels(
                made.workspace, result.engine, result.ranking, result.version, result.data,
                weeks=(0,),
            )  # fmt: skip
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not faults
    assert Panels.open(made.workspace) is not old
    assert Panels.open(made.workspace) is Panels.open(made.workspace)
    # Its folder is gone, what was open is not.
    assert old.months(client) == expected
    assert old.facts(client)


def copied(made, folder):
    """The same panels in a workspace of their own over the same lake."""
    (folder / ".keepwell").mkdir()
    (folder / ".keepwell" / "lake").symlink_to(made.workspace.state / "lake")
    return made_of(replace(made.workspace, root=folder), made.result)


def test_whoever_has_no_score_now_has_none_in_the_past(broker, tmp_path):
    """Rule PI-4: a note other than 'scored' takes the past scores along."""
    ranking = broker.result.ranking
    note, score, probability = ranking.note.copy(), ranking.score.copy(), ranking.probability.copy()
    place = int(ranking.order()[0])
    note[place], score[place], probability[place] = "refused", float("nan"), float("nan")
    client = ranking.clients[place]
    assert broker.panels.scores(client)
    explained = {c: e for c, e in ranking.explanations.items() if c != client}
    refused = replace(
        ranking, note=note, score=score, probability=probability, explanations=explained
    )
    other = replace(broker, result=replace(broker.result, ranking=refused))
    panels = copied(other, tmp_path).panels
    assert panels.scores(client) == []
    assert panels.months(client) == broker.panels.months(client)


def test_what_was_known_later_is_not_in_it(tmp_path):
    """The same broker with and without rows that nobody could know at the ranking."""
    tables = world(60)
    later = future(tables)
    both = {name: [*rows, *later.get(name, [])] for name, rows in tables.items()}
    found = []
    for name, rows in (("plain", tables), ("future", both)):
        workspace = write(tmp_path / name, rows)
        ingest(workspace)
        found.append(made_of(workspace))
    plain, known = found
    clients = plain.result.ranking.clients
    assert known.result.ranking.clients == clients
    for client in clients:
        for ask in ("scores", "months", "holdings", "facts"):
            assert getattr(known.panels, ask)(client) == getattr(plain.panels, ask)(client), ask
    assert known.panels.movement(None, 500) == plain.panels.movement(None, 500)
    for by in ("branch", "manager", "segment"):
        assert known.panels.groups(by, None) == plain.panels.groups(by, None)
        assert known.panels.churn(None, by) == plain.panels.churn(None, by)
    assert known.panels.months("later") == []


def test_a_client_over_several_row_groups_is_found_whole(tmp_path):
    ids = [f"c{i:03d}" for i in range(40) for _ in range(5 if i != 7 else 30)]
    table = pa.table({"client_id": ids, "n": list(range(len(ids)))})
    pq.write_table(table, tmp_path / "f.parquet", row_group_size=8)
    file = Sorted(tmp_path / "f.parquet")
    for i in range(40):
        wanted = [n for n, id in enumerate(ids) if id == f"c{i:03d}"]
        assert [row["n"] for row in file.rows(f"c{i:03d}")] == wanted
    assert file.rows("c0005") == file.rows("b") == file.rows("d") == []


def test_the_package_needs_no_orm_and_no_web_framework():
    code = (
        "import sys, keepwell.learn.panel.read, keepwell.learn.panel.write, json;"
        "print(json.dumps([m for m in ('sqlalchemy', 'fastapi', 'starlette') if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert json.loads(done.stdout) == []


def test_every_field_of_a_file_is_one_of_the_schema_s(broker):
    from keepwell.learn.panel import facts, holdings, months
    from keepwell.learn.panel.schema import ClientMonth, Fact, Holding

    for module, kind in ((facts, Fact), (holdings, Holding), (months, ClientMonth)):
        assert module.SCHEMA.names[1:] == [field.name for field in fields(kind)]
    assert Path(os.fspath(panels_root(broker.workspace.state))).is_dir()
