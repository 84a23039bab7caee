"""Broken connections and restarts of the server."""

from __future__ import annotations

from tests.simulator.center.harness import CenterHarness, Script, agent_message, event, names


def test_an_aborted_poll_loses_no_events() -> None:
    """After `abort_poll` the next poll is accepted at once and returns the pending events."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    number = harness.poll(chat_id)
    assert isinstance(number, int)
    harness.center.abort_poll(number, now=harness.now)
    harness.send(chat_id, agent_message("Hello"))
    assert names(harness.poll(chat_id)) == ["message"]
    assert number not in harness.replies


def test_an_unnoticed_broken_poll_loses_its_events() -> None:
    """A second poll is refused meanwhile, and the events are only in the history."""
    harness = CenterHarness(notices_aborts=False)
    chat_id = harness.open_chat()
    number = harness.poll(chat_id)
    assert isinstance(number, int)
    harness.center.abort_poll(number, now=harness.now)
    harness.center.abort_poll(number, now=harness.now)
    assert harness.refused("GET", f"chats/{chat_id}/events") == (429, "5509")
    harness.send(chat_id, agent_message("Hello"))
    assert isinstance(harness.poll(chat_id), int)
    assert number not in harness.replies
    assert names(harness.history(chat_id)) == ["message"]


def test_a_broken_poll_ends_after_its_hold_time() -> None:
    """After the hold time of the broken poll the next poll is held as usual."""
    harness = CenterHarness(notices_aborts=False)
    chat_id = harness.open_chat()
    harness.center.abort_poll(harness.poll(chat_id), now=0.0)  # type: ignore[arg-type]  # the poll is held
    harness.advance(12.0)
    assert isinstance(harness.poll(chat_id), int)


def test_aborting_a_poll_that_is_not_held_changes_nothing() -> None:
    """Aborting a poll that never existed or was answered changes nothing."""
    harness = CenterHarness(lambda: Script([agent_message("Hello")]))
    chat_id = harness.open_chat()
    harness.poll(chat_id)
    for number in (harness.number, 4711):
        harness.center.abort_poll(number, now=harness.now)
    assert isinstance(harness.poll(chat_id), int)


def test_a_restart_breaks_polls_and_loses_pending_events() -> None:
    """Sessions and histories survive a restart, and clients that polled have time to reconnect."""
    harness = CenterHarness(poll_timeout=20.0, hold=10.0)
    chat_id, other = harness.open_chat(), harness.open_chat(client="bert")
    harness.send(other, agent_message("Unheard"))
    number = harness.poll(chat_id)
    assert isinstance(number, int)
    harness.now = 9.0
    assert harness.center.restart(now=harness.now) == [number]
    assert harness.request_json("POST", "chats")["chat_id"] == chat_id
    assert isinstance(harness.poll(chat_id), int)
    found = harness.refused("GET", f"chats/{other}/events", client="bert")
    assert found == (503, "5004"), "a client without a held poll gets the error once, later"
    assert isinstance(harness.poll(other, client="bert"), int)
    assert names(harness.history(other, client="bert")) == ["message"]
    harness.advance(19.9)
    assert not harness.chat(chat_id).is_over
    assert number not in harness.replies
    harness.advance(200)
    assert harness.chat(chat_id).outcome == "timed_out"


def test_a_restart_breaks_replies_that_were_ready() -> None:
    """Replies that were ready but not collected break too, and their events are lost."""
    harness = CenterHarness(lambda: Script(later=[(5.0, [agent_message("Hello")])]))
    chat_id = harness.open_chat()
    number = harness.poll(chat_id)
    assert harness.center.restart(now=5.0) == [number]
    harness.now = 5.0
    assert harness.refused("GET", f"chats/{chat_id}/events") == (503, "5004")
    assert isinstance(harness.poll(chat_id), int)
    assert names(harness.history(chat_id)) == ["message"]


def test_a_client_that_lost_the_end_in_a_restart_gets_5005() -> None:
    """The next poll is refused with 5005.

    The settings decide whether the history is still there.
    """
    harness = CenterHarness(history_after_end=True)
    chat_id = harness.open_chat()
    harness.send(chat_id, event("ended"))
    harness.center.restart(now=1.0)
    assert harness.refused("GET", f"chats/{chat_id}/events") == (404, "5005")
    assert names(harness.history(chat_id)) == ["ended"]
