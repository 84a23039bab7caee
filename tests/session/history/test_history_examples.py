"""Histories of short chats: missed events are reported once, and the present is not changed."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from chatfsm import ChatSession, History, SendFailed, commands, decode, effects

Item = dict[str, Any]


def event(name: str, /, *, at: int | None = None, **fields: Any) -> Item:
    """A wire event; `name` is its wire name without "chat_session_"."""
    wire_name = name if name.startswith("chat_") else f"chat_session_{name}"
    return {"event": wire_name, **fields, **({} if at is None else {"timestamp": at})}


def message_of(party_id: str, msg: str, msg_id: str | None = None, at: int | None = None) -> Item:
    return event("message", party_id=party_id, msg=msg, msg_id=msg_id, at=at)


def join(party_id: str, at: int | None, name: str = "") -> Item:
    kind = {"type": "internal", "display_name": name}
    return event("party_joined", party_id=party_id, at=at, **kind)


def leave(party_id: str, at: int | None) -> Item:
    return event("party_left", party_id=party_id, at=at)


def show_form(request_id: str, at: int | None, name: str = "survey") -> Item:
    return event("form_show", form_request_id=request_id, form_name=name, at=at)


def feed_live(session: ChatSession, *items: Item) -> list[effects.Effect]:
    """Feed live events."""
    return [effect for one in decode([*items]) for effect in session.receive(one, now=0.0)]


def feed_history(session: ChatSession, *items: Item, complete: bool = True) -> list[effects.Effect]:
    """Feed a page of the history."""
    return session.receive(History(decode([*items]), complete=complete), now=0.0)


def connected(*items: Item) -> ChatSession:
    """A connected session that has received these items live."""
    session = ChatSession("chat-1")
    feed_live(session, event("status", state="connected"), *items)
    return session


def texts_of(reported: list[effects.Effect]) -> list[str]:
    return [effect.message.text for effect in reported if hasattr(effect, "message")]


def in_any_order(*items: Item) -> list[tuple[Item, ...]]:
    return list(permutations(items))


def test_only_missed_messages_are_reported() -> None:
    """Of a history that overlaps with live messages only the new ones are reported, as replayed."""
    live = [message_of("ann", "one", "2", 1), message_of("chat-1", "two", "1", 2)]
    session = connected(*live)
    reported = feed_history(
        session, message_of("ann", "zero", "0", 0), *live, message_of("ann", "three", "4", 3)
    )
    assert texts_of(reported) == ["zero", "three"]
    assert all(effect.replayed for effect in reported)


def test_messages_of_a_history_are_live_duplicates() -> None:
    """The poll that overlaps with the history reports nothing again."""
    session = connected()
    messages = [message_of("ann", "one", "2", 1), message_of("ann", "two", "4", 2)]
    feed_history(session, *messages)
    assert feed_live(session, *messages) == []


def test_a_reused_id_in_a_history_is_reported() -> None:
    """A reused id in a history is reported, with an anomaly, both as replayed."""
    session = connected(message_of("ann", "one", "2", 1))
    reported = feed_history(session, message_of("ann", "another", "2", 1))
    assert texts_of(reported) == ["another"]
    (anomaly,) = [effect for effect in reported if isinstance(effect, effects.Anomaly)]
    assert (anomaly.kind, anomaly.replayed) == ("id_reused", True)


@pytest.mark.parametrize(
    "ending",
    [
        event("ended", at=9),
        event("inactivity_timeout", msg="too long", at=9),
        event("status", state="failed"),
    ],
    ids=lambda item: item["event"],
)
def test_an_old_end_does_not_end_a_live_session(ending: Item) -> None:
    """The end in a history does not end a session that the server reports as alive."""
    session = connected(event("typing", party_id="ann"), show_form("1", 1))
    assert feed_history(session, ending) == []
    assert (session.state, session.done) == ("connected", False)
    assert (session.typing, len(session.forms)) == (("ann",), 1)


@pytest.mark.parametrize(
    "item",
    [
        event("status", state="queued", ewt="10"),
        event("typing", party_id="ann", at=9),
        event("not_typing", party_id="bob", at=9),
        event("timeout_warning", msg="still there?", at=9),
        event("signaling", party_id="ann", msg_id="8", data={"type": "END_CALL"}),
        event("signaling", party_id="ann", msg_id="8", data={"type": "OFFER_CALL", "sdp": "v"}),
        event("signaling", party_id="ann", msg_id="8", data={"type": "ICE_CANDIDATE"}),
        event("cobrowsing_ended", msg_id="8"),
        event("end", at=9),
        event("disconnect", at=9),
    ],
    ids=lambda item: item["event"],
)
def test_transient_events_of_a_history_have_no_effect(item: Item) -> None:
    """States, typing, warnings, calls and co-browsing of a history have no effect."""
    offer = {"type": "OFFER_CALL", "sdp": "v=0"}
    session = connected(
        event("signaling", party_id="ann", msg_id="2", data=offer),
        event("timeout_warning", msg="now"),
        event("typing", party_id="bob"),
        event("cobrowsing_requested", msg_id="4"),
    )
    before = session.snapshot(now=0.0)["memory"]
    assert feed_history(session, item) == []
    after = session.snapshot(now=0.0)["memory"]
    assert {**after, "counts": None} == {**before, "counts": None}
    assert session.counts.events == before["counts"]["events"] + 1


ANSWERS = [
    event("form_data", form_request_id="1", at=5),
    event("secure_form_data", form_request_id="1", at=5),
    event("chat_form_data_cancel", form_request_id="1", at=5),
    event("secure_form_cancel", form_request_id="1", at=5),
]


@pytest.mark.parametrize(
    "show", [show_form("1", 3), event("secure_form_show", form_request_id="1", at=3)]
)
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda item: item["event"])
def test_a_form_that_was_answered_is_not_open(show: Item, answer: Item) -> None:
    """The pages of the form and of the answer may come in either order."""
    for pages in permutations([show, answer]):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert session.forms == ()


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda item: item["event"])
def test_a_form_that_was_shown_again_after_the_answer_is_open(answer: Item) -> None:
    """The answer closes only the form that was shown before it."""
    for pages in in_any_order(show_form("1", 3), answer, show_form("1", 7, "another")):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert [form.name for form in session.forms] == ["another"]


def test_of_a_form_shown_three_times_the_last_is_open() -> None:
    """The form shown last is open, in any order of the pages, also without answers."""
    for pages in in_any_order(
        show_form("1", 2, "a"), show_form("1", 5, "c"), show_form("1", 7, "b")
    ):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert [form.name for form in session.forms] == ["b"], pages


def test_a_text_prompt_that_a_text_answered_is_not_open() -> None:
    """The customer's text after a prompt answers it; a text before it does not."""
    for pages in in_any_order(
        message_of("chat-1", "hi", "1", 2),
        show_form("1", 3, ""),
        message_of("chat-1", "yes", "3", 4),
    ):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert session.forms == ()


