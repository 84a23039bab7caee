"""`chatfsm replay --jobs`: several processes hear a share of the chats each, and one prints.

What they print is what one process prints, byte for byte.
"""

from __future__ import annotations

import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from heapq import merge
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import active_count, current_thread, main_thread
from typing import Any, Final, NamedTuple

from attrs import Factory, define, field

from chatfsm._cli import ExitCode, replay
from chatfsm._cli.replay import ReplayReporter, reporter_for, stream_for
from chatfsm._cli.replay_outputs import Output
from chatfsm._cli.terminal import ProgressBar
from chatfsm.errors import ChatError, ReplayDivergence, UnreadableLogError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.reader import RecordRun
from chatfsm.replay.sharding import Shard
from chatfsm.replay.sources import ReadPosition, Source
from chatfsm.replay.stats import ChatTotals
from chatfsm.replay.stream_replay import OutputKey, ReplayedChat, StreamReplay, ViolationError, read

__all__ = [
    "OutputPiece",
    "Worker",
    "WorkerBatch",
    "WorkerDone",
    "WorkerError",
    "WorkerFailed",
    "WorkerReporter",
    "finish",
    "merge_pieces",
    "print_in_order",
    "replay_shard",
    "run",
    "work",
]

# What workers say to the process that prints, and its order, which is that of one process.


class OutputPiece(NamedTuple):
    """Something that was said at a moment of the log."""

    key: OutputKey
    text: str = ""
    """What is printed of a step, or of a chat that is over; or a complaint."""
    totals: ChatTotals | None = None
    """What the chat adds to the totals, where it is over."""
    is_error: bool = False
    """It is why a file could not be read."""
    is_stop: bool = False
    """Here something was met that ends the reading, and that only one worker can see."""


class WorkerBatch(NamedTuple):
    """What a worker has said since the last one."""

    pieces: list[OutputPiece]
    position: ReadPosition | None
    """How far it has come in a file."""
    records: int
    """How many records of that file, of all chats, there were."""
    where: str
    """The last input that it has heard."""


class WorkerDone(NamedTuple):
    """The last word of a worker that has read all."""

    verified: int
    """How many entries of journals agree with what they say."""


class WorkerFailed(NamedTuple):
    """The last word of a worker that cannot go on."""

    reason: str


def merge_pieces(workers: Iterable[Iterator[OutputPiece]]) -> Iterator[OutputPiece]:
    """All pieces in the order in which one process says them."""
    return merge(*workers, key=_moment)


def _moment(piece: OutputPiece) -> OutputKey:
    return piece.key


# A process that was told to end, and does not within so many seconds, is killed.
_STOP_TIMEOUT: Final = 5.0


class WorkerError(ChatError):
    """A worker has ended before it had read all; the text says at which input."""


def run(options: Namespace) -> int:
    """Replay as the command line says, in several processes where that can be."""
    if options.jobs == 1 or not _can_be_sharded(options):
        return replay.run(options)
    desk = reporter_for(options)
    context = _context()
    stop = context.RawValue("b", 0)
    workers = [Worker(Shard(n, options.jobs, options.chat_id)) for n in range(options.jobs)]
    is_stopped = False
    with _stopping_on_interrupt(stop):
        try:
            with _ignoring_interrupts():
                for worker in workers:
                    worker.start(context, options, desk.output, stop)
            is_stopped = print_in_order([worker.pieces(desk.progress) for worker in workers], desk)
        except WorkerError as error:
            desk.report_error(error, ExitCode.ERROR)
        except KeyboardInterrupt:
            stop.value = 1
        finally:
            for worker in workers:
                worker.end()
    if stop.value:
        desk.report_error("interrupted: this is what was read so far", ExitCode.INTERRUPTED)
        is_stopped = False
    return finish(options, desk, is_stopped=is_stopped, agreed=sum(w.verified for w in workers))


