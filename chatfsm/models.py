"""Models: parties, forms, messages, files and locations, as effects and sessions give them."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from attrs import field, frozen

from chatfsm import events

__all__ = [
    "AnomalyKind",
    "ChatMessage",
    "Form",
    "Outcome",
    "Party",
    "SharedFile",
    "SharedLocation",
]

AnomalyKind = Literal[
    "unexpected_transition",  # a state that the lifecycle table does not have after the current one
    "unknown_state",  # a state that chatfsm does not know
    "unknown_party",  # a party left that was not in the roster
    "malformed",  # an item that is not an event, or has a missing or invalid field
    "id_reused",  # a known message id with other content
    "form_not_open",  # an answer to a form that is closed, or was never shown
    "unreadable_time",  # of a recorded event: found by a replay, not by a session
    "too_many_ids",  # more than max_ids: old duplicates are not recognized from now on; once
    "too_many_parties",  # more than max_parties in the roster
    "too_many_typists",  # more than max_typists at the same time
    "too_many_forms",  # more than max_forms open
    "too_many_candidates",  # more than max_candidates before the call was answered
]
"""Kind of an `Anomaly`. The limits are those of `Settings`."""

Outcome = Literal["ended", "timed_out", "failed", "gone"]
"""End of a session: normal, for inactivity, with an error, or unknown to the server."""

_EventT = TypeVar("_EventT", bound=events.Message | events.File | events.FileUrl | events.Location)


@frozen(weakref_slot=False)
class Party:
    """A participant of the chat. Every name may be missing or empty."""

    party_id: str
    """Id of the party in this chat; the customer's is the chat's id."""
    type: str | None = None
    """scenario, external (customer), internal (agent), msteams, or a newer type."""
    display_name: str | None = None
    """Name that the server wants shown; None or "" if it sent none."""
    first_name: str | None = None
    """First name; None or "" if the server sent none."""
    last_name: str | None = None
    """Last name; None or "" if the server sent none."""

    @property
    def name(self) -> str:
        """Name to show: the display name, else first and last name, else the id."""
        full = f"{self.first_name or ''} {self.last_name or ''}".strip()
        return self.display_name or full or self.party_id

    @property
    def is_human(self) -> bool:
        """Whether the party is an agent, in the contact center's own client or in Teams."""
        return self.type in {"internal", "msteams"}


@frozen(weakref_slot=False)
class Form:
    """A form that the server showed to the customer."""

    request_id: str
    """Id for `SubmitForm` and `CancelForm`."""
    name: str | None = None
    """Name of the form; for a secure form its id."""
    secure: bool = False
    """Whether the answers are secret: no snapshot, log or repr has them."""
    deadline: float | None = None
    """Time on the session's clock at which the form expires, in seconds; None: never."""
    content: str | None = field(default=None, repr=False)
    """Text of a text prompt, if the server sent one."""

    @property
    def is_text_prompt(self) -> bool:
        """Whether the next chat text is the answer; such a form has an empty name."""
        return self.name == "" and not self.secure


@frozen(weakref_slot=False)
class _Shared(Generic[_EventT]):
    """A message, file or location, with the event that it came in."""

    event: _EventT
    """The event, as it was decoded, with its `extra` fields."""
    sender: Party | None
    """The sender; None if the server never announced the party."""
    own: bool
    """Whether the customer sent it, with this client or another one."""

    @property
    def party_id(self) -> str | None:
        """Id of the sender; None for own items of some servers."""
        return self.event.party_id

    @property
    def sender_name(self) -> str:
        """Name of the sender; its party_id if it was never announced, or ""."""
        return self.sender.name if self.sender is not None else self.party_id or ""

    @property
    def msg_id(self) -> str | None:
        """Id of the item, for `MarkDelivered` and `MarkRead`."""
        return self.event.msg_id

    @property
    def timestamp(self) -> float | None:
        """Seconds since 1970, on the server's clock; None if the event has no time."""
        return self.event.timestamp


@frozen(weakref_slot=False)
class ChatMessage(_Shared[events.Message]):
    """A chat message."""

    @property
    def text(self) -> str:
        """Plain text made by the server; without it, the message as received: untrusted."""
        plain = self.event.msg_text
        return plain if plain is not None else self.event.msg or ""

    @property
    def html(self) -> str | None:
        """The message as received, with or without HTML: untrusted."""
        return self.event.msg

    @property
    def attachments(self) -> tuple[events.Attachment, ...]:
        """Attachments of the message."""
        return self.event.attachments

    @property
    def directive_id(self) -> str | None:
        """Id that the customer's answer repeats, as `SendText.directive_id`; None if there is none.

        A bot's question has one, for example (PROTOCOL.md §2).
        """
        directive_id = self.event.extra.get("directive_id")
        is_number = isinstance(directive_id, int) and not isinstance(directive_id, bool)
        return str(directive_id) if is_number or isinstance(directive_id, str) else None


@frozen(weakref_slot=False)
class SharedFile(_Shared[events.File | events.FileUrl]):
    """A shared file, with an id or with a URL."""

    @property
    def file_id(self) -> str | None:
        """Id for `api.GetFile`; None if the file was shared by its URL."""
        return None if isinstance(self.event, events.FileUrl) else self.event.file_id

    @property
    def url(self) -> str | None:
        """URL of the file, if it was shared by its URL: untrusted."""
        return self.event.file_url if isinstance(self.event, events.FileUrl) else None

    @property
    def file_type(self) -> str | None:
        """image, attachment, or a newer type."""
        return self.event.file_type

    @property
    def file_name(self) -> str | None:
        """Name that the sender gave: untrusted, it may be a path; None if shared by URL."""
        return None if isinstance(self.event, events.FileUrl) else self.event.file_name


@frozen(weakref_slot=False)
class SharedLocation(_Shared[events.Location]):
    """A shared location."""

    @property
    def latitude(self) -> float | None:
        """Degrees north."""
        return self.event.latitude

    @property
    def longitude(self) -> float | None:
        """Degrees east."""
        return self.event.longitude

    @property
    def url(self) -> str | None:
        """URL of a map: untrusted."""
        return self.event.url
