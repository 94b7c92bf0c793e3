"""The page: complete in both languages, self-contained, and deaf to hostile names."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

import keepwell.learn.report as package
from keepwell.core.text import catalogue
from keepwell.learn.report.charts import build
from keepwell.learn.report.data import TIERS, Interval, ReportData, TopClient, Words
from keepwell.learn.report.render import render_report, script_json, write_report
from keepwell.learn.report.speaker import Speaker
from keepwell.learn.report.words import METRICS, MODELS, SOURCES, every_message
from keepwell.observe.contract import TABLES
from keepwell.warn import metrics as warn_metrics
from keepwell.warn.models.base import MODELS as WARN_MODELS
from keepwell.warn.tier import Tier

ROOM = Path(package.__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = [
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "<!--",
    "{{ 7 * 7 }}",
    "{b}%7B",
    "O'Brien & Söhne\u2028",
    "张三<b>",
]


class Elements(HTMLParser):
    """Start tags with attributes, and the text of the elements that are asked for."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


@pytest.fixture(scope="module")
def html(data: ReportData) -> str:
    return render_report(data, "en")


def article(html: str, language: str) -> str:
    found = re.search(rf'<article class="page" lang="{language}".*?</article>', html, re.DOTALL)
    assert found
    return found[0]


def messages() -> set[str]:
    """Every message id that the room's code and templates ask for."""
    found = set(every_message())
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in {"t", "tr"} and isinstance(node.args[0].value, str):
                    found.add(node.args[0].value)
    for path in (ROOM / "templates").glob("*.j2"):
        for call in Environment().parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            name = getattr(call.node, "attr", getattr(call.node, "name", ""))
            if name == "t" and isinstance(call.args[0], nodes.Const):
                found.add(call.args[0].value)
    return found


def test_every_message_has_chinese_with_the_same_fields():
    words = catalogue()
    missing = sorted(m for m in messages() if m not in words)
    assert missing == []
    fields = re.compile(r"{(\w+)}")
    differing = [m for m in messages() if set(fields.findall(m)) != set(fields.findall(words[m]))]
    assert differing == []


def test_the_catalogue_holds_nothing_unused():
    path = files("keepwell").joinpath("core/locale/zh_Hans/report.po")
    with path.open("rb") as file:
        own = {str(message.id) for message in read_po(file) if message.id}
    assert own - messages() == set()


def test_codes_of_the_other_rooms_have_words():
    assert set(warn_metrics.METRICS) <= set(METRICS)
    assert set(WARN_MODELS) <= set(MODELS)
    assert set(TABLES) <= set(SOURCES)
    assert {tier.code for tier in Tier} == set(TIERS)


def test_each_language_speaks_its_own(html: str):
    english, chinese = article(html, "en-GB"), article(html, "zh-Hans-CN")
    assert "81 of 7,290 clients are in severe danger of leaving within 6 months" in english
    assert "52% (41% to 63%)" in english
    assert "the close of 31 Dec 2021" in english
    assert "7,290位客户中有81位在6个月内处于重度流失风险" in chinese
    assert "2021年12月31日收盘" in chinese
    assert "€2.18亿" in chinese
    assert "€218M" in english
    shown = re.sub(r"<[^>]*>|<style.*?</style>", " ", english)
    assert not re.search(r"[\u4e00-\u9fff]", shown)


def test_no_chinese_sentence_is_left_in_english(html: str):
    shown = Elements(article(html, "zh-Hans-CN")).text
    words = catalogue()
    untranslated = [m for m in messages() if words[m] != m and len(m) > 3 and m in shown]
    assert untranslated == []


def test_default_language_is_checked_and_titled(data: ReportData):
    for locale, title in (("en", "clients about to leave"), ("zh", "即将流失的客户")):
        page = Elements(render_report(data, locale))
        checked = [a["id"] for tag, a in page.tags if tag == "input" and "checked" in a]
        assert checked == [f"show-{locale}"]
        assert title in next(text for text in page.text if text.startswith("FAR-Trans demo"))


def test_every_chart_has_its_table(data: ReportData, html: str):
    options = json.loads(re.search(r'id="chart-data">(.*?)</script>', html, re.DOTALL)[1])
    assert set(options) == {"en", "zh"}
    for language, locale in (("en-GB", "en"), ("zh-Hans-CN", "zh")):
        figures = re.findall(r"<figure>.*?</figure>", article(html, language), re.DOTALL)
        charts = build(data, Speaker(locale, data.currency))
        placed = [re.search(r'data-chart="([^"]+)"', figure)[1] for figure in figures]
        assert sorted(placed) == sorted(charts) == sorted(options[locale])
        for id, figure in zip(placed, figures, strict=True):
            assert figure.count("<table") == 1
            table = charts[id].table
            assert table.rows
            assert figure.count("<tr>") == len(table.rows) + 1
            assert all(len(row) == len(table.columns) for row in table.rows)


def test_tiers_of_the_histogram_follow_the_cuts(data: ReportData):
    table = build(data, Speaker("en", "EUR"))["histogram"].table
    tier_of = {row[0]: row[2] for row in table.rows}
    assert [tier_of[label] for label in ("58–60", "60–62", "74–76", "76–78", "88–90", "90–92")] == [
        "no warning",
        "mild",
        "mild",
        "moderate",
        "moderate",
        "severe",
    ]


