"""Scenarios: the files, their parameters, what they do to a world, and their pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from keepwell.core.errors import UsageError
from keepwell.core.text import catalogue, set_locale
from keepwell.world.scenario import (
    PROBLEMS,
    Happening,
    Scenario,
    load_scenario,
    parameters,
    parse_scenario,
    shipped,
)
from keepwell.world.scenario_page import HAPPENINGS, render
from keepwell.world.simulate import World
from keepwell.world.terms import ADVICE, CAUSES, MARKET, OPEN, PRICE, SYSTEMS, TECHNOLOGY, TRUST

ROOT = Path(__file__).parents[2]
FILES = ROOT / "src/keepwell/world/scenarios"
NAMES = ["calm-year", "crash", "departing-adviser", "outage-week", "price-war", "regulator"]
CLIENTS, DAYS, FIRST, SEED = 3000, 530, 300, 8


# The files and their parameters


def _leaves(values, prefix=""):
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _all_parameters():
    """Name to default, found by what a scenario holds and not by how it is declared."""
    found = dict(_leaves(Scenario().model_dump()))
    assert found.pop("happenings") == ()
    return found | dict(_leaves({"happenings": Happening().model_dump()}))


def test_the_scenarios_ship():
    assert shipped() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_scenario_is_small_titled_and_says_why(name):
    text = (FILES / f"{name}.yaml").read_text("utf-8")
    scenario = load_scenario(name)
    assert text.startswith("# ")
    assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 8
    assert scenario.title.en != Scenario().title.en
    assert re.search(r"[\u4e00-\u9fff]", scenario.title.zh)
    usual = scenario.with_(title=Scenario().title.model_dump(), happenings=[])
    assert usual == Scenario()
    assert (name == "calm-year") == (not scenario.happenings)
    for happening in scenario.happenings:
        assert 200 <= happening.day < happening.day + happening.days < 540


def test_every_parameter_is_listed():
    found = parameters()
    assert found.keys() == _all_parameters().keys()
    assert len(found) > 150


def test_every_parameter_has_a_meaning_and_a_source():
    for name, field in parameters().items():
        meaning, extra = field.description or "", field.json_schema_extra
        assert meaning[:1].isupper(), name
        assert meaning.endswith("."), name
        assert extra["source"].strip(), name
        assert set(extra) == {"source", "unit"}, name


def test_the_kinds_and_systems_are_those_of_the_world():
    kinds, systems = (get_args(Happening.model_fields[n].annotation) for n in ("kind", "system"))
    assert set(HAPPENINGS) == set(kinds)
    assert systems == SYSTEMS


def test_a_file_gives_back_what_was_dumped(tmp_path):
    scenario = load_scenario("regulator").with_(experience={"rival_rate": 1e-05})
    (tmp_path / "mine.yaml").write_text(scenario.dump(), "utf-8")
    assert load_scenario(tmp_path / "mine.yaml") == scenario


def test_an_empty_file_or_section_is_the_defaults(tmp_path):
    (tmp_path / "none.yml").write_text("# nothing\nleaving:\n  # closes: 1\n", "utf-8")
    assert load_scenario(tmp_path / "none.yml") == Scenario()
    assert parse_scenario(None, "none") == Scenario()


def test_with_changes_what_is_named_and_nothing_else():
    scenario = Scenario().with_(people={"leaving": {"by_city": [0.5, 0.1]}}, start="2023-01-03")
    changed = {
        name for name, value in _leaves(scenario.model_dump()) if dict(_defaults())[name] != value
    }
    assert changed == {"people.leaving.by_city", "start"}
    again = scenario.with_(people={"leaving": {"by_age": [0.3, 0.2, 0.1]}})
    assert again.people.leaving.by_city == (0.5, 0.1)
    assert str(again.start) == "2023-01-03"


def _defaults():
    return _leaves(Scenario().model_dump())


def test_the_kernels_record_has_every_parameter_of_its_sections():
    record = Scenario().record()
    expected = {
        name.partition(".")[2]
        for name in parameters()
        if name.split(".")[0] in {"habits", "experience", "leaving", "help", "contagion"}
    }
    assert set(record.dtype.names) == expected
    assert record["effect"].shape == (8, 8)


# Errors


@pytest.fixture
def english():
    set_locale("en")


TYPOS = [
    ({"leavng": {}}, "leavng", "leaving"),
    ({"hazard": 1}, "hazard", "leaving.hazard"),
    ({"leaving": {"hazzard": 1}}, "leaving.hazzard", "leaving.hazard"),
    ({"contagion": {"hazard": 1}}, "contagion.hazard", "leaving.hazard"),
    ({"people": {"usual": {"tradez": 1}}}, "people.usual.tradez", "people.usual.trades"),
    ({"people": {"leaving": {"by_agee": 1}}}, "people.leaving.by_agee", "people.leaving.by_age"),
    ({"people": {"leavin": {}}}, "people.leavin", "people.leaving"),
    (
        {"happenings": [{"kind": "news"}, {"strenght": 2}]},
        "happenings.2.strenght",
        "happenings.2.strength",
    ),
    ({"happenings": [{"knd": "news", "day": -1}]}, "happenings.1.knd", "happenings.1.kind"),
    ({"leaving": {"zzz": 1}}, "leaving.zzz", "–"),
    ({"people.age": [1]}, "people.age", "people: {age: …}"),
]


@pytest.mark.parametrize(("values", "parameter", "near"), TYPOS, ids=lambda v: str(v)[:40])
def test_a_typo_names_the_nearest_parameter(values, parameter, near):
    with pytest.raises(UsageError) as caught:
        parse_scenario(values, "mine.yaml")
    assert caught.value.code == "world.parameter-unknown"
    for language, words in (("en", "there is no parameter"), ("zh", "没有参数")):
        message = caught.value.words(language)
        assert words in message
        assert f"'{parameter}'" in message
        assert re.search(rf"(nearest: |最接近的是：){re.escape(near)}[.。]", message)


WRONG = [
    ({"leaving": {"closes": 2}}, "leaving.closes", "at most 1", "不得大于 1"),
    ({"leaving": {"hazard": -1}}, "leaving.hazard", "at least 0", "不得小于 0"),
    ({"leaving": {"closes": "x"}}, "leaving.closes", "a number", "数字"),
    ({"leaving": {"days": [1, 2]}}, "leaving.days", "4 values", "4 个值"),
    ({"leaving": {"days": [1] * 5}}, "leaving.days", "4 values", "4 个值"),
    ({"leaving": {"days": 3}}, "leaving.days", "4 values", "4 个值"),
    ({"help": {"effect": [0] * 8}}, "help.effect.1", "8 rows of 8 values", "8 行，每行 8 个值"),
    ({"leaving": {"view_signs": []}}, "leaving.view_signs", "5 rows of 6 values", "5 行，每行 6"),
    ({"help": {"wakes": [5] * 8}}, "help.wakes", "between 0 and 1", "0 与 1 之间"),
    ({"leaving": {"at_once": 0.6, "drift": 0.6}}, "leaving", "at_once and drift", "at_once 与"),
    ({"leaving": {"closes": 0.6, "moves": 0.6}}, "leaving", "closes and moves", "closes 与"),
    ({"leaving": 3}, "leaving", "names and values", "名称和值"),
    ({"market": {"first_regime": "crsh"}}, "market.first_regime", "nearest: crash", "：crash"),
    ({"happenings": [{"kind": "outtage"}]}, "happenings.1.kind", "nearest: outage", "：outage"),
    ({"happenings": {"kind": "news"}}, "happenings", "a list", "列表"),
    ({"happenings": ["news"]}, "happenings.1", "names and values", "名称和值"),
    ({"happenings": [{"days": 1.5}]}, "happenings.1.days", "a whole number", "整数"),
    ({"people": {"age": [0.5] * 4}}, "people.age", "add up to 1", "合计为 1"),
    ({"people": {"risk": [0.5, 0.5]}}, "people", "five shares", "五个份额"),
    ({"start": 2024}, "start", "a date", "日期"),
    ({"title": "Mine"}, "title", "names and values", "名称和值"),
]


@pytest.mark.parametrize(("values", "parameter", "en", "zh"), WRONG, ids=lambda v: str(v)[:40])
def test_a_wrong_value_is_told_in_both_languages(values, parameter, en, zh):
    try:
        for language, words in (("en", en), ("zh", zh)):
            set_locale(language)
            with pytest.raises(UsageError) as caught:
                parse_scenario(values, "mine.yaml")
            assert caught.value.code == "world.parameter-wrong"
            assert parameter in str(caught.value)
            assert words in str(caught.value)
            assert not (language == "zh" and re.search("expected|should|must", str(caught.value)))
    finally:
        set_locale("en")


def test_all_that_can_be_wrong_speaks_chinese():
    import keepwell.world.dynamics.settings as dynamics
    import keepwell.world.people.settings as people
    import keepwell.world.setting_types as types

    raised = re.findall(
        r'ValueError\("([^"]+)"\)',
        "".join(Path(module.__file__).read_text("utf-8") for module in (dynamics, people, types)),
    )
    assert len(raised) >= 6
    assert [words for words in [*PROBLEMS.values(), *raised] if words not in catalogue()] == []


def test_a_fault_names_file_and_line(tmp_path, english):
    file = tmp_path / "mine.yaml"
    file.write_text("title: {en: Mine}\nleaving:\n  closes: 0.1\n  hazrd: 1\n", "utf-8")
    with pytest.raises(UsageError, match=r"^mine\.yaml:4: .*'leaving\.hazrd'"):
        load_scenario(file)
    file.write_text("leaving: {}\nhelp: {}\nleaving: {}\n", "utf-8")
    with pytest.raises(UsageError, match="line 3: key 'leaving' is given twice"):
        load_scenario(file)


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("outage-wek", "world.scenario-unknown", "outage-week"),
        ("zzz", "world.scenario-unknown", "calm-year, crash"),
        ("nowhere.yaml", "world.scenario-missing", "nowhere.yaml"),
    ],
)
def test_an_unknown_scenario_names_the_nearest(name, code, says, english):
    with pytest.raises(UsageError, match=says) as caught:
        load_scenario(name)
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "12\n"])
def test_a_file_without_sections_is_no_scenario(text, tmp_path):
    (tmp_path / "odd.yaml").write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        load_scenario(tmp_path / "odd.yaml")
    assert caught.value.code == "world.scenario-broken"


# The pages


def test_the_page_has_every_parameter_with_its_default_meaning_and_source():
    rows = {}
    for line in render().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 6 and cells[0].startswith("`"):
            assert cells[0] not in rows
            rows[cells[0].strip("`")] = cells[1:]
    expected = _all_parameters()
    assert rows.keys() == expected.keys()
    for name, (default, _unit, allowed, meaning, source) in rows.items():
        value = np.asarray(expected[name])
        if value.dtype.kind in "fi":
            shown = np.array([float(x) for x in re.split(r", |<br>", default)])
            assert shown == pytest.approx(value.ravel(), rel=1e-12), name
        else:
            assert default == str(expected[name]), name
        assert meaning, name
        assert source, name
        assert not re.search("<|>", allowed), name


def test_the_page_shows_every_scenario_and_every_kind():
    page = render()
    for name in NAMES:
        assert (FILES / f"{name}.yaml").read_text("utf-8").strip() in page
    for kind in HAPPENINGS:
        assert f"\n| `{kind}` | " in page
    # Parameters that the words of the happenings name exist.
    named = re.findall(r"`((?:market|experience|contagion)\.\w+)`", "".join(HAPPENINGS.values()))
    assert len(named) >= 6
    assert set(named) <= set(parameters())


def _page(name):
    return (ROOT / "docs/how-to" / name).read_text("utf-8")


def _blocks(name, language):
    found = re.findall(rf"```{language}\n(.*?)```", _page(name), re.DOTALL)
    assert found
    return found


def test_the_scenario_shown_is_one(tmp_path, english):
    (shown,) = _blocks("write-a-scenario.md", "yaml")
    file = tmp_path / "slow-hotline.yaml"
    file.write_text(shown, "utf-8")
    assert len(load_scenario(file).happenings) == 2
    file.write_text(shown.replace("solve_hours", "solve_hour"), "utf-8")
    with pytest.raises(UsageError) as caught:
        load_scenario(file)
    told = " ".join(_page("write-a-scenario.md").split())
    assert str(caught.value) in told
    named = re.findall(r"`((?:leaving|experience|help|market|people)\.\w+)", told)
    assert len(named) >= 8
    assert set(named) <= set(parameters())


@pytest.mark.parametrize("name", ["write-a-scenario.md", "simulate-a-broker.md"])
def test_the_python_shown_runs(name, capsys):
    exec(compile("\n".join(_blocks(name, "python")), name, "exec"), {"__name__": "shown"})
    printed = capsys.readouterr().out
    if name == "simulate-a-broker.md":
        gone = {
            k: int(v) for k, v in re.findall(r"^(\w+): (\d+) of 3000 gone", printed, re.MULTILINE)
        }
        assert gone.keys() == {"nothing", "mend_complaints", "call_everybody"}
        assert gone["call_everybody"] != gone["nothing"]


def test_the_functions_named_in_passing_exist():
    import inspect

    from keepwell.world.files.write import write_world
    from keepwell.world.outcomes import potential

    page = _page("simulate-a-broker.md")
    assert "keepwell.world.outcomes.potential(world, horizon=90)" in page
    assert "keepwell.world.files.write.write_world(..., policy=...)" in page
    assert list(inspect.signature(potential).parameters)[:2] == ["world", "horizon"]
    assert "policy" in inspect.signature(write_world).parameters


# What the scenarios do


class Life:
    """What a scenario's world went through."""

    def __init__(self, name):
        self.world = world = World(load_scenario(name), SEED, CLIENTS, DAYS)
        self.market = world.market
        self.grievance, self.served = np.zeros((DAYS, len(CAUSES))), {}
        self.errors, self.sessions, self.waits = np.zeros(DAYS), np.zeros(DAYS), [[]] * DAYS
        self.gone, self.causes = np.zeros(DAYS, int), np.zeros((DAYS, len(CAUSES)), int)
        for t in range(DAYS):
            self._note(t, world.step().events)

    def _note(self, t, events):
        state = self.world.state
        self.grievance[t] = state["grievance"][state["status"] == OPEN].mean(axis=0)
        for name, where in (("session", self.sessions), ("contact", None), ("service", None)):
            if name not in events:
                continue
            if name == "session":
                where[t], self.errors[t] = len(events[name]), events[name]["errors"].sum()
            elif name == "contact":
                self.waits[t] = events[name]["wait"].tolist()
            else:
                self.served[t] = events[name].copy()
        left = state["left_day"] == self.market.start + t
        self.gone[t] = left.sum()
        for cause in state["cause"][left & (state["cause"] >= 0)]:
            self.causes[t, cause] += 1


