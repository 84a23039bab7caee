"""Commands: orders of the app, one frozen class for each event that a client may send.

`msg_id`, `form_name`, `secure` and `destination_party_id` are keyword-only; the session fills in
what is None, and leaves out of the event what stays None. A command checks its arguments when it is
built: TypeError for a wrong type, ValueError for a value that the wire does not allow.
Source: PROTOCOL.md §3 and §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from attrs import field, frozen
from attrs.validators import ge, instance_of, optional

from chatfsm._validators import OPTIONAL_TEXT, degrees, flag, non_empty_text, one_of, text

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

_FILE_TYPES: Final = ("image", "attachment")
_COBROWSING_REPLIES: Final = ("rejected", "started", "ended")


def _answers(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(
            f"data must be a mapping of field names to answers, not {type(value).__name__}"
        )
    return dict(value)


@frozen(kw_only=True)
class _WithMsgId:
    msg_id: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Id of the message, unique within the chat; None: the session chooses it."""


@frozen(kw_only=True)
class _CallCommand(_WithMsgId):
    destination_party_id: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Id of the party that the signal is for; None: the other side of the call, if known."""


@frozen
class SendText(_WithMsgId):
    """Send a chat message."""

    text: str = field(validator=text)
    """Plain text of the message."""
    html: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """The same message as HTML; None: only plain text is sent."""
    directive_id: str | None = field(default=None, kw_only=True, validator=OPTIONAL_TEXT)
    """`ChatMessage.directive_id` of the message that this one answers."""

    @property
    def body(self) -> str:
        """The `msg` field on the wire: the HTML, or the plain text without HTML."""
        return self.text if self.html is None else self.html

    @property
    def plain(self) -> str | None:
        """The `msg_text` field on the wire: the plain text beside HTML, else None."""
        return None if self.html is None else self.text


@frozen
class SendFile(_WithMsgId):
    """Share a file that was uploaded with `api.UploadFile`."""

    file_id: str = field(validator=non_empty_text)
    """Id that the upload returned."""
    file_type: Literal["image", "attachment"] = field(validator=one_of(*_FILE_TYPES))
    """Kind of file on the wire; not a MIME type."""
    file_name: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Name to show to the agent; None: none is sent."""


@frozen
class SendLocation(_WithMsgId):
    """Share a location."""

    latitude: float = field(validator=degrees(90))
    """Degrees north, from -90 to 90."""
    longitude: float = field(validator=degrees(180))
    """Degrees east, from -180 to 180."""
    url: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """URL of a map."""


@frozen
class SendNavigation(_WithMsgId):
    """Report the page that the customer looks at."""

    page: str = field(validator=non_empty_text)
    """URL of the page."""
    title: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Title of the page; None: none is sent."""


@frozen
class StartTyping:
    """Report that the customer types; repeat it with each key, the session limits the events."""

    draft: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Text typed so far; newer servers show it to the agent."""


@frozen
class StopTyping:
    """Report that the customer has stopped typing."""


@frozen
class SubmitForm:
    """Answer an open form."""

    request_id: str = field(validator=non_empty_text)
    """Id of the form, as in `Form.request_id`."""
    data: dict[str, object] = field(repr=False, hash=False, converter=_answers)
    """Field names and answers; in no repr."""
    form_name: str | None = field(default=None, kw_only=True, validator=OPTIONAL_TEXT)
    """Name of the form on the wire; a session puts in that of the open form."""
    secure: bool = field(default=False, kw_only=True, validator=flag)
    """Whether the form is a secure one; a session puts in what the open form is."""


@frozen
class CancelForm:
    """Refuse an open form."""

    request_id: str = field(validator=non_empty_text)
    """Id of the form, as in `Form.request_id`."""
    form_name: str | None = field(default=None, kw_only=True, validator=OPTIONAL_TEXT)
    """Name of the form on the wire; a session puts in that of the open form."""
    secure: bool = field(default=False, kw_only=True, validator=flag)
    """Whether the form is a secure one; a session puts in what the open form is."""


@frozen
class MarkDelivered:
    """Confirm that a message of another party was delivered (API version 2)."""

    msg_id: str = field(validator=non_empty_text)
    """`msg_id` of the received message."""


@frozen
class MarkRead:
    """Confirm that a message of another party was read (API version 2)."""

    msg_id: str = field(validator=non_empty_text)
    """`msg_id` of the received message."""


@frozen
class Disconnect:
    """End the conversation. The scenario keeps the session, and may show a survey."""


@frozen
class End:
    """End the session."""


@frozen
class RequestCall(_CallCommand):
    """Request a call."""

    video: bool = field(default=False, validator=flag)
    """Whether the call is to have video."""


@frozen
class AnswerCall(_CallCommand):
    """Accept the offer of a call."""

    sdp: str = field(repr=False, validator=non_empty_text)
    """Session description (SDP) of the answer; in no repr."""


@frozen
class RejectCall(_CallCommand):
    """Reject the offer of a call."""

    reason_code: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Code of the reason, for the other side; None: none is sent."""
    reason: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Text of the reason, for the other side; None: none is sent."""


@frozen
class SendCandidate(_CallCommand):
    """Send an ICE candidate: a network path for the call."""

    candidate: str = field(validator=text)
    """The candidate's line, as WebRTC gives it."""
    sdp_mid: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Id of the media stream that the candidate belongs to, as WebRTC gives it."""
    sdp_m_line_index: int | None = field(
        default=None, validator=optional([instance_of(int), ge(0)])
    )
    """Index of the media line, 0 or more."""


@frozen
class EndCall(_CallCommand):
    """End the call."""


@frozen
class RequestPhoneCall(_CallCommand):
    """Request a phone call to a number."""

    number: str = field(validator=non_empty_text)
    """Phone number to call, as the customer wrote it."""


@frozen
class RequestSms(_CallCommand):
    """Request to continue the chat by text message."""

    number: str = field(validator=non_empty_text)
    """Phone number for the text messages, as the customer wrote it."""


@frozen
class CobrowsingReply(_WithMsgId):
    """Answer a request for co-browsing, or end it."""

    state: Literal["rejected", "started", "ended"] = field(validator=one_of(*_COBROWSING_REPLIES))
    """The answer to a request: rejected or started; ended closes what was requested or started."""
    provider_type: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Co-browsing provider; for "started" only, like the two below."""
    cobrowsing_url: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """URL of the shared session."""
    cobrowsing_id: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Id of the shared session at the provider."""


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
"""All commands, as a closed union."""
