"""Playing of each kind of step."""

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
from tests.simulator.scenarios.harness import CHAT, PlayedScenario, agent, customer_text, start

DISCONNECT = {"event": "chat_session_disconnect"}


def mark(name: str) -> Tell:
    return Tell({"event": name})


def agents(*names: str) -> AgentPool:
    return AgentPool([agent(name) for name in names])


def test_a_tell_step_sends_its_event() -> None:
    """The event is sent unchanged, except that names in id fields are replaced by ids."""
    event = {
        "event": "chat_session_cobrowsing_started",
        "msg": "$chat",
        "party_id": "$scenario",
        "session_id": "$chat",
        "odd": [{"form_id": "$form"}],
        "number": 7,
    }
    (sent,) = (event for _, event in start(Tell(event)).sent)
    assert sent["msg"] == "$chat"
    assert sent["session_id"] == CHAT
    assert sent["odd"] == [{"form_id": "0"}]
    assert sent["number"] == 7
    assert len(sent["party_id"]) == 36
    assert event["session_id"] == "$chat"


def test_a_pause_takes_its_time() -> None:
    """The events after a pause come at their time, however late the player is woken."""
    played = start(mark("a"), Pause(2.0), mark("b"), Pause(3.0), mark("c"))
    assert played.names == ["a"]
    assert played.player.deadline == 2.0
    assert played.player.wake(now=1.0) == []
    played.now = 4.9
    assert played.record(played.player.wake(now=4.9)) == [{"event": "b"}]
    assert played.player.deadline == 5.0
    played.until(5.0)
    assert played.names == ["a", "b", "c"]
    assert played.player.deadline is None


@pytest.mark.parametrize("often", [1, 7, 100])
def test_the_number_of_wake_ups_changes_nothing(often: int) -> None:
    """The events and the last deadline do not depend on the number of wake-ups."""
    played = start(FindAgent(), Say("hello", 1.5), Pause(3.0), mark("a"), Pause(60.0))
    for number in range(1, often + 1):
        played.now = 10.0 * number / often
        played.record(played.player.wake(now=played.now))
    assert played.names[-3:] == ["not_typing", "message", "a"]
    assert played.player.deadline == 65.5


def test_an_event_is_awaited() -> None:
    """The step is satisfied by the named event; others are kept for later steps."""
    played = start(Await("chat_session_message"), mark("a"), Await("chat_session_end"), mark("b"))
    assert played.player.deadline is None
    played.receive({"event": "chat_session_end"})
    assert played.names == []
    played.receive(customer_text("hi"))
    assert played.names == ["a", "b"]


def test_one_of_several_events_is_awaited_by_its_fields() -> None:
    """A list of values means any of them, and an object may be given as JSON text."""
    step = Await(("one", "other"), {"data.type": ["A", "B"], "kind": 1})
    for event, is_meant in [
        ({"event": "third", "data": {"type": "A"}, "kind": 1}, False),
        ({"event": "one", "data": {"type": "C"}, "kind": 1}, False),
        ({"event": "one", "data": "no JSON", "kind": 1}, False),
        ({"event": "one", "data": {"type": "A"}}, False),
        ({"event": "one", "data": {"type": "A"}, "kind": 1}, True),
        ({"event": "other", "data": '{"type": "B"}', "kind": 1}, True),
    ]:
        played = start(step, mark("a"))
        played.receive(event)
        assert bool(played.names) is is_meant, event


def test_waiting_has_a_timeout() -> None:
    """The timeout of the step counts from the moment that the step becomes current."""
    played = start(Pause(1.0), Await("chat_session_message", timeout=5.0), mark("a"))
    played.until(1.0)
    assert played.player.deadline == 6.0
    played.now = 6.0
    played.receive(customer_text("too late"))
    assert [(at, event["event"]) for at, event in played.sent] == [(6.0, "a")]


def test_a_pause_counts_from_the_awaited_event() -> None:
    """A pause counts from the awaited event, unless that came before the step."""
    steps = (Await("chat_session_message"), Pause(2.0), mark("a"))
    late = start(*steps)
    late.now = 10.0
    late.receive(customer_text("hi"))
    assert late.player.deadline == 12.0
    early = start(Pause(4.0), *steps)
    early.now = 1.0
    early.receive(customer_text("hi"))
    early.until(4.0)
    assert early.player.deadline == 6.0


def test_unconsumed_events_are_bounded() -> None:
    """Only the latest events of the customer are kept."""
    played = start(Pause(1.0), Await("chat_session_message", {"msg": "0"}, 5.0), mark("a"))
    for number in range(300):
        played.receive(customer_text(str(number)))
    assert len(played.player._state.unconsumed) == 256
    played.run()
    assert played.sent[0][0] == 6.0


