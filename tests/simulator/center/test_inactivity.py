"""Inactivity: warn and then disconnect a silent customer; disconnect one that stops polling."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.center.harness import CenterHarness, event, names


def poll_for(harness: CenterHarness, chat_id: str, seconds: float) -> list[tuple[float, str]]:
    """Poll for `seconds`; return the time and name of each event."""
    heard: list[tuple[float, str]] = []
    end = harness.now + seconds
    while harness.now < end:
        reply = harness.request("GET", f"chats/{chat_id}/events")
        if reply is None:
            number = harness.number
            while number not in harness.replies:
                at = harness.center.deadline
                assert at is not None
                harness.advance(at - harness.now)
            heard += [(harness.now, name) for name in names(harness.late_reply(number))]
        elif reply.status == 404:
            break
        else:
            heard += [(harness.now, "news")]
    return heard


def test_the_warning_comes_at_half_the_time() -> None:
    """The end follows in one batch with the timeout event, which sets the outcome."""
    harness = CenterHarness(inactivity_timeout=100.0)
    chat_id = harness.open_chat()
    assert poll_for(harness, chat_id, 200) == [
        (50.0, "timeout_warning"),
        (100.0, "inactivity_timeout"),
        (100.0, "ended"),
    ]
    chat = harness.chat(chat_id)
    assert (chat.is_over, chat.outcome, harness.scripts[0].closed) == (True, "timed_out", 1)


@pytest.mark.parametrize(
    "did",
    [
        event("message", msg="x", msg_id="1"),
        event("typing"),
        event("file", file_id="f", msg_id="1"),
        event("form_data", form_request_id="1", form_name="n", data={}),
    ],
)
def test_activity_restarts_the_time(did: dict[str, Any]) -> None:
    """The time restarts with or without a warning before it, and a new warning follows."""
    harness = CenterHarness(inactivity_timeout=100.0)
    chat_id = harness.open_chat()
    poll_for(harness, chat_id, 50)
    harness.post(chat_id, did)
    heard = [one for one in poll_for(harness, chat_id, 200) if one[1] != "news"]
    assert [name for _, name in heard[-3:]] == ["timeout_warning", "inactivity_timeout", "ended"]
    assert heard[-1][0] - heard[-3][0] == 50.0
    assert heard[-1][0] >= 150.0


def test_a_receipt_is_no_activity() -> None:
    """Receipts do not restart the time, because phones send them automatically."""
    harness = CenterHarness(inactivity_timeout=100.0)
    chat_id = harness.open_chat()
    poll_for(harness, chat_id, 40)
    harness.post(chat_id, event("message_read", ref_msg_id="0"))
    assert poll_for(harness, chat_id, 200)[-1] == (100.0, "ended")


def test_an_entry_may_have_its_own_timeout() -> None:
    """The timeout of the app entry replaces the center's."""
    harness = CenterHarness()
    chat_id = harness.open_chat(app="hasty")
    harness.poll(chat_id, app="hasty")
    harness.advance(5.0)
    assert names(harness.late_reply(harness.number)) == ["timeout_warning"]


def test_a_client_that_stops_polling_is_disconnected() -> None:
    """The session ends after `poll_timeout` seconds, whatever the center sends."""
    harness = CenterHarness(poll_timeout=30.0)
    chat_id = harness.open_chat()
    harness.advance(29.0)
    harness.poll(chat_id)
    harness.advance(12.0)  # the poll is held
    harness.advance(29.0)
    harness.post(chat_id, event("typing"))
    assert not harness.chat(chat_id).is_over
    harness.advance(1.0)
    assert harness.chat(chat_id).outcome == "timed_out"


def test_a_late_collect_finds_the_same_events() -> None:
    """The warning and the end are delivered, though `collect` was not called in between."""
    harness = CenterHarness(inactivity_timeout=100.0)
    chat_id = harness.open_chat()
    harness.now = 500.0
    assert names(harness.poll(chat_id)) == ["timeout_warning", "inactivity_timeout", "ended"]
