"""Who says nothing is warned and let go, and so is who does not poll."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.center.office import Office, event, names


def listen(office: Office, chat_id: str, seconds: float) -> list[tuple[float, str]]:
    """Poll for so long; what is heard, and when."""
    heard: list[tuple[float, str]] = []
    end = office.now + seconds
    while office.now < end:
        reply = office.ask("GET", f"chats/{chat_id}/events")
        if reply is None:
            number = office.number
            while number not in office.replies:
                at = office.center.deadline
                assert at is not None
                office.waits(at - office.now)
            heard += [(office.now, name) for name in names(office.brought(number))]
        elif reply.status == 404:
            break
        else:
            heard += [(office.now, "news")]
    return heard


def test_the_warning_comes_at_half_the_time() -> None:
    """Then the end, in one batch with the timeout, which decides."""
    office = Office(inactivity_timeout=100.0)
    chat_id = office.opens()
    assert listen(office, chat_id, 200) == [
        (50.0, "timeout_warning"),
        (100.0, "inactivity_timeout"),
        (100.0, "ended"),
    ]
    chat = office.chat(chat_id)
    assert (chat.is_over, chat.outcome, office.scripts[0].closed) == (True, "timed_out", 1)


@pytest.mark.parametrize(
    "did",
    [
        event("message", msg="x", msg_id="1"),
        event("typing"),
        event("file", file_id="f", msg_id="1"),
        event("form_data", form_request_id="1", form_name="n", data={}),
    ],
)
def test_activity_starts_the_time_anew(did: dict[str, Any]) -> None:
    """Whether it had been warned or not; and another warning comes."""
    office = Office(inactivity_timeout=100.0)
    chat_id = office.opens()
    listen(office, chat_id, 50)
    office.posts(chat_id, did)
    heard = [one for one in listen(office, chat_id, 200) if one[1] != "news"]
    assert [name for _, name in heard[-3:]] == ["timeout_warning", "inactivity_timeout", "ended"]
    assert heard[-1][0] - heard[-3][0] == 50.0
    assert heard[-1][0] >= 150.0


def test_a_receipt_is_no_activity() -> None:
    """Phones send them by themselves."""
    office = Office(inactivity_timeout=100.0)
    chat_id = office.opens()
    listen(office, chat_id, 40)
    office.posts(chat_id, event("message_read", ref_msg_id="0"))
    assert listen(office, chat_id, 200)[-1] == (100.0, "ended")


def test_an_entry_may_have_its_own_time() -> None:
    """Which counts instead of the center's."""
    office = Office()
    chat_id = office.opens(app="hasty")
    office.polls(chat_id, app="hasty")
    office.waits(5.0)
    assert names(office.brought(office.number)) == ["timeout_warning"]


def test_who_does_not_poll_is_let_go() -> None:
    """After `poll_timeout` seconds, however much is said."""
    office = Office(poll_timeout=30.0)
    chat_id = office.opens()
    office.waits(29.0)
    office.polls(chat_id)
    office.waits(12.0)  # the poll is held
    office.waits(29.0)
    office.posts(chat_id, event("typing"))
    assert not office.chat(chat_id).is_over
    office.waits(1.0)
    assert office.chat(chat_id).outcome == "timed_out"


def test_who_looks_late_finds_the_same() -> None:
    """Both the warning and the end, though nobody collected in between."""
    office = Office(inactivity_timeout=100.0)
    chat_id = office.opens()
    office.now = 500.0
    assert names(office.polls(chat_id)) == ["timeout_warning", "inactivity_timeout", "ended"]
