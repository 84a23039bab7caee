"""Lines that `Recorded` writes; recording does not change the session."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import asdict

import chatfsm
from chatfsm import (
    ChatSession,
    History,
    LocalProtocolError,
    Settings,
    Tick,
    commands,
    decode,
    events,
)
from chatfsm.effects import StateChanged, to_json
from chatfsm.errors import RemoteProtocolError
from chatfsm.replay.journal import input_to_json, verify

ANSWER = "4000-1234-5678"


def nested(levels: int, core: object = "core") -> object:
    """`core` inside this many nested lists."""
    for _ in range(levels):
        core = [core]
    return core


def show_form(recorder: Any, request_id: str = "7", *, secure: bool = True, **fields: Any) -> None:
    """The server show_form a form."""
    word = "secure_form_show" if secure else "form_show"
    recorder.receives_event(word, form_request_id=request_id, **fields)


def test_exact_lines_of_a_small_journal(recorder: Any) -> None:
    """One header line, then one line for each input, with its effects or its refusal."""
    recorder.receives_event("status", state="queued", ewt="40", at=1.5)
    recorder.refuses(commands.EndCall(), at=2.0)
    recorder.receives(commands.SendText("hi"))
    recorder.receives(Tick(), at=3.0)
    header, *rest = recorder.lines
    settings = json.dumps(asdict(Settings()))
    assert header == (
        '{"v": 1, "chat_id": "chat-1", "journal": '
        f'{{"chatfsm": "{chatfsm.__version__}", "settings": {settings}}}, "at": 1.5}}\n'
    )
    head = '{"v": 1, "chat_id": "chat-1", "seq": '
    assert rest == [
        head + '0, "at": 1.5, "in": {"input": "status", "timestamp": null, "extra": {}, '
        '"state": "queued", "ewt": 40.0}, "out": [{"effect": "state_changed", '
        '"previous": "establishing", "state": "queued"}, '
        '{"effect": "wait_estimated", "seconds": 40.0}]}\n',
        head + '1, "at": 2.0, "in": {"input": "end_call", "msg_id": null, '
        '"destination_party_id": null}, "refused": "cannot end call: the call is idle"}\n',
        head + '2, "at": 2.0, "in": {"input": "send_text", "msg_id": null, "text": "hi", '
        '"html": null, "directive_id": null}, "out": [{"effect": "send_events", "events": '
        '[{"event": "chat_session_message", "msg": "hi", "msg_id": "1"}], "msg_ids": ["1"]}]}\n',
        head + '3, "at": 3.0, "in": {"input": "tick"}, "out": []}\n',
    ]


def test_every_attribute_of_the_session_is_there(recorder: Any) -> None:
    """Every public attribute of a session is available on a recorded one, with the same value."""
    recorder.receives_event("party_joined", party_id="ann", type="internal")
    recorder.receives_event("typing", party_id="ann")
    recorder.receives(commands.SendText("hi"))
    session = recorder.recorded.session
    members = {name for name in dir(ChatSession) if not name.startswith("_")} - {"receive"}
    assert members >= {"state", "deadline", "done", "parties", "snapshot", "outbox", "settings"}
    for name in members:
        found = getattr(recorder.recorded, name)
        if callable(found):
            assert found == getattr(session, name)
        else:
            assert (name, found) == (name, getattr(session, name))
    assert recorder.recorded.snapshot(now=1.0) == session.snapshot(now=1.0)
    with pytest.raises(AttributeError):
        recorder.recorded.weather  # noqa: B018  # reading the attribute raises


def test_a_recorded_session_has_the_effects_of_an_unrecorded_one(new_recorder: Any) -> None:
    """The effects in the journal are those of an unrecorded session."""
    recorder = new_recorder().receives_everything()
    _, *entries = recorder.written
    assert [entry["seq"] for entry in entries] == list(range(38))
    assert recorder.recorded.done

    class Bare(new_recorder):  # type: ignore[misc]
        effects: list[Any]

        def receives(self, item: Any, *, at: float | None = None) -> Any:
            self.now = self.now if at is None else at
            try:
                effects = self.recorded.session.receive(item, now=self.now)
            except LocalProtocolError as error:
                self.effects.append(str(error))
                raise
            self.effects.append([to_json(effect) for effect in effects])
            return effects

    bare = Bare()
    bare.effects = []
    bare.receives_everything()
    assert bare.lines == []
    written = [entry["refused"] if "refused" in entry else entry["out"] for entry in entries]
    assert written == bare.effects
    assert bare.recorded.session == recorder.recorded.session


def test_receive_gives_the_effects_themselves(recorder: Any) -> None:
    """`receive` returns effects, not their JSON."""
    assert recorder.receives_event("status", state="ivr") == [StateChanged("establishing", "ivr")]


def test_nothing_is_written_before_something_is_received(recorder: Any) -> None:
    """Reading a session writes nothing; the first input writes two lines."""
    assert (recorder.recorded.state, recorder.recorded.deadline, recorder.lines) == (
        "establishing",
        None,
        [],
    )
    recorder.receives(Tick())
    assert len(recorder.lines) == 2


def test_the_header_holds_version_and_settings(new_recorder: Any) -> None:
    """The header holds the version, the settings as given, and the time of the first input."""
    recorder = new_recorder(max_forms=2, strict=True, typing_timeout=12)
    recorder.receives(Tick(), at=17.0)
    header = recorder.written[0]
    assert set(header) == {"v", "chat_id", "journal", "at"}
    assert (header["v"], header["chat_id"], header["at"]) == (1, "chat-1", 17.0)
    assert header["journal"]["chatfsm"] == chatfsm.__version__
    assert header["journal"]["settings"] == asdict(recorder.recorded.settings)
    assert header["journal"]["settings"]["max_forms"] == 2


def test_the_header_of_a_used_session_holds_its_snapshot(recorder: Any) -> None:
    """The header of a restored session holds its snapshot at the first recorded input."""
    recorder.receives_event("status", state="queued", at=5.0)
    assert "snapshot" not in recorder.written[0]
    again = recorder.restarts(at=1_000.0)
    again.receives(Tick(), at=1_003.0)
    header = recorder.written[-2]
    assert (header["at"], recorder.written[-1]["seq"]) == (1_003.0, 0)
    restored = ChatSession.restore(header["snapshot"], now=1_003.0)
    assert restored == recorder.recorded.session
    assert sum("journal" in entry for entry in recorder.written) == 2


def test_a_refused_command_is_raised_and_written(recorder: Any) -> None:
    """The app gets the reason, the journal holds it, and the session is unchanged."""
    before = recorder.recorded.snapshot(now=0.0)
    why = recorder.refuses(commands.SubmitForm("9", {"a": "b"}))
    assert recorder.written[-1]["refused"] == why
    assert "out" not in recorder.written[-1]
    assert recorder.recorded.snapshot(now=0.0) == before


def test_a_violation_of_a_strict_session_is_recorded(new_recorder: Any) -> None:
    """A violation of the protocol is raised and recorded as refused; the chat continues."""
    recorder = new_recorder(strict=True)
    with pytest.raises(RemoteProtocolError) as caught:
        recorder.receives_event("weather", text="never shown")
    assert recorder.written[-1]["refused"] == str(caught.value)
    assert "never shown" not in recorder.written[-1]["refused"]
    recorder.receives_event("status", state="queued")
    assert recorder.written[-1]["out"]
    assert verify(recorder.lines) == 2


@pytest.mark.parametrize("item", ["a text", None, StateChanged("ivr", "queued"), {"event": "x"}])
def test_an_invalid_input_is_refused_and_not_recorded(recorder: Any, item: Any) -> None:
    """Other types raise TypeError, as in an unrecorded session; the journal still verifies."""
    with pytest.raises(TypeError):
        recorder.receives(item)
    recorder.receives_event("status", state="queued")
    with pytest.raises(TypeError):
        recorder.receives(item)
    recorder.receives_event("status", state="connected")
    effects = [
        [effect["state"] for effect in entry["out"]] for entry in recorder.written if "in" in entry
    ]
    assert effects == [["queued"], ["connected"]]
    assert verify(recorder.lines) == 2


@pytest.mark.parametrize("now", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("item", [Tick(), commands.SendText("hi"), events.Ended()])
def test_a_now_that_is_not_finite_is_not_written(recorder: Any, item: Any, now: float) -> None:
    """An infinite or undefined time is refused, as by an unrecorded session; no line is written."""
    with pytest.raises(LocalProtocolError):
        recorder.receives(item, at=now)
    assert recorder.lines == []
    recorder.receives(Tick(), at=1.0)
    with pytest.raises(LocalProtocolError):
        recorder.receives(item, at=now)
    assert len(recorder.lines) == 2


ODD = [
    float("nan"),
    float("-inf"),
    10**5_000,
    "\ud800\n\u2028\0",
    {2: {2, 3}, None: object(), True: b"bytes"},
    (1, (2,)),
    nested(30),
]


def parse_strict_json(text: str) -> Any:
    """Parse JSON; refuse NaN and Infinity."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_lines_are_strict_json_for_any_value(recorder: Any, odd: Any) -> None:
    """Each input gives one ASCII line of strict JSON for any `raw` and `extra`, and verifies."""
    recorder.receives(events.Unknown("odd", {"odd": odd}))
    recorder.receives(events.Malformed(None, odd, "odd"))
    recorder.receives(events.Message("ann", "1", "hi", extra={"odd": odd}))
    recorder.receives(events.FormShow("1", "survey", extra={"odd": odd}))
    recorder.receives(events.ClientEvent("navigation", {"odd": odd}))
    show_form(recorder, "2", secure=False)
    recorder.receives(commands.SubmitForm("2", {"odd": odd}))
    recorder.receives_event("status", state="queued", mood=odd)
    for line in recorder.lines:
        assert line.isascii()
        assert line.splitlines() == [line[:-1]]
        assert isinstance(parse_strict_json(line), dict)
    assert verify(recorder.lines) == 8