@pytest.fixture(scope="module")
def lives():
    made = {}

    def life(name):
        if name not in made:
            made[name] = Life(name)
        return made[name]

    return life


@pytest.mark.parametrize("name", NAMES[1:])
def test_nothing_differs_before_the_first_happening(name, lives):
    calm, other = lives("calm-year"), lives(name)
    assert np.array_equal(calm.gone[:FIRST], other.gone[:FIRST])
    assert np.array_equal(calm.sessions[:FIRST], other.sessions[:FIRST])
    assert not np.array_equal(calm.grievance[FIRST:], other.grievance[FIRST:])


def _after(life, cause):
    """Leavers of a cause from the first happening on."""
    return life.causes[FIRST:, cause].sum()


def test_crash(lives):
    calm, crash = lives("calm-year"), lives("crash")
    (ordered,) = load_scenario("crash").happenings
    end = ordered.day + ordered.days
    fall = crash.market.index[end - 1] / crash.market.index[FIRST - 1]
    assert fall < 0.72
    assert fall < calm.market.index[end - 1] / calm.market.index[FIRST - 1] - 0.15
    assert crash.grievance[end, MARKET] > 3 * calm.grievance[end, MARKET]


def test_outage_week(lives):
    calm, outage = lives("calm-year"), lives("outage-week")
    week, later = slice(FIRST, FIRST + 7), slice(FIRST + 7, FIRST + 60)

    def errors(life, span):
        return life.errors[span].sum() / life.sessions[span].sum()

    assert errors(outage, week) > 10 * errors(calm, week)
    assert errors(outage, later) == pytest.approx(errors(calm, later), rel=0.2)
    waits = [np.mean(np.concatenate(life.waits[week])) for life in (outage, calm)]
    assert waits[0] > 1.5 * waits[1]
    assert outage.grievance[FIRST + 7, TECHNOLOGY] > 2 * calm.grievance[FIRST + 7, TECHNOLOGY]
    systems = {o.system for o in outage.market.outages if o.severity == 2}
    assert {"trading", "app"} <= systems
    assert outage.gone[FIRST:].sum() > calm.gone[FIRST:].sum()


