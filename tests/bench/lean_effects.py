"""The effects of the lean floor: they carry the event, and copy nothing of it."""

from __future__ import annotations

from attrs import frozen

from chatfsm import events
from tests.bench.floor_effects import Party


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
