"""cattrs with its defaults: a Converter, a tagged union by the key `event`, and `structure`."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen
from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from tests.bench import handwritten_events as e

__all__ = ["structure"]


@frozen
class Status:
    """A status with `ewt` as text: by default cattrs cannot convert an empty text to a number."""

    state: str
    ewt: str | None = None


NAMES: Final[dict[type, str]] = {
    Status: "chat_session_status",
    e.Ended: "chat_session_ended",
    e.PartyJoined: "chat_session_party_joined",
    e.PartyLeft: "chat_session_party_left",
    e.Message: "chat_session_message",
    e.MessageDelivered: "chat_session_message_delivered",
    e.MessageRead: "chat_session_message_read",
    e.Typing: "chat_session_typing",
    e.NotTyping: "chat_session_not_typing",
    e.FormShow: "chat_session_form_show",
    e.FormData: "chat_session_form_data",
    e.TimeoutWarning: "chat_session_timeout_warning",
    e.InactivityTimeout: "chat_session_inactivity_timeout",
    e.File: "chat_session_file",
}

Event = (
    Status
    | e.Ended
    | e.PartyJoined
    | e.PartyLeft
    | e.Message
    | e.MessageDelivered
    | e.MessageRead
    | e.Typing
    | e.NotTyping
    | e.FormShow
    | e.FormData
    | e.TimeoutWarning
    | e.InactivityTimeout
    | e.File
)

converter: Final = Converter()
configure_tagged_union(Event, converter, tag_generator=lambda cls: NAMES[cls], tag_name="event")


def structure(raw: dict[str, Any]) -> Any:
    """Return the event of a parsed dict."""
    return converter.structure(raw, Event)
