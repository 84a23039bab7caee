"""Long polls: one per session, held until there are events or the hold time has passed."""

from __future__ import annotations

import pytest

from tests.simulator.center.harness import CenterHarness, Script, agent_message, event, names


def test_pending_events_are_delivered_once() -> None:
    """A poll returns all pending events; the next one has none and is held."""
    harness = CenterHarness(
        lambda: Script([event("status", state="queued"), agent_message("Hello")])
    )
    chat_id = harness.open_chat()
    assert names(harness.poll(chat_id)) == ["status", "message"]
    assert isinstance(harness.poll(chat_id), int)


def test_an_empty_poll_is_held_and_then_answered_empty() -> None:
    """After exactly `hold` seconds the reply has no events."""
    harness = CenterHarness(hold=5.0)
    number = harness.poll(harness.open_chat())
    harness.advance(4.9)
    assert number not in harness.replies
    harness.advance(0.1)
    assert harness.late_reply(number) == []


def test_an_event_answers_a_held_poll() -> None:
    """Events of one moment are in one reply."""
    harness = CenterHarness(
        lambda: Script(later=[(3.0, [agent_message("Hello"), agent_message("Here I am")])])
    )
    chat_id = harness.open_chat()
    number = harness.poll(chat_id)
    harness.advance(2.9)
    assert not harness.replies
    harness.advance(0.1)
    assert [one["msg"] for one in harness.late_reply(number)] == ["Hello", "Here I am"]


def test_a_script_may_end_the_session_by_itself() -> None:
    """The script ends it at its deadline; afterwards the center has no deadline."""
    harness = CenterHarness(
        lambda: Script(later=[(3.0, [event("ended")]), (9.0, [agent_message("Too late")])])
    )
    number = harness.poll(harness.open_chat())
    harness.advance(20.0)
    assert names(harness.late_reply(number)) == ["ended"]
    assert harness.center.deadline is None


@pytest.mark.parametrize(
    ("version", "with_429", "status"), [(1, True, 400), (2, True, 429), (2, False, 400)]
)
def test_a_second_poll_is_refused(version: int, with_429: bool, status: int) -> None:
    """Each second poll is refused with 5509, and the held one goes on."""
    harness = CenterHarness(busy_with_429=with_429)
    chat_id = harness.open_chat(version=version)
    number = harness.poll(chat_id, version=version)
    for _ in range(2):
        found = harness.refused("GET", f"chats/{chat_id}/events", version=version)
        assert found == (status, "5509")
    harness.send(chat_id, agent_message("Hello"))
    assert names(harness.late_reply(number)) == ["message"]


def test_the_last_events_are_delivered_once() -> None:
    """The first poll after the end returns the rest; the next one is refused."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.send(chat_id, agent_message("Bye"), event("ended"))
    assert names(harness.poll(chat_id)) == ["message", "ended"]
    assert harness.refused("GET", f"chats/{chat_id}/events") == (404, "5005")


def test_a_held_poll_returns_the_end() -> None:
    """It returns the end, and the next poll is refused."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    number = harness.poll(chat_id)
    harness.post(chat_id, event("end"))
    assert names(harness.late_reply(number)) == ["ended"]
    assert harness.refused("GET", f"chats/{chat_id}/events") == (404, "5005")


@pytest.mark.parametrize("path", ["events", "history", "casehistory"])
def test_a_client_cannot_use_another_clients_chat(path: str) -> None:
    """The center answers as if the chat did not exist."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    assert harness.refused("GET", f"chats/{chat_id}/{path}", client="bert") == (404, "5005")
    assert harness.refused("GET", f"chats/none/{path}") == (404, "5005")


def test_the_deadline_covers_chats_and_ready_replies() -> None:
    """It is None before the first and after the last chat, and now if replies are ready."""
    harness = CenterHarness()
    assert harness.center.deadline is None
    chat_id = harness.open_chat()
    assert harness.center.deadline == 180.0  # the timeout of a client that does not poll
    harness.poll(chat_id)
    assert harness.center.deadline == 12.0
    harness.center.send_event(chat_id, event("ended"), now=1.0)
    assert harness.center.deadline == 1.0
    harness.collect()
    assert harness.center.deadline is None


def test_time_does_not_go_back() -> None:
    """A request with an earlier time is handled at the current time."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.advance(100)
    harness.now = 0.0
    harness.send(chat_id, agent_message("Hello"))
    assert harness.history(chat_id)[0]["timestamp"] == "1700000100"


def test_a_player_that_is_always_due_does_not_stop_the_center() -> None:
    """A player that is always due is woken again only at the next call of `collect`."""

    class AlwaysDue(Script):
        @property
        def deadline(self) -> float | None:
            return 0.0

    harness = CenterHarness(AlwaysDue)
    chat_id = harness.open_chat()
    assert harness.center.deadline == 0.0
    harness.post(chat_id, event("end"))
    assert harness.center.deadline is None
