"""Many chats in one stream of records: each to its own session, and let go once it is over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from math import inf
from typing import Final, Protocol

from attrs import define, field

from chatfsm.errors import ChatError, RemoteProtocolError, UnreadableLogError
from chatfsm.recording.entries import Entry, Opening
from chatfsm.recording.journal import Journal
from chatfsm.recording.records import Record
from chatfsm.recording.replay import ChatReplay, Step
from chatfsm.recording.report import Account
from chatfsm.recording.source import Source
from chatfsm.session.session import ChatSession
from chatfsm.session.settings import Settings

__all__ = ["Chat", "Chats", "Listener", "Moment", "ViolationError"]

# A chat that has ended is kept until so many further records have passed without one of its own,
# so that what comes late is told as late.
_LINGER: Final = 10_000

_OF_A_JOURNAL: Final = (Opening, Entry)

Key = tuple[str, str]

Moment = tuple[float, int, int]
"""When something is told: after how many records; in which turn there; of which chat."""

_LINGERED, _HEARD, _ENDED = 0, 1, 2
"""The turns after a record: who has lingered is let go, the record is heard, files end."""


class ViolationError(ChatError):
    """A log breaks the protocol; the text names file, line and reason."""


@define(eq=False)
class Chat:
    """One chat of a log."""

    key: Key
    number: int
    """Its place in the order in which chats were first met: how many records there were by then."""
    replay: ChatReplay
    account: Account
    last_record: int = 0
    """How many records there were, of all chats, up to the last one of this."""
    last_clock: float = 0.0
    """The time of the log, over all chats, at the last record of this."""
    is_over: bool = False
    pending: list[Record] = field(factory=list)
    """Records that wait for the chat's first timestamp."""


class Listener(Protocol):
    """Is told what follows from records, in order."""

    wants_steps: bool
    """Whether steps are told; what becomes of a chat's account needs none."""

    def step(self, chat: Chat, step: Step, /) -> None:
        """Something followed from an event."""

    def over(self, chat: Chat, /) -> None:
        """The chat is let go: it is over, or silent, or the log is."""


