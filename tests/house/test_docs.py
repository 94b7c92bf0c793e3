"""The documentation says what the code says."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    p
    for p in ROOT.rglob("*.md")
    if not {".venv", ".git", ".pytest_cache", "build"} & set(p.relative_to(ROOT).parts)
)


@cache
def _generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "actions.md", "api.md", "commands.md", "contract.md", "desk-settings.md", "errors.md",
        "events.md", "indicators.md", "permissions.md", "rules.md", "scenarios.md",
        "scripts.md", "settings.md",
    ],
)  # fmt: skip
def test_reference_page_is_what_the_code_renders(name):
    assert (ROOT / "docs/reference" / name).read_text("utf-8") == _generator().PAGES[name](), (
        "run 'make docs'"
    )


def test_every_error_and_reason_speaks_chinese():
    from keepwell.core.errors import ERRORS, REASONS
    from keepwell.core.text import catalogue

    silent = [code for code, words in {**ERRORS, **REASONS}.items() if words not in catalogue()]
    assert not silent


def test_translations_keep_their_fields():
    from keepwell.core.text import catalogue

    wrong = [
        source
        for source, target in catalogue().items()
        if set(re.findall(r"{(\w+)", source)) != set(re.findall(r"{(\w+)", target))
    ]
    assert not wrong


_ERRORS = "DataError|UsageError|KeepwellError|NotAuthenticated|NotAllowed|NotFound|Conflict|Stale|\
ConditionMissing|TooLarge|Unprocessable|TooMany|Unavailable"


def test_raised_codes_are_registered_and_registered_codes_are_raised():
    from keepwell.core.errors import ERRORS

    source = "\n".join(
        p.read_text("utf-8")
        for p in (ROOT / "src").rglob("*.py")
        if p.name != "errors.py" and p.parent.name != "messages"
    )
    raised = re.findall(rf"(?:{_ERRORS})\(\s*\"([^\"]+)\"", source)
    assert len(raised) > 30
    assert [code for code in raised if code not in ERRORS] == []
    # Some codes are put together: f"indicator.{kind}-unknown".
    built = [
        re.compile(re.sub(r"{\w+}", "[a-z-]+", code.replace(".", r"\.")))
        for code in re.findall(r'f"([a-z-]+\.[a-z{}_-]+)"', source)
        if "{" in code
    ]
    unused = [
        code
        for code in ERRORS
        if f'"{code}"' not in source and not any(b.fullmatch(code) for b in built)
    ]
    assert not unused


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing


def test_no_page_is_empty():
    assert [str(p) for p in PAGES if len(p.read_text("utf-8")) < 100] == []


def test_both_readmes_show_the_two_commands():
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text("utf-8")
        assert "make demo" in text
        assert "make test" in text


def test_the_chinese_readme_is_the_english_ones_equal():
    english, chinese = (
        (ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md")
    )
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(
        re.findall(r"^## ", chinese, re.MULTILINE)
    )
    assert _commands_shown(english) == _commands_shown(chinese)
    other = {
        "README.md",
        "README.zh-CN.md",
        "docs/images/report-en.png",
        "docs/images/report-zh.png",
        "docs/images/workbench/today-en.png",
        "docs/images/workbench/today-zh.png",
    }
    assert set(_links(english)) - other == set(_links(chinese)) - other


def test_readmes_print_no_result_that_the_accuracy_page_does_not():
    """Shares and decimals (0.73, 2.1×, 20.9 %) may stand there only if the page has them."""
    accuracy = ROOT / "docs/reference/accuracy.md"
    known = accuracy.read_text("utf-8") if accuracy.exists() else ""
    for name in ("README.md", "README.zh-CN.md"):
        text = re.sub(r"\]\([^)]*\)", "", (ROOT / name).read_text("utf-8"))
        figures = re.findall(r"(?<![\w.-])\d+\.\d+(?![\w.-]*\d)", text)
        allowed = {"3.11", "4.0", "1.0", "2.0"}  # versions of Python and licences
        assert [f for f in figures if f not in allowed and f not in known] == []


def test_every_command_and_option_has_its_line():
    page = (ROOT / "docs/reference/commands.md").read_text("utf-8")
    for path, command in _commands().items():
        assert f"## `{path}`\n" in page
        section = page.split(f"## `{path}`\n")[1].split("\n## ")[0]
        for parameter in command.params:
            for option in [*parameter.opts, *parameter.secondary_opts]:
                if option != "--help":
                    assert f"`{option}`" in section, (path, option)


def test_every_setting_has_its_line():
    from pydantic import BaseModel

    from keepwell.observe import mapping

    page = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    models = [
        model
        for name, model in vars(mapping).items()
        if isinstance(model, type) and issubclass(model, BaseModel) and not name.startswith("_")
        if model is not BaseModel and model.__module__ == mapping.__name__
    ]
    assert len(models) >= 10
    for model in models:
        section = page.split(f"\n## {model.__name__}\n")[1].split("\n## ")[0]
        for name, field in model.model_fields.items():
            line = rf"^\| `{field.alias or name}` \| .+ \| .+ \|$"
            assert re.search(line, section, re.MULTILINE), (model.__name__, name)


def test_every_error_reason_indicator_and_column_has_its_line():
    from keepwell.core.errors import ERRORS, REASONS
    from keepwell.observe.contract import TABLES
    from keepwell.observe.indicators import INDICATORS

    pages = {
        name: (ROOT / "docs/reference" / f"{name}.md").read_text("utf-8")
        for name in ("errors", "indicators", "contract")
    }
    lines = pages["errors"].splitlines()
    for code in {**ERRORS, **REASONS}:
        assert sum(line.startswith(f"| `{code}` |") for line in lines) == 1, code
    for item in INDICATORS.values():
        for words in (item.id, item.title("en"), item.title("zh")):
            assert words in pages["indicators"], (item.id, words)
    for name, table in TABLES.items():
        section = pages["contract"].split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert [c.name for c in table.columns if f"| `{c.name}` |" not in section] == []


def test_every_permission_event_and_job_has_its_line_in_both_languages():
    from keepwell.core.text import catalogue
    from keepwell.frame.events import TITLES, EventName
    from keepwell.jobs.registry import kinds
    from keepwell.trust.access.policy import PERMISSIONS, Permission
    from keepwell.trust.evidence.policy import TITLES as KIND_TITLES
    from keepwell.trust.evidence.policy import EvidenceKind

    pages = {
        name: (ROOT / "docs/reference" / f"{name}.md").read_text("utf-8")
        for name in ("permissions", "events")
    }
    words = [*PERMISSIONS.values(), *TITLES.values(), *KIND_TITLES.values()]
    assert [w for w in words if w not in catalogue()] == []
    assert [p for p in Permission if f"| `{p}` |" not in pages["permissions"]] == []
    listed = [*EventName, *EvidenceKind, *kinds()]
    assert [e for e in listed if f"| `{e}` |" not in pages["events"]] == []
    assert not [kind for kind, told in kinds().items() if not told], "a handler without words"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_shown_exist(page):
    """Each `$ keepwell ...` names a command and options that there are; `$ make ...` a target."""
    known = _commands()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    root = set(_options(known["keepwell"]))
    for line in _commands_shown(page.read_text("utf-8")):
        words = shlex.split(line)
        if words[0] == "make":
            assert words[1] in targets, line
        if words[0] != "keepwell":
            continue
        words = words[1:]
        while words and words[0].startswith("--"):
            assert words[0] in root, line
            words = words[2:] if words[0] == "--lang" else words[1:]
        path = f"keepwell {words[0]}"
        assert path in known, line
        options = set(_options(known[path]))
        verbs = [w for w in words[1:] if f"{path} {w}" in known]
        if verbs:
            options |= set(_options(known[f"{path} {verbs[0]}"]))
        unknown = {w for w in words if w.startswith("-")} - options
        assert not unknown, line


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text("utf-8")
    for page in sorted((ROOT / "docs").rglob("*.md")):
        name = page.relative_to(ROOT / "docs").as_posix()
        inner = page.parent.name in ("adr", "evidence") and page.name != "README.md"
        if name == "README.md" or inner:
            continue
        assert f"]({name})" in index, name
    for folder, pattern in (("adr", "ADR-*.md"), ("evidence", "release-*.md")):
        listed = (ROOT / "docs" / folder / "README.md").read_text("utf-8")
        found = (ROOT / "docs" / folder).glob(pattern)
        assert [p.name for p in found if p.name not in listed] == []


def test_the_mapping_shown_is_a_mapping():
    from keepwell.observe.mapping import Mapping
    from keepwell.observe.select import sources_of

    page = (ROOT / "docs/how-to/own-data.md").read_text("utf-8")
    whole = re.findall(r"```yaml\n(version: .*?)```", page, re.DOTALL)
    assert len(whole) == 1
    mapping = Mapping.parse(whole[0])
    assert sources_of(mapping, list(mapping.tables)) == ["客户", "成交"]


@pytest.mark.parametrize(
    "name",
    [
        "add-an-indicator.md",
        "add-a-connector.md",
        "add-a-model.md",
        "choose-actions.md",
        "write-scripts.md",
    ],
)
def test_extensions_shown_pass_their_suites(name, tmp_path):
    """The page's python is a test module: run it in a process of its own, as a package would."""
    module = tmp_path / f"test_{name.removesuffix('.md').replace('-', '_')}.py"
    module.write_text(_python(ROOT / "docs/how-to" / name), "utf-8")
    options = ["-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(module)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed", done.stdout)


def _python(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert blocks
    return "\n".join(blocks)


def _links(text):
    return [t for t in re.findall(r"\]\(([^)\s]+)", text) if "://" not in t]


def _commands_shown(text):
    """Lines after `$ ` of the console blocks, without their remarks."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line[2:].split(" #")[0].removesuffix("\\").strip() for line in lines]


@cache
def _commands():
    import typer

    from keepwell.cli import app

    return dict(_generator()._walk(typer.main.get_command(app), "keepwell"))


def _options(command):
    return [o for p in command.params for o in [*p.opts, *p.secondary_opts] if o.startswith("-")]


def test_tutorial_runs(tmp_path):
    """Every python block of the tutorial runs, in order, on the real demo data."""
    script = tmp_path / "tutorial.py"
    script.write_text(_python(ROOT / "docs/tutorial.md"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:__main__", str(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        env={"PATH": "", "KEEPWELL_TUTORIAL": str(tmp_path / "ws"), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