def test_departing_adviser(lives):
    calm, departed = lives("calm-year"), lives("departing-adviser")
    assert not calm.served
    # Those who were clients then move on the day; who comes later, or comes back, as they come.
    assert min(departed.served) == FIRST
    late = sum(len(rows) for day, rows in departed.served.items() if day > FIRST)
    assert 0 < late < len(departed.served[FIRST]) / 3
    moved = departed.served[FIRST]["client"]
    star = calm.world.people.person["adviser"][moved]
    assert len(set(star.tolist())) == 1
    assert not (departed.world.state["adviser"] == star[0])[moved].any()
    book = np.bincount(
        calm.world.people.person["adviser"], weights=calm.world.people.person["assets"]
    )
    assert book.argmax() == star[0]

    def gone(life):
        return (life.world.state["left_day"][moved] >= life.market.start + FIRST) & (
            life.world.state["way"][moved] > 0
        )

    assert gone(departed).sum() > gone(calm).sum()
    assert _after(departed, ADVICE) > _after(calm, ADVICE)


def test_price_war(lives):
    calm, war = lives("calm-year"), lives("price-war")
    assert war.grievance[FIRST + 90, PRICE] > 2 * calm.grievance[FIRST + 90, PRICE]
    assert _after(war, PRICE) > _after(calm, PRICE)
    assert (war.market.days["rival"][FIRST : FIRST + 91] >= 1).all()


def test_regulator(lives):
    calm, act = lives("calm-year"), lives("regulator")
    assert act.grievance[FIRST + 35, TRUST] > 2 * calm.grievance[FIRST + 35, TRUST]
    assert _after(act, TRUST) > _after(calm, TRUST)

    def bad(life):
        days = range(life.market.start + FIRST, life.market.start + FIRST + 35)
        found = [n for n in life.market.news if n.subject == "own" and n.day in days]
        return sum(n.sentiment < 0 for n in found)

    assert bad(act) >= bad(calm) + 30


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("leaving", {"go_on": [1.0, 0.8, 0.9, 0.85]}),
        ("leaving", {"days": [0, 10, 10, 10]}),
        ("leaving", {"at_once": 0.6, "drift": 0.5}),
        ("leaving", {"closes": 0.8, "moves": 0.3}),
        ("leaving", {"view_signs": [[0, 0, 0, 0, 0, 0]] * 5}),
    ],
)
def test_what_cannot_be_lived_is_refused(section, values):
    with pytest.raises(UsageError) as error:
        Scenario().with_(**{section: values})
    assert error.value.code == "world.parameter-wrong"
