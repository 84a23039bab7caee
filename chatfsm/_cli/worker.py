"""Worker process of `--jobs`: replays one shard of the logs, and sends its output.

The first shard is replayed as a single process does it, up to its end. The other shards are not
known to begin with new chats, so a worker replays its shard twice: at first as if all chats began
in it; then, when the worker before it hands over the chats that are open, these chats alone, from
where they stood. Of them the second result counts. If anything else went wrong at first, or the
reading before ended early, the shard is replayed anew, as a single process does it.

Chats are handed over as they are, pickled: that is their snapshot (law L8), with the statistics and
what the output keeps, and without rounding.
"""

from __future__ import annotations

import pickle
import signal
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from operator import attrgetter
from typing import Any, Final, NamedTuple

from attrs import define, field

from chatfsm._cli.replay import stream_for
from chatfsm._cli.replay_outputs import Output
from chatfsm._cli.worker_output import (
    LAST_KEY,
    HeldOutput,
    OutputPiece,
    PieceMerger,
    WorkerBatch,
    batch_of,
)
from chatfsm.errors import ReplayDivergence, UnreadableLogError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.formats import record_batches
from chatfsm.replay.journal import InconsistentJournalError
from chatfsm.replay.replayed_chat import ChatKey, OpenChats, ReplayedChat
from chatfsm.replay.sharding import Shard
from chatfsm.replay.sources import ReadPosition, Source
from chatfsm.replay.stats import ChatTotals
from chatfsm.replay.stream_replay import StreamReplay, ViolationError

__all__ = [
    "HandedOver",
    "ShardWorker",
    "WorkerDone",
    "WorkerFailed",
    "WorkerReporter",
    "work",
]


class HandedOver(NamedTuple):
    """The open chats at the end of the shard, pickled: for the worker of the next one."""

    chats: bytes


class WorkerDone(NamedTuple):
    """Last message of a worker that has read all its input, or as much as it was to read."""

    verified: int
    """Number of journal entries that agree with their replay."""
    is_end: bool
    """Whether the run ends here."""


class WorkerFailed(NamedTuple):
    """Last message of a worker that cannot go on."""

    reason: str


# Numbers of records in a shard begin with its index times this, so that they differ in all shards.
_RECORDS: Final = 10**12
# A batch is sent when it holds so many characters, or after so many reads of 64 KiB: rarely enough
# to be cheap, and often enough that output does not stall.
_BATCH_CHARACTERS: Final = 64 * 1024
_BATCH_READS: Final = 16


class _StoppedError(Exception):
    """Raised to end the run early, with the chats as they stand."""


