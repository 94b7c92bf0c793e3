"""The documentation says what the code says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    p for p in ROOT.rglob("*.md") if not {".venv", "build"} & set(p.relative_to(ROOT).parts)
)


def _generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name", ["commands.md", "contract.md", "errors.md", "indicators.md", "settings.md"]
)
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


def test_raised_codes_are_registered_and_registered_codes_are_raised():
    from keepwell.core.errors import ERRORS

    source = "\n".join(
        p.read_text("utf-8") for p in (ROOT / "src").rglob("*.py") if p.name != "errors.py"
    )
    unused = [code for code in ERRORS if f'"{code}"' not in source]
    assert not unused


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not missing


def test_both_readmes_show_the_two_commands():
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text("utf-8")
        assert "make demo" in text
        assert "make test" in text


def test_tutorial_runs(tmp_path):
    """Every python block of the tutorial runs, in order, on the real demo data."""
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/tutorial.md").read_text("utf-8"), re.DOTALL
    )
    assert len(blocks) >= 4
    script = tmp_path / "tutorial.py"
    script.write_text("\n".join(blocks), "utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        env={"PATH": "", "KEEPWELL_TUTORIAL": str(tmp_path / "ws"), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