def test_a_text_prompt_after_the_last_text_is_open() -> None:
    """The next text answers such a prompt; texts_of of other parties do not."""
    for pages in in_any_order(
        message_of("chat-1", "hi", "1", 2),
        show_form("1", 3, ""),
        message_of("ann", "well?", "2", 4),
    ):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert [form.request_id for form in session.forms] == ["1"]


def test_a_form_answered_live_stays_answered() -> None:
    """The history show_form the form again, without the answer."""
    session = connected(show_form("1", 3))
    session.receive(commands.SubmitForm("1", {"a": "b"}), now=0.0)
    assert feed_history(session, show_form("1", 3)) == []
    assert session.forms == ()


def test_an_answer_of_a_history_closes_an_open_form() -> None:
    """The answer was given on another device, while this session was not connected."""
    session = connected(show_form("1", 3))
    (closed,) = feed_history(
        session, show_form("1", 3), event("form_data", form_request_id="1", at=4)
    )
    assert isinstance(closed, effects.FormClosed)
    assert (closed.reason, closed.replayed, session.forms) == ("submitted", True, ())


def test_a_form_is_not_closed_by_an_answer_from_before_it() -> None:
    """The answer belongs to an earlier form with the same request id."""
    session = connected(show_form("1", 9))
    assert feed_history(session, event("form_data", form_request_id="1", at=4)) == []
    assert len(session.forms) == 1


def test_forms_of_a_history_are_in_the_order_of_showing() -> None:
    """The order of the pages does not matter."""
    for pages in in_any_order(show_form("b", 1), show_form("a", 2), show_form("c", 3)):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert [form.request_id for form in session.forms] == ["b", "a", "c"]


