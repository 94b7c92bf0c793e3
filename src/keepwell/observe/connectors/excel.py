"""The Excel connector: one sheet of an .xlsx workbook, as a table with a header.

A cell becomes the text that its value has, so that the mapping's types check it as they check a
CSV's. What a workbook hides from a reader (error values, formulas never computed, leading zeros
that only a format shows, merged cells) is found by `excel_traps` and told cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import numpy as np
import pyarrow as pa
import python_calamine as calamine
from pydantic import Field

from keepwell.core.errors import DataError
from keepwell.observe.connectors.base import (
    BadCell,
    FileConnector,
    Options,
    RawBatch,
    Since,
    files_of,
    letters,
    options_of,
    reading,
)
from keepwell.observe.connectors.excel_parts import BROKEN, check_parts
from keepwell.observe.connectors.excel_traps import Traps, traps_of
from keepwell.observe.mapping import Source

BATCH_ROWS: Final = 16_384
_DIGITS: Final = 1e15
"""Excel keeps fifteen digits of a number; of a longer one the rest is lost."""
_DAY: Final = timedelta(days=1)
_MERGED: Final = 1_000_000
"""Most cells of merged areas, of which each is kept."""


class ExcelOptions(Options):
    """Options of an Excel workbook.

    Attributes:
        sheet: its name; default: the only visible sheet with anything on it.
        header: row of the column names, as Excel numbers rows.
        serials: read a bare number in a column of dates or instants as Excel's day count.
        merged: give every cell of a merged area the value that it shows; default: such rows are
            set aside.
    """

    sheet: str = ""
    header: Annotated[int, Field(ge=1, le=1_048_576)] = 1
    serials: bool = False
    merged: bool = False


class ExcelConnector(FileConnector):
    """Reads .xlsx and .xlsm workbooks; each cell becomes text, absent cells ''."""

    name = "excel"
    suffixes: tuple[str, ...] = (".xlsx", ".xlsm")
    text_cells = True
    options: ClassVar[type[Options]] = ExcelOptions

    def open(
        self, name: str, source: Source, base: Path, since: Since | None = None
    ) -> Iterator[RawBatch]:
        """Read a source; see `Connector.open`.

        Raises:
            DataError: `source.excel-broken`, `source.excel-large`, `source.excel-packed`,
                `source.excel-sparse`, `source.sheet-missing`, `source.sheet-unclear`,
                `source.header-blank`, `source.header-twice`.
        """
        del since  # whole files only
        options = options_of(ExcelOptions, name, source)
        for file, path in files_of(name, source, base):
            with reading(name, file, path):
                try:
                    # Before anything is unpacked into memory.
                    check_parts(name, file, path)
                    with calamine.load_workbook(str(path)) as book:
                        yield from _Sheet(name, source, options, file, path, book).batches()
                except (calamine.CalamineError, *BROKEN) as error:
                    problem = (str(error).splitlines() or [type(error).__name__])[0]
                    raise DataError(
                        "source.excel-broken", source=name, file=file, problem=problem
                    ) from None


@dataclass
class _Sheet:
    name: str
    source: Source
    options: ExcelOptions
    file: str
    path: Path
    book: calamine.CalamineWorkbook
    traps: Traps = field(default_factory=Traps)
    shows: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    anchors: dict[tuple[int, int], Any] = field(default_factory=dict)
    header: list[tuple[int, str]] = field(default_factory=list)

    def batches(self) -> Iterator[RawBatch]:
        title = self._choose()
        sheet = self._sheet(title)
        self._areas(sheet)
        waiting: list[list[Any]] = []
        first = self.options.header + 1
        empty = True
        for number, cells in enumerate(sheet.iter_rows(), 1):
            if number < self.options.header:
                continue
            if number == self.options.header:
                self._name_columns(cells)
                continue
            waiting.append(cells)
            if len(waiting) == BATCH_ROWS:
                yield self._batch(waiting, first)
                first, waiting, empty = first + len(waiting), [], False
        if not self.header:
            raise DataError("source.file-empty", source=self.name, file=self.file)
        if waiting or empty:
            yield self._batch(waiting, first)

    def _sheet(self, title: str) -> calamine.CalamineSheet:
        # Before its cells are held in memory: this also tells how many that would be.
        self.traps = traps_of(self.name, self.file, self.path, title)
        return self.book.get_sheet_by_name(title)

    def _choose(self) -> str:
        """The sheet to read; a hidden one only by its name."""
        sheets = self.book.sheets_metadata
        names = [sheet.name for sheet in sheets]
        if self.options.sheet:
            if self.options.sheet not in names:
                raise DataError(
                    "source.sheet-missing",
                    source=self.name,
                    file=self.file,
                    sheet=self.options.sheet,
                    sheets=", ".join(names),
                )
            return self.options.sheet
        visible = [
            sheet.name
            for sheet in sheets
            if sheet.visible == calamine.SheetVisibleEnum.Visible
            and sheet.typ == calamine.SheetTypeEnum.WorkSheet
        ]
        if len(visible) > 1:
            visible = [n for n in visible if self._sheet(n).height]
        if len(visible) != 1:
            raise DataError(
                "source.sheet-unclear", source=self.name, file=self.file, sheets=", ".join(names)
            )
        return visible[0]

    def _areas(self, sheet: calamine.CalamineSheet) -> None:
        """Which cells show another cell's value, by row and column from 0."""
        last_row, last_column = sheet.end or (0, 0)
        by_row: dict[int, list[int]] = {}
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
            if bottom < self.options.header:
                continue  # a title above the table
            by_row.setdefault(top, []).append(left)
            for row in range(top, min(bottom, last_row) + 1):
                for column in range(left, min(right, last_column) + 1):
                    if (row, column) != (top, left):
                        self.shows[row, column] = (top, left)
                if len(self.shows) > _MERGED:
                    raise ValueError(f"merged areas of more than {_MERGED:,} cells")
        if by_row:
            for number, cells in enumerate(sheet.iter_rows()):
                for column in by_row.get(number, ()):
                    self.anchors[number, column] = cells[column] if column < len(cells) else ""

    def _name_columns(self, cells: Sequence[Any]) -> None:
        self.header = [
            (place, _text(cell).strip()) for place, cell in enumerate(cells) if _text(cell).strip()
        ]
        names = [name for _, name in self.header]
        for name in names:
            if names.count(name) > 1:
                raise DataError(
                    "source.header-twice", source=self.name, file=self.file, column=name
                )

    def _batch(self, waiting: list[list[Any]], first: int) -> RawBatch:
        rows: list[int] = []
        kept: list[list[str]] = []
        wrong: list[BadCell] = []
        places = [place for place, _ in self.header]
        for number, cells in enumerate(waiting, first):
            if all(cell == "" for cell in cells) and number not in self.traps.rows:
                continue  # a blank line is no record
            self._nameless(cells, places, number)
            texts, faults = self._row(cells, number)
            if faults:
                raw = dict(zip((n for _, n in self.header), texts, strict=True))
                wrong += [BadCell(number, c, reason, value, raw) for c, reason, value in faults]
                continue
            rows.append(number)
            kept.append(texts)
        columns = list(zip(*kept, strict=True)) or [() for _ in self.header]
        arrays = [pa.array(list(column), pa.string()) for column in columns]
        batch = pa.RecordBatch.from_arrays(arrays, names=[name for _, name in self.header])
        return RawBatch(self.file, np.array(rows, np.int64), batch, bad=wrong)

    def _nameless(self, cells: Sequence[Any], places: list[int], number: int) -> None:
        for place, cell in enumerate(cells):
            if cell != "" and place not in places:
                raise DataError(
                    "source.header-blank",
                    source=self.name,
                    file=self.file,
                    row=number,
                    column=letters(place),
                )

    def _row(
        self, cells: Sequence[Any], number: int
    ) -> tuple[list[str], list[tuple[str, str, Any]]]:
        texts: list[str] = []
        faults: list[tuple[str, str, Any]] = []
        for place, name in self.header:
            cell = cells[place] if place < len(cells) else ""
            where = (number - 1, place)
            if where in self.shows:
                cell = self.anchors.get(self.shows[where], "")
                if not self.options.merged:
                    faults.append((name, "cell.merged", _text(cell)))
            if (number, place) in self.traps.errors:
                cell = self.traps.errors[number, place]
                faults.append((name, "cell.excel-error", cell))
            elif (number, place) in self.traps.formulas:
                cell = self.traps.formulas[number, place]
                faults.append((name, "cell.not-computed", cell))
            text = self._cell(name, cell, (number, place))
            if isinstance(cell, float) and abs(cell) >= _DIGITS and self._is_text(name):
                faults.append((name, "cell.digits-lost", text))
            texts.append(text)
        return texts, faults

    def _is_text(self, name: str) -> bool:
        spec = self.source.columns.get(name)
        return spec is None or spec.type == "text"

    def _cell(self, name: str, cell: Any, where: tuple[int, int]) -> str:
        spec = self.source.columns.get(name)
        if isinstance(cell, (date, datetime)) and spec and spec.format:
            return cell.strftime(spec.format)  # a true date needs no reading
        timed = spec is not None and spec.type in ("date", "instant")
        if timed and self.options.serials and type(cell) is float:
            return _text(_moment(cell, self.traps.since_1904))
        if type(cell) is float and where in self.traps.widths and cell >= 0 and cell.is_integer():
            return str(int(cell)).zfill(self.traps.widths[where])
        return _text(cell)


def _moment(serial: float, since_1904: bool) -> Any:
    """A day count of Excel's as a time; the number itself where there is no such day.

    Its calendar from 1900 has a 29 February 1900 that never was.

    Example:
        >>> _moment(45292.5, False).isoformat(), _moment(60.0, False), _moment(1.0, False).year
        ('2024-01-01T12:00:00', 60.0, 1900)
    """
    if not 0 < serial < 2_958_466 or (not since_1904 and 60 <= serial < 61):
        return serial
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
    if not since_1904 and serial < 60:
        start += _DAY
    moment = start + timedelta(seconds=round(serial * 86_400))
    return moment.date() if serial.is_integer() else moment


def _text(cell: Any) -> str:
    """A cell's value as text: fifteen digits, as Excel shows them; times as ISO 8601.

    Example:
        >>> _text(7.0), _text(0.1 + 0.2), _text(True), _text(datetime(2024, 1, 2, 3, 4, 5))
        ('7', '0.3', 'true', '2024-01-02 03:04:05')
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _DIGITS else f"{cell:.15g}"
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    return cell.isoformat() if isinstance(cell, (date, time)) else str(cell)