def test_the_agent_types_before_a_message() -> None:
    """The agent types first if one has joined; otherwise the scenario sends the text at once."""
    played = start(
        Say("one"), FindAgent(ring=0), Say("two", 2.0), Say("three", by="scenario"), AgentLeaves()
    )
    played.run()
    spoken = [(at, event) for at, event in played.sent if "party_id" in event]
    scenario, ada = played.player._state.scenario_id, "ID-Ada"
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
    """The states are connecting and connected, without queued."""
    played = start(FindAgent(ring=2.0))
    played.run()
    assert played.names == ["connecting 0", "party_joined", "connected 0"]
    assert played.now == 2.0


def test_without_a_free_agent_the_chat_is_queued() -> None:
    """A chat without a free agent is queued with an estimate until an agent is free."""
    pool = agents("Ada")
    first = start(FindAgent(), AgentLeaves(), pool=pool)
    second = start(FindAgent(ring=2.0), Pause(3.0), mark("a"), pool=pool)
    assert second.names == ["queued 60"]
    assert second.sent[0][1]["ewt"] == "60"
    assert second.player.deadline is None
    assert pool.take_notified() == []
    first.run()
    assert pool.take_notified() == [second.player]
    second.now = 5.0
    second.record(second.player.wake(now=5.0))
    assert second.player.deadline == 7.0
    second.run()
    assert second.names[1:] == ["connecting 0", "party_joined", "connected 0", "a"]
    assert second.now == 10.0


def test_a_changed_estimate_is_sent() -> None:
    """A new estimate is sent once, and only if it has changed."""
    pool = agents("Ada")
    first = start(FindAgent(), pool=pool)
    second = start(FindAgent(), pool=pool)
    third = start(FindAgent(), pool=pool)
    assert third.names == ["queued 120"]
    second.player.close(now=0.0)
    assert pool.take_notified() == [third.player]
    third.record(third.player.wake(now=0.0))
    third.record(third.player.wake(now=0.0))
    assert third.names == ["queued 120", "queued 60"]
    first.player.close(now=0.0)
    assert pool.take_notified() == [third.player]


def test_the_queue_has_a_timeout() -> None:
    """After the patience of the step the chat leaves the queue and fails."""
    pool = AgentPool([])
    played = start(FindAgent(patience=30.0), mark("z"), pool=pool)
    assert pool.queue_length == 1
    played.run()
    assert played.names == ["queued 60", "failed"]
    assert played.now == 30.0
    assert played.player.done
    assert pool.queue_length == 0


def test_another_agent_joins_while_one_is_there() -> None:
    """A second agent is never the same one; without a second agent the scenario goes on."""
    played = start(FindAgent(ring=0), FindAgent(ring=0), mark("a"), pool=agents("Ada", "Bo"))
    joined = [event["party_id"] for _, event in played.sent if "party_id" in event]
    assert joined == ["ID-Ada", "ID-Bo"]
    alone = start(FindAgent(ring=0), FindAgent(ring=0), mark("a"))
    assert alone.names == ["connecting 0", "party_joined", "connected 0", "a"]


def test_the_last_joined_agent_speaks() -> None:
    """The last joined agent speaks while it is in the chat."""
    find, leave = (
        FindAgent(ring=0),
        Tell({"event": "chat_session_party_left", "party_id": "$agent"}),
    )
    pool = agents("Ada", "Bo")
    played = start(find, find, Say("one"), leave, Say("two"), pool=pool)
    speakers = [event["party_id"] for _, event in played.sent if "msg" in event]
    assert speakers == ["ID-Bo", "ID-Ada"]


def test_the_first_joined_agent_leaves_first() -> None:
    """The agent that joined first leaves first; without an agent the step does nothing."""
    find = FindAgent(ring=0)
    pool = agents("Ada", "Bo")
    played = start(find, find, AgentLeaves(), AgentLeaves(), AgentLeaves(), pool=pool)
    left = [e["party_id"] for _, e in played.sent if e["event"] == "chat_session_party_left"]
    assert left == ["ID-Ada", "ID-Bo"]
    assert pool.free_slots == 2


def test_a_party_left_event_frees_the_agent() -> None:
    """A `Tell` step with a party_left frees the agent too."""
    gone = Tell({"event": "chat_session_party_left", "party_id": "$agent"})
    pool = agents("Ada")
    start(FindAgent(ring=0), gone, AgentLeaves(), pool=pool)
    assert pool.free_slots == 1


