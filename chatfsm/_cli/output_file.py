"""Output files that are written completely or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from chatfsm.errors import UnreadableLogError

__all__ = ["check_target", "new_file", "write_file"]


def check_target(target: Path, *, force: bool) -> None:
    """Raise `UnreadableLogError` if a file exists already, unless it may be overwritten."""
    if target.exists() and not force:
        raise UnreadableLogError(f"{target}: the file exists already; --force overwrites it")


def write_file(target: Path, texts: Iterable[str]) -> int:
    """Write texts to a file, in place of one that exists; return how many were not empty.

    The texts may be made while they are written: if making them fails, nothing is left behind.
    """
    target = target.resolve()  # overwrite the target of a link, not the link
    if target.exists() and not target.is_file():  # a device or a pipe cannot be replaced
        with target.open("w", encoding="utf-8") as out:
            return sum(out.write(text) > 0 for text in texts)
    # Half a log would pass for a log.
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    with open(new_file(partial, target), "w", encoding="utf-8") as out:  # a descriptor
        try:
            count = sum(out.write(text) > 0 for text in texts)
            out.flush()
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return count


def new_file(path: Path, replaced: Path) -> int:
    """Return the descriptor of a new file with the mode of the file that it will replace.

    Without one, the umask decides, as with any other file that a command writes.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o666)
    if replaced.exists() and hasattr(os, "fchmod"):
        os.fchmod(descriptor, replaced.stat().st_mode & 0o777)
    return descriptor
