"""Exceptions: every error that chatfsm raises on purpose.

    ChatError
    ├── ProtocolError
    │   ├── LocalProtocolError      the app: a command that is not allowed now
    │   └── RemoteProtocolError     the server: a violation, with Settings(strict=True)
    ├── DecodeError                 input that is not JSON, or holds no events
    ├── SnapshotError               a snapshot that cannot be restored
    ├── UnreadableLogError          a file that is not a recorded log
    ├── OutOfOrder                  events that are not sorted by chat and time
    ├── ReplayDivergence            a journal that a session does not reproduce
    ├── StoreError                  a store that cannot be used: damaged, or of a newer version
    │   └── StoreConflictError      a chat that another process has saved meanwhile
    └── ApiError                    a request that the contact center did not fulfil
        ├── TransportError          no readable reply
        ├── TransientError          not now, perhaps later
        ├── BusyError               another poll is open, or too many requests
        ├── AuthorizationError      app_id or client_id not accepted
        ├── ConfigurationError      tenant or launch point unknown
        ├── SessionGoneError        no such chat
        ├── RequestRefusedError     this request is refused, now and later
        ├── FileError               file too large, missing or not stored
        └── CaseError               no case, or an error of the case system

`DecodeError` and `SnapshotError` are ValueErrors too.
"""

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
    "OutOfOrder",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplayDivergence",
    "RequestRefusedError",
    "SessionGoneError",
    "SnapshotError",
    "StoreConflictError",
    "StoreError",
    "TransientError",
    "TransportError",
    "UnreadableLogError",
]


class ChatError(Exception):
    """The base of all errors that chatfsm raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the class with `args`, which is not what each `__init__` takes.
        return _unpickled, (type(self), self.args, self.__dict__)


def _unpickled(
    cls: type[ChatError], args: tuple[object, ...], state: dict[str, object]
) -> ChatError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class ProtocolError(ChatError):
    """A violation of the chat protocol, by the app or by the server."""


class LocalProtocolError(ProtocolError):
    """A command that the protocol does not allow now. The session is unchanged."""


class RemoteProtocolError(ProtocolError):
    """A violation by the server, raised only by sessions with `Settings(strict=True)`.

    `kind`: an `AnomalyKind`, or "unknown" for an unknown event. `effects`: the effects of the same
    step: those that were due before the event and, with a history, those of its other events.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.effects: tuple[object, ...] = ()


class DecodeError(ChatError, ValueError):
    """The input as a whole is not JSON, or is JSON without events."""


class UnreadableLogError(ChatError):
    """A file that is not a recorded log; the text names the file, and the line if one is known."""


class OutOfOrder(ChatError):  # noqa: N818  # the state of a table, not a failure
    """Events of a table that are not sorted by chat and time; the text names the chat and why."""


class SnapshotError(ChatError, ValueError):
    """A snapshot that cannot be restored: not from chatfsm, of a newer version, or altered."""


class ReplayDivergence(ChatError):  # noqa: N818  # the outcome of a comparison, not a failure
    """A session gave other effects than the journal records for the same input.

    `where`: file and line of the journal entry. `expected`, `came`: both lists of effects as JSON,
    or both texts of a refusal. `before`: the session's state before the input. The text names
    effects and the differing field, and quotes no message content.
    """

    def __init__(
        self, where: str, difference: str, before: str, *, expected: object, came: object
    ) -> None:
        super().__init__(f"{where}: {difference}; before it the session was {before}")
        self.where = where
        self.expected = expected
        self.came = came
        self.before = before


class StoreError(ChatError):
    """A store of chats that is damaged, of a newer version, or no such store."""


class StoreConflictError(StoreError):
    """Another process or chat has saved or deleted the chat, so this one must not go on.

    A driver stops the chat at this error: nothing more is sent.
    """


class ApiError(ChatError):
    """The contact center did not fulfil a request. The text holds no content of the request."""

    error_code: str | None
    """The server's error code; None if the reply had none."""
    status: int | None
    """The HTTP status; None if no reply came."""
    retry_after: float | None
    """Seconds that the server asks to wait; None if it did not ask."""
    transient: bool
    """Whether the same request may succeed later."""

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
    """The server does not know the tenant's domain or the launch point."""


class AuthorizationError(ApiError):
    """The server does not accept the app_id or the client_id."""


class SessionGoneError(ApiError):
    """The server does not know this chat, or no longer."""


class TransientError(ApiError):
    """The server cannot fulfil the request now, but perhaps later."""


class BusyError(ApiError):
    """The server already holds a poll of this session, or receives too many requests."""


class RequestRefusedError(ApiError):
    """The server refuses this request, and would refuse it again."""


class FileError(ApiError):
    """The file is too large, does not exist, or could not be stored."""


class CaseError(ApiError):
    """The chat has no case, or the case system returned an error."""


class TransportError(ApiError):
    """No readable reply came. `kind`: a `transport.FailureKind`.

    `too_large`: whether the reply exceeded a bound, so that the same request will fail again.
    """

    def __init__(self, kind: str, why: str = "", *, too_large: bool = False) -> None:
        super().__init__(f"no reply ({kind}){': ' if why else ''}{why}", transient=not too_large)
        self.kind = kind
        self.too_large = too_large
