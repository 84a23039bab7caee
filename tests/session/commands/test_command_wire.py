"""Wire events of the commands, and their ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import commands as c
from chatfsm.effects import MessageReceived, MessageSent, SendEvents, WarningCleared
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Harness

# Commands that take the first id, and the one event that each posts.
NUMBERED: list[tuple[c.Command, dict[str, Any]]] = [
    (c.SendText("hi"), {"event": "chat_session_message", "msg": "hi", "msg_id": "1"}),
    (c.SendText(""), {"event": "chat_session_message", "msg": "", "msg_id": "1"}),
    (
        c.SendText("hi", "<b>hi</b>"),
        {"event": "chat_session_message", "msg": "<b>hi</b>", "msg_text": "hi", "msg_id": "1"},
    ),
    (
        c.SendFile("F1", "image", "cat.png"),
        {
            "event": "chat_session_file",
            "msg_id": "1",
            "file_id": "F1",
            "file_type": "image",
            "file_name": "cat.png",
        },
    ),
    (
        c.SendFile("F1", "attachment"),
        {
            "event": "chat_session_file",
            "msg_id": "1",
            "file_id": "F1",
            "file_type": "attachment",
        },
    ),
    (
        c.SendLocation(52.5, -13.25, "https://maps.example/1"),
        {
            "event": "chat_session_location",
            "msg_id": "1",
            "latitude": 52.5,
            "longitude": -13.25,
            "url": "https://maps.example/1",
        },
    ),
    (
        c.SendLocation(0, 0),
        {"event": "chat_session_location", "msg_id": "1", "latitude": 0, "longitude": 0},
    ),
    (
        c.SendNavigation("https://shop.example/", "Shop"),
        {
            "event": "chat_session_navigation",
            "msg_id": "1",
            "page": "https://shop.example/",
            "title": "Shop",
        },
    ),
]

# Commands without an id, and the one event that each posts.
WITHOUT_ID: list[tuple[c.Command, dict[str, Any]]] = [
    (c.StartTyping(), {"event": "chat_session_typing"}),
    (c.StartTyping("hel"), {"event": "chat_session_typing", "msg": "hel"}),
    (c.MarkDelivered("2"), {"event": "chat_session_message_delivered", "ref_msg_id": "2"}),
    (c.MarkRead("2"), {"event": "chat_session_message_read", "ref_msg_id": "2"}),
    (c.Disconnect(), {"event": "chat_session_disconnect"}),
    (c.End(), {"event": "chat_session_end"}),
]


@pytest.mark.parametrize(("command", "event"), NUMBERED)
def test_a_message_is_posted_with_the_first_id(
    harness: Harness, command: c.Command, event: dict[str, Any]
) -> None:
    """Such a command posts exactly one event with the id 1, which is pending in the outbox."""
    effects = harness.receive(command)

    assert effects == [posting(event, msg_id="1")]
    assert harness.outbox == {"1": "pending"}
    assert harness.session.last_msg_id == "1"
    assert harness.session.counts.effects == 1
    assert harness.session.counts.events == 0


@pytest.mark.parametrize(("command", "event"), WITHOUT_ID)
def test_a_command_without_an_id_is_posted_and_not_tracked(
    harness: Harness, command: c.Command, event: dict[str, Any]
) -> None:
    """Such a command posts exactly one event, which is not in the outbox."""
    assert harness.receive(command) == [posting(event)]
    assert harness.outbox == {}


def test_ids_are_odd_and_ascending(harness: Harness) -> None:
    """Each event with an id takes the next odd number."""
    harness.connect()
    sequence = [
        c.SendText("a"),
        c.SendFile("F1", "image"),
        c.SendLocation(1.0, 2.0),
        c.SendNavigation("p"),
        c.RequestCall(),
        c.RequestSms("+1"),
        c.SendText("b"),
    ]

    assert [harness.send(command)[0]["msg_id"] for command in sequence] == [
        *("1", "3", "5", "7", "9", "11", "13")
    ]


WITH_ID: list[Callable[[str], c.Command]] = [
    lambda msg_id: c.SendText("a", msg_id=msg_id),
    lambda msg_id: c.SendFile("F1", "image", msg_id=msg_id),
    lambda msg_id: c.SendLocation(1, 2, msg_id=msg_id),
    lambda msg_id: c.SendNavigation("/page", msg_id=msg_id),
    lambda msg_id: c.RequestCall(msg_id=msg_id),
    lambda msg_id: c.CobrowsingReply("rejected", msg_id=msg_id),
    lambda msg_id: c.RequestPhoneCall("+15550100", msg_id=msg_id),
    lambda msg_id: c.RequestSms("+15550100", msg_id=msg_id),
]


def allow_all(harness: Harness) -> None:
    """Bring the session to a state in which every command of `WITH_ID` is allowed."""
    harness.feed("status", state="connected")
    harness.feed("cobrowsing_requested", msg_id="2")


@pytest.mark.parametrize("msg_id", ["999", "a-token:4", "free text", "007"])
@pytest.mark.parametrize("make", WITH_ID)
def test_a_given_id_is_kept(
    harness: Harness, make: Callable[[str], c.Command], msg_id: str
) -> None:
    """The msg_id of a command is on the wire unchanged."""
    allow_all(harness)
    assert [event["msg_id"] for event in harness.send(make(msg_id))] == [msg_id]


def test_a_given_id_is_that_of_the_message(harness: Harness) -> None:
    """The outbox, the effects and the echo of a message have the id that the app gave."""
    [send] = [
        e for e in harness.receive(c.SendText("a", msg_id="mine")) if isinstance(e, SendEvents)
    ]
    assert send.msg_ids == ("mine",)
    assert harness.session.outbox == {"mine": "pending"}
    assert harness.sent("mine") == [MessageSent("mine")]
    assert harness.echo("mine", "a") == []


@pytest.mark.parametrize(("given", "following"), [("999", "1001"), ("4", "7"), ("free text", "1")])
def test_the_next_id_follows_a_given_id(harness: Harness, given: str, following: str) -> None:
    """The next id of the session is odd, and not one that the app gave."""
    harness.send(c.SendText("a", msg_id=given))
    assert harness.send(c.SendText("b"))[0]["msg_id"] == following


@pytest.mark.parametrize("make", WITH_ID)
@pytest.mark.parametrize("first", [*WITH_ID[:5], *WITH_ID[6:]])
def test_an_id_that_was_used_is_refused(
    harness: Harness, first: Callable[[str], c.Command], make: Callable[[str], c.Command]
) -> None:
    """A msg_id names one event of the customer, of any kind: a second use is refused."""
    allow_all(harness)
    harness.send(first("7"))
    if first is make is WITH_ID[4]:
        assert harness.refused(make("7"))  # refused for another reason: there is a call already
        return
    assert harness.refused(make("7")) == "cannot send: msg_id '7' was used before"


def test_an_id_that_was_seen_in_a_history_is_refused(harness: Harness) -> None:
    """Ids of own messages of other devices are refused; ids of agents are allowed."""
    harness.feed("message", party_id="chat-1", msg_id="5", msg="from elsewhere")
    harness.feed("message", party_id="ann", msg_id="6", msg="from the agent")
    assert "'5' was used before" in harness.refused(c.SendText("a", msg_id="5"))
    assert harness.send(c.SendText("a", msg_id="6"))[0]["msg_id"] == "6"


def test_an_empty_id_is_refused(harness: Harness) -> None:
    """An empty id is refused, because the server takes it for a missing one."""
    assert "1 character or more" in harness.refused(c.SendText("a", msg_id=""))


def test_ids_may_contain_the_chat_id(make_harness: type[Harness]) -> None:
    """With the format "chat_id:n" an id is the chat_id, a colon and the number."""
    harness = make_harness(msg_id_format="chat_id:n").connect()

    assert harness.send_text() == "chat-1:1"
    assert harness.send(c.RequestCall())[0]["msg_id"] == "chat-1:3"
    assert harness.outbox == {"chat-1:1": "pending"}


def test_files_may_go_without_an_id(make_harness: type[Harness]) -> None:
    """With `empty_file_ids` a file has an empty id on the wire, and its own in the outbox."""
    harness = make_harness(empty_file_ids=True)

    assert harness.receive(c.SendFile("F1", "image")) == [
        posting(
            {
                "event": "chat_session_file",
                "msg_id": "",
                "file_id": "F1",
                "file_type": "image",
            },
            msg_id="1",
        )
    ]
    assert harness.outbox == {"1": "pending"}


def test_only_files_go_without_an_id(make_harness: type[Harness]) -> None:
    """`empty_file_ids` concerns files only."""
    harness = make_harness(empty_file_ids=True)

    assert harness.send(c.SendText("a"))[0]["msg_id"] == "1"
    assert harness.send(c.SendLocation(1.0, 2.0))[0]["msg_id"] == "3"


OWN_ITEMS = [
    {"event": "message", "party_id": "chat-1", "msg_id": "7", "msg": "elsewhere"},
    {"event": "message", "party_id": "CHAT-1", "msg_id": "chat-1:7", "msg": "elsewhere"},
    {"event": "message", "party_id": "chat-1", "msg_id": "6", "msg": "by an even counter"},
    {"event": "file", "msg_id": "7", "file_id": "F1"},
    {"event": "file", "party_id": "chat-1", "msg_id": "7", "file_id": "F1"},
    {"event": "location", "party_id": "chat-1", "msg_id": "7", "latitude": 1, "longitude": 2},
    {
        "event": "signaling",
        "party_id": "chat-1",
        "msg_id": "7",
        "data": {"type": "CALL_STATE", "audioEnabled": True},
    },
]


@pytest.mark.parametrize("item", OWN_ITEMS, ids=lambda item: f"{item['event']}-{item['msg_id']}")
@pytest.mark.parametrize("past", [False, True], ids=["live", "history"])
def test_ids_continue_after_own_ids(harness: Harness, item: dict[str, Any], past: bool) -> None:
    """An own id that another device or an earlier process took is not taken again."""
    if past:
        harness.history(item)
    else:
        harness.feed(item["event"], **{k: v for k, v in item.items() if k != "event"})

    assert harness.send_text() == "9"


@pytest.mark.parametrize(
    "msg_id", ["abc", "", None, "\u0667", "1" * 16, "7:", "-7", "7.5", "\u00b2"]
)
def test_ids_that_are_not_numbers_do_not_change_the_counter(
    harness: Harness, msg_id: str | None
) -> None:
    """An own id that is not a number does not change the counter."""
    harness.echo(msg_id, "elsewhere")

    assert harness.send_text() == "1"


def test_a_lower_id_does_not_turn_the_counter_back(harness: Harness) -> None:
    """An own id below the counter does not change it."""
    harness.echo("9", "elsewhere")
    harness.echo("3", "elsewhere, before")

    assert harness.send_text() == "11"


def test_ids_of_other_parties_do_not_change_the_counter(harness: Harness) -> None:
    """Ids of other parties do not change the counter."""
    harness.feed("message", party_id="ann", msg_id="8", msg="hello")
    harness.feed("file", party_id="ann", msg_id="18", file_id="f")

    assert harness.send_text() == "1"


def test_the_echo_of_a_command_is_not_reported(harness: Harness) -> None:
    """The echo of a command is not reported as a message."""
    harness.send_text()
    harness.echo("1")

    assert not [effect for effect in harness.effects if isinstance(effect, MessageReceived)]


@pytest.mark.parametrize(
    "command",
    [
        c.SendText("hi"),
        c.SendFile("F1", "image"),
        c.SendLocation(1.0, 2.0),
        c.SubmitForm("7", {}),
        c.CancelForm("7"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_activity_clears_the_warning(harness: Harness, command: c.Command) -> None:
    """Commands that are activity of the customer clear the warning, once."""
    harness.show_form("7")
    harness.feed("timeout_warning", msg="Still there?")

    effects = harness.receive(command)

    assert effects.count(WarningCleared()) == 1
    assert harness.session.warning is None
    assert WarningCleared() not in harness.receive(c.SendText("again"))


@pytest.mark.parametrize("command", [c.MarkRead("2"), c.MarkDelivered("2"), c.StopTyping()])
def test_receipts_are_not_activity(harness: Harness, command: c.Command) -> None:
    """Receipts, which an app may send by itself, do not clear the warning."""
    harness.feed("timeout_warning", msg="Still there?")

    assert WarningCleared() not in harness.receive(command)
    assert harness.session.warning == "Still there?"


@pytest.mark.parametrize("mark", [c.MarkDelivered, c.MarkRead])
def test_a_message_is_marked_once(
    harness: Harness, mark: type[c.MarkRead | c.MarkDelivered]
) -> None:
    """A receipt is posted once for each message."""
    assert len(harness.send(mark("2"))) == 1
    assert harness.receive(mark("2")) == []
    assert harness.send(mark("4"))[0]["ref_msg_id"] == "4"
    assert harness.receive(mark("2")) == []


def test_delivered_and_read_are_two_things(harness: Harness) -> None:
    """A message may be marked as delivered, and then as read."""
    harness.send(c.MarkDelivered("2"))

    assert harness.send(c.MarkRead("2")) == [
        {"event": "chat_session_message_read", "ref_msg_id": "2"}
    ]


def test_a_receipt_does_not_suppress_its_message(harness: Harness) -> None:
    """A message that was marked before it was received is reported, and so are receipts for it."""
    harness.send(c.MarkRead("2"))
    harness.send(c.MarkDelivered("1"))

    reported = harness.feed("message", party_id="ann", msg_id="2", msg="hello")
    assert [type(effect).__name__ for effect in reported] == ["MessageReceived"]
    assert len(harness.delivered("1")) == 1
    assert harness.session.counts.anomalies == 0


def test_disconnect_does_not_end_the_session(harness: Harness) -> None:
    """`Disconnect` and `End` do not end the session: the server does."""
    harness.connect()
    harness.send(c.Disconnect())
    harness.send(c.End())

    assert harness.session.state == "connected"
    assert not harness.session.done
    assert harness.send_text() == "1"


def test_the_request_of_a_phone_call_changes_no_call(harness: Harness) -> None:
    """The request of a phone call or of text messages is posted as a signal and changes no call."""
    assert harness.send(c.RequestPhoneCall("+1 555")) == [
        {
            "event": "chat_session_signaling",
            "msg_id": "1",
            "data": {"type": "REQUEST_PHONE_CALL", "number": "+1 555"},
        }
    ]
    assert harness.send(c.RequestSms("+1 555")) == [
        {
            "event": "chat_session_signaling",
            "msg_id": "3",
            "data": {"type": "REQUEST_SMS", "number": "+1 555"},
        }
    ]
    assert harness.session.call == "idle"
    assert harness.outbox == {}


COBROWSING = [
    ("rejected", {}),
    (
        "started",
        {"provider_type": "surfly", "cobrowsing_url": "https://co.example", "cobrowsing_id": "9"},
    ),
    ("ended", {}),
]


@pytest.mark.parametrize(("state", "fields"), COBROWSING)
def test_cobrowsing_is_answered(harness: Harness, state: Any, fields: dict[str, str]) -> None:
    """A reply to co-browsing is posted with an id, and changes the state of co-browsing."""
    harness.feed("cobrowsing_requested", msg_id="2")

    effects = harness.receive(c.CobrowsingReply(state, **fields))

    event = {"event": f"chat_session_cobrowsing_{state}", "msg_id": "1", **fields}
    assert harness.posted(effects) == [event]
    assert [type(effect).__name__ for effect in effects] == ["CobrowsingChanged", "SendEvents"]
    assert harness.session.cobrowsing == state
    assert harness.feed(f"cobrowsing_{state}", party_id="chat-1", msg_id="1", **fields) == []


def test_cobrowsing_ends_after_it_started(harness: Harness) -> None:
    """Co-browsing that was started may be ended, once."""
    harness.feed("cobrowsing_requested", msg_id="2")
    harness.send(c.CobrowsingReply("started"))
    harness.send(c.CobrowsingReply("ended"))

    assert harness.refused(c.CobrowsingReply("ended")) == (
        "cannot reply that co-browsing is ended: it is ended"
    )
    harness.feed("cobrowsing_requested", msg_id="4")
    assert len(harness.send(c.CobrowsingReply("rejected"))) == 1


def test_a_step_of_cobrowsing_is_reported_once(harness: Harness) -> None:
    """A known step of co-browsing is a duplicate, with the same id or another."""
    assert len(harness.feed("cobrowsing_requested", msg_id="2")) == 1

    assert harness.feed("cobrowsing_requested", msg_id="2") == []
    assert harness.feed("cobrowsing_requested", msg_id="4") == []
    assert harness.session.counts.duplicates == 2
    assert len(harness.send(c.CobrowsingReply("started"))) == 1
