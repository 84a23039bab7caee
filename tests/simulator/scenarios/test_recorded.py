"""scenario_from_log: recorded logs as scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatfsm.replay import formats
from chatfsm.replay.sources import Source
from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.from_log import scenario_from_log
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.scenario import (
    Await,
    Pause,
    Scenario,
    ScenarioError,
    Tell,
    from_plain,
    to_plain,
)
from tests.simulator.scenarios.harness import CHAT, PlayedScenario, answer_to, customer_text

LOGS = Path(__file__).parents[2] / "logs"
CUSTOMERS = {
    *("chat_session_form_data", "chat_session_secure_form_data", "chat_form_data_cancel"),
    *("chat_session_end", "chat_session_disconnect", "chat_session_navigation"),
}


def events_of(path: Path) -> list[dict[str, Any]]:
    """Return the events that `chatfsm simulate` reads from a log."""
    found = []
    for record in formats.records(Source(str(path))):
        assert isinstance(record.raw, dict)
        chat_id = {} if record.chat_id is None else {"chat_id": record.chat_id}
        found.append({**record.raw, **chat_id})
    return found


def chats() -> list[Any]:
    """Return the path and id of every chat of every log."""
    return [
        pytest.param(path, chat_id, id=f"{path.stem}-{chat_id[:8]}")
        for path in sorted(LOGS.glob("*.json*"))
        for chat_id in dict.fromkeys(each.get("chat_id", path.stem) for each in events_of(path))
    ]


def is_own(event: dict[str, Any], chat_id: str) -> bool:
    who = event.get("party_id") or event.get("session_id")
    unnamed_file = event["event"] == "chat_session_file" and not who
    return str(who).lower() == chat_id.lower() or event["event"] in CUSTOMERS or unnamed_file


def of_the_server(path: Path, chat_id: str) -> list[dict[str, Any]]:
    """Return the server's events in a log, without their times."""
    own = [each for each in events_of(path) if each.get("chat_id", path.stem) == chat_id]
    return [
        {name: value for name, value in each.items() if name not in {"chat_id", "timestamp"}}
        for each in own
        if not is_own(each, chat_id)
    ]


def scenario_of(path: Path, chat_id: str, **more: Any) -> Scenario:
    events = [each for each in events_of(path) if each.get("chat_id", path.stem) == chat_id]
    return scenario_from_log(events, chat_id, default_chat_id=path.stem, **more)


def play_log(scenario: Scenario, chat_id: str = CHAT, *, answering: bool = True) -> PlayedScenario:
    played = PlayedScenario(ScenarioPlayer(scenario, AgentPool(()), chat_id))
    played.begin()
    played.run(answer_to if answering else None)
    return played


@pytest.mark.parametrize("answering", [True, False])
@pytest.mark.parametrize(("path", "chat_id"), chats())
def test_every_log_is_replayed_in_order(path: Path, chat_id: str, answering: bool) -> None:
    """The play sends the log's server events in order, whether or not the customer answers."""
    played = play_log(scenario_of(path, chat_id), chat_id, answering=answering)
    assert [event for _, event in played.sent] == of_the_server(path, chat_id)
    assert played.step is None


@pytest.mark.parametrize(("path", "chat_id"), chats())
def test_every_log_survives_json(path: Path, chat_id: str) -> None:
    """A recorded scenario is equal after a round trip through JSON, so a file can hold it."""
    scenario = scenario_of(path, chat_id)
    assert from_plain(to_plain(scenario)) == scenario


# Scenarios from short logs, each made for one property.

OLD = "AAAA-1"
NESTED: Any = []
for _ in range(32):
    NESTED = [NESTED]


def event(name: str, at: float | str | None = None, **fields: Any) -> dict[str, Any]:
    time = {} if at is None else {"timestamp": at}
    return {"event": f"chat_session_{name}", **fields, **time}


def message(text: str, at: float | str, party_id: str = "B", **fields: Any) -> dict[str, Any]:
    return event("message", at, msg=text, party_id=party_id, **fields)


def steps(*events: dict[str, Any], **more: Any) -> list[Any]:
    return list(scenario_from_log(events, OLD, **more).steps)


def pauses(*events: dict[str, Any], **more: Any) -> list[float]:
    return [step.seconds for step in steps(*events, **more) if isinstance(step, Pause)]


