"""chatfsm: chat sessions with a contact center, as state machines without IO.

`ChatSession` turns server events and the app's commands into effects. `ChatClient` adds the HTTP
API, still without IO. `chatfsm.drivers` runs a client with threads or asyncio; `chatfsm.adapters`
holds senders for HTTP libraries.

    from chatfsm import ChatSession, decode, effects

    session = ChatSession("56fe48cd-d460-a6f7-e645-cd55a2737f96")
    for event in decode(reply_body):
        for effect in session.receive(event, now=monotonic()):
            match effect:
                case effects.MessageReceived(message):
                    print(message.text)
                case effects.Terminated(outcome):
                    print("chat over:", outcome)

Glossary:

adapter       A module that makes a sender from one HTTP library.
anomaly       A server input that breaks the protocol; reported as an effect, never raised.
app           The program that uses chatfsm.
backoff       The delay before a retry; it grows with each failure up to a limit.
chat          One conversation of a customer with a contact center, named by its chat_id.
client        `ChatClient`: one session plus the API requests that carry it. Without IO.
command       An order of the app, such as `SendText`. Refused commands change nothing.
customer      The person, or bot, on the app's side of the chat.
deadline      The time at which `receive` should be called with `Tick`, on the caller's clock.
driver        A loop with threads or asyncio that runs a client and gives the app its effects.
duplicate     An event that was received before; counted, not reported again.
effect        A result of one input: a fact for the app, or work for the transport.
event         One JSON object of the server, such as `PartyJoined`, as a typed value.
fault         A failure that the simulator causes on purpose, such as a lost reply.
finding       A conclusion of `chatfsm replay` from a log, such as an anomaly.
history       The list of past events that the server returns on request.
input         A value that `receive` takes: event, command, tick, transport result or history.
journal       A file of all inputs and effects of one session, to repeat them and compare.
late          Received after the session ended; counted only.
link          The state of a client's connection to the server.
long poll     A request that the server holds until it has events or a timeout passes.
merge         Adding a history to the state: known events are skipped, new ones reported.
outbox        The session's own messages until the server has confirmed them.
party         A participant of a chat: agent, scenario or customer.
pending       Waiting for a reply or a confirmation.
replay        Feeding a recorded log to a session, on the log's clock.
reply         The server's answer to a request, with an HTTP status and a body.
request       One HTTP request, or one `api` request of the app such as `UploadFile`.
roster        The parties that are in the chat now.
scenario      The script that a contact center runs; in the simulator, a script of a test chat.
sender        A callable that performs one `HttpRequest` and returns the reply or the failure.
session       `ChatSession`: the state of one chat. Without IO.
simulator     A contact center in Python, for tests and demos.
snapshot      The complete state of a session or a client as JSON.
store         A file, or a class of yours, that keeps snapshots across restarts.
tick          The input that says only that time has passed.
unconfirmed   Sent, but without a reply: the server may or may not have the message.
"""

from importlib import import_module

# Type checkers take it for typing.TYPE_CHECKING. Importing `typing` would take ten times as long as
# the rest of this module.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from chatfsm import (
        api,
        client_effects,
        commands,
        effects,
        endpoint,
        errors,
        events,
        inputs,
        models,
        settings,
        signaling,
        transport,
    )
    from chatfsm._client.client import ChatClient, Health
    from chatfsm._protocol.codec import decode, encode
    from chatfsm._protocol.lines import decode_lines
    from chatfsm._session.session import ChatSession
    from chatfsm._version import __version__
    from chatfsm.endpoint import Endpoint
    from chatfsm.errors import (
        ApiError,
        AuthorizationError,
        BusyError,
        CaseError,
        ChatError,
        ConfigurationError,
        DecodeError,
        FileError,
        LocalProtocolError,
        OutOfOrder,
        ProtocolError,
        RemoteProtocolError,
        ReplayDivergence,
        RequestRefusedError,
        SessionGoneError,
        SnapshotError,
        StoreConflictError,
        StoreError,
        TransientError,
        TransportError,
        UnreadableLogError,
    )
    from chatfsm.inputs import History, Lost, SendFailed, Sent, Tick
    from chatfsm.settings import ClientSettings, Settings
    from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

