"""Exchanges: requests and their replies as a judge sees them, from outside of the client.

A client may know less than the judge: the center may have handled a request whose reply was lost.
So both are kept, the reply of the center, and what arrived at the client.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from attrs import define, field

from chatfsm._client.failures import NO_EVENTS, error_in, may_have_arrived, parse_reply
from chatfsm._protocol import json_input
from chatfsm._protocol import names as wire
from chatfsm.errors import ApiError, DecodeError, SessionGoneError, TransportError
from chatfsm.simulator.network import Arrival, BrokenExchange
from chatfsm.transport import HttpReply, HttpRequest

__all__ = ["ObservedExchange", "events_in", "is_own", "is_terminal", "text_of"]

Wire = dict[str, Any]

_PATH: Final = re.compile(r"/clientweb/api/v([12])/(.+)", re.DOTALL)
# Shipped clients join a base and a path with two slashes.
_SLASHES: Final = re.compile(r"//+")
# These must be answered by a JSON object. A portal answers with a page of its own.
_ANSWERED_BY_OBJECT: Final = frozenset({"open", "active", "poll", "post", "history", "upload"})
_ENDS: Final = frozenset({wire.ENDED, wire.INACTIVITY_TIMEOUT, wire.MISSPELLED_TIMEOUT})


def _subject(method: str, path: str) -> tuple[str, str]:
    """Return the kind of a request, as in `Subject` or "active", and the id of its chat."""
    first, _, rest = path.partition("/")
    chat_id, _, last = rest.partition("/")
    if first != "chats":
        return ("upload" if (first, method) == ("files", "POST") else "other"), ""
    if not last:
        kinds = {("POST", ""): "open", ("GET", "active"): "active"}
        return kinds.get((method, rest), "other"), ""
    kinds = {("GET", "events"): "poll", ("POST", "events"): "post", ("GET", "history"): "history"}
    return kinds.get((method, last), "other"), unquote(chat_id)


@define(eq=False)
class ObservedExchange:
    """A request of the client's, and what became of it."""

    number: int
    """The number of the request, from 1."""
    at: float
    """The time of sending, in seconds."""
    request: HttpRequest = field(repr=False)
    """The request, as the client sent it."""
    subject: str = "other"
    """A `chatfsm.simulator.faults.Subject`, or "active" for GET chats/active."""
    chat_id: str = ""
    """The id of the chat in the path; "": none."""
    version: int = 0
    """The version of the API in the path; 0: none."""
    reply: HttpReply | None = field(default=None, repr=False)
    """The reply of the center; None: the request did not reach it, or waits for its reply."""
    handled_at: float | None = None
    """The time at which the center handled the request; None: it has not."""
    arrived_at: float | None = None
    """The time at which the reply arrived or the exchange broke; None: it did neither."""
    cancelled_at: float | None = None
    """The time at which the client gave up the request."""
    error: ApiError | None = field(default=None, repr=False)
    """The error that arrived, as chatfsm's own client reads it."""
    is_readable: bool = False
    """Whether a reply arrived that every client can read: without bytes that had to be mended."""
    value: object = field(default=None, repr=False)
    """The JSON value that arrived, perhaps mended; None: none arrived."""

    @classmethod
    def of(cls, number: int, request: HttpRequest, at: float) -> ObservedExchange:
        """Return the exchange of a request that is sent now."""
        exchange = cls(number, at, request)
        match = _PATH.fullmatch(_SLASHES.sub("/", _path_of(request.url)))
        if match is not None:
            exchange.version = int(match[1])
            exchange.subject, exchange.chat_id = _subject(request.method, match[2])
        return exchange

    def arrive(self, arrival: Arrival, now: float) -> None:
        """Note what arrives at the client."""
        self.arrived_at = now
        if isinstance(arrival, BrokenExchange):
            kind = "connect" if arrival.kind == "refused" else "protocol"
            self.error = TransportError(kind, arrival.kind)
            return
        is_download = self.subject == "other" and self.request.method == "GET"
        value, flaw = parse_reply(arrival, is_download=is_download)
        self.error = error_in(arrival, value, on_chat=bool(self.chat_id))
        if self.error is not None and self.error.error_code == NO_EVENTS:
            self.error, value = None, {}
        must_be_object = self.subject in _ANSWERED_BY_OBJECT
        if self.error is None and must_be_object and not isinstance(value, dict):
            self.error = TransportError("protocol", "the reply is not from the center")
        self.is_readable = not flaw
        if self.error is None:
            self.value = value

    @property
    def is_success(self) -> bool:
        """Whether a success arrived at the client."""
        return self.arrived_at is not None and self.error is None

    @property
    def is_gone(self) -> bool:
        """Whether the center told the client that there is no such chat."""
        return isinstance(self.error, SessionGoneError)

    @property
    def is_accepted(self) -> bool:
        """Whether the center handled the request with success, as the client may not know."""
        return self.reply is not None and self.reply.status == HTTPStatus.OK

    @property
    def is_late(self) -> bool:
        """Whether the request reached the center after its client had given it up."""
        given_up, handled = self.cancelled_at, self.handled_at
        return given_up is not None and handled is not None and handled > given_up

    @property
    def is_doubtful(self) -> bool:
        """Whether the client cannot know if the center has handled the request."""
        if self.arrived_at is None:
            return True
        return self.error is not None and may_have_arrived(self.error)

    @property
    def opened_chat_id(self) -> str:
        """The chat that the server named to the client as its live one; "": none."""
        if self.subject not in {"open", "active"} or not isinstance(self.value, dict):
            return ""
        return str(self.value.get("chat_id") or "")

    @property
    def told_events(self) -> list[Wire]:
        """The events that arrived at the client.

        A client with a strict decoder has none of them if the reply is not readable.
        """
        return events_in(self.value)

    @property
    def sent_events(self) -> list[Wire]:
        """The events in the center's reply, whatever became of it."""
        return [] if self.reply is None else events_in(_parsed(self.reply.body))

    @property
    def posted_events(self) -> list[Wire]:
        """The customer's events in the body, also that of a request for a chat."""
        body = _parsed(self.request.body)
        if self.subject == "post":
            return events_in(body)
        if self.subject != "open":
            return []
        wanted = body[0] if isinstance(body, list) and body else body
        initial = wanted.get("initial_message") if isinstance(wanted, dict) else None
        return events_in({"events": [initial]})

    @property
    def posted_count(self) -> int | None:
        """The number of items in the list of events of the body; None: there is no such list."""
        body = _parsed(self.request.body)
        found = body.get("events") if isinstance(body, dict) else None
        return len(found) if isinstance(found, list) else None

    @property
    def ended_at(self) -> float | None:
        """The time at which the client stopped waiting for the reply; None: it waits."""
        return self.cancelled_at if self.arrived_at is None else self.arrived_at

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for a request and its next attempt."""
        path, who = _path_of(self.request.url), self.header("authorization")
        return self.request.method, path, who, hash(self.request.body)

    def header(self, name: str) -> str:
        """Return the value of a header, the last of repeated ones; "": there is none."""
        headers = {known.lower(): value for known, value in self.request.headers}
        return headers.get(name, "")

    def __str__(self) -> str:
        # Without the query, which names the tenant.
        return f"{self.number} {self.request.method} {_path_of(self.request.url)}"


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _parsed(body: bytes) -> Any:
    try:
        return json_input.parse(body)
    except DecodeError:
        return None


def events_in(value: object) -> list[Wire]:
    """Return the events in the body of a POST or a reply; items that are none are left out."""
    found = value.get("events") if isinstance(value, dict) else None
    items = found if isinstance(found, list) else []
    return [item for item in items if isinstance(item, dict) and isinstance(item.get("event"), str)]


def is_terminal(event: Wire) -> bool:
    """Whether an event of the server's ends the session."""
    if event["event"] == wire.STATUS:
        return event.get("state") == "failed"
    return event["event"] in _ENDS


def is_own(event: Wire, chat_id: str) -> bool:
    """Whether an event that the server tells is the customer's own."""
    party = event.get("party_id")
    return not party or str(party).lower() == chat_id.lower()


def text_of(event: Wire) -> str | None:
    """Return the text of a message, or None if the event is no message."""
    if event["event"] != wire.MESSAGE:
        return None
    return str(event.get("msg_text") or event.get("msg") or "")
