"""`chatfsm replay --jobs`: several processes hear a share of the chats each, and one prints.

What they print is what one process prints, byte for byte.
"""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import active_count, current_thread, main_thread
from typing import Any, Final

from attrs import define, field

from chatfsm.errors import ChatError
from chatfsm.recording import command
from chatfsm.recording.desk import UNREADABLE, Desk, desk_for
from chatfsm.recording.glance import Share
from chatfsm.recording.outputs import Output
from chatfsm.recording.printing import Progress
from chatfsm.scale.pieces import Crash, Farewell, Parcel, Piece, in_order
from chatfsm.scale.worker import work
from chatfsm.statuses import INTERRUPTED

__all__ = ["Worker", "WorkerError", "finish", "print_in_order", "run"]

# A process that was told to end, and does not within so many seconds, is killed.
_PATIENCE: Final = 5.0


class WorkerError(ChatError):
    """A worker has ended before it had read all; the text says at which input."""


def run(options: Namespace) -> int:
    """Replay as the command line says, in several processes where that can be."""
    if options.jobs == 1 or not _can_be_shared(options):
        return command.run(options)
    desk = desk_for(options)
    context = _context()
    stop = context.RawValue("b", 0)
    workers = [Worker(Share(n, options.jobs, options.chat_id)) for n in range(options.jobs)]
    is_stopped = False
    with _interrupting(stop):
        try:
            with _ignoring_interrupts():
                for worker in workers:
                    worker.start(context, options, desk.output, stop)
            is_stopped = print_in_order([worker.pieces(desk.progress) for worker in workers], desk)
        except WorkerError as error:
            desk.complain(error, UNREADABLE)
        except KeyboardInterrupt:
            stop.value = 1
        finally:
            for worker in workers:
                worker.end()
    if stop.value:
        desk.complain("interrupted: this is what was read so far", INTERRUPTED)
        is_stopped = False
    return finish(options, desk, is_stopped=is_stopped, agreed=sum(w.agreed for w in workers))


def print_in_order(workers: list[Iterator[Piece]], desk: Desk) -> bool:
    """Print what workers say; returns whether it ended where only one of them can."""
    for piece in in_order(workers):
        if piece.is_stop:
            return True
        if piece.is_complaint:
            desk.complain(piece.text, UNREADABLE)
        elif piece.over is not None:
            desk.over(piece.over, piece.text)
        elif piece.text:
            desk.printer.step(piece.text)
    return False


def finish(options: Namespace, desk: Desk, *, is_stopped: bool, agreed: int) -> int:
    """Print what is said in the end, or the rest by one process; returns the exit status."""
    if is_stopped:
        # Only a process that hears all knows how the other chats stood then.
        return command.replay(options, desk.again())
    return desk.end(options, agreed)


def _can_be_shared(options: Namespace) -> bool:
    """Whether every worker can read all for itself, and know all that it has to."""
    # The clock of --close-after is that of all chats; a pipe can be read once.
    if options.close_after is not None:
        return False
    return all(name != "-" and Path(name).is_file() for name in options.files)


def _context() -> BaseContext:
    """How a worker starts: as a copy of this process, which has loaded all, where that is safe.

    It is not beside threads, whose locks would be copied as they stand, nor on macOS, whose
    libraries start some.
    """
    return get_context("fork" if sys.platform == "linux" and active_count() == 1 else "spawn")


def _begin(heard: Connection, work: Callable[..., None], words: tuple[Any, ...]) -> None:
    """Work, in a process that has let go of the end of the pipe where it is heard.

    Else a pipe would never break for it, and it would outlive the process that prints.
    """
    heard.close()
    work(*words)


@define
class Worker:
    """A process that hears a share of the chats, and what it says."""

    share: Share
    agreed: int = 0
    """How many entries of journals agree, once it has read all."""
    _process: Any = None
    """None before it is started."""
    _pipe: Connection = field(init=False)
    _where: str = "the start"

    def start(self, context: Any, options: Namespace, output: Output, stop: Any) -> None:
        """Begin to read."""
        self._pipe, other = context.Pipe(duplex=False)
        words = (options, output, self.share, other, stop)
        begin = (self._pipe, work, words)
        self._process = context.Process(target=_begin, args=begin, daemon=True)
        self._process.start()
        other.close()  # so that the pipe ends with the process

    def pieces(self, progress: Progress) -> Iterator[Piece]:
        """All that it says. Raises `WorkerError` where it ends before it has read all."""
        while not isinstance(word := self._heard(), Farewell):
            if isinstance(word, Crash):
                raise WorkerError(f"a worker of --jobs failed: {word.why}")
            self._where = word.where
            if self.share.index == 0 and word.reached is not None:  # all read all
                progress.show(word.reached, word.records)
            yield from word.pieces
        self.agreed = word.agreed

    def end(self) -> None:
        """End it, whatever it does."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(_PATIENCE)
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()

    def _heard(self) -> Parcel | Farewell | Crash:
        try:
            word: Parcel | Farewell | Crash = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(_PATIENCE)
            code = self._process.exitcode
            how = f"was ended by signal {-code}" if code and code < 0 else f"ended with {code}"
            raise WorkerError(f"a worker of --jobs {how}, after {self._where}") from None
        return word


@contextmanager
def _interrupting(stop: Any) -> Iterator[None]:
    """Let the first Ctrl-C end the workers, which then say what they know; the next one all."""

    def interrupt(_number: int, _frame: object) -> None:
        if stop.value:
            raise KeyboardInterrupt
        stop.value = 1

    with _handling(interrupt):
        yield


def _ignoring_interrupts() -> AbstractContextManager[None]:
    """What is started meanwhile does not hear of Ctrl-C, not even before it runs Python."""
    return _handling(signal.SIG_IGN)


@contextmanager
def _handling(handler: Any) -> Iterator[None]:
    """Handle Ctrl-C so, where it is heard at all: in the main thread, and unless it is ignored."""
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
