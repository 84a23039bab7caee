"""Histories in small plays: what was missed is told once, and what is past stays past."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from chatfsm import ChatSession, History, SendFailed, commands, decode, effects

Item = dict[str, Any]


def event(word: str, /, *, at: int | None = None, **fields: Any) -> Item:
    """A wire event; `word` is its name without "chat_session_"."""
    name = word if word.startswith("chat_") else f"chat_session_{word}"
    return {"event": name, **fields, **({} if at is None else {"timestamp": at})}


def says(party_id: str, msg: str, msg_id: str | None = None, at: int | None = None) -> Item:
    return event("message", party_id=party_id, msg=msg, msg_id=msg_id, at=at)


def joins(party_id: str, at: int | None, name: str = "") -> Item:
    kind = {"type": "internal", "display_name": name}
    return event("party_joined", party_id=party_id, at=at, **kind)


def leaves(party_id: str, at: int | None) -> Item:
    return event("party_left", party_id=party_id, at=at)


def shows(request_id: str, at: int | None, name: str = "survey") -> Item:
    return event("form_show", form_request_id=request_id, form_name=name, at=at)


def hears(session: ChatSession, *items: Item) -> list[effects.Effect]:
    """The session hears events live."""
    return [effect for one in decode([*items]) for effect in session.receive(one, now=0.0)]


def recalls(session: ChatSession, *items: Item, complete: bool = True) -> list[effects.Effect]:
    """The session hears a page of its history."""
    return session.receive(History(decode([*items]), complete=complete), now=0.0)


def connected(*items: Item) -> ChatSession:
    """A live session that has heard these."""
    session = ChatSession("chat-1")
    hears(session, event("status", state="connected"), *items)
    return session


def texts(told: list[effects.Effect]) -> list[str]:
    return [told_one.message.text for told_one in told if hasattr(told_one, "message")]


def in_any_order(*items: Item) -> list[tuple[Item, ...]]:
    return list(permutations(items))


def test_only_the_messages_that_were_missed_are_told() -> None:
    """Live messages before; then the history with them: only the new ones, marked."""
    live = [says("ann", "one", "2", 1), says("chat-1", "two", "1", 2)]
    session = connected(*live)
    told = recalls(session, says("ann", "zero", "0", 0), *live, says("ann", "three", "4", 3))
    assert texts(told) == ["zero", "three"]
    assert all(effect.replayed for effect in told)


def test_after_a_history_its_messages_are_no_news_live() -> None:
    """The poll that overlaps with the history tells nothing twice."""
    session = connected()
    said = [says("ann", "one", "2", 1), says("ann", "two", "4", 2)]
    recalls(session, *said)
    assert hears(session, *said) == []


def test_the_same_id_with_other_content_is_told_from_a_history_too() -> None:
    """It is no duplicate, so it is not lost; and it is an anomaly, marked as past."""
    session = connected(says("ann", "one", "2", 1))
    told = recalls(session, says("ann", "another", "2", 1))
    assert texts(told) == ["another"]
    (anomaly,) = [effect for effect in told if isinstance(effect, effects.Anomaly)]
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
    """What ended then is not what the server says is alive."""
    session = connected(event("typing", party_id="ann"), shows("1", 1))
    assert recalls(session, ending) == []
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
def test_what_was_passing_is_past(item: Item) -> None:
    """States, typing, warnings, calls and co-browsing of the past tell and change nothing."""
    offer = {"type": "OFFER_CALL", "sdp": "v=0"}
    session = connected(
        event("signaling", party_id="ann", msg_id="2", data=offer),
        event("timeout_warning", msg="now"),
        event("typing", party_id="bob"),
        event("cobrowsing_requested", msg_id="4"),
    )
    before = session.snapshot(now=0.0)["memory"]
    assert recalls(session, item) == []
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
    "show", [shows("1", 3), event("secure_form_show", form_request_id="1", at=3)]
)
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda item: item["event"])
def test_a_form_that_was_answered_is_not_open(show: Item, answer: Item) -> None:
    """Whether the page with the answer comes after the one with the form, or before."""
    for pages in permutations([show, answer]):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert session.forms == ()


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda item: item["event"])
def test_a_form_that_was_shown_again_after_the_answer_is_open(answer: Item) -> None:
    """The answer was to the form of before."""
    for pages in in_any_order(shows("1", 3), answer, shows("1", 7, "another")):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert [form.name for form in session.forms] == ["another"]


def test_of_a_form_shown_three_times_the_last_is_open() -> None:
    """In whatever order the pages come, and though nobody answered the others."""
    for pages in in_any_order(shows("1", 2, "a"), shows("1", 5, "c"), shows("1", 7, "b")):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert [form.name for form in session.forms] == ["b"], pages


def test_a_text_prompt_that_a_text_answered_is_not_open() -> None:
    """The customer's own text after it is the answer; one before it is not."""
    for pages in in_any_order(
        says("chat-1", "hi", "1", 2), shows("1", 3, ""), says("chat-1", "yes", "3", 4)
    ):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert session.forms == ()


