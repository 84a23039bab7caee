"""Echo agent: the answers of an agent who converses, as steps.

The agent repeats texts and knows a few keywords that try each part of the protocol. The answers to
a secure form are never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from chatfsm._protocol import names as wire
from chatfsm._protocol.structuring import json_object
from chatfsm.simulator import scenario as s
from chatfsm.simulator.wire_events import (
    message,
    not_typing,
    read,
    signaling,
    status,
    typing,
)

__all__ = ["FILE_ID", "KEYWORDS", "answer_steps", "type_and_say"]

_Steps = tuple[s.ScenarioStep, ...]

# The address is reserved for documentation (RFC 5737), so no call ever reaches a host.
# Without the attributes of ICE and DTLS, browsers refuse the description.
_SDP_SESSION: Final = ("v=0", "o=- 417 2 IN IP4 192.0.2.17", "s=-", "t=0 0")
_SDP_TRANSPORT: Final = (
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=ice-ufrag:owl7",
    "a=ice-pwd:in-on-saturdays-from-8-to-18",
    "a=fingerprint:sha-256 " + ":".join(f"{number:02X}" for number in range(32)),
    "a=setup:actpass",
    "a=sendrecv",
    "a=rtcp-mux",
)
_SDP_AUDIO: Final = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=mid:audio",
    *_SDP_TRANSPORT,
    "a=rtpmap:111 opus/48000/2",
)
_SDP_VIDEO: Final = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96",
    "a=mid:video",
    *_SDP_TRANSPORT,
    "a=rtpmap:96 VP8/90000",
)
FILE_ID: Final = "5b0c9a1e-7d1f-4f0a-9a53-2f3d1c4e8b60"
"""The id of the file that agents share."""


def type_and_say(text: str, seconds: float, party_id: str = "$agent") -> _Steps:
    """Return the steps that type for some seconds and then send a text."""
    text_step = s.Tell(message(text, party_id))
    if not seconds:
        return (text_step,)
    started, stopped = s.Tell(typing(party_id)), s.Tell(not_typing(party_id))
    return (started, s.Pause(seconds), stopped, text_step)


def signal_step(kind: str, **fields: Any) -> s.Tell:
    """Return the step that sends a signal of the agent's."""
    return s.Tell(signaling(kind, "$agent", **fields))


def candidate_step(number: int) -> s.Tell:
    """Return the step that sends an ICE candidate of the agent's."""
    way = f"candidate:{number} 1 udp 2122260223 192.0.2.{16 + number} {50_000 + number} typ host"
    return signal_step(wire.ICE_CANDIDATE, candidate=way, sdpMid="audio", sdpMLineIndex=0)


def call_offer(*, video: bool = False) -> _Steps:
    """Return the steps by which the agent offers a call."""
    bundle = ("a=group:BUNDLE audio video",) if video else ("a=group:BUNDLE audio",)
    lines = (*_SDP_SESSION, *bundle, *_SDP_AUDIO, *(_SDP_VIDEO if video else ()))
    sdp = "".join(f"{line}\r\n" for line in lines)
    offer = signal_step(wire.OFFER_CALL, sdp=sdp, offerVideo=str(video).lower())
    return (offer, candidate_step(1), candidate_step(2))


def answer_steps(event: Mapping[str, Any], seconds: float) -> _Steps:
    """Return the steps that answer an event of the customer's."""
    name = event.get("event")
    if name == wire.MESSAGE:
        return (*_read_receipt(event), *_answer_text(event, seconds))
    answer = _ANSWERS.get(name) if isinstance(name, str) else None
    return () if answer is None else answer(event, seconds)


def _read_receipt(event: Mapping[str, Any]) -> _Steps:
    """Return the step that confirms a message as read; none if the message has no id."""
    msg_id = event.get("msg_id")
    if isinstance(msg_id, bool) or not isinstance(msg_id, (str, int, float)) or msg_id == "":
        return ()
    return (s.Tell(read(msg_id, "$agent")),)


def _answer_text(event: Mapping[str, Any], seconds: float) -> _Steps:
    content = event.get("msg_text") or event.get("msg")
    text = content.strip() if isinstance(content, str) else ""
    keyword = text.lower().rstrip(".!?")
    if keyword in KEYWORDS:
        return KEYWORDS[keyword](seconds)
    return type_and_say(
        f"You said: {text}" if text else "You said nothing that I can repeat.", seconds
    )


# Keywords.


def _help(seconds: float) -> _Steps:
    return type_and_say(f"I know these words: {', '.join(KEYWORDS)}. All else I repeat.", seconds)


