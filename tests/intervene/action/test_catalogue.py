"""The catalogue: what ships, versions by day, a workspace's own file, faults with their line."""

from __future__ import annotations

import json
from datetime import date
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from keepwell.cli import app
from keepwell.core.errors import UsageError
from keepwell.core.text import catalogue as chinese
from keepwell.intervene.action import catalogue as module
from keepwell.intervene.action.catalogue import SHIPPED, WHO_TITLES, Catalogue
from keepwell.intervene.action.gate import ANSWER_TITLES, STAGE_TITLES
from keepwell.intervene.action.page import render
from keepwell.intervene.contact.policy import Aim
from keepwell.testing.action_suite import ActionSuite
from keepwell.trust.consent.policy import Purpose
from keepwell.warn.reason_codes import ReasonCode
from tests.intervene.action.given import DAY, ENTRY

MINE = """
actions:
  - id: salon
    from: 2026-01-01
    aim: retention
    title: {en: Quarterly salon, zh: 季度沙龙}
    text: {en: Invite to the salon., zh: 邀请参加沙龙。}
    who: adviser
    minutes: 30
    cost: {amount: 5000, currency: CNY}
    channels: [phone]
    tiers: [mild, moderate]
    reasons: [trading.silent]
    suitability: {need: none}
    cool_down_days: 90
    effect: {reduction: 0.05, assumed: true, source: {en: Our estimate, zh: 本公司估计}}
"""


def entry_text(**changes):
    return yaml.safe_dump({"actions": [ENTRY | changes]}, allow_unicode=True)


class TestShipped(ActionSuite):
    pass


class TestMine(ActionSuite):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path):
        (tmp_path / "actions.yaml").write_text(MINE, "utf-8")
        type(self).path = tmp_path / "actions.yaml"


def test_every_tier_has_retention_and_every_reason_has_an_action():
    actions = Catalogue.shipped().on(DAY)
    assert 12 <= len(actions) <= 16
    for tier in ("mild", "moderate", "severe"):
        for reason in ReasonCode:
            fits = [
                a for a in actions
                if tier in a.tiers and (a.reasons is None or reason in a.reasons)
                if a.aim is Aim.RETENTION
            ]  # fmt: skip
            assert fits, (tier, reason)
    assert {a.id for a in actions if a.mandatory} == {"complaint-solve", "exit-help"}


def test_all_effects_that_ship_are_assumed_and_say_where_they_are_from():
    for action in Catalogue.shipped().versions:
        assert action.effect.assumed is True
        assert len(action.effect.source.en) > 20
        assert action.effect.reduction <= 0.25
        assert action.cost.amount == 0  # works in every currency


def test_actions_that_speak_for_a_product_need_consent_and_a_level():
    spoken = [a for a in Catalogue.shipped().versions if a.suitability.level]
    assert len(spoken) == 3
    assert all(Purpose.MARKETING in a.purposes for a in spoken)


def test_a_new_version_takes_over_on_its_first_day_and_the_old_one_stays():
    text = entry_text(id="service-call", version=2, **{"from": "2026-12-01"})
    catalogue = Catalogue.shipped().with_text(text)
    assert catalogue.on(date(2026, 11, 30)).get("service-call").version == 1
    assert catalogue.on(date(2026, 12, 1)).get("service-call").version == 2
    assert catalogue.version("service-call", 1).title.en == "Service call"
    assert len(catalogue.on(DAY)) == len(Catalogue.shipped().on(DAY))
    gone = catalogue.with_text(
        entry_text(id="service-call", version=3, **{"from": "2027-01-01", "to": "2027-01-01"})
    )
    assert "service-call" in gone.on(date(2026, 12, 31)).by_id
    with pytest.raises(UsageError) as caught:
        gone.on(date(2027, 1, 1)).get("service-call")
    assert caught.value.code == "action.id-unknown"
    with pytest.raises(UsageError):
        gone.version("service-call", 4)


