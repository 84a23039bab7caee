"""What the app orders: one frozen class for each thing that a customer's side can say.

What only the session knows (`msg_id`, the form's name, whom a signal is for) is keyword-only and
None until somebody fills it in; what is None does not go on the wire. A value that the wire has
no place for raises ValueError, or TypeError, when the command is built.
Source: PROTOCOL.md §3 and §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Literal

from attrs import Attribute, field, frozen
from attrs.validators import ge, in_, instance_of, optional


def _named(_command: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{attribute.name} must be a text that is not empty")


def _mapped(_command: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Mapping):
        raise TypeError(f"{attribute.name} must be a mapping of field names to answers")


def _degrees(limit: float) -> Any:
    def check(_command: object, attribute: Attribute[Any], value: float) -> None:
        if not isfinite(value) or abs(value) > limit:
            raise ValueError(f"{attribute.name} must be from -{limit} to {limit} degrees")

    return check


@frozen(kw_only=True)
class _Numbered:
    msg_id: str | None = None


@frozen(kw_only=True)
class _Signalled(_Numbered):
    destination_party_id: str | None = None


@frozen
class SendText(_Numbered):
    """Say something; `html` is sent beside the plain text where given."""

    text: str = field(validator=instance_of(str))
    html: str | None = field(default=None, validator=optional(instance_of(str)))

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
    file_name: str | None = None


@frozen
class SendLocation(_Numbered):
    """Share a place, in degrees."""

    latitude: float = field(validator=_degrees(90))
    longitude: float = field(validator=_degrees(180))
    url: str | None = None


@frozen
class SendNavigation(_Numbered):
    """Tell which page the customer looks at."""

    page: str = field(validator=_named)
    title: str | None = None


@frozen
class StartTyping:
    """The customer types; newer servers show the `draft` to the agent."""

    draft: str | None = None


@frozen
class StopTyping:
    """The customer has stopped typing."""


@frozen
class SubmitForm:
    """Answer a form; the answers are in no repr."""

    request_id: str = field(validator=_named)
    data: Mapping[str, object] = field(repr=False, hash=False, validator=_mapped)
    form_name: str | None = field(default=None, kw_only=True)
    secure: bool = field(default=False, kw_only=True)


@frozen
class CancelForm:
    """Refuse a form."""

    request_id: str = field(validator=_named)
    form_name: str | None = field(default=None, kw_only=True)
    secure: bool = field(default=False, kw_only=True)


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

    video: bool = False


@frozen
class AnswerCall(_Signalled):
    """Accept an offer with a session description."""

    sdp: str = field(repr=False, validator=_named)


@frozen
class RejectCall(_Signalled):
    """Decline an offer."""

    reason_code: str | None = None
    reason: str | None = None


@frozen
class SendCandidate(_Signalled):
    """Offer a network path; `sdp_m_line_index` counts from 0."""

    candidate: str = field(validator=instance_of(str))
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = field(default=None, validator=optional(ge(0)))


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
    provider_type: str | None = None
    cobrowsing_url: str | None = None
    cobrowsing_id: str | None = None


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
