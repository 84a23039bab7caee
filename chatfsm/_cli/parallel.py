"""`chatfsm replay --jobs`: worker processes replay a shard of the chats each, and one prints.

Their output is that of a single process, byte for byte.
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
from operator import attrgetter
from pathlib import Path
from threading import active_count, current_thread, main_thread
from typing import Any, Final, NamedTuple

from attrs import define, field

from chatfsm._cli import ExitCode, replay
from chatfsm._cli.replay import (
    INTERRUPTED_TEXT,
    ReplayReporter,
    reporter_for,
    sources_of,
    stream_for,
)
from chatfsm._cli.replay_outputs import Output
from chatfsm._cli.terminal import ProgressBar
from chatfsm.errors import ChatError, ReplayDivergence, UnreadableLogError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.journal import InconsistentJournalError
from chatfsm.replay.sharding import Shard
from chatfsm.replay.sources import ReadPosition, Source
from chatfsm.replay.stats import ChatTotals
from chatfsm.replay.stream_replay import OutputKey, ReplayedChat, StreamReplay, ViolationError

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
    "print_pieces",
    "replay_shard",
    "run",
    "work",
]

# Messages from a worker to the printing process.


class OutputPiece(NamedTuple):
    """A part of the output, with the sort key of its place in the output of a single process."""

    key: OutputKey
    text: str = ""
    """Text of a step or of a finished chat; or of an error."""
    totals: ChatTotals | None = None
    """Contribution to the totals, if a chat is finished."""
    is_error: bool = False
    """The text tells why a file could not be read."""
    is_note: bool = False
    """The text tells what was left out of a file."""
    is_stop: bool = False
    """The run must end here, for an error that only this worker can detect."""


class WorkerBatch(NamedTuple):
    """Output since the last batch, and the progress of the worker."""

    pieces: list[OutputPiece]
    progress: ReadPosition | None
    records: int
    """Number of records of the file so far, of all chats."""
    position: str
    """Place of the last record that was fed, for error texts."""


class WorkerDone(NamedTuple):
    """Last message of a worker that has read all its input."""

    verified: int
    """Number of journal entries that agree with their replay."""


class WorkerFailed(NamedTuple):
    """Last message of a worker that cannot go on."""

    reason: str


def merge_pieces(workers: Iterable[Iterator[OutputPiece]]) -> Iterator[OutputPiece]:
    """All pieces, in the order of a single process."""
    return merge(*workers, key=attrgetter("key"))


# Seconds after which a process that was terminated and has not ended is killed.
_STOP_TIMEOUT: Final = 5.0


class WorkerError(ChatError):
    """A worker ended before it had read all its input; the text names its last record."""


def run(
    options: Namespace, make_reporter: Callable[[Namespace], ReplayReporter] = reporter_for
) -> int:
    """Replay as the command line says, in `--jobs` processes if possible; return the exit code."""
    reporter = make_reporter(options)
    if options.jobs == 1 or not _can_be_sharded(options):
        return replay.replay_with(options, reporter)
    context = _context()
    stop = context.RawValue("b", 0)
    workers = [Worker(Shard(n, options.jobs, options.unnamed_chat)) for n in range(options.jobs)]
    is_stopped = False
    with _stopping_on_interrupt(stop):
        try:
            with _ignoring_interrupts():
                for worker in workers:
                    worker.start(context, options, reporter.output, stop)
            pieces = [worker.pieces(reporter.progress) for worker in workers]
            is_stopped = print_pieces(pieces, reporter)
        except WorkerError as error:
            reporter.report_error(error, ExitCode.ERROR)
        except KeyboardInterrupt:
            stop.value = 1
        finally:
            for worker in workers:
                worker.end()
    if stop.value:
        reporter.report_error(INTERRUPTED_TEXT, ExitCode.INTERRUPTED)
        is_stopped = False
    verified = sum(worker.verified for worker in workers)
    return finish(options, reporter, is_stopped=is_stopped, verified=verified)


def print_pieces(workers: list[Iterator[OutputPiece]], reporter: ReplayReporter) -> bool:
    """Print the output of all workers; return True if one of them must stop the run."""
    for piece in merge_pieces(workers):
        if piece.is_stop:
            return True
        if piece.is_error:
            reporter.report_unreadable(piece.text)
        elif piece.is_note:
            reporter.report_note(piece.text)
        elif piece.totals is not None:
            reporter.report_chat(piece.totals, piece.text)
        elif piece.text:
            reporter.printer.write(piece.text)
    return False


def finish(options: Namespace, reporter: ReplayReporter, *, is_stopped: bool, verified: int) -> int:
    """Print the totals and return the exit code; a stopped run is replayed by one process."""
    if is_stopped:
        # The state of all other chats at that record is known only to a process that replays all.
        return replay.replay_with(options, reporter.resume())
    return reporter.finish(options, verified)


def _can_be_sharded(options: Namespace) -> bool:
    """Whether each worker can read all files by itself, and needs only its own chats."""
    # --close-after runs on the clock of all chats; a pipe can be read once.
    if options.close_after is not None:
        return False
    return all(each.name != "-" and Path(each.path).is_file() for each in sources_of(options))


def _context() -> BaseContext:
    """The way to start workers: fork on Linux, which is fastest, unless other threads run.

    A forked process inherits the locks of other threads as they are. macOS libraries start threads.
    """
    return get_context("fork" if sys.platform == "linux" and active_count() == 1 else "spawn")


def _start_worker(
    reading_end: Connection, work: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    """Close the inherited reading end of the pipe, then work.

    With it open, the pipe would not break when the printing process ends, and the worker would
    outlive it.
    """
    reading_end.close()
    work(*arguments)


@define
class Worker:
    """A worker process and the pipe of its messages, in the printing process."""

    shard: Shard
    verified: int = 0
    """Number of journal entries that agree; known when the worker is done."""
    _process: Any = None
    """The process; None before the start."""
    _pipe: Connection = field(init=False)
    _position: str = "the start"

    def start(self, context: Any, options: Namespace, output: Output, stop: Any) -> None:
        """Start the process."""
        self._pipe, writing_end = context.Pipe(duplex=False)
        arguments = (options, output, self.shard, writing_end, stop)
        self._process = context.Process(
            target=_start_worker, args=(self._pipe, work, arguments), daemon=True
        )
        self._process.start()
        writing_end.close()  # the pipe then ends with the process

    def pieces(self, progress: ProgressBar) -> Iterator[OutputPiece]:
        """All output of the worker. Raises `WorkerError` if it ends before it is done."""
        while not isinstance(message := self._receive(), WorkerDone):
            if isinstance(message, WorkerFailed):
                raise WorkerError(f"a worker of --jobs failed: {message.reason}")
            self._position = message.position
            if self.shard.index == 0 and message.progress is not None:  # every worker reads all
                progress.show(message.progress, message.records)
            yield from message.pieces
        self.verified = message.verified

    def end(self) -> None:
        """Terminate the process, and kill it if that does not end it."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(_STOP_TIMEOUT)
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()

    def _receive(self) -> WorkerBatch | WorkerDone | WorkerFailed:
        try:
            message: WorkerBatch | WorkerDone | WorkerFailed = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(_STOP_TIMEOUT)
            code = self._process.exitcode
            how = f"was ended by signal {-code}" if code and code < 0 else f"ended with {code}"
            raise WorkerError(f"a worker of --jobs {how}, after {self._position}") from None
        return message


