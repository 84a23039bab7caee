"""One chat of a log, and who is told of chats."""

from __future__ import annotations

from typing import Protocol

from attrs import define, field

from chatfsm.recording.records import Run
from chatfsm.recording.replay import ChatReplay, Step
from chatfsm.recording.report import Account

__all__ = ["Chat", "Key", "Listener", "Moment"]

Key = tuple[str, str]

Moment = tuple[float, int, int]
"""When something is told: after how many records; in which turn there; of which chat."""


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
    pending: list[tuple[Run, int]] = field(factory=list)
    """Records that wait for the chat's first timestamp: the runs that they are in, and where."""


class Listener(Protocol):
    """Is told what follows from records, in order."""

    wants_steps: bool
    """Whether steps are told; what becomes of a chat's account needs none."""

    def step(self, chat: Chat, step: Step, /) -> None:
        """Something followed from an event."""

    def over(self, chat: Chat, /) -> None:
        """The chat is let go: it is over, or silent, or the log is."""
