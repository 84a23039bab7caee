"""A live chat session with a contact center, as a state machine without IO.

session = ChatSession("a-chat-id")
for event in decode(reply_body):
    for effect in session.receive(event, now=monotonic()):
        ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatfsm.errors import (
        ChatError,
        DecodeError,
        LocalProtocolError,
        RemoteProtocolError,
        ReplayDivergence,
        SnapshotError,
    )
    from chatfsm.protocol import commands, events, signaling
    from chatfsm.protocol.codec import decode, encode
    from chatfsm.protocol.lines import decode_lines
    from chatfsm.session import effects
    from chatfsm.session.inputs import History, Lost, SendFailed, Sent, Tick
    from chatfsm.session.session import ChatSession
    from chatfsm.session.settings import Settings

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
    "ChatSession": "chatfsm.session.session",
    "DecodeError": "chatfsm.errors",
    "History": "chatfsm.session.inputs",
    "LocalProtocolError": "chatfsm.errors",
    "Lost": "chatfsm.session.inputs",
    "RemoteProtocolError": "chatfsm.errors",
    "ReplayDivergence": "chatfsm.errors",
    "SendFailed": "chatfsm.session.inputs",
    "Sent": "chatfsm.session.inputs",
    "Settings": "chatfsm.session.settings",
    "SnapshotError": "chatfsm.errors",
    "Tick": "chatfsm.session.inputs",
    "decode": "chatfsm.protocol.codec",
    "decode_lines": "chatfsm.protocol.lines",
    "encode": "chatfsm.protocol.codec",
}
_MODULES = {
    "commands": "chatfsm.protocol.commands",
    "effects": "chatfsm.session.effects",
    "events": "chatfsm.protocol.events",
    "signaling": "chatfsm.protocol.signaling",
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