def test_the_page_needs_nothing_else(html: str):
    page = Elements(html)
    asked = [
        (tag, name, value)
        for tag, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "srcset", "href", "action", "data", "poster"}
        and not (value or "").startswith("#")
    ]
    assert asked == []
    assert not [tag for tag, _ in page.tags if tag in {"link", "iframe", "img", "object", "form"}]
    css = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    assert "url(" not in css
    assert "@import" not in css
    assert len(html.encode()) < 1_500_000


def test_the_policy_admits_exactly_the_two_scripts(html: str):
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    policy = next(a["content"] for tag, a in Elements(html).tags if a.get("http-equiv"))
    assert len(scripts) == 2
    assert re.findall(r"'sha256-([^']+)'", policy or "") == hashes
    assert "default-src 'none'" in (policy or "")


def hostile(data: ReportData) -> ReportData:
    top = tuple(
        replace(
            client,
            client=name,
            manager=name,
            reasons=(replace(client.reasons[0], words=Words.same(name)),),
        )
        for client, name in zip(data.top, HOSTILE, strict=False)
    )
    assert isinstance(top[0], TopClient)
    segments = tuple(
        replace(
            d,
            name=Words.same(name),
            segments=tuple(replace(s, value=Words.same(name)) for s in d.segments),
        )
        for d, name in zip(data.dimensions, HOSTILE, strict=False)
    )
    return replace(
        data,
        workspace=HOSTILE[1],
        top=top,
        dimensions=segments,
        managers=tuple(replace(b, manager=n) for b, n in zip(data.managers, HOSTILE, strict=False)),
        reasons=tuple(
            replace(r, words=Words.same(n)) for r, n in zip(data.reasons, HOSTILE, strict=False)
        ),
        notes=tuple(Words.same(n) for n in HOSTILE),
        attribution=Words.same(HOSTILE[2]),
        model=replace(data.model, version=HOSTILE[0], parameters={HOSTILE[0]: HOSTILE[1]}),
    )


def test_hostile_names_stay_text(data: ReportData, html: str):
    attacked = render_report(hostile(data), "en")
    page, clean = Elements(attacked), Elements(html)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in clean.tags}
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    for name in HOSTILE:
        assert any(name.strip() in text for text in page.text)
    options = json.loads(re.search(r'id="chart-data">(.*?)</script>', attacked, re.DOTALL)[1])
    assert options["en"]["managers"]["yAxis"]["data"][: len(HOSTILE)] == HOSTILE


def test_script_json_cannot_end_its_element():
    text = script_json({"a": "</script><!--\u2028&"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!--\u2028&"}


def test_without_a_backtest_the_page_says_so(data: ReportData):
    bare = replace(
        data,
        backtest=None,
        tiers=tuple(replace(t, realised=None, tested=0) for t in data.tiers),
        reasons=(),
        churn=(),
        dimensions=(),
        managers=(),
        top=(),
        notes=(),
        attribution=None,
    )
    html = render_report(bare, "en")
    english = article(html, "en-GB")
    assert "could not be tested on these data" in english
    assert "nothing here proves these scores" in english
    assert re.findall(r'data-chart="([^"]+)"', english) == ["histogram"]
    targets = set(re.findall(r'<a href="#([^"]+)"', html))
    assert targets <= set(re.findall(r' id="([^"]+)"', html))


def test_the_headline_claims_only_what_the_test_bears_out(data: ReportData):
    weak = Interval(0.2, 0.12, 0.3)
    tiers = tuple(replace(t, realised=weak) if t.code == "severe" else t for t in data.tiers)
    html = render_report(replace(data, tiers=tiers), "en")
    assert "the test does not bear out that they leave more often: 20% (12% to 30%)" in html
    assert "in severe danger" not in article(html, "en-GB")
    assert "检验未能证实" in article(html, "zh-Hans-CN")


def test_small_cells_are_marked(data: ReportData):
    rows = build(data, Speaker("en", "EUR"))["segment-risk-level"].table.rows
    assert [row[0] for row in rows if row[0].endswith("*")] == ["Not known *"]


def test_vendored_files_are_what_vendor_toml_says():
    folder = Path(str(files("keepwell").joinpath("web/static/vendor")))
    listed = tomllib.loads((folder / "vendor.toml").read_text(encoding="utf-8"))["file"]
    kinds = (".js", ".css", ".svg")
    there = [path for path in folder.rglob("*") if path.suffix in kinds]
    assert {e["path"] for e in listed} == {p.relative_to(folder).as_posix() for p in there}
    for entry in listed:
        content = (folder / entry["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert all((folder / name).is_file() for name in entry["licence_files"])


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_a_browser_draws_every_chart_and_runs_nothing_else(
    data: ReportData, tmp_path: Path, locale: str
):
    assert CHROMIUM is not None, "make test fetches Chromium"
    attacked = hostile(data)
    write_report(tmp_path / "report.html", attacked, locale)
    dom = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=4000",
            "--window-size=1280,4000",
            "--dump-dom",
            (tmp_path / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    drawn = dom.count('data-drawn="1"')
    assert drawn == len(build(attacked, Speaker(locale, "EUR")))
    assert dom.count("<svg") > drawn
    title = Elements(re.search(r"<title>.*?</title>", dom, re.DOTALL)[0]).text
    assert title != ["owned"]
    assert HOSTILE[1] in " ".join(title)
