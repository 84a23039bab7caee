"""What `Recorded` writes, and that nobody who listens to the session notices."""

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
    """Something in so many lists."""
    for _ in range(levels):
        core = [core]
    return core


def shows(play: Any, request_id: str = "7", *, secure: bool = True, **fields: Any) -> None:
    """The server shows a form."""
    word = "secure_form_show" if secure else "form_show"
    play.hears(word, form_request_id=request_id, **fields)


def test_exact_lines_of_a_small_journal(play: Any) -> None:
    """One opening line, then one line an input: what was heard, and what was told or refused."""
    play.hears("status", state="queued", ewt="40", at=1.5)
    play.refuses(commands.EndCall(), at=2.0)
    play.receives(commands.SendText("hi"))
    play.receives(Tick(), at=3.0)
    opening, *rest = play.lines
    settings = json.dumps(asdict(Settings()))
    assert opening == (
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


def test_every_member_of_the_session_is_there(play: Any) -> None:
    """Whatever is read of a session is read of a recorded one, and is the same."""
    play.hears("party_joined", party_id="ann", type="internal")
    play.hears("typing", party_id="ann")
    play.receives(commands.SendText("hi"))
    session = play.recorded.session
    members = {name for name in dir(ChatSession) if not name.startswith("_")} - {"receive"}
    assert members >= {"state", "deadline", "done", "parties", "snapshot", "outbox", "settings"}
    for name in members:
        found = getattr(play.recorded, name)
        if callable(found):
            assert found == getattr(session, name)
        else:
            assert (name, found) == (name, getattr(session, name))
    assert play.recorded.snapshot(now=1.0) == session.snapshot(now=1.0)
    with pytest.raises(AttributeError):
        play.recorded.weather  # noqa: B018  # to look is to fail


def test_a_recorded_session_reports_what_a_bare_one_reports(plays: Any) -> None:
    """The journal's effects are those of a session that nobody records."""
    play = plays().happens()
    _, *entries = play.written
    assert [entry["seq"] for entry in entries] == list(range(38))
    assert play.recorded.done

    class Bare(plays):  # type: ignore[misc]
        told: list[Any]

        def receives(self, item: Any, *, at: float | None = None) -> Any:
            self.now = self.now if at is None else at
            try:
                told = self.recorded.session.receive(item, now=self.now)
            except LocalProtocolError as error:
                self.told.append(str(error))
                raise
            self.told.append([to_json(effect) for effect in told])
            return told

    bare = Bare()
    bare.told = []
    bare.happens()
    assert bare.lines == []
    written = [entry["refused"] if "refused" in entry else entry["out"] for entry in entries]
    assert written == bare.told
    assert bare.recorded.session == play.recorded.session


def test_receive_gives_the_effects_themselves(play: Any) -> None:
    """What is returned are effects, not their JSON."""
    assert play.hears("status", state="ivr") == [StateChanged("establishing", "ivr")]


def test_nothing_is_written_before_something_is_received(play: Any) -> None:
    """Reading a session writes nothing; its first input writes two lines."""
    assert (play.recorded.state, play.recorded.deadline, play.lines) == ("establishing", None, [])
    play.receives(Tick())
    assert len(play.lines) == 2


def test_the_opening_says_how_the_session_was_made(plays: Any) -> None:
    """Versions and settings, as they were given, and the time of the first input."""
    play = plays(max_forms=2, strict=True, typing_timeout=12)
    play.receives(Tick(), at=17.0)
    opening = play.written[0]
    assert set(opening) == {"v", "chat_id", "journal", "at"}
    assert (opening["v"], opening["chat_id"], opening["at"]) == (1, "chat-1", 17.0)
    assert opening["journal"]["chatfsm"] == chatfsm.__version__
    assert opening["journal"]["settings"] == asdict(play.recorded.settings)
    assert opening["journal"]["settings"]["max_forms"] == 2


def test_a_session_that_had_a_life_is_opened_with_its_snapshot(play: Any) -> None:
    """The snapshot is of the first recorded moment, and restores to the session as it was."""
    play.hears("status", state="queued", at=5.0)
    assert "snapshot" not in play.written[0]
    again = play.restarts(at=1_000.0)
    again.receives(Tick(), at=1_003.0)
    opening = play.written[-2]
    assert (opening["at"], play.written[-1]["seq"]) == (1_003.0, 0)
    restored = ChatSession.restore(opening["snapshot"], now=1_003.0)
    assert restored == play.recorded.session
    assert sum("journal" in entry for entry in play.written) == 2


def test_a_refused_command_is_raised_and_written(play: Any) -> None:
    """The app learns why, the journal too, and the session has not changed."""
    before = play.recorded.snapshot(now=0.0)
    why = play.refuses(commands.SubmitForm("9", {"a": "b"}))
    assert play.written[-1]["refused"] == why
    assert "out" not in play.written[-1]
    assert play.recorded.snapshot(now=0.0) == before


def test_what_a_strict_session_raises_is_written(plays: Any) -> None:
    """A violation of the protocol is raised, and written as refused; the chat goes on."""
    play = plays(strict=True)
    with pytest.raises(RemoteProtocolError) as caught:
        play.hears("weather", text="never shown")
    assert play.written[-1]["refused"] == str(caught.value)
    assert "never shown" not in play.written[-1]["refused"]
    play.hears("status", state="queued")
    assert play.written[-1]["out"]
    assert verify(play.lines) == 2


@pytest.mark.parametrize("item", ["a text", None, StateChanged("ivr", "queued"), {"event": "x"}])
def test_what_is_no_input_is_refused_and_not_written(play: Any, item: Any) -> None:
    """A TypeError, as of a bare session; the journal goes on and agrees."""
    with pytest.raises(TypeError):
        play.receives(item)
    play.hears("status", state="queued")
    with pytest.raises(TypeError):
        play.receives(item)
    play.hears("status", state="connected")
    told = [[effect["state"] for effect in entry["out"]] for entry in play.written if "in" in entry]
    assert told == [["queued"], ["connected"]]
    assert verify(play.lines) == 2


@pytest.mark.parametrize("now", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("item", [Tick(), commands.SendText("hi"), events.Ended()])
def test_a_now_that_is_not_finite_is_not_written(play: Any, item: Any, now: float) -> None:
    """It is refused as a bare session refuses it, before and after the first line."""
    with pytest.raises(LocalProtocolError):
        play.receives(item, at=now)
    assert play.lines == []
    play.receives(Tick(), at=1.0)
    with pytest.raises(LocalProtocolError):
        play.receives(item, at=now)
    assert len(play.lines) == 2


ODD = [
    float("nan"),
    float("-inf"),
    10**5_000,
    "\ud800\n\u2028\0",
    {2: {2, 3}, None: object(), True: b"bytes"},
    (1, (2,)),
    nested(30),
]


def strictly(text: str) -> Any:
    """JSON that has nothing which JSON does not have."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_lines_are_json_whatever_came(play: Any, odd: Any) -> None:
    """One ASCII line of strict JSON an input, whatever was in raw or extra; and it agrees."""
    play.receives(events.Unknown("odd", {"odd": odd}))
    play.receives(events.Malformed(None, odd, "odd"))
    play.receives(events.Message("ann", "1", "hi", extra={"odd": odd}))
    play.receives(events.FormShow("1", "survey", extra={"odd": odd}))
    play.receives(events.ClientEvent("navigation", {"odd": odd}))
    shows(play, "2", secure=False)
    play.receives(commands.SubmitForm("2", {"odd": odd}))
    play.hears("status", state="queued", mood=odd)
    for line in play.lines:
        assert line.isascii()
        assert line.splitlines() == [line[:-1]]
        assert isinstance(strictly(line), dict)
    assert verify(play.lines) == 8


@pytest.mark.parametrize("levels", [31, 58, 59, 60, 61, 62, 63, 64, 65, 100])
def test_what_is_nested_deep_agrees(play: Any, levels: int) -> None:
    """However deep something is nested, the journal is written, and agrees when heard again."""
    play.hears_item(nested(levels))
    play.hears("weather", clouds=nested(levels))
    play.receives(events.Message("ann", "1", "hi", extra={"deep": nested(levels)}))
    shows(play, "2", secure=False)
    play.receives(commands.SubmitForm("2", {"deep": nested(levels)}))
    assert verify(play.lines) == 5


def test_a_page_of_history_nested_deep_agrees(play: Any) -> None:
    """What a history holds is written as deep as what a batch holds."""
    past = decode([nested(100), {"event": "chat_session_weather", "clouds": nested(100)}])
    play.receives(History(tuple(past)))
    play.receives(History(tuple(past)))
    assert verify(play.lines) == 2


def test_a_place_of_whole_degrees_agrees(play: Any) -> None:
    """A number is the same number again, whether it was given as a whole one or not."""
    play.receives(commands.SendLocation(5, 10))
    place = {"latitude": 5, "longitude": 10}
    play.hears("location", msg_id="1", party_id="chat-1", **place)
    assert verify(play.lines) == 2


def test_answers_to_a_secure_form_are_not_written(play: Any) -> None:
    """The server gets them; the journal says only that there were some."""
    shows(play)
    (_, sent) = play.receives(commands.SubmitForm("7", {"card": ANSWER}))
    assert sent.events[0]["data"] == {"card": ANSWER}
    assert ANSWER not in play.text
    assert "card" not in play.text
    assert play.written[-1]["in"]["data"] == {}
    assert play.written[-1]["out"][1]["events"][0]["data"] == "(secure)"


def test_answers_to_an_unknown_form_are_not_written(play: Any) -> None:
    """Nobody knows whether it was a secure one."""
    play.refuses(commands.SubmitForm("7", {"card": ANSWER}))
    assert ANSWER not in play.text
    assert "refused" in play.written[-1]


def test_answers_to_a_closed_form_are_not_written(play: Any) -> None:
    """Not after it was answered, nor after the end of the session."""
    shows(play)
    play.receives(commands.SubmitForm("7", {"card": ANSWER}))
    play.refuses(commands.SubmitForm("7", {"card": ANSWER}))
    shows(play, "8")
    play.hears("secure_form_cancel", form_request_id="8")
    play.refuses(commands.SubmitForm("8", {"card": ANSWER}))
    shows(play, "9")
    play.hears("ended")
    play.refuses(commands.SubmitForm("9", {"card": ANSWER}))
    assert ANSWER not in play.text
    assert verify(play.lines) == 9


def test_answers_that_the_app_calls_secure_are_not_written(play: Any) -> None:
    """Also where the form is none that the server calls secure."""
    shows(play, secure=False, form_name="survey")
    play.receives(commands.SubmitForm("7", {"card": ANSWER}, secure=True))
    assert ANSWER not in play.text
    assert verify(play.lines) == 2


def test_answers_that_the_app_calls_secure_agree_where_refused(play: Any) -> None:
    """A refused answer leaves nothing either."""
    play.refuses(commands.SubmitForm("7", {"card": ANSWER}, secure=True))
    assert ANSWER not in play.text
    assert verify(play.lines) == 1


def test_answers_to_an_ordinary_form_are_written(play: Any) -> None:
    """They are part of what happened."""
    shows(play, secure=False, form_name="survey")
    play.receives(commands.SubmitForm("7", {"stars": "five"}))
    assert play.written[-1]["in"]["data"] == {"stars": "five"}
    assert play.written[-1]["out"][1]["events"][0]["data"] == {"stars": "five"}


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
def test_answers_that_come_back_are_not_written(play: Any, item: dict[str, Any]) -> None:
    """A log or a history may hold what was answered; the journal does not, broken or whole."""
    shows(play)
    play.hears_item({**item, "data": {"card": ANSWER}})
    play.receives(History(tuple(decode([{**item, "data": {"card": ANSWER}}]))))
    assert ANSWER not in play.text
    assert verify(play.lines) == 3


def test_no_snapshot_of_a_restart_holds_secure_answers(play: Any) -> None:
    """The second opening tells what the first life remembered, which was no secret."""
    shows(play)
    play.receives(commands.SubmitForm("7", {"card": ANSWER}))
    again = play.restarts(at=0.0)
    again.receives(Tick())
    assert "snapshot" in play.written[-2]
    assert ANSWER not in play.text


@pytest.mark.parametrize(
    "order",
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
def test_a_refusal_quotes_no_text(play: Any, order: Any) -> None:
    """The reason names the kind of command and the state, never the content."""
    play.hears("ended")
    assert "what was said" not in play.refuses(order)
    assert "what was said" not in play.written[-1]["refused"]


def test_inputs_are_named_by_their_kind() -> None:
    """The JSON of an input begins with what it is."""
    assert input_to_json(Tick()) == {"input": "tick"}
    assert list(input_to_json(events.Typing("ann")).items())[0] == ("input", "typing")  # noqa: RUF015
