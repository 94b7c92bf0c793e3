"""How well leaving is foreseen on real investors: `full exit by units within half a year`.

    python benchmarks/accuracy.py --data DIR --train-to 2021-01-01 --test-at 2021-07-01

DIR is any folder of the FAR-Trans shape, with whatever dates it holds. A temporary workspace is
made with the mapping of examples/fartrans; only paths and covered spans follow the folder:

- trades: each `full_*` source covers the half-years its time stamps touch, each `sequence_*` one
  the months they touch; nothing else is taken for complete;
- first purchases, holdings and prices: from their first day to their last.

A snapshot dated the 1st of a month is the position at that day's opening, any other one that
day's own close, and so `--test-at 2021-12-31` means the close of that day if such a snapshot
exists. Training takes every snapshot date up to --train-to whose label was known at the test.
All holders are tested, those too new for a score as well. customers.parquet is never read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from keepwell.core.days import day_number as number_of
from keepwell.core.days import local_day, midnight, to_date
from keepwell.observe.engines.local import LocalEngine
from keepwell.observe.ingest import ingest
from keepwell.observe.workspace import Workspace
from keepwell.warn.backtest import BASELINES, CHAMPION, Backtest, backtest
from keepwell.warn.label import LabelDefinition
from keepwell.warn.metrics import METRICS, Estimate, wilson
from keepwell.warn.models.base import sigmoid
from keepwell.warn.models.lightgbm import installed
from keepwell.warn.tier import Tier, tiers_of

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "fartrans" / "keepwell.yaml"
PAGE = ROOT / "docs" / "reference" / "accuracy.md"
SHOWN = ("auc", "ap", "lift_top10", "brier", "ece", "ece_refit")
DEFINITION = LabelDefinition(name="exit", by="units", horizon="6mo", gap="0d")


def main(argv: list[str] | None = None) -> int:
    """Run; exit code 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder of the FAR-Trans shape")
    parser.add_argument("--train-to", type=date.fromisoformat, default=date(2021, 1, 1))
    parser.add_argument("--test-at", type=date.fromisoformat, default=date(2021, 7, 1))
    parser.add_argument("--out", type=Path, help="predictions, Parquet")
    parser.add_argument("--replicates", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--speed", action="store_true", help="also time the boosting models")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    parser.add_argument("--markdown", action="store_true", help=f"write {PAGE.name} in docs/")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="keepwell-accuracy-") as folder:
        workspace = make_workspace(args.data, Path(folder))
        note("ingest")
        ingest(workspace)
        engine = LocalEngine.open(workspace)
        snapshots = snapshot_instants(args.data, workspace)
        test_at = snapshots.get(args.test_at, midnight(number_of(args.test_at), workspace.zone))
        dates = [at for day, at in snapshots.items() if day <= args.train_to and at < test_at]
        rivals = [*BASELINES, *(["lightgbm"] if installed() else [])]
        result = backtest(
            engine, DEFINITION, dates, test_at, rivals=rivals,
            newcomers=True, replicates=args.replicates, progress=note,
        )  # fmt: skip
        zone = workspace.zone
        lines = report(result, zone)
        if args.speed:
            lines += ["", *speed(result)]
    print("\n".join(lines))
    if args.json:
        print(json.dumps(figures(result, zone), indent=1))
    if args.out:
        pq.write_table(predictions(result, zone), args.out)
        note(f"predictions: {args.out}")
    if args.markdown:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(lines, args), encoding="utf-8")
        note(f"page: {PAGE.relative_to(ROOT)}")
    return 0


_BEGAN = time.perf_counter()


def note(text: str) -> None:
    """A line of progress, beside the result."""
    print(f"[{time.perf_counter() - _BEGAN:6.1f} s] {text}", file=sys.stderr, flush=True)


def make_workspace(data: Path, folder: Path) -> Workspace:
    """A workspace over a data folder, with the example's mapping."""
    mapping = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    # A client's row in the change log leaks the future: the benchmark never reads it.
    del mapping["sources"]["customers"], mapping["tables"]["client"]
    for name, source in list(mapping["sources"].items()):
        found = [data / Path(source["path"]).name, data.parent / Path(source["path"]).name]
        there = next((path.resolve() for path in found if path.is_file()), None)
        if there is not None:
            source["path"] = str(there)
        elif name == "vix":
            # The market's series is optional: without it its indicators are absent.
            del mapping["sources"][name], mapping["tables"]["index_price"]
            mapping.pop("market", None)
        else:
            raise SystemExit(f"{found[0]} is missing")
    tables, first_buys = mapping["tables"], data / "first_buy_intervals.parquet"
    tables["trade"]["covers"] = trade_spans(data)
    tables["first_purchase"]["covers"] = [
        [span(first_buys, "after_or_on")[0], span(first_buys, "before")[1]]
    ]
    tables["holding"]["covers"] = [snapshot_span(data)]
    tables["price"]["covers"] = [span(data / "close_prices.parquet", "timestamp")]
    mapping.pop("dates", None)
    text = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True)
    (folder / "keepwell.yaml").write_text(text, encoding="utf-8")
    return Workspace.open(folder)


