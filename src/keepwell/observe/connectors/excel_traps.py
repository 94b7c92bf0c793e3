"""What a workbook's XML holds that its values do not tell.

A reader of values gives an error such as #N/A as nothing, a formula that no program computed as
nothing, and 000123 as 123 where a format shows the zeros. A fast look at the sheet's bytes tells
whether there is anything of the kind; only then is it parsed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final
from xml.etree.ElementTree import Element, XMLPullParser

from keepwell.observe.connectors.excel_parts import check_extent

_CHUNK: Final = 1 << 20
_PEEK: Final = 64
_ODD: Final = re.compile(rb"<(?:\w+:)?f[\s/>]|\st=[\"']e[\"']")
_ZEROS: Final = re.compile(r"0{2,}")
_REF: Final = re.compile(r"([A-Z]+)(\d+)")
_TRUE: Final = ("1", "true", "on")

Place = tuple[int, int]


@dataclass(frozen=True)
class Traps:
    """What was found, by row (from 1) and column (from 0).

    Attributes:
        errors: error values, such as #N/A.
        formulas: formulas without a value.
        widths: digits that a cell shows because its format is of zeros only.
        since_1904: days are counted from 1904, not 1900.
        rows: rows with an error or such a formula.
    """

    errors: dict[Place, str] = field(default_factory=dict)
    formulas: dict[Place, str] = field(default_factory=dict)
    widths: dict[Place, int] = field(default_factory=dict)
    since_1904: bool = False
    rows: set[int] = field(default_factory=set)


def traps_of(name: str, file: str, path: Path, sheet: str) -> Traps:
    """Look through one sheet of a workbook.

    Args:
        name: the source's name, for messages.
        file: the file's, for messages.
        path: the workbook.
        sheet: the sheet's title.

    Raises:
        DataError: `source.excel-sparse`.
        Exception: one of `excel_parts.BROKEN`.
    """
    with zipfile.ZipFile(path) as parts:
        target, since_1904 = _target(parts, sheet)
        with parts.open(target) as raw:
            check_extent(name, file, raw)
        return _look(parts, target, since_1904)


def _target(parts: zipfile.ZipFile, sheet: str) -> tuple[str, bool]:
    """The part that holds a sheet, and whether the workbook counts days from 1904."""
    book = "xl/workbook.xml"
    since_1904, relation = False, ""
    for element in _elements(parts.open(book)):
        if _tag(element) == "workbookPr":
            since_1904 = element.get("date1904", "") in _TRUE
        elif _tag(element) == "sheet" and element.get("name") == sheet:
            relation = next((v for k, v in element.attrib.items() if k.endswith("}id")), "")
    target = ""
    for element in _elements(parts.open("xl/_rels/workbook.xml.rels")):
        if element.get("Id") == relation:
            target = str(element.get("Target"))
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}", since_1904


def _look(parts: zipfile.ZipFile, target: str, since_1904: bool) -> Traps:
    styles = _zero_styles(parts)
    found = Traps(since_1904=since_1904)
    with parts.open(target) as raw:
        odd = bool(styles) or _is_odd(raw)
    if odd:
        with parts.open(target) as raw:
            for element in _elements(raw):
                _note(element, styles, found)
    return found


def _is_odd(raw: IO[bytes]) -> bool:
    tail = b""
    while chunk := raw.read(_CHUNK):
        if _ODD.search(tail + chunk):
            return True
        tail = chunk[-_PEEK:]
    return False


def _zero_styles(parts: zipfile.ZipFile) -> dict[str, int]:
    """Styles whose format is of zeros only, with their number of digits."""
    if "xl/styles.xml" not in parts.namelist():
        return {}
    formats: dict[str, int] = {}
    styles: dict[str, int] = {}
    inside, index = False, 0
    for event, element in _events(parts.open("xl/styles.xml")):
        tag = _tag(element)
        if tag == "cellXfs":
            inside = event == "start"
        elif event == "end" and tag == "numFmt":
            code = element.get("formatCode", "")
            if _ZEROS.fullmatch(code):
                formats[str(element.get("numFmtId"))] = len(code)
        elif event == "end" and tag == "xf" and inside:
            width = formats.get(element.get("numFmtId", ""))
            if width:
                styles[str(index)] = width
            index += 1
    return styles


def _note(cell: Element, styles: dict[str, int], found: Traps) -> None:
    if _tag(cell) != "c":
        return
    style = styles.get(cell.get("s", ""))
    kind = cell.get("t", "n")
    inner = {_tag(child): child for child in cell}
    if style is None and kind != "e" and "f" not in inner:
        cell.clear()
        return
    match = _REF.fullmatch(cell.get("r", ""))
    if match is None:
        raise ValueError("a cell without its place")
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    place = (int(match[2]), column - 1)
    value = inner["v"].text if "v" in inner else None
    if kind == "e":
        found.errors[place] = value or "#?"
        found.rows.add(place[0])
    elif "f" in inner and not value and "is" not in inner and kind != "str":
        found.formulas[place] = "=" + (inner["f"].text or "")
        found.rows.add(place[0])
    elif style is not None and kind == "n" and value:
        found.widths[place] = style
    cell.clear()


def _elements(raw: IO[bytes]) -> Iterator[Element]:
    for event, element in _events(raw):
        if event == "end":
            yield element


def _events(raw: IO[bytes]) -> Iterator[tuple[str, Any]]:
    parser: Any = XMLPullParser(("start", "end"))
    with raw:
        while chunk := raw.read(_CHUNK):
            if b"<!DOCTYPE" in chunk:  # no workbook has one; entities could grow without end
                raise ValueError("a document type, which no workbook has")
            parser.feed(chunk)
            for event, element in parser.read_events():
                yield event, element
                if event == "end" and _tag(element) == "row":
                    element.clear()
        parser.close()
        for event, element in parser.read_events():
            yield event, element


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]