def print_in_order(workers: list[Iterator[OutputPiece]], desk: ReplayReporter) -> bool:
    """Print what workers say; returns whether it ended where only one of them can."""
    for piece in merge_pieces(workers):
        if piece.is_stop:
            return True
        if piece.is_error:
            desk.report_error(piece.text, ExitCode.ERROR)
        elif piece.totals is not None:
            desk.finish_chat(piece.totals, piece.text)
        elif piece.text:
            desk.printer.step(piece.text)
    return False


def finish(options: Namespace, desk: ReplayReporter, *, is_stopped: bool, agreed: int) -> int:
    """Print what is said in the end, or the rest by one process; returns the exit status."""
    if is_stopped:
        # Only a process that hears all knows how the other chats stood then.
        return replay.replay_with(options, desk.resume())
    return desk.finish(options, agreed)


def _can_be_sharded(options: Namespace) -> bool:
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


def _start_worker(heard: Connection, work: Callable[..., None], words: tuple[Any, ...]) -> None:
    """Work, in a process that has let go of the end of the pipe where it is heard.

    Else a pipe would never break for it, and it would outlive the process that prints.
    """
    heard.close()
    work(*words)


@define
class Worker:
    """A process that hears a share of the chats, and what it says."""

    shard: Shard
    verified: int = 0
    """How many entries of journals agree, once it has read all."""
    _process: Any = None
    """None before it is started."""
    _pipe: Connection = field(init=False)
    _where: str = "the start"

    def start(self, context: Any, options: Namespace, output: Output, stop: Any) -> None:
        """Begin to read."""
        self._pipe, other = context.Pipe(duplex=False)
        words = (options, output, self.shard, other, stop)
        begin = (self._pipe, work, words)
        self._process = context.Process(target=_start_worker, args=begin, daemon=True)
        self._process.start()
        other.close()  # so that the pipe ends with the process

    def pieces(self, progress: ProgressBar) -> Iterator[OutputPiece]:
        """All that it says. Raises `WorkerError` where it ends before it has read all."""
        while not isinstance(word := self._next_message(), WorkerDone):
            if isinstance(word, WorkerFailed):
                raise WorkerError(f"a worker of --jobs failed: {word.reason}")
            self._where = word.where
            if self.shard.index == 0 and word.position is not None:  # all read all
                progress.show(word.position, word.records)
            yield from word.pieces
        self.verified = word.verified

    def end(self) -> None:
        """End it, whatever it does."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(_STOP_TIMEOUT)
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()

    def _next_message(self) -> WorkerBatch | WorkerDone | WorkerFailed:
        try:
            word: WorkerBatch | WorkerDone | WorkerFailed = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(_STOP_TIMEOUT)
            code = self._process.exitcode
            how = f"was ended by signal {-code}" if code and code < 0 else f"ended with {code}"
            raise WorkerError(f"a worker of --jobs {how}, after {self._where}") from None
        return word


@contextmanager
def _stopping_on_interrupt(stop: Any) -> Iterator[None]:
    """Let the first Ctrl-C end the workers, which then say what they know; the next one all."""

    def interrupt(_number: int, _frame: object) -> None:
        if stop.value:
            raise KeyboardInterrupt
        stop.value = 1

    with _sigint_handler(interrupt):
        yield


def _ignoring_interrupts() -> AbstractContextManager[None]:
    """What is started meanwhile does not hear of Ctrl-C, not even before it runs Python."""
    return _sigint_handler(signal.SIG_IGN)


@contextmanager
def _sigint_handler(handler: Any) -> Iterator[None]:
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


# One of several processes: it reads all logs, and hears its share of the chats.
#
# What is of other chats it passes over unparsed, but counts, so that it knows when what it says
# would have been said by one process that hears all.

# A parcel is sent when it holds so many characters, or after so many readings of 64 KiB: as much
# as makes sending cheap, and keeps nobody waiting for long.
_BATCH_CHARACTERS: Final = 64 * 1024
_BATCH_READS: Final = 16


class _StoppedError(Exception):
    """The reading is to end here, as it stands."""


class _ShardError(Exception):
    """What ends the reading, and only the worker of this chat can see."""


def work(options: Namespace, output: Output, share: Shard, pipe: Connection, stop: Any) -> None:
    """What a process does; `stop.value` says, from another one, when to end early."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that prints says when to stop
    telling = WorkerReporter(output, share, pipe.send, lambda: bool(stop.value))
    with suppress(BrokenPipeError, ConnectionResetError):  # nobody listens any more
        try:
            pipe.send(replay_shard(options, telling))
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001  # a bug: it is said where, and never what of
            pipe.send(WorkerFailed(f"{type(error).__name__} at {telling.where}"))


