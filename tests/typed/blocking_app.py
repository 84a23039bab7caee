"""An app with the blocking driver, whose results have the expected types."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never, assert_type

from chatfsm import ChatClient, Endpoint, api, client_effects, commands, effects
from chatfsm.client_effects import ChatEffect
from chatfsm.drivers import storage
from chatfsm.drivers.threads import Chat
from chatfsm.models import ChatMessage, Form, Party


def converse(endpoint: Endpoint, store: Path) -> list[str]:
    """Greet the agent, answer all messages and forms; return the agent's texts."""
    with Chat.connect(endpoint, store=store) as chat:
        assert_type(chat, Chat)
        assert_type(chat.client, ChatClient)
        assert_type(chat.send_text("Is anybody there?"), str)
        received: list[str] = []
        for effect in chat:
            assert_type(effect, ChatEffect)
            match effect:
                case effects.MessageReceived(message) if not message.own:
                    assert_type(message, ChatMessage)
                    received.append(f"{message.sender_name}: {message.text}")
                case effects.FormOpened(form):
                    assert_type(form, Form)
                    chat.submit_form(form, {"order": "17"})
                case effects.Terminated(outcome):
                    received.append(f"chat over: {outcome}")
        assert_type(chat.state, str | None)
        assert_type(chat.forms, tuple[Form, ...])
        assert_type(chat.parties, tuple[Party, ...])
    return received


def make_parts(endpoint: Endpoint, store: storage.ChatStore) -> None:
    """Give each part instead of `connect`."""
    restored = storage.restore(store.load(), endpoint, now=0.0)
    with Chat(restored.client, save=store.save, pending=restored.pending) as chat:
        assert_type(chat.open(), api.SessionProperties)
        chat.send(commands.SendLocation(52.5, 13.4))
        chat.mark_read("2")


def ask_everything(chat: Chat) -> None:
    """Get the typed result of each request to the API."""
    assert_type(chat.ask(api.RequestChat()), api.SessionProperties)
    assert_type(chat.ask(api.RequestSmsChat()), api.SmsOutcome)
    assert_type(chat.ask(api.CheckAvailability()), api.Availability)
    assert_type(chat.ask(api.GetExpectedParameters()), tuple[api.ExpectedParameter, ...])
    assert_type(chat.ask(api.GetActiveChat()), api.SessionProperties | None)
    assert_type(chat.ask(api.UploadFile("a.txt", b"")), api.UploadedFile)
    assert_type(chat.ask(api.GetFile("1")), api.Download)
    assert_type(chat.ask(api.GetPhoto("1")), api.Download)
    assert_type(chat.ask(api.GetIceServers()), tuple[api.IceServer, ...])
    assert_type(chat.ask(api.GetCaseHistory()), tuple[api.EarlierChat, ...])
    assert_type(chat.ask(api.GetVersion()), api.ServerVersion)
    assert_type(chat.upload("a.txt"), str)
    assert_type(chat.download("1"), bytes)
    assert_type(chat.inspect(lambda client: client.done), bool)


def about(effect: ChatEffect) -> str:
    """Return the subject of an effect; every effect of a chat has its case."""
    match effect:
        case client_effects.ChatOpened() | client_effects.LinkChanged():
            return "connection"
        case client_effects.AuthorizationFailed() | client_effects.Undelivered():
            return "failure"
        case client_effects.ApiSucceeded() | client_effects.ApiFailed():
            return "late result"
        case effects.StateChanged() | effects.WaitEstimated() | effects.Terminated():
            return "lifecycle"
        case effects.PartyAdded() | effects.PartyChanged() | effects.PartyRemoved():
            return "roster"
        case effects.MessageReceived() | effects.FileReceived() | effects.LocationReceived():
            return "content"
        case effects.MessageEdited() | effects.MessageDeleted():
            return "change"
        case effects.MessageSent() | effects.MessageFailed() | effects.MessageUnconfirmed():
            return "own message"
        case effects.DeliveryConfirmed() | effects.ReadConfirmed():
            return "receipt"
        case effects.TypingStarted() | effects.TypingStopped():
            return "typing"
        case effects.FormOpened() | effects.FormClosed():
            return "form"
        case effects.WarningRaised() | effects.WarningCleared():
            return "warning"
        case effects.SignalReceived() | effects.CallChanged():
            return "call"
        case effects.CaseChanged() | effects.ServiceNamed() | effects.CobrowsingChanged():
            return "service"
        case effects.UnknownReceived() | effects.Anomaly() | effects.Ignored():
            return "anomaly"
        case _:
            assert_never(effect)