def test_a_text_prompt_after_the_last_text_is_open() -> None:
    """So the next text answers it; texts of others are no answer."""
    for pages in in_any_order(
        says("chat-1", "hi", "1", 2), shows("1", 3, ""), says("ann", "well?", "2", 4)
    ):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert [form.request_id for form in session.forms] == ["1"]


def test_a_form_answered_live_stays_answered() -> None:
    """The history shows it again, without the answer."""
    session = connected(shows("1", 3))
    session.receive(commands.SubmitForm("1", {"a": "b"}), now=0.0)
    assert recalls(session, shows("1", 3)) == []
    assert session.forms == ()


def test_a_form_open_live_is_closed_by_an_answer_of_the_past() -> None:
    """It was given on another device while nobody listened here."""
    session = connected(shows("1", 3))
    (closed,) = recalls(session, shows("1", 3), event("form_data", form_request_id="1", at=4))
    assert isinstance(closed, effects.FormClosed)
    assert (closed.reason, closed.replayed, session.forms) == ("submitted", True, ())


def test_a_form_is_not_closed_by_an_answer_from_before_it() -> None:
    """The same request id was answered once, and asked anew."""
    session = connected(shows("1", 9))
    assert recalls(session, event("form_data", form_request_id="1", at=4)) == []
    assert len(session.forms) == 1


def test_forms_of_the_past_stand_in_the_order_in_which_they_were_shown() -> None:
    """Whichever page came first."""
    for pages in in_any_order(shows("b", 1), shows("a", 2), shows("c", 3)):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert [form.request_id for form in session.forms] == ["b", "a", "c"]


def test_the_next_text_answers_the_prompt_that_was_shown_last() -> None:
    """Though an older page with another prompt came after it."""
    for pages in permutations([shows("1", 3, ""), shows("2", 5, "")]):
        session = connected()
        for page in pages:
            recalls(session, page)
        told = session.receive(commands.SendText("yes"), now=0.0)
        (work,) = [effect for effect in told if isinstance(effect, effects.SendEvents)]
        assert work.events[0]["form_request_id"] == "2"


def test_who_left_is_not_here_whatever_the_order() -> None:
    """Joined, left: in any order of pages nobody is here."""
    for pages in permutations([joins("ann", 1), leaves("ann", 2)]):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert session.parties == ()


def test_who_came_back_is_here_whatever_the_order() -> None:
    """Joined, left, joined again with another name."""
    for pages in in_any_order(joins("ann", 1, "Ann"), leaves("ann", 2), joins("ann", 3, "Anna")):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert [party.name for party in session.parties] == ["Anna"]


