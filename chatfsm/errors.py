"""Every error that chatfsm raises on purpose, under one root."""

from __future__ import annotations

__all__ = [
    "ChatError",
    "DecodeError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "UnreadableLogError",
]


class ChatError(Exception):
    """The root: catch it to catch everything that chatfsm raises on purpose."""


class LocalProtocolError(ChatError):
    """This side asked for something that the protocol does not allow now; nothing has changed."""


class RemoteProtocolError(ChatError):
    """The server broke the protocol; raised only by sessions with `Settings(strict=True)`.

    `kind` is the word that the `Anomaly` would have carried, or "unknown" for an unknown event;
    `effects` holds what was told in the same step before the event was heard.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.effects: tuple[object, ...] = ()


class DecodeError(ChatError, ValueError):
    """The input as a whole is not JSON, or is JSON that holds no events."""


class UnreadableLogError(ChatError):
    """A file cannot be read as a recorded log; the text names the file, and the line if any."""
