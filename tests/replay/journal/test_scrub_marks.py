"""Marked texts in every field of every event type: scrubbing removes all of them."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import commands, decode, events
from chatfsm._protocol import codec
from chatfsm._protocol import structuring as r
from chatfsm.inputs import History, Lost, SendFailed, Sent
from chatfsm.replay.journal import input_from_json, input_to_json
from chatfsm.replay.scrub import Pseudonyms
from chatfsm.testing.strategies import commands as any_commands
from chatfsm.testing.strategies import odd_wire_events

CHAT = "MARK-chat"
KEY: Final = b"the key of these tests"
NUMBERS: Final = (r.number, r.seconds, r.timestamp, r.integer, r.boolean)
SIGNALS: Final = tuple(name for name in codec.SIGNALS if name)


def nested(levels: int, core: object) -> object:
    """`core` inside this many nested lists."""
    for _ in range(levels):
        core = [core]
    return core


# Values of a field, valid or not.
KINDS: Final[dict[str, Any]] = {
    "text": lambda name: f"MARK-{name}",
    "number_first": lambda name: f"12 MARK {name}",
    "counter": lambda name: f"MARK-{name}:12",
    "own": lambda name: CHAT.upper(),
    "own_counter": lambda name: f"{CHAT}:3",
    "html": lambda name: f"<b>MARK</b> &amp; {name}",
    "long": lambda name: f"MARK-{name} " * 500,
    "list": lambda name: [f"MARK-{name}"],
    "object": lambda name: {f"MARK-{name}": f"MARK-{name}"},
    "deep": lambda name: nested(40, f"MARK-{name}"),
    "json": lambda name: json.dumps({"type": "MARK", f"MARK-{name}": "MARK"}),
    "surrogate": lambda name: f"\ud800MARK-{name}\0",
}
EXTRA: Final = {"MARK-key": "MARK", "more": {"MARK-inner": ["MARK", {"MARK": 1}]}, "x": "MARK"}


def filled(cls: type, kind: str, *, numbers: bool) -> dict[str, Any]:
    """Every field of a wire class with a value; `numbers`: fields that are not texts too."""
    fields: dict[str, Any] = {}
    for _, reader, names in codec.SCHEMAS.get(cls, ()):
        for name in names:
            if reader in NUMBERS and not numbers:
                fields[name] = True if reader is r.boolean else 7
            elif name != "event":
                fields[name] = KINDS[kind](name)
    return fields


def scrubbed(item: object, chat_id: str = CHAT) -> str:
    """The scrubbed item as text."""
    assert "MARK" in json.dumps(item), "nothing is marked"
    pseudonyms = Pseudonyms(KEY)
    return json.dumps({"chat_id": pseudonyms.chat_id(chat_id), **pseudonyms.event(item, chat_id)})


def is_clean(text: str) -> bool:
    """Whether the text holds no mark in any case; two commands have "mark" in their names."""
    return "mark" not in text.replace('"input": "mark_', "").lower()


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", codec.EVENTS)
def test_no_field_of_an_event_is_left(name: str, kind: str, *, numbers: bool) -> None:
    """All fields at once and unknown ones; the event keeps its type."""
    fields = filled(codec.EVENTS[name], kind, numbers=numbers)
    text = scrubbed({"event": name, **fields, **EXTRA})
    assert is_clean(text)
    assert json.loads(text)["event"] == name
    assert is_clean(scrubbed({"event": name, "sdp": KINDS[kind]("sdp"), **fields}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", codec.EVENTS)
def test_no_field_alone_is_left(name: str, kind: str) -> None:
    """Each field alone, so that required fields are missing."""
    for field in filled(codec.EVENTS[name], kind, numbers=True):
        assert is_clean(scrubbed({"event": name, field: KINDS[kind](field)}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*SIGNALS, "MARK-type", None, 5])
def test_no_field_of_a_signal_is_left(name: Any, kind: str) -> None:
    """Descriptions, candidates, reasons and numbers are removed, in an object and in JSON text."""
    for numbers in (False, True):
        fields = filled(codec.SIGNALS.get(name, type(None)), kind, numbers=numbers)
        data = {"type": name, **fields, **EXTRA}
        for form in (data, json.dumps(data)):
            item = {"event": "chat_session_signaling", "data": form, "party_id": "MARK-party"}
            text = scrubbed(item)
            assert is_clean(text)
            assert isinstance(json.loads(text)["data"], str) or form is data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_text", [False, True])
def test_no_part_of_an_attachment_is_left(kind: str, *, as_text: bool) -> None:
    """Known and unknown fields of attachments are removed."""
    one: Any = {**filled(events.Attachment, kind, numbers=True), **EXTRA}
    item = {"event": "chat_session_message", "attachments": [json.dumps(one) if as_text else one]}
    assert is_clean(scrubbed(item))
    assert is_clean(scrubbed({**item, "attachments": [one, "MARK", 5]}))
    assert is_clean(scrubbed({**item, "attachments": one}))


@pytest.mark.parametrize(
    "name",
    [
        "chat_session_form_data",
        "chat_session_secure_form_data",
        "chat_form_data_cancel",
        "chat_session_secure_form_cancel",
    ],
)
@pytest.mark.parametrize("data", [{"MARK": "MARK"}, "MARK", ["MARK"], nested(40, "MARK")])
def test_no_answer_is_left(name: str, data: object) -> None:
    """Answers to forms are removed with their length; a text stays a text."""
    text = scrubbed({"event": name, "form_request_id": "1", "form_name": "", "data": data})
    assert is_clean(text)
    is_text = name.endswith("form_data") and isinstance(data, str)
    assert json.loads(text)["data"] == ("(a text)" if is_text else None)


@pytest.mark.parametrize(
    "item",
    [
        "MARK",
        ["MARK"],
        {"MARK": "MARK"},
        {"event": "MARK"},
        {"event": "chat_session_MARK", "timestamp": 5, "MARK": "MARK"},
        {"event": ["MARK"], "MARK": 1},
        {"event": None, "timestamp": "MARK"},
        {"event": {"MARK": 1}},
        {"event": "MARK" * 5_000, "deep": nested(500, "MARK")},
        {"event": "chat_session_status", "state": "MARK"},
        {"event": "chat_session_status", "state": "connected MARK", "ewt": "MARK"},
        {"event": "chat_session_typing", "timestamp": "MARK"},
        {"event": "chat_session_form_show", "form_timeout": "5 MARK", "form_request_id": "1"},
        {"event": "chat_session_navigation", "page": "/MARK", "title": "MARK"},
        {"event": "chat_session_end", "why": "MARK"},
        {"event": "chat_session_file", "file_id": "MARK.png", "file_type": "image/MARK"},
        {"event": "chat_session_location", "latitude": "MARK", "longitude": 5, "url": "MARK"},
        {"event": "chat_session_message", "msg_id": "MARK:MARK:5", "ref_msg_id": "MARK"},
    ],
)
def test_odd_items_are_scrubbed(item: object) -> None:
    """Unknown events, malformed ones and other values are scrubbed, with a marked chat_id."""
    assert is_clean(scrubbed(item))


@pytest.mark.parametrize("chat_id", ["MARK", "mark-Chat:7", "M\u00c4RK-\ud800-MARK", "MARK" * 400])
def test_no_chat_id_is_left(chat_id: str) -> None:
    """The chat_id is removed, also as a party_id and in message ids."""
    for own in (chat_id, chat_id.upper(), chat_id.lower()):
        item = {"event": "chat_session_message", "party_id": own, "msg_id": f"{own}:5", "x": "MARK"}
        assert is_clean(scrubbed(item, chat_id))


def marked(value: Any, *, keep: bool = False) -> Any:
    """The value with a mark before every text and key; `keep`: except the type of an event."""
    if isinstance(value, dict):
        return {
            key if keep and key in KNOWN else f"MARK{key}": (
                held if keep and key in {"event", "type"} else marked(held, keep=keep)
            )
            for key, held in value.items()
        }
    if isinstance(value, list):
        return [marked(held, keep=keep) for held in value]
    return f"MARK{value}" if isinstance(value, str) else value


KNOWN: Final = {"event", "type"} | {
    name for shape in codec.SCHEMAS.values() for read in shape for name in read.names
}


@given(odd_wire_events(), st.booleans())
def test_any_event_is_scrubbed(item: Any, keep: bool) -> None:
    """Any event of a server is scrubbed: well-formed, malformed or unknown."""
    text = json.dumps(Pseudonyms(KEY).event(marked(item, keep=keep), CHAT))
    assert is_clean(text)


MARKED_INPUTS: Final = [
    commands.SendText("MARK", html="<b>MARK</b>"),
    commands.SendFile("MARK", "image", "MARK"),
    commands.SendLocation(1.5, 2.5, "MARK"),
    commands.SendNavigation("MARK", "MARK"),
    commands.StartTyping("MARK"),
    commands.SubmitForm("MARK", {"MARK": ["MARK"]}, form_name="MARK"),
    commands.CancelForm("MARK", form_name="MARK"),
    commands.MarkRead("MARK"),
    commands.MarkDelivered("MARK"),
    commands.RequestCall(video=True, destination_party_id="MARK", msg_id="MARK"),
    commands.AnswerCall("MARK"),
    commands.RejectCall("MARK", "MARK"),
    commands.SendCandidate("MARK", "MARK", 1),
    commands.RequestPhoneCall("MARK"),
    commands.RequestSms("MARK"),
    commands.CobrowsingReply(
        "started", provider_type="MARK", cobrowsing_url="MARK", cobrowsing_id="MARK"
    ),
    Sent(["MARK"]),
    SendFailed(["MARK"], "MARK", retryable=True),
    Lost("MARK"),
    History(tuple(decode([{"event": "chat_session_message", "msg": "MARK", "MARK": "MARK"}]))),
]


@pytest.mark.parametrize("item", MARKED_INPUTS, ids=lambda item: type(item).__name__)
def test_inputs_of_an_app_are_scrubbed(item: Any) -> None:
    """Every input of a journal is scrubbed and keeps its kind."""
    plain = input_to_json(item)
    assert "MARK" in json.dumps(plain)
    held = Pseudonyms(KEY).input(plain, CHAT)
    assert is_clean(json.dumps(held))
    assert type(input_from_json(held)) is type(item)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", codec.EVENTS)
def test_no_event_of_a_journal_is_left(name: str, kind: str) -> None:
    """Events in journals are scrubbed, alone and in a history."""
    for numbers in (False, True):
        fields = filled(codec.EVENTS[name], kind, numbers=numbers)
        if name == "chat_session_signaling" and not numbers:
            fields["data"] = {"type": "OFFER_CALL", "sdp": KINDS[kind]("sdp"), **EXTRA}
        (event,) = decode([{"event": name, **fields, **EXTRA}])
        for item in (event, History((event,))):
            held = Pseudonyms(KEY).input(input_to_json(item), CHAT)
            assert is_clean(json.dumps(held))
            assert type(input_from_json(held)) is type(item)


@given(odd_wire_events())
def test_any_event_of_a_journal_can_be_scrubbed(item: Any) -> None:
    """Any received event keeps its kind after scrubbing."""
    (event,) = decode([item])
    plain = json.loads(json.dumps(input_to_json(event)))
    assert type(input_from_json(Pseudonyms(KEY).input(plain, "chat-1"))) is type(event)


@given(any_commands())
def test_any_command_can_be_scrubbed(command: Any) -> None:
    """Any command of an app keeps its kind after scrubbing."""
    plain = json.loads(json.dumps(input_to_json(command)))
    assert type(input_from_json(Pseudonyms(KEY).input(plain, "chat-1"))) is type(command)
