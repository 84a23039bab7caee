"""Reader of stores for `chatfsm watch`: it never writes to one, and takes no lease.

A record that cannot be read becomes a row that says so. What has not changed is not read again.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from math import isfinite
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final
from urllib.parse import quote, unquote

from attrs import define, evolve, field, frozen

from chatfsm.drivers._sqlite_file import digest_of
from chatfsm.drivers._state_file import FileStore
from chatfsm.drivers.storage import restore
from chatfsm.endpoint import Endpoint
from chatfsm.errors import ChatError, SnapshotError

__all__ = ["ChatRow", "StoreReader", "sort_rows"]

_SQLITE: Final = b"SQLite format 3\0"
_SUFFIXES: Final = (".chat", ".json")
_MAX_RECORD: Final = 32 * 1024 * 1024
"""Bytes: more than a session with all limits of `Settings` at their defaults."""
_MAX_CHATS: Final = 100_000
# Nothing is sent: a record has no endpoint, and its client needs one.
_NOWHERE: Final = Endpoint("https://chat.invalid", "invalid", "none", "none")
_DAMAGED: Final = "damaged"
_TOO_LARGE: Final = "too large"
# Trouble first.
_ORDER: Final = ("unauthorized", "retrying", "waiting", "live", "over")


@frozen
class ChatRow:
    """A chat of a store, or a record that cannot be read. Times are in seconds since 1970."""

    key: str = field(repr=False)
    """Key of the chat, or name of the file; apps name chats by their customers."""
    error: str | None = None
    """Why the record cannot be read; then all below is as by default."""
    chat_id: str | None = None
    """None before the server has given one."""
    state: str | None = None
    link: str = ""
    saved_at: float = 0.0
    answered_at: float | None = None
    """When the last reply to a poll came; None if there was none."""
    due: float | None = None
    """When the driver is to act; None if it need not."""
    queued: int = 0
    unhandled: int = 0
    failures: int = 0
    forms: int = 0
    anomalies: int = 0
    has_agent: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the chat has ended."""
        return self.link == "over"


def sort_rows(rows: list[ChatRow]) -> list[ChatRow]:
    """Return the rows with trouble first: unreadable, then by the link, then the most silent."""

    def rank(row: ChatRow) -> tuple[int, float, str]:
        place = -1 if row.error is not None else _ORDER.index(row.link)
        return place, row.answered_at or 0.0, row.key

    return sorted(rows, key=rank)


