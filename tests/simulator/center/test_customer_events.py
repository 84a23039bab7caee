"""Customer events: a POST is accepted whole or not at all, recorded, confirmed and played."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulator.center.harness import CenterHarness, Event, Script, agent_message, event, names

HELLO = event("message", msg="Hello", msg_id="1")


def echo(given: Event) -> list[Event]:
    return [agent_message(f"You said: {given['msg']}")] if "msg" in given else []


def test_a_customer_event_reaches_the_script() -> None:
    """The script receives the event as it was posted, and its answer is pending for the poll."""
    harness = CenterHarness(lambda: Script(answer=echo))
    chat_id = harness.open_chat()
    assert harness.post(chat_id, HELLO) is None
    assert harness.scripts[0].received == [HELLO] == harness.chat(chat_id).customer_events
    assert names(harness.poll(chat_id)) == ["message_delivered", "message"]


def test_version_one_answers_a_post_with_new_events() -> None:
    """Only the next poll repeats it, because shipped clients ignore the reply to a POST."""
    harness = CenterHarness(lambda: Script(answer=echo))
    chat_id = harness.open_chat(version=1)
    brought = harness.post(chat_id, HELLO, version=1)
    assert names(brought["events"]) == ["message"], "version 1 has no receipts"
    again = harness.post(chat_id, HELLO, version=1)
    assert names(again["events"]) == ["message"]
    assert harness.poll(chat_id, version=1) == brought["events"] + again["events"]
    assert isinstance(harness.poll(chat_id, version=1), int)
    assert harness.post(chat_id, event("typing"), version=1) == {"events": []}


def test_the_end_in_a_reply_to_a_post_is_in_the_poll_too() -> None:
    """A poll that is held while the customer posts returns the end too."""
    harness = CenterHarness(lambda: Script(answer=lambda _event: [event("ended")]))
    chat_id = harness.open_chat(version=1)
    number = harness.poll(chat_id, version=1)
    assert isinstance(number, int)
    assert names(harness.post(chat_id, HELLO, version=1)["events"]) == ["ended"]
    assert names(harness.late_reply(number)) == ["ended"]


def test_many_events_between_two_polls_are_bounded() -> None:
    """The reply to a POST has the new events among those that are kept."""
    harness = CenterHarness(lambda: Script(answer=echo), max_pending=3)
    chat_id = harness.open_chat(version=1)
    for number in range(5):
        brought = harness.post(chat_id, {**HELLO, "msg": str(number)}, version=1)
        assert [one["msg"] for one in brought["events"]] == [f"You said: {number}"]
    polled = harness.poll(chat_id, version=1)
    assert isinstance(polled, list)
    assert [one["msg"][-1] for one in polled] == ["2", "3", "4"]


def test_copies_are_accepted_each_time() -> None:
    """The center removes no duplicates, so that a test sees each copy that was sent."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.post(chat_id, HELLO, HELLO)
    assert harness.chat(chat_id).customer_events == [HELLO, HELLO]


def test_the_history_holds_both_sides() -> None:
    """The customer's events are under the chat's id; statuses are in it, typing is not."""
    harness = CenterHarness(
        lambda: Script([event("status", state="connected"), agent_message("Hi")], answer=echo)
    )
    chat_id = harness.open_chat()
    harness.post(chat_id, event("typing"), HELLO, event("not_typing"), {"event": "odd"})
    past = harness.history(chat_id)
    assert past == harness.chat(chat_id).history
    assert [(one["event"][13:], one.get("party_id")) for one in past] == [
        ("status", None),
        ("message", "A1"),
        ("message", chat_id),
        ("message_delivered", "A1"),
        ("message", "A1"),
    ]
    assert past[2] == {**HELLO, "party_id": chat_id, "timestamp": "1700000000"}
    assert names(harness.chat(chat_id).customer_events)[-1] == "odd"


@pytest.mark.parametrize("kept", [True, False])
def test_a_setting_keeps_signals_out_of_histories(kept: bool) -> None:
    """The history has signals, as documented, or has none, as clients observe."""
    harness = CenterHarness(signals_in_history=kept)
    chat_id = harness.open_chat()
    signal = event("signaling", msg_id="1", data={"type": "END_CALL"})
    harness.post(chat_id, signal)
    assert names(harness.history(chat_id)) == ["signaling"] * kept


