"""The page about experiments runs as it stands, and the package finds what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import keepwell as kw

ROOT = Path(__file__).parents[3]


def test_the_page_runs():
    page = (ROOT / "docs/how-to/run-an-experiment.md").read_text("utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    assert "assert" in code
    exec(compile(code, "run-an-experiment.md", "exec"), {"__name__": "page"})


def test_every_verdict_stands_in_the_page():
    page = (ROOT / "docs/how-to/run-an-experiment.md").read_text("utf-8")
    for verdict in kw.experiment.Verdict:
        assert f"| `{verdict}` |" in page


def test_every_name_is_found_and_nothing_is_loaded_before():
    for name in kw.experiment.__all__:
        found = getattr(kw.experiment, name)
        # A module of the same name would hide what the package gives.
        assert found.__doc__ or name.isupper()
        assert not isinstance(found, ModuleType)
    code = "import sys, keepwell as kw; kw.experiment; looks = 'keepwell.learn.experiment.looks'; \
assert looks not in sys.modules; kw.experiment.look; assert looks in sys.modules; \
assert not {'scipy', 'sqlalchemy', 'fastapi', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
