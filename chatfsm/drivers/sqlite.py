"""SQLite store: the records of thousands of chats in one file.

    with SqliteStore("chats.db") as store:
        with Chat.connect(endpoint, store=store.chat("customer-1")) as chat:
            ...

A thread of the store writes all that is due in one transaction, so that chats share the wait for
the disk, and no event loop waits for it. The file is not encrypted, and holds messages of people:
keep it on an encrypted disk. Its owner alone may read it. Do not keep it on a network drive, where
the locks of SQLite do not hold.
"""

from __future__ import annotations

import builtins
import glob
import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from attrs import define, field, validators

from chatfsm.drivers._file_lock import is_locked, open_locked, unlock
from chatfsm.drivers._sqlite_file import (
    ERRORS,
    check_database,
    connect,
    digest_of,
    error_from,
    make_schema,
)
from chatfsm.drivers._sqlite_log import check_log
from chatfsm.drivers._sqlite_writer import (
    RecordWrite,
    SqliteWriter,
    TaskWrite,
    conflicting_keys,
)
from chatfsm.drivers._stores import ChatInStore, Statement, StoredRecord, check_key
from chatfsm.errors import LocalProtocolError, StoreConflictError, StoreError

__all__ = ["SqliteStore"]

_PAGE: Final = 200
"""Records that `list` reads at once."""
_OPEN: Final = "cannot open the chat: another process or chat has it open"


