"""Random inputs of `decode`: one event for each item, no other error, no value lost."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from attrs import fields
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from chatfsm import DecodeError, commands, decode, encode, events, signaling
from chatfsm._protocol.codec import decode_item
from chatfsm._protocol.structuring import deeper_than

NAMES = [
    "chat_session_status",
    "chat_session_ended",
    "chat_session_party_joined",
    "chat_session_party_left",
    "chat_session_message",
    "chat_session_message_delivered",
    "chat_session_message_read",
    "chat_session_typing",
    "chat_session_not_typing",
    "chat_session_form_show",
    "chat_session_secure_form_show",
    "chat_session_secure_form_cancel",
    "chat_session_timeout_warning",
    "chat_session_inactivity_timeout",
    "chat_session_inactvity_timeout",
    "chat_session_signaling",
    "chat_session_file",
    "chat_session_location",
    "chat_session_case_set",
    "chat_session_info",
    "chat_session_cobrowsing_requested",
    "chat_session_cobrowsing_rejected",
    "chat_session_cobrowsing_started",
    "chat_session_cobrowsing_ended",
    "chat_session_form_data",
    "chat_session_secure_form_data",
    "chat_form_data_cancel",
    "chat_session_end",
    "chat_session_disconnect",
    "chat_session_navigation",
]

# Wire fields that a class decodes, and the attribute of each.
ATTRIBUTES: dict[str, str] = {
    "state": "state",
    "ewt": "ewt",
    "party_id": "party_id",
    "type": "type",
    "display_name": "display_name",
    "first_name": "first_name",
    "last_name": "last_name",
    "msg_id": "msg_id",
    "msg": "msg",
    "msg_text": "msg_text",
    "channel": "channel",
    "attachments": "attachments",
    "ref_msg_id": "ref_msg_id",
    "form_request_id": "form_request_id",
    "form_name": "form_name",
    "form_id": "form_id",
    "form_timeout": "form_timeout",
    "data": "signal",
    "destination_party_id": "destination_party_id",
    "file_id": "file_id",
    "file_type": "file_type",
    "file_name": "file_name",
    "latitude": "latitude",
    "longitude": "longitude",
    "url": "url",
    "case_id": "case_id",
    "service_name": "service_name",
    "provider_type": "provider_type",
    "cobrowsing_url": "cobrowsing_url",
    "cobrowsing_id": "cobrowsing_id",
    "timestamp": "timestamp",
}
# Alternative wire fields of single classes.
ALTERNATIVE: dict[tuple[type, str], str] = {
    (events.MessageDelivered, "msg_id"): "ref_msg_id",
    (events.MessageRead, "msg_id"): "ref_msg_id",
    (events.File, "session_id"): "party_id",
}
# A wire field with the name of an attribute is unknown if the class derives the attribute.
DERIVED = {(events.Cobrowsing, "state")}
SIGNAL_FIELDS: dict[str, str] = {
    "offerVideo": "offer_video",
    "reason_code": "reason_code",
    "reason": "reason",
    "sdp": "sdp",
    "candidate": "candidate",
    "sdpMid": "sdp_mid",
    "sdpMLineIndex": "sdp_m_line_index",
    "audioEnabled": "audio_enabled",
    "videoEnabled": "video_enabled",
    "number": "number",
}
SIGNAL_TYPES = [
    "REQUEST_CALL",
    "CALL_REJECTED",
    "OFFER_CALL",
    "ANSWER_CALL",
    "ICE_CANDIDATE",
    "END_CALL",
    "CALL_STATE",
    "REQUEST_PHONE_CALL",
    "REQUEST_SMS",
]
KEPT_WHOLE = (events.ClientEvent, events.Unknown, events.Malformed)


def nested(levels: int) -> list[Any]:
    """Lists in lists, `levels` deep."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


any_text = st.text(st.characters(exclude_categories=()), max_size=20)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    any_text,
    st.integers(0, 2 * 10**14),
    st.integers(0, 2 * 10**14).map(str),
    st.sampled_from(["", "0", "10", "true", "NaN", "1e999", "i" * 1_025, "n" * 4_097]),
    st.just(400).map(lambda digits: 10**digits),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=10,
)
# Values that json.dumps cannot write, but another parser may return.
odd_values = st.one_of(
    json_values,
    st.integers(28, 36).map(nested),
    st.just(5_000).map(lambda digits: 10**digits),
    st.binary(max_size=5),
    st.tuples(scalars),
)

