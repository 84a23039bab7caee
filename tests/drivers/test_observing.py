"""Observations: their content and order in both drivers, and isolation from observer errors."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, get_args

import anyio
import attrs
import pytest

from chatfsm._client.client import ChatClient
from chatfsm.adapters import httpx, stdlib
from chatfsm.commands import CancelForm, SendText
from chatfsm.drivers import aio, threads
from chatfsm.drivers import observing as o
from chatfsm.drivers._core import DriverCore
from chatfsm.effects import FormOpened, MessageReceived, MessageSent
from tests.drivers.center import Server
from tests.drivers.core_harness import APP_ID, CLIENT_ID, ENDPOINT, OPENED, CoreHarness

MESSAGE = {"event": "chat_session_message", "party_id": "p-1", "msg_id": "m1", "msg": "Hello Tove"}
FORM = {"event": "chat_session_form_show", "form_request_id": "7"}
CLOSED_FORM = {"event": "chat_session_secure_form_cancel", "form_request_id": "7"}


class ObservedCore(CoreHarness):
    """A driver core with one observer."""

    def __init__(self, client: ChatClient | None = None, **options: Any) -> None:
        self.seen: list[o.Observation] = []
        super().__init__(client, observers=(self.seen.append,), **options)

    def take(self) -> list[o.Observation]:
        """Return the observations since the last call."""
        seen, self.seen[:] = [*self.seen], []
        return seen


@pytest.fixture
def chat() -> ObservedCore:
    """An open chat with one poll in flight."""
    observed = ObservedCore()
    observed.reply("api", OPENED, at=0.5)
    observed.take()
    return observed


def request(purpose: Any, path: str, method: Any = "GET", size: int = 0) -> o.RequestSent:
    template = f"/clientweb/api/v2/chats{path}"
    where = (template, "https", "chat.example.com", 443)
    return o.RequestSent("chat-1", purpose, method, *where, size)


POLL = request("poll", "/{chat}/events")
HISTORY = request("history", "/{chat}/history")


def test_a_new_chat_starts_before_its_first_request() -> None:
    """The first observation is the start; before the reply, the chat has no id."""
    observed = ObservedCore()
    opening = attrs.evolve(request("api", "", "POST", 2), chat_id=None)
    assert observed.take() == [o.ChatStarted(None, "waiting", None), opening]
    observed.reply("api", OPENED, at=0.5)
    size = len('{"chat_id": "chat-1", "state": "queued", "is_new_chat": true}')
    assert observed.take() == [
        o.RequestEnded("chat-1", opening, 200, None, 0.5, size),
        o.StateEntered("chat-1", None, "queued", replayed=False),
        POLL,
    ]


def test_a_reply_comes_before_its_effects(chat: ObservedCore) -> None:
    """First the end of the poll, with status and seconds, then link, messages, forms, anomalies."""
    odd = {"event": "chat_session_party_left", "party_id": "p-9"}
    chat.reply("poll", {"events": [MESSAGE, FORM, odd, CLOSED_FORM]}, at=2.0)
    ended, *others = chat.take()
    assert isinstance(ended, o.RequestEnded)
    assert (ended.request, ended.status, ended.failure, ended.seconds) == (POLL, 200, None, 1.5)
    assert others == [
        o.LinkEntered("chat-1", "waiting", "live"),
        o.IncomingMessage("chat-1", replayed=False),
        o.FormProgress("chat-1", "opened"),
        o.AnomalyFound("chat-1", "unknown_party"),
        o.FormProgress("chat-1", "cancelled"),
        POLL,
    ]


def test_a_duplicate_is_counted(chat: ObservedCore) -> None:
    """The known events of one step are one observation with their number."""
    chat.reply("poll", {"events": [MESSAGE, MESSAGE, MESSAGE]}, at=2.0)
    assert o.DuplicatesIgnored("chat-1", 2) in chat.take()
    chat.tick(at=5.0)
    chat.reply("poll", {"events": []}, at=6.0)
    assert not any(isinstance(each, o.DuplicatesIgnored) for each in chat.take())


def test_a_gap_is_repaired_by_a_history(chat: ObservedCore) -> None:
    """After a broken poll the history has the missed events, and the observation their number."""
    chat.fail("poll", at=2.0)
    chat.tick(at=3.5)
    ended, link, sent = chat.take()
    assert ended == o.RequestEnded("chat-1", POLL, None, "protocol", 1.5, 0)
    assert link == o.LinkEntered("chat-1", "waiting", "retrying")
    assert sent == HISTORY
    chat.reply("history", {"events": [MESSAGE]}, at=4.0)
    _, message, gap, *_ = chat.take()
    assert (message, gap) == (
        o.IncomingMessage("chat-1", replayed=True),
        o.GapRepaired("chat-1", 1),
    )


def test_a_history_that_fails_repairs_nothing(chat: ObservedCore) -> None:
    """A history that is refused or unreadable repairs no gap."""
    chat.fail("poll", at=2.0)
    chat.tick(at=3.5)
    chat.reply("history", "no history", at=4.0, status=200)
    assert not any(isinstance(each, o.GapRepaired) for each in chat.take())


def test_a_message_is_delivered_with_its_seconds(chat: ObservedCore) -> None:
    """The seconds are those from the command to the confirming reply."""
    chat.receive(SendText("Hello"), at=1.0)
    chat.reply("post", {}, at=1.25)
    sent, ended, delivered = chat.take()
    assert isinstance(sent, o.RequestSent)
    assert (sent.purpose, sent.template) == ("post", POLL.template)
    assert isinstance(ended, o.RequestEnded)
    assert delivered == o.OwnMessageDelivered("chat-1", 0.25)


def test_an_unconfirmed_message_is_not_final(chat: ObservedCore) -> None:
    """A POST without a reply leaves it open; the history that has it counts as delivery."""
    chat.receive(SendText("Hello"), at=1.0)
    chat.fail("post", at=2.0)
    assert o.OwnEventUndelivered("chat-1", "message", is_final=False) in chat.take()
    chat.tick(at=10.0)
    own = {**MESSAGE, "party_id": "chat-1", "msg_id": "t-1", "msg": "Hello"}
    [msg_id] = chat.core.client.session.outbox  # type: ignore[union-attr]
    chat.reply("history", {"events": [{**own, "msg_id": msg_id}]}, at=11.0)
    assert o.OwnMessageDelivered("chat-1", 10.0) in chat.take()


def test_a_refused_message_is_final(chat: ObservedCore) -> None:
    """An event that is not a message is reported under its wire name."""
    chat.receive(SendText("Hello"), at=1.0)
    chat.reply("post", {}, at=1.5, status=400)
    chat.reply("poll", {"events": [FORM]}, at=2.0)
    refusal = {"error_code": 5603}
    chat.receive(CancelForm("7"), at=2.5)
    chat.tick(at=9.0)
    chat.reply("post", refusal, at=9.5, status=400)
    found = [each for each in chat.take() if isinstance(each, o.OwnEventUndelivered)]
    assert found == [
        o.OwnEventUndelivered("chat-1", "message", is_final=True),
        o.OwnEventUndelivered("chat-1", "chat_form_data_cancel", is_final=True),
    ]


def test_the_end_stops_the_chat_once(chat: ObservedCore) -> None:
    """The end is the last observation; closing the chat adds none."""
    chat.reply("poll", {"events": [{"event": "chat_session_ended"}]}, at=2.0)
    assert chat.take()[1:] == [
        o.LinkEntered("chat-1", "waiting", "live"),
        o.StateEntered("chat-1", "queued", "ended", replayed=False),
        o.LinkEntered("chat-1", "live", "over"),
        o.ChatStopped("chat-1", "over", "ended", "over"),
    ]
    chat.core.close(3.0, None)
    assert chat.take() == []


def test_closing_ends_requests_in_flight(chat: ObservedCore) -> None:
    """Each sent request has an end, also if the app leaves the chat before the reply."""
    chat.core.close(3.0, None)
    assert chat.take() == [
        o.ChatStopped("chat-1", "waiting", "queued", "closed"),
        o.RequestEnded("chat-1", POLL, None, "cancelled", 2.5, 0),
    ]


def test_a_chat_that_never_began_does_not_stop() -> None:
    """A chat that never began has no request to end either."""
    observed = ObservedCore(ChatClient(ENDPOINT))
    observed.core.close(1.0, None)
    assert observed.seen == []


def test_an_error_of_the_client_stops_the_chat(
    chat: ObservedCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver does not call the client again."""
    monkeypatch.setattr(chat.core.client, "receive", lambda *_args, **_names: 1 / 0)
    chat.tick(at=2.0)
    assert chat.take() == [o.ChatStopped("chat-1", "waiting", "queued", "error")]


