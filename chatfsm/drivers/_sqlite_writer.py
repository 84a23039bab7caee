"""SQLite writer: a thread that writes all that is due in one transaction (group commit)."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from threading import Condition, Thread
from typing import Final

from attrs import define, field, frozen

from chatfsm.drivers._sqlite_file import connect, digest_of, error_from
from chatfsm.drivers._stores import Statement
from chatfsm.errors import ChatError, LocalProtocolError, StoreConflictError

__all__ = ["RecordWrite", "SqliteWriter", "TaskWrite", "conflicting_keys"]

_CONFLICT: Final = "the chat was saved, deleted or leased by another process or chat"
# One statement for all records: after each statement the thread waits for the interpreter, which
# the event loop has, so that a statement for each record would take milliseconds each. The records
# are parts of one blob, as they would have to be quoted in JSON.
_ITEMS: Final = """
    WITH items AS (
        SELECT json_extract(value, '$[0]') AS key, json_extract(value, '$[1]') AS version,
            json_extract(value, '$[2]') AS start, json_extract(value, '$[3]') AS size,
            json_extract(value, '$[4]') AS digest
        FROM json_each(:items)
    )
"""
_CONFLICTS: Final = f"""{_ITEMS}
    SELECT json_group_array(items.key) FROM items
    LEFT JOIN chatfsm_chats AS chats USING (key) LEFT JOIN chatfsm_leases AS leases USING (key)
    WHERE ifnull(chats.version, 0) <> items.version OR ifnull(leases.owner, :owner) <> :owner
"""  # noqa: S608  # constant
_SAVE: Final = f"""{_ITEMS}
    INSERT INTO chatfsm_chats (key, version, record, digest)
    SELECT key, version + 1, CAST(substr(:texts, start + 1, size) AS TEXT), digest
    FROM items WHERE true
    ON CONFLICT (key) DO UPDATE SET
        version = excluded.version, record = excluded.record, digest = excluded.digest
