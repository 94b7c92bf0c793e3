"""Broken workbooks, Parquet files and SQLite databases, made by hand or damaged by a seed."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import random
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bad_input.broken import HEADER, NAMES, TYPED, Broken, good
from tests.bad_input.corpus_text import SEED

PLAIN = "allow_empty: false"
SQLITE = "options: {table: t}"
PARQUET_BROKEN, EXCEL_BROKEN = "source.parquet-broken", "source.excel-broken"
SHEET = "xl/worksheets/sheet1.xml"
TRADE: dict[str, Any] = {
    "trade_id": ["p1", "p2"], "client_id": ["C1", "C2"],
    "at": [dt.datetime(2024, 1, 2, 2, tzinfo=dt.UTC)] * 2,
    "instrument_id": ["600000"] * 2, "side": ["buy", "sell"], "quantity": [100.0, 1.0],
    "amount": [10.5, 10.5],
}  # fmt: skip


def parquet(columns: dict[str, Any] | pa.Table) -> bytes:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _text(*cells: bytes) -> pa.Array:
    """A column of text that need not be UTF-8."""
    ends = np.cumsum([0, *map(len, cells)]).astype(np.int32)
    buffers = [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(b"".join(cells))]
    return pa.Array.from_buffers(pa.string(), len(cells), buffers)


def parquet_taken() -> Iterator[Broken]:
    """Files of a good row and a bad one, each alone: columns of one source are of one type."""

    def one(name: str, *reasons: str, fen: int = 1050, said: str = PLAIN, **over: Any) -> Broken:
        bad = [("p2", reasons)] if reasons else []
        kept = {"p1": fen} if reasons else {"p1": fen, "p2": fen}
        return Broken(name, "t.parquet", parquet(TRADE | over), (), kept, bad, said=said)

    far = 6_600_000  # days: the year 20040
    now = 1_704_160_800
    outside = "cell.out-of-range"

    def times(unit: str, *values: int) -> pa.Array:
        return pa.array(values, pa.int64()).cast(pa.timestamp(unit, "UTC"))

    def days(*values: int) -> pa.Array:
        return pa.array(values, pa.int32()).cast(pa.date32())

    yield one("text that is none", "cell.not-text", client_id=_text(b"C1", b"C\xff\xfe"))
    yield one("typed text that is none", "cell.not-text", amount=_text(b"10.5", b"1\xff"),
              said="columns: {amount: decimal}")  # fmt: skip
    yield one(
        "a day in the year 20040", outside, at=pa.array([19_724, far], pa.int32()).cast(pa.date32())
    )
    yield one(
        "the last day", outside, at=pa.array([19_724, 2**31 - 1], pa.int32()).cast(pa.date32())
    )
    yield one(
        "an instant in the year 20040", outside, at=times("us", now * 10**6, far * 86_400 * 10**6)
    )
    yield one("the least instant", outside, at=times("us", now * 10**6, 1 - 2**63))
    yield one("the last nanosecond", outside, at=times("ns", now * 10**9, 2**63 - 1))
    yield one("not a number", "cell.not-double", amount=[10.5, float("nan")])
    yield one("without end", "cell.not-double", amount=[10.5, float("-inf")])
    yield one(
        "beyond 64 bits", "cell.too-large", fen=100, amount=pa.array([1, 2**64 - 1], pa.uint64())
    )
    yield one("the least number of 64 bits", "cell.too-large", quantity=pa.array([1, -(2**63)]))
    yield one("76 digits", "cell.too-large",
              amount=pa.array(["10.5", "1" + "0" * 60]).cast(pa.decimal256(76, 2)))  # fmt: skip
    yield one("NUL in an id", "cell.control-character", client_id=["C1", "C\0"])
    yield one("dictionary", amount=pa.array([10.5, 10.5]).dictionary_encode())
    yield one("long text", "cell.too-long", client_id=["C1", "x" * 5_000_000])


def parquet_refused(draws: int) -> Iterator[Broken]:
    whole = parquet(TRADE)
    table = pa.table(TRADE)

    def no(name: str, data: bytes, *codes: str, said: str = PLAIN) -> Broken:
        return Broken(name, "b.parquet", data, codes or (PARQUET_BROKEN,), said=said)

    def named(*names: str) -> bytes:
        return parquet(pa.table([*table.columns, *table.columns][: len(names)], names=list(names)))

    yield no("cut in half", whole[: len(whole) // 2])
    yield no("its first word only", whole[:4])
    yield no("two words", b"PAR1PAR1")
    yield no("a footer longer than the file", whole[:-8] + b"\xff\xff\xff\x7fPAR1")
    yield no("a footer without length", whole[:-8] + b"\0\0\0\0PAR1")
    yield no("said to be encrypted", whole[:-4] + b"PARE")
    yield no("CSV named Parquet", f"{HEADER}\n{good('x1')}".encode())
    yield no("gzip of Parquet", gzip.compress(whole))
    yield no("pages of noise", whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    yield no("two columns of one name", named(*NAMES, "side"), "source.header-twice")
    yield no("names alike", named(*NAMES, "SIDE"), "source.header-alike")
    yield no("no name", named(*NAMES, ""), "source.header-invalid")
    yield no("no columns", parquet(pa.table({})), "source.no-rows")
    yield no("no rows", parquet(table.slice(0, 0)), "source.no-rows")
    for draw in range(draws):
        rng = random.Random(f"{SEED}-parquet-{draw}")
        cut = whole[: rng.randint(1, len(whole) - 1)]
        yield no(f"cut at {len(cut)}", cut)


def damaged(whole: bytes, kind: str, draw: int) -> bytes:
    """A file with some bytes spoilt."""
    rng = random.Random(f"{SEED}-{kind}-{draw}")
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 2, 8])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def workbook(change: Callable[[Any], None] | None = None, keys: str = "e1 e2") -> bytes:
    book = openpyxl.Workbook()
    for line in (HEADER, *good(*keys.split()).splitlines()):
        book.active.append(line.split(","))
    if change:
        change(book.active)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(whole: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """A workbook whose parts are changed; those changed to None are left out."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(whole)) as parts,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for name in parts.namelist():
            data = change(name, parts.read(name))
            if data is not None:
                made.writestr(name, data)
    return out.getvalue()


