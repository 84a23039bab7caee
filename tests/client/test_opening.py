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
from tests.client.conftest import CHAT, Stage, endpoint, kind_of

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}


def names(told: list[Any]) -> list[str]:
    """Return the names of the effects."""
    return [type(effect).__name__ for effect in told]


def test_a_new_chat_is_polled_at_once(stage: Stage) -> None:
    """The chat and its state are reported, the request is answered, and the poll is sent."""
    call = RequestChat()
    stage.receives(call)
    told = stage.replies(
        "chats", {"chat_id": CHAT, "state": "queued", "ewt": "10", "is_new_chat": "true"}
    )
    assert told == [
        ChatOpened(CHAT, is_new=True),
        ApiSucceeded(call, SessionProperties(CHAT, "queued", 10.0, is_new=True)),
        effects.StateChanged("establishing", "queued"),
        effects.WaitEstimated(10.0),
    ]
    assert stage.pending == ["poll"]


def test_a_chat_of_unknown_age_is_treated_as_old(stage: Stage) -> None:
    """Without `is_new_chat` in the reply the history is requested."""
    stage.receives(RequestChat())
    told = stage.replies("chats", {"chat_id": CHAT})
    assert told[0] == ChatOpened(CHAT, is_new=True)
    assert stage.pending == ["history"]
    assert stage.remembers() == []
    assert stage.pending == ["poll"]


@pytest.mark.parametrize("is_new", [False, "false"])
def test_an_existing_chat_reads_the_history_first(stage: Stage, is_new: object) -> None:
    """If the server returns an existing session, the history is merged before the first poll."""
    stage.receives(RequestChat())
    properties = {"chat_id": CHAT, "state": "connected", "is_new_chat": is_new}
    told = stage.replies("chats", properties)
    assert ChatOpened(CHAT, is_new=False) in told
    assert stage.pending == ["history"]
    past = stage.remembers({"event": "ended"}, HELLO)
    assert names(past) == ["MessageReceived"]
    assert past[0].replayed, "and an old end in it ends nothing"
    assert stage.pending == ["poll"]
    assert names(stage.polled(HELLO, at=5.0)) == ["LinkChanged"], "told once"


def test_a_known_chat_reads_the_history_first(stages: type[Stage]) -> None:
    """A client that is given a chat id requests the history at its first tick."""
    stage = stages(chat_id=CHAT)
    stage.ticks(at=7.0)
    assert stage.pending == ["history"]
    stage.remembers(HELLO)
    assert stage.pending == ["poll"]


def test_a_client_has_one_chat(stage: Stage) -> None:
    """A second request for a chat is refused, also while the first is pending."""
    stage.receives(RequestChat())
    assert "has no reply yet" in stage.refused(RequestChat())
    stage.replies("chats", {"chat_id": CHAT})
    assert "has a chat already" in stage.refused(RequestChat())


def test_a_refused_chat_may_be_requested_again(stage: Stage) -> None:
    """An unknown tenant fails the request; the state of the client is unchanged."""
    stage.receives(RequestChat())
    (told,) = stage.replies("chats", {"error_code": 1000}, status=400)
    assert isinstance(told.error, ConfigurationError)
    stage.receives(RequestChat())
    assert stage.pending == ["chats"]


def test_an_error_in_place_of_a_chat_fails_the_request(stage: Stage) -> None:
    """5005 before there is a chat fails the request and has no other effect."""
    stage.receives(RequestChat())
    assert names(stage.replies("chats", {"error_code": "5005"}, status=404)) == ["ApiFailed"]
    assert not stage.client.done


def test_a_chat_that_fails_at_once(stage: Stage) -> None:
    """The status `failed` in the reply ends the chat at once."""
    stage.receives(RequestChat())
    told = stage.replies("chats", {"chat_id": CHAT, "state": "failed", "is_new_chat": True})
    assert names(told) == [
        *("ChatOpened", "ApiSucceeded", "StateChanged", "LinkChanged", "Terminated"),
    ]
    assert stage.pending == []


def test_the_session_has_its_settings() -> None:
    """The session has the chat id and the session settings."""
    settings = ClientSettings(session=Settings(max_ids=7))
    session = ChatClient(endpoint(), settings=settings, chat_id=CHAT).session
    assert session is not None
    assert (session.chat_id, session.settings) == (CHAT, settings.session)


def test_a_restored_ended_session(stage: Stage) -> None:
    """A snapshot with an ended session gives no effects."""
    over = ChatSession(CHAT)
    over.receive(events.Ended(), now=0.0)
    data = ChatClient(endpoint(), chat_id=CHAT).snapshot(now=0.0)
    body = {**data["client"], "session": over.snapshot(now=0.0)}
    data = {**data, "client": body, "digest": _digest(body)}
    stage.client = ChatClient.restore(data, endpoint(), now=0.0)
    assert stage.client.done
    assert stage.ticks() == [LinkChanged("over", "ended")]
    assert stage.pending == []


