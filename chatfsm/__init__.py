"""A live chat session with a contact center, as a state machine without IO.

session = ChatSession("a-chat-id")
for event in decode(reply_body):
    for effect in session.receive(event, now=monotonic()):
        ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatfsm import commands, effects, events, signaling
    from chatfsm._protocol.codec import decode, decode_lines, encode
    from chatfsm._session.session import ChatSession
    from chatfsm.errors import (
        ChatError,
        DecodeError,
        LocalProtocolError,
        RemoteProtocolError,
        ReplayDivergence,
        SnapshotError,
    )
    from chatfsm.inputs import History, Lost, SendFailed, Sent, Tick
    from chatfsm.settings import Settings

__all__ = [
    "ChatError",
    "ChatSession",
    "DecodeError",
    "History",
    "LocalProtocolError",
    "Lost",
    "RemoteProtocolError",
    "ReplayDivergence",
    "SendFailed",
    "Sent",
    "Settings",
    "SnapshotError",
    "Tick",
    "commands",
    "decode",
    "decode_lines",
    "effects",
    "encode",
    "events",
    "signaling",
]

# Each name loads what it needs when it is first used: a program that only catches errors, prints
# help, or replays in other processes does not pay for a hundred classes. Type checkers read the
# imports above; a test compares both.
_HOME = {
    "ChatError": "chatfsm.errors",
    "ChatSession": "chatfsm._session.session",
    "DecodeError": "chatfsm.errors",
    "History": "chatfsm.inputs",
    "LocalProtocolError": "chatfsm.errors",
    "Lost": "chatfsm.inputs",
    "RemoteProtocolError": "chatfsm.errors",
    "ReplayDivergence": "chatfsm.errors",
    "SendFailed": "chatfsm.inputs",
    "Sent": "chatfsm.inputs",
    "Settings": "chatfsm.settings",
    "SnapshotError": "chatfsm.errors",
    "Tick": "chatfsm.inputs",
    "decode": "chatfsm._protocol.codec",
    "decode_lines": "chatfsm._protocol.codec",
    "encode": "chatfsm._protocol.codec",
}
_MODULES = {
    "commands": "chatfsm.commands",
    "effects": "chatfsm.effects",
    "events": "chatfsm.events",
    "signaling": "chatfsm.signaling",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used; later uses find it without this."""
    if name in _MODULES:
        found: Any = import_module(_MODULES[name])
    elif name in _HOME:
        found = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """All public names, loaded or not, beside what every module has."""
    return sorted({*globals(), *__all__})
