"""What both drivers do with what a machine tells."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.api import CheckAvailability, GetFile
from chatfsm.client_effects import ApiFailed, ApiSucceeded
from chatfsm.commands import End
from chatfsm.drivers._core import DriverCore, failure_of
from chatfsm.errors import (
    FileError,
    LocalProtocolError,
    RemoteProtocolError,
    TransportError,
)
from chatfsm.inputs import Tick
from chatfsm.transport import HttpFailure, HttpRequest
from tests.drivers.machine import CHAT, Machine, named, poll, post, reply, telling


def desk_of(*scripts: Any, room: int = 2, keep: Any = None, told: Any = ()) -> DriverCore:
    return DriverCore(Machine(scripts), keep, room, told)


def taken(desk: DriverCore) -> list[object]:
    """All that the app can take, each handled before the next."""
    found = []
    while (effect := desk.take(1)) is not None:
        found.append(effect)
        desk.finish(0.0)
    return found


def test_requests_are_sent_and_the_rest_is_told() -> None:
    """A request goes to the sender, everything else to the app, in order."""
    one, two = named("one", "two")
    desk = desk_of(telling(one, post(1), two))
    assert desk.receive(Tick(), 0.0) == [post(1)]
    assert taken(desk) == [one, two]


def test_polls_are_held_back_while_too_much_waits() -> None:
    """With more effects waiting than there is room for, no poll and no history is sent."""
    history = HttpRequest(3, "GET", f"{CHAT}/history?_=3", (), purpose="history")
    desk = desk_of(telling(*named("a", "b", "c"), poll(1), post(2), history))
    assert desk.receive(Tick(), 0.0) == [post(2)]


def test_what_was_held_is_sent_as_soon_as_there_is_room() -> None:
    """When the app has handled enough, the poll goes out; nothing was lost meanwhile."""
    effects = named("a", "b", "c")
    desk = desk_of(telling(*effects, poll(1)))
    desk.receive(Tick(), 0.0)
    assert desk.finish(1.0) == []
    assert desk.take(1) == effects[0]
    assert desk.finish(1.0) == [poll(1)]
    assert taken(desk) == effects[1:]


def test_what_was_held_too_long_never_left() -> None:
    """A poll that its client would give up before the answer is not sent: it failed to connect."""
    desk = desk_of(telling(*named("a", "b", "c"), poll(1)), telling(poll(2)))
    desk.receive(Tick(), 0.0)
    desk.take(1)
    assert desk.finish(10.0) == [poll(2)]
    [_, failure] = desk.client.heard
    assert (failure.id, failure.kind) == (1, "connect")


def test_of_two_polls_held_back_the_later_one_counts() -> None:
    """A client that asks again has given up the first: two polls at once would be refused."""
    desk = desk_of(telling(*named("a", "b", "c"), poll(1)), telling(poll(2)))
    desk.receive(Tick(), 0.0)
    desk.receive(Tick(), 1.0)
    desk.take(1)
    assert desk.finish(1.0) == [poll(2)]


def test_a_file_called_like_the_polls_is_no_poll() -> None:
    """Downloads are never held back: who waits for one may be the one who makes room."""
    request = HttpRequest(1, "GET", f"{CHAT}/files/events?_=1", ())
    desk = desk_of(telling(*named("a", "b", "c"), request))
    assert desk.receive(GetFile("events"), 0.0) == [request]


def test_an_answer_goes_to_whoever_asked() -> None:
    """Two who ask the same get each their own answer, and the app is told of neither."""
    desk = desk_of()
    call = CheckAvailability()
    questions = [desk.add_call(call), desk.add_call(call)]
    desk.client.scripts += [
        telling(ApiSucceeded(questions[1].call, "second"), ApiSucceeded(questions[0].call, "first"))
    ]
    desk.receive(reply(1), 0.0)
    assert [question.value() for question in questions] == ["first", "second"]
    assert taken(desk) == []


def test_a_refusal_is_raised_where_it_was_asked() -> None:
    """`ApiFailed` raises its error from `value`."""
    desk = desk_of()
    question = desk.add_call(GetFile("f"))
    desk.client.scripts += [telling(ApiFailed(question.call, FileError("gone")))]
    desk.receive(reply(1), 0.0)
    with pytest.raises(FileError, match="gone"):
        question.value()


def test_a_question_without_an_answer_was_cancelled() -> None:
    """Whoever asked when the chat was closed hears that nobody knows."""
    with pytest.raises(TransportError, match="closed meanwhile"):
        desk_of().add_call(GetFile("f")).value()


def test_an_answer_that_nobody_waits_for_is_told() -> None:
    """An answer is never lost: where whoever asked has gone, it is among the effects."""
    desk = desk_of()
    question = desk.add_call(GetFile("f"))
    desk.remove_call(question)
    answered = ApiSucceeded(question.call, "late")
    desk.client.scripts += [telling(answered)]
    desk.receive(reply(1), 0.0)
    assert taken(desk) == [answered]


def test_it_is_kept_before_it_is_sent() -> None:
    """When `keep` is called, no request that follows is out yet, and the effects are in it."""
    kept: list[dict[str, Any]] = []
    desk = desk_of(telling(*named("a"), post(1)), keep=kept.append)
    desk.receive(End(), 0.0)
    assert [record["client"] for record in kept] == [{"heard": 1}]
    assert [told["name"] for told in kept[0]["told"]] == ["a"]


def test_a_tick_without_consequences_is_not_kept() -> None:
    """An early tick changes nothing, and costs no write."""
    kept: list[dict[str, Any]] = []
    desk_of(keep=kept.append).receive(Tick(), 0.0)
    assert kept == []


def test_what_cannot_be_kept_is_not_sent() -> None:
    """Where `keep` fails the order fails with it, and every later one."""

    def keep(_record: object) -> None:
        raise OSError("disk full")

    desk = desk_of(telling(post(1)), keep=keep)
    with pytest.raises(OSError, match="disk full"):
        desk.receive(End(), 0.0)
    with pytest.raises(OSError, match="disk full"):
        desk.check_open()
    assert desk.is_over
    assert desk.is_flushed(0.0)


def test_what_is_in_hand_is_kept_until_it_was_handled() -> None:
    """An effect that the app has taken, but not come back from, is told again after a crash."""
    kept: list[dict[str, Any]] = []
    desk = desk_of(telling(*named("a", "b")), keep=kept.append)
    desk.receive(reply(1), 0.0)
    desk.take(1)
    desk.receive(reply(2), 0.0)
    desk.finish(0.0)
    desk.receive(reply(3), 0.0)
    assert [len(record["told"]) for record in kept] == [2, 2, 1, 1]


@pytest.mark.parametrize(("closer", "left"), [(1, 1), (2, 2), (None, 2)])
def test_who_closes_has_handled_only_what_it_took_itself(closer: int | None, left: int) -> None:
    """At the end, what another thread has in hand counts as not handled."""
    kept: list[dict[str, Any]] = []
    desk = desk_of(keep=kept.append, told=named("a", "b"))
    desk.take(1)
    desk.close(0.0, closer)
    assert len(kept[-1]["told"]) == left
    assert desk.take(1) is None


def test_a_violation_is_raised_to_the_app_in_its_place() -> None:
    """What a strict session finds comes after what followed all the same, and the chat goes on."""

    def violate(_item: object) -> list[object]:
        error = RemoteProtocolError("unknown", "an event that nobody knows")
        error.effects = (*named("before"), poll(2))
        raise error

    desk = desk_of(violate, telling(*named("after")))
    assert desk.receive(reply(1), 0.0) == [poll(2)]
    desk.receive(reply(2), 0.0)
    assert desk.take(1) == named("before")[0]
    desk.finish(0.0)
    with pytest.raises(RemoteProtocolError):
        desk.take(1)
    desk.finish(0.0)
    assert desk.take(1) == named("after")[0]


def test_an_error_in_the_machine_breaks_the_chat_and_nothing_else() -> None:
    """What goes wrong while the network is heard is kept for the app; nothing is heard after it."""

    def fail(_item: object) -> list[object]:
        raise ZeroDivisionError

    desk = desk_of(fail)
    assert desk.receive_safely(reply(1), 0.0) == []
    assert isinstance(desk.error, ZeroDivisionError)
    assert desk.receive_safely(reply(2), 0.0) == []
    assert len(desk.client.heard) == 1


def test_nothing_is_ordered_after_closing() -> None:
    """A closed desk refuses, and hears nothing more."""
    desk = desk_of()
    desk.close(0.0, None)
    with pytest.raises(LocalProtocolError, match="closed"):
        desk.check_open()
    assert desk.receive_safely(reply(1), 0.0) == []
    assert desk.client.heard == []


def test_flushing_waits_for_what_was_said() -> None:
    """It is flushed when nothing said waits, or when waiting is in vain."""
    machine = Machine(queued=1)
    desk = DriverCore(machine, None, 2)
    assert not desk.is_flushed(0.0)
    machine.queued = 0
    assert desk.is_flushed(0.0)
    machine.queued, machine.done = 1, True
    assert desk.is_flushed(0.0)


def test_a_sender_that_raises_is_quoted_by_its_class_alone() -> None:
    """An adapter's bug becomes a failure which shows nothing of the request."""
    failure = failure_of(post(3), ValueError("appId=secret"))
    assert failure == HttpFailure(3, "protocol", "the sender raised ValueError")
