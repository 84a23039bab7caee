"""Connections that break, and a server that restarts."""

from __future__ import annotations

from tests.simulator.center.office import Office, Script, event, names, says


def test_a_center_that_hears_of_a_broken_poll_keeps_the_news() -> None:
    """The next poll is taken at once, and has it."""
    office = Office()
    chat_id = office.opens()
    number = office.polls(chat_id)
    assert isinstance(number, int)
    office.center.abort_poll(number, now=office.now)
    office.tells(chat_id, says("Hello"))
    assert names(office.polls(chat_id)) == ["message"]
    assert number not in office.replies


def test_a_center_that_does_not_hear_answers_into_the_void() -> None:
    """A second poll is refused meanwhile; the news is in the history alone."""
    office = Office(notices_aborts=False)
    chat_id = office.opens()
    number = office.polls(chat_id)
    assert isinstance(number, int)
    office.center.abort_poll(number, now=office.now)
    office.center.abort_poll(number, now=office.now)
    assert office.refused("GET", f"chats/{chat_id}/events") == (429, "5509")
    office.tells(chat_id, says("Hello"))
    assert isinstance(office.polls(chat_id), int)
    assert number not in office.replies
    assert names(office.history(chat_id)) == ["message"]


def test_a_broken_poll_is_over_after_its_time() -> None:
    """Then the next one may wait."""
    office = Office(notices_aborts=False)
    chat_id = office.opens()
    office.center.abort_poll(office.polls(chat_id), now=0.0)  # type: ignore[arg-type]  # it is held
    office.waits(12.0)
    assert isinstance(office.polls(chat_id), int)


def test_giving_up_what_is_not_held_changes_nothing() -> None:
    """Neither what never was, nor what was answered."""
    office = Office(lambda: Script([says("Hello")]))
    chat_id = office.opens()
    office.polls(chat_id)
    for number in (office.number, 4711):
        office.center.abort_poll(number, now=office.now)
    assert isinstance(office.polls(chat_id), int)


def test_a_restart_breaks_polls_and_loses_news() -> None:
    """Sessions and histories survive it, and whoever polled has time to come back."""
    office = Office(poll_timeout=20.0, hold=10.0)
    chat_id, other = office.opens(), office.opens(client="bert")
    office.tells(other, says("Unheard"))
    number = office.polls(chat_id)
    assert isinstance(number, int)
    office.now = 9.0
    assert office.center.restart(now=office.now) == [number]
    assert office.asks("POST", "chats")["chat_id"] == chat_id
    assert isinstance(office.polls(chat_id), int)
    found = office.refused("GET", f"chats/{other}/events", client="bert")
    assert found == (503, "5004"), "who had no poll is told by the next one, once"
    assert isinstance(office.polls(other, client="bert"), int)
    assert names(office.history(other, client="bert")) == ["message"]
    office.waits(19.9)
    assert not office.chat(chat_id).is_over
    assert number not in office.replies
    office.waits(200)
    assert office.chat(chat_id).outcome == "timed_out"


def test_a_restart_breaks_replies_that_were_ready() -> None:
    """What nobody had collected is among what breaks, and its news is lost."""
    office = Office(lambda: Script(later=[(5.0, [says("Hello")])]))
    chat_id = office.opens()
    number = office.polls(chat_id)
    assert office.center.restart(now=5.0) == [number]
    office.now = 5.0
    assert office.refused("GET", f"chats/{chat_id}/events") == (503, "5004")
    assert isinstance(office.polls(chat_id), int)
    assert names(office.history(chat_id)) == ["message"]


def test_who_lost_the_end_in_a_restart_finds_no_chat() -> None:
    """The poll is answered with 5005; the history is still there if the settings say so."""
    office = Office(history_after_end=True)
    chat_id = office.opens()
    office.tells(chat_id, event("ended"))
    office.center.restart(now=1.0)
    assert office.refused("GET", f"chats/{chat_id}/events") == (404, "5005")
    assert names(office.history(chat_id)) == ["ended"]
