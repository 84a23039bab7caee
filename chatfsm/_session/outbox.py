"""Outbox: the app's messages until they have arrived, and the counter of msg_ids.

Several topics send messages and several see what became of them, so this module is below them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from chatfsm import commands, events
from chatfsm._session import tables
from chatfsm._session.duplicates import fingerprint
from chatfsm._session.state import Fingerprint, Outgoing, SessionState, Turn, quoted
from chatfsm.effects import (
    MessageFailed,
    MessageSent,
    MessageUnconfirmed,
    OutgoingMessage,
    SendEvents,
)
from chatfsm.errors import LocalProtocolError

__all__ = [
    "Numbered",
    "advance_counter",
    "check_capacity",
    "check_msg_id",
    "confirm",
    "echoed_id",
    "fail",
    "html_to_text",
    "observe_own_id",
    "resend_missing",
    "take_msg_id",
    "track",
]

_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
# A msg_id with more digits does not come from a counter.
_MAX_DIGITS: Final = 15

Numbered = (
    commands.SendText
    | commands.SendFile
    | commands.SendLocation
    | commands.SendNavigation
    | commands.RequestCall
    | commands.AnswerCall
    | commands.RejectCall
    | commands.SendCandidate
    | commands.EndCall
    | commands.RequestPhoneCall
    | commands.RequestSms
    | commands.CobrowsingReply
)
"""Commands whose event has a msg_id."""

# States in which it is open whether the message arrives.
UNDECIDED = frozenset({"pending", "unconfirmed"})


def check_capacity(turn: Turn) -> None:
    """Refuse a message if `Settings.max_unsent` messages are on their way."""
    waiting = sum(sent.state in UNDECIDED for sent in (turn.memory.outbox or {}).values())
    if waiting >= turn.settings.max_unsent:
        raise LocalProtocolError(f"cannot send more: {waiting} messages wait to be sent")


def check_msg_id(turn: Turn, command: Numbered) -> None:
    """Refuse a msg_id of the app's that is empty or was used before in this chat."""
    memory, msg_id = turn.memory, command.msg_id
    if msg_id is None:
        return
    if not msg_id:
        raise LocalProtocolError("cannot send: msg_id must have 1 character or more")
    is_used = msg_id in (memory.outbox or ()) or any(
        msg_id in ids
        for scope, ids in memory.seen_ids.items()
        if memory.chat_id in (scope if isinstance(scope, tuple) else (scope,))
    )
    if is_used:
        raise LocalProtocolError(f"cannot send: msg_id {quoted(msg_id)} was used before")


def take_msg_id(turn: Turn, command: Numbered) -> str:
    """Return the app's msg_id, or else the next of the session.

    The session's are odd, so that they never meet the server's even ones.
    """
    if command.msg_id is not None:
        advance_counter(turn.memory, command.msg_id)
        return command.msg_id
    number = turn.memory.next_number
    turn.memory.next_number = number + 2
    if turn.settings.msg_id_format == "n":
        return str(number)
    return f"{turn.memory.chat_id}:{number}"


def observe_own_id(turn: Turn, event: events.Signaling | events.Cobrowsing) -> None:
    """Advance the counter past the msg_id of an own event."""
    if turn.memory.is_own(event.party_id):
        advance_counter(turn.memory, event.msg_id)


def advance_counter(memory: SessionState, msg_id: str | None) -> None:
    """Advance the counter past a msg_id that another device took, or an earlier run."""
    digits = msg_id or ""
    if not digits.isdecimal():
        digits = digits.rpartition(":")[2]
    if digits.isdecimal() and digits.isascii() and len(digits) <= _MAX_DIGITS:
        number = int(digits) | 1
        if number >= memory.next_number:
            memory.next_number = number + 2


def track(turn: Turn, msg_id: str, *echo: str | None) -> None:
    """Track the events queued in this turn until the message is known to have arrived.

    `echo`: texts of which the server's echo holds at least one.
    """
    if turn.memory.outbox is None:
        turn.memory.outbox = {}
    _evict_oldest(turn)
    events_to_send = tuple(event for event, _ in turn.queued_events or ())
    turn.memory.outbox[msg_id] = Outgoing(
        events_to_send, tuple(sorted(_echo_fingerprints(echo), key=ascii))
    )


def echoed_id(memory: SessionState, msg_id: str | None, *texts: str | None) -> str | None:
    """Return the msg_id of the tracked message that an own event echoes; None if it echoes none.

    An event without a msg_id (files of some connectors) is recognized by its content alone.
    """
    outbox = memory.outbox
    if not outbox:
        return None
    contents = _echo_fingerprints(texts)
    matching = [
        own_id
        for own_id, outgoing in outbox.items()
        if msg_id in {own_id, None} and contents & {*outgoing.echo}
    ]
    # Of two with the same content, prefer the one that is not known to have arrived.
    open_first = sorted(matching, key=lambda own_id: outbox[own_id].state not in UNDECIDED)
    return open_first[0] if open_first else None


def _echo_fingerprints(texts: Iterable[str | None]) -> set[Fingerprint]:
    """Return the fingerprints of the texts, as they are and as a server may rewrite them."""
    known = {text for text in texts if text is not None}
    return {fingerprint(text) for text in known | {html_to_text(text) for text in known}}


def html_to_text(text: str) -> str:
    """Return plain text for a msg, which may hold <br> and other HTML (PROTOCOL.md §2)."""
    return html.unescape(_BREAK.sub("\n", text))


def confirm(turn: Turn, msg_id: str | None, trigger: str) -> None:
    """Move a message that was sent, delivered or read; report once that it has arrived."""
    outgoing = (turn.memory.outbox or {}).get(msg_id or "")
    if outgoing is None or msg_id is None:
        return
    before = outgoing.state
    if _transition(outgoing, trigger) and before in UNDECIDED:
        outgoing.events = ()
        turn.effects.append(MessageSent(msg_id))


def fail(turn: Turn, msg_id: str, why: str, trigger: str) -> None:
    """Move a message that was refused, or of which the delivery is in doubt, and report it."""
    outgoing = (turn.memory.outbox or {}).get(msg_id)
    if outgoing is None or not _transition(outgoing, trigger):
        return
    if outgoing.state == "failed":
        outgoing.events = ()
        turn.effects.append(MessageFailed(msg_id, why))
    else:
        turn.effects.append(MessageUnconfirmed(msg_id, why))


def resend_missing(turn: Turn) -> None:
    """Resend, in order, the unconfirmed messages that a complete history does not hold."""
    missing = {
        msg_id: outgoing
        for msg_id, outgoing in (turn.memory.outbox or {}).items()
        if _transition(outgoing, "missing")
    }
    if missing:
        messages = (
            OutgoingMessage(outgoing.events, msg_id) for msg_id, outgoing in missing.items()
        )
        turn.effects.append(SendEvents(tuple(messages)))


def _transition(outgoing: Outgoing, trigger: str) -> bool:
    destination = tables.DELIVERY.moves[outgoing.state].get(trigger)
    if destination is None:
        return False
    outgoing.state = destination
    return True


def _evict_oldest(turn: Turn) -> None:
    """Evict the oldest decided messages, so that at most `Settings.max_unsent` remain."""
    outbox = turn.memory.outbox or {}
    settled = [msg_id for msg_id, outgoing in outbox.items() if outgoing.state not in UNDECIDED]
    for msg_id in settled[: max(0, len(settled) - turn.settings.max_unsent + 1)]:
        del outbox[msg_id]