def replay_shard(options: Namespace, telling: WorkerReporter) -> WorkerDone:
    """Hear a share of the chats in all files, and tell what follows."""
    chats = telling.chats = stream_for(options, telling)
    sources = [Source(name) for name in options.files]
    try:
        read(sources, chats, telling, telling.hear, telling.shard)
    except (ViolationError, ReplayDivergence, _ShardError):
        telling.add(OutputPiece(chats.output_key, is_stop=True))
    except _StoppedError:
        chats.abandon()
    telling.send()
    return WorkerDone(chats.journal.verified)


@define
class WorkerReporter:
    """Puts into parcels what follows from a share of the chats."""

    output: Output
    shard: Shard
    _send: Callable[[WorkerBatch], object]
    _is_stopped: Callable[[], bool] = lambda: False
    chats: StreamReplay = field(init=False)
    wants_steps: bool = field(
        default=Factory(lambda self: self.output.wants_steps, takes_self=True), init=False
    )
    _run: RecordRun | None = field(default=None, init=False)
    """The last one that was heard."""
    _source: Source | None = field(default=None, init=False)
    _reached: ReadPosition | None = field(default=None, init=False)
    _in_file: int = field(default=0, init=False)
    _pieces: list[OutputPiece] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)
    _reads: int = field(default=0, init=False)

    @property
    def where(self) -> str:
        """What it is working on, for people."""
        run = self._run
        if run is not None and run.source is self._source:
            return run.where(min(self.chats.within, len(run.events) - 1))
        return "the start" if self._source is None else f"the start of {self._source.name}"

    def hear(self, run: RecordRun) -> None:
        """Hear records of the share."""
        self._run = run
        try:
            self.chats.feed(run)
        except UnreadableLogError as error:  # other workers can read on
            raise _ShardError from error

    def step(self, chat: ReplayedChat, step: ReplayStep) -> None:
        """Something followed from an event."""
        text = self.output.step(chat, step)
        if text:
            self.add(OutputPiece(self.chats.output_key, text))

    def over(self, chat: ReplayedChat) -> None:
        """A chat of the share is over."""
        self.add(
            OutputPiece(self.chats.output_key, self.output.over(chat), ChatTotals.of(chat.stats))
        )

    def unreadable(self, error: UnreadableLogError) -> None:
        """All workers meet the same; one says so."""
        if self.shard.index == 0:
            self.add(OutputPiece(self.chats.after_reading, str(error), is_error=True))

    def reached(self, source: Source, records: int) -> None:
        """Send what there is to say now and then, and how far this has come."""
        if self._is_stopped():
            raise _StoppedError
        self._source, self._in_file = source, records
        self._reached = source.read_position
        self._reads += 1
        if self._reads >= _BATCH_READS:
            self.add(OutputPiece(self.chats.after_reading))
            self.send()

    def add(self, piece: OutputPiece) -> None:
        """Put a piece into the parcel, and send that when it is full."""
        self._pieces.append(piece)
        self._size += len(piece.text)
        if self._size >= _BATCH_CHARACTERS:
            self.send()

    def send(self) -> None:
        """Send what was said."""
        self._send(WorkerBatch(self._pieces, self._reached, self._in_file, self.where))
        self._pieces, self._size, self._reads = [], 0, 0