@pytest.mark.parametrize("levels", [31, 58, 59, 60, 61, 62, 63, 64, 65, 100])
def test_deeply_nested_values_verify(recorder: Any, levels: int) -> None:
    """Values nested beyond the limit are recorded, and the journal verifies."""
    recorder.receives_item(nested(levels))
    recorder.receives_event("weather", clouds=nested(levels))
    recorder.receives(events.Message("ann", "1", "hi", extra={"deep": nested(levels)}))
    show_form(recorder, "2", secure=False)
    recorder.receives(commands.SubmitForm("2", {"deep": nested(levels)}))
    assert verify(recorder.lines) == 5


def test_a_deeply_nested_history_verifies(recorder: Any) -> None:
    """The nesting limit of a history is that of a batch."""
    past = decode([nested(100), {"event": "chat_session_weather", "clouds": nested(100)}])
    recorder.receives(History(tuple(past)))
    recorder.receives(History(tuple(past)))
    assert verify(recorder.lines) == 2


def test_a_location_in_whole_degrees_verifies(recorder: Any) -> None:
    """A whole number and its float are the same value in verification."""
    recorder.receives(commands.SendLocation(5, 10))
    place = {"latitude": 5, "longitude": 10}
    recorder.receives_event("location", msg_id="1", party_id="chat-1", **place)
    assert verify(recorder.lines) == 2


