"""Many chats in one stream of records: each to its own session, and let go once it is over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, Final, Protocol

from attrs import define, field

from chatfsm._session.session import ChatSession
from chatfsm.effects import MessageReceived
from chatfsm.errors import ChatError, RemoteProtocolError, UnreadableLogError
from chatfsm.replay.chat_replay import ChatReplay, ReplayStep
from chatfsm.replay.formats import record_batches
from chatfsm.replay.journal import JournalEntry, JournalHeader, JournalReplay
from chatfsm.replay.reader import RecordRun
from chatfsm.replay.sharding import Shard
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import COUNTED_EFFECTS, ChatStats
from chatfsm.settings import Settings

__all__ = [
    "ChatKey",
    "OutputKey",
    "Reader",
    "ReplayListener",
    "ReplayedChat",
    "StreamReplay",
    "ViolationError",
    "hear_on",
    "read",
]

# One chat of a log, and who is told of chats.

ChatKey = tuple[str, str]

OutputKey = tuple[float, int, int]
"""When something is told: after how many records; in which turn there; of which chat."""


@define(eq=False)
class ReplayedChat:
    """One chat of a log."""

    key: ChatKey
    number: int
    """Its place in the order in which chats were first met: how many records there were by then."""
    replay: ChatReplay
    stats: ChatStats
    last_record: int = 0
    """How many records there were, of all chats, up to the last one of this."""
    last_clock: float = 0.0
    """The time of the log, over all chats, at the last record of this."""
    is_over: bool = False
    pending: list[tuple[RecordRun, int]] = field(factory=list)
    """Records that wait for the chat's first timestamp: the runs that they are in, and where."""


class ReplayListener(Protocol):
    """Is told what follows from records, in order."""

    wants_steps: bool
    """Whether steps are told; what becomes of a chat's account needs none."""

    def step(self, chat: ReplayedChat, step: ReplayStep, /) -> None:
        """Something followed from an event."""

    def over(self, chat: ReplayedChat, /) -> None:
        """The chat is let go: it is over, or silent, or the log is."""


# A chat that has ended is kept until so many further records have passed without one of its own,
# so that what comes late is told as late.
_LINGER_RECORDS: Final = 10_000

_LINGERED, _FED, _ENDED = 0, 1, 2
"""The turns after a record: who has lingered is let go, the record is heard, files end."""


class ViolationError(ChatError):
    """A log breaks the protocol; the text names file, line and reason."""


