"""What goes to the server for each thing that the customer says or shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import commands as c
from chatfsm.effects import MessageReceived, MessageSent, SendEvents, WarningCleared
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Talk

# Each command that takes the first id, and the one event that it posts.
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

# Each command without an id of its own, and the one event that it posts.
NAMELESS: list[tuple[c.Command, dict[str, Any]]] = [
    (c.StartTyping(), {"event": "chat_session_typing"}),
    (c.StartTyping("hel"), {"event": "chat_session_typing", "msg": "hel"}),
    (c.MarkDelivered("2"), {"event": "chat_session_message_delivered", "ref_msg_id": "2"}),
    (c.MarkRead("2"), {"event": "chat_session_message_read", "ref_msg_id": "2"}),
    (c.Disconnect(), {"event": "chat_session_disconnect"}),
    (c.End(), {"event": "chat_session_end"}),
]


@pytest.mark.parametrize(("command", "event"), NUMBERED)
def test_what_is_said_is_posted_with_the_first_id(
    talk: Talk, command: c.Command, event: dict[str, Any]
) -> None:
    """What is said goes out as exactly one event with the id 1, whose fate is to be told."""
    effects = talk.receives(command)

    assert effects == [posting(event, msg_id="1")]
    assert talk.outbox == {"1": "pending"}
    assert talk.session.last_msg_id == "1"
    assert talk.session.counts.effects == 1
    assert talk.session.counts.events == 0


@pytest.mark.parametrize(("command", "event"), NAMELESS)
def test_what_has_no_id_is_posted_and_followed_no_further(
    talk: Talk, command: c.Command, event: dict[str, Any]
) -> None:
    """What bears no id goes out as exactly one event, and no fate of it is awaited."""
    assert talk.receives(command) == [posting(event)]
    assert talk.outbox == {}


def test_ids_are_odd_and_count_on(talk: Talk) -> None:
    """Whatever takes an id takes the next odd number."""
    talk.connects()
    said = [
        c.SendText("a"),
        c.SendFile("F1", "image"),
        c.SendLocation(1.0, 2.0),
        c.SendNavigation("p"),
        c.RequestCall(),
        c.RequestSms("+1"),
        c.SendText("b"),
    ]

    assert [talk.orders(command)[0]["msg_id"] for command in said] == [
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


def invite(talk: Talk) -> None:
    """Bring the session to where every command of `WITH_ID` is allowed."""
    talk.hears("status", state="connected")
    talk.hears("cobrowsing_requested", msg_id="2")


@pytest.mark.parametrize("msg_id", ["999", "a-token:4", "free text", "007"])
@pytest.mark.parametrize("make", WITH_ID)
def test_a_given_id_is_kept(talk: Talk, make: Callable[[str], c.Command], msg_id: str) -> None:
    """The msg_id that a command holds goes to the server as it is."""
    invite(talk)
    assert [event["msg_id"] for event in talk.orders(make(msg_id))] == [msg_id]


def test_a_given_id_is_that_of_the_message(talk: Talk) -> None:
    """The outbox, the effects and the echo of a message know it by the id that the app gave."""
    [send] = [e for e in talk.receives(c.SendText("a", msg_id="mine")) if isinstance(e, SendEvents)]
    assert send.msg_ids == ("mine",)
    assert talk.session.outbox == {"mine": "pending"}
    assert talk.sent("mine") == [MessageSent("mine")]
    assert talk.echoes("mine", "a") == []


@pytest.mark.parametrize(("given", "following"), [("999", "1001"), ("4", "7"), ("free text", "1")])
def test_the_session_counts_on_from_a_given_id(talk: Talk, given: str, following: str) -> None:
    """An id that the session takes afterwards is odd, and none that the app gave."""
    talk.orders(c.SendText("a", msg_id=given))
    assert talk.orders(c.SendText("b"))[0]["msg_id"] == following


@pytest.mark.parametrize("make", WITH_ID)
@pytest.mark.parametrize("first", [*WITH_ID[:5], *WITH_ID[6:]])
def test_an_id_that_was_used_is_refused(
    talk: Talk, first: Callable[[str], c.Command], make: Callable[[str], c.Command]
) -> None:
    """An id names one event of the customer's, of whatever kind: the second is refused."""
    invite(talk)
    talk.orders(first("7"))
    if first is make is WITH_ID[4]:
        assert talk.refused(make("7"))  # for another reason: there is a call already
        return
    assert talk.refused(make("7")) == "cannot send: msg_id '7' was used before"


