"""`keepwell script`: texts from a file or standard input, facts, templates, both languages."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from keepwell.cli import app
from keepwell.core import text
from keepwell.core.errors import KeepwellError


def run(*args, stdin=None):
    try:
        return CliRunner().invoke(app, ["--lang", "en", *map(str, args)], input=stdin)
    finally:
        text._chosen.clear()


def test_a_grave_finding_ends_with_one(tmp_path):
    done = run("script", "--check", "-", "--service", "--json", stdin="这款产品保 本。")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert [(f["rule"], f["quote"], f["start"], f["end"]) for f in found] == [
        ("SU-8", "保 本", 4, 7)
    ]
    path = tmp_path / "text.txt"
    path.write_text("我们不承诺保本。投资有风险。", "utf-8")
    done = run("script", "--check", path, "--service")
    assert done.exit_code == 0
    assert "Nothing found" in done.stdout


def test_what_the_text_is_for_counts():
    assert run("script", "--check", "-", stdin="您好").exit_code == 1
    assert "refuse-missing" in run("script", "--check", "-", "--json", stdin="您好").stdout
    options = ("--service", "--occasion", "exit", "--json")
    found = json.loads(run("script", "--check", "-", *options, stdin="请您再考虑一下").stdout)
    assert {f["code"] for f in found} == {"exit-holding-back", "exit-free-missing"}
    options = ("--service", "--author", "model", "--channel", "sms", "--json")
    found = json.loads(run("script", "--check", "-", *options, stdin="您好").stdout)
    assert [f["suggestion"]["zh"] for f in found] == ["本短信由AI生成。"]
    early = ("--service", "--on", "2019-01-01", "--json")
    assert json.loads(run("script", "--check", "-", *early, stdin="保本保息").stdout) == []


def test_facts_judge_the_figures(tmp_path):
    facts = tmp_path / "facts.yaml"
    facts.write_text("cash: 382000000.00 CNY\n", "utf-8")
    options = ("--service", "--facts", facts)
    assert run("script", "--check", "-", *options, stdin="您有3.82亿元").exit_code == 0
    done = run("script", "--check", "-", *options, stdin="您有3.83亿元")
    assert done.exit_code == 1
    assert "3.83亿元" in done.stdout
    assert "not judged" in run("script", "--check", "-", "--service", stdin="3元").stdout


def test_templates_are_checked_too(tmp_path):
    path = tmp_path / "ours.yaml"
    body = (
        "templates:\n  ours:\n    from: 2026-11-01\n    channels: [phone]\n"
        "    text: {{en: 'Hello {{client_name}}.', zh: '{{client_name}}，{words}。'}}\n"
    )
    path.write_text(body.format(words="您好"), "utf-8")
    assert run("script", "--check", path).exit_code == 0
    path.write_text(body.format(words="稳赚不赔"), "utf-8")
    done = run("script", "--check", path, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)[0]["where"] == "ours (zh)"


def test_wrong_use_says_so(tmp_path):
    assert run("script", "--check", "-", "--channel", "fax", stdin="x").exit_code == 2
    for args, code in [
        (("--check", tmp_path / "none.txt"), "script.text-unreadable"),
        (("--check", tmp_path / "none.yaml"), "script.text-unreadable"),
        (("--check", "-", "--facts", tmp_path / "none.yaml"), "script.text-unreadable"),
        (("--check", "-", "--on", "tomorrow"), "as-of.day-invalid"),
    ]:
        error = run("script", *args, stdin="x").exception
        assert isinstance(error, KeepwellError)
        assert error.code == code
    bad = tmp_path / "gbk.txt"
    bad.write_bytes("保本".encode("gbk"))
    assert run("script", "--check", bad).exception.code == "script.text-unreadable"
    assert "--check" in run("script").stdout


def test_the_list_of_templates(tmp_path):
    found = json.loads(run("script", "list", "--workspace", tmp_path, "--json").stdout)
    assert len(found) > 90
    assert {"id", "version", "slots", "digest", "text"} <= set(found[0])
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "ours.yaml").write_text(
        "templates:\n  ours:\n    from: 2026-11-01\n    channels: [sms]\n"
        "    text: {en: Hello., zh: 您好。}\n",
        "utf-8",
    )
    listed = run("script", "list", "--workspace", tmp_path, "--json").stdout
    assert "ours" in [t["id"] for t in json.loads(listed)]
    assert "Any reason" in run("script", "list", "--workspace", tmp_path).stdout


@pytest.mark.parametrize("language", ["en", "zh"])
def test_findings_are_told_in_both_languages(language):
    try:
        done = CliRunner().invoke(app, ["--lang", language, "script", "--check", "-"], input="保本")
    finally:
        text._chosen.clear()
    assert ("严重" if language == "zh" else "Grave") in done.stdout
