"""Checkers of what the customer says: ids, arrival, calls, receipts, and the form of requests."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any, Final

from attrs import define

from chatfsm._protocol import json_input
from chatfsm._protocol import names as wire
from chatfsm.errors import DecodeError
from chatfsm.simulator.auth import parse_credentials
from chatfsm.simulator.http_api import RefusedError, parse_request
from chatfsm.simulator.multipart import parse_upload
from chatfsm.testing.exchanges import ObservedExchange, is_own, text_of
from chatfsm.testing.judge_rules import Checker, JudgedChat, Report

__all__ = ["ArrivedOnce", "CallEnds", "Receipts", "UniqueIds", "WellFormed"]

_MESSAGES: Final = frozenset({wire.MESSAGE, wire.FILE, wire.LOCATION})
"""Events that stand in a chat under their msg_id."""
_MAX_QUOTED: Final = 80


def _id_of(event: dict[str, Any]) -> str:
    """Return the msg_id of a message; "" if it has none, or is no message."""
    return str(event.get("msg_id") or "") if event["event"] in _MESSAGES else ""


def _quoted(value: object) -> str:
    return ascii(str(value)[:_MAX_QUOTED])


@define
class _Message:
    """A message that the customer says, by its id."""

    event: dict[str, Any]
    order: int
    attempt: ObservedExchange
    """The last POST of it."""
    is_received: bool = False
    """Whether the center has it, from a client that had not given it up."""
    is_missing: bool = False
    """Whether a history told the client that it has not arrived."""


class UniqueIds(Checker):
    """Checks `unique-message-ids`.

    An id may be used again if its first message has surely not arrived: the server refused it.
    """

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
        self._named: dict[str, tuple[dict[str, Any], ObservedExchange]] = {}

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check the ids of the messages in a POST."""
        for event in exchange.posted_events:
            msg_id = _id_of(event)
            if not msg_id:
                continue
            known, first = self._named.get(msg_id, (event, exchange))
            if not (first.is_accepted or first.is_doubtful):
                known, first = event, exchange
            self._named[msg_id] = known, first
            if known != event:
                problem = f"msg_id {_quoted(msg_id)} is that of another message, of request"
                self.report(
                    "unique-message-ids", exchange, exchange.at, f"{problem} {first.number}"
                )


# Seconds after which a client that has not sent a message again will not do so.
_GIVEN_UP_AFTER: Final = 60.0