def test_a_failed_save_is_observed(chat: ObservedCore) -> None:
    """The observation has the kind of the error, without its text."""
    chat.save_error = OSError("a path")
    chat.reply("poll", {"events": [MESSAGE]}, at=2.0)
    assert chat.take()[-1] == o.SaveFailed("chat-1", "OSError")


def test_a_request_that_was_never_sent_is_not_observed(chat: ObservedCore) -> None:
    """A request held back too long by a failed save fails in the client only."""
    chat.save_error = OSError()
    chat.reply("poll", {"events": [MESSAGE]}, at=2.0)
    chat.tick(at=4.0)
    chat.tick(at=9.0)
    chat.save_error = None
    chat.tick(at=12.0)
    seen = chat.take()
    sent = [each for each in seen if isinstance(each, o.RequestSent)]
    ended = [each.request for each in seen if isinstance(each, o.RequestEnded)]
    assert ended == [POLL]
    assert len(sent) == 1


def test_a_held_request_is_sent_when_it_is_released() -> None:
    """Backpressure delays a poll; its seconds begin when the sender gets it."""
    observed = ObservedCore()
    observed.core.max_pending = 0
    observed.reply("api", OPENED, at=0.5)
    assert observed.take()[-1] != POLL
    while observed.core.take(1) is not None:
        assert POLL not in observed.seen
        observed.core.finish(2.0)
    assert observed.seen == [POLL]