@define(eq=False)
class SqliteStore:
    """A `Store` in an SQLite database; close it, or use it as a `with` block.

    The database may have tables of the app: those of the store begin with `chatfsm_`. The
    constructor reads the whole file. It raises `StoreError` if the file is damaged, of a newer
    version or no database, and OSError if it cannot be opened.

    Each process has a store of its own. A chat is leased to a store until it is released, the store
    is closed, or the process has ended, by a crash too; then another one may lease it at once. If
    the disk is full, the saves have an OSError, and what was saved before is kept.
    """

    takes_statements: ClassVar[bool] = True
    """Whether `save` takes statements, so that `Chat.handling` does."""

    path: Path = field(converter=Path)
    """Path of the database; made if it does not exist."""
    max_delay: float = field(default=0.01, kw_only=True, validator=validators.ge(0))
    """Seconds, 0 or more, that the first of several saves waits for others, to share one fsync."""
    _owner: str = field(init=False, repr=False, factory=lambda: secrets.token_hex(8))
    """Name of this store in the leases; a locked file shows that it is alive."""
    _owner_lock: int | None = field(default=None, init=False, repr=False)
    _writer: SqliteWriter = field(init=False, repr=False)
    _reader: sqlite3.Connection = field(init=False, repr=False)
    _reading: Lock = field(factory=Lock, init=False, repr=False)
    _is_closed: bool = field(default=False, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._writer = SqliteWriter(self.path, self._owner, self.max_delay)
        locks = self.path.parent.glob(f".{glob.escape(self.path.name)}.*.lock")
        if not any(is_locked(path) for path in locks):
            check_log(self.path)
        self._reader = connect(self.path)
        try:
            make_schema(self._reader, self.path)
            check_database(self._reader, self.path)
        except BaseException:
            self._reader.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def commits(self) -> int:
        """Number of transactions that were written, each with an fsync."""
        return self._writer.commits

    @property
    def saves(self) -> int:
        """Number of records that were written."""
        return self._writer.saves

    def chat(self, key: str) -> ChatInStore:
        """Return one chat of the store, for `Chat.connect`."""
        return ChatInStore(self, key)

    def lease(self, key: str) -> None:
        """Lease a chat; as `Store.lease`."""
        check_key(key)
        task = TaskWrite(lambda database: self._lease(database, key))
        self._writer.submit(task, is_urgent=True).result()

    def release(self, key: str) -> None:
        """Release a chat; as `Store.release`. It is done with the next transaction."""
        with suppress(LocalProtocolError):  # a closed store has no leases
            self._writer.submit(TaskWrite(lambda database: self._release(database, key)))

    def load(self, key: str) -> StoredRecord | None:
        """Return the record of a chat; as `Store.load`. Raises `StoreError` if it is damaged."""
        rows = self._read("WHERE key = ?", (check_key(key),))
        return self._stored(rows[0]) if rows else None

    def list(self) -> Iterator[StoredRecord]:
        """Return the records of all chats, by their keys. Raises as `load`."""
        last = ""
        while rows := self._read("WHERE key > ? ORDER BY key LIMIT ?", (last, _PAGE)):
            for row in rows:
                yield self._stored(row)
            last = rows[-1][0]

    def save(
        self, key: str, record: dict[str, Any], version: int, statements: Sequence[Statement] = ()
    ) -> Future[None]:
        """Save a record; as `Store.save`. Raises ValueError if it is not JSON.

        `statements` are executed in the same transaction. If one fails, the future has its error,
        an `sqlite3.Error`, and neither they nor the record are saved.
        """
        text = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()
        return self._writer.submit(RecordWrite(check_key(key), version, text, statements))

    def delete(self, key: str, version: int) -> None:
        """Delete a record; as `Store.delete`."""
        write = RecordWrite(check_key(key), version, b"")
        task = TaskWrite(lambda database: self._delete(database, write))
        self._writer.submit(task, is_urgent=True).result()

    def close(self) -> None:
        """Write what is due, release all chats, and close the file."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._owner_lock is not None:
            owned = "DELETE FROM chatfsm_leases WHERE owner = ?"
            self._writer.submit(TaskWrite(lambda base: base.execute(owned, (self._owner,))))
        self._writer.close()
        if self._owner_lock is not None:
            unlock(self._owner_lock, self._lock_path(self._owner))
        with self._reading:
            self._reader.close()

    def _lock_path(self, owner: str) -> Path:
        return self.path.with_name(f".{self.path.name}.{owner}.lock")

    def _read(
        self, condition: str, parameters: tuple[object, ...]
    ) -> builtins.list[tuple[Any, ...]]:
        query = f"SELECT key, version, record, digest FROM chatfsm_chats {condition}"  # noqa: S608
        with self._reading:
            if self._is_closed:
                raise LocalProtocolError("cannot read chats: the store is closed")
            try:
                with closing(self._reader.execute(query, parameters)) as cursor:
                    return cursor.fetchall()
            except ERRORS as error:
                raise error_from(error, self.path) from None

    def _stored(self, row: tuple[Any, ...]) -> StoredRecord:
        key, version, text, digest = row
        if digest != digest_of(key, version, text.encode()):
            raise StoreError(f"{self.path} is damaged: a record is not as it was saved")
        return StoredRecord(key, version, json.loads(text))

    def _lease(self, database: sqlite3.Connection, key: str) -> None:
        while self._owner_lock is None:  # until no other process asks whether its owner lives
            self._owner_lock = open_locked(self._lock_path(self._owner))
        insert = "INSERT INTO chatfsm_leases VALUES (?, ?) ON CONFLICT DO NOTHING"
        while not database.execute(insert, (key, self._owner)).rowcount:
            query = "SELECT owner FROM chatfsm_leases WHERE key = ?"
            row = database.execute(query, (key,)).fetchone()
            if row[0] == self._owner or is_locked(self._lock_path(row[0])):
                raise LocalProtocolError(_OPEN)
            database.execute("DELETE FROM chatfsm_leases WHERE owner = ?", row)

    def _release(self, database: sqlite3.Connection, key: str) -> None:
        owned = (key, self._owner)
        database.execute("DELETE FROM chatfsm_leases WHERE key = ? AND owner = ?", owned)

    def _delete(self, database: sqlite3.Connection, write: RecordWrite) -> None:
        row = database.execute("SELECT 1 FROM chatfsm_chats WHERE key = ?", (write.key,)).fetchone()
        if row is not None and conflicting_keys(database, [write], self._owner):
            raise StoreConflictError("the chat was saved or leased by another process or chat")
        database.execute("DELETE FROM chatfsm_chats WHERE key = ?", (write.key,))
