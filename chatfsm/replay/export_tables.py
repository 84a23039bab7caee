"""Tables of an export: CSV, which is safe in a spreadsheet, and Parquet in row groups."""

from __future__ import annotations

import csv
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from chatfsm.errors import ChatError
from chatfsm.replay.arrow_schema import column_schema
from chatfsm.replay.export import COLUMNS, ExportRow

__all__ = ["ROW_GROUP", "CsvWriter", "ParquetWriter", "safe_cell"]

ROW_GROUP: Final = 10_000
"""Rows of a row group: some 20 MB, which are in memory until they are written."""
# With these a cell begins that a spreadsheet takes for a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_NAMES: Final = [column.name for column in COLUMNS]


def safe_cell(value: object) -> object:
    """Return a text with an apostrophe before it if a spreadsheet would take it for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


class CsvWriter:
    """Writes rows as CSV in UTF-8, with a line of names first; None is an empty cell."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(_NAMES)

    def add(self, _chat: int, row: ExportRow) -> None:
        """Write a row."""
        self._writer.writerow([safe_cell(row[name]) for name in _NAMES])

    def finish(self, _chat: int) -> None:
        """End a chat: its rows are written already."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ParquetWriter:
    """Writes rows as Parquet, a row group at a time. Raises `ChatError` without pyarrow."""

    def __init__(self, path: Path) -> None:
        try:
            parquet: Any = import_module("pyarrow.parquet")
        except ImportError:
            raise ChatError("Parquet needs pyarrow: pip install 'chatfsm[parquet]'") from None
        self._arrow: Any = import_module("pyarrow")
        self._schema: Any = column_schema(COLUMNS, self._arrow)
        self._writer: Any = parquet.ParquetWriter(path, self._schema)
        self._rows: list[ExportRow] = []

    def add(self, _chat: int, row: ExportRow) -> None:
        """Keep a row, and write the row group if it is full."""
        self._rows.append(row)
        if len(self._rows) >= ROW_GROUP:
            self._write()

    def finish(self, _chat: int) -> None:
        """End a chat: its rows are written with the next row group."""

    def close(self) -> None:
        """Write the last row group, and close the file."""
        try:
            self._write()
        finally:
            self._writer.close()

    def _write(self) -> None:
        if self._rows:
            table = self._arrow.Table.from_pylist(self._rows, schema=self._schema)
            self._writer.write_table(table)
            self._rows.clear()