@contextmanager
def _stopping_on_interrupt(stop: Any) -> Iterator[None]:
    """Let the first Ctrl-C stop the workers, which then report their chats; the second kills."""

    def interrupt(_number: int, _frame: object) -> None:
        if stop.value:
            raise KeyboardInterrupt
        stop.value = 1

    with _sigint_handler(interrupt):
        yield


def _ignoring_interrupts() -> AbstractContextManager[None]:
    """Ignore Ctrl-C; processes started meanwhile ignore it from their first instruction on."""
    return _sigint_handler(signal.SIG_IGN)


@contextmanager
def _sigint_handler(handler: Any) -> Iterator[None]:
    """Handle Ctrl-C with `handler`, in the main thread and unless Ctrl-C is ignored already."""
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# The worker process. It reads all files, skips records of other shards unparsed, and counts them:
# so it knows the place of its output in that of a single process.

# A batch is sent when it holds so many characters, or after so many reads of 64 KiB: rarely enough
# to be cheap, and often enough that output does not stall.
_BATCH_CHARACTERS: Final = 64 * 1024
_BATCH_READS: Final = 16


class _StoppedError(Exception):
    """Raised to end the run early, with the chats as they stand."""


class _ShardError(Exception):
    """An error that must end the run and that only this chat's worker can detect."""


