"""What effects and the read side of a session speak of: parties, forms, messages, files, places."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from attrs import frozen

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
    "unexpected_transition",  # a state that the law does not expect after the one before
    "unknown_state",  # a state word that nobody knows
    "unknown_party",  # somebody left who was not there
    "malformed",  # an item that is no event, or lacks what it needs
    "id_reused",  # a message id of before, with other content
    "too_many_ids",  # told once: from here on, old duplicates cannot be known any more
    "too_many_parties",
    "too_many_typists",
    "too_many_forms",
    "too_many_candidates",
]


@frozen(weakref_slot=False)
class Party:
    """Somebody in the conversation; every name may be missing or empty."""

    party_id: str
    type: str | None = None
    """scenario, external, internal, msteams, or a word that is new."""
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None

    @property
    def name(self) -> str:
        """What to show a person: the display name, else first and last name, else the id."""
        full = f"{self.first_name or ''} {self.last_name or ''}".strip()
        return self.display_name or full or self.party_id

    @property
    def is_human(self) -> bool:
        """Whether the contact center has a person there, in its own desk or in Teams."""
        return self.type in {"internal", "msteams"}


@frozen(weakref_slot=False)
class Form:
    """A form that the server showed; `deadline` is on the session's clock, None: no limit."""

    request_id: str
    name: str | None = None
    """The form's name, or the id of a secure form."""
    secure: bool = False
    deadline: float | None = None

    @property
    def is_text_prompt(self) -> bool:
        """Whether the next chat text answers it (PROTOCOL.md §2: a form with an empty name)."""
        return self.name == "" and not self.secure


_EventT = TypeVar("_EventT", bound=events.Message | events.File | events.Location)


@frozen(weakref_slot=False)
class _Shared(Generic[_EventT]):
    """What somebody shared, as it was understood; it carries the event and copies nothing."""

    event: _EventT
    sender: Party | None
    """Who it is from; None where the party was never announced."""
    own: bool
    """Whether the customer's side said it, here or on another device."""

    @property
    def party_id(self) -> str | None:
        """The id of the party it is from; None for an own file of some servers."""
        return self.event.party_id

    @property
    def sender_name(self) -> str:
        """Name of the sender; its party_id if it was never announced, or ""."""
        return self.sender.name if self.sender is not None else self.party_id or ""

    @property
    def msg_id(self) -> str | None:
        """The id that receipts refer to."""
        return self.event.msg_id

    @property
    def timestamp(self) -> float | None:
        """The server's time, in seconds since 1970."""
        return self.event.timestamp


@frozen(weakref_slot=False)
class ChatMessage(_Shared[events.Message]):
    """A message."""

    @property
    def text(self) -> str:
        """The plain text: the server's own where it made one, else the message as it came."""
        plain = self.event.msg_text
        return plain if plain is not None else self.event.msg or ""

    @property
    def html(self) -> str | None:
        """The message as it came, which may hold HTML: untrusted."""
        return self.event.msg

    @property
    def attachments(self) -> tuple[events.Attachment, ...]:
        """The rich parts."""
        return self.event.attachments


@frozen(weakref_slot=False)
class SharedFile(_Shared[events.File]):
    """A file."""

    @property
    def file_id(self) -> str:
        """What to ask the server for."""
        return self.event.file_id

    @property
    def file_type(self) -> str | None:
        """Image or attachment, or a word that is new."""
        return self.event.file_type

    @property
    def file_name(self) -> str | None:
        """The name that the sender gave it: untrusted, it may be a path."""
        return self.event.file_name


@frozen(weakref_slot=False)
class SharedLocation(_Shared[events.Location]):
    """A place, in degrees."""

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
        """A map of the place: untrusted."""
        return self.event.url


Outcome = Literal["ended", "timed_out", "failed", "gone"]
