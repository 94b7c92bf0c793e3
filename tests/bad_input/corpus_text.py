"""Broken CSV files: some made by hand, any number drawn from a seed."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Iterator

from tests.bad_input.broken import HEADER, NAMES, TYPED, Broken, good

SEED = 20260712
NUMBER = ("cell.not-decimal", "cell.not-double")
UNTYPED = "nulls: ['']"
GB18030 = f"encoding: gb18030\n    {TYPED}"
BAD_CELLS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "amount": [
        *((text, NUMBER) for text in (
            "1,050.00", "１２３", "NaN", "inf", "-Infinity", "1_000", "0x1F", "--5", "1.2.3", "¥5",
            "5%", "(5)", "\u200b5", "5\u202e", "1 000", "١٢", "五", "1e", "=1+1", "1;2", "5\x00",
        )),
        ("1e18", ("cell.too-large",)),
        ("1e400", (*NUMBER, "cell.too-large")),
        ("1e5000", NUMBER),
        ("9" * 40, (*NUMBER, "cell.too-large")),
        ("9223372036854775808", ("cell.too-large",)),
        ("1" * 5000, NUMBER),
    ],
    "quantity": [("-5", ("cell.below-zero",)), ("1e30", (*NUMBER, "cell.too-large"))],
    "at": [
        *((text, ("cell.not-instant",)) for text in (
            "2024-02-30 10:00:00", "0000-00-00", "24/01/02", "2024-01-02 25:00:00", "20240102",
            "昨天", "1704160800", "2024-01-02 10:00:00 CST", "\u200e2024-01-02 10:00:00",
        )),
        *((text, ("cell.out-of-range", "cell.not-instant")) for text in (
            "0001-01-01 00:00:00", "0001-01-01 00:00:00+08:00", "9999-12-31 23:59:59",
            "9999-12-31 23:59:59-08:00", "0000-01-01 00:00:00", "1899-12-31 00:00:00",
        )),
        ("2031-03-02 10:00:00", ("row.in-future",)),
        ("2024-06-01 12:05:01", ("row.in-future",)),
        ("", ("cell.missing",)),
    ],
    "side": [("purchased", ("cell.not-in-list",)), ("", ("cell.missing",))],
    "client_id": [
        ("", ("cell.missing",)),
        ("\u3000", ("cell.missing",)),
        ("=1+1", ("cell.formula",)),
        ("@SUM(A1)", ("cell.formula",)),
        ("C\x00", ("cell.control-character",)),
        ("C\x07", ("cell.control-character",)),
        *((text, ("cell.invisible-character",)) for text in (
            "C\u200b1", "\u202eC1", "C1\u2066", "\ufeffC1", "C\u00ad1", "C\U000e0041",
        )),
        ("客" * 201, ("cell.too-long",)),
    ],
}  # fmt: skip
"""Column -> cells that cannot be, with the reasons of which one must be given."""
ODD_AMOUNTS = {
    "1e3": 100_000, "-0": 0, "+5": 500, ".5": 50, "5.": 500, " 7 ": 700, "0.10e1": 100,
    "99999999999.99": 9_999_999_999_999, "0000012.30": 1230, "1E+2": 10_000,
}  # fmt: skip
"""Amounts oddly written and right, in fen."""
HANZI = ("𠮷", "𰻞", "㐀", "龘", "客户", "𬺰", "𫝀", "〇", "ü", "한")
TIMES = ("2024-01-02 10:00:00", "2024-01-02T10:00:00", "2024-1-2 10:00", "2024-02-29 23:59:59.999")


def drawn(number: int) -> Broken:
    """The generated file of a number: the same one each time."""
    rng = random.Random(f"{SEED}-{number}")
    said, encoding, hard = rng.choice(
        [
            (TYPED, "utf-8", 1), (TYPED, "utf-8-sig", 1), (TYPED, "utf-16", 1),
            (GB18030, "gb18030", 1), (UNTYPED, "utf-8", 0), (UNTYPED, "utf-16", 0),
            (UNTYPED, "utf-8-sig", 0),
        ]
    )  # fmt: skip
    kept: dict[str, int] = {}
    aside: list[tuple[str, tuple[str, ...]]] = []
    lines: list[list[str]] = [list(NAMES)]
    repeats = 0
    for place in range(rng.randint(3, 9)):
        key = f"d{number}-{place}"
        row, fen = _row(rng, key, hard)
        fate = rng.choice(["good", "odd", "cell", "cell", "cell", "ragged", "twice", "clash"])
        if fate == "cell":
            column = rng.choice(list(BAD_CELLS))
            cell, reasons = rng.choice(BAD_CELLS[column])
            row[NAMES.index(column)] = cell
            aside.append((key, reasons))
        elif fate == "ragged":
            row = row[: rng.randint(1, 6)] if rng.random() < 0.5 else [*row, "extra", ""]
            aside.append((key, ("row.ragged",)))
        else:
            kept[key] = fen
        if fate == "odd":
            text, kept[key] = rng.choice(list(ODD_AMOUNTS.items()))
            row[-1] = text
        lines.append(row)
        if fate == "twice":
            lines.insert(rng.randint(1, len(lines)), list(row))
            repeats += 1
        elif fate == "clash":
            del kept[key]
            lines.append([*lines[-1][:-1], "0.00"])
            aside += [(key, ("row.conflict",))] * 2
        if rng.random() < 0.1:
            lines.append([])
    return Broken(
        f"drawn {number}", "drawn.csv", _encoded(rng, lines, encoding),
        kept=kept, aside=aside, repeats=repeats, said=said,
    )  # fmt: skip


def _row(rng: random.Random, key: str, typed: int) -> tuple[list[str], int]:
    fen = rng.randint(1, 10**12)
    # Text that no mapping types is read by the contract's own, stricter forms.
    when = rng.choice(TIMES) if typed else rng.choice([TIMES[0], TIMES[1], TIMES[3]])
    client = f"C{rng.randint(1, 9)}{rng.choice(HANZI)}"
    amount = f"{fen // 100}.{fen % 100:02d}"
    return [key, client, when, "600000", rng.choice(["buy", "SELL"]), "100", amount], fen


def _encoded(rng: random.Random, lines: list[list[str]], encoding: str) -> bytes:
    out = io.StringIO()
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    end = rng.choice(["\n", "\r\n"])
    writer = csv.writer(out, quoting=quoting, lineterminator=end)
    writer.writerows(lines)
    text = out.getvalue()
    return (text if rng.random() < 0.7 else text.removesuffix(end)).encode(encoding)


def made() -> Iterator[Broken]:
    """The files made by hand."""
    yield from _taken()
    yield from _refused()


def _taken() -> Iterator[Broken]:
    def csv_file(name: str, text: str | bytes, keys: str, **more: object) -> Broken:
        data = text if isinstance(text, bytes) else text.encode()
        return Broken(name, "t.csv", data, kept=dict.fromkeys(keys.split(), 1050), **more)  # type: ignore[arg-type]

    rows = good("a1", "a2")
    again = f"\ufeff{HEADER}\n"
    yield csv_file("mark of order twice", f"\ufeff\ufeff{HEADER}\n{good('h1')}", "h1")
    yield csv_file("a line of blanks", f"{HEADER}\n\n   \n{rows}\n,,,,,,\n", "a1 a2")
    yield csv_file("old line ends", f"{HEADER}\n{good('h2')}".replace("\n", "\r"), "h2")
    yield csv_file("line ends mixed", f"{HEADER}\r\n{good('h3')}{good('h4')}", "h3 h4")
    yield csv_file(
        "two files one after the other", f"{HEADER}\n{good('h5')}{again}{good('h6')}", "h5 h6",
        aside=[("\ufefftrade_id", ("cell.not-decimal",))],
    )  # fmt: skip
    yield csv_file("nameless empty column", f"{HEADER},\n" + good("h7").replace("\n", ",\n"), "h7")
    yield csv_file(
        "a line break within a cell", f'{HEADER}\n{good("h8")}h9,"C\n1",' + rows[6:].split("\n")[0]
        + "\n", "h8", aside=[("h9", ("cell.control-character",))],
    )  # fmt: skip


def _refused() -> Iterator[Broken]:
    text = f"{HEADER}\n{good('r1', 'r2')}"
    utf8 = f"encoding: utf-8\n    {TYPED}"
    zh = "r3,客户甲乙丙丁戊己庚辛,2024-01-02 10:00:00,600000,buy,1,1\n"

    def no(
        name: str, data: str | bytes, *codes: str, said: str = TYPED, file: str = "b.csv"
    ) -> Broken:
        return Broken(
            name, file, data if isinstance(data, bytes) else data.encode(), codes, said=said
        )

    wrong, unsure = "source.encoding-wrong", "source.encoding-unsure"
    twice, alike = "source.header-twice", "source.header-alike"
    yield no("nothing", b"", "source.file-empty")
    yield no("line breaks only", "\n" * 99, "source.file-empty")
    yield no("commas only", "," * 99, "source.file-empty")
    yield no("quotes only", '"' * 99, "source.csv-broken", "source.quote-open")
    yield no("header only", HEADER, "source.no-rows")
    yield no("column named twice", text.replace("side", "amount", 1), twice)
    yield no("names alike but for case", text.replace("side", "Amount", 1), alike)
    filled = text.replace(HEADER, f"{HEADER},").replace(".50", ".50,x")
    yield no("value in a nameless column", filled, "source.header-blank")
    yield no("NUL in the header", text.replace("side", "si\0de", 1), "source.header-invalid")
    yield no("a name as long as a book", "x" * 200_000 + "," + text, "source.record-long")
    yield no("no line breaks at all", "x" * (5 << 20), "source.record-long")
    yield no("a line too long", text.encode() + b"r3," + b"x" * (9 << 20), "source.record-long")
    yield no("quote never closed", text + 'r3,"C1\n' + good("r4"), "source.quote-open")
    yield no("quote never closed, far", text + 'r3,"C1' + "x,\n" * (3 << 20), "source.quote-open")
    yield no("a typed column gone", text.replace("quantity", "qty", 1), "source.column-missing")
    yield no("UTF-8 and GBK", text.encode() + zh.encode("gbk") + zh.encode(), wrong, unsure)
    yield no("GBK said to be UTF-8", text.encode() + zh.encode("gbk"), wrong, said=utf8)
    yield no("GBK with some UTF-8", text.encode("gbk") + zh.encode(), wrong,
             said=f"encoding: gbk\n    {TYPED}")  # fmt: skip
    yield no("GB18030 said to be GBK", text.encode() + "𠮷𰻞㐀䶿".encode("gb18030"), wrong,
             said=f"encoding: gbk\n    {TYPED}")  # fmt: skip
    yield no("UTF-8 said to be UTF-16", text, wrong, said=f"encoding: utf-16-le\n    {TYPED}")
    yield no("half of a surrogate pair", text.encode("utf-16-le") + b"\x00\xd8\n\0", wrong,
             said=f"encoding: utf-16-le\n    {TYPED}")  # fmt: skip
    yield no("CESU surrogates", text.encode() + b"r3,\xed\xa0\x80", wrong, unsure)
    yield no("overlong UTF-8", text.encode() + b"r3,\xc0\xaf", wrong, unsure)
    yield no("cut within a letter", text.encode() + "r3,客".encode()[:-1], wrong, unsure)
    yield no("UTF-16 cut in half", text.encode("utf-16")[:-1], wrong)
    yield no("gzip named csv", gzip.compress(text.encode()), wrong, unsure)
    yield no("gzip", gzip.compress(text.encode()), "source.format-unknown", file="b.csv.gz")
    yield no("noise", random.Random(1).randbytes(5_000), wrong, unsure)
    yield no("noise of NULs", b"\0" * 5_000, wrong, unsure)
