"""Differences between session and model that were errors of the session, as minimal tests."""

from __future__ import annotations

from typing import Any

from chatfsm import ChatSession, History, decode, effects
from chatfsm.commands import SendText


def event(name: str, **fields: Any) -> Any:
    wire_name = name if name.startswith("chat_") else f"chat_session_{name}"
    [found] = decode([{"event": wire_name, **fields}])
    return found


def run(*items: Any) -> tuple[ChatSession, list[list[str]]]:
    session = ChatSession("chat-1")
    steps = [session.receive(item, now=0.0) for item in items]
    return session, [[type(effect).__name__ for effect in step] for step in steps]


def joined(at: int | None = None, name: str | None = None, party_id: str = "A") -> Any:
    return event("party_joined", party_id=party_id, display_name=name, timestamp=at)


def left(at: int | None = None) -> Any:
    return event("party_left", party_id="A", timestamp=at)


def form(at: int | None = None, name: str = "survey", i: str = "1") -> Any:
    return event("form_show", form_request_id=i, form_name=name, timestamp=at)


def data(at: int | None = None) -> Any:
    return event("form_data", form_request_id="1", data={"a": "b"}, timestamp=at)


def own(msg_id: str | None, msg: str, at: int | None = None) -> Any:
    return event("message", party_id="chat-1", msg_id=msg_id, msg=msg, timestamp=at)


def past(*items: Any) -> History:
    return History(items)


def test_a_form_shown_again_after_a_dated_answer_is_open() -> None:
    """docs/choices.md: a history rebuilds the forms by the server's times."""
    session, _ = run(form(1), data(2), past(form(3, "order")))
    assert [known.name for known in session.forms] == ["order"]


def test_a_history_merged_twice_changes_nothing_the_second_time() -> None:
    """DESIGN §3: idempotent."""
    page = past(joined(1, "Ben"))
    _, effects_of = run(joined(None, "Ann"), page, page)
    assert effects_of[2] == []


def test_the_order_of_pages_does_not_change_later_effects() -> None:
    """DESIGN §3: independent of the order of pages."""
    one, _ = run(past(form(1)), past(data(2)), form(1))
    other, _ = run(past(data(2)), past(form(1)), form(1))
    assert one.forms == other.forms


def test_a_party_that_joined_at_9_has_not_left_at_7() -> None:
    """docs/choices.md: a history rebuilds the roster by the server's times."""
    session, _ = run(joined(5), joined(9), past(left(7)))
    assert len(session.parties) == 1


def test_a_service_without_a_name_is_not_a_duplicate_in_a_history() -> None:
    """Law L5: a duplicate was received before."""
    session, _ = run(past(event("info")))
    assert session.counts.duplicates == 0


def test_an_own_file_without_a_party_is_from_the_customer() -> None:
    """`models`: the sender is None only if the server never announced the party."""
    session = ChatSession("chat-1")
    session.receive(joined(1, "Cy", "chat-1"), now=0.0)
    [received] = session.receive(event("file", file_id="f"), now=0.0)
    assert isinstance(received, effects.FileReceived)
    assert received.file.sender == session.parties[0]


def test_a_live_echo_answers_prompts_shown_before_it() -> None:
    """A prompt of an older history is answered, as it is by a text of another device."""
    other, _ = run(own("9", "hi", 5), past(form(1, "")))
    session, _ = run(SendText("hi"))
    session.receive(own(next(iter(session.outbox)), "hi", 5), now=0.0)
    session.receive(past(form(1, "")), now=0.0)
    assert session.forms == other.forms == ()


def test_a_repeated_answer_clears_no_warning() -> None:
    """Law L5: a duplicate is only counted, as a repeated message is."""
    session, _ = run(form(), data(), event("timeout_warning", msg="soon"), data())
    assert session.warning == "soon"


def test_an_answer_before_the_history_closes_a_form_of_the_history() -> None:
    """docs/choices.md: by the server's times the answer at 5 belongs to the form shown at 3."""
    session, _ = run(data(5), past(form(3)))
    assert session.forms == ()