signal_keys = st.sampled_from(list(SIGNAL_FIELDS)) | any_text
signal_types = st.sampled_from(SIGNAL_TYPES) | scalars
signal_objects: SearchStrategy[dict[str, Any]] = st.builds(
    lambda kind, rest: {**rest, "type": kind},
    signal_types,
    st.dictionaries(signal_keys, odd_values, max_size=4),
)
signal_texts = st.builds(
    lambda kind, rest: json.dumps({**rest, "type": kind}),
    signal_types,
    st.dictionaries(signal_keys, json_values, max_size=4),
)
attachments = st.lists(
    st.dictionaries(
        st.sampled_from(["id", "contentType", "content", "name"]) | any_text,
        odd_values,
        max_size=4,
    ),
    max_size=3,
)
wire_keys = st.sampled_from([*ATTRIBUTES, "session_id", "extra", "raw"]) | any_text
required = ("state", "party_id", "form_request_id", "file_id", "ref_msg_id")


@st.composite
def known_items(draw: st.DrawFn) -> dict[str, Any]:
    """An object with a known name, with or without its required fields, and any other fields."""
    item = draw(st.dictionaries(wire_keys, odd_values, max_size=6))
    if draw(st.booleans()):
        item |= dict.fromkeys(required, draw(st.text(min_size=1, max_size=5)))
    if draw(st.booleans()):
        item["data"] = draw(signal_objects | signal_texts)
    if draw(st.booleans()):
        item["attachments"] = draw(attachments)
    item["event"] = draw(st.sampled_from(NAMES))
    return item


# Unknown names: each is an event that is kept whole.
unknown_items = st.builds(
    lambda name, rest: {**rest, "event": name},
    any_text,
    st.dictionaries(wire_keys, odd_values, max_size=3),
)
items = st.one_of(
    odd_values, known_items(), unknown_items, st.dictionaries(st.just("event"), json_values)
)


def contents(event: Any) -> list[Any]:
    """An event as a list in which a NaN equals itself."""
    return [type(event), *(getattr(event, field.name) for field in fields(type(event)))]


def check_event(event: events.Event) -> None:
    """Assert properties of all events."""
    assert type(event) in get_args(events.Event)
    assert isinstance(hash(event), int)
    assert event.timestamp is None or 0 <= event.timestamp < 1e11
    if isinstance(event, events.Malformed):
        assert event.why


def is_read(value: Any, found: object) -> bool:
    """Whether an attribute has the meaning of the wire value."""
    if value == "":
        same = found in (None, "")
    elif isinstance(found, bool):
        same = str(value).lower() == str(found).lower()
    elif isinstance(found, str) and isinstance(value, int | float):
        same = type(value)(found) == value
    elif isinstance(found, int | float):
        same = found in (float(value), float(value) / 1000)
    elif isinstance(found, tuple):
        same = len(found) == len(value)
    else:
        same = found == value or isinstance(found, signaling.Signal)
    return same


@given(json_values)
def test_any_json_value(value: Any) -> None:
    """Any JSON value is refused as a whole, or gives one event for each item."""
    if isinstance(value, list):
        count = len(value)
    elif isinstance(value, dict) and "event" in value:
        count = 1
    else:
        with pytest.raises(DecodeError):
            decode(json.dumps(value))
        return

    decoded = decode(json.dumps(value))

    assert len(decoded) == count
    for event in decoded:
        check_event(event)


@given(st.lists(json_values))
def test_any_envelope(batch: list[Any]) -> None:
    """Any list in an envelope gives one event for each item."""
    decoded = decode(json.dumps({"events": batch}))

    assert len(decoded) == len(batch)
    for event in decoded:
        check_event(event)


LITERALS = ["NaN", "-Infinity", "1e999", "9" * 5_000, "-" + "9" * 5_000, "[" * 40 + "]" * 40]