"""  # noqa: S608  # constant


@frozen(eq=False)
class RecordWrite:
    """A record that is to be saved in place of the one of a version."""

    key: str = field(repr=False)
    version: int
    text: bytes = field(repr=False)
    statements: Sequence[Statement] = field(default=(), repr=False)
    answer: Future[None] = field(factory=Future)


@frozen(eq=False)
class TaskWrite:
    """Another change of the database. If it raises a `ChatError` or OSError, it changes nothing."""

    run: Callable[[sqlite3.Connection], object]
    answer: Future[None] = field(factory=Future)


Write = RecordWrite | TaskWrite


@define(eq=False, repr=False)
class SqliteWriter:
    """The writes of one store. The thread starts with the first, and ends with `close`."""

    path: Path
    owner: str
    """Name of the store in the leases."""
    max_delay: float
    """Seconds that the first of several writes waits for others."""
    commits: int = field(default=0, init=False)
    saves: int = field(default=0, init=False)
    _queue: list[Write] = field(factory=list, init=False)
    _queued_at: float = field(default=0.0, init=False)
    """When the first of the queue came, by `time.monotonic`."""
    _is_urgent: bool = field(default=False, init=False)
    _is_closed: bool = field(default=False, init=False)
    _changed: Condition = field(factory=Condition, init=False)
    _thread: Thread | None = field(default=None, init=False)

    def submit(self, write: Write, *, is_urgent: bool = False) -> Future[None]:
        """Write soon, or at once if it is urgent; return the future that is done when it is."""
        with self._changed:
            if self._is_closed:
                raise LocalProtocolError("cannot save a chat: the store is closed")
            if self._thread is None:
                database = connect(self.path)
                self._thread = Thread(
                    target=self._run, args=(database,), name="chatfsm-store", daemon=True
                )
                self._thread.start()
            if not self._queue:
                self._queued_at = time.monotonic()
            if is_urgent or not self._queue:  # else the thread is awake
                self._changed.notify_all()
            self._is_urgent |= is_urgent
            self._queue.append(write)
        return write.answer

    def close(self) -> None:
        """Write what is due, and end the thread. Further writes are refused."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self, database: sqlite3.Connection) -> None:
        with closing(database):
            while group := self._next_group():
                _answer(group, self._written(database, group))

    def _next_group(self) -> list[Write]:
        """Wait for writes; return none once the writer is closed."""
        with self._changed:
            while not self._queue and not self._is_closed:
                self._changed.wait()
            until = self._queued_at + self.max_delay
            while not self._is_urgent and not self._is_closed:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            group, self._queue, self._is_urgent = self._queue, [], False
            return group

    def _written(self, database: sqlite3.Connection, group: list[Write]) -> dict[Write, Exception]:
        """Write a group in one transaction; return the errors of those that were not written.

        If a statement of the app fails, all is written again, now with each such write alone.
        """
        records = [write for write in group if isinstance(write, RecordWrite)]
        together = [write for write in records if not write.statements]
        try:
            try:
                errors = self._transact(database, group, records, [])
            except _StatementError:
                alone = [write for write in records if write.statements]
                errors = self._transact(database, group, together, alone)
        except Exception as error:  # noqa: BLE001  # each write has to be answered
            _roll_back(database)
            return dict.fromkeys(group, error_from(error, self.path))
        self.commits += 1
        self.saves += len(records)
        return errors

    def _transact(
        self,
        database: sqlite3.Connection,
        group: list[Write],
        together: list[RecordWrite],
        alone: list[RecordWrite],
    ) -> dict[Write, Exception]:
        _roll_back(database)
        database.execute("BEGIN IMMEDIATE")
        errors = self._save(database, together)
        for write in together:
            if write not in errors:
                _execute(database, write.statements)
        for write in alone:
            database.execute("SAVEPOINT alone")
            try:
                errors |= self._save(database, [write])
                if write not in errors:
                    _execute(database, write.statements)
            except _StatementError as error:
                errors[write] = error.error
                database.execute("ROLLBACK TO alone")
            database.execute("RELEASE alone")
        for task in group:
            if isinstance(task, TaskWrite):
                try:
                    task.run(database)
                except (ChatError, OSError) as error:
                    errors[task] = error
        database.execute("COMMIT")
        return errors

    def _save(
        self, database: sqlite3.Connection, writes: Sequence[RecordWrite]
    ) -> dict[Write, Exception]:
        """Save records; return the errors of those that another one has saved meanwhile."""
        first = {write.key: write for write in reversed(writes)}
        conflicts = conflicting_keys(database, [*first.values()], self.owner)
        fitting = [write for write in first.values() if write.key not in conflicts]
        if fitting:
            blob = b"".join(write.text for write in fitting)
            database.execute(_SAVE, {"items": _items(fitting), "texts": blob})
        return {write: StoreConflictError(_CONFLICT) for write in {*writes} - {*fitting}}


@define
class _StatementError(Exception):
    """A statement of the app has failed."""

    error: Exception


def _execute(database: sqlite3.Connection, statements: Sequence[Statement]) -> None:
    """Execute statements of the app. Raises `_StatementError` if one is wrong."""
    for statement in statements:
        try:
            database.execute(*statement)
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            if not database.in_transaction or isinstance(error_from(error, Path()), OSError):
                raise  # not for what it says, but of the disk
            raise _StatementError(error) from None


def _roll_back(database: sqlite3.Connection) -> None:
    if database.in_transaction:
        database.execute("ROLLBACK")


def conflicting_keys(
    database: sqlite3.Connection, writes: Sequence[RecordWrite], owner: str
) -> frozenset[str]:
    """Return the keys with another version than expected, or that another owner has leased."""
    if not writes:
        return frozenset()
    given = {"items": _items(writes), "owner": owner}
    (keys,) = database.execute(_CONFLICTS, given).fetchone()
    return frozenset(json.loads(keys))


def _items(writes: Sequence[RecordWrite]) -> str:
    """Return what `_ITEMS` reads: where each record is in the blob of all."""
    start, items = 0, []
    for write in writes:
        digest = digest_of(write.key, write.version + 1, write.text)
        items.append([write.key, write.version, start, len(write.text), digest])
        start += len(write.text)
    return json.dumps(items)


def _answer(group: Sequence[Write], errors: dict[Write, Exception]) -> None:
    for write in group:
        error = errors.get(write)
        if error is None:
            write.answer.set_result(None)
        else:
            write.answer.set_exception(error)
