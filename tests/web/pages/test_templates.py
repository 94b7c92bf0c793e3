"""Every template: words in both languages, nothing that the content policy forbids."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from keepwell.core.text import catalogue

WEB = Path(str(files("keepwell").joinpath("web")))
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
IDS = [path.relative_to(WEB / "templates").as_posix() for path in TEMPLATES]
_SAID = re.compile(r"""(?<![\w.])t\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
# Words between tags that are no one's language: names, marks, numbers.
_NEUTRAL = re.compile(r"((keepwell|English|中文|j|k|x|Enter|KB|MB|SHA-256|UTF-8)|[\s\W\d_])*")


def messages(source: str) -> list[str]:
    return [found[1:-1].replace('\\"', '"') for found in _SAID.findall(source)]


@pytest.mark.parametrize("path", TEMPLATES, ids=IDS)
def test_every_message_has_its_chinese(path):
    missing = [m for m in messages(path.read_text("utf-8")) if m not in catalogue()]
    assert not missing


class _Words(HTMLParser):
    """Text between tags and attributes that people read, with expressions taken out."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []
        self.faults: list[str] = []
        self.quiet = 0

    def handle_starttag(self, tag, attrs):
        self.quiet += tag in ("script", "style")
        given = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.faults.append(f"<{tag}> within the page")
        for name, value in attrs:
            if name.startswith(("on", "hx-on", "data-hx-on")) or name in ("style", "hx-vals-js"):
                self.faults.append(f"{name} on <{tag}>")
            if name in ("title", "aria-label", "placeholder", "alt") and value:
                self.found.append(value)
            if name == "hx-trigger" and value and "[" in value:
                self.faults.append("a filter in hx-trigger needs eval")
        if tag == "img" and "alt" not in given:
            self.faults.append("an image without alt")

    def handle_endtag(self, tag):
        self.quiet -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.quiet:
            self.found.append(data)


def read(path: Path) -> _Words:
    source = re.sub(r"{#.*?#}", "", path.read_text("utf-8"), flags=re.DOTALL)
    source = re.sub(r"{%.*?%}|{{.*?}}", " ", source, flags=re.DOTALL)
    parser = _Words()
    parser.feed(source)
    return parser


@pytest.mark.parametrize("path", TEMPLATES, ids=IDS)
def test_no_words_stand_outside_of_the_catalogue(path):
    loose = [w.strip() for w in read(path).found if not _NEUTRAL.fullmatch(w.strip())]
    assert not loose


@pytest.mark.parametrize("path", TEMPLATES, ids=IDS)
def test_nothing_that_the_content_policy_forbids(path):
    assert not read(path).faults


def test_no_text_is_declared_safe():
    loose = [
        name
        for name, path in zip(IDS, TEMPLATES, strict=True)
        if re.search(r"\|\s*safe|autoescape\s+false", path.read_text("utf-8"))
    ]
    assert not loose


def test_the_words_of_the_script_are_those_of_the_catalogue():
    script = (WEB / "static" / "keepwell.js").read_text("utf-8")
    chinese, english = re.findall(r"\{ s: \"(.*?)\" \}", script)
    pairs = zip(re.split(r'", \w+: "', english), re.split(r'", \w+: "', chinese), strict=True)
    told = {"{span} late": "{span} overdue"}
    for source, target in pairs:
        assert catalogue()[told.get(source, source)] == target


def test_icons_asked_for_are_there():
    known = set(
        re.findall(
            r'symbol id="([\w-]+)"', (WEB / "static/vendor/icons/tabler-icons.svg").read_text()
        )
    )
    sources = [p.read_text("utf-8") for p in TEMPLATES]
    sources += [p.read_text("utf-8") for p in (WEB / "pages").rglob("*.py")]
    asked = {name for s in sources for name in re.findall(r"""icon\(\s*["']([\w-]+)["']""", s)}
    assert asked <= known


def test_vendored_files_are_within_what_pages_may_weigh():
    from keepwell.web.pages.assets import assets

    listed = {
        e["path"] for e in tomllib.loads((WEB / "static/vendor/vendor.toml").read_text())["file"]
    }
    packed = {name: len(asset.packed) for name, asset in assets().items()}
    assert {f"vendor/{path}" for path in listed} <= set(packed)
    ours = ("keepwell.css", "keepwell.js", "theme.js", "keepwell.svg")
    base = [*ours, *(f"vendor/{path}" for path in listed if not path.startswith("echarts"))]
    assert sum(packed[name] for name in base) <= 130_000