def test_the_latest_name_counts_and_the_order_is_that_of_joining() -> None:
    """Ann joined first, and got another name after Ben had come."""
    for pages in in_any_order(
        joins("ann", 1, "Ann"), joins("ben", 2, "Ben"), joins("ann", 3, "A.")
    ):
        session = connected()
        for page in pages:
            recalls(session, page)
        assert [party.name for party in session.parties] == ["A.", "Ben"], pages
        assert session.agent is not None
        assert session.agent.name == "Ben"


def test_a_party_that_is_here_live_is_not_removed_by_an_older_leaving() -> None:
    """It came back since."""
    session = connected(joins("ann", 5))
    assert recalls(session, joins("ann", 1), leaves("ann", 3)) == []
    assert len(session.parties) == 1


def test_a_party_that_left_live_does_not_come_back_by_a_history() -> None:
    """The history knows only that it joined."""
    session = connected(joins("ann", 5), leaves("ann", 9))
    assert recalls(session, joins("ann", 5)) == []
    assert session.parties == ()


def test_whoever_left_in_the_past_types_no_more() -> None:
    """The leaving was missed, the typing was not."""
    session = connected(joins("ann", 5), event("typing", party_id="ann"))
    told = recalls(session, leaves("ann", 9))
    assert {type(effect) for effect in told} == {effects.PartyRemoved, effects.TypingStopped}
    assert (session.parties, session.typing) == ((), ())


def case(case_id: str, at: int | None) -> Item:
    return event("case_set", case_id=case_id, at=at)


def service(name: str, at: int | None) -> Item:
    return event("info", service_name=name, at=at)


def test_the_latest_word_about_case_and_service_counts() -> None:
    """In whatever order the pages come."""
    for word, known in ((case, "case_id"), (service, "service_name")):
        for pages in in_any_order(word("a", 1), word("c", 2), word("b", 3)):
            session = connected()
            for page in pages:
                recalls(session, page)
            assert getattr(session, known) == "b"


def test_a_live_word_counts_more_than_an_older_one() -> None:
    """The past does not overwrite what is so now."""
    for word, known in ((case, "case_id"), (service, "service_name")):
        for at in (9, None):
            session = connected(word("now", at))
            assert recalls(session, word("then", 5)) == []
            assert getattr(session, known) == "now"


def test_a_live_word_that_was_said_again_is_as_new_as_its_last_time() -> None:
    """What the history says of the time between is older than that."""
    for word, known in ((case, "case_id"), (service, "service_name")):
        session = connected(word("now", 1), word("now", 9))
        assert recalls(session, word("then", 5)) == []
        assert getattr(session, known) == "now"


def test_that_there_is_no_case_is_told_once() -> None:
    """Said twice in the past, or live and in the past, it is one word."""
    session = connected()
    told = recalls(session, case("", 1), case("", 2))
    assert told == [effects.CaseChanged(None, replayed=True)]
    session = connected(case("", 1))
    assert recalls(session, case("", 2)) == []


ODD = [
    event("nobody_knows", at=3, what="is this"),
    event("party_joined", at=3),
    {"event": 7},
]


@pytest.mark.parametrize("item", ODD, ids=lambda item: str(item["event"]))
def test_what_is_odd_in_a_history_is_told_once(item: Item) -> None:
    """Though its page comes again."""
    session = connected()
    (told,) = recalls(session, item)
    assert isinstance(told, (effects.UnknownReceived, effects.Anomaly))
    assert told.replayed
    assert recalls(session, item) == []
    assert session.counts.unknown + session.counts.malformed == 1
    assert session.counts.duplicates == 1


@pytest.mark.parametrize("item", ODD, ids=lambda item: str(item["event"]))
def test_what_is_odd_and_was_heard_live_is_not_told_by_a_history(item: Item) -> None:
    """Only what the app has not heard is told."""
    session = connected(item)
    assert recalls(session, item) == []