class ArrivedOnce(Checker):
    """Checks `arrived-once`, `in-order`, `no-blind-resend` and `text-given-up`.

    A request that reaches the center after its client had given it up is excused: no
    client can know of it.
    """

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
        self._messages: dict[tuple[str, str], _Message] = {}
        self._order = 0
        self._received_order = 0
        """The highest order of a received message."""

    def on_request(self, exchange: ObservedExchange) -> None:
        """Note each message, and check whether it may be sent again."""
        for event in exchange.posted_events:
            key = _key_of(event)
            if key is None:
                continue
            known = self._messages.get(key)
            self._order += 1
            if known is None or self._is_refused(known):
                self._messages[key] = _Message(event, self._order, exchange)
                continue
            is_blind = known.attempt.is_doubtful and not known.is_missing
            if is_blind and not known.is_received:
                problem = f"{_named(event)} was sent again, though it may have arrived"
                self.report("no-blind-resend", exchange, exchange.at, problem)
            known.is_received = known.is_received and not known.is_missing
            known.attempt, known.is_missing = exchange, False

    def on_handled(self, exchange: ObservedExchange) -> None:
        """Check the messages that the center has received."""
        if exchange.is_late or not exchange.is_accepted:
            return
        for event in exchange.posted_events:
            known = self._messages.get(_key_of(event) or ("", ""))
            if known is None:
                continue
            at = exchange.handled_at or 0.0
            if known.is_received:
                self.report("arrived-once", exchange, at, f"{_named(event)} has arrived again")
            elif known.order < self._received_order:
                problem = f"{_named(event)} has arrived after one that was said later"
                self.report("in-order", exchange, at, problem)
            known.is_received = True
            self._received_order = max(self._received_order, known.order)

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Note the messages that a history lacks."""
        if exchange.subject != "history" or exchange.error is not None:
            return
        past = {str(event.get("msg_id") or "") for event in exchange.told_events}
        for (msg_id, _), known in self._messages.items():
            ended_at = known.attempt.ended_at
            if ended_at is not None and ended_at <= exchange.at and msg_id not in past:
                known.is_missing = True

    def finish(self, report: Report, now: float) -> None:
        """Report the messages that the client does not send again."""
        for known in self._messages.values():
            ended_at = known.attempt.ended_at
            has_left = self.chat.has_left
            is_given_up = ended_at is not None and (has_left or ended_at + _GIVEN_UP_AFTER < now)
            is_excused = known.is_received or known.attempt.reply is not None
            if is_given_up and not is_excused and (has_left or not self.chat.is_over):
                problem = f"{_named(known.event)} has not arrived, and was not sent again"
                report("text-given-up", known.attempt, known.attempt.at, problem)

    def _is_refused(self, known: _Message) -> bool:
        """Whether the message has surely not arrived, and may be sent again after later ones.

        A client that could not connect may try again first, or report it and go on to the next.
        """
        error = known.attempt.error
        if known.is_received or error is None or known.attempt.is_doubtful:
            return False
        return not error.transient or known.order < self._received_order


def _key_of(event: dict[str, Any]) -> tuple[str, str] | None:
    """Return what is equal for all copies of a message; None for what has no id."""
    msg_id = _id_of(event)
    return (msg_id, repr(sorted(event.items(), key=str))) if msg_id else None


def _named(event: dict[str, Any]) -> str:
    return f"the message with msg_id {_quoted(event['msg_id'])}"


class CallEnds(Checker):
    """Checks `no-end-call-echo`.

    Both sides may hang up at one moment, and an END_CALL of the client's may have waited for the
    reply to a POST. So an echo is only what a client with no POST open says after the other side.
    """

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
        self._last_post: ObservedExchange | None = None
        self._ended_ids: set[str] = set()
        self._is_ended = False
        """Whether the other side has ended the call, and no other call has begun."""

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check the signals in a POST."""
        for event in exchange.posted_events:
            kind = _signal_of(event)
            if kind in {wire.REQUEST_CALL, wire.ANSWER_CALL, wire.CALL_REJECTED}:
                self._is_ended = False
            elif kind == wire.END_CALL and self._is_ended:
                problem = "END_CALL was sent after that of the other side"
                self.report("no-end-call-echo", exchange, exchange.at, problem)
        if exchange.subject == "post":
            self._last_post = exchange

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Note the end of a call, and the beginning of another one."""
        if exchange.subject not in {"poll", "post"}:
            return
        for event in exchange.told_events:
            kind, msg_id = _signal_of(event), str(event.get("msg_id") or "")
            if is_own(event, self.chat.chat_id) or not kind:
                continue
            if kind == wire.OFFER_CALL:
                self._is_ended = False
            elif kind == wire.END_CALL and msg_id not in self._ended_ids:
                self._is_ended = self._last_post is None or self._last_post.is_success
                self._ended_ids |= {msg_id} - {""}


def _signal_of(event: dict[str, Any]) -> str:
    """Return the type of a signal; "" if the event is none."""
    data = event.get("data") if event["event"] == wire.SIGNALING else None
    if isinstance(data, str):
        try:
            data = json_input.parse(data)
        except DecodeError:
            return ""
    return str(data.get("type")) if isinstance(data, dict) else ""


_RECEIPTS: Final = frozenset({wire.MESSAGE_DELIVERED, wire.MESSAGE_READ})
# Seconds that a client has to confirm a message.
_RECEIPT_DELAY: Final = 5.0
_LATEST_VERSION: Final = 2


class Receipts(Checker):
    """Checks `receipts`, of the texts of other parties in polls and no other; `told-once`.

    A receipt may wait for the reply to a POST, or for the history after one that failed; none
    follows the end. So a message has no receipt if the client has had the time to send one.

    A client may confirm a message again for many reasons. One that says that it was read again just
    when its copy has arrived has shown the copy.
    """

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
        self._told_ids: set[str] = set()
        self._told: dict[str, dict[str, Any]] = {}
        """The texts of other parties, by msg_id."""
        self._unconfirmed: dict[str, ObservedExchange] = {}
        self._late: set[str] = set()
        """The unconfirmed messages for whose receipts there was time."""
        self._posting: ObservedExchange | None = None
        """The POST in flight."""
        self._can_post_since = 0.0
        """The time since which POSTs have not failed."""
        self._is_over = False
        self._told_count = 0
        self._read: dict[str, ObservedExchange] = {}
        """The POST of the first read receipt, by msg_id."""
        self._copied_at: dict[str, float] = {}
        """The time at which a copy of a message that was read has arrived."""

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check the receipts in a POST."""
        for event in exchange.posted_events:
            subject = str(event.get("ref_msg_id") or event.get("msg_id") or "")
            if event["event"] not in _RECEIPTS or not subject:
                continue
            self._unconfirmed.pop(subject, None)
            self._late.discard(subject)
            if subject not in self._told_ids:
                problem = f"message {_quoted(subject)} was confirmed, but has not been told"
                self.report("receipts", exchange, exchange.at, problem)
            if event["event"] == wire.MESSAGE_READ:
                self._check_read(exchange, subject)
        if exchange.subject == "post":
            self._late |= self._found_late(exchange.at)
            self._posting = exchange

    def on_cancel(self, exchange: ObservedExchange) -> None:
        """Note that a POST is given up."""
        if exchange.subject == "post":
            self._on_post_ended(exchange, exchange.cancelled_at or 0.0)

    def on_opened(self, exchange: ObservedExchange, /) -> None:
        """Note that the session lives: the server has given it to the client again."""
        self._is_over, self._can_post_since = False, exchange.arrived_at or 0.0

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Note the messages that are told, the outcome of a POST, and the end of the chat."""
        if exchange.subject == "post":
            self._on_post_ended(exchange, exchange.arrived_at or 0.0)
        if self.chat.is_over and not self._is_over:
            self._late |= self._found_late(exchange.arrived_at or 0.0)
            self._is_over = True
        is_live = exchange.subject == "poll" and exchange.is_readable
        is_asked = is_live and exchange.version == _LATEST_VERSION
        for event in exchange.told_events:
            msg_id = str(event.get("msg_id") or "")
            is_new = bool(msg_id) and msg_id not in self._told_ids
            self._told_ids.add(msg_id)
            is_text = text_of(event) is not None and not is_own(event, self.chat.chat_id)
            if is_new and is_text and is_asked:
                self._told_count += 1
                self._unconfirmed[msg_id] = exchange
            if is_text and msg_id in self._read and self._told.get(msg_id) == event:
                self._copied_at[msg_id] = exchange.arrived_at or 0.0
            elif is_text:
                self._told.setdefault(msg_id, event)

    def _check_read(self, exchange: ObservedExchange, msg_id: str) -> None:
        first = self._read.setdefault(msg_id, exchange)
        copied_at = self._copied_at.pop(msg_id, -inf)
        if first.is_success and exchange.at < copied_at + _RECEIPT_DELAY:
            problem = f"message {_quoted(msg_id)} was read again when its copy had arrived"
            self.report("told-once", exchange, exchange.at, problem)

    def finish(self, report: Report, now: float) -> None:
        """Report how many messages have no receipt."""
        ids = self._late | self._found_late(now if self._posting is None else self._posting.at)
        late = [exchange for msg_id, exchange in self._unconfirmed.items() if msg_id in ids]
        if late:
            problem = f"{len(late)} of {self._told_count} messages have no receipt"
            report("receipts", late[0], late[0].arrived_at or 0.0, problem)

    def _on_post_ended(self, exchange: ObservedExchange, at: float) -> None:
        if self._posting is exchange:
            self._posting = None
        error = exchange.error
        if exchange.is_doubtful or (error is not None and error.transient):
            self._can_post_since = at + _GIVEN_UP_AFTER
        elif self._can_post_since > at or exchange.at + _RECEIPT_DELAY < at:
            self._can_post_since = at

    def _found_late(self, until: float) -> set[str]:
        """Return the ids of messages that the client could have confirmed by a time."""
        if self._is_over:
            return set()
        return {
            msg_id
            for msg_id, exchange in self._unconfirmed.items()
            if max(exchange.arrived_at or 0.0, self._can_post_since) + _RECEIPT_DELAY < until
        }


# Source: PROTOCOL.md §3.
_KNOWN_EVENTS: Final = frozenset(
    {
        *(wire.MESSAGE, wire.MESSAGE_DELIVERED, wire.MESSAGE_READ, wire.TYPING, wire.NOT_TYPING),
        *(wire.FORM_DATA, wire.FORM_DATA_CANCEL, wire.SECURE_FORM_DATA, wire.SECURE_FORM_CANCEL),
        *(wire.END, wire.DISCONNECT, wire.SIGNALING, wire.FILE, wire.LOCATION, wire.NAVIGATION),
        *(wire.COBROWSING_REJECTED, wire.COBROWSING_STARTED, wire.COBROWSING_ENDED),
    }
)
_FILE_TYPES: Final = ("image", "attachment")
# The fields of each event of which it must have one.
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    wire.MESSAGE: ("msg", "msg_text"),
    wire.MESSAGE_DELIVERED: ("ref_msg_id", "msg_id"),
    wire.MESSAGE_READ: ("ref_msg_id", "msg_id"),
    wire.FORM_DATA: ("form_request_id",),
    wire.SECURE_FORM_DATA: ("form_request_id",),
    wire.FORM_DATA_CANCEL: ("form_request_id",),
    wire.SECURE_FORM_CANCEL: ("form_request_id",),
    wire.SIGNALING: ("data",),
    wire.FILE: ("file_id",),
}
# Images and files are loaded by pages, which send no header.
_DOWNLOADS: Final = frozenset({"files", "profilephotos", "chaticon"})


class WellFormed(Checker):
    """Checks `well-formed-event`, `known-event`, `well-formed-upload`, `credentials-in-header`."""

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check the form of a request."""
        if exchange.version and not _is_download(exchange):
            try:
                parse_credentials(parse_request(exchange.request))
            except RefusedError as refused:
                problem = f"the server refuses the Authorization header with {refused.code}"
                self.report("credentials-in-header", exchange, exchange.at, problem)
        if exchange.subject == "upload":
            try:
                parse_upload(exchange.request.body, exchange.header("content-type"))
            except ValueError as error:
                self.report("well-formed-upload", exchange, exchange.at, str(error))
        if exchange.subject == "post":
            for problem in _flaws(exchange):
                self.report("well-formed-event", exchange, exchange.at, problem)
            for name in sorted({str(event["event"]) for event in exchange.posted_events}):
                if name not in _KNOWN_EVENTS:
                    problem = f"the event {_quoted(name)} is unknown"
                    self.report("known-event", exchange, exchange.at, problem)


def _is_download(exchange: ObservedExchange) -> bool:
    parts = exchange.request.url.partition("?")[0].split("/")
    is_chat = exchange.subject == "other" and exchange.request.method == "GET"
    return is_chat and not _DOWNLOADS.isdisjoint(parts)


def _flaws(exchange: ObservedExchange) -> Iterator[str]:
    """Yield the flaws of a POST of events."""
    if exchange.posted_count is None:
        yield "the body is not a JSON object with a list of events"
    elif exchange.posted_count > len(exchange.posted_events):
        yield "an item of the list is not an object with the name of an event"
    for event in exchange.posted_events:
        name = event["event"]
        needed = _NEEDED.get(name, ())
        if needed and all(event.get(field) is None for field in needed):
            yield f"{name} has no {' or '.join(needed)}"
        if name == wire.FILE and event.get("file_type") not in _FILE_TYPES:
            yield f"file_type is {_quoted(event.get('file_type'))}"
