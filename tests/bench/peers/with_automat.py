"""Automat in its usual way: a protocol of inputs, built once, an instance a session."""

from __future__ import annotations

from typing import Any, Protocol

from automat import TypeMachineBuilder

from chatfsm import events
from tests.bench.peers.triggers import ENDS, HEARD, LIVE, STATUSES, Driven

__all__ = ["Chat"]

Effects = list[Any]


class Inputs(Protocol):
    """The triggers, one method each, as Automat wants them."""

    def status_establishing(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_ivr(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_queued(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_connecting(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_connected(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_completed(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_failed(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def hear_ended(self, item: events.Ended, now: float, effects: Effects) -> None: ...
    def hear_timed_out(self, item: events.Event, now: float, effects: Effects) -> None: ...
    def hear_joined(self, item: events.PartyJoined, now: float, effects: Effects) -> None: ...
    def hear_left(self, item: events.PartyLeft, now: float, effects: Effects) -> None: ...
    def hear_message(self, item: events.Message, now: float, effects: Effects) -> None: ...
    def hear_delivered(self, item: events.Event, now: float, effects: Effects) -> None: ...
    def hear_read(self, item: events.Event, now: float, effects: Effects) -> None: ...
    def hear_types(self, item: events.Typing, now: float, effects: Effects) -> None: ...
    def hear_not_typing(self, item: events.NotTyping, now: float, effects: Effects) -> None: ...
    def hear_form_shown(self, item: events.FormShow, now: float, effects: Effects) -> None: ...
    def hear_form_answered(self, item: events.FormData, now: float, effects: Effects) -> None: ...
    def hear_warned(self, item: events.Event, now: float, effects: Effects) -> None: ...
    def hear_file(self, item: events.File, now: float, effects: Effects) -> None: ...


class Chat(Driven):
    """The core of an instance of the machine; as its own caller it keeps the instance too."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.machine = new_machine(self)

    def fire(self, trigger: str, item: events.Event, now: float, effects: Effects) -> None:
        """Call the input of that name."""
        getattr(self.machine, trigger)(item, now, effects)


def _built() -> Any:
    builder = TypeMachineBuilder(Inputs, Chat)
    states = {name: builder.state(name) for name in (*LIVE, "failed", "ended", "timed_out")}
    for source in LIVE:
        for word in STATUSES:
            if word != source:
                trigger = getattr(Inputs, f"status_{word}")
                states[source].upon(trigger).to(states[word])(_status_moved(source))
        for outcome in ENDS.values():
            trigger = getattr(Inputs, f"hear_{outcome}")
            states[source].upon(trigger).to(states[outcome])(_has_ended(source, outcome))
        for name in HEARD.values():
            states[source].upon(getattr(Inputs, f"hear_{name}")).loop()(_concluded(name))
    return builder.build()


def _status_moved(source: str) -> Any:
    def moved(
        _inputs: Inputs, chat: Chat, item: events.Status, now: float, effects: Effects
    ) -> None:
        chat.state = item.state
        chat.moved(source, item, effects)

    return moved


def _has_ended(source: str, outcome: str) -> Any:
    def ended(
        _inputs: Inputs, chat: Chat, item: events.Event, now: float, effects: Effects
    ) -> None:
        chat.state = outcome
        text = item.msg if isinstance(item, events.InactivityTimeout) else None
        chat.moved(source, None, effects, text or "")

    return ended


def _concluded(name: str) -> Any:
    conclude = getattr(Chat, name)

    def concluded(
        _inputs: Inputs, chat: Chat, item: events.Event, now: float, effects: Effects
    ) -> None:
        conclude(chat, item, now, effects)

    return concluded


new_machine = _built()
