"""What the conversation tells, beside its requests and the effects of its session."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from chatfsm.api import ApiRequest
from chatfsm.effects import Conclusion
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
    "waiting",  # nothing was heard yet, or the server asked for patience
    "live",  # polls are answered
    "retrying",  # the last one failed; the next is on its way, or will be
    "unauthorized",  # nothing is sent until `Resume`
    "over",  # the session has ended: nothing will be sent
]


@frozen
class ChatOpened:
    """The server gave a chat; `is_new` False: it went on with one that the client id had."""

    chat_id: str
    is_new: bool


@frozen
class ApiSucceeded:
    """A call of the app's was answered; `call` is the very object that was received."""

    request: ApiRequest
    result: object = field(hash=False, repr=False)
    """One of `replies`, as `endpoints` says for each call."""


@frozen
class ApiFailed:
    """A call of the app's was refused, or nobody knows: `TransportError` where no reply came."""

    request: ApiRequest
    error: ApiError = field(eq=False, hash=False)


@frozen
class LinkChanged:
    """The link to the server is in another state."""

    state: LinkState
    why: str = ""


@frozen
class AuthorizationFailed:
    """The server does not accept the credentials: nothing is sent until `Resume`."""

    error: AuthorizationError = field(eq=False, hash=False)


@frozen
class Undelivered:
    """Something said that is no message did not arrive, and is not sent again.

    A message's fate is told by the session (`MessageFailed`); this is for answers to forms,
    signals, receipts and the like. `event` is the wire's name of it, `subject` the id of the form
    or message that it is about.
    """

    event: str
    subject: str | None
    why: str


ChatEffect = (
    ChatOpened
    | ApiSucceeded
    | ApiFailed
    | LinkChanged
    | AuthorizationFailed
    | Undelivered
    | Conclusion
)
"""Effects of a client for the app: a chat of `chatfsm.drivers` gives these."""

ClientEffect = ChatEffect | HttpRequest
"""All effects of a client; it posts the `SendEvents` of its session by itself."""
