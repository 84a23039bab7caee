from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import ChatError, ChatSession, LocalProtocolError, SendFailed, Sent, Tick, events
from chatfsm.effects import TypingStopped

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"event": "chat_session_ended"}, "dict"),
        ('{"event":"chat_session_ended"}', "str"),
        (b"{}", "bytes"),
        ([], "list"),
        (None, "NoneType"),
        (events.Ended, "type"),
    ],
)
@pytest.mark.parametrize("over", [False, True])
def test_a_value_that_is_not_an_input_is_refused(
    harness: Harness, item: Any, name: str, over: bool
) -> None:
    """A value that is neither event nor input raises `TypeError`, before the end and after."""
    harness.typing("ann", at=0.0)
    if over:
        harness.end()
    before = harness.copy_state()

    text = rf"^ChatSession\.receive\(\) takes events, .*, not {name}; decode\(\) it first$"
    with pytest.raises(TypeError, match=text):
        harness.session.receive(item, now=100.0)

    assert harness.copy_state() == before


@pytest.mark.parametrize("now", [nan, inf, -inf])
@pytest.mark.parametrize("item", [Tick(), events.Ended(), events.Typing("bob")])
@pytest.mark.parametrize("due", [False, True])
def test_a_time_that_is_not_finite_is_refused(
    harness: Harness, now: float, item: Any, due: bool
) -> None:
    """A `now` that is not finite raises and changes nothing, whether or not a deadline is due."""
    if due:
        harness.typing("ann", at=0.0)
        harness.show_form("7", form_timeout="5")
    before = harness.copy_state()

    with pytest.raises(
        LocalProtocolError, match=f"^now must be a finite number of seconds, not {now}$"
    ):
        harness.session.receive(item, now=now)

    assert harness.copy_state() == before


@pytest.mark.parametrize("now", [nan, inf, -inf])
def test_a_time_that_is_not_finite_is_refused_after_the_end(harness: Harness, now: float) -> None:
    """A `now` that is not finite raises after the end too."""
    harness.end()
    before = harness.copy_state()

    with pytest.raises(LocalProtocolError):
        harness.session.receive(events.Ended(), now=now)

    assert harness.copy_state() == before


@pytest.mark.parametrize("now", ["1", None, [1.0]])
def test_a_time_that_is_not_a_number_is_refused(harness: Harness, now: Any) -> None:
    """A `now` of another type raises `TypeError` and changes nothing."""
    harness.typing("ann", at=0.0)
    before = harness.copy_state()

    with pytest.raises(TypeError):
        harness.session.receive(events.Ended(), now=now)

    assert harness.copy_state() == before


def test_now_is_keyword_only(harness: Harness) -> None:
    """`now` is keyword-only."""
    with pytest.raises(TypeError):
        harness.session.receive(Tick(), 1.0)  # type: ignore[misc]


def test_a_whole_number_is_a_time(harness: Harness) -> None:
    """`now` may be an `int`."""
    harness.typing("ann", at=0)

    assert harness.tick(at=30) == [TypingStopped("ann", "timeout")]


@pytest.mark.parametrize("chat_id", ["", None, 7, b"chat-1", ["chat-1"]])
def test_a_chat_has_an_id(chat_id: Any) -> None:
    """`chat_id` is a text of at least one character."""
    with pytest.raises(ValueError, match=r"^chat_id must be a text of 1 character or more, not "):
        ChatSession(chat_id)


def test_a_local_protocol_error_is_a_chat_error() -> None:
    """`LocalProtocolError` is a `ChatError`."""
    assert issubclass(LocalProtocolError, ChatError)


def test_the_read_side_cannot_be_written(harness: Harness) -> None:
    """The public attributes of a session are read-only."""
    for name in ("state", "parties", "forms", "done", "chat_id", "anything"):
        with pytest.raises(AttributeError):
            setattr(harness.session, name, "x")


def test_a_string_is_not_a_list_of_ids() -> None:
    """A string in place of a list of ids is refused: "13" is not the messages 1 and 3."""
    for make in (Sent, lambda ids: SendFailed(ids, "no", retryable=True)):
        with pytest.raises(
            TypeError, match=r"^msg_ids must be an iterable of ids, not one string$"
        ):
            make("13")
