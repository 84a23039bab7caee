"""Messages, files and locations, in and out, and their receipts."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from chatfsm import commands, events
from chatfsm._plain import canonical_json
from chatfsm._protocol.codec import encode
from chatfsm._session import outbox
from chatfsm._session.duplicates import Seen, fingerprint, is_duplicate, lookup, remember, scope_for
from chatfsm._session.outbox import advance_counter, confirm, echoed_id
from chatfsm._session.state import Fingerprint, Scope, Turn
from chatfsm._values import fast_constructor
from chatfsm.effects import (
    DeliveryConfirmed,
    FileReceived,
    LocationReceived,
    MessageReceived,
    ReadConfirmed,
)
from chatfsm.inputs import SendFailed, Sent
from chatfsm.models import ChatMessage, SharedFile, SharedLocation

# Messages and receipts are most of the events, so their effects are built the fastest way.
_make_message_received: Final = fast_constructor(MessageReceived, message=ChatMessage)
_make_file_received: Final = fast_constructor(FileReceived, file=SharedFile)
_make_delivery_confirmed: Final = fast_constructor(DeliveryConfirmed)
_make_read_confirmed: Final = fast_constructor(ReadConfirmed)

# The scopes of receipts in the seen ids: msg_id → party.
_DELIVERED_SCOPE: Final = ("delivered", None)
_READ_SCOPE: Final = ("read", None)


def is_own_echo(turn: Turn, event: events.Message) -> bool:
    """Whether an own message is the echo of one that this session sent, which has now arrived."""
    advance_counter(turn.memory, event.msg_id)
    if turn.memory.outbox is None or not event.msg_id:
        return False
    own_id = echoed_id(turn.memory, event.msg_id, event.msg, event.msg_text)
    confirm(turn, own_id, "sent")
    return own_id is not None and turn.count_duplicate()


def is_own_duplicate(turn: Turn, event: events.Message) -> bool:
    """Whether this message of the customer was reported before."""
    scope = turn.memory.chat_id
    return is_duplicate(turn, scope, event.msg_id, _message_fingerprint(event), event.timestamp)


def is_message_duplicate(turn: Turn, event: events.Message) -> bool:
    """Whether this message of another party was reported before."""
    return is_duplicate(
        turn, event.party_id, event.msg_id, _message_fingerprint(event), event.timestamp
    )


def _message_fingerprint(event: events.Message) -> Fingerprint:
    attached = None
    if event.attachments:
        attached = "".join(canonical_json(attachment) for attachment in event.attachments)
    return fingerprint(event.msg, event.msg_text, attached)


def is_file_duplicate(turn: Turn, event: events.File) -> bool:
    """Whether this file was reported before."""
    party_id = event.party_id or turn.memory.chat_id
    content = fingerprint(event.file_id, event.file_type, event.file_name)
    scope = scope_for(turn.memory, party_id, "file")
    msg_id = event.msg_id
    if msg_id is None and event.timestamp is not None:
        # Some connectors give files no msg_id (PROTOCOL.md §3).
        msg_id = f"{event.file_id} at {event.timestamp}"
    without_id = event.msg_id is None and msg_id is not None
    known = without_id and lookup(turn.memory, scope, str(msg_id), content) is Seen.SAME
    own_id = None if turn.settings.empty_file_ids else event.msg_id
    if not known and _is_echo(turn, party_id, own_id, f"file {event.file_id}"):
        if msg_id is not None and msg_id != own_id:
            remember(turn, scope, msg_id, content)
        return turn.count_duplicate()
    return is_duplicate(turn, scope, msg_id, content, event.timestamp)


def is_location_duplicate(turn: Turn, event: events.Location) -> bool:
    """Whether this location was reported before."""
    place = f"{event.latitude} {event.longitude}"
    if event.msg_id and _is_echo(turn, event.party_id, event.msg_id, place):
        return turn.count_duplicate()
    content = fingerprint(str(event.latitude), str(event.longitude), event.url)
    scope = scope_for(turn.memory, event.party_id, "location")
    return is_duplicate(turn, scope, event.msg_id, content, event.timestamp)


def on_message(turn: Turn, event: events.Message) -> None:
    """Report a message of another party."""
    sender = turn.memory.party_by_id(event.party_id)
    turn.effects.append(_make_message_received(event, sender, False))


def on_own_message(turn: Turn, event: events.Message) -> None:
    """Report a message of the customer that another device or an earlier run sent."""
    sender = turn.memory.party_by_id(turn.memory.chat_id)
    turn.effects.append(_make_message_received(event, sender, True))


def on_file(turn: Turn, event: events.File) -> None:
    """Report a file; without a party_id it is the customer's own (PROTOCOL.md §2)."""
    memory = turn.memory
    is_own = memory.is_own(event.party_id)
    sender = memory.party_by_id(memory.chat_id if is_own else event.party_id)
    turn.effects.append(_make_file_received(event, sender, is_own or event.party_id is None))


def on_location(turn: Turn, event: events.Location) -> None:
    """Report a location."""
    memory = turn.memory
    sender, own = memory.party_or_customer(event.party_id), memory.is_own(event.party_id)
    turn.effects.append(LocationReceived(SharedLocation(event, sender, own)))


def on_client_event(turn: Turn, event: events.ClientEvent) -> None:
    """Handle any other event of the client, which may be an echo of one that this session sent."""
    memory = turn.memory
    if event.msg_id:
        advance_counter(memory, event.msg_id)
        confirm(turn, echoed_id(memory, event.msg_id, event.name), "sent")


