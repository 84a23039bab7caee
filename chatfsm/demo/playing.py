"""Both chats, each with a center and faults of its own, and what is told of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from attrs import define

from chatfsm.demo import scene
from chatfsm.demo.clients import ByChatfsm, ByLoop
from chatfsm.demo.diary import Diary
from chatfsm.demo.printing import Sheet
from chatfsm.demo.verdict import Outcome, lines
from chatfsm.demo.watching import Watched
from chatfsm.errors import ChatError
from chatfsm.protocol.codec import decode
from chatfsm.protocol.events import Message
from chatfsm.serving.face import Face
from chatfsm.simulator.center import ContactCenter

__all__ = ["play"]

_CLIENTS: Final = ("the polling loop", "chatfsm")
# Polls of a chat that is over, after which it is plain that the loop would go on for ever.
_ENOUGH: Final = 5
# Seconds for each client; a demo takes five.
_PATIENCE: Final = 30.0


@define
class _Stand:
    """A contact center of its own, the way there, and the diary of whoever comes."""

    diary: Diary
    center: ContactCenter
    network: Watched

    @classmethod
    def made(cls, seed: int, now: Callable[[], float]) -> _Stand:
        """One before anybody came."""
        diary, center = Diary(now), scene.center(seed)
        struck = lambda words: diary.note("fault", "", words, "bad")  # noqa: E731
        return cls(diary, center, Watched(center, scene.FAULTS, struck, seed=seed))

    def open(self, stack: ExitStack) -> str:
        """Serve it until the stack is done; returns the URL. Raises `ChatError`."""
        try:
            return stack.enter_context(Face(self.network)).url
        except OSError as error:
            raise ChatError(f"cannot serve on the loopback: {error.strerror}") from None

    def outcome(self, client: ByChatfsm | ByLoop) -> Outcome:
        """What became of the chat that was had here."""
        [chat] = self.center.chats.values()
        past = _messages(chat.past)
        return Outcome(
            faults=self.network.strikes,
            said=client.customer.said,
            arrived=[event.msg or "" for event in _messages(chat.said)],
            sent=[event.msg or "" for event in past if event.party_id != chat.chat_id],
            told=client.told,
            typing=client.typing,
            forms=client.forms,
            late_polls=self.network.late_polls,
            was_stopped=client.was_stopped,
        )


def _messages(items: list[dict[str, Any]]) -> list[Message]:
    return [event for event in decode(items) if isinstance(event, Message)]


def play(seed: int, sheet: Sheet) -> bool:
    """Let both have their chat, and tell of it; whether chatfsm's came through whole."""
    loop, ours = _both(seed, sheet)
    outcomes = loop, ours
    sheet.table(_CLIENTS, lines(outcomes))
    for name, outcome in zip(_CLIENTS, outcomes, strict=True):
        for what, texts in (("Lost", outcome.lost), ("Doubled", outcome.doubled)):
            if texts:
                sheet.say(f"{what} by {name}: {'; '.join(texts)}")
    return ours.is_whole


def _both(seed: int, sheet: Sheet) -> tuple[Outcome, Outcome]:
    """The outcomes of the loop, whose rows are printed at the end, and of chatfsm."""
    began = time.monotonic()
    now = lambda: time.monotonic() - began  # noqa: E731
    for_loop, for_us = _Stand.made(seed, now), _Stand.made(seed, now)
    by_loop = ByLoop(for_loop.diary)
    for_loop.network.late = lambda number: by_loop.polled_late(number, _ENOUGH)
    ours = ByChatfsm(for_us.diary, lambda: sheet.rows(for_us.diary.rows()))
    sheet.head("What chatfsm tells")
    with ExitStack() as stack:
        by_loop.start(for_loop.open(stack))
        stack.callback(by_loop.stop)
        ours.run(for_us.open(stack), _PATIENCE)
        by_loop.wait(_PATIENCE)
        by_loop.stop()
    sheet.rows(for_us.diary.rows())
    sheet.head("")
    sheet.head("What the polling loop shows")
    sheet.rows(for_loop.diary.rows())
    sheet.head("")
    return for_loop.outcome(by_loop), for_us.outcome(ours)