@define
class StreamReplay:
    """The chats that are open in a log."""

    listener: ReplayListener
    settings: Settings
    default_chat_id: str | None = None
    """The chat of records without a chat_id; None: one a file, called by the file's stem."""
    journal: JournalReplay = field(factory=lambda: JournalReplay(compare=False))
    """What becomes of journals."""
    close_after: float | None = None
    """Seconds of silence, on the clock of the log, after which a chat is let go."""
    output_key: OutputKey = field(default=(0, 0, 0), init=False)
    """When what is told now is told; steps of records that are heard have no number."""
    within: int = field(default=0, init=False)
    """Which record of a run is heard."""
    _open: OrderedDict[ChatKey, ReplayedChat] = field(factory=OrderedDict, init=False)
    """The least recently heard first."""
    _over: OrderedDict[ChatKey, ReplayedChat] = field(factory=OrderedDict, init=False)
    """Those of them that have ended, likewise."""
    _records: int = field(default=0, init=False)
    _files: int = field(default=0, init=False)
    """How many files have ended."""
    _clock: float = field(default=0.0, init=False)
    _next_due: float = field(default=inf, init=False)
    """No chat has lingered for long enough before there were so many records."""

    @property
    def _looks_closely(self) -> bool:
        """Whether somebody wants to see each record, or what followed from it."""
        return self.listener.wants_steps or self.journal.compares or self.close_after is not None

    @property
    def records(self) -> int:
        """How many records there were, of all chats."""
        return self._records

    @property
    def after_reading(self) -> OutputKey:
        """When it is told that no more was read: after the last record, before the file ends."""
        return self._records, _ENDED + 2 * self._files, 0

    def feed(self, run: RecordRun) -> None:
        """Tell what follows from records. Raises `ViolationError` in strict sessions."""
        self._records += run.skipped
        index, number = 0, len(run.events)
        while index < number:
            self.within = index
            chat = None if run.is_journal or self._looks_closely else self._under_way(run)
            # What is due before the last of them is told when its turn comes.
            due = self._next_due - self._records - 1
            if chat is None or due <= 0:
                self._hear_one(run, index)
                index += 1
            else:
                index = self._hear_on(chat, run, index, int(min(due, number - index)))

    def _hear_on(self, chat: ReplayedChat, run: RecordRun, index: int, most: int) -> int:
        """Hear so many records, or those up to the chat's end; returns the next one's index."""
        events = (
            run.events
            if index == 0 and most == len(run.events)
            else run.events[index : index + most]
        )
        heard = chat.replay.event_count
        try:
            hear_on(chat.replay, chat.stats, events)
        except RemoteProtocolError as error:
            self.output_key = (self._records + chat.replay.event_count - heard + 1, _FED, 0)
            where = run.where(index + chat.replay.event_count - heard)
            raise ViolationError(f"{where}: {error}") from error
        finally:
            heard = chat.replay.event_count - heard
            self._records += heard
            self.within = index + heard
            chat.last_record = self._records
        if chat.stats.ended_at is not None:
            self._is_over(chat)
        return index + heard

    def _under_way(self, run: RecordRun) -> ReplayedChat | None:
        """The chat of a run, where it has begun, and is not over."""
        chat = self._open.get(self._key(run))
        if chat is None or chat.replay.now is None or chat.stats.ended_at is not None:
            return None
        self._open.move_to_end(chat.key)
        return chat

    def _hear_one(self, run: RecordRun, index: int) -> None:
        """Tell what follows from one record, whatever it is."""
        self._records += 1
        event = run.events[index]
        if self.close_after is not None:
            self._clock = max(self._clock, event.timestamp or 0.0)
            keys = dict.fromkeys((*self._lingering(), *self._silent(self.close_after)))
            self._release(keys, lambda chat: (self._records, _LINGERED, chat.number))
        elif self._records >= self._next_due:
            self._release(self._lingering(), _after_lingering)
        self.output_key = (self._records, _FED, 0)
        chat = self._chat(run)
        account = chat.stats
        was_late = account.session.counts.late if chat.is_over else None
        self._hear(chat, run, index)
        if was_late is not None and account.session.counts.late > was_late:
            account.late(event.timestamp)
        chat.is_over = account.session.done
        if chat.is_over:
            self._is_over(chat)

    def _is_over(self, chat: ReplayedChat) -> None:
        """A chat has ended, or was heard after its end."""
        chat.is_over = True
        self._over[chat.key] = chat
        self._over.move_to_end(chat.key)
        self._next_due = min(self._next_due, chat.last_record + _LINGER_RECORDS)

    def skip(self, number: int) -> None:
        """So many records were of chats that others hear."""
        self._records += number
        if self._records >= self._next_due:
            self._release(self._lingering(), _after_lingering)

    def end_of(self, source: Source) -> None:
        """Tell what follows from the end of a file: over are its unnamed chats, and ended ones."""
        keys = [key for key in self._open if key in self._over or key[0] == source.name]
        turn = _ENDED + 2 * self._files + 1
        self._files += 1
        self._release(keys, lambda chat: (self._records, turn, chat.number))

    def finish(self) -> None:
        """Tell what follows from the end of all."""
        self._release(list(self._open), lambda chat: (inf, 0, chat.number))

    def abandon(self) -> None:
        """Let go of what is still open, as it stands: nothing more is heard."""
        for chat in sorted(self._open.values(), key=lambda chat: chat.number):
            self.output_key = (inf, 0, chat.number)
            self.listener.over(chat)
        self._open.clear()
        self._over.clear()

    def _key(self, run: RecordRun) -> ChatKey:
        """What its chat is known by."""
        chat_id = run.chat_id or self.default_chat_id
        return ("", chat_id) if chat_id else (run.source.name, run.source.stem)

    def _chat(self, run: RecordRun) -> ReplayedChat:
        """The chat of a run, moved to the end of those that were heard."""
        key = self._key(run)
        chat = self._open.get(key)
        if chat is None:
            session = ChatSession(key[1], settings=self.settings)
            chat = ReplayedChat(key, self._records, ChatReplay(session), ChatStats(session))
            self._open[key] = chat
        else:
            self._open.move_to_end(key)
        chat.last_record = self._records
        chat.last_clock = self._clock
        return chat

    def _hear(self, chat: ReplayedChat, run: RecordRun, index: int) -> None:
        """Tell the steps of an event on the clock of the log, or of a journal's entry on its own.

        Nearly always there is one, which nobody needs to see.
        """
        event = run.events[index]
        if run.is_journal:
            self._hear_again(chat, event, run.where(index))
            return
        if self.journal.compares and self.journal.has_chat(chat.key[1]):
            raise UnreadableLogError(f"{run.where(index)}: no line of a journal")
        replay = chat.replay
        try:
            effects = replay.at_once(event)
        except RemoteProtocolError as error:
            raise ViolationError(f"{run.where(index)}: {error}") from error
        if effects is None:
            chat.pending.append((run, index))
            self._tell(chat, replay.feed(event))
        else:
            at = replay.now or 0.0
            chat.stats.take(at, effects)
            if self.listener.wants_steps:
                self.listener.step(chat, ReplayStep(replay.event_count - 1, at, tuple(effects)))

    def _hear_again(
        self, chat: ReplayedChat, entry: JournalHeader | JournalEntry, where: str
    ) -> None:
        if isinstance(entry, JournalHeader):
            session = self.journal.open_session(entry, where)
            chat.replay.session = chat.stats.session = session
            chat.pending.clear()
            return
        try:
            effects = self.journal.verify_entry(chat.replay.session, entry, where)
        except RemoteProtocolError as error:
            raise ViolationError(f"{where}: {error}") from error
        self._tell(chat, [chat.replay.add_entry(entry, effects)])

    def _tell(self, chat: ReplayedChat, steps: Iterable[ReplayStep]) -> None:
        before = chat.replay.event_count
        try:
            for step in steps:
                chat.stats.add(step)
                if self.listener.wants_steps:
                    self.listener.step(chat, step)
        except RemoteProtocolError as error:
            run, index = chat.pending[chat.replay.event_count - before]
            raise ViolationError(f"{run.where(index)}: {error}") from error
        del chat.pending[: chat.replay.event_count - before]

    def _lingering(self) -> list[ChatKey]:
        """The chats that have been over for long enough."""
        keys: list[ChatKey] = []
        self._next_due = inf
        for key, chat in self._over.items():
            if chat.last_record + _LINGER_RECORDS > self._records:
                self._next_due = chat.last_record + _LINGER_RECORDS
                break
            keys.append(key)
        return keys

    def _silent(self, close_after: float) -> list[ChatKey]:
        """The chats of which nothing was heard for too long."""
        keys: list[ChatKey] = []
        for key, chat in self._open.items():
            if chat.last_clock + close_after >= self._clock:
                break
            keys.append(key)
        return keys

    def _release(self, keys: Iterable[ChatKey], when: Callable[[ReplayedChat], OutputKey]) -> None:
        for chat in sorted((self._open[key] for key in keys), key=when):
            self.output_key = when(chat)
            self._tell(chat, chat.replay.finish())
            del self._open[chat.key]
            self._over.pop(chat.key, None)
            self.listener.over(chat)


