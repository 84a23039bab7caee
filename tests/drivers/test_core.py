"""The driver core: routing of effects, pending effects, records."""

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
from tests.drivers.scripted_client import CHAT, ScriptedClient, named, poll, post, reply, returning


def core_of(*scripts: Any, max_pending: int = 2, save: Any = None, pending: Any = ()) -> DriverCore:
    return DriverCore(ScriptedClient(scripts), save, max_pending, pending)


def taken(core: DriverCore) -> list[object]:
    """Return all effects that the app can take, each handled before the next."""
    found = []
    while (effect := core.take(1)) is not None:
        found.append(effect)
        core.finish(0.0)
    return found


def test_requests_go_to_the_sender_and_effects_to_the_app() -> None:
    """A request goes to the sender, everything else to the app, in order."""
    one, two = named("one", "two")
    core = core_of(returning(one, post(1), two))
    assert core.receive(Tick(), 0.0) == [post(1)]
    assert taken(core) == [one, two]


def test_polls_are_held_back_while_too_many_effects_are_pending() -> None:
    """No poll and no history is sent while more than `max_pending` effects are pending."""
    history = HttpRequest(3, "GET", f"{CHAT}/history?_=3", (), purpose="history")
    core = core_of(returning(*named("a", "b", "c"), poll(1), post(2), history))
    assert core.receive(Tick(), 0.0) == [post(2)]


def test_a_held_poll_is_sent_once_enough_effects_are_handled() -> None:
    """The poll is sent when the app has handled enough effects, and no effect is lost."""
    effects = named("a", "b", "c")
    core = core_of(returning(*effects, poll(1)))
    core.receive(Tick(), 0.0)
    assert core.finish(1.0) == []
    assert core.take(1) == effects[0]
    assert core.finish(1.0) == [poll(1)]
    assert taken(core) == effects[1:]


def test_a_poll_held_too_long_is_a_failure() -> None:
    """A poll that its client would time out before the answer fails without being sent."""
    core = core_of(returning(*named("a", "b", "c"), poll(1)), returning(poll(2)))
    core.receive(Tick(), 0.0)
    core.take(1)
    assert core.finish(10.0) == [poll(2)]
    [_, failure] = core.client.received
    assert (failure.id, failure.kind) == (1, "connect")


def test_the_later_of_two_held_polls_is_sent() -> None:
    """A second held poll replaces the first, which the client has already abandoned."""
    core = core_of(returning(*named("a", "b", "c"), poll(1)), returning(poll(2)))
    core.receive(Tick(), 0.0)
    core.receive(Tick(), 1.0)
    core.take(1)
    assert core.finish(1.0) == [poll(2)]


def test_a_file_named_like_the_polls_is_no_poll() -> None:
    """Downloads are never held back: the app may need one to handle its effects."""
    request = HttpRequest(1, "GET", f"{CHAT}/files/events?_=1", ())
    core = core_of(returning(*named("a", "b", "c"), request))
    assert core.receive(GetFile("events"), 0.0) == [request]


def test_a_result_goes_to_its_caller() -> None:
    """Two callers with equal requests each get their own result, which is not an effect as well."""
    core = core_of()
    call = CheckAvailability()
    calls = [core.add_call(call), core.add_call(call)]
    core.client.scripts += [
        returning(ApiSucceeded(calls[1].request, "second"), ApiSucceeded(calls[0].request, "first"))
    ]
    core.receive(reply(1), 0.0)
    assert [call.result() for call in calls] == ["first", "second"]
    assert taken(core) == []


def test_a_failure_is_raised_to_its_caller() -> None:
    """`ApiFailed` raises its error from `result`."""
    core = core_of()
    call = core.add_call(GetFile("f"))
    core.client.scripts += [returning(ApiFailed(call.request, FileError("gone")))]
    core.receive(reply(1), 0.0)
    with pytest.raises(FileError, match="gone"):
        call.result()


def test_a_call_without_a_result_was_cancelled() -> None:
    """A caller that still waits when the chat is closed gets a `TransportError`."""
    with pytest.raises(TransportError, match="chat was closed before"):
        core_of().add_call(GetFile("f")).result()


def test_a_result_without_a_caller_is_an_effect() -> None:
    """The result of a caller that no longer waits is an effect."""
    core = core_of()
    call = core.add_call(GetFile("f"))
    core.remove_call(call)
    answered = ApiSucceeded(call.request, "late")
    core.client.scripts += [returning(answered)]
    core.receive(reply(1), 0.0)
    assert taken(core) == [answered]


def test_the_chat_is_saved_before_requests_are_sent() -> None:
    """When `save` is called, the new requests are not sent yet; the record has the effects."""
    saved: list[dict[str, Any]] = []
    core = core_of(returning(*named("a"), post(1)), save=saved.append)
    core.receive(End(), 0.0)
    assert [record["client"] for record in saved] == [{"received": 1}]
    assert [effect["name"] for effect in saved[0]["told"]] == ["a"]


def test_a_tick_without_effects_is_not_saved() -> None:
    """An early tick changes nothing, and causes no write."""
    saved: list[dict[str, Any]] = []
    core_of(save=saved.append).receive(Tick(), 0.0)
    assert saved == []


class Disk:
    """A store that fails while it is full."""

    def __init__(self) -> None:
        self.is_full = True
        self.saved: list[dict[str, Any]] = []

    def save(self, record: dict[str, Any]) -> None:
        if self.is_full:
            raise OSError("disk full")
        self.saved.append(record)