def test_the_next_text_answers_the_prompt_that_was_shown_last() -> None:
    """The order of the pages does not matter for the latest prompt."""
    for pages in permutations([show_form("1", 3, ""), show_form("2", 5, "")]):
        session = connected()
        for page in pages:
            feed_history(session, page)
        reported = session.receive(commands.SendText("yes"), now=0.0)
        (work,) = [effect for effect in reported if isinstance(effect, effects.SendEvents)]
        assert work.events[0]["form_request_id"] == "2"


def test_a_party_that_left_is_not_in_the_roster() -> None:
    """A party that joined and left is not in the roster, in any order of the pages."""
    for pages in permutations([join("ann", 1), leave("ann", 2)]):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert session.parties == ()


def test_a_party_that_rejoined_is_in_the_roster() -> None:
    """A party that joined, left and joined again has the name of the last join."""
    for pages in in_any_order(join("ann", 1, "Ann"), leave("ann", 2), join("ann", 3, "Anna")):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert [party.name for party in session.parties] == ["Anna"]


def test_the_latest_name_wins_and_the_order_is_that_of_joining() -> None:
    """Ann joined before Ben and was renamed after Ben had joined."""
    for pages in in_any_order(join("ann", 1, "Ann"), join("ben", 2, "Ben"), join("ann", 3, "A.")):
        session = connected()
        for page in pages:
            feed_history(session, page)
        assert [party.name for party in session.parties] == ["A.", "Ben"], pages
        assert session.agent is not None
        assert session.agent.name == "Ben"


def test_a_stale_leave_does_not_remove_a_live_party() -> None:
    """The party has joined again since the leave of the history."""
    session = connected(join("ann", 5))
    assert feed_history(session, join("ann", 1), leave("ann", 3)) == []
    assert len(session.parties) == 1


def test_a_history_does_not_add_a_party_that_left_live() -> None:
    """The history contains only the join."""
    session = connected(join("ann", 5), leave("ann", 9))
    assert feed_history(session, join("ann", 5)) == []
    assert session.parties == ()


def test_a_leave_of_a_history_stops_typing() -> None:
    """The leave was missed, the typing was not."""
    session = connected(join("ann", 5), event("typing", party_id="ann"))
    reported = feed_history(session, leave("ann", 9))
    assert {type(effect) for effect in reported} == {effects.PartyRemoved, effects.TypingStopped}
    assert (session.parties, session.typing) == ((), ())


def case(case_id: str, at: int | None) -> Item:
    return event("case_set", case_id=case_id, at=at)


def service(name: str, at: int | None) -> Item:
    return event("info", service_name=name, at=at)


def test_the_latest_case_and_service_win() -> None:
    """The latest case and service win, in any order of the pages."""
    for make, known in ((case, "case_id"), (service, "service_name")):
        for pages in in_any_order(make("a", 1), make("c", 2), make("b", 3)):
            session = connected()
            for page in pages:
                feed_history(session, page)
            assert getattr(session, known) == "b"


def test_a_live_case_or_service_wins_over_an_older_one() -> None:
    """A history does not overwrite a newer live case or service."""
    for make, known in ((case, "case_id"), (service, "service_name")):
        for at in (9, None):
            session = connected(make("now", at))
            assert feed_history(session, make("then", 5)) == []
            assert getattr(session, known) == "now"


def test_a_repeated_live_case_is_as_new_as_its_last_event() -> None:
    """A repeated live case or service is as new as its last event, so an older one is stale."""
    for make, known in ((case, "case_id"), (service, "service_name")):
        session = connected(make("now", 1), make("now", 9))
        assert feed_history(session, make("then", 5)) == []
        assert getattr(session, known) == "now"


def test_no_case_is_reported_once() -> None:
    """Two events without a case, both in a history or one of them live, are reported once."""
    session = connected()
    reported = feed_history(session, case("", 1), case("", 2))
    assert reported == [effects.CaseChanged(None, replayed=True)]
    session = connected(case("", 1))
    assert feed_history(session, case("", 2)) == []


ODD = [
    event("nobody_knows", at=3, what="is this"),
    event("party_joined", at=3),
    {"event": 7},
]


@pytest.mark.parametrize("item", ODD, ids=lambda item: str(item["event"]))
def test_an_odd_item_of_a_history_is_reported_once(item: Item) -> None:
    """A repeated page does not report it again."""
    session = connected()
    (reported,) = feed_history(session, item)
    assert isinstance(reported, (effects.UnknownReceived, effects.Anomaly))
    assert reported.replayed
    assert feed_history(session, item) == []
    assert session.counts.unknown + session.counts.malformed == 1
    assert session.counts.duplicates == 1


