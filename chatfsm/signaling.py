"""What call signaling says: the `data` of a signaling event, as a typed union that stays open.

Nouns, so that no signal shares its name with a command of the app. Every field may be missing
on the wire and is then None; fields that chatfsm does not know are kept in `extra`.
Source: PROTOCOL.md §4.
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
    """REQUEST_CALL: the customer asks for a call, with video or without."""

    offer_video: bool | None = None
    extra: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class CallRejection:
    """CALL_REJECTED: the other side does not want the call."""

    reason_code: str | None = None
    reason: str | None = None
    extra: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class CallOffer:
    """OFFER_CALL: a session description that waits for an answer."""

    sdp: str | None = field(default=None, repr=False)
    offer_video: bool | None = None
    extra: Mapping[str, object] = field(factory=dict, hash=False, repr=False)


@frozen
class CallAnswer:
    """ANSWER_CALL: the session description that accepts an offer."""

    sdp: str | None = field(default=None, repr=False)
    extra: Mapping[str, object] = field(factory=dict, hash=False, repr=False)


@frozen
class IceCandidate:
    """ICE_CANDIDATE: one network path to try; it may come before the answer."""

    candidate: str | None = None
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    extra: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class CallEnd:
    """END_CALL: the call is over, by either side; never answered by another one."""

    extra: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class CallMedia:
    """CALL_STATE (undocumented): whether the other side's microphone and camera are on."""

    audio_enabled: bool | None = None
    video_enabled: bool | None = None
    extra: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class PhoneCallRequest:
    """REQUEST_PHONE_CALL: the customer asks to be phoned."""

    number: str | None = None
    extra: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class SmsRequest:
    """REQUEST_SMS: the customer asks to go on by text message."""

    number: str | None = None
    extra: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class UnknownSignal:
    """Signaling of a type that chatfsm does not know, kept whole; `type` is None where absent."""

    type: str | None
    raw: Mapping[str, object] = field(hash=False, repr=False)


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
