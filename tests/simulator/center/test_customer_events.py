"""What the customer does: taken whole or not at all, remembered, confirmed, heard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.center.office import Event, Office, Script, event, names, says

HELLO = event("message", msg="Hello", msg_id="1")


def echo(given: Event) -> list[Event]:
    return [says(f"You said: {given['msg']}")] if "msg" in given else []


def test_what_the_customer_says_is_heard_and_answered() -> None:
    """The script hears it as it was posted, and what it says is news."""
    office = Office(lambda: Script(answer=echo))
    chat_id = office.opens()
    assert office.posts(chat_id, HELLO) is None
    assert office.scripts[0].heard == [HELLO] == office.chat(chat_id).customer_events
    assert names(office.polls(chat_id)) == ["message_delivered", "message"]


def test_version_one_answers_a_post_with_what_is_new() -> None:
    """No later POST brings it again, and the next poll does: shipped clients ignore the reply."""
    office = Office(lambda: Script(answer=echo))
    chat_id = office.opens(version=1)
    brought = office.posts(chat_id, HELLO, version=1)
    assert names(brought["events"]) == ["message"], "version 1 has no receipts"
    again = office.posts(chat_id, HELLO, version=1)
    assert names(again["events"]) == ["message"]
    assert office.polls(chat_id, version=1) == brought["events"] + again["events"]
    assert isinstance(office.polls(chat_id, version=1), int)
    assert office.posts(chat_id, event("typing"), version=1) == {"events": []}


def test_the_end_in_a_reply_to_a_post_comes_by_the_poll_too() -> None:
    """Also where a poll is held while the customer posts."""
    office = Office(lambda: Script(answer=lambda _event: [event("ended")]))
    chat_id = office.opens(version=1)
    number = office.polls(chat_id, version=1)
    assert isinstance(number, int)
    assert names(office.posts(chat_id, HELLO, version=1)["events"]) == ["ended"]
    assert names(office.brought(number)) == ["ended"]


def test_a_flood_between_two_polls_is_bounded_in_both() -> None:
    """The reply to a POST has what is new of the events that are kept."""
    office = Office(lambda: Script(answer=echo), max_pending=3)
    chat_id = office.opens(version=1)
    for number in range(5):
        brought = office.posts(chat_id, {**HELLO, "msg": str(number)}, version=1)
        assert [one["msg"] for one in brought["events"]] == [f"You said: {number}"]
    polled = office.polls(chat_id, version=1)
    assert isinstance(polled, list)
    assert [one["msg"][-1] for one in polled] == ["2", "3", "4"]


def test_a_copy_is_taken_as_often_as_it_comes() -> None:
    """The center absorbs nothing, so that a test sees what was sent twice."""
    office = Office()
    chat_id = office.opens()
    office.posts(chat_id, HELLO, HELLO)
    assert office.chat(chat_id).customer_events == [HELLO, HELLO]


def test_the_history_holds_both_sides() -> None:
    """The customer's own under the chat's id; states, and no typing."""
    office = Office(lambda: Script([event("status", state="connected"), says("Hi")], answer=echo))
    chat_id = office.opens()
    office.posts(chat_id, event("typing"), HELLO, event("not_typing"), {"event": "odd"})
    past = office.history(chat_id)
    assert past == office.chat(chat_id).history
    assert [(one["event"][13:], one.get("party_id")) for one in past] == [
        ("status", None),
        ("message", "A1"),
        ("message", chat_id),
        ("message_delivered", "A1"),
        ("message", "A1"),
    ]
    assert past[2] == {**HELLO, "party_id": chat_id, "timestamp": "1700000000"}
    assert names(office.chat(chat_id).customer_events)[-1] == "odd"


@pytest.mark.parametrize("kept", [True, False])
def test_signals_may_be_kept_from_histories(kept: bool) -> None:
    """As they are documented, or as clients meet them."""
    office = Office(signals_in_history=kept)
    chat_id = office.opens()
    signal = event("signaling", msg_id="1", data={"type": "END_CALL"})
    office.posts(chat_id, signal)
    assert names(office.history(chat_id)) == ["signaling"] * kept


def test_what_answers_a_secure_form_is_in_no_history() -> None:
    """Nor in the log; the script hears it, and tests find it in what was said."""
    office = Office()
    chat_id = office.opens()
    answer = event("secure_form_data", form_request_id="1", form_name="card", data={"pin": "1234"})
    office.posts(chat_id, answer)
    assert office.scripts[0].heard == [answer] == office.chat(chat_id).customer_events
    assert "1234" not in str(office.history(chat_id)) + str(office.log)
    assert office.history(chat_id)[0]["form_request_id"] == "1"


def test_receipts_name_who_came_last() -> None:
    """And the message; one without an id is not confirmed."""
    office = Office()
    chat_id = office.opens()
    for party in ("A1", "A2", "A3"):
        office.tells(chat_id, event("party_joined", party_id=party))
    office.tells(chat_id, event("party_left", party_id="A3"))
    office.polls(chat_id)
    office.posts(chat_id, event("message", msg="no id"), HELLO)
    assert office.polls(chat_id) == [
        event("message_delivered", ref_msg_id="1", party_id="A2", timestamp="1700000000")
    ]


def test_the_customers_receipts_are_remembered() -> None:
    """By the message that they name, in either way to name it."""
    office = Office()
    chat_id = office.opens()
    office.posts(
        chat_id,
        event("message_delivered", ref_msg_id="2"),
        event("message_read", msg_id=4),
        event("message_read"),
    )
    assert office.chat(chat_id).receipts == {"2": "delivered", "4": "read"}


def test_the_customer_ends_the_session() -> None:
    """It is over at once; what comes with the end is remembered and not heard."""
    office = Office()
    chat_id = office.opens()
    office.posts(chat_id, event("end"), HELLO)
    chat = office.chat(chat_id)
    assert (chat.outcome, office.scripts[0].closed, office.scripts[0].heard) == ("ended", 1, [])
    assert names(chat.customer_events) == ["end", "message"]
    assert office.refused("POST", f"chats/{chat_id}/events", {"events": []}) == (404, "5005")


def test_a_disconnect_is_the_scripts_to_decide() -> None:
    """The session lives until the script ends it."""
    survey = {"disconnect": [event("form_show", form_request_id="1", form_name="survey")]}
    survey["form_data"] = [event("ended")]
    office = Office(lambda: Script(answer=lambda given: survey[given["event"][13:]]))
    chat_id = office.opens()
    office.posts(chat_id, event("disconnect"))
    assert names(office.polls(chat_id)) == ["form_show"]
    office.posts(chat_id, event("form_data", form_request_id="1", form_name="survey", data={}))
    assert office.chat(chat_id).outcome == "ended"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b"\xff", b'{"events": 1}', b'{"events": [1]}', b'{"events": [{}]}'),
        b'{"events": [{"event": 1}]}',
        b'{"events": [{"event": ""}]}',
        b'{"events": [{"event": "x", "msg_id": true}]}',
        b'{"events": [{"event": "x", "msg_id": {}}]}',
        b'{"events": [{"event": "x", "file_id": 1.5}]}',
        b'{"events": [{"event": "x", "msg_id": "' + b"7" * 2000 + b'"}]}',
        b'{"events": [{"event": "x", "msg_id": ' + b"7" * 2000 + b"}]}",
        b'{"events": [{"event": "' + b"x" * 2000 + b'"}]}',
        b'{"events": ' + b"[" * 50 + b"]" * 50 + b"}",
        b'{"events": [{"event": "x", "data": ' + b"[" * 50 + b"]" * 50 + b"}]}",
        b'{"events": ' + b"[" * 100_000,
        b'{"events": [' + b'{"event": "x"},' * 300 + b'{"event": "x"}]}',
        b'{"events": []}' + b" " * 300_000,
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_what_cannot_be_read_is_refused_whole(body: bytes, version: int) -> None:
    """With 5003, and nothing of it is taken."""
    office = Office()
    chat_id = office.opens(version=version)
    found = office.refused("POST", f"chats/{chat_id}/events", body, version=version)
    assert found == (400, "5003")
    assert office.chat(chat_id).customer_events == []


def test_one_broken_event_spoils_its_batch() -> None:
    """None of the others is taken."""
    office = Office()
    chat_id = office.opens()
    body = json.dumps({"events": [HELLO, {"event": None}]}).encode()
    assert office.refused("POST", f"chats/{chat_id}/events", body) == (400, "5003")
    assert office.chat(chat_id).customer_events == []


@pytest.mark.parametrize("msg_id", [None, "", "abc", 7, 10**30])
def test_ids_of_the_customers_may_be_odd(msg_id: Any) -> None:
    """As long as they are texts, numbers, or nothing."""
    office = Office()
    chat_id = office.opens()
    office.posts(chat_id, event("message", msg="x", msg_id=msg_id))
    assert len(office.history(chat_id)) == 1 + bool(msg_id)


def test_the_log_hears_both_directions_as_they_happen() -> None:
    """Each event with the chat's id; those of the customer under that id too."""
    office = Office(lambda: Script([says("Hi")], answer=echo))
    chat_id = office.opens()
    office.posts(chat_id, event("typing"), HELLO)
    assert {one for one, _ in office.log} == {chat_id}
    assert [(one["event"][13:], one.get("party_id")) for _, one in office.log] == [
        ("message", "A1"),
        ("typing", chat_id),
        ("message", chat_id),
        ("message_delivered", "A1"),
        ("message", "A1"),
    ]
