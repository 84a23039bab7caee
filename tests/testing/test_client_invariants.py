"""`ClientChecker` finds errors in a client's requests, deadlines and end."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from chatfsm import Tick
from chatfsm._client.client import ChatClient
from chatfsm.api import GetFile, RequestChat, UploadFile
from chatfsm.testing.invariants import ClientChecker
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.client.conftest import ClientHarness, endpoint, kind_of
from tests.testing.test_invariants import WithOverrides


class Checked(ClientHarness):
    """A harness whose client is checked."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.checker = ClientChecker()

    def receive(self, item: Any, *, at: float | None = None) -> list[Any]:
        self.now = self.now if at is None else at
        reported = self.client.receive(item, now=self.now)
        self.checker.check(item, reported, self.client, now=self.now)
        asked = [effect for effect in reported if isinstance(effect, HttpRequest)]
        self.waiting |= {request.id: request for request in asked}
        self.requests += asked
        return reported


def test_a_correct_client_passes() -> None:
    """The client has a lost poll that times out, a restart, an upload and the end."""
    harness = Checked()
    harness.open_chat()
    harness.receive(UploadFile("a.txt", b"a"))
    harness.send_text("hello")
    harness.tick(at=36.0)
    assert "history" in harness.pending or "poll" in harness.pending
    harness.restart(at=40.0)
    harness.checker.on_restart()
    while "history" not in harness.pending:
        harness.run_to_deadline()
    harness.reply_history()
    while "poll" not in harness.pending:
        harness.run_to_deadline()
    harness.reply_poll({"event": "ended"})
    assert not harness.checker.session.is_over, "the POST of the text is in flight"
    harness.reply("post")
    assert harness.checker.session.is_over
    harness.receive(GetFile("f-1"))
    harness.reply("chats/chat-1/files/f-1", b"content")
    harness.tick(at=harness.now + 60.0)


def test_refused_credentials_need_no_deadline() -> None:
    """Such a chat waits for the app's `Resume`."""
    harness = Checked()
    harness.open_chat()
    harness.reply("poll", status=401, at=1.0)
    assert harness.client.deadline is None


def requests_of(harness: Checked) -> dict[str, HttpRequest]:
    return {kind_of(request): request for request in harness.waiting.values()}


def test_a_second_poll_is_found() -> None:
    """At most one poll, one POST and one history are in flight, and ids are unique."""
    harness = Checked()
    harness.open_chat()
    harness.send_text("hello")
    poll, post = (requests_of(harness)[kind] for kind in ("poll", "post"))
    for request, sentence in (
        (evolve(poll, id=90), "a second poll while one is in flight"),
        (evolve(post, id=91), "a second post while one is in flight"),
        (poll, "not unique"),
    ):
        with pytest.raises(AssertionError, match=sentence):
            harness.checker.check(Tick(), [request], harness.client, now=0.0)


def test_a_poll_after_a_failure_is_no_second_poll() -> None:
    """A request that has a result, or was abandoned, is not in flight."""
    harness = Checked()
    harness.open_chat()
    poll = requests_of(harness)["poll"]
    follow = harness.checker.check
    replied = HttpReply(90, 200, {}, b"")
    follow(HttpFailure(poll.id, "connect"), [evolve(poll, id=90)], harness.client, now=0.0)
    follow(replied, [evolve(poll, id=91)], harness.client, now=0.0)
    with pytest.raises(AssertionError, match="a second poll"):
        follow(replied, [evolve(poll, id=92)], harness.client, now=1.0)
    harness.checker.in_flight.expire(35.0)
    follow(replied, [evolve(poll, id=93)], harness.client, now=1.0)
    assert harness.checker.in_flight.last_id == 93


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"deadline": None}, "a chat that is not over has no deadline"),
        ({"deadline": 0.0}, "a deadline has passed unnoticed"),
    ],
)
def test_a_client_must_have_a_deadline(overrides: dict[str, Any], sentence: str) -> None:
    """The deadline must be in the future while the chat is live."""
    harness = Checked()
    harness.open_chat()
    overridden: Any = WithOverrides(harness.client, **overrides)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=sentence):
        harness.checker.check(Tick(), [], overridden, now=0.0)


def test_nothing_comes_after_the_end() -> None:
    """After the end there is no request and no effect, and Terminated is the last of its step."""
    harness = Checked()
    harness.open_chat()
    poll = requests_of(harness)["poll"]
    reported = harness.reply_poll({"event": "ended"}, at=1.0)
    with pytest.raises(AssertionError, match="a request after Terminated"):
        harness.checker.check(Tick(), [evolve(poll, id=99)], harness.client, now=2.0)
    with pytest.raises(AssertionError, match="an effect after Terminated"):
        harness.checker.check(Tick(), reported[:1], harness.client, now=2.0)
    for effects_told in ([reported[-1], reported[0]], [reported[-1], reported[-1]]):
        with pytest.raises(AssertionError, match="Terminated is not the last effect of its step"):
            ClientChecker().check(Tick(), effects_told, harness.client, now=2.0)
    with pytest.raises(AssertionError, match="a request after the chat is over"):
        ClientChecker().check(Tick(), [poll], harness.client, now=2.0)


def test_a_client_without_a_chat_may_wait() -> None:
    """Before there is a chat a client needs no deadline."""
    client, checker = ChatClient(endpoint()), ClientChecker()
    checker.check(Tick(), client.receive(Tick(), now=0.0), client, now=0.0)
    checker.check(RequestChat(), client.receive(RequestChat(), now=0.0), client, now=0.0)
    assert checker.in_flight.last_id == 1
