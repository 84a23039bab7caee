"""The request for a chat up to a live chat, and refused credentials."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import ChatSession, RemoteProtocolError, Settings, effects, events
from chatfsm._client.client import ChatClient
from chatfsm._client.snapshot import _digest
from chatfsm.api import CheckAvailability, RequestChat, Resume, SessionProperties
from chatfsm.client_effects import (
    ApiFailed,
    ApiSucceeded,
    AuthorizationFailed,
    ChatOpened,
    LinkChanged,
)
from chatfsm.errors import AuthorizationError, ConfigurationError, TransientError
from chatfsm.settings import ClientSettings
from tests.client.conftest import CHAT, ClientHarness, endpoint, kind_of

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}


def names(reported: list[Any]) -> list[str]:
    """Return the names of the effects."""
    return [type(effect).__name__ for effect in reported]


def test_a_new_chat_is_polled_at_once(harness: ClientHarness) -> None:
    """The chat and its state are reported, the request is answered, and the poll is sent."""
    call = RequestChat()
    harness.receive(call)
    reported = harness.reply(
        "chats", {"chat_id": CHAT, "state": "queued", "ewt": "10", "is_new_chat": "true"}
    )
    assert reported == [
        ChatOpened(CHAT, is_new=True),
        ApiSucceeded(call, SessionProperties(CHAT, "queued", 10.0, is_new=True)),
        effects.StateChanged("establishing", "queued"),
        effects.WaitEstimated(10.0),
    ]
    assert harness.pending == ["poll"]


def test_a_chat_of_unknown_age_is_treated_as_old(harness: ClientHarness) -> None:
    """Without `is_new_chat` in the reply the history is requested."""
    harness.receive(RequestChat())
    reported = harness.reply("chats", {"chat_id": CHAT})
    assert reported[0] == ChatOpened(CHAT, is_new=True)
    assert harness.pending == ["history"]
    assert harness.reply_history() == []
    assert harness.pending == ["poll"]


@pytest.mark.parametrize("is_new", [False, "false"])
def test_an_existing_chat_reads_the_history_first(harness: ClientHarness, is_new: object) -> None:
    """If the server returns an existing session, the history is merged before the first poll."""
    harness.receive(RequestChat())
    properties = {"chat_id": CHAT, "state": "connected", "is_new_chat": is_new}
    reported = harness.reply("chats", properties)
    assert ChatOpened(CHAT, is_new=False) in reported
    assert harness.pending == ["history"]
    past = harness.reply_history({"event": "ended"}, HELLO)
    assert names(past) == ["MessageReceived"]
    assert past[0].replayed, "an old end in it has no effect"
    assert harness.pending == ["poll"]
    assert names(harness.reply_poll(HELLO, at=5.0)) == ["LinkChanged"], "reported once"


def test_a_known_chat_reads_the_history_first(make_client: type[ClientHarness]) -> None:
    """A client that is given a chat id requests the history at its first tick."""
    harness = make_client(chat_id=CHAT)
    harness.tick(at=7.0)
    assert harness.pending == ["history"]
    harness.reply_history(HELLO)
    assert harness.pending == ["poll"]


def test_a_client_has_one_chat(harness: ClientHarness) -> None:
    """A second request for a chat is refused, also while the first is pending."""
    harness.receive(RequestChat())
    assert "has no reply yet" in harness.refused(RequestChat())
    harness.reply("chats", {"chat_id": CHAT})
    assert "has a chat already" in harness.refused(RequestChat())


def test_a_refused_chat_may_be_requested_again(harness: ClientHarness) -> None:
    """An unknown tenant fails the request; the state of the client is unchanged."""
    harness.receive(RequestChat())
    (reported,) = harness.reply("chats", {"error_code": 1000}, status=400)
    assert isinstance(reported.error, ConfigurationError)
    harness.receive(RequestChat())
    assert harness.pending == ["chats"]


def test_an_error_in_place_of_a_chat_fails_the_request(harness: ClientHarness) -> None:
    """5005 before there is a chat fails the request and has no other effect."""
    harness.receive(RequestChat())
    assert names(harness.reply("chats", {"error_code": "5005"}, status=404)) == ["ApiFailed"]
    assert not harness.client.done


def test_a_chat_that_fails_at_once(harness: ClientHarness) -> None:
    """The status `failed` in the reply ends the chat at once."""
    harness.receive(RequestChat())
    reported = harness.reply("chats", {"chat_id": CHAT, "state": "failed", "is_new_chat": True})
    assert names(reported) == [
        *("ChatOpened", "ApiSucceeded", "StateChanged", "LinkChanged", "Terminated"),
    ]
    assert harness.pending == []


def test_the_session_has_its_settings() -> None:
    """The session has the chat id and the session settings."""
    settings = ClientSettings(session=Settings(max_ids=7))
    session = ChatClient(endpoint(), settings=settings, chat_id=CHAT).session
    assert session is not None
    assert (session.chat_id, session.settings) == (CHAT, settings.session)


def test_a_restored_ended_session(harness: ClientHarness) -> None:
    """A snapshot with an ended session gives no effects."""
    over = ChatSession(CHAT)
    over.receive(events.Ended(), now=0.0)
    data = ChatClient(endpoint(), chat_id=CHAT).snapshot(now=0.0)
    body = {**data["client"], "session": over.snapshot(now=0.0)}
    data = {**data, "client": body, "digest": _digest(body)}
    harness.client = ChatClient.restore(data, endpoint(), now=0.0)
    assert harness.client.done
    assert harness.tick() == [LinkChanged("over", "ended")]
    assert harness.pending == []


def test_a_strict_session_raises_and_nothing_is_lost(make_client: type[ClientHarness]) -> None:
    """The error of a strict session is raised after the batch, with all its effects kept."""
    chat = make_client(session=Settings(strict=True)).open_chat()
    with pytest.raises(RemoteProtocolError, match="unknown") as caught:
        chat.reply_poll({"event": "weather"}, HELLO, {"event": "fog"}, at=5.0)
    requests = [e for e in caught.value.effects if type(e).__name__ == "HttpRequest"]
    assert [kind_of(request) for request in requests] == ["poll"]
    assert "MessageReceived" in names(list(caught.value.effects))


@pytest.mark.parametrize("kind", ["poll", "post", "history"])
@pytest.mark.parametrize(
    ("status", "body"),
    [(401, b""), (403, b""), (400, {"error_code": "3000"}), (403, {"error_code": 2001})],
)
def test_refused_credentials_stop_everything(
    chat: ClientHarness, kind: str, status: int, body: object
) -> None:
    """401, 403 and the codes of authorization stop polls, histories and POSTs, with an effect."""
    if kind == "history":
        chat.fail("poll")
        chat.run_to_deadline()
    chat.send_text("a")
    if kind == "history":
        chat.reply("post")
    reported = chat.reply(kind, body, status=status)
    assert names(reported) == ["LinkChanged", "AuthorizationFailed"]
    assert chat.client.health(chat.now).link == "unauthorized"
    for kind_left in chat.pending:
        chat.fail(kind_left, "connect")
    assert chat.client.deadline is None
    assert chat.tick(at=10_000.0) == []
    assert chat.pending == []


def test_two_refusals_are_reported_once(chat: ClientHarness) -> None:
    """A pending request that is refused as well is not reported again."""
    chat.send_text("a")
    chat.reply("poll", status=401)
    assert chat.reply("post", status=401) == []


def test_resume_goes_on_with_new_credentials(chat: ClientHarness) -> None:
    """`Resume` renews the ids, requests the history first, and posts waiting texts in order."""
    chat.send_text("a")
    chat.reply("post", status=403)
    chat.reply("poll", status=403)
    chat.send_text("b")
    assert chat.pending == []
    reported = chat.receive(Resume(client_id="another"), at=500.0)
    assert reported == [LinkChanged("retrying")]
    assert chat.pending == ["history", "post"]
    authorization = dict(chat.pending_request("post").headers)["Authorization"]
    assert 'appId="the-app", clientId="another"' in authorization
    assert chat.posted[-1] == ["a", "b"]
    chat.reply_history()
    assert chat.pending == ["poll", "post"]
    assert chat.reply_poll(at=501.0) == [LinkChanged("live")]


def test_a_late_refusal_of_the_old_credentials_is_no_new_one(chat: ClientHarness) -> None:
    """A request with the old ids that is refused after `Resume` is repeated."""
    chat.send_text("a")
    chat.reply("post", status=401)
    chat.receive(Resume("other"))
    reported = chat.reply("poll", status=401, at=1.0)
    assert not any(isinstance(effect, AuthorizationFailed) for effect in reported)
    chat.reply_history()
    while "poll" not in chat.pending:
        chat.run_to_deadline()


def test_resume_needs_a_refusal(chat: ClientHarness) -> None:
    """`Resume` is refused unless the credentials were refused."""
    assert "has not refused the credentials" in chat.refused(Resume())


def test_invalid_credentials_change_nothing(chat: ClientHarness) -> None:
    """`Resume` checks the ids as `Endpoint` does."""
    chat.reply("poll", status=401)
    before = chat.copy_state()
    with pytest.raises(ValueError, match="app_id"):
        chat.receive(Resume("a\r\nb"))
    assert chat.copy_state() == before
    assert chat.client.endpoint.app_id == "the-app"


def test_a_chat_may_be_requested_with_new_credentials(harness: ClientHarness) -> None:
    """A refusal before there is a chat is reported too, and `Resume` allows a new request."""
    harness.receive(RequestChat())
    reported = harness.reply("chats", {"error_code": "2004"}, status=401)
    assert names(reported) == ["ApiFailed", "LinkChanged", "AuthorizationFailed"]
    assert isinstance(reported[0].error, AuthorizationError)
    assert reported[0].error is reported[2].error
    harness.receive(Resume("other"))
    assert harness.pending == []
    harness.receive(RequestChat())
    harness.reply("chats", {"chat_id": CHAT, "is_new_chat": True})
    assert harness.pending == ["poll"]


def test_no_secret_of_a_reply_is_reported(harness: ClientHarness) -> None:
    """Quoted ids and undecodable content in a reply are in no text of an effect."""
    harness.receive(CheckAvailability())
    message = "app the-app of the-client is unknown\r\nhere"
    reported = harness.reply(
        "availability", {"error_code": 3000, "error_message": message}, status=403
    )
    assert isinstance(reported[0], ApiFailed)
    text = repr(reported) + str(reported[0].error)
    assert "the-app" not in text
    assert "the-client" not in text
    assert "\\r\\nhere" in text
    assert isinstance(reported[0].error, AuthorizationError)


def test_an_old_refusal_is_transient(chat: ClientHarness) -> None:
    """An API request with the old ids fails as transient, and can be made again."""
    chat.receive(CheckAvailability())
    chat.reply("poll", status=401)
    chat.receive(Resume("other"))
    (reported,) = chat.reply("availability", status=401)
    assert isinstance(reported.error, TransientError)
    assert reported.error.transient
