"""Observing: what a driver tells observers about its chats, and the health of many chats.

    def count(observation: Observation) -> None:
        match observation:
            case RequestEnded(status=None, failure=failure): ...
            case OwnEventUndelivered(): ...

    async with aio.Chats(sender, observers=[count]) as chats: ...

No observation holds texts, names, credentials, or the ids of customers. `chat_id` is the id of the
chat, and None before the server has given one. `chatfsm.drivers.opentelemetry` and
`chatfsm.drivers.prometheus` are observers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from attrs import frozen

from chatfsm._client.client import ChatClient
from chatfsm.effects import FormReason
from chatfsm.models import AnomalyKind
from chatfsm.transport import FailureKind, RequestPurpose

__all__ = [
    "AnomalyFound",
    "ChatStarted",
    "ChatStopped",
    "ChatsHealth",
    "DuplicatesIgnored",
    "FormProgress",
    "GapRepaired",
    "IncomingMessage",
    "LinkEntered",
    "Observation",
    "ObservedChat",
    "Observer",
    "OwnEventUndelivered",
    "OwnMessageDelivered",
    "RequestEnded",
    "RequestSent",
    "SaveFailed",
    "StateEntered",
    "StopReason",
    "health_of",
]

StopReason = Literal[
    "over",  # the session has ended
    "closed",  # the app has left the chat, which stays open on the server
    "error",  # the client raised an error
]
"""Reason of a `ChatStopped`."""


@frozen
class _Observation:
    chat_id: str | None
    """Id of the chat; None before the server has opened it."""


@frozen
class ChatStarted(_Observation):
    """A driver began with a chat: a new one, or one that was restored."""

    link: str
    """State of the link, as in `LinkChanged.state`."""
    state: str | None
    """State of the session; None for a new chat."""


@frozen
class ChatStopped(_Observation):
    """The driver is done with the chat; once after each `ChatStarted`.

    Requests of the chat may still end after it.
    """

    link: str
    """The last state of the link."""
    state: str | None
    """The last state of the session."""
    reason: StopReason
    """The reason; "over" only if the session has ended."""


@frozen
class RequestSent(_Observation):
    """A request was given to the sender."""

    purpose: RequestPurpose
    """Purpose of the request, as in `HttpRequest.purpose`."""
    method: Literal["GET", "POST"]
    """The HTTP method: GET or POST."""
    template: str
    """Path with `{chat}` and `{subject}` in place of ids."""
    scheme: str
    """http or https."""
    host: str
    """Host of the contact center, without the port."""
    port: int
    """Port of the contact center; 443 or 80 if the URL names none."""
    size: int
    """Bytes of the body."""


@frozen
class RequestEnded(_Observation):
    """A request has a reply or has failed; once after each `RequestSent`."""

    request: RequestSent
    """The object that the observer received when the request was sent."""
    status: int | None
    """Status of the reply; None without a reply."""
    failure: FailureKind | None
    """Kind of the failure; None with a reply. `cancelled` also if the chat was closed."""
    seconds: float
    """Since the request was given to the sender, on the driver's clock."""
    size: int
    """Bytes of the reply's body; 0 without a reply."""


@frozen
class LinkEntered(_Observation):
    """The link to the server entered another state."""

    previous: str
    """The state before, as in `LinkChanged.state`."""
    state: str
    """The new state, as in `LinkChanged.state`."""


@frozen
class StateEntered(_Observation):
    """The session entered another state."""

    previous: str | None
    """None if it is the first that is known of the chat."""
    state: str
    """The new state, as in `StateChanged.state`."""
    replayed: bool
    """Whether it comes from a history, and may be long past."""


@frozen
class GapRepaired(_Observation):
    """A history was merged after a gap in which events may have been lost, or at the start."""

    missed: int
    """Number of effects that only the history brought."""


@frozen
class IncomingMessage(_Observation):
    """A message of another party arrived."""

    replayed: bool
    """Whether it comes from a history."""


@frozen
class OwnMessageDelivered(_Observation):
    """A message of the customer has reached the server."""

    seconds: float | None
    """Since the app sent it, on the driver's clock; None if it did so in an earlier process."""


@frozen
class OwnEventUndelivered(_Observation):
    """A message, or another event of the customer, did not reach the server, or may not have."""

    event: str
    """`message`, or the event's name on the wire."""
    is_final: bool
    """False for a message whose fate a history will decide: see `MessageUnconfirmed`."""


@frozen
class DuplicatesIgnored(_Observation):
    """The session ignored events that it had received before."""

    count: int
    """Number of events, 1 or more, since the last observation of this kind."""


@frozen
class FormProgress(_Observation):
    """A form was opened or closed."""

    state: Literal["opened"] | FormReason
    """opened, or the reason of the end."""


@frozen
class AnomalyFound(_Observation):
    """The server broke the protocol, or a limit of `Settings`."""

    kind: AnomalyKind
    """Kind of the anomaly, as in `Anomaly.kind`."""


@frozen
class SaveFailed(_Observation):
    """The chat could not be saved; the driver tries again, and sends nothing until then."""

    error: str
    """Name of the exception's class."""


Observation = (
    ChatStarted
    | ChatStopped
    | RequestSent
    | RequestEnded
    | LinkEntered
    | StateEntered
    | GapRepaired
    | IncomingMessage
    | OwnMessageDelivered
    | OwnEventUndelivered
    | DuplicatesIgnored
    | FormProgress
    | AnomalyFound
    | SaveFailed
)
"""All observations, as a closed union."""


class Observer(Protocol):
    """A function that receives the observations of one or of many chats, in order for each chat.

    It is called between the steps of a chat, so it must return soon, and must not use the chat. The
    blocking driver calls it from several threads, the asynchronous one on the event loop. If it
    raises an `Exception`, that is logged, and the chat goes on.
    """

    def __call__(self, observation: Observation, /) -> object:
        """Receive an observation."""


class ObservedChat(Protocol):
    """A chat of a driver, as `health_of` sees it."""

    @property
    @abstractmethod
    def client(self) -> ChatClient:
        """The client of the chat."""

    @property
    @abstractmethod
    def unhandled(self) -> int:
        """Number of effects that wait for the app."""


@frozen
class ChatsHealth:
    """Health of many chats at one moment."""

    chats: int
    """Number of chats."""
    links: Mapping[str, int]
    """Number of chats by the state of the link."""
    states: Mapping[str, int]
    """Number of chats by the state of the session; those without a session are not in it."""
    pending: int
    """Requests without a reply."""
    queued: int
    """Messages and other events of customers that may not have arrived, posted or not."""
    unhandled: int
    """Effects that wait for the app."""
    failures: int
    """The largest number of failures in a row."""
    ignored: int
    """Replies that came late, twice, or for no request."""
    oldest_silence: float | None
    """The largest number of seconds since a reply to a poll; None if there was no reply."""


def health_of(chats: Iterable[ObservedChat], now: float) -> ChatsHealth:
    """Return the health of chats of either driver, at the time `now` on the driver's clock."""
    found = [*chats]
    healths = [chat.client.health(now) for chat in found]
    sessions = [chat.client.session for chat in found]
    silences = [each.silent_for for each in healths if each.silent_for is not None]
    return ChatsHealth(
        chats=len(found),
        links=Counter(each.link for each in healths),
        states=Counter(session.state for session in sessions if session is not None),
        pending=sum(each.pending for each in healths),
        queued=sum(each.queued for each in healths),
        unhandled=sum(chat.unhandled for chat in found),
        failures=max((each.failures for each in healths), default=0),
        ignored=sum(each.ignored for each in healths),
        oldest_silence=max(silences, default=None),
    )