def work(options: Namespace, output: Output, shard: Shard, pipe: Connection, stop: Any) -> None:
    """Run a worker; the printing process sets `stop.value` to end it early."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the printing process decides when to stop
    reporter = WorkerReporter(output, shard, pipe.send, lambda: bool(stop.value))
    with suppress(BrokenPipeError, ConnectionResetError):  # the printing process has ended
        try:
            pipe.send(replay_shard(options, reporter))
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001  # a bug: report its place, never its content
            pipe.send(WorkerFailed(f"{type(error).__name__} at {reporter.position}"))


def replay_shard(options: Namespace, reporter: WorkerReporter) -> WorkerDone:
    """Replay the chats of one shard in all files, and report them."""
    stream = reporter.stream = stream_for(
        options, reporter.report_step if reporter.output.wants_steps else None
    )
    chats = stream.read(
        sources_of(options),
        shard=reporter.shard,
        on_progress=reporter.report_progress,
        on_unreadable=reporter.report_unreadable,
        on_note=reporter.report_note,
    )
    try:
        reporter.report_chats(chats)
    except (ViolationError, ReplayDivergence, _ShardError):
        reporter.add(OutputPiece(stream.output_key, is_stop=True))
    except _StoppedError:
        reporter.report_chats(stream.abandon())
    reporter.send()
    return WorkerDone(stream.journal.verified)


@define
class WorkerReporter:
    """Collects the output of one shard, and sends it in batches."""

    output: Output
    shard: Shard
    _send: Callable[[WorkerBatch], object]
    _is_stopped: Callable[[], bool] = lambda: False
    stream: StreamReplay = field(init=False)
    _progress: ReadPosition | None = field(default=None, init=False)
    _records: int = field(default=0, init=False)
    _pieces: list[OutputPiece] = field(factory=list, init=False)
    _characters: int = field(default=0, init=False)
    _reads: int = field(default=0, init=False)

    @property
    def position(self) -> str:
        """Place of the record that is being fed, for error texts."""
        return self.stream.position

    def report_step(self, chat: ReplayedChat, step: ReplayStep) -> None:
        """Collect the text of a step."""
        text = self.output.step_text(chat, step)
        if text:
            self.add(OutputPiece(self.stream.output_key, text))

    def report_chats(self, chats: Iterable[ReplayedChat]) -> None:
        """Collect the texts and totals of chats as they are finished."""
        for chat in chats:
            text = self.output.chat_text(chat)
            self.add(OutputPiece(self.stream.output_key, text, ChatTotals.of(chat.stats)))

    def report_unreadable(self, error: UnreadableLogError) -> None:
        """Report an error that all workers meet, once; stop at one that only this worker meets."""
        if isinstance(error, InconsistentJournalError):
            raise _ShardError from error
        if self.shard.index == 0:
            self.add(OutputPiece(self.stream.end_key, str(error), is_error=True))

    def report_note(self, note: str) -> None:
        """Report a note, which all workers have, once."""
        if self.shard.index == 0:
            self.add(OutputPiece(self.stream.end_key, note, is_note=True))

    def report_progress(self, source: Source, records: int) -> None:
        """Send output and progress from time to time."""
        if self._is_stopped():
            raise _StoppedError
        self._records = records
        self._progress = source.read_position
        self._reads += 1
        if self._reads >= _BATCH_READS:
            self.add(OutputPiece(self.stream.end_key))
            self.send()

    def add(self, piece: OutputPiece) -> None:
        """Add a piece to the batch, and send the batch if it is full."""
        self._pieces.append(piece)
        self._characters += len(piece.text)
        if self._characters >= _BATCH_CHARACTERS:
            self.send()

    def send(self) -> None:
        """Send the batch."""
        self._send(WorkerBatch(self._pieces, self._progress, self._records, self.position))
        self._pieces, self._characters, self._reads = [], 0, 0