@pytest.mark.parametrize("item", ODD, ids=lambda item: str(item["event"]))
def test_an_odd_item_received_live_is_not_reported_by_a_history(item: Item) -> None:
    """Only odd items that were not received live are reported."""
    session = connected(item)
    assert feed_history(session, item) == []


def test_a_history_after_the_end_is_late() -> None:
    """Such a history reports nothing, and its events are counted as late and as nothing else."""
    session = connected()
    feed_live(session, event("ended"))
    before = session.counts
    assert feed_history(session, message_of("ann", "one", "2", 1), join("ben", 2)) == []
    assert session.counts.late == before.late + 2
    assert session.counts.events == before.events
    assert session.parties == ()


def with_unconfirmed(*texts: str) -> ChatSession:
    """A connected session that has sent these texts_of, all of them unconfirmed."""
    session = connected()
    for text in texts:
        session.receive(commands.SendText(text), now=0.0)
    session.receive(SendFailed(list(session.outbox), "reply lost", retryable=True), now=0.0)
    assert set(session.outbox.values()) == {"unconfirmed"}
    return session


def test_a_complete_history_resolves_unconfirmed_messages() -> None:
    """Messages in the history have arrived; missing ones are sent again, once, in order."""
    session = with_unconfirmed("one", "two", "three")
    sent, again = feed_history(session, message_of("CHAT-1", "two", "3", 1))
    assert sent == effects.MessageSent("3", replayed=True)
    assert isinstance(again, effects.SendEvents)
    assert [one["msg"] for one in again.events] == ["one", "three"]
    assert (again.msg_ids, again.replayed) == (("1", "5"), False)
    assert session.outbox == {"1": "pending", "3": "sent", "5": "pending"}
    assert feed_history(session) == []


def test_an_incomplete_history_only_confirms() -> None:
    """Messages are sent again only after the last page."""
    session = with_unconfirmed("one", "two")
    assert feed_history(session, message_of("chat-1", "one", "1", 1), complete=False) == [
        effects.MessageSent("1", replayed=True)
    ]
    assert session.outbox == {"1": "sent", "3": "unconfirmed"}
    (again,) = feed_history(session)
    assert again.msg_ids == ("3",)


def test_a_pending_message_is_not_sent_again() -> None:
    """The history may have been made before the pending message arrived."""
    session = connected()
    session.receive(commands.SendText("one"), now=0.0)
    assert feed_history(session) == []
    assert session.outbox == {"1": "pending"}


def test_a_receipt_in_a_history_confirms_too() -> None:
    """A message that was read has arrived."""
    session = with_unconfirmed("one")
    reported = feed_history(session, event("message_read", ref_msg_id="1", party_id="ann", at=3))
    assert reported == [
        effects.MessageSent("1", replayed=True),
        effects.ReadConfirmed("1", "ann", replayed=True),
    ]
    assert session.outbox == {"1": "read"}


def test_own_ids_of_a_history_are_not_taken_again() -> None:
    """Another device, or an earlier process, has taken higher ids."""
    session = connected()
    feed_history(session, message_of("chat-1", "from elsewhere", "41", 1))
    reported = session.receive(commands.SendText("one"), now=0.0)
    assert reported[0].msg_ids == ("43",)


def test_a_leave_stops_typing_before_it_is_reported() -> None:
    """The effects of a leave have the same order as those of a live one."""
    session = connected(join("ann", 1), event("typing", party_id="ann"))
    reported = feed_history(session, event("party_left", party_id="ann", at=2))
    assert [type(effect) for effect in reported] == [effects.TypingStopped, effects.PartyRemoved]


def test_of_two_answers_in_the_same_second_the_first_wins() -> None:
    """A form is answered once."""
    session = connected()
    answer = event("form_data", form_request_id="7", form_name="survey", data={"a": 1}, at=100)
    cancel = event("chat_form_data_cancel", form_request_id="7", form_name="survey", at=100)
    feed_history(session, answer, cancel)
    closed = session._state.closed_forms
    assert closed is not None
    assert closed["7"].reason == "submitted"


def test_a_repeated_service_name_keeps_its_latest_timestamp() -> None:
    """A duplicate of the name with an older timestamp does not make the name older."""
    session = connected(*(event("info", service_name="Desk", at=at) for at in (200, 100)))
    assert feed_history(session, event("info", service_name="Old Desk", at=150)) == []
    assert session.service_name == "Desk"