def test_events_keep_their_distance() -> None:
    """Times are in seconds, whatever the log's unit; a missing time is that of the event before."""
    log = (
        event("status", state="ivr"),
        message("a", "1745222400"),
        message("b", 1745222405),
        event("status", state="connected"),
        message("c", 1745222407500),
        message("d", "1745222408500"),
        message("e", "1745222408500"),
    )
    assert pauses(*log) == [5.0, 2.5, 1.0]


def test_an_invalid_time_is_ignored() -> None:
    """An invalid time is that of the event before; a time that goes back is ignored."""
    log = (
        message("a", 100),
        message("b", "soon"),
        message("c", 103),
        message("a", 100),
        message("d", 105),
    )
    assert pauses(*log) == [3.0, 2.0]


def test_the_speed_can_be_set() -> None:
    """The speed factor and the longest pause are parameters."""
    log = (message("a", 0), message("b", 4), message("c", 104))
    assert pauses(*log) == [4.0, 30.0]
    assert pauses(*log, speed=2, max_pause=10) == [2.0, 10.0]
    assert pauses(*log, max_pause=0) == []


@pytest.mark.parametrize(
    ("own", "kinds"),
    [
        (message("hi", 9, OLD, msg_id="1"), ("chat_session_message",)),
        (message("hi", 9, OLD.lower(), msg_id="1"), ("chat_session_message",)),
        (event("file", 9, file_id="F"), ("chat_session_file",)),
        (event("file", 9, file_id="F", session_id=OLD), ("chat_session_file",)),
        (event("location", 9, party_id=OLD), ("chat_session_location",)),
        (event("form_data", 9), ("chat_session_form_data", "chat_form_data_cancel")),
        ({"event": "chat_form_data_cancel"}, ("chat_session_form_data", "chat_form_data_cancel")),
        (
            event("secure_form_cancel", 9, party_id=OLD),
            ("chat_session_secure_form_data", "chat_session_secure_form_cancel"),
        ),
        (event("end", 9), ("chat_session_end",)),
        (event("disconnect", 9), ("chat_session_disconnect",)),
    ],
)
def test_events_of_the_customer_are_awaited(own: dict[str, Any], kinds: tuple[str, ...]) -> None:
    """The step awaits that kind of event; a form may be answered or refused in either case."""
    first, second, third = steps(message("a", 5), own, message("b", 12))[:3]
    assert isinstance(first, Tell)
    assert isinstance(second, Await)
    assert second.event == kinds
    assert isinstance(third, Pause)


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("ANSWER_CALL", ["ANSWER_CALL", "CALL_REJECTED"]),
        ("CALL_REJECTED", ["ANSWER_CALL", "CALL_REJECTED"]),
        ("REQUEST_CALL", ["REQUEST_CALL"]),
        ("END_CALL", ["END_CALL"]),
    ],
)
def test_signals_are_awaited_by_their_type(kind: str, meant: list[str]) -> None:
    """Either the answer or the rejection of an offer satisfies the step."""
    (own,) = steps(event("signaling", 5, party_id=OLD, data={"type": kind}))
    assert own.where == {"data.type": meant}


@pytest.mark.parametrize(
    "own",
    [
        event("typing", 9, party_id=OLD),
        event("message_read", 9, party_id=OLD, ref_msg_id="2"),
        event("navigation", 9, page="/"),
        event("signaling", 9, party_id=OLD, data={"type": "ICE_CANDIDATE"}),
        event("signaling", 9, party_id=OLD, data={"type": 7}),
        event("signaling", 9, party_id=OLD, data="no JSON"),
        {"event": ["odd"], "party_id": OLD, "timestamp": 9},
    ],
)
def test_optional_customer_events_are_not_awaited(own: dict[str, Any]) -> None:
    """The time that the event took in the log still passes."""
    found = steps(message("a", 5), own, message("b", 12))
    assert [type(step) for step in found] == [Tell, Pause, Tell]
    assert found[1].seconds == 7.0