def query(sql: str, file: Path) -> list[tuple[Any, ...]]:
    """Rows of a query over one Parquet file, named `data` in it."""
    with duckdb.connect() as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            f"with data as (from read_parquet($file)) {sql}", {"file": str(file)}
        ).fetchall()
    return rows


def span(file: Path, column: str) -> list[str]:
    """[first day, day after the last) of a file."""
    ((first, last),) = query(
        f'select cast(min("{column}") as date), cast(max("{column}") as date) + 1 from data', file
    )
    return [str(first)[:10], str(last)[:10]]


def trade_spans(data: Path) -> list[list[str]]:
    """Days for which the trades are complete, by the names of their sources."""
    found = query(
        "select source, min(timestamp), max(timestamp) from data group by source order by 2",
        data / "transactions.parquet",
    )
    spans: list[list[date]] = []
    for source, first, last in found:
        months = 6 if str(source).startswith("full") else 1
        begin, end = _floor(first, months), _after(last, months)
        if spans and begin <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([begin, end])
    return [[a.isoformat(), b.isoformat()] for a, b in spans]


def _floor(at: datetime, months: int) -> date:
    return date(at.year, (at.month - 1) // months * months + 1, 1)


def _after(at: datetime, months: int) -> date:
    first = _floor(at, months)
    month = first.month - 1 + months
    return date(first.year + month // 12, month % 12 + 1, 1)


def snapshot_days(data: Path) -> dict[date, date]:
    """Each snapshot's date, and the day of whose close it is."""
    found = query(
        'select distinct cast("asof" as date) from data order by 1', data / "holdings.parquet"
    )
    return {day: day - timedelta(days=1) if day.day == 1 else day for (day,) in found}


def snapshot_span(data: Path) -> list[str]:
    """[first close, day after the last) of the snapshots."""
    closes = sorted(snapshot_days(data).values())
    return [closes[0].isoformat(), (closes[-1] + timedelta(days=1)).isoformat()]


def snapshot_instants(data: Path, workspace: Workspace) -> dict[date, datetime]:
    """Each snapshot's date, and the instant right after that close."""
    return {
        day: midnight(number_of(close) + 1, workspace.zone)
        for day, close in snapshot_days(data).items()
    }


def report(result: Backtest, zone: Any) -> list[str]:
    """The figures as lines of Markdown."""
    found = result.evaluation
    trained = ", ".join(_day(d, zone) for d in result.trained.dates)
    names = list(found.metrics)
    used, share = result.trained, found.left / found.rows
    lines = [
        f"Test at {_day(result.as_of, zone)}; label known {_day(result.ends_at, zone)}.",
        f"Trained on {trained}: {used.rows:,} rows, {used.left:,} left, {len(used.names)} inputs.",
        f"{found.rows:,} holders tested, {found.left:,} left ({share:.1%}).",
        f"95 % intervals: {found.replicates:,} bootstrap replicates by client.",
        "",
        "| Metric | " + " | ".join(names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for code in SHOWN:
        cells = [_cell(found.metrics[name][code]) for name in names]
        lines.append(f"| {METRICS[code]} | " + " | ".join(cells) + " |")
    lines += ["", f"| {found.champion} minus | AUC | Average precision | Lift in the top tenth |"]
    lines.append("|---|---|---|---|")
    for name, of in found.differences.items():
        cells = [_cell(of[code], "+.3f") for code in ("auc", "ap", "lift_top10")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "| Tier | Clients | Share | Left | Rate of leaving | Expected |"]
    lines.append("|---|---|---|---|---|---|")
    for tier in result.tiers:
        low, high = wilson(tier.clients, found.rows)
        lines.append(
            f"| {tier.tier.code} | {tier.clients:,} | {tier.share:.1%} ({low:.1%} – {high:.1%}) | "
            f"{tier.left:,} | {tier.rate:.1%} ({tier.low:.1%} – {tier.high:.1%}) | "
            f"{tier.expected:.1%} |"
        )
    return lines


def _day(instant: datetime, zone: Any) -> str:
    return to_date(local_day(instant, zone)).isoformat()


def _cell(e: Estimate, form: str = ".3f") -> str:
    return f"{e.value:{form}} ({e.low:{form}} – {e.high:{form}})"


def speed(result: Backtest) -> list[str]:
    """Seconds to answer and to explain, model by model, on the test rows repeated to 100,000."""
    from keepwell.warn.models import create

    lines = ["| Model | Fit (s) | Answer 100,000 rows (s) | Explain 100,000 rows (s) |"]
    lines.append("|---|---|---|---|")
    test, names = result.test, result.trained.names
    X = test.columns(names).X
    big = np.resize(X, (100_000, X.shape[1]))
    for name in (CHAMPION, *(["lightgbm"] if installed() else [])):
        began = time.perf_counter()
        model = create(name).fit(X, test.y, names)
        fitted = time.perf_counter()
        model.log_odds(big, names)
        answered = time.perf_counter()
        model.contributions(big, names)
        explained = time.perf_counter()
        lines.append(
            f"| {name} | {fitted - began:.1f} | {answered - fitted:.2f} | "
            f"{explained - answered:.1f} |"
        )
    return lines


def figures(result: Backtest, zone: Any) -> dict[str, Any]:
    """All figures, JSON-safe."""
    found = result.evaluation
    return {
        "test_at": _day(result.as_of, zone),
        "trained_on": [_day(d, zone) for d in result.trained.dates],
        "rows": found.rows,
        "left": found.left,
        "inputs": list(result.trained.names),
        "metrics": {m: {k: asdict(e) for k, e in of.items()} for m, of in found.metrics.items()},
        "differences": {
            m: {k: asdict(e) for k, e in of.items()} for m, of in found.differences.items()
        },
        "tiers": [{**asdict(tier), "tier": tier.tier.code} for tier in result.tiers],
    }


def predictions(result: Backtest, zone: Any) -> pa.Table:
    """One row per tested client: y, each model's probability, score and tier."""
    n = len(result.test)
    codes = [tier.code for tier in sorted(Tier)]
    columns: dict[str, Any] = {
        "client_id": pa.array(result.test.clients.tolist(), pa.string()),
        "as_of": pa.array([_day(result.as_of, zone)] * n, pa.string()),
        "y": pa.array(result.test.y.astype(np.int8)),
        "at_risk": pa.array(result.test.at_risk),
    }
    for name, z in result.log_odds.items():
        columns[f"p_{name}"] = pa.array(sigmoid(z))
    columns["score"] = pa.array(result.scores)
    columns["tier"] = pa.array([codes[i] for i in tiers_of(result.scores)], pa.string())
    return pa.table(columns)


def page(lines: list[str], args: argparse.Namespace) -> str:
    """The reference page."""
    command = (
        f"python benchmarks/accuracy.py --data DIR --train-to {args.train_to} "
        f"--test-at {args.test_at}"
    )
    return "\n".join(
        [
            "# Accuracy on real investors",
            "",
            "Full exit by units within half a year, on FAR-Trans. Made by:",
            "",
            "```",
            command,
            "```",
            "",
            *lines,
            "",
            (
                "All holders are tested here, newcomers too, as the published benchmark does; the "
                "report of `keepwell run` tests only those who would have had a score."
            ),
            "",
            (
                "2021-07-01 is not an untouched test: inputs, directions, weights and sizes were "
                "chosen by people who had seen results on it, besides forward validation on "
                "earlier dates (2020 on the first half of 2021). The intervals do not include "
                "that choice. Only a period nobody has looked at tests the method."
            ),
            "",
            (
                "What limits it: exits of 2020 did not depend on the size of positions, those of "
                "2021 do, so training dates differ from the test; the trades of the half-year "
                "before the test are missing, 8 to 11 % of the others too, not at random; there "
                "are no sessions, cash flows or contacts. We do not expect the goals for a later "
                "period, AUC 0.80 and lift 2.8, to be reached with these inputs: explored by "
                "hand, even cross-validation by client within the test date itself, which no "
                "model could do in time, stayed below both. No command here repeats that."
            ),
            "",
            (
                "The calibration error with the intercept refitted uses the test's own share of "
                "leavers: it tells how much of the error is a moved base rate, and is reported "
                "only. Intervals of calibration errors are of the estimate, which is biased "
                "upwards in small samples."
            ),
            "",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
