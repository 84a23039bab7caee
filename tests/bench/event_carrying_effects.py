"""Effects that carry the event, in place of copies of its fields."""

from __future__ import annotations

from attrs import frozen

from chatfsm import events
from tests.bench.reducer_effects import Party


@frozen
class MessageReceived:
    event: events.Message
    sender: Party | None
    own: bool


@frozen
class FileReceived:
    event: events.File
    sender: Party | None
    own: bool
