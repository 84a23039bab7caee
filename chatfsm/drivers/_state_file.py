"""State file: the record of one chat in a file that survives a crash at any time.

The first line is a record as JSON. Each later line is a change of it, so that saving costs what has
changed; the file is written anew when its changes are longer than the record.
"""

from __future__ import annotations

import errno
import json
import operator
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from chatfsm.drivers._file_lock import fcntl, is_same_file, open_locked, unlock
from chatfsm.errors import LocalProtocolError, SnapshotError

__all__ = ["FileStore"]

# A file of another program may have a change that does not fit the record.
_UNREADABLE: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
_MIN_CHANGES: Final = 64 * 1024
"""Bytes of changes below which a file is never written anew."""


@define(eq=False)
class FileStore:
    """A store in one file, which its owner alone may read. Use one file per chat.

    A crash at any time leaves the last record or the new one, whole. A path that is a link is
    written through.
    """

    path: Path = field(converter=Path)
    """Path of the file; `.NAME.lock` beside it is the lock of the chat."""
    _saved: dict[str, Any] | None = field(default=None, init=False, repr=False)
    """The record in the file, if this store has written it."""
    _file: int | None = field(default=None, init=False, repr=False)
    """Descriptor of the file that `_saved` is in."""
    _changes_left: int = field(default=0, init=False, repr=False)
    """Bytes that may be appended before the file is written anew."""
    _lock: int | None = field(default=None, init=False, repr=False)

    def load(self) -> dict[str, Any] | None:
        """Return the record in the file; None if there is no file.

        Raises `SnapshotError` if it is not a JSON object, OSError if it cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            record = _parse(content)
        except _UNREADABLE:
            raise SnapshotError(f"{self.path} is not a record of a chat: it is not JSON") from None
        if not isinstance(record, dict):
            raise SnapshotError(f"{self.path} is not a record of a chat: it is not a JSON object")
        return record

    def save(self, record: dict[str, Any]) -> None:
        """Save a record in place of the last; it is on the disk when this returns.

        Parts that are the same objects as in the last record are taken as unchanged. Raises OSError
        if the record cannot be written, ValueError if it is not JSON; then the last record is left.
        """
        last, self._saved = self._saved, None  # after a failure the file is written anew
        if last is None or not self._append(_difference(last, record)):
            self._write(record)
        self._saved = record

    def lock(self) -> None:
        """Keep other processes, and other stores, from locking the file until `close`.

        Raises `LocalProtocolError` if another one has locked it, OSError if it cannot be locked.
        """
        if self._lock is not None:
            return
        target = self._target()
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self.path))
        self._lock = open_locked(target.with_name(f".{target.name}.lock"))
        if self._lock is None:
            raise LocalProtocolError(
                f"cannot open the chat in {self.path}: another process or chat has it open"
            )
        for remains in target.parent.glob(f".{_literal(target.name)}.*.new"):  # of a crash
            with suppress(OSError):
                remains.unlink()

    def close(self) -> None:
        """Unlock the file. A later `save` opens it again."""
        self._saved = None
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._lock is not None:
            target = self._target()
            unlock(self._lock, target.with_name(f".{target.name}.lock"))
            self._lock = None

    def __del__(self) -> None:
        # Neither is there if the constructor has raised.
        for descriptor in (getattr(self, "_file", None), getattr(self, "_lock", None)):
            if descriptor is not None:
                os.close(descriptor)

    def _target(self) -> Path:
        return Path(os.path.realpath(self.path))

    def _append(self, difference: Any) -> bool:
        """Append a difference; return False if the file has to be written anew."""
        if difference is None:
            return True
        line = _encoded(difference)
        if self._file is None or len(line) > self._changes_left:
            return False
        if not is_same_file(self._file, self._target()):  # another program has replaced it
            return False
        _write_all(self._file, line)
        os.fsync(self._file)
        self._changes_left -= len(line)
        return True

    def _write(self, record: dict[str, Any]) -> None:
        """Replace the file."""
        text = _encoded(record)
        target = self._target()
        # The name is new and random, and is no link: in a folder of many users, any other name may
        # have been put there by another user.
        descriptor, name = tempfile.mkstemp(".new", f".{target.name}.", target.parent)
        beside = Path(name)
        try:
            _write_all(descriptor, text)
            os.fsync(descriptor)
            if fcntl is None:  # Windows renames no open file
                os.close(descriptor)
            beside.replace(target)
        except BaseException:
            with suppress(OSError):
                os.close(descriptor)
            with suppress(OSError):
                beside.unlink()
            raise
        if self._file is not None:
            os.close(self._file)
        self._file = None if fcntl is None else descriptor
        self._changes_left = max(_MIN_CHANGES, len(text))
        _sync_folder(target.parent)


def _literal(name: str) -> str:
    """Return the pattern that matches a file name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    """Write the folder's entry of the new file to the disk, if the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encoded(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"


# Changes. A change is `{"value": new}`, `{"fields": {name: change}}` of an object, or
# `{"drop": count, "add": items}` of a list: items dropped at its begin and added at its end.


def _parse(content: bytes) -> Any:
    """Return the record of a file. Its last line counts only if it was written whole."""
    first, *changes = content.split(b"\n")
    if not changes:
        return json.loads(content)
    record = json.loads(first)
    changes.pop()  # what follows the last line end
    for number, line in enumerate(changes, start=1):
        try:
            record = _changed(record, json.loads(line))
        except ValueError:
            if number < len(changes):
                raise
    return record


def _changed(old: Any, change: dict[str, Any]) -> Any:
    if "value" in change:
        return change["value"]
    if "fields" in change:
        return {**old, **{key: _changed(old[key], part) for key, part in change["fields"].items()}}
    return [*old[change["drop"] :], *change["add"]]


def _difference(old: Any, new: Any) -> dict[str, Any] | None:
    """Return the change from one JSON value to another; None if there is none."""
    if old is new:
        return None
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        parts = {key: _difference(old[key], value) for key, value in new.items()}
        changes = {key: part for key, part in parts.items() if part is not None}
        return {"fields": changes} if changes else None
    if isinstance(old, list) and isinstance(new, list):
        dropped = _dropped(old, new)
        if dropped is not None:
            added = new[len(old) - dropped :]
            return {"drop": dropped, "add": added} if dropped or added else None
    # In Python 1 == True == 1.0 and 0.0 == -0.0, but not in JSON.
    is_equal = not isinstance(new, (dict, list)) and repr(old) == repr(new)
    return None if is_equal else {"value": new}


def _dropped(old: list[Any], new: list[Any]) -> int | None:
    """Return how many items were dropped at the begin; None if the list changed otherwise."""
    same: Callable[[Any, Any], bool] = operator.is_
    if {*map(type, old), *map(type, new)} <= {str}:
        same = operator.eq
    start = len(old)
    if new:
        first = new[0]
        start = next((at for at, item in enumerate(old) if same(item, first)), start)
    kept = old[start:]
    return start if len(kept) <= len(new) and all(map(same, kept, new)) else None
