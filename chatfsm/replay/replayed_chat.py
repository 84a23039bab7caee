"""Replayed chats: one chat of a log while it is replayed, and what one replay hands to the next."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from chatfsm._session.session import ChatSession
from chatfsm.replay.chat_replay import ChatReplay
from chatfsm.replay.stats import ChatStats

__all__ = ["ChatKey", "OpenChats", "ReplayedChat"]

ChatKey = tuple[str, str]
"""Key of an open chat: `""` and its chat_id, or the file's name and stem if no id is known."""


@define(eq=False)
class ReplayedChat:
    """One chat of a log: its replay and its statistics."""

    key: ChatKey
    """Key of the chat among the open ones."""
    number: int
    """Number of the record, of all chats, that began this one; chats are released in its order."""
    replay: ChatReplay
    """The session of the chat, and its clock."""
    stats: ChatStats
    """The statistics of the chat up to now."""
    last_record: int = 0
    """Number of the last record of this chat."""
    last_clock: float | None = None
    """Time of the log, over all chats, at the last record of this one; None: not yet known."""
    is_over: bool = False
    """Whether the session has ended; late events may follow."""
    unstamped: list[str] = field(factory=list)
    """Places of the records that wait for the first timestamp of the chat."""
    index: int = 0
    """Number of chats that this replay began before it."""
    where: str = ""
    """Place of the record that began it: `file: line 12`."""
    memo: Any = None
    """What the output keeps of the chat until it is finished; replay itself does not use it."""

    @property
    def session(self) -> ChatSession:
        """The session as it is after the last record."""
        return self.replay.session


@define
class OpenChats:
    """Open chats that a replay of the first part of a stream hands over to one of the rest."""

    records: int = 0
    """Number of records so far."""
    chats: list[ReplayedChat] = field(factory=list)
    """The open chats, the least recently fed first."""
    next_entries: dict[str, int] = field(factory=dict)
    """The number of the next entry of each journal, if journals are compared."""
    given_up: str | None = None
    """Name of the file that cannot be read further, if the rest begins with more of it."""

    @property
    def keys(self) -> set[ChatKey]:
        """The chats that do not begin anew in the rest of the stream."""
        journals = {("", chat_id) for chat_id in self.next_entries}
        return journals.union(chat.key for chat in self.chats)
