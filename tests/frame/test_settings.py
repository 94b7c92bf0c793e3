"""desk.yaml and the environment: what is given counts, a typo is named with its line."""

from __future__ import annotations

import pytest

from keepwell.core.errors import UsageError
from keepwell.frame.settings import Settings


def load(tmp_path, text):
    (tmp_path / "desk.yaml").write_text(text, "utf-8")
    return Settings.load(tmp_path)


def test_no_file_is_the_defaults(tmp_path):
    settings = Settings.load(tmp_path)
    assert settings.holdout.share == 0.05
    assert settings.clock.policy == "first-touch"


def test_the_file_counts_and_the_environment_wins(tmp_path, monkeypatch):
    text = "port: 9000\nholdout:\n  share: 0.1\nalert:\n  per_manager_per_day: 3\n"
    settings = load(tmp_path, text)
    assert (settings.port, settings.holdout.share) == (9000, 0.1)
    monkeypatch.setenv("KEEPWELL_HOLDOUT__SHARE", "0.2")
    monkeypatch.setenv("KEEPWELL_PORT", "9100")
    settings = load(tmp_path, text)
    assert (settings.port, settings.holdout.share) == (9100, 0.2)
    assert settings.alert.per_manager_per_day == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot: 1\n", "line 1: unknown setting 'prot'; nearest: port"),
        ("port: 1\nholdout:\n  shar: 0.1\n", "line 3: unknown setting 'shar'; nearest: share"),
        ("holdout:\n  share: 0.9\n", "line 2: holdout.share: 0.9 is not acceptable"),
        ("port: many\n", "line 1: port: 'many' is not acceptable"),
        ("- a\n", "desk.yaml, line 1"),
        ("calendar:\n  office: [['13:00', '12:00']]\n", "line 1: calendar"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, text, words):
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    assert words in str(caught.value)


def test_the_secret_is_never_printed(tmp_path, monkeypatch):
    monkeypatch.setenv("KEEPWELL_SECRET", "canary-of-a-secret")
    assert "canary" not in repr(Settings.load(tmp_path))
