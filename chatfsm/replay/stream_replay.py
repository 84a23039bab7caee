"""Replay of many chats in one stream of records: one session each, released once it is over.

A pipeline: a reader yields batches of records, `StreamReplay` feeds them to sessions and yields
each chat that is finished, and an output takes its statistics. An output that needs every effect
gives an `on_step`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from math import inf
from os import PathLike
from typing import Final

from attrs import define, evolve, field

from chatfsm._session.session import ChatSession
from chatfsm.effects import Anomaly
from chatfsm.errors import ChatError, RemoteProtocolError, UnreadableLogError
from chatfsm.replay.chat_replay import ChatReplay, ReplayStep, is_finding
from chatfsm.replay.formats import record_batches
from chatfsm.replay.journal import JournalHeader, JournalReplay
from chatfsm.replay.log_files import open_logs
from chatfsm.replay.reader import RecordBatch, RecordRun
from chatfsm.replay.replayed_chat import ChatKey, OpenChats, ReplayedChat
from chatfsm.replay.sources import Source, SourceRange
from chatfsm.replay.stats import ChatStats
from chatfsm.replay.times import UNREADABLE
from chatfsm.settings import Settings

__all__ = [
    "ChatKey",
    "OnStep",
    "OpenChats",
    "OutputKey",
    "ReplayedChat",
    "StreamReplay",
    "ViolationError",
    "replay_logs",
]

# A chat that has ended is kept until so many further records have passed without one of its own,
# so that its late events are recognized.
_LINGER_RECORDS: Final = 10_000

# The parts of one record's turn: ended chats are released, the record is fed, its file ends.
_LINGERED, _FED, _ENDED = 0, 1, 2

OutputKey = tuple[float, int, int]
"""Sort key of output: the number of the record, the part of its turn, the number of the chat."""


class ViolationError(ChatError):
    """A log violates the protocol; the text names file, line and reason."""


OnStep = Callable[[ReplayedChat, ReplayStep], object]


@define
class StreamReplay:
    """The open chats of a stream of records."""

    settings: Settings = field(factory=Settings)
    """Settings of the sessions; a journal is replayed with its own."""
    default_chat_id: str | None = None
    """The chat of records without a chat_id; None: one chat per file, named by its stem."""
    close_after: float | None = None
    """Seconds without a record, on the clock of the log, after which a chat is released."""
    journal: JournalReplay = field(factory=lambda: JournalReplay(compare=False))
    """Replays the journals in the stream, and compares them if asked to."""
    on_step: OnStep | None = None
    """Callback for each step, in the order of the records; None is faster."""
    prefers_received: bool = field(default=False, kw_only=True)
    """Whether the clock of a chat is the time at which the log received an event, where it says
    that, instead of the time of the event."""
    only: frozenset[str] | None = field(default=None, kw_only=True)
    """The ids of the chats that are replayed; None: all."""
    locates_all: bool = field(default=False, kw_only=True)
    """Whether each step has its place; False, which is faster: those with a finding."""
    only_keys: set[ChatKey] | None = field(default=None, kw_only=True)
    """The keys of the chats that are replayed; None: all."""
    last_batches: dict[ChatKey, int] | None = field(default=None, kw_only=True)
    """Gets the number of the last batch with records of each chat; None, which is faster."""
    output_key: OutputKey = field(default=(0, 0, 0), init=False)
    """Sort key of the step or chat that is being reported; steps have the chat number 0."""
    records: int = field(default=0, init=False)
    """Number of records so far, of all chats."""
    batches: int = field(default=0, init=False)
    """Number of batches so far."""
    files: int = field(default=0, init=False)
    """Number of files that were read to their end."""
    given_up: str | None = field(default=None, init=False)
    """Name of the file whose last range could not be read."""
    _open: OrderedDict[ChatKey, ReplayedChat] = field(factory=OrderedDict, init=False)
    """The least recently fed first."""
    _over: OrderedDict[ChatKey, ReplayedChat] = field(factory=OrderedDict, init=False)
    """Those of them that have ended, in the same order."""
    _begun: int = field(default=0, init=False)
    """Number of chats so far."""
    _clock: float | None = field(default=None, init=False)
    """Time of the log, over all chats; None until the first time is known."""
    _next_due: float = field(default=inf, init=False)
    """No ended chat is released before this record number."""
    _source: Source | None = field(default=None, init=False)
    _run: RecordRun | None = field(default=None, init=False)
    _index: int = field(default=0, init=False)
    """Index of the record in its run that is being fed."""

    @property
    def position(self) -> str:
        """Place of the record that is being fed, for error texts: `file: line 12`."""
        run = self._run
        if run is not None and run.source is self._source:
            return run.where(min(self._index, len(run.events) - 1))
        return "the start" if self._source is None else f"the start of {self._source.name}"

    @property
    def end_key(self) -> OutputKey:
        """Sort key after all records so far, and before the end of their file."""
        return self.records, _ENDED + 2 * self.files, 0

    def read(
        self,
        sources: Iterable[Source],
        *,
        on_progress: Callable[[Source, int], object] | None = None,
        on_unreadable: Callable[[UnreadableLogError], object] | None = None,
        on_note: Callable[[str], object] | None = None,
    ) -> Iterator[ReplayedChat]:
        """Read logs one after the other, and yield each chat when it is finished.

        `on_progress` gets the file and the number of its records before each batch.
        `on_unreadable` gets the error of a file that cannot be read, or not further, and the next
        file is read; without it the error is raised. `on_note` gets what was left out of a file,
        for people, with the file's name.

        Raises `ViolationError` in strict sessions, and `ReplayDivergence` if journals are compared.
        """
        for source in sources:
            yield from self.read_source(source, on_progress, on_unreadable, on_note)
        yield from self.finish()

    def read_source(
        self,
        source: Source,
        on_progress: Callable[[Source, int], object] | None = None,
        on_unreadable: Callable[[UnreadableLogError], object] | None = None,
        on_note: Callable[[str], object] | None = None,
    ) -> Iterator[ReplayedChat]:
        """Read one log, or a range of one, and yield each chat that is finished meanwhile.

        The arguments and the errors are those of `read`.
        """
        part = source if isinstance(source, SourceRange) else SourceRange(source.name)
        if part.start and self.given_up == source.name:
            return
        self.given_up, self._source, before = None, source, self.records
        self.journal.on_inconsistent = on_unreadable
        try:
            for batch in record_batches(source):
                if on_progress is not None:
                    on_progress(source, self.records - before)
                yield from self.feed(batch)
        except UnreadableLogError as error:
            if on_unreadable is None:
                raise
            self.given_up = source.name
            on_unreadable(error)
        if on_note is not None:
            for note in source.notes:
                on_note(f"{source.name}: {note}")
        if self.given_up or part.end is None:
            yield from self.end_file(source)

    def feed(self, batch: RecordBatch) -> Iterator[ReplayedChat]:
        """Feed a batch of records, and yield each chat that is finished before one of them."""
        close_after, last_batches = self.close_after, self.last_batches
        for run in batch.runs:
            self._run = run
            key = self._key_of(run)
            if (self.only is not None and key[1] not in self.only) or (
                self.only_keys is not None and key not in self.only_keys
            ):
                self.records += len(run.events)
                continue
            if last_batches is not None:
                last_batches[key] = self.batches
            index, end = 0, len(run.events)
            while index < end:
                self._index = index
                if close_after is not None:
                    yield from self._release_silent(self._time_in(run, index), close_after)
                elif self.records + 1 >= self._next_due:
                    yield from self._release_ended(self.records + 1)
                chat = self._chat_of(key, run, index)
                if run.is_journal:
                    size = 1
                    self._feed_journal_line(chat, run)
                else:
                    size = end - index
                    received = run.received
                    is_odd = received is not None and UNREADABLE in received  # by identity
                    if close_after is not None or chat.replay.now is None or is_odd:
                        size = 1
                    elif self.records + size >= self._next_due:
                        size = int(self._next_due) - self.records - 1
                    self._feed_events(chat, run, index, size)
                index += size
        self.batches += 1
        yield from self.release_due()

    def release_due(self) -> Iterator[ReplayedChat]:
        """Yield the chats that have been over for long enough."""
        if self.records >= self._next_due:
            yield from self._release_ended(self.records)

    def hand_over(self) -> OpenChats:
        """Return the open chats, for a replay of what follows in the stream."""
        chats = list(self._open.values())
        self._open.clear()
        self._over.clear()
        next_entries = self.journal.next_entries if self.journal.compares else {}
        return OpenChats(self.records, chats, next_entries, self.given_up)

    def take_over(self, before: OpenChats, records: int) -> None:
        """Go on with the open chats of another replay, before any record; `records`: their number.

        It may be larger than the true number, so that numbers of chats differ in all replays.
        """
        self.records = records
        self.given_up = before.given_up
        self.journal.next_entries.update(before.next_entries)
        for chat in before.chats:
            chat.last_record += records - before.records
            self._open[chat.key] = chat
            self._keep_ended(chat)

    def end_file(self, source: Source) -> Iterator[ReplayedChat]:
        """Yield the chats that end with a file: its unnamed chat, and all that have ended."""
        keys = [key for key in self._open if key in self._over or key[0] == source.name]
        turn = _ENDED + 2 * self.files + 1
        self.files += 1
        yield from self._release(keys, lambda chat: (self.records, turn, chat.number))

    def finish(self) -> Iterator[ReplayedChat]:
        """Yield all open chats: the input has ended."""
        yield from self._release(list(self._open), lambda chat: (inf, 0, chat.number))

    def abandon(self) -> Iterator[ReplayedChat]:
        """Yield all open chats as they stand: replay stops here, and feeds nothing more."""
        chats = sorted(self._open.values(), key=lambda chat: chat.number)
        self._open.clear()
        self._over.clear()
        for chat in chats:
            self.output_key = (inf, 0, chat.number)
            yield chat

    def _chat_of(self, key: ChatKey, run: RecordRun, index: int) -> ReplayedChat:
        """The chat of a run, made for this record if it is new, as the most recently fed one."""
        chat = self._open.get(key)
        if chat is None:
            session = ChatSession(key[1], settings=self.settings)
            replay = ChatReplay(session, prefers_received=self.prefers_received)
            chat = ReplayedChat(key, self.records + 1, replay, ChatStats(session))
            chat.index, chat.where = self._begun, run.where(index)
            self._begun += 1
            self._open[key] = chat
        else:
            self._open.move_to_end(key)
        chat.last_clock = self._clock
        return chat

    def _key_of(self, run: RecordRun) -> ChatKey:
        chat_id = run.chat_id or self.default_chat_id
        return ("", chat_id) if chat_id else (run.source.name, run.source.stem)

    def _time_in(self, run: RecordRun, index: int) -> float | None:
        """The time of a record on the clock of the log; None without one that can be read."""
        at: float | None = run.events[index].timestamp
        received_at = run.received[index] if run.received else None
        if at is None or (self.prefers_received and received_at is not None):
            at = received_at
        return None if at is UNREADABLE else at

    def _feed_events(self, chat: ReplayedChat, run: RecordRun, index: int, size: int) -> None:
        """Feed `size` events of a run, from `index` on, to its chat."""
        if self.journal.compares and self.journal.has_chat(chat.key[1]):
            self.output_key = (self.records + 1, _FED, 0)
            self.journal.give_up(chat.key, f"{run.where(index)}: not a line of a journal")
        replay, before = chat.replay, chat.replay.event_count
        events, received = run.events, run.received
        if size != len(events):
            events = events[index : index + size]
            received = None if received is None else received[index : index + size]
        on_step = self.on_step
        report = None if on_step is None else self._reporter(on_step, chat, run, index, size)
        try:
            if received is not None:
                self._report_unreadable_times(chat, received, report)
            replay.feed(events, chat.stats, report, received)
        except RemoteProtocolError as error:
            fed = replay.event_count - before - len(chat.unstamped)
            self._count(chat, max(fed, 0) + 1)
            # Less than 0 is a record that waited, counted from the last one.
            where = run.where(index + fed) if fed >= 0 else chat.unstamped[fed]
            raise ViolationError(f"{where}: {error}") from error
        except BaseException:
            self._index = index + max(replay.event_count - before - len(chat.unstamped), 0)
            raise
        self.records += size
        chat.last_record = self.records
        if replay.now is None:
            chat.unstamped.append(run.where(index))
        elif chat.unstamped:
            chat.unstamped.clear()
        if chat.is_over and chat.stats.ended_at is None:  # its session was restored after the end
            chat.stats.ended_at = replay.now
        if chat.stats.ended_at is not None:
            self._keep_ended(chat)

    def _report_unreadable_times(
        self,
        chat: ReplayedChat,
        received: list[float | None],
        report: Callable[[ReplayStep], object] | None,
    ) -> None:
        """Report the time of a record, given by itself, that cannot be read."""
        for at in received:
            if at is not UNREADABLE:
                continue
            anomaly = Anomaly("unreadable_time", "the time of this event cannot be read")
            chat.stats.unreadable_times += 1
            chat.stats.count(anomaly, 0.0)
            if report is not None:
                replay = chat.replay
                report(ReplayStep(replay.event_count, replay.now or 0.0, (anomaly,)))

    def _reporter(
        self, on_step: OnStep, chat: ReplayedChat, run: RecordRun, index: int, size: int
    ) -> Callable[[ReplayStep], object]:
        """A callback for the steps of `size` events of the run, from `index` on."""
        before = chat.replay.event_count

        def report(step: ReplayStep) -> None:
            offset = min(step.seq - before, size - 1)  # records that waited share one turn
            self._index = index + offset
            self.output_key = (self.records + 1 + offset, _FED, 0)
            if self.locates_all or any(map(is_finding, step.effects)):
                waited = chat.unstamped
                place = step.seq - before
                is_old = place < len(waited)
                last = len(run.events) - 1
                step = evolve(
                    step,
                    where=waited[place]
                    if is_old
                    else run.where(min(index + place - len(waited), last)),
                )
            on_step(chat, step)

        return report

    def _feed_journal_line(self, chat: ReplayedChat, run: RecordRun) -> None:
        """Open the session that a journal's header describes, or feed the input of an entry."""
        self._count(chat, 1)
        line, where = run.events[0], run.where(0)
        if chat.unstamped:
            self._feed_unstamped(chat, line.at)
        if isinstance(line, JournalHeader):
            session = self.journal.open_session(line, where)
            if session is not None:
                chat.replay.session = session
                chat.stats.restart(session)
        else:
            try:
                effects = self.journal.verify_entry(chat.replay.session, line, where)
            except RemoteProtocolError as error:
                raise ViolationError(f"{where}: {error}") from error
            on_step = self._on_step_of(chat, lambda _: where)
            chat.replay.feed_entry(line, effects, chat.stats, on_step)
        self._keep_ended(chat)

    def _feed_unstamped(self, chat: ReplayedChat, now: float) -> None:
        """Feed the events of a chat that wait for its first timestamp."""
        on_step = self._on_step_of(chat, chat.unstamped.__getitem__)
        try:
            chat.replay.finish(chat.stats, on_step, now=now)
        except RemoteProtocolError as error:
            where = chat.unstamped[chat.replay.event_count]
            raise ViolationError(f"{where}: {error}") from error
        chat.unstamped.clear()

    def _on_step_of(
        self, chat: ReplayedChat, where: Callable[[int], str]
    ) -> Callable[[ReplayStep], object] | None:
        """The callback for the steps of a chat; `where`: the place of an event, by its index."""
        on_step = self.on_step
        if on_step is None:
            return None

        def report(step: ReplayStep) -> None:
            is_located = self.locates_all or any(map(is_finding, step.effects))
            on_step(chat, evolve(step, where=where(step.seq)) if is_located else step)

        return report

    def _count(self, chat: ReplayedChat, records: int) -> None:
        """Count records of a chat, the last of which is the one being fed."""
        self.records += records
        self.output_key = (self.records, _FED, 0)
        chat.last_record = self.records
        if chat.key in self._over:
            self._over.move_to_end(chat.key)

    def _keep_ended(self, chat: ReplayedChat) -> None:
        """Keep a chat that has ended for `_LINGER_RECORDS` from now on."""
        chat.is_over = chat.session.done
        if chat.is_over:
            self._over[chat.key] = chat
            self._over.move_to_end(chat.key)
            self._next_due = min(self._next_due, chat.last_record + _LINGER_RECORDS)
        else:  # a journal may begin anew
            self._over.pop(chat.key, None)

    def _release_ended(self, record: int) -> Iterator[ReplayedChat]:
        """Release the chats that have been over for long enough at a record."""

        def key(chat: ReplayedChat) -> OutputKey:
            return chat.last_record + _LINGER_RECORDS, _LINGERED, 0

        yield from self._release(self._ended_before(record), key)

    def _release_silent(
        self, timestamp: float | None, close_after: float
    ) -> Iterator[ReplayedChat]:
        """Release the chats that are silent or over for long enough at the next record."""
        record = self.records + 1
        silent: list[ChatKey] = []
        if timestamp is not None:
            clock = self._clock = max(self._clock or timestamp, timestamp)
            for key, chat in self._open.items():
                if chat.last_clock is None:  # it began before the log's first time
                    chat.last_clock = clock
                if chat.last_clock + close_after >= clock:
                    break
                silent.append(key)
        keys = dict.fromkeys((*self._ended_before(record), *silent))
        yield from self._release(keys, lambda chat: (record, _LINGERED, chat.number))

    def _ended_before(self, record: int) -> list[ChatKey]:
        """The chats that have been over for `_LINGER_RECORDS` at a record."""
        keys: list[ChatKey] = []
        self._next_due = inf
        for key, chat in self._over.items():
            if chat.last_record + _LINGER_RECORDS > record:
                self._next_due = chat.last_record + _LINGER_RECORDS
                break
            keys.append(key)
        return keys

    def _release(
        self, keys: Iterable[ChatKey], output_key: Callable[[ReplayedChat], OutputKey]
    ) -> Iterator[ReplayedChat]:
        for chat in sorted((self._open[key] for key in keys), key=output_key):
            self.output_key = output_key(chat)
            self._feed_unstamped(chat, 0.0)
            del self._open[chat.key]
            self._over.pop(chat.key, None)
            yield chat


def replay_logs(  # noqa: PLR0913  # the options of StreamReplay
    logs: Iterable[str | PathLike[str] | Source],
    *,
    settings: Settings | None = None,
    default_chat_id: str | None = None,
    close_after: float | None = None,
    on_step: OnStep | None = None,
    prefers_received: bool = False,
) -> Iterator[ReplayedChat]:
    """Replay all chats of recorded files (`-`: standard input), and yield each when it is finished.

    `logs`: the paths that `open_logs` takes, or what it returns. The options are those of
    `StreamReplay`. Raises `UnreadableLogError` if a file cannot be read, and `ViolationError` if
    the settings are strict and a log violates the protocol.
    """
    stream = StreamReplay(
        *(settings or Settings(), default_chat_id, close_after),
        on_step=on_step,
        prefers_received=prefers_received,
    )
    return stream.read(open_logs(logs))
