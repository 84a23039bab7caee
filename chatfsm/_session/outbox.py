"""Outbox: the app's own messages until they have arrived, and recognition of their echoes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from chatfsm import commands, events
from chatfsm._session import tables
from chatfsm._session.duplicates import fingerprint
from chatfsm._session.state import Fingerprint, Outgoing, SessionState, quoted
from chatfsm.effects import (
    Effect,
    MessageFailed,
    MessageSent,
    MessageUnconfirmed,
    OutgoingMessage,
    SendEvents,
)
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import SendFailed, Sent

__all__ = [
    "Numbered",
    "advance_counter",
    "check_capacity",
    "check_msg_id",
    "confirm",
    "fail",
    "find_echo",
    "html_to_text",
    "observe_own_id",
    "resend_missing",
    "send_failed",
    "sent",
    "take_msg_id",
    "track",
]

_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
# An id with more digits is not one of a counter.
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

_UNDECIDED: Final = frozenset({"pending", "unconfirmed"})


# DESIGN §1: `Sent` and `SendFailed` are what the transport knows of the app's messages.
def sent(session: SessionState, item: Sent, effects: list[Effect]) -> None:
    """Confirm messages that the transport handed to the server."""
    for msg_id in item.msg_ids:
        confirm(session, msg_id, "sent", effects)


def send_failed(session: SessionState, item: SendFailed, effects: list[Effect]) -> None:
    """Fail messages that were refused; a retryable failure leaves them unconfirmed."""
    trigger = "in_doubt" if item.retryable else "refused"
    for msg_id in item.msg_ids:
        fail(session, msg_id, item.why, trigger, effects)


def check_capacity(session: SessionState) -> None:
    """Refuse one more message if too many are undecided. Raises `LocalProtocolError`."""
    outbox, limit = session.outbox or {}, session.settings.max_unsent
    if len(outbox) < limit:
        return
    undecided = sum(item.state in _UNDECIDED for item in outbox.values())
    if undecided >= limit:
        raise LocalProtocolError(f"cannot send more: {undecided} messages wait to be sent")


def check_msg_id(session: SessionState, command: Numbered) -> None:
    """Refuse a msg_id of the app that is empty or was used before. Raises `LocalProtocolError`."""
    msg_id = command.msg_id
    if msg_id is None:
        return
    if not msg_id:
        raise LocalProtocolError("cannot send: msg_id must have 1 character or more")
    is_used = msg_id in (session.outbox or ()) or any(
        msg_id in ids
        for scope, ids in session.seen_ids.items()
        if session.chat_id in (scope if isinstance(scope, tuple) else (scope,))
    )
    if is_used:
        raise LocalProtocolError(f"cannot send: msg_id {quoted(msg_id)} was used before")


def take_msg_id(session: SessionState, command: Numbered) -> str:
    """Return the app's msg_id, or else the next of the session.

    The session's are odd, so that they never equal one of the server's even ids. The token keeps
    them apart from those of the customer's other devices and earlier runs.
    """
    if command.msg_id is not None:
        advance_counter(session, command.msg_id)
        return command.msg_id
    number = session.next_number
    session.next_number = number + 2
    msg_id = f"{session.token}:{number}" if session.token else str(number)
    return msg_id if session.settings.msg_id_format == "n" else f"{session.chat_id}:{msg_id}"


def observe_own_id(session: SessionState, event: events.Signaling | events.Cobrowsing) -> None:
    """Advance the id counter past an id that the customer's side used."""
    if session.is_own(event.party_id):
        advance_counter(session, event.msg_id)


def advance_counter(session: SessionState, msg_id: str | None) -> None:
    """Advance the id counter past an id used on another device, or before a restart."""
    if msg_id is None:
        return
    digits = msg_id.rpartition(":")[2]
    if len(digits) <= _MAX_DIGITS and digits.isdecimal() and digits.isascii():
        number = int(digits) | 1
        if number >= session.next_number:
            session.next_number = number + 2


