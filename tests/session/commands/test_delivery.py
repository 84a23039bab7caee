"""Delivery of the customer's messages: each state, and each input about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import commands as c
from chatfsm._session.tables import DELIVERY
from chatfsm.effects import (
    Anomaly,
    DeliveryConfirmed,
    Effect,
    MessageFailed,
    MessageReceived,
    MessageSent,
    MessageUnconfirmed,
    ReadConfirmed,
    SendEvents,
    Terminated,
)
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Harness

HELLO = {"event": "chat_session_message", "msg": "hello", "msg_id": "1"}

# Inputs that bring a message into each state.
INPUTS_TO: dict[str, Callable[[Harness], object]] = {
    "pending": lambda harness: None,
    "unconfirmed": lambda harness: harness.unconfirmed("1"),
    "sent": lambda harness: harness.sent("1"),
    "delivered": lambda harness: harness.delivered("1", "one"),
    "read": lambda harness: harness.read("1", "one"),
    "failed": lambda harness: harness.failed("1"),
}

# The input for each trigger, and the effects if the table has a row for it.
TRIGGERS: dict[str, tuple[Callable[[Harness], list[Effect]], list[Effect]]] = {
    "sent": (lambda harness: harness.sent("1"), []),
    "refused": (lambda harness: harness.failed("1"), [MessageFailed("1", "error 5003")]),
    "in_doubt": (lambda harness: harness.unconfirmed("1"), [MessageUnconfirmed("1", "no reply")]),
    "missing": (lambda harness: harness.history(), [posting(HELLO, msg_id="1")]),
    "delivered": (lambda harness: harness.delivered("1", "two"), []),
    "read": (lambda harness: harness.read("1", "two"), []),
}

# Written out here so that the test does not depend on the table.
MOVES = {
    ("pending", "sent"): "sent",
    ("pending", "refused"): "failed",
    ("pending", "in_doubt"): "unconfirmed",
    ("pending", "delivered"): "delivered",
    ("pending", "read"): "read",
    ("unconfirmed", "sent"): "sent",
    ("unconfirmed", "refused"): "failed",
    ("unconfirmed", "missing"): "pending",
    ("unconfirmed", "delivered"): "delivered",
    ("unconfirmed", "read"): "read",
    ("sent", "delivered"): "delivered",
    ("sent", "read"): "read",
    ("delivered", "read"): "read",
}


def test_the_table_of_delivery() -> None:
    """The table has these transitions and no others."""
    rows = {
        (state, trigger): to for state, row in DELIVERY.moves.items() for trigger, to in row.items()
    }

    assert rows == MOVES
    assert set(DELIVERY.states) == set(INPUTS_TO)
    assert set(DELIVERY.triggers) == set(TRIGGERS)


@pytest.mark.parametrize("state", INPUTS_TO)
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_each_trigger_in_each_state(harness: Harness, state: str, trigger: str) -> None:
    """An input changes the state of a message as the table says, reported once, or not at all."""
    harness.send_text("hello")
    INPUTS_TO[state](harness)
    assert harness.outbox == {"1": state}
    feed, reported = TRIGGERS[trigger]

    effects = [
        effect
        for effect in feed(harness)
        if not isinstance(effect, (DeliveryConfirmed, ReadConfirmed))
    ]

    moved = MOVES.get((state, trigger))
    arrived = moved in {"sent", "delivered", "read"} and state in {"pending", "unconfirmed"}
    assert harness.outbox == {"1": moved or state}
    assert effects == [*([MessageSent("1")] if arrived else []), *(reported if moved else [])]


@pytest.mark.parametrize("state", INPUTS_TO)
@pytest.mark.parametrize("past", [False, True], ids=["live", "history"])
def test_the_echo_in_each_state(harness: Harness, state: str, past: bool) -> None:
    """An echo confirms an open message, is not reported as a message, and counts as a duplicate."""
    harness.send_text("hello")
    INPUTS_TO[state](harness)
    before = harness.session.counts.duplicates
    echo = {"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "hello"}

    effects = harness.history(echo) if past else harness.echo("1")

    is_open = state in {"pending", "unconfirmed"}
    assert effects == ([MessageSent("1", replayed=past)] if is_open else [])
    assert harness.outbox == {"1": "sent" if is_open else state}
    assert harness.session.counts.duplicates == before + 1
    assert harness.session.counts.anomalies == 0


def test_an_arrival_is_reported_once(harness: Harness) -> None:
    """The arrival of a message is reported once, however many inputs confirm it."""
    harness.send_text()
    harness.echo("1")
    harness.sent("1", "1")
    harness.echo("1")
    harness.history({"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "hello"})
    harness.delivered("1")
    harness.read("1")

    assert [effect for effect in harness.effects if isinstance(effect, MessageSent)] == [
        MessageSent("1")
    ]
    assert harness.outbox == {"1": "read"}


def test_receipts_are_reported_beside_the_arrival(harness: Harness) -> None:
    """The first receipt confirms the message and is reported too, once for each party."""
    harness.send_text()

    assert harness.delivered("1") == [MessageSent("1"), DeliveryConfirmed("1", "ann")]
    assert harness.delivered("1") == []
    assert harness.delivered("1", "bob") == [DeliveryConfirmed("1", "bob")]
    assert harness.read("1") == [ReadConfirmed("1", "ann")]


def test_own_receipts_confirm_nothing(harness: Harness) -> None:
    """Receipts of the customer's own devices do not confirm the arrival."""
    harness.send_text()

    assert harness.delivered("1", "chat-1") == []
    assert harness.read("1", "CHAT-1") == []
    assert harness.outbox == {"1": "pending"}


