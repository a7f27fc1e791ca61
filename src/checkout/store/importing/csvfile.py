"""CSV files as people have them: read as a stream, with line numbers, and with a clear word about a wrong file."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from checkout.store.importing.report import BadRow, ImportRefused

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the line of the file where it begins, and its cells by the column names that the reader knows."""

    line: int
    cells: dict[str, str]

    def get(self, column: str) -> str:
        """The cell without surrounding spaces; empty where the file has no such column."""
        return self.cells.get(column, "")


class CsvFile:
    """A CSV file in UTF-8 (with or without a byte order mark), separated by commas, with a header.

    Opening it reads it once to check its encoding, so that a file in a wrong one is refused whole instead of being
    imported up to its first umlaut. Raises ImportRefused: no file, empty, not UTF-8, another delimiter, a column that
    is missing or there twice. ``columns`` are those of the wanted ones that the file has; names are matched without
    regard to case, other columns are ignored.
    """

    def __init__(self, path: Path, *, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        if not path.is_file():
            raise ImportRefused(f"{path} is not a file")
        self.path = path
        self.size = path.stat().st_size
        self.bytes_read = 0
        _check_encoding(path)
        with path.open("rb") as file:
            try:
                header = next(csv.reader(self._lines(file), strict=True), [])
            except csv.Error as error:
                raise ImportRefused(f"{path.name}, line 1: the header is no CSV: {error}") from None
        self._positions = _positions(path.name, header, required, optional)
        self._width = len(header)
        self.columns = frozenset(self._positions)

    def rows(self) -> Iterator[Row | BadRow]:
        """Every row that is not blank, or what is wrong with its form; one row in memory at a time."""
        self.bytes_read = 0
        with self.path.open("rb") as file:
            reader = csv.reader(self._lines(file), strict=True)
            next(reader, None)
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield BadRow(line, "", f"no CSV up to line {reader.line_num}: {error} (is a quote left open?)")
                    continue
                if not any(cell.strip() for cell in cells):
                    continue
                if any(cell.strip() for cell in cells[self._width :]):
                    yield BadRow(
                        line, "", f"{len(cells)} fields, but {self._width} in the header: is a comma not in quotes?"
                    )
                    continue
                yield self._row(line, cells)

    def _row(self, line: int, cells: list[str]) -> Row:
        # A row may end early: spreadsheets leave empty cells at its end out.
        return Row(line, {name: cells[at].strip() for name, at in self._positions.items() if at < len(cells)})

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        for number, raw in enumerate(file):
            self.bytes_read += len(raw)
            yield (raw.removeprefix(_UTF8_BOM) if number == 0 else raw).decode()


def _check_encoding(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(2)
        if not start:
            raise ImportRefused(f"{path.name} is empty")
        if start in _UTF16_BOMS:
            raise ImportRefused(f'{path.name} is encoded in UTF-16, needed: UTF-8 (save it as "CSV UTF-8")')
        file.seek(0)
        for number, raw in enumerate(file, start=1):
            if b"\0" in raw:
                raise ImportRefused(f"{path.name}, line {number}: a NUL byte; this is no text file in UTF-8")
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                near = raw[max(0, error.start - 20) : error.start].decode(errors="ignore")
                raise ImportRefused(
                    f"{path.name}, line {number}: byte 0x{raw[error.start]:02x} after {near!r} is not UTF-8. Save the "
                    f'file as "CSV UTF-8", or convert it: iconv -f WINDOWS-1252 -t UTF-8 {path.name}'
                ) from None


def _positions(name: str, header: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> dict[str, int]:
    found: dict[str, list[int]] = {}
    for at, cell in enumerate(header):
        found.setdefault(cell.strip().casefold(), []).append(at)
    missing = [column for column in required if column.casefold() not in found]
    if missing:
        raise ImportRefused(_explain_header(name, header, missing, required))
    positions = {}
    for column in (*required, *optional):
        places = found.get(column.casefold(), [])
        if len(places) > 1:
            raise ImportRefused(f"{name}, line 1: the column {column!r} is there {len(places)} times")
        if places:
            positions[column] = places[0]
    return positions


def _explain_header(name: str, header: Sequence[str], missing: Iterable[str], required: Sequence[str]) -> str:
    if len(header) == 1:
        for delimiter, called in _DELIMITERS.items():
            others = {cell.strip().casefold() for cell in header[0].split(delimiter)}
            if len(others) > 1 and others & {column.casefold() for column in required}:
                return f"{name} is separated by {called}, needed: commas"
    seen = ", ".join(repr(cell.strip()[:40]) for cell in header[:5]) + (", …" if len(header) > 5 else "")
    return f"{name}, line 1: the header lacks {', '.join(repr(column) for column in missing)}; it begins {seen}"