def test_the_order_of_a_file_does_not_matter_to_the_digest_but_its_content_does():
    one = Catalogue.shipped().with_text(MINE).on(DAY)
    other = Catalogue.shipped().with_text(MINE.replace("minutes: 30", "minutes: 31")).on(DAY)
    again = Catalogue.shipped().with_text(MINE).on(DAY)
    assert one.digest == again.digest != other.digest
    assert list(one.by_id) == sorted(one.by_id)


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("    who: adviser\n", "", "data-file.key-missing", 2),
        ("who: adviser", "who: robot", "data-file.value-invalid", 7),
        ("minutes: 30", "minutes: 0", "data-file.value-invalid", 8),
        ("minutes: 30", 'minutes: "30"', "data-file.value-invalid", 8),
        ("amount: 5000", "amount: -1", "data-file.value-invalid", 9),
        ("amount: 5000", "amount: 50.5", "data-file.value-invalid", 9),
        ("currency: CNY", "currency: XYZ9", "data-file.value-invalid", 9),
        ("[phone]", "[phone, phone]", "data-file.value-invalid", 10),
        ("[phone]", "[pigeon]", "data-file.value-invalid", 10),
        ("[phone]", "[]", "data-file.value-invalid", 10),
        ("[mild, moderate]", "[hot]", "data-file.value-invalid", 11),
        ("[trading.silent]", "[trading.loud]", "data-file.value-invalid", 12),
        ("[trading.silent]", "some", "data-file.value-invalid", 12),
        ("{need: none}", "{need: product}", "data-file.value-invalid", 13),
        ("{need: none}", "{need: none, level: R2}", "data-file.value-invalid", 13),
        ("{need: none}", "{need: product, level: R2}", "data-file.value-invalid", 2),
        ("cool_down_days: 90", "cool_down_days: 999", "data-file.value-invalid", 14),
        ("cool_down_days: 90", "cooldown_days: 90", "data-file.key-unknown", 14),
        ("assumed: true", "assumed: false", "data-file.value-invalid", 15),
        ("reduction: 0.05", "reduction: 0.9", "data-file.value-invalid", 15),
        ("reduction: 0.05", "reduction: .nan", "data-file.value-invalid", 15),
        ("aim: retention", "aim: service\n    mandatory: yes", "data-file.value-invalid", 5),
        ("aim: retention", "aim: retention\n    mandatory: true", "data-file.value-invalid", 2),
        ("aim: retention", "aim: service\n    purposes: [marketing]", "data-file.value-invalid", 2),
        ("aim: retention", "aim: retention\n    price: 5", "data-file.key-unknown", 5),
        ("id: salon", "id: Salon Nr 1", "data-file.value-invalid", 2),
        ("id: salon", "id: service-call", "data-file.value-invalid", 2),
        ("id: salon", "id: salon\n    version: 2", "data-file.value-invalid", 3),
        ("from: 2026-01-01", "from: 1.1.2026", "data-file.value-invalid", 3),
        ("from: 2026-01-01", "from: 2026-01-02\n    to: 2026-01-01", "data-file.value-invalid", 2),
        ("id: salon", "id: salon\n    simulated_as: magic", "data-file.value-invalid", 3),
        ("zh: 季度沙龙", "fr: Salon", "data-file.key-unknown", 5),
        ("zh: 季度沙龙", 'zh: ""', "data-file.value-invalid", 5),
        ("actions:", "actoins:", "data-file.key-missing", 1),
        ("actions:", "more: 1\nactions:", "data-file.key-unknown", 1),
        ("actions:", "actions: [", "mapping.yaml-invalid", 2),
        ("aim: retention", "aim: retention\n    aim: service", "mapping.key-twice", 5),
    ],
)
def test_a_fault_is_named_with_file_line_and_what_was_expected(old, new, code, line):
    text = MINE.strip("\n")
    assert old in text
    with pytest.raises(UsageError) as caught:
        Catalogue.shipped().with_text(text.replace(old, new, 1), "mine.yaml")
    error = caught.value
    assert (error.code, error.fields["file"], error.fields["line"]) == (code, "mine.yaml", line)
    assert "mine.yaml" in error.words("en")
    assert error.words("en") != error.words("zh")