def test_one_input_may_concern_several_messages(harness: Harness) -> None:
    """One input of the transport may be about several messages, and is handled in its order."""
    first, second, third = harness.send_text("a"), harness.send_text("b"), harness.send_text("c")

    assert harness.sent(second, first) == [MessageSent("3"), MessageSent("1")]
    assert harness.unconfirmed(first, third) == [MessageUnconfirmed("5", "no reply")]
    assert harness.outbox == {"1": "sent", "3": "sent", "5": "unconfirmed"}


@pytest.mark.parametrize("msg_id", ["2", "99", "", "chat-1:1"])
def test_unknown_ids_are_ignored(harness: Harness, msg_id: str) -> None:
    """An input about an unknown message changes nothing."""
    assert harness.sent(msg_id) == []
    harness.send_text()
    before = harness.copy_state()

    assert harness.sent(msg_id) == []
    assert harness.unconfirmed(msg_id) == []
    assert harness.failed(msg_id) == []
    assert harness.copy_state() == before


ECHOES = [
    {"msg": "a < b & c"},
    {"msg": "a &lt; b &amp; c"},
    {"msg": "<p>anything</p>", "msg_text": "a < b & c"},
    {"msg": "<p>anything</p>", "msg_text": "a &lt; b &amp; c"},
    {"msg": "a &lt; b &amp; c", "party_id": "CHAT-1"},
    {"msg": "a < b & c", "timestamp": "1614718748", "channel": "web"},
]


@pytest.mark.parametrize("fields", ECHOES)
def test_an_echo_may_look_different(harness: Harness, fields: dict[str, Any]) -> None:
    """An echo is recognized if the server escaped it, or has the party in another case."""
    harness.send_text("a < b & c")

    assert harness.echo("1", **fields) == [MessageSent("1")]
    assert harness.outbox == {"1": "sent"}


@pytest.mark.parametrize("fields", ECHOES)
def test_an_echo_of_a_sent_message_may_look_different(
    harness: Harness, fields: dict[str, Any]
) -> None:
    """A message that the transport sent is not reported again if its echo is escaped."""
    harness.send_text("a < b & c")
    harness.sent("1")

    assert harness.echo("1", **fields) == []
    assert harness.session.counts.duplicates == 1


def test_a_text_with_entities_is_recognized(harness: Harness) -> None:
    """A text with an entity in it is recognized unchanged, and escaped once more."""
    harness.send_text("&lt;")
    harness.send_text("&lt;")

    assert harness.echo("1", "&lt;") == [MessageSent("1")]
    assert harness.echo("3", "&amp;lt;") == [MessageSent("3")]