def test_unsaved_requests_are_not_sent() -> None:
    """If `save` fails, the command raises, and its requests wait for a later save."""
    disk = Disk()
    core = core_of(returning(*named("a"), post(1)), returning(post(2)), save=disk.save)
    for now in (0.0, 0.1):
        with pytest.raises(OSError, match="disk full"):
            core.receive(End(), now)
    assert not core.is_over
    assert core.deadline == pytest.approx(0.5)
    disk.is_full = False
    assert core.receive_safely(Tick(), 0.5) == [post(1), post(2)]
    assert [record["client"] for record in disk.saved] == [{"received": 2}]
    assert core.deadline is None
    assert taken(core) == named("a")


def test_a_failed_save_does_not_stop_the_chat() -> None:
    """The save is repeated soon; the app sees no error of one that failed once or twice."""
    disk = Disk()
    core = core_of(returning(*named("a"), poll(1)), save=disk.save)
    assert core.receive_safely(reply(1), 0.0) == []
    assert taken(core) == named("a")
    assert core.error is None
    disk.is_full = False
    assert core.receive_safely(Tick(), 1.0) == [poll(1)]
    assert disk.saved[-1]["told"] == []


def test_saves_that_fail_for_long_are_reported_once() -> None:
    """The app gets the error of `save` in place of an effect, and may continue."""
    core = core_of(returning(*named("a")), save=Disk().save)
    for _ in range(9):
        core.receive_safely(Tick(), core.deadline or 0.0)
    with pytest.raises(OSError, match="disk full"):
        core.take(1)
    assert core.take(1) == named("a")[0]


def test_a_request_that_waited_too_long_for_a_save_is_a_failure() -> None:
    """The request fails in the client and is made again, because it was never sent."""
    disk = Disk()
    core = core_of(returning(post(1)), returning(), returning(post(2)), save=disk.save)
    with pytest.raises(OSError, match="disk full"):
        core.receive(End(), 0.0)
    disk.is_full = False
    assert core.receive_safely(Tick(), 4.0) == [post(2)]
    failure = core.client.received[-1]
    assert (failure.id, failure.kind) == (1, "connect")


def test_a_record_has_unchanged_parts_as_the_same_objects() -> None:
    """Handling an effect makes no new snapshot, and serializes no effect again."""
    saved: list[dict[str, Any]] = []
    core = core_of(returning(*named("a", "b", "c")), save=saved.append)
    core.receive(End(), 0.0)
    core.take(1)
    core.finish(0.0)
    first, second = saved
    assert second["client"] is first["client"]
    assert all(new is old for new, old in zip(second["told"], first["told"][1:], strict=True))


def test_the_current_effect_is_saved_until_it_is_handled() -> None:
    """An effect that the app has taken but not handled is reported again after a crash."""
    saved: list[dict[str, Any]] = []
    core = core_of(returning(*named("a", "b")), save=saved.append)
    core.receive(reply(1), 0.0)
    core.take(1)
    core.receive(reply(2), 0.0)
    core.finish(0.0)
    core.receive(reply(3), 0.0)
    assert [len(record["told"]) for record in saved] == [2, 2, 1, 1]


@pytest.mark.parametrize(("closer", "left"), [(1, 1), (2, 2), (None, 2)])
def test_closing_handles_only_the_callers_own_effect(closer: int | None, left: int) -> None:
    """The effect taken by another thread counts as not handled."""
    saved: list[dict[str, Any]] = []
    core = core_of(save=saved.append, pending=named("a", "b"))
    core.take(1)
    core.close(0.0, closer)
    assert len(saved[-1]["told"]) == left
    assert core.take(1) is None


def test_a_violation_is_raised_in_order() -> None:
    """A violation comes after the effects of the same step, and the chat goes on."""

    def violate(_item: object) -> list[object]:
        error = RemoteProtocolError("unknown", "an event that nobody knows")
        error.effects = (*named("before"), poll(2))
        raise error

    core = core_of(violate, returning(*named("after")))
    assert core.receive(reply(1), 0.0) == [poll(2)]
    core.receive(reply(2), 0.0)
    assert core.take(1) == named("before")[0]
    core.finish(0.0)
    with pytest.raises(RemoteProtocolError):
        core.take(1)
    core.finish(0.0)
    assert core.take(1) == named("after")[0]


def test_an_exception_of_the_client_stops_the_chat_and_nothing_else() -> None:
    """An exception while a reply is fed is stored for the app; no input is fed after it."""

    def fail(_item: object) -> list[object]:
        raise ZeroDivisionError

    core = core_of(fail)
    assert core.receive_safely(reply(1), 0.0) == []
    assert isinstance(core.error, ZeroDivisionError)
    assert core.receive_safely(reply(2), 0.0) == []
    assert len(core.client.received) == 1


def test_nothing_is_sent_after_closing() -> None:
    """A closed core refuses commands, and ignores inputs."""
    core = core_of()
    core.close(0.0, None)
    with pytest.raises(LocalProtocolError, match="closed"):
        core.check_open()
    assert core.receive_safely(reply(1), 0.0) == []
    assert core.client.received == []


def test_flushing_waits_for_queued_events() -> None:
    """It is true when no event is queued, or when waiting cannot help."""
    client = ScriptedClient(queued=1)
    core = DriverCore(client, None, 2)
    assert not core.is_flushed(0.0)
    client.queued = 0
    assert core.is_flushed(0.0)
    client.queued, client.done = 1, True
    assert core.is_flushed(0.0)


def test_a_sender_that_raises_is_reported_by_its_class() -> None:
    """A bug of an adapter becomes a failure that shows nothing of the request."""
    failure = failure_of(post(3), ValueError("appId=secret"))
    assert failure == HttpFailure(3, "protocol", "the sender raised ValueError")
