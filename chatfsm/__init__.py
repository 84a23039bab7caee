"""A live chat session with a contact center, as a state machine without IO.

session = ChatSession("a-chat-id")
for event in decode(reply_body):
    for effect in session.receive(event, now=monotonic()):
        ...
"""

from chatfsm.errors import ChatError, DecodeError, LocalProtocolError, RemoteProtocolError
from chatfsm.protocol import commands, events, signaling
from chatfsm.protocol.codec import decode, encode
from chatfsm.session import effects
from chatfsm.session.session import ChatSession, Tick
from chatfsm.session.settings import Settings

__all__ = [
    "ChatError",
    "ChatSession",
    "DecodeError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "Settings",
    "Tick",
    "commands",
    "decode",
    "effects",
    "encode",
    "events",
    "signaling",
]
