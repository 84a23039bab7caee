"""Polling: one poll at a time, at a bounded rate, while there is a chat."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from chatfsm import LocalProtocolError, effects
from chatfsm.api import GetFile, GetVersion
from chatfsm.client_effects import ApiFailed, LinkChanged
from chatfsm.transport import HttpReply
from tests.client.conftest import CHAT, ClientHarness, kind_of, query_of

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
TYPING = {"event": "typing", "party_id": "ann"}


def test_events_are_reported_and_the_next_poll_is_sent(chat: ClientHarness) -> None:
    """Events are reported in order, and the next poll is sent at once."""
    reported = chat.reply_poll(TYPING, HELLO, at=9.0)
    assert [type(effect) for effect in reported] == [
        LinkChanged,
        effects.TypingStarted,
        effects.TypingStopped,
        effects.MessageReceived,
    ]
    assert chat.pending == ["poll"]


def test_an_empty_poll_is_followed_at_once(chat: ClientHarness) -> None:
    """After a poll that the server held, the next one is sent in the same moment."""
    chat.reply_poll(at=15.0)
    assert chat.pending == ["poll"]


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"events":null}', b'{"events":[]}', b"[]"])
def test_a_poll_may_be_empty_in_many_ways(chat: ClientHarness, body: bytes) -> None:
    """A success without events is an empty poll, whatever the body has instead."""
    chat.reply("poll", body, at=10.0)
    assert chat.pending == ["poll"]
    assert chat.client.health(10.0).failures == 0


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_no_events_as_an_error_is_an_empty_poll(chat: ClientHarness, status: int) -> None:
    """Error 5511 is an empty poll with any status."""
    chat.reply("poll", {"error_code": "5511"}, status=status, at=10.0)
    assert chat.pending == ["poll"]
    assert chat.client.health(10.0).failures == 0


def test_instant_empty_polls_are_slowed_down(chat: ClientHarness) -> None:
    """A proxy that answers empty polls from its cache is polled once per second."""
    for second in range(1, 20):
        chat.reply_poll()
        assert chat.pending == []
        assert chat.client.deadline == second
        assert chat.run_to_deadline() == ["poll"]


def test_cached_events_are_slowed_down(chat: ClientHarness) -> None:
    """The same message from a cache is reported once, and polled once per second."""
    reported = chat.reply_poll(HELLO, at=5.0)
    for _ in range(20):
        began = chat.now
        reported += chat.reply_poll(HELLO)
        assert chat.run_to_deadline() == ["poll"]
        assert chat.now == began + 1.0
    assert [type(effect) for effect in reported].count(effects.MessageReceived) == 1


def test_many_unknown_events_are_slowed_down(chat: ClientHarness) -> None:
    """Events that are reported each time are polled at most ten times per second."""
    chat.reply_poll({"event": "weather"})
    assert chat.run_to_deadline() == ["poll"]
    assert chat.now == pytest.approx(0.1)


def test_no_two_polls_have_the_same_url(chat: ClientHarness) -> None:
    """A query parameter changes each time, and a header forbids caching."""
    for second in (5.0, 10.0, 15.0):
        chat.reply_poll(at=second)
    polls = [request for request in chat.requests if kind_of(request) == "poll"]
    assert len({request.url for request in polls}) == 4
    assert all(query_of(request)["tenantUrl"] == ["tenant.example.com"] for request in polls)
    assert all(("Cache-Control", "no-cache") in request.headers for request in polls)


def test_a_poll_has_a_timeout_of_at_least_20_seconds(
    chat: ClientHarness, make_client: type[ClientHarness]
) -> None:
    """The timeout of a poll is 30 s, and at least 20 s with any setting."""
    assert chat.pending_request("poll").timeout == 30.0
    with pytest.raises(
        ValueError, match=r"poll_timeout must be from 20 to 1000000000 seconds, not 19\.9"
    ):
        make_client(poll_timeout=19.9)


def test_errors_back_off_up_to_a_limit(chat: ClientHarness) -> None:
    """Each failure has a longer delay, above 0 and up to the limit."""
    waits = []
    for _ in range(10):
        chat.reply("poll", status=429)
        before = chat.now
        assert chat.pending == []
        assert chat.run_to_deadline() == ["poll"]
        waits.append(chat.now - before)
    steps = [min(2.0**attempt, 30.0) for attempt in range(10)]
    assert all(step / 2 <= wait <= step for step, wait in zip(steps, waits, strict=True))
    assert len(set(waits[5:])) == 5, "jitter"


def test_the_count_resets_on_success(chat: ClientHarness) -> None:
    """Each success resets the count of errors; their total does not end the chat."""
    for _ in range(12):
        chat.reply("poll", status=429)
        assert chat.run_to_deadline() == ["poll"]
        chat.reply_poll(at=chat.now + 5)
        chat.reply_history()
        while "poll" not in chat.pending:
            chat.run_to_deadline()
    chat.fail("poll", "connect")
    assert chat.client.health(chat.now).failures == 1
    assert chat.client.health(chat.now).next_in <= 1.0


def test_one_bad_event_does_not_lose_its_batch(chat: ClientHarness) -> None:
    """Unknown and malformed events are reported, and the others are handled."""
    reported = chat.reply_poll({"event": "weather"}, {"event": "typing"}, HELLO, at=3.0)
    kinds = {type(effect) for effect in reported}
    assert {effects.UnknownReceived, effects.Anomaly, effects.MessageReceived} <= kinds


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, {"error_code": "5509"}, {}),
        (400, {"error_code": 5509}, {}),
        (429, {"error_code": "5509"}, {}),
        (400, b"", {}),
        (400, b"busy", {}),
        (429, b"", {}),
    ],
)
def test_a_busy_server_is_polled_later(
    chat: ClientHarness, status: int, body: object, headers: dict[str, str]
) -> None:
    """5509, a 400 without a code and 429 lead to a later poll, and no events are lost."""
    chat.reply("poll", body, status=status, at=1.0)
    assert chat.client.health(1.0).link == "waiting"
    assert chat.run_to_deadline() == ["poll"]
    assert 1.5 <= chat.now <= 2.0, "the first delay counts from 1.0"


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("7", 7.0, 7.0), ("0.1", 0.5, 1.0), ("9999", 120.0, 120.0), ("-4", 0.5, 1.0), ("x", 0.5, 1.0)],
)
def test_retry_after_is_respected_within_bounds(
    chat: ClientHarness, asked: str, least: float, most: float
) -> None:
    """A Retry-After counts up to two minutes; an invalid one is ignored."""
    chat.reply("poll", status=429, at=0.0, retry_after=asked)
    assert chat.run_to_deadline() == ["poll"]
    assert least <= chat.now <= most


def test_a_history_does_not_shorten_a_retry_after(chat: ClientHarness) -> None:
    """A chat unknown to the history is polled once more, after the Retry-After of the poll."""
    chat.send_text("a")
    chat.reply("poll", status=429, at=0.0, retry_after="9")
    chat.fail("post", "protocol", at=0.0)
    assert chat.run_to_deadline() == ["history"]
    chat.reply("history", {"error_code": "5005"}, status=404)
    assert chat.run_to_deadline() == ["poll"]
    assert chat.now == 9.0


def test_a_failed_history_does_not_shorten_a_retry_after(chat: ClientHarness) -> None:
    """Failures of another request delay a poll, and never make it earlier."""
    chat.send_text("a")
    chat.reply("poll", status=429, at=0.0, retry_after="9")
    chat.fail("post", "protocol", at=0.0)
    assert chat.run_to_deadline() == ["history"]
    chat.fail("history", "connect")
    assert chat.run_to_deadline() == ["history"]
    assert chat.now < 9.0
    chat.reply_history()
    while "poll" not in chat.pending:
        assert chat.run_to_deadline()
    assert chat.now >= 9.0


def test_a_date_as_retry_after_is_ignored(chat: ClientHarness) -> None:
    """The client has no calendar, so the normal delay is used."""
    chat.reply("poll", status=503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    assert chat.run_to_deadline() == ["history"]
    assert chat.now <= 1.0


@pytest.mark.parametrize("code", ["1000", "5003", "5006", "5603", "9999"])
def test_other_refusals_are_retried_with_backoff(chat: ClientHarness, code: str) -> None:
    """Any other refused poll is repeated with the backoff for errors."""
    for _ in range(8):
        chat.reply("poll", {"error_code": code}, status=400)
        assert chat.run_to_deadline() == ["poll"]
    assert chat.now > 30.0


def test_a_redirect_is_not_followed(chat: ClientHarness) -> None:
    """A 3xx comes from a portal and is transient; no request follows its Location."""
    chat.reply("poll", status=302, location="https://elsewhere.example.com/")
    assert chat.run_to_deadline() == ["history"]
    assert all(request.url.startswith("https://chat.example.com/") for request in chat.requests)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"", "status 404"),
        (404, {"error_code": "5005"}, "error 5005"),
        (400, {"error_code": 5005}, "error 5005"),
        (200, {"error_code": "5005"}, "error 5005"),
    ],
)
def test_an_unknown_session_is_not_polled_again(
    chat: ClientHarness, status: int, body: object, reason: str
) -> None:
    """5005, or a 404 for the chat, ends it with the reason, and no request follows."""
    reported = chat.reply("poll", body, status=status, at=1.0)
    assert reported[-2:] == [LinkChanged("over", "gone"), effects.Terminated("gone", reason)]
    assert chat.client.done
    assert chat.client.deadline is None
    assert chat.tick(at=999.0) == []
    assert chat.pending == []


@pytest.mark.parametrize("event", ["ended", "inactivity_timeout"])
def test_an_end_stops_the_polling(chat: ClientHarness, event: str) -> None:
    """After the session's end there are no poll, no deadline, and one `Terminated`, the last."""
    reported = chat.reply_poll({"event": event}, {"event": "ended"}, HELLO, at=1.0)
    assert isinstance(reported[-1], effects.Terminated)
    assert sum(isinstance(effect, effects.Terminated) for effect in reported) == 1
    assert chat.client.deadline is None
    assert chat.pending == []
    assert chat.client.session is not None
    assert chat.client.session.counts.late == 2


