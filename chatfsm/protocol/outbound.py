"""Typed commands to the wire's JSON; the names of all that goes out are here.

Each table row reads: the command, the wire's name for it, and for each field of the wire the
attribute that fills it. Source: PROTOCOL.md §3 and §4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from chatfsm.protocol import commands as c

__all__ = ["encode"]

COMMANDS: Final[dict[type, tuple[str | Callable[[Any], str], dict[str, str]]]] = {
    c.SendText: (
        "chat_session_message",
        {"msg": "body", "msg_text": "plain", "msg_id": "msg_id"},
    ),
    c.SendFile: (
        "chat_session_file",
        {
            "msg_id": "msg_id",
            "file_id": "file_id",
            "file_type": "file_type",
            "file_name": "file_name",
        },
    ),
    c.SendLocation: (
        "chat_session_location",
        {"msg_id": "msg_id", "latitude": "latitude", "longitude": "longitude", "url": "url"},
    ),
    c.SendNavigation: (
        "chat_session_navigation",
        {"msg_id": "msg_id", "page": "page", "title": "title"},
    ),
    c.StartTyping: ("chat_session_typing", {"msg": "draft"}),
    c.StopTyping: ("chat_session_not_typing", {}),
    c.SubmitForm: (
        lambda form: f"chat_session_{'secure_' if form.secure else ''}form_data",
        {"form_request_id": "request_id", "form_name": "form_name", "data": "data"},
    ),
    c.CancelForm: (
        lambda form: "chat_session_secure_form_cancel" if form.secure else "chat_form_data_cancel",
        {"form_request_id": "request_id", "form_name": "form_name"},
    ),
    c.MarkDelivered: ("chat_session_message_delivered", {"ref_msg_id": "msg_id"}),
    c.MarkRead: ("chat_session_message_read", {"ref_msg_id": "msg_id"}),
    c.Disconnect: ("chat_session_disconnect", {}),
    c.End: ("chat_session_end", {}),
    c.CobrowsingReply: (
        lambda reply: f"chat_session_cobrowsing_{reply.state}",
        {
            "msg_id": "msg_id",
            "provider_type": "provider_type",
            "cobrowsing_url": "cobrowsing_url",
            "cobrowsing_id": "cobrowsing_id",
        },
    ),
}

SIGNAL_COMMANDS: Final[dict[type, tuple[str, dict[str, str]]]] = {
    c.RequestCall: ("REQUEST_CALL", {"offerVideo": "video"}),
    c.AnswerCall: ("ANSWER_CALL", {"sdp": "sdp"}),
    c.RejectCall: ("CALL_REJECTED", {"reason_code": "reason_code", "reason": "reason"}),
    c.SendCandidate: (
        "ICE_CANDIDATE",
        {"candidate": "candidate", "sdpMid": "sdp_mid", "sdpMLineIndex": "sdp_m_line_index"},
    ),
    c.EndCall: ("END_CALL", {}),
    c.RequestPhoneCall: ("REQUEST_PHONE_CALL", {"number": "number"}),
    c.RequestSms: ("REQUEST_SMS", {"number": "number"}),
}


def encode(command: c.Command) -> dict[str, Any]:
    """The wire's event for a command, without the fields that are None.

    Raises TypeError for anything that is not one of `commands`.
    """
    if command.__class__ in COMMANDS:
        name, names = COMMANDS[command.__class__]
        return {"event": name if isinstance(name, str) else name(command), **_told(command, names)}
    if command.__class__ in SIGNAL_COMMANDS:
        kind, names = SIGNAL_COMMANDS[command.__class__]
        address = {"msg_id": "msg_id", "destination_party_id": "destination_party_id"}
        data = {"type": kind, **_told(command, names)}
        return {"event": "chat_session_signaling", **_told(command, address), "data": data}
    raise TypeError(f"{type(command).__name__} is no command of chatfsm.commands")


def _told(command: object, names: Mapping[str, str]) -> dict[str, Any]:
    told = {wire: getattr(command, attribute) for wire, attribute in names.items()}
    return {wire: value for wire, value in told.items() if value is not None}
