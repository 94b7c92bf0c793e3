"""run, explain and demo as a person and a script call them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from keepwell.api import ingest
from keepwell.api import run as run_verb
from keepwell.cli import app
from keepwell.core.errors import KeepwellError
from keepwell.core.text import set_locale
from keepwell.frame.context import Frame
from keepwell.trust.access.policy import Role
from keepwell.web.app import create_app
from tests.learn.broker import few_trees, world, write

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(autouse=True)
def english():
    set_locale("en")
    yield
    set_locale("en")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the job was done once."""
    root = tmp_path_factory.mktemp("commands") / "ws"
    workspace = write(root, world(50))
    ingest(workspace)
    with few_trees():
        run_verb(workspace, locale="en")
    return root


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "ws")
    return tmp_path / "ws"


def call(*arguments: object) -> Result:
    with few_trees():
        return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "160"})


def process(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The console script, as a shell sees it."""
    command = [str(Path(sys.executable).with_name("keepwell")), *(str(a) for a in arguments)]
    env = {k: v for k, v in os.environ.items() if k not in ("KEEPWELL_LANG", "LC_ALL")}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120,
        env=env | {"LANG": "C.UTF-8"},
    )  # fmt: skip


def first(folder: Path) -> str:
    """The id of the highest score."""
    return (folder / "out" / "risk.csv").read_text("utf-8-sig").splitlines()[1].split(",")[0]


def test_run_as_json(folder: Path) -> None:
    result = call("run", "-w", folder, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    rows = (folder / "out" / "risk.csv").read_text("utf-8-sig").splitlines()[1:]
    assert found["clients"] == len(rows)
    assert found["scored"] == sum(tier["clients"] for tier in found["tiers"].values())
    assert found["as_of"] == "2021-12-31T22:00:00+00:00"
    assert (folder / ".keepwell" / "models" / found["model"] / "version.json").is_file()
    auc = found["backtest"]["models"]["catboost"]["auc"]
    assert 0 <= auc["low"] <= auc["value"] <= auc["high"] <= 1
    assert {Path(file).name for file in found["files"]} == {
        "risk.csv", "risk.parquet", "report.html", "model_card.md"
    }  # fmt: skip
    assert all(Path(file).is_file() for file in found["files"])


def test_run_for_people(folder: Path) -> None:
    result = call("run", "-w", folder, "--top", 3)
    assert result.exit_code == 0, result.output
    assert first(folder) in result.output
    assert str(folder / "out" / "report.html") in result.output
    assert "2021" in result.output
    nothing = call("run", "-w", folder, "--top", 0)
    assert first(folder) not in nothing.output


def test_run_at_another_date(copied: Path) -> None:
    found = json.loads(call("run", "-w", copied, "--as-of", "2021-10-01", "--json").stdout)
    assert found["as_of"] == "2021-09-30T21:00:00+00:00"
    assert found["backtest"] is None
    assert "No past date can be tested" in call("run", "-w", copied, "--as-of", "2021-10-01").output


def test_explain_as_json_and_for_people(folder: Path) -> None:
    client = first(folder)
    result = call("explain", client, "-w", folder, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    listed = (folder / "out" / "risk.csv").read_text("utf-8-sig").splitlines()[1].split(",")
    assert (found["client"], f"{found['score']:.1f}") == (client, listed[2])
    assert found["reasons"][0]["words"] in (folder / "out" / "risk.csv").read_text("utf-8-sig")
    people = call("explain", client, "-w", folder)
    assert people.exit_code == 0
    assert listed[2] in people.output
    assert client in people.output
    earlier = json.loads(
        call("explain", client, "-w", folder, "--as-of", "2021-11-01", "--json").stdout
    )
    assert earlier["as_of"] == "2021-10-31T22:00:00+00:00"
    assert "closed" in call("explain", "closed", "-w", folder).output


def test_chinese(folder: Path) -> None:
    for arguments in (
        ("run", "-w", folder), ("explain", first(folder), "-w", folder),
        ("explain", "unfunded", "-w", folder),
    ):  # fmt: skip
        result = call("--lang", "zh", *arguments)
        assert result.exit_code == 0, result.output
        assert len(HAN.findall(result.output)) > 10
        assert not HAN.search(call("--lang", "en", *arguments).output)
    assert call("--lang", "fr", "run", "-w", folder).exit_code == 2
    reasons = json.loads(
        call("--lang", "zh", "explain", first(folder), "-w", folder, "--json").stdout
    )["reasons"]
    assert all(HAN.search(reason["words"]) for reason in reasons)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "run"),
        (["explan", "c1"], "explain"),
        (["dmeo"], "demo"),
        (["run", "--asof", "2021-10-01"], "--as-of"),
        (["explain"], "Missing argument"),
        (["run", "--top", "-1"], "--top"),
    ],
)
def test_a_typo_names_what_was_meant(arguments: list[str], said: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_errors_and_their_exit_codes(folder: Path, tmp_path: Path) -> None:
    def code(*arguments: object) -> tuple[str, int]:
        error = call(*arguments).exception
        assert isinstance(error, KeepwellError), error
        return error.code, error.exit_code

    assert code("run", "-w", folder, "--as-of", "soon") == ("as-of.day-invalid", 2)
    assert code("run", "-w", folder, "--as-of", "2020-02-01") == ("run.dates-immature", 1)
    assert code("explain", "nobody", "-w", folder) == ("explain.client-unknown", 2)
    write(tmp_path / "empty", world(6))
    assert code("run", "-w", tmp_path / "empty")[1] == 1
    assert code("explain", "c1", "-w", tmp_path / "empty")[1] == 1


def test_the_shell_sees_one_line_and_the_exit_code(folder: Path, tmp_path: Path) -> None:
    for language, words in (("en", "keepwell.yaml"), ("zh", "keepwell.yaml")):
        missing = process("--lang", language, "run", "-w", tmp_path / "nowhere")
        assert missing.returncode == 2
        assert missing.stdout == ""
        assert missing.stderr.startswith("workspace.mapping-missing: ")
        assert len(missing.stderr.splitlines()) == 1
        assert words in missing.stderr
        assert str(tmp_path / "nowhere") in missing.stderr
        assert bool(HAN.search(missing.stderr)) == (language == "zh")
    unknown = process("explain", "nobody", "-w", folder, "--json")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "nobody" in unknown.stderr
    assert "Traceback" not in unknown.stderr
    immature = process("run", "-w", folder, "--as-of", "2020-02-01")
    assert immature.returncode == 1


def test_explain_before_run(tmp_path: Path) -> None:
    ingest(write(tmp_path / "ws", world(6)))
    error = call("explain", "new", "-w", tmp_path / "ws").exception
    assert isinstance(error, KeepwellError)
    assert (error.code, error.exit_code) == ("explain.model-missing", 1)
    assert "keepwell run" in str(error)


def test_the_demo_counts_its_cases_and_makes_a_user_for_each_role(copied: Path) -> None:
    said = call("demo", "-w", copied).output
    users = dict(re.findall(r"^demo-(\w+) +(\S+)", said, re.MULTILINE))
    assert sorted(users) == sorted(role.value for role in Role)
    listed = call("desk", "cases", "--as", "demo-compliance", "-w", copied, "--json")
    assert listed.exit_code == 0, listed.output
    counted = re.findall(r"^(?:Severe|Moderate|Mild) .* (\d+) *$", said, re.MULTILINE)
    assert len(counted) == 3
    assert len(json.loads(listed.output)) == sum(int(number) for number in counted)
    frame = Frame.open(copied)
    application = TestClient(create_app(frame), base_url="http://127.0.0.1")
    for role, password in users.items():
        if role != "integration":
            sent = {"login": f"demo-{role}", "password": password}
            assert application.post("/api/v1/session", json=sent).status_code < 300, role
    frame.close()


def test_the_demo_says_where_the_report_is_and_what_to_try(copied: Path) -> None:
    result = call("demo", "-w", copied)
    assert result.exit_code == 0, result.output
    assert str(copied / "out" / "report.html") in result.output
    assert f"keepwell explain {first(copied)} --workspace {copied}" in result.output
    assert "1. " in result.output
    assert "2. " in result.output
    assert "3. " in result.output
    assert f"keepwell serve --workspace {copied}" in result.output
    chinese = call("--lang", "zh", "demo", "-w", copied)
    assert HAN.search(chinese.output)
    assert not re.search(r"^(tier|user) ", chinese.output, re.MULTILINE)
    assert str(copied / "out" / "report.html") in chinese.output