@pytest.mark.parametrize("msg", ["<b>hi</b>", "hi", "&lt;b&gt;hi&lt;/b&gt;"])
def test_an_echo_of_html_is_recognized_by_either_text(harness: Harness, msg: str) -> None:
    """The echo of a message with HTML is recognized by the HTML, or by the plain text."""
    harness.send(c.SendText("hi", "<b>hi</b>"))

    assert harness.echo("1", msg) == [MessageSent("1")]


def test_a_long_echo_is_recognized(harness: Harness) -> None:
    """The echo of a long text is recognized, and another text of the same length is not."""
    harness.send_text("x" * 10_000)

    assert MessageSent("1") not in harness.echo("1", "x" * 9_999 + "y")
    assert harness.echo("1", "x" * 10_000) == [MessageSent("1")]


@pytest.mark.parametrize("past", [False, True], ids=["live", "history"])
def test_another_device_may_take_the_same_id(harness: Harness, past: bool) -> None:
    """Another device's message with our id is reported, with an anomaly, and confirms nothing."""
    harness.send_text("hello")
    harness.unconfirmed("1")
    other = {"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "other"}

    effects = harness.history(other, complete=False) if past else harness.echo("1", "other")

    assert [effect.message.text for effect in effects if isinstance(effect, MessageReceived)] == [
        "other"
    ]
    assert [effect.kind for effect in effects if isinstance(effect, Anomaly)] == ["id_reused"]
    assert harness.outbox == {"1": "unconfirmed"}
    assert harness.send_text() == "3"


def test_an_agent_may_take_the_same_id(harness: Harness) -> None:
    """A message of an agent with our id and our text is not an echo."""
    harness.send_text("hello")

    effects = harness.feed("message", party_id="ann", msg_id="1", msg="hello")

    assert [type(effect) for effect in effects] == [MessageReceived]
    assert harness.outbox == {"1": "pending"}


def test_an_echo_may_lack_its_party(harness: Harness) -> None:
    """A message without a party is the customer's own (web client v4), so it may be an echo."""
    harness.send_text("hello")

    assert [type(effect) for effect in harness.echo("1", party_id=None)] == [MessageSent]
    assert harness.outbox == {"1": "sent"}


def test_a_text_without_an_id_is_no_echo(harness: Harness) -> None:
    """A message with the same text and no id is not an echo."""
    harness.send_text("hello")

    assert [type(effect) for effect in harness.echo(None)] == [MessageReceived]
    assert harness.outbox == {"1": "pending"}


OTHER_MESSAGES: list[tuple[c.Command, dict[str, Any]]] = [
    (c.SendFile("F1", "image"), {"event": "file", "file_id": "F1", "party_id": "chat-1"}),
    (c.SendFile("F1", "image"), {"event": "file", "file_id": "F1"}),
    (c.SendFile("F1", "image"), {"event": "file", "file_id": "F1", "session_id": "chat-1"}),
    (
        c.SendFile("F1", "image", "cat.png"),
        {"event": "file", "file_id": "F1", "file_name": "CAT.PNG"},
    ),
    (
        c.SendLocation(52.5, -13.25),
        {"event": "location", "party_id": "chat-1", "latitude": "52.5", "longitude": -13.25},
    ),
    (
        c.SendLocation(52, -13),
        {"event": "location", "party_id": "chat-1", "latitude": 52, "longitude": -13},
    ),
    (
        c.SendLocation(52, -13),
        {"event": "location", "party_id": "chat-1", "latitude": "52", "longitude": "-13"},
    ),
    (
        c.SendNavigation("p", "Page"),
        {"event": "navigation", "party_id": "chat-1", "page": "p", "title": "Page"},
    ),
]


@pytest.mark.parametrize(("command", "echo"), OTHER_MESSAGES)
@pytest.mark.parametrize("past", [False, True], ids=["live", "history"])
def test_files_locations_and_pages_are_confirmed_too(
    harness: Harness, command: c.Command, echo: dict[str, Any], past: bool
) -> None:
    """The echo of a file, a location or a page confirms it, and it is not sent again."""
    harness.receive(command)
    harness.unconfirmed("1")
    fields = {name: value for name, value in echo.items() if name != "event"} | {"msg_id": "1"}

    if past:
        effects = harness.history({"event": echo["event"], **fields})
    else:
        effects = harness.feed(echo["event"], **fields)

    assert effects == [MessageSent("1", replayed=past)]
    assert harness.outbox == {"1": "sent"}


@pytest.mark.parametrize("msg_id", [None, ""])
def test_a_file_without_an_id_is_recognized_by_its_echo(
    make_harness: type[Harness], msg_id: str | None
) -> None:
    """A file that was posted without an id is confirmed by an echo without an id."""
    harness = make_harness(empty_file_ids=True)
    harness.receive(c.SendFile("F1", "image"))
    harness.unconfirmed("1")

    assert harness.feed("file", file_id="F2", msg_id=msg_id) != [MessageSent("1")]
    assert harness.feed("file", file_id="F1", msg_id=msg_id) == [MessageSent("1")]
    assert harness.posted(harness.history()) == []


def test_a_file_that_the_server_numbered_is_recognized(make_harness: type[Harness]) -> None:
    """A file that was posted without an id is not sent again if the server gave it one."""
    harness = make_harness(empty_file_ids=True)
    harness.receive(c.SendFile("F1", "image"))
    harness.unconfirmed("1")

    effects = harness.history(
        {"event": "file", "file_id": "F1", "party_id": "chat-1", "msg_id": "4"}
    )

    assert harness.posted(effects) == []


def test_the_same_file_twice_is_recognized_by_two_echoes(make_harness: type[Harness]) -> None:
    """A file posted twice without an id, and twice in the history, is not sent again."""
    harness = make_harness(empty_file_ids=True)
    harness.receive(c.SendFile("F1", "image"))
    harness.receive(c.SendFile("F1", "image"))
    harness.unconfirmed("1", "3")

    effects = harness.history(
        {"event": "file", "file_id": "F1", "party_id": "chat-1", "timestamp": 100},
        {"event": "file", "file_id": "F1", "party_id": "chat-1", "timestamp": 200},
    )

    assert harness.posted(effects) == []
    assert harness.outbox == {"1": "sent", "3": "sent"}


def test_a_repeated_echo_confirms_no_second_file(make_harness: type[Harness]) -> None:
    """The same line in two pages is one echo: it confirms one file, and the other is sent again."""
    harness = make_harness(empty_file_ids=True)
    harness.receive(c.SendFile("F1", "image"))
    line = {"event": "file", "file_id": "F1", "party_id": "chat-1", "timestamp": 100}
    harness.history(line)
    harness.receive(c.SendFile("F1", "image"))
    harness.unconfirmed("3")

    assert len(harness.posted(harness.history(line))) == 1


def test_nothing_is_sent_again_before_a_complete_history(harness: Harness) -> None:
    """An unconfirmed message stays so, whatever the input, until a complete history."""
    harness.send_text("hello")
    harness.unconfirmed("1")

    effects = [
        *harness.unconfirmed("1"),
        *harness.tick(at=1_000.0),
        *harness.receive(c.SendText("next")),
        *harness.feed("status", state="connected"),
        *harness.history(complete=False),
        *harness.history(
            {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hello"}, complete=False
        ),
        *harness.sent("3"),
    ]

    assert [event["msg_id"] for event in harness.posted(effects)] == ["3"]
    assert harness.outbox == {"1": "unconfirmed", "3": "sent"}


def test_a_missing_message_is_sent_again_once(harness: Harness) -> None:
    """A message that is missing in a complete history is sent again unchanged, once."""
    harness.send_text("hello")
    harness.unconfirmed("1")

    assert harness.history() == [posting(HELLO, msg_id="1")]
    assert harness.outbox == {"1": "pending"}
    assert harness.history() == []
    assert harness.sent("1") == [MessageSent("1")]
    assert harness.history() == []


def test_a_message_may_be_unconfirmed_again(harness: Harness) -> None:
    """A message that is unconfirmed again is resolved by the next complete history."""
    harness.send_text("hello")
    for _ in range(3):
        assert harness.unconfirmed("1") == [MessageUnconfirmed("1", "no reply")]
        assert harness.posted(harness.history()) == [HELLO]
    harness.failed("1")

    assert harness.history() == []
    assert harness.outbox == {"1": "failed"}


def test_a_message_in_the_history_is_not_sent_again(harness: Harness) -> None:
    """A message in an early page of the history is not sent again after the last page."""
    harness.send_text("hello")
    harness.unconfirmed("1")
    echo = {"event": "message", "party_id": "CHAT-1", "msg_id": "1", "msg": "hello"}

    assert harness.history(echo, complete=False) == [MessageSent("1", replayed=True)]
    assert harness.history() == []
    assert harness.outbox == {"1": "sent"}


def test_a_receipt_in_the_history_is_enough(harness: Harness) -> None:
    """A message with a read receipt in the history has arrived, also if the history lacks it."""
    harness.send_text("hello")
    harness.unconfirmed("1")

    effects = harness.history({"event": "message_read", "ref_msg_id": "1", "party_id": "ann"})

    assert effects[0] == MessageSent("1", replayed=True)
    assert harness.posted(effects) == []
    assert harness.outbox == {"1": "read"}


def test_only_unconfirmed_messages_are_sent_again(harness: Harness) -> None:
    """A complete history causes one post of the missing unconfirmed messages, in their order."""
    for text in "abcdef":
        harness.send_text(text)
    harness.unconfirmed("9", "3", "1")
    harness.sent("5")
    harness.failed("7")

    effects = harness.history({"event": "message", "party_id": "chat-1", "msg_id": "3", "msg": "b"})

    assert [type(effect) for effect in effects] == [MessageSent, SendEvents]
    assert [event["msg"] for event in harness.posted(effects)] == ["a", "e"]
    assert effects[1].msg_ids == ("1", "9")
    assert harness.outbox == {
        "1": "pending",
        "3": "sent",
        "5": "sent",
        "7": "failed",
        "9": "pending",
        "11": "pending",
    }


def test_the_answer_to_a_prompt_is_sent_again_with_its_text(harness: Harness) -> None:
    """A text that answered a prompt is sent again with the form data before it."""
    harness.show_form("7", "")
    posted = harness.send(c.SendText("Ada"))
    harness.unconfirmed("1")

    assert harness.posted(harness.history()) == posted
    assert len(posted) == 2


def test_a_post_after_a_history_is_not_replayed(harness: Harness) -> None:
    """The post that a history causes is not marked as replayed."""
    harness.send_text()
    harness.unconfirmed("1")

    (effect,) = harness.history()

    assert effect.replayed is False


def test_pending_messages_are_unconfirmed_at_the_end(harness: Harness) -> None:
    """At the end pending messages become unconfirmed, reported once, before the termination."""
    for text in "abcd":
        harness.send_text(text)
    harness.sent("3")
    harness.unconfirmed("5")

    effects = harness.end()

    assert [effect for effect in effects if isinstance(effect, MessageUnconfirmed)] == [
        MessageUnconfirmed("1", "the session is over"),
        MessageUnconfirmed("7", "the session is over"),
    ]
    assert isinstance(effects[-1], Terminated)
    assert harness.outbox == {
        "1": "unconfirmed",
        "3": "sent",
        "5": "unconfirmed",
        "7": "unconfirmed",
    }
    assert harness.history() == []


def test_completed_does_not_change_the_outbox(harness: Harness) -> None:
    """In the state completed a message stays pending."""
    harness.send_text()
    harness.feed("status", state="completed")

    assert harness.outbox == {"1": "pending"}
    assert harness.sent("1") == [MessageSent("1")]


@pytest.mark.parametrize("state", ["pending", "unconfirmed"])
def test_the_number_of_unsent_messages_is_bounded(make_harness: type[Harness], state: str) -> None:
    """A message beyond `max_unsent` is refused until a pending one has arrived or failed."""
    harness = make_harness(max_unsent=2)
    harness.send_text("a")
    harness.send_text("b")
    if state == "unconfirmed":
        harness.unconfirmed("1", "3")

    for command in (
        c.SendText("c"),
        c.SendFile("F", "image"),
        c.SendLocation(1.0, 2.0),
        c.SendNavigation("p"),
    ):
        assert harness.refused(command) == "cannot send more: 2 messages wait to be sent"
    harness.sent("1")
    assert harness.send_text("c") == "5"
    harness.failed("3")
    assert harness.send_text("d") == "7"


def test_a_refused_msg_id_is_not_counted(make_harness: type[Harness]) -> None:
    """A message that is refused for its msg_id, or for lack of capacity, uses up no id."""
    harness = make_harness(max_unsent=1)
    harness.send_text()

    harness.refused(c.SendText("again", msg_id="99"))
    harness.sent("1")
    harness.refused(c.SendText("again", msg_id="1"))

    assert harness.send_text() == "3"


def test_a_full_outbox_allows_other_commands(make_harness: type[Harness]) -> None:
    """With a full outbox, commands other than messages are allowed."""
    harness = make_harness(max_unsent=1).connect()
    harness.send_text()
    harness.show_form("7")

    for command in (c.StartTyping(), c.MarkRead("2"), c.SubmitForm("7", {}), c.RequestCall()):
        assert len(harness.send(command)) == 1
    assert harness.send(c.End()) == [{"event": "chat_session_end"}]


def test_a_refused_text_answers_no_prompt(make_harness: type[Harness]) -> None:
    """A text that is refused leaves the prompt and the typing as they are."""
    harness = make_harness(max_unsent=1)
    harness.send_text()
    harness.show_form("7", "")
    harness.send(c.StartTyping())

    harness.refused(c.SendText("Ada"))

    assert len(harness.session.forms) == 1
    assert harness.session.deadline == 5.0


def test_arrived_messages_are_remembered_up_to_the_bound(make_harness: type[Harness]) -> None:
    """Of arrived messages the last `max_unsent` are remembered for receipts."""
    harness = make_harness(max_unsent=4)
    for _ in range(4):
        harness.sent(harness.send_text())
    assert list(harness.outbox) == ["1", "3", "5", "7"]

    harness.sent(harness.send_text())

    assert list(harness.outbox) == ["3", "5", "7", "9"]


def test_the_outbox_is_bounded(make_harness: type[Harness]) -> None:
    """The outbox has at most twice `max_unsent` entries."""
    harness = make_harness(max_unsent=3)
    for number in range(100):
        msg_id = harness.send_text(f"text {number}")
        harness.sent(msg_id) if number % 3 else harness.failed(msg_id)
        assert len(harness.outbox) <= 6

    assert harness.outbox["199"] == "failed"


def test_a_pending_message_is_not_forgotten(make_harness: type[Harness]) -> None:
    """A pending message stays in the outbox while others arrive."""
    harness = make_harness(max_unsent=2)
    harness.send_text("waits")
    for _ in range(20):
        harness.sent(harness.send_text())

    assert harness.outbox["1"] == "pending"


def test_the_content_of_arrived_messages_is_not_kept(harness: Harness) -> None:
    """The content of arrived and failed messages is not kept."""
    harness.send_text(
        "a marked text that is longer than sixty-four characters, so that it is digested"
    )
    harness.send_text(
        "another marked text, longer than sixty-four characters, so that it is digested"
    )
    assert "marked" in str(harness.session.snapshot(now=0.0))

    harness.sent("1")
    harness.failed("3")

    assert "marked" not in str(harness.session.snapshot(now=0.0))


@pytest.mark.parametrize("text", ["one<br>two", "one<BR/>two", "one<br  />two", "one\ntwo"])
def test_an_echo_as_plain_text_is_recognized(harness: Harness, text: str) -> None:
    """The echo of a text with HTML line breaks may have line feeds."""
    harness.receive(c.SendText(text))
    assert harness.echo("1", "one\ntwo") == [MessageSent("1")]
