"""Automat in its usual way: a protocol of inputs, one machine, an instance for each session."""

from __future__ import annotations

from typing import Any, Protocol

from automat import TypeMachineBuilder

from chatfsm import events
from tests.bench.peers.triggers import ENDS, LIVE, NAMES, STATUSES, LibraryDriven

__all__ = ["Chat"]

Effects = list[Any]


class Inputs(Protocol):
    """The triggers, one method each, as Automat requires."""

    def status_establishing(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_ivr(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_queued(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_connecting(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_connected(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_completed(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def status_failed(self, item: events.Status, now: float, effects: Effects) -> None: ...
    def receive_ended(self, item: events.Ended, now: float, effects: Effects) -> None: ...
    def receive_timed_out(self, item: events.Event, now: float, effects: Effects) -> None: ...
    def receive_joined(self, item: events.PartyJoined, now: float, effects: Effects) -> None: ...
    def receive_left(self, item: events.PartyLeft, now: float, effects: Effects) -> None: ...
    def receive_message(self, item: events.Message, now: float, effects: Effects) -> None: ...
    def receive_delivered(self, item: events.Event, now: float, effects: Effects) -> None: ...
    def receive_read(self, item: events.Event, now: float, effects: Effects) -> None: ...
    def receive_typing(self, item: events.Typing, now: float, effects: Effects) -> None: ...
    def receive_not_typing(self, item: events.NotTyping, now: float, effects: Effects) -> None: ...
    def receive_form_shown(self, item: events.FormShow, now: float, effects: Effects) -> None: ...
    def receive_answered(self, item: events.FormData, now: float, effects: Effects) -> None: ...
    def receive_warning(self, item: events.Event, now: float, effects: Effects) -> None: ...
    def receive_file(self, item: events.File, now: float, effects: Effects) -> None: ...


class Chat(LibraryDriven):
    """The core of a machine instance; it also holds the instance, as its only caller."""

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
                states[source].upon(trigger).to(states[word])(_status_changed(source))
        for outcome in ENDS.values():
            trigger = getattr(Inputs, f"receive_{outcome}")
            states[source].upon(trigger).to(states[outcome])(_has_ended(source, outcome))
        for name in NAMES.values():
            states[source].upon(getattr(Inputs, f"receive_{name}")).loop()(_calling(name))
    return builder.build()


def _status_changed(source: str) -> Any:
    def conclude(
        _inputs: Inputs, chat: Chat, item: events.Status, now: float, effects: Effects
    ) -> None:
        chat.state = item.state
        chat.conclude_transition(source, item, effects)

    return conclude


def _has_ended(source: str, outcome: str) -> Any:
    def ended(
        _inputs: Inputs, chat: Chat, item: events.Event, now: float, effects: Effects
    ) -> None:
        chat.state = outcome
        text = item.msg if isinstance(item, events.InactivityTimeout) else None
        chat.conclude_transition(source, None, effects, text or "")

    return ended


def _calling(name: str) -> Any:
    handler = getattr(Chat, f"on_{name}")

    def call(_inputs: Inputs, chat: Chat, item: events.Event, now: float, effects: Effects) -> None:
        handler(chat, item, now, effects)

    return call


new_machine = _built()
