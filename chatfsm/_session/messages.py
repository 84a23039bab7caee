"""Messages, files, locations and receipts, in both directions."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from chatfsm import commands, events
from chatfsm._protocol.codec import encode
from chatfsm._session import outbox
from chatfsm._session.changes import (
    clear_warning,
    close_form,
    close_latest_prompt,
    latest_prompt,
    stop_own_typing,
    stop_typing,
)
from chatfsm._session.duplicates import (
    MAX_PLAIN_LENGTH,
    digest,
    fingerprint,
    is_duplicate,
    is_new,
    is_seen,
    message_fingerprint,
    remember,
    scope_for,
    shortened,
)
from chatfsm._session.state import Fingerprint, Scope, SessionState, history_time
from chatfsm._values import fast_constructor
from chatfsm.effects import (
    DeliveryConfirmed,
    Effect,
    FileReceived,
    LocationReceived,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    ReadConfirmed,
)
from chatfsm.models import ChatMessage, SharedFile, SharedLocation

_received: Final = fast_constructor(MessageReceived, message=ChatMessage)
_shared: Final = fast_constructor(FileReceived, file=SharedFile)
_delivered: Final = fast_constructor(DeliveryConfirmed)
_read: Final = fast_constructor(ReadConfirmed)

# Scopes of receipts among the seen ids: message id → party.
_DELIVERED: Final = ("delivered", None)
_READ: Final = ("read", None)


# DESIGN §3: message → `TypingStopped` if the party typed, then `MessageReceived(message)`; own =
# party_id equals chat_id ignoring case, or is missing.
def message(session: SessionState, event: events.Message, effects: list[Effect]) -> None:
    """Report a message, unless it is a duplicate."""
    party_id = event.party_id
    if party_id is None or (party_id != session.last_other_id and session.is_own(party_id)):
        _own_message(session, event, effects)
        return
    content = message_fingerprint(event)
    if is_duplicate(session, party_id, event.msg_id, content, event, effects):
        return
    if session.typing is not None and party_id in session.typing:
        stop_typing(session, party_id, "message", effects)
    effects.append(_received(event, session.last_other_party, False))


def _own_message(session: SessionState, event: events.Message, effects: list[Effect]) -> None:
    """Report a message of the customer's that this session did not send.

    It also answers the latest prompt, and clears the warning.
    """
    is_known = _is_message_echo(session, event, effects) or is_duplicate(
        session, session.chat_id, event.msg_id, message_fingerprint(event), event, effects
    )
    # Not before: a strict session may have refused the event.
    _note_own_text_time(session, event.timestamp)
    if is_known:
        return
    if session.forms is not None:
        close_latest_prompt(session, effects)
    if session.warning is not None:
        clear_warning(session, effects)
    effects.append(_received(event, session.party(session.chat_id), True))


def _is_message_echo(session: SessionState, event: events.Message, effects: list[Effect]) -> bool:
    """Whether an own message is the echo of one that the app sent, which then has arrived."""
    msg_id = event.msg_id
    if not msg_id:
        return False
    outbox.advance_counter(session, msg_id)
    if session.outbox is None:
        return False
    own_id = outbox.find_echo(session, msg_id, event.msg, event.msg_text)
    if own_id is None:
        return False
    outbox.confirm(session, own_id, "sent", effects)
    session.count_duplicate(event, effects)
    return True


def _note_own_text_time(session: SessionState, at: float | None) -> None:
    """Remember the timestamp of the customer's last text."""
    if at is not None and (session.own_text_at is None or at > session.own_text_at):
        session.own_text_at = at


def merge_message(session: SessionState, event: events.Message, effects: list[Effect]) -> None:
    """Merge a message of a history: an own text has answered all text prompts before it."""
    party_id = event.party_id
    own = party_id is None or session.is_own(party_id)
    if own:
        party_id = session.chat_id
        if _is_message_echo(session, event, effects):
            _merge_own_text(session, event, effects)
            return
    content = message_fingerprint(event)
    is_known = is_duplicate(session, party_id, event.msg_id, content, event, effects)
    if own:
        _merge_own_text(session, event, effects)
    if not is_known:
        effects.append(_received(event, session.party(party_id), own))


def _merge_own_text(session: SessionState, event: events.Message, effects: list[Effect]) -> None:
    at = history_time(event.timestamp)
    _note_own_text_time(session, at)
    for request_id, waiting in list((session.forms or {}).items()):
        shown_at = history_time(waiting.server_time)
        if waiting.form.is_text_prompt and shown_at <= at:
            close_form(session, request_id, "message", effects, event.timestamp)


