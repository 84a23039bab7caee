"""`--jobs`: worker processes replay a shard of the logs each, and this one prints their output.

The output is that of a single process, byte for byte: the output of the shards, one after the
other. `worker` tells how a shard is replayed.
"""

from __future__ import annotations

import gc
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import zip_longest
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import active_count, current_thread, main_thread
from typing import Any, Final

from attrs import define, field

from chatfsm._cli import ExitCode, replay
from chatfsm._cli.progress import ProgressBar
from chatfsm._cli.replay import INTERRUPTED_TEXT, ReplayReporter, reporter_for, sources_of
from chatfsm._cli.replay_outputs import Output
from chatfsm._cli.worker import HandedOver, WorkerDone, WorkerFailed, work
from chatfsm._cli.worker_output import PieceKind, WorkerBatch
from chatfsm.errors import ChatError
from chatfsm.replay.sharding import Shard, shards_of

__all__ = ["Worker", "WorkerError", "print_batches", "run"]

# Seconds after which a process that was terminated and has not ended is killed.
_STOP_TIMEOUT: Final = 5.0


class WorkerError(ChatError):
    """A worker ended before it had read all its input; the text names its last record."""


def run(
    options: Namespace, make_reporter: Callable[[Namespace], ReplayReporter] = reporter_for
) -> int:
    """Replay as the command line says, in `--jobs` processes if possible; return the exit code."""
    reporter = make_reporter(options)
    # Rows are printed as they come on a terminal, where no process is faster than its reader.
    is_shared = options.jobs > 1 and not reporter.is_streamed and _can_be_shared(options)
    shards = shards_of(sources_of(options), options.jobs) if is_shared else []
    if len(shards) < 2:  # noqa: PLR2004  # one process reads it all
        return replay.replay_with(options, reporter)
    context = _context()
    stop = context.RawValue("b", 0)
    workers = [Worker(shard) for shard in shards]
    verified = 0
    with _stopping_on_interrupt(stop):
        try:
            with _ignoring_interrupts():
                for worker in workers:
                    worker.start(context, options, reporter.output, stop)
            for worker, successor in zip_longest(workers, workers[1:]):
                print_batches(worker.batches(successor, reporter.progress), reporter)
                verified += worker.done.verified
                if worker.done.is_end:
                    break
        except WorkerError as error:
            reporter.report_error(error, ExitCode.ERROR)
        except KeyboardInterrupt:
            stop.value = 1
        finally:
            for worker in workers:
                worker.end()
    if stop.value:
        reporter.report_error(INTERRUPTED_TEXT, ExitCode.INTERRUPTED)
    return reporter.finish(options, verified)


def print_batches(batches: Iterable[WorkerBatch], reporter: ReplayReporter) -> None:
    """Print the output of a worker."""
    for batch in batches:
        if batch.totals is not None:
            reporter.totals.merge(batch.totals)
        for kind, texts in batch.runs:
            if kind == "chat":
                reporter.report_texts(texts)
            elif kind == "step":
                reporter.printer.write("".join(texts))
            else:
                _report_all(kind, texts, reporter)


def _report_all(kind: PieceKind, texts: Iterable[str], reporter: ReplayReporter) -> None:
    """Report errors and notes."""
    for text in texts:
        if kind == "unreadable":
            reporter.report_unreadable(text)
        elif kind == "failure":
            reporter.report_error(text, ExitCode.FAILURE)
        else:
            reporter.report_note(text)


def _can_be_shared(options: Namespace) -> bool:
    """Whether the logs are files, which workers can read from any place, and chats are by id."""
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
    printing_end: Connection,
    gc_threshold: tuple[int, int, int],
    work: Callable[..., None],
    arguments: tuple[Any, ...],
) -> None:
    """Close the inherited other end of the pipe, then work.

    With it open, the pipe would not break when the printing process ends, and the worker would
    outlive it. `gc_threshold`: that of the printing process, which only a forked process inherits.
    """
    printing_end.close()
    gc.set_threshold(*gc_threshold)
    work(*arguments)


@define
class Worker:
    """A worker process and the pipe of its messages, in the printing process."""

    shard: Shard
    done: WorkerDone = field(init=False)
    """Its last message; known when all its pieces are."""
    _process: Any = None
    """The process; None before the start."""
    _pipe: Connection = field(init=False)
    _position: str = "the start"

    def start(self, context: Any, options: Namespace, output: Output, stop: Any) -> None:
        """Start the process."""
        self._pipe, other_end = context.Pipe()
        arguments = (options, output, self.shard, other_end, stop)
        start = (self._pipe, gc.get_threshold(), work, arguments)
        self._process = context.Process(target=_start_worker, args=start, daemon=True)
        self._process.start()
        other_end.close()  # the pipe then ends with the process

    def batches(self, successor: Worker | None, progress: ProgressBar) -> Iterator[WorkerBatch]:
        """All output of the worker; pass what it hands over to its successor.

        Raises `WorkerError` if it ends before it is done.
        """
        while not isinstance(message := self._receive(), WorkerDone):
            if isinstance(message, WorkerFailed):
                raise WorkerError(f"a worker of --jobs failed in {self.shard}: {message.reason}")
            if isinstance(message, HandedOver):
                if successor is not None:
                    successor.send(message)
                continue
            self._position = message.position
            if message.progress is not None:
                progress.show(message.progress, message.records)
            yield message
        self.done = message

    def send(self, handed: HandedOver) -> None:
        """Send what the worker before has handed over."""
        with suppress(BrokenPipeError, ConnectionResetError):  # receiving tells why
            self._pipe.send(handed)

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

    def _receive(self) -> WorkerBatch | HandedOver | WorkerDone | WorkerFailed:
        try:
            message: WorkerBatch | HandedOver | WorkerDone | WorkerFailed = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(_STOP_TIMEOUT)
            code = self._process.exitcode
            how = f"was ended by signal {-code}" if code and code < 0 else f"ended with {code}"
            where = f"in {self.shard}, after {self._position}"
            raise WorkerError(f"a worker of --jobs {how}, {where}") from None
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