def on_delivered(turn: Turn, event: events.MessageDelivered) -> None:
    """Report that a message was delivered; ignore the customer's own receipts."""
    if not _is_known_receipt(turn, event, _DELIVERED_SCOPE):
        if turn.memory.outbox:
            confirm(turn, event.ref_msg_id, "delivered")
        turn.effects.append(_make_delivery_confirmed(event.ref_msg_id, event.party_id))


def on_read(turn: Turn, event: events.MessageRead) -> None:
    """Report that a message was read."""
    if not _is_known_receipt(turn, event, _READ_SCOPE):
        if turn.memory.outbox:
            confirm(turn, event.ref_msg_id, "read")
        turn.effects.append(_make_read_confirmed(event.ref_msg_id, event.party_id))


def _is_known_receipt(
    turn: Turn, event: events.MessageDelivered | events.MessageRead, kind: Scope
) -> bool:
    """Whether the receipt is the customer's own or was reported before."""
    memory, msg_id, party_id = turn.memory, event.ref_msg_id, event.party_id or ""
    if party_id != memory.last_other_id and memory.is_own(party_id):
        return True
    ids = memory.seen_ids.get(kind)
    if ids is not None and msg_id not in ids and memory.seen_count < turn.settings.max_ids:
        ids[msg_id] = party_id  # as below with two calls fewer: one event in seven is a receipt
        memory.seen_count += 1
        return False
    if lookup(memory, kind, msg_id, party_id) is Seen.SAME:
        return turn.count_duplicate()
    remember(turn, kind, msg_id, party_id)
    return False


def _is_echo(turn: Turn, party_id: str | None, msg_id: str | None, *texts: str | None) -> bool:
    """Whether an own event is the echo of one that this session sent, which has now arrived."""
    memory = turn.memory
    if not memory.is_own(party_id):
        return False
    advance_counter(memory, msg_id)
    own_id = echoed_id(memory, msg_id, *texts)
    confirm(turn, own_id, "sent")
    return own_id is not None


# Commands: messages to the server, and what became of them.

Shared = commands.SendText | commands.SendFile | commands.SendLocation | commands.SendNavigation


def check_can_send(turn: Turn, command: Shared) -> None:
    """Refuse more than may wait to be sent, and a msg_id that was used before."""
    outbox.check_capacity(turn)
    outbox.check_msg_id(turn, command)


def send_text(turn: Turn, command: commands.SendText) -> None:
    """Send a text; the handler before this one has answered an open text prompt with it."""
    _send(turn, command, "", fingerprint(command.body, command.plain), command.body, command.plain)


def send_file(turn: Turn, command: commands.SendFile) -> None:
    """Send a file that was uploaded."""
    content = fingerprint(command.file_id, command.file_type, command.file_name)
    _send(turn, command, "file", content, f"file {command.file_id}")


def send_location(turn: Turn, command: commands.SendLocation) -> None:
    """Send a location."""
    latitude, longitude = float(command.latitude), float(command.longitude)
    content = fingerprint(str(latitude), str(longitude), command.url)
    _send(turn, command, "location", content, f"{latitude} {longitude}")


def send_navigation(turn: Turn, command: commands.SendNavigation) -> None:
    """Send the page that the customer looks at."""
    _send(turn, command, "navigation", "", str(encode(command)["event"]))


def mark_delivered(turn: Turn, command: commands.MarkDelivered) -> None:
    """Send, once for each message, that it was delivered."""
    _mark(turn, command, "marked delivered")


def mark_read(turn: Turn, command: commands.MarkRead) -> None:
    """Send, once for each message, that it was read."""
    _mark(turn, command, "marked read")


def send_end(turn: Turn, command: commands.Disconnect | commands.End) -> None:
    """Request the end of the conversation or the session; the server's event ends it."""
    turn.queue_event(encode(command))


def on_sent(turn: Turn, item: Sent) -> None:
    """Confirm messages that the transport has delivered to the server."""
    for msg_id in item.msg_ids:
        outbox.confirm(turn, msg_id, "sent")


def on_send_failed(turn: Turn, item: SendFailed) -> None:
    """Handle messages that the transport could not deliver, or may have delivered."""
    for msg_id in item.msg_ids:
        outbox.fail(turn, msg_id, item.why, "in_doubt" if item.retryable else "refused")


def on_terminated(turn: Turn, _item: object) -> None:
    """Make pending messages unconfirmed, because the session is over."""
    for msg_id in list(turn.memory.outbox or ()):
        outbox.fail(turn, msg_id, "the session is over", "in_doubt")


def _send(turn: Turn, command: Shared, kind: str, content: Fingerprint, *echo: str | None) -> None:
    msg_id = outbox.take_msg_id(turn, command)
    event = encode(evolve(command, msg_id=msg_id))
    if turn.settings.empty_file_ids and isinstance(command, commands.SendFile):
        event["msg_id"] = ""
    turn.queue_event(event, msg_id)
    # Tracked with all events queued before it, such as the answer to a prompt.
    remember(turn, scope_for(turn.memory, turn.memory.chat_id, kind), msg_id, content)
    outbox.track(turn, msg_id, *echo)


def _mark(turn: Turn, command: commands.MarkDelivered | commands.MarkRead, kind: str) -> None:
    scope = scope_for(turn.memory, None, kind)
    if lookup(turn.memory, scope, command.msg_id, "") is Seen.NEW:
        remember(turn, scope, command.msg_id, "")
        turn.queue_event(encode(command))