# DESIGN §3: message_edit → `MessageEdited(msg_id, text, html, party_id)`; message_delete →
# `MessageDeleted(msg_id, party_id)`; a repeat is a duplicate; an id never seen is reported too.
def message_edit(session: SessionState, event: events.MessageEdit, effects: list[Effect]) -> None:
    """Report that a message has another text."""
    content = shortened(repr((event.msg, event.msg_text, event.timestamp)))
    if not _is_repeated_change(session, event, "edit", content, effects):
        text = event.msg if event.msg_text is None else event.msg_text
        edited = MessageEdited(event.ref_msg_id, text or "", event.msg, event.party_id)
        effects.append(edited)


def message_delete(
    session: SessionState, event: events.MessageDelete, effects: list[Effect]
) -> None:
    """Report that a message was withdrawn."""
    if not _is_repeated_change(session, event, "delete", "", effects):
        effects.append(MessageDeleted(event.ref_msg_id, event.party_id))


def _is_repeated_change(
    session: SessionState,
    event: events.MessageEdit | events.MessageDelete,
    kind: str,
    content: Fingerprint,
    effects: list[Effect],
) -> bool:
    """Whether the same edit or deletion was reported before; several edits of an id are usual."""
    scope = scope_for(session, event.party_id, kind)
    if is_new(session, scope, event.ref_msg_id, content):
        return False
    session.count_duplicate(event, effects)
    return True


# DESIGN §3: file, file_url → `FileReceived(file)`; an own file also clears the warning.
def file(session: SessionState, event: events.File | events.FileUrl, effects: list[Effect]) -> None:
    """Report a shared file; one without a party_id is the customer's (PROTOCOL.md §2)."""
    party_id, key = event.party_id, event.msg_id
    own = party_id is None or (party_id != session.last_other_id and session.is_own(party_id))
    if own:
        party_id = session.chat_id
    if isinstance(event, events.FileUrl):
        name, content = event.file_url, shortened(repr((event.file_url, event.file_type)))
    else:
        name = event.file_id
        content = shortened(repr((name, event.file_type, event.file_name)))
    if key is None and event.timestamp is not None:
        # Some connectors send files without an id of their own (PROTOCOL.md §3).
        short_name = name if len(name) <= MAX_PLAIN_LENGTH else digest(name).hex()
        key = f"{short_name} at {event.timestamp}"
    scope = ("file", party_id)
    if own and _is_file_echo(session, event, name, (scope, key, content), effects):
        session.count_duplicate(event, effects)
        return
    if is_duplicate(session, scope, key, content, event, effects):
        return
    if own and not session.in_history:
        clear_warning(session, effects)
    effects.append(_shared(event, session.party(party_id), own))


def _is_file_echo(
    session: SessionState,
    event: events.File | events.FileUrl,
    name: str,
    identity: tuple[Scope, str | None, Fingerprint],
    effects: list[Effect],
) -> bool:
    """Whether an own file is the echo of one that this session sent, which then has arrived."""
    scope, key, content = identity
    if event.msg_id is None and key is not None and is_seen(session, scope, key, content):
        return False
    sent_id = None if session.settings.empty_file_ids else event.msg_id
    if not _is_echo(session, session.chat_id, sent_id, f"file {name}", effects):
        return False
    if key is not None and key != sent_id:
        remember(session, scope, key, content)
    return True


# DESIGN §3: location → `LocationReceived(location)`; an own location also clears the warning.
def location(session: SessionState, event: events.Location, effects: list[Effect]) -> None:
    """Report a shared location."""
    own = session.is_own(event.party_id)
    place = f"{event.latitude} {event.longitude}"
    if event.msg_id and _is_echo(session, event.party_id, event.msg_id, place, effects):
        session.count_duplicate(event, effects)
        return
    content = shortened(repr((event.latitude, event.longitude, event.url)))
    scope = scope_for(session, event.party_id, "location")
    if is_duplicate(session, scope, event.msg_id, content, event, effects):
        return
    if own and not session.in_history:
        clear_warning(session, effects)
    sender = session.party(session.chat_id if own else event.party_id)
    effects.append(LocationReceived(SharedLocation(event, sender, own)))


# DESIGN §3: other client events → counted, no anomaly; one may be the echo of a navigation.
def client_event(session: SessionState, event: events.ClientEvent, effects: list[Effect]) -> None:
    """Note the id of a client event in a log or a history."""
    if event.msg_id:
        outbox.advance_counter(session, event.msg_id)
        own_id = outbox.find_echo(session, event.msg_id, event.name)
        outbox.confirm(session, own_id, "sent", effects)


def _is_echo(
    session: SessionState,
    party_id: str | None,
    msg_id: str | None,
    text: str,
    effects: list[Effect],
) -> bool:
    """Whether an own event is the echo of one that this session sent, which then has arrived."""
    if not session.is_own(party_id):
        return False
    outbox.advance_counter(session, msg_id)
    own_id = outbox.find_echo(session, msg_id, text)
    outbox.confirm(session, own_id, "sent", effects)
    return own_id is not None


