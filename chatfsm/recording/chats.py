"""Many chats in one stream of records: each to its own session, and let go once it is over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from attrs import define, field

from chatfsm.errors import ChatError, RemoteProtocolError, UnreadableLogError
from chatfsm.recording.entries import Entry, Opening
from chatfsm.recording.formats import Record
from chatfsm.recording.journal import Journal
from chatfsm.recording.replay import ChatReplay, Step
from chatfsm.recording.report import Account
from chatfsm.recording.source import Source
from chatfsm.session.session import ChatSession
from chatfsm.session.settings import Settings

__all__ = ["Chat", "Chats", "ViolationError"]

# A chat that has ended is kept until so many further records have passed without one of its own,
# so that what comes late is told as late.
_LINGER: Final = 10_000

Key = tuple[str, str]


class ViolationError(ChatError):
    """A log breaks the protocol; the text names file, line and reason."""


@define(eq=False)
class Chat:
    """One chat of a log."""

    key: Key
    number: int
    """Its place in the order in which chats were first met."""
    replay: ChatReplay
    account: Account
    last_record: int = 0
    """How many records there were, of all chats, up to the last one of this."""
    last_clock: float = 0.0
    """The time of the log, over all chats, at the last record of this."""
    pending: list[Record] = field(factory=list)
    """Records that wait for the chat's first timestamp."""


@define
class Chats:
    """The chats that are open in a log.

    `hear`, `end_of` and `finish` give the steps of chats; None in place of a step means that the
    chat is let go: it is over, or silent, or the log is.
    """

    settings: Settings
    default_chat_id: str | None = None
    """The chat of records without a chat_id; None: one a file, called by the file's stem."""
    journal: Journal = field(factory=lambda: Journal(compare=False))
    """What becomes of journals."""
    close_after: float | None = None
    """Seconds of silence, on the clock of the log, after which a chat is let go."""
    _open: OrderedDict[Key, Chat] = field(factory=OrderedDict)
    """The least recently heard first."""
    _over: OrderedDict[Key, Chat] = field(factory=OrderedDict)
    """Those of them that have ended, likewise."""
    _met: int = 0
    _records: int = 0
    _clock: float = 0.0

    def hear(self, record: Record) -> Iterator[tuple[Chat, Step | None]]:
        """What follows from a record. Raises `ViolationError` in strict sessions."""
        self._records += 1
        self._clock = max(self._clock, record.event.timestamp or 0.0)
        yield from self._let_go(self._silent())
        chat = self._chat(record)
        was_over = chat.account.session.done
        was_late = chat.account.session.counts.late if was_over else 0
        chat.pending.append(record)
        yield from self._steps(chat, self._heard(chat, record))
        if was_over and chat.account.session.counts.late > was_late:
            chat.account.late(record.event.timestamp)
        if chat.account.session.done:
            self._over[chat.key] = chat
            self._over.move_to_end(chat.key)

    def _heard(self, chat: Chat, record: Record) -> Iterator[Step]:
        """The steps of an event on the clock of the log, or of a journal's entry on its own."""
        event = record.event
        if isinstance(event, Opening):
            session = self.journal.opens(event, record.where)
            chat.replay.session = chat.account.session = session
            chat.pending.clear()
        elif isinstance(event, Entry):
            effects = self.journal.hears(chat.replay.session, event, record.where)
            yield chat.replay.again(event, effects)
        elif self.journal.is_of(chat.key[1]):
            raise UnreadableLogError(f"{record.where}: no line of a journal")
        else:
            yield from chat.replay.hear(event)

    def end_of(self, source: Source) -> Iterator[tuple[Chat, Step | None]]:
        """What follows from the end of a file: over are its unnamed chats, and the ended ones."""
        keys = [key for key in self._open if key in self._over or key[0] == source.name]
        yield from self._let_go(keys)

    def finish(self) -> Iterator[tuple[Chat, Step | None]]:
        """What follows from the end of all."""
        yield from self._let_go(list(self._open))

    def abandon(self) -> Iterator[tuple[Chat, None]]:
        """Let go of what is still open, as it stands: nothing more is heard."""
        for chat in sorted(self._open.values(), key=lambda chat: chat.number):
            yield chat, None
        self._open.clear()
        self._over.clear()

    def _chat(self, record: Record) -> Chat:
        """The chat of a record, moved to the end of those that were heard."""
        chat_id = record.chat_id or self.default_chat_id
        key = ("", chat_id) if chat_id else (record.source.name, record.source.stem)
        chat = self._open.get(key)
        if chat is None:
            session = ChatSession(key[1], settings=self.settings)
            self._met += 1
            chat = self._open[key] = Chat(key, self._met, ChatReplay(session), Account(session))
        self._open.move_to_end(key)
        chat.last_record = self._records
        chat.last_clock = self._clock
        return chat

    def _silent(self) -> list[Key]:
        """The chats that are silent for too long, and those that are over for long enough."""
        keys: dict[Key, None] = {}
        for key, chat in self._over.items():
            if chat.last_record + _LINGER > self._records:
                break
            keys[key] = None
        if self.close_after is not None:
            for key, chat in self._open.items():
                if chat.last_clock + self.close_after >= self._clock:
                    break
                keys[key] = None
        return list(keys)

    def _let_go(self, keys: list[Key]) -> Iterator[tuple[Chat, Step | None]]:
        for chat in sorted((self._open[key] for key in keys), key=lambda chat: chat.number):
            yield from self._steps(chat, chat.replay.finish())
            del self._open[chat.key]
            self._over.pop(chat.key, None)
            yield chat, None

    def _steps(self, chat: Chat, steps: Iterator[Step]) -> Iterator[tuple[Chat, Step]]:
        before = chat.replay.heard
        try:
            for step in steps:
                chat.account.add(step)
                yield chat, step
        except RemoteProtocolError as error:
            where = chat.pending[chat.replay.heard - before].where
            raise ViolationError(f"{where}: {error}") from error
        del chat.pending[: chat.replay.heard - before]
