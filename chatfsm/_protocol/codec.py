"""The wire's JSON to typed events; the names of all that comes in are here.

`decode` never lets one item harm its neighbours: what nobody knows becomes `Unknown`, what lacks
something that its name needs `Malformed`; both keep the item. `encode`, the way out, is in
`outbound`. Source: PROTOCOL.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cattrs import Converter

from chatfsm import commands as c
from chatfsm import events as e
from chatfsm import signaling as s
from chatfsm._protocol import json_input
from chatfsm._protocol import names as wire
from chatfsm._protocol import structuring as r
from chatfsm._protocol.structuring import Read, Reader, Shape, glances, hook
from chatfsm.errors import DecodeError

__all__ = ["converter", "decode", "decode_item", "decode_lines", "encode", "seen", "seen_all"]


def _read(reader: Reader, *names: str, into: str = "") -> Read:
    return Read(into or names[0], reader, names)


def _signal(value: object) -> s.Signal:
    raw = r.json_object(value)
    kind = raw.get("type")
    if not isinstance(kind, str):
        kind = None
    if kind in SIGNALS:
        signal: s.Signal = converter.structure(raw, SIGNALS[kind])
        return signal
    if any(r.deeper_than(r.DEEPEST, held) for held in raw.values()):
        raise ValueError(f"is nested deeper than {r.DEEPEST} levels")
    return s.UnknownSignal(kind, raw)


def _attachments(value: object) -> tuple[e.Attachment, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError("is not a list")
    return tuple(converter.structure(r.json_object(item), e.Attachment) for item in value)


_TIME: Final = _read(r.timestamp, "timestamp")
_PARTY: Final = _read(r.word, "party_id")
_MESSAGE: Final = _read(r.word, "msg_id")
_FORM: Final = _read(r.word, "form_request_id")
_FORM_NAME: Final = _read(r.name, "form_name")
_TEXTS: Final = (_read(r.text, "msg"), _read(r.text, "msg_text"))
# Older senders of receipts write msg_id (PROTOCOL.md §2).
_RECEIPT: Final = (_read(r.word, "ref_msg_id", "msg_id"), _PARTY, _TIME)
# What the customer filled in is read by nobody and kept nowhere.
_ANSWERS: Final = Read("", r.dropped, ("data",))

SHAPES: Final[dict[type, Shape]] = {
    e.Status: (_read(r.word, "state"), _read(r.seconds, "ewt"), _TIME),
    e.Ended: (_TIME,),
    e.PartyJoined: (
        _PARTY,
        _read(r.word, "type"),
        _read(r.name, "display_name"),
        _read(r.name, "first_name"),
        _read(r.name, "last_name"),
        _TIME,
    ),
    e.PartyLeft: (_PARTY, _read(r.word, "type"), _TIME),
    e.Message: (
        _PARTY,
        _MESSAGE,
        *_TEXTS,
        _read(r.word, "channel"),
        _read(_attachments, "attachments"),
        _TIME,
    ),
    e.MessageDelivered: _RECEIPT,
    e.MessageRead: _RECEIPT,
    e.Typing: (_PARTY, _TIME),
    e.NotTyping: (_PARTY, _TIME),
    e.FormShow: (
        _FORM,
        _FORM_NAME,
        _read(r.seconds, "form_timeout"),
        _read(r.word, "channel"),
        _TIME,
    ),
    e.SecureFormShow: (_FORM, _read(r.name, "form_id"), _TIME),
    e.SecureFormCancel: (_FORM, _PARTY, _ANSWERS, _TIME),
    e.TimeoutWarning: (*_TEXTS, _TIME),
    e.InactivityTimeout: (*_TEXTS, _TIME),
    e.Signaling: (
        _read(_signal, "data", into="signal"),
        _MESSAGE,
        _PARTY,
        _read(r.word, "destination_party_id"),
        _TIME,
    ),
    e.File: (
        _read(r.word, "file_id"),
        _read(r.word, "file_type"),
        _read(r.name, "file_name"),
        _MESSAGE,
        _read(r.word, "party_id", "session_id"),  # session_id: old servers (PROTOCOL.md §2)
        _TIME,
    ),
    e.Location: (
        _read(r.number, "latitude"),
        _read(r.number, "longitude"),
        _read(r.text, "url"),
        _MESSAGE,
        _PARTY,
        _TIME,
    ),
    e.CaseSet: (_read(r.word, "case_id"), _TIME),
    e.Info: (_read(r.name, "service_name"), _TIME),
    e.Cobrowsing: (
        _read(r.last_word, "event", into="state"),
        _MESSAGE,
        _PARTY,
        _read(r.text, "provider_type"),
        _read(r.text, "cobrowsing_url"),
        _read(r.text, "cobrowsing_id"),
        _TIME,
    ),
    e.FormData: (_FORM, _FORM_NAME, _read(r.is_secure, "event", into="secure"), _ANSWERS, _TIME),
    e.FormDataCancel: (_FORM, _FORM_NAME, _ANSWERS, _TIME),
    e.Attachment: (
        _read(r.text, "id"),
        _read(r.text, "contentType", into="content_type"),
        _read(r.text, "content"),
        _read(r.text, "name"),
    ),
    s.CallRequest: (_read(r.flag, "offerVideo", into="offer_video"),),
    s.CallRejection: (_read(r.text, "reason_code"), _read(r.text, "reason")),
    s.CallOffer: (_read(r.text, "sdp"), _read(r.flag, "offerVideo", into="offer_video")),
    s.CallAnswer: (_read(r.text, "sdp"),),
    s.IceCandidate: (
        _read(r.name, "candidate"),
        _read(r.name, "sdpMid", into="sdp_mid"),
        _read(r.whole, "sdpMLineIndex", into="sdp_m_line_index"),
    ),
    s.CallEnd: (),
    s.CallMedia: (
        _read(r.flag, "audioEnabled", into="audio_enabled"),
        _read(r.flag, "videoEnabled", into="video_enabled"),
    ),
    s.PhoneCallRequest: (_read(r.text, "number"),),
    s.SmsRequest: (_read(r.text, "number"),),
}

EVENTS: Final[dict[str, type]] = {
    wire.STATUS: e.Status,
    wire.ENDED: e.Ended,
    wire.PARTY_JOINED: e.PartyJoined,
    wire.PARTY_LEFT: e.PartyLeft,
    wire.MESSAGE: e.Message,
    wire.MESSAGE_DELIVERED: e.MessageDelivered,
    wire.MESSAGE_READ: e.MessageRead,
    wire.TYPING: e.Typing,
    wire.NOT_TYPING: e.NotTyping,
    wire.FORM_SHOW: e.FormShow,
    wire.SECURE_FORM_SHOW: e.SecureFormShow,
    wire.SECURE_FORM_CANCEL: e.SecureFormCancel,
    wire.TIMEOUT_WARNING: e.TimeoutWarning,
    wire.INACTIVITY_TIMEOUT: e.InactivityTimeout,
    wire.MISSPELLED_TIMEOUT: e.InactivityTimeout,
    wire.SIGNALING: e.Signaling,
    wire.FILE: e.File,
    wire.LOCATION: e.Location,
    wire.CASE_SET: e.CaseSet,
    wire.INFO: e.Info,
    wire.COBROWSING_REQUESTED: e.Cobrowsing,
    wire.COBROWSING_REJECTED: e.Cobrowsing,
    wire.COBROWSING_STARTED: e.Cobrowsing,
    wire.COBROWSING_ENDED: e.Cobrowsing,
    # Client events that come back in logs and histories (PROTOCOL.md §3).
    wire.FORM_DATA: e.FormData,
    wire.SECURE_FORM_DATA: e.FormData,
    wire.FORM_DATA_CANCEL: e.FormDataCancel,
    wire.END: e.ClientEvent,
    wire.DISCONNECT: e.ClientEvent,
    wire.NAVIGATION: e.ClientEvent,
}

SIGNALS: Final[dict[str | None, type]] = {
    wire.REQUEST_CALL: s.CallRequest,
    wire.CALL_REJECTED: s.CallRejection,
    wire.OFFER_CALL: s.CallOffer,
    wire.ANSWER_CALL: s.CallAnswer,
    wire.ICE_CANDIDATE: s.IceCandidate,
    wire.END_CALL: s.CallEnd,
    wire.CALL_STATE: s.CallMedia,
    wire.REQUEST_PHONE_CALL: s.PhoneCallRequest,
    wire.REQUEST_SMS: s.SmsRequest,
}

converter: Final = Converter(detailed_validation=False)
"""Knows every class that comes from the wire: `converter.structure(raw, events.Message)`."""

for _cls, _shape in SHAPES.items():
    _tag = "event" if _cls in EVENTS.values() else "type" if _cls in SIGNALS.values() else None
    converter.register_structure_hook(_cls, hook(_cls, _shape, _tag))

_HOOKS: Final = {
    name: (converter.get_structure_hook(cls), cls)
    for name, cls in EVENTS.items()
    if cls is not e.ClientEvent
}

_GLANCES: Final = glances({name: (cls, SHAPES[cls]) for name, (_, cls) in _HOOKS.items()}, "event")


def decode(data: json_input.Text | dict[str, Any] | list[Any]) -> list[e.Event]:
    """The events in a JSON text, or in what was parsed already, in order.

    Takes one event, a list of them, or the envelope `{"events": [...]}`. Raises `DecodeError`
    where the whole is not JSON or none of these; never because of a single item.
    """
    if isinstance(data, (dict, list)):
        return [decode_item(item) for item in _items(data)]
    value = json_input.parse_roughly(data)
    event = seen(value)
    if event is not None:
        return [event]
    items = _items(value)
    found = seen_all(items)
    if all(found):
        return found
    if json_input.may_be_rounded(data):
        items = _items(json_input.parse(data))
    return [event or _looked_into(item) for event, item in zip(found, items, strict=True)]


def decode_item(item: Any) -> e.Event:
    """The event that one parsed item of a list is; `Malformed` where it is none. Never raises."""
    try:  # as `seen`, without the call
        event = _GLANCES[item["event"]](item) if item.__class__ is dict else None
    except (KeyError, TypeError):
        event = None
    return event if event is not None else _looked_into(item)


def seen(item: Any) -> e.Event | None:
    """The event that one parsed item is, where that can be seen at a glance; else None."""
    try:
        return _GLANCES[item["event"]](item) if item.__class__ is dict else None
    except (KeyError, TypeError):  # no event, or one that nobody knows
        return None


def seen_all(items: list[Any]) -> list[Any]:
    """As `seen`, of each item that a parser gave: mostly all are events, and none asks twice."""
    try:
        return [_GLANCES[item["event"]](item) for item in items]
    except (KeyError, TypeError):
        return [seen(item) for item in items]


def _looked_into(item: object) -> e.Event:
    if not isinstance(item, dict):
        return e.Malformed(None, item, "not an object")
    name = item.get("event")
    if not isinstance(name, str):
        return e.Malformed(None, item, "event is no text", timestamp=_moment(item))
    if name in _HOOKS:
        structure, cls = _HOOKS[name]
        try:
            event: e.Event = structure(item, cls)
        except ValueError as error:
            if "data" in item and _ANSWERS in SHAPES[cls]:
                item = {key: item[key] for key in item if key != "data"}
            return e.Malformed(name, item, str(error), timestamp=_moment(item))
        return event
    if name in EVENTS:
        msg_id = r.or_none(r.word, item.get("msg_id"))
        return e.ClientEvent(name, item, msg_id, timestamp=_moment(item))
    return e.Unknown(name, item, timestamp=_moment(item))


def _items(value: object) -> list[Any]:
    if isinstance(value, dict):
        value = [value] if "event" in value else value.get("events")
    if not isinstance(value, list):
        raise DecodeError("neither an event, nor a list of events, nor an envelope of them")
    return value


def _moment(item: Mapping[str, Any]) -> float | None:
    return r.or_none(r.timestamp, item.get("timestamp"))


# JSON lines to typed events, many at once.

# More lines at once save nothing more, and hold more memory.
TOGETHER: Final = 512


def decode_lines(data: bytes) -> list[e.Event]:
    """The events in JSON lines, in order; each line is what `decode` takes.

    Parsed together, which the standard library does sooner than one by one. A line that `decode`
    does not take becomes a `Malformed`; blank ones are passed over. Never raises.
    """
    lines = list(filter(None, data.split(b"\n")))
    events: list[e.Event] = []
    for start in range(0, len(lines), TOGETHER):
        part = lines[start : start + TOGETHER]
        found = seen_all(json_input.parse_lines(part))
        if all(found):
            events += found
        else:
            for event, line in zip(found, part, strict=True):
                events += _line(line) if event is None else (event,)
    return events


def _line(line: bytes) -> list[e.Event]:
    if not line.strip():
        return []
    try:
        return decode(line)
    except DecodeError as error:
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")
        return [e.Malformed(None, text, str(error))]


# Typed commands to the wire's JSON; the names of all that goes out are here.
#
# Each table row reads: the command, the wire's name for it, and for each field of the wire the
# attribute that fills it. Source: PROTOCOL.md §3 and §4.

_COBROWSING: Final = {
    "rejected": wire.COBROWSING_REJECTED,
    "started": wire.COBROWSING_STARTED,
    "ended": wire.COBROWSING_ENDED,
}

COMMANDS: Final[dict[type, tuple[str | Callable[[Any], str], dict[str, str]]]] = {
    c.SendText: (
        wire.MESSAGE,
        {"msg": "body", "msg_text": "plain", "msg_id": "msg_id"},
    ),
    c.SendFile: (
        wire.FILE,
        {
            "msg_id": "msg_id",
            "file_id": "file_id",
            "file_type": "file_type",
            "file_name": "file_name",
        },
    ),
    c.SendLocation: (
        wire.LOCATION,
        {"msg_id": "msg_id", "latitude": "latitude", "longitude": "longitude", "url": "url"},
    ),
    c.SendNavigation: (
        wire.NAVIGATION,
        {"msg_id": "msg_id", "page": "page", "title": "title"},
    ),
    c.StartTyping: (wire.TYPING, {"msg": "draft"}),
    c.StopTyping: (wire.NOT_TYPING, {}),
    c.SubmitForm: (
        lambda form: wire.SECURE_FORM_DATA if form.secure else wire.FORM_DATA,
        {"form_request_id": "request_id", "form_name": "form_name", "data": "data"},
    ),
    c.CancelForm: (
        lambda form: wire.SECURE_FORM_CANCEL if form.secure else wire.FORM_DATA_CANCEL,
        {"form_request_id": "request_id", "form_name": "form_name"},
    ),
    c.MarkDelivered: (wire.MESSAGE_DELIVERED, {"ref_msg_id": "msg_id"}),
    c.MarkRead: (wire.MESSAGE_READ, {"ref_msg_id": "msg_id"}),
    c.Disconnect: (wire.DISCONNECT, {}),
    c.End: (wire.END, {}),
    c.CobrowsingReply: (
        lambda reply: _COBROWSING[reply.state],
        {
            "msg_id": "msg_id",
            "provider_type": "provider_type",
            "cobrowsing_url": "cobrowsing_url",
            "cobrowsing_id": "cobrowsing_id",
        },
    ),
}

SIGNAL_COMMANDS: Final[dict[type, tuple[str, dict[str, str]]]] = {
    c.RequestCall: (wire.REQUEST_CALL, {"offerVideo": "video"}),
    c.AnswerCall: (wire.ANSWER_CALL, {"sdp": "sdp"}),
    c.RejectCall: (wire.CALL_REJECTED, {"reason_code": "reason_code", "reason": "reason"}),
    c.SendCandidate: (
        wire.ICE_CANDIDATE,
        {"candidate": "candidate", "sdpMid": "sdp_mid", "sdpMLineIndex": "sdp_m_line_index"},
    ),
    c.EndCall: (wire.END_CALL, {}),
    c.RequestPhoneCall: (wire.REQUEST_PHONE_CALL, {"number": "number"}),
    c.RequestSms: (wire.REQUEST_SMS, {"number": "number"}),
}


def encode(command: c.Command) -> dict[str, Any]:
    """Return the wire's event for a command, without the fields that are None.

    Raises TypeError for anything that is not one of `commands`.
    """
    if command.__class__ in COMMANDS:
        name, fields = COMMANDS[command.__class__]
        event = name if isinstance(name, str) else name(command)
        return {"event": event, **_filled(command, fields)}
    if command.__class__ in SIGNAL_COMMANDS:
        kind, fields = SIGNAL_COMMANDS[command.__class__]
        address = {"msg_id": "msg_id", "destination_party_id": "destination_party_id"}
        data = {"type": kind, **_filled(command, fields)}
        return {"event": wire.SIGNALING, **_filled(command, address), "data": data}
    raise TypeError(f"encode() takes one of chatfsm.commands, not {type(command).__name__}")


def _filled(command: object, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of the wire whose attributes are not None."""
    values = {field: getattr(command, attribute) for field, attribute in fields.items()}
    return {field: value for field, value in values.items() if value is not None}