def test_a_strict_session_raises_and_nothing_is_lost(stages: type[Stage]) -> None:
    """The error of a strict session is raised after the batch, with all its effects kept."""
    chat = stages(session=Settings(strict=True)).opens()
    with pytest.raises(RemoteProtocolError, match="unknown") as caught:
        chat.polled({"event": "weather"}, HELLO, {"event": "fog"}, at=5.0)
    requests = [e for e in caught.value.effects if type(e).__name__ == "HttpRequest"]
    assert [kind_of(request) for request in requests] == ["poll"]
    assert "MessageReceived" in names(list(caught.value.effects))


@pytest.mark.parametrize("kind", ["poll", "post", "history"])
@pytest.mark.parametrize(
    ("status", "body"),
    [(401, b""), (403, b""), (400, {"error_code": "3000"}), (403, {"error_code": 2001})],
)
def test_refused_credentials_stop_everything(
    chat: Stage, kind: str, status: int, body: object
) -> None:
    """401, 403 and the codes of authorization stop polls, histories and POSTs, with an effect."""
    if kind == "history":
        chat.fails("poll")
        chat.is_due()
    chat.says("a")
    if kind == "history":
        chat.replies("post")
    told = chat.replies(kind, body, status=status)
    assert names(told) == ["LinkChanged", "AuthorizationFailed"]
    assert chat.client.health(chat.now).link == "unauthorized"
    for kind_left in chat.pending:
        chat.fails(kind_left, "connect")
    assert chat.client.deadline is None
    assert chat.ticks(at=10_000.0) == []
    assert chat.pending == []


def test_two_refusals_are_reported_once(chat: Stage) -> None:
    """A pending request that is refused as well is not reported again."""
    chat.says("a")
    chat.replies("poll", status=401)
    assert chat.replies("post", status=401) == []


def test_resume_goes_on_with_new_credentials(chat: Stage) -> None:
    """`Resume` renews the ids, requests the history first, and posts waiting texts in order."""
    chat.says("a")
    chat.replies("post", status=403)
    chat.replies("poll", status=403)
    chat.says("b")
    assert chat.pending == []
    told = chat.receives(Resume(client_id="another"), at=500.0)
    assert told == [LinkChanged("retrying")]
    assert chat.pending == ["history", "post"]
    authorization = dict(chat.asked("post").headers)["Authorization"]
    assert 'appId="the-app", clientId="another"' in authorization
    assert chat.posted[-1] == ["a", "b"]
    chat.remembers()
    assert chat.pending == ["poll", "post"]
    assert chat.polled(at=501.0) == [LinkChanged("live")]


def test_a_late_refusal_of_the_old_credentials_is_no_new_one(chat: Stage) -> None:
    """A request with the old ids that is refused after `Resume` is repeated."""
    chat.says("a")
    chat.replies("post", status=401)
    chat.receives(Resume("other"))
    told = chat.replies("poll", status=401, at=1.0)
    assert not any(isinstance(effect, AuthorizationFailed) for effect in told)
    chat.remembers()
    while "poll" not in chat.pending:
        chat.is_due()


def test_resume_needs_a_refusal(chat: Stage) -> None:
    """`Resume` is refused unless the credentials were refused."""
    assert "has not refused the credentials" in chat.refused(Resume())


def test_invalid_credentials_change_nothing(chat: Stage) -> None:
    """`Resume` checks the ids as `Endpoint` does."""
    chat.replies("poll", status=401)
    before = chat.knows()
    with pytest.raises(ValueError, match="app_id"):
        chat.receives(Resume("a\r\nb"))
    assert chat.knows() == before
    assert chat.client.endpoint.app_id == "the-app"


def test_a_chat_may_be_requested_with_new_credentials(stage: Stage) -> None:
    """A refusal before there is a chat is reported too, and `Resume` allows a new request."""
    stage.receives(RequestChat())
    told = stage.replies("chats", {"error_code": "2004"}, status=401)
    assert names(told) == ["ApiFailed", "LinkChanged", "AuthorizationFailed"]
    assert isinstance(told[0].error, AuthorizationError)
    assert told[0].error is told[2].error
    stage.receives(Resume("other"))
    assert stage.pending == []
    stage.receives(RequestChat())
    stage.replies("chats", {"chat_id": CHAT, "is_new_chat": True})
    assert stage.pending == ["poll"]


def test_no_secret_of_a_reply_is_reported(stage: Stage) -> None:
    """Quoted ids and undecodable content in a reply are in no text of an effect."""
    stage.receives(CheckAvailability())
    message = "app the-app of the-client is unknown\r\nhere"
    told = stage.replies("availability", {"error_code": 3000, "error_message": message}, status=403)
    assert isinstance(told[0], ApiFailed)
    text = repr(told) + str(told[0].error)
    assert "the-app" not in text
    assert "the-client" not in text
    assert "\\r\\nhere" in text
    assert isinstance(told[0].error, AuthorizationError)


def test_an_old_refusal_is_transient(chat: Stage) -> None:
    """An API request with the old ids fails as transient, and can be made again."""
    chat.receives(CheckAvailability())
    chat.replies("poll", status=401)
    chat.receives(Resume("other"))
    (told,) = chat.replies("availability", status=401)
    assert isinstance(told.error, TransientError)
    assert told.error.transient