@pytest.mark.parametrize("text", ["", "[]", "actions: []", "actions: 5", "7"])
def test_a_file_without_a_list_of_actions_is_refused(text):
    with pytest.raises(UsageError):
        Catalogue.shipped().with_text(text)


def test_a_workspace_adds_its_own_file_and_packages_theirs(tmp_path, monkeypatch):
    assert len(Catalogue.of_workspace(tmp_path).versions) == len(Catalogue.shipped().versions)
    (tmp_path / "actions.yaml").write_text("\ufeff" + MINE, "utf-8")
    assert Catalogue.of_workspace(tmp_path).on(DAY).get("salon").minutes == 30
    other = tmp_path / "package.yaml"
    other.write_text(MINE.replace("salon", "webinar"), "utf-8")
    monkeypatch.setattr(EntryPoint, "load", lambda _: lambda: other)
    point = EntryPoint("mine", "my_package:actions_file", "keepwell.actions")
    monkeypatch.setattr(module, "entry_points", lambda group: [point])
    assert {"salon", "webinar"} <= set(Catalogue.of_workspace(tmp_path).on(DAY).by_id)


def test_a_file_that_is_missing_or_not_utf_8_is_named(tmp_path):
    for path, code in (
        (tmp_path / "none.yaml", "action.file-missing"),
        (tmp_path / "gbk.yaml", "mapping.yaml-invalid"),
    ):
        (tmp_path / "gbk.yaml").write_bytes(MINE.encode("gbk"))
        with pytest.raises(UsageError) as caught:
            Catalogue.shipped().with_file(path)
        assert caught.value.code == code


def test_the_page_shows_every_action_in_both_languages_and_says_what_is_assumed():
    page = render()
    for action in Catalogue.shipped().versions:
        section = page.split(f"\n## {action.id}\n")[1].split("\n## ")[0]
        for words in (action.title.en, action.text.zh, action.effect.source.en, "assumed"):
            assert words in section, (action.id, words)


def test_words_of_roles_answers_and_stages_have_their_chinese():
    words = [*WHO_TITLES.values(), *ANSWER_TITLES.values(), *STAGE_TITLES.values()]
    assert [w for w in words if w not in chinese()] == []


def run(*arguments):
    return CliRunner().invoke(app, [*arguments], env={"COLUMNS": "220"})


def test_the_command_lists_what_is_in_force(tmp_path):
    (tmp_path / "actions.yaml").write_text(MINE, "utf-8")
    found = json.loads(run("actions", "-w", str(tmp_path), "--json", "--on", "2026-11-02").stdout)
    assert {"salon", "service-call"} <= {item["id"] for item in found}
    assert len(found[0]["digest"]) == 64
    shown = run("--lang", "zh", "actions", "-w", str(tmp_path), "--on", "2026-11-02")
    assert shown.exit_code == 0
    for words in ("salon@1", "季度沙龙", "投资顾问", "5%（假设）", "共17项"):
        assert words in shown.stdout


@pytest.fixture(autouse=True)
def _language(monkeypatch):
    from keepwell.core import text

    monkeypatch.setattr(text, "_chosen", ["en"])


def test_the_command_checks_a_file(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(MINE, "utf-8")
    bad.write_text(MINE.replace("邀请参加沙龙", "邀请并赠送礼品"), "utf-8")
    assert "1 actions" in run("actions", "--check", str(good)).stdout
    assert json.loads(run("actions", "--check", str(good), "--json").stdout)["actions"] == 1
    failed = run("actions", "--check", str(bad))
    assert isinstance(failed.exception, UsageError)
    assert failed.exception.code == "action.wording-forbidden"


def test_what_ships_is_in_the_package():
    assert SHIPPED.is_file()
    assert Path(module.__file__).parent == SHIPPED.parent