@define(eq=False)
class StoreReader:
    """Reads the chats of a store again and again: a file, a folder or an SQLite database."""

    path: Path
    wall_clock: Callable[[], float] = time.time
    _known: dict[str, tuple[object, ChatRow]] = field(factory=dict, init=False)
    """Rows by their keys, with what shows that a record has not changed."""

    def read(self) -> list[ChatRow]:
        """Return a row for each chat. Raises `ChatError` if the store itself cannot be read."""
        try:
            if self.path.is_dir():
                rows = [*self._read_folder()]
            elif _is_sqlite(self.path):
                rows = [*self._read_sqlite()]
            else:
                rows = [self._file_row(self.path.name, self.path)]
        except OSError as error:
            raise ChatError(f"{self.path}: {_why(error)}") from None
        except sqlite3.Error:
            raise ChatError(f"{self.path}: damaged, or no store of chats") from None
        keys = {row.key for row in rows}
        self._known = {key: known for key, known in self._known.items() if key in keys}
        return rows

    def _row(self, key: str, mark: object, load: Callable[[], Any]) -> ChatRow:
        """Return the row of a record, which is loaded unless its mark is as before."""
        mark_before, row = self._known.get(key, (None, None))
        if row is None or mark_before != mark:
            row = self._read_row(key, load)
            self._known[key] = mark, row
        return row

    def _read_row(self, key: str, load: Callable[[], Any]) -> ChatRow:
        try:
            record = load()
            if isinstance(record, dict) and record.keys() == {"version", "record"}:  # of a folder
                record = record["record"]
            return evolve(_row_of(record, self.wall_clock()), key=key)
        except _TooLargeError:
            return ChatRow(key, _TOO_LARGE)
        except OSError as error:
            return ChatRow(key, _why(error))
        except (SnapshotError, ValueError, RecursionError):
            return ChatRow(key, _DAMAGED)

    def _read_folder(self) -> Iterator[ChatRow]:
        with os.scandir(self.path) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(_SUFFIXES)]
        for name in sorted(names)[:_MAX_CHATS]:
            if not name.startswith("."):
                key = unquote(name.removesuffix(".chat")) if name.endswith(".chat") else name
                yield self._file_row(key, self.path / name)

    def _file_row(self, key: str, path: Path) -> ChatRow:
        def load() -> Any:
            if found.st_size > _MAX_RECORD:
                raise _TooLargeError
            return FileStore(path).load()

        try:
            found = path.stat()
        except OSError as error:
            if path == self.path:
                raise
            return ChatRow(key, _why(error))
        if not S_ISREG(found.st_mode):  # to open a pipe would wait for its writer
            return ChatRow(key, "no file")
        return self._row(key, (found.st_ino, found.st_size, found.st_mtime_ns), load)

    def _read_sqlite(self) -> Iterator[ChatRow]:
        # Without a log beside it no process has the database open. SQLite would make one, and leave
        # it there, unless the database is called immutable.
        has_log = self.path.with_name(f"{self.path.name}-wal").exists()
        mode = "mode=ro" if has_log else "mode=ro&immutable=1"
        address = f"file:{quote(os.fspath(self.path.absolute()))}?{mode}"
        with closing(
            sqlite3.connect(address, uri=True, timeout=1.0, isolation_level=None)
        ) as database:
            database.text_factory = bytes  # hostile texts need not be UTF-8
            database.execute("BEGIN")  # drivers save meanwhile: all is read as it is now
            query = (
                "SELECT CAST(key AS TEXT), CAST(version AS INTEGER), CAST(digest AS TEXT),"
                " LENGTH(CAST(record AS BLOB)) FROM chatfsm_chats ORDER BY key LIMIT ?"
            )
            for name, version, digest, size in database.execute(query, (_MAX_CHATS,)).fetchall():
                key = name.decode(errors="backslashreplace")

                def load(
                    name: bytes = name,
                    version: int = version,
                    digest: bytes = digest,
                    size: int = size,
                ) -> Any:
                    if size > _MAX_RECORD:
                        raise _TooLargeError
                    one = "SELECT CAST(record AS BLOB) FROM chatfsm_chats WHERE key = ?"
                    found = database.execute(one, (name.decode(),)).fetchone()
                    if (
                        found is None
                        or digest != digest_of(name.decode(), version, found[0]).encode()
                    ):
                        raise ValueError
                    return json.loads(found[0])

                yield self._row(key, (version, digest), load)


class _TooLargeError(Exception):
    pass


def _why(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()


def _is_sqlite(path: Path) -> bool:
    found = path.stat()
    if not S_ISREG(found.st_mode):
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _row_of(record: Any, wall: float) -> ChatRow:
    """Return the row of a record, without its key. Raises `SnapshotError`."""
    restored = restore(record, _NOWHERE, now=0.0, wall=wall)
    client, body = restored.client, record["client"]["client"]
    health, session = client.health(0.0), client.session
    at, due = record.get("at", wall), record.get("due")
    is_due = isinstance(due, (int, float)) and isfinite(due)
    row = ChatRow(
        "",
        link=body["link"],  # a restored client that was refused tries again: its link is another
        saved_at=min(at, wall),
        answered_at=None if health.silent_for is None else wall - max(0.0, health.silent_for),
        due=due if is_due else None,
        queued=health.queued,
        unhandled=len(restored.pending),
        failures=health.failures,
    )
    if session is None:
        return row
    return evolve(
        row,
        chat_id=session.chat_id,
        state=session.state,
        forms=len(session.forms),
        anomalies=session.counts.anomalies,
        has_agent=session.human_present,
    )
