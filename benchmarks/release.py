"""The release column of the test matrix: long loads, hundreds of kills, thousands of attacks.

Runs the same tests as `make test` with larger numbers, by hand, and writes what came out to
docs/evidence/ with date and commit.

    python benchmarks/release.py            # all of it: hours
    python benchmarks/release.py crash      # one part
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "docs" / "evidence"


@dataclass(frozen=True)
class Part:
    """One part of the release column.

    Attributes:
        name: what it is called.
        what: what it shows.
        tests: folders or files given to pytest.
        environment: numbers larger than those of `make test`.
    """

    name: str
    what: str
    tests: tuple[str, ...]
    environment: dict[str, str]


PARTS = (
    Part(
        "crash", "500 kills of the worker and of the spool, both databases",
        ("tests/crash",), {"KEEPWELL_KILLS": "500"},
    ),
    Part(
        "attacks", "10,000 attacks on the evidence log", ("tests/trust/evidence",),
        {"KEEPWELL_ATTACKS": "10000"},
    ),
    Part(
        "bad input", "2,000 broken inputs, a line of a gigabyte, 2,000 spoilt mappings",
        ("tests/bad_input",), {"KEEPWELL_BROKEN": "2000"},
    ),
    Part(
        "contract", "2,000 generated requests per operation", ("tests/contract",),
        {"KEEPWELL_EXAMPLES": "2000"},
    ),
    Part(
        "worlds", "60 random worlds against the oracle, and their properties",
        ("tests/oracle", "tests/properties"), {"KEEPWELL_ORACLE_WORLDS": "60"},
    ),
    Part(
        "experiments", "1,000 experiments without an effect, 500 redrawn in the simulated world",
        ("tests/learn/experiment", "tests/learn/value"), {"KEEPWELL_SIMULATIONS": "1000"},
    ),
    Part(
        "wordings", "10,000 actions with a forbidden wording in disguise",
        ("tests/intervene/action",), {"KEEPWELL_WORDINGS": "10000"},
    ),
    Part(
        "loop", "eight weeks of the whole loop in the simulated broker, beside a rival",
        ("tests/release",), {"KEEPWELL_LOOP": "600"},
    ),
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts asked for and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[[], *(p.name for p in PARTS)])
    wanted = parser.parse_args(argv).parts or [p.name for p in PARTS]
    lines, failed = [], False
    for part in PARTS:
        if part.name in wanted:
            line, good = run(part)
            failed |= not good
            lines.append(line)
            print(line, flush=True)
    write(lines)
    return int(failed)


def run(part: Part) -> tuple[str, bool]:
    """Run one part; its row for the page, and whether all passed."""
    began = time.monotonic()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-n",
            "logical",
            *part.tests,
        ],
        cwd=ROOT,
        env=os.environ | part.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    minutes = (time.monotonic() - began) / 60
    summary = (re.findall(r"\d+ (?:passed|failed).* in ", done.stdout) or ["no result"])[-1]
    if done.returncode:
        print(done.stdout[-4000:])
    numbers = ", ".join(f"{name}={value}" for name, value in part.environment.items())
    result = summary.removesuffix(" in ")
    return f"| {part.name} | {part.what} | {numbers} | {result} | {minutes:.0f} min |", (
        done.returncode == 0
    )


def write(lines: list[str]) -> None:
    """Keep what came out, with date, commit and machine."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    today = datetime.now(UTC).date().isoformat()
    text = [
        f"# Release column, {today}, commit {commit}", "",
        f"`make release` on {os.cpu_count()} cores, Python {platform.python_version()}.", "",
        "| part | what | numbers | result | time |", "|---|---|---|---|---|", *lines,
    ]  # fmt: skip
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    name = f"release-{today}-{commit}.md"
    (EVIDENCE / name).write_text("\n".join(text) + "\n", "utf-8")
    index = EVIDENCE / "README.md"
    known = index.read_text("utf-8")
    if name not in known:
        index.write_text(f"{known}- [{today}, commit {commit}]({name})\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
