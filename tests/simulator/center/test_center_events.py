"""Events of the center: it fills in ids and times, and applies their meaning to the chat."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm._protocol import codec
from chatfsm._protocol import names as wire
from tests.simulator.center.harness import CenterHarness, Event, agent_message, event, names


def test_the_codec_knows_every_event_name() -> None:
    """The codec can decode every event name that the center writes."""
    named = {value for value in vars(wire).values() if isinstance(value, str)}
    written = {name for name in named if name.startswith("chat_")}
    assert written <= set(codec.EVENTS)
    assert len(written) > 25


def received_events(harness: CenterHarness, *events: Event, version: int = 2) -> list[Event]:
    chat_id = harness.open_chat(version=version)
    harness.send(chat_id, *events)
    found = harness.poll(chat_id, version=version)
    assert isinstance(found, list)
    return found


def test_message_ids_are_even_and_ascending() -> None:
    """An id set by the script is kept, later ids count on from it, and odd ids do not count."""
    given = [
        agent_message("a"),
        agent_message("b"),
        agent_message("c", msg_id="7"),
        agent_message("d"),
        agent_message("e", msg_id="é²"),
    ]
    found = received_events(CenterHarness(), *given, event("location", latitude=1, longitude=2))
    assert [one["msg_id"] for one in found] == ["0", "2", "7", "8", "é²", "10"]


@pytest.mark.parametrize(
    ("settings", "stamp"),
    [({}, "1700000001"), ({"milliseconds": True}, "1700000001500"), ({"started_at": 5}, "6")],
)
def test_times_are_texts(settings: dict[str, Any], stamp: str) -> None:
    """Timestamps are texts in seconds, or milliseconds by setting.

    One set by the script is kept.
    """
    harness = CenterHarness(**settings)
    harness.now = 1.5
    found = received_events(harness, agent_message("a"), agent_message("b", timestamp="7"))
    assert [one["timestamp"] for one in found] == [stamp, "7"]


@pytest.mark.parametrize(
    "given",
    [
        event("status", state="queued", ewt="4"),
        event("ended"),
        event("typing", party_id="A1"),
        event("not_typing", party_id="A1"),
    ],
)
def test_some_events_carry_no_time(given: Event) -> None:
    """These events have no timestamp, as in the captured traffic."""
    assert received_events(CenterHarness(), given) == [given]


def test_a_clock_jump_changes_only_timestamps() -> None:
    """Deadlines do not move when the wall clock jumps."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    before = harness.center.deadline
    harness.center.jump_clock(-3600.0)
    assert harness.center.deadline == before
    harness.send(chat_id, agent_message("a"))
    assert harness.history(chat_id)[0]["timestamp"] == "1699996400"
    assert harness.center.wall_clock == 1699996400.0


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (event("status", state="failed"), "failed"),
        (event("ended"), "ended"),
        (event("inactivity_timeout", msg="x"), "timed_out"),
        (event("inactvity_timeout", msg="x"), "timed_out"),
    ],
)
def test_three_events_end_a_session(given: Event, outcome: str) -> None:
    """The first of them sets the outcome; no event can be sent afterwards."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.send(chat_id, event("status", state="completed"))
    assert not harness.chat(chat_id).is_over
    harness.send(chat_id, given)
    assert harness.chat(chat_id).outcome == outcome
    with pytest.raises(ValueError, match="it is over"):
        harness.send(chat_id, event("ended"))


def test_events_in_one_batch_with_the_end_are_delivered() -> None:
    """Events in one batch with the end are delivered, as by real servers.

    The player closes once.
    """
    harness = CenterHarness()
    last = [event("status", state="failed"), event("ended"), event("party_left", party_id="A1")]
    chat_id = harness.open_chat()
    harness.scripts[0].answer = lambda _event: last
    harness.post(chat_id, event("typing"))
    assert names(harness.poll(chat_id)) == ["status", "ended", "party_left"]
    assert (harness.chat(chat_id).outcome, harness.scripts[0].closed) == ("failed", 1)


def test_version_one_has_no_receipts_or_case_events() -> None:
    """Version 1 delivers no receipts and no case events."""
    given = [
        event("case_set", case_id="7"),
        event("message_read", ref_msg_id="1"),
        agent_message("Hi"),
    ]
    assert names(received_events(CenterHarness(), *given, version=1)) == ["message"]
    assert names(received_events(CenterHarness(), *given, version=2)) == [
        "case_set",
        "message_read",
        "message",
    ]


def test_the_state_is_that_of_the_last_status() -> None:
    """The chat's state and estimate are those of the last status, whatever the estimate holds."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.send(chat_id, event("status", state="queued", ewt=30), event("status", state=7))
    assert (harness.chat(chat_id).state, harness.chat(chat_id).ewt) == ("queued", "30")
    harness.send(chat_id, event("status", state="connected", ewt=""))
    assert (harness.chat(chat_id).state, harness.chat(chat_id).ewt) == ("connected", "0")


@pytest.mark.parametrize("given", [{}, {"event": 7}, event("message", msg=float("nan"))])
def test_an_invalid_event_is_refused_and_changes_nothing(given: Event) -> None:
    """An invalid event and an unknown chat raise an error and change nothing."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own message
        harness.send(chat_id, given)
    assert harness.chat(chat_id).pending == []
    with pytest.raises(KeyError):
        harness.send("none", event("ended"))