def test_forms_are_numbered() -> None:
    """Form request ids are numbered, and a later step can refer to the last one."""
    cancel = Tell({"event": "chat_session_secure_form_cancel", "form_request_id": "$form"})
    played = start(ShowForm("name", 90.0), ShowForm("", 0), ShowSecureForm("card"), cancel)
    assert [event for _, event in played.sent] == [
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
def test_no_event_follows_the_end(step: EndSession, event: dict[str, Any]) -> None:
    """No event follows the end, whatever steps and customer events remain."""
    played = start(step, mark("z"), after_disconnect=(mark("never"),))
    assert [event for _, event in played.sent] == [event]
    assert played.player.done
    assert played.receive(DISCONNECT) == []


def test_a_closed_player_ignores_events() -> None:
    """A closed player ignores all events, also a disconnect."""
    played = start(Pause(60.0), after_disconnect=(mark("z"),))
    played.player.close(now=1.0)
    assert played.receive(DISCONNECT) == []


def test_a_disconnect_ends_the_chat() -> None:
    """By default the agent leaves and the session ends."""
    pool = agents("Ada")
    played = start(FindAgent(ring=0), Pause(60.0), mark("z"), pool=pool)
    played.receive(DISCONNECT)
    assert played.names[-2:] == ["party_left", "ended"]
    assert played.player.done
    assert played.player.deadline is None
    assert pool.free_slots == 1


def test_steps_for_a_disconnect_are_played() -> None:
    """The steps for a disconnect are played; a second disconnect ends the session at once."""
    scenario = Scenario(
        "test",
        (FindAgent(ring=1.0), mark("z")),
        (ShowForm("survey"), Await("chat_session_form_data", timeout=60.0), mark("thanks")),
    )
    for again, ending in [
        ({"event": "chat_session_form_data"}, ["form_show", "thanks", "ended"]),
        (DISCONNECT, ["form_show", "ended"]),
    ]:
        pool = agents("Ada")
        played = PlayedScenario(ScenarioPlayer(scenario, pool, CHAT))
        played.begin()
        played.receive(DISCONNECT)
        assert pool.free_slots == 1
        played.receive(again)
        assert played.names == ["connecting 0", *ending]
        assert played.player.done


def test_a_disconnect_leaves_the_queue() -> None:
    """A disconnect withdraws the chat from the queue and cancels a ringing agent."""
    pool = AgentPool([])
    played = start(FindAgent(), pool=pool)
    played.receive(DISCONNECT)
    assert pool.queue_length == 0
    assert played.names == ["queued 60", "ended"]


def test_a_finished_scenario_handles_a_disconnect() -> None:
    """The player is not done while the customer is in the chat."""
    played = start(mark("a"))
    assert not played.player.done
    assert played.receive(customer_text("hello?")) == []
    played.receive(DISCONNECT)
    assert played.names == ["a", "ended"]


def answers_of(*events: dict[str, Any]) -> list[str]:
    """Return the agent's answers to these events, and its other events."""
    played = start(FindAgent(ring=0), Converse(typing=0))
    before = len(played.sent)
    for event in events:
        played.receive(event)
        played.run()
    return [event.get("msg") or event["event"][13:] for _, event in played.sent[before:]]


def form(name: str, **fields: Any) -> dict[str, Any]:
    return {"event": f"chat_session_{name}", "form_request_id": "1", **fields}


def signal(data: object) -> dict[str, Any]:
    return {"event": "chat_session_signaling", "data": data}


@pytest.mark.parametrize(
    ("event", "answers"),
    [
        (customer_text("hi"), ["message_read", "You said: hi"]),
        ({**customer_text("<b>hi</b>"), "msg_text": "hi"}, ["message_read", "You said: hi"]),
        (customer_text("hi", ""), ["You said: hi"]),
        (customer_text(" "), ["message_read", "You said nothing that I can repeat."]),
        (
            {**customer_text(""), "msg": {"odd": 1}, "msg_id": 7},
            ["message_read", "You said nothing that I can repeat."],
        ),
        (form("form_data", data={"a": 1, "b": 2}), ["Thank you for your 2 answers."]),
        (form("secure_form_data", data={"pin": "4711"}), ["Thank you for your answer."]),
        ({**customer_text("hi"), "msg_id": 1.5}, ["message_read", "You said: hi"]),
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
    """Each kind of customer event has its own answer; unknown ones are ignored."""
    assert answers_of(event) == answers


def test_an_agent_answers_events_in_turn() -> None:
    """Events that come while the agent types wait for their turn."""
    played = start(FindAgent(ring=0), Converse(typing=2.0))
    for text in ("one", "two"):
        played.receive(customer_text(text))
    played.run()
    answers = [(at, event["msg"]) for at, event in played.sent if "msg" in event]
    assert answers == [(2.0, "You said: one"), (4.0, "You said: two")]