def test_failed_stops_the_polling(chat: ClientHarness) -> None:
    """The status `failed` is an end."""
    chat.reply_poll({"event": "status", "state": "failed"}, at=1.0)
    assert chat.client.done


def test_completed_does_not_stop_the_polling(chat: ClientHarness) -> None:
    """A survey may follow a completed conversation, so polling goes on."""
    chat.reply_poll({"event": "status", "state": "completed"}, at=1.0)
    assert chat.pending == ["poll"]


def test_typing_ends_by_itself_while_a_poll_is_held(chat: ClientHarness) -> None:
    """The session's deadlines are deadlines of the client."""
    chat.reply_poll(TYPING, at=1.0)
    assert chat.client.deadline == 31.0
    assert chat.tick(at=31.0) == [effects.TypingStopped("ann", "timeout")]


def test_time_must_be_finite(chat: ClientHarness) -> None:
    """NaN and infinite times are refused, and change nothing."""
    assert "finite" in chat.refused(
        HttpReply(chat.pending_request("poll").id, 200, {}, b""), at=float("nan")
    )


def test_an_invalid_input_is_a_type_error(chat: ClientHarness) -> None:
    """A value that is not an input raises TypeError."""
    with pytest.raises(TypeError, match="Resume and Tick, not str"):
        chat.receive("hello")


