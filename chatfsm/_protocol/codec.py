"""Codec: JSON to typed events, and commands to JSON; the names of all fields are here.

An item that is no known event does not affect its neighbours: `decode` returns `Unknown` for an
unknown name and `Malformed` for missing or invalid fields. Both keep the item. Source: PROTOCOL.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from cattrs import Converter

from chatfsm import commands as c
from chatfsm import events as e
from chatfsm import signaling as s
from chatfsm._protocol import json_input
from chatfsm._protocol import names as wire
from chatfsm._protocol import structuring as p
from chatfsm._protocol.structuring import FieldSpec, Parser, Schema, fast_decoders, structure_hook
from chatfsm.errors import DecodeError

if TYPE_CHECKING:
    from chatfsm._protocol.typed_lines import TypedParser

__all__ = [
    "MAX_ITEMS",
    "NOT_TYPED",
    "converter",
    "decode",
    "decode_item",
    "decode_text",
    "encode",
    "fast_decode",
    "fast_decode_all",
    "typed_parser",
]


def _field(parser: Parser, *names: str, into: str = "") -> FieldSpec:
    return FieldSpec(into or names[0], parser, names)


def _signal(value: object) -> s.Signal:
    raw = p.json_object(value)
    kind = raw.get("type")
    if not isinstance(kind, str):
        kind = None
    if kind in SIGNALS:
        signal: s.Signal = converter.structure(raw, SIGNALS[kind])
        return signal
    if any(p.deeper_than(p.MAX_DEPTH, held) for held in raw.values()):
        raise ValueError(f"is nested deeper than {p.MAX_DEPTH} levels")
    return s.UnknownSignal(kind, raw)


MAX_ITEMS: Final = 100_000
"""Items of one JSON text: 8 MiB, more than any reply has, hold fewer events. Junk costs two bytes
and 5 µs an item, so that 4 million of them would take 18 seconds."""
MAX_ATTACHMENTS: Final = 1_000
"""Attachments of one message, which may be as short as items are; a person sends a few."""


def _attachments(value: object) -> tuple[e.Attachment, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError("is not a list")
    if len(value) > MAX_ATTACHMENTS:
        raise ValueError(f"has {len(value):,} attachments, more than {MAX_ATTACHMENTS:,}")
    return tuple(converter.structure(p.json_object(item), e.Attachment) for item in value)


_TIME: Final = _field(p.timestamp, "timestamp")
_PARTY: Final = _field(p.identifier, "party_id")
_MESSAGE: Final = _field(p.identifier, "msg_id")
_FORM: Final = _field(p.identifier, "form_request_id")
_FORM_NAME: Final = _field(p.name, "form_name")
_TEXTS: Final = (_field(p.text, "msg"), _field(p.text, "msg_text"))
# Older senders of receipts write msg_id (PROTOCOL.md §2).
_RECEIPT: Final = (_field(p.identifier, "ref_msg_id", "msg_id"), _PARTY, _TIME)
# The customer's answers to a form are secret: discarded.
_ANSWERS: Final = FieldSpec("", p.discard, ("data",))
_HAS_ANSWERS: Final = _field(p.is_not_text, "data", into="has_answers")

SCHEMAS: Final[dict[type, Schema]] = {
    e.Status: (_field(p.identifier, "state"), _field(p.seconds, "ewt"), _TIME),
    e.Ended: (_TIME,),
    e.PartyJoined: (
        _PARTY,
        _field(p.identifier, "type"),
        _field(p.name, "display_name"),
        _field(p.name, "first_name"),
        _field(p.name, "last_name"),
        _TIME,
    ),
    e.PartyLeft: (_PARTY, _field(p.identifier, "type"), _TIME),
    e.Message: (
        _PARTY,
        _MESSAGE,
        *_TEXTS,
        _field(p.identifier, "channel"),
        _field(_attachments, "attachments"),
        _TIME,
    ),
    e.MessageEdit: (*_RECEIPT[:2], *_TEXTS, _TIME),
    e.MessageDelete: _RECEIPT,
    e.MessageDelivered: _RECEIPT,
    e.MessageRead: _RECEIPT,
    e.Typing: (_PARTY, _TIME),
    e.NotTyping: (_PARTY, _TIME),
    e.FormShow: (
        _FORM,
        _FORM_NAME,
        _field(p.seconds, "form_timeout"),
        _field(p.identifier, "channel"),
        _field(p.text, "form_content"),
        _TIME,
    ),
    e.SecureFormShow: (_FORM, _field(p.name, "form_id"), _TIME),
    e.SecureFormCancel: (_FORM, _PARTY, _ANSWERS, _TIME),
    e.TimeoutWarning: (*_TEXTS, _TIME),
    e.InactivityTimeout: (*_TEXTS, _TIME),
    e.Signaling: (
        _field(_signal, "data", into="signal"),
        _MESSAGE,
        _PARTY,
        _field(p.identifier, "destination_party_id"),
        _TIME,
    ),
    e.File: (
        _field(p.identifier, "file_id"),
        _field(p.identifier, "file_type"),
        _field(p.name, "file_name"),
        _MESSAGE,
        _field(p.identifier, "party_id", "session_id"),  # session_id: old servers (PROTOCOL.md §2)
        _TIME,
    ),
    e.FileUrl: (
        _field(p.url, "file_url"),
        _field(p.identifier, "file_type"),
        _MESSAGE,
        _PARTY,
        _TIME,
    ),
    e.Location: (
        _field(p.number, "latitude"),
        _field(p.number, "longitude"),
        _field(p.text, "url"),
        _MESSAGE,
        _PARTY,
        _TIME,
    ),
    e.CaseSet: (_field(p.identifier, "case_id"), _TIME),
    e.Info: (_field(p.name, "service_name"), _TIME),
    e.Cobrowsing: (
        _field(p.name_suffix, "event", into="state"),
        _MESSAGE,
        _PARTY,
        _field(p.text, "provider_type"),
        _field(p.text, "cobrowsing_url"),
        _field(p.text, "cobrowsing_id"),
        _TIME,
    ),
    e.FormData: (
        _FORM,
        _FORM_NAME,
        _field(p.is_secure, "event", into="secure"),
        _HAS_ANSWERS,
        _TIME,
    ),
    e.FormDataCancel: (_FORM, _FORM_NAME, _ANSWERS, _TIME),
    e.Attachment: (
        _field(p.text, "id"),
        _field(p.text, "contentType", into="content_type"),
        _field(p.text, "content"),
        _field(p.text, "name"),
    ),
    s.CallRequest: (_field(p.boolean, "offerVideo", into="offer_video"),),
    s.CallRejection: (_field(p.text, "reason_code"), _field(p.text, "reason")),
    s.CallOffer: (_field(p.text, "sdp"), _field(p.boolean, "offerVideo", into="offer_video")),
    s.CallAnswer: (_field(p.text, "sdp"),),
    s.IceCandidate: (
        _field(p.name, "candidate"),
        _field(p.name, "sdpMid", into="sdp_mid"),
        _field(p.integer, "sdpMLineIndex", into="sdp_m_line_index"),
    ),
    s.CallEnd: (),
    s.CallMedia: (
        _field(p.boolean, "audioEnabled", into="audio_enabled"),
        _field(p.boolean, "videoEnabled", into="video_enabled"),
    ),
    s.PhoneCallRequest: (_field(p.text, "number"),),
    s.SmsRequest: (_field(p.text, "number"),),
}

EVENTS: Final[dict[str, type]] = {
    wire.STATUS: e.Status,
    wire.ENDED: e.Ended,
    wire.PARTY_JOINED: e.PartyJoined,
    wire.PARTY_LEFT: e.PartyLeft,
    wire.MESSAGE: e.Message,
    wire.MESSAGE_EDIT: e.MessageEdit,
    wire.MESSAGE_DELETE: e.MessageDelete,
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
    wire.FILE_URL: e.FileUrl,
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
"""Structures every class of the wire: `converter.structure(raw, events.Message)`."""

for _cls, _schema in SCHEMAS.items():
    _tag = "event" if _cls in EVENTS.values() else "type" if _cls in SIGNALS.values() else None
    converter.register_structure_hook(_cls, structure_hook(_cls, _schema, _tag))

_HOOKS: Final = {
    name: (converter.get_structure_hook(cls), cls)
    for name, cls in EVENTS.items()
    if cls is not e.ClientEvent
}

_FAST_SCHEMAS: Final = {name: (cls, SCHEMAS[cls]) for name, (_, cls) in _HOOKS.items()}
# The reader of a log takes the time of receipt out of an event before it is decoded.
_FAST_DECODERS: Final = fast_decoders(_FAST_SCHEMAS, "event", wire.RECEIVED_FIELDS)
_HAS_MSGSPEC: Final = find_spec("msgspec") is not None

NOT_TYPED: Final = (ValueError, TypeError, BufferError, RecursionError)
"""Errors of a typed parser for a text that the general decoder has to read."""


@cache
def typed_parser(**identifiers: object) -> TypedParser | None:
    """Return a parser for texts of one event each, just as meant; None without msgspec.

    `identifiers`: further fields, and the values of those that a text lacks: see `typed_lines`.
    """
    if not _HAS_MSGSPEC:
        return None
    from chatfsm._protocol import typed_lines  # noqa: PLC0415  # slow to load, and not always there

    return typed_lines.typed_parser(_FAST_SCHEMAS, "event", **identifiers)


def decode(data: json_input.Text | dict[str, Any] | list[Any]) -> list[e.Event]:
    """Return the events in a JSON text, or in parsed JSON, in order.

    `data`: one event, a list of events, or the envelope `{"events": [...]}`. Raises `DecodeError`
    if it is not JSON or none of these, or has more than `MAX_ITEMS` items; a single invalid item
    becomes a `Malformed`.
    """
    if isinstance(data, (dict, list)):
        return [decode_item(item) for item in _items(data)]
    parse = typed_parser()
    if parse is not None:
        try:
            return [parse(data).event()]
        except NOT_TYPED:
            pass
    return decode_text(data)


def decode_text(data: json_input.Text) -> list[e.Event]:
    """Return the events in a JSON text by the fast decoders, and by the structure hooks."""
    value = json_input.parse_fast(data)
    event = fast_decode(value)
    if event is not None:
        return [event]
    items = _items(value)
    found = fast_decode_all(items)
    if all(found):
        return found
    if json_input.has_big_integers(data):
        items = _items(json_input.parse(data))
    return [event or _slow_decode(item) for event, item in zip(found, items, strict=True)]


def decode_item(item: Any) -> e.Event:
    """Return the event that one item of parsed JSON is; `Malformed` if it is none. Never raises."""
    try:  # as `fast_decode`, without the call
        event = _FAST_DECODERS[item["event"]](item) if item.__class__ is dict else None
    except (KeyError, TypeError):
        event = None
    return event if event is not None else _slow_decode(item)


def fast_decode(item: Any) -> e.Event | None:
    """Decode one item with the fast path; None if it needs the general one."""
    try:
        return _FAST_DECODERS[item["event"]](item) if item.__class__ is dict else None
    except (KeyError, TypeError):  # no name, or an unknown one
        return None


def fast_decode_all(items: list[Any]) -> list[Any]:
    """Decode each item as `fast_decode` does; one `try` for all, since nearly all are events."""
    try:
        return [_FAST_DECODERS[item["event"]](item) for item in items]
    except (KeyError, TypeError):
        return [fast_decode(item) for item in items]


def _slow_decode(item: object) -> e.Event:
    """Decode one item by the structure hook of its name."""
    if not isinstance(item, dict):
        return e.Malformed(None, item, "not an object")
    name = item.get("event")
    if not isinstance(name, str):
        return e.Malformed(None, item, "event is no text", timestamp=_timestamp_of(item))
    if name in _HOOKS:
        structure, cls = _HOOKS[name]
        try:
            event: e.Event = structure(item, cls)
        except ValueError as error:
            if "data" in item and {_ANSWERS, _HAS_ANSWERS} & {*SCHEMAS[cls]}:
                item = {key: item[key] for key in item if key != "data"}
            return e.Malformed(name, item, str(error), timestamp=_timestamp_of(item))
        return event
    if name in EVENTS:
        msg_id = p.parse_or_none(p.identifier, item.get("msg_id"))
        return e.ClientEvent(name, item, msg_id, timestamp=_timestamp_of(item))
    return e.Unknown(name, item, timestamp=_timestamp_of(item))


def _items(value: object) -> list[Any]:
    if isinstance(value, dict):
        value = [value] if "event" in value else value.get("events")
    if not isinstance(value, list):
        raise DecodeError("neither an event, nor a list of events, nor an envelope of them")
    if len(value) > MAX_ITEMS:
        raise DecodeError(f"{len(value):,} items, more than {MAX_ITEMS:,}")
    return value


def _timestamp_of(item: Mapping[str, Any]) -> float | None:
    return p.parse_or_none(p.timestamp, item.get("timestamp"))


# Commands to JSON. A row: the command, its name on the wire, and for each field of the
# wire the attribute that fills it. Source: PROTOCOL.md §3 and §4.

_COBROWSING: Final = {
    "rejected": wire.COBROWSING_REJECTED,
    "started": wire.COBROWSING_STARTED,
    "ended": wire.COBROWSING_ENDED,
}

COMMANDS: Final[dict[type, tuple[str | Callable[[Any], str], dict[str, str]]]] = {
    c.SendText: (
        wire.MESSAGE,
        {"msg": "body", "msg_text": "plain", "msg_id": "msg_id", "directive_id": "directive_id"},
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
