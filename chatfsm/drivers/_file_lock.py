"""File locks: a locked file shows other processes that its owner is alive.

The system unlocks a file at the end of the process, also by a crash.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["fcntl", "is_locked", "is_same_file", "open_locked", "unlock"]

_OWNER_ONLY: Final = 0o600
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def open_locked(path: Path) -> int | None:
    """Open a file, made if there is none, and lock it; None if it is locked already.

    Returns the descriptor; closing it unlocks the file. Raises OSError if it cannot be opened.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINKS, _OWNER_ONLY)
        try:
            if not _lock(descriptor):
                return None
            if is_same_file(descriptor, path):  # else its last owner has removed it
                locked, descriptor = descriptor, -1
                return locked
        finally:
            if descriptor != -1:
                os.close(descriptor)


def unlock(descriptor: int, path: Path) -> None:
    """Remove a file that `open_locked` has locked, and unlock it."""
    with suppress(OSError):
        path.unlink()
    os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether an owner of the file is alive; if not, the file is removed."""
    try:
        descriptor = os.open(path, os.O_RDWR | _NO_LINKS)
    except FileNotFoundError:
        return False
    # A shared lock, so that those who ask at the same time do not take each other for the owner.
    if not _lock(descriptor, is_shared=True):
        os.close(descriptor)
        return True
    unlock(descriptor, path)
    return False


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether the file of a descriptor is the one at this path."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _lock(descriptor: int, *, is_shared: bool = False) -> bool:
    try:
        if fcntl is not None:
            kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        else:
            import msvcrt  # noqa: PLC0415  # of Windows

            module: Any = msvcrt
            module.locking(descriptor, module.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    return True
