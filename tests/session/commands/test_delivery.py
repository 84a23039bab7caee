"""What became of what the customer said: every state of it, and every word about it."""

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
    from tests.session.commands.conftest import Talk

HELLO = {"event": "chat_session_message", "msg": "hello", "msg_id": "1"}

# How a message comes into each state.
REACHED: dict[str, Callable[[Talk], object]] = {
    "pending": lambda talk: None,
    "unconfirmed": lambda talk: talk.doubts("1"),
    "sent": lambda talk: talk.sent("1"),
    "delivered": lambda talk: talk.delivered("1", "one"),
    "read": lambda talk: talk.read("1", "one"),
    "failed": lambda talk: talk.fails("1"),
}

# What pulls each trigger, and what is reported where the table has a row for it.
PULLED: dict[str, tuple[Callable[[Talk], list[Effect]], list[Effect]]] = {
    "sent": (lambda talk: talk.sent("1"), []),
    "refused": (lambda talk: talk.fails("1"), [MessageFailed("1", "error 5003")]),
    "in_doubt": (lambda talk: talk.doubts("1"), [MessageUnconfirmed("1", "no reply")]),
    "missing": (lambda talk: talk.recalls_history(), [posting(HELLO, msg_id="1")]),
    "delivered": (lambda talk: talk.delivered("1", "two"), []),
    "read": (lambda talk: talk.read("1", "two"), []),
}

# The table by hand: the compiled one must be the same.
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


def test_the_law_of_delivery_is_this_table() -> None:
    """The table has these transitions and no others."""
    rows = {
        (state, trigger): to for state, row in DELIVERY.moves.items() for trigger, to in row.items()
    }

    assert rows == MOVES
    assert set(DELIVERY.states) == set(REACHED)
    assert set(DELIVERY.triggers) == set(PULLED)


@pytest.mark.parametrize("state", REACHED)
@pytest.mark.parametrize("trigger", PULLED)
def test_each_word_in_each_state(talk: Talk, state: str, trigger: str) -> None:
    """A word about a message moves it as the table says, is reported once, or changes nothing."""
    talk.says("hello")
    REACHED[state](talk)
    assert talk.outbox == {"1": state}
    pull, told = PULLED[trigger]

    effects = [
        effect
        for effect in pull(talk)
        if not isinstance(effect, (DeliveryConfirmed, ReadConfirmed))
    ]

    moved = MOVES.get((state, trigger))
    arrived = moved in {"sent", "delivered", "read"} and state in {"pending", "unconfirmed"}
    assert talk.outbox == {"1": moved or state}
    assert effects == [*([MessageSent("1")] if arrived else []), *(told if moved else [])]


