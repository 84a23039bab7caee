"""Stores: what a driver needs of a place for the record of one chat, and of many chats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from math import inf
from typing import Any, Final, Protocol

from attrs import define, field, frozen

from chatfsm.errors import LocalProtocolError

__all__ = [
    "ASKED_IN_TRANSACTION",
    "ChatInStore",
    "ChatStore",
    "Statement",
    "Store",
    "StoredRecord",
    "Transaction",
    "check_key",
    "transaction_of",
]


Statement = tuple[str, Sequence[Any] | Mapping[str, Any]]
"""An SQL statement of the app's, and its parameters."""


class ChatStore(Protocol):
    """A place for the record of one chat.

    `Chat.connect` calls `lock` before `load` and `close` at the end of the chat, if the store has
    them, as `FileStore` and `ChatInStore` have.
    """

    def load(self) -> dict[str, Any] | None:
        """Return the record that was saved last; None if there is none."""

    def save(self, record: dict[str, Any]) -> object:
        """Save a record in place of the last.

        Returns once the record is safe; or at once, with a `concurrent.futures.Future` that is done
        when it is safe, or has the error. A driver sends nothing before, and does not call `save`
        again before.
        """


@frozen
class StoredRecord:
    """The record of a chat in a store, with its key and its version."""

    key: str
    """Key of the chat in the store, 1 to 200 printable characters."""
    version: int
    """Number of saves, 1 or more."""
    record: dict[str, Any] = field(repr=False)
    """The JSON object that was saved last, with what people wrote; in no repr."""

    @property
    def due(self) -> float:
        """Time of the chat's deadline, in seconds since 1970; inf if it has none."""
        due = self.record.get("due")
        return float(due) if isinstance(due, (int, float)) else inf


class Store(Protocol):
    """A place for the records of many chats, each under a key, a text of 1 to 200 characters.

    A record is a JSON object, which the store need not understand. A process that drives a chat
    leases it, so that no second one does. Methods may be called by several threads at once, and
    raise OSError, or an error of the store's own, if the store cannot be reached.
    """

    def lease(self, key: str) -> None:
        """Lease the chat for this process alone, until `release` or the end of the process.

        The chat need not exist. Raises `LocalProtocolError` if it is leased already, by this store
        too.
        """

    def release(self, key: str) -> None:
        """End a lease of this store. Harmless if there is none."""

    def load(self, key: str) -> StoredRecord | None:
        """Return the record that was saved last; None if there is none."""

    def save(self, key: str, record: dict[str, Any], version: int) -> Future[None] | None:
        """Save a record in place of the one of `version`, 0 if there is none.

        It gets the next version. There is one save of a chat at a time. Returns None once the
        record is safe; or at once, with a future that is done when it is.
        Raises, or the future has, `StoreConflictError` if the stored version is another one, or the
        chat is leased by another process; then, and after any other error, the last record is left.
        """

    def delete(self, key: str, version: int) -> None:
        """Delete the record of this version. Raises as `save`. Harmless if there is none."""

    def list(self) -> Iterable[StoredRecord]:
        """Return the records of all chats, in any order, also of those that are leased."""
        ...


_MAX_KEY: Final = 200


def check_key(key: str) -> str:
    """Return the key of a chat. Raises `LocalProtocolError` if no store can have it."""
    if not isinstance(key, str) or not 1 <= len(key) <= _MAX_KEY or not key.isprintable():
        raise LocalProtocolError(
            f"cannot store a chat: its key must be 1 to {_MAX_KEY} printable characters"
        )
    return key


@define(eq=False)
class ChatInStore:
    """One chat of a `Store`, as a `ChatStore` for `Chat.connect`."""

    store: Store
    """The store that has this chat and other ones."""
    key: str = field(converter=check_key)
    """Key of the chat in the store, 1 to 200 printable characters."""
    _version: int = field(default=0, init=False, repr=False)
    _saving: Future[None] | None = field(default=None, init=False, repr=False)
    """The last save, if its version does not count yet."""
    _is_leased: bool = field(default=False, init=False, repr=False)

    @property
    def version(self) -> int:
        """Version of the record that was loaded or saved last; 0 if there is none.

        Waits for a save that is in progress.
        """
        # Not by a callback of the future: that may run after the future is seen to be done.
        saving, self._saving = self._saving, None
        if saving is not None:
            with suppress(CancelledError):
                self._version += saving.exception() is None
        return self._version

    def lock(self) -> None:
        """Lease the chat until `close`. Raises as `Store.lease`."""
        if not self._is_leased:
            self.store.lease(self.key)
            self._is_leased = True

    def load(self) -> dict[str, Any] | None:
        """Return the record that was saved last; None if there is none."""
        found = self.store.load(self.key)
        self._saving, self._version = None, 0 if found is None else found.version
        return None if found is None else found.record

    @property
    def takes_statements(self) -> bool:
        """Whether `save` can execute statements of the app in its transaction."""
        return bool(getattr(self.store, "takes_statements", False))

    def save(
        self, record: dict[str, Any], statements: Sequence[Statement] = ()
    ) -> Future[None] | None:
        """Save a record in place of the last; as `Store.save`, or `SqliteStore.save`."""
        save: Callable[..., Future[None] | None] = self.store.save
        given = (statements,) if statements else ()
        saving = save(self.key, record, self.version, *given)
        if saving is None:
            self._version += 1
        self._saving = saving
        return saving

    def delete(self) -> None:
        """Delete the record."""
        if self.version:
            self.store.delete(self.key, self.version)
            self._version = 0

    def close(self) -> None:
        """Release the chat."""
        if self._is_leased:
            self._is_leased = False
            self.store.release(self.key)

    def __del__(self) -> None:
        with suppress(Exception):  # the constructor may have raised, or the store be closed
            self.close()


_OF_TRANSACTIONS: Final = frozenset(
    {"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "VACUUM"}
)
ASKED_IN_TRANSACTION: Final = (
    "cannot ask the server while an effect is handled: the request would wait for the end of the"
    " block, and the block for the reply"
)


@define(eq=False)
class Transaction:
    """SQL statements of the app, written in the same transaction as the record of the chat."""

    is_supported: bool = field(repr=False)
    """Whether the chat is in a store that executes statements: an `SqliteStore`."""
    statements: list[Statement] = field(factory=list, init=False, repr=False)
    """SQL texts with their parameters, in the order of `execute`; in no repr."""

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """Execute an SQL statement at the end of the block, in the transaction of the store.

        Raises `LocalProtocolError` unless the chat is in an `SqliteStore`, and for a statement that
        would end the transaction.
        """
        if not self.is_supported:
            raise LocalProtocolError("cannot execute SQL: the chat is in no SqliteStore")
        if sql.lstrip().partition(" ")[0].upper().rstrip(";") in _OF_TRANSACTIONS:
            raise LocalProtocolError("cannot execute SQL: a transaction begins and ends by itself")
        self.statements.append((sql, parameters))


def transaction_of(store: object) -> Transaction:
    """Return a transaction with the store of a chat, or with none."""
    return Transaction(isinstance(store, ChatInStore) and store.takes_statements)
