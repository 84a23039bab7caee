"""What each step does when it is played."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.scenario import (
    AgentLeaves,
    Await,
    Converse,
    EndSession,
    FindAgent,
    Pause,
    Say,
    Scenario,
    ShowForm,
    ShowSecureForm,
    Tell,
)
from tests.simulator.scenarios.playing import CHAT, PlayedScenario, agent, perform, said

DISCONNECT = {"event": "chat_session_disconnect"}


def mark(name: str) -> Tell:
    return Tell({"event": name})


def agents(*names: str) -> AgentPool:
    return AgentPool([agent(name) for name in names])


def test_what_is_told_is_told_verbatim() -> None:
    """But for the names that stand for ids, in fields of ids."""
    event = {
        "event": "chat_session_cobrowsing_started",
        "msg": "$chat",
        "party_id": "$scenario",
        "session_id": "$chat",
        "odd": [{"form_id": "$form"}],
        "number": 7,
    }
    (told,) = (event for _, event in perform(Tell(event)).told)
    assert told["msg"] == "$chat"
    assert told["session_id"] == CHAT
    assert told["odd"] == [{"form_id": "0"}]
    assert told["number"] == 7
    assert len(told["party_id"]) == 36
    assert event["session_id"] == "$chat"


def test_a_pause_takes_its_time() -> None:
    """And what follows happens when it is due, however late somebody looks."""
    played = perform(mark("a"), Pause(2.0), mark("b"), Pause(3.0), mark("c"))
    assert played.names == ["a"]
    assert played.play.deadline == 2.0
    assert played.play.wake(now=1.0) == []
    played.now = 4.9
    assert played.take(played.play.wake(now=4.9)) == [{"event": "b"}]
    assert played.play.deadline == 5.0
    played.until(5.0)
    assert played.names == ["a", "b", "c"]
    assert played.play.deadline is None


@pytest.mark.parametrize("often", [1, 7, 100])
def test_it_makes_no_difference_how_often_one_looks(often: int) -> None:
    """The same things are told, and in the end the same is still to come."""
    played = perform(FindAgent(), Say("hello", 1.5), Pause(3.0), mark("a"), Pause(60.0))
    for number in range(1, often + 1):
        played.now = 10.0 * number / often
        played.take(played.play.wake(now=played.now))
    assert played.names[-3:] == ["not_typing", "message", "a"]
    assert played.play.deadline == 65.5


def test_an_event_is_awaited() -> None:
    """By its name; others are kept for whoever awaits them."""
    played = perform(Await("chat_session_message"), mark("a"), Await("chat_session_end"), mark("b"))
    assert played.play.deadline is None
    played.hear({"event": "chat_session_end"})
    assert played.names == []
    played.hear(said("hi"))
    assert played.names == ["a", "b"]


def test_one_of_several_events_is_awaited_by_its_fields() -> None:
    """A list of values means any of them, and an object may come as its JSON text."""
    step = Await(("one", "other"), {"data.type": ["A", "B"], "kind": 1})
    for event, is_meant in [
        ({"event": "third", "data": {"type": "A"}, "kind": 1}, False),
        ({"event": "one", "data": {"type": "C"}, "kind": 1}, False),
        ({"event": "one", "data": "no JSON", "kind": 1}, False),
        ({"event": "one", "data": {"type": "A"}}, False),
        ({"event": "one", "data": {"type": "A"}, "kind": 1}, True),
        ({"event": "other", "data": '{"type": "B"}', "kind": 1}, True),
    ]:
        played = perform(step, mark("a"))
        played.hear(event)
        assert bool(played.names) is is_meant, event


def test_nobody_is_awaited_for_ever() -> None:
    """Where the step has a timeout: from the moment that the scenario came to it."""
    played = perform(Pause(1.0), Await("chat_session_message", timeout=5.0), mark("a"))
    played.until(1.0)
    assert played.play.deadline == 6.0
    played.now = 6.0
    played.hear(said("too late"))
    assert [(at, event["event"]) for at, event in played.told] == [(6.0, "a")]


def test_time_passes_from_when_the_customer_spoke() -> None:
    """A pause after what was awaited is counted from there; after what was said before, not."""
    steps = (Await("chat_session_message"), Pause(2.0), mark("a"))
    late = perform(*steps)
    late.now = 10.0
    late.hear(said("hi"))
    assert late.play.deadline == 12.0
    early = perform(Pause(4.0), *steps)
    early.now = 1.0
    early.hear(said("hi"))
    early.until(4.0)
    assert early.play.deadline == 6.0


def test_what_nobody_awaits_is_bounded() -> None:
    """Of a flood the latest is kept."""
    played = perform(Pause(1.0), Await("chat_session_message", {"msg": "0"}, 5.0), mark("a"))
    for number in range(300):
        played.hear(said(str(number)))
    assert len(played.play._state.unconsumed) == 256
    played.run()
    assert played.told[0][0] == 6.0


def test_somebody_types_before_they_speak() -> None:
    """An agent where one is there, else the scenario; without typing the text comes alone."""
    played = perform(
        Say("one"), FindAgent(ring=0), Say("two", 2.0), Say("three", by="scenario"), AgentLeaves()
    )
    played.run()
    spoken = [(at, event) for at, event in played.told if "party_id" in event]
    scenario, ada = played.play._state.scenario_id, "ID-Ada"
    assert [(at, event["event"][13:], event["party_id"]) for at, event in spoken] == [
        (0.0, "message", scenario),
        (0.0, "party_joined", ada),
        (0.0, "typing", ada),
        (2.0, "not_typing", ada),
        (2.0, "message", ada),
        (2.0, "message", scenario),
        (2.0, "party_left", ada),
    ]


def test_a_free_agent_joins_after_ringing() -> None:
    """Connecting, party joined, connected: nobody is queued."""
    played = perform(FindAgent(ring=2.0))
    played.run()
    assert played.names == ["connecting 0", "party_joined", "connected 0"]
    assert played.now == 2.0


def test_who_finds_nobody_is_queued() -> None:
    """With an estimate, until somebody is free and called; then as ever."""
    pool = agents("Ada")
    first = perform(FindAgent(), AgentLeaves(), pool=pool)
    second = perform(FindAgent(ring=2.0), Pause(3.0), mark("a"), pool=pool)
    assert second.names == ["queued 60"]
    assert second.told[0][1]["ewt"] == "60"
    assert second.play.deadline is None
    assert pool.take_notified() == []
    first.run()
    assert pool.take_notified() == [second.play]
    second.now = 5.0
    second.take(second.play.wake(now=5.0))
    assert second.play.deadline == 7.0
    second.run()
    assert second.names[1:] == ["connecting 0", "party_joined", "connected 0", "a"]
    assert second.now == 10.0


def test_who_waits_hears_how_the_queue_moves() -> None:
    """A new estimate is told once, when it is another."""
    pool = agents("Ada")
    first = perform(FindAgent(), pool=pool)
    second = perform(FindAgent(), pool=pool)
    third = perform(FindAgent(), pool=pool)
    assert third.names == ["queued 120"]
    second.play.close(now=0.0)
    assert pool.take_notified() == [third.play]
    third.take(third.play.wake(now=0.0))
    third.take(third.play.wake(now=0.0))
    assert third.names == ["queued 120", "queued 60"]
    first.play.close(now=0.0)
    assert pool.take_notified() == [third.play]


def test_patience_ends_in_failure() -> None:
    """Who waits for longer than the scenario lets them has failed, and is in no queue."""
    pool = AgentPool([])
    played = perform(FindAgent(patience=30.0), mark("never"), pool=pool)
    assert pool.queue_length == 1
    played.run()
    assert played.names == ["queued 60", "failed"]
    assert played.now == 30.0
    assert played.play.done
    assert pool.queue_length == 0


def test_another_agent_joins_while_one_is_there() -> None:
    """Never the same; and where there is nobody else at all, the scenario goes on without."""
    played = perform(FindAgent(ring=0), FindAgent(ring=0), mark("a"), pool=agents("Ada", "Bo"))
    joined = [event["party_id"] for _, event in played.told if "party_id" in event]
    assert joined == ["ID-Ada", "ID-Bo"]
    alone = perform(FindAgent(ring=0), FindAgent(ring=0), mark("a"))
    assert alone.names == ["connecting 0", "party_joined", "connected 0", "a"]


def test_who_joined_last_speaks() -> None:
    """As long as they are there."""
    find, leave = (
        FindAgent(ring=0),
        Tell({"event": "chat_session_party_left", "party_id": "$agent"}),
    )
    pool = agents("Ada", "Bo")
    played = perform(find, find, Say("one"), leave, Say("two"), pool=pool)
    said = [event["party_id"] for _, event in played.told if "msg" in event]
    assert said == ["ID-Bo", "ID-Ada"]


def test_the_longest_there_leaves_first() -> None:
    """And where nobody is there, nobody leaves."""
    find = FindAgent(ring=0)
    pool = agents("Ada", "Bo")
    played = perform(find, find, AgentLeaves(), AgentLeaves(), AgentLeaves(), pool=pool)
    left = [e["party_id"] for _, e in played.told if e["event"] == "chat_session_party_left"]
    assert left == ["ID-Ada", "ID-Bo"]
    assert pool.free_slots == 2


def test_an_agent_who_is_told_to_have_left_is_free() -> None:
    """Whichever step told it."""
    gone = Tell({"event": "chat_session_party_left", "party_id": "$agent"})
    pool = agents("Ada")
    perform(FindAgent(ring=0), gone, AgentLeaves(), pool=pool)
    assert pool.free_slots == 1


def test_forms_are_numbered() -> None:
    """And a later step can name the last."""
    cancel = Tell({"event": "chat_session_secure_form_cancel", "form_request_id": "$form"})
    played = perform(ShowForm("name", 90.0), ShowForm("", 0), ShowSecureForm("card"), cancel)
    assert [event for _, event in played.told] == [
        {
            "event": "chat_session_form_show",
            "form_request_id": "1",
            "form_name": "name",
            "form_timeout": "90",
        },
        {
            "event": "chat_session_form_show",
            "form_request_id": "2",
            "form_name": "",
            "form_timeout": "0",
        },
        {
            "event": "chat_session_secure_form_show",
            "form_request_id": "3",
            "form_id": "card",
        },
        {"event": "chat_session_secure_form_cancel", "form_request_id": "3"},
    ]


@pytest.mark.parametrize(
    ("step", "event"),
    [
        (EndSession(), {"event": "chat_session_ended"}),
        (EndSession("failed"), {"event": "chat_session_status", "state": "failed"}),
        (EndSession("timed_out"), {"event": "chat_session_inactivity_timeout"}),
        (
            EndSession("timed_out", "bye"),
            {"event": "chat_session_inactivity_timeout", "msg": "bye"},
        ),
    ],
)
def test_the_end_is_the_end(step: EndSession, event: dict[str, Any]) -> None:
    """Nothing follows, whatever the scenario still holds and the customer says."""
    played = perform(step, mark("never"), after_disconnect=(mark("never"),))
    assert [event for _, event in played.told] == [event]
    assert played.play.done
    assert played.hear(DISCONNECT) == []


def test_who_is_closed_hears_nothing() -> None:
    """Not even that the customer disconnects."""
    played = perform(Pause(60.0), after_disconnect=(mark("never"),))
    played.play.close(now=1.0)
    assert played.hear(DISCONNECT) == []


def test_who_disconnects_is_let_go() -> None:
    """Where the scenario has nothing for that case: the agent leaves, and the session ends."""
    pool = agents("Ada")
    played = perform(FindAgent(ring=0), Pause(60.0), mark("never"), pool=pool)
    played.hear(DISCONNECT)
    assert played.names[-2:] == ["party_left", "ended"]
    assert played.play.done
    assert played.play.deadline is None
    assert pool.free_slots == 1


def test_who_disconnects_may_be_asked_something() -> None:
    """Then the session ends; and at once where they disconnect again."""
    scenario = Scenario(
        "test",
        (FindAgent(ring=1.0), mark("never")),
        (ShowForm("survey"), Await("chat_session_form_data", timeout=60.0), mark("thanks")),
    )
    for again, ending in [
        ({"event": "chat_session_form_data"}, ["form_show", "thanks", "ended"]),
        (DISCONNECT, ["form_show", "ended"]),
    ]:
        pool = agents("Ada")
        played = PlayedScenario(ScenarioPlayer(scenario, pool, CHAT))
        played.begin()
        played.hear(DISCONNECT)
        assert pool.free_slots == 1
        played.hear(again)
        assert played.names == ["connecting 0", *ending]
        assert played.play.done


def test_who_disconnects_in_the_queue_waits_no_longer() -> None:
    """Nor does anybody who rings for them."""
    pool = AgentPool([])
    played = perform(FindAgent(), pool=pool)
    played.hear(DISCONNECT)
    assert pool.queue_length == 0
    assert played.names == ["queued 60", "ended"]


def test_a_scenario_that_has_run_out_still_hears_a_disconnect() -> None:
    """It is not done: the customer is still there."""
    played = perform(mark("a"))
    assert not played.play.done
    assert played.hear(said("hello?")) == []
    played.hear(DISCONNECT)
    assert played.names == ["a", "ended"]


def conversed(*events: dict[str, Any]) -> list[str]:
    """What an agent says to each, and what else they do."""
    played = perform(FindAgent(ring=0), Converse(typing=0))
    before = len(played.told)
    for event in events:
        played.hear(event)
        played.run()
    return [event.get("msg") or event["event"][13:] for _, event in played.told[before:]]


def form(name: str, **fields: Any) -> dict[str, Any]:
    return {"event": f"chat_session_{name}", "form_request_id": "1", **fields}


def signal(data: object) -> dict[str, Any]:
    return {"event": "chat_session_signaling", "data": data}


@pytest.mark.parametrize(
    ("event", "answers"),
    [
        (said("hi"), ["message_read", "You said: hi"]),
        ({**said("<b>hi</b>"), "msg_text": "hi"}, ["message_read", "You said: hi"]),
        (said("hi", ""), ["You said: hi"]),
        (said(" "), ["message_read", "You said nothing that I can repeat."]),
        (
            {**said(""), "msg": {"odd": 1}, "msg_id": 7},
            ["message_read", "You said nothing that I can repeat."],
        ),
        (form("form_data", data={"a": 1, "b": 2}), ["Thank you for your 2 answers."]),
        (form("secure_form_data", data={"pin": "4711"}), ["Thank you for your answer."]),
        ({**said("hi"), "msg_id": 1.5}, ["message_read", "You said: hi"]),
        (form("form_data", data={}), ["Thank you for your 0 answers."]),
        (form("form_data", data="Form not found"), []),
        ({"event": "chat_form_data_cancel"}, ["No form, then."]),
        (form("secure_form_cancel"), ["No form, then."]),
        ({"event": "chat_session_file", "file_id": "F"}, ["Thank you for the file."]),
        ({"event": "chat_session_location"}, ["So that is where you are."]),
        (signal({"type": "REQUEST_CALL", "offerVideo": "true"}), ["signaling"] * 3),
        (signal('{"type": "ANSWER_CALL"}'), ["signaling"] * 2),
        (signal({"type": "CALL_REJECTED"}), ["Another time, then."]),
        (signal({"type": "END_CALL"}), []),
        (signal({"type": ["odd"]}), []),
        (signal("odd"), []),
        ({"event": "chat_session_typing"}, []),
        ({"event": ["odd"]}, []),
    ],
)
def test_an_agent_answers(event: dict[str, Any], answers: list[str]) -> None:
    """Each thing that a customer says, in its own way; what is odd is passed over."""
    assert conversed(event) == answers


def test_an_agent_answers_one_thing_after_the_other() -> None:
    """What is said while they type waits for its turn."""
    played = perform(FindAgent(ring=0), Converse(typing=2.0))
    for text in ("one", "two"):
        played.hear(said(text))
    played.run()
    answers = [(at, event["msg"]) for at, event in played.told if "msg" in event]
    assert answers == [(2.0, "You said: one"), (4.0, "You said: two")]