def work(options: Namespace, output: Output, shard: Shard, pipe: Connection, stop: Any) -> None:
    """Run a worker; the printing process sets `stop.value` to end it early."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the printing process decides when to stop
    worker = ShardWorker(options, output, shard, pipe, lambda: bool(stop.value))
    with suppress(BrokenPipeError, ConnectionResetError, EOFError):  # the printing process ended
        try:
            pipe.send(worker.run())
        except (BrokenPipeError, ConnectionResetError, EOFError):
            raise
        except Exception as error:  # noqa: BLE001  # a bug: report its place, never its content
            pipe.send(WorkerFailed(f"{type(error).__name__} at {worker.position}"))


@define
class ShardWorker:
    """Replays one shard."""

    options: Namespace
    output: Output
    shard: Shard
    pipe: Connection
    """Takes messages, and gives what the worker before handed over."""
    is_stopped: Callable[[], bool] = lambda: False
    _reporter: WorkerReporter | None = field(default=None, init=False)

    @property
    def position(self) -> str:
        """Place of the record that is being fed, for error texts."""
        return self._reporter.position if self._reporter is not None else "the start"

    def run(self) -> WorkerDone:
        """Replay the shard, send its output, and hand the open chats over."""
        if self.shard.index == 0:
            return self._replay(OpenChats())
        with HeldOutput() as first, HeldOutput() as second:
            attempt = self._attempt(first)
            handed: HandedOver = self.pipe.recv()
            if attempt is not None:
                done = self._complete(attempt, first, pickle.loads(handed.chats), second)  # noqa: S301  # of a worker
                if done is not None:
                    return done
        return self._replay(pickle.loads(handed.chats))  # noqa: S301

    def _replay(self, before: OpenChats) -> WorkerDone:
        """Replay the shard as a single process does, after what was handed over."""
        reporter = self._open(self._send)
        stream, is_end = reporter.stream, self.shard.is_last
        stream.take_over(before, self.shard.index * _RECORDS)
        try:
            for source in self.shard.sources:
                reporter.read(source)
            if self.shard.is_last:
                reporter.report_chats(stream.finish())
        except (ViolationError, ReplayDivergence, _StoppedError) as error:
            is_end = True
            if not isinstance(error, _StoppedError):
                reporter.add(OutputPiece(stream.output_key, None, "failure", str(error)))
            reporter.report_chats(stream.abandon())
        reporter.send()
        if not is_end:
            self._hand_over(stream.hand_over())
        return WorkerDone(stream.journal.verified, is_end)

    def _attempt(self, held: HeldOutput) -> _Attempt | None:
        """Replay the shard as if all chats began in it; None if that cannot be right."""
        reporter = self._open(held.add)
        stream = reporter.stream
        stream.last_batches = {}
        stream.take_over(OpenChats(), self.shard.index * _RECORDS)
        attempt = _Attempt(stream)
        try:
            attempt.read(reporter, self.shard)
            reporter.report_chats(attempt.finish(stream, self.shard))
        except Exception:  # noqa: BLE001  # it may be of a chat that began before, or of a bug
            return None
        reporter.send()
        return attempt

    def _complete(
        self, attempt: _Attempt, first: HeldOutput, before: OpenChats, second: HeldOutput
    ) -> WorkerDone | None:
        """Replay the chats that were handed over, and send all output; None if that fails."""
        stream = attempt.stream
        last_batches = stream.last_batches or {}
        again = {key for key in before.keys if key in last_batches}
        reporter = self._open(second.add)
        reporter.stream.only_keys = again
        reporter.stream.journal.on_inconsistent = reporter.report_unreadable
        reporter.stream.take_over(before, self.shard.index * _RECORDS)
        if before.given_up is not None and self._goes_on(before.given_up):
            return None
        try:
            last = max((last_batches[key] for key in again), default=-1)
            reporter.report_chats(attempt.repeat(reporter.stream, self.shard, last))
        except Exception:  # noqa: BLE001  # to be met at its place
            return None
        reporter.send()
        is_end = self.shard.is_last or attempt.is_stopped
        if not is_end:
            self._hand_over(_together(stream.hand_over(), reporter.stream.hand_over(), again))
        self._send_both(first, second, again, stream)
        agreed, ids = stream.journal.agreed, {chat_id for _, chat_id in again}
        verified = sum(count for chat_id, count in agreed.items() if chat_id not in ids)
        return WorkerDone(verified + reporter.stream.journal.verified, is_end)

    def _send_both(
        self, first: HeldOutput, second: HeldOutput, again: set[ChatKey], stream: StreamReplay
    ) -> None:
        """Send the output of both replays in order: of the chats of `again`, the second's."""
        reporter = WorkerReporter(self.output, self._send, stream)
        others = PieceMerger(piece for held in second.batches for piece in held.pieces())
        for held in first.batches:
            reporter.add_all(others.before(held.first))
            if held.chats.isdisjoint(again) and others.key > held.last:
                reporter.send()
                self.pipe.send_bytes(held.read())  # as it is: it was pickled once
                continue
            for piece in held.pieces():
                reporter.add_all(others.before(piece.key))
                if piece.chat not in again:
                    reporter.add(piece)
        reporter.add_all(others.before(LAST_KEY))
        reporter.send()

    def _send(self, batch: WorkerBatch, _pieces: list[OutputPiece]) -> None:
        self.pipe.send(batch)

    def _open(self, send: Callable[[WorkerBatch, list[OutputPiece]], object]) -> WorkerReporter:
        """A reporter of a new replay."""
        stream = stream_for(self.options, None)
        reporter = WorkerReporter(self.output, send, stream, self.is_stopped)
        if self.output.wants_steps:
            stream.on_step = reporter.report_step
        self._reporter = reporter
        return reporter

    def _goes_on(self, name: str) -> bool:
        """Whether the shard begins with a range of a file of which the start is in another."""
        first = self.shard.sources[0]
        return first.name == name and getattr(first, "start", 0) > 0

    def _hand_over(self, chats: OpenChats) -> None:
        self.pipe.send(HandedOver(pickle.dumps(chats, pickle.HIGHEST_PROTOCOL)))


