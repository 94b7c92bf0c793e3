"""Files that grow, shrink or vanish under the reader, may not be read, or are no files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keepwell.observe.connectors.csv_files import CsvConnector
from tests.bad_input.broken import HEADER, Desk, good

ROWS = f"{HEADER}\n{good('m1', 'm2')}"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "ws")
    (made.folder / "m.csv").write_text(ROWS, "utf-8")
    return made


def test_a_file_that_vanishes_before_it_is_read(desk: Desk) -> None:
    def vanish(stage: str, name: str, rows: int) -> None:
        if (stage, rows) == ("scan", 0):
            (desk.folder / "m.csv").unlink()

    assert desk.refused("m.csv", progress=vanish).code == "source.file-missing"


@pytest.mark.parametrize("what", ["grows", "shrinks", "vanishes", "is replaced"])
def test_a_file_that_changes_while_it_is_read(desk: Desk, what: str, monkeypatch) -> None:
    """Half a last line may be a whole row with a wrong amount: nothing of such a file is taken."""
    path = desk.folder / "m.csv"
    read = CsvConnector.open

    def disturbed(self, name, source, base, since=None):
        # Its last batch is given and not yet taken: the file is still being read.
        for batch in read(self, name, source, base, since):
            disturb(path, what)
            yield batch

    monkeypatch.setattr(CsvConnector, "open", disturbed)
    error = desk.refused("m.csv")
    assert error.code == "source.file-changed"
    assert "m.csv" in str(error)


def disturb(path: Path, what: str) -> None:
    if what == "grows":
        with path.open("a") as file:
            file.write("m3,C1,2024-01-02 10:00:00,600000,buy,100,1")
    elif what == "shrinks":
        os.truncate(path, 70)
    elif what == "vanishes":
        path.unlink()
    else:
        other = path.with_suffix(".new")
        other.write_text(ROWS, "utf-8")
        other.replace(path)


def test_a_file_that_the_system_refuses(desk: Desk) -> None:
    (desk.folder / "m.csv").chmod(0)
    with pytest.MonkeyPatch.context() as patch:
        if os.getuid() == 0:  # root may read everything, so another user does the reading
            patch.setattr(Path, "open", as_somebody(Path.open, desk.folder / "m.csv"))
        error = desk.refused("m.csv")
    assert error.code == "source.file-unreadable"
    assert "m.csv" in str(error)


def as_somebody(opened, refused: Path):
    def attempt(path: Path, *how, **more):
        if path.name != refused.name:
            return opened(path, *how, **more)
        for folder in path.parents:
            if folder.stat().st_mode & 0o5 != 0o5 and folder.stat().st_uid == 0:
                folder.chmod(0o755)
        os.seteuid(65_534)
        try:
            return opened(path, *how, **more)
        finally:
            os.seteuid(0)

    return attempt


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("folder.csv", "source.file-missing"),
        ("loop.csv", "source.file-missing"),
        ("dangling.csv", "source.file-missing"),
        ("pipe.csv", "source.file-missing"),
        ("m.csv/deeper.csv", "source.file-missing"),
        ("nowhere/*.csv", "source.file-missing"),
        ("", "source.format-unknown"),
        ("x" * 5_000 + ".csv", "source.file-unreadable"),
        ("a**b*.csv", "source.path-wrong"),
        ("\x00.csv", "source.file-missing"),
        ("/proc/self/mem", "source.format-unknown"),
        ("loops/**/*.csv", "source.file-missing"),
    ],
)
def test_what_is_no_file(desk: Desk, path: str, code: str) -> None:
    folder = desk.folder
    (folder / "folder.csv").mkdir()
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "dangling.csv").symlink_to("nowhere.csv")
    (folder / "loops" / "a").mkdir(parents=True)
    (folder / "loops" / "a" / "again").symlink_to("..")
    os.mkfifo(folder / "pipe.csv")
    assert desk.refused(path).code == code
