"""Every error that chatfsm raises on purpose, under one root."""

from __future__ import annotations

__all__ = [
    "ChatError",
    "DecodeError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "ReplayDivergence",
    "SnapshotError",
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


class SnapshotError(ChatError, ValueError):
    """A snapshot cannot be restored: it is none of ours, of a newer version, or was changed."""


class ReplayDivergence(ChatError):  # noqa: N818  # an outcome of a comparison, named as such
    """A journal, heard again, gave something else than what it says.

    `where` is the line of the journal; `expected` and `came` are the two lists of effects as
    JSON, or the two texts of a refusal; `before` is the session's state before that input. The
    text names effects, and the field that differs, but quotes nothing that people wrote.
    """

    def __init__(
        self, where: str, difference: str, before: str, *, expected: object, came: object
    ) -> None:
        super().__init__(f"{where}: {difference}; before it the session was {before}")
        self.where = where
        self.expected = expected
        self.came = came
        self.before = before