else:  # type checkers refuse a name that is not imported above

    def __getattr__(name: str) -> object:
        """Load a public name on its first use; the module's namespace answers later uses."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = import_module(home)
        if home != f"{__name__}.{name}":
            value = getattr(value, name)
        globals()[name] = value
        return value


__all__ = [
    "ApiError",
    "AuthorizationError",
    "BusyError",
    "CaseError",
    "ChatClient",
    "ChatError",
    "ChatSession",
    "ClientSettings",
    "ConfigurationError",
    "DecodeError",
    "Endpoint",
    "FileError",
    "Health",
    "History",
    "HttpFailure",
    "HttpReply",
    "HttpRequest",
    "LocalProtocolError",
    "Lost",
    "OutOfOrder",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplayDivergence",
    "RequestRefusedError",
    "SendFailed",
    "Sent",
    "SessionGoneError",
    "Settings",
    "SnapshotError",
    "StoreConflictError",
    "StoreError",
    "Tick",
    "TransientError",
    "TransportError",
    "UnreadableLogError",
    "__version__",
    "api",
    "client_effects",
    "commands",
    "decode",
    "decode_lines",
    "effects",
    "encode",
    "endpoint",
    "errors",
    "events",
    "inputs",
    "models",
    "settings",
    "signaling",
    "transport",
]

# The module of each public name, loaded when the name is first used: a program that only catches
# errors or prints help loads no library. Type checkers read the imports above; a test compares.
_HOMES = {
    "ApiError": "chatfsm.errors",
    "AuthorizationError": "chatfsm.errors",
    "BusyError": "chatfsm.errors",
    "CaseError": "chatfsm.errors",
    "ChatClient": "chatfsm._client.client",
    "ChatError": "chatfsm.errors",
    "ChatSession": "chatfsm._session.session",
    "ClientSettings": "chatfsm.settings",
    "ConfigurationError": "chatfsm.errors",
    "DecodeError": "chatfsm.errors",
    "Endpoint": "chatfsm.endpoint",
    "FileError": "chatfsm.errors",
    "Health": "chatfsm._client.client",
    "History": "chatfsm.inputs",
    "HttpFailure": "chatfsm.transport",
    "HttpReply": "chatfsm.transport",
    "HttpRequest": "chatfsm.transport",
    "LocalProtocolError": "chatfsm.errors",
    "Lost": "chatfsm.inputs",
    "OutOfOrder": "chatfsm.errors",
    "ProtocolError": "chatfsm.errors",
    "RemoteProtocolError": "chatfsm.errors",
    "ReplayDivergence": "chatfsm.errors",
    "RequestRefusedError": "chatfsm.errors",
    "SendFailed": "chatfsm.inputs",
    "Sent": "chatfsm.inputs",
    "SessionGoneError": "chatfsm.errors",
    "Settings": "chatfsm.settings",
    "SnapshotError": "chatfsm.errors",
    "StoreConflictError": "chatfsm.errors",
    "StoreError": "chatfsm.errors",
    "Tick": "chatfsm.inputs",
    "TransientError": "chatfsm.errors",
    "TransportError": "chatfsm.errors",
    "UnreadableLogError": "chatfsm.errors",
    "__version__": "chatfsm._version",
    "api": "chatfsm.api",
    "client_effects": "chatfsm.client_effects",
    "commands": "chatfsm.commands",
    "decode": "chatfsm._protocol.codec",
    "decode_lines": "chatfsm._protocol.lines",
    "effects": "chatfsm.effects",
    "encode": "chatfsm._protocol.codec",
    "endpoint": "chatfsm.endpoint",
    "errors": "chatfsm.errors",
    "events": "chatfsm.events",
    "inputs": "chatfsm.inputs",
    "models": "chatfsm.models",
    "settings": "chatfsm.settings",
    "signaling": "chatfsm.signaling",
    "transport": "chatfsm.transport",
}


def __dir__() -> list[str]:
    """Return the public names alone, loaded or not."""
    return list(__all__)