def test_waiting_for_a_silent_customer_ends() -> None:
    """The play goes on after the log's own time plus the patience."""
    scenario = scenario_from_log(
        [message("a", 5), message("hi", 9, OLD), message("b", 12)], OLD, patience=20
    )
    assert [at for at, _ in play_log(scenario, answering=False).sent] == [0.0, 27.0]
    played = PlayedScenario(ScenarioPlayer(scenario, AgentPool(()), CHAT))
    played.begin()
    played.until(2.0)
    played.receive(customer_text("hi"))
    played.run()
    assert [at for at, _ in played.sent] == [0.0, 5.0]


def test_a_text_of_a_cached_poll_is_awaited_once() -> None:
    """A message that the log has twice is awaited once."""
    own = message("hi", 9, OLD, msg_id="1")
    assert [type(step) for step in steps(own, message("b", 9), own, message("b", 9))] == [
        *(Await, Tell, Tell)
    ]


def test_the_ids_are_those_of_the_new_chat() -> None:
    """The log's chat id is replaced in id fields at any depth, also with a suffix.

    Texts are kept.
    """
    scenario = scenario_from_log(
        [
            message("hi", 1, OLD, msg_id="1"),
            event("message_read", 2, party_id="B", ref_msg_id="1"),
            event("message_read", 2, party_id="B", ref_msg_id=f"{OLD}:1"),
            event("signaling", 3, party_id="B", data={"to_id": OLD.lower(), "text": OLD}),
            event("odd", 3, party_id="B", people_id=[OLD, "C", 7], msg=OLD),
        ],
        OLD,
    )
    played = PlayedScenario(ScenarioPlayer(scenario, AgentPool(()), CHAT))
    played.begin()
    played.receive(customer_text("hello", "web-17"))
    played.run()
    receipt, numbered, signal, odd = (event for _, event in played.sent)
    assert receipt["ref_msg_id"] == "web-17"
    assert numbered["ref_msg_id"] == f"{CHAT}:1"
    assert signal["data"] == {"to_id": CHAT, "text": OLD}
    assert (odd["people_id"], odd["msg"]) == ([CHAT, "C", 7], OLD)


def test_a_disconnect_skips_to_that_of_the_log() -> None:
    """At a disconnect the play goes on with the events after the log's own disconnect."""
    scenario = scenario_from_log(
        [
            message("a", 5),
            message("b", 25),
            event("disconnect", 30),
            message("survey", 31),
            event("ended"),
        ],
        OLD,
    )
    played = PlayedScenario(ScenarioPlayer(scenario, AgentPool(()), CHAT))
    played.begin()
    played.receive({"event": "chat_session_disconnect"})
    played.run()
    assert [event.get("msg") for _, event in played.sent] == ["a", "survey", None]
    assert played.player.done


@pytest.mark.parametrize(
    ("events", "more", "words"),
    [
        ([], {}, "has no events"),
        ([event("odd", msg=NESTED)], {}, "event 1 of the log is nested deeper than 32 levels"),
        (["text"], {}, "event 1 of the log must be an object"),
        ([event("ended"), {"msg": "hi"}], {}, "event 2 of the log must be an object with an event"),
        (
            [event("ended", chat_id="A"), event("ended", chat_id="B")],
            {},
            "2 chats, choose one: A, B",
        ),
        ([event("ended", chat_id=f"C{n}") for n in range(7)], {}, "C4 and 2 more"),
        ([event("ended", chat_id="A")], {"chat_id": "B"}, "has no chat 'B', but A"),
        ([event("ended")], {"speed": 0}, "speed must be a number from 0 to 3600, not 0"),
        ([event("ended")], {"speed": float("nan")}, "speed must be"),
        ([event("ended")], {"max_pause": -1}, "max_pause must be a number from 0 to 3600, not -1"),
        ([event("ended")], {"patience": 1e9}, "patience must be"),
    ],
)
def test_a_log_without_a_chat_is_refused(
    events: list[Any], more: dict[str, Any], words: str
) -> None:
    """The error says why the log has no chat to play."""
    with pytest.raises(ScenarioError, match=words):
        scenario_from_log(events, **more)


def test_a_chat_is_chosen_by_its_id() -> None:
    """Events without a chat id belong to the requested chat, or to the file's."""
    events = [event("ended", chat_id="A"), event("status", state="ivr")]
    assert [type(step) for step in scenario_from_log(events, "A").steps] == [Tell, Tell]
    assert scenario_from_log([event("ended")], default_chat_id="monday").chat_id == "monday"
