"""Effects of a client, besides HTTP requests and the effects of its session."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from chatfsm.api import ApiRequest
from chatfsm.effects import AppEffect
from chatfsm.errors import ApiError, AuthorizationError
from chatfsm.transport import HttpRequest

__all__ = [
    "ApiFailed",
    "ApiSucceeded",
    "AuthorizationFailed",
    "ChatEffect",
    "ChatOpened",
    "ClientEffect",
    "LinkChanged",
    "LinkState",
    "Undelivered",
]

LinkState = Literal[
    "waiting",  # no reply yet, or the server asked to wait
    "live",  # the server answers polls
    "retrying",  # the last request failed; a retry is under way or scheduled
    "unauthorized",  # the credentials were refused; no request until `Resume`
    "over",  # the session has ended; no further request
]
"""State of the link to the server."""


@frozen
class ChatOpened:
    """The server opened a chat, or returned the one that the client id already had."""

    chat_id: str
    """Id of the chat; keep it to join the chat from another process."""
    is_new: bool
    """False if the chat existed before."""


@frozen
class ApiSucceeded:
    """An API request of the app succeeded."""

    request: ApiRequest
    """The object that the client received."""
    result: object = field(hash=False, repr=False)
    """The result: `TypedRequest[Result]` has a `Result`; see `chatfsm.api`."""


@frozen
class ApiFailed:
    """An API request of the app failed, or its outcome is unknown."""

    request: ApiRequest
    """The object that the client received."""
    error: ApiError = field(eq=False, hash=False)
    """The server's refusal, or `TransportError` if no reply came."""


@frozen
class LinkChanged:
    """The link to the server entered another state."""

    state: LinkState
    """The new state; one of `LinkState`."""
    why: str = ""
    """The reason; empty if there is none to give."""


@frozen
class AuthorizationFailed:
    """The server does not accept the credentials; the client sends nothing until `Resume`."""

    error: AuthorizationError = field(eq=False, hash=False)
    """The refusal, with the server's error code, if it gave one."""


@frozen
class Undelivered:
    """An event of the app without a message id did not arrive, or may not have.

    It will not be sent again; `why` tells which of the two.

    For answers to forms, signals, receipts and the like; for messages see `MessageFailed`.
    """

    event: str
    """Name of the event on the wire."""
    subject: str | None
    """Id of the form or message that the event is about."""
    why: str
    """The reason, without any content of the event."""


ChatEffect = (
    ChatOpened
    | ApiSucceeded
    | ApiFailed
    | LinkChanged
    | AuthorizationFailed
    | Undelivered
    | AppEffect
)
"""All effects of a client for the app, as a closed union; `chatfsm.drivers` yields these."""

ClientEffect = ChatEffect | HttpRequest
"""All effects of a client, as a closed union. It posts `SendEvents` itself."""
