"""Mapping files spoilt by chance and by hand: one coded error with file and line, no hang."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwell.core.errors import UsageError
from keepwell.observe.mapping import Mapping
from tests.bad_input.broken import MAPPING, TYPED

INPUTS = int(os.environ.get("KEEPWELL_BROKEN", "200"))
SMALL = MAPPING.format(path="t.csv", said=TYPED)
EXAMPLE = (Path(__file__).parents[2] / "examples/fartrans/keepwell.yaml").read_text("utf-8")
ODD = (
    "[", "{", "]", "}", ":", "- ", "&a ", "*a", "!!int ", "!!python/name:os ", "? ", "| ", "> ",
    "'", '"', "\\", "\t", "\0", "\ufeff", "\u2028", "\x85", "%YAML 9.9\n", "---\n", "...\n", "#",
    "<<: ", "~", "null", "true", "-1", "1e999", ".nan", ".inf", "9" * 400, "0x", "1_000",
    "2024-02-30", "[[[[", "{a: {a: {a: ", '"\\uD800"', '"\\UFFFFFFFF"', "𠮷", "\u202e",
    "version: 2\n", "  s: 5\n",
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A real mapping after a few accidents."""
    text = draw(st.sampled_from([SMALL, SMALL, EXAMPLE]))
    for _ in range(draw(st.integers(1, 4))):
        lines = text.splitlines(keepends=True) or [""]
        number = draw(st.integers(0, len(lines) - 1))
        place = draw(st.integers(0, len(lines[number])))
        kind = draw(
            st.sampled_from(["insert", "insert", "value", "drop", "twice", "indent", "cut"])
        )
        odd = draw(st.one_of(st.sampled_from(ODD), st.text(max_size=8)))
        if kind == "insert":
            lines[number] = lines[number][:place] + odd + lines[number][place:]
        elif kind == "value":
            key, colon, _ = lines[number].partition(": ")
            lines[number] = f"{key}{colon}{odd}\n"
        elif kind == "drop":
            del lines[number]
        elif kind == "twice":
            lines.insert(draw(st.integers(0, len(lines))), lines[number])
        elif kind == "indent":
            lines[number] = " " * draw(st.integers(1, 9)) + lines[number].lstrip()
        else:
            lines[number:] = [lines[number][:place]]
        text = "".join(lines)
    return text


def refusal(path: Path, data: bytes) -> UsageError | None:
    """What loading says; it may say nothing but what a person can act on."""
    path.write_bytes(data)
    try:
        Mapping.load(path)
    except UsageError as error:
        return error
    return None


def assert_helps(error: UsageError, data: bytes) -> None:
    assert error.code.startswith("mapping.")
    assert error.fields["file"] == "keepwell.yaml"
    assert 1 <= error.fields["line"] <= data.count(b"\n") + data.count(b"\r") + 200
    for locale in ("en", "zh"):
        told = error.words(locale)
        told.encode()
        assert f"{error.fields['line']}" in told
        assert len(told) < 20_000


@settings(max_examples=INPUTS)
@given(text=spoilt())
def test_a_spoilt_mapping_is_read_or_refused_with_its_line(tmp_path_factory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "keepwell.yaml"
    data = text.encode("utf-8", "surrogatepass")
    error = refusal(path, data)
    if error:
        assert_helps(error, data)


@settings(max_examples=INPUTS // 4)
@given(data=st.binary(max_size=300))
def test_noise_is_no_mapping(tmp_path_factory, data: bytes) -> None:
    error = refusal(tmp_path_factory.getbasetemp() / "keepwell.yaml", data)
    assert error is not None
    assert_helps(error, data)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefg", "bcdefgh", strict=True)
)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SMALL, "[" * 20_000), (SMALL, "{a: " * 5_000), (SMALL, "&a [*a]"), (SMALL, BOMB),
        (SMALL, "x: " + "y" * (2 << 20)), (SMALL, ""), (SMALL, "null"), (SMALL, "\0"),
        ("name: broken", "name: &a [*a]"), ("name: broken", "name: !!int abc"),
        ("name: broken", "name: !!float abc"), ("name: broken", "name: !!timestamp abc"),
        ("name: broken", "name: !!bool abc"), ("name: broken", 'name: !!int ""'),
        ("name: broken", "name: !!python/object/apply:os.system [id]"),
        ("name: broken", "name: x\x01"), ("name: broken", 'name: "\\UFFFFFFFF"'),
        ("name: broken", 'name: "\\uD800"'), ("version: 1", "version: " + "1" * 5_000),
        ("  s:", '  "../../s":'), ("  s:", '  "":'), ("  s:", '  "s\\"t":'), ("  s:", '  "*":'),
        ("  s:", f"  {'s' * 300}:"), ("  s:", '  "a\\0b":'), ("  s:", "  S: {path: s.csv}\n  s:"),
        ("path: t.csv", "path: t.csv\n    delimiter: ，"),
        ("path: t.csv", "path: t.csv\n    delimiter: a"),
        ("path: t.csv", 'path: t.csv\n    delimiter: "\\""'),
        ("path: t.csv", 'path: t.csv\n    delimiter: "\\n"'),
        *(("path: t.csv", f"path: t.csv\n    encoding: {name}") for name in (
            "zip", "hex", "base64", "rot13", "undefined", "idna", "unicode_escape", '"\\0"',
        )),
        ("at: {type: instant,", 'at: {type: instant, format: "%Q",'),
        ("at: {type: instant,", 'at: {type: instant, format: "%",'),
        ('[["1950-01-01", null]]', "[[20230101, null]]"),
        ('[["1950-01-01", null]]', "[[.inf, null]]"),
        ("timezone: Asia/Shanghai\nc", "timezone: ../../etc/passwd\nc"),
        ("currency: CNY", "currency: ＣＮＹ"),
    ],
)  # fmt: skip
def test_a_mapping_spoilt_by_hand(tmp_path: Path, old: str, new: str) -> None:
    assert old in SMALL
    data = SMALL.replace(old, new, 1).encode()
    error = refusal(tmp_path / "keepwell.yaml", data)
    assert error is not None
    assert_helps(error, data)


def test_a_mapping_that_is_a_folder_or_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "keepwell.yaml").mkdir()
    with pytest.raises(UsageError) as caught:
        Mapping.load(tmp_path / "keepwell.yaml")
    assert caught.value.code == "mapping.yaml-invalid"
    other = tmp_path / "other"
    other.mkdir()
    assert_helps(refusal(other / "keepwell.yaml", SMALL.encode("utf-16")), SMALL.encode("utf-16"))