def test_commands_need_a_chat(harness: ClientHarness) -> None:
    """A command without a chat is refused."""
    with pytest.raises(LocalProtocolError, match="there is no chat yet"):
        harness.send_text()
    assert harness.client.deadline is None
    assert harness.tick(at=5.0) == []


def test_the_repr_names_the_chat_and_no_secret(harness: ClientHarness, chat: ClientHarness) -> None:
    """The repr has the chat id and no credentials."""
    assert repr(harness.client) == "<ChatClient of no chat, waiting>"
    assert repr(chat.client) == f"<ChatClient of <ChatSession '{CHAT}', queued>, waiting>"
    assert "the-app" not in repr(chat.client.endpoint)


def test_each_request_names_its_purpose(chat: ClientHarness) -> None:
    """The purpose does not depend on the URL, so a file named like the polls is not a poll."""
    chat.fail("poll", at=1.0)
    chat.send_text("a")
    chat.receive(GetFile("events"))
    chat.run_to_deadline()
    purposes = [
        (urlsplit(request.url).path.partition("/v2/")[2], request.purpose)
        for request in chat.requests
    ]
    assert purposes == [
        ("chats", "api"),
        ("chats/chat-1/events", "poll"),
        ("chats/chat-1/events", "post"),
        ("chats/chat-1/files/events", "api"),
        ("chats/chat-1/history", "history"),
    ]


def test_the_first_of_several_deadlines_is_the_next(make_client: type[ClientHarness]) -> None:
    """A request with a short timeout fails before one with a longer timeout."""
    chat = make_client(poll_timeout=60.0, request_timeout=30.0, timeout_grace=5.0).open_chat()
    assert chat.client.deadline == 65.0
    chat.receive(GetVersion(), at=10.0)
    assert chat.client.deadline == 45.0
    (failed,) = chat.tick(at=45.0)
    assert isinstance(failed, ApiFailed)
    assert chat.client.deadline == 65.0


@pytest.mark.parametrize("kind", ["poll", "history"])
def test_refused_credentials_are_not_retried(make_client: type[ClientHarness], kind: str) -> None:
    """No failure is counted, and there is no deadline until `Resume`."""
    chat = make_client().open_chat() if kind == "poll" else make_client(chat_id=CHAT)
    chat.tick()
    assert chat.pending == [kind]
    chat.reply(kind, status=401)
    assert chat.client.health(chat.now).failures == 0
    assert chat.client.deadline is None


def test_get_requests_have_no_body(chat: ClientHarness) -> None:
    """Polls and history requests have no body."""
    poll = chat.pending_request("poll")
    chat.fail("poll", "timeout", at=1.0)
    chat.run_to_deadline()
    for request in (poll, chat.pending_request("history")):
        assert (request.method, request.body) == ("GET", b"")
        assert dict(request.headers)["Content-Type"] == "application/json; charset=UTF-8"


def test_an_unknown_chat_is_reported_only_as_ended(chat: ClientHarness) -> None:
    """The link is not reported as failed before the end."""
    reported = chat.reply("poll", status=404, at=1.0)
    assert reported == [
        effects.StateChanged("queued", "gone"),
        LinkChanged("over", "gone"),
        effects.Terminated("gone", "status 404"),
    ]