def track(session: SessionState, msg_id: str, *echo: str | None) -> None:
    """Track a message until it is known to have arrived, with all events queued so far.

    `echo`: texts of which the server's echo holds at least one.
    """
    if session.outbox is None:
        session.outbox = {}
    _forget_oldest(session)
    queued = tuple(event for event, _ in session.queued_events or ())
    session.outbox[msg_id] = Outgoing(queued, tuple(sorted(_fingerprints(echo), key=ascii)))


def find_echo(session: SessionState, msg_id: str | None, *texts: str | None) -> str | None:
    """Return the msg_id of the tracked message that an own event echoes, else None.

    An event without a msg_id (a file of some connectors) is recognised by its content alone.
    """
    outbox = session.outbox
    if not outbox:
        return None
    if msg_id is not None:
        outbox = {msg_id: outbox[msg_id]} if msg_id in outbox else {}
    contents = _fingerprints(texts) if outbox else set()
    matching = [own_id for own_id, sent in outbox.items() if contents & {*sent.echo}]
    # Of two equal ones, the one that is not known to have arrived.
    undecided_first = sorted(matching, key=lambda own_id: outbox[own_id].state not in _UNDECIDED)
    return undecided_first[0] if undecided_first else None


def _fingerprints(texts: Iterable[str | None]) -> set[Fingerprint]:
    """Return the fingerprints of texts, as they are and as a server may pass them on."""
    known = {text for text in texts if text is not None}
    return {fingerprint(text) for text in known | {html_to_text(text) for text in known}}


def html_to_text(text: str) -> str:
    """Return a text as a person reads it: a msg may hold <br> and other HTML (PROTOCOL.md §2)."""
    return html.unescape(_BREAK.sub("\n", text))


def confirm(session: SessionState, msg_id: str | None, trigger: str, effects: list[Effect]) -> None:
    """Move a tracked message to sent, delivered or read; report its arrival once."""
    outgoing = (session.outbox or {}).get(msg_id or "")
    if outgoing is None or msg_id is None:
        return
    before = outgoing.state
    if _move(outgoing, trigger) and before in _UNDECIDED:
        outgoing.events = ()
        effects.append(MessageSent(msg_id))


def fail(session: SessionState, msg_id: str, why: str, trigger: str, effects: list[Effect]) -> None:
    """Move a tracked message to failed or unconfirmed."""
    outgoing = (session.outbox or {}).get(msg_id)
    if outgoing is None or not _move(outgoing, trigger):
        return
    if outgoing.state == "failed":
        outgoing.events = ()
        effects.append(MessageFailed(msg_id, why))
    else:
        effects.append(MessageUnconfirmed(msg_id, why))


def resend_missing(session: SessionState, effects: list[Effect]) -> None:
    """Send again, in order, the unconfirmed messages that a complete history does not hold."""
    missing = {
        msg_id: outgoing
        for msg_id, outgoing in (session.outbox or {}).items()
        if _move(outgoing, "missing")
    }
    if missing:
        messages = (OutgoingMessage(item.events, msg_id) for msg_id, item in missing.items())
        effects.append(SendEvents(tuple(messages)))


def _move(outgoing: Outgoing, trigger: str) -> bool:
    """Move a message by a trigger of its table; False if there is no such transition."""
    destination = tables.DELIVERY.moves[outgoing.state].get(trigger)
    if destination is None:
        return False
    outgoing.state = destination
    return True


def _forget_oldest(session: SessionState) -> None:
    """Make capacity for one more: as many arrived messages are remembered as may be undecided."""
    outbox = session.outbox or {}
    if len(outbox) < session.settings.max_unsent:
        return
    decided = [msg_id for msg_id, item in outbox.items() if item.state not in _UNDECIDED]
    for msg_id in decided[: max(0, len(decided) - session.settings.max_unsent + 1)]:
        del outbox[msg_id]
