"""What is typed, or piped in: read by a thread that can be told to stop."""

from __future__ import annotations

import codecs
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

__all__ = ["keys_of", "reading"]

_PIECE = 4_096


@contextmanager
def reading(descriptor: int, hear: Callable[[str | None], object]) -> Iterator[None]:
    """In this block, what comes is heard piece by piece; None at its end."""
    stop, stopping = os.pipe()
    thread = Thread(target=_read, args=(descriptor, stop, hear), name="chatfsm-keyboard")
    thread.start()
    try:
        yield
    finally:
        os.close(stopping)
        thread.join()
        os.close(stop)


def _read(descriptor: int, stop: int, hear: Callable[[str | None], object]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        ready, _, _ = select.select([descriptor, stop], [], [])
        if stop in ready:
            return
        piece = os.read(descriptor, _PIECE)
        text = decoder.decode(piece, final=not piece)
        if text:
            hear(text)
        if not piece:
            hear(None)
            return


@contextmanager
def keys_of(descriptor: int) -> Iterator[None]:
    """In this block, a terminal gives each key at once, and does not show it by itself."""
    import termios  # noqa: PLC0415  # not every system has terminals
    import tty  # noqa: PLC0415

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)  # keeps what was typed already
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
