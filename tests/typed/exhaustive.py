"""The unions of events and effects are closed, for mypy and for pyright.

Each function below is complete, and fails without one of its cases. The last four have
one error each, on purpose; the checkers report their ignores as unused if they miss the error.
"""

from __future__ import annotations

from typing import assert_never

import chatfsm
from chatfsm import (
    ChatSession,
    HttpRequest,
    Settings,
    Tick,
    client_effects,
    decode,
    effects,
    events,
)
from chatfsm.drivers import observing


def kind_of_effect(effect: effects.Effect) -> str:
    """Return the subject of an effect; every effect has its case."""
    match effect:
        case effects.StateChanged() | effects.WaitEstimated() | effects.Terminated():
            return "lifecycle"
        case effects.PartyAdded() | effects.PartyChanged() | effects.PartyRemoved():
            return "roster"
        case effects.MessageReceived(message):
            return message.text
        case effects.MessageEdited(msg_id) | effects.MessageDeleted(msg_id):
            return msg_id
        case effects.FileReceived() | effects.LocationReceived():
            return "shared"
        case effects.DeliveryConfirmed() | effects.ReadConfirmed():
            return "receipt"
        case effects.SendEvents(messages):
            return str(len(messages))
        case effects.MessageSent(msg_id) | effects.MessageFailed(msg_id):
            return msg_id
        case effects.MessageUnconfirmed():
            return "doubt"
        case effects.TypingStarted(party_id) | effects.TypingStopped(party_id):
            return party_id
        case effects.FormOpened(form) | effects.FormClosed(form):
            return form.request_id
        case effects.WarningRaised() | effects.WarningCleared():
            return "warning"
        case effects.SignalReceived() | effects.CallChanged():
            return "call"
        case effects.CaseChanged() | effects.ServiceNamed() | effects.CobrowsingChanged():
            return "service"
        case effects.UnknownReceived(name):
            return name
        case effects.Ignored(reason):
            return reason
        case effects.Anomaly(kind):
            return kind
        case _:
            assert_never(effect)


def kind_of_event(event: events.Event) -> str:
    """Return the subject of an event; every event has its case."""
    match event:
        case events.Status() | events.Ended() | events.InactivityTimeout():
            return "lifecycle"
        case events.PartyJoined() | events.PartyLeft():
            return event.party_id
        case events.Message() | events.File() | events.FileUrl() | events.Location():
            return "shared"
        case events.MessageEdit() | events.MessageDelete():
            return event.ref_msg_id
        case events.MessageDelivered() | events.MessageRead():
            return event.ref_msg_id
        case events.Typing() | events.NotTyping() | events.TimeoutWarning():
            return "presence"
        case events.FormShow() | events.SecureFormShow() | events.SecureFormCancel():
            return event.form_request_id
        case events.FormData() | events.FormDataCancel() | events.ClientEvent():
            return "client"
        case events.Signaling() | events.Cobrowsing():
            return "media"
        case events.CaseSet() | events.Info():
            return "service"
        case events.Unknown() | events.Malformed():
            return "odd"
        case _:
            assert_never(event)


def kind_of_client_effect(effect: client_effects.ClientEffect) -> str:
    """Return the subject of an effect of a client; every effect has its case."""
    match effect:
        case client_effects.ChatOpened(chat_id):
            return chat_id
        case client_effects.ApiSucceeded(request) | client_effects.ApiFailed(request):
            return type(request).__name__
        case client_effects.LinkChanged(state):
            return state
        case client_effects.AuthorizationFailed(error):
            return str(error)
        case client_effects.Undelivered(event):
            return event
        case HttpRequest(method=method):
            return method
        case _:
            return kind_of_effect(effect)


def kind_of_observation(observation: observing.Observation) -> str:
    """Return the subject of an observation; every observation has its case."""
    match observation:
        case observing.ChatStarted() | observing.ChatStopped():
            return "chat"
        case observing.RequestSent(template=template):
            return template
        case observing.RequestEnded(request=request, status=status):
            return f"{request.purpose} {status}"
        case observing.LinkEntered(state=state) | observing.StateEntered(state=state):
            return state
        case observing.IncomingMessage() | observing.OwnMessageDelivered():
            return "message"
        case observing.OwnEventUndelivered(event=event):
            return event
        case observing.GapRepaired() | observing.DuplicatesIgnored():
            return "count"
        case observing.FormProgress(state=progress):
            return progress
        case observing.AnomalyFound(kind=kind):
            return kind
        case observing.SaveFailed(error=error):
            return error
        case _:
            assert_never(observation)


def embed(body: bytes, now: float) -> list[str]:
    """Use the public names of the library as an app does."""
    session = ChatSession("a-chat", settings=Settings(typing_timeout=10))
    kinds = [
        kind_of_effect(effect)
        for event in decode(body)
        for effect in session.receive(event, now=now)
    ]
    if session.deadline is not None and now >= session.deadline:
        kinds += [kind_of_effect(effect) for effect in session.receive(Tick(), now=now)]
    return kinds


def forgets_an_effect(effect: effects.WarningRaised | effects.WarningCleared) -> str:
    """Lack a case, which the checkers must notice."""
    match effect:
        case effects.WarningRaised():
            return "raised"
        case _:
            assert_never(effect)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def forgets_an_event(event: events.Unknown | events.Malformed) -> str:
    """Lack a case, which the checkers must notice."""
    match event:
        case events.Unknown():
            return "unknown"
        case _:
            assert_never(event)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def forgets_a_client_effect(
    effect: client_effects.LinkChanged | client_effects.ChatOpened,
) -> str:
    """Lack a case, which the checkers must notice."""
    match effect:
        case client_effects.LinkChanged():
            return "link"
        case _:
            assert_never(effect)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def misspells_a_name() -> None:
    """Use a name that chatfsm does not have, which the checkers must notice."""
    chatfsm.ChatSesion  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018
