"""Every error that chatfsm raises on purpose, under one root."""

from __future__ import annotations

__all__ = [
    "ApiError",
    "AuthorizationError",
    "BusyError",
    "CaseError",
    "ChatError",
    "ConfigurationError",
    "DecodeError",
    "FileError",
    "LocalProtocolError",
    "RemoteProtocolError",
    "ReplayDivergence",
    "RequestRefusedError",
    "SessionGoneError",
    "SnapshotError",
    "TransientError",
    "TransportError",
    "UnreadableLogError",
]


class ChatError(Exception):
    """The root: catch it to catch everything that chatfsm raises on purpose."""


class LocalProtocolError(ChatError):
    """This side asked for something that the protocol does not allow now; nothing has changed."""


class RemoteProtocolError(ChatError):
    """The server broke the protocol; raised only by sessions with `Settings(strict=True)`.

    `kind` is the word that the `Anomaly` would have carried, or "unknown" for an unknown event;
    `effects` holds what was told in the same step: what was due before the event was heard, and
    of a history all that is no violation.
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


class ApiError(ChatError):
    """The contact center did not do what a request asked for.

    `error_code` is the server's, None where it gave none; `status` that of HTTP, None where no
    reply came; `retry_after` seconds that the server asks to wait; `transient`: whether the same
    request may succeed later. The text holds none of what the request said.
    """

    def __init__(
        self,
        text: str,
        *,
        error_code: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(text)
        self.error_code = error_code
        self.status = status
        self.retry_after = retry_after
        self.transient = transient


class ConfigurationError(ApiError):
    """The tenant's domain or the launch point is unknown there."""


class AuthorizationError(ApiError):
    """The app's id or the client's is not accepted."""


class SessionGoneError(ApiError):
    """The server knows no such chat session (any more)."""


class TransientError(ApiError):
    """The server cannot now; it may later."""


class BusyError(ApiError):
    """The server holds a poll of this session already, or is asked too often."""


class RequestRefusedError(ApiError):
    """The server refuses this very request, and will again."""


class FileError(ApiError):
    """The file is too large, not there, or could not be kept."""


class CaseError(ApiError):
    """There is no case, or the system that keeps the cases refused."""


class TransportError(ApiError):
    """No reply came that can be read; `kind` as in `HttpFailure`."""

    def __init__(self, kind: str, why: str = "") -> None:
        super().__init__(f"no reply ({kind}){': ' if why else ''}{why}", transient=True)
        self.kind = kind