def test_answers_to_a_secure_form_are_not_written(recorder: Any) -> None:
    """The server gets the answers of a secure form; the journal holds an empty object instead."""
    show_form(recorder)
    (_, sent) = recorder.receives(commands.SubmitForm("7", {"card": ANSWER}))
    assert sent.events[0]["data"] == {"card": ANSWER}
    assert ANSWER not in recorder.text
    assert "card" not in recorder.text
    assert recorder.written[-1]["in"]["data"] == {}
    assert recorder.written[-1]["out"][1]["events"][0]["data"] == "(secure)"


def test_answers_to_an_unknown_form_are_not_written(recorder: Any) -> None:
    """The form may have been secure, so that the answers are left out."""
    recorder.refuses(commands.SubmitForm("7", {"card": ANSWER}))
    assert ANSWER not in recorder.text
    assert "refused" in recorder.written[-1]


def test_answers_to_a_closed_form_are_not_written(recorder: Any) -> None:
    """Answers are left out also after a submission and after the end of the session."""
    show_form(recorder)
    recorder.receives(commands.SubmitForm("7", {"card": ANSWER}))
    recorder.refuses(commands.SubmitForm("7", {"card": ANSWER}))
    show_form(recorder, "8")
    recorder.receives_event("secure_form_cancel", form_request_id="8")
    recorder.refuses(commands.SubmitForm("8", {"card": ANSWER}))
    show_form(recorder, "9")
    recorder.receives_event("ended")
    recorder.refuses(commands.SubmitForm("9", {"card": ANSWER}))
    assert ANSWER not in recorder.text
    assert verify(recorder.lines) == 9