def test_a_history_after_the_end_is_late() -> None:
    """It tells nothing, and its events count as late and as nothing else."""
    session = connected()
    hears(session, event("ended"))
    before = session.counts
    assert recalls(session, says("ann", "one", "2", 1), joins("ben", 2)) == []
    assert session.counts.late == before.late + 2
    assert session.counts.events == before.events
    assert session.parties == ()


def in_doubt(*said: str) -> ChatSession:
    """A session that has said these, and does not know whether they arrived."""
    session = connected()
    for text in said:
        session.receive(commands.SendText(text), now=0.0)
    session.receive(SendFailed(list(session.outbox), "reply lost", retryable=True), now=0.0)
    assert set(session.outbox.values()) == {"unconfirmed"}
    return session


def test_a_complete_history_resolves_what_was_in_doubt() -> None:
    """What it holds has arrived; what it lacks is sent again, once, in its order."""
    session = in_doubt("one", "two", "three")
    sent, again = recalls(session, says("CHAT-1", "two", "3", 1))
    assert sent == effects.MessageSent("3", replayed=True)
    assert isinstance(again, effects.SendEvents)
    assert [one["msg"] for one in again.events] == ["one", "three"]
    assert (again.msg_ids, again.replayed) == (("1", "5"), False)
    assert session.outbox == {"1": "pending", "3": "sent", "5": "pending"}
    assert recalls(session) == []


def test_a_page_that_is_not_the_last_resolves_only_what_it_holds() -> None:
    """Nothing is sent again before all pages have come."""
    session = in_doubt("one", "two")
    assert recalls(session, says("chat-1", "one", "1", 1), complete=False) == [
        effects.MessageSent("1", replayed=True)
    ]
    assert session.outbox == {"1": "sent", "3": "unconfirmed"}
    (again,) = recalls(session)
    assert again.msg_ids == ("3",)


def test_what_is_only_on_its_way_is_not_sent_again() -> None:
    """A history that was made before it arrived says nothing of it."""
    session = connected()
    session.receive(commands.SendText("one"), now=0.0)
    assert recalls(session) == []
    assert session.outbox == {"1": "pending"}


def test_a_receipt_in_a_history_confirms_too() -> None:
    """Whoever has read it has received it."""
    session = in_doubt("one")
    told = recalls(session, event("message_read", ref_msg_id="1", party_id="ann", at=3))
    assert told == [
        effects.MessageSent("1", replayed=True),
        effects.ReadConfirmed("1", "ann", replayed=True),
    ]
    assert session.outbox == {"1": "read"}


def test_own_ids_of_a_history_are_not_taken_again() -> None:
    """Another device, or this one before, has counted further."""
    session = connected()
    recalls(session, says("chat-1", "from elsewhere", "41", 1))
    told = session.receive(commands.SendText("one"), now=0.0)
    assert told[0].msg_ids == ("43",)


def test_who_left_while_typing_types_no_more_first() -> None:
    """A leaving of the past is told in the order of one that happens now."""
    session = connected(joins("ann", 1), event("typing", party_id="ann"))
    told = recalls(session, event("party_left", party_id="ann", at=2))
    assert [type(effect) for effect in told] == [effects.TypingStopped, effects.PartyRemoved]


def test_of_two_answers_in_the_same_second_the_first_one_counts() -> None:
    """A form is answered once."""
    session = connected()
    answer = event("form_data", form_request_id="7", form_name="survey", data={"a": 1}, at=100)
    cancel = event("chat_form_data_cancel", form_request_id="7", form_name="survey", at=100)
    recalls(session, answer, cancel)
    closed = session._state.closed_forms
    assert closed is not None
    assert closed["7"].reason == "submitted"


def test_a_repeated_name_of_the_service_is_as_new_as_its_last_one() -> None:
    """A cached poll that brings the name again, with its old time, does not make it older."""
    session = connected(*(event("info", service_name="Desk", at=at) for at in (200, 100)))
    assert recalls(session, event("info", service_name="Old Desk", at=150)) == []
    assert session.service_name == "Desk"