def test_the_answer_to_a_secure_form_is_in_no_history() -> None:
    """It is not in the log either; the script receives it, and `customer_events` has it."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    answer = event("secure_form_data", form_request_id="1", form_name="card", data={"pin": "1234"})
    harness.post(chat_id, answer)
    assert harness.scripts[0].received == [answer] == harness.chat(chat_id).customer_events
    assert "1234" not in str(harness.history(chat_id)) + str(harness.log)
    assert harness.history(chat_id)[0]["form_request_id"] == "1"


def test_receipts_name_the_last_party() -> None:
    """A receipt names the party that joined last and the message; an event without id gets none."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    for party in ("A1", "A2", "A3"):
        harness.send(chat_id, event("party_joined", party_id=party))
    harness.send(chat_id, event("party_left", party_id="A3"))
    harness.poll(chat_id)
    harness.post(chat_id, event("message", msg="no id"), HELLO)
    assert harness.poll(chat_id) == [
        event("message_delivered", ref_msg_id="1", party_id="A2", timestamp="1700000000")
    ]


def test_the_customers_receipts_are_kept() -> None:
    """Receipts are kept under the message that they name, in both notations."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.post(
        chat_id,
        event("message_delivered", ref_msg_id="2"),
        event("message_read", msg_id=4),
        event("message_read"),
    )
    assert harness.chat(chat_id).receipts == {"2": "delivered", "4": "read"}


def test_the_customer_ends_the_session() -> None:
    """The session ends at once; later events of the batch are recorded and not played."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.post(chat_id, event("end"), HELLO)
    chat = harness.chat(chat_id)
    assert (chat.outcome, harness.scripts[0].closed, harness.scripts[0].received) == (
        "ended",
        1,
        [],
    )
    assert names(chat.customer_events) == ["end", "message"]
    assert harness.refused("POST", f"chats/{chat_id}/events", {"events": []}) == (404, "5005")


def test_a_disconnect_does_not_end_the_session() -> None:
    """The session is live until the script ends it."""
    survey = {"disconnect": [event("form_show", form_request_id="1", form_name="survey")]}
    survey["form_data"] = [event("ended")]
    harness = CenterHarness(lambda: Script(answer=lambda given: survey[given["event"][13:]]))
    chat_id = harness.open_chat()
    harness.post(chat_id, event("disconnect"))
    assert names(harness.poll(chat_id)) == ["form_show"]
    harness.post(chat_id, event("form_data", form_request_id="1", form_name="survey", data={}))
    assert harness.chat(chat_id).outcome == "ended"


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
def test_an_unreadable_post_is_refused_whole(body: bytes, version: int) -> None:
    """It is refused with 5003, and no event of it is accepted."""
    harness = CenterHarness()
    chat_id = harness.open_chat(version=version)
    found = harness.refused("POST", f"chats/{chat_id}/events", body, version=version)
    assert found == (400, "5003")
    assert harness.chat(chat_id).customer_events == []


def test_one_invalid_event_rejects_its_batch() -> None:
    """None of the valid events in the batch is accepted."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    body = json.dumps({"events": [HELLO, {"event": None}]}).encode()
    assert harness.refused("POST", f"chats/{chat_id}/events", body) == (400, "5003")
    assert harness.chat(chat_id).customer_events == []


@pytest.mark.parametrize("msg_id", [None, "", "abc", 7, 10**30])
def test_unusual_message_ids_are_accepted(msg_id: Any) -> None:
    """A text, a number or null is accepted as a message id."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.post(chat_id, event("message", msg="x", msg_id=msg_id))
    assert len(harness.history(chat_id)) == 1 + bool(msg_id)


def test_the_log_has_both_directions_in_order() -> None:
    """The log has each event of both directions in order, under the chat's id."""
    harness = CenterHarness(lambda: Script([agent_message("Hi")], answer=echo))
    chat_id = harness.open_chat()
    harness.post(chat_id, event("typing"), HELLO)
    assert {one for one, _ in harness.log} == {chat_id}
    assert [(one["event"][13:], one.get("party_id")) for _, one in harness.log] == [
        ("message", "A1"),
        ("typing", chat_id),
        ("message", chat_id),
        ("message_delivered", "A1"),
        ("message", "A1"),
    ]
