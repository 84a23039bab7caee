"""A live chat session with a contact center, as a state machine without IO.

session = ChatSession("a-chat-id")
for event in decode(reply_body):
    for effect in session.receive(event, now=monotonic()):
        ...
"""

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