def _form(seconds: float) -> _Steps:
    return (*type_and_say("Please fill in this form.", seconds), s.ShowForm("contact"))


def _prompt(seconds: float) -> _Steps:
    return (*type_and_say("What is your favourite colour?", seconds), s.ShowForm(""))


def _secure_form(seconds: float) -> _Steps:
    shown = s.ShowSecureForm("identity_check")
    return (*type_and_say("Please fill in this form; nobody will repeat it.", seconds), shown)


def _file(seconds: float) -> _Steps:
    file = {
        "event": wire.FILE,
        "party_id": "$agent",
        "file_id": FILE_ID,
        "file_type": "attachment",
        "file_name": "opening-hours.txt",
    }
    return (*type_and_say("Here are our opening hours.", seconds), s.Tell(file))


def _transfer(seconds: float) -> _Steps:
    return (
        *type_and_say("I will hand you over to a colleague.", seconds),
        s.AgentLeaves(),
        s.FindAgent(ring=seconds),
        *type_and_say("Hello, I am the colleague.", seconds),
    )


def _queue(seconds: float) -> _Steps:
    return (
        *type_and_say("Back to the queue with you, just for a moment.", seconds),
        s.AgentLeaves(),
        s.Tell(status("queued", "20")),
        s.Pause(2 * seconds),
        s.Tell(status("queued", "10")),
        s.Pause(2 * seconds),
        s.FindAgent(ring=seconds),
        *type_and_say("Thank you for waiting.", seconds),
    )


def _call(seconds: float) -> _Steps:
    return (*type_and_say("I am calling you now.", seconds), *call_offer())


def _hang_up(seconds: float) -> _Steps:
    return (*type_and_say("I am hanging up now.", seconds), signal_step(wire.END_CALL))


def _bye(seconds: float) -> _Steps:
    return (*type_and_say("Goodbye, and thank you.", seconds), s.AgentLeaves(), s.EndSession())


KEYWORDS: Final[dict[str, Callable[[float], _Steps]]] = {
    "help": _help,
    "form": _form,
    "prompt": _prompt,
    "secure form": _secure_form,
    "file": _file,
    "transfer": _transfer,
    "queue": _queue,
    "call": _call,
    "hang up": _hang_up,
    "bye": _bye,
}
"""The steps that follow from each keyword, as functions of the seconds of typing."""


# Events other than texts.


def _answer_form(event: Mapping[str, Any], seconds: float) -> _Steps:
    data = event.get("data")
    number = len(data) if isinstance(data, Mapping) else 0
    answers = "your answer" if number == 1 else f"your {number} answers"
    return type_and_say(f"Thank you for {answers}.", seconds)


def _answer_cancel(_event: Mapping[str, Any], seconds: float) -> _Steps:
    return type_and_say("No form, then.", seconds)


def _answer_file(_event: Mapping[str, Any], seconds: float) -> _Steps:
    return type_and_say("Thank you for the file.", seconds)


def _answer_location(_event: Mapping[str, Any], seconds: float) -> _Steps:
    return type_and_say("So that is where you are.", seconds)


def _answer_signal(event: Mapping[str, Any], _seconds: float) -> _Steps:
    try:
        data = json_object(event.get("data"))
    except ValueError:
        return ()
    kind = data.get("type")
    if kind == wire.REQUEST_CALL:
        return call_offer(video=data.get("offerVideo") in (True, "true"))
    return _SIGNALS.get(kind, ()) if isinstance(kind, str) else ()


_SIGNALS: Final[dict[str, _Steps]] = {
    wire.ANSWER_CALL: (
        candidate_step(3),
        signal_step(wire.CALL_STATE, audioEnabled=True, videoEnabled=False),
    ),
    wire.CALL_REJECTED: type_and_say("Another time, then.", 0),
    wire.REQUEST_PHONE_CALL: type_and_say("We would phone you now.", 0),
    wire.REQUEST_SMS: type_and_say("We would send you a text message now.", 0),
}
"""Signals of the customer's and their answers. END_CALL has none (PROTOCOL.md §4)."""

_ANSWERS: Final[dict[str, Callable[[Mapping[str, Any], float], _Steps]]] = {
    wire.FORM_DATA: _answer_form,
    wire.SECURE_FORM_DATA: _answer_form,
    wire.FORM_DATA_CANCEL: _answer_cancel,
    wire.SECURE_FORM_CANCEL: _answer_cancel,
    wire.FILE: _answer_file,
    wire.LOCATION: _answer_location,
    wire.SIGNALING: _answer_signal,
}
