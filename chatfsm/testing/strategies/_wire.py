"""Wire JSON: events as a server writes them, with the quirks of PROTOCOL.md, and replies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import attrs
from hypothesis import strategies as st

from chatfsm import events as e
from chatfsm._protocol import codec
from chatfsm._protocol import names as wire
from chatfsm.testing.strategies._values import (
    hostile_json,
    made_once,
    message_ids,
    odd_json,
    party_ids,
    texts,
    timestamps,
)

__all__ = [
    "FIELDS",
    "UNKNOWN_NAMES",
    "hostile_reply_bodies",
    "hostile_wire_events",
    "names_of",
    "odd_wire_events",
    "quirky_wire_events",
    "reply_bodies",
    "wire_events",
    "wire_signals",
]

_STATES: Final = st.sampled_from(
    ("establishing", "ivr", "queued", "connecting", "connected", "completed", "parked")
)
_SIGNAL_TYPES: Final = st.sampled_from(tuple(name for name in codec.SIGNALS if name))

FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "party_id": party_ids(),
    "session_id": party_ids(),
    "msg_id": message_ids(),
    "ref_msg_id": message_ids(),
    "form_request_id": message_ids(),
    "file_id": message_ids(),
    "form_timeout": st.integers(0, 60),
    "form_name": st.sampled_from(("", "survey")),
    "msg": texts(),
    "msg_text": texts(),
    "timestamp": timestamps(),
    "ewt": st.sampled_from(("", "0", "10", 5)),
    "type": st.sampled_from(("scenario", "internal", "external", "msteams", "new")),
    "display_name": st.sampled_from(("Ann", "Ben", "")),
    "data": st.one_of(
        st.fixed_dictionaries({"type": _SIGNAL_TYPES}),
        st.fixed_dictionaries({"type": st.just(wire.ICE_CANDIDATE), "candidate": texts()}),
    ),
}
"""Fields of the wire; all others are texts."""

_ENDINGS: Final = {e.Ended, e.InactivityTimeout}
_KNOWN: Final = tuple(name for name, cls in codec.EVENTS.items() if cls in codec.SCHEMAS)
_ALL_STATES: Final = st.one_of(_STATES, st.just("failed"))


@made_once
def names_of(cls: type) -> tuple[str, ...]:
    """Return the names of the fields of an event on the wire."""
    return tuple(name for read in codec.SCHEMAS[cls] for name in read.names if name != "event")


@made_once
def wire_events(*kinds: type[Any], ending: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for well-formed events as JSON objects, with all fields.

    `kinds`: classes of `chatfsm.events` to draw from; all that a server sends, and answers to
    forms, if there are none. `ending`: whether an event may end the session. Shrinks to a status.
    """
    names = [
        name
        for name in _KNOWN
        if (not kinds or codec.EVENTS[name] in kinds)
        and (ending or codec.EVENTS[name] not in _ENDINGS)
    ]
    if not names:
        raise ValueError("kinds must have a class of chatfsm.events with fields of its own")
    return _wire_events(st.sampled_from(names), _ALL_STATES if ending else _STATES)


@st.composite
def _wire_events(
    draw: st.DrawFn, names: st.SearchStrategy[str], states: st.SearchStrategy[str]
) -> dict[str, Any]:
    name = draw(names)
    item: dict[str, Any] = {"event": name}
    for field in names_of(codec.EVENTS[name]):
        item[field] = draw(states if field == "state" else FIELDS.get(field, texts()))
    return item


UNKNOWN_NAMES: Final = st.sampled_from(("weather", "chat_session"))
_UNKNOWN_FIELDS: Final = st.dictionaries(st.text(max_size=3), odd_json(), max_size=2)


@made_once
def _some_of(fields: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(fields), max_size=2, unique=True)


@made_once
@st.composite
def odd_wire_events(draw: st.DrawFn) -> Any:
    """Return a strategy for events with missing, invalid or unknown fields, and for other JSON.

    One item in ten is no event at all, and one an event with an unknown name. None ends the
    session. Shrinks to any JSON value.
    """
    oddity = draw(st.integers(0, 9))
    if oddity == 0:
        return draw(odd_json())
    item = draw(wire_events(ending=False))
    if oddity == 1:
        item["event"] = draw(UNKNOWN_NAMES)
    for field in draw(_some_of(tuple(sorted(item)))):
        if draw(st.booleans()):
            del item[field]
        else:
            item[field] = draw(odd_json())
    item |= draw(_UNKNOWN_FIELDS)
    return item


@made_once
@st.composite
def hostile_wire_events(draw: st.DrawFn) -> dict[str, Any]:
    """Return a strategy for events whose fields are made to do harm.

    Each has the name of an event, and at least one value of `hostile_json`; none ends the session.
    """
    item = draw(wire_events(ending=False))
    fields = [*sorted(item.keys() - {"event"}), "unknown"]
    for field in draw(st.lists(st.sampled_from(fields), min_size=1, max_size=3, unique=True)):
        item[field] = draw(hostile_json())
    return item


# Quirks: other spellings of the same value, which real servers were seen to write.


def _as_number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


_SECONDS: Final = st.integers(1_600_000_000, 1_600_000_100)
_TIMES: Final = st.one_of(
    _SECONDS.map(str),
    _SECONDS,
    _SECONDS.map(lambda seconds: seconds * 1_000),
    _SECONDS.map(lambda seconds: str(seconds * 1_000)),
)
_BOOLEANS: Final = st.sampled_from((True, False, "true", "false"))
_LINE: Final = st.sampled_from((0, 1, "0", "1"))