@define
class _Attempt:
    """The replay of a shard as if all chats began in it."""

    stream: StreamReplay
    ends: list[tuple[int, int, int]] = field(factory=list)
    """The numbers of records, batches and files at the end of each source that was read."""
    is_stopped: bool = False

    def read(self, reporter: WorkerReporter, shard: Shard) -> None:
        """Replay the shard, up to where it is stopped."""
        stream = self.stream
        for source in shard.sources:
            try:
                reporter.read(source)
            except _StoppedError:
                self.is_stopped = True
            self.ends.append((stream.records, stream.batches, stream.files))
            if self.is_stopped:
                break

    def finish(self, stream: StreamReplay, shard: Shard) -> Iterator[ReplayedChat]:
        """Yield the open chats of a replay if the input ends with this shard."""
        if self.is_stopped:
            yield from stream.abandon()
        elif shard.is_last:
            yield from stream.finish()

    def repeat(self, stream: StreamReplay, shard: Shard, last: int) -> Iterator[ReplayedChat]:
        """Replay the chats of `stream.only_keys`, up to the batch `last`, and end as before."""
        for source, (records, batches, files) in zip(shard.sources, self.ends, strict=False):
            try:
                for batch in record_batches(source) if stream.batches <= last else ():
                    yield from stream.feed(batch)
                    if stream.batches > last or stream.batches == batches:
                        break
            except UnreadableLogError:
                pass  # it was reported at first
            stream.records, stream.batches = records, batches
            yield from stream.release_due()
            if stream.files < files:
                yield from stream.end_file(source)
        yield from self.finish(stream, shard)


def _together(first: OpenChats, second: OpenChats, again: set[ChatKey]) -> OpenChats:
    """The open chats of both replays: those of `again` are the second's."""
    chats = [chat for chat in first.chats if chat.key not in again] + second.chats
    chats.sort(key=attrgetter("last_record"))
    entries = {
        chat_id: entry
        for chat_id, entry in first.next_entries.items()
        if ("", chat_id) not in again
    }
    return OpenChats(first.records, chats, {**second.next_entries, **entries}, first.given_up)


@define
class WorkerReporter:
    """Collects the output of a replay, and sends it in batches."""

    output: Output
    _send: Callable[[WorkerBatch, list[OutputPiece]], object]
    """Takes a batch, and its pieces."""
    stream: StreamReplay
    _is_stopped: Callable[[], bool] = lambda: False
    _progress: ReadPosition | None = field(default=None, init=False)
    _records: int = field(default=0, init=False)
    _pieces: list[OutputPiece] = field(factory=list, init=False)
    _characters: int = field(default=0, init=False)
    _reads: int = field(default=0, init=False)

    @property
    def position(self) -> str:
        """Place of the record that is being fed, for error texts."""
        return self.stream.position

    def read(self, source: Source) -> None:
        """Replay a source."""
        chats = self.stream.read_source(
            source, self.report_progress, self.report_unreadable, self.report_note
        )
        self.report_chats(chats)

    def report_step(self, chat: ReplayedChat, step: ReplayStep) -> None:
        """Collect the text of a step."""
        text = self.output.step_text(chat, step)
        if text:
            self.add(OutputPiece(self.stream.output_key, chat.key, "step", text))

    def report_chats(self, chats: Iterable[ReplayedChat]) -> None:
        """Collect the texts and totals of chats as they are finished."""
        for chat in chats:
            text = self.output.chat_text(chat)
            totals = ChatTotals.of(chat.stats)
            self.add(OutputPiece(self.stream.output_key, chat.key, "chat", text, totals))

    def report_unreadable(self, error: UnreadableLogError) -> None:
        """Report a file that cannot be read, or the journal of a chat that is inconsistent."""
        key, chat = self.stream.end_key, None
        if isinstance(error, InconsistentJournalError):
            key, chat = self.stream.output_key, error.chat
        self.add(OutputPiece(key, chat, "unreadable", str(error)))

    def report_note(self, note: str) -> None:
        """Report what was left out of a file."""
        self.add(OutputPiece(self.stream.end_key, None, "note", note))

    def report_progress(self, source: Source, records: int) -> None:
        """Send output and progress from time to time."""
        if self._is_stopped():
            raise _StoppedError
        self._records = records
        self._progress = source.read_position
        self._reads += 1
        if self._reads >= _BATCH_READS:
            self.send()

    def add(self, piece: OutputPiece) -> None:
        """Add a piece to the batch, and send the batch if it is full."""
        self._pieces.append(piece)
        self._characters += len(piece.text)
        if self._characters >= _BATCH_CHARACTERS:
            self.send()

    def add_all(self, pieces: Iterable[OutputPiece]) -> None:
        """Add pieces."""
        for piece in pieces:
            self.add(piece)

    def send(self) -> None:
        """Send the batch."""
        pieces = self._pieces
        self._send(batch_of(pieces, self._progress, self._records, self.position), pieces)
        self._pieces, self._characters, self._reads = [], 0, 0