def _after_lingering(chat: ReplayedChat) -> OutputKey:
    return chat.last_record + _LINGER_RECORDS, _LINGERED, 0


# The hot path of a replay: events of one chat, where nothing is out of the ordinary.
#
# Nearly all that a log holds is heard here, and every call counts: what is said of a chat as a
# whole is added up on the way, and put down once.


def hear_on(replay: ChatReplay, account: ChatStats, events: list[Any]) -> None:
    """Hear events of a chat that has begun, until it ends; `replay.heard` says how many they were.

    What follows is what `replay.hear` and `account.add` make of each, but for the time of what
    lapses between two of them, which no account holds. Raises what a strict session raises.
    """
    receive = replay.session.receive
    now = replay.now or 0.0
    heard = messages = 0
    try:
        for event in events:
            stamp = event.timestamp
            if stamp is not None and stamp > now:
                now = stamp
            for effect in receive(event, now=now):
                kind = effect.__class__
                if kind is MessageReceived:
                    messages += 1
                elif kind in COUNTED_EFFECTS:
                    account.count(effect, now)
            heard += 1
            if account.ended_at is not None:
                break
    finally:
        replay.now = now
        replay.event_count += heard
        account.messages += messages
        if heard:
            account.touch(now)


# One reading of logs: what they hold is heard, in order, and their ends are told.


class Reader(Protocol):
    """Who reads, and is told how it goes."""

    def reached(self, source: Source, records: int, /) -> None:
        """So many records of a file were heard; more are about to be."""

    def unreadable(self, error: UnreadableLogError, /) -> None:
        """A file, or the rest of it, cannot be read; the next one is read now."""


def read(
    sources: Iterable[Source],
    chats: StreamReplay,
    reader: Reader,
    hear: Callable[[RecordRun], None],
    share: Shard | None = None,
) -> None:
    """Let `chats` `hear` all records, or those of a share of the chats.

    Raises what strict sessions and journals raise.
    """
    for source in sources:
        before = chats.records
        try:
            for batch in record_batches(source, share):
                reader.reached(source, chats.records - before)
                for run in batch.runs:
                    hear(run)
                chats.skip(batch.skipped)
        except UnreadableLogError as error:
            reader.unreadable(error)
        chats.end_of(source)
    chats.finish()