def on_sheet(whole: bytes, old: str, new: str) -> bytes:
    def change(name: str, data: bytes) -> bytes:
        return data.replace(old.encode(), new.encode()) if name == SHEET else data

    return repacked(whole, change)


def excel_taken() -> Iterator[Broken]:
    def one(
        name: str,
        key: str,
        change: Callable[[Any], None],
        *aside: tuple[str, tuple[str, ...]],
        more: str = "",
    ) -> Broken:
        kept = dict.fromkeys([key, *more.split()], 1050)
        return Broken(name, "t.xlsx", workbook(change, key), (), kept, aside)

    def row(key: str, **cells: Any) -> list[Any]:
        values = dict(zip(NAMES, good(key).strip().split(","), strict=True)) | cells
        return list(values.values())

    def serial(sheet: Any, value: float) -> None:
        sheet.append(row("x3", at=value))
        sheet.cell(sheet.max_row, 3).number_format = "yyyy-mm-dd"

    def merged(sheet: Any) -> None:
        sheet.append(row("x5"))
        sheet.append(row("x6"))
        sheet.merge_cells("B3:B4")

    def far(sheet: Any) -> None:
        sheet.cell(5_000, 2, "far")

    yield one("an error", "e3", lambda s: s.append(row("x1", amount="#N/A")),
              ("x1", ("cell.excel-error", "cell.not-decimal")))  # fmt: skip
    yield one("a formula nobody computed", "e4", lambda s: s.append(row("x2", amount="=1+1")),
              ("x2", ("cell.not-computed",)))  # fmt: skip
    yield one(
        "a day before all days", "e5", lambda s: serial(s, -1.0), ("x3", ("cell.not-instant",))
    )
    yield one(
        "a day after all days", "e6", lambda s: serial(s, 1e300), ("x3", ("cell.not-instant",))
    )
    yield one("sixteen digits", "e7", lambda s: s.append(row("x4", client_id=1234567890123456)),
              ("x4", ("cell.digits-lost",)))  # fmt: skip
    yield one("merged cells", "e8", merged, ("x6", ("cell.merged",)), more="x5")
    yield one("a cell far below", "e9", far, ("far", ("cell.missing",)))


