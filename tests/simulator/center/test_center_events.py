"""What the center says: ids and times are filled in, and what it means is known."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm._protocol import codec
from chatfsm._protocol import names as wire
from tests.simulator.center.office import Event, Office, event, names, says


def test_every_name_of_the_wire_is_one_that_sessions_know() -> None:
    """What the center writes is what the codec reads."""
    named = {value for value in vars(wire).values() if isinstance(value, str)}
    written = {name for name in named if name.startswith("chat_")}
    assert written <= set(codec.EVENTS)
    assert len(written) > 25


def told(office: Office, *events: Event, version: int = 2) -> list[Event]:
    chat_id = office.opens(version=version)
    office.tells(chat_id, *events)
    found = office.polls(chat_id, version=version)
    assert isinstance(found, list)
    return found


def test_ids_are_even_and_count() -> None:
    """A script's own id is kept, and the next ones come after it; odd ones do not matter."""
    given = [says("a"), says("b"), says("c", msg_id="7"), says("d"), says("e", msg_id="é²")]
    found = told(Office(), *given, event("location", latitude=1, longitude=2))
    assert [one["msg_id"] for one in found] == ["0", "2", "7", "8", "é²", "10"]


@pytest.mark.parametrize(
    ("settings", "stamp"),
    [({}, "1700000001"), ({"milliseconds": True}, "1700000001500"), ({"started_at": 5}, "6")],
)
def test_times_are_texts(settings: dict[str, Any], stamp: str) -> None:
    """Of seconds, or of milliseconds by setting; a script's own time is kept."""
    office = Office(**settings)
    office.now = 1.5
    found = told(office, says("a"), says("b", timestamp="7"))
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
    """As they were captured."""
    assert told(Office(), given) == [given]


def test_a_clock_that_jumps_changes_stamps_alone() -> None:
    """No deadline moves."""
    office = Office()
    chat_id = office.opens()
    before = office.center.deadline
    office.center.jump_clock(-3600.0)
    assert office.center.deadline == before
    office.tells(chat_id, says("a"))
    assert office.history(chat_id)[0]["timestamp"] == "1699996400"
    assert office.center.wall_clock == 1699996400.0


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
    """The first decides; afterwards nothing can be told."""
    office = Office()
    chat_id = office.opens()
    office.tells(chat_id, event("status", state="completed"))
    assert not office.chat(chat_id).is_over
    office.tells(chat_id, given)
    assert office.chat(chat_id).outcome == outcome
    with pytest.raises(ValueError, match="it is over"):
        office.tells(chat_id, event("ended"))


def test_what_comes_in_one_go_with_the_end_is_still_told() -> None:
    """As real servers do; the play is closed once."""
    office = Office()
    last = [event("status", state="failed"), event("ended"), event("party_left", party_id="A1")]
    chat_id = office.opens()
    office.scripts[0].answer = lambda _event: last
    office.posts(chat_id, event("typing"))
    assert names(office.polls(chat_id)) == ["status", "ended", "party_left"]
    assert (office.chat(chat_id).outcome, office.scripts[0].closed) == ("failed", 1)


def test_version_one_knows_neither_receipts_nor_cases() -> None:
    """They are not told there."""
    given = [event("case_set", case_id="7"), event("message_read", ref_msg_id="1"), says("Hi")]
    assert names(told(Office(), *given, version=1)) == ["message"]
    assert names(told(Office(), *given, version=2)) == ["case_set", "message_read", "message"]


def test_the_state_is_the_last_that_was_told() -> None:
    """With its estimate, however odd."""
    office = Office()
    chat_id = office.opens()
    office.tells(chat_id, event("status", state="queued", ewt=30), event("status", state=7))
    assert (office.chat(chat_id).state, office.chat(chat_id).ewt) == ("queued", "30")
    office.tells(chat_id, event("status", state="connected", ewt=""))
    assert (office.chat(chat_id).state, office.chat(chat_id).ewt) == ("connected", "0")


@pytest.mark.parametrize("given", [{}, {"event": 7}, event("message", msg=float("nan"))])
def test_what_is_no_event_is_refused_and_changes_nothing(given: Event) -> None:
    """So is a chat that is not there."""
    office = Office()
    chat_id = office.opens()
    with pytest.raises(ValueError):  # noqa: PT011  # each has its own words
        office.tells(chat_id, given)
    assert office.chat(chat_id).pending == []
    with pytest.raises(KeyError):
        office.tells("none", event("ended"))
