"""Effects of the plain reducer: frozen attrs classes."""

from __future__ import annotations

from attrs import frozen

from chatfsm import events


@frozen
class Party:
    party_id: str
    type: str | None
    display_name: str | None
    first_name: str | None
    last_name: str | None


@frozen
class Form:
    request_id: str
    name: str | None
    deadline: float | None


@frozen
class StateChanged:
    previous: str
    state: str


@frozen
class WaitEstimated:
    seconds: float


@frozen
class PartyAdded:
    party: Party


@frozen
class PartyChanged:
    party: Party


@frozen
class PartyRemoved:
    party: Party


@frozen
class MessageReceived:
    msg_id: str | None
    party_id: str | None
    sender: Party | None
    own: bool
    text: str
    html: str | None
    channel: str | None
    attachments: tuple[events.Attachment, ...]
    timestamp: float | None


@frozen
class FileReceived:
    msg_id: str | None
    party_id: str | None
    sender: Party | None
    own: bool
    file_id: str
    file_type: str | None
    file_name: str | None
    timestamp: float | None


@frozen
class TypingStarted:
    party_id: str


@frozen
class TypingStopped:
    party_id: str


@frozen
class FormOpened:
    form: Form


@frozen
class FormClosed:
    form: Form
    reason: str


@frozen
class WarningRaised:
    text: str


@frozen
class WarningCleared:
    pass


@frozen
class DeliveryConfirmed:
    msg_id: str
    party_id: str | None


@frozen
class ReadConfirmed:
    msg_id: str
    party_id: str | None


@frozen
class Anomaly:
    kind: str
    text: str


@frozen
class Terminated:
    outcome: str
    text: str
