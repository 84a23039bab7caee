"""PROTOCOL.md §6: replies that are not the center's, or that it wrote badly, or gave to another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import api as a
from chatfsm import effects
from chatfsm.client_effects import ApiFailed, AuthorizationFailed
from chatfsm.errors import TransientError, TransportError
from chatfsm.transport import HttpFailure
from tests.client.conftest import Stage, kind_of, wire

PAGES = [
    b"<html><head><title>404 Not Found</title></head></html>",
    b"404 page not found\n",
    b"default backend - 404",
    b'{"message":"no Route matched with those values"}',
]
PORTAL = [
    {"status": 302, "location": "http://portal.example.com/login"},
    {"status": 307},
    {"status": 407},
    {"status": 403, "body": b"<html>Please log in</html>"},
    {"status": 401, "body": b"<html>Please log in</html>"},
    {"status": 200, "body": b"<html>Please log in</html>"},
]


def hi(number: int = 2, text: str = "hi") -> dict[str, Any]:
    """A message of an agent's."""
    return {"event": "message", "party_id": "ann", "msg_id": str(number), "msg": text}


def texts(chat: Stage) -> list[str]:
    """The texts that were told so far."""
    return [e.message.text for e in chat.told if isinstance(e, effects.MessageReceived)]


def histories(chat: Stage) -> int:
    """How many histories were asked for so far."""
    return sum(kind_of(request) == "history" for request in chat.requests)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("kind", ["poll", "history", "post"])
def test_a_404_of_a_proxy_ends_no_chat(chat: Stage, kind: str, page: bytes) -> None:
    """The backend restarts, and the proxy speaks in its place; the history brings what was lost."""
    if kind == "history":
        chat.fails("poll", "connect")
        chat.is_due()
    if kind == "post":
        chat.says("a")
    told = chat.replies(kind, page, status=404)
    assert not chat.client.done
    assert not any(isinstance(effect, effects.Terminated) for effect in told)
    while "history" not in chat.pending:
        chat.is_due()
    chat.remembers(hi())
    assert texts(chat) == ["hi"]


@pytest.mark.parametrize("ending", [b"", {"error_code": "5005"}, {"error_code": 5005}])
def test_a_404_of_the_center_ends_it(chat: Stage, ending: Any) -> None:
    """An empty body, or an error of the API."""
    chat.replies("poll", ending, status=404)
    assert chat.client.done


@pytest.mark.parametrize("answer", PORTAL)
def test_a_portal_refuses_no_message(chat: Stage, answer: dict[str, Any]) -> None:
    """What is said behind a portal is in doubt, and arrives when the network works again."""
    chat.says("a")
    chat.replies("post", **answer)
    assert chat.client.session is not None
    assert chat.client.session.outbox == {"1": "unconfirmed"}
    for _ in range(5):
        while "history" not in chat.pending:
            for kind in chat.pending:
                chat.replies(kind, **answer)
            chat.is_due()
        chat.replies("history", **answer)
    assert not any(isinstance(effect, AuthorizationFailed) for effect in chat.told)
    while "history" not in chat.pending:
        for kind in chat.pending:
            chat.replies(kind, **answer)
        chat.is_due()
    chat.remembers()
    assert chat.posted == [["a"], ["a"]]
    chat.replies("post")
    assert chat.client.session.outbox == {"1": "sent"}


@pytest.mark.parametrize("answer", PORTAL)
@pytest.mark.parametrize("request_", [a.GetVersion(), a.CloseCase(), a.GetActiveChat()], ids=repr)
def test_a_portal_answers_no_request_of_the_app(
    chat: Stage, request_: a.ApiRequest, answer: dict[str, Any]
) -> None:
    """Neither a success nor a refusal: the same may succeed later."""
    (kind,) = {kind_of(r) for e in [chat.receives(request_)] for r in chat.requests[-1:] if e == []}
    (failed,) = chat.replies(kind, **answer)
    assert isinstance(failed, ApiFailed)
    assert isinstance(failed.error, (TransientError, TransportError))
    assert failed.error.transient


def test_a_page_of_a_proxy_is_no_lack_of_an_active_chat(chat: Stage) -> None:
    """Nor is a 404 of a proxy's; the center's own is."""
    chat.receives(a.GetActiveChat())
    (failed,) = chat.replies("chats/active", PAGES[0], status=404)
    assert isinstance(failed, ApiFailed)
    chat.receives(a.GetActiveChat())
    (found,) = chat.replies("chats/active", status=404)
    assert found.result is None