# DESIGN §3: delivered → `DeliveryConfirmed`; read → `ReadConfirmed`.
def message_delivered(
    session: SessionState, event: events.MessageDelivered, effects: list[Effect]
) -> None:
    """Report that a message has reached a party; the customer's own receipts are ignored."""
    if _is_new_receipt(session, event, _DELIVERED, effects):
        if session.outbox:
            outbox.confirm(session, event.ref_msg_id, "delivered", effects)
        effects.append(_delivered(event.ref_msg_id, event.party_id))


def message_read(session: SessionState, event: events.MessageRead, effects: list[Effect]) -> None:
    """Report that a party has read a message; the customer's own receipts are ignored."""
    if _is_new_receipt(session, event, _READ, effects):
        if session.outbox:
            outbox.confirm(session, event.ref_msg_id, "read", effects)
        effects.append(_read(event.ref_msg_id, event.party_id))


def _is_new_receipt(
    session: SessionState,
    event: events.MessageDelivered | events.MessageRead,
    scope: Scope,
    effects: list[Effect],
) -> bool:
    """Whether this party's receipt for this message was not reported before."""
    party_id = event.party_id or ""
    if party_id != session.last_other_id and session.is_own(party_id):
        return False
    if is_new(session, scope, event.ref_msg_id, party_id):
        return True
    session.count_duplicate(event, effects)
    return False


# Commands. Each message takes an id and is tracked until it has arrived; sent again, if need be,
# with all events that were queued before it: the answer to a prompt, say.

Tracked = commands.SendText | commands.SendFile | commands.SendLocation | commands.SendNavigation


def check_send(session: SessionState, command: Tracked) -> None:
    """Refuse one more message if too many are undecided, or if its msg_id was used before."""
    outbox.check_capacity(session)
    outbox.check_msg_id(session, command)


def send_text(session: SessionState, command: commands.SendText, effects: list[Effect]) -> None:
    """Send a text; an open text prompt is answered by form data that precedes it."""
    stop_own_typing(session)
    prompt = latest_prompt(session)
    if prompt is not None:
        answer = {"text": command.text}
        session.queue_event(encode(commands.SubmitForm(prompt, answer, form_name="")))
        close_form(session, prompt, "message", effects)
    clear_warning(session, effects)
    content = fingerprint(command.body, command.plain)
    _send(session, command, "", content, command.body, command.plain)


def send_file(session: SessionState, command: commands.SendFile, effects: list[Effect]) -> None:
    """Send a file that was uploaded."""
    stop_own_typing(session)
    clear_warning(session, effects)
    content = shortened(repr((command.file_id, command.file_type, command.file_name)))
    _send(session, command, "file", content, f"file {command.file_id}")


def send_location(
    session: SessionState, command: commands.SendLocation, effects: list[Effect]
) -> None:
    """Send a location."""
    stop_own_typing(session)
    clear_warning(session, effects)
    latitude, longitude = float(command.latitude), float(command.longitude)
    content = shortened(repr((latitude, longitude, command.url)))
    _send(session, command, "location", content, f"{latitude} {longitude}")


def send_navigation(
    session: SessionState, command: commands.SendNavigation, _effects: list[Effect]
) -> None:
    """Send the page that the customer looks at."""
    _send(session, command, "navigation", "", str(encode(command)["event"]))


def mark_delivered(
    session: SessionState, command: commands.MarkDelivered, _effects: list[Effect]
) -> None:
    """Send a delivery receipt, once for each message."""
    _send_receipt(session, command, "marked delivered")


def mark_read(session: SessionState, command: commands.MarkRead, _effects: list[Effect]) -> None:
    """Send a read receipt, once for each message."""
    _send_receipt(session, command, "marked read")


def send_end(
    session: SessionState, command: commands.Disconnect | commands.End, _effects: list[Effect]
) -> None:
    """Ask the server to end the conversation or the session, which it reports by events."""
    session.queue_event(encode(command))


def _send(
    session: SessionState, command: Tracked, kind: str, content: Fingerprint, *echo: str | None
) -> None:
    msg_id = outbox.take_msg_id(session, command)
    event = encode(evolve(command, msg_id=msg_id))
    if session.settings.empty_file_ids and isinstance(command, commands.SendFile):
        event["msg_id"] = ""
    session.queue_event(event, msg_id)
    remember(session, scope_for(session, session.chat_id, kind), msg_id, content)
    outbox.track(session, msg_id, *echo)


def _send_receipt(
    session: SessionState, command: commands.MarkDelivered | commands.MarkRead, kind: str
) -> None:
    scope = scope_for(session, None, kind)
    if command.msg_id not in session.seen_ids.get(scope, ()):
        remember(session, scope, command.msg_id, "")
        session.queue_event(encode(command))