@given(
    st.sampled_from(NAMES),
    st.dictionaries(wire_keys, st.sampled_from(LITERALS), min_size=1, max_size=4),
)
def test_any_literal(name: str, odd: dict[str, str]) -> None:
    """Literals that JSON does not have affect at most their own event."""
    odd_fields = "".join(f", {json.dumps(key)}: {literal}" for key, literal in odd.items())
    ended = '{"event": "chat_session_ended"}'

    first, event, last = decode(f'[{ended}, {{"event": "{name}"{odd_fields}}}, {ended}]')

    assert [first, last] == [events.Ended(), events.Ended()]
    check_event(event)


@given(st.lists(items))
def test_any_items(batch: list[Any]) -> None:
    """Any list of parsed items gives one event of the union for each item."""
    for decoded in (decode(batch), decode({"events": batch})):
        assert len(decoded) == len(batch)
        for event in decoded:
            check_event(event)


@given(st.binary())
@example(b"\xff\xfe[\x00")
@example(b"[\x00\x00\x00")
@example(b"\x00\x00\xfe\xff\x00\x11\x00\x00")
def test_any_bytes(data: bytes) -> None:
    """Any bytes are refused as a whole, or give events."""
    try:
        decoded = decode(data)
    except DecodeError:
        return
    for event in decoded:
        check_event(event)


@given(st.lists(signal_texts | any_text, min_size=1), st.data())
def test_damaged_bytes(texts: list[str], data: st.DataObject) -> None:
    """A batch with one byte changed, or truncated, is refused as a whole, or gives events."""
    batch = [{"event": "chat_session_signaling", "data": text} for text in texts]
    damaged = bytearray(json.dumps(batch, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(position, len(damaged))) :]
    try:
        decoded = decode(damaged)
    except DecodeError:
        return
    for event in decoded:
        check_event(event)


@given(any_text)
def test_any_text(text: str) -> None:
    """Any text is refused as a whole, or gives events."""
    try:
        decoded = decode(text)
    except DecodeError:
        return
    for event in decoded:
        check_event(event)


@given(items, items, items)
def test_an_item_affects_no_other(first: Any, second: Any, third: Any) -> None:
    """A batch gives the events of its single items: no item affects another."""
    together = decode([first, second, third])

    alone = [decode_item(first), decode_item(second), decode_item(third)]

    assert [contents(event) for event in together] == [contents(event) for event in alone]


@given(known_items())
def test_one_alone_is_a_list_of_one(item: dict[str, Any]) -> None:
    """An event is the same alone, in a list and in an envelope."""
    expected = [contents(decode_item(item))]

    for data in (item, [item], {"events": [item]}):
        assert [contents(event) for event in decode(data)] == expected


strict_text = st.text(max_size=20)
strict_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        strict_text,
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strict_text, inner, max_size=4),
    max_leaves=8,
)
strict_items = st.builds(
    lambda name, rest: {**rest, "event": name},
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(list(ATTRIBUTES)) | strict_text, strict_values, max_size=6),
)