@pytest.mark.parametrize(
    "refusal",
    [{"status": 400, "body": {"error_code": "5509"}}, {"status": 429}, {"status": 400}],
)
def test_what_another_client_polled_is_told(chat: Stage, refusal: dict[str, Any]) -> None:
    """While our polls are refused, another client gets the news: one history follows."""
    chat.polled(at=1.0)
    for _ in range(3):
        while "poll" not in chat.pending:
            chat.is_due()
        chat.replies("poll", **refusal)
    while "poll" not in chat.pending:
        chat.is_due()
    assert histories(chat) == 0, "not before a poll is answered"
    chat.polled(hi(4, "second"))
    assert chat.pending == ["history"]
    chat.remembers(hi(2, "first"), hi(4, "second"))
    assert texts(chat) == ["second", "first"]
    for _ in range(5):
        chat.is_due()
        chat.polled()
    assert histories(chat) == 1


def test_a_busy_refusal_survives_the_process(chat: Stage) -> None:
    """The history that follows the next good poll is owed, in whatever process."""
    chat.replies("poll", status=429)
    chat.restarts(at=50.0)
    chat.ticks()
    chat.remembers()
    while "poll" not in chat.pending:
        chat.is_due()
    chat.polled()
    assert chat.pending == ["history"]


BROKEN = [b"caf\xc3", b"one\x0btwo", b"one\ntwo", b"one\x00", b"\xff\xfe", b"\xe2\x82"]


def body_with(raw: bytes) -> bytes:
    """A batch of two messages, of which the first has these bytes as its text."""
    return json.dumps({"events": wire([hi(2, "XX"), hi(4, "fine")])}).encode().replace(b"XX", raw)


@pytest.mark.parametrize("raw", BROKEN, ids=repr)
@pytest.mark.parametrize("kind", ["poll", "history", "post"])
def test_one_bad_byte_costs_no_batch(raw: bytes, kind: str) -> None:
    """It is read as far as it can be, and an anomaly says what was wrong; once in histories."""
    chat = Stage(version=1).opens()
    if kind == "post":
        chat.says("a")
    for _ in range(2 if kind == "history" else 1):
        if kind == "history":
            while "poll" not in chat.pending:
                chat.is_due()
            chat.fails("poll", "connect")
            chat.is_due()
        chat.replies(kind, body_with(raw))
    told = raw.decode("utf-8", "replace")
    assert texts(chat) == [told, "fine"]
    anomalies = [e for e in chat.told if isinstance(e, effects.Anomaly)]
    assert [anomaly.kind for anomaly in anomalies] == ["malformed"]
    assert "reply has" in anomalies[0].text


def test_bad_bytes_of_a_cache_are_not_polled_faster(chat: Stage) -> None:
    """An anomaly is no news: one poll a second, though each tells of it."""
    body = body_with(BROKEN[0])
    while chat.now < 60.0:
        if "poll" in chat.pending:
            chat.replies("poll", body)
        chat.is_due()
    assert sum(kind_of(request) == "poll" for request in chat.requests) <= 62
    assert len(texts(chat)) == 2


@pytest.mark.parametrize("by_sender", [True, False])
def test_a_history_over_the_limit_is_given_up(stages: type[Stage], by_sender: bool) -> None:
    """It would be as long the next time: the chat goes on without it, and says so."""
    chat = stages(max_body=1_000).opens()
    chat.says("a")
    chat.fails("post")
    while "history" not in chat.pending:
        chat.is_due()
    if by_sender:
        request = chat.asked("history")
        del chat.waiting[request.id]
        told = chat.receives(HttpFailure(request.id, "protocol", "too much", too_large=True))
    else:
        told = chat.replies("history", bytes(1_001))
    (anomaly,) = [effect for effect in told if isinstance(effect, effects.Anomaly)]
    assert anomaly.kind == "malformed"
    assert "history" in anomaly.text
    chat.says("b")
    assert chat.posted[-1][-1] == "b", "what is said later goes out"
    for _ in range(40):
        for kind in chat.pending:
            chat.replies(kind)
        if not chat.pending:
            chat.is_due()
    assert histories(chat) == 1