@define
class Chats:
    """The chats that are open in a log."""

    listener: Listener
    settings: Settings
    default_chat_id: str | None = None
    """The chat of records without a chat_id; None: one a file, called by the file's stem."""
    journal: Journal = field(factory=lambda: Journal(compare=False))
    """What becomes of journals."""
    close_after: float | None = None
    """Seconds of silence, on the clock of the log, after which a chat is let go."""
    moment: Moment = field(default=(0, 0, 0), init=False)
    """When what is told now is told; steps of records that are heard have no number."""
    _open: OrderedDict[Key, Chat] = field(factory=OrderedDict, init=False)
    """The least recently heard first."""
    _over: OrderedDict[Key, Chat] = field(factory=OrderedDict, init=False)
    """Those of them that have ended, likewise."""
    _records: int = field(default=0, init=False)
    _files: int = field(default=0, init=False)
    """How many files have ended."""
    _clock: float = field(default=0.0, init=False)
    _next_due: float = field(default=inf, init=False)
    """No chat has lingered for long enough before there were so many records."""

    @property
    def records(self) -> int:
        """How many records there were, of all chats."""
        return self._records

    @property
    def after_reading(self) -> Moment:
        """When it is told that no more was read: after the last record, before the file ends."""
        return self._records, _ENDED + 2 * self._files, 0

    def hear(self, record: Record) -> None:
        """Tell what follows from a record. Raises `ViolationError` in strict sessions."""
        self._records += record.passed + 1
        if self.close_after is not None:
            self._clock = max(self._clock, record.event.timestamp or 0.0)
            keys = dict.fromkeys((*self._lingering(), *self._silent(self.close_after)))
            self._let_go(keys, lambda chat: (self._records, _LINGERED, chat.number))
        elif self._records >= self._next_due:
            self._let_go(self._lingering(), _after_lingering)
        self.moment = (self._records, _HEARD, 0)
        chat = self._chat(record)
        account = chat.account
        was_late = account.session.counts.late if chat.is_over else None
        self._hear(chat, record)
        if was_late is not None and account.session.counts.late > was_late:
            account.late(record.event.timestamp)
        chat.is_over = account.session.done
        if chat.is_over:
            self._over[chat.key] = chat
            self._over.move_to_end(chat.key)
            self._next_due = min(self._next_due, chat.last_record + _LINGER)

    def pass_over(self, number: int) -> None:
        """So many records were of chats that others hear."""
        self._records += number
        if self._records >= self._next_due:
            self._let_go(self._lingering(), _after_lingering)

    def end_of(self, source: Source) -> None:
        """Tell what follows from the end of a file: over are its unnamed chats, and ended ones."""
        keys = [key for key in self._open if key in self._over or key[0] == source.name]
        turn = _ENDED + 2 * self._files + 1
        self._files += 1
        self._let_go(keys, lambda chat: (self._records, turn, chat.number))

    def finish(self) -> None:
        """Tell what follows from the end of all."""
        self._let_go(list(self._open), lambda chat: (inf, 0, chat.number))

    def abandon(self) -> None:
        """Let go of what is still open, as it stands: nothing more is heard."""
        for chat in sorted(self._open.values(), key=lambda chat: chat.number):
            self.moment = (inf, 0, chat.number)
            self.listener.over(chat)
        self._open.clear()
        self._over.clear()

    def _chat(self, record: Record) -> Chat:
        """The chat of a record, moved to the end of those that were heard."""
        chat_id = record.chat_id or self.default_chat_id
        key = ("", chat_id) if chat_id else (record.source.name, record.source.stem)
        chat = self._open.get(key)
        if chat is None:
            session = ChatSession(key[1], settings=self.settings)
            chat = Chat(key, self._records, ChatReplay(session), Account(session))
            self._open[key] = chat
        else:
            self._open.move_to_end(key)
        chat.last_record = self._records
        chat.last_clock = self._clock
        return chat

    def _hear(self, chat: Chat, record: Record) -> None:
        """Tell the steps of an event on the clock of the log, or of a journal's entry on its own.

        Nearly always there is one, which nobody needs to see.
        """
        event = record.event
        if isinstance(event, _OF_A_JOURNAL):
            self._hear_again(chat, event, record)
            return
        if self.journal.compares and self.journal.is_of(chat.key[1]):
            raise UnreadableLogError(f"{record.where}: no line of a journal")
        replay = chat.replay
        try:
            effects = replay.at_once(event)
        except RemoteProtocolError as error:
            raise ViolationError(f"{record.where}: {error}") from error
        if effects is None:
            chat.pending.append(record)
            self._tell(chat, replay.hear(event))
        else:
            at = replay.now or 0.0
            chat.account.take(at, effects)
            if self.listener.wants_steps:
                self.listener.step(chat, Step(replay.heard - 1, at, tuple(effects)))

    def _hear_again(self, chat: Chat, entry: Opening | Entry, record: Record) -> None:
        if isinstance(entry, Opening):
            session = self.journal.opens(entry, record.where)
            chat.replay.session = chat.account.session = session
            chat.pending.clear()
            return
        try:
            effects = self.journal.hears(chat.replay.session, entry, record.where)
        except RemoteProtocolError as error:
            raise ViolationError(f"{record.where}: {error}") from error
        self._tell(chat, [chat.replay.again(entry, effects)])

    def _tell(self, chat: Chat, steps: Iterable[Step]) -> None:
        before = chat.replay.heard
        try:
            for step in steps:
                chat.account.add(step)
                if self.listener.wants_steps:
                    self.listener.step(chat, step)
        except RemoteProtocolError as error:
            where = chat.pending[chat.replay.heard - before].where
            raise ViolationError(f"{where}: {error}") from error
        del chat.pending[: chat.replay.heard - before]

    def _lingering(self) -> list[Key]:
        """The chats that have been over for long enough."""
        keys: list[Key] = []
        self._next_due = inf
        for key, chat in self._over.items():
            if chat.last_record + _LINGER > self._records:
                self._next_due = chat.last_record + _LINGER
                break
            keys.append(key)
        return keys

    def _silent(self, close_after: float) -> list[Key]:
        """The chats of which nothing was heard for too long."""
        keys: list[Key] = []
        for key, chat in self._open.items():
            if chat.last_clock + close_after >= self._clock:
                break
            keys.append(key)
        return keys

    def _let_go(self, keys: Iterable[Key], when: Callable[[Chat], Moment]) -> None:
        for chat in sorted((self._open[key] for key in keys), key=when):
            self.moment = when(chat)
            self._tell(chat, chat.replay.finish())
            del self._open[chat.key]
            self._over.pop(chat.key, None)
            self.listener.over(chat)


def _after_lingering(chat: Chat) -> Moment:
    return chat.last_record + _LINGER, _LINGERED, 0
