"""SQLite file: how the database of a store is opened, made and checked."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from chatfsm.errors import StoreError

__all__ = [
    "ERRORS",
    "check_database",
    "connect",
    "digest_of",
    "error_from",
    "make_schema",
]

VERSION: Final = 1
_OWNER_ONLY: Final = 0o600  # a record holds messages of people
_PATIENCE: Final = 10.0
"""Seconds to wait for a transaction of another process."""
_SCHEMA: Final = (
    "CREATE TABLE chatfsm_schema (version INTEGER NOT NULL)",
    """CREATE TABLE chatfsm_chats (
        key TEXT PRIMARY KEY NOT NULL,
        version INTEGER NOT NULL,
        record TEXT NOT NULL,
        digest TEXT NOT NULL
    )""",
    "CREATE TABLE chatfsm_leases (key TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL)",
)
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
# What is wrong with the disk or the file, by the lower byte of SQLite's code, is an OSError.
_ERRNO: Final = {
    5: errno.EBUSY,
    8: errno.EROFS,
    10: errno.EIO,
    13: errno.ENOSPC,
    14: errno.EACCES,
}
ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises: the second for a message that is not UTF-8, of a damaged schema."""
_DAMAGED: Final = frozenset({11, 26})  # SQLITE_CORRUPT, SQLITE_NOTADB


def connect(path: Path) -> sqlite3.Connection:
    """Open a database, made if there is none. Raises OSError or `StoreError`.

    Its transactions are on the disk once they are committed.
    """
    # SQLite would make a file that others can read; its other files get the mode of this one.
    # A file that is there is not opened: to close it would end the locks of SQLite in this process,
    # and another process could then delete the log of a database that is in use
    # (https://sqlite.org/howtocorrupt.html, 2.2).
    with suppress(FileExistsError):
        os.close(os.open(path, _NEW, _OWNER_ONLY))
    try:
        database = sqlite3.connect(
            path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
        )
    except ERRORS as error:
        raise error_from(error, path) from None
    # A text that is damaged is found by its digest. An error of sqlite3 would quote it.
    database.text_factory = lambda text: text.decode(errors="replace")
    try:
        database.execute("PRAGMA journal_mode = WAL").fetchone()
        database.execute("PRAGMA synchronous = FULL")
    except ERRORS as error:
        database.close()
        raise error_from(error, path) from None
    return database


def make_schema(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables if there are none. Raises `StoreError` if they are of a newer version."""
    try:
        database.execute("BEGIN IMMEDIATE")
        query = "SELECT 1 FROM sqlite_master WHERE name = 'chatfsm_schema'"
        if database.execute(query).fetchone() is None:
            for statement in _SCHEMA:
                database.execute(statement)
            database.execute("INSERT INTO chatfsm_schema VALUES (?)", (VERSION,))
        versions = database.execute("SELECT version FROM chatfsm_schema").fetchall()
        database.execute("COMMIT")
    except ERRORS as error:
        raise error_from(error, path) from None
    if versions != [(VERSION,)]:
        raise StoreError(f"{path} is of another version of chatfsm: its schema must be {VERSION}")


def check_database(database: sqlite3.Connection, path: Path) -> None:
    """Read the whole file. Raises `StoreError` if it is damaged.

    SQLite has no checksums, so a record with another text than was saved is found by its digest.
    """
    try:
        [first, *_] = database.execute("PRAGMA integrity_check(1)").fetchone()
        if first != "ok":
            raise StoreError(f"{path} is damaged: {first}")
        query = "SELECT key, version, CAST(record AS BLOB), digest FROM chatfsm_chats"
        for key, version, text, digest in database.execute(query):
            if digest != digest_of(key, version, text):
                raise StoreError(f"{path} is damaged: a record is not as it was saved")
    except ERRORS as error:
        raise error_from(error, path) from None


def digest_of(key: str, version: int, text: bytes) -> str:
    """Return the digest of a record."""
    return blake2b(f"{key}\n{version}\n".encode() + text, digest_size=16).hexdigest()


def error_from(error: Exception, path: Path) -> Exception:
    """Return the error of a store for one of SQLite."""
    if isinstance(error, UnicodeDecodeError):  # the message has a damaged name
        return StoreError(f"{path} is damaged")
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _ERRNO:
        number = _ERRNO[code]
        return OSError(number, f"{os.strerror(number)} ({error})", str(path))
    if code in _DAMAGED:
        return StoreError(f"{path} is damaged, or no database of chats: {error}")
    return StoreError(f"{path} cannot be used: {error}")
