"""The long poll: one a session, held until there is news, or for so long."""

from __future__ import annotations

import pytest

from tests.simulator.center.office import Office, Script, event, names, says


def test_news_is_told_at_once_and_once() -> None:
    """A poll brings all that is new; the next one has nothing, and is held."""
    office = Office(lambda: Script([event("status", state="queued"), says("Hello")]))
    chat_id = office.opens()
    assert names(office.polls(chat_id)) == ["status", "message"]
    assert isinstance(office.polls(chat_id), int)


def test_an_empty_poll_is_held_and_then_answered_empty() -> None:
    """After `hold` seconds, to the second, it brings nothing."""
    office = Office(hold=5.0)
    number = office.polls(office.opens())
    office.waits(4.9)
    assert number not in office.replies
    office.waits(0.1)
    assert office.brought(number) == []


def test_a_held_poll_is_answered_when_something_happens() -> None:
    """What happens at one time comes in one reply."""
    office = Office(lambda: Script(later=[(3.0, [says("Hello"), says("Here I am")])]))
    chat_id = office.opens()
    number = office.polls(chat_id)
    office.waits(2.9)
    assert not office.replies
    office.waits(0.1)
    assert [one["msg"] for one in office.brought(number)] == ["Hello", "Here I am"]


def test_a_script_may_end_the_session_by_itself() -> None:
    """When its time has come; nothing is due afterwards."""
    office = Office(lambda: Script(later=[(3.0, [event("ended")]), (9.0, [says("Too late")])]))
    number = office.polls(office.opens())
    office.waits(20.0)
    assert names(office.brought(number)) == ["ended"]
    assert office.center.deadline is None


@pytest.mark.parametrize(
    ("version", "with_429", "status"), [(1, True, 400), (2, True, 429), (2, False, 400)]
)
def test_a_second_poll_is_refused(version: int, with_429: bool, status: int) -> None:
    """With 5509, as often as it is asked; the one that is held goes on."""
    office = Office(busy_with_429=with_429)
    chat_id = office.opens(version=version)
    number = office.polls(chat_id, version=version)
    for _ in range(2):
        found = office.refused("GET", f"chats/{chat_id}/events", version=version)
        assert found == (status, "5509")
    office.tells(chat_id, says("Hello"))
    assert names(office.brought(number)) == ["message"]


def test_the_last_news_is_told_once() -> None:
    """Who polls after the end hears the rest, and then that there is no such chat."""
    office = Office()
    chat_id = office.opens()
    office.tells(chat_id, says("Bye"), event("ended"))
    assert names(office.polls(chat_id)) == ["message", "ended"]
    assert office.refused("GET", f"chats/{chat_id}/events") == (404, "5005")


def test_a_held_poll_hears_of_the_end() -> None:
    """And the next one that there is no such chat."""
    office = Office()
    chat_id = office.opens()
    number = office.polls(chat_id)
    office.posts(chat_id, event("end"))
    assert names(office.brought(number)) == ["ended"]
    assert office.refused("GET", f"chats/{chat_id}/events") == (404, "5005")


@pytest.mark.parametrize("path", ["events", "history", "casehistory"])
def test_nobody_finds_another_clients_chat(path: str) -> None:
    """It is answered as if there were none."""
    office = Office()
    chat_id = office.opens()
    assert office.refused("GET", f"chats/{chat_id}/{path}", client="bert") == (404, "5005")
    assert office.refused("GET", f"chats/none/{path}") == (404, "5005")


def test_there_is_a_deadline_while_something_may_happen() -> None:
    """None before the first chat and after the last; what is ready is due now."""
    office = Office()
    assert office.center.deadline is None
    chat_id = office.opens()
    assert office.center.deadline == 180.0  # the poll that nobody asks
    office.polls(chat_id)
    assert office.center.deadline == 12.0
    office.center.send_event(chat_id, event("ended"), now=1.0)
    assert office.center.deadline == 1.0
    office.collects()
    assert office.center.deadline is None


def test_time_does_not_go_back() -> None:
    """A request that comes with an earlier time is heard now."""
    office = Office()
    chat_id = office.opens()
    office.waits(100)
    office.now = 0.0
    office.tells(chat_id, says("Hello"))
    assert office.history(chat_id)[0]["timestamp"] == "1700000100"


def test_a_play_that_never_lets_go_does_not_stop_the_center() -> None:
    """What is always due at once waits for the next time that somebody collects."""

    class Restless(Script):
        @property
        def deadline(self) -> float | None:
            return 0.0

    office = Office(Restless)
    chat_id = office.opens()
    assert office.center.deadline == 0.0
    office.posts(chat_id, event("end"))
    assert office.center.deadline is None