def excel_refused() -> Iterator[Broken]:
    whole = workbook()
    end = "</sheetData>"

    def no(name: str, data: bytes, *codes: str, said: str = TYPED) -> Broken:
        return Broken(name, "b.xlsx", data, codes or (EXCEL_BROKEN,), said=said)

    def cell(place: str) -> str:
        return f'<row r="{place.lstrip("ABCDEFGXZ")}"><c r="{place}" t="n"><v>5</v></c></row>{end}'

    def without(part: str) -> bytes:
        return repacked(whole, lambda name, data: None if part in name else data)

    deflated = bytearray(whole)
    at = whole.find(SHEET.encode()) + len(SHEET)
    deflated[at + 5 : at + 40] = b"\xff" * 35
    yield no("cut in half", whole[: len(whole) // 2])
    yield no("CSV named xlsx", f"{HEADER}\n{good('x1')}".encode())
    yield no("an old or encrypted workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000))
    yield no("an archive of nothing", without(""))
    yield no("its sheet is missing", without(SHEET))
    yield no("its links are missing", without("rels"))
    yield no("deflated bytes spoilt", bytes(deflated))
    yield no(
        "its sheet cut off", repacked(whole, lambda n, d: d[: len(d) // 2] if n == SHEET else d)
    )
    yield no("a merged area nowhere", on_sheet(whole, end, f'{end}<mergeCells count="1">'
             '<mergeCell ref="foo"/></mergeCells>'))  # fmt: skip
    yield no("a cell at the end of the world", on_sheet(whole, end, cell("XFD1048576")),
             "source.excel-sparse")  # fmt: skip
    yield no(
        "a cell beyond it", on_sheet(whole, end, cell("ZZZZ99999999999")), "source.excel-sparse"
    )
    yield no(
        "a cell without place, far below",
        on_sheet(whole, end, '<row r="99999999"><c t="n"><v>5</v></c></row>' + end),
        "source.excel-sparse",
    )
    yield no("a bomb", on_sheet(whole, end, " " * (80 << 20) + end), "source.excel-packed")
    yield no("a bomb that lies", _lying(on_sheet(whole, end, " " * (80 << 20) + end)),
             "source.excel-packed")  # fmt: skip
    yield no("names alike", workbook(lambda s: s.cell(1, 8, "AMOUNT")), "source.header-alike")
    yield no("no such sheet", whole, "source.sheet-missing",
             said=f'options: {{sheet: "a\\0"}}\n    {TYPED}')  # fmt: skip


def _lying(whole: bytes) -> bytes:
    """A workbook whose sheet says in the archive's list that it unpacks to little."""
    data = bytearray(whole)
    entry = whole.rfind(SHEET.encode()) - 46
    data[entry + 24 : entry + 28] = (5_000).to_bytes(4, "little")
    return bytes(data)


TABLE = (
    "create table t(trade_id, client_id text, at, instrument_id, side, quantity real, "
    "amount numeric)"
)


def database(*more: str, table: str = TABLE) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.db")
        connection = sqlite3.connect(path)
        for sql in (table, _insert("s1"), *more):
            connection.execute(sql)
        connection.commit()
        connection.close()
        return path.read_bytes()


def _insert(key: str, client: str = "'C1'", quantity: str = "1", amount: str = "10.5") -> str:
    return (f"insert into t values('{key}',{client},'2024-01-02 10:00:00','600000','buy',"
            f"{quantity},{amount})")  # fmt: skip


def sqlite_cases() -> Iterator[Broken]:
    def one(name: str, row: str, *reasons: str) -> Broken:
        return Broken(name, "t.db", database(row), (), {"s1": 1050}, [("s2", reasons)], said=SQLITE)

    def no(name: str, data: bytes, *codes: str, said: str = SQLITE) -> Broken:
        return Broken(name, "b.db", data, codes or ("source.sqlite-broken",), said=said)

    yield one("text that is none", _insert("s2", "cast(x'ff' as text)"), "cell.not-text")
    yield one("bytes for a number", _insert("s2", quantity="x'ff'"), "cell.not-double")
    yield one("text for a number", _insert("s2", amount="'1,000'"), "cell.not-decimal")
    yield one("without end", _insert("s2", quantity="9e999"), "cell.not-double")
    yield one("NUL in an id", _insert("s2", "'C'||char(0)"), "cell.control-character")
    whole = database(*[_insert(f"s{n}") for n in range(2, 400)])
    yield no("cut off", whole[:6_000])
    yield no("its first page's head", whole[:100])
    yield no("another file", b"SQLite format 3\0" + b"\xff" * 5_000)
    yield no("CSV named db", f"{HEADER}\n{good('x1')}".encode())
    yield no("no such table", whole, said="options: {table: nope}")
    yield no("more than a SELECT", whole, said='options: {query: "select 1; drop table t"}')
    yield no("a row as long as a film", database(_insert("s2", "zeroblob(40000000)")))
    yield no("no name", database('alter table t add column "" text'), "source.header-invalid")
