"""Signals of calls: the `data` of a signaling event, as typed values.

A field that is missing on the wire is None; `extra` has fields that chatfsm does not know, as
received. Their names are nouns, so none is also the name of a command. Source: PROTOCOL.md §4.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

__all__ = [
    "CallAnswer",
    "CallEnd",
    "CallMedia",
    "CallOffer",
    "CallRejection",
    "CallRequest",
    "IceCandidate",
    "PhoneCallRequest",
    "Signal",
    "SmsRequest",
    "UnknownSignal",
]


@frozen
class CallRequest:
    """REQUEST_CALL: the customer requests a call, with or without video."""

    offer_video: bool | None = None
    """Whether the customer wants video; None if the signal does not say."""
    extra: Mapping[str, object] = field(factory=dict, hash=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class CallRejection:
    """CALL_REJECTED: the other side rejects the call."""

    reason_code: str | None = None
    """Code of the reason, as the other side gives it."""
    reason: str | None = None
    """Text of the reason, as the other side gives it: untrusted."""
    extra: Mapping[str, object] = field(factory=dict, hash=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class CallOffer:
    """OFFER_CALL: the other side offers a call with a session description (SDP)."""

    sdp: str | None = field(default=None, repr=False)
    """The session description, for the browser or the WebRTC library; in no repr."""
    offer_video: bool | None = None
    """Whether the call has video; None if the signal does not say."""
    extra: Mapping[str, object] = field(factory=dict, hash=False, repr=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class CallAnswer:
    """ANSWER_CALL: the other side accepts an offer with a session description (SDP)."""

    sdp: str | None = field(default=None, repr=False)
    """The session description, for the browser or the WebRTC library; in no repr."""
    extra: Mapping[str, object] = field(factory=dict, hash=False, repr=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class IceCandidate:
    """ICE_CANDIDATE: one network path for the call; it may arrive before the answer."""

    candidate: str | None = None
    """The candidate's line, as WebRTC gives it."""
    sdp_mid: str | None = None
    """Id of the media stream that the candidate belongs to."""
    sdp_m_line_index: int | None = None
    """Index of the media line, from 0."""
    extra: Mapping[str, object] = field(factory=dict, hash=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class CallEnd:
    """END_CALL: one side ended the call; the other side does not reply with END_CALL."""

    extra: Mapping[str, object] = field(factory=dict, hash=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class CallMedia:
    """CALL_STATE, undocumented: whether the other side's microphone and camera are on."""

    audio_enabled: bool | None = None
    """Whether the microphone is on; None if the signal does not say."""
    video_enabled: bool | None = None
    """Whether the camera is on; None if the signal does not say."""
    extra: Mapping[str, object] = field(factory=dict, hash=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class PhoneCallRequest:
    """REQUEST_PHONE_CALL: the customer requests a phone call."""

    number: str | None = None
    """Phone number to call, as the customer wrote it."""
    extra: Mapping[str, object] = field(factory=dict, hash=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class SmsRequest:
    """REQUEST_SMS: the customer requests to continue by text message."""

    number: str | None = None
    """Phone number for the text messages, as the customer wrote it."""
    extra: Mapping[str, object] = field(factory=dict, hash=False)
    """Fields that chatfsm does not know, as received."""


@frozen
class UnknownSignal:
    """A signal of a type that chatfsm does not know."""

    type: str | None
    """None if the signal has no type."""
    raw: Mapping[str, object] = field(hash=False, repr=False)
    """The whole `data`, as received."""


Signal = (
    CallRequest
    | CallRejection
    | CallOffer
    | CallAnswer
    | IceCandidate
    | CallEnd
    | CallMedia
    | PhoneCallRequest
    | SmsRequest
    | UnknownSignal
)
"""All signals, as a closed union."""
