from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import ChatError, ChatSession, LocalProtocolError, SendFailed, Sent, Tick, events
from chatfsm.effects import TypingStopped

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


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
def test_what_is_no_input_is_refused(play: Play, item: Any, name: str, over: bool) -> None:
    """A session takes events and ticks; anything else is a mistake, before the end and after."""
    play.types("ann", at=0.0)
    if over:
        play.ends()
    before = play.recalls()

    text = rf"^ChatSession\.receive\(\) takes events, .*, not {name}; decode\(\) it first$"
    with pytest.raises(TypeError, match=text):
        play.session.receive(item, now=100.0)

    assert play.recalls() == before


@pytest.mark.parametrize("now", [nan, inf, -inf])
@pytest.mark.parametrize("item", [Tick(), events.Ended(), events.Typing("bob")])
@pytest.mark.parametrize("due", [False, True])
def test_a_time_that_is_not_finite_is_refused(play: Play, now: float, item: Any, due: bool) -> None:
    """A time that is no finite number changes nothing, whether or not something could be due."""
    if due:
        play.types("ann", at=0.0)
        play.shows("7", form_timeout="5")
    before = play.recalls()

    with pytest.raises(
        LocalProtocolError, match=f"^now must be a finite number of seconds, not {now}$"
    ):
        play.session.receive(item, now=now)

    assert play.recalls() == before


@pytest.mark.parametrize("now", [nan, inf, -inf])
def test_a_time_that_is_not_finite_is_refused_after_the_end(play: Play, now: float) -> None:
    """The end does not make a mistake of the caller's right."""
    play.ends()
    before = play.recalls()

    with pytest.raises(LocalProtocolError):
        play.session.receive(events.Ended(), now=now)

    assert play.recalls() == before


@pytest.mark.parametrize("now", ["1", None, [1.0]])
def test_a_time_that_is_no_number_is_refused(play: Play, now: Any) -> None:
    """A time of another type is a mistake, and changes nothing."""
    play.types("ann", at=0.0)
    before = play.recalls()

    with pytest.raises(TypeError):
        play.session.receive(events.Ended(), now=now)

    assert play.recalls() == before


def test_the_time_must_be_named(play: Play) -> None:
    """The time is given by name."""
    with pytest.raises(TypeError):
        play.session.receive(Tick(), 1.0)  # type: ignore[misc]


def test_a_whole_number_is_a_time(play: Play) -> None:
    """Seconds may be whole."""
    play.types("ann", at=0)

    assert play.ticks(at=30) == [TypingStopped("ann", "timeout")]


@pytest.mark.parametrize("chat_id", ["", None, 7, b"chat-1", ["chat-1"]])
def test_a_chat_has_an_id(chat_id: Any) -> None:
    """The id of a chat is a text that is not empty."""
    with pytest.raises(ValueError, match=r"^chat_id must be a text of 1 character or more, not "):
        ChatSession(chat_id)


def test_a_mistake_of_the_callers_is_a_chat_error() -> None:
    """Who catches the root of all errors catches the mistakes too."""
    assert issubclass(LocalProtocolError, ChatError)


def test_the_read_side_cannot_be_written(play: Play) -> None:
    """What a session has learned is changed by its inputs alone."""
    for name in ("state", "parties", "forms", "done", "chat_id", "anything"):
        with pytest.raises(AttributeError):
            setattr(play.session, name, "x")


def test_one_id_is_not_taken_for_several() -> None:
    """A text in place of a list of ids is refused: "13" is not the messages 1 and 3."""
    for make in (Sent, lambda ids: SendFailed(ids, "no", retryable=True)):
        with pytest.raises(
            TypeError, match=r"^msg_ids must be an iterable of ids, not one string$"
        ):
            make("13")