@given(st.lists(strict_items), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-be"]))
def test_text_or_parsed(batch: list[Any], encoding: str) -> None:
    """JSON text, bytes in any encoding and parsed objects give the same events."""
    text = json.dumps(batch, ensure_ascii=False)

    expected = decode(batch)

    assert decode(text) == expected
    assert decode(text.encode(encoding)) == expected
    assert decode(json.dumps(batch)) == expected


# Events whose `data` has the answers of the customer.
ANSWERING = {
    "chat_session_form_data",
    "chat_session_secure_form_data",
    "chat_form_data_cancel",
    "chat_session_secure_form_cancel",
}


@given(known_items())
def test_nothing_is_lost(item: dict[str, Any]) -> None:
    """Each value of a known event is decoded to an attribute or kept unchanged."""
    event: Any = decode_item(item)
    if isinstance(event, KEPT_WHOLE):
        answers = {"data"} if item.get("event") in ANSWERING else set()
        assert event.raw == {key: item[key] for key in item if key not in answers}
        return

    for key, value in item.items():
        if key == "event" or value is None or (item["event"] in ANSWERING and key == "data"):
            continue
        if key in event.extra:
            assert event.extra[key] is value
            continue
        attribute = ALTERNATIVE.get((type(event), key)) or ATTRIBUTES[key]
        assert (type(event), key) not in DERIVED
        assert is_read(value, getattr(event, attribute))


@given(known_items())
def test_extra_has_only_values_of_the_wire(item: dict[str, Any]) -> None:
    """Values in `extra` are from the wire, and form data is never among them."""
    event: Any = decode_item(item)
    assume(not isinstance(event, KEPT_WHOLE))

    assert all(event.extra[key] is item[key] for key in event.extra)
    assert "event" not in event.extra
    assert not (item["event"] in ANSWERING and "data" in event.extra)
    assert not deeper_than(33, event.extra)


@given(attachments)
def test_nothing_of_an_attachment_is_lost(cards: list[dict[str, Any]]) -> None:
    """Each value of an attachment is decoded to an attribute or kept unchanged."""
    message: Any = decode_item({"event": "chat_session_message", "attachments": cards})
    assume(not isinstance(message, events.Malformed))

    assert len(message.attachments) == len(cards)
    for attachment, card in zip(message.attachments, cards, strict=True):
        for key, value in card.items():
            if key in attachment.extra:
                assert attachment.extra[key] is value
            elif value is not None:
                attribute = "content_type" if key == "contentType" else key
                assert is_read(value, getattr(attachment, attribute))


@given(signal_objects)
def test_nothing_of_a_signal_is_lost(data: dict[str, Any]) -> None:
    """Each value of a signal is decoded to an attribute or kept unchanged."""
    event: Any = decode_item({"event": "chat_session_signaling", "data": data})
    assume(not isinstance(event, events.Malformed))

    if isinstance(event.signal, signaling.UnknownSignal):
        assert event.signal.raw is data
        return
    for key, value in data.items():
        if key in event.signal.extra:
            assert event.signal.extra[key] is value
        elif key != "type" and value is not None:
            assert is_read(value, getattr(event.signal, SIGNAL_FIELDS[key]))


ids = st.text(min_size=1, max_size=40)
maybe_id = st.none() | ids
maybe_text = st.none() | st.text(max_size=40)
routing = {"msg_id": maybe_id, "destination_party_id": maybe_id}


@given(
    st.builds(commands.SendText, text=st.text(), html=maybe_text, msg_id=maybe_id),
)
def test_text_round_trip(command: commands.SendText) -> None:
    """A sent message in a log is decoded to its text and its HTML."""
    assert decode([encode(command)]) == [
        events.Message(msg=command.body, msg_text=command.plain, msg_id=command.msg_id)
    ]


@given(
    st.builds(
        commands.SendFile,
        file_id=ids,
        file_type=st.sampled_from(["image", "attachment"]),
        file_name=maybe_text,
        msg_id=maybe_id,
    )
)
def test_file_round_trip(command: commands.SendFile) -> None:
    """A sent file in a log is decoded to an equal file."""
    assert decode([encode(command)]) == [
        events.File(command.file_id, command.file_type, command.file_name, command.msg_id)
    ]


@given(
    st.builds(
        commands.SendLocation,
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
        url=maybe_text,
        msg_id=maybe_id,
    )
)
def test_location_round_trip(command: commands.SendLocation) -> None:
    """A sent location in a log is decoded to an equal location."""
    assert decode([encode(command)]) == [
        events.Location(command.latitude, command.longitude, command.url, command.msg_id)
    ]


@given(
    st.builds(
        commands.SubmitForm,
        request_id=ids,
        data=st.dictionaries(st.text(), st.text()),
        form_name=maybe_text,
        secure=st.booleans(),
    )
)
def test_form_round_trip(command: commands.SubmitForm) -> None:
    """A submitted form in a log is decoded without the answers."""
    assert decode([encode(command)]) == [
        events.FormData(command.request_id, command.form_name, command.secure)
    ]


@given(st.builds(commands.CancelForm, request_id=ids, form_name=maybe_text, secure=st.booleans()))
def test_cancel_round_trip(command: commands.CancelForm) -> None:
    """A cancelled form in a log is decoded as cancelled."""
    (event,) = decode([encode(command)])

    assert isinstance(event, events.SecureFormCancel if command.secure else events.FormDataCancel)
    assert event.form_request_id == command.request_id


@given(ids)
def test_receipts_round_trip(msg_id: str) -> None:
    """A sent receipt in a log is decoded with its msg_id."""
    assert decode([encode(commands.MarkDelivered(msg_id)), encode(commands.MarkRead(msg_id))]) == [
        events.MessageDelivered(msg_id),
        events.MessageRead(msg_id),
    ]


@given(maybe_text, ids)
def test_typing_round_trip(draft: str | None, party: str) -> None:
    """Typing in a history, with the customer's party, is decoded as typing of the customer."""
    started = {**encode(commands.StartTyping(draft)), "party_id": party}
    stopped = {**encode(commands.StopTyping()), "party_id": party}

    assert decode([started, stopped]) == [
        events.Typing(party, extra={} if draft is None else {"msg": draft}),
        events.NotTyping(party),
    ]


@given(
    st.builds(
        commands.CobrowsingReply,
        state=st.sampled_from(["rejected", "started", "ended"]),
        provider_type=maybe_text,
        cobrowsing_url=maybe_text,
        cobrowsing_id=maybe_text,
        msg_id=maybe_id,
    )
)
def test_cobrowsing_round_trip(command: commands.CobrowsingReply) -> None:
    """A step of co-browsing in a log is decoded to the same step."""
    assert decode([encode(command)]) == [
        events.Cobrowsing(
            command.state,
            command.msg_id,
            None,
            command.provider_type,
            command.cobrowsing_url,
            command.cobrowsing_id,
        )
    ]


@given(
    st.sampled_from([commands.Disconnect(), commands.End()])
    | st.builds(commands.SendNavigation, page=ids, title=maybe_text, msg_id=maybe_id)
)
def test_client_event_round_trip(command: commands.Command) -> None:
    """A command that a session only counts is decoded to a `ClientEvent`, kept whole."""
    wire = encode(command)

    [event] = decode([wire])
    assert isinstance(event, events.ClientEvent)
    assert (event.name, event.raw) == (wire["event"], wire)
    assert event.msg_id == (wire.get("msg_id") or None)


SIGNALLED: list[tuple[SearchStrategy[Any], type, dict[str, str]]] = [
    (
        st.builds(commands.RequestCall, video=st.booleans(), **routing),
        signaling.CallRequest,
        {"offer_video": "video"},
    ),
    (st.builds(commands.AnswerCall, sdp=ids, **routing), signaling.CallAnswer, {"sdp": "sdp"}),
    (
        st.builds(commands.RejectCall, reason_code=maybe_text, reason=maybe_text, **routing),
        signaling.CallRejection,
        {"reason_code": "reason_code", "reason": "reason"},
    ),
    (
        st.builds(
            commands.SendCandidate,
            candidate=st.text(),
            sdp_mid=maybe_text,
            sdp_m_line_index=st.none() | st.integers(0, 100),
            **routing,
        ),
        signaling.IceCandidate,
        {
            "candidate": "candidate",
            "sdp_mid": "sdp_mid",
            "sdp_m_line_index": "sdp_m_line_index",
        },
    ),
    (st.builds(commands.EndCall, **routing), signaling.CallEnd, {}),
    (
        st.builds(commands.RequestPhoneCall, number=ids, **routing),
        signaling.PhoneCallRequest,
        {"number": "number"},
    ),
    (
        st.builds(commands.RequestSms, number=ids, **routing),
        signaling.SmsRequest,
        {"number": "number"},
    ),
]


@given(st.data(), st.sampled_from(SIGNALLED), st.booleans())
def test_signals_round_trip(
    data: st.DataObject, row: tuple[SearchStrategy[Any], type, dict[str, str]], printed: bool
) -> None:
    """A signal in a log is decoded to the same signal, with data as an object or as text."""
    strategy, cls, names = row
    command = data.draw(strategy)
    wire = encode(command)
    if printed:
        wire["data"] = json.dumps(wire["data"])

    (event,) = decode([wire])

    signal = cls(**{ours: getattr(command, theirs) for ours, theirs in names.items()})
    assert event == events.Signaling(
        signal, command.msg_id, destination_party_id=command.destination_party_id
    )
