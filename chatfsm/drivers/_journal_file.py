"""Journal file: the lines of journals in a file, with the time of day at which each was written."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from attrs import define, field

from chatfsm._client.journal import stamp

__all__ = ["JournalFile", "stamped"]

_OWNER_ONLY: Final = 0o600  # a journal holds messages of people


def stamped(
    write: Callable[[str], object], wall_clock: Callable[[], float] = time.time
) -> Callable[[str], object]:
    """Return a journal that adds `received_at`, seconds since 1970, to each line for `write`.

    Journals have the times of the driver's clock, which begins anew with the computer.
    """
    return lambda line: write(stamp(line, wall_clock()))


@define(eq=False)
class JournalFile:
    """A file that journals are appended to, in a `with` block; call it with whole lines.

    A new file is for its owner alone. A last line that a crash has torn is ended first, so that the
    next line stands for itself. The constructor, and each call, raise OSError.
    """

    path: str | os.PathLike[str]
    """Path of the file; made if it does not exist."""
    _descriptor: int = field(init=False, repr=False)
    _is_torn: bool = field(default=False, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(self.path, flags, _OWNER_ONLY)
        try:
            self._is_torn = _is_torn(self.path, self._descriptor)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def __call__(self, line: str) -> None:
        """Append a line."""
        rest = memoryview((b"\n" if self._is_torn else b"") + line.encode())
        self._is_torn = True
        while rest:  # a disk that is full may take a part
            rest = rest[os.write(self._descriptor, rest) :]
        self._is_torn = False


def _is_torn(path: str | os.PathLike[str], descriptor: int) -> bool:
    """Whether a file ends within a line; a pipe or a device does not."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        return False
    with open(path, "rb") as file:  # noqa: PTH123  # any path
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
