"""`keepwell world` as a person and a script call it."""

from __future__ import annotations

import json
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from keepwell.core.errors import UsageError
from keepwell.core.text import set_locale
from keepwell.observe.contract import TABLES
from keepwell.world.scenario import shipped


@pytest.fixture(autouse=True)
def english():
    set_locale("en")
    yield
    set_locale("en")


def call(*arguments):
    app = typer.Typer(no_args_is_help=True)
    for command in ("demo", "world"):
        import_module(f"keepwell.cli.{command}").register(app)
    return CliRunner().invoke(app, ["world", *(str(a) for a in arguments)], env={"COLUMNS": "160"})


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenario") / "plain.yaml"
    path.write_text("title: {en: Plain, zh: 平常}\n", "utf-8")
    return path


def test_a_world_says_what_it_holds_and_what_to_do_next(plain, tmp_path):
    out = tmp_path / "w"
    made = call("new", "--clients", 60, "--days", 4, "--scenario", plain, "--out", out)
    assert made.exit_code == 0, made.output
    for name in TABLES:
        assert name in made.output
    assert f"keepwell demo --workspace {out}" in made.output
    assert str(out / "truth") in made.output
    assert "Simulated: Plain" in (out / "keepwell.yaml").read_text("utf-8")


def test_json_and_the_start(plain, tmp_path):
    out = tmp_path / "w"
    made = call(
        "new", "--clients", 60, "--days", 3, "--scenario", plain, "--out", out,
        "--start", "2024-03-04", "--seed", 1, "--json",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert told["rows"]["client"] > 0
    assert list(told["rows"]) == list(TABLES)
    assert {p.stem for p in (out / "data" / "price").iterdir()} == {
        "2024-03-04", "2024-03-05", "2024-03-06",
    }  # fmt: skip


def test_chinese(plain, tmp_path):
    set_locale("zh")
    made = call("new", "--clients", 60, "--days", 2, "--scenario", plain, "--out", tmp_path / "w")
    assert "下一步" in made.output
    assert "Next" not in made.output


def test_a_typo_names_the_nearest_scenario(tmp_path):
    made = call("new", "--scenario", "calm-yaer", "--out", tmp_path / "w")
    assert isinstance(made.exception, UsageError)
    assert made.exception.code == "world.scenario-unknown"
    assert "calm-year" in str(made.exception)
    assert not list(tmp_path.iterdir())


def test_scenarios_are_listed():
    told = json.loads(call("scenarios", "--json").stdout)
    assert list(told) == shipped()
    assert all(title["en"] and title["zh"] for title in told.values())
    listed = call("scenarios")
    assert listed.exit_code == 0
    for name, title in told.items():
        assert name in listed.output
        assert title["en"] in listed.output