def test_a_restored_chat_starts_as_it_was(chat: ObservedCore) -> None:
    """The start has its id, its link and its state; the first history repairs its gap."""
    client = ChatClient.restore(chat.record["client"], ENDPOINT, now=100.0)
    again = ObservedCore(client)
    again.tick(at=100.0)
    assert again.take() == [o.ChatStarted("chat-1", "waiting", "queued"), HISTORY]
    again.reply("history", {"events": []}, at=101.0)
    assert o.GapRepaired("chat-1", 0) in again.take()


def test_an_error_of_an_observer_is_isolated(caplog: pytest.LogCaptureFixture) -> None:
    """The chat and the other observers go on.

    The error is logged once as such, then for debugging.
    """
    caplog.set_level(logging.DEBUG, logger="chatfsm")

    def fail(observation: o.Observation) -> None:
        raise ValueError("secret words")

    alone, seen = ObservedCore(), list[o.Observation]()
    both = CoreHarness(observers=(fail, seen.append))
    for each in (alone, both):
        each.reply("api", OPENED, at=0.5)
        each.reply("poll", {"events": [MESSAGE]}, at=1.0)
    assert seen == alone.seen
    records = [record for record in caplog.records if "observer" in record.getMessage()]
    loud = [record for record in records if record.levelno > logging.DEBUG]
    assert [(each.levelno, each.getMessage()) for each in loud] == [
        (logging.ERROR, "an observer raised ValueError")
    ]
    assert len(records) > 3


