"""What people say and share, and what became of it."""

from __future__ import annotations

from chatfsm.protocol import events
from chatfsm.session.effects import (
    DeliveryConfirmed,
    FileReceived,
    LocationReceived,
    MessageReceived,
    ReadConfirmed,
)
from chatfsm.session.identity import content_of, is_repeat, speaker_of
from chatfsm.session.plain import written
from chatfsm.session.state import Turn
from chatfsm.session.values import ChatMessage, SharedFile, SharedLocation


def message_repeated(turn: Turn, event: events.Message) -> bool:
    """Whether this very message was told before."""
    attached = "".join(written(attachment) for attachment in event.attachments)
    content = content_of(event.msg, event.msg_text, attached or None)
    speaker = speaker_of(turn.memory, event.party_id)
    return is_repeat(turn, speaker, event.msg_id, content)


def file_repeated(turn: Turn, event: events.File) -> bool:
    """Whether this very file was told before."""
    content = content_of(event.file_id, event.file_type, event.file_name)
    speaker = speaker_of(turn.memory, event.party_id or turn.memory.chat_id, "file")
    msg_id = event.msg_id
    if msg_id is None and event.timestamp is not None:
        # Some connectors give files no id of their own (PROTOCOL.md §3).
        msg_id = f"{event.file_id} at {event.timestamp}"
    return is_repeat(turn, speaker, msg_id, content)


def location_repeated(turn: Turn, event: events.Location) -> bool:
    """Whether this very place was told before."""
    content = content_of(str(event.latitude), str(event.longitude), event.url)
    speaker = speaker_of(turn.memory, event.party_id, "location")
    return is_repeat(turn, speaker, event.msg_id, content)


def message(turn: Turn, event: events.Message) -> None:
    """Tell a message."""
    memory = turn.memory
    sender, own = memory.party(event.party_id), memory.is_own(event.party_id)
    turn.tell(MessageReceived(ChatMessage(event, sender, own)))


def file(turn: Turn, event: events.File) -> None:
    """Tell a file; one from nobody is the customer's own (PROTOCOL.md §2)."""
    memory = turn.memory
    sender = memory.party(event.party_id)
    own = event.party_id is None or memory.is_own(event.party_id)
    turn.tell(FileReceived(SharedFile(event, sender, own)))


def location(turn: Turn, event: events.Location) -> None:
    """Tell a place."""
    memory = turn.memory
    sender, own = memory.party(event.party_id), memory.is_own(event.party_id)
    turn.tell(LocationReceived(SharedLocation(event, sender, own)))


def delivered(turn: Turn, event: events.MessageDelivered) -> None:
    """Tell that the other side has a message; the customer's own receipts are no news."""
    if not _receipt_is_old(turn, event, "delivered"):
        turn.tell(DeliveryConfirmed(event.ref_msg_id, event.party_id))


def read(turn: Turn, event: events.MessageRead) -> None:
    """Tell that the other side has read a message."""
    if not _receipt_is_old(turn, event, "read"):
        turn.tell(ReadConfirmed(event.ref_msg_id, event.party_id))


def _receipt_is_old(
    turn: Turn, event: events.MessageDelivered | events.MessageRead, kind: str
) -> bool:
    if turn.memory.is_own(event.party_id):
        return True
    speaker = speaker_of(turn.memory, event.party_id, kind)
    return is_repeat(turn, speaker, event.ref_msg_id, "")