def test_an_id_that_was_seen_in_a_history_is_refused(talk: Talk) -> None:
    """An own message of another device has its id; the agent's ids are no matter."""
    talk.hears("message", party_id="chat-1", msg_id="5", msg="from elsewhere")
    talk.hears("message", party_id="ann", msg_id="6", msg="from the agent")
    assert "'5' was used before" in talk.refused(c.SendText("a", msg_id="5"))
    assert talk.orders(c.SendText("a", msg_id="6"))[0]["msg_id"] == "6"


def test_an_empty_id_is_refused(talk: Talk) -> None:
    """The server takes an empty id for a missing one, so an app may not give it."""
    assert "1 character or more" in talk.refused(c.SendText("a", msg_id=""))


def test_ids_may_name_the_chat(talks: type[Talk]) -> None:
    """With the documentation's format an id is that of the chat, a colon and the number."""
    talk = talks(msg_id_format="chat_id:n").connects()

    assert talk.says() == "chat-1:1"
    assert talk.orders(c.RequestCall())[0]["msg_id"] == "chat-1:3"
    assert talk.outbox == {"chat-1:1": "pending"}


def test_files_may_go_without_an_id(talks: type[Talk]) -> None:
    """Where the settings ask for it a file bears an empty id, and is still followed by its own."""
    talk = talks(empty_file_ids=True)

    assert talk.receives(c.SendFile("F1", "image")) == [
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
    assert talk.outbox == {"1": "pending"}


def test_only_files_go_without_an_id(talks: type[Talk]) -> None:
    """Empty ids are for files: everything else bears its own."""
    talk = talks(empty_file_ids=True)

    assert talk.orders(c.SendText("a"))[0]["msg_id"] == "1"
    assert talk.orders(c.SendLocation(1.0, 2.0))[0]["msg_id"] == "3"


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
def test_ids_count_on_from_own_ids(talk: Talk, item: dict[str, Any], past: bool) -> None:
    """An own id that another device or an earlier run took is not taken again."""
    if past:
        talk.recalls_history(item)
    else:
        talk.hears(item["event"], **{k: v for k, v in item.items() if k != "event"})

    assert talk.says() == "9"


@pytest.mark.parametrize(
    "msg_id", ["abc", "", None, "\u0667", "1" * 16, "7:", "-7", "7.5", "\u00b2"]
)
def test_ids_that_are_no_numbers_teach_nothing(talk: Talk, msg_id: str | None) -> None:
    """An own id that no counter made leaves the counter where it was."""
    talk.echoes(msg_id, "elsewhere")

    assert talk.says() == "1"


def test_a_lower_id_does_not_turn_the_counter_back(talk: Talk) -> None:
    """An own id that was passed long ago changes nothing."""
    talk.echoes("9", "elsewhere")
    talk.echoes("3", "elsewhere, before")

    assert talk.says() == "11"


def test_ids_of_others_teach_nothing(talk: Talk) -> None:
    """The server's ids are its own."""
    talk.hears("message", party_id="ann", msg_id="8", msg="hello")
    talk.hears("file", party_id="ann", msg_id="18", file_id="f")

    assert talk.says() == "1"


def test_what_is_said_is_told_by_nobody(talk: Talk) -> None:
    """What the app said itself is no message that it receives."""
    talk.says()
    talk.echoes("1")

    assert not [effect for effect in talk.told if isinstance(effect, MessageReceived)]


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
def test_activity_clears_the_warning(talk: Talk, command: c.Command) -> None:
    """What the customer does clears the warning, once."""
    talk.shows("7")
    talk.hears("timeout_warning", msg="Still there?")

    effects = talk.receives(command)

    assert effects.count(WarningCleared()) == 1
    assert talk.session.warning is None
    assert WarningCleared() not in talk.receives(c.SendText("again"))


@pytest.mark.parametrize("command", [c.MarkRead("2"), c.MarkDelivered("2"), c.StopTyping()])
def test_receipts_are_no_activity(talk: Talk, command: c.Command) -> None:
    """What an app may do by itself does not clear the warning."""
    talk.hears("timeout_warning", msg="Still there?")

    assert WarningCleared() not in talk.receives(command)
    assert talk.session.warning == "Still there?"


@pytest.mark.parametrize("mark", [c.MarkDelivered, c.MarkRead])
def test_a_message_is_marked_once(talk: Talk, mark: type[c.MarkRead | c.MarkDelivered]) -> None:
    """A receipt goes out once for each message."""
    assert len(talk.orders(mark("2"))) == 1
    assert talk.receives(mark("2")) == []
    assert talk.orders(mark("4"))[0]["ref_msg_id"] == "4"
    assert talk.receives(mark("2")) == []


def test_delivered_and_read_are_two_things(talk: Talk) -> None:
    """A message may be marked as delivered, and then as read."""
    talk.orders(c.MarkDelivered("2"))

    assert talk.orders(c.MarkRead("2")) == [
        {"event": "chat_session_message_read", "ref_msg_id": "2"}
    ]


def test_a_mark_hides_no_message(talk: Talk) -> None:
    """A message that was marked before it came is told all the same, and so are its receipts."""
    talk.orders(c.MarkRead("2"))
    talk.orders(c.MarkDelivered("1"))

    told = talk.hears("message", party_id="ann", msg_id="2", msg="hello")
    assert [type(effect).__name__ for effect in told] == ["MessageReceived"]
    assert len(talk.delivered("1")) == 1
    assert talk.session.counts.anomalies == 0


def test_leaving_ends_nothing_by_itself(talk: Talk) -> None:
    """The server says when the session has ended, not the app."""
    talk.connects()
    talk.orders(c.Disconnect())
    talk.orders(c.End())

    assert talk.session.state == "connected"
    assert not talk.session.done
    assert talk.says() == "1"


def test_asking_to_be_phoned_is_no_call(talk: Talk) -> None:
    """A wish for a phone call or text messages goes out as a signal and moves no call."""
    assert talk.orders(c.RequestPhoneCall("+1 555")) == [
        {
            "event": "chat_session_signaling",
            "msg_id": "1",
            "data": {"type": "REQUEST_PHONE_CALL", "number": "+1 555"},
        }
    ]
    assert talk.orders(c.RequestSms("+1 555")) == [
        {
            "event": "chat_session_signaling",
            "msg_id": "3",
            "data": {"type": "REQUEST_SMS", "number": "+1 555"},
        }
    ]
    assert talk.session.call == "idle"
    assert talk.outbox == {}


COBROWSING = [
    ("rejected", {}),
    (
        "started",
        {"provider_type": "surfly", "cobrowsing_url": "https://co.example", "cobrowsing_id": "9"},
    ),
    ("ended", {}),
]


@pytest.mark.parametrize(("state", "fields"), COBROWSING)
def test_cobrowsing_is_answered(talk: Talk, state: Any, fields: dict[str, str]) -> None:
    """A reply to co-browsing goes out with an id, and is where co-browsing then is."""
    talk.hears("cobrowsing_requested", msg_id="2")

    effects = talk.receives(c.CobrowsingReply(state, **fields))

    event = {"event": f"chat_session_cobrowsing_{state}", "msg_id": "1", **fields}
    assert talk.posted(effects) == [event]
    assert [type(effect).__name__ for effect in effects] == ["CobrowsingChanged", "SendEvents"]
    assert talk.session.cobrowsing == state
    assert talk.hears(f"cobrowsing_{state}", party_id="chat-1", msg_id="1", **fields) == []


def test_cobrowsing_ends_after_it_started(talk: Talk) -> None:
    """What was started may be ended, and what has ended is over."""
    talk.hears("cobrowsing_requested", msg_id="2")
    talk.orders(c.CobrowsingReply("started"))
    talk.orders(c.CobrowsingReply("ended"))

    assert talk.refused(c.CobrowsingReply("ended")) == (
        "cannot reply that co-browsing is ended: it is ended"
    )
    talk.hears("cobrowsing_requested", msg_id="4")
    assert len(talk.orders(c.CobrowsingReply("rejected"))) == 1


def test_a_step_of_cobrowsing_is_told_once(talk: Talk) -> None:
    """A step that is known already is absorbed, under the same id or another."""
    assert len(talk.hears("cobrowsing_requested", msg_id="2")) == 1

    assert talk.hears("cobrowsing_requested", msg_id="2") == []
    assert talk.hears("cobrowsing_requested", msg_id="4") == []
    assert talk.session.counts.duplicates == 2
    assert len(talk.orders(c.CobrowsingReply("started"))) == 1