@pytest.mark.parametrize("state", REACHED)
@pytest.mark.parametrize("past", [False, True], ids=["live", "history"])
def test_the_echo_in_each_state(talk: Talk, state: str, past: bool) -> None:
    """An echo confirms what was open, is told as no message, and counts as a duplicate."""
    talk.says("hello")
    REACHED[state](talk)
    before = talk.session.counts.duplicates
    echo = {"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "hello"}

    effects = talk.recalls_history(echo) if past else talk.echoes("1")

    is_open = state in {"pending", "unconfirmed"}
    assert effects == ([MessageSent("1", replayed=past)] if is_open else [])
    assert talk.outbox == {"1": "sent" if is_open else state}
    assert talk.session.counts.duplicates == before + 1
    assert talk.session.counts.anomalies == 0


def test_what_arrived_is_told_once(talk: Talk) -> None:
    """However many say that a message has arrived, the app hears it once."""
    talk.says()
    talk.echoes("1")
    talk.sent("1", "1")
    talk.echoes("1")
    talk.recalls_history({"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "hello"})
    talk.delivered("1")
    talk.read("1")

    assert [effect for effect in talk.told if isinstance(effect, MessageSent)] == [MessageSent("1")]
    assert talk.outbox == {"1": "read"}


def test_receipts_are_told_beside_the_arrival(talk: Talk) -> None:
    """A receipt confirms what nobody confirmed before it, and is told as well, once a party."""
    talk.says()

    assert talk.delivered("1") == [MessageSent("1"), DeliveryConfirmed("1", "ann")]
    assert talk.delivered("1") == []
    assert talk.delivered("1", "bob") == [DeliveryConfirmed("1", "bob")]
    assert talk.read("1") == [ReadConfirmed("1", "ann")]


def test_receipts_of_our_own_confirm_nothing(talk: Talk) -> None:
    """What the customer's own devices have read has not thereby reached the other side."""
    talk.says()

    assert talk.delivered("1", "chat-1") == []
    assert talk.read("1", "CHAT-1") == []
    assert talk.outbox == {"1": "pending"}


def test_several_messages_share_a_word(talk: Talk) -> None:
    """One word of the transport may be about several messages, in its order."""
    first, second, third = talk.says("a"), talk.says("b"), talk.says("c")

    assert talk.sent(second, first) == [MessageSent("3"), MessageSent("1")]
    assert talk.doubts(first, third) == [MessageUnconfirmed("5", "no reply")]
    assert talk.outbox == {"1": "sent", "3": "sent", "5": "unconfirmed"}


@pytest.mark.parametrize("msg_id", ["2", "99", "", "chat-1:1"])
def test_unknown_ids_are_ignored(talk: Talk, msg_id: str) -> None:
    """A word about what was never said changes nothing."""
    assert talk.sent(msg_id) == []
    talk.says()
    before = talk.recalls()

    assert talk.sent(msg_id) == []
    assert talk.doubts(msg_id) == []
    assert talk.fails(msg_id) == []
    assert talk.recalls() == before


ECHOES = [
    {"msg": "a < b & c"},
    {"msg": "a &lt; b &amp; c"},
    {"msg": "<p>anything</p>", "msg_text": "a < b & c"},
    {"msg": "<p>anything</p>", "msg_text": "a &lt; b &amp; c"},
    {"msg": "a &lt; b &amp; c", "party_id": "CHAT-1"},
    {"msg": "a < b & c", "timestamp": "1614718748", "channel": "web"},
]


@pytest.mark.parametrize("fields", ECHOES)
def test_an_echo_may_look_different(talk: Talk, fields: dict[str, Any]) -> None:
    """An echo that the server escaped, or that names the party in other case, is an echo."""
    talk.says("a < b & c")

    assert talk.echoes("1", **fields) == [MessageSent("1")]
    assert talk.outbox == {"1": "sent"}


@pytest.mark.parametrize("fields", ECHOES)
def test_an_echo_of_a_sent_message_may_look_different(talk: Talk, fields: dict[str, Any]) -> None:
    """A message that the transport sent is not reported again if its echo is escaped."""
    talk.says("a < b & c")
    talk.sent("1")

    assert talk.echoes("1", **fields) == []
    assert talk.session.counts.duplicates == 1


def test_a_text_that_looks_escaped_is_known(talk: Talk) -> None:
    """A text with an entity in it is known as it is, and escaped once more."""
    talk.says("&lt;")
    talk.says("&lt;")

    assert talk.echoes("1", "&lt;") == [MessageSent("1")]
    assert talk.echoes("3", "&amp;lt;") == [MessageSent("3")]


@pytest.mark.parametrize("msg", ["<b>hi</b>", "hi", "&lt;b&gt;hi&lt;/b&gt;"])
def test_an_echo_of_html_is_known_by_either_text(talk: Talk, msg: str) -> None:
    """What was said in HTML is known by the HTML, or by the plain text beside it."""
    talk.orders(c.SendText("hi", "<b>hi</b>"))

    assert talk.echoes("1", msg) == [MessageSent("1")]


def test_a_long_echo_is_known(talk: Talk) -> None:
    """A long text is known by its echo too, and not by another one of the same length."""
    talk.says("x" * 10_000)

    assert MessageSent("1") not in talk.echoes("1", "x" * 9_999 + "y")
    assert talk.echoes("1", "x" * 10_000) == [MessageSent("1")]


@pytest.mark.parametrize("past", [False, True], ids=["live", "history"])
def test_another_device_may_take_the_same_id(talk: Talk, past: bool) -> None:
    """What another device said under our id is told, reported, and confirms nothing."""
    talk.says("hello")
    talk.doubts("1")
    other = {"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "other"}

    effects = talk.recalls_history(other, complete=False) if past else talk.echoes("1", "other")

    assert [effect.message.text for effect in effects if isinstance(effect, MessageReceived)] == [
        "other"
    ]
    assert [effect.kind for effect in effects if isinstance(effect, Anomaly)] == ["id_reused"]
    assert talk.outbox == {"1": "unconfirmed"}
    assert talk.says() == "3"


def test_an_agent_may_take_the_same_id(talk: Talk) -> None:
    """What somebody else says under our id and in our words is no echo."""
    talk.says("hello")

    effects = talk.hears("message", party_id="ann", msg_id="1", msg="hello")

    assert [type(effect) for effect in effects] == [MessageReceived]
    assert talk.outbox == {"1": "pending"}


def test_an_echo_may_lack_its_party(talk: Talk) -> None:
    """A message without a party is the customer's own (web client v4), so it may be an echo."""
    talk.says("hello")

    assert [type(effect) for effect in talk.echoes("1", party_id=None)] == [MessageSent]
    assert talk.outbox == {"1": "sent"}


def test_a_text_without_an_id_is_no_echo(talk: Talk) -> None:
    """The same words without an id may have been said twice."""
    talk.says("hello")

    assert [type(effect) for effect in talk.echoes(None)] == [MessageReceived]
    assert talk.outbox == {"1": "pending"}


SHARED: list[tuple[c.Command, dict[str, Any]]] = [
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


@pytest.mark.parametrize(("command", "echo"), SHARED)
@pytest.mark.parametrize("past", [False, True], ids=["live", "history"])
def test_what_was_shared_is_confirmed_too(
    talk: Talk, command: c.Command, echo: dict[str, Any], past: bool
) -> None:
    """The echo of a file, a place or a page confirms it, and it is not sent again."""
    talk.receives(command)
    talk.doubts("1")
    fields = {name: value for name, value in echo.items() if name != "event"} | {"msg_id": "1"}

    if past:
        effects = talk.recalls_history({"event": echo["event"], **fields})
    else:
        effects = talk.hears(echo["event"], **fields)

    assert effects == [MessageSent("1", replayed=past)]
    assert talk.outbox == {"1": "sent"}


@pytest.mark.parametrize("msg_id", [None, ""])
def test_a_file_without_an_id_is_known_by_its_echo(talks: type[Talk], msg_id: str | None) -> None:
    """A file that went out without an id is confirmed by the file that comes back without one."""
    talk = talks(empty_file_ids=True)
    talk.receives(c.SendFile("F1", "image"))
    talk.doubts("1")

    assert talk.hears("file", file_id="F2", msg_id=msg_id) != [MessageSent("1")]
    assert talk.hears("file", file_id="F1", msg_id=msg_id) == [MessageSent("1")]
    assert talk.posted(talk.recalls_history()) == []


def test_a_file_that_the_server_numbered_is_known(talks: type[Talk]) -> None:
    """A file that went out without an id is not sent again where the server gave it one."""
    talk = talks(empty_file_ids=True)
    talk.receives(c.SendFile("F1", "image"))
    talk.doubts("1")

    effects = talk.recalls_history(
        {"event": "file", "file_id": "F1", "party_id": "chat-1", "msg_id": "4"}
    )

    assert talk.posted(effects) == []


def test_the_same_file_twice_is_known_by_two_echoes(talks: type[Talk]) -> None:
    """A file that went out twice without an id, and is twice in the history, is not sent again."""
    talk = talks(empty_file_ids=True)
    talk.receives(c.SendFile("F1", "image"))
    talk.receives(c.SendFile("F1", "image"))
    talk.doubts("1", "3")

    effects = talk.recalls_history(
        {"event": "file", "file_id": "F1", "party_id": "chat-1", "timestamp": 100},
        {"event": "file", "file_id": "F1", "party_id": "chat-1", "timestamp": 200},
    )

    assert talk.posted(effects) == []
    assert talk.outbox == {"1": "sent", "3": "sent"}


def test_a_repeated_echo_confirms_no_second_file(talks: type[Talk]) -> None:
    """The same line of two pages is one echo, so that the file it does not tell of is sent."""
    talk = talks(empty_file_ids=True)
    talk.receives(c.SendFile("F1", "image"))
    line = {"event": "file", "file_id": "F1", "party_id": "chat-1", "timestamp": 100}
    talk.recalls_history(line)
    talk.receives(c.SendFile("F1", "image"))
    talk.doubts("3")

    assert len(talk.posted(talk.recalls_history(line))) == 1


def test_nothing_is_sent_again_before_a_complete_history(talk: Talk) -> None:
    """What is in doubt stays so whatever else happens, until all of the past is known."""
    talk.says("hello")
    talk.doubts("1")

    effects = [
        *talk.doubts("1"),
        *talk.ticks(at=1_000.0),
        *talk.receives(c.SendText("next")),
        *talk.hears("status", state="connected"),
        *talk.recalls_history(complete=False),
        *talk.recalls_history(
            {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hello"}, complete=False
        ),
        *talk.sent("3"),
    ]

    assert [event["msg_id"] for event in talk.posted(effects)] == ["3"]
    assert talk.outbox == {"1": "unconfirmed", "3": "sent"}


def test_what_is_missing_is_sent_again_once(talk: Talk) -> None:
    """What a complete history lacks is sent again as it was, and not once more by the next."""
    talk.says("hello")
    talk.doubts("1")

    assert talk.recalls_history() == [posting(HELLO, msg_id="1")]
    assert talk.outbox == {"1": "pending"}
    assert talk.recalls_history() == []
    assert talk.sent("1") == [MessageSent("1")]
    assert talk.recalls_history() == []


def test_doubt_may_come_again(talk: Talk) -> None:
    """What was sent again and is in doubt again is resolved by the next complete history."""
    talk.says("hello")
    for _ in range(3):
        assert talk.doubts("1") == [MessageUnconfirmed("1", "no reply")]
        assert talk.posted(talk.recalls_history()) == [HELLO]
    talk.fails("1")

    assert talk.recalls_history() == []
    assert talk.outbox == {"1": "failed"}


def test_what_is_present_is_never_sent_again(talk: Talk) -> None:
    """What an early page of the history holds is not sent again after the last one."""
    talk.says("hello")
    talk.doubts("1")
    echo = {"event": "message", "party_id": "CHAT-1", "msg_id": "1", "msg": "hello"}

    assert talk.recalls_history(echo, complete=False) == [MessageSent("1", replayed=True)]
    assert talk.recalls_history() == []
    assert talk.outbox == {"1": "sent"}


def test_a_receipt_in_the_history_is_enough(talk: Talk) -> None:
    """What somebody has read has arrived, though its own line is not in the history."""
    talk.says("hello")
    talk.doubts("1")

    effects = talk.recalls_history({"event": "message_read", "ref_msg_id": "1", "party_id": "ann"})

    assert effects[0] == MessageSent("1", replayed=True)
    assert talk.posted(effects) == []
    assert talk.outbox == {"1": "read"}


def test_only_what_is_in_doubt_is_sent_again(talk: Talk) -> None:
    """A complete history sends again, in order and in one post, what is in doubt and missing."""
    for text in "abcdef":
        talk.says(text)
    talk.doubts("9", "3", "1")
    talk.sent("5")
    talk.fails("7")

    effects = talk.recalls_history(
        {"event": "message", "party_id": "chat-1", "msg_id": "3", "msg": "b"}
    )

    assert [type(effect) for effect in effects] == [MessageSent, SendEvents]
    assert [event["msg"] for event in talk.posted(effects)] == ["a", "e"]
    assert effects[1].msg_ids == ("1", "9")
    assert talk.outbox == {
        "1": "pending",
        "3": "sent",
        "5": "sent",
        "7": "failed",
        "9": "pending",
        "11": "pending",
    }


def test_the_answer_to_a_prompt_is_sent_again_with_its_text(talk: Talk) -> None:
    """A text that answered a prompt is sent again with the form data before it."""
    talk.shows("7", "")
    said = talk.orders(c.SendText("Ada"))
    talk.doubts("1")

    assert talk.posted(talk.recalls_history()) == said
    assert len(said) == 2


def test_what_is_sent_again_is_no_news_of_the_past(talk: Talk) -> None:
    """The post that a history causes happens now."""
    talk.says()
    talk.doubts("1")

    (effect,) = talk.recalls_history()

    assert effect.replayed is False


def test_what_was_pending_is_in_doubt_at_the_end(talk: Talk) -> None:
    """At the end what was on its way is unconfirmed, told before the termination, and once."""
    for text in "abcd":
        talk.says(text)
    talk.sent("3")
    talk.doubts("5")

    effects = talk.ends()

    assert [effect for effect in effects if isinstance(effect, MessageUnconfirmed)] == [
        MessageUnconfirmed("1", "the session is over"),
        MessageUnconfirmed("7", "the session is over"),
    ]
    assert isinstance(effects[-1], Terminated)
    assert talk.outbox == {
        "1": "unconfirmed",
        "3": "sent",
        "5": "unconfirmed",
        "7": "unconfirmed",
    }
    assert talk.recalls_history() == []


def test_completed_is_no_end(talk: Talk) -> None:
    """In a completed conversation a message is still on its way."""
    talk.says()
    talk.hears("status", state="completed")

    assert talk.outbox == {"1": "pending"}
    assert talk.sent("1") == [MessageSent("1")]


@pytest.mark.parametrize("state", ["pending", "unconfirmed"])
def test_no_more_may_wait_than_is_set(talks: type[Talk], state: str) -> None:
    """One message more than may wait is refused, until one of those that wait has arrived."""
    talk = talks(max_unsent=2)
    talk.says("a")
    talk.says("b")
    if state == "unconfirmed":
        talk.doubts("1", "3")

    for command in (
        c.SendText("c"),
        c.SendFile("F", "image"),
        c.SendLocation(1.0, 2.0),
        c.SendNavigation("p"),
    ):
        assert talk.refused(command) == "cannot send more: 2 messages wait to be sent"
    talk.sent("1")
    assert talk.says("c") == "5"
    talk.fails("3")
    assert talk.says("d") == "7"


def test_a_refused_msg_id_is_not_counted(talks: type[Talk]) -> None:
    """A message that is refused for its msg_id, or for lack of capacity, uses up no id."""
    talk = talks(max_unsent=1)
    talk.says()

    talk.refused(c.SendText("again", msg_id="99"))
    talk.sent("1")
    talk.refused(c.SendText("again", msg_id="1"))

    assert talk.says() == "3"


def test_a_full_outbox_refuses_no_other_order(talks: type[Talk]) -> None:
    """Where no message may be said, anything else still may."""
    talk = talks(max_unsent=1).connects()
    talk.says()
    talk.shows("7")

    for command in (c.StartTyping(), c.MarkRead("2"), c.SubmitForm("7", {}), c.RequestCall()):
        assert len(talk.orders(command)) == 1
    assert talk.orders(c.End()) == [{"event": "chat_session_end"}]


def test_a_refused_text_answers_no_prompt(talks: type[Talk]) -> None:
    """A text that may not be said leaves the prompt open, and typing as it was."""
    talk = talks(max_unsent=1)
    talk.says()
    talk.shows("7", "")
    talk.orders(c.StartTyping())

    talk.refused(c.SendText("Ada"))

    assert len(talk.session.forms) == 1
    assert talk.session.deadline == 5.0


def test_as_many_that_arrived_are_remembered(talks: type[Talk]) -> None:
    """As many messages that have arrived are remembered for receipts as may wait, the last."""
    talk = talks(max_unsent=4)
    for _ in range(4):
        talk.sent(talk.says())
    assert list(talk.outbox) == ["1", "3", "5", "7"]

    talk.sent(talk.says())

    assert list(talk.outbox) == ["3", "5", "7", "9"]


def test_the_outbox_is_bounded(talks: type[Talk]) -> None:
    """However much is said, what is remembered of it stays within twice what may wait."""
    talk = talks(max_unsent=3)
    for number in range(100):
        msg_id = talk.says(f"text {number}")
        talk.sent(msg_id) if number % 3 else talk.fails(msg_id)
        assert len(talk.outbox) <= 6

    assert talk.outbox["199"] == "failed"


def test_what_waits_is_never_forgotten(talks: type[Talk]) -> None:
    """What is on its way stays in the outbox while others come and go."""
    talk = talks(max_unsent=2)
    talk.says("waits")
    for _ in range(20):
        talk.sent(talk.says())

    assert talk.outbox["1"] == "pending"


def test_what_has_arrived_is_no_longer_kept(talk: Talk) -> None:
    """Of what arrived or failed, the words are kept nowhere."""
    talk.says("a marked text that is longer than sixty-four characters, so that it is digested")
    talk.says("another marked text, longer than sixty-four characters, so that it is digested")
    assert "marked" in str(talk.session.snapshot(now=0.0))

    talk.sent("1")
    talk.fails("3")

    assert "marked" not in str(talk.session.snapshot(now=0.0))


@pytest.mark.parametrize("said", ["one<br>two", "one<BR/>two", "one<br  />two", "one\ntwo"])
def test_an_echo_as_plain_text_is_recognised(talk: Talk, said: str) -> None:
    """A server may pass a break of HTML on as a line end."""
    talk.receives(c.SendText(said))
    assert talk.echoes("1", "one\ntwo") == [MessageSent("1")]