@made_once
def wire_signals() -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for the `data` of signaling events: all types, and unknown ones.

    Fields may be missing; booleans and line indexes are texts now and then. Shrinks to a request of
    a call.
    """
    fields: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        wire.REQUEST_CALL: {"offerVideo": _BOOLEANS},
        wire.CALL_REJECTED: {"reason_code": st.sampled_from(("486", 486)), "reason": texts()},
        wire.OFFER_CALL: {"sdp": st.just("v=0"), "offerVideo": _BOOLEANS},
        wire.ANSWER_CALL: {"sdp": st.just("v=0")},
        wire.ICE_CANDIDATE: {
            "candidate": texts(),
            "sdpMid": st.sampled_from(("0", "audio", "")),
            "sdpMLineIndex": _LINE,
        },
        wire.END_CALL: {},
        wire.CALL_STATE: {"audioEnabled": _BOOLEANS, "videoEnabled": _BOOLEANS},
        wire.REQUEST_PHONE_CALL: {"number": st.just("+15550100")},
        wire.REQUEST_SMS: {"number": st.just("+15550100")},
        "HOLD_CALL": {"since": st.integers(0, 9)},
    }
    kinds = (
        st.fixed_dictionaries({"type": st.just(kind)}, optional=optional)
        for kind, optional in fields.items()
    )
    return st.one_of(*kinds)


_QUIRKY_FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    **{
        name: st.one_of(message_ids(), message_ids().map(_as_number))
        for name in ("msg_id", "ref_msg_id", "form_request_id", "file_id")
    },
    "timestamp": _TIMES,
    "form_timeout": st.one_of(st.integers(0, 60), st.integers(0, 60).map(str), st.just("")),
    "ewt": st.sampled_from(("", "0", "10", 5, 2.5)),
    "latitude": st.sampled_from((52.5, "52.5", -1)),
    "longitude": st.sampled_from((13.25, "13.25", 0)),
    "data": st.one_of(wire_signals(), wire_signals().map(json.dumps)),
    "file_url": st.sampled_from(("https://files.example.com/1", "/files/1")),
    "attachments": st.lists(
        st.fixed_dictionaries({}, optional={"id": message_ids(), "name": texts()}), max_size=2
    ),
}
_UNDOCUMENTED: Final = st.dictionaries(
    st.sampled_from(("channel_id", "tenant", "seq")), st.integers(0, 9), max_size=1
)


def _required(cls: type) -> set[str]:
    return {field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING}


@made_once
@st.composite
def quirky_wire_events(draw: st.DrawFn, *kinds: type[Any], ending: bool = True) -> dict[str, Any]:
    """Return a strategy for valid events in the spellings that real servers were seen to use.

    Fields are missing unless required; ids and numbers are numbers or texts, times are seconds or
    milliseconds; signaling data is an object or text; there are undocumented fields. Each decodes
    to the class of its name. `kinds` and `ending` as in `wire_events`.
    """
    plain = draw(wire_events(*kinds, ending=ending))
    cls = codec.EVENTS[plain["event"]]
    required = _required(cls)
    item: dict[str, Any] = {"event": plain["event"]}
    for spec in codec.SCHEMAS[cls]:
        if spec.names == ("event",) or not (spec.attribute in required or draw(st.booleans())):
            continue
        name = draw(st.sampled_from(spec.names))
        if name in _QUIRKY_FIELDS and not (name == "data" and cls is not e.Signaling):
            item[name] = draw(_QUIRKY_FIELDS[name])
        else:
            item[name] = plain[name]
    return item | draw(_UNDOCUMENTED)


# Replies.

_DEFAULT_ITEMS: Final = st.lists(quirky_wire_events(), max_size=4)


@st.composite
def reply_bodies(
    draw: st.DrawFn,
    items: st.SearchStrategy[Sequence[Any]] = _DEFAULT_ITEMS,
) -> bytes:
    """Return a strategy for replies to a poll as bytes, which `chatfsm.decode` reads.

    `items`: the events of a reply. It is an envelope, or a list of events; its text is ASCII or
    UTF-8, with or without white space. Shrinks to an empty envelope.
    """
    events = list(draw(items))
    value: Any = draw(st.sampled_from(({"events": events}, events)))
    indent = draw(st.sampled_from((None, 1)))
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=indent)
    return text.encode("utf-8", "surrogatepass")


_PAGES: Final = (
    b"",
    b"<html><body>Sign in to the network</body></html>",
    b"404 page not found",
    b"null",
    b"[[]]",
    b"[" * 100_000,
    b'{"events":' * 1_000,
    b"9" * 10_000,
    b"NaN",
    b'{"events": {}}',
    b'{"error_code": "5005"}',
    b"\xff\xfe[\x00]\x00",
    b"\xef\xbb\xbf[]",
)


@made_once
@st.composite
def hostile_reply_bodies(draw: st.DrawFn) -> bytes:
    """Return a strategy for bodies that are damaged, foreign, or made to do harm.

    Truncated ones, ones with a byte that is not UTF-8 or a raw control character, pages of
    proxies, deep nesting. Many cannot be decoded. Shrinks to an empty body.
    """
    if draw(st.booleans()):
        return draw(st.sampled_from(_PAGES))
    body = draw(_HOSTILE_BODIES)
    at = draw(st.integers(0, len(body)))
    cut = draw(st.sampled_from((b"", b"\xff", b"\n", b"\0", b'"', b"}")))
    return body[:at] + cut + draw(st.sampled_from((b"", body[at:])))


_HOSTILE_BODIES: Final = reply_bodies(
    st.lists(st.one_of(hostile_wire_events(), odd_wire_events()), max_size=3)
)