def test_without_observers_nothing_is_derived() -> None:
    """A core without observers does no work for them."""
    assert DriverCore(ChatClient(ENDPOINT), None, 8)._observations is None


def test_no_observation_holds_texts_or_ids_of_customers(chat: ObservedCore) -> None:
    """No field has a message, a name, an id of a party or a form, or credentials."""
    chat.reply("poll", {"events": [MESSAGE, FORM, MESSAGE]}, at=2.0)
    chat.receive(SendText("Hello"), at=2.5)
    chat.reply("post", {}, at=3.0)
    text = repr(chat.seen)
    for secret in ("Hello", "p-1", "m1", "Tove", APP_ID, CLIENT_ID, "tenant.example"):
        assert secret not in text


def test_the_union_has_each_observation() -> None:
    """`Observation` is closed: it has each class of the module that is an observation."""
    classes = {
        found
        for name in o.__all__
        if isinstance(found := getattr(o, name), type) and issubclass(found, o._Observation)
    }
    assert set(get_args(o.Observation)) == classes


def test_both_drivers_observe_the_same() -> None:
    """One chat with threads and with asyncio has the same observations, except for their number."""
    blocking, asynchronous = list[o.Observation](), list[o.Observation]()
    with Server() as server, stdlib.Sender() as sender:
        with threads.Chat(server.client("one"), sender, observers=[blocking.append]) as chat:
            chat.open()
            for effect in chat:
                match effect:
                    case MessageReceived(message) if message.text.startswith("Good morning"):
                        chat.send_text("form")
                    case FormOpened(form):
                        chat.cancel_form(form)
                        chat.end()
            assert chat.unhandled == 0
        healths = anyio.run(_run_in_chats, server.client("two"), asynchronous)
    assert {*map(type, blocking)} == {*map(type, asynchronous)}
    assert [(each.chats, each.links) for each in healths] == [(1, {"live": 1}), (0, {})]
    for seen in (blocking, asynchronous):
        assert isinstance(seen[0], o.ChatStarted)
        counts = Counter(map(type, seen))
        assert counts[o.RequestSent] == counts[o.RequestEnded] > 5
        assert (counts[o.OwnMessageDelivered], counts[o.ChatStopped]) == (1, 1)


async def _run_in_chats(client: ChatClient, seen: list[o.Observation]) -> list[o.ChatsHealth]:
    """Run the same chat in `Chats`; return the health during it and after it."""
    healths: list[o.ChatsHealth] = []
    async with httpx.AsyncSender() as send, aio.Chats(send, observers=[seen.append]) as chats:
        chat = chats.open(client)
        await chat.open()
        async for effect in chat:
            match effect:
                case MessageReceived(message) if message.text.startswith("Good morning"):
                    await chat.send_text("form")
                case MessageSent():
                    healths.append(chats.health())
                case FormOpened(form):
                    await chat.cancel_form(form)
                    await chat.end()
        healths.append(chats.health())
    return healths


def test_the_health_of_many_is_the_sum(chat: ObservedCore) -> None:
    """Counts by link and state and sums of pending work are added, and maxima are kept."""

    @attrs.define
    class Open:
        client: ChatClient
        unhandled: int

    other = CoreHarness()
    other.reply("api", {**OPENED, "state": "connected"}, at=0.5)
    other.reply("poll", {"events": []}, at=4.0)
    other.receive(SendText("Hello"), at=5.0)
    new = CoreHarness()
    cores = [chat.core, other.core, new.core]
    found = o.health_of([Open(each.client, len(each.pending)) for each in cores], now=10.0)
    assert found == o.ChatsHealth(
        chats=3,
        links={"waiting": 2, "live": 1},
        states={"queued": 1, "connected": 1},
        pending=4,
        queued=1,
        unhandled=sum(len(each.pending) for each in cores),
        failures=0,
        ignored=0,
        oldest_silence=6.0,
    )
    assert o.health_of([], now=0.0).oldest_silence is None
