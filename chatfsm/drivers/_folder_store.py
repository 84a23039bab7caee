"""Folder store: the records of many chats, each in a file of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from attrs import define, field

from chatfsm.drivers._state_file import FileStore
from chatfsm.drivers._stores import ChatInStore, StoredRecord, check_key
from chatfsm.errors import LocalProtocolError, SnapshotError, StoreConflictError

__all__ = ["FolderStore"]

_SUFFIX: Final = ".chat"
_UNSAFE: Final = re.compile(r"[^a-z0-9_-]")
_MAX_NAME: Final = 200
"""Bytes of a file name; the lock and a new file have longer ones, and systems allow 255."""


@define(eq=False)
class FolderStore:
    """A `Store` in a folder with one file per chat, which its owner alone may read.

    Each save waits for the disk; for hundreds of chats take `SqliteStore`.
    A lease is a lock of the chat's file, and ends with the process.
    """

    path: Path = field(converter=Path)
    """Path of the folder; made if it does not exist."""
    _leased: dict[str, FileStore] = field(factory=dict, init=False, repr=False)
    _versions: dict[str, int] = field(factory=dict, init=False, repr=False)
    """Versions of leased chats, which no other process changes."""

    def __attrs_post_init__(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def chat(self, key: str) -> ChatInStore:
        """Return one chat of the store, for `Chat.connect`."""
        return ChatInStore(self, key)

    def lease(self, key: str) -> None:
        """Lock the file of a chat; as `Store.lease`."""
        if key in self._leased:
            raise LocalProtocolError("cannot open the chat: another chat has it open")
        file = self._file(key)
        file.lock()
        self._leased[key] = file

    def release(self, key: str) -> None:
        """Unlock the file of a chat."""
        self._versions.pop(key, None)
        file = self._leased.pop(key, None)
        if file is not None:
            file.close()

    def load(self, key: str) -> StoredRecord | None:
        """Return the record of a chat. Raises `SnapshotError` if its file holds something else."""
        return _stored(key, self._leased.get(key) or self._file(key))

    def save(self, key: str, record: dict[str, Any], version: int) -> None:
        """Save a record; it is on the disk when this returns. As `Store.save`."""
        file = self._leased.get(key)
        if file is None:
            self._file(key)  # checks the key
            try:
                self.lease(key)
            except LocalProtocolError:
                raise StoreConflictError("the chat is leased by another process or chat") from None
            try:
                self.save(key, record, version)
            finally:
                self.release(key)
            return
        if self._versions.get(key, -1) != version:
            self._check_version(key, file, version)
        file.save({"version": version + 1, "record": record})
        self._versions[key] = version + 1

    def delete(self, key: str, version: int) -> None:
        """Delete the file of a chat; as `Store.delete`."""
        file = self._leased.get(key) or self._file(key)
        if file.load() is not None:
            self._check_version(key, file, version)
            file.path.unlink()
            self._versions.pop(key, None)

    def list(self) -> Iterator[StoredRecord]:
        """Return the records of all chats. Raises as `load`."""
        for path in sorted(self.path.glob(f"*{_SUFFIX}")):
            key = unquote(path.name.removesuffix(_SUFFIX))
            if path == self._file(key).path and (stored := self.load(key)) is not None:
                yield stored

    def close(self) -> None:
        """Release all chats."""
        for key in [*self._leased]:
            self.release(key)

    def _file(self, key: str) -> FileStore:
        """Return the file of a key, whose name is safe, also on systems that ignore case."""
        name = _UNSAFE.sub(_quoted, check_key(key))
        if len(name) > _MAX_NAME:
            raise LocalProtocolError("cannot store a chat: the file name of its key is too long")
        return FileStore(self.path / (name + _SUFFIX))

    def _check_version(self, key: str, file: FileStore, version: int) -> None:
        stored = _stored(key, file)
        if version != (0 if stored is None else stored.version):
            raise StoreConflictError("the chat was saved or deleted by another process or chat")


def _quoted(letter: re.Match[str]) -> str:
    return "".join(f"%{byte:02x}" for byte in letter[0].encode())


def _stored(key: str, file: FileStore) -> StoredRecord | None:
    content = file.load()
    if content is None:
        return None
    version, record = content.get("version"), content.get("record")
    if type(version) is not int or not isinstance(record, dict):
        raise SnapshotError(
            f"{file.path} is not a chat of a store: it must have version and record"
        )
    return StoredRecord(key, version, record)
