"""What the app orders: one frozen class for each thing that a customer's side can say.

What only the session knows (`msg_id`, the form's name, whom a signal is for) is keyword-only and
None until somebody fills it in; what is None does not go on the wire. A value that the wire has
no place for raises ValueError, or TypeError, when the command is built.
Source: PROTOCOL.md §3 and §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import Attribute, field, frozen
from attrs.validators import ge, in_, instance_of, optional

__all__ = [
    "AnswerCall",
    "CancelForm",
    "CobrowsingReply",
    "Command",
    "Disconnect",
    "End",
    "EndCall",
    "MarkDelivered",
    "MarkRead",
    "RejectCall",
    "RequestCall",
    "RequestPhoneCall",
    "RequestSms",
    "SendCandidate",
    "SendFile",
    "SendLocation",
    "SendNavigation",
    "SendText",
    "StartTyping",
    "StopTyping",
    "SubmitForm",
]


def _named(_command: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{attribute.name} must be a text that is not empty")


def _answers(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("data must be a mapping of field names to answers")
    return dict(value)


def _degrees(limit: float) -> Any:
    def check(_command: object, attribute: Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{attribute.name} must be a number of degrees")
        if not -limit <= value <= limit:
            raise ValueError(f"{attribute.name} must be from -{limit} to {limit} degrees")

    return check


# What may be left out, and is text where it is not.
_TEXT: Final = optional(instance_of(str))


@frozen(kw_only=True)
class _Numbered:
    msg_id: str | None = field(default=None, validator=_TEXT)


@frozen(kw_only=True)
class _Signalled(_Numbered):
    destination_party_id: str | None = field(default=None, validator=_TEXT)


@frozen
class SendText(_Numbered):
    """Say something; `html` is sent beside the plain text where given."""

    text: str = field(validator=instance_of(str))
    html: str | None = field(default=None, validator=_TEXT)

    @property
    def body(self) -> str:
        """What goes out as the message itself."""
        return self.text if self.html is None else self.html

    @property
    def plain(self) -> str | None:
        """What goes out beside it: the plain text of a message in HTML."""
        return None if self.html is None else self.text


@frozen
class SendFile(_Numbered):
    """Share a file that was uploaded; the wire takes these two types, not MIME types."""

    file_id: str = field(validator=_named)
    file_type: Literal["image", "attachment"] = field(validator=in_(("image", "attachment")))
    file_name: str | None = field(default=None, validator=_TEXT)


@frozen
class SendLocation(_Numbered):
    """Share a place, in degrees."""

    latitude: float = field(validator=_degrees(90))
    longitude: float = field(validator=_degrees(180))
    url: str | None = field(default=None, validator=_TEXT)


@frozen
class SendNavigation(_Numbered):
    """Tell which page the customer looks at."""

    page: str = field(validator=_named)
    title: str | None = field(default=None, validator=_TEXT)


@frozen
class StartTyping:
    """The customer types; newer servers show the `draft` to the agent."""

    draft: str | None = field(default=None, validator=_TEXT)


@frozen
class StopTyping:
    """The customer has stopped typing."""


@frozen
class SubmitForm:
    """Answer a form; the answers are in no repr."""

    request_id: str = field(validator=_named)
    data: dict[str, object] = field(repr=False, hash=False, converter=_answers)
    form_name: str | None = field(default=None, kw_only=True, validator=_TEXT)
    secure: bool = field(default=False, kw_only=True, validator=instance_of(bool))


@frozen
class CancelForm:
    """Refuse a form."""

    request_id: str = field(validator=_named)
    form_name: str | None = field(default=None, kw_only=True, validator=_TEXT)
    secure: bool = field(default=False, kw_only=True, validator=instance_of(bool))


@frozen
class MarkDelivered:
    """A message of the other side has arrived (v2)."""

    msg_id: str = field(validator=_named)


@frozen
class MarkRead:
    """A message of the other side was read (v2)."""

    msg_id: str = field(validator=_named)


@frozen
class Disconnect:
    """End the conversation; the scenario keeps the session, and may show a survey."""


@frozen
class End:
    """End the session."""


@frozen
class RequestCall(_Signalled):
    """Ask for a call."""

    video: bool = field(default=False, validator=instance_of(bool))


@frozen
class AnswerCall(_Signalled):
    """Accept an offer with a session description."""

    sdp: str = field(repr=False, validator=_named)


@frozen
class RejectCall(_Signalled):
    """Decline an offer."""

    reason_code: str | None = field(default=None, validator=_TEXT)
    reason: str | None = field(default=None, validator=_TEXT)


@frozen
class SendCandidate(_Signalled):
    """Offer a network path; `sdp_m_line_index` counts from 0."""

    candidate: str = field(validator=instance_of(str))
    sdp_mid: str | None = field(default=None, validator=_TEXT)
    sdp_m_line_index: int | None = field(
        default=None, validator=optional([instance_of(int), ge(0)])
    )


@frozen
class EndCall(_Signalled):
    """End the call."""


@frozen
class RequestPhoneCall(_Signalled):
    """Ask to be phoned at a number."""

    number: str = field(validator=_named)


@frozen
class RequestSms(_Signalled):
    """Ask to go on by text message to a number."""

    number: str = field(validator=_named)


@frozen
class CobrowsingReply(_Numbered):
    """Answer a request for co-browsing; the three texts belong to "started"."""

    state: Literal["rejected", "started", "ended"] = field(
        validator=in_(("rejected", "started", "ended"))
    )
    provider_type: str | None = field(default=None, validator=_TEXT)
    cobrowsing_url: str | None = field(default=None, validator=_TEXT)
    cobrowsing_id: str | None = field(default=None, validator=_TEXT)


Command = (
    SendText
    | SendFile
    | SendLocation
    | SendNavigation
    | StartTyping
    | StopTyping
    | SubmitForm
    | CancelForm
    | MarkDelivered
    | MarkRead
    | Disconnect
    | End
    | RequestCall
    | AnswerCall
    | RejectCall
    | SendCandidate
    | EndCall
    | RequestPhoneCall
    | RequestSms
    | CobrowsingReply
)