def test_answers_that_the_app_calls_secure_are_not_written(recorder: Any) -> None:
    """`SubmitForm(secure=True)` leaves the answers out for any form."""
    show_form(recorder, secure=False, form_name="survey")
    recorder.receives(commands.SubmitForm("7", {"card": ANSWER}, secure=True))
    assert ANSWER not in recorder.text
    assert verify(recorder.lines) == 2


def test_refused_answers_that_the_app_calls_secure_verify(recorder: Any) -> None:
    """A refused answer is left out too."""
    recorder.refuses(commands.SubmitForm("7", {"card": ANSWER}, secure=True))
    assert ANSWER not in recorder.text
    assert verify(recorder.lines) == 1


def test_answers_to_an_ordinary_form_are_written(recorder: Any) -> None:
    """Answers to an ordinary form are recorded."""
    show_form(recorder, secure=False, form_name="survey")
    recorder.receives(commands.SubmitForm("7", {"stars": "five"}))
    assert recorder.written[-1]["in"]["data"] == {"stars": "five"}
    assert recorder.written[-1]["out"][1]["events"][0]["data"] == {"stars": "five"}


@pytest.mark.parametrize(
    "item",
    [
        {"event": "chat_session_secure_form_data", "form_request_id": "7"},
        {"event": "chat_session_secure_form_cancel", "form_request_id": "7"},
        {"event": "chat_session_secure_form_cancel"},
        {"event": "chat_session_secure_form_data", "form_request_id": ["7"]},
        {"event": "chat_session_secure_form_data", "deep": nested(40)},
    ],
)
def test_answers_that_come_back_are_not_written(recorder: Any, item: dict[str, Any]) -> None:
    """Secure answers in a log or a history are left out, in valid and in malformed events."""
    show_form(recorder)
    recorder.receives_item({**item, "data": {"card": ANSWER}})
    recorder.receives(History(tuple(decode([{**item, "data": {"card": ANSWER}}]))))
    assert ANSWER not in recorder.text
    assert verify(recorder.lines) == 3


def test_no_snapshot_of_a_restart_holds_secure_answers(recorder: Any) -> None:
    """The snapshot in the second header holds no secure answers."""
    show_form(recorder)
    recorder.receives(commands.SubmitForm("7", {"card": ANSWER}))
    again = recorder.restarts(at=0.0)
    again.receives(Tick())
    assert "snapshot" in recorder.written[-2]
    assert ANSWER not in recorder.text


@pytest.mark.parametrize(
    "command",
    [
        commands.SendText("what was said"),
        commands.AnswerCall("what was said"),
        commands.RejectCall("what was said", "what was said"),
        commands.SendCandidate("what was said"),
        commands.SendFile("f", "image", "what was said"),
        commands.StartTyping("what was said"),
        commands.CobrowsingReply("started", cobrowsing_url="what was said"),
    ],
)
def test_a_refusal_quotes_no_text(recorder: Any, command: Any) -> None:
    """The reason names the kind of command and the state, not the content."""
    recorder.receives_event("ended")
    assert "what was said" not in recorder.refuses(command)
    assert "what was said" not in recorder.written[-1]["refused"]


def test_inputs_are_named_by_their_kind() -> None:
    """The first key of an input's JSON is its kind."""
    assert input_to_json(Tick()) == {"input": "tick"}
    assert list(input_to_json(events.Typing("ann")).items())[0] == ("input", "typing")  # noqa: RUF015
